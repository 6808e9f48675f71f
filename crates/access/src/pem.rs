//! Keys as text, RFC 7468.

use base64ct::{Base64, Encoding};

/// A key with its label: `PRIVATE KEY`, `PUBLIC KEY`.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The first key with its label; none where there is none.
pub(crate) fn decode(text: &str) -> Option<(&str, Vec<u8>)> {
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let letters: String = body.split_whitespace().collect();
    Some((label, Base64::decode_vec(&letters).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        let der: Vec<u8> = (0..200).collect();
        let text = encode("PRIVATE KEY", &der);
        assert!(text.lines().all(|line| line.len() <= 64));
        assert_eq!(decode(&text), Some(("PRIVATE KEY", der)));
        assert_eq!(decode("nothing"), None);
    }
}
