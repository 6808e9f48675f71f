//! `/nodes/{node}/tasks/…`: what was done and what is being done (api.md 4.3).

pub mod end;
pub mod list;
pub mod log;
pub mod status;

use crate::schema::NODE;
use crate::{ApiError, Context, Params};
use ::config::schema::Property;
use model::{Upid, UserId};
use record::tasks::TaskError;
use serde_json::{Map, Value, json};

const UPID: Property = Property::string("upid").describe("The id of the task.");

/// `/nodes/{node}/tasks/{upid}/…`
static AT_TASK: &[Property] = &[NODE, UPID];

/// The task that the path names, where it is one of this node. Others than who began it need a privilege.
fn named(context: &Context<'_>, params: &Params, privilege: &str) -> Result<Upid, ApiError> {
    let text = params.text("upid").unwrap_or_default();
    let upid: Upid = text.parse().map_err(|_| ApiError::parameter("upid", "unable to parse worker upid"))?;
    if !is_own(&context.user, &upid.user) {
        context.require(&format!("/nodes/{}", context.node()), &[privilege])?;
    }
    if upid.node == *context.node() { Ok(upid) } else { Err(ApiError::parameter("upid", NO_TASK)) }
}

const NO_TASK: &str = "no such task";

/// A task that is not there is a wrong parameter.
fn told(error: TaskError) -> ApiError {
    match error {
        TaskError::NotFound(_) => ApiError::parameter("upid", NO_TASK),
        other => other.into(),
    }
}

/// Whether a caller began a task that is somebody's: itself, or by a token of its own.
fn is_own(caller: &UserId, began: &UserId) -> bool {
    caller == began || *caller == began.owner()
}

/// What all lists tell of a task.
pub(crate) fn row(upid: &Upid) -> Map<String, Value> {
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| {
        row.insert(key.to_owned(), value);
    };
    put("upid", json!(upid.to_string()));
    put("node", json!(upid.node.as_str()));
    put("pid", json!(upid.process.pid));
    put("pstart", json!(upid.process.start));
    put("starttime", json!(upid.start_time));
    put("type", json!(upid.kind));
    put("id", json!(upid.id));
    put("user", json!(upid.user.owner().as_str()));
    if let Some(token) = upid.user.token() {
        put("tokenid", json!(token));
    }
    row
}
