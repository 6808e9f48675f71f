//! What lies where, below `/usr` or wherever a tarball is unpacked.

use super::Release;
use super::build::Programs;
use super::notices::notices;
use super::stamp;
use super::tree::{Tree, read, text};
use crate::run::{command, files, root, show};
use std::path::Path;

/// The programs that a host may have of Proxmox VE.
pub(super) const NAMES: [&str; 4] = ["qm", "pct", "pvesh", "pvesm"];

/// Where things lie.
pub(super) struct Places {
    /// Before everything: `usr`, or nothing.
    pub(super) prefix: &'static str,
    /// Before what bears a name of Proxmox VE's programs: the prefix, or a folder from which links lead.
    pub(super) names: &'static str,
    /// zsh's folder for completions below `share/zsh`.
    pub(super) zsh: &'static str,
    /// fish's folder for completions below `share/fish`.
    pub(super) fish: &'static str,
    /// Where units find the program.
    pub(super) program: &'static str,
}

/// Lays everything out.
pub(super) fn lay(
    tree: &Tree,
    places: &Places,
    programs: &Programs,
    release: &Release,
) -> Result<(), String> {
    let prefix = places.prefix;
    let program = join(prefix, "bin/hookvisor");
    tree.program(&program, &programs.hookvisor())?;
    stamp::file(&tree.root().join(&program), &release.version)?;
    for (name, path) in programs.hookscripts() {
        tree.program(&join(prefix, &format!("lib/hookvisor/hookscripts/{name}")), &path)?;
    }
    for name in NAMES {
        let bin = join(places.names, &format!("bin/{name}"));
        // From a folder of links it leads up to the prefix.
        let up = places.names.strip_prefix(prefix).map_or(0, |rest| rest.matches('/').count());
        let to =
            if up == 0 { "hookvisor".to_owned() } else { format!("{}bin/hookvisor", "../".repeat(up + 1)) };
        tree.link(&bin, &to)?;
    }
    texts(tree, prefix)?;
    units(tree, places)?;
    let program = tree.root().join(program);
    pages(tree, places, &program, release)?;
    completions(tree, places, &program)
}

/// The units, with the program where it will lie.
pub(super) fn unit_files() -> Result<Vec<String>, String> {
    let all = files()?;
    Ok(all.into_iter().filter(|file| file.starts_with("packaging/systemd/")).collect())
}

fn units(tree: &Tree, places: &Places) -> Result<(), String> {
    for file in unit_files()? {
        let unit = text(&root().join(&file))?.replace("/usr/bin/hookvisor", places.program);
        tree.file(&join(places.prefix, &format!("lib/systemd/system/{}", name(&file))), unit)?;
    }
    let catalog = root().join("packaging/hookvisor.catalog");
    tree.file(&join(places.prefix, "lib/systemd/catalog/hookvisor.catalog"), read(&catalog)?)
}

/// The book, the examples and the library, beside each other as in the repository, so that the links in them lead on.
fn texts(tree: &Tree, prefix: &str) -> Result<(), String> {
    let doc = join(prefix, "share/doc/hookvisor");
    tree.file(&format!("{doc}/THIRD-PARTY"), notices()?)?;
    tree.compress(&format!("{doc}/THIRD-PARTY"))?;
    for file in files()? {
        let content = || read(&root().join(&file));
        let kind = file.rsplit_once('.').map_or("", |(_, kind)| kind);
        let within = |folder: &str| file.starts_with(folder);
        if within("hookscripts/") && !within("hookscripts/examples/") && ["pl", "py", "sh"].contains(&kind) {
            let script = format!("lib/hookvisor/hookscripts/{}", name(&file));
            tree.executable(&join(prefix, &script), content()?)?;
            // Up from the place of the link: its own folders, and those of the documents.
            let up = "../".repeat(file.matches('/').count() + 3);
            tree.link(&format!("{doc}/{file}"), &format!("{up}{script}"))?;
        } else if is_document(&file, kind) {
            tree.file(&format!("{doc}/{file}"), content()?)?;
        }
    }
    Ok(())
}

fn is_document(file: &str, kind: &str) -> bool {
    let text = kind == "md" || kind == "json";
    let within = |folder: &str| file.starts_with(folder);
    within("hookscripts/examples/")
        || file == "tests/compat/differences.toml"
        || (text && (within("docs/") || within("hookscripts/") || !file.contains('/')))
}

/// The manual pages, by the program itself.
fn pages(tree: &Tree, places: &Places, program: &Path, release: &Release) -> Result<(), String> {
    let folder = join(places.prefix, "share/man/man1");
    let made = tree.folder(&folder)?;
    let mut man = own(program, &["man", &made.to_string_lossy()]);
    man.env("SOURCE_DATE_EPOCH", release.epoch.to_string()).stdout(std::process::Stdio::null());
    show(&mut man)?;
    for page in tree.walk()?.iter().filter(|path| path.starts_with(&folder) && path.ends_with(".1")) {
        let content = read(&tree.root().join(page))?;
        std::fs::remove_file(tree.root().join(page))
            .map_err(|error| format!("cannot remove {page}: {error}"))?;
        let name = name(page);
        let ours = name.starts_with("hookvisor");
        let place = join(if ours { places.prefix } else { places.names }, &format!("share/man/man1/{name}"));
        tree.file(&place, content)?;
        tree.compress(&place)?;
    }
    Ok(())
}

/// What the shells need, a file for each program.
fn completions(tree: &Tree, places: &Places, own_program: &Path) -> Result<(), String> {
    for program in ["hookvisor"].into_iter().chain(NAMES) {
        let base = if program == "hookvisor" { places.prefix } else { places.names };
        let files = [
            ("bash", format!("share/bash-completion/completions/{program}")),
            ("zsh", format!("share/zsh/{}/_{program}", places.zsh)),
            ("fish", format!("share/fish/{}/{program}.fish", places.fish)),
        ];
        for (shell, path) in files {
            let script = crate::run::capture(&mut own(own_program, &["completion", shell, program]))?;
            tree.file(&join(base, &path), script)?;
        }
    }
    Ok(())
}

/// The program, which is told nothing of this host.
fn own(program: &Path, args: &[&str]) -> std::process::Command {
    let mut command = command(&program.to_string_lossy(), args);
    command.env_remove("HOOKVISOR_ROOT");
    command
}

/// A path below another, which may be empty.
pub(super) fn join(base: &str, path: &str) -> String {
    if base.is_empty() { path.to_owned() } else { format!("{base}/{path}") }
}

fn name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}
