//! QEMU: whether it is there, which version, and whether it has the machines and the firmware that configurations name.

use crate::Finding;
use crate::programs::{self, Ended};
use crate::scene::Scene;
use model::GuestKind;
use qemu::binary::{find_binary, parse_version};
use qemu::command::FirmwareKind;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long QEMU may take to answer a question.
const LIMIT: Duration = Duration::from_secs(4);

/// QEMU and its version.
pub(crate) fn program(scene: &Scene) -> Vec<Finding> {
    let needs = scene.needs(GuestKind::Qemu);
    let Ok(path) = find_binary() else {
        let lacking = Finding::problem(
            "QEMU",
            "not installed",
            "virtual machines are run by it",
            "apt-get install qemu-system-x86",
        );
        return vec![lacking.unless(needs)];
    };
    let mut found = vec![match ask(&path, "--version") {
        Ok(said) => match parse_version(&said.out) {
            Some(version) => Finding::ok("QEMU", format!("{version}, {}", path.display())),
            None => broken(&path, &said.why()).unless(needs),
        },
        Err(error) => broken(&path, &error.to_string()).unless(needs),
    }];
    if programs::find("qemu-img").is_none() {
        let lacking = Finding::problem(
            "qemu-img",
            "not installed",
            "disk images are made and measured by it",
            "apt-get install qemu-utils",
        );
        found.push(lacking.unless(needs));
    }
    found
}

fn ask(path: &Path, words: &str) -> io::Result<Ended> {
    programs::run(Command::new(path).args(words.split(' ')), None, LIMIT)
}

fn broken(path: &Path, why: &str) -> Finding {
    Finding::problem(
        "QEMU",
        format!("'{} --version' tells none: {why}", path.display()),
        "virtual machines are run by it",
        "apt-get install --reinstall qemu-system-x86",
    )
}

/// The machines and the firmware that configurations name.
pub(crate) fn named(scene: &Scene) -> Vec<Finding> {
    let mut wanted: BTreeMap<String, Vec<&crate::scene::Guest>> = BTreeMap::new();
    for guest in scene.of(GuestKind::Qemu) {
        let name = guest.config.main.get("machine").map_or_else(|| "pc".to_owned(), machine);
        wanted.entry(name).or_default().push(guest);
    }
    let Ok(path) = find_binary() else { return Vec::new() };
    let mut found = Vec::new();
    if !wanted.is_empty() {
        let known = ask(&path, "-machine help").map(|said| said.out).unwrap_or_default();
        let is_known = |name: &str| known.lines().any(|line| line.split(' ').next() == Some(name));
        let (there, missing): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(name, _)| is_known(name));
        if !there.is_empty() {
            let names: Vec<String> = there.into_iter().map(|(name, _)| name).collect();
            found.push(Finding::ok("machines", names.join(", ")));
        }
        for (name, guests) in missing {
            found.extend(guests.into_iter().map(|guest| {
                let board = if name.contains("q35") { "q35" } else { "pc" };
                Finding::problem(
                    format!("machine of {}", guest.vmid),
                    format!("this QEMU has no '{name}'"),
                    "it cannot be started",
                    format!("qm set {} --machine {board}", guest.vmid),
                )
            }));
        }
    }
    if scene.any(GuestKind::Qemu, |main| main.get("bios") == Some("ovmf")) {
        let kind = |large| FirmwareKind { large, secure: false, enrolled: false };
        found.push(match [true, false].into_iter().find_map(|large| qemu::probe::firmware(kind(large))) {
            Some(firmware) => Finding::ok("UEFI firmware", firmware.code.display().to_string()),
            None => Finding::problem(
                "UEFI firmware",
                "not installed",
                "a guest is configured with 'bios: ovmf'",
                "apt-get install ovmf",
            ),
        });
    }
    found
}

/// QEMU's name of the machine in a property string, without Proxmox VE's own revision.
fn machine(text: &str) -> String {
    let named = text.split(',').find_map(|part| match part.split_once('=') {
        None => Some(part),
        Some(("type", name)) => Some(name),
        Some(_) => None,
    });
    let bare = named.unwrap_or("pc").split('+').next().unwrap_or_default();
    bare.strip_suffix(".pxe").unwrap_or(bare).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_named_as_qemu_names_it() {
        for (text, name) in [
            ("q35", "q35"),
            ("pc-q35-8.1+pve0", "pc-q35-8.1"),
            ("type=pc-i440fx-9.0,viommu=intel", "pc-i440fx-9.0"),
            ("pc-i440fx-7.2.pxe", "pc-i440fx-7.2"),
            ("viommu=virtio", "pc"),
        ] {
            assert_eq!(machine(text), name, "{text}");
        }
    }
}
