//! Disks of virtual machines.

use super::{join, patterns};
use crate::format::Format;
use crate::schema::Property;

const VOLUME: [Property; 4] = [
    Property::string("file").default_key().format(Format::DriveFile).describe("What the drive is made of."),
    Property::alias("volume", "file"),
    Property::string("format")
        .optional()
        .one_of(&["raw", "qcow", "qed", "qcow2", "vmdk", "cloop"])
        .describe("Format of the image."),
    Property::string("size").optional().format(Format::DiskSize).describe("Size, for information only."),
];

const IMPORT: Property = Property::string("import-from")
    .optional()
    .format(Format::DriveFile)
    .describe("Volume or file to fill a new drive from.");

const fn limit(name: &'static str) -> Property {
    Property::integer(name).optional().min(0).describe("Limit of throughput in bytes or operations a second.")
}

const fn limit_mib(name: &'static str) -> Property {
    Property::number(name).optional().min(0).describe("Limit of throughput in megabytes a second.")
}

const fn seconds(name: &'static str) -> Property {
    Property::integer(name).optional().min(1).describe("Seconds that a burst may last.")
}

const THROTTLE: [Property; 34] = [
    limit("bps"),
    limit("bps_rd"),
    limit("bps_wr"),
    limit("bps_max"),
    limit("bps_rd_max"),
    limit("bps_wr_max"),
    limit("iops"),
    limit("iops_rd"),
    limit("iops_wr"),
    limit("iops_max"),
    limit("iops_rd_max"),
    limit("iops_wr_max"),
    limit_mib("mbps"),
    limit_mib("mbps_rd"),
    limit_mib("mbps_wr"),
    limit_mib("mbps_max"),
    limit_mib("mbps_rd_max"),
    limit_mib("mbps_wr_max"),
    seconds("bps_max_length"),
    seconds("bps_rd_max_length"),
    seconds("bps_wr_max_length"),
    seconds("iops_max_length"),
    seconds("iops_rd_max_length"),
    seconds("iops_wr_max_length"),
    Property::alias("bps_rd_length", "bps_rd_max_length"),
    Property::alias("bps_wr_length", "bps_wr_max_length"),
    Property::alias("iops_rd_length", "iops_rd_max_length"),
    Property::alias("iops_wr_length", "iops_wr_max_length"),
    // What older files have; it has no effect any more.
    Property::integer("cyls").optional().describe("Obsolete."),
    Property::integer("heads").optional().describe("Obsolete."),
    Property::integer("secs").optional().describe("Obsolete."),
    Property::string("trans").optional().one_of(&["none", "lba", "auto"]).describe("Obsolete."),
    Property::string("serial")
        .optional()
        .format(Format::UrlEncoded)
        .max_length(60)
        .describe("Serial number that the guest sees."),
    IMPORT,
];

const COMMON: [Property; 14] = [
    Property::string("aio")
        .optional()
        .one_of(&["native", "threads", "io_uring"])
        .describe("How the host reads and writes."),
    Property::boolean("backup").optional().describe("Whether backups include it."),
    Property::string("cache")
        .optional()
        .one_of(&["none", "writethrough", "writeback", "unsafe", "directsync"])
        .describe("How the host caches it."),
    Property::boolean("detect_zeroes").optional().describe("Whether writes of zeroes are looked for."),
    Property::string("discard")
        .optional()
        .one_of(&["ignore", "on"])
        .describe("Whether the guest's discards reach the image."),
    Property::string("media").default("disk").one_of(&["cdrom", "disk"]).describe("What the guest sees."),
    Property::string("rerror")
        .optional()
        .one_of(&["ignore", "report", "stop"])
        .describe("What a failed read does."),
    Property::string("werror")
        .optional()
        .one_of(&["enospc", "ignore", "report", "stop"])
        .describe("What a failed write does."),
    Property::boolean("replicate").default("1").describe("Whether replication includes it."),
    Property::boolean("shared").default("0").describe("Whether all nodes see the volume."),
    Property::boolean("snapshot").optional().describe("Whether writes are dropped at the end."),
    VOLUME[0],
    VOLUME[1],
    VOLUME[2],
];

const BASE: [Property; 49] = join::<15, 34, 49>(join::<14, 1, 15>(COMMON, [VOLUME[3]]), THROTTLE);

const SSD: Property =
    Property::boolean("ssd").optional().describe("Whether the guest sees a solid-state disk.");
const WWN: Property = Property::string("wwn")
    .optional()
    .pattern("0x[0-9a-fA-F]{16}", patterns::wwn)
    .describe("World-wide name that the guest sees.");
const IOTHREAD: Property =
    Property::boolean("iothread").optional().describe("Whether it has a thread of its own.");
const RO: Property = Property::boolean("ro").optional().describe("Whether the guest may only read it.");

/// Keys of `ide[n]`.
pub static IDE: [Property; 52] = join::<49, 3, 52>(
    BASE,
    [
        Property::string("model")
            .optional()
            .format(Format::UrlEncoded)
            .max_length(120)
            .describe("Model that the guest sees."),
        SSD,
        WWN,
    ],
);

/// Keys of `sata[n]`.
pub static SATA: [Property; 51] = join::<49, 2, 51>(BASE, [SSD, WWN]);

/// Keys of `scsi[n]`.
pub static SCSI: [Property; 57] = join::<49, 8, 57>(
    BASE,
    [
        SSD,
        WWN,
        IOTHREAD,
        RO,
        Property::integer("queues").optional().min(2).describe("Number of queues."),
        Property::boolean("scsiblock")
            .default("0")
            .describe("Whether a host's block device is passed through whole."),
        Property::string("product").optional().max_length(16).describe("Product name that the guest sees."),
        Property::string("vendor").optional().max_length(8).describe("Vendor name that the guest sees."),
    ],
);

/// Keys of `virtio[n]`.
pub static VIRTIO: [Property; 51] = join::<49, 2, 51>(BASE, [IOTHREAD, RO]);

/// Keys of `efidisk0`.
pub static EFIDISK: [Property; 8] = [
    VOLUME[0],
    VOLUME[1],
    VOLUME[2],
    VOLUME[3],
    IMPORT,
    Property::string("efitype")
        .default("2m")
        .one_of(&["2m", "4m"])
        .describe("Size of the firmware's variable store."),
    Property::boolean("pre-enrolled-keys")
        .default("0")
        .describe("Whether a new one holds keys for secure boot."),
    Property::string("ms-cert")
        .default("2011")
        .one_of(&["2011", "2023", "2023w", "2023k"])
        .describe("Which of Microsoft's certificates it holds."),
];

/// Keys of `tpmstate0`.
pub static TPMSTATE: [Property; 6] = [
    VOLUME[0],
    VOLUME[1],
    VOLUME[2],
    VOLUME[3],
    IMPORT,
    Property::string("version").default("v1.2").one_of(&["v1.2", "v2.0"]).describe("Version of the TPM."),
];

/// Keys of `unused[n]` of a virtual machine.
pub static UNUSED: [Property; 2] = [
    Property::string("file").default_key().format(Format::VolumeId).describe("The volume."),
    Property::alias("volume", "file"),
];
