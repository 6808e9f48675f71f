//! Options of virtual machines (lifecycle.md 5.4, api.md A.2).

use super::drives::{EFIDISK, IDE, SATA, SCSI, TPMSTATE, UNUSED, VIRTIO};
use super::networks::{QEMU_IPCONFIG, QEMU_NET};
use super::patterns;
use super::qemu_devices::{AUDIO, HOSTPCI, IVSHMEM, RNG, SPICE, USB, VGA, VIRTIOFS, WATCHDOG};
use crate::format::Format;
use crate::schema::Property;

/// Keys of `memory`.
pub static MEMORY: [Property; 1] =
    [Property::integer("current").default_key().min(16).describe("Memory in MiB.")];

/// Keys of `cpu`.
pub static CPU: [Property; 8] = [
    Property::string("cputype")
        .optional()
        .default_key()
        .pattern(r"[-\w.]+", patterns::cpu_type)
        .describe("Model that the guest sees, or `custom-NAME`."),
    Property::string("flags")
        .optional()
        .pattern(r"[+-][a-zA-Z0-9\-_.]+(;[+-][a-zA-Z0-9\-_.]+)*", patterns::cpu_flags)
        .describe("Features to add and remove, separated by `;`."),
    Property::integer("guest-phys-bits")
        .optional()
        .min(32)
        .max(64)
        .describe("Width of addresses that the guest is told."),
    Property::boolean("hidden").default("0").describe("Whether the guest does not see that it is one."),
    Property::string("hv-vendor-id")
        .optional()
        .pattern("[a-zA-Z0-9]{1,12}", patterns::hv_vendor)
        .describe("Vendor of the hypervisor that Windows is told."),
    Property::integer("level").optional().min(1).describe("Highest level of CPUID."),
    Property::string("phys-bits")
        .optional()
        .pattern("([8-9]|[1-5][0-9]|6[0-4]|host)", patterns::phys_bits)
        .describe("Width of addresses, or `host`."),
    Property::string("reported-model").optional().describe("Model and vendor that the guest is told."),
];

/// Keys of `agent`.
pub static AGENT: [Property; 6] = [
    Property::boolean("enabled").default_key().describe("Whether a guest agent runs inside."),
    Property::boolean("freeze-fs").default("1").describe("Whether backups freeze file systems through it."),
    Property::alias("freeze-fs-on-backup", "freeze-fs"),
    Property::boolean("fstrim_cloned_disks")
        .default("0")
        .describe("Whether it trims file systems after moves."),
    Property::alias("guest-fsfreeze", "freeze-fs"),
    Property::string("type")
        .default("virtio")
        .one_of(&["virtio", "isa"])
        .describe("Kind of port it is reached through."),
];

/// Keys of `boot`.
pub static BOOT: [Property; 2] = [
    Property::string("legacy")
        .optional()
        .default_key()
        .pattern("[acdn]{1,4}", patterns::boot_letters)
        .describe("Letters of kinds of devices, as older configurations have it."),
    Property::string("order")
        .optional()
        .format(Format::List(&Format::BootDevices))
        .describe("Devices in order, separated by `;`."),
];

/// Keys of `machine`.
pub static MACHINE: [Property; 5] = [
    Property::string("type")
        .optional()
        .default_key()
        .max_length(40)
        .pattern(
            r"(pc|pc(-i440fx)?-\d+(\.\d+)+(\+pve\d+)?(\.pxe)?|q35|pc-q35-…|virt(?:-…)?)",
            patterns::machine,
        )
        .describe("Type of the machine, with its version where that is fixed."),
    Property::number("aw-bits")
        .optional()
        .min(32)
        .max(64)
        .describe("Width of addresses of the virtual IOMMU."),
    Property::boolean("enable-s3").optional().describe("Whether it can suspend to memory."),
    Property::boolean("enable-s4").optional().describe("Whether it can suspend to disk."),
    Property::string("viommu").optional().one_of(&["intel", "virtio"]).describe("Kind of virtual IOMMU."),
];

static NUMA_NODE: [Property; 4] = [
    Property::string("cpus")
        .pattern(r"\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*", patterns::numbers)
        .describe("CPUs of the node."),
    Property::string("hostnodes")
        .optional()
        .pattern(r"\d+(?:-\d+)?(?:;…)*", patterns::numbers)
        .describe("Nodes of the host."),
    Property::number("memory").optional().min(0).describe("Memory in MiB."),
    Property::string("policy")
        .optional()
        .one_of(&["preferred", "bind", "interleave"])
        .describe("How memory is taken."),
];

static SMBIOS: [Property; 8] = [
    Property::string("uuid")
        .optional()
        .pattern("[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}", patterns::uuid)
        .describe("UUID of the system."),
    Property::boolean("base64").optional().describe("Whether the texts are in base64."),
    Property::string("family").optional().describe("Family."),
    Property::string("manufacturer").optional().describe("Manufacturer."),
    Property::string("product").optional().describe("Product."),
    Property::string("serial").optional().describe("Serial number."),
    Property::string("sku").optional().describe("SKU."),
    Property::string("version").optional().describe("Version."),
];

static CICUSTOM: [Property; 4] = [
    Property::string("meta").optional().format(Format::VolumeId).describe("File that replaces the metadata."),
    Property::string("network")
        .optional()
        .format(Format::VolumeId)
        .describe("File that replaces the network's data."),
    Property::string("user")
        .optional()
        .format(Format::VolumeId)
        .describe("File that replaces the user's data."),
    Property::string("vendor")
        .optional()
        .format(Format::VolumeId)
        .describe("File that replaces the vendor's data."),
];

static META: [Property; 2] = [
    Property::string("creation-qemu").optional().describe("QEMU's version when it was created."),
    Property::integer("ctime").optional().min(0).describe("When it was created, in seconds since the epoch."),
];

/// What a virtual machine's configuration may have.
pub static OPTIONS: [Property; 81] = [
    Property::boolean("acpi").default("1").describe("Whether it has ACPI."),
    Property::string("affinity")
        .optional()
        .format(Format::Cpuset)
        .describe("CPUs of the host that it may run on."),
    Property::string("agent")
        .optional()
        .format(Format::Properties(&AGENT))
        .describe("Whether a guest agent runs inside."),
    Property::boolean("allow-ksm").default("1").describe("Whether its memory may be merged with others'."),
    Property::string("amd-sev").optional().describe("Encryption of its memory on AMD processors."),
    Property::string("arch")
        .optional()
        .one_of(&["x86_64", "aarch64"])
        .describe("Architecture of its processor; the host's if absent."),
    Property::string("args").optional().describe("Raw arguments for QEMU."),
    Property::string("audio0").optional().format(Format::Properties(&AUDIO)).describe("Sound device."),
    Property::boolean("autostart").default("0").describe("Obsolete; ignored."),
    Property::integer("balloon")
        .optional()
        .min(0)
        .describe("Least memory in MiB that ballooning leaves; 0 for no device."),
    Property::string("bios").default("seabios").one_of(&["seabios", "ovmf"]).describe("Firmware."),
    Property::string("boot").optional().format(Format::Properties(&BOOT)).describe("What it boots from."),
    Property::string("bootdisk")
        .optional()
        .format(Format::BootDisk)
        .describe("Obsolete: disk that it boots from."),
    Property::string("cdrom").optional().format(Format::Properties(&IDE)).describe("Another name of `ide2`."),
    Property::string("cicustom")
        .optional()
        .format(Format::Properties(&CICUSTOM))
        .describe("Files that replace what cloud-init is given."),
    Property::string("cipassword").optional().describe("Password for cloud-init's user."),
    Property::string("citype")
        .optional()
        .one_of(&["configdrive2", "nocloud", "opennebula"])
        .describe("Format of cloud-init's drive."),
    Property::boolean("ciupgrade").default("1").describe("Whether cloud-init upgrades packages."),
    Property::string("ciuser").optional().describe("User that cloud-init sets up."),
    Property::integer("cores").default("1").min(1).describe("Cores of each socket."),
    Property::string("cpu")
        .optional()
        .format(Format::Properties(&CPU))
        .describe("Model and features of its processor."),
    Property::number("cpulimit")
        .default("0")
        .min(0)
        .max(128)
        .describe("Limit of CPU time in CPUs; 0 for none."),
    Property::integer("cpuunits")
        .optional()
        .min(1)
        .max(262_144)
        .describe("Weight in the competition for CPU time."),
    Property::string("description")
        .optional()
        .max_length(8192)
        .describe("Notes, kept as comments on top of the file."),
    Property::string("efidisk0")
        .optional()
        .format(Format::Properties(&EFIDISK))
        .describe("Drive for the variables of its firmware."),
    Property::boolean("freeze").optional().describe("Whether its CPUs wait at the start."),
    Property::string("hookscript")
        .optional()
        .format(Format::VolumeId)
        .describe("Script that is called at each phase of its life."),
    Property::string("hostpci")
        .indexed(16)
        .format(Format::Properties(&HOSTPCI))
        .describe("PCI device of the host that is passed in."),
    Property::string("hotplug")
        .default("network,disk,usb")
        .format(Format::Hotplug)
        .describe("What may be changed while it runs."),
    Property::string("hugepages")
        .optional()
        .one_of(&["any", "2", "1024"])
        .describe("Size of its memory's pages in MiB."),
    Property::string("ide").indexed(4).format(Format::Properties(&IDE)).describe("IDE disk or CD drive."),
    Property::string("intel-tdx").optional().describe("Trusted domain on Intel processors."),
    Property::string("ipconfig")
        .indexed(32)
        .format(Format::Properties(&QEMU_IPCONFIG))
        .describe("Addresses of an interface for cloud-init."),
    Property::string("ivshmem")
        .optional()
        .format(Format::Properties(&IVSHMEM))
        .describe("Memory shared with the host or other guests."),
    Property::boolean("keephugepages").default("0").describe("Whether pages are not given back at the end."),
    Property::string("keyboard")
        .optional()
        .one_of(&[
            "de", "de-ch", "da", "en-gb", "en-us", "es", "fi", "fr", "fr-be", "fr-ca", "fr-ch", "hu", "is",
            "it", "ja", "lt", "mk", "nl", "no", "pl", "pt", "pt-br", "sv", "sl", "tr",
        ])
        .describe("Layout of the keyboard for VNC."),
    Property::boolean("kvm").default("1").describe("Whether the processor's virtualization is used."),
    Property::boolean("localtime").optional().describe("Whether its clock runs on local time."),
    Property::string("lock")
        .optional()
        .one_of(&[
            "backup",
            "clone",
            "create",
            "migrate",
            "rollback",
            "snapshot",
            "snapshot-delete",
            "suspending",
            "suspended",
        ])
        .describe("What holds it."),
    Property::string("machine")
        .optional()
        .format(Format::Properties(&MACHINE))
        .describe("Type of the machine."),
    Property::string("memory").default("512").format(Format::Properties(&MEMORY)).describe("Memory."),
    Property::number("migrate_downtime")
        .default("0.1")
        .min(0)
        .describe("Seconds that it may stand still in a migration."),
    Property::integer("migrate_speed")
        .default("0")
        .min(0)
        .describe("Limit of a migration in megabytes a second; 0 for none."),
    Property::string("name").optional().format(Format::DnsName).describe("Its name."),
    Property::string("nameserver")
        .optional()
        .format(Format::List(&Format::Address))
        .describe("Name servers for cloud-init."),
    Property::string("net").indexed(32).format(Format::Properties(&QEMU_NET)).describe("Network interface."),
    Property::boolean("numa").default("0").describe("Whether it has NUMA."),
    Property::string("numa").indexed(8).format(Format::Properties(&NUMA_NODE)).describe("A NUMA node."),
    Property::boolean("onboot").default("0").describe("Whether it is started with the host."),
    Property::string("ostype")
        .default("other")
        .one_of(&[
            "other", "wxp", "w2k", "w2k3", "w2k8", "wvista", "win7", "win8", "win10", "win11", "l24", "l26",
            "solaris",
        ])
        .describe("System inside, which decides on details of the machine."),
    Property::string("parallel")
        .indexed(3)
        .pattern(r"/dev/parport\d+|/dev/usb/lp\d+", patterns::parallel)
        .describe("Parallel port of the host that is passed in."),
    Property::boolean("protection")
        .default("0")
        .describe("Whether it and its disks are guarded against removal."),
    Property::boolean("reboot")
        .default("1")
        .describe("Whether a reboot from inside restarts it; else it stops."),
    Property::string("rng0").optional().format(Format::Properties(&RNG)).describe("Source of randomness."),
    Property::string("sata").indexed(6).format(Format::Properties(&SATA)).describe("SATA disk or CD drive."),
    Property::string("scsi").indexed(31).format(Format::Properties(&SCSI)).describe("SCSI disk or CD drive."),
    Property::string("scsihw")
        .default("lsi")
        .one_of(&["lsi", "lsi53c810", "virtio-scsi-pci", "virtio-scsi-single", "megasas", "pvscsi"])
        .describe("Model of the SCSI controller."),
    Property::string("searchdomain").optional().describe("Search domains for cloud-init."),
    Property::string("serial")
        .indexed(4)
        .pattern("(/dev/.+|socket)", patterns::serial)
        .describe("Serial port: a device of the host, or a socket."),
    Property::integer("shares")
        .default("1000")
        .min(0)
        .max(50_000)
        .describe("Weight in the competition for memory."),
    Property::string("smbios1")
        .optional()
        .max_length(512)
        .format(Format::Properties(&SMBIOS))
        .describe("What its firmware says about it."),
    Property::integer("smp").default("1").min(1).describe("Obsolete: use `sockets` and `cores`."),
    Property::integer("sockets").default("1").min(1).describe("Sockets of its processor."),
    Property::string("spice_enhancements")
        .optional()
        .format(Format::Properties(&SPICE))
        .describe("Extras of SPICE."),
    Property::string("sshkeys")
        .optional()
        .format(Format::UrlEncoded)
        .describe("SSH keys for cloud-init, one a line."),
    Property::string("startdate")
        .default("now")
        .pattern(r"(now|\d{4}-\d{1,2}-\d{1,2}(T\d{1,2}:\d{1,2}:\d{1,2})?)", patterns::start_date)
        .describe("What its clock says at the start."),
    Property::string("startup")
        .optional()
        .format(Format::Startup)
        .describe("Order and delays of starting and stopping."),
    Property::boolean("tablet").default("1").describe("Whether it has a tablet as pointing device."),
    Property::string("tags")
        .optional()
        .format(Format::List(&Format::Tag))
        .describe("Tags, for whoever reads them."),
    Property::boolean("tdf").default("0").describe("Whether time drift is corrected."),
    Property::boolean("template").default("0").describe("Whether it is a template."),
    Property::string("tpmstate0")
        .optional()
        .format(Format::Properties(&TPMSTATE))
        .describe("Drive for the state of its TPM."),
    Property::string("unused")
        .indexed(256)
        .format(Format::Properties(&UNUSED))
        .describe("Volume that it owns and does not use."),
    Property::string("usb")
        .indexed(14)
        .format(Format::Properties(&USB))
        .describe("USB device of the host that is passed in."),
    Property::integer("vcpus")
        .optional()
        .min(1)
        .describe("CPUs that are plugged in at the start; all if absent."),
    Property::string("vga").optional().format(Format::Properties(&VGA)).describe("Display."),
    Property::string("virtio").indexed(16).format(Format::Properties(&VIRTIO)).describe("Disk on virtio."),
    Property::string("virtiofs")
        .indexed(10)
        .format(Format::Properties(&VIRTIOFS))
        .describe("Folder of the host that is shared."),
    Property::string("vmgenid")
        .default("1")
        .pattern("(?:[a-fA-F0-9]{8}(?:-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}|[01])", patterns::generation_id)
        .describe("Id that changes when its state is another one's."),
    Property::string("vmstatestorage")
        .optional()
        .format(Format::StorageId)
        .describe("Storage for its saved memory."),
    Property::string("watchdog")
        .optional()
        .format(Format::Properties(&WATCHDOG))
        .describe("Watchdog device."),
];

/// Keys that only files have.
pub static FILE: [Property; 8] = [
    Property::string("meta").optional().format(Format::Properties(&META)).describe("How it came to be."),
    Property::string("parent")
        .optional()
        .format(Format::ConfigId)
        .max_length(40)
        .describe("Snapshot that this state grew from."),
    Property::string("running-nets-host-mtu").optional().describe("MTUs of the running one's interfaces."),
    Property::string("runningcpu").optional().describe("Processor of the one whose memory was saved."),
    Property::string("runningmachine").optional().describe("Machine of the one whose memory was saved."),
    Property::string("snapstate")
        .optional()
        .one_of(&["prepare", "delete"])
        .describe("What is being done to the snapshot."),
    Property::integer("snaptime")
        .optional()
        .min(0)
        .describe("When the snapshot was taken, in seconds since the epoch."),
    Property::string("vmstate").optional().format(Format::VolumeId).describe("Volume of its saved memory."),
];

/// Parameters of creating and restoring one that are no options.
pub static CREATE: [Property; 11] = [
    Property::string("archive")
        .optional()
        .max_length(255)
        .describe("Backup to restore; `-` reads it from standard input."),
    Property::integer("bwlimit").optional().min(0).describe("Limit of throughput in KiB a second."),
    Property::boolean("force")
        .optional()
        .requires("archive")
        .describe("Whether one that exists may be replaced."),
    Property::boolean("ha-managed").default("0").describe("Whether it becomes a high-availability resource."),
    Property::string("import-working-storage")
        .optional()
        .format(Format::StorageId)
        .describe("Storage for an import's files."),
    Property::boolean("live-restore").optional().describe("Whether it is started while it is restored."),
    Property::string("pool").optional().format(Format::PoolId).describe("Pool that it joins."),
    Property::boolean("start").default("0").describe("Whether it is started after."),
    Property::string("storage").optional().format(Format::StorageId).describe("Storage for its volumes."),
    Property::boolean("unique")
        .optional()
        .requires("archive")
        .describe("Whether MAC addresses are made anew."),
    Property::integer("vmid").format(Format::Vmid).min(100).max(999_999_999).describe("Number of the guest."),
];

/// Options whose change takes effect at once.
pub(super) const FAST: &[&str] = &[
    "description",
    "hookscript",
    "lock",
    "migrate_downtime",
    "migrate_speed",
    "name",
    "onboot",
    "protection",
    "shares",
    "startup",
    "tags",
    "vmstatestorage",
];

/// Options that Proxmox VE applies to the running machine where `hotplug` and the machine allow it.
pub(super) const HOT: &[&str] = &[
    "agent",
    "balloon",
    "cicustom",
    "cipassword",
    "citype",
    "ciupgrade",
    "ciuser",
    "cpulimit",
    "cpuunits",
    "ide",
    "ipconfig",
    "memory",
    "nameserver",
    "net",
    "sata",
    "scsi",
    "searchdomain",
    "sshkeys",
    "tablet",
    "usb",
    "vcpus",
    "virtio",
];
