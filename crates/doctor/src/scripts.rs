//! The hookscripts of guests, and the drop-ins: found, executable, with an interpreter, approved where that is asked for, and in nobody's reach.

use crate::scene::{Guest, Scene};
use crate::storages::{LIMIT, hangs};
use crate::word::{path as shell, word};
use crate::{Finding, apart};
use hooks::approvals::check_call;
use hooks::chain::{self, Why};
use hooks::{Problem, Untrusted};
use model::{DropIn, Layout, Vmid, VolumeId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use storage::Storages;
use workshop::Remedy;

/// Why a script that cannot be called counts.
const REFUSED: &str = "the guest's start is refused at pre-start";

/// A script with the guests that name it.
struct Used {
    volume: VolumeId,
    guests: Vec<(Vmid, &'static str)>,
    layout: Layout,
    storages: Storages,
}

/// The scripts that configurations name.
pub(crate) fn volumes(scene: &Scene) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut used: BTreeMap<VolumeId, Vec<(Vmid, &'static str)>> = BTreeMap::new();
    for guest in &scene.guests {
        match guest.config.main.hookscript() {
            Ok(None) => {}
            Ok(Some(volume)) => used.entry(volume).or_default().push((guest.vmid, guest.program())),
            Err(error) => found.push(Finding::problem(
                format!("hookscript of {}", guest.vmid),
                error.to_string(),
                REFUSED,
                unset(guest),
            )),
        }
    }
    let Some(storages) = scene.storages() else { return found };
    let asked = used.into_iter().map(|(volume, guests)| Used {
        volume,
        guests,
        layout: scene.layout.clone(),
        storages: storages.clone(),
    });
    for (used, findings) in apart::each(asked.collect(), LIMIT, Used::judge) {
        match (findings, used.storages.get(used.volume.storage())) {
            (Some(findings), _) => found.extend(findings),
            (None, Ok(storage)) => found.push(Finding { about: used.about(), ..hangs(storage) }),
            (None, Err(_)) => {}
        }
    }
    found
}

/// A configuration's line that cannot be read is taken out by hand: `--delete` takes out those that can.
fn unset(guest: &Guest) -> String {
    format!("{} set {} --delete hookscript", guest.program(), guest.vmid)
}

impl Used {
    fn about(&self) -> String {
        let guests: Vec<String> = self.guests.iter().map(|(vmid, _)| vmid.to_string()).collect();
        format!("{} of {}", self.volume, guests.join(", "))
    }

    fn judge(&self) -> Vec<Finding> {
        let problem = |what: String, mend: String| vec![Finding::problem(self.about(), what, REFUSED, mend)];
        let path = match hooks::locate(&self.storages, &self.volume) {
            Ok(path) => path,
            Err(error) => return problem(error.to_string(), self.mend(&error)),
        };
        let trusted = hooks::conf::HooksConf::load(&self.layout)
            .is_ok_and(|conf| conf.trusted.contains(self.volume.storage()));
        let mut found = if trusted { Vec::new() } else { reachable(&self.layout, &self.about(), &path) };
        if found.is_empty() {
            found.extend(self.unapproved(&path));
        }
        found.extend(unreadable(&self.about(), &path));
        found.extend(unrunnable(&self.about(), &path));
        if found.is_empty() {
            found.push(Finding::ok(self.about(), path.display().to_string()));
        }
        found
    }

    /// What keeps a script from being called that somebody else than root set.
    fn unapproved(&self, path: &Path) -> Option<Finding> {
        let check = |(vmid, _): &(Vmid, &str)| check_call(&self.layout, *vmid, &self.volume, path).err();
        let error = self.guests.iter().find_map(check)?;
        let mend = match error {
            Problem::Unapproved(_) | Problem::Changed(_) => {
                format!("hookvisor hooks approve {}", word(&self.volume))
            }
            _ => crate::word::edit(&self.layout.approvals(), None),
        };
        Some(Finding::problem(self.about(), error.to_string(), REFUSED, mend))
    }

    fn mend(&self, error: &Problem) -> String {
        match (error, self.storages.path(&self.volume)) {
            (Problem::NotExecutable(_), Ok(volume)) => format!("chmod +x {}", shell(&volume.path)),
            (_, volume) => {
                let unset =
                    |(vmid, program): &(Vmid, &str)| format!("{program} set {vmid} --delete hookscript");
                let unset = self.guests.iter().map(unset).collect::<Vec<_>>().join(" && ");
                // What it was for may be missed.
                let place = volume.map(|volume| format!("  # or put it at {}", shell(&volume.path)));
                unset + &place.unwrap_or_default()
            }
        }
    }
}

/// The places on the way to a script that others than root may change.
fn reachable(layout: &Layout, about: &str, path: &Path) -> Vec<Finding> {
    let finding = |untrusted: Untrusted| {
        let (what, mend) = match &untrusted {
            Untrusted::Owner { path, user, expected } => (
                format!("'{}' belongs to user {user}", path.display()),
                format!("chown {expected} {}", shell(path)),
            ),
            Untrusted::Writable { path, mode } => (
                format!("others may write to '{}' (mode {mode:04o})", path.display()),
                format!("chmod go-w {}", shell(path)),
            ),
            Untrusted::Unknown { path, source } => {
                (format!("'{}': {source}", path.display()), format!("ls -ld {}", shell(path)))
            }
        };
        Finding::problem(about, what, "who may change it decides what runs as root", mend)
    };
    hooks::untrusted(layout, path).into_iter().map(finding).collect()
}

/// Settings that cannot be read.
fn unreadable(about: &str, path: &Path) -> Option<Finding> {
    let error = match hooks::digest::inspect(path) {
        Ok(inspected) => inspected.settings.err()?,
        Err(error) => {
            let what = format!("'{}' cannot be read: {error}", path.display());
            return Some(Finding::problem(about, what, REFUSED, format!("chmod u+r {}", shell(path))));
        }
    };
    let mend = crate::word::edit(path, Some(error.line));
    Some(Finding::problem(about, format!("its settings cannot be read: {error}"), REFUSED, mend))
}

/// A first line by which no interpreter is found.
fn unrunnable(about: &str, path: &Path) -> Option<Finding> {
    let unrunnable = workshop::unrunnable(path).ok()??;
    let mend = match unrunnable.remedy {
        Some(Remedy::Install(package)) => format!("apt-get install {package}"),
        Some(Remedy::Edit(expression)) => format!("sed -i '{expression}' {}", shell(path)),
        None => crate::word::edit(path, Some(unrunnable.line)),
    };
    let what = format!("line {}: {}", unrunnable.line, unrunnable.what);
    Some(Finding::problem(about, what, unrunnable.why, mend))
}

/// The drop-in folders.
pub(crate) fn drop_ins(scene: &Scene) -> Vec<Finding> {
    let (mut drop_ins, mut skipped) = (BTreeSet::new(), BTreeMap::new());
    let some = Vmid::try_from(100).ok();
    let guests: Vec<Vmid> = scene.guests.iter().map(|guest| guest.vmid).collect();
    for vmid in if guests.is_empty() { some.into_iter().collect() } else { guests } {
        match chain::find(&scene.layout, vmid) {
            Ok(found) => {
                drop_ins.extend(found.drop_ins);
                skipped.extend(found.skipped.into_iter().map(|skipped| (skipped.path, skipped.why)));
            }
            Err(error) => {
                let mend = format!("ls -ld {}", shell(&error.path));
                return vec![Finding::problem("hooks.d", error.to_string(), "no guest can be started", mend)];
            }
        }
    }
    let count = drop_ins.len();
    let layout = scene.layout.clone();
    let asked: Vec<DropIn> = drop_ins.into_iter().collect();
    let mut found: Vec<Finding> = skipped.into_iter().map(|(path, why)| passed_over(&path, why)).collect();
    for (drop_in, findings) in apart::each(asked, LIMIT, move |drop_in| judge(&layout, drop_in)) {
        found.extend(findings.unwrap_or_else(|| {
            let path = scene.layout.drop_in(&drop_in);
            let mend = format!("readlink {}  # what it leads to hangs", shell(&path));
            vec![Finding::problem(drop_in.to_string(), "does not answer", "every start hangs with it", mend)]
        }));
    }
    if found.is_empty() && count > 0 {
        found.push(Finding::ok("hooks.d", format!("{count} to be called")));
    }
    found
}

fn judge(layout: &Layout, drop_in: &DropIn) -> Vec<Finding> {
    let (about, path) = (drop_in.to_string(), layout.drop_in(drop_in));
    match chain::locate(layout, drop_in) {
        Ok(_) => unreadable(&about, &path).into_iter().chain(unrunnable(&about, &path)).collect(),
        Err(Problem::NotExecutable(_)) => vec![passed_over(&path, Why::NotExecutable)],
        Err(Problem::Untrusted(_)) => reachable(layout, &about, &path),
        Err(error) => vec![Finding::problem(about, error.to_string(), REFUSED, put_aside(&path))],
    }
}

fn passed_over(path: &Path, why: Why) -> Finding {
    let mend = match why {
        Why::NotExecutable => format!("chmod +x {}", shell(path)),
        _ => put_aside(path),
    };
    let about = path.display().to_string();
    Finding::problem(about, format!("is skipped: {why}"), "it looks as if it was meant to be called", mend)
        .unless(false)
}

/// A name that says that it is not meant to be called.
fn put_aside(path: &Path) -> String {
    let aside: PathBuf = path.with_added_extension("disabled");
    format!("mv {} {}", shell(path), shell(&aside))
}
