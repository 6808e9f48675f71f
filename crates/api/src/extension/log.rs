//! What hookscripts printed and what hookvisor did, read back from the journal.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::VMID;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use model::{GuestKind, Phase, Text, Vmid};
use record::log::{self, Filter, LogRecord};
use serde_json::{Map, Value, json};

static PARAMETERS: &[Property] = &[
    Property::boolean("follow").default("0").describe("Goes on with the records to come, as they come."),
    Property::integer("limit").optional().min(1).describe("How many records, the last ones."),
    Property::string("phase")
        .optional()
        .one_of(&["pre-start", "post-start", "agent-up", "pre-stop", "post-stop"])
        .describe("Only records of this phase."),
    Property::string("run").optional().describe("Only records of this run."),
    VMID.optional(),
];

/// `hookvisor log`
pub static LOG: Method = Method {
    path: "/hookvisor/log",
    verb: Verb::Get,
    description: "Shows what hookscripts printed and what was done, as the journal has it.",
    parameters: &[PARAMETERS],
    permission: Permission::Root,
    returns: Returns::List(&["time_usec", "message"]),
    protected: true,
    scope: Scope::Extension,
    run: read,
};

fn read(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let filter = filter(params)?;
    let records = log::read(context.store.layout(), &filter)?;
    let records: Vec<Value> = records.map(|record| Ok(told(&record?))).collect::<Result<_, ApiError>>()?;
    if let Some(vmid) = filter.vmid.filter(|_| records.is_empty()) {
        known(context, vmid)?;
    }
    Ok(Value::Array(records))
}

/// Refuses a VMID that nothing is known of. A guest that was removed has left its runs.
fn known(context: &Context<'_>, vmid: Vmid) -> Result<(), ApiError> {
    if context.store.find(vmid).is_some() || context.store.layout().history(vmid).exists() {
        return Ok(());
    }
    context.store.read(GuestKind::Qemu, vmid).map(|_| ()).map_err(ApiError::from)
}

/// Hands over the last records and then those to come. Does not end by itself while there is a source of them.
///
/// # Errors
/// Where a source is there but cannot be read.
pub fn follow(context: &Context<'_>, params: &Params, take: &mut dyn FnMut(&Value)) -> Result<(), ApiError> {
    Ok(log::follow(context.store.layout(), &filter(params)?, &mut |record| take(&told(&record)))?)
}

fn filter(params: &Params) -> Result<Filter, ApiError> {
    let run = params.text("run").map(str::parse).transpose();
    Ok(Filter {
        vmid: params.text("vmid").and_then(|text| text.parse().ok()),
        phase: params.text("phase").and_then(|text| text.parse::<Phase>().ok()),
        run: run.map_err(|error: model::InvalidId| ApiError::parameter("run", &error.to_string()))?,
        last: params.number("limit").and_then(|limit| usize::try_from(limit).ok()),
    })
}

/// A record as an object: what one asks for most under short names, and every field of its own.
#[must_use]
pub fn told(record: &LogRecord) -> Value {
    let text = |bytes: &[u8]| json!(Text::from(bytes));
    let mut object = Map::new();
    object.insert("time_usec".into(), json!(record.time_usec));
    object.insert("identifier".into(), json!(record.identifier()));
    object.insert("message".into(), text(record.message()));
    let shown = [
        ("priority", record.priority().map(|priority| json!(priority))),
        ("vmid", record.vmid().map(|vmid| json!(vmid))),
        ("phase", record.phase().map(|phase| json!(phase))),
        ("script", record.script().map(|script| json!(script))),
        ("stream", record.stream().map(|stream| json!(stream))),
        ("run", record.run().map(|run| json!(run))),
        ("upid", record.task().map(|upid| json!(upid))),
    ];
    object.extend(shown.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    let fields =
        record.fields.iter().filter(|(name, _)| name.starts_with("HOOK") || name.starts_with("TASK"));
    let fields: Map<String, Value> =
        fields.filter_map(|(name, values)| Some((name.clone(), text(values.first()?)))).collect();
    object.insert("fields".into(), Value::Object(fields));
    Value::Object(object)
}
