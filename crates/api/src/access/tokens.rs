//! API tokens of users (api.md 2.2).

use super::{EXPIRE, Refused, USERID, guard_root, refused, rights, userid};
use crate::guest::fresh;
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission};
use ::config::format::Format;
use ::config::schema::Property;
use ::config::secrets::Form;
use ::config::user_cfg::{Token, User};
use model::UserId;
use serde_json::{Map, Value, json};

const OWN: Permission = Permission::AnyOf(&[Permission::Own, super::users::MANAGE]);

const TOKENID: Property =
    Property::string("tokenid").format(Format::Realm).describe("The name of the token.");

static AT_USER: &[Property] = &[USERID];
static AT_TOKEN: &[Property] = &[TOKENID, USERID];

/// What is said about a token.
pub(super) fn told(token: &Token) -> Value {
    let mut row = Map::new();
    row.insert("privsep".into(), json!(u8::from(token.privsep)));
    row.insert("expire".into(), json!(token.expire));
    if !token.comment.is_empty() {
        row.insert("comment".into(), json!(token.comment));
    }
    Value::Object(row)
}

/// The tokens of a user.
pub(super) fn list_of(user: &User) -> Value {
    let rows = user.tokens.iter().map(|(name, token)| {
        let mut row = told(token);
        row["tokenid"] = json!(name);
        row
    });
    rows.collect()
}

/// `hookvisor user token list`
pub static LIST: Method = Method {
    path: "/access/users/{userid}/token",
    verb: Verb::Get,
    description: "Lists a user's API tokens.",
    parameters: &[AT_USER],
    permission: OWN,
    returns: Returns::List(&["tokenid", "privsep", "expire"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| {
        let id = userid(params)?;
        let rights = rights(context)?;
        rights.cfg().users.get(&id).map(list_of).ok_or_else(|| refused(Refused::NoUser(id)))
    },
};

/// One token.
pub static READ: Method = Method {
    path: "/access/users/{userid}/token/{tokenid}",
    verb: Verb::Get,
    description: "Shows an API token. Its secret is told only when it is made.",
    parameters: &[AT_TOKEN],
    permission: OWN,
    returns: Returns::Object(&["privsep", "expire"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| {
        let id = full(params)?;
        rights(context)?.cfg().token(&id).map(told).ok_or_else(|| missing(&id))
    },
};

fn full(params: &Params) -> Result<UserId, ApiError> {
    let invalid = |error: model::InvalidId| ApiError::parameter("tokenid", &error.to_string());
    userid(params)?.with_token(params.text("tokenid").unwrap_or_default()).map_err(invalid)
}

fn missing(id: &UserId) -> ApiError {
    let token = id.token().unwrap_or_default().to_owned();
    refused(Refused::NoToken { user: id.owner(), token })
}

static SETTINGS: &[Property] = &[
    super::COMMENT,
    EXPIRE,
    Property::boolean("privsep")
        .default("1")
        .describe("Gives it no more than what it is granted itself, and nothing that its user may not do."),
];

/// `hookvisor user token add`
pub static CREATE: Method = Method {
    path: "/access/users/{userid}/token/{tokenid}",
    verb: Verb::Post,
    description: "Makes an API token. Its secret is told this once.",
    parameters: &[AT_TOKEN, SETTINGS],
    permission: OWN,
    returns: Returns::Object(&["full-tokenid", "info", "value"]),
    protected: true,
    scope: Scope::Api,
    run: create,
};

fn create(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let id = full(params)?;
    guard_root(context, &id.owner())?;
    let secret = secret()?;
    let lock = context.store.lock_access()?;
    let made = lock.change_users(|cfg| {
        let user = cfg.users.get_mut(&id.owner()).ok_or_else(|| refused(Refused::NoUser(id.owner())))?;
        let name = id.token().unwrap_or_default();
        if user.tokens.contains_key(name) {
            return Err(ApiError::parameter("tokenid", "Token already exists."));
        }
        let usual = Token { privsep: true, expire: user.expire, ..Token::default() };
        let token = changed(usual, params);
        user.tokens.insert(name.to_owned(), token.clone());
        // Before the token is there: nobody may use it with a secret that was left behind.
        lock.change_secrets(Form::Tokens, |secrets| {
            drop(secrets.all.insert(id.to_string(), secret.clone()))
        })?;
        Ok::<_, ApiError>(token)
    })?;
    Ok(json!({"full-tokenid": id, "value": secret, "info": told(&made)}))
}

fn secret() -> Result<String, ApiError> {
    fresh::uuid().map_err(|_| refused(Refused::NoRandom))
}

fn changed(mut token: Token, params: &Params) -> Token {
    token.privsep = params.flag("privsep", token.privsep);
    token.expire = params.number("expire").unwrap_or(token.expire);
    if let Some(comment) = params.text("comment") {
        comment.clone_into(&mut token.comment);
    }
    token
}

static UPDATE_PARAMETERS: &[Property] = &[
    Property::string("delete")
        .optional()
        .format(Format::List(&Format::ConfigId))
        .describe("The settings to take away, a list."),
    Property::boolean("regenerate")
        .optional()
        .describe("Makes a new secret; the one before is worth nothing then."),
];

/// A change of a token.
pub static UPDATE: Method = Method {
    path: "/access/users/{userid}/token/{tokenid}",
    verb: Verb::Put,
    description: "Changes an API token, or its secret.",
    parameters: &[AT_TOKEN, UPDATE_PARAMETERS, SETTINGS],
    permission: OWN,
    returns: Returns::Object(&["privsep", "expire"]),
    protected: true,
    scope: Scope::Api,
    run: update,
};

fn update(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let id = full(params)?;
    guard_root(context, &id.owner())?;
    if let Some(name) = params.list("delete").into_iter().find(|name| *name != "comment") {
        return Err(ApiError::parameter("delete", &format!("unknown option '{name}'")));
    }
    let secret = if params.flag("regenerate", false) { Some(secret()?) } else { None };
    let lock = context.store.lock_access()?;
    let token = lock.change_users(|cfg| {
        let user = cfg.users.get_mut(&id.owner());
        let place = user.and_then(|user| user.tokens.get_mut(id.token().unwrap_or_default()));
        let place = place.ok_or_else(|| missing(&id))?;
        let mut token = changed(place.clone(), params);
        if params.list("delete").contains(&"comment") {
            token.comment.clear();
        }
        place.clone_from(&token);
        Ok::<_, ApiError>(token)
    })?;
    let mut answer = told(&token);
    if let Some(secret) = secret {
        lock.change_secrets(Form::Tokens, |secrets| {
            drop(secrets.all.insert(id.to_string(), secret.clone()))
        })?;
        answer["full-tokenid"] = json!(id);
        answer["value"] = json!(secret);
    }
    Ok(answer)
}

/// `hookvisor user token remove`
pub static DELETE: Method = Method {
    path: "/access/users/{userid}/token/{tokenid}",
    verb: Verb::Delete,
    description: "Removes an API token, and whatever it was given.",
    parameters: &[AT_TOKEN],
    permission: OWN,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let id = full(params)?;
        guard_root(context, &id.owner())?;
        let lock = context.store.lock_access()?;
        lock.change_users(|cfg| if cfg.remove_token(&id) { Ok(()) } else { Err(missing(&id)) })?;
        lock.change_secrets(Form::Tokens, |secrets| drop(secrets.all.remove(id.as_str())))?;
        Ok(Value::Null)
    },
};
