//! Keys of the devices of virtual machines that are neither disks nor network interfaces.

use super::patterns;
use crate::format::Format;
use crate::schema::Property;

/// Keys of `vga`.
pub static VGA: [Property; 3] = [
    Property::string("type")
        .optional()
        .default_key()
        .one_of(&[
            "cirrus",
            "qxl",
            "qxl2",
            "qxl3",
            "qxl4",
            "none",
            "serial0",
            "serial1",
            "serial2",
            "serial3",
            "std",
            "virtio",
            "virtio-gl",
            "vmware",
        ])
        .describe("Model of the display, or the serial port that stands in for it."),
    Property::string("clipboard").optional().one_of(&["vnc"]).describe("Kind of shared clipboard."),
    Property::integer("memory").optional().min(4).max(512).describe("Its memory in MiB."),
];

/// Keys of `usb[n]`.
pub static USB: [Property; 3] = [
    Property::string("host")
        .optional()
        .default_key()
        .pattern(r"(0x)?[0-9A-Fa-f]{4}:(0x)?[0-9A-Fa-f]{4}|\d+-\d+(\.\d+)*|spice", patterns::usb_host)
        .describe("Device by vendor and product or by port, or `spice`."),
    Property::string("mapping")
        .optional()
        .format(Format::ConfigId)
        .describe("Device by the name of a mapping."),
    Property::boolean("usb3").default("0").describe("Whether it is plugged into USB 3."),
];

/// Keys of `hostpci[n]`.
pub static HOSTPCI: [Property; 13] = [
    Property::string("host")
        .optional()
        .default_key()
        .pattern(r"([0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}(\.[0-7])?(;…)*", patterns::pci_ids)
        .describe("Addresses, separated by `;`."),
    Property::string("device-id")
        .optional()
        .pattern("0x[0-9a-fA-F]{4}", patterns::pci_part)
        .describe("Device that the guest sees."),
    Property::string("driver")
        .default("vfio")
        .one_of(&["vfio", "keep"])
        .describe("Driver of the host that it is bound to."),
    Property::boolean("legacy-igd")
        .default("0")
        .describe("Whether it is an integrated graphics processor in legacy mode."),
    Property::string("mapping")
        .optional()
        .format(Format::ConfigId)
        .describe("Device by the name of a mapping."),
    Property::string("mdev").optional().describe("Type of mediated device to make of it."),
    Property::boolean("pcie").default("0").describe("Whether it sits on PCI Express."),
    Property::boolean("rombar").default("1").describe("Whether the guest sees its ROM."),
    Property::string("romfile").optional().describe("File that stands in for its ROM."),
    Property::string("sub-device-id")
        .optional()
        .pattern("0x[0-9a-fA-F]{4}", patterns::pci_part)
        .describe("Subsystem's device that the guest sees."),
    Property::string("sub-vendor-id")
        .optional()
        .pattern("0x[0-9a-fA-F]{4}", patterns::pci_part)
        .describe("Subsystem's vendor that the guest sees."),
    Property::string("vendor-id")
        .optional()
        .pattern("0x[0-9a-fA-F]{4}", patterns::pci_part)
        .describe("Vendor that the guest sees."),
    Property::boolean("x-vga").default("0").describe("Whether it is the guest's display."),
];

/// Keys of `audio0`.
pub static AUDIO: [Property; 2] = [
    Property::string("device").one_of(&["ich9-intel-hda", "intel-hda", "AC97"]).describe("Model."),
    Property::string("driver").default("spice").one_of(&["spice", "none"]).describe("Where the sound goes."),
];

/// Keys of `ivshmem`.
pub static IVSHMEM: [Property; 2] = [
    Property::string("name").optional().describe("Name of the shared memory."),
    Property::integer("size").min(1).describe("Size in MiB."),
];

/// Keys of `rng0`.
pub static RNG: [Property; 3] = [
    Property::string("source")
        .default_key()
        .one_of(&["/dev/urandom", "/dev/random", "/dev/hwrng"])
        .describe("Source on the host."),
    Property::integer("max_bytes").default("1024").describe("Bytes in a period; 0 for no limit."),
    Property::integer("period").default("1000").describe("Length of a period in milliseconds."),
];

/// Keys of `spice_enhancements`.
pub static SPICE: [Property; 2] = [
    Property::boolean("foldersharing").default("0").describe("Whether folders are shared."),
    Property::string("videostreaming")
        .default("off")
        .one_of(&["off", "all", "filter"])
        .describe("What is streamed as video."),
];

/// Keys of `virtiofs[n]`.
pub static VIRTIOFS: [Property; 5] = [
    Property::string("dirid")
        .default_key()
        .format(Format::ConfigId)
        .describe("Folder by the name of its mapping."),
    Property::string("cache")
        .default("auto")
        .one_of(&["auto", "always", "metadata", "never"])
        .describe("What the guest may cache."),
    Property::boolean("direct-io").default("0").describe("Whether the guest may ask for direct access."),
    Property::boolean("expose-acl").default("0").describe("Whether the guest sees access control lists."),
    Property::boolean("expose-xattr").default("0").describe("Whether the guest sees extended attributes."),
];

/// Keys of `watchdog`.
pub static WATCHDOG: [Property; 2] = [
    Property::string("model")
        .default("i6300esb")
        .default_key()
        .one_of(&["i6300esb", "ib700"])
        .describe("Model."),
    Property::string("action")
        .optional()
        .one_of(&["reset", "shutdown", "poweroff", "pause", "debug", "none"])
        .describe("What it does when it fires."),
];
