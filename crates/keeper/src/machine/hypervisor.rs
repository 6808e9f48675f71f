use crate::stream::Piped;
use hooks::Outputs;
use model::ProcessId;
use process::{Child, Ended};
use rustix::process::Signal;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// How a hypervisor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As the kernel told its parent.
    Known(Ended),
    /// It was no child of this process, and the kernel does not tell.
    Unknown,
}

/// QEMU or lxc-start: launched by this keeper, or by one before it.
pub(crate) struct Hypervisor {
    pub(crate) process: ProcessId,
    pub(crate) piped: Option<[Piped; 2]>,
    pub(crate) since: u64,
    child: Option<Child>,
    pidfd: Option<OwnedFd>,
    end: Option<End>,
}

impl Hypervisor {
    pub(crate) fn launched(child: Child, piped: [Piped; 2]) -> Self {
        Self {
            process: child.id,
            piped: Some(piped),
            since: process::boot_millis(),
            child: Some(child),
            pidfd: None,
            end: None,
        }
    }

    /// One that is nobody's child any more.
    pub(crate) fn adopted(process: ProcessId, outputs: &Outputs, since: u64) -> Self {
        let pidfd = process::open(process);
        let end = pidfd.is_none().then_some(End::Unknown);
        let piped = outputs.readers().ok().map(|readers| Piped::pair(readers, None, "hypervisor"));
        Self { process, piped, since, child: None, pidfd, end }
    }

    /// Readable once it has ended.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self.end {
            Some(_) => None,
            None => self.child.as_ref().map(Child::pidfd).or_else(|| self.pidfd.as_ref().map(AsFd::as_fd)),
        }
    }

    /// How it ended, once it has. Never blocks.
    pub(crate) fn attend(&mut self) -> Option<End> {
        if self.end.is_none() {
            self.end = match (&self.child, &self.pidfd) {
                (Some(child), _) => match child.try_wait() {
                    Ok(Some(ended)) => Some(End::Known(ended)),
                    Ok(None) => None,
                    Err(_) => Some(End::Unknown),
                },
                (None, Some(pidfd)) => process::has_ended(pidfd)
                    .then(|| process::exit_of(pidfd).map_or(End::Unknown, End::Known)),
                (None, None) => Some(End::Unknown),
            };
        }
        self.end
    }

    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }

    pub(crate) fn signal(&self, signal: Signal) {
        match (&self.child, &self.pidfd) {
            (Some(child), _) => child.signal(signal),
            (None, Some(pidfd)) => process::send(pidfd, signal),
            (None, None) => {}
        }
    }

    pub(crate) fn uptime(&self) -> u64 {
        process::boot_millis().saturating_sub(self.since) / 1000
    }
}
