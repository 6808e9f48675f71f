//! What texts are: the named formats of the schema (api.md 1.2).

use crate::property;
use crate::schema::Property;
use crate::text;
use crate::user_cfg;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A named format.
#[derive(Debug, Clone, Copy)]
pub enum Format {
    /// The number of a guest.
    Vmid,
    /// The name of a node.
    Node,
    /// The name of a storage.
    StorageId,
    /// The name of a pool: parts of letters, digits, `.`, `_` and `-`, up to three, separated by `/`.
    PoolId,
    /// `<storage>:<name>`.
    VolumeId,
    /// What a drive is made of: a volume, an absolute path, `none`, `cdrom`, or the size of a new volume in GiB.
    DriveFile,
    /// What a mount point is made of: a volume, an absolute path, or the size of a new volume in GiB.
    MountSource,
    /// A name in DNS.
    DnsName,
    /// A name in DNS or an IP address.
    Address,
    /// The name of a section: of a snapshot, of a key.
    ConfigId,
    /// A unicast MAC address.
    Mac,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// An IP address of either version.
    Ip,
    /// An address and the length of its network's prefix.
    Cidr,
    /// An IPv4 address with prefix length, `dhcp` or `manual`.
    Ipv4Config,
    /// An IPv6 address with prefix length, `auto`, `dhcp` or `manual`.
    Ipv6Config,
    /// An IP address that may name an interface: `fe80::1%eth0`.
    IpWithInterface,
    /// Order and delays of starting and stopping (lifecycle.md 8.1).
    Startup,
    /// One tag.
    Tag,
    /// What may be changed on a running virtual machine.
    Hotplug,
    /// A list of CPUs: `0-3,8`.
    Cpuset,
    /// A text in percent-encoding.
    UrlEncoded,
    /// Bytes with a unit: `4G`.
    DiskSize,
    /// Devices to boot from, separated by `;`.
    BootDevices,
    /// One device to boot from, as older configurations name it.
    BootDisk,
    /// A kind of content of a storage.
    Content,
    /// An absolute path of plain characters.
    StoragePath,
    /// A time zone, or `host`.
    Timezone,
    /// An absolute path in a container, without `.` and `..`.
    MountPath,
    /// An absolute path below `/dev`.
    DevicePath,
    /// A user with its realm.
    UserId,
    /// A user's token with the user.
    TokenId,
    /// The name of a realm, or of a token.
    Realm,
    /// The name of a group or a role.
    Name,
    /// An address of mail, or nothing.
    Email,
    /// A property string with these keys.
    Properties(&'static [Property]),
    /// A list of values of one format.
    List(&'static Format),
}

impl Format {
    /// Its name in the schema; none for property strings and lists.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Vmid => "pve-vmid",
            Self::Node => "pve-node",
            Self::StorageId => "pve-storage-id",
            Self::PoolId => "pve-poolid",
            Self::VolumeId => "pve-volume-id",
            Self::DriveFile => "pve-volume-id-or-qm-path",
            Self::MountSource => "pve-lxc-mp-string",
            Self::DnsName => "dns-name",
            Self::Address => "address",
            Self::ConfigId => "pve-configid",
            Self::Mac => "mac-addr",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Ip => "ip",
            Self::Cidr => "CIDR",
            Self::Ipv4Config => "pve-ipv4-config",
            Self::Ipv6Config => "pve-ipv6-config",
            Self::IpWithInterface => "lxc-ip-with-ll-iface",
            Self::Startup => "pve-startup-order",
            Self::Tag => "pve-tag",
            Self::Hotplug => "pve-hotplug-features",
            Self::Cpuset => "pve-cpuset",
            Self::UrlEncoded => "urlencoded",
            Self::DiskSize => "disk-size",
            Self::BootDevices => "pve-qm-boot-devs",
            Self::BootDisk => "pve-qm-bootdisk",
            Self::Content => "pve-storage-content",
            Self::StoragePath => "pve-storage-path",
            Self::Timezone => "pve-ct-timezone",
            Self::MountPath => "pve-lxc-mp-path",
            Self::DevicePath => "pve-lxc-dev-string",
            Self::UserId => "pve-userid",
            Self::TokenId => "pve-tokenid",
            Self::Realm => "pve-realm",
            Self::Name => "pve-groupid",
            Self::Email => "email-opt",
            Self::Properties(_) | Self::List(_) => return None,
        })
    }

    /// Checks a text; `path` names it in what is said about the parts of a property string.
    ///
    /// # Errors
    /// Proxmox VE's text, without a last line's end.
    pub fn check(self, path: &str, text: &str) -> Result<(), String> {
        let (good, cause) = match self {
            Self::Properties(fields) => {
                return property::parse_at(path, text, fields).map(|_| ()).map_err(|error| error.to_string());
            }
            Self::List(of) => return text::split_list(text).try_for_each(|item| of.check(path, item)),
            Self::Startup => {
                return startup(text).map(|_| ()).ok_or_else(|| "unable to parse startup options".to_owned());
            }
            Self::Vmid => (text.parse::<model::Vmid>().is_ok(), "value does not look like a valid VM ID"),
            Self::Node => {
                (text.parse::<model::NodeName>().is_ok(), "value does not look like a valid node name")
            }
            Self::StorageId => {
                let cause = format!("storage ID '{text}' contains illegal characters");
                return text.parse::<model::StorageId>().map(|_| ()).map_err(|_| cause);
            }
            Self::VolumeId => {
                return text.parse::<model::VolumeId>().map(|_| ()).map_err(|error| error.to_string());
            }
            Self::DriveFile => return volume(text, &["none", "cdrom"]),
            Self::MountSource => return volume(text, &[]),
            Self::PoolId => {
                let part = |part: &str| {
                    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
                };
                (
                    text.split('/').count() <= 3 && text.split('/').all(part),
                    "value does not look like a valid pool name",
                )
            }
            Self::DnsName => (is_dns_name(text), "value does not look like a valid DNS name"),
            Self::Address => (
                is_dns_name(text) || text.parse::<IpAddr>().is_ok(),
                "value does not look like a valid address",
            ),
            Self::ConfigId => {
                let cause = format!("invalid configuration ID '{text}'");
                return if is_config_id(text) { Ok(()) } else { Err(cause) };
            }
            Self::Mac => (is_unicast_mac(text), "value is not a valid unicast MAC address"),
            Self::Ipv4 => (text.parse::<Ipv4Addr>().is_ok(), "value does not look like a valid IPv4 address"),
            Self::Ipv6 => (text.parse::<Ipv6Addr>().is_ok(), "value does not look like a valid IPv6 address"),
            Self::Ip => (text.parse::<IpAddr>().is_ok(), "value does not look like a valid IP address"),
            Self::Cidr => {
                (is_cidr(text, true) || is_cidr(text, false), "value does not look like a valid CIDR network")
            }
            Self::Ipv4Config => (
                matches!(text, "dhcp" | "manual") || is_cidr(text, true),
                "value does not look like a valid ipv4 network configuration",
            ),
            Self::Ipv6Config => (
                matches!(text, "auto" | "dhcp" | "manual") || is_cidr(text, false),
                "value does not look like a valid ipv6 network configuration",
            ),
            Self::IpWithInterface => {
                (is_ip_with_interface(text), "value does not look like a valid IP address")
            }
            Self::Tag => (is_tag(text), "invalid characters in tag"),
            Self::Hotplug => (is_hotplug(text), "unable to parse hotplug option"),
            Self::Cpuset => (is_cpuset(text), "unable to parse cpuset"),
            Self::UrlEncoded => (is_url_encoded(text), "invalid urlencoded string"),
            Self::DiskSize => {
                (text::parse_size(text).is_some(), "value does not look like a valid disk size")
            }
            Self::BootDevices => (text::split_list(text).all(is_boot_device), "invalid boot device"),
            Self::BootDisk => (is_drive_name(text), "invalid boot disk"),
            Self::Content => (text.parse::<model::ContentType>().is_ok(), "invalid content type"),
            Self::StoragePath => (is_storage_path(text), "value does not look like a valid absolute path"),
            Self::Timezone => (is_timezone(text), "invalid time zone"),
            Self::MountPath => (is_mount_path(text), "path must be absolute and without '.' and '..'"),
            Self::DevicePath => {
                (text.starts_with("/dev/") && is_mount_path(text), "path must start with /dev/")
            }
            Self::UserId => (is_user(text, false), "value does not look like a valid user name"),
            Self::TokenId => (is_user(text, true), "value does not look like a valid token ID"),
            Self::Realm => (
                format!("x@{text}").parse::<model::UserId>().is_ok_and(|id| id.realm() == text),
                "value does not look like a valid realm",
            ),
            Self::Name => (user_cfg::is_name(text), "value contains invalid characters"),
            Self::Email => (is_email(text), "value does not look like a valid email address"),
        };
        if good { Ok(()) } else { Err(cause.to_owned()) }
    }
}

/// Order and delays: parts `[order=]N`, `up=SECONDS`, `down=SECONDS` (lifecycle.md 8.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Startup {
    /// The place in the order; none is last.
    pub order: Option<u64>,
    /// Seconds to wait after its start.
    pub up: Option<u64>,
    /// Seconds that its shutdown may take.
    pub down: Option<u64>,
}

/// Reads a `startup` value; none where it cannot be read.
#[must_use]
pub fn startup(text: &str) -> Option<Startup> {
    let mut startup = Startup::default();
    for part in text.split(',').filter(|part| !text::trim(part.as_bytes()).is_empty()) {
        let (key, number) = part.split_once('=').unwrap_or(("order", part));
        let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        let place = match key {
            "order" => &mut startup.order,
            "up" => &mut startup.up,
            "down" => &mut startup.down,
            _ => return None,
        };
        *place = Some(number.parse().ok().filter(|_| plain)?);
    }
    Some(startup)
}

/// Whether a text asks for a new volume: `[<storage>:]<GiB>` (lifecycle.md 5.4).
#[must_use]
pub fn new_volume(text: &str) -> Option<(Option<&str>, f64)> {
    let (storage, size) = match text.rsplit_once(':') {
        Some((storage, size)) => (Some(storage), size),
        None => (None, text),
    };
    let named = storage.is_none_or(|name| {
        !name.is_empty() && !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace())
    });
    let (whole, fraction) = size.split_once('.').unwrap_or((size, "0"));
    let plain =
        [whole, fraction].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if named && plain { Some((storage, size.parse().ok()?)) } else { None }
}

fn volume(text: &str, words: &[&str]) -> Result<(), String> {
    if words.contains(&text) || text.starts_with('/') || new_volume(text).is_some() {
        return Ok(());
    }
    text.parse::<model::VolumeId>().map(|_| ()).map_err(|error| error.to_string())
}

fn is_user(text: &str, token: bool) -> bool {
    text.parse::<model::UserId>().is_ok_and(|id| id.token().is_some() == token && user_cfg::is_listable(&id))
}

fn is_email(text: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic() && !b"@:,;".contains(&b));
    text.is_empty() || text.split_once('@').is_some_and(|(user, host)| plain(user) && is_dns_name(host))
}

/// Labels of letters, digits and inner hyphens, separated by dots.
fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.split('.').all(label)
}

fn is_config_id(text: &str) -> bool {
    text.len() >= 2
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn is_unicast_mac(text: &str) -> bool {
    let pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit());
    text.split(':').count() == 6 && text.split(':').all(pair) && b"02468aceACE".contains(&text.as_bytes()[1])
}

fn is_cidr(text: &str, v4: bool) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let Some(length) = length.parse::<u8>().ok().filter(|_| length.bytes().all(|b| b.is_ascii_digit()))
    else {
        return false;
    };
    match v4 {
        true => address.parse::<Ipv4Addr>().is_ok() && (8..=32).contains(&length),
        false => address.parse::<Ipv6Addr>().is_ok() && (8..=128).contains(&length),
    }
}

fn is_ip_with_interface(text: &str) -> bool {
    match text.split_once('%') {
        None => text.parse::<IpAddr>().is_ok(),
        Some((address, interface)) => {
            let named = !interface.is_empty()
                && interface.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            named && address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_unicast_link_local())
        }
    }
}

fn is_tag(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+.".contains(&b))
}

fn is_hotplug(text: &str) -> bool {
    let feature = |item: &str| matches!(item, "network" | "disk" | "cpu" | "memory" | "usb" | "cloudinit");
    matches!(text, "0" | "1") || text::split_list(text).all(feature)
}

fn is_cpuset(text: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    let range = |item: &str| match item.split_once('-') {
        None => number(item).is_some(),
        Some((first, last)) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
    };
    text.split(',').all(range)
}

/// `^[-%a-zA-Z0-9_.!~*'()]*$`
fn is_url_encoded(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-%_.!~*'()".contains(&b))
}

/// Whether a key names a drive that a guest can boot from: `ide0` to `ide3`, `sata`, `scsi`, `virtio`.
#[must_use]
pub fn is_drive_name(key: &str) -> bool {
    [("ide", 4), ("sata", 6), ("scsi", 31), ("virtio", 16)]
        .into_iter()
        .any(|(bus, count)| Property::string(bus).indexed(count).is_named(key))
}

fn is_boot_device(key: &str) -> bool {
    let other = [("net", 32), ("usb", 14), ("hostpci", 16)];
    is_drive_name(key)
        || other.into_iter().any(|(name, count)| Property::string(name).indexed(count).is_named(key))
}

/// `^/[-/a-zA-Z0-9_.@]+$`
fn is_storage_path(text: &str) -> bool {
    text.len() > 1
        && text.starts_with('/')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-/_.@".contains(&b))
}

fn is_timezone(text: &str) -> bool {
    let named = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b))
    };
    text.split('/').all(named)
}

fn is_mount_path(text: &str) -> bool {
    text.starts_with('/') && text.split('/').all(|part| part != "." && part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_knows_good_from_bad() {
        let cases: [(Format, &[&str], &[&str]); 18] = [
            (Format::DnsName, &["a", "web-1.example.org"], &["", "bad name", "-a", "a-", "a..b", "ü"]),
            (
                Format::Mac,
                &["BC:24:11:00:00:01"],
                &["BD:24:11:00:00:01", "BC:24:11:00:00", "BC-24-11-00-00-01", "b:c"],
            ),
            (
                Format::Cidr,
                &["10.0.0.1/24", "fd00::1/64"],
                &["10.0.0.1", "10.0.0.1/33", "10.0.0.1/+8", "x/8"],
            ),
            (Format::Ipv4Config, &["dhcp", "10.0.0.1/24"], &["auto", "fd00::1/64"]),
            (Format::Ipv6Config, &["auto", "fd00::1/64"], &["10.0.0.1/24"]),
            (Format::IpWithInterface, &["10.0.0.1", "fe80::1%eth0"], &["fd00::1%eth0", "fe80::1%"]),
            (Format::List(&Format::Address), &["1.1.1.1 dns.example.org", ""], &["1.1.1.1 a_b"]),
            (Format::Startup, &["1", "order=2,up=3,down=4", ",", ""], &["up=x", "order=", "1s", "left=1"]),
            (Format::List(&Format::Tag), &["a;b_c+1.x", "A b,c"], &["-a", "ä"]),
            (Format::Hotplug, &["0", "1", "network,usb"], &["net"]),
            (Format::Cpuset, &["0", "0-3,8"], &["", "3-1", "0,", "a"]),
            (Format::DiskSize, &["4G", "1.5T", "512"], &["4g", "G"]),
            (Format::BootDevices, &["scsi0;net0", ""], &["scsi31", "floppy"]),
            (
                Format::DriveFile,
                &["none", "cdrom", "/dev/sr0", "local:iso/x.iso", "local:4", "32"],
                &["x.raw"],
            ),
            (Format::MountPath, &["/mnt/a b"], &["mnt", "/a/../b", "/./a"]),
            (Format::UrlEncoded, &["ssh-rsa%20AAA"], &["ssh rsa"]),
            (Format::Timezone, &["host", "Europe/Berlin", "Etc/GMT+1"], &["../x", "/etc", ""]),
            (Format::PoolId, &["a", "a/b/c"], &["", "a/b/c/d", "a b"]),
        ];
        for (format, good, bad) in cases {
            good.iter().for_each(|text| assert_eq!(format.check("x", text), Ok(()), "{format:?} {text}"));
            bad.iter().for_each(|text| assert!(format.check("x", text).is_err(), "{format:?} {text}"));
        }
    }

    #[test]
    fn the_texts_that_clients_match_on() {
        for (format, text, cause) in [
            (Format::VolumeId, "hook.sh", "unable to parse volume ID 'hook.sh'"),
            (Format::DnsName, "bad name", "value does not look like a valid DNS name"),
            (Format::Startup, "soon", "unable to parse startup options"),
        ] {
            assert_eq!(format.check("x", text), Err(cause.to_owned()));
        }
    }

    #[test]
    fn a_startup_value_says_order_and_delays() {
        assert_eq!(startup("7,up=30"), Some(Startup { order: Some(7), up: Some(30), down: None }));
    }

    #[test]
    fn a_new_volume_is_a_size_on_a_storage() {
        assert_eq!(new_volume("local:4"), Some((Some("local"), 4.0)));
        assert_eq!(new_volume("0.5"), Some((None, 0.5)));
        for other in ["local:iso/1", "local:100/vm-100-disk-0.raw", "a b:1", ":1", "local:", "1e3"] {
            assert_eq!(new_volume(other), None, "{other}");
        }
    }
}
