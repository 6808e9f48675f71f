//! Running other programs, always from the repository's root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A command in the repository's root.
pub(crate) fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

/// This toolchain's cargo.
pub(crate) fn cargo(args: &[&str]) -> Command {
    command(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), args)
}

/// Runs a command whose output goes to the terminal.
pub(crate) fn show(command: &mut Command) -> Result<(), String> {
    let words = words(command);
    let status = command.status().map_err(|error| format!("cannot run `{words}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{words}` failed: {status}")) }
}

/// Runs a command as [`show`] does, and ends it when it takes longer than `limit`.
pub(crate) fn show_within(command: &mut Command, limit: Duration) -> Result<(), String> {
    let words = words(command);
    let mut child = command.spawn().map_err(|error| format!("cannot run `{words}`: {error}"))?;
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("`{words}` failed: {status}")),
            Ok(None) if began.elapsed() > limit => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{words}` was ended after {} s", limit.as_secs()));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => return Err(format!("cannot wait for `{words}`: {error}")),
        }
    }
}

/// Runs a command and returns its standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String, String> {
    let words = words(command);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run `{words}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{words}` failed: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{words}` printed something that is not UTF-8"))
}

/// All files that git knows or would add.
pub(crate) fn files() -> Result<Vec<String>, String> {
    let args = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let list = capture(&mut command("git", &args))?;
    let mut files: Vec<String> =
        list.lines().map(str::to_owned).filter(|path| root().join(path).is_file()).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

fn words(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    command.get_args().fold(name, |all, word| format!("{all} {}", word.to_string_lossy()))
}
