//! The lists of tasks: of a node, with filters, and of the cluster.

use super::{is_own, row};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_NODE, VMID};
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use model::UserId;
use record::tasks::{self, Source, Task};
use serde_json::{Value, json};

const FIELDS: &[&str] = &["upid", "node", "pid", "pstart", "starttime", "type", "id", "user"];

static PARAMETERS: &[Property] = &[
    Property::boolean("errors").default("0").describe("Only tasks that failed."),
    Property::integer("limit").default("50").min(0).describe("How many at most; 0 for all."),
    Property::integer("since")
        .optional()
        .describe("Only tasks that began at this time or later, in seconds."),
    Property::string("source")
        .default("archive")
        .one_of(&["archive", "active", "all"])
        .describe("Tasks that have ended, those that run with the last ended ones, or both."),
    Property::integer("start").default("0").min(0).describe("How many to pass over, the newest ones."),
    Property::string("statusfilter")
        .optional()
        .describe("Only tasks that ended in one of these ways: ok, error, warning, unknown."),
    Property::string("typefilter").optional().describe("Only tasks of this type."),
    Property::integer("until")
        .optional()
        .describe("Only tasks that began at this time or earlier, in seconds."),
    Property::string("userfilter").optional().describe("Only tasks of users whose name holds this."),
    VMID.optional(),
];

/// The tasks of a node.
pub static LIST: Method = Method {
    path: "/nodes/{node}/tasks",
    verb: Verb::Get,
    description: "Lists the tasks of a node, the newest first.",
    parameters: &[AT_NODE, PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(FIELDS),
    protected: false,
    scope: Scope::Api,
    run: list,
};

/// The last tasks of all nodes.
pub static OF_CLUSTER: Method = Method {
    path: "/cluster/tasks",
    verb: Verb::Get,
    description: "Lists the tasks that run and the last ones that have ended.",
    parameters: &[],
    permission: Permission::User,
    returns: Returns::List(&["upid"]),
    protected: false,
    scope: Scope::Api,
    run: |context, _| {
        let auditor = is_auditor(context);
        let all = tasks::list(context.store.layout(), Source::Active)?.into_iter();
        let seen = all.filter(|task| auditor || is_own(&context.user, &task.upid.user));
        let rows = seen.map(|task| {
            let mut row = row(&task.upid);
            row.insert("saved".into(), json!(if task.status.is_some() { "1" } else { "0" }));
            end(&task).into_iter().for_each(|(key, value)| drop(row.insert(key.into(), value)));
            Value::Object(row)
        });
        Ok(Value::Array(rows.collect()))
    },
};

fn is_auditor(context: &Context<'_>) -> bool {
    context.authority.has_any(&format!("/nodes/{}", context.node()), &["Sys.Audit"])
}

fn list(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let filter = Filter::new(context, params)?;
    let source = match params.text("source") {
        Some("active") => Source::Active,
        Some("all") => Source::All,
        _ => Source::Archive,
    };
    let number =
        |name: &str, default| usize::try_from(params.number(name).unwrap_or(default)).unwrap_or(usize::MAX);
    let found: Vec<Task> =
        tasks::list(context.store.layout(), source)?.into_iter().filter(|task| filter.takes(task)).collect();
    context.set_total(found.len() as u64);
    let limit = Some(number("limit", 50)).filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let rows = found.iter().skip(number("start", 0)).take(limit).map(|task| {
        let mut row = row(&task.upid);
        end(task).into_iter().for_each(|(key, value)| drop(row.insert(key.into(), value)));
        if task.status.is_none() {
            row.insert("status".into(), json!("RUNNING"));
        }
        Value::Object(row)
    });
    Ok(Value::Array(rows.collect()))
}

/// When and how it ended.
fn end(task: &Task) -> impl IntoIterator<Item = (&'static str, Value)> + use<> {
    let ended = task.ended.map(|ended| ("endtime", json!(ended)));
    let status = task.status.as_ref().map(|status| ("status", json!(status)));
    ended.into_iter().chain(status)
}

/// The ways in which a task can end.
const WAYS: [&str; 4] = ["ok", "error", "warning", "unknown"];

fn way(status: &str) -> &'static str {
    match status {
        "OK" => "ok",
        "unexpected status" => "unknown",
        status if is_warnings(status) => "warning",
        _ => "error",
    }
}

fn is_warnings(status: &str) -> bool {
    let count = status.strip_prefix("WARNINGS: ").unwrap_or_default();
    !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit())
}

/// Which tasks are listed.
struct Filter<'a> {
    user: &'a UserId,
    auditor: bool,
    params: &'a Params,
    ways: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    fn new(context: &'a Context<'_>, params: &'a Params) -> Result<Self, ApiError> {
        let ways = params.list("statusfilter");
        if let Some(wrong) = ways.iter().find(|way| !WAYS.contains(way)) {
            let text = format!(
                "invalid format - value '{wrong}' does not have a value in the enumeration '{}'\n",
                WAYS.join(", ")
            );
            return Err(ApiError::parameter("statusfilter", &text));
        }
        Ok(Self { user: &context.user, auditor: is_auditor(context), params, ways })
    }

    fn takes(&self, task: &Task) -> bool {
        let Task { upid, status, .. } = task;
        let params = self.params;
        let way = status.as_deref().map(way);
        let time = |name: &str| params.text(name).and_then(|text| text.parse::<i64>().ok());
        let began = i64::try_from(upid.start_time).unwrap_or(i64::MAX);
        let user = upid.user.as_str().to_lowercase();
        (self.auditor || is_own(self.user, &upid.user))
            && (!params.flag("errors", false) || matches!(way, Some("error" | "unknown")))
            && (self.ways.is_empty() || way.is_some_and(|way| self.ways.contains(&way)))
            && params.text("typefilter").is_none_or(|kind| kind == upid.kind)
            && params.text("vmid").is_none_or(|vmid| vmid == upid.id)
            && params.text("userfilter").is_none_or(|part| user.contains(&part.to_lowercase()))
            && time("since").is_none_or(|since| began >= since)
            && time("until").is_none_or(|until| began <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_in_which_way_a_task_ended() {
        for (status, want) in [
            ("OK", "ok"),
            ("WARNINGS: 2", "warning"),
            ("WARNINGS: ", "error"),
            ("unexpected status", "unknown"),
            ("VM 100 already running", "error"),
        ] {
            assert_eq!(way(status), want);
        }
    }
}
