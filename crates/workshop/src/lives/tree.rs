//! The files of a root, and how they differ later.

use super::report::{Change, ChangeKind};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// How much of a file is compared, in bytes.
const COMPARED: u64 = 1 << 20;

/// The longest value that is shown, in bytes.
const SHOWN: usize = 80;

/// How many files are remembered: a script that makes more has said enough.
const MOST: usize = 20_000;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    mode: u32,
    size: u64,
    what: Vec<u8>,
}

/// Files by their paths.
#[derive(Debug, Default)]
pub(super) struct Tree(BTreeMap<PathBuf, Node>);

impl Tree {
    /// Looks at all below some folders but for what is below others.
    pub(super) fn of(folders: &[PathBuf], without: &[PathBuf]) -> Self {
        let mut tree = Self::default();
        let mut open: Vec<PathBuf> = folders.to_vec();
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if without.contains(&path) || tree.0.len() >= MOST {
                    continue;
                }
                let Ok(meta) = fs::symlink_metadata(&path) else { continue };
                let kind = meta.file_type();
                let what = if kind.is_symlink() {
                    fs::read_link(&path)
                        .map(|to| to.as_os_str().as_encoded_bytes().to_vec())
                        .unwrap_or_default()
                } else if kind.is_file() {
                    content(&path)
                } else {
                    Vec::new()
                };
                if kind.is_dir() {
                    open.push(path.clone());
                }
                let socket = kind.is_socket() || kind.is_fifo();
                let size = if kind.is_dir() || socket { 0 } else { meta.size() };
                tree.0.insert(path, Node { mode: meta.mode(), size, what });
            }
        }
        tree
    }

    /// What is not as it was. `shown` has both values told.
    pub(super) fn changes_to(&self, later: &Self, shown: bool) -> Vec<Change> {
        let change = |path: &Path, change, value| Change { path: path.display().to_string(), change, value };
        let mut changes = Vec::new();
        for (path, node) in &later.0 {
            match self.0.get(path) {
                None => changes.push(change(path, ChangeKind::Created, text(&node.what))),
                Some(before) if before != node => {
                    let value = match (text(&before.what), text(&node.what)) {
                        (Some(from), Some(to)) if shown => Some(format!("{from} -> {to}")),
                        (_, to) => to,
                    };
                    changes.push(change(path, ChangeKind::Changed, value));
                }
                Some(_) => {}
            }
        }
        let gone = self.0.keys().filter(|path| !later.0.contains_key(*path));
        changes.extend(gone.map(|path| change(path, ChangeKind::Removed, None)));
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        changes
    }
}

fn content(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(COMPARED).read_to_end(&mut bytes);
    }
    bytes
}

/// A short line as text.
fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end();
    (!text.is_empty() && text.len() <= SHOWN && !text.contains(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_changed_and_removed_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("value"), "0\n").unwrap();
        fs::write(at("gone"), "x").unwrap();
        fs::create_dir(at("mine")).unwrap();
        let look = || Tree::of(&[folder.path().to_owned()], &[at("mine")]);
        let before = look();
        fs::write(at("value"), "1\n").unwrap();
        fs::write(at("new"), "n").unwrap();
        fs::write(at("mine/other"), "n").unwrap();
        fs::remove_file(at("gone")).unwrap();
        let changes = before.changes_to(&look(), true);
        let told: Vec<_> = changes
            .iter()
            .map(|change| (change.path.rsplit('/').next().unwrap(), change.change, change.value.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("gone", ChangeKind::Removed, None),
                ("new", ChangeKind::Created, Some("n")),
                ("value", ChangeKind::Changed, Some("0 -> 1")),
            ]
        );
    }
}
