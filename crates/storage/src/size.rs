//! Sizes as `pvesm alloc` takes them.

use crate::StorageError;

/// Reads a size of `pvesm alloc` and the API: KiB, or with `K`, `M`, `G` or `T` behind it (api.md 3.3). In bytes.
///
/// # Errors
/// [`StorageError::Size`] for any other text, and for more than fits in 64 bits.
pub fn parse_alloc_size(text: &str) -> Result<u64, StorageError> {
    let invalid = || StorageError::Size(text.to_owned());
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K') => (&text[..text.len() - 1], 10),
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        Some(b'T') => (&text[..text.len() - 1], 40),
        _ => (text, 10),
    };
    if !crate::volume_name::is_number(digits) {
        return Err(invalid());
    }
    let number: u64 = digits.parse().map_err(|_| invalid())?;
    number.checked_mul(1 << shift).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_kib_unless_they_say_otherwise() {
        for (text, bytes) in
            [("0", 0), ("1", 1024), ("10K", 10 << 10), ("32M", 32 << 20), ("4G", 4 << 30), ("1T", 1 << 40)]
        {
            assert_eq!(parse_alloc_size(text).unwrap(), bytes, "{text}");
        }
        for text in [
            "",
            "G",
            "-1",
            "1.5G",
            "4g",
            "4 G",
            "4GB",
            "+4",
            "0x10",
            "18446744073709551615",
            "99999999999G",
            "é",
        ] {
            assert_eq!(
                parse_alloc_size(text).unwrap_err().to_string(),
                format!("unable to parse size '{text}'")
            );
        }
    }

    proptest! {
        #[test]
        fn what_a_configuration_says_can_be_read(kib in 0_u64..1 << 50) {
            let text = config::text::format_size(kib << 10);
            prop_assert_eq!(parse_alloc_size(&text).unwrap(), kib << 10);
        }
    }
}
