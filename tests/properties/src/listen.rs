//! Where HTTPS is to be served, as a file of settings says it: what is read is what a line of it says, an error has a line.

use config::listen::{address, setting};

/// A file of settings.
pub(crate) fn settings(raw: &[u8]) {
    let text = String::from_utf8_lossy(raw);
    match setting(&text) {
        Ok(Some(value)) => {
            assert!(text.contains(&value));
            assert_eq!(setting(&format!("LISTEN={value}\n")), Ok(Some(value.clone())));
            if let Ok(Some(address)) = address(&value) {
                assert_eq!(self::address(&address.to_string()), Ok(Some(address)));
            }
        }
        Ok(None) => assert!(!text.lines().any(|line| line.starts_with("LISTEN="))),
        Err((line, why)) => assert!((1..=crate::line_count(raw)).contains(&line), "{line}: {why}"),
    }
}
