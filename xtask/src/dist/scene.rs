//! What the tests of the package need: the package in two versions, and a Debian to install it on.

use super::{Effort, Release, build::Programs, quick, tarball};
use crate::{debian_root, packages};
use std::fs;
use std::path::{Path, PathBuf};

const VERSIONS: [&str; 2] = ["0.0.1", "0.0.2"];

/// Makes both, the Debian only once; the folder holds `old.deb`, `new.deb`, `again.deb`, which is made like the new one, the
/// tarball `hookvisor-*-linux.tar.xz`, and the tree `root`.
pub(crate) fn prepare(binary: &Path) -> Result<PathBuf, String> {
    let folder = debian_root::make()?;
    packages::install_for_dist()?;
    let programs = Programs::beside(binary)?;
    for (name, version) in [("old", VERSIONS[0]), ("new", VERSIONS[1]), ("again", VERSIONS[1])] {
        let release = Release { version: version.to_owned(), ..Release::read(None)? };
        let work = folder.join(name);
        let made = quick(&programs, &release, &work)?;
        let goal = folder.join(format!("{name}.deb"));
        fs::rename(&made, &goal).map_err(|error| format!("cannot make {}: {error}", goal.display()))?;
        fs::remove_dir_all(&work).map_err(|error| format!("cannot remove {}: {error}", work.display()))?;
    }
    let release = Release { version: VERSIONS[1].to_owned(), ..Release::read(None)? };
    tarball::make(&programs, &release, &folder, Effort::Least)?;
    Ok(folder)
}
