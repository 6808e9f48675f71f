//! Which options the command line honours, and what becomes of the others.

/// What becomes of an option.
enum Fate {
    /// The command line is made of it.
    Here,
    /// It concerns another part: storage, tasks, the guest list.
    Elsewhere,
    /// It asks for something that is not done.
    Refused(&'static str),
}

/// Every option without an index.
const PLAIN: &[(&str, Fate)] = &[
    ("acpi", Fate::Here),
    ("affinity", Fate::Here),
    ("agent", Fate::Here),
    ("allow-ksm", Fate::Here),
    ("amd-sev", Fate::Refused("confidential computing is not known here")),
    ("arch", Fate::Here),
    ("args", Fate::Here),
    ("autostart", Fate::Elsewhere),
    ("balloon", Fate::Here),
    ("bios", Fate::Here),
    ("boot", Fate::Here),
    ("bootdisk", Fate::Here),
    ("cdrom", Fate::Refused("it is an alias of ide2, under which it is to be written")),
    ("cicustom", Fate::Elsewhere),
    ("cipassword", Fate::Elsewhere),
    ("citype", Fate::Elsewhere),
    ("ciupgrade", Fate::Elsewhere),
    ("ciuser", Fate::Elsewhere),
    ("cores", Fate::Here),
    ("cpu", Fate::Here),
    ("cpulimit", Fate::Here),
    ("cpuunits", Fate::Here),
    ("description", Fate::Elsewhere),
    ("digest", Fate::Elsewhere),
    ("efidisk0", Fate::Here),
    ("freeze", Fate::Here),
    ("hookscript", Fate::Elsewhere),
    ("hotplug", Fate::Elsewhere),
    ("hugepages", Fate::Here),
    ("intel-tdx", Fate::Refused("confidential computing is not known here")),
    ("ivshmem", Fate::Here),
    ("keephugepages", Fate::Here),
    ("keyboard", Fate::Here),
    ("kvm", Fate::Here),
    ("localtime", Fate::Here),
    ("lock", Fate::Elsewhere),
    ("machine", Fate::Here),
    ("memory", Fate::Here),
    ("meta", Fate::Here),
    ("migrate_downtime", Fate::Elsewhere),
    ("migrate_speed", Fate::Elsewhere),
    ("name", Fate::Here),
    ("nameserver", Fate::Elsewhere),
    ("numa", Fate::Here),
    ("onboot", Fate::Elsewhere),
    ("ostype", Fate::Here),
    ("parent", Fate::Elsewhere),
    ("protection", Fate::Elsewhere),
    ("reboot", Fate::Here),
    ("rng0", Fate::Here),
    ("running-nets-host-mtu", Fate::Elsewhere),
    ("runningcpu", Fate::Elsewhere),
    ("runningmachine", Fate::Elsewhere),
    ("audio0", Fate::Here),
    ("scsihw", Fate::Here),
    ("searchdomain", Fate::Elsewhere),
    ("shares", Fate::Here),
    ("smbios1", Fate::Here),
    ("smp", Fate::Here),
    ("snapstate", Fate::Elsewhere),
    ("snaptime", Fate::Elsewhere),
    ("sockets", Fate::Here),
    ("spice_enhancements", Fate::Elsewhere),
    ("sshkeys", Fate::Elsewhere),
    ("startdate", Fate::Here),
    ("startup", Fate::Elsewhere),
    ("tablet", Fate::Here),
    ("tags", Fate::Elsewhere),
    ("tdf", Fate::Here),
    ("template", Fate::Elsewhere),
    ("tpmstate0", Fate::Refused("a virtual TPM needs swtpm, which is not run here")),
    ("vcpus", Fate::Here),
    ("vga", Fate::Here),
    ("vmgenid", Fate::Here),
    ("vmstate", Fate::Elsewhere),
    ("vmstatestorage", Fate::Elsewhere),
    ("watchdog", Fate::Here),
];

/// Every family of indexed options, with how many there are.
const FAMILIES: &[(&str, u32, Fate)] = &[
    ("hostpci", 16, Fate::Here),
    ("ide", 4, Fate::Here),
    ("ipconfig", 32, Fate::Elsewhere),
    ("net", 32, Fate::Here),
    ("numa", 8, Fate::Here),
    ("parallel", 3, Fate::Here),
    ("sata", 6, Fate::Here),
    ("scsi", 31, Fate::Here),
    ("serial", 4, Fate::Here),
    ("unused", 256, Fate::Elsewhere),
    ("usb", 14, Fate::Here),
    ("virtio", 16, Fate::Here),
    ("virtiofs", 10, Fate::Refused("shared folders need virtiofsd, which is not run here")),
];

/// What is to be said about an option before a command line is made.
pub(super) enum Verdict {
    Known,
    Refused(&'static str),
    Unknown,
}

pub(super) fn judge(key: &str) -> Verdict {
    let plain = PLAIN.iter().find(|(name, _)| *name == key).map(|(_, fate)| fate);
    let fate = plain.or_else(|| {
        let name = key.trim_end_matches(|c: char| c.is_ascii_digit());
        let index: u32 = key[name.len()..].parse().ok()?;
        FAMILIES.iter().find(|(family, count, _)| *family == name && index < *count).map(|(_, _, fate)| fate)
    });
    match fate {
        Some(Fate::Here | Fate::Elsewhere) => Verdict::Known,
        Some(Fate::Refused(why)) => Verdict::Refused(why),
        None => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::GuestKind;

    #[test]
    fn every_option_that_a_configuration_may_have_has_its_fate() {
        for option in config::options::all(GuestKind::Qemu).iter().chain(&config::options::qemu::FILE) {
            let key = if option.is_named(option.name) {
                option.name.to_owned()
            } else {
                format!("{}0", option.name)
            };
            assert!(!matches!(judge(&key), Verdict::Unknown), "{key}");
        }
        for unknown in ["", "colour", "net32", "net", "ide4", "virtio16"] {
            assert!(matches!(judge(unknown), Verdict::Unknown), "{unknown}");
        }
    }
}
