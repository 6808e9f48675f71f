//! `hooks.conf`: whether it can be read, and whether what it sets reaches anybody.

use crate::scene::Scene;
use crate::storages::LIMIT;
use crate::word::{edit, path as shell};
use crate::{Finding, apart};
use hooks::conf::{ConfError, HooksConf, Set};
use hooks::{Untrusted, chain};
use model::{Vmid, VolumeId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The file, the guests that it names and the parameters that it sets.
pub(crate) fn readable(scene: &Scene) -> Vec<Finding> {
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
    let strangers = conf.guests.keys().filter(|vmid| !known.contains(vmid));
    found.extend(strangers.map(|vmid| note(format!("there is no guest {vmid}"), "[guest …] sets nothing")));

    let named = names(scene);
    let everywhere: BTreeSet<&str> = named.values().flatten().map(String::as_str).collect();
    let unknown = |set: &Set, names: &BTreeSet<&str>| -> Vec<String> {
        let names = set.params.iter().map(|(name, _)| name).filter(|name| !names.contains(name.as_str()));
        names.cloned().collect()
    };
    let why = "it may be misspelt: scripts name their parameters in 'hookvisor: params='";
    for name in unknown(&conf.host, &everywhere) {
        found.push(note(format!("no script names the parameter '{name}' of [host]"), why));
    }
    for (vmid, set) in conf.guests.iter().filter(|(vmid, _)| known.contains(vmid)) {
        let own = named.get(vmid).into_iter().flatten().map(String::as_str).collect();
        for name in unknown(set, &own) {
            found.push(note(
                format!("no script of {vmid} names the parameter '{name}' of [guest {vmid}]"),
                why,
            ));
        }
    }
    if found.is_empty() && file.exists() {
        found.push(Finding::ok("hooks.conf", "can be read"));
    }
    found
}

/// The parameters that the scripts of each guest name. One whose storage hangs names none.
fn names(scene: &Scene) -> BTreeMap<Vmid, BTreeSet<String>> {
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
    let mut names: BTreeMap<Vmid, BTreeSet<String>> = BTreeMap::new();
    let read = |(path, _): &(PathBuf, Vec<Vmid>)| hooks::digest::inspect(path).ok()?.settings.ok();
    for (script, settings) in apart::each(scripts.into_iter().collect(), LIMIT, read) {
        let Some(settings) = settings.flatten() else { continue };
        for vmid in &script.1 {
            names.entry(*vmid).or_default().extend(settings.params.iter().map(|(name, _)| name.clone()));
        }
    }
    names
}
