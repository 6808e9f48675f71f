//! What the tests, the demo and the bench need from the distribution.

use crate::run::{command, root, show};
use std::fs;
use std::path::Path;

/// A program and the Debian packages that have it.
struct Need {
    program: &'static str,
    packages: &'static [&'static str],
}

const RUN: &[Need] = &[
    Need { program: "qemu-system-x86_64", packages: &["qemu-system-x86"] },
    Need { program: "qemu-img", packages: &["qemu-utils"] },
    Need { program: "qemu-ga", packages: &["qemu-guest-agent"] },
    Need { program: "lxc-start", packages: &["lxc"] },
    Need { program: "busybox", packages: &["busybox-static"] },
    Need { program: "journalctl", packages: &["systemd"] },
    Need { program: "bwrap", packages: &["bubblewrap"] },
    Need { program: "shellcheck", packages: &["shellcheck"] },
    Need { program: "ip", packages: &["iproute2"] },
    Need { program: "tar", packages: &["tar"] },
    Need { program: "xz", packages: &["xz-utils"] },
    Need { program: "zstd", packages: &["zstd"] },
    Need { program: "perl", packages: &["perl-base"] },
    Need { program: "python3", packages: &["python3-minimal"] },
    Need { program: "curl", packages: &["curl"] },
    Need { program: "openssl", packages: &["openssl"] },
    Need { program: "ping", packages: &["iputils-ping"] },
];

const COMPARE: &[Need] =
    &[Need { program: "virsh", packages: &["libvirt-clients", "libvirt-daemon-system"] }];

const HOST_VM: &[Need] = &[
    Need { program: "mmdebstrap", packages: &["mmdebstrap"] },
    Need { program: "mke2fs", packages: &["e2fsprogs"] },
    Need { program: "strip", packages: &["binutils"] },
    Need { program: "setpriv", packages: &["util-linux"] },
];

const DIST: &[Need] = &[
    Need { program: "dpkg-deb", packages: &["dpkg"] },
    Need { program: "dpkg-shlibdeps", packages: &["dpkg-dev"] },
    Need { program: "strip", packages: &["binutils"] },
    Need { program: "xz", packages: &["xz-utils"] },
    Need { program: "gzip", packages: &["gzip"] },
];

/// Installs what is missing to make a Debian in a folder.
pub(crate) fn install_debootstrap() -> Result<(), String> {
    ensure(&[Need { program: "mmdebstrap", packages: &["mmdebstrap"] }])
}

/// Installs what is missing to make packages.
pub(crate) fn install_for_dist() -> Result<(), String> {
    ensure(DIST)
}

/// Installs what is missing to make a machine whose power can be pulled.
pub(crate) fn install_for_host_vm() -> Result<(), String> {
    ensure(HOST_VM)
}

/// The packages that a recipe lists.
pub(crate) fn of_recipe(recipe: &str) -> Result<Vec<String>, String> {
    let path = root().join(recipe).join("packages");
    let list = fs::read_to_string(&path);
    let list = list.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(list.lines().map(str::to_owned).collect())
}

/// Installs what is missing for tests and demo, or says what is.
pub(crate) fn install() -> Result<(), String> {
    ensure(RUN)
}

/// Installs what the bench compares with. It does without where that is not to be had.
pub(crate) fn install_for_comparison() {
    if let Err(message) = ensure(COMPARE) {
        eprintln!("{message}\nThe bench goes on without it.");
    }
}

/// Installs what Python makes environments with.
pub(crate) fn install_venv() -> Result<(), String> {
    apt(&["python3-venv"])
}

fn ensure(needs: &[Need]) -> Result<(), String> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !present(need.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.iter().map(|need| format!("{} ({})", need.program, need.packages.join(", ")));
    let list = list.collect::<Vec<_>>().join(", ");
    if !is_root() || !Path::new("/usr/bin/apt-get").exists() {
        return Err(format!(
            "missing: {list}\nInstall them, or run this as root on Debian, where it installs them."
        ));
    }
    eprintln!("installing: {list}");
    let mut updated = false;
    for need in missing {
        if apt(need.packages).is_err() {
            if !updated {
                show(&mut command("apt-get", &["update", "-qq"]))?;
                updated = true;
            }
            apt(need.packages)?;
        }
        if !present(need.program) {
            return Err(format!(
                "{} is still missing after {} was installed",
                need.program,
                need.packages.join(", ")
            ));
        }
    }
    Ok(())
}

fn apt(packages: &[&str]) -> Result<(), String> {
    let mut apt = command("apt-get", &["install", "-y", "-qq", "--no-install-recommends"]);
    // No service may be started, and no question asked, by an installation for a test.
    apt.args(packages).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    show(&mut apt)
}

fn present(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"]);
    let mut found = folders.map(|folder| Path::new(folder).join(program)).filter(|path| path.is_file());
    match program {
        // A busybox that needs libraries cannot be the only program in a container.
        "busybox" => found.any(|path| fs::read(path).is_ok_and(|bytes| is_static(&bytes))),
        _ => found.next().is_some(),
    }
}

/// Whether an ELF program names no loader.
fn is_static(elf: &[u8]) -> bool {
    let head = &elf[..elf.len().min(4096)];
    !head.windows(4).any(|window| window == b"/ld-")
}

/// Whether this is root.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// Whether this is Debian.
pub(crate) fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_names_a_loader_is_not_static() {
        assert!(!is_static(b"\x7fELF....\0/lib64/ld-linux-x86-64.so.2\0"));
        assert!(is_static(b"\x7fELF....\0.text\0"));
    }
}
