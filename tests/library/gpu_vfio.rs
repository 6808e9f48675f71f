//! gpu-vfio, on a seeded tree in which a thread does what the kernel does: devices go to the guest and come back.

use crate::pve::Pve;
use crate::scene::{file, give, killed, refused, settings, settings_of};
use e2e::inventory::Inventory;
use e2e::suite::{QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, tests, wait};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const SCRIPT: &str = "gpu-vfio";
/// A card with its sound, a bridge of the same group, and a disk controller by itself: address, class, group, driver.
const DEVICES: [(&str, &str, u32, &str); 4] = [
    ("0000:01:00.0", "0x030000", 7, "nouveau"),
    ("0000:01:00.1", "0x040300", 7, "snd_hda_intel"),
    ("0000:00:01.0", "0x060400", 7, "pcieport"),
    ("0000:02:00.0", "0x010802", 8, "nvme"),
];
const DRIVERS: [&str; 5] = ["nouveau", "snd_hda_intel", "pcieport", "nvme", "vfio-pci"];
const BEFORE: &str = "nouveau snd_hda_intel";
const TAKEN: &str = "vfio-pci vfio-pci";

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_card_goes_to_the_guest_and_back, what_cannot_be_is_refused;
        once [QEMU]: it_is_taken_off_the_bus_and_found_again, the_driver_does_not_let_go, a_link_that_dies_meanwhile,
            two_guests_want_one_card, the_devices_of_the_configuration, as_pve
    )
}

/// A tree like `/sys`, and the thread that answers what is written to it.
struct Bus {
    sys: PathBuf,
    /// The driver of the card does not let go.
    stuck: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    kernel: Option<JoinHandle<()>>,
}

impl Bus {
    fn make(host: &Host) -> Self {
        let sys = host.scratch().join("sys");
        let bus = sys.join("bus/pci");
        for driver in DRIVERS {
            fs::create_dir_all(bus.join("drivers").join(driver)).expect("a folder can be made");
            fs::write(bus.join("drivers").join(driver).join("unbind"), "").expect("a file can be written");
        }
        for name in ["rescan", "drivers_probe"] {
            fs::write(bus.join(name), "").expect("a file can be written");
        }
        let (stuck, over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for device in DEVICES {
            plug(&sys, device);
        }
        let (of_thread, stops, holds) = (sys.clone(), Arc::clone(&over), Arc::clone(&stuck));
        let kernel = std::thread::spawn(move || {
            while !stops.load(Ordering::Relaxed) {
                answer(&of_thread, holds.load(Ordering::Relaxed));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self { sys, stuck, over, kernel: Some(kernel) }
    }

    fn device(&self, address: &str) -> PathBuf {
        self.sys.join("bus/pci/devices").join(address)
    }

    /// The drivers of the card and its sound.
    fn drivers(&self) -> String {
        ["0000:01:00.0", "0000:01:00.1"]
            .map(|address| driver(&self.device(address)).unwrap_or_default())
            .join(" ")
    }

    /// All that the script may change, but for what is written without effect.
    fn state(&self) -> Vec<String> {
        DEVICES
            .iter()
            .map(|(address, ..)| {
                let read = |name: &str| {
                    let text = fs::read_to_string(self.device(address).join(name)).unwrap_or_default();
                    text.trim().replace("(null)", "")
                };
                let driver = driver(&self.device(address)).unwrap_or_default();
                format!("{address} {driver} {:?} {:?}", read("driver_override"), read("reset_method"))
            })
            .collect()
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.kernel.take().map(JoinHandle::join);
    }
}

fn driver(device: &Path) -> Option<String> {
    Some(fs::read_link(device.join("driver")).ok()?.file_name()?.to_string_lossy().into_owned())
}

fn plug(sys: &Path, (address, class, group, driver): (&str, &str, u32, &str)) {
    let device = sys.join("bus/pci/devices").join(address);
    let fresh = sys.join("fresh");
    fs::create_dir_all(&fresh).expect("a folder can be made");
    for (name, text) in [
        ("vendor", "0x10de\n"),
        ("device", "0x1b80\n"),
        ("class", class),
        ("config", "\u{1}\u{2}\u{3}\u{4}"),
        ("driver_override", "(null)\n"),
        ("reset_method", "flr bus\n"),
        ("remove", ""),
    ] {
        fs::write(fresh.join(name), text).expect("a file can be written");
    }
    symlink(format!("../../../kernel/iommu_groups/{group}"), fresh.join("iommu_group"))
        .expect("a link can be made");
    symlink(format!("../../drivers/{driver}"), fresh.join("driver")).expect("a link can be made");
    fs::create_dir_all(sys.join("bus/pci/devices")).expect("a folder can be made");
    fs::rename(&fresh, device).expect("a device can be plugged in");
}

/// What was written to an attribute since the last look.
fn asked(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok().filter(|text| !text.is_empty())?;
    fs::write(path, "").ok()?;
    Some(text.trim().to_owned())
}

/// What the kernel does about what is written.
fn answer(sys: &Path, stuck: bool) {
    let bus = sys.join("bus/pci");
    let device = |address: &str| bus.join("devices").join(address);
    for name in DRIVERS {
        if let Some(address) = asked(&bus.join("drivers").join(name).join("unbind"))
            && !(stuck && name == "nouveau")
        {
            let _ = fs::remove_file(device(&address).join("driver"));
        }
    }
    let own = |address: &str| DEVICES.iter().find(|(one, ..)| *one == address).copied();
    if let Some(address) = asked(&bus.join("drivers_probe"))
        && !device(&address).join("driver").exists()
    {
        let only = fs::read_to_string(device(&address).join("driver_override")).unwrap_or_default();
        let name = match only.trim() {
            "" | "(null)" => own(&address).map(|(.., driver)| driver.to_owned()),
            only => DRIVERS.iter().find(|name| **name == only).map(ToString::to_string),
        };
        if let Some(name) = name {
            let _ = symlink(format!("../../drivers/{name}"), device(&address).join("driver"));
        }
    }
    for (address, ..) in DEVICES {
        let only = device(address).join("driver_override");
        if fs::read_to_string(&only).is_ok_and(|text| text == "\n") {
            let _ = fs::write(&only, "(null)\n");
        }
        if asked(&device(address).join("remove")).is_some() {
            let _ = fs::rename(device(address), sys.join("removed"));
            let _ = fs::remove_dir_all(sys.join("removed"));
        }
    }
    if asked(&bus.join("rescan")).is_some() {
        DEVICES.iter().filter(|(address, ..)| !device(address).exists()).for_each(|one| plug(sys, *one));
    }
}

fn with_card(host: &Host, more: &str) -> (Bus, String) {
    let bus = Bus::make(host);
    let params = format!("gpu_devices=01:00, gpu_limit=3, sysfs={}{more}", bus.sys.display());
    (bus, params)
}

fn a_card_goes_to_the_guest_and_back(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    let (bus, params) = with_card(host, ", gpu_reset_method=device_specific");
    settings_of(host, &guest, &params);
    let before = bus.state();
    guest.start().ok().prints("gpu-vfio: 0000:01:00.0, 0000:01:00.1 to vfio-pci");
    assert_eq!(bus.drivers(), TAKEN);
    let method = fs::read_to_string(bus.device("0000:01:00.0").join("reset_method")).expect("a method");
    assert!(method.starts_with("device_specific"), "{method}");
    guest.stop().ok().prints("gpu-vfio: 0000:01:00.0, 0000:01:00.1 given back");
    guest.wait_run_end();
    assert_eq!(bus.drivers(), BEFORE);
    let inventory = Inventory::of(host, &guest);
    guest.start().ok();
    killed(host, &guest, &inventory);
    assert_eq!(bus.drivers(), BEFORE);
    // Whoever keeps it is killed with it, and what is asked for has changed meanwhile.
    guest.start().ok();
    guest.kill(&[guest.keeper(), guest.hypervisor()]);
    settings_of(host, &guest, &format!("sysfs={}", bus.sys.display()));
    host.hookvisor(["recover"]).ok();
    guest.wait_run_end();
    assert_eq!(bus.state(), before);
}

fn it_is_taken_off_the_bus_and_found_again(host: &Host) {
    let guest = host.guest(Kind::Vm);
    give(host, &guest, SCRIPT);
    let (bus, params) = with_card(host, ", gpu_back=rescan");
    settings_of(host, &guest, &params);
    let before = bus.state();
    let mark = bus.device("0000:01:00.0").join("mark");
    fs::write(&mark, "").expect("a file can be written");
    guest.start().ok();
    assert_eq!(bus.drivers(), TAKEN);
    guest.kill(&[guest.hypervisor()]);
    guest.wait_run_end();
    assert!(!mark.exists(), "the device is another one");
    assert_eq!(bus.state(), before);
    // Gone by itself, as some cards are after a reset.
    guest.start().ok();
    fs::remove_dir_all(bus.device("0000:01:00.0")).expect("it is there");
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(bus.state(), before);
}

fn what_cannot_be_is_refused(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    let (bus, _) = with_card(host, "");
    fs::remove_file(bus.device("0000:02:00.0").join("iommu_group")).expect("it is there");
    let before = bus.state();
    for (params, why) in [
        ("gpu_devices=03:00", "no PCI device is at 0000:03:00"),
        ("gpu_devices=03:00.0", "no PCI device is at 0000:03:00.0"),
        (
            "gpu_devices=02:00",
            "0000:02:00.0 has no IOMMU group: the IOMMU is off, in the firmware or for the kernel",
        ),
        (
            "gpu_devices=01:00.0",
            "0000:01:00.0 cannot go to the guest without 0000:01:00.1, which is in the same IOMMU group 7 and has the driver \
             snd_hda_intel",
        ),
        ("gpu_devices=01:00, gpu_driver=vfio-xe", "the driver vfio-xe is not there"),
        ("gpu_devices=01:00, gpu_back=hope", "gpu_back is 'hope', which is neither driver nor rescan"),
        ("gpu_devices=01:00, gpu_limit=long", "gpu_limit is 'long', which is no number of seconds"),
    ] {
        settings_of(host, &guest, &format!("{params}, sysfs={}", bus.sys.display()));
        refused(host, &guest, why);
        assert_eq!(bus.state(), before);
    }
}

/// The second of two functions cannot be had: the first is given back.
fn the_driver_does_not_let_go(host: &Host) {
    let guest = host.guest(Kind::Vm);
    give(host, &guest, SCRIPT);
    let (bus, params) = with_card(host, "");
    let params = params
        .replace("gpu_devices=01:00,", "gpu_devices=\"01:00.1 01:00.0\",")
        .replace("gpu_limit=3", "gpu_limit=1");
    settings_of(host, &guest, &params);
    let before = bus.state();
    bus.stuck.store(true, Ordering::Relaxed);
    refused(host, &guest, "0000:01:00.0: waited 1 s for 0000:01:00.0 to leave the driver nouveau in vain");
    assert_eq!(bus.state(), before);
    bus.stuck.store(false, Ordering::Relaxed);
    guest.start().ok();
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(bus.state(), before);
}

fn a_link_that_dies_meanwhile(host: &Host) {
    let guest = host.guest(Kind::Vm);
    give(host, &guest, SCRIPT);
    let (bus, params) = with_card(host, "");
    settings_of(host, &guest, &params);
    let config = bus.device("0000:01:00.0").join("config");
    guest.start().ok();
    fs::write(&config, [0xff; 64]).expect("a file can be written");
    let output = guest.stop().ok();
    let said = [output.out(), output.err()].concat();
    assert!(
        said.contains("0000:01:00.0: it does not answer on the bus (its link is dead), and is left as it is"),
        "{said}"
    );
    guest.wait_run_end();
    assert_eq!(bus.drivers(), "vfio-pci snd_hda_intel", "the other one is given back");
    let output = guest.start().fails();
    let said = [output.out(), output.err()].concat();
    assert!(said.contains("its link is dead"), "{said}");
    // The host was switched off and on.
    fs::write(&config, "\u{1}\u{2}\u{3}\u{4}").expect("a file can be written");
    guest.start().ok();
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(bus.drivers(), BEFORE);
}

fn two_guests_want_one_card(host: &Host) {
    let (guest, other) = (host.guest(Kind::Vm), host.guest(Kind::Vm));
    let (bus, params) = with_card(host, "");
    settings(host, &[("host", &params)]);
    for guest in [&guest, &other] {
        give(host, guest, SCRIPT);
    }
    guest.start().ok();
    refused(host, &other, &format!("0000:01:00.0: guest {} has it, as '", guest.vmid()));
    assert_eq!(bus.drivers(), TAKEN);
    guest.kill(&[guest.hypervisor()]);
    guest.wait_run_end();
    assert_eq!(bus.drivers(), BEFORE);
    other.start().ok();
    other.stop().ok();
    other.wait_run_end();
    assert_eq!(bus.drivers(), BEFORE);
}

/// No guest of a test can have a real device, so that its configuration is read where nothing starts.
fn the_devices_of_the_configuration(host: &Host) {
    let guest = configured(
        host,
        "hostpci0: 0000:01:00,pcie=1\nhostpci1: host=02:00.0;01:00.0\nhostpci2: mapping=card\n",
    );
    let (pve, (bus, _)) = (Pve::of(host), with_card(host, ""));
    pve.settings(&format!("[host]\nparams = sysfs={}, gpu_limit=3\n", bus.sys.display()));
    let output = pve.call(&file(SCRIPT), guest.vmid(), "pre-start").ok();
    output
        .prints("gpu-vfio: 0000:01:00.0, 0000:01:00.1, 0000:02:00.0 to vfio-pci")
        .complains("hostpci2 names no address, and is passed over");
    assert_eq!(driver(&bus.device("0000:02:00.0")).as_deref(), Some("vfio-pci"));
    pve.call(&file(SCRIPT), guest.vmid(), "post-stop").ok();
    assert_eq!(bus.drivers(), BEFORE);
    assert_eq!(driver(&bus.device("0000:02:00.0")).as_deref(), Some("nvme"));
    assert_eq!(pve.left(), [""; 0]);
}

fn configured<'h>(host: &'h Host, lines: &str) -> Guest<'h> {
    let guest = host.vm(&Behaviour::Obeys);
    fs::write(guest.config_path(), format!("{}{lines}", guest.config()))
        .expect("a configuration can be written");
    guest
}

fn as_pve(host: &Host) {
    let (pve, guest) = (Pve::of(host), host.guest(Kind::Vm));
    let (bus, params) = with_card(host, "");
    let (script, before) = (file(SCRIPT), bus.state());
    let call = |phase| pve.call(&script, guest.vmid(), phase);
    pve.settings(&format!("[guest {}]\nparams = {params}\n", guest.vmid()));
    for phase in ["pre-start", "post-start", "pre-stop"] {
        call(phase).ok();
        assert_eq!(bus.drivers(), TAKEN);
    }
    // A start that failed, and got no end.
    call("pre-start").ok().prints("an earlier run was not given the end of");
    assert_eq!(bus.drivers(), TAKEN);
    call("post-stop").ok();
    call("post-stop").ok().prints_exactly("");
    assert_eq!(bus.state(), before);
    wait::until("nothing to be left", || pve.left().is_empty().then_some(()));
}
