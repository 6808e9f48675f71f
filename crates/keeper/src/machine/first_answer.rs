//! The wait for the guest agent's first answer after a start.

use qemu::agent::{CHARDEV, Question};
use qemu::monitor::Reply;
use qemu::monitor::view::is_frontend_open;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

/// How far the wait for the guest agent's first answer is.
#[derive(Default)]
pub(super) enum FirstAnswer {
    /// Nobody waits.
    #[default]
    Ignored,
    /// It is waited for, by the agent's socket: the monitor tells that the agent opens its port.
    Awaited {
        socket: PathBuf,
        /// The command that asks whether it is open already.
        state: Option<u64>,
        /// The question that was put to whoever opened it.
        question: Option<Question>,
    },
    /// It has come.
    Given,
}

impl FirstAnswer {
    /// Whether it has come.
    pub(super) fn is_given(&self) -> bool {
        matches!(self, Self::Given)
    }

    /// Whether it is neither waited for nor there.
    pub(super) fn is_ignored(&self) -> bool {
        matches!(self, Self::Ignored)
    }

    /// Waits for it; `state` is the command that asks for the port's state.
    pub(super) fn wait(&mut self, socket: PathBuf, state: Option<u64>) {
        *self = Self::Awaited { socket, state, question: None };
    }

    /// Leaves the agent to somebody else.
    pub(super) fn give_up(&mut self) {
        if !self.is_given() {
            *self = Self::Ignored;
        }
    }

    /// The port is open, or closed again.
    pub(super) fn port(&mut self, open: bool) {
        if let Self::Awaited { socket, question, .. } = self {
            // Who opened it anew has not heard what another was asked.
            let number = u64::from(std::process::id());
            *question = if open { Question::put(socket, number).ok() } else { None };
        }
    }

    /// Looks whether it has come.
    pub(super) fn attend(&mut self) {
        let Self::Awaited { question: asked @ Some(_), .. } = self else { return };
        match asked.as_mut().map(Question::is_answered) {
            Some(Ok(true)) => *self = Self::Given,
            // The next one that opens the port is asked again.
            Some(Err(_)) => *asked = None,
            Some(Ok(false)) | None => {}
        }
    }

    /// Readable when it may have come.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Self::Awaited { question, .. } => question.as_ref().map(Question::fd),
            Self::Ignored | Self::Given => None,
        }
    }

    /// Takes the monitor's word for the port's state.
    pub(super) fn hear(&mut self, reply: &Reply) {
        if let Self::Awaited { state, question: None, .. } = self
            && state.is_some()
            && reply.id == *state
        {
            let open = reply.result.as_ref().is_ok_and(|answer| is_frontend_open(answer, CHARDEV));
            self.port(open);
        }
    }
}
