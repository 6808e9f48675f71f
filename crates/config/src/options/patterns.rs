//! What the texts of some options look like, where no named format says it.

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `[-_.\w]+`
pub(super) fn interface(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// `[\w.-]+`, at most 15 characters are checked by the length.
pub(super) fn container_interface(text: &str) -> bool {
    interface(text) && text != "." && text != ".."
}

/// VLANs and ranges of them, separated by `;`.
pub(super) fn trunks(text: &str) -> bool {
    text.split(';')
        .all(|item| item.split_once('-').map_or(digits(item), |(first, last)| digits(first) && digits(last)))
}

/// `(/dev/.+|socket)`
pub(super) fn serial(text: &str) -> bool {
    text == "socket" || text.strip_prefix("/dev/").is_some_and(|rest| !rest.is_empty())
}

/// `/dev/parport\d+|/dev/usb/lp\d+`
pub(super) fn parallel(text: &str) -> bool {
    text.strip_prefix("/dev/parport").or_else(|| text.strip_prefix("/dev/usb/lp")).is_some_and(digits)
}

/// `now`, a date, or a date and a time.
pub(super) fn start_date(text: &str) -> bool {
    let part = |part: &str, most: usize| digits(part) && part.len() <= most;
    let fields = |text: &str, by: char, first: usize| {
        let parts: Vec<&str> = text.split(by).collect();
        parts.len() == 3 && part(parts[0], first) && part(parts[1], 2) && part(parts[2], 2)
    };
    let date = |text: &str| fields(text, '-', 4) && text.find('-') == Some(4);
    text == "now" || text.split_once('T').map_or(date(text), |(day, time)| date(day) && fields(time, ':', 2))
}

/// A UUID.
pub(super) fn uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, length)| hex(part, length))
}

/// A UUID, `0` for none or `1` for a new one.
pub(super) fn generation_id(text: &str) -> bool {
    matches!(text, "0" | "1") || uuid(text)
}

/// `0x` and 16 hexadecimal digits.
pub(super) fn wwn(text: &str) -> bool {
    text.strip_prefix("0x").is_some_and(|rest| hex(rest, 16))
}

/// `±flag`, separated by `;`.
pub(super) fn cpu_flags(text: &str) -> bool {
    let named = |flag: &str| {
        !flag.is_empty() && flag.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    text.split(';').all(|item| item.strip_prefix(['+', '-']).is_some_and(named))
}

/// A model of CPU, or `custom-NAME`.
pub(super) fn cpu_type(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// 1 to 12 letters and digits.
pub(super) fn hv_vendor(text: &str) -> bool {
    (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// 8 to 64, or `host`.
pub(super) fn phys_bits(text: &str) -> bool {
    text == "host" || (digits(text) && text.parse::<u32>().is_ok_and(|bits| (8..=64).contains(&bits)))
}

/// `pc`, `q35`, `virt`, or one of their versions.
pub(super) fn machine(text: &str) -> bool {
    let version = |rest: &str| {
        let rest = rest.strip_suffix(".pxe").unwrap_or(rest);
        let (number, revision) = rest.split_once("+pve").unwrap_or((rest, "0"));
        digits(revision)
            && number
                .split_once('.')
                .is_some_and(|(major, minor)| digits(major) && minor.split('.').all(digits))
    };
    matches!(text, "pc" | "q35" | "virt")
        || ["pc-i440fx-", "pc-q35-", "virt-", "pc-"]
            .iter()
            .any(|name| text.strip_prefix(name).is_some_and(version))
}

/// Numbers and ranges of them, separated by `;`.
pub(super) fn numbers(text: &str) -> bool {
    trunks(text)
}

/// Four letters at most: `a` floppy, `c` disk, `d` CD, `n` network.
pub(super) fn boot_letters(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|b| b"acdn".contains(&b))
}

/// `VVVV:PPPP`, `bus-port.port`, or `spice`.
pub(super) fn usb_host(text: &str) -> bool {
    let device = text.split_once(':').is_some_and(|(vendor, product)| {
        let id = |id: &str| hex(id.strip_prefix("0x").unwrap_or(id), 4);
        id(vendor) && id(product)
    });
    let port = text.split_once('-').is_some_and(|(bus, ports)| digits(bus) && ports.split('.').all(digits));
    device || port || text.eq_ignore_ascii_case("spice")
}

/// PCI addresses, or names of functions, separated by `;`.
pub(super) fn pci_ids(text: &str) -> bool {
    let id = |id: &str| {
        let id = match id.match_indices(':').count() {
            2 => id.split_once(':').filter(|(domain, _)| hex(domain, 4)).map_or("", |(_, rest)| rest),
            _ => id,
        };
        id.split_once(':').is_some_and(|(bus, device)| {
            let (device, function) = device.split_once('.').unwrap_or((device, "0"));
            hex(bus, 2)
                && hex(device, 2)
                && function.len() == 1
                && matches!(function.as_bytes()[0], b'0'..=b'7')
        })
    };
    text.split(';').all(id)
}

/// `0x` and four hexadecimal digits.
pub(super) fn pci_part(text: &str) -> bool {
    text.strip_prefix("0x").is_some_and(|rest| hex(rest, 4))
}

/// An octal mode: `0` and three octal digits.
pub(super) fn mode(text: &str) -> bool {
    text.len() == 4 && text.starts_with('0') && text.bytes().all(|b| matches!(b, b'0'..=b'7'))
}

/// Mount options of a container's volume, separated by `;`.
pub(super) fn mount_options(text: &str) -> bool {
    text.split(';')
        .all(|option| matches!(option, "discard" | "lazytime" | "noatime" | "nodev" | "noexec" | "nosuid"))
}

/// `passthrough`, or maps `u:container:host:count`, separated by `;`.
pub(super) fn id_map(text: &str) -> bool {
    let map = |map: &str| {
        let parts: Vec<&str> = map.split(':').collect();
        matches!(parts[..], ["u" | "g", a, b, c] if [a, b, c].into_iter().all(digits))
    };
    text == "passthrough" || text.split(';').all(map)
}

/// Types of file systems, separated by `;`.
pub(super) fn file_systems(text: &str) -> bool {
    let named = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    text.split(';').all(named)
}

/// No control characters but tab and line ends.
pub(super) fn entrypoint(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| matches!(c, '\0'..='\x08' | '\x10'..='\x1f' | '\x7f'))
}

/// `NAME=VALUE`, separated by NUL.
pub(super) fn environment(text: &str) -> bool {
    text.split('\0').all(|pair| pair.split_once('=').is_some_and(|(name, _)| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_knows_good_from_bad() {
        type Case = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);
        let cases: [Case; 11] = [
            (trunks, &["1", "1;10-20"], &["", "1,2", "a"]),
            (serial, &["socket", "/dev/ttyS0"], &["/dev/", "socket2"]),
            (start_date, &["now", "2026-01-31", "2026-1-3T1:02:03"], &["2026", "26-01-31", "2026-01-31T1:2"]),
            (generation_id, &["0", "438977e2-7379-4253-ba18-1849b048d166"], &["2", "438977e2"]),
            (cpu_flags, &["+aes", "+aes;-pcid"], &["aes", ""]),
            (
                machine,
                &["pc", "q35", "pc-i440fx-9.2+pve1", "pc-q35-8.1.pxe", "pc-7.2"],
                &["pc-", "q35-8.1", "isapc"],
            ),
            (usb_host, &["1234:abcd", "0x1234:0xabcd", "1-1.2", "spice"], &["1234", "1-", "usb"]),
            (pci_ids, &["00:02.0", "0000:01:00;02:00.1"], &["x", "1:2", "00:02.9"]),
            (mode, &["0660"], &["660", "0800"]),
            (id_map, &["passthrough", "u:0:100000:65536;g:0:1:1"], &["x:0:1:1", "u:0:1"]),
            (environment, &["A=b", "A=b\0C="], &["A", "=b"]),
        ];
        for (pattern, good, bad) in cases {
            good.iter().for_each(|text| assert!(pattern(text), "{text}"));
            bad.iter().for_each(|text| assert!(!pattern(text), "{text}"));
        }
    }
}
