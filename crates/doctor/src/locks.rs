//! Locks that nobody holds, and locks that somebody holds who should not: read from the kernel's table, proc_locks(5),
//! because to try a lock is to be in the way of who wants it.

use crate::Finding;
use crate::scene::{Guest, Scene};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The locks of guests: the word in a configuration, and the file.
pub(crate) fn held(scene: &Scene) -> Vec<Finding> {
    let table = fs::read_to_string("/proc/locks").unwrap_or_default();
    let tasks: Vec<String> = record::tasks::open(&scene.layout)
        .unwrap_or_default()
        .into_iter()
        .filter(|upid| process::alive(upid.process))
        .map(|upid| upid.id)
        .collect();
    let mut found: Vec<Finding> =
        scene.guests.iter().flat_map(|guest| of_guest(scene, guest, &table, &tasks)).collect();
    if found.is_empty() && !scene.guests.is_empty() {
        found.push(Finding::ok("locks", "none is held"));
    }
    found
}

fn of_guest(scene: &Scene, guest: &Guest, table: &str, tasks: &[String]) -> Vec<Finding> {
    let vmid = guest.vmid.to_string();
    let holder = holder(table, &scene.layout.config_lock(guest.kind, guest.vmid));
    let mut found: Vec<Finding> = holder.map(|pid| of_file(&vmid, pid)).into_iter().collect();
    // What was suspended to the disk stays locked until it is started again.
    if let Some(lock) = guest.config.main.get("lock").filter(|lock| *lock != "suspended") {
        let about = format!("lock of {vmid}");
        found.push(match holder.is_some() || tasks.contains(&vmid) {
            true => Finding::ok(about, format!("'{lock}', and somebody is at it")),
            false => Finding::problem(
                about,
                format!("its configuration says 'lock: {lock}', and nobody is at it"),
                "nothing can be done with the guest",
                format!("{} unlock {vmid}", guest.program()),
            ),
        });
    }
    found
}

/// A held lock file, by its holder.
fn of_file(vmid: &str, pid: u32) -> Finding {
    let about = format!("lock file of {vmid}");
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    let held = format!("held by process {pid} ({})", name.trim_end());
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let own = program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("hookvisor"));
    let why = "whoever wants to change the guest waits for it";
    if process::is_stopped(pid) {
        Finding::problem(about, format!("{held}, which is stopped"), why, format!("kill -CONT {pid}"))
    } else if own || pid == 0 {
        Finding::ok(about, held)
    } else {
        Finding::problem(about, format!("{held}, which is no hookvisor"), why, format!("kill {pid}"))
    }
}

/// Who holds the lock of a file by flock(2); 0 for a process that cannot be seen from here.
pub(crate) fn holder(table: &str, file: &Path) -> Option<u32> {
    let meta = fs::metadata(file).ok()?;
    let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let place = format!("{major:02x}:{minor:02x}:{}", meta.ino());
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, at, ..] = words[..] else { return None };
        if at != place {
            return None;
        }
        let pid = u32::try_from(pid.parse::<i64>().ok()?).unwrap_or(0);
        // Who took it may have left it to a child, with the descriptor.
        let taker = process::lookup(pid).filter(|taker| process::alive(*taker));
        Some(taker.map(|taker| taker.pid).or_else(|| heir(&place)).unwrap_or(0))
    })
}

/// A process with a descriptor by which a file is locked, proc_pid_fdinfo(5).
fn heir(place: &str) -> Option<u32> {
    let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    fs::read_dir("/proc").ok()?.flatten().filter_map(pid).find(|pid| {
        let infos = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten();
        let locks = |text: String| text.lines().any(|line| line.starts_with("lock:") && line.contains(place));
        infos.filter_map(|info| fs::read_to_string(info.path()).ok()).any(locks)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn the_kernel_tells_who_holds_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let file = File::create(&path).unwrap();
        let table = || fs::read_to_string("/proc/locks").unwrap();
        assert_eq!(holder(&table(), &path), None);
        file.lock().unwrap();
        assert_eq!(holder(&table(), &path), Some(std::process::id()));
        drop(file);
        assert_eq!(holder(&table(), &path), None);
        assert_eq!(holder(&table(), &folder.path().join("none")), None);
    }
}
