//! What the kernel holds each process of the sandbox to.

use super::job::Limits;
use rustix::process::{Resource, Rlimit, setrlimit};

/// Sets the limits for this process and all that come of it; nobody inside may raise them.
pub(super) fn set(limits: &Limits) {
    let to = |value: u64| Rlimit { current: Some(value), maximum: Some(value) };
    let all = [
        // A little more than what ends the life, so that it is ended and not in the way of its own commands.
        (Resource::Nproc, limits.processes + 32),
        (Resource::As, limits.memory + (256 << 20)),
        // Also of a file that has no name, which no file system tells of. More than any place holds, so that none is killed
        // who writes to a full one.
        (Resource::Fsize, limits.disk + (8 << 20)),
        (Resource::Nofile, 1024),
        (Resource::Core, 0),
        (Resource::Memlock, 1 << 20),
        (Resource::Msgqueue, 0),
    ];
    for (resource, value) in all {
        // One that is lower already stays.
        let _ = setrlimit(resource, to(value));
    }
}
