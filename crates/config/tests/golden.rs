//! Files that a real Proxmox VE wrote (oracle.md, transcripts A, G, H and J) come back byte by byte.

use config::{parse, print};
use model::GuestKind;
use std::path::Path;

#[test]
fn every_file_comes_back_byte_by_byte_without_a_warning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (kind, vmid) =
            if name.starts_with("qemu-") { (GuestKind::Qemu, "100") } else { (GuestKind::Lxc, "200") };
        let raw = std::fs::read(&path).unwrap();
        let (config, warnings) = parse(kind, vmid.parse().unwrap(), &raw);
        assert_eq!(warnings, [], "{name}");
        assert_eq!(String::from_utf8(print(&config)).unwrap(), String::from_utf8(raw).unwrap(), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}

/// The digests that the same Proxmox VE reported for two of the files.
#[test]
fn digests_are_those_that_proxmox_reported() {
    for (raw, digest) in [
        (include_bytes!("golden/qemu-100-disk.conf").as_slice(), "b237ad7aadb5c6bbd37e8136dad6b01be64364e4"),
        (
            include_bytes!("golden/lxc-200-created.conf").as_slice(),
            "0abce28b0081ad4a0faceb558778e040f4a09886",
        ),
    ] {
        assert_eq!(config::digest(raw), digest);
        assert_eq!(parse(GuestKind::Qemu, "100".parse().unwrap(), raw).0.digest, digest);
    }
}
