//! What the tests of the package need: the package in two versions, and a Debian to install it on.

use super::{Release, build::Programs, quick};
use crate::host_vm::sources;
use crate::packages;
use crate::run::{command, root, show, target};
use std::fs;
use std::path::{Path, PathBuf};

/// The packages of the Debian.
const RECIPE: &str = "tests/package/packages";
const VERSIONS: [&str; 2] = ["0.0.1", "0.0.2"];

/// Makes both, the Debian only once; the folder holds `old.deb`, `new.deb`, `again.deb`, which is made like the new one, and
/// the tree `debian`.
pub(crate) fn prepare(binary: &Path) -> Result<PathBuf, String> {
    if !packages::is_root() || !packages::is_debian() {
        return Err(
            "the package is tested on a Debian made of this host's packages: run this as root on Debian"
                .to_owned(),
        );
    }
    packages::install_for_dist()?;
    packages::install_debootstrap()?;
    let folder = target().join("package-tests");
    fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    debian(&folder)?;
    let programs = Programs::beside(binary)?;
    for (name, version) in [("old", VERSIONS[0]), ("new", VERSIONS[1]), ("again", VERSIONS[1])] {
        let release = Release { version: version.to_owned(), ..Release::read(None)? };
        let work = folder.join(name);
        let made = quick(&programs, &release, &work)?;
        let goal = folder.join(format!("{name}.deb"));
        fs::rename(&made, &goal).map_err(|error| format!("cannot make {}: {error}", goal.display()))?;
        fs::remove_dir_all(&work).map_err(|error| format!("cannot remove {}: {error}", work.display()))?;
    }
    Ok(folder)
}

/// Installs a Debian of this machine's own release into a folder, where it is not what the recipe says.
fn debian(folder: &Path) -> Result<(), String> {
    let path = root().join(RECIPE);
    let recipe =
        fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let (goal, key) = (folder.join("debian"), folder.join("debian.key"));
    if goal.is_dir() && fs::read_to_string(&key).is_ok_and(|made| made == recipe) {
        return Ok(());
    }
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = suite.ok_or("/etc/os-release names no release")?;
    let work = folder.join("debian.new");
    for old in [&goal, &work].into_iter().filter(|old| old.exists()) {
        fs::remove_dir_all(old).map_err(|error| format!("cannot remove {}: {error}", old.display()))?;
    }
    eprintln!("making a Debian to install on ({suite}); this takes a minute or two, once");
    let mut install = command("mmdebstrap", &["--variant=minbase", "--format=directory", "--quiet"]);
    install
        .arg(format!("--include={}", recipe.lines().collect::<Vec<_>>().join(",")))
        .args(["--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\""])
        .args([suite, &work.to_string_lossy()])
        .args(sources()?.lines());
    show(&mut install)?;
    fs::rename(&work, &goal)
        .and_then(|()| fs::write(&key, &recipe))
        .map_err(|error| format!("cannot make {}: {error}", goal.display()))
}
