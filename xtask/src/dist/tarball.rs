//! The tarball: a folder to be unpacked below `/usr/local`, with a program that needs no library.

use super::Effort;
use super::Release;
use super::build::Programs;
use super::contents::{self, Places};
use super::tree::{Tree, read};
use crate::run::{capture, command, root, show};
use std::path::{Path, PathBuf};

const PLACES: Places = Places {
    prefix: "",
    names: "",
    zsh: "site-functions",
    fish: "vendor_completions.d",
    program: "/usr/local/bin/hookvisor",
};

/// Makes `hookvisor-VERSION-ARCHITECTURE-linux.tar.xz` in a folder.
pub(super) fn make(
    programs: &Programs,
    release: &Release,
    folder: &Path,
    effort: Effort,
) -> Result<PathBuf, String> {
    let name = format!("hookvisor-{}-{}-linux", release.version, std::env::consts::ARCH);
    let tree = Tree::new(folder.join(&name))?;
    contents::lay(&tree, &PLACES, programs, release)?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        tree.file(&format!("share/doc/hookvisor/{licence}"), read(&root().join(licence))?)?;
    }
    let path = folder.join(format!("{name}.tar.xz"));
    let mut tar =
        command("tar", &["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"]);
    let level = if effort == Effort::Best { 6 } else { 0 };
    tar.arg(format!("--mtime=@{}", release.epoch))
        .args([&*format!("--use-compress-program=xz --threads=1 -{level}"), "--create"]);
    tar.arg("--file").arg(&path).arg("--directory").arg(folder).arg(&name);
    show(&mut tar)?;
    Ok(path)
}

/// Sees that a program runs where there is nothing but what is in the tarball.
pub(super) fn try_alone(tarball: &Path) -> Result<(), String> {
    let tree = tarball.with_extension("").with_extension("");
    let path = tree.to_string_lossy();
    for name in ["hookvisor"].into_iter().chain(contents::NAMES) {
        let mut alone = command("unshare", &["--map-root-user", "--root", &path]);
        capture(alone.args([&*format!("/bin/{name}"), "--help"]))?;
    }
    Ok(())
}
