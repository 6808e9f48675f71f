//! `cargo xtask check`.

mod changelog;
mod docs;
mod source;

use crate::policy::{self, Metadata};
use crate::run::{cargo, root, show};
use std::fs;

/// Something wrong, as `path: what` or just what.
pub(crate) type Findings = Vec<String>;

/// All checks, so that one run shows all that is wrong.
pub(crate) fn run_all() -> Result<(), String> {
    let mut wrong = Findings::new();
    let mut tool = |what: &str, command: &mut std::process::Command| {
        eprintln!("check: {what}");
        if let Err(message) = show(command) {
            wrong.push(message);
        }
    };
    tool("format", &mut cargo(&["fmt", "--all", "--check"]));
    let targets = ["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"];
    tool("format of the fuzz targets", &mut cargo(&targets));
    let clippy = ["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    tool("lints", &mut cargo(&clippy));
    let mut doc = cargo(&["doc", "--quiet", "--locked", "--workspace", "--no-deps"]);
    tool("documentation", doc.env("RUSTDOCFLAGS", "-D warnings"));
    let metadata = Metadata::read()?;
    eprintln!("check: dependency policy");
    wrong.extend(policy::findings(&metadata)?);
    eprintln!("check: house rules");
    let files = crate::run::files()?;
    let texts: Vec<(String, String)> = files
        .into_iter()
        .filter_map(|path| Some((path.clone(), fs::read_to_string(root().join(path)).ok()?)))
        .collect();
    wrong.extend(source::findings(&texts, &metadata));
    wrong.extend(docs::findings(&texts));
    wrong.extend(changelog::findings(&texts));
    if wrong.is_empty() {
        return Ok(());
    }
    for finding in &wrong {
        eprintln!("  {finding}");
    }
    Err(format!("check: {} findings", wrong.len()))
}
