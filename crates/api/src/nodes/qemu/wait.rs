//! `qm wait`

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, seconds};
use crate::{Permission, Refusal, lifecycle};
use ::config::schema::Property;
use keeper::client;
use serde_json::Value;
use std::time::Duration;

static PARAMETERS: &[Property] = &[seconds("timeout", "How long to wait at most, in seconds.")];

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
        // Its own hookscript would wait for itself.
        let own_hook = std::env::var_os("HOOKVISOR_VMID").is_some_and(|own| own == *vmid.to_string());
        if !own_hook {
            // What a dead keeper left is not over before somebody has gone on with it.
            client::recover(context.store.layout(), vmid)?;
        }
        let state = lifecycle::state(context, vmid);
        match state.running {
            Some(running) => context.say(&format!("waiting until VM {vmid} stops (PID {})", running.pid)),
            None if state.keeper.is_none() || own_hook => return Ok(Value::Null),
            None => context.say(&format!("waiting until VM {vmid} stops ({} runs)", state.stage)),
        }
        let limit = params.number("timeout").filter(|limit| *limit > 0).map(Duration::from_secs);
        if client::wait_until_stopped(context.store.layout(), vmid, limit) {
            Ok(Value::Null)
        } else {
            Err(Refusal::WaitTimeout.into())
        }
    },
};
