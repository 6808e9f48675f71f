//! All that happens to guests, as it happens.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::VMID;
use crate::{ApiError, Authority, Context, Params, Permission};
use ::config::schema::Property;
use model::Vmid;
use record::events::{self, Cursor, Filter, Heard};
use serde_json::{Map, Value, json};
use std::ops::ControlFlow::{self, Break, Continue};

static PARAMETERS: &[Property] = &[
    Property::string("after").optional().max_length(8192).describe(
        "The id of an event: tells what came after it. What happens from now on where it is absent.",
    ),
    Property::boolean("follow")
        .default("0")
        .describe("Goes on with the events to come, as they come; by HTTP as server-sent events."),
    Property::integer("limit")
        .default("1000")
        .min(1)
        .describe("How many events at most, of those on record."),
    VMID.optional(),
];

/// `hookvisor events`
pub static EVENTS: Method = Method {
    path: "/hookvisor/events",
    verb: Verb::Get,
    description: "Tells what happened to guests after an event: runs, hookscripts with what they print, tasks.",
    parameters: &[PARAMETERS],
    permission: Permission::User,
    returns: Returns::Events(&["id", "event"]),
    protected: true,
    scope: Scope::Extension,
    run: read,
};

/// Which events somebody asks for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Those after this place; what happens from now on where there is none.
    pub after: Option<Cursor>,
    /// Those of this guest.
    pub vmid: Option<Vmid>,
}

impl Wanted {
    /// Reads it from the parameters.
    ///
    /// # Errors
    /// A place that is none; a guest that the caller may not see.
    pub fn read(context: &Context<'_>, params: &Params) -> Result<Self, ApiError> {
        let vmid: Option<Vmid> = params.text("vmid").and_then(|text| text.parse().ok());
        if let Some(vmid) = vmid {
            context.require(&path(vmid), &["VM.Audit"])?;
        }
        let after = params.text("after").map(str::parse::<Cursor>).transpose();
        let after = after.map_err(|error| ApiError::parameter("after", &error.to_string()))?;
        Ok(Self { after, vmid })
    }
}

fn read(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    if params.text("after").is_none() {
        context.warn(
            "what happens from now on is told with '--follow 1', what came after an event with '--after ID'; \
                      'hookvisor log' and 'hookvisor hooks history' tell of what was before",
        );
    }
    let limit = usize::try_from(params.number("limit").unwrap_or(1000)).unwrap_or(usize::MAX);
    let mut list = Vec::new();
    tell(context, params, true, &mut |event| {
        list.push(event.clone());
        if list.len() < limit { Continue(()) } else { Break(()) }
    })?;
    Ok(Value::Array(list))
}

/// Hands over all events after the one that `after` names, and then those to come, for ever. When nothing comes for a while,
/// and once at first when all that was missed has been told, there is an `idle` one. Only events about guests that the
/// caller may see are told.
///
/// # Errors
/// A place that is none; a ledger that cannot be read; a guest that the caller may not see.
pub fn follow(context: &Context<'_>, params: &Params, take: &mut dyn FnMut(&Value)) -> Result<(), ApiError> {
    tell(context, params, false, &mut |event| {
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
    let Wanted { after, vmid } = Wanted::read(context, params)?;
    let filter = Filter { vmid, until_now };
    let done = events::events(context.store.layout(), after.as_ref(), &filter, &mut |heard| {
        if !is_for(&context.authority, &heard) {
            return Continue(());
        }
        let mut object = Map::from_iter([("id".to_owned(), json!(heard.id().to_string()))]);
        object.extend(told(&heard));
        take(&Value::Object(object))
    });
    Ok(done.map_err(|error| error.0)?)
}

fn path(vmid: Vmid) -> String {
    format!("/vms/{vmid}")
}

/// Whether somebody may hear of something.
#[must_use]
pub fn is_for(authority: &Authority, heard: &Heard) -> bool {
    match heard {
        Heard::Record { vmid, .. } | Heard::Gap { vmid: Some(vmid), .. } => {
            authority.has_any(&path(*vmid), &["VM.Audit"])
        }
        Heard::Gap { vmid: None, .. } | Heard::Idle { .. } => true,
    }
}

/// An event as an object: what it is, and what it says. Its id is the hearer's to say.
#[must_use]
pub fn told(heard: &Heard) -> Map<String, Value> {
    let mut object = Map::new();
    match heard {
        Heard::Record { vmid, run, line, stamped, .. } => {
            if let Value::Object(event) = json!(stamped.event) {
                object.extend(event);
            }
            // What a call can be repeated with is for recovery.
            object.remove("with");
            object.insert("vmid".into(), json!(vmid.get()));
            object.insert("run".into(), json!(run));
            object.insert("line".into(), json!(line));
            object.insert("time".into(), json!(stamped.time_ms));
        }
        Heard::Gap { vmid, what, .. } => {
            object.insert("event".into(), json!("gap"));
            object.insert("vmid".into(), json!(vmid.map(Vmid::get)));
            object.insert("what".into(), json!(what));
        }
        Heard::Idle { .. } => drop(object.insert("event".into(), json!("idle"))),
    }
    object
}
