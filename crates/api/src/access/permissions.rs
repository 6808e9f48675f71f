//! What a user or token may do, path by path.

use super::rights;
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission};
use ::access::Rights;
use ::config::schema::Property;
use ::config::user_cfg::normal_path;
use model::UserId;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

static PARAMETERS: &[Property] = &[
    Property::string("path").optional().describe("Only this path."),
    Property::string("userid").optional().describe("A user or token; the caller if absent."),
];

/// What somebody may do.
pub static READ: Method = Method {
    path: "/access/permissions",
    verb: Verb::Get,
    description: "Tells the privileges of the caller, of one of its tokens, or of somebody else.",
    parameters: &[PARAMETERS],
    permission: Permission::User,
    returns: Returns::Object(&[]),
    protected: false,
    scope: Scope::Api,
    run: read,
};

/// The paths that are told about whatever the lists say.
const TOP: [&str; 10] = [
    "/",
    "/access",
    "/access/groups",
    "/access/realm",
    "/mapping",
    "/nodes",
    "/pool",
    "/sdn",
    "/storage",
    "/vms",
];

fn read(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let who: UserId = match params.text("userid") {
        None => context.user.clone(),
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::parameter("userid", "value does not look like a valid user name"))?,
    };
    // A token must not find out what its user may do.
    let own = who == context.user || (context.user.token().is_none() && who.owner() == context.user);
    if !own {
        context.require("/access", &["Sys.Audit"])?;
    }
    let rights = rights(context)?;
    let paths: BTreeSet<String> = match params.text("path") {
        Some(path) => {
            let path = normal_path(path).ok_or_else(|| ApiError::parameter("path", "invalid ACL path"))?;
            BTreeSet::from([path])
        }
        None => rights.paths().into_iter().chain(TOP.map(str::to_owned)).collect(),
    };
    let mut answer = Map::new();
    for path in paths {
        let there = rights.privileges(&who, &path);
        if !there.is_empty() {
            let pairs =
                there.into_iter().map(|(privilege, propagate)| (privilege, json!(u8::from(propagate))));
            answer.insert(path, Value::Object(pairs.collect()));
        }
    }
    Ok(Value::Object(answer))
}

/// What a log-in tells the user's own programs: privileges by the kind of thing, wherever they hold.
pub(super) fn capabilities(rights: &Rights, who: &UserId) -> Value {
    const KINDS: [(&str, &str, &[&str]); 7] = [
        ("access", "/access", &["User.", "Group.", "Permissions."]),
        ("dc", "/", &["Sys.Audit", "Sys.Modify", "SDN."]),
        ("mapping", "/mapping", &["Mapping.", "Permissions."]),
        ("nodes", "/nodes", &["Sys.", "Permissions."]),
        ("sdn", "/sdn", &["SDN.", "Permissions."]),
        ("storage", "/storage", &["Datastore.", "Permissions."]),
        ("vms", "/vms", &["VM.", "Permissions."]),
    ];
    let mut all = Map::new();
    for (kind, root, prefixes) in KINDS {
        let below = |path: &String| root != "/" && path.starts_with(&format!("{root}/"));
        let paths = rights.paths().into_iter().filter(below).chain([root.to_owned()]);
        let mut there = Map::new();
        for path in paths {
            let found = rights.privileges(who, &path).into_keys();
            let wanted = found.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)));
            there.extend(wanted.map(|name| (name, json!(1))));
        }
        all.insert(kind.to_owned(), Value::Object(there));
    }
    Value::Object(all)
}
