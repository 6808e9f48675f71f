use crate::format::Format;
use crate::options;
use crate::property;
use crate::schema::{Property, Type};
use crate::text::{self, is_space};
use model::{GuestKind, Vmid};

/// A value as it stands in memory, after the checks that are made when a file is read: type and format, but neither
/// limits nor enumerations (lifecycle.md 5.2).
pub(super) fn check(kind: GuestKind, vmid: Vmid, key: &str, value: &str) -> Result<String, String> {
    let Some(property) = options::find_in_file(kind, key) else {
        return Err(format!("unknown setting '{key}'"));
    };
    match property.kind {
        Type::Boolean => text::parse_boolean(value)
            .map(|flag| u8::from(flag).to_string())
            .ok_or_else(|| wrong_type(property, value)),
        Type::Integer | Type::Number => {
            if is_plain_number(value, matches!(property.kind, Type::Number)) {
                Ok(value.to_owned())
            } else {
                Err(wrong_type(property, value))
            }
        }
        Type::String | Type::Array(_) | Type::Object(_) | Type::Null => match property.format {
            None if kind == GuestKind::Qemu => Ok(unquote(value).to_owned()),
            None => Ok(value.to_owned()),
            Some(Format::Properties(fields)) if kind == GuestKind::Qemu && is_drive(fields) => {
                drive(vmid, value, fields)
            }
            Some(format) => format.check("", value).map(|()| value.to_owned()),
        },
    }
}

fn wrong_type(property: &Property, value: &str) -> String {
    format!("type check ('{}') failed - got '{value}'", property.kind.as_str())
}

/// `\d+`, and `\d+(\.\d+)?` for a number.
fn is_plain_number(value: &str, fraction: bool) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match value.split_once('.') {
        Some((whole, rest)) => fraction && digits(whole) && digits(rest),
        None => digits(value),
    }
}

/// Takes surrounding quotes off, as long as what is inside reads back as it is.
fn unquote(value: &str) -> &str {
    let mut text = value;
    while let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let (Some(first), Some(last)) = (inside.as_bytes().first(), inside.as_bytes().last()) else { break };
        if is_space(*first) || is_space(*last) {
            break;
        }
        text = inside;
    }
    text
}

/// Whether a table is that of a disk: it has a medium.
fn is_drive(fields: &[Property]) -> bool {
    fields.iter().any(|field| field.name == "media")
}

/// A disk's value in its usual order; a file without storage is one of the storage `local`.
fn drive(vmid: Vmid, value: &str, fields: &'static [Property]) -> Result<String, String> {
    let bare =
        |file: &str| !file.contains(':') && !file.starts_with('/') && !matches!(file, "none" | "cdrom");
    let whole = value
        .split(',')
        .map(|part| {
            let (key, file) = part.split_once('=').unwrap_or(("file", part));
            let cdrom = value.split(',').any(|part| part == "media=cdrom");
            match (key, cdrom) {
                ("file" | "volume", true) if bare(file) => {
                    format!("file=local:iso/{file}")
                }
                ("file" | "volume", false) if bare(file) => {
                    format!("file=local:{vmid}/{file}")
                }
                _ => part.to_owned(),
            }
        })
        .collect::<Vec<_>>()
        .join(",");
    let printed = property::parse(&whole, fields).map_err(|error| error.to_string())?.print();
    // White space at a part's end must not come to stand at the line's, where it is lost.
    let safe = text::trim(printed.as_bytes()).len() == printed.len();
    Ok(if safe { printed } else { value.to_owned() })
}
