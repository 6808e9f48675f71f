//! What methods of both kinds of guest share: configurations as clients see them, what runs and what it
//! uses, updates, new volumes, removal.

pub(crate) mod approval;
pub(crate) mod claim;
pub(crate) mod destroy;
pub(crate) mod fresh;
pub(crate) mod live;
pub(crate) mod meter;
mod purge;
pub(crate) mod resize;
pub(crate) mod rights;
pub(crate) mod show;
pub(crate) mod summary;
pub(crate) mod update;
pub(crate) mod volumes;

use config::GuestConfig;

/// Sets a key in what holds. A description that says nothing is none.
pub(crate) fn set(config: &mut GuestConfig, key: &str, value: &str) {
    match key {
        "description" => config.main.description = Some(value.to_owned()).filter(|text| !text.is_empty()),
        key => config.main.set(key, value),
    }
}
