//! The kernel's parts that guests are made of.

use crate::Finding;
use crate::scene::Scene;
use model::GuestKind;
use std::fs;
use std::path::Path;

/// The namespaces of a container, namespaces(7).
const NAMESPACES: [&str; 6] = ["mnt", "net", "ipc", "uts", "pid", "cgroup"];

/// The kernel's namespaces.
pub(crate) fn namespaces(scene: &Scene) -> Vec<Finding> {
    let there = |name: &&str| Path::new("/proc/self/ns").join(name).exists();
    let missing: Vec<&str> = NAMESPACES.into_iter().filter(|name| !there(name)).collect();
    let mut found = Vec::new();
    if missing.is_empty() {
        found.push(Finding::ok("namespaces", NAMESPACES.join(", ")));
    } else {
        let lacking = Finding::problem(
            "namespaces",
            format!("this kernel has none for {}", missing.join(", ")),
            "containers are made of them",
            "zgrep _NS= /proc/config.gz  # and boot a kernel that has them",
        );
        found.push(lacking.unless(scene.needs(GuestKind::Lxc)));
    }
    let users = there(&"user") && number("/proc/sys/user/max_user_namespaces") != Some(0);
    found.push(if users {
        Finding::ok("user namespaces", "there")
    } else {
        Finding::problem(
            "user namespaces",
            "switched off",
            "unprivileged containers and the workshop's sandbox are made of them",
            "sysctl -w user.max_user_namespaces=15000",
        )
        .unless(scene.any(GuestKind::Lxc, |main| main.flag("unprivileged", false)))
    });
    found
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The kernel's devices.
pub(crate) fn devices(scene: &Scene) -> Vec<Finding> {
    let on_bridge = |main: &config::Section| main.indexed("net").any(|(_, net)| net.contains("bridge="));
    let mut found = vec![
        device(
            "/dev/net/tun",
            "network cards of virtual machines on a bridge are made with it",
            "modprobe tun",
            scene.any(GuestKind::Qemu, on_bridge),
        ),
        device(
            "/dev/vhost-net",
            "networks of virtual machines are slower without",
            "modprobe vhost_net",
            false,
        ),
        device(
            "/dev/loop-control",
            "images of containers' file systems are mounted with it",
            "modprobe loop",
            scene.any(GuestKind::Lxc, on_image),
        ),
    ];
    let passes_on = |main: &config::Section| main.indexed("hostpci").next().is_some();
    if scene.any(GuestKind::Qemu, passes_on) && !qemu::probe::iommu() {
        found.push(Finding::problem(
            "IOMMU",
            "not in use",
            "no PCI device can be passed on to a guest without",
            "grep -o '[a-z]*_iommu=on' /proc/cmdline  # it belongs on the kernel's command line",
        ));
    }
    found
}

/// Whether a container's file system lies in an image.
fn on_image(main: &config::Section) -> bool {
    let mounted = main.get("rootfs").into_iter().chain(main.indexed("mp").map(|(_, value)| value));
    mounted.into_iter().any(|value| value.split(',').any(|part| part.ends_with(".raw")))
}

fn device(path: &str, why: &str, mend: &str, needs: bool) -> Finding {
    if Path::new(path).exists() {
        Finding::ok(path, "there")
    } else {
        Finding::problem(path, "not there", why, mend).unless(needs)
    }
}

/// Where a module is not among the kernel's own, nothing can load it.
const OTHER_KERNEL: &str = "apt-get install linux-image-$(dpkg --print-architecture) && reboot";

/// The kernel's modules that have no device.
pub(crate) fn modules(scene: &Scene) -> Vec<Finding> {
    let net = |main: &config::Section| main.indexed("net").next().is_some();
    let network = scene.any(GuestKind::Qemu, net) || scene.any(GuestKind::Lxc, net);
    [
        ("bridge", "br_add_bridge", "guests are connected by bridges", network),
        (
            "veth",
            "veth_newlink",
            "network cards of containers are made of it",
            scene.any(GuestKind::Lxc, net),
        ),
    ]
    .into_iter()
    .map(|(name, symbol, why, needs)| match standing(name, symbol) {
        Some(how) => Finding::ok(name, how),
        None => Finding::problem(name, "this kernel has no such module", why, OTHER_KERNEL).unless(needs),
    })
    .collect()
}

/// How a module is there; none where it is not. Nothing is loaded to find out.
fn standing(name: &str, symbol: &str) -> Option<&'static str> {
    if Path::new("/sys/module").join(name).exists() {
        return Some("loaded");
    }
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let folder = Path::new("/lib/modules").join(release);
    let listed = |file: &str| {
        let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
        let is = |line: &str| {
            let path = line.split(':').next().unwrap_or_default();
            path.rsplit('/').next().and_then(|file| file.split(".ko").next()) == Some(name)
        };
        text.lines().any(is)
    };
    if listed("modules.builtin") {
        return Some("built in");
    }
    if listed("modules.dep") {
        return Some("loaded when it is needed");
    }
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    symbols.lines().any(|line| line.split(' ').nth(2) == Some(symbol)).then_some("built in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_some_guests_need_is_a_note_without_them() {
        let lacking = device("/dev/none-such", "why", "mend", false);
        assert_eq!(lacking.state, crate::State::Note);
        assert_eq!(device("/dev/none-such", "why", "mend", true).state, crate::State::Problem);
        assert_eq!(device("/dev/null", "why", "mend", true).mend, None);
        assert_eq!(standing("none-such", "no_such_symbol"), None);
    }
}
