//! One run of a guest, with what its hookscripts printed.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::VMID;
use crate::{ApiError, Context, Params, Permission, Refusal};
use ::config::schema::Property;
use model::RunId;
use record::history::{self, HistoryError};
use record::journal::Priority;
use serde_json::{Value, json};

static PARAMETERS: &[Property] = &[
    Property::integer("limit").default("50").min(0).describe("How many lines at most; 0 for all."),
    Property::string("run").describe("The id of the run."),
    Property::integer("start").default("0").min(0).describe("How many lines to pass over."),
    VMID,
];

/// `hookvisor hooks run`
pub static RUN: Method = Method {
    path: "/hookvisor/guests/{vmid}/runs/{run}",
    verb: Verb::Get,
    description: "Tells about one run of a guest: its hookscripts, how each ended, and the lines that they printed.",
    parameters: &[PARAMETERS],
    permission: Permission::guest(&["VM.Audit"]),
    returns: Returns::Object(&["run", "begun", "phases", "lines", "total"]),
    protected: true,
    scope: Scope::Extension,
    run: tell,
};

fn tell(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let (layout, vmid) = (context.store.layout(), params.vmid());
    let run: RunId = params
        .text("run")
        .unwrap_or_default()
        .parse()
        .map_err(|error: model::InvalidId| ApiError::parameter("run", &error.to_string()))?;
    let mut object = json!(history::run(layout, vmid, &run).map_err(told)?);
    let start = params.number("start").unwrap_or(0);
    let limit = params.number("limit").filter(|limit| *limit > 0).unwrap_or(u64::MAX);
    let end = start.saturating_add(limit);
    let (mut lines, mut total) = (Vec::new(), 0_u64);
    for line in history::output(layout, vmid, &run).map_err(told)? {
        let line = line.map_err(|source| ApiError::File {
            what: "unable to read",
            path: history::path(layout, vmid, &run),
            source,
        })?;
        total += 1;
        if (start..end).contains(&(total - 1)) {
            let mut row = json!(line);
            row["n"] = json!(total);
            if let Some((priority, _)) = Priority::prefix(line.text.as_bytes()) {
                row["priority"] = json!(priority as u8);
            }
            lines.push(row);
        }
    }
    context.set_total(total);
    object["lines"] = Value::Array(lines);
    object["total"] = json!(total);
    Ok(object)
}

fn told(error: HistoryError) -> ApiError {
    match error {
        HistoryError::File(error) => error.into(),
        other => Refusal::Missing(other.to_string()).into(),
    }
}
