//! Network interfaces of guests.

use super::patterns;
use crate::format::Format;
use crate::schema::Property;

/// The models of network interfaces of virtual machines.
pub const MODELS: &[&str] = &[
    "e1000",
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
    "rtl8139",
    "virtio",
    "vmxnet3",
];

const fn model(name: &'static str) -> Property {
    Property::alias(name, "macaddr").key_alias("model")
}

const FIREWALL: Property =
    Property::boolean("firewall").optional().describe("Whether the firewall looks at it.");
const LINK_DOWN: Property = Property::boolean("link_down").optional().describe("Whether its cable is out.");
const RATE: Property =
    Property::number("rate").optional().min(0).describe("Limit of throughput in megabytes a second.");
const TRUNKS: Property = Property::string("trunks")
    .optional()
    .pattern(r"\d+(?:-\d+)?(?:;\d+(?:-\d+)?)*", patterns::trunks)
    .describe("VLANs that pass, separated by `;`.");

const fn bridge() -> Property {
    Property::string("bridge")
        .optional()
        .pattern(r"[-_.\w\d]+", patterns::interface)
        .describe("Bridge of the host that it joins.")
}

/// Keys of `net[n]` of a virtual machine.
pub static QEMU_NET: [Property; 25] = [
    Property::string("model").default_key().one_of(MODELS).describe("Model that the guest sees."),
    Property::string("macaddr")
        .optional()
        .format(Format::Mac)
        .describe("MAC address; a random one if absent."),
    model("e1000"),
    model("e1000-82540em"),
    model("e1000-82544gc"),
    model("e1000-82545em"),
    model("e1000e"),
    model("i82551"),
    model("i82557b"),
    model("i82559er"),
    model("ne2k_isa"),
    model("ne2k_pci"),
    model("pcnet"),
    model("rtl8139"),
    model("virtio"),
    model("vmxnet3"),
    bridge(),
    FIREWALL,
    LINK_DOWN,
    Property::integer("mtu")
        .optional()
        .min(1)
        .max(65520)
        .describe("MTU that the guest is told; 1 takes the bridge's."),
    Property::integer("queues").optional().min(0).max(64).describe("Number of pairs of queues."),
    RATE,
    Property::integer("tag").optional().min(1).max(4094).describe("VLAN."),
    TRUNKS,
    Property::boolean("host-tunnel").optional().describe("Whether the host offloads tunnels."),
];

/// Keys of `net[n]` of a container.
pub static LXC_NET: [Property; 15] = [
    Property::string("name")
        .pattern(r"[-_.\w\d]+", patterns::container_interface)
        .max_length(15)
        .describe("Name inside the container."),
    bridge(),
    FIREWALL,
    Property::string("gw")
        .optional()
        .format(Format::Ipv4)
        .requires("ip")
        .describe("Default gateway for IPv4."),
    Property::string("gw6")
        .optional()
        .format(Format::Ipv6)
        .requires("ip6")
        .describe("Default gateway for IPv6."),
    Property::boolean("host-managed").optional().describe("Whether the host configures the address."),
    Property::string("hwaddr")
        .optional()
        .format(Format::Mac)
        .describe("MAC address; a random one if absent."),
    Property::string("ip")
        .optional()
        .format(Format::Ipv4Config)
        .describe("IPv4 address with prefix length, `dhcp` or `manual`."),
    Property::string("ip6")
        .optional()
        .format(Format::Ipv6Config)
        .describe("IPv6 address with prefix length, `auto`, `dhcp` or `manual`."),
    LINK_DOWN,
    Property::integer("mtu").optional().min(64).max(65535).describe("MTU."),
    RATE,
    Property::integer("tag").optional().min(1).max(4094).describe("VLAN."),
    TRUNKS,
    Property::string("type").optional().one_of(&["veth"]).describe("Kind of interface."),
];

/// Keys of `ipconfig[n]`.
pub static QEMU_IPCONFIG: [Property; 4] = [
    Property::string("ip")
        .default("dhcp")
        .format(Format::Ipv4Config)
        .describe("IPv4 address with prefix length, or `dhcp`."),
    Property::string("gw")
        .optional()
        .format(Format::Ipv4)
        .requires("ip")
        .describe("Default gateway for IPv4."),
    Property::string("ip6")
        .default("dhcp")
        .format(Format::Ipv6Config)
        .describe("IPv6 address with prefix length, `auto` or `dhcp`."),
    Property::string("gw6")
        .optional()
        .format(Format::Ipv6)
        .requires("ip6")
        .describe("Default gateway for IPv6."),
];
