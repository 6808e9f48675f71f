//! House rules about source files.

use super::Findings;
use crate::policy::Metadata;
use crate::run::root;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file with more lines needs a reason in `[workspace.metadata.policy.long-files]`.
const MAX_LINES: usize = 500;

/// All findings about sources and manifests.
pub(crate) fn findings(files: &[(String, String)], metadata: &Metadata) -> Findings {
    let mut wrong = Findings::new();
    let policy = &metadata.metadata.policy;
    for (path, text) in files {
        wrong.extend(words(path, text));
        if path.ends_with(".rs") && text.lines().count() > MAX_LINES && !policy.long_files.contains_key(path)
        {
            wrong.push(format!("{path}: {} lines are more than {MAX_LINES}", text.lines().count()));
        }
    }
    for path in policy.long_files.keys() {
        let long = files.iter().any(|(name, text)| name == path && text.lines().count() > MAX_LINES);
        if !long {
            wrong.push(format!("{path} is listed as a long file but is none"));
        }
    }
    wrong.extend(manifests(metadata));
    match crate::fuzz::targets() {
        Ok(targets) => wrong.extend(orphans(files, metadata, targets.into_iter().map(|(_, path)| path))),
        Err(message) => wrong.push(message),
    }
    wrong
}

/// Words and forms that no file may have.
fn words(path: &str, text: &str) -> Findings {
    let mut wrong = Findings::new();
    let mut say = |line: usize, what: &str| wrong.push(format!("{path}:{line}: {what}"));
    // Put together here so that this file does not find itself.
    let unfinished = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X:"].concat()];
    let places = [["/wo", "rk/"].concat(), ["/tmp", "/hv/"].concat(), [".lib", "rary/"].concat()];
    let suppressed = [["#[al", "low("].concat(), ["#![al", "low("].concat()];
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        if unfinished.iter().any(|word| line.contains(word.as_str())) {
            say(number, "unfinished work belongs in the tracker");
        }
        if places.iter().any(|place| line.contains(place.as_str())) {
            say(number, "a path of one machine");
        }
        if path.ends_with(".rs") && suppressed.iter().any(|form| line.contains(form.as_str())) {
            say(number, "use `expect` with a reason");
        }
        let comment = line.trim_start().starts_with("//");
        if comment && names_an_issue(line) {
            say(number, "a comment says why, it does not name an issue");
        }
        let kept = path.ends_with(".md") || path.starts_with("tests/compat/transcripts/");
        if !kept && line.ends_with([' ', '\t']) && is_text(path) {
            say(number, "white space at the end of the line");
        }
    }
    if is_text(path) && !text.is_empty() && !text.ends_with('\n') {
        say(text.lines().count(), "no line end at the end of the file");
    }
    wrong
}

fn is_text(path: &str) -> bool {
    let golden = path.contains("/golden/") || path.contains("/testdata/") || path.contains("/transcripts/");
    !golden && [".rs", ".md", ".toml", ".sh", ".py", ".pl"].iter().any(|end| path.ends_with(end))
}

fn names_an_issue(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower.match_indices("issue").any(|(at, word)| {
        let rest = lower[at + word.len()..].trim_start_matches([' ', '#']);
        rest.starts_with(|c: char| c.is_ascii_digit())
    })
}

/// Every crate of the workspace takes the workspace's lints.
fn manifests(metadata: &Metadata) -> Findings {
    let wants = |package: &crate::policy::Package| {
        let text = fs::read_to_string(&package.manifest_path).unwrap_or_default();
        let table: toml::Table = text.parse().unwrap_or_default();
        table.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool)
            == Some(true)
    };
    let members = metadata.members().filter(|package| !wants(package));
    members.map(|package| format!("{}: no `[lints] workspace = true`", package.name)).collect()
}

/// Every source file is part of some target.
fn orphans(files: &[(String, String)], metadata: &Metadata, fuzz: impl Iterator<Item = String>) -> Findings {
    let mut reached = BTreeSet::new();
    for target in metadata.members().flat_map(|package| &package.targets) {
        reach(Path::new(&target.src_path), true, &mut reached);
    }
    fuzz.for_each(|path| reach(&root().join(path), true, &mut reached));
    let sources = files.iter().map(|(path, _)| path).filter(|path| path.ends_with(".rs"));
    // The examples are single files that a user compiles by hand.
    let sources = sources.filter(|path| !path.starts_with("hookscripts/"));
    sources
        .filter(|path| !reached.contains(&root().join(path)))
        .map(|path| format!("{path}: no target has this file"))
        .collect()
}

/// Follows the `mod name;` lines of a file.
fn reach(file: &Path, is_root: bool, reached: &mut BTreeSet<PathBuf>) {
    let Ok(text) = fs::read_to_string(file) else { return };
    if !reached.insert(file.to_path_buf()) {
        return;
    }
    let (Some(folder), Some(stem)) = (file.parent(), file.file_stem()) else { return };
    let base = if is_root || stem == "mod" { folder.to_path_buf() } else { folder.join(stem) };
    let mut path_attribute = None;
    for line in text.lines().map(str::trim) {
        if let Some(path) = line.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
            path_attribute = Some(folder.join(path));
            continue;
        }
        if let Some(at) = line.find("include!(\"") {
            let name = line[at + 10..].split('"').next().unwrap_or_default();
            reach(&folder.join(name), false, reached);
        }
        let Some(name) = module_name(line) else { continue };
        if let Some(path) = path_attribute.take() {
            reach(&path, false, reached);
        } else {
            reach(&base.join(format!("{name}.rs")), false, reached);
            reach(&base.join(name).join("mod.rs"), false, reached);
        }
    }
}

/// The name in `pub(crate) mod name;`.
fn module_name(line: &str) -> Option<&str> {
    let rest = line.strip_suffix(';')?;
    let (before, name) = rest.rsplit_once("mod ")?;
    let before = before.trim();
    (before.is_empty() || before.starts_with("pub")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_words_are_found_with_their_place() {
        let text = format!(
            "fn a() {{}}\n// {}DO later\n#[al{}(dead_code)]\n// see issue #12\nlet b; \n",
            "TO", "low"
        );
        let found = words("a.rs", &text);
        let lines: Vec<&str> = found.iter().map(|line| line.split(':').nth(1).unwrap()).collect();
        assert_eq!(lines, ["2", "3", "4", "5"], "{found:?}");
        assert!(words("a.rs", "fn issue() {}\n// an issue of taste\n").is_empty());
    }

    #[test]
    fn module_lines_are_told_from_others() {
        assert_eq!(module_name("mod a;"), Some("a"));
        assert_eq!(module_name("pub(crate) mod b;"), Some("b"));
        assert_eq!(module_name("mod tests {"), None);
        assert_eq!(module_name("use a::mod_b;"), None);
    }
}
