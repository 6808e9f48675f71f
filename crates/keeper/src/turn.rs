//! The keeper's loop: waits for whatever the kernel has to tell, and lets everybody act on it.

use crate::keeper::Keeper;
use process::Term;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

impl Keeper {
    /// Deals with everything that has happened. Never blocks.
    pub(crate) fn attend(&mut self) {
        self.journal.flush();
        self.accept();
        self.restore_socket();
        let scene = self.scene();
        if let Some(mut hook) = self.hook.take() {
            hook.attend(&mut self.sinks(&scene));
            self.hook = Some(hook);
        }
        let mut lingering = std::mem::take(&mut self.lingering);
        for piped in &mut lingering {
            piped.pump(&mut self.sinks(&scene));
        }
        lingering.retain(|piped| !piped.is_closed());
        self.lingering = lingering;
        self.machine.attend();
        self.pump_hypervisor();
        for line in self.machine.take_words() {
            self.say(&line);
        }
        if self.term.as_mut().is_some_and(Term::take) {
            self.end_with_host();
        }
        self.read_requests();
        self.clients.flush();
    }

    /// Passes on what the hypervisor says.
    pub(crate) fn pump_hypervisor(&mut self) {
        let Some(mut piped) = self.machine.hypervisor_mut().and_then(|hypervisor| hypervisor.piped.take())
        else {
            return;
        };
        let scene = self.scene();
        for one in &mut piped {
            one.pump(&mut self.sinks(&scene));
        }
        if let Some(hypervisor) = self.machine.hypervisor_mut() {
            hypervisor.piped = Some(piped);
        }
    }

    /// Waits until something may have happened, or the deadline.
    pub(crate) fn wait_for(&mut self, deadline: Option<Instant>) {
        self.show_wait();
        let mut sources: Vec<(BorrowedFd<'_>, PollFlags)> = Vec::with_capacity(16);
        let readable = PollFlags::IN;
        sources.extend(self.listener.as_ref().map(|listener| (listener.as_fd(), readable)));
        sources.extend(self.watch.as_ref().map(|watch| (watch.as_fd(), readable)));
        sources.extend(self.term.as_ref().map(|term| (term.as_fd(), readable)));
        for client in self.clients.iter() {
            let wants = if client.wants_to_write() { readable | PollFlags::OUT } else { readable };
            sources.push((client.fd(), wants));
        }
        let pause = self.pause();
        if let Some(hook) = &self.hook {
            hook.sources(pause.is_none(), &mut sources);
        }
        sources.extend(self.lingering.iter().filter(|_| pause.is_none()).map(|piped| (piped.fd(), readable)));
        self.machine.sources(&mut sources);
        sources.extend(self.journal.pending_fd().map(|fd| (fd, PollFlags::OUT)));
        let journal =
            [self.journal.retry_in(), pause].into_iter().flatten().map(|wait| Instant::now() + wait);
        let until = deadline.into_iter().chain(journal).chain(self.machine.wake()).min();
        wait(&sources, until.map(|until| until.saturating_duration_since(Instant::now())));
    }

    /// How long what scripts print waits in their pipes, at most: while the journal or a client is behind.
    pub(crate) fn pause(&self) -> Option<std::time::Duration> {
        self.journal.pause().into_iter().chain(self.clients.pause()).max()
    }

    fn accept(&mut self) {
        while let Some(Ok((stream, _))) = self.listener.as_ref().map(std::os::unix::net::UnixListener::accept)
        {
            self.clients.add(stream);
        }
    }
}

/// Waits for any of these, at most this long.
pub(crate) fn wait(sources: &[(BorrowedFd<'_>, PollFlags)], limit: Option<Duration>) {
    let mut fds: Vec<PollFd<'_>> =
        sources.iter().map(|(fd, flags)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
    let limit = limit.map(|limit| Timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    // A signal or a shortage of memory only makes the wait shorter.
    let _ = poll(&mut fds, limit.as_ref());
}
