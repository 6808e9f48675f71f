//! `storage.cfg`: what is written reads back as it is, and `local` is always there.

use config::storage_cfg::{StorageCfg, StorageWarning, parse, print};
use std::collections::BTreeSet;

/// A file.
pub(crate) fn files(raw: &[u8]) {
    let (cfg, warnings) = parse(raw);
    let lines = crate::line_count(raw);
    for warning in &warnings {
        let (StorageWarning::Line { line, .. }
        | StorageWarning::Section { line, .. }
        | StorageWarning::Value { line, .. }) = warning;
        assert!((1..=lines).contains(line), "{warning}");
        assert!(warning.to_string().contains(&format!("line {line} ")), "{warning}");
    }
    let names: BTreeSet<&str> = cfg.sections.iter().map(|section| section.id.as_str()).collect();
    assert!(names.len() == cfg.sections.len() && names.contains("local"), "{names:?}");
    let printed = print(&cfg);
    let text = String::from_utf8(printed.clone()).expect("what is written is text");
    let (again, _) = parse(&printed);
    assert_eq!(String::from_utf8_lossy(&print(&again)), text);
    assert_eq!(values(&again), values(&cfg), "{text}");
    let written: BTreeSet<&str> = text.split('\n').collect();
    let kept = cfg.sections.iter().flat_map(|section| &section.kept);
    for line in kept.filter(|line| !line.is_empty()) {
        assert!(written.contains(line.as_str()), "a line was lost: {line:?}");
    }
}

/// What the storages are, but for comments: lines in the order of their names.
fn values(cfg: &StorageCfg) -> Vec<String> {
    let off = |key: &str, value: &str| key == "disable" && value == "0";
    let mut all: Vec<String> = cfg
        .sections
        .iter()
        .map(|section| {
            let options = section.options.iter().filter(|(key, value)| !off(key, value)).collect::<Vec<_>>();
            let meaning = (section.content(), section.shared(), section.disabled());
            format!("{} {} {options:?} {meaning:?}", section.id, section.kind)
        })
        .collect();
    all.sort();
    all
}
