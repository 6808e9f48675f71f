//! What texts are: the named formats of the schema.

use crate::schema::Property;

/// A named format.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// The number of a guest.
    Vmid,
    /// The name of a node.
    Node,
    /// The name of a storage.
    StorageId,
    /// `<storage>:<name>`.
    VolumeId,
    /// A name in DNS.
    DnsName,
    /// The name of a snapshot, and of sections in general.
    ConfigId,
    /// A property string with these keys.
    Properties(&'static [Property]),
    /// A list of values of one format.
    List(&'static Format),
}

impl Format {
    /// Checks a text; `path` names it in what is said about the parts of a property string.
    ///
    /// # Errors
    /// Proxmox VE's text, without a last line's end.
    pub fn check(self, _path: &str, text: &str) -> Result<(), String> {
        match self {
            Self::Vmid if text.parse::<model::Vmid>().is_err() => {
                Err("value does not look like a valid VM ID".to_owned())
            }
            _ => Ok(()),
        }
    }
}
