//! Guests and storages of a root: reading, locking, comparing, replacing.

use config::GuestConfig;
use model::{GuestKind, Layout, Vmid};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::{Barrier, mpsc};
use std::time::Duration;
use store::{ConfigLock, ConfigStore, StoreError};
use tempfile::TempDir;

const SOON: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_secs(20);

fn root() -> (TempDir, ConfigStore) {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    store::init_root(&layout, &"pve1".parse().unwrap()).unwrap();
    let store = ConfigStore::open(layout).unwrap();
    (folder, store)
}

fn vmid(number: u32) -> Vmid {
    Vmid::try_from(number).unwrap()
}

fn lock(store: &ConfigStore, kind: GuestKind, number: u32) -> ConfigLock {
    store.lock(kind, vmid(number), LATE, &mut |_| {}).unwrap()
}

fn guest(kind: GuestKind, name: &str) -> GuestConfig {
    let mut config = GuestConfig::new(kind);
    config.main.set(if kind == GuestKind::Qemu { "name" } else { "hostname" }, name);
    config
}

fn create(store: &ConfigStore, kind: GuestKind, number: u32) -> Result<String, StoreError> {
    store.create(&lock(store, kind, number), &guest(kind, "a"))
}

#[test]
fn a_guest_is_created_read_changed_and_removed() {
    let (_root, store) = root();
    let digest = create(&store, GuestKind::Qemu, 100).unwrap();
    let config = store.read(GuestKind::Qemu, vmid(100)).unwrap();
    assert_eq!((config.main.get("name"), &config.digest), (Some("a"), &digest));
    assert_eq!(store.find(vmid(100)), Some(GuestKind::Qemu));
    let held = lock(&store, GuestKind::Qemu, 100);
    let digest = store.write(&held, &guest(GuestKind::Qemu, "b"), Some(&digest)).unwrap();
    assert_eq!(store.read(GuestKind::Qemu, vmid(100)).unwrap().digest, digest);
    store.remove(&held).unwrap();
    let gone = "Configuration file 'nodes/pve1/qemu-server/100.conf' does not exist";
    assert_eq!(store.read(GuestKind::Qemu, vmid(100)).unwrap_err().to_string(), gone);
    assert_eq!(store.write(&held, &guest(GuestKind::Qemu, "b"), None).unwrap_err().to_string(), gone);
    assert_eq!(store.remove(&held).unwrap_err().to_string(), gone);
}

#[test]
fn an_edit_from_outside_is_not_overwritten() {
    for (kind, text) in [
        (GuestKind::Qemu, "checksum mismatch (file change by other user?)"),
        (GuestKind::Lxc, "detected modified configuration - file changed by other user? Try again."),
    ] {
        let (_root, store) = root();
        let digest = create(&store, kind, 100).unwrap();
        let path = store.layout().guest_config(store.node(), kind, vmid(100));
        fs::write(&path, "memory: 64\n").unwrap();
        let held = lock(&store, kind, 100);
        assert_eq!(store.write(&held, &guest(kind, "b"), Some(&digest)).unwrap_err().to_string(), text);
        assert_eq!(fs::read(&path).unwrap(), b"memory: 64\n");
    }
}

#[test]
fn a_value_that_would_smuggle_a_line_in_is_refused() {
    let (_root, store) = root();
    let digest = create(&store, GuestKind::Lxc, 100).unwrap();
    let evil = guest(GuestKind::Lxc, "a\nhookscript: local:snippets/evil.sh");
    let error = store.write(&lock(&store, GuestKind::Lxc, 100), &evil, Some(&digest)).unwrap_err();
    assert_eq!(error.to_string(), "detected invalid newline inside property 'hostname'");
    assert_eq!(store.read(GuestKind::Lxc, vmid(100)).unwrap().digest, digest);
}

#[test]
fn a_number_belongs_to_one_guest_over_both_kinds_and_all_nodes() {
    let (_root, store) = root();
    create(&store, GuestKind::Qemu, 100).unwrap();
    let other = store.layout().pve().join("nodes/pve2/lxc");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("101.conf"), "").unwrap();
    for (kind, number, text) in [
        (GuestKind::Qemu, 100, "unable to create VM 100 - VM 100 already exists on node 'pve1'"),
        (GuestKind::Lxc, 100, "VM 100 already exists on node 'pve1'"),
        (GuestKind::Qemu, 101, "unable to create VM 101 - CT 101 already exists on node 'pve2'"),
    ] {
        assert_eq!(create(&store, kind, number).unwrap_err().to_string(), text);
    }
    assert_eq!(store.next_free(100, 1_000_000).unwrap(), vmid(102));
    let names = ["102.conf~", ".103.conf.7.0.new", "99.conf", "x.conf", "104"];
    names.iter().for_each(|name| fs::write(store.layout().pve().join("lxc").join(name), "").unwrap());
    assert_eq!(store.list().unwrap(), [(vmid(100), GuestKind::Qemu)]);
}

/// Both kinds are created at once, many times over: their locks differ, yet one of them is refused each time.
#[test]
fn two_creations_at_once_do_not_both_get_the_number() {
    let (_root, store) = root();
    for number in 100..140 {
        let barrier = Barrier::new(2);
        let made = std::thread::scope(|scope| {
            let create = |kind| {
                let (store, barrier) = (&store, &barrier);
                scope.spawn(move || {
                    let held = lock(store, kind, number);
                    barrier.wait();
                    store.create(&held, &guest(kind, "a")).is_ok()
                })
            };
            let created = GuestKind::ALL.map(create);
            created.map(|thread| thread.join().unwrap())
        });
        assert_eq!(made.into_iter().filter(|made| *made).count(), 1, "{number}");
    }
    assert_eq!(store.list().unwrap().len(), 40);
}

#[test]
fn a_held_lock_is_waited_for_with_proxmox_words_and_not_for_ever() {
    let (_root, store) = root();
    let held = lock(&store, GuestKind::Qemu, 100);
    let mut words = Vec::new();
    let error =
        store.lock(GuestKind::Qemu, vmid(100), SOON, &mut |line| words.push(line.to_owned())).unwrap_err();
    let path = store.layout().config_lock(GuestKind::Qemu, vmid(100));
    assert_eq!(error.to_string(), format!("can't lock file '{}' - got timeout", path.display()));
    assert_eq!(words, ["trying to acquire lock..."]);

    let (asked, begun) = mpsc::channel();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut words = Vec::new();
            let mut say = |line: &str| {
                words.push(line.to_owned());
                asked.send(()).unwrap();
            };
            store.lock(GuestKind::Qemu, vmid(100), LATE, &mut say).unwrap();
            words
        });
        begun.recv().unwrap();
        drop(held);
        assert_eq!(waiter.join().unwrap(), ["trying to acquire lock...", " OK"]);
    });
    // The other kind's lock is another one.
    let _held = lock(&store, GuestKind::Qemu, 100);
    assert!(store.lock(GuestKind::Lxc, vmid(100), SOON, &mut |_| {}).is_ok());
}

/// flock(1) stands in for whatever else takes Proxmox VE's lock files.
#[test]
fn a_lock_that_another_program_holds_is_respected() {
    let (_root, store) = root();
    let path = store.layout().config_lock(GuestKind::Lxc, vmid(100));
    let mut holder = Command::new("flock")
        .arg(&path)
        .args(["sh", "-c", "echo held; read line"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 5];
    std::io::Read::read_exact(&mut holder.stdout.take().unwrap(), &mut said).unwrap();
    assert!(matches!(
        store.lock(GuestKind::Lxc, vmid(100), SOON, &mut |_| {}),
        Err(StoreError::LockTimeout { .. })
    ));
    drop(holder.stdin.take());
    holder.wait().unwrap();
    lock(&store, GuestKind::Lxc, 100);
}

/// After a boot the folder is gone; and there are hookscripts that remove the file of a lock that is held.
#[test]
fn a_lock_works_without_its_folder_and_is_not_fooled_by_a_file_made_anew() {
    let (_root, store) = root();
    let path = store.layout().config_lock(GuestKind::Qemu, vmid(100));
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    let held = lock(&store, GuestKind::Qemu, 100);
    fs::remove_file(&path).unwrap();
    let second = lock(&store, GuestKind::Qemu, 100);
    drop(held);
    assert!(matches!(
        store.lock(GuestKind::Qemu, vmid(100), SOON, &mut |_| {}),
        Err(StoreError::LockTimeout { .. })
    ));
    drop(second);
}

#[test]
fn storages_are_changed_without_losing_an_edit() {
    let (_root, store) = root();
    let cfg = store.storage_cfg().unwrap();
    let path = store.layout().storage_cfg();
    fs::write(&path, "dir: other\n\tpath /srv\n").unwrap();
    assert!(matches!(store.write_storage_cfg(&cfg, Some(&cfg.digest)), Err(StoreError::Modified { .. })));
    store
        .change_storage_cfg(|cfg| {
            let section = config::storage_cfg::StorageSection::new("dir", "more".parse().unwrap());
            cfg.sections.push(section);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "dir: other\n\tpath /srv\n\ndir: more\n");
    fs::remove_file(&path).unwrap();
    assert!(store.storage_cfg().unwrap().get(&"local".parse().unwrap()).unwrap().synthesised);
}
