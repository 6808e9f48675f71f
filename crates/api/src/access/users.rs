//! Users.

use super::{COMMENT, EXPIRE, Refused, USERID, guard_root, password, refused, rights, tokens, userid};
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Groups, Params, Permission};
use ::access::roles::PRIVILEGES;
use ::config::format::Format;
use ::config::schema::Property;
use ::config::secrets::Form;
use ::config::user_cfg::{User, UserCfg};
use model::UserId;
use serde_json::{Map, Value, json};

const MODIFY: &[&str] = &["User.Modify"];
const SEE: &[&str] = &["User.Modify", "Sys.Audit"];

pub(super) const MANAGE: Permission = Permission::Groups { any_of: MODIFY, of: Groups::Present };

static LIST_PARAMETERS: &[Property] = &[
    Property::boolean("enabled").optional().describe("Only users who may log in, or who may not."),
    Property::boolean("full").default("0").describe("Tells their groups and tokens, too."),
];

/// `hookvisor user list`
pub static LIST: Method = Method {
    path: "/access/users",
    verb: Verb::Get,
    description: "Lists the users that the caller may see.",
    parameters: &[LIST_PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(&["userid", "enable", "expire"]),
    protected: false,
    scope: Scope::Api,
    run: list,
};

fn list(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let rights = rights(context)?;
    let cfg = rights.cfg();
    let all = context.authority.has_any("/access/groups", SEE);
    let sees = |user: &UserId| {
        all || context.user.owner() == *user
            || cfg
                .groups_of(user)
                .any(|name| context.authority.has_any(&format!("/access/groups/{name}"), SEE))
    };
    let realms = context.store.realms()?;
    let mut rows = Vec::new();
    for (id, user) in cfg.users.iter().filter(|(id, _)| sees(id)) {
        if params.has("enabled") && params.flag("enabled", false) != user.enable {
            continue;
        }
        let mut row = told(user);
        row.insert("userid".into(), json!(id));
        if let Some(realm) = realms.iter().find(|realm| realm.name == id.realm()) {
            row.insert("realm-type".into(), json!(realm.kind));
        }
        if params.flag("full", false) {
            row.insert("groups".into(), json!(cfg.groups_of(id).collect::<Vec<_>>().join(",")));
            row.insert("tokens".into(), tokens::list_of(user));
        }
        rows.push(Value::Object(row));
    }
    Ok(Value::Array(rows))
}

/// What is said about a user; empty texts are left out.
fn told(user: &User) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("enable".into(), json!(u8::from(user.enable)));
    row.insert("expire".into(), json!(user.expire));
    for (key, text) in [
        ("firstname", &user.firstname),
        ("lastname", &user.lastname),
        ("email", &user.email),
        ("comment", &user.comment),
        ("keys", &user.keys),
    ] {
        if !text.is_empty() {
            row.insert(key.into(), json!(text));
        }
    }
    row
}

static CHANGE_PARAMETERS: &[Property] = &[
    COMMENT,
    Property::string("email")
        .optional()
        .format(Format::Email)
        .max_length(254)
        .describe("The address of its mail."),
    Property::boolean("enable").default("1").describe("Whether it may log in."),
    EXPIRE,
    Property::string("firstname").optional().max_length(1024).describe("The first name."),
    Property::string("groups")
        .optional()
        .format(Format::List(&Format::Name))
        .describe("The groups that it is in, a list."),
    Property::string("keys")
        .optional()
        .pattern("[0-9a-zA-Z!=]{0,4096}", |text| {
            text.len() <= 4096 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!=".contains(&b))
        })
        .describe("Keys of a second factor. Somebody who has one cannot log in with a password alone."),
    Property::string("lastname").optional().max_length(1024).describe("The last name."),
];

static CREATE_PARAMETERS: &[Property] = &[
    USERID,
    Property::string("password")
        .optional()
        .min_length(8)
        .max_length(64)
        .describe("The password, for the realm 'pve'."),
];

/// `hookvisor user add`
pub static CREATE: Method = Method {
    path: "/access/users",
    verb: Verb::Post,
    description: "Makes a user.",
    parameters: &[CREATE_PARAMETERS, CHANGE_PARAMETERS],
    permission: Permission::AllOf(&[
        Permission::Realm,
        Permission::Groups { any_of: MODIFY, of: Groups::Asked },
    ]),
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: create,
};

fn create(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let id = userid(params)?;
    if !context.store.realms()?.iter().any(|realm| realm.name == id.realm()) {
        return Err(refused(Refused::NoRealm(id.realm().to_owned())));
    }
    let hash = params.text("password").map(|text| password::hash(&id, text)).transpose()?;
    let lock = context.store.lock_access()?;
    lock.change_users(|cfg| {
        if cfg.users.contains_key(&id) {
            return Err(refused(Refused::UserExists(id.clone())));
        }
        let user = User { enable: params.flag("enable", true), ..User::default() };
        cfg.users.insert(id.clone(), user);
        change(cfg, &id, params)?;
        // Before the user is there: a password that an earlier one of this name left must not be its own.
        if id.realm() == "pve" {
            lock.change_secrets(Form::Shadow, |secrets| {
                secrets.all.remove(id.name());
                secrets.all.extend(hash.map(|hash| (id.name().to_owned(), hash)));
            })?;
        }
        Ok(())
    })?;
    Ok(Value::Null)
}

/// Sets what the parameters say.
fn change(cfg: &mut UserCfg, id: &UserId, params: &Params) -> Result<(), ApiError> {
    let user = cfg.users.get_mut(id).ok_or_else(|| refused(Refused::NoUser(id.clone())))?;
    if params.has("enable") {
        user.enable = params.flag("enable", true);
    }
    if *id == UserId::root() && !user.enable {
        return Err(refused(Refused::Root));
    }
    if let Some(expire) = params.number("expire") {
        user.expire = expire;
    }
    for (key, place) in [
        ("firstname", &mut user.firstname),
        ("lastname", &mut user.lastname),
        ("email", &mut user.email),
        ("comment", &mut user.comment),
        ("keys", &mut user.keys),
    ] {
        if let Some(text) = params.text(key) {
            text.clone_into(place);
        }
    }
    if params.has("groups") {
        if !params.flag("append", false) {
            cfg.groups.values_mut().for_each(|group| {
                group.users.remove(id);
            });
        }
        for name in params.list("groups") {
            let group = cfg.groups.get_mut(name).ok_or_else(|| refused(Refused::NoGroup(name.to_owned())))?;
            group.users.insert(id.clone());
        }
    }
    Ok(())
}

static AT_USER: &[Property] = &[USERID];

/// What is known about one user.
pub static READ: Method = Method {
    path: "/access/users/{userid}",
    verb: Verb::Get,
    description: "Shows a user with its groups and tokens.",
    parameters: &[AT_USER],
    permission: Permission::Groups { any_of: SEE, of: Groups::Present },
    returns: Returns::Object(&["enable", "groups"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| {
        let id = userid(params)?;
        let rights = rights(context)?;
        let user = rights.cfg().users.get(&id).ok_or_else(|| refused(Refused::NoUser(id.clone())))?;
        let mut object = told(user);
        object.insert("groups".into(), json!(rights.cfg().groups_of(&id).collect::<Vec<_>>()));
        let tokens = user.tokens.iter().map(|(name, token)| (name.clone(), tokens::told(token)));
        object.insert("tokens".into(), Value::Object(tokens.collect()));
        Ok(Value::Object(object))
    },
};

static UPDATE_PARAMETERS: &[Property] = &[
    Property::boolean("append").optional().requires("groups").describe("Adds the groups to those it is in."),
    USERID,
];

/// A change of a user.
pub static UPDATE: Method = Method {
    path: "/access/users/{userid}",
    verb: Verb::Put,
    description: "Changes a user.",
    parameters: &[UPDATE_PARAMETERS, CHANGE_PARAMETERS],
    permission: Permission::Groups { any_of: MODIFY, of: Groups::Both },
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let id = userid(params)?;
        guard_root(context, &id)?;
        context.store.lock_access()?.change_users(|cfg| change(cfg, &id, params))?;
        Ok(Value::Null)
    },
};

/// `hookvisor user delete`
pub static DELETE: Method = Method {
    path: "/access/users/{userid}",
    verb: Verb::Delete,
    description: "Removes a user with its tokens, its password, and whatever it was given.",
    parameters: &[AT_USER],
    permission: Permission::AllOf(&[Permission::Realm, MANAGE]),
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let id = userid(params)?;
        if id == UserId::root() {
            return Err(refused(Refused::Root));
        }
        let lock = context.store.lock_access()?;
        lock.change_users(|cfg| match cfg.remove_user(&id) {
            true => Ok(()),
            false => Err(refused(Refused::NoUser(id.clone()))),
        })?;
        // What is left of a user that is gone is of no use to anybody, and a new one does not take it over.
        lock.change_secrets(Form::Tokens, |secrets| {
            secrets.all.retain(|token, _| !token.starts_with(&format!("{id}!")));
        })?;
        if id.realm() == "pve" {
            lock.change_secrets(Form::Shadow, |secrets| drop(secrets.all.remove(id.name())))?;
        }
        Ok(Value::Null)
    },
};

/// Refuses privileges that do not exist.
pub(super) fn check_privileges(names: &[&str]) -> Result<(), ApiError> {
    match names.iter().find(|name| !PRIVILEGES.contains(*name)) {
        Some(name) => Err(refused(Refused::NoPrivilege((*name).to_owned()))),
        None => Ok(()),
    }
}
