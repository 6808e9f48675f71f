//! A container's file system that grows into its volume.

use crate::tools;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Makes the ext4 file system in an image or device as large as that is; while it is `mounted`, too.
///
/// # Errors
/// A program that is missing, with its package; and what it said.
pub fn file_system(path: &Path, mounted: bool, say: &mut dyn FnMut(&str)) -> io::Result<()> {
    let device = if mounted { loop_of(path)? } else { None };
    let Some(device) = device else {
        // Its exit codes 1 and 2 say that something was mended.
        run("e2fsck", "e2fsprogs", &["-f", "-y"], path, &[0, 1, 2], say)?;
        return run("resize2fs", "e2fsprogs", &[], path, &[0], say);
    };
    run("losetup", "mount", &["--set-capacity"], device.as_ref(), &[0], say)?;
    // resize2fs(8) asks the kernel by the place where the file system is mounted, which is the container's alone: here it gets
    // one of its own for as long as it runs.
    const SCRIPT: &str =
        "mount --make-rprivate / && mount --bind /mnt /mnt && mount \"$1\" /mnt && resize2fs \"$1\"";
    let args = ["--mount", "sh", "-c", SCRIPT, "sh"];
    run("unshare", "util-linux", &args, device.as_ref(), &[0], say)
}

/// The loop device that an image is mounted by, where it is.
fn loop_of(path: &Path) -> io::Result<Option<String>> {
    let mut losetup = command("losetup", "mount")?;
    let output = losetup.args(["--noheadings", "--output", "NAME", "--associated"]).arg(path).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::trim).find(|name| !name.is_empty()).map(str::to_owned))
}

fn command(program: &str, package: &str) -> io::Result<Command> {
    let missing =
        || io::Error::other(format!("'{program}' is missing, which comes with the package '{package}'"));
    let mut command = Command::new(tools::find(program).ok_or_else(missing)?);
    command.env("PATH", tools::PATH).env("LC_ALL", "C").stdin(Stdio::null());
    Ok(command)
}

fn run(
    program: &str,
    package: &str,
    args: &[&str],
    last: &Path,
    good: &[i32],
    say: &mut dyn FnMut(&str),
) -> io::Result<()> {
    let output = command(program, package)?.args(args).arg(last).output()?;
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).for_each(&mut *say);
    if output.status.code().is_some_and(|code| good.contains(&code)) {
        return Ok(());
    }
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned();
    Err(io::Error::other(format!("{program} failed: {last}")))
}
