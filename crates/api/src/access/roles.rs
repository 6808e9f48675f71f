//! Roles: privileges with a name.

use super::users::check_privileges;
use super::{Refused, refused, rights};
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission};
use ::access::roles::BUILT_IN;
use ::config::format::Format;
use ::config::schema::Property;
use serde_json::{Map, Value, json};

const ROLEID: Property = Property::string("roleid").format(Format::Name).describe("The name of the role.");

const PRIVS: Property = Property::string("privs").optional().describe("The privileges, a list.");

const CHANGE: Permission = Permission::Privileges { path: "/access", any_of: &["Sys.Modify"] };

static AT_ROLE: &[Property] = &[ROLEID];

fn name(params: &Params) -> &str {
    params.text("roleid").unwrap_or_default()
}

/// Refuses to change what is built in.
fn guard(params: &Params) -> Result<(), ApiError> {
    if BUILT_IN.contains_key(name(params)) {
        return Err(refused(Refused::BuiltIn(name(params).to_owned())));
    }
    Ok(())
}

/// All roles.
pub static LIST: Method = Method {
    path: "/access/roles",
    verb: Verb::Get,
    description: "Lists the roles with their privileges.",
    parameters: &[],
    permission: Permission::User,
    returns: Returns::List(&["roleid", "privs", "special"]),
    protected: false,
    scope: Scope::Api,
    run: |context, _| {
        let rights = rights(context)?;
        let built_in = BUILT_IN.iter().map(|(name, there)| (name, there.iter().copied().collect(), 1));
        let own = rights.cfg().roles.iter().filter(|(name, _)| !BUILT_IN.contains_key(*name));
        let own = own.map(|(name, there)| (name, there.iter().map(String::as_str).collect(), 0));
        let all: Vec<(&String, Vec<&str>, u8)> = built_in.chain(own).collect();
        let rows = all.into_iter().map(
            |(name, there, special)| json!({"roleid": name, "privs": there.join(","), "special": special}),
        );
        Ok(rows.collect())
    },
};

static CREATE_PARAMETERS: &[Property] = &[PRIVS, ROLEID];

/// A new role.
pub static CREATE: Method = Method {
    path: "/access/roles",
    verb: Verb::Post,
    description: "Makes a role.",
    parameters: &[CREATE_PARAMETERS],
    permission: CHANGE,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: create,
};

fn create(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let privileges = params.list("privs");
    check_privileges(&privileges)?;
    let role = name(params).to_owned();
    context.store.lock_access()?.change_users(|cfg| {
        if cfg.roles.contains_key(&role) || BUILT_IN.contains_key(&role) {
            return Err(refused(Refused::RoleExists(role)));
        }
        if role.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("pve")) {
            return Err(refused(Refused::RoleName));
        }
        cfg.roles.insert(role, privileges.into_iter().map(str::to_owned).collect());
        Ok(Value::Null)
    })
}

/// One role.
pub static READ: Method = Method {
    path: "/access/roles/{roleid}",
    verb: Verb::Get,
    description: "Shows the privileges of a role.",
    parameters: &[AT_ROLE],
    permission: Permission::User,
    returns: Returns::Object(&[]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| {
        let rights = rights(context)?;
        let there = rights.role(name(params));
        let there = there.ok_or_else(|| refused(Refused::NoRole(name(params).to_owned())))?;
        let pairs = there.into_iter().map(|privilege| (privilege.to_owned(), json!(1)));
        Ok(Value::Object(pairs.collect::<Map<_, _>>()))
    },
};

static UPDATE_PARAMETERS: &[Property] = &[
    Property::boolean("append").optional().requires("privs").describe("Adds the privileges to those it has."),
    PRIVS,
    ROLEID,
];

/// A change of a role.
pub static UPDATE: Method = Method {
    path: "/access/roles/{roleid}",
    verb: Verb::Put,
    description: "Changes the privileges of a role.",
    parameters: &[UPDATE_PARAMETERS],
    permission: CHANGE,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        guard(params)?;
        let privileges = params.list("privs");
        check_privileges(&privileges)?;
        context.store.lock_access()?.change_users(|cfg| {
            let role = cfg.roles.get_mut(name(params));
            let role = role.ok_or_else(|| refused(Refused::NoRole(name(params).to_owned())))?;
            if !params.flag("append", false) {
                role.clear();
            }
            role.extend(privileges.into_iter().map(str::to_owned));
            Ok(Value::Null)
        })
    },
};

/// The end of a role.
pub static DELETE: Method = Method {
    path: "/access/roles/{roleid}",
    verb: Verb::Delete,
    description: "Removes a role from wherever it was given.",
    parameters: &[AT_ROLE],
    permission: CHANGE,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        guard(params)?;
        context.store.lock_access()?.change_users(|cfg| match cfg.remove_role(name(params)) {
            true => Ok(Value::Null),
            false => Err(refused(Refused::NoRole(name(params).to_owned()))),
        })
    },
};
