//! Shuts all guests down, as before the host does (lifecycle.md 8.3).

use super::crew::Crew;
use super::{MAX_WORKERS, Round, VMS, label, named};
use crate::lifecycle::is_kept;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_NODE;
use crate::{ApiError, Context, Params, Permission, task};
use config::schema::Property;
use keeper::Request;
use keeper::client::{self, ClientError};
use lifecycle::boot::to_stop;
use model::{Layout, Vmid};
use serde_json::Value;
use std::time::Duration;

/// How long all phases of a guest's stop have together where nobody says, in seconds.
const LIMIT: u64 = 180;

/// How much longer a stop can take, in seconds: to end what does not end by itself. A keeper that says nothing after that
/// is given up.
const SLACK: u64 = 120;

static PARAMETERS: &[Property] = &[
    Property::boolean("force-stop").default("1").describe("Ends guests that take longer."),
    MAX_WORKERS,
    Property::integer("timeout")
        .default("180")
        .min(0)
        .max(7200)
        .describe("How many seconds a guest has whose startup options say nothing."),
    VMS,
];

/// `hookvisor stopall`
pub static STOP: Method = Method {
    path: "/nodes/{node}/stopall",
    verb: Verb::Post,
    description: "Shuts all guests down, in the reverse order of their startup options.",
    parameters: &[AT_NODE, PARAMETERS],
    permission: Permission::User,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: stop,
};

fn stop(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let named = named(context, params)?;
    let limit = params.number("timeout").unwrap_or(LIMIT);
    task::run_counting(context, "stopall", "", |task| {
        let round = Round::new(task);
        let guests = round.guests(named.as_deref(), |vmid| is_kept(context, vmid))?;
        let mut crew = Crew::new(round.workers(params), round.shown("stopping"));
        let mut told = |name: &str, result: Result<Option<String>, String>| match result {
            Ok(None) => {}
            // It is stopped, which is what was asked for.
            Ok(Some(warning)) => round.task.warn(&format!("{name}: {warning}")),
            Err(status) => round.warn(&format!("Stopping {name} failed: {status}")),
        };
        for group in to_stop(&guests) {
            for guest in &group.guests {
                crew.room(&mut told);
                task::go_on()?;
                // It may have ended by itself meanwhile.
                if !is_kept(context, guest.vmid) {
                    continue;
                }
                let timeout = guest.down.unwrap_or(limit);
                round.task.warn(&format!("Stopping {} (timeout = {timeout} seconds)", label(guest)));
                let request = Request::Shutdown {
                    user: context.user.clone(),
                    // Nothing that a lock guards outlives the host.
                    skiplock: true,
                    timeout: Some(timeout),
                    force: params.flag("force-stop", true),
                    host: true,
                };
                let (layout, vmid) = (context.store.layout().clone(), guest.vmid);
                let patience = Duration::from_secs(timeout.saturating_add(SLACK));
                crew.begin(label(guest), Some(patience), move || stop_one(&layout, vmid, &request, timeout));
            }
            crew.rest(&mut told);
        }
        if named.is_none() {
            context.journal("all VMs and CTs stopped", None);
        }
        Ok(round.warnings.take())
    })
}

/// Returns what went otherwise than it should.
fn stop_one(layout: &Layout, vmid: Vmid, request: &Request, limit: u64) -> Result<Option<String>, String> {
    // What nobody keeps may still have its post-stop to run.
    client::recover_within(layout, vmid, Some(limit)).map_err(|error| error.to_string())?;
    match client::ask(layout, vmid, request, &mut |_| {}) {
        Ok(result) => result.status.map(|()| result.warning),
        Err(ClientError::NoKeeper(_)) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
