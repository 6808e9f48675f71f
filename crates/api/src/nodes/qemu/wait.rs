//! `qm wait`

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, seconds};
use crate::{Permission, Refusal, lifecycle};
use ::config::schema::Property;
use keeper::client::wait_until_stopped;
use serde_json::Value;
use std::time::Duration;

static PARAMETERS: &[Property] = &[seconds("timeout", "How long to wait at most.")];

/// `qm wait`: returns when the machine's run is over, its `post-stop` included.
pub static WAIT: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/wait",
    verb: Verb::Post,
    description: "Waits until a virtual machine has stopped.",
    parameters: &[AT_GUEST, PARAMETERS],
    permission: Permission::Root,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Command,
    run: |context, params| {
        let vmid = params.vmid();
        context.store.read_raw(model::GuestKind::Qemu, vmid)?;
        let Some(running) = lifecycle::state(context, vmid).running else { return Ok(Value::Null) };
        context.say(&format!("waiting until VM {vmid} stops (PID {})", running.pid));
        let limit = params.number("timeout").filter(|limit| *limit > 0).map(Duration::from_secs);
        if wait_until_stopped(context.store.layout(), vmid, limit) {
            Ok(Value::Null)
        } else {
            Err(Refusal::WaitTimeout.into())
        }
    },
};
