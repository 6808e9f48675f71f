//! What a task printed.

use super::{AT_TASK, named, told};
use crate::method::{Method, Returns, Scope, Verb};
use crate::nodes::unsupported;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use record::tasks;
use serde_json::{Value, json};

static PARAMETERS: &[Property] = &[
    Property::boolean("download").optional().describe("Hands over the file itself."),
    Property::integer("limit").default("50").min(0).describe("How many lines at most; 0 for all."),
    Property::integer("start").default("0").min(0).describe("How many lines to pass over."),
];

/// The lines of a task's log. While the task runs there may be more with the next call.
pub static LOG: Method = Method {
    path: "/nodes/{node}/tasks/{upid}/log",
    verb: Verb::Get,
    description: "Shows what a task printed.",
    parameters: &[AT_TASK, PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(&["n", "t"]),
    protected: true,
    scope: Scope::Api,
    run: lines,
};

fn lines(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    unsupported(params, &["download"])?;
    let upid = named(context, params, "Sys.Audit")?;
    let number = |name: &str, default| params.number(name).unwrap_or(default);
    let page = tasks::lines(context.store.layout(), &upid, number("start", 0), number("limit", 50));
    let page = page.map_err(told)?;
    context.set_total(page.total);
    Ok(json!(page.lines))
}
