use super::Inside;

/// Why a root file system does not tell its architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetectError {
    /// No shell and no init that is a binary.
    #[error("no binary found to tell it by")]
    NoBinary,
    /// A binary of a machine that containers cannot have.
    #[error("ELF machine {0} is not supported")]
    Machine(u16),
}

/// What it is by `os-release(5)`, in Proxmox VE's words; `unmanaged` where it does not say.
pub(super) fn ostype(root: &Inside) -> String {
    let files = ["etc/os-release", "usr/lib/os-release"];
    let text = files.iter().find_map(|file| root.read(file).ok().flatten()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.map(|value| value.trim_matches(['"', '\''])).unwrap_or_default()
    };
    [value("ID")]
        .into_iter()
        .chain(value("ID_LIKE").split(' '))
        .find_map(known)
        .unwrap_or("unmanaged")
        .to_owned()
}

fn known(id: &str) -> Option<&'static str> {
    Some(match id {
        "debian" => "debian",
        "devuan" => "devuan",
        "ubuntu" => "ubuntu",
        "centos" | "rhel" | "rocky" | "almalinux" => "centos",
        "fedora" => "fedora",
        "arch" | "archarm" => "archlinux",
        "alpine" => "alpine",
        "gentoo" => "gentoo",
        "nixos" => "nixos",
        _ if id.starts_with("opensuse") || id == "suse" => "opensuse",
        _ => return None,
    })
}

/// The architecture of its binaries, elf(5).
pub(super) fn arch(root: &Inside) -> Result<&'static str, DetectError> {
    let programs = ["bin/sh", "usr/bin/sh", "sbin/init", "bin/busybox"];
    let header = programs.iter().find_map(|program| {
        let bytes = root.read(program).ok().flatten()?;
        bytes.starts_with(b"\x7fELF").then_some(bytes)
    });
    let header = header.ok_or(DetectError::NoBinary)?;
    let (Some(class), Some(machine)) = (header.get(4), header.get(18..20)) else {
        return Err(DetectError::NoBinary);
    };
    let wide = *class == 2;
    match (u16::from_le_bytes([machine[0], machine[1]]), wide) {
        (3, _) => Ok("i386"),
        (62, _) => Ok("amd64"),
        (40, _) => Ok("armhf"),
        (183, _) => Ok("arm64"),
        (243, true) => Ok("riscv64"),
        (243, false) => Ok("riscv32"),
        (other, _) => Err(DetectError::Machine(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_root_tells_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let root = Inside::open(folder.path(), 0).unwrap();
        fs::create_dir_all(folder.path().join("etc")).unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        assert_eq!((ostype(&root).as_str(), arch(&root)), ("unmanaged", Err(DetectError::NoBinary)));
        for (text, expected) in [
            ("NAME=x\nID=debian\n", "debian"),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", "centos"),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", "ubuntu"),
            ("ID=opensuse-leap\n", "opensuse"),
            ("ID=hurd\n", "unmanaged"),
        ] {
            fs::write(folder.path().join("etc/os-release"), text).unwrap();
            assert_eq!(ostype(&root), expected, "{text}");
        }
        let mut elf = vec![0x7f, b'E', b'L', b'F', 2];
        elf.resize(64, 0);
        elf[18] = 183;
        fs::write(folder.path().join("bin/sh"), &elf).unwrap();
        assert_eq!(arch(&root), Ok("arm64"));
    }
}
