//! The guests that the other tests are made of do what they are said to do, run by QEMU and LXC alone.

use e2e::qmp::Monitor;
use e2e::suite::{BUSYBOX, LXC, Need, QEMU, Test};
use e2e::{Behaviour, output, proc, template, tests, tiny_vm, wait};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        bare [QEMU]: it_obeys_the_button, it_ignores_the_button, it_powers_itself_off, it_resets_itself_once,
            it_prints_on_the_serial_port, it_halts;
        bare [LXC, BUSYBOX, Need::Root]: the_container_obeys_a_shutdown
    )
}

/// A machine run by QEMU alone, on both machine types that SeaBIOS boots.
struct Machine {
    folder: tempfile::TempDir,
    qemu: Child,
    monitor: Monitor,
}

impl Machine {
    fn start(behaviour: &Behaviour, kind: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        tiny_vm::write_image(&at("disk"), behaviour).expect("an image");
        let qemu = Command::new("qemu-system-x86_64")
            .args([
                "-machine",
                &format!("{kind},accel=tcg"),
                "-nodefaults",
                "-display",
                "none",
                "-no-shutdown",
                "-m",
                "16",
            ])
            .arg("-drive")
            .arg(format!("file={},format=raw,if=none,id=disk", at("disk").display()))
            .args(["-device", "ide-hd,drive=disk", "-serial"])
            .arg(format!("file:{}", at("serial").display()))
            .arg("-qmp")
            .arg(format!("unix:{},server=on,wait=off", at("qmp").display()))
            .stdin(Stdio::null())
            .spawn()
            .expect("QEMU can be started");
        wait::until("the monitor", || std::os::unix::net::UnixStream::connect(at("qmp")).ok().map(drop));
        let monitor = Monitor::connect(&at("qmp"));
        Self { folder, qemu, monitor }
    }

    fn booted(&mut self) {
        wait::until("the power button to be enabled", || {
            self.monitor.port(0x602).filter(|enabled| *enabled == 0x100)
        });
    }

    fn press(&mut self) {
        self.monitor.ask("system_powerdown", &json!({}));
    }

    fn status(&mut self) -> String {
        let answer = self.monitor.ask("query-status", &json!({})).expect("an answer");
        answer["return"]["status"].as_str().unwrap_or_default().to_owned()
    }

    fn serial(&self) -> PathBuf {
        self.folder.path().join("serial")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn on_both(behaviour: &Behaviour, act: impl Fn(&mut Machine)) {
    for kind in ["pc", "q35"] {
        act(&mut Machine::start(behaviour, kind));
    }
}

fn it_obeys_the_button() {
    on_both(&Behaviour::Obeys, |machine| {
        machine.booted();
        machine.press();
        machine.monitor.wait_event("SHUTDOWN");
        assert_eq!(machine.status(), "shutdown");
    });
}

fn it_ignores_the_button() {
    on_both(&Behaviour::Ignores, |machine| {
        // SeaBIOS has handed over when the machine has counted some ticks: its clock is at 0x46c.
        wait::until("the boot sector to run", || {
            let bytes =
                machine.monitor.ask("human-monitor-command", &json!({ "command-line": "xp /1hx 0x7dfe" }))?;
            bytes["return"].as_str()?.contains("0xaa55").then_some(())
        });
        machine.press();
        machine.monitor.wait_event("POWERDOWN");
        assert_eq!(machine.status(), "running");
    });
}

fn it_powers_itself_off() {
    on_both(&Behaviour::PowersOff { ticks: 4 }, |machine| machine.monitor.wait_event("SHUTDOWN"));
}

fn it_resets_itself_once() {
    on_both(&Behaviour::ResetsOnce { ticks: 6 }, |machine| {
        machine.booted();
        machine.monitor.wait_event("RESET");
        // The second life obeys, and does not reset itself again.
        machine.booted();
        machine.press();
        machine.monitor.wait_event("SHUTDOWN");
    });
}

fn it_prints_on_the_serial_port() {
    on_both(&Behaviour::Prints("a line".to_owned()), |machine| {
        let serial = machine.serial();
        wait::until("the line", || std::fs::read(&serial).ok()?.starts_with(b"a line\r\n").then_some(()));
    });
}

fn it_halts() {
    on_both(&Behaviour::Halts, |machine| {
        wait::until("the processor to halt", || {
            let answer =
                machine.monitor.ask("human-monitor-command", &json!({ "command-line": "info registers" }))?;
            answer["return"].as_str()?.contains("HLT=1").then_some(())
        });
        machine.press();
        assert_eq!(machine.status(), "running");
    });
}

fn the_container_obeys_a_shutdown() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (rootfs, archive) = (folder.path().join("rootfs"), folder.path().join("template.tar.gz"));
    template::write(&archive);
    std::fs::create_dir_all(&rootfs).expect("a folder");
    output::run(Command::new("tar").arg("-C").arg(&rootfs).arg("-xzf").arg(&archive)).ok();
    let name = format!("tiny{}", std::process::id());
    let config = folder.path().join(&name).join("config");
    std::fs::create_dir(folder.path().join(&name)).expect("a folder");
    let text = format!(
        "lxc.include = /usr/share/lxc/config/common.conf\nlxc.rootfs.path = dir:{}\nlxc.uts.name = tiny\n\
         lxc.apparmor.profile = unconfined\nlxc.net.0.type = empty\n",
        rootfs.display()
    );
    std::fs::write(config, text).expect("a configuration");
    let lxc = |program: &str, args: &[&str]| {
        output::run(Command::new(program).args(["-n", &name, "-P"]).arg(folder.path()).args(args))
    };
    lxc("lxc-start", &["-d"]).ok();
    wait::until("the init", || rootfs_file(&rootfs, "run/up").then_some(()));
    let attached = lxc("lxc-attach", &["--", "hostname"]).ok();
    assert_eq!(attached.out(), "tiny\n");
    lxc("lxc-stop", &["--timeout", "20", "--nokill"]).ok();
    wait::until("everything to be gone", || proc::of_root(folder.path()).is_empty().then_some(()));
}

/// The template's `/run` is a folder of its root file system, so what the init writes there is seen from outside.
fn rootfs_file(rootfs: &Path, name: &str) -> bool {
    std::fs::metadata(rootfs.join(name)).is_ok_and(|meta| meta.len() > 0)
}
