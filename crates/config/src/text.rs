//! Small texts that several grammars share: blanks, booleans, lists, sizes, percent-encoding.

/// Whether a byte is white space in the grammars' sense: ASCII only, with the vertical tab.
#[must_use]
pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c')
}

/// Cuts white space off both ends.
#[must_use]
pub fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !is_space(*b)).unwrap_or(bytes.len());
    trim_end(&bytes[start..])
}

/// Cuts white space off the end.
#[must_use]
pub fn trim_end(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| !is_space(*b)).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// A boolean as files and command lines write it: `1 on yes true`, `0 off no false`, in any case (lifecycle.md 5.2).
#[must_use]
pub fn parse_boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["1", "on", "yes", "true"]) {
        Some(true)
    } else if is(["0", "off", "no", "false"]) {
        Some(false)
    } else {
        None
    }
}

/// The items of a list, which `,`, `;`, white space and NUL separate (api.md 1.2).
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| matches!(c, ',' | ';' | '\0') || (c.is_ascii() && is_space(c as u8)))
        .filter(|item| !item.is_empty())
}

/// The bytes that a disk size says: digits, an optional fraction and an optional unit `K M G T`.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        b'T' => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(1 << shift)?;
    let fraction = format!("0.{fraction}").parse::<f64>().ok()? * f64::from(shift).exp2();
    whole.checked_add(fraction as u64)
}

/// A number of bytes with the largest unit that says it exactly; nought is `0T`, as Proxmox VE writes it.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    let units = ["", "K", "M", "G", "T"];
    let mut value = bytes;
    let mut unit = 0;
    while unit + 1 < units.len() && value.is_multiple_of(1024) {
        value /= 1024;
        unit += 1;
    }
    format!("{value}{}", units[unit])
}

/// Encodes a text for one line of a file: every byte of its UTF-8 but printable ASCII becomes `%XX`, and so do
/// `%` and `:` (lifecycle.md 5.2).
#[must_use]
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if matches!(byte, b' '..=b'~') && byte != b'%' && byte != b':' {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Undoes [`percent_encode`]; a `%` without two hexadecimal digits stays, and what is no UTF-8 is replaced.
#[must_use]
pub fn percent_decode(bytes: &[u8]) -> String {
    let hex = |byte: u8| char::from(byte).to_digit(16);
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let pair = match after {
            [high, low, ..] if first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        if let Some((high, low)) = pair {
            decoded.push((high * 16 + low) as u8);
            rest = &after[2..];
        } else {
            decoded.push(first);
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_with_the_largest_exact_unit() {
        for (bytes, text) in [
            (0, "0T"),
            (512, "512"),
            (1 << 20, "1M"),
            (1536 << 20, "1536M"),
            (4 << 30, "4G"),
            (1 << 50, "1024T"),
        ] {
            assert_eq!(format_size(bytes), text);
            assert_eq!(parse_size(text), Some(bytes));
        }
        assert_eq!(parse_size("1.5G"), Some(1536 << 20));
        for bad in ["", "G", "-1", "1.G", "1g", "1 G", "1e3", "99999999999999999999T"] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn percent_encoding_keeps_printable_ascii_and_undoes_itself() {
        assert_eq!(percent_encode("two: colon %25 ü\r"), "two%3A colon %2525 %C3%BC%0D");
        assert_eq!(percent_decode(b"two%3A colon %2525 %C3%BC%0D"), "two: colon %25 ü\r");
        assert_eq!(percent_decode(b"100% %zz %4"), "100% %zz %4");
        assert_eq!(percent_decode(b"\xff"), "\u{fffd}");
    }
}
