//! All that happens to guests, as it happens.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::VMID;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use model::Vmid;
use record::events::{self, Cursor, Filter, Heard};
use serde_json::{Map, Value, json};
use std::ops::ControlFlow::{self, Break, Continue};

static PARAMETERS: &[Property] = &[
    Property::string("after").optional().max_length(8192).describe(
        "The id of an event: tells what came after it. What happens from now on where it is absent.",
    ),
    Property::boolean("follow").default("0").describe("Goes on with the events to come, as they come."),
    Property::integer("limit").default("1000").min(1).describe("How many events at most."),
    VMID.optional(),
];

/// `hookvisor events`
pub static EVENTS: Method = Method {
    path: "/hookvisor/events",
    verb: Verb::Get,
    description: "Tells what happened to guests after an event: runs, hookscripts with what they print, tasks.",
    parameters: &[PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(&["id", "event"]),
    protected: true,
    scope: Scope::Extension,
    run: read,
};

fn read(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let limit = usize::try_from(params.number("limit").unwrap_or(1000)).unwrap_or(usize::MAX);
    let mut list = Vec::new();
    tell(context, params, true, &mut |event| {
        list.push(event.clone());
        if list.len() < limit { Continue(()) } else { Break(()) }
    })?;
    Ok(Value::Array(list))
}

/// Hands over all events after the one that `after` names, and then those to come, until `take` breaks. When nothing comes
/// for a while, and once at first when all that was missed has been told, there is an `idle` one: a connection that has gone
/// is seen then. Only events about guests that the caller may see are told.
///
/// # Errors
/// A place that is none; a ledger that cannot be read; a guest that the caller may not see.
pub fn stream(
    context: &Context<'_>,
    params: &Params,
    take: &mut dyn FnMut(&Value) -> ControlFlow<()>,
) -> Result<(), ApiError> {
    tell(context, params, false, take)
}

/// As [`stream`], for ever.
///
/// # Errors
/// As [`stream`].
pub fn follow(context: &Context<'_>, params: &Params, take: &mut dyn FnMut(&Value)) -> Result<(), ApiError> {
    stream(context, params, &mut |event| {
        take(event);
        Continue(())
    })
}

fn tell(
    context: &Context<'_>,
    params: &Params,
    until_now: bool,
    take: &mut dyn FnMut(&Value) -> ControlFlow<()>,
) -> Result<(), ApiError> {
    let vmid: Option<Vmid> = params.text("vmid").and_then(|text| text.parse().ok());
    if let Some(vmid) = vmid {
        context.require(&path(vmid), &["VM.Audit"])?;
    }
    let after = params.text("after").map(str::parse::<Cursor>).transpose();
    let after = after.map_err(|error| ApiError::parameter("after", &error.to_string()))?;
    let filter = Filter { vmid, until_now };
    let sees = |vmid: Vmid| context.authority.has_any(&path(vmid), &["VM.Audit"]);
    let done = events::events(context.store.layout(), after.as_ref(), &filter, &mut |heard| match &heard {
        Heard::Record { vmid, .. } | Heard::Gap { vmid: Some(vmid), .. } if !sees(*vmid) => Continue(()),
        _ => take(&told(heard)),
    });
    Ok(done.map_err(|error| error.0)?)
}

fn path(vmid: Vmid) -> String {
    format!("/vms/{vmid}")
}

/// An event as an object: its id, what it is, and what it says.
fn told(heard: Heard) -> Value {
    match heard {
        Heard::Record { id, vmid, run, line, stamped } => {
            let mut object = Map::new();
            object.insert("id".into(), json!(id.to_string()));
            if let Value::Object(event) = json!(stamped.event) {
                object.extend(event);
            }
            // What a call can be repeated with is for recovery.
            object.remove("with");
            object.insert("vmid".into(), json!(vmid.get()));
            object.insert("run".into(), json!(run));
            object.insert("line".into(), json!(line));
            object.insert("time".into(), json!(stamped.time_ms));
            Value::Object(object)
        }
        Heard::Gap { id, vmid, what } => {
            json!({"id": id.to_string(), "event": "gap", "vmid": vmid.map(Vmid::get), "what": what})
        }
        Heard::Idle { id } => json!({"id": id.to_string(), "event": "idle"}),
    }
}
