//! A Debian for the tests of units and of the package: a tree, made once, over which each test lays a layer of its own.

use crate::host_vm::{made_of, sources, suite_name};
use crate::packages;
use crate::run::{command, show, target};
use std::fs;
use std::path::PathBuf;

/// What it is made of.
const RECIPE: &str = "tests/debian";

/// Units that it does without: nothing of a network is to be waited for, and the containers are not LXC's own to start.
const MASKED: [&str; 5] = [
    "lxc.service",
    "lxc-net.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
];

/// Makes the tree `target/debian/root` anew when what it is made of has changed, and returns the folder that it is in.
pub(crate) fn make() -> Result<PathBuf, String> {
    if !packages::is_root() || !packages::is_debian() {
        return Err(
            "the tests of units and of the package want a Debian made of this host's packages: run this as root on Debian"
                .to_owned(),
        );
    }
    packages::install_debootstrap()?;
    let folder = target().join("debian");
    let failed = |error: std::io::Error| format!("cannot make {}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let sources = sources()?;
    let key = made_of(RECIPE, include_str!("debian_root.rs"))?;
    let (tree, new, made) = (folder.join("root"), folder.join("root.new"), folder.join("key"));
    if tree.is_dir() && fs::read_to_string(&made).is_ok_and(|made| made == key) {
        return Ok(folder);
    }
    let _ = fs::remove_file(&made);
    for old in [&tree, &new].into_iter().filter(|old| old.exists()) {
        fs::remove_dir_all(old).map_err(failed)?;
    }
    let mut install = command("mmdebstrap", &["--variant=minbase", "--format=directory", "--quiet"]);
    install
        .arg(format!("--include={}", packages::of_recipe(RECIPE)?.join(",")))
        .args(["--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\""])
        .args(["doc", "man", "locale"].map(|folder| format!("--dpkgopt=path-exclude=/usr/share/{folder}/*")))
        // What is installed in a test is installed whole.
        .arg("--customize-hook=rm \"$1/etc/dpkg/dpkg.cfg.d/99mmdebstrap\"")
        .arg("--customize-hook=rm -f \"$1/etc/machine-id\"; mkdir -p \"$1/var/log/journal\"")
        .args(MASKED.map(|unit| format!("--customize-hook=ln -s /dev/null \"$1/etc/systemd/system/{unit}\"")))
        .args([&suite_name()?, &*new.to_string_lossy()])
        .args(sources.lines());
    eprintln!("making a Debian for the tests of units and of the package; this takes a minute or two, once");
    show(&mut install)?;
    fs::rename(&new, &tree).and_then(|()| fs::write(&made, key)).map_err(failed)?;
    Ok(folder)
}
