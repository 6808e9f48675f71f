//! `hooks.conf`: whether it can be read, and whether what it sets reaches anybody.

use crate::scene::Scene;
use crate::storages::LIMIT;
use crate::word::{edit, path as shell};
use crate::{Finding, apart};
use hooks::conf::{ConfError, HooksConf};
use hooks::{Untrusted, chain};
use model::{Vmid, VolumeId};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use workshop::holds_secret;

/// The file, the guests that it names and the parameters that it sets.
pub(crate) fn readable(scene: &Scene) -> Vec<Finding> {
    found(scene, None)
}

/// What is to be said of the parameters that guests with one of these scripts have.
pub(crate) fn of_scripts(scene: &Scene, scripts: &[PathBuf]) -> Vec<Finding> {
    let place = |path: &PathBuf| path.canonicalize().ok();
    found(scene, Some(scripts.iter().filter_map(place).collect()))
}

fn found(scene: &Scene, about: Option<Vec<PathBuf>>) -> Vec<Finding> {
    let file = scene.layout.hooks_conf();
    let conf = match HooksConf::load(&scene.layout) {
        Ok(conf) => conf,
        Err(error) => {
            let mend = match &error {
                ConfError::Read { path, .. } => format!("chmod u+r {}", shell(path)),
                ConfError::Line { path, line, .. } => edit(path, Some(*line)),
                ConfError::Untrusted(Untrusted::Owner { path, expected, .. }) => {
                    format!("chown {expected} {}", shell(path))
                }
                ConfError::Untrusted(Untrusted::Writable { path, .. }) => {
                    format!("chmod go-w {}", shell(path))
                }
                ConfError::Untrusted(Untrusted::Unknown { path, .. }) => format!("ls -ld {}", shell(path)),
            };
            return vec![Finding::problem("hooks.conf", error.to_string(), "no guest can be started", mend)];
        }
    };
    let mut found = Vec::new();
    let note =
        |what: String, why: &str| Finding::problem("hooks.conf", what, why, edit(&file, None)).unless(false);
    let known: BTreeSet<Vmid> = scene.guests.iter().map(|guest| guest.vmid).collect();
    let strangers = conf.guests.keys().filter(|vmid| about.is_none() && !known.contains(vmid));
    found.extend(strangers.map(|vmid| note(format!("there is no guest {vmid}"), "[guest …] sets nothing")));

    let all = about.is_none();
    let Names { named, users } = names(scene, about.unwrap_or_default());
    let why = "it may be misspelt: scripts name their parameters in 'hookvisor: params='";
    let everywhere: Option<Vec<_>> = named.values().cloned().collect();
    if let Some(everywhere) = everywhere.filter(|_| all || !users.is_empty()) {
        for name in conf.host.unnamed(&everywhere.into_iter().flatten().collect()) {
            found.push(note(format!("no script names the parameter '{name}' of [host]"), why));
        }
    }
    let meant = |vmid: &&Vmid| known.contains(vmid) && (all || users.contains(vmid));
    for vmid in conf.guests.keys().filter(meant) {
        let Some(named) = named.get(vmid).cloned().unwrap_or_else(|| Some(BTreeSet::new())) else { continue };
        for name in conf.unnamed(*vmid, &named) {
            found.push(note(
                format!("no script of {vmid} names the parameter '{name}' of [guest {vmid}]"),
                why,
            ));
        }
    }
    found.extend(told_secrets(&conf, &file));
    if found.is_empty() && file.exists() {
        found.push(Finding::ok("hooks.conf", "can be read"));
    }
    found
}

/// A parameter that looks like a secret, where others than root may read the file.
fn told_secrets(conf: &HooksConf, file: &Path) -> Option<Finding> {
    let found = file.metadata().ok()?;
    let by_group = found.mode() & 0o040 != 0 && found.gid() != 0;
    let who = if found.mode() & 0o004 != 0 { "everybody" } else { "its group" };
    if who == "its group" && !by_group {
        return None;
    }
    let all = [&conf.host].into_iter().chain(conf.guests.values()).flat_map(|set| &set.params);
    let mut names: Vec<&str> =
        all.filter(|(name, value)| holds_secret(name, value)).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let named: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let what = format!(
        "{who} may read it (mode {:04o}), and {} looks like a secret",
        found.mode() & 0o7777,
        named.join(", ")
    );
    let finding = Finding::problem(
        "hooks.conf",
        what,
        "whoever has a login on this host may use it",
        format!("chmod go-r {}", shell(file)),
    );
    (!names.is_empty()).then(|| finding.unless(false))
}

/// What is known of the scripts of guests.
#[derive(Default)]
struct Names {
    /// The parameters that the scripts of each guest name; none for guests where nobody can tell, because of a program among
    /// them or of a storage that hangs.
    named: BTreeMap<Vmid, Option<BTreeSet<String>>>,
    /// The guests with one of the scripts that are asked about.
    users: BTreeSet<Vmid>,
}

fn names(scene: &Scene, about: Vec<PathBuf>) -> Names {
    let storages = scene.storages();
    let volume_path = |volume: &VolumeId| Some(storages.as_ref()?.path(volume).ok()?.path);
    let mut scripts: BTreeMap<PathBuf, Vec<Vmid>> = BTreeMap::new();
    for guest in &scene.guests {
        let own = guest.config.main.hookscript().ok().flatten();
        let drop_ins = chain::find(&scene.layout, guest.vmid).map(|found| found.drop_ins).unwrap_or_default();
        let paths = drop_ins.iter().map(|drop_in| scene.layout.drop_in(drop_in));
        for path in paths.chain(own.as_ref().and_then(volume_path)) {
            scripts.entry(path).or_default().push(guest.vmid);
        }
    }
    let mut names = Names::default();
    let read = move |(path, _): &(PathBuf, Vec<Vmid>)| {
        let meant = !about.is_empty() && path.canonicalize().is_ok_and(|path| about.contains(&path));
        (hooks::digest::inspect(path).ok().and_then(|inspected| inspected.params()), meant)
    };
    for (script, answer) in apart::each(scripts.into_iter().collect(), LIMIT, read) {
        let (params, meant) = answer.unwrap_or_default();
        for vmid in &script.1 {
            let all = names.named.entry(*vmid).or_insert_with(|| Some(BTreeSet::new()));
            *all = all.take().zip(params.clone()).map(|(all, more)| all.into_iter().chain(more).collect());
            if meant {
                names.users.insert(*vmid);
            }
        }
    }
    names
}
