//! Suspending a container, which takes checkpoints of all its processes: not done here, and said in a task as at Proxmox VE
//! where the tool for it is missing.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_GUEST;
use crate::{ApiError, Context, Params, Permission, Refusal, lifecycle, task};
use model::GuestKind;
use serde_json::Value;

const KIND: GuestKind = GuestKind::Lxc;

const POWER: Permission = Permission::guest(&["VM.PowerMgmt"]);

/// `pct suspend`
pub static SUSPEND: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/status/suspend",
    verb: Verb::Post,
    description: "Refuses to suspend a container.",
    parameters: &[AT_GUEST],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        lifecycle::must_run(context, KIND, params.vmid())?;
        refuse(context, params, "vzsuspend")
    },
};

/// `pct resume`
pub static RESUME: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/status/resume",
    verb: Verb::Post,
    description: "Refuses to let a container go on: none has been suspended.",
    parameters: &[AT_GUEST],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let vmid = params.vmid();
        context.read(KIND, vmid)?;
        if lifecycle::is_running(context, vmid) {
            return Err(Refusal::AlreadyRunning { kind: KIND, vmid }.into());
        }
        refuse(context, params, "vzresume")
    },
};

fn refuse(context: &Context<'_>, params: &Params, kind: &str) -> Result<Value, ApiError> {
    task::run(context, kind, &params.vmid().to_string(), |_| {
        Err(Refusal::Missing("checkpoints of containers are not supported".to_owned()).into())
    })
}
