//! The storages: there, mounted, writable, with room, with a folder for snippets.

use crate::scene::Scene;
use crate::word::{edit, path};
use crate::{Finding, apart};
use config::storage_cfg::StorageWarning;
use model::ContentType;
use std::path::Path;
use std::time::Duration;
use storage::{Seen, Storage};

/// How long a storage may take to answer.
pub(crate) const LIMIT: Duration = Duration::from_secs(2);

/// Less room than this, in bytes, is none.
const FULL: u64 = 64 << 20;

/// Every storage.
pub(crate) fn each(scene: &Scene) -> Vec<Finding> {
    let Ok(store) = &scene.store else { return Vec::new() };
    let file = scene.layout.storage_cfg();
    let mut found = Vec::new();
    match store.storage_cfg_with_warnings() {
        Ok((_, warnings)) => found.extend(warnings.iter().map(|warning| {
            let what = warning.to_string();
            let what = what.strip_prefix("file /etc/pve/storage.cfg ").unwrap_or(&what);
            let mend = edit(&file, Some(line_of(warning)));
            Finding::problem("storage.cfg", what, "it is left out", mend).unless(false)
        })),
        Err(error) => {
            let why = "no volume can be found";
            return vec![Finding::problem("storage.cfg", error.to_string(), why, edit(&file, None))];
        }
    }
    let Some(all) = scene.storages() else { return found };
    let mut usable = Vec::new();
    for id in all.ids() {
        match all.get(id) {
            Ok(storage) if storage.check_enabled(all.node()).is_err() => {
                found.push(Finding::ok(id.to_string(), "switched off, or another node's"));
            }
            Ok(storage) => usable.push(storage.clone()),
            Err(error) => found.push(Finding::problem(
                id.to_string(),
                error.to_string(),
                "it cannot be used",
                edit(&file, None),
            )),
        }
    }
    for (storage, seen) in apart::each(usable, LIMIT, Storage::look) {
        match seen {
            Some(Some(seen)) => found.extend(judge(&storage, &seen)),
            Some(None) => found.push(Finding::ok(storage.id.to_string(), "not a folder, not looked at")),
            None => found.push(hangs(&storage)),
        }
    }
    if !all.ids().any(|id| all.enabled(id).is_ok_and(|storage| storage.allows(ContentType::Snippets))) {
        let mend = "pvesm set local --content iso,vztmpl,backup,images,rootdir,snippets";
        let why = "hookscripts lie on a storage that allows them";
        found.push(Finding::problem("snippets", "no storage allows them", why, mend).unless(false));
    }
    found
}

fn line_of(warning: &StorageWarning) -> usize {
    match warning {
        StorageWarning::Line { line, .. }
        | StorageWarning::Section { line, .. }
        | StorageWarning::Value { line, .. } => *line,
    }
}

/// A storage that does not answer.
pub(crate) fn hangs(storage: &Storage) -> Finding {
    let folder = storage.path.as_deref().unwrap_or(Path::new("/"));
    Finding::problem(
        storage.id.to_string(),
        format!("'{}' does not answer within {} s", folder.display(), LIMIT.as_secs()),
        "what lies on it cannot be used, and who asks it hangs",
        format!("umount -f {}  # and mount it again", path(folder)),
    )
}

fn judge(storage: &Storage, seen: &Seen) -> Vec<Finding> {
    let id = storage.id.to_string();
    let problem = |what: String, why: &str, mend: String| Finding::problem(id.clone(), what, why, mend);
    let folder = storage.path.as_deref().unwrap_or(Path::new("/"));
    let (shown, shell) = (folder.display(), path(folder));
    if let Some(point) = &seen.unmounted {
        let what = format!("nothing is mounted at '{}'", point.display());
        return vec![problem(what, "it is used only while something is", format!("mount {}", path(point)))];
    }
    if !seen.there {
        return vec![match storage.create_base && !storage.kind.is_mounted() && !folder.exists() {
            true => Finding::ok(id.clone(), format!("'{shown}' is made when it is used first")),
            false => problem(
                format!("'{shown}' is not a folder"),
                "it cannot be used",
                format!("mkdir -p {shell}"),
            ),
        }];
    }
    let mut found = Vec::new();
    if !seen.writable {
        found.push(problem(
            format!("'{shown}' cannot be written to"),
            "no volume can be made on it",
            format!("mount -o remount,rw \"$(df --output=target {shell} | tail -n 1)\""),
        ));
    }
    let (size, free) = seen.space;
    if size > 0 && free < FULL.min(size / 20) {
        found.push(problem(
            format!("{} of {} are free", shown_size(free), shown_size(size)),
            "guests stop where their disks find no room",
            format!("du -xh -d 2 {shell} | sort -h | tail -n 20"),
        ));
    }
    if let Some(snippets) = seen.no_snippets.as_deref().filter(|_| !storage.create_subfolders) {
        found.push(problem(
            format!("'{}' is not there", snippets.display()),
            "it allows snippets, which lie there",
            format!("mkdir -p {}", path(snippets)),
        ));
    }
    if found.is_empty() {
        found.push(Finding::ok(id.clone(), format!("{shown}, {} free", shown_size(free))));
    }
    found
}

/// A size in bytes as a person reads it.
fn shown_size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_at_a_glance() {
        for (bytes, text) in
            [(0, "0.0 KiB"), (20 << 20, "20.0 MiB"), (3 << 29, "1.5 GiB"), (5 << 50, "5120.0 TiB")]
        {
            assert_eq!(shown_size(bytes), text);
        }
    }
}
