//! A VMID that is being filled: from the claim on the guest is listed, locked with `create`, and what comes to
//! nothing leaves nothing behind.

use super::update::LOCK_WAIT;
use super::volumes::Made;
use crate::{ApiError, Context};
use config::GuestConfig;
use model::{GuestKind, Vmid};
use store::ConfigLock;

/// A claimed VMID.
pub(crate) struct Claim<'a, 'o> {
    context: &'a Context<'o>,
    lock: ConfigLock,
}

impl<'a, 'o> Claim<'a, 'o> {
    /// Claims it.
    pub(crate) fn take(context: &'a Context<'o>, kind: GuestKind, vmid: Vmid) -> Result<Self, ApiError> {
        let lock = context.store.lock(kind, vmid, LOCK_WAIT, &mut |line| context.warn(line))?;
        let mut config = GuestConfig::new(kind);
        config.main.set("lock", "create");
        context.store.create(&lock, &config)?;
        Ok(Self { context, lock })
    }

    /// Makes the guest, and gives its lock back.
    pub(crate) fn fill(
        self,
        make: impl FnOnce(&mut GuestConfig, &mut Made) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        let mut config = GuestConfig::new(self.lock.kind());
        let mut made = Made::default();
        let done = make(&mut config, &mut made)
            .and_then(|()| Ok(self.context.store.write(&self.lock, &config, None).map(|_| ())?));
        if done.is_err() {
            made.undo(self.context);
            if let Err(error) = self.context.store.remove(&self.lock) {
                self.context.warn(&error.to_string());
            }
        }
        done
    }
}
