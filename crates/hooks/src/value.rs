//! The values that settings have, in a script's own text and in `hooks.conf` alike.

use std::time::Duration;

/// The longest limit that can be set.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The longest name of a parameter, in bytes.
const LONGEST_NAME: usize = 64;

/// Why a value cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No number with a unit.
    #[error("'{0}' is no duration: that is a whole number with ms, s, m or h, as in 30s")]
    Duration(String),
    /// A limit that ends everything at once, or nothing ever.
    #[error("'{0}' is not between 1ms and 168h")]
    DurationRange(String),
    /// No name with a value.
    #[error("'{0}' is no parameter: that is NAME=VALUE with a name of lower-case letters, digits and '_'")]
    Parameter(String),
    /// A parameter that has a value already.
    #[error("the parameter '{0}' is set twice")]
    ParameterTwice(String),
    /// A text in quotation marks that does not end.
    #[error("a quotation mark is not closed")]
    Quotation,
}

/// A time limit: `500ms`, `30s`, `5m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, ValueError> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(ValueError::Duration(text.to_owned())),
    };
    if number.is_empty() {
        return Err(ValueError::Duration(text.to_owned()));
    }
    let range = || ValueError::DurationRange(text.to_owned());
    let millis =
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)).ok_or_else(range)?;
    let limit = Duration::from_millis(millis);
    if limit.is_zero() || limit > LONGEST { Err(range()) } else { Ok(limit) }
}

/// Adds the parameters of a list `a=1,b="x, y"`.
pub(crate) fn add_parameters(text: &str, to: &mut Vec<(String, String)>) -> Result<(), ValueError> {
    for item in split(text, |c| c == ',')? {
        let item = item.trim();
        let none = || ValueError::Parameter(item.to_owned());
        let (name, value) = item.split_once('=').ok_or_else(none)?;
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
            && name.len() <= LONGEST_NAME;
        // No variable of the environment can have a zero byte.
        if !plain || value.contains('\0') {
            return Err(none());
        }
        if to.iter().any(|(known, _)| known == name) {
            return Err(ValueError::ParameterTwice(name.to_owned()));
        }
        to.push((name.to_owned(), value.replace('"', "")));
    }
    Ok(())
}

/// The parts of a text between separators that stand outside of quotation marks.
pub(crate) fn split(text: &str, separator: impl Fn(char) -> bool) -> Result<Vec<&str>, ValueError> {
    let mut parts = Vec::new();
    let (mut begin, mut quoted) = (0, false);
    for (at, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if !quoted && separator(c) {
            parts.push(&text[begin..at]);
            begin = at + c.len_utf8();
        }
    }
    if quoted {
        return Err(ValueError::Quotation);
    }
    parts.push(&text[begin..]);
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit() {
        for (text, millis) in [("500ms", 500), ("30s", 30_000), ("5m", 300_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)));
        }
        for bad in ["", "30", "s", "1.5h", "-1s", "+1s", "30 s", "1d", "30S", "٣s"] {
            assert_eq!(duration(bad), Err(ValueError::Duration(bad.to_owned())));
        }
        for bad in ["0s", "169h", "99999999999999999999h", "18446744073709551615h"] {
            assert_eq!(duration(bad), Err(ValueError::DurationRange(bad.to_owned())));
        }
    }

    #[test]
    fn parameters_may_hold_anything_in_quotation_marks() {
        let mut parameters = Vec::new();
        add_parameters(r#"a=1,url=http://x/?q=1, text="b, c=d",e="#, &mut parameters).unwrap();
        let expected = [("a", "1"), ("url", "http://x/?q=1"), ("text", "b, c=d"), ("e", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parameters, expected);
        assert_eq!(add_parameters("a=2", &mut parameters), Err(ValueError::ParameterTwice("a".to_owned())));
        for bad in ["", "x", "=1", "X=1", "1x=1", "a-b=1", "x=1,,y=2", "x=\0"] {
            assert!(matches!(add_parameters(bad, &mut Vec::new()), Err(ValueError::Parameter(_))), "{bad:?}");
        }
        assert_eq!(add_parameters(r#"x="a"#, &mut Vec::new()), Err(ValueError::Quotation));
    }
}
