use super::{GuestConfig, Section};
use crate::text::percent_encode;
use model::GuestKind;

/// A value that would break the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("detected invalid newline inside property '{key}'")]
pub struct InvalidNewline {
    /// The option.
    pub key: String,
}

/// Whether what [`print()`] makes of a configuration reads back as it is: no key or value has a line break.
///
/// # Errors
/// The first option that has one.
pub fn verify(config: &GuestConfig) -> Result<(), InvalidNewline> {
    let sections = [&config.main, &config.pending].into_iter();
    for section in sections.chain(config.special.values()).chain(config.snapshots.values()) {
        let options = section.options.iter().chain(section.lxc.iter().map(|(key, value)| (key, value)));
        for (key, value) in options {
            if value.contains('\n') || key.contains('\n') {
                return Err(InvalidNewline { key: key.clone() });
            }
        }
    }
    Ok(())
}

/// The file of a configuration, byte by byte as Proxmox VE writes it (lifecycle.md 5.2).
#[must_use]
pub fn print(config: &GuestConfig) -> Vec<u8> {
    let mut out = Vec::new();
    print_section(config.kind, &config.main, false, &mut out);
    let mut titled = |title: String, section: &Section, pending: bool| {
        out.push(b'\n');
        line(&mut out, title.as_bytes());
        print_section(config.kind, section, pending, &mut out);
    };
    if !config.pending.is_empty() {
        titled(format!("[{}]", pending_name(config.kind)), &config.pending, true);
    }
    for (name, section) in &config.special {
        titled(format!("[special:{name}]"), section, false);
    }
    for (name, section) in &config.snapshots {
        titled(format!("[{name}]"), section, false);
    }
    for section in &config.unknown {
        out.push(b'\n');
        line(&mut out, &section.header);
        section.lines.iter().for_each(|kept| line(&mut out, kept));
    }
    out
}

/// The pending section's name in the file.
pub(super) fn pending_name(kind: GuestKind) -> &'static str {
    match kind {
        GuestKind::Qemu => "PENDING",
        GuestKind::Lxc => "pve:pending",
    }
}

/// The lines of one section without its header. A pending section writes an empty description too.
fn print_section(kind: GuestKind, section: &Section, pending: bool, out: &mut Vec<u8>) {
    match section.description.as_deref().map(|text| text.trim_end_matches('\n')) {
        Some("") if pending => line(out, b"#"),
        Some("") | None => {}
        Some(description) => {
            for text in description.split('\n') {
                line(out, format!("#{}", percent_encode(text)).as_bytes());
            }
        }
    }
    // A container's environment has lines of its own.
    let env = section.get("env").filter(|_| kind == GuestKind::Lxc);
    for (_, text) in sorted_lines(section, env.is_some()) {
        line(out, &text);
    }
    for variable in env.into_iter().flat_map(|env| env.split('\0')) {
        line(out, format!("lxc.environment.runtime: {variable}").as_bytes());
    }
    for (key, value) in &section.lxc {
        line(out, format!("{key}: {value}").as_bytes());
    }
    for kept in section.kept.iter().filter(|kept| kept.key.is_none()) {
        line(out, &kept.line);
    }
}

/// Values, and lines kept whose key is known, by key; a value stands before what was kept under its key.
fn sorted_lines(section: &Section, without_env: bool) -> Vec<(&str, Vec<u8>)> {
    let valid = section
        .options
        .iter()
        .filter(|(key, _)| !(without_env && *key == "env"))
        .map(|(key, value)| (key.as_str(), format!("{key}: {value}").into_bytes()));
    let kept = section.kept.iter().filter_map(|kept| Some((kept.key.as_deref()?, kept.line.clone())));
    let mut lines: Vec<_> = valid.chain(kept).collect();
    lines.sort_by_key(|(key, _)| *key);
    lines
}

fn line(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(text);
    out.push(b'\n');
}
