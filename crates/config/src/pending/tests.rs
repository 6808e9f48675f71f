use super::*;
use crate::{parse, print};
use proptest::prelude::*;

fn vmid() -> Vmid {
    "100".parse().unwrap()
}

fn read(kind: GuestKind, raw: &str) -> GuestConfig {
    parse(kind, vmid(), raw.as_bytes()).0
}

fn change(set: &[(&str, &str)], delete: &[&str], revert: &[&str]) -> Change {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let set = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Change { set, delete: words(delete), revert: words(revert), force: false }
}

fn own(volume: &VolumeId) -> bool {
    volume.name().contains("-100-")
}

fn volume_ids(texts: &[&str]) -> Vec<VolumeId> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The file after a change of a running or stopped guest.
fn after(config: &mut GuestConfig, change: &Change, running: bool) -> String {
    update(config, vmid(), change, running, &own).unwrap();
    String::from_utf8(print(config)).unwrap()
}

/// Transcript J of oracle.md: `--memory 128 --name renamed` on a running machine, then `--revert memory`.
#[test]
fn a_running_machine_is_renamed_at_once_and_its_memory_waits() {
    let mut config = read(GuestKind::Qemu, "memory: 64\nname: t100\n");
    let text = after(&mut config, &change(&[("memory", "128"), ("name", "renamed")], &[], &[]), true);
    assert_eq!(text, "memory: 64\nname: renamed\n\n[PENDING]\nmemory: 128\n");
    assert_eq!(merged(&config).get("memory"), Some("128"));
    let item = |key: &str| list(&config).into_iter().find(|item| item.key == key).unwrap();
    assert_eq!(
        (item("memory").value.as_deref(), item("memory").pending.as_deref()),
        (Some("64"), Some("128"))
    );
    assert_eq!((item("name").pending, item("name").delete), (None, None));
    assert_eq!(after(&mut config, &change(&[], &[], &["memory"]), true), "memory: 64\nname: renamed\n");
}

#[test]
fn a_hookscript_is_never_pending() {
    for kind in GuestKind::ALL {
        let mut config = read(kind, "");
        let set = change(&[("hookscript", "local:snippets/h.sh")], &[], &[]);
        assert_eq!(after(&mut config, &set, true), "hookscript: local:snippets/h.sh\n");
        assert_eq!(after(&mut config, &change(&[], &["hookscript"], &[]), true), "");
        let outcome = update(&mut config, vmid(), &change(&[], &["hookscript"], &[]), true, &own).unwrap();
        assert_eq!(outcome.warnings, ["cannot delete 'hookscript' - not set in current configuration!"]);
    }
}

/// An invalid line can be deleted like a value, for it is what refuses the start.
#[test]
fn a_line_that_was_not_understood_can_be_deleted_and_replaced() {
    let mut config = read(GuestKind::Qemu, "hookscript: hook.sh\n");
    assert_eq!(after(&mut config.clone(), &change(&[], &["hookscript"], &[]), true), "");
    let set = change(&[("hookscript", "local:snippets/h.sh")], &[], &[]);
    assert_eq!(after(&mut config, &set, false), "hookscript: local:snippets/h.sh\n");
}

#[test]
fn a_deletion_waits_while_the_guest_runs() {
    let mut config = read(GuestKind::Qemu, "cores: 2\nmemory: 64\n");
    let text = after(&mut config, &change(&[], &["cores"], &[]), true);
    assert_eq!(text, "cores: 2\nmemory: 64\n\n[PENDING]\ndelete: cores\n");
    assert_eq!(merged(&config).get("cores"), None);
    assert_eq!(list(&config)[0].delete, Some(false));
    // Setting it again takes the deletion back; the same value as now leaves nothing to do.
    assert_eq!(
        after(&mut config.clone(), &change(&[("cores", "2")], &[], &[]), true),
        "cores: 2\nmemory: 64\n"
    );
    apply(&mut config, &own);
    assert_eq!(print(&config), b"memory: 64\n");
}

#[test]
fn a_drive_that_is_deleted_leaves_its_volume_unused_and_the_boot_order() {
    let raw = "boot: order=scsi0;net0\nscsi0: local:100/vm-100-disk-0.raw,size=1G\nide2: local:iso/x.iso,media=cdrom\n";
    let mut config = read(GuestKind::Qemu, raw);
    let text = after(&mut config, &change(&[], &["scsi0", "ide2"], &[]), false);
    assert_eq!(text, "boot: order=net0\nunused0: local:100/vm-100-disk-0.raw\n");
    let outcome = update(&mut config, vmid(), &change(&[], &["unused0"], &[]), false, &own).unwrap();
    assert_eq!(outcome.freed, volume_ids(&["local:100/vm-100-disk-0.raw"]));

    let mut config = read(GuestKind::Qemu, raw);
    let forced = Change { force: true, ..change(&[], &["scsi0"], &[]) };
    assert_eq!(after(&mut config, &forced, true).lines().last(), Some("delete: !scsi0"));
    assert_eq!(apply(&mut config, &own), volume_ids(&["local:100/vm-100-disk-0.raw"]));
}

#[test]
fn a_volume_that_a_snapshot_needs_is_not_removed() {
    let mut config = read(
        GuestKind::Lxc,
        "mp0: tank:subvol-100-disk-1,mp=/srv\n\n[s1]\nmp0: tank:subvol-100-disk-1,mp=/srv\n",
    );
    let forced = Change { force: true, ..change(&[], &["mp0"], &[]) };
    assert_eq!(update(&mut config, vmid(), &forced, false, &own).unwrap().freed, []);
}

#[test]
fn changes_of_drives_keep_the_volumes_that_were_there() {
    let raw = "scsi0: local:100/vm-100-disk-0.raw,size=1G\nscsi1: local:100/vm-100-disk-1.raw\nscsi2: local:7/vm-7-disk-2.raw\nide1: local:100/vm-100-cloudinit.raw\n\n\
        [PENDING]\nscsi0: local:100/vm-100-disk-3.raw\nscsi1: local:100/vm-100-disk-1.raw,ro=1\ndelete: scsi2,ide1\n#new notes\n";
    let mut config = read(GuestKind::Qemu, raw);
    assert_eq!(apply(&mut config, &own), volume_ids(&["local:100/vm-100-cloudinit.raw"]));
    let text = "#new notes\nscsi0: local:100/vm-100-disk-3.raw\nscsi1: local:100/vm-100-disk-1.raw,ro=1\nunused0: local:100/vm-100-disk-0.raw\n";
    assert_eq!(String::from_utf8(print(&config)).unwrap(), text);
}

#[test]
fn contradictions_and_unknown_options_are_refused_in_proxmox_words() {
    for (change, key, text) in [
        (change(&[], &["nonsense"], &[]), "delete", "unknown option 'nonsense'"),
        (
            change(&[("cores", "1")], &["cores"], &[]),
            "delete",
            "you can't use '-cores' and -delete cores' at the same time",
        ),
        (
            change(&[("ide2", "none")], &["cdrom"], &[]),
            "delete",
            "you can't use '-cdrom' and -delete cdrom' at the same time",
        ),
        (change(&[], &[], &["nonsense"]), "revert", "unknown option 'nonsense'"),
        (
            change(&[], &["cores"], &["cores"]),
            "revert",
            "you can't use '-delete cores' and -revert cores' at the same time",
        ),
    ] {
        assert_eq!(check(GuestKind::Qemu, &change).unwrap_err().0[key], text);
    }
    assert_eq!(check(GuestKind::Qemu, &change(&[("cores", "1")], &["memory"], &["name"])), Ok(()));
}

#[test]
fn what_is_guarded_or_fixed_stays() {
    let mut config = read(GuestKind::Qemu, "protection: 1\nscsi0: local:100/vm-100-disk-0.raw\n");
    let before = config.clone();
    let error =
        update(&mut config, vmid(), &change(&[("cores", "2")], &["scsi0"], &[]), false, &own).unwrap_err();
    assert_eq!(error.to_string(), "can't remove drive 'scsi0' - protection mode enabled");
    assert_eq!(config, before);
    let mut config = read(GuestKind::Lxc, "rootfs: local:100/vm-100-disk-0.raw\nunprivileged: 1\n");
    for (change, text) in [
        (change(&[], &["rootfs"], &[]), "unable to delete required option 'rootfs'"),
        (change(&[("unprivileged", "0")], &[], &[]), "unable to modify read-only option: 'unprivileged'"),
    ] {
        assert_eq!(update(&mut config, vmid(), &change, false, &own).unwrap_err().to_string(), text);
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let key = || {
        prop_oneof![
            Just("cores"),
            Just("memory"),
            Just("name"),
            Just("description"),
            Just("scsi0"),
            Just("hookscript")
        ]
    };
    let set = prop::collection::btree_map(key(), "[a-z1-9]{1,4}", 0..3);
    let change = (set, prop::collection::vec(key(), 0..2), prop::collection::vec(key(), 0..1)).prop_map(
        |(set, delete, revert)| {
            let set: Vec<(&str, &str)> = set.iter().map(|(key, value)| (*key, value.as_str())).collect();
            change(&set, &delete, &revert)
        },
    );
    prop::collection::vec(change, 1..6)
}

proptest! {
    /// Any changes of a running guest, applied at its next start, end where they end on a stopped one, and the merged
    /// view has shown that all along.
    #[test]
    fn pending_changes_end_where_changes_at_once_do(changes in changes()) {
        let start = read(GuestKind::Qemu, "cores: 2\nname: a\nscsi0: /dev/sdb\n");
        let (mut running, mut stopped) = (start.clone(), start);
        for mut change in changes {
            // A revert undoes what waits; on a stopped guest nothing does.
            change.revert.clear();
            if check(GuestKind::Qemu, &change).is_err() {
                continue;
            }
            update(&mut running, vmid(), &change, true, &own).unwrap();
            update(&mut stopped, vmid(), &change, false, &own).unwrap();
            prop_assert!(stopped.pending.is_empty());
            prop_assert_eq!(&merged(&running), &stopped.main);
        }
        apply(&mut running, &own);
        prop_assert_eq!(running, stopped);
    }
}
