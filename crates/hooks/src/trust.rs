//! Whether nobody but root can change a file that is executed or obeyed as root.

use model::Layout;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Why a file is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// It belongs to somebody who may change it at will.
    #[error("'{path}' is refused: it belongs to user {user}, not to {}", owner(*.expected))]
    Owner {
        /// The file or folder.
        path: PathBuf,
        /// Its owner.
        user: u32,
        /// The owner of the root, beside root itself.
        expected: u32,
    },
    /// Others may write to it.
    #[error("'{path}' is refused: {} may write to it (mode {mode:04o}), 'chmod go-w' helps", who(*.mode))]
    Writable {
        /// The file or folder.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be looked at.
    #[error("'{path}' is refused: {source}")]
    Unknown {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn owner(expected: u32) -> String {
    if expected == 0 { "root".to_owned() } else { format!("user {expected} or root") }
}

fn who(mode: u32) -> &'static str {
    if mode & 0o002 != 0 { "everybody" } else { "its group" }
}

/// Checks that only root, or whoever owns the root that `layout` is of, may change the file behind `path`, the folder that
/// it lies in, and the folders from the root's own `etc` down to `path`.
///
/// # Errors
/// The first of them that others may change.
pub(crate) fn check(layout: &Layout, path: &Path) -> Result<(), Untrusted> {
    let owner = metadata(layout.root())?.uid();
    places(layout, path)?.iter().try_for_each(|place| check_one(place, owner))
}

/// All of the places that a script's safety depends on, its file and the folders down to it, that others than root and
/// whoever owns the root may change.
#[must_use]
pub fn untrusted(layout: &Layout, path: &Path) -> Vec<Untrusted> {
    let found = || -> Result<Vec<Untrusted>, Untrusted> {
        let owner = metadata(layout.root())?.uid();
        let mut places = places(layout, path)?;
        places.sort();
        places.dedup();
        Ok(places.iter().filter_map(|place| check_one(place, owner).err()).collect())
    };
    found().unwrap_or_else(|error| vec![error])
}

/// What to say of a script that root has set and that is called whoever may change it, as Proxmox VE calls it: the file, or else
/// the nearest folder, that others than root may change, and the command that mends it. Others cannot replace what is
/// root's in a folder that is sticky.
#[must_use]
pub fn warning(layout: &Layout, path: &Path) -> Option<String> {
    let sticky = |found: &Untrusted| match found {
        Untrusted::Writable { path, mode } => mode & 0o1000 != 0 && path.is_dir(),
        _ => false,
    };
    let (path, who, mend) = match untrusted(layout, path).into_iter().rev().find(|found| !sticky(found))? {
        Untrusted::Writable { path, mode } => {
            (path, format!("{} (mode {mode:04o})", who(mode)), "chmod go-w".to_owned())
        }
        Untrusted::Owner { path, user, expected } => {
            (path, format!("user {user}, its owner,"), format!("chown {expected}"))
        }
        Untrusted::Unknown { .. } => return None,
    };
    let path = path.display();
    Some(format!("{who} may change '{path}', and with it what runs as root: {mend} '{path}'"))
}

fn places(layout: &Layout, path: &Path) -> Result<Vec<PathBuf>, Untrusted> {
    let named = path.ancestors().skip(1).take_while(|folder| *folder != layout.root());
    let mut places: Vec<PathBuf> = named.map(Path::to_owned).collect();
    let target =
        path.canonicalize().map_err(|source| Untrusted::Unknown { path: path.to_owned(), source })?;
    // Whoever may write to its folder may put another file in its place.
    places.extend(target.parent().map(Path::to_owned));
    places.push(target);
    Ok(places)
}

fn check_one(path: &Path, owner: u32) -> Result<(), Untrusted> {
    let found = metadata(path)?;
    let (user, mode) = (found.uid(), found.mode() & 0o7777);
    if user != 0 && user != owner {
        return Err(Untrusted::Owner { path: path.to_owned(), user, expected: owner });
    }
    if mode & 0o022 != 0 {
        return Err(Untrusted::Writable { path: path.to_owned(), mode });
    }
    Ok(())
}

fn metadata(path: &Path) -> Result<Metadata, Untrusted> {
    path.metadata().map_err(|source| Untrusted::Unknown { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_may_change_is_refused_by_name() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let (folder, file) = (layout.hooks_d(), layout.hooks_d().join("10-x"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, "#!/bin/sh\n").unwrap();
        for path in [&layout.at("etc"), &layout.at("etc/hookvisor"), &folder] {
            chmod(path, 0o755);
        }
        chmod(&file, 0o755);
        check(&layout, &file).unwrap();

        for (path, mode, who) in [
            (&file, 0o775, "its group"),
            (&file, 0o757, "everybody"),
            (&folder, 0o1777, "everybody"),
            (&layout.at("etc/hookvisor"), 0o775, "its group"),
        ] {
            chmod(path, mode);
            let text = format!(
                "'{}' is refused: {who} may write to it (mode {mode:04o}), 'chmod go-w' helps",
                path.display()
            );
            assert_eq!(check(&layout, &file).unwrap_err().to_string(), text);
            chmod(path, 0o755);
        }
        check(&layout, &file).unwrap();
    }

    #[test]
    fn a_script_that_others_may_change_is_told_by_file_or_folder() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let (folder, file) = (layout.at("snippets"), layout.at("snippets/x.sh"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, "#!/bin/sh\n").unwrap();
        for (of_folder, of_file, want) in [
            (0o755, 0o755, None),
            (0o755, 0o777, Some(("everybody (mode 0777)", &file))),
            (0o777, 0o775, Some(("its group (mode 0775)", &file))),
            (0o775, 0o755, Some(("its group (mode 0775)", &folder))),
            (0o1777, 0o755, None),
        ] {
            chmod(&folder, of_folder);
            chmod(&file, of_file);
            let want = want.map(|(who, path)| {
                let path = path.display();
                format!("{who} may change '{path}', and with it what runs as root: chmod go-w '{path}'")
            });
            assert_eq!(warning(&layout, &file), want, "{of_folder:o} {of_file:o}");
        }
    }

    #[test]
    fn a_link_is_as_good_as_what_it_leads_to_and_the_folder_there() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let (link, elsewhere) = (layout.hooks_d().join("10-x"), root.path().join("elsewhere"));
        for folder in [layout.hooks_d(), elsewhere.clone()] {
            fs::create_dir_all(&folder).unwrap();
            chmod(&folder, 0o755);
        }
        let target = elsewhere.join("script");
        symlink(&target, &link).unwrap();
        assert!(matches!(check(&layout, &link), Err(Untrusted::Unknown { .. })));
        fs::write(&target, "").unwrap();
        chmod(&target, 0o755);
        check(&layout, &link).unwrap();
        chmod(&elsewhere, 0o777);
        assert!(check(&layout, &link).unwrap_err().to_string().contains("elsewhere' is refused: everybody"));
    }

    #[test]
    fn another_owner_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let file = layout.at("file");
        fs::write(&file, "").unwrap();
        chmod(&file, 0o700);
        if chown(&file, Some(1234), None).is_err() {
            // Only root may give files away; what it would be refused for cannot be made then.
            return;
        }
        let text = check(&layout, &file).unwrap_err().to_string();
        assert!(text.ends_with("file' is refused: it belongs to user 1234, not to root"), "{text}");
        // Whoever owns the root decides over it.
        chown(root.path(), Some(1234), None).unwrap();
        check(&layout, &file).unwrap();
    }
}
