use crate::replace::replace;
use crate::{ConfigStore, StoreError};
use config::domains_cfg::{self, Realm};
use config::secrets::{Form, Secrets};
use config::user_cfg::{self, UserCfg, UserWarning};
use model::Layout;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Users and their secrets, held against others who would change them.
pub struct AccessLock<'a> {
    layout: &'a Layout,
    _guard: File,
}

impl ConfigStore {
    /// The users, groups, pools, roles and access control lists, with what is to be said about the file. Without a file
    /// there is root.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn user_cfg(&self) -> Result<(UserCfg, Vec<UserWarning>), StoreError> {
        read(&self.layout().user_cfg()).map(|raw| user_cfg::parse(&raw))
    }

    /// The realms.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn realms(&self) -> Result<Vec<Realm>, StoreError> {
        read(&self.layout().domains_cfg()).map(|raw| domains_cfg::parse(&raw))
    }

    /// Waits for everybody else who changes users or their secrets, and keeps them away until the lock is dropped.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock_access(&self) -> Result<AccessLock<'_>, StoreError> {
        AccessLock::take(self.layout())
    }
}

impl<'a> AccessLock<'a> {
    /// As [`ConfigStore::lock_access`], for the root of a layout.
    ///
    /// # Errors
    /// What the system says.
    pub fn take(layout: &'a Layout) -> Result<Self, StoreError> {
        // The folder: the files themselves are replaced.
        let folder = layout.private();
        let guard = File::open(&folder).map_err(|source| StoreError::io("open", &folder, source))?;
        guard.lock().map_err(|source| StoreError::io("lock", &folder, source))?;
        Ok(Self { layout, _guard: guard })
    }

    /// Changes `user.cfg`. An edit by somebody who does not know of the lock is not overwritten.
    ///
    /// # Errors
    /// What `change` refuses, and what the system does; what was there stays.
    pub fn change_users<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut UserCfg) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = self.layout.user_cfg();
        let raw = read(&path)?;
        let (mut cfg, _) = user_cfg::parse(&raw);
        let before = cfg.clone();
        let result = change(&mut cfg)?;
        if cfg != before {
            swap(&path, &raw, &user_cfg::print(&cfg), 0o640)?;
        }
        Ok(result)
    }

    /// Changes the hashes of passwords or the secrets of tokens.
    ///
    /// # Errors
    /// What the system refuses; what was there stays.
    pub fn change_secrets(&self, form: Form, change: impl FnOnce(&mut Secrets)) -> Result<(), StoreError> {
        let path = secrets_path(self.layout, form);
        let raw = read(&path)?;
        let mut secrets = Secrets::parse(form, &raw);
        let before = secrets.clone();
        change(&mut secrets);
        if secrets == before { Ok(()) } else { swap(&path, &raw, &secrets.print(form), 0o600) }
    }
}

/// Where a file of secrets lies.
#[must_use]
pub fn secrets_path(layout: &Layout, form: Form) -> PathBuf {
    match form {
        Form::Shadow => layout.shadow_cfg(),
        Form::Tokens => layout.token_cfg(),
    }
}

fn swap(path: &Path, before: &[u8], after: &[u8], mode: u32) -> Result<(), StoreError> {
    if read(path)? != before {
        return Err(StoreError::Modified { path: path.to_owned() });
    }
    replace(path, after, mode).map_err(|source| StoreError::io("write", path, source))
}

fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    match fs::read(path) {
        Ok(raw) => Ok(raw),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(StoreError::io("read", path, source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::user_cfg::User;
    use std::os::unix::fs::PermissionsExt;

    fn store(folder: &Path) -> ConfigStore {
        let layout = Layout::new(folder);
        crate::init_root(&layout, &"pve1".parse().unwrap()).unwrap();
        ConfigStore::open(layout).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn users_and_secrets_are_changed_in_files_of_their_modes() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let lock = store.lock_access().unwrap();
        lock.change_users::<_, StoreError>(|cfg| {
            cfg.users.insert("ann@pve".parse().unwrap(), User::default());
            Ok(())
        })
        .unwrap();
        for form in [Form::Shadow, Form::Tokens] {
            lock.change_secrets(form, |secrets| drop(secrets.all.insert("ann".into(), "x".into()))).unwrap();
            assert_eq!(mode(&secrets_path(store.layout(), form)), 0o600);
        }
        assert_eq!(mode(&store.layout().user_cfg()), 0o640);
        assert_eq!(store.user_cfg().unwrap().0.users.len(), 2);
    }

    #[test]
    fn an_edit_that_comes_in_between_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let path = store.layout().user_cfg();
        let edit = "user:bob@pve:1:0::::::\n";
        let result = store.lock_access().unwrap().change_users(|cfg| {
            fs::write(&path, edit).unwrap();
            cfg.users.insert("ann@pve".parse().unwrap(), User::default());
            Ok::<_, StoreError>(())
        });
        assert!(matches!(result, Err(StoreError::Modified { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), edit);
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let refused = store.lock_access().unwrap().change_users(|cfg| {
            cfg.users.clear();
            Err::<(), _>(StoreError::NoFreeVmid { lower: 100, upper: 101 })
        });
        assert!(refused.is_err() && !store.layout().user_cfg().exists());
    }
}
