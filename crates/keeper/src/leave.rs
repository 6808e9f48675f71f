//! The end of a keeper: the run is over, and what is left of it is put in order.

use crate::born::is_watched;
use crate::client::Heard;
use crate::clients::Clients;
use crate::keep::LAST_WORDS;
use crate::keeper::Keeper;
use crate::protocol::{Reply, StartRequest};
use crate::stream::{Piped, Sinks};
use crate::tasks::{Purpose, Tasks};
use model::{Layout, StartReason, Vmid};
use record::Journal;
use record::history;
use record::journal::{Entry, IDENTIFIER, Priority, Scene};
use rustix::event::PollFlags;
use std::fs::File;

impl Keeper {
    /// The second half of a reboot.
    pub(crate) fn start_after_reboot(&self) -> StartRequest {
        StartRequest::new(self.kind, self.vmid, self.user.clone(), StartReason::Reboot)
    }

    /// Files the record away, gives up lock and socket, lets everybody take what is left for them, and bears the keeper of
    /// a start that follows.
    pub(crate) fn leave(mut self, lock: File) {
        let next = self.next_start.take();
        let scene = Scene { task: None, ..self.scene() };
        let folder = self.layout.run_guest(self.vmid);
        let history = self.layout.history(self.vmid).join(format!("{}.jsonl", self.run));
        let Self {
            ledger,
            mut clients,
            mut tasks,
            mut journal,
            mut lingering,
            listener,
            layout,
            vmid,
            term,
            ..
        } = self;
        drop(listener);
        let _ = std::fs::remove_file(layout.control_socket(vmid));
        // Before the record, as nobody comes back for it afterwards.
        if lingering.is_empty() {
            let _ = std::fs::remove_dir_all(&folder);
        }
        if let Err(error) = ledger.finish(&history) {
            let text = format!("cannot file the record of the run away as '{}': {error}", history.display());
            journal.send(Entry::new(Priority::Error, IDENTIFIER, text));
        }
        // Where nothing follows the lock goes here: whoever hears of the end finds the guest free.
        let next = next.map(|next| (next, lock));
        clients.let_go();
        if let Some((mut next, lock)) = next {
            journal.flush();
            let handed = tasks.hand_over(Purpose::Reboot).or_else(|| tasks.hand_over(Purpose::NextStart));
            let (task, client) = handed.unzip();
            let client = client.flatten();
            // Others that asked for the same reboot have had theirs.
            tasks.end(Purpose::Reboot, &Ok(()), &mut clients);
            next.task = task;
            let mut relay = |heard: Heard<'_>| {
                // Its client knows the task already: it is the one that goes on.
                if let (Some(client), Heard::Output(bytes)) = (client, heard) {
                    clients.reply(client, &Reply::Output { text: bytes.into() });
                }
            };
            // The keeper that is born lives by itself; here its start is only watched.
            let result = crate::client::start_next(&layout, next, lock, &mut relay);
            let result = result.map_err(|error| error.to_string()).and_then(|result| result.status);
            tasks.end(Purpose::NextStart, &result, &mut clients);
            if let Some(client) = client {
                clients.reply(client, &Reply::Done { error: result.err(), warning: None });
            }
        }
        clients.drain(LAST_WORDS);
        drop(clients);
        forget_old_runs(&layout, vmid);
        // There is no guest to be ended with the host any more.
        drop(term);
        let watched = is_watched() && !lingering.is_empty();
        let mut rest = || {
            linger(std::mem::take(&mut lingering), &mut journal, &scene);
            0
        };
        // The unit is free for the guest's next run as soon as its main process has ended.
        if !watched || process::fork(&mut rest).is_err() {
            rest();
        }
        journal.close(LAST_WORDS);
    }
}

/// Keeps the history from growing for ever. What cannot be removed now is tried again at the end of the next run.
fn forget_old_runs(layout: &Layout, vmid: Vmid) {
    if history::prune(layout, vmid, history::KEPT_RUNS).is_ok_and(|removed| removed > 0)
        && let Ok(oldest) = history::oldest(layout)
    {
        let _ = hooks::kept::collect(layout, oldest.as_ref());
    }
}

/// Records what children of ended hookscripts still print, until the last one closes its outputs.
fn linger(mut lingering: Vec<Piped>, journal: &mut Journal, scene: &Scene) {
    let (mut tasks, mut clients) = (Tasks::default(), Clients::default());
    while !lingering.is_empty() {
        for piped in &mut lingering {
            let (tasks, clients) = (&mut tasks, &mut clients);
            piped.pump(&mut Sinks { ledger: None, journal, tasks, clients, scene: Some(scene) });
        }
        lingering.retain(|piped| !piped.is_closed());
        let pause = journal.pause();
        let open = lingering.iter().filter(|_| pause.is_none());
        let mut sources: Vec<_> = open.map(|piped| (piped.fd(), PollFlags::IN)).collect();
        sources.extend(journal.pending_fd().map(|fd| (fd, PollFlags::OUT)));
        if !lingering.is_empty() {
            crate::turn::wait(&sources, journal.retry_in().into_iter().chain(pause).min());
        }
        journal.flush();
    }
}
