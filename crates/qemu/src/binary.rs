//! QEMU's binary and its version.

use crate::command::Version;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where QEMU is looked for, in this order: Proxmox VE's name, then the distributions'.
pub const PLACES: [&str; 4] = [
    "/usr/bin/kvm",
    "/usr/bin/qemu-system-x86_64",
    "/usr/local/bin/qemu-system-x86_64",
    "/usr/libexec/qemu-kvm",
];

/// Why there is no QEMU to run.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// There is none.
    #[error("no QEMU found: neither '{}' nor '{}' exists (Debian package 'qemu-system-x86')", PLACES[0], PLACES[1])]
    NotFound,
    /// It could not be run.
    #[error("cannot run '{path}'")]
    Run {
        /// The binary.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not say its version.
    #[error("'{path} --version' does not tell a version: '{output}'")]
    Version {
        /// The binary.
        path: PathBuf,
        /// The first line of what it said.
        output: String,
    },
}

/// Finds QEMU.
///
/// # Errors
/// [`BinaryError::NotFound`], which names the package.
pub fn find_binary() -> Result<PathBuf, BinaryError> {
    PLACES
        .iter()
        .map(Path::new)
        .find(|path| rustix::fs::access(*path, rustix::fs::Access::EXEC_OK).is_ok())
        .map(Path::to_owned)
        .ok_or(BinaryError::NotFound)
}

/// Asks a binary for its version, which takes it some 20 ms; callers keep the answer.
///
/// # Errors
/// [`BinaryError::Run`], [`BinaryError::Version`].
pub fn version(path: &Path) -> Result<Version, BinaryError> {
    let run = |source| BinaryError::Run { path: path.to_owned(), source };
    let output = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .map_err(run)?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse_version(&text).ok_or_else(|| BinaryError::Version {
        path: path.to_owned(),
        output: text.lines().next().unwrap_or_default().to_owned(),
    })
}

/// Reads `QEMU emulator version 7.2.22 (Debian …)`.
#[must_use]
pub fn parse_version(text: &str) -> Option<Version> {
    let (_, rest) = text.split_once("version ")?;
    let numbers = rest.split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
    let mut parts = numbers.split('.').map(str::parse);
    let (major, minor) = (parts.next()?.ok()?, parts.next()?.ok()?);
    Some(Version { major, minor, micro: parts.next().and_then(Result::ok).unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_as_distributions_write_it() {
        let version = |text| parse_version(text).map(|version| version.to_string());
        let debian =
            "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022";
        assert_eq!(version(debian).unwrap(), "7.2.22");
        assert_eq!(version("QEMU emulator version 10.0.50 (v10.0.0-123-gabc)").unwrap(), "10.0.50");
        assert_eq!(version("QEMU emulator version 9.2\n").unwrap(), "9.2.0");
        assert_eq!(version("kvm: not found"), None);
    }
}
