//! What methods of both kinds of guest share: configurations as clients see them, updates, new volumes, removal.

pub(crate) mod claim;
pub(crate) mod delta;
pub(crate) mod destroy;
pub(crate) mod fresh;
pub(crate) mod show;
pub(crate) mod update;
pub(crate) mod usage;
pub(crate) mod volumes;
