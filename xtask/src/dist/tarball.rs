//! The tarball: a folder to be unpacked below `/usr/local`, with a program that needs no library.

use super::Release;
use super::build::Programs;
use super::contents::{self, Places};
use super::tree::{Tree, read};
use crate::run::{command, root, show};
use std::path::{Path, PathBuf};

const PLACES: Places = Places {
    prefix: "",
    names: "",
    zsh: "site-functions",
    fish: "vendor_completions.d",
    program: "/usr/local/bin/hookvisor",
};

/// Makes `hookvisor-VERSION-ARCHITECTURE-linux.tar.xz` in a folder.
pub(super) fn make(programs: &Programs, release: &Release, folder: &Path) -> Result<PathBuf, String> {
    let name = format!("hookvisor-{}-{}-linux", release.version, std::env::consts::ARCH);
    let tree = Tree::new(folder.join(&name))?;
    contents::lay(&tree, &PLACES, programs, release)?;
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        tree.file(&format!("share/doc/hookvisor/{licence}"), read(&root().join(licence))?)?;
    }
    let path = folder.join(format!("{name}.tar.xz"));
    let mut tar =
        command("tar", &["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"]);
    tar.arg(format!("--mtime=@{}", release.epoch))
        .args(["--use-compress-program=xz --threads=1 -6", "--create"]);
    tar.arg("--file").arg(&path).arg("--directory").arg(folder).arg(&name);
    show(&mut tar)?;
    Ok(path)
}
