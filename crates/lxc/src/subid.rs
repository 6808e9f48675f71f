//! The ids of unprivileged containers, subuid(5) and subgid(5).
//!
//! LXC maps ids with `newuidmap` and `newgidmap` where they are installed, and those let even root use only ranges that
//! two files give it.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// The first id on the host: the container's root.
pub const FIRST: u32 = 100_000;
/// How many ids a container has.
pub const COUNT: u32 = 65_536;
/// The line that both files need.
pub const LINE: &str = "root:100000:65536";

/// A file that lacks the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unprivileged containers need the line '{LINE}' in {}", .0.display())]
pub struct MissingLine(pub PathBuf);

/// The files of `etc` (`/etc`) that do not let root use the ids of unprivileged containers.
#[must_use]
pub fn missing(etc: &Path) -> Vec<MissingLine> {
    let files = ["subuid", "subgid"].map(|name| etc.join(name));
    files
        .into_iter()
        .filter(|file| !fs::read_to_string(file).is_ok_and(|text| allows(&text)))
        .map(MissingLine)
        .collect()
}

/// Whether the host lets root map these ids: nothing is needed where `newuidmap` is not installed.
#[must_use]
pub fn ready() -> bool {
    crate::tools::find("newuidmap").is_none() || missing(Path::new("/etc")).is_empty()
}

/// Adds the line to the files of `etc` that lack it, each replaced at once. Returns them.
///
/// # Errors
/// Those of writing; files before the one that failed have the line.
pub fn add(etc: &Path) -> io::Result<Vec<PathBuf>> {
    let files: Vec<PathBuf> = missing(etc).into_iter().map(|missing| missing.0).collect();
    for file in &files {
        let mut text = match fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        text.extend_from_slice(format!("{LINE}\n").as_bytes());
        replace(file, &text)?;
    }
    Ok(files)
}

fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    let new = file.with_added_extension(format!("hookvisor-{}", std::process::id()));
    let written = (|| {
        let mut made = fs::File::create(&new)?;
        if let Ok(old) = fs::metadata(file) {
            fchown(&made, Some(old.uid()), Some(old.gid()))?;
            made.set_permissions(old.permissions())?;
        } else {
            made.set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        made.write_all(text)?;
        made.sync_all()?;
        fs::rename(&new, file)?;
        fs::File::open(file.parent().unwrap_or(Path::new("/")))?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(new);
    }
    written
}

/// Whether one of root's ranges holds all the ids.
fn allows(text: &str) -> bool {
    text.lines().any(|line| {
        let mut fields = line.trim().split(':');
        let root = matches!(fields.next(), Some("root" | "0"));
        let (first, count) = (fields.next(), fields.next());
        let number = |field: Option<&str>| field.and_then(|field| field.parse::<u64>().ok());
        match (number(first), number(count)) {
            (Some(first), Some(count)) if root => {
                first <= u64::from(FIRST) && first.saturating_add(count) >= u64::from(FIRST + COUNT)
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_holds_all_ids_is_enough() {
        for (text, good) in [
            ("root:100000:65536\n", true),
            ("me:100000:65536\nroot:100000:131072\n", true),
            ("root:0:4294967295", true),
            ("0:100000:65536", true),
            ("", false),
            ("me:100000:65536\n", false),
            ("root:100000:1000\n", false),
            ("root:165536:65536\n", false),
            ("#root:100000:65536\n", false),
            ("root:100000\n", false),
        ] {
            assert_eq!(allows(text), good, "{text:?}");
        }
    }

    #[test]
    fn adding_keeps_what_is_there_and_happens_once() {
        let etc = tempfile::tempdir().unwrap();
        let (subuid, subgid) = (etc.path().join("subuid"), etc.path().join("subgid"));
        fs::write(&subuid, "me:100000:65536").unwrap();
        fs::set_permissions(&subuid, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(missing(etc.path()).len(), 2);
        assert_eq!(add(etc.path()).unwrap(), [subuid.clone(), subgid.clone()]);
        assert_eq!(fs::read_to_string(&subuid).unwrap(), "me:100000:65536\nroot:100000:65536\n");
        assert_eq!(fs::read_to_string(&subgid).unwrap(), "root:100000:65536\n");
        assert_eq!(fs::metadata(&subuid).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&subgid).unwrap().mode() & 0o777, 0o644);
        assert!(add(etc.path()).unwrap().is_empty());
        assert_eq!(fs::read_dir(etc.path()).unwrap().count(), 2);
    }
}
