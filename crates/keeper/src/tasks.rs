//! The tasks that a keeper carries out: their logs, their clients, their ends.

use crate::clients::{ClientId, Clients};
use crate::protocol::Reply;
use model::{Layout, NodeName, Upid, UserId};
use record::TaskLog;
use record::tasks::{TaskError, status_line};

/// What a task wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// The guest's start.
    Start,
    /// The guest's end, without a hurry.
    Shutdown,
    /// The guest's end.
    Stop,
    /// A container's end and its next start, in one task.
    Reboot,
    /// The start that follows this run: what the run prints is not its own.
    NextStart,
    /// Something at once.
    Other,
}

/// A task that has not ended.
pub(crate) struct Open {
    pub(crate) upid: Upid,
    pub(crate) purpose: Purpose,
    log: TaskLog,
    client: Option<ClientId>,
    warning: Option<String>,
}

/// The tasks that have not ended.
#[derive(Default)]
pub(crate) struct Tasks {
    open: Vec<Open>,
}

impl Tasks {
    /// Makes a task, or goes on with one that an earlier keeper made.
    pub(crate) fn begin(
        &mut self,
        (layout, node): (&Layout, &NodeName),
        (kind, id): (&str, &str),
        user: &UserId,
        purpose: Purpose,
        client: Option<ClientId>,
        clients: &mut Clients,
    ) -> Result<Upid, TaskError> {
        // A stop is carried out even where nothing can be written.
        let log = match purpose {
            Purpose::Stop | Purpose::Shutdown | Purpose::Reboot => {
                TaskLog::create_anyway(layout, node, kind, id, user)?.0
            }
            Purpose::Start | Purpose::NextStart | Purpose::Other => {
                TaskLog::create(layout, node, kind, id, user)?
            }
        };
        let upid = log.upid().clone();
        if let Some(client) = client {
            clients.reply(client, &Reply::Task { upid: upid.clone() });
        }
        self.open.push(Open { upid: upid.clone(), purpose, log, client, warning: None });
        Ok(upid)
    }

    /// Goes on with a task that another process began.
    pub(crate) fn adopt(
        &mut self,
        layout: &Layout,
        upid: Upid,
        purpose: Purpose,
        client: Option<ClientId>,
    ) -> Result<Upid, TaskError> {
        let log = TaskLog::adopt(layout, &upid)?;
        self.open.push(Open { upid: upid.clone(), purpose, log, client, warning: None });
        Ok(upid)
    }

    /// Gives a task away to whoever goes on with it: its id and who is told of it.
    pub(crate) fn hand_over(&mut self, purpose: Purpose) -> Option<(Upid, Option<ClientId>)> {
        let at = self.open.iter().position(|task| task.purpose == purpose)?;
        let task = self.open.remove(at);
        Some((task.upid, task.client))
    }

    /// The tasks that have not ended.
    pub(crate) fn upids(&self) -> Vec<Upid> {
        self.open.iter().map(|task| task.upid.clone()).collect()
    }

    /// The task that stands for what goes on now: the newest.
    pub(crate) fn newest(&self) -> Option<&Upid> {
        self.open.iter().rev().find(|task| task.purpose != Purpose::NextStart).map(|task| &task.upid)
    }

    /// What a task wants; none where it is not open here.
    pub(crate) fn purpose(&self, upid: &Upid) -> Option<Purpose> {
        self.open.iter().find(|task| task.upid == *upid).map(|task| task.purpose)
    }

    /// The first task of a purpose.
    pub(crate) fn of(&self, purpose: Purpose) -> Option<Upid> {
        self.open.iter().find(|task| task.purpose == purpose).map(|task| task.upid.clone())
    }

    /// Gives output to the clients of all tasks, as it came.
    pub(crate) fn show(&mut self, bytes: &[u8], clients: &mut Clients) {
        for task in &self.open {
            if let Some(client) = task.client {
                clients.reply(client, &Reply::Output { text: bytes.into() });
            }
        }
    }

    /// Writes output to the logs of all tasks.
    pub(crate) fn log(&mut self, bytes: &[u8]) {
        for task in self.open.iter_mut().filter(|task| task.purpose != Purpose::NextStart) {
            // The task's fate does not hang on its log.
            let _ = task.log.write(bytes);
        }
    }

    /// Something goes otherwise than it should: whoever waits for a task hears it at its end.
    pub(crate) fn warn(&mut self, warning: &str) {
        for task in &mut self.open {
            task.warning = Some(warning.to_owned());
        }
    }

    /// Ends all tasks of a purpose. Returns them with their status.
    pub(crate) fn end(
        &mut self,
        purpose: Purpose,
        result: &Result<(), String>,
        clients: &mut Clients,
    ) -> Vec<(Upid, String)> {
        let mut ended = Vec::new();
        let (over, open) =
            std::mem::take(&mut self.open).into_iter().partition(|task| task.purpose == purpose);
        self.open = open;
        for task in over {
            let task: Open = task;
            // A status is one line; what ends a text stays as the blank that Proxmox VE makes of it.
            let status = result.as_ref().err().map_or_else(|| "OK".to_owned(), |error| status_line(error));
            let _ = task.log.end(&status);
            if let Some(client) = task.client {
                let error = result.as_ref().err().map(|error| status_line(error));
                clients.reply(client, &Reply::Done { error, warning: task.warning });
            }
            ended.push((task.upid, status));
        }
        ended
    }
}
