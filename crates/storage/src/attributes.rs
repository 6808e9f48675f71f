//! What stands beside a backup: its notes, and whether it is protected.

use crate::content::beside;
use crate::{StorageError, Storages};
use model::VolumeId;
use std::fs;
use std::io;

impl Storages {
    /// The notes of a backup, and whether it is kept from removal.
    ///
    /// # Errors
    /// As [`Storages::path`]; [`StorageError::Io`].
    pub fn backup_attributes(&self, volume: &VolumeId) -> Result<(Option<String>, bool), StorageError> {
        let path = self.path(volume)?.path;
        let notes = beside(&path, "notes");
        let text = match fs::read(&notes) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(StorageError::io("unable to read", &notes)(error)),
        };
        Ok((text, beside(&path, "protected").exists()))
    }

    /// Changes what is given of the two. Empty notes are none.
    ///
    /// # Errors
    /// As [`Storages::path`]; [`StorageError::Io`].
    pub fn set_backup_attributes(
        &self,
        volume: &VolumeId,
        notes: Option<&str>,
        protected: Option<bool>,
    ) -> Result<(), StorageError> {
        let path = self.path(volume)?.path;
        let set = |extension: &str, text: Option<&str>| {
            let file = beside(&path, extension);
            let done = match text {
                Some(text) => store::replace(&file, text.as_bytes(), 0o644),
                None => match fs::remove_file(&file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                    _ => Ok(()),
                },
            };
            done.map_err(StorageError::io("unable to write", &file))
        };
        if let Some(notes) = notes {
            set("notes", Some(notes).filter(|notes| !notes.is_empty()))?;
        }
        match protected {
            Some(on) => set("protected", on.then_some("")),
            None => Ok(()),
        }
    }
}
