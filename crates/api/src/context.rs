//! What a method is called with besides its parameters: the root's store, who calls, and where words go.

use crate::{ApiError, Refusal};
use access::Rights;
use config::GuestConfig;
use config::user_cfg::UserCfg;
use model::{GuestKind, NodeName, Stream, Upid, UserId, Vmid};
use record::Journal;
use record::journal::{Entry, Priority};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;
use storage::Storages;
use store::ConfigStore;

/// Where a method's words go.
pub trait Output {
    /// Takes some bytes, as they come.
    fn write(&mut self, stream: Stream, bytes: &[u8]);

    /// A task has begun that carries the call out, or a part of it: the first one is the call's own.
    fn began(&mut self, _upid: &Upid) {}
}

/// Who carries a call out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A command, with the name that it is known by in the journal. A task is waited for.
    Command(&'static str),
    /// A server, from a worker process of its own: a task is carried out in the process that calls.
    Server,
}

/// What a caller may do.
#[derive(Debug, Clone)]
pub enum Authority {
    /// Everything, as the user root@pam: the caller owns the root.
    Owner,
    /// What `user.cfg` says about this user or token.
    User(UserId, Arc<Rights>),
    /// Only what needs no log-in.
    Nobody,
}

impl Authority {
    /// Who it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        match self {
            Self::Owner => UserId::root(),
            Self::User(user, _) => user.clone(),
            Self::Nobody => UserId::nobody(),
        }
    }

    /// Whether the caller has at least one of these privileges on a path.
    #[must_use]
    pub fn has_any(&self, path: &str, privileges: &[&str]) -> bool {
        match self {
            Self::Owner => true,
            Self::User(user, rights) => rights.has_any(user, path, privileges),
            Self::Nobody => false,
        }
    }

    /// Whether this is the user root@pam; its tokens are not.
    #[must_use]
    pub fn is_root(&self) -> bool {
        match self {
            Self::Owner => true,
            Self::User(user, _) => *user == UserId::root(),
            Self::Nobody => false,
        }
    }
}

/// The surroundings of a call.
pub struct Context<'a> {
    /// The configurations of the root.
    pub store: &'a ConfigStore,
    /// Who calls.
    pub user: UserId,
    /// What the caller may do.
    pub authority: Authority,
    /// Through what.
    pub origin: Origin,
    /// The address that the call comes from; none where it is this host's own.
    pub peer: Option<String>,
    output: RefCell<&'a mut dyn Output>,
    total: Cell<Option<u64>>,
}

impl<'a> Context<'a> {
    /// Puts the surroundings together.
    pub fn new(
        store: &'a ConfigStore,
        authority: Authority,
        origin: Origin,
        output: &'a mut dyn Output,
    ) -> Self {
        Self {
            store,
            user: authority.user(),
            authority,
            origin,
            peer: None,
            output: RefCell::new(output),
            total: Cell::new(None),
        }
    }

    /// The same with the address that the call comes from.
    #[must_use]
    pub fn from_peer(self, peer: impl Into<String>) -> Self {
        Self { peer: Some(peer.into()), ..self }
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> &NodeName {
        self.store.node()
    }

    /// Says that a task has begun.
    pub(crate) fn began(&self, upid: &Upid) {
        self.output.borrow_mut().began(upid);
    }

    /// Says how many items there are of which the answer has some.
    pub fn set_total(&self, total: u64) {
        self.total.set(Some(total));
    }

    /// How many items there are, where the method said it.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.total.get()
    }

    /// Writes a line to the caller's standard output.
    pub fn say(&self, line: &str) {
        self.write(Stream::Stdout, format!("{line}\n").as_bytes());
    }

    /// Writes a line to the caller's standard error.
    pub fn warn(&self, line: &str) {
        self.write(Stream::Stderr, format!("{line}\n").as_bytes());
    }

    /// Writes bytes as they are.
    pub fn write(&self, stream: Stream, bytes: &[u8]) {
        self.output.borrow_mut().write(stream, bytes);
    }

    /// The storages of the root, read afresh.
    ///
    /// # Errors
    ///
    /// When `storage.cfg` cannot be read.
    pub fn storages(&self) -> Result<Storages, ApiError> {
        Ok(Storages::load(self.store)?)
    }

    /// A guest's configuration. What is not understood in it is warned about in Proxmox VE's words.
    ///
    /// # Errors
    ///
    /// Proxmox VE's text when there is none.
    pub fn read(&self, kind: GuestKind, vmid: Vmid) -> Result<GuestConfig, ApiError> {
        let (config, warnings) = self.store.read_with_warnings(kind, vmid)?;
        warnings.iter().for_each(|warning| self.warn(&warning.to_string()));
        Ok(config)
    }

    /// The word that the journal has before records of this call.
    #[must_use]
    pub fn identifier(&self) -> &'static str {
        match self.origin {
            Origin::Command(program) => program,
            Origin::Server => "pvedaemon",
        }
    }

    /// Writes a line to the journal; waits for it a moment at most.
    pub(crate) fn journal(&self, line: &str, vmid: Option<Vmid>) {
        let entry = Entry::new(Priority::Info, self.identifier(), line)
            .field_if("GUEST_VMID", vmid.map(|vmid| vmid.to_string()));
        self.record([entry]);
    }

    pub(crate) fn record(&self, entries: impl IntoIterator<Item = Entry>) {
        let layout = self.store.layout();
        let mut journal = Journal::open(layout).unwrap_or_else(|_| Journal::fallback_only(layout));
        entries.into_iter().for_each(|entry| journal.send(entry));
        journal.close(Duration::from_millis(200));
    }

    /// Refuses a caller that has none of these privileges on a path.
    ///
    /// # Errors
    ///
    /// Proxmox VE's text with the path and the privileges.
    pub fn require(&self, path: &str, any_of: &[&str]) -> Result<(), ApiError> {
        if self.authority.has_any(path, any_of) {
            Ok(())
        } else {
            Err(ApiError::Denied(format!("{path}, {}", any_of.join("|"))))
        }
    }

    /// Whether this is the user root@pam; its tokens are not.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.authority.is_root()
    }

    /// Users, groups and pools: those that the caller's rights are from, else the file's. What is wrong in the file is told
    /// by who changes it.
    pub(crate) fn user_cfg(&self) -> Cow<'_, UserCfg> {
        match &self.authority {
            Authority::User(_, rights) => Cow::Borrowed(rights.cfg()),
            Authority::Owner | Authority::Nobody => {
                let path = self.store.layout().pve().join("user.cfg");
                Cow::Owned(config::user_cfg::parse(&std::fs::read(path).unwrap_or_default()).0)
            }
        }
    }
}

/// Refuses a locked guest.
///
/// # Errors
///
/// Proxmox VE's text with the lock's name.
pub(crate) fn check_lock(config: &GuestConfig, skip: bool) -> Result<(), ApiError> {
    match config.main.get("lock") {
        Some(lock) if !skip => Err(Refusal::Locked { kind: config.kind, lock: lock.to_owned() }.into()),
        _ => Ok(()),
    }
}
