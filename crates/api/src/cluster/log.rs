//! The log of the cluster: what was recorded last.

use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use record::log::{self, Filter, LogRecord};
use serde_json::{Value, json};

/// How many records there are where nobody says.
const MOST: usize = 50;

static PARAMETERS: &[Property] =
    &[Property::integer("max").optional().min(1).describe("How many records, the last ones.")];

/// The last records.
pub static LOG: Method = Method {
    path: "/cluster/log",
    verb: Verb::Get,
    description: "Shows what was recorded last, the newest first; to those who may not read the log only what they did.",
    parameters: &[PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(&["uid", "node", "pid", "pri", "tag", "time", "user", "msg"]),
    protected: true,
    scope: Scope::Api,
    run: read,
};

fn read(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let last = params.number("max").map_or(MOST, |max| usize::try_from(max).unwrap_or(usize::MAX));
    let filter = Filter { last: Some(last), ..Filter::default() };
    let reader = context.authority.has_any("/", &["Sys.Syslog"]);
    let mut rows = Vec::new();
    for record in log::read(context.store.layout(), &filter)? {
        let record = record?;
        let user = record.task().map(|upid| upid.user.to_string()).unwrap_or_default();
        if reader || user == context.user.as_str() {
            rows.push(row(context, &record, &user));
        }
    }
    rows.reverse();
    for (uid, row) in (1..).zip(rows.iter_mut().rev()) {
        row["uid"] = json!(uid);
    }
    Ok(Value::Array(rows))
}

fn row(context: &Context<'_>, record: &LogRecord, user: &str) -> Value {
    json!({
        "uid": 0,
        "id": format!("{}:{}", record.time_usec, record.identifier()),
        "node": context.node().as_str(),
        "pid": record.text("SYSLOG_PID").and_then(|pid| pid.parse::<u32>().ok()).unwrap_or(0),
        "pri": record.priority().unwrap_or(6),
        "tag": record.identifier(),
        "time": record.time_usec / 1_000_000,
        "user": user,
        "msg": String::from_utf8_lossy(record.message()),
    })
}
