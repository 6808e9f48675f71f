//! What there is to do about an error, where that is one thing. It stands behind the error, whose own words stay.

use model::Vmid;
use std::path::Path;

/// What `mount -o loop` makes a device for an image with.
const LOOPS: &str = "/dev/loop-control";

/// The hint for an error as it is printed; `about` is the guest that the command was for.
pub(crate) fn hint(error: &str, about: Option<Vmid>) -> Option<String> {
    let of_guest = about.and_then(|vmid| lock(error, vmid).or_else(|| kvm(error, vmid)));
    let hint = of_guest.or_else(|| bridge(error)).or_else(|| image(error, Path::new(LOOPS).exists()))?;
    Some(format!("hint: {hint}\n"))
}

/// A lock in a guest's configuration.
fn lock(error: &str, vmid: Vmid) -> Option<String> {
    let (kind, lock) = error.lines().next()?.split_once(" is locked (")?;
    let lock = lock.strip_suffix(')')?;
    let program = match kind {
        "VM" => "qm",
        "CT" => "pct",
        _ => return None,
    };
    Some(match lock {
        "suspended" => {
            format!("'{program} start {vmid}' passes this lock, '{program} unlock {vmid}' takes it away")
        }
        _ => format!(
            "'{program} unlock {vmid}' takes the lock '{lock}' away, where nobody is at it any more; 'hookvisor doctor' tells"
        ),
    })
}

/// A host without hardware virtualisation.
fn kvm(error: &str, vmid: Vmid) -> Option<String> {
    let none = error.lines().any(|line| line.contains("KVM virtualisation configured, but not available."));
    none.then(|| {
        format!("'qm set {vmid} --kvm 0' has its processor emulated, which works everywhere and is slow")
    })
}

/// A bridge that is not there.
fn bridge(error: &str) -> Option<String> {
    let named = |line: &str| {
        let (_, rest) = line.split_once("bridge '")?;
        Some(rest.strip_suffix("' does not exist")?.to_owned())
    };
    let name = error.lines().find_map(named)?;
    Some(format!("'{}' makes it, until the host goes down", doctor::make_bridge(&name)))
}

/// An image that cannot be mounted, on a host that has loop devices or none.
fn image(error: &str, loops: bool) -> Option<String> {
    let (_, rest) = error.lines().find_map(|line| line.split_once("cannot mount '"))?;
    let (path, why) = rest.split_once("': ")?;
    // Anything else is about what is in the image.
    if !why.starts_with("mount: ") || path.starts_with("/dev/") || loops && !why.contains("not permitted") {
        return None;
    }
    Some(if loops {
        "'--rootfs STORAGE:0', such as local:0, has a folder in the image's place, which needs no mount"
            .to_owned()
    } else {
        format!(
            "'modprobe loop' makes {LOOPS}, which images are mounted with; '--rootfs local:0' has a folder instead"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about_100(text: &str) -> Option<String> {
        hint(text, Some("100".parse().unwrap()))
    }

    #[test]
    fn a_lock_comes_with_what_takes_it_away() {
        for (text, command) in [
            ("VM is locked (backup)\n", "'qm unlock 100'"),
            ("CT is locked (snapshot-delete)\n", "'pct unlock 100'"),
            ("VM is locked (suspended)\n", "'qm start 100'"),
        ] {
            assert!(about_100(text).unwrap().starts_with(&format!("hint: {command} ")), "{text}");
        }
        assert_eq!(about_100("VM 100 not running\n"), None);
    }

    #[test]
    fn a_host_without_kvm_comes_with_the_setting_that_does_without() {
        let text = "KVM virtualisation configured, but not available. Either disable in VM configuration or enable in BIOS.\n";
        assert!(about_100(text).unwrap().starts_with("hint: 'qm set 100 --kvm 0' "));
        assert_eq!(hint(text, None), None);
    }

    #[test]
    fn a_bridge_comes_with_the_command_that_makes_it() {
        let made = "hint: 'ip link add vmbr0 type bridge && ip link set vmbr0 up' ";
        assert!(hint("bridge 'vmbr0' does not exist\n", None).unwrap().starts_with(made));
        assert_eq!(hint("storage 'vmbr0' does not exist\n", None), None);
    }

    #[test]
    fn an_image_that_cannot_be_mounted_comes_with_loop_devices_or_a_folder() {
        let mount = "': mount: /mnt: mount failed: Operation not permitted.\n";
        let text = format!("unable to create CT 200 - cannot mount '/var/lib/vz/vm-200-disk-0.raw{mount}");
        assert!(image(&text, false).unwrap().starts_with("'modprobe loop' "));
        assert!(image(&text, true).unwrap().starts_with("'--rootfs STORAGE:0'"));
        assert_eq!(image(&format!("cannot mount '/dev/vg/lv{mount}"), false), None);
        assert_eq!(image("cannot mount 'x': mount: /mnt: wrong fs type.\n", true), None);
        assert_eq!(image("cannot mount 'x': No space left on device\n", false), None);
    }
}
