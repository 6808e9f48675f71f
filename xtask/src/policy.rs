//! The dependency policy: what the workspace's table `workspace.metadata.policy` and `deny.toml` ask for.

use crate::run::{capture, cargo, command, root, show};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// What `cargo metadata` says, as far as it is needed.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: BTreeSet<String>,
    pub(crate) metadata: WorkspaceMetadata,
}

/// `[workspace.metadata]`.
#[derive(Deserialize)]
pub(crate) struct WorkspaceMetadata {
    pub(crate) policy: Policy,
}

/// `[workspace.metadata.policy]`.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Policy {
    /// Crates that touch no file, process or clock, and all they may depend on.
    pub(crate) pure: BTreeMap<String, BTreeSet<String>>,
    /// The job of each direct dependency from outside.
    pub(crate) jobs: BTreeMap<String, String>,
    /// Files over the limit of lines, and why.
    pub(crate) long_files: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: Option<String>,
    pub(crate) manifest_path: String,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Option<String>,
    pub(crate) path: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) src_path: String,
}

/// `deny.toml`, as far as it is checked without cargo-deny.
#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    unknown_registry: String,
    unknown_git: String,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self, String> {
        let text = capture(&mut cargo(&["metadata", "--format-version", "1", "--locked"]))?;
        serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }
}

/// Everything that is wrong with the dependencies.
pub(crate) fn findings(metadata: &Metadata) -> Result<Vec<String>, String> {
    let text = fs::read_to_string(root().join("deny.toml")).map_err(|error| format!("deny.toml: {error}"))?;
    let deny: Deny = toml::from_str(&text).map_err(|error| format!("deny.toml: {error}"))?;
    let mut wrong = Vec::new();
    let built = built()?;
    for package in &metadata.packages {
        let title = format!("{} {}", package.name, package.version);
        if !built.contains(&title) {
            continue;
        }
        if let Some(banned) = deny.bans.deny.iter().find(|banned| banned.name == package.name) {
            wrong.push(format!("{title} is banned: {}", banned.reason));
        }
        match &package.license {
            Some(license) if allowed(license, &deny.licenses.allow) => {}
            Some(license) => {
                wrong.push(format!("{title} has the licence {license}, which deny.toml does not allow"))
            }
            None => wrong.push(format!("{title} names no licence")),
        }
    }
    if deny.sources.unknown_registry != "deny" || deny.sources.unknown_git != "deny" {
        wrong.push("deny.toml must deny unknown sources".to_owned());
    }
    let policy = &metadata.metadata.policy;
    let mut used = BTreeSet::new();
    for package in metadata.members() {
        let normal = package.dependencies.iter().filter(|dependency| dependency.kind.is_none());
        if let Some(pure) = policy.pure.get(&package.name) {
            for dependency in normal.filter(|dependency| !pure.contains(&dependency.name)) {
                wrong.push(format!("{} is pure and may not depend on {}", package.name, dependency.name));
            }
        }
        let outside = package.dependencies.iter().filter(|dependency| dependency.path.is_none());
        used.extend(outside.map(|dependency| dependency.name.clone()));
    }
    wrong.extend(used.iter().filter(|name| !policy.jobs.contains_key(*name)).map(|name| {
        format!("{name}: say in [workspace.metadata.policy.jobs] of Cargo.toml what it is there for")
    }));
    wrong.extend(policy.jobs.keys().filter(|name| !used.contains(*name)).map(|name| {
        format!("{name} has a line in [workspace.metadata.policy.jobs] but nobody depends on it")
    }));
    let cargo_deny =
        command("cargo-deny", &["--version"]).output().is_ok_and(|output| output.status.success());
    if cargo_deny
        && let Err(message) =
            show(&mut command("cargo-deny", &["--offline", "check", "bans", "licenses", "sources"]))
    {
        wrong.push(message);
    }
    Ok(wrong)
}

/// Name and version of every package that is built for some target. The lock file and the metadata also have optional
/// dependencies that nobody switches on.
fn built() -> Result<BTreeSet<String>, String> {
    let tree = ["tree", "--locked", "--workspace", "--target", "all", "--edges", "all"];
    let text = capture(cargo(&tree).args(["--prefix", "none", "--format", "{p}"]))?;
    let title = |line: &str| {
        let mut words = line.split(' ');
        Some(format!("{} {}", words.next()?, words.next()?.strip_prefix('v')?))
    };
    Ok(text.lines().filter_map(title).collect())
}

/// Whether an SPDX expression can be met with these licences.
fn allowed(expression: &str, licences: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    or(&mut words, licences)
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn or(words: &mut Words, licences: &BTreeSet<String>) -> bool {
    let mut met = and(words, licences);
    while words.next_if_eq(&"OR").is_some() {
        met |= and(words, licences);
    }
    met
}

fn and(words: &mut Words, licences: &BTreeSet<String>) -> bool {
    let mut met = one(words, licences);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, licences);
    }
    met
}

fn one(words: &mut Words, licences: &BTreeSet<String>) -> bool {
    match words.next() {
        Some("(") => {
            let met = or(words, licences);
            words.next();
            met
        }
        Some(licence) => {
            let exception = words.next_if_eq(&"WITH").and_then(|_| words.next());
            match exception {
                Some(exception) => licences.contains(&format!("{licence} WITH {exception}")),
                None => licences.contains(licence),
            }
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licence_expressions_are_understood() {
        let licences: BTreeSet<String> = ["MIT", "Apache-2.0"].map(str::to_owned).into();
        for good in ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-3.0) AND Apache-2.0"] {
            assert!(allowed(good, &licences), "{good}");
        }
        for bad in [
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "Apache-2.0 WITH LLVM-exception",
            "(MIT OR GPL-3.0) AND BSD-3-Clause",
            "",
        ] {
            assert!(!allowed(bad, &licences), "{bad}");
        }
    }
}
