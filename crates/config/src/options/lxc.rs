//! Options of containers (lifecycle.md 5.5, api.md A.3).

use super::mounts::{DEVICE, MOUNT_POINT, ROOTFS, UNUSED};
use super::networks::LXC_NET;
use super::patterns;
use crate::format::Format;
use crate::schema::Property;

static FEATURES: [Property; 6] = [
    Property::boolean("force_rw_sys")
        .default("0")
        .describe("Whether `/sys` can be written in an unprivileged container."),
    Property::boolean("fuse").default("0").describe("Whether file systems in user space may be mounted."),
    Property::boolean("keyctl").default("0").describe("Whether an unprivileged container may use keyctl(2)."),
    Property::boolean("mknod")
        .default("0")
        .describe("Whether an unprivileged container may make device nodes."),
    Property::string("mount")
        .optional()
        .pattern(r"[a-zA-Z0-9_.-]+(;…)*", patterns::file_systems)
        .describe("Types of file systems that may be mounted, separated by `;`."),
    Property::boolean("nesting").default("0").describe("Whether containers may run inside."),
];

/// What a container's configuration may have.
pub static OPTIONS: [Property; 32] = [
    Property::string("arch")
        .default("amd64")
        .one_of(&["amd64", "i386", "arm64", "armhf", "riscv32", "riscv64"])
        .describe("Architecture of the system inside."),
    Property::string("cmode")
        .default("tty")
        .one_of(&["shell", "console", "tty"])
        .describe("What a console attaches to: a tty, `/dev/console`, or a new shell."),
    Property::boolean("console").default("1").describe("Whether it has a console device."),
    Property::integer("cores")
        .optional()
        .min(1)
        .max(8192)
        .describe("Number of CPUs; all of the host's if absent."),
    Property::number("cpulimit")
        .default("0")
        .min(0)
        .max(8192)
        .describe("Limit of CPU time in CPUs; 0 for none."),
    Property::integer("cpuunits")
        .optional()
        .min(0)
        .max(500_000)
        .describe("Weight in the competition for CPU time."),
    Property::boolean("debug").default("0").describe("Whether its start is traced."),
    Property::string("description")
        .optional()
        .max_length(8192)
        .describe("Notes, kept as comments on top of the file."),
    Property::string("dev")
        .indexed(256)
        .format(Format::Properties(&DEVICE))
        .describe("Device of the host that is passed in."),
    Property::string("entrypoint")
        .default("/sbin/init")
        .pattern(r"[^\x00-\x08\x10-\x1F\x7F]+", patterns::entrypoint)
        .describe("Command that runs as its init."),
    Property::string("env")
        .optional()
        .pattern(r"(?:[^=\0]+=[^\0]*)(?:\0…)*", patterns::environment)
        .describe("Environment of its init: NAME=VALUE, separated by NUL."),
    Property::string("features")
        .optional()
        .format(Format::Properties(&FEATURES))
        .describe("What it may do beyond the usual."),
    Property::string("hookscript")
        .optional()
        .format(Format::VolumeId)
        .describe("Script that is called at each phase of its life."),
    Property::string("hostname").optional().format(Format::DnsName).max_length(255).describe("Host name."),
    Property::string("lock")
        .optional()
        .one_of(&[
            "backup",
            "create",
            "destroyed",
            "disk",
            "fstrim",
            "migrate",
            "mounted",
            "rollback",
            "snapshot",
            "snapshot-delete",
        ])
        .describe("What holds it."),
    Property::integer("memory").default("512").min(16).describe("Memory in MiB."),
    Property::string("mp")
        .indexed(256)
        .format(Format::Properties(&MOUNT_POINT))
        .describe("Volume, device or folder that is mounted inside."),
    Property::string("nameserver")
        .optional()
        .format(Format::List(&Format::IpWithInterface))
        .describe("Name servers; the host's if absent."),
    Property::string("net").indexed(32).format(Format::Properties(&LXC_NET)).describe("Network interface."),
    Property::boolean("onboot").default("0").describe("Whether it is started with the host."),
    Property::string("ostype")
        .optional()
        .one_of(&[
            "debian",
            "devuan",
            "ubuntu",
            "centos",
            "fedora",
            "opensuse",
            "archlinux",
            "alpine",
            "gentoo",
            "nixos",
            "unmanaged",
        ])
        .describe("System inside, which decides how its files are set up; `unmanaged` leaves them alone."),
    Property::boolean("protection")
        .default("0")
        .describe("Whether it and its volumes are guarded against removal."),
    Property::string("rootfs").optional().format(Format::Properties(&ROOTFS)).describe("Volume of its root."),
    Property::string("searchdomain")
        .optional()
        .format(Format::List(&Format::DnsName))
        .describe("Search domains; the host's if absent."),
    Property::string("startup")
        .optional()
        .format(Format::Startup)
        .describe("Order and delays of starting and stopping."),
    Property::integer("swap").default("512").min(0).describe("Swap in MiB."),
    Property::string("tags")
        .optional()
        .format(Format::List(&Format::Tag))
        .describe("Tags, for whoever reads them."),
    Property::boolean("template").default("0").describe("Whether it is a template."),
    Property::string("timezone")
        .optional()
        .format(Format::Timezone)
        .describe("Time zone; `host` takes the host's."),
    Property::integer("tty").default("2").min(0).max(6).describe("Number of ttys."),
    Property::boolean("unprivileged").default("0").describe("Whether its users are others than the host's."),
    Property::string("unused")
        .indexed(256)
        .format(Format::Properties(&UNUSED))
        .describe("Volume that it owns and does not use."),
];

/// Keys that only files have.
pub static FILE: [Property; 3] = [
    Property::string("parent")
        .optional()
        .format(Format::ConfigId)
        .max_length(40)
        .describe("Snapshot that this state grew from."),
    Property::string("snapstate")
        .optional()
        .one_of(&["prepare", "delete"])
        .describe("What is being done to the snapshot."),
    Property::integer("snaptime")
        .optional()
        .min(0)
        .describe("When the snapshot was taken, in seconds since the epoch."),
];

/// Parameters of creating one that are no options.
pub static CREATE: [Property; 13] = [
    Property::number("bwlimit").optional().min(0).describe("Limit of throughput in KiB a second."),
    Property::boolean("force").optional().describe("Whether one that exists may be replaced."),
    Property::boolean("ha-managed").default("0").describe("Whether it becomes a high-availability resource."),
    Property::boolean("ignore-unpack-errors")
        .optional()
        .describe("Whether errors of unpacking are let pass."),
    Property::string("ostemplate").max_length(255).describe("Template or backup to make it of."),
    Property::string("password").optional().min_length(5).describe("Password of root inside."),
    Property::string("pool").optional().format(Format::PoolId).describe("Pool that it joins."),
    Property::boolean("restore").optional().describe("Whether this is a restore of a backup."),
    Property::string("ssh-public-keys").optional().describe("Keys that may log in as root, one a line."),
    Property::boolean("start").default("0").describe("Whether it is started after."),
    Property::string("storage")
        .default("local")
        .format(Format::StorageId)
        .describe("Storage for its volumes."),
    Property::boolean("unique")
        .optional()
        .requires("restore")
        .describe("Whether MAC addresses are made anew."),
    Property::integer("vmid").format(Format::Vmid).min(100).max(999_999_999).describe("Number of the guest."),
];

/// Options whose change takes effect at once.
pub(super) const FAST: &[&str] =
    &["description", "onboot", "startup", "protection", "hostname", "hookscript", "cores", "tags", "lock"];

/// Options that are applied to the running container where that can be done.
pub(super) const HOT: &[&str] =
    &["cpulimit", "cpuunits", "memory", "mp", "net", "nameserver", "searchdomain", "swap"];
