//! The licences of what is linked into the programs: the texts that come with each crate.

use super::build::{HOOKSCRIPTS, triple};
use super::tree::text;
use crate::policy::Metadata;
use crate::run::{capture, cargo};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// One text, in which each licence stands once, behind the crates that it is of.
pub(super) fn notices() -> Result<String, String> {
    let mut by_text: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let linked = linked()?;
    let metadata = Metadata::read()?;
    for package in &metadata.packages {
        let own = metadata.workspace_members.contains(&package.id);
        if own || !linked.contains(&format!("{} v{}", package.name, package.version)) {
            continue;
        }
        let licence = package.license.as_deref().unwrap_or("its own licence");
        let title = format!("{} {} ({licence})", package.name, package.version);
        let folder = Path::new(&package.manifest_path).parent().unwrap_or(Path::new("/"));
        let mut texts = String::new();
        for file in licences(folder)? {
            texts.push_str(text(&file)?.trim());
            texts.push_str("\n\n");
        }
        by_text.entry(texts).or_default().push(title);
    }
    let mut notices = "What hookvisor's programs are built with, and under which licences.\n".to_owned();
    for (texts, crates) in by_text {
        let _ = write!(notices, "\n{}\n{}\n\n{}\n", "=".repeat(80), crates.join("\n"), texts.trim_end());
    }
    Ok(notices)
}

/// The crates that end in the programs, as `NAME vVERSION`.
fn linked() -> Result<Vec<String>, String> {
    let triple = triple()?;
    let mut tree = cargo(&["tree", "--locked", "--edges", "normal", "--prefix", "none", "--target", &triple]);
    tree.args(["hookvisor"].iter().chain(&HOOKSCRIPTS).flat_map(|name| ["--package", name]));
    let text = capture(&mut tree)?;
    let words = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    Ok(text.lines().filter(|line| !line.contains("(proc-macro)")).map(words).collect())
}

/// The files of a crate that are licences, sorted.
fn licences(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if path.is_file() && ["LICEN", "COPY", "NOTICE"].iter().any(|begin| name.starts_with(begin)) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
