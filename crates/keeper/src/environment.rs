//! The environment of a hookscript: built, not inherited (docs/design.md, "The phases").

use crate::callers;
use model::{GuestKind, Layout, NodeName, Phase, RunId, StartReason, StopCause, UserId, Vmid};
use std::ffi::{OsStr, OsString};

/// Where programs are found: Proxmox VE's four folders.
pub(crate) const PATH: &str = "/sbin:/bin:/usr/sbin:/usr/bin";

/// What a hookscript is told beside its two arguments.
pub(crate) struct Told<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) node: &'a NodeName,
    pub(crate) vmid: Vmid,
    pub(crate) kind: GuestKind,
    pub(crate) name: &'a str,
    pub(crate) run: &'a RunId,
    /// The runs whose hookscripts asked for what this phase belongs to.
    pub(crate) callers: &'a [RunId],
    pub(crate) reason: StartReason,
    pub(crate) cause: Option<StopCause>,
    pub(crate) user: &'a UserId,
    /// The node that the guest is migrated from.
    pub(crate) migrated_from: Option<&'a str>,
    pub(crate) phase: Phase,
    /// Which call of this phase in this run, from 1.
    pub(crate) attempt: u32,
    /// The folder of the links `qm`, `pct` and so on to this program, where there is one.
    pub(crate) links: Option<OsString>,
}

/// The whole environment of a call.
pub(crate) fn environment(told: &Told<'_>) -> Vec<(OsString, OsString)> {
    let mut path = told.links.clone().unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push(PATH);
    let mut env: Vec<(OsString, OsString)> = Vec::with_capacity(20);
    let mut set = |key: &str, value: &OsStr| env.push((key.into(), value.into()));
    set("PATH", &path);
    set("LC_ALL", "C".as_ref());
    set("LVM_SUPPRESS_FD_WARNINGS", "1".as_ref());
    set("HOME", "/root".as_ref());
    set("USER", "root".as_ref());
    set("LOGNAME", "root".as_ref());
    // Proxmox VE sets it, empty, for these two phases of a virtual machine whenever it is not migrated here.
    if told.kind == GuestKind::Qemu && matches!(told.phase, Phase::PreStart | Phase::PostStart) {
        set("PVE_MIGRATED_FROM", told.migrated_from.unwrap_or_default().as_ref());
    }
    set("HOOKVISOR_RUN_ID", told.run.as_str().as_ref());
    set("HOOKVISOR_KIND", told.kind.as_str().as_ref());
    set("HOOKVISOR_NAME", told.name.as_ref());
    set("HOOKVISOR_NODE", told.node.as_str().as_ref());
    set("HOOKVISOR_VMID", told.vmid.to_string().as_ref());
    set("HOOKVISOR_PHASE", told.phase.as_str().as_ref());
    set("HOOKVISOR_START_REASON", told.reason.as_str().as_ref());
    if let Some(cause) = told.cause {
        set("HOOKVISOR_STOP_CAUSE", cause.as_str().as_ref());
    }
    set("HOOKVISOR_USER", told.user.as_str().as_ref());
    set("HOOKVISOR_ATTEMPT", told.attempt.to_string().as_ref());
    set(callers::VARIABLE, callers::told(told.callers, told.run).as_ref());
    if !told.layout.is_host() {
        set("HOOKVISOR_ROOT", told.layout.root().as_os_str());
    }
    if let Some(journal) = std::env::var_os("HOOKVISOR_JOURNAL") {
        set("HOOKVISOR_JOURNAL", &journal);
    }
    env
}
