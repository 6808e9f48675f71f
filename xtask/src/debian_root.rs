//! A Debian that boots in a container, for the tests of units: a tarball, made once.

use crate::host_vm::{made_of, sources, suite_name};
use crate::packages;
use crate::run::{command, show, target};
use std::fs;

/// What it is made of.
const RECIPE: &str = "tests/systemd/image";

/// Units that it does without.
const MASKED: [&str; 5] = [
    "lxc.service",
    "lxc-net.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
];

/// Makes `target/debian/root.tar` anew when what it is made of has changed.
pub(crate) fn make() -> Result<(), String> {
    if !packages::is_root() || !packages::is_debian() {
        return Err(
            "the Debian of the tests of units is made of this host's packages: run this as root on Debian"
                .to_owned(),
        );
    }
    packages::install_for_debian_root()?;
    let folder = target().join("debian");
    let failed = |error: std::io::Error| format!("cannot make {}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let sources = sources()?;
    let key = made_of(RECIPE, include_str!("debian_root.rs"))?;
    let (tarball, made) = (folder.join("root.tar"), folder.join("key"));
    if tarball.exists() && fs::read_to_string(&made).is_ok_and(|made| made == key) {
        return Ok(());
    }
    let _ = fs::remove_file(&made);
    let new = folder.join("new.tar");
    let mut install = command("mmdebstrap", &["--variant=minbase", "--format=tar", "--quiet"]);
    install
        .arg(format!("--include={}", packages::of_recipe(RECIPE)?.join(",")))
        .args(["--aptopt=Acquire::Languages \"none\"", "--aptopt=APT::Install-Recommends \"false\""])
        .args(["doc", "man", "locale"].map(|folder| format!("--dpkgopt=path-exclude=/usr/share/{folder}/*")))
        .arg("--customize-hook=rm -f \"$1/etc/machine-id\"; mkdir -p \"$1/var/log/journal\"")
        .arg("--customize-hook=echo root:100000:65536 | tee \"$1/etc/subuid\" >\"$1/etc/subgid\"")
        // Nothing of a network is to be waited for, and the containers are not LXC's own to start.
        .args(MASKED.map(|unit| format!("--customize-hook=ln -s /dev/null \"$1/etc/systemd/system/{unit}\"")))
        .args([&suite_name()?, &*new.to_string_lossy()])
        .args(sources.lines());
    eprintln!("making a Debian for the tests of units; this takes a minute or two, once");
    show(&mut install)?;
    // A container has devices of its own.
    show(command("tar", &["--delete", "--wildcards", "./dev/*", "-f"]).arg(&new))?;
    fs::rename(&new, &tarball).and_then(|()| fs::write(&made, key)).map_err(failed)
}
