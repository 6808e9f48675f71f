use model::{GuestKind, Vmid};

/// A value as it stands in memory, after the checks that are made when a file is read.
pub(super) fn check(_kind: GuestKind, _vmid: Vmid, _key: &str, value: &str) -> Result<String, String> {
    Ok(value.to_owned())
}
