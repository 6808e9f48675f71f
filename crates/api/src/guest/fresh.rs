//! Values that are made at random: MAC addresses and UUIDs.

use std::fs::File;
use std::io::{self, Read};

/// `N` random bytes of the kernel's.
fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A MAC address with Proxmox VE's prefix (api.md 3.1).
pub(crate) fn mac() -> io::Result<String> {
    let [a, b, c] = random()?;
    Ok(format!("BC:24:11:{a:02X}:{b:02X}:{c:02X}"))
}

/// A UUID of version 4, RFC 9562.
pub(crate) fn uuid() -> io::Result<String> {
    let mut bytes: [u8; 16] = random()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

#[cfg(test)]
mod tests {
    use config::options;
    use model::GuestKind;

    #[test]
    fn what_is_made_is_valid() {
        let (mac, other) = (super::mac().unwrap(), super::mac().unwrap());
        let net = options::find(GuestKind::Qemu, "net0").unwrap();
        assert_eq!(net.check("net0", &format!("virtio={mac},bridge=vmbr0")), Ok(()));
        assert_ne!(mac, other);
        let uuid = super::uuid().unwrap();
        let vmgenid = options::find(GuestKind::Qemu, "vmgenid").unwrap();
        assert_eq!(vmgenid.check("vmgenid", &uuid), Ok(()));
        assert_eq!((uuid.as_bytes()[14], uuid.len()), (b'4', 36));
    }
}
