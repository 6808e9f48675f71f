//! Access control lists: who has which role where.

use super::{Refused, refused, rights};
use crate::method::{Method, Returns, Scope, Verb};
use crate::permission::modifies;
use crate::{ApiError, Context, Params, Permission};
use ::access::Rights;
use ::config::format::Format;
use ::config::schema::Property;
use ::config::user_cfg::{Subject, UserCfg, normal_path};
use model::UserId;
use serde_json::{Value, json};

/// All entries that the caller may see.
pub static READ: Method = Method {
    path: "/access/acl",
    verb: Verb::Get,
    description: "Lists who has which role where, as far as the caller may see it.",
    parameters: &[],
    permission: Permission::User,
    returns: Returns::List(&["path", "ugid", "type", "roleid", "propagate"]),
    protected: false,
    scope: Scope::Api,
    run: |context, _| {
        let rights = rights(context)?;
        let all = context.authority.has_any("/access", &["Sys.Audit"]);
        let mut rows = Vec::new();
        for (path, subjects) in &rights.cfg().acl {
            if !all && !context.authority.has_any(path, modifies(path)) {
                continue;
            }
            for (subject, roles) in subjects {
                let (kind, name) = match subject {
                    Subject::Group(name) => ("group", name.as_str()),
                    Subject::User(id) if id.token().is_some() => ("token", id.as_str()),
                    Subject::User(id) => ("user", id.as_str()),
                };
                rows.extend(roles.iter().map(|(role, propagate)| {
                    json!({
                        "path": path, "type": kind, "ugid": name, "roleid": role,
                        "propagate": u8::from(*propagate),
                    })
                }));
            }
        }
        Ok(Value::Array(rows))
    },
};

static PARAMETERS: &[Property] = &[
    Property::boolean("delete").optional().describe("Takes the roles away instead."),
    Property::string("groups").optional().format(Format::List(&Format::Name)).describe("Groups, a list."),
    Property::string("path").describe("What it is about: '/vms/100', '/storage/local', '/pool/dev' …"),
    Property::boolean("propagate").default("1").describe("Lets it hold below the path, too."),
    Property::string("roles").format(Format::List(&Format::Name)).describe("The roles, a list."),
    Property::string("tokens")
        .optional()
        .format(Format::List(&Format::TokenId))
        .describe("API tokens, a list."),
    Property::string("users").optional().format(Format::List(&Format::UserId)).describe("Users, a list."),
];

/// A change of an access control list.
pub static UPDATE: Method = Method {
    path: "/access/acl",
    verb: Verb::Put,
    description: "Gives roles on a path to users, groups or tokens, or takes them away.",
    parameters: &[PARAMETERS],
    permission: Permission::Permissions,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: update,
};

fn update(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let asked = params.text("path").unwrap_or_default();
    let invalid = || ApiError::parameter("path", "invalid ACL path");
    let path = normal_path(asked).filter(|path| is_known(path)).ok_or_else(invalid)?;
    if !["users", "groups", "tokens"].iter().any(|list| params.has(list)) {
        return Err(ApiError::parameter("users", "either 'users', 'groups' or 'tokens' is required"));
    }
    let (delete, propagate) = (params.flag("delete", false), params.flag("propagate", true));
    context.store.lock_access()?.change_users(|cfg| {
        let subjects = subjects(cfg, params, delete)?;
        let known = Rights::new(cfg.clone());
        for role in params.list("roles") {
            let privileges = known.role(role).ok_or_else(|| refused(Refused::NoRole(role.to_owned())))?;
            guard(context, &path, role, &privileges)?;
            for subject in &subjects {
                match delete {
                    true => cfg.revoke(&path, subject, role),
                    false => cfg.grant(&path, subject.clone(), role, propagate),
                }
            }
        }
        Ok(Value::Null)
    })
}

/// Whoever may only share what is theirs may share no more than they have.
fn guard(context: &Context<'_>, path: &str, role: &str, privileges: &[&str]) -> Result<(), ApiError> {
    let authority = &context.authority;
    if authority.has_any(path, &["Permissions.Modify"]) {
        return Ok(());
    }
    let own = privileges.iter().all(|privilege| authority.has_any(path, &[privilege]));
    // To take all away from somebody else is more than to share.
    if own && !privileges.is_empty() {
        return Ok(());
    }
    Err(ApiError::Denied(format!("{path}, Permissions.Modify for role '{role}'")))
}

fn subjects(cfg: &UserCfg, params: &Params, delete: bool) -> Result<Vec<Subject>, ApiError> {
    let mut subjects = Vec::new();
    for name in params.list("groups") {
        if !delete && !cfg.groups.contains_key(name) {
            return Err(refused(Refused::NoGroup(name.to_owned())));
        }
        subjects.push(Subject::Group(name.to_owned()));
    }
    for text in params.list("users").into_iter().chain(params.list("tokens")) {
        let id: UserId = text
            .parse()
            .map_err(|error: model::InvalidId| ApiError::parameter("users", &error.to_string()))?;
        let known = match id.token() {
            Some(_) => cfg.token(&id).is_some(),
            None => cfg.users.contains_key(&id),
        };
        match (known || delete, id.token()) {
            (true, _) => subjects.push(Subject::User(id)),
            (false, None) => return Err(refused(Refused::NoUser(id))),
            (false, Some(token)) => {
                return Err(refused(Refused::NoToken { user: id.owner(), token: token.to_owned() }));
            }
        }
    }
    Ok(subjects)
}

/// The paths that there are lists for (api.md 2.3).
fn is_known(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match parts[..] {
        [] | ["access" | "nodes" | "pool" | "sdn" | "storage" | "vms" | "mapping"] => true,
        ["access", "groups" | "realm"] | ["access", "groups" | "realm", _] => true,
        ["nodes" | "storage", _] => true,
        ["vms", vmid] => vmid.parse::<model::Vmid>().is_ok(),
        ["pool", ..] => parts.len() <= 4,
        ["sdn", ..] => parts.len() <= 5,
        ["mapping", ..] => parts.len() <= 3,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_things_have_lists() {
        for path in
            ["/", "/vms", "/vms/100", "/access/groups/g", "/storage/local", "/pool/a/b/c", "/mapping/pci/x"]
        {
            assert!(is_known(path), "{path}");
        }
        for path in ["/vm", "/vms/1", "/vms/100/x", "/access/users", "/storage/a/b", "/hookvisor"] {
            assert!(!is_known(path), "{path}");
        }
    }
}
