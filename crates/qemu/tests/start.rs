//! A real QEMU takes each command line in `golden/`: it is started with it, says that it is ready, takes the commands
//! that follow a start, and ends when told.
//!
//! Always without KVM: it may be there and hang. Interfaces on bridges are real ones where the test may make them.
#![expect(unsafe_code, reason = "descriptors are put at the numbers that the command line names")]

mod common;

use common::{goldens, read, vmid};
use model::{Layout, VolumeId};
use qemu::command::{FirmwareKind, Image, LookupError};
use qemu::monitor::view::Status;
use qemu::{CommandLine, Facts, Monitor, binary, command_line, probe, socket, tap};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The numbers that descriptors get, out of the way of all others.
const FIRST_FD: i32 = 200;

/// Makes a disk as it is asked for.
fn make(folder: &Path, id: &VolumeId) -> Result<Image, LookupError> {
    let path = folder.join(id.name().replace('/', "-"));
    let format = path.extension().unwrap().to_str().unwrap().replace("iso", "raw");
    if format == "raw" {
        // The size of UEFI's variables, which serves every other disk too.
        fs::File::create(&path)?.set_len(540_672)?;
    } else {
        let made =
            Command::new("qemu-img").args(["create", "-q", "-f", &format]).arg(&path).arg("1M").status()?;
        assert!(made.success());
    }
    Ok(Image { direct: probe::direct(&path), path, format: Some(format) })
}

/// A bridge of this test, gone with it.
struct Bridge(&'static str);

impl Bridge {
    fn make(name: &'static str) -> Option<Self> {
        let made =
            Command::new("ip").args(["link", "add", name, "type", "bridge"]).stderr(Stdio::null()).status();
        made.is_ok_and(|status| status.success()).then_some(Self(name))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", self.0]).status();
    }
}

/// Puts `fd` at `number`, to be inherited; says what to close again.
fn place(fd: &OwnedFd, number: i32) -> i32 {
    // SAFETY: the numbers are this test's own, and only one thread is at work.
    assert_eq!(unsafe { libc::dup2(fd.as_raw_fd(), number) }, number);
    number
}

fn run(line: &CommandLine, layout: &Layout) {
    for (from, to) in &line.copies {
        fs::copy(from, to).unwrap();
    }
    let monitor_path = layout.monitor_socket(vmid());
    fs::create_dir_all(monitor_path.parent().unwrap()).unwrap();
    let listener = socket::listen(&monitor_path).unwrap();
    let mut placed = vec![place(&listener, line.monitor_fd)];
    drop(listener);
    for network in &line.networks {
        let queues = tap::open(network).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            Path::new("/sys/class/net").join(&network.bridge).join("brif").join(&network.ifname).exists()
        );
        placed.extend(queues.iter().zip(&network.fds).map(|(fd, number)| place(fd, *number)));
    }
    if let Some(number) = line.run_dir_fd {
        let folder = fs::File::open(layout.run_qemu()).unwrap();
        placed.push(place(&folder.into(), number));
    }
    let mut child = Command::new(&line.program)
        .args(&line.args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for number in placed {
        // SAFETY: it was opened above, and nothing else knows it.
        unsafe { libc::close(number) };
    }
    let result = talk(&monitor_path, line);
    if result.is_err() {
        let _ = child.kill();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    result.unwrap_or_else(|error| panic!("{error}\n{said}"));
    assert!(output.status.success(), "{said}");
    for network in &line.networks {
        assert!(!Path::new("/sys/class/net").join(&network.ifname).exists(), "{} is left", network.ifname);
    }
}

fn talk(path: &Path, line: &CommandLine) -> Result<(), qemu::monitor::MonitorError> {
    let limit = Duration::from_secs(30);
    let mut monitor = Monitor::connect(path)?;
    let status = Status::read(&monitor.call("query-status", None, limit)?).unwrap();
    assert!(matches!(status.state.as_str(), "running" | "prelaunch"), "{status:?}");
    assert!(line.pidfile.exists());
    // A keeper that died has a successor, which finds the monitor as it was.
    drop(monitor);
    let mut monitor = Monitor::connect(path)?;
    for command in &line.setup {
        monitor.call(command.name, Some(&command.arguments), limit)?;
    }
    monitor.call("quit", None, limit).map(drop)
}

#[test]
fn a_real_qemu_takes_each_command_line() {
    let Ok(program) = binary::find_binary() else {
        eprintln!("skipped: no QEMU is installed (Debian package 'qemu-system-x86')");
        return;
    };
    let version = binary::version(&program).unwrap();
    let has_images = Command::new("qemu-img").arg("--version").stdout(Stdio::null()).status().is_ok();
    // Both or none: the configurations use them together.
    let bridges = [Bridge::make("qtbr0"), Bridge::make("qtbr1")];
    let has_bridges = bridges.iter().all(Option::is_some) && Path::new("/dev/net/tun").exists();
    if has_bridges {
        let up = Command::new("ip").args(["link", "set", "qtbr1", "mtu", "9000"]).status().unwrap();
        assert!(up.success());
    }
    let began = Instant::now();
    let mut started = 0;
    for (name, text) in goldens() {
        let first = text.lines().next().unwrap_or_default();
        let reason = first.strip_prefix("#!start: no: ").map(str::to_owned).or_else(|| {
            let lacks = |has: bool, needs: bool, what: &str| (needs && !has).then(|| what.to_owned());
            lacks(has_images, text.contains(".qcow2") || text.contains(".vmdk"), "qemu-img is not installed")
                .or_else(|| lacks(has_bridges, text.contains("bridge="), "no bridge can be made here"))
                .or_else(|| {
                    let kind = FirmwareKind { large: true, secure: true, enrolled: true };
                    lacks(
                        probe::firmware(kind).is_some(),
                        text.contains("ovmf"),
                        "no UEFI firmware is installed",
                    )
                })
        });
        if let Some(reason) = reason {
            eprintln!("skipped: {name}: {reason}");
            continue;
        }
        let root = tempfile::tempdir().unwrap();
        // One of them below a root so long that its sockets go by a descriptor.
        let folder =
            if name == "linux" { root.path().join("long".repeat(30)) } else { root.path().to_owned() };
        let (layout, node) = (Layout::new(&folder), "pve1".parse().unwrap());
        fs::create_dir_all(layout.run_qemu()).unwrap();
        let text = text.replace("vmbr", "qtbr").replace("cpu: Skylake-Client", "cpu: max");
        let mut config = read(&text);
        config.main.set("kvm", "0");
        let lookup = probe::Host(|id: &VolumeId| make(&folder, id));
        let facts = Facts {
            cpus: 64,
            first_fd: FIRST_FD,
            ..probe::facts(&layout, &node, vmid(), (&program, version), &lookup)
        };
        let line = command_line(&config, vmid(), &facts).unwrap_or_else(|error| panic!("{name}: {error}"));
        eprintln!("{name}");
        run(&line, &layout);
        started += 1;
    }
    eprintln!("{started} started in {:?}", began.elapsed());
    assert!(started > 0);
}
