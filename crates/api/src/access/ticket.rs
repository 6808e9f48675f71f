//! Log-in (api.md 2.1).

use super::permissions::capabilities;
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission};
use ::access::Access;
use ::config::format::Format;
use ::config::schema::Property;
use serde_json::{Value, json};

/// A page that asks for a log-in.
pub static READ: Method = Method {
    path: "/access/ticket",
    verb: Verb::Get,
    description: "Answers nothing, to whoever asks.",
    parameters: &[],
    permission: Permission::World,
    returns: Returns::Null,
    protected: false,
    scope: Scope::Api,
    run: |_, _| Ok(Value::Null),
};

static PARAMETERS: &[Property] = &[
    Property::boolean("new-format").default("1").describe("Is taken and changes nothing."),
    Property::string("otp").optional().describe("A second factor; is refused."),
    Property::string("password").describe("The password, or a ticket that is still valid."),
    Property::string("path")
        .optional()
        .max_length(64)
        .requires("privs")
        .describe("Only asks whether the user has privileges on this path."),
    Property::string("privs")
        .optional()
        .max_length(64)
        .requires("path")
        .describe("The privileges that it must have then, a list."),
    Property::string("realm")
        .optional()
        .format(Format::Realm)
        .max_length(32)
        .describe("The realm, where the name has none."),
    Property::string("tfa-challenge").optional().describe("The second step of a log-in; is refused."),
    Property::string("username").max_length(64).describe("The user, with its realm or without."),
];

/// A log-in.
pub static CREATE: Method = Method {
    path: "/access/ticket",
    verb: Verb::Post,
    description: "Logs a user in.",
    parameters: &[PARAMETERS],
    permission: Permission::Ticket(&Permission::World),
    returns: Returns::Object(&["username"]),
    protected: true,
    scope: Scope::Api,
    run: log_in,
};

fn log_in(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    if let Some(name) = ["otp", "tfa-challenge"].into_iter().find(|name| params.has(name)) {
        return Err(ApiError::parameter(name, "second factors are not supported"));
    }
    let text = |name| params.text(name).unwrap_or_default();
    let access = Access::open(context.store.layout());
    let from = context.peer.as_deref();
    let session = access.log_in_from(from, text("username"), params.text("realm"), text("password"))?;
    let rights = access.rights()?;
    let capabilities = capabilities(&rights, &session.user);
    if let Some(path) = params.text("path") {
        let missing = |name: &&str| !rights.has_any(&session.user, path, &[name]);
        if let Some(name) = params.list("privs").into_iter().find(missing) {
            return Err(ApiError::Denied(format!("{path}, {name}")));
        }
        return Ok(json!({"username": session.user, "cap": capabilities}));
    }
    Ok(json!({
        "username": session.user,
        "ticket": session.ticket,
        "CSRFPreventionToken": session.csrf,
        "cap": capabilities,
    }))
}
