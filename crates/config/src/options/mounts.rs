//! Volumes and mount points of containers.

use super::{join, patterns};
use crate::format::Format;
use crate::schema::Property;

/// Keys of `rootfs`.
pub static ROOTFS: [Property; 9] = BASE;

const BASE: [Property; 9] = [
    Property::string("volume")
        .default_key()
        .format(Format::MountSource)
        .describe("Volume, device or folder."),
    Property::boolean("acl").optional().describe("Whether access control lists are on."),
    Property::string("idmap")
        .optional()
        .pattern(r"(passthrough|[ug]:\d+:\d+:\d+(;[ug]:\d+:\d+:\d+)*)", patterns::id_map)
        .describe("How ids on it map to the host's."),
    Property::string("mountoptions")
        .optional()
        .pattern(r"(discard|lazytime|noatime|nodev|noexec|nosuid)(;…)*", patterns::mount_options)
        .describe("Mount options, separated by `;`."),
    Property::boolean("quota").optional().describe("Whether quotas are on."),
    Property::boolean("replicate").default("1").describe("Whether replication includes it."),
    Property::boolean("ro").optional().describe("Whether it may only be read."),
    Property::boolean("shared").default("0").describe("Whether all nodes see it."),
    Property::string("size").optional().format(Format::DiskSize).describe("Size, for information only."),
];

/// Keys of `mp[n]`.
pub static MOUNT_POINT: [Property; 12] = join::<9, 3, 12>(
    BASE,
    [
        Property::string("mp").format(Format::MountPath).describe("Path inside the container."),
        Property::boolean("backup").optional().describe("Whether backups include it."),
        Property::boolean("keepattrs")
            .optional()
            .describe("Whether owner and mode of the folder below stay."),
    ],
);

/// Keys of `unused[n]`.
pub(super) static UNUSED: [Property; 1] =
    [Property::string("volume").default_key().format(Format::VolumeId).describe("The volume.")];

/// Keys of `dev[n]`.
pub static DEVICE: [Property; 5] = [
    Property::string("path")
        .default_key()
        .optional()
        .format(Format::DevicePath)
        .describe("Device of the host."),
    Property::boolean("deny-write").default("0").describe("Whether the container may only read it."),
    Property::integer("gid").optional().min(0).describe("Group that owns it inside."),
    Property::string("mode")
        .optional()
        .pattern("0[0-7]{3}", patterns::mode)
        .describe("Its mode inside, in octal."),
    Property::integer("uid").optional().min(0).describe("User that owns it inside."),
];
