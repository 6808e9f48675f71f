//! All options of guests (lifecycle.md 5.4 and 5.5, api.md A.2 and A.3).

mod drives;
pub mod lxc;
mod mounts;
mod networks;
mod patterns;
pub mod qemu;
mod qemu_devices;

pub use drives::{EFIDISK, IDE, SATA, SCSI, TPMSTATE, UNUSED, VIRTIO};
pub use mounts::{DEVICE, MOUNT_POINT, ROOTFS};
pub use networks::{LXC_NET, MODELS, QEMU_IPCONFIG, QEMU_NET};
pub use qemu_devices::{AUDIO, HOSTPCI, IVSHMEM, RNG, SPICE, USB, VGA, VIRTIOFS, WATCHDOG};

use crate::schema::{self, Property};
use model::GuestKind;

/// The options that a guest's configuration may have.
#[must_use]
pub fn all(kind: GuestKind) -> &'static [Property] {
    match kind {
        GuestKind::Qemu => &qemu::OPTIONS,
        GuestKind::Lxc => &lxc::OPTIONS,
    }
}

/// The parameters of creating and restoring a guest that are no options.
#[must_use]
pub fn create_only(kind: GuestKind) -> &'static [Property] {
    match kind {
        GuestKind::Qemu => &qemu::CREATE,
        GuestKind::Lxc => &lxc::CREATE,
    }
}

/// The option that a key names; none for a key that only files have.
#[must_use]
pub fn find(kind: GuestKind, key: &str) -> Option<&'static Property> {
    schema::find(all(kind), key)
}

/// The option or file-only key that a key names.
#[must_use]
pub fn find_in_file(kind: GuestKind, key: &str) -> Option<&'static Property> {
    let only_in_files = match kind {
        GuestKind::Qemu => schema::find(&qemu::FILE, key),
        GuestKind::Lxc => schema::find(&lxc::FILE, key),
    };
    find(kind, key).or(only_in_files)
}

/// When a change of an option on a running guest takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plug {
    /// At once: the guest itself need not hear of it.
    Fast,
    /// Proxmox VE tries to apply it to the running guest; where that is not done it is pending.
    Hot,
    /// With the next start; it is pending until then.
    Cold,
}

/// When a change of an option on a running guest takes effect.
#[must_use]
pub fn plug(kind: GuestKind, key: &str) -> Plug {
    let (fast, hot) = match kind {
        GuestKind::Qemu => (qemu::FAST, qemu::HOT),
        GuestKind::Lxc => (lxc::FAST, lxc::HOT),
    };
    let name = key.trim_end_matches(|c: char| c.is_ascii_digit());
    if fast.contains(&key) {
        Plug::Fast
    } else if hot.contains(&key) || hot.contains(&name) {
        Plug::Hot
    } else {
        Plug::Cold
    }
}

/// Puts two tables together.
const fn join<const A: usize, const B: usize, const C: usize>(
    a: [Property; A],
    b: [Property; B],
) -> [Property; C] {
    assert!(A + B == C);
    let mut joined = [Property::string(""); C];
    let mut i = 0;
    while i < C {
        joined[i] = if i < A { a[i] } else { b[i - A] };
        i += 1;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_every_option_is_described() {
        for kind in GuestKind::ALL {
            let mut names = BTreeSet::new();
            for property in all(kind).iter().chain(create_only(kind)) {
                assert!(names.insert(property.schema_name()), "{}", property.name);
                assert!(!property.description.is_empty(), "{}", property.name);
            }
            let sorted = all(kind).windows(2).all(|pair| pair[0].schema_name() < pair[1].schema_name());
            assert!(sorted, "options stand in the order of their names");
        }
    }

    /// Every default is a value that its own option takes.
    #[test]
    fn defaults_are_valid() {
        for kind in GuestKind::ALL {
            for property in all(kind).iter().chain(create_only(kind)) {
                if let Some(default) = property.default {
                    assert_eq!(property.check(property.name, default), Ok(()), "{}", property.name);
                }
            }
        }
    }

    #[test]
    fn a_hookscript_takes_effect_at_once_and_memory_does_not() {
        for kind in GuestKind::ALL {
            assert_eq!(plug(kind, "hookscript"), Plug::Fast);
            assert_eq!(plug(kind, "net0"), Plug::Hot);
            assert_eq!(plug(kind, "ostype"), Plug::Cold);
        }
        assert_eq!(plug(GuestKind::Qemu, "memory"), Plug::Hot);
    }

    #[test]
    fn a_key_is_found_by_name_and_index() {
        assert_eq!(find(GuestKind::Qemu, "scsi30").map(|p| p.name), Some("scsi"));
        assert!(find(GuestKind::Qemu, "scsi31").is_none());
        assert!(
            find(GuestKind::Qemu, "snaptime").is_none()
                && find_in_file(GuestKind::Qemu, "snaptime").is_some()
        );
        assert_eq!(find(GuestKind::Qemu, "numa").map(|p| p.count), Some(None));
        assert_eq!(find(GuestKind::Qemu, "numa3").map(|p| p.count), Some(Some(8)));
    }
}
