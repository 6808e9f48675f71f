use model::{GuestKind, Vmid};

/// What a start's admission depends on.
#[derive(Debug, Clone, Default)]
pub struct GuestFacts {
    /// Whether the guest is a template.
    pub template: bool,
    /// The value of `lock:`.
    pub lock: Option<String>,
    /// Whether the caller may pass the lock.
    pub skip_lock: bool,
    /// A `hookscript:` line that is no volume id.
    pub bad_hookscript: Option<String>,
}

/// Why a start is refused. The texts are Proxmox VE's where it has the refusal (lifecycle.md 2.2 and 3.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// A template cannot run.
    #[error("you can't start a {} if it's a template", match kind { GuestKind::Qemu => "vm", GuestKind::Lxc => "CT" })]
    Template {
        /// The guest's kind.
        kind: GuestKind,
    },
    /// The configuration is locked by an operation.
    #[error("{} is locked ({lock})", kind.label())]
    Locked {
        /// The guest's kind.
        kind: GuestKind,
        /// The operation.
        lock: String,
    },
    /// It runs.
    #[error("{} {vmid} already running", kind.label())]
    AlreadyRunning {
        /// The guest's kind.
        kind: GuestKind,
        /// The guest.
        vmid: Vmid,
    },
    /// Its hookscript cannot be run, so its `pre-start` cannot be asked.
    #[error("hookscript error for {vmid} on pre-start: unable to parse volume ID '{value}'\n\n")]
    Hookscript {
        /// The guest.
        vmid: Vmid,
        /// The value of `hookscript:`.
        value: String,
    },
}

/// Decides whether a guest that does not run may be started.
///
/// # Errors
/// The first reason against it.
pub fn admit_start(kind: GuestKind, vmid: Vmid, facts: &GuestFacts) -> Result<(), Denied> {
    if facts.template {
        return Err(Denied::Template { kind });
    }
    if let Some(lock) = &facts.lock {
        let tolerated = match kind {
            GuestKind::Qemu => lock == "suspended",
            GuestKind::Lxc => lock == "mounted",
        };
        if !tolerated && !facts.skip_lock {
            return Err(Denied::Locked { kind, lock: lock.clone() });
        }
    }
    match &facts.bad_hookscript {
        Some(value) => Err(Denied::Hookscript { vmid, value: value.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(kind: GuestKind, facts: GuestFacts) -> String {
        admit_start(kind, "100".parse().unwrap(), &facts).unwrap_err().to_string()
    }

    #[test]
    fn refusals_have_the_texts_that_clients_know() {
        let template = GuestFacts { template: true, ..GuestFacts::default() };
        assert_eq!(denied(GuestKind::Qemu, template.clone()), "you can't start a vm if it's a template");
        assert_eq!(denied(GuestKind::Lxc, template), "you can't start a CT if it's a template");
        let locked = GuestFacts { lock: Some("backup".into()), ..GuestFacts::default() };
        assert_eq!(denied(GuestKind::Qemu, locked.clone()), "VM is locked (backup)");
        assert_eq!(denied(GuestKind::Lxc, locked.clone()), "CT is locked (backup)");
        let passed = GuestFacts { skip_lock: true, ..locked };
        assert_eq!(admit_start(GuestKind::Qemu, "100".parse().unwrap(), &passed), Ok(()));
    }

    #[test]
    fn a_lock_that_a_start_lifts_does_not_hinder_it() {
        for (kind, lock) in [(GuestKind::Qemu, "suspended"), (GuestKind::Lxc, "mounted")] {
            let facts = GuestFacts { lock: Some(lock.into()), ..GuestFacts::default() };
            assert_eq!(admit_start(kind, "100".parse().unwrap(), &facts), Ok(()));
        }
        let facts = GuestFacts { lock: Some("mounted".into()), ..GuestFacts::default() };
        assert_eq!(denied(GuestKind::Qemu, facts), "VM is locked (mounted)");
    }
}
