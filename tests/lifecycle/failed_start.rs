//! A start that fails after `pre-start`: what the hook took in `pre-start` it can give back in `post-stop`.

use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, tests};
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        once [QEMU]: arguments_that_qemu_refuses, a_disk_that_is_gone, an_image_of_a_cdrom_that_is_gone,
            a_bridge_that_is_gone, a_failed_start_can_be_repeated, without_a_hook_nothing_is_left_either;
        once [LXC, BUSYBOX]: an_init_that_cannot_run, a_root_file_system_that_is_gone, a_raw_line_that_lxc_refuses,
            a_bridge_that_is_gone_for_a_container;
        each []: a_failing_post_stop_after_a_failed_start_only_warns
    )
}

#[track_caller]
fn has_failed(guest: &Guest) {
    assert_eq!(guest.status(), "stopped");
    guest.wait_run_end();
    guest.lived("pre-start post-stop");
    assert_eq!(guest.notes()[1].stop_cause, "start-failed");
}

fn arguments_that_qemu_refuses(host: &Host) {
    let guest = host.vm_with(&Behaviour::Obeys, &["--args", "-device nonexistent"]);
    guest
        .start()
        .fails()
        .prints("'nonexistent' is not a valid device model name")
        .complains("start failed: QEMU exited with code 1");
    has_failed(&guest);
    assert!(!host.at(&format!("run/qemu-server/{}.qmp", guest.vmid())).exists(), "no stale socket");
}

fn a_disk_that_is_gone(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    let id = guest.id();
    fs::remove_file(host.at(&format!("var/lib/vz/images/{id}/vm-{id}-disk-0.raw")))
        .expect("the disk is there");
    guest.start().fails().complains(&format!("volume 'local:{id}/vm-{id}-disk-0.raw' does not exist"));
    has_failed(&guest);
}

fn an_image_of_a_cdrom_that_is_gone(host: &Host) {
    let iso = host.at("var/lib/vz/template/iso/x.iso");
    fs::create_dir_all(iso.parent().expect("a folder"))
        .and_then(|()| fs::write(&iso, [0; 4096]))
        .expect("an image");
    let guest = host.vm_with(&Behaviour::Obeys, &["--ide2", "local:iso/x.iso,media=cdrom"]);
    fs::remove_file(iso).expect("the image is there");
    guest.start().fails().complains("volume 'local:iso/x.iso' does not exist");
    has_failed(&guest);
}

fn a_bridge_that_is_gone(host: &Host) {
    let guest = host.vm_with(&Behaviour::Obeys, &["--net0", "virtio,bridge=vmbr4099"]);
    let output = guest.start().fails();
    assert!(output.describe().contains("bridge 'vmbr4099' does not exist"), "{}", output.describe());
    output.prints("hint: 'ip link add vmbr4099 type bridge");
    has_failed(&guest);
}

fn a_failed_start_can_be_repeated(host: &Host) {
    let guest = host.vm_with(&Behaviour::Obeys, &["--args", "-device nonexistent"]);
    guest.start().fails();
    guest.start().fails();
    guest.set(&["--delete", "args"]);
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start post-stop pre-start post-stop pre-start post-start pre-stop post-stop");
}

fn without_a_hook_nothing_is_left_either(host: &Host) {
    let guest = host.vm_with(&Behaviour::Obeys, &["--args", "-device nonexistent"]);
    guest.set(&["--delete", "hookscript"]);
    guest.start().fails().complains("start failed: QEMU exited with code 1");
    guest.wait_run_end();
    guest.lived("");
}

/// The folder of the container's root file system.
fn rootfs(host: &Host, guest: &Guest) -> std::path::PathBuf {
    let id = guest.vmid();
    host.at(&format!("var/lib/vz/images/{id}/subvol-{id}-disk-0.subvol"))
}

fn an_init_that_cannot_run(host: &Host) {
    let guest = host.container();
    fs::write(rootfs(host, &guest).join("sbin/init"), "#!/no/such/interpreter\n")
        .expect("the init can be replaced");
    guest.start().fails().complains(&format!("startup for container '{}' failed", guest.vmid()));
    has_failed(&guest);
}

fn a_root_file_system_that_is_gone(host: &Host) {
    let guest = host.container();
    let rootfs = rootfs(host, &guest);
    fs::rename(&rootfs, rootfs.with_extension("away")).expect("the root file system is there");
    guest.start().fails();
    has_failed(&guest);
    fs::rename(rootfs.with_extension("away"), &rootfs).expect("the root file system is there");
}

fn a_raw_line_that_lxc_refuses(host: &Host) {
    let guest = host.container();
    let config = guest.config() + "lxc.mount.entry = /no/such/place mnt none bind 0 0\n";
    fs::write(guest.config_path(), config).expect("the configuration can be written");
    guest.start().fails();
    has_failed(&guest);
}

fn a_bridge_that_is_gone_for_a_container(host: &Host) {
    let guest = host.container_with(&["--net0", "name=eth0,bridge=vmbr4099"]);
    let output = guest.start().fails();
    assert!(output.describe().contains("vmbr4099"), "the message names the bridge: {}", output.describe());
    has_failed(&guest);
}

fn a_failing_post_stop_after_a_failed_start_only_warns(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    match kind {
        Kind::Vm => {
            guest.set(&["--args", "-device nonexistent"]);
        }
        Kind::Container => {
            fs::write(rootfs(host, &guest).join("sbin/init"), "#!/no/such/interpreter\n").expect("an init");
        }
    }
    guest.on("post-stop", "exit 6");
    guest.start().fails().prints(&format!("hookscript error for {} on post-stop", guest.vmid()));
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-stop:exit-code-6");
}
