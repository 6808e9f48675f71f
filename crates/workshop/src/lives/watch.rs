//! What a life takes while it goes on, and the secrets that are touched in it.

use super::job::Limits;
use super::report::Peak;
use super::sandbox::RECORD;
use rustix::fs::inotify;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often it is looked at what processes take: no kernel tells without control groups, which a sandbox has none of.
pub(super) const EVERY: Duration = Duration::from_millis(50);

/// The size of a page, in bytes.
const PAGE: u64 = 4096;

/// Watches one life.
pub(super) struct Watch {
    limits: Limits,
    pub(super) began: Instant,
    pub(super) peak: Peak,
    pub(super) cut: Option<String>,
    /// Whether the processes here are the life's own.
    own: bool,
    measured: Option<Instant>,
    secrets: Option<OwnedFd>,
    places: BTreeMap<i32, PathBuf>,
    opened: BTreeSet<PathBuf>,
}

impl Watch {
    pub(super) fn new(limits: Limits, own: bool, secrets: &[PathBuf]) -> Self {
        let mut places = BTreeMap::new();
        let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok();
        if let Some(watch) = &watch {
            for path in secrets {
                if let Ok(number) = inotify::add_watch(watch, path, inotify::WatchFlags::OPEN) {
                    places.insert(number, path.clone());
                }
            }
        }
        Self {
            limits,
            began: Instant::now(),
            peak: Peak::default(),
            cut: None,
            own,
            measured: None,
            secrets: watch,
            places,
            opened: BTreeSet::new(),
        }
    }

    /// Looks at what there is. True where the life has to end.
    pub(super) fn is_over(&mut self) -> bool {
        if self.cut.is_some() {
            return true;
        }
        self.look_at_secrets();
        if self.own && self.measured.is_none_or(|at| at.elapsed() >= EVERY) {
            self.measure();
            self.measured = Some(Instant::now());
        }
        let limits = &self.limits;
        self.cut = if self.peak.processes >= limits.processes {
            Some(format!("{} processes at a time", limits.processes))
        } else if self.peak.memory >= limits.memory {
            Some(format!("{} MiB of memory", limits.memory >> 20))
        } else if self.began.elapsed() >= Duration::from_secs(limits.seconds) {
            Some(limits.time())
        } else {
            None
        };
        self.cut.is_some()
    }

    /// Looks at what everything takes now.
    pub(super) fn measure(&mut self) {
        let (mut processes, mut memory) = (0, 0);
        for pid in pids() {
            processes += 1;
            let statm = fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
            let field = |at: usize| statm.split(' ').nth(at).and_then(|text| text.trim().parse::<u64>().ok());
            // What is shared is in the files that are counted below, or of a program.
            memory += field(1).unwrap_or(0).saturating_sub(field(2).unwrap_or(0)) * PAGE;
        }
        let mut seen = BTreeSet::new();
        for (number, root, place) in file_systems() {
            let path = format!("{root}{place}");
            let Some(stat) = seen.insert(number).then(|| rustix::fs::statvfs(&path).ok()).flatten() else {
                continue;
            };
            let used = (stat.f_blocks - stat.f_bfree) * stat.f_frsize;
            if used > self.peak.disk {
                (self.peak.disk, self.peak.fullest) = (used, place);
            }
            memory += used;
        }
        self.peak.processes = self.peak.processes.max(processes);
        self.peak.memory = self.peak.memory.max(memory);
    }

    fn look_at_secrets(&mut self) {
        let Some(watch) = &self.secrets else { return };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(watch, &mut buffer);
        while let Ok(event) = reader.next() {
            // That the file is gone is told, too, asked or not.
            if event.events().contains(inotify::ReadFlags::OPEN) {
                self.opened.extend(self.places.get(&event.wd()).cloned());
            }
        }
    }

    /// The secrets that were opened so far.
    pub(super) fn opened(&mut self) -> Vec<String> {
        self.look_at_secrets();
        self.opened.iter().map(|path| path.display().to_string()).collect()
    }
}

/// All processes that can be seen.
pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The file systems in memory, by their numbers, with a process's root and their places in it: of all that are mounted for
/// some process.
fn file_systems() -> Vec<(String, String, String)> {
    let mut spaces = BTreeSet::new();
    let mut found = Vec::new();
    for pid in std::iter::once(std::process::id()).chain(pids()) {
        let space = fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        if !space.is_some_and(|space| spaces.insert(space)) {
            continue;
        }
        let root = format!("/proc/{pid}/root");
        let text = fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.split(' ');
            let (number, place) = (words.nth(2)?, words.nth(1)?);
            let counts = line.contains(" - tmpfs ") && place != RECORD;
            counts.then(|| (number.to_owned(), root.clone(), place.to_owned()))
        };
        found.extend(text.lines().filter_map(line));
    }
    found
}

/// Where something is mounted.
pub(super) fn mounts() -> BTreeMap<String, usize> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut found = BTreeMap::new();
    for place in text.lines().filter_map(|line| line.split(' ').nth(4)) {
        *found.entry(place.to_owned()).or_default() += 1;
    }
    found
}

/// The network interfaces.
pub(super) fn interfaces() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    text.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}
