//! A call of a script that is followed as Proxmox VE does.

use super::drive::every;
use crate::printed::Printed;
use model::Vmid;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::Instant;

/// How much of what a call prints is shown, in bytes.
const SHOWN: usize = 64 << 10;

/// A call of the script.
pub(super) struct Running {
    pub(super) vmid: Vmid,
    /// Whoever calls it.
    pub(super) child: Child,
    /// Readable once that has ended.
    pidfd: OwnedFd,
    pub(super) began: Instant,
    pub(super) printed: Printed,
    /// How and when the script itself ended.
    pub(super) ended: Option<(ExitStatus, Instant)>,
    /// Whether somebody else had its outputs open then.
    pub(super) held: bool,
}

impl Running {
    /// Follows whoever calls the script for a guest.
    pub(super) fn of(vmid: Vmid, mut child: Child) -> io::Result<Self> {
        let pid = Pid::from_raw(child.id().cast_signed()).ok_or(Errno::SRCH)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let outputs = child.stdout.take().map(OwnedFd::from).zip(child.stderr.take().map(OwnedFd::from));
        let (out, err) = outputs.ok_or(Errno::BADF)?;
        let printed = Printed::of(out, err, SHOWN)?;
        Ok(Self { vmid, child, pidfd, began: Instant::now(), printed, ended: None, held: false })
    }

    /// Kills the script with all that is in its group, but for whoever calls it and tells of its end.
    pub(super) fn kill(&self) {
        let caller = self.child.id();
        for (id, _) in process::group_members(caller, caller) {
            if let Some(pid) = Pid::from_raw(id.pid.cast_signed()) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }

    /// Whether it has ended, and nobody has its outputs open any more.
    pub(super) fn is_done(&self) -> bool {
        self.ended.is_some() && self.printed.open().next().is_none()
    }
}

/// Returns once one of the calls has printed something or ended, or it is time to look what they take.
pub(super) fn wait_for_any(calls: &[(usize, Running)]) {
    let mut fds: Vec<PollFd<'_>> = Vec::new();
    for (_, call) in calls {
        fds.extend(call.printed.open().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds.extend(call.ended.is_none().then(|| PollFd::new(&call.pidfd, PollFlags::IN)));
    }
    if !fds.is_empty() {
        let _ = poll(&mut fds, Some(&every()));
    }
}
