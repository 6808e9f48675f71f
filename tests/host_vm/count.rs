//! What was done to machines and their guests in all tests, counted.

use crate::calls::{Call, OWN};
use crate::disk::Cache;
use crate::guest::VM;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static PULLED: AtomicUsize = AtomicUsize::new(0);
static LOST: AtomicUsize = AtomicUsize::new(0);
static KEPT: AtomicUsize = AtomicUsize::new(0);
static VMS: AtomicUsize = AtomicUsize::new(0);
static CONTAINERS: AtomicUsize = AtomicUsize::new(0);

/// The power was pulled.
pub(crate) fn pulled() {
    PULLED.fetch_add(1, Relaxed);
}

/// A machine came up with what is left on its disk.
pub(crate) fn came_up(cache: Cache) {
    let counter = if cache == Cache::Lost { &LOST } else { &KEPT };
    counter.fetch_add(1, Relaxed);
}

/// These calls were made while a machine was up.
pub(crate) fn calls<'a>(calls: impl Iterator<Item = &'a Call>) {
    for call in calls.filter(|call| call.phase == "pre-start" && call.script == OWN) {
        let counter = if call.vmid == VM { &VMS } else { &CONTAINERS };
        counter.fetch_add(1, Relaxed);
    }
}

/// Says it.
pub(crate) fn print() {
    let [pulled, lost, kept, vms, containers] =
        [&PULLED, &LOST, &KEPT, &VMS, &CONTAINERS].map(|counter| counter.load(Relaxed));
    if pulled > 0 {
        println!(
            "the power was pulled {pulled} times; machines came up {lost} times with what was flushed and {kept} times \
             with all that had reached the disk; {vms} virtual machines and {containers} containers were started\n"
        );
    }
}
