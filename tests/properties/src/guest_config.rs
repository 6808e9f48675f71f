//! Guest configurations: nothing of a file is lost, and what is written reads back as it is.

use config::guest::{Kept, Problem};
use config::{GuestConfig, Section, parse, print};
use model::{GuestKind, Vmid};
use std::collections::BTreeSet;

/// A file, as one of a virtual machine and as one of a container.
pub(crate) fn files(raw: &[u8]) {
    for kind in GuestKind::ALL {
        file(kind, raw);
    }
}

fn file(kind: GuestKind, raw: &[u8]) {
    let vmid: Vmid = "100".parse().expect("a VMID");
    let (config, warnings) = parse(kind, vmid, raw);
    let lines: Vec<&[u8]> = raw.split(|byte| *byte == b'\n').collect();
    for warning in &warnings {
        let line = lines[warning.line - 1];
        if let Problem::Value { key, .. } | Problem::LxcKey { key, .. } = &warning.problem {
            assert!(line.starts_with(key.as_bytes()), "{warning} is not of line {}", warning.line);
        }
    }
    config::guest::verify(&config).expect("what was read from lines has no line break");
    let printed = print(&config);
    let (again, _) = parse(kind, vmid, &printed);
    same(&print(&again), &printed);
    assert_eq!(bare(&again), bare(&config));
    let [read, written] = [raw, &printed].map(lines_of);
    for kept in sections(&config).flat_map(|section| &section.kept) {
        assert!(
            read.contains(&kept.line[..]) && written.contains(&kept.line[..]),
            "a line was lost: {kept:?}"
        );
    }
    for section in sections(&config) {
        let _ = (section.hookscript(), section.indexed("net").count());
    }
}

fn sections(config: &GuestConfig) -> impl Iterator<Item = &Section> {
    let named = config.special.values().chain(config.snapshots.values());
    [&config.main, &config.pending].into_iter().chain(named)
}

fn lines_of(text: &[u8]) -> BTreeSet<&[u8]> {
    text.split(|byte| *byte == b'\n').collect()
}

/// Without the digest of the file, the order of lines that were not understood, and line ends after a description.
fn bare(config: &GuestConfig) -> GuestConfig {
    let mut bare = GuestConfig { digest: String::new(), ..config.clone() };
    let GuestConfig { main, pending, special, snapshots, .. } = &mut bare;
    for section in [main, pending].into_iter().chain(special.values_mut()).chain(snapshots.values_mut()) {
        let text = section.description.take().map(|text| text.trim_end_matches('\n').to_owned());
        section.description = text.filter(|text| !text.is_empty());
        section.kept.sort_by(|a: &Kept, b: &Kept| (&a.key, &a.line).cmp(&(&b.key, &b.line)));
    }
    bare
}

fn same(text: &[u8], expected: &[u8]) {
    assert_eq!(String::from_utf8_lossy(text), String::from_utf8_lossy(expected));
    assert_eq!(text, expected);
}
