use crate::format::Format;
use crate::schema::Property;

/// What is known of a type of storage (api.md 6.3).
#[derive(Debug, Clone, Copy)]
pub struct StorageType {
    /// Its name.
    pub name: &'static str,
    /// Properties that it cannot do without; they are written first.
    pub required: &'static [&'static str],
    /// What it holds where no content is set.
    pub content: &'static str,
    /// Whether all nodes see the same content in any case.
    pub shared: bool,
    /// Whether it is a folder with a sub-folder for each kind of content.
    pub folder: bool,
}

const fn of(
    name: &'static str,
    required: &'static [&'static str],
    content: &'static str,
    shared: bool,
    folder: bool,
) -> StorageType {
    StorageType { name, required, content, shared, folder }
}

/// The types of storages that may stand in the file.
pub static TYPES: [StorageType; 14] = [
    of("btrfs", &["path"], "images,rootdir", false, true),
    of("cephfs", &["path"], "backup", true, true),
    of("cifs", &["path", "server", "share"], "images", true, true),
    of("dir", &["path"], "images,rootdir", false, true),
    of("esxi", &["server", "username"], "import", true, false),
    of("iscsi", &["portal", "target"], "images", true, false),
    of("iscsidirect", &["portal", "target"], "images", true, false),
    of("lvm", &["vgname"], "images,rootdir", false, false),
    of("lvmthin", &["thinpool", "vgname"], "images,rootdir", false, false),
    of("nfs", &["export", "path", "server"], "images", true, true),
    of("pbs", &["datastore", "server"], "backup", true, false),
    of("rbd", &["pool"], "images", true, false),
    of("zfs", &["blocksize", "iscsiprovider", "pool", "portal", "target"], "images", true, false),
    of("zfspool", &["pool"], "images,rootdir", false, false),
];

/// A type by its name.
#[must_use]
pub fn storage_type(name: &str) -> Option<&'static StorageType> {
    TYPES.iter().find(|kind| kind.name == name)
}

const fn text(name: &'static str, description: &'static str) -> Property {
    Property::string(name).optional().describe(description)
}

const fn flag(name: &'static str, description: &'static str) -> Property {
    Property::boolean(name).optional().describe(description)
}

/// `default=<LIMIT>`, `migration=<LIMIT>` …, in KiB a second.
static BWLIMIT: [Property; 5] = [
    Property::number("clone").optional().min(0).describe("Limit of clones in KiB a second."),
    Property::number("default").optional().min(0).describe("Limit of everything else in KiB a second."),
    Property::number("migration").optional().min(0).describe("Limit of migrations in KiB a second."),
    Property::number("move").optional().min(0).describe("Limit of moves in KiB a second."),
    Property::number("restore").optional().min(0).describe("Limit of restores in KiB a second."),
];

static PRUNE: [Property; 7] = [
    flag("keep-all", "Whether all are kept."),
    Property::integer("keep-daily").optional().min(0).describe("Days of which one is kept."),
    Property::integer("keep-hourly").optional().min(0).describe("Hours of which one is kept."),
    Property::integer("keep-last").optional().min(0).describe("Number of the last ones kept."),
    Property::integer("keep-monthly").optional().min(0).describe("Months of which one is kept."),
    Property::integer("keep-weekly").optional().min(0).describe("Weeks of which one is kept."),
    Property::integer("keep-yearly").optional().min(0).describe("Years of which one is kept."),
];

/// The properties that a storage may have, over all types.
pub fn properties() -> impl Iterator<Item = &'static Property> {
    FIXED.iter().chain(&CHANGEABLE).chain(&FILE_ONLY)
}

/// Properties that are given when a storage is added, and stay.
pub static FIXED: [Property; 10] = [
    text("authsupported", "Ways of authentication with Ceph."),
    Property::string("base")
        .optional()
        .format(Format::VolumeId)
        .describe("Volume that the volume group is made on."),
    Property::string("export")
        .optional()
        .format(Format::StoragePath)
        .describe("Exported path of the server."),
    text("iscsiprovider", "Software of the iSCSI target."),
    Property::string("path").optional().format(Format::StoragePath).describe("Its folder."),
    text("portal", "Portal of iSCSI: address and port."),
    text("share", "Share of the server."),
    text("target", "Target of iSCSI."),
    text("thinpool", "Thin pool."),
    text("vgname", "Volume group."),
];

/// Properties that can be changed.
pub static CHANGEABLE: [Property; 49] = [
    text("blocksize", "Size of blocks."),
    Property::string("bwlimit")
        .optional()
        .format(Format::Properties(&BWLIMIT))
        .describe("Limits of throughput."),
    text("comstar_hg", "Host group of COMSTAR."),
    text("comstar_tg", "Target group of COMSTAR."),
    Property::string("content")
        .optional()
        .format(Format::List(&Format::Content))
        .describe("What it may hold."),
    text("content-dirs", "Folders that stand in for the usual ones: `content=folder`, separated by commas."),
    flag("create-base-path", "Whether its folder is made where it is missing."),
    flag("create-subdirs", "Whether the sub-folders are made."),
    text("data-pool", "Pool for data."),
    text("datastore", "Datastore of the backup server."),
    flag("disable", "Whether it is switched off."),
    Property::string("domain").optional().max_length(256).describe("Domain of the user."),
    text("encryption-key", "Key that backups are encrypted with."),
    text("fingerprint", "Fingerprint of the server's certificate."),
    Property::string("format")
        .optional()
        .one_of(&["raw", "qcow2", "subvol", "vmdk"])
        .describe("Format of new images."),
    Property::string("fs-name")
        .optional()
        .format(Format::ConfigId)
        .describe("Name of the file system in Ceph."),
    flag("fuse", "Whether it is mounted in user space."),
    text("is_mountpoint", "Whether it is there only while something is mounted; or the path where."),
    text("keyring", "Key ring."),
    flag("krbd", "Whether the kernel maps volumes."),
    text("lio_tpg", "Target portal group of LIO."),
    text("master-pubkey", "Public key that the encryption key is kept with."),
    Property::integer("max-protected-backups")
        .optional()
        .min(-1)
        .describe("Protected backups for a guest; -1 for any."),
    flag("mkdir", "Obsolete: whether folders are made."),
    Property::string("monhost")
        .optional()
        .format(Format::List(&Format::Address))
        .describe("Monitors of Ceph."),
    Property::string("mountpoint")
        .optional()
        .format(Format::StoragePath)
        .describe("Where the pool is mounted."),
    text("namespace", "Namespace."),
    flag("nocow", "Whether copy on write is off."),
    Property::string("nodes")
        .optional()
        .format(Format::List(&Format::Node))
        .describe("Nodes that have it; all if absent."),
    flag("nowritecache", "Whether the target's write cache is off."),
    text("options", "Mount options."),
    Property::string("password").optional().max_length(256).describe("Password."),
    text("pool", "Pool."),
    Property::integer("port").optional().min(1).max(65535).describe("Port of the server."),
    Property::string("preallocation")
        .optional()
        .one_of(&["off", "metadata", "falloc", "full"])
        .describe("How much of a new image is allocated."),
    Property::string("prune-backups")
        .optional()
        .format(Format::Properties(&PRUNE))
        .describe("Which backups are kept."),
    flag("saferemove", "Whether volumes are zeroed before removal."),
    Property::integer("saferemove-stepsize")
        .optional()
        .one_of(&["1", "2", "4", "8", "16", "32"])
        .describe("Size of the steps of zeroing in MiB."),
    text("saferemove_throughput", "Limit of throughput of zeroing in bytes a second."),
    text("server", "Server."),
    flag("shared", "Whether all nodes see the same content."),
    flag("skip-cert-verification", "Whether the server's certificate is let pass unseen."),
    Property::string("smbversion")
        .optional()
        .one_of(&["default", "2.0", "2.1", "3", "3.0", "3.11"])
        .describe("Version of SMB."),
    flag("snapshot-as-volume-chain", "Whether snapshots are volumes that build on each other."),
    flag("sparse", "Whether volumes take space only as they are written."),
    Property::string("subdir").optional().format(Format::StoragePath).describe("Folder of the share."),
    flag("tagged_only", "Whether only volumes with the guest's tag are used."),
    text("username", "User."),
    Property::string("zfs-base-path")
        .optional()
        .format(Format::StoragePath)
        .describe("Where the target finds its volumes."),
];

/// Properties that only a file has, from older releases or an editor.
static FILE_ONLY: [Property; 4] = [
    text("comment", "Note."),
    Property::integer("maxfiles").optional().min(0).describe("Obsolete: use `prune-backups`."),
    text("transport", "Transport of Gluster."),
    text("volume", "Volume of Gluster."),
];

/// The properties that a type takes, for types that can be added here.
#[must_use]
pub fn properties_of(kind: &str) -> Option<&'static [&'static str]> {
    (kind == "dir").then_some(&[
        "bwlimit",
        "content",
        "content-dirs",
        "create-base-path",
        "create-subdirs",
        "disable",
        "format",
        "is_mountpoint",
        "max-protected-backups",
        "mkdir",
        "nodes",
        "path",
        "preallocation",
        "prune-backups",
        "shared",
        "snapshot-as-volume-chain",
    ])
}
