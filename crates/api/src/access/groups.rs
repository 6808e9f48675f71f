//! Groups of users.

use super::{COMMENT, Refused, refused, rights};
use crate::method::{Method, Returns, Scope, Verb};
use crate::{Params, Permission};
use ::config::format::Format;
use ::config::schema::Property;
use ::config::user_cfg::Group;
use serde_json::{Map, Value, json};

const GROUPID: Property = Property::string("groupid").format(Format::Name).describe("The name of the group.");

const CHANGE: Permission = Permission::Privileges { path: "/access/groups", any_of: &["Group.Allocate"] };

static AT_GROUP: &[Property] = &[GROUPID];
static SETTINGS: &[Property] = &[COMMENT, GROUPID];

fn name(params: &Params) -> &str {
    params.text("groupid").unwrap_or_default()
}

/// All groups that the caller may see.
pub static LIST: Method = Method {
    path: "/access/groups",
    verb: Verb::Get,
    description: "Lists the groups that the caller may see.",
    parameters: &[],
    permission: Permission::User,
    returns: Returns::List(&["groupid", "users"]),
    protected: false,
    scope: Scope::Api,
    run: |context, _| {
        const SEE: &[&str] = &["User.Modify", "Sys.Audit", "Group.Allocate"];
        let rights = rights(context)?;
        let all = rights.cfg().groups.iter();
        let seen = all.filter(|(name, _)| context.authority.has_any(&format!("/access/groups/{name}"), SEE));
        let rows = seen.map(|(name, group)| {
            let users: Vec<&str> = group.users.iter().map(model::UserId::as_str).collect();
            let mut row = Map::new();
            row.insert("groupid".into(), json!(name));
            row.insert("users".into(), json!(users.join(",")));
            if !group.comment.is_empty() {
                row.insert("comment".into(), json!(group.comment));
            }
            Value::Object(row)
        });
        Ok(rows.collect())
    },
};

/// A new group.
pub static CREATE: Method = Method {
    path: "/access/groups",
    verb: Verb::Post,
    description: "Makes a group.",
    parameters: &[SETTINGS],
    permission: CHANGE,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        context.store.lock_access()?.change_users(|cfg| {
            let comment = params.text("comment").unwrap_or_default().to_owned();
            match cfg.groups.contains_key(name(params)) {
                true => Err(refused(Refused::GroupExists(name(params).to_owned()))),
                false => {
                    cfg.groups.insert(name(params).to_owned(), Group { comment, ..Group::default() });
                    Ok(Value::Null)
                }
            }
        })
    },
};

/// One group.
pub static READ: Method = Method {
    path: "/access/groups/{groupid}",
    verb: Verb::Get,
    description: "Shows a group with its members.",
    parameters: &[AT_GROUP],
    permission: Permission::Privileges { path: "/access/groups", any_of: &["Sys.Audit", "Group.Allocate"] },
    returns: Returns::Object(&["members"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| {
        let rights = rights(context)?;
        let found = rights.cfg().groups.get(name(params));
        let group = found.ok_or_else(|| refused(Refused::NoGroup(name(params).to_owned())))?;
        let mut answer = json!({"members": group.users});
        if !group.comment.is_empty() {
            answer["comment"] = json!(group.comment);
        }
        Ok(answer)
    },
};

/// A change of a group.
pub static UPDATE: Method = Method {
    path: "/access/groups/{groupid}",
    verb: Verb::Put,
    description: "Changes a group's note.",
    parameters: &[SETTINGS],
    permission: CHANGE,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        context.store.lock_access()?.change_users(|cfg| {
            let found = cfg.groups.get_mut(name(params));
            let group = found.ok_or_else(|| refused(Refused::NoGroup(name(params).to_owned())))?;
            if let Some(comment) = params.text("comment") {
                comment.clone_into(&mut group.comment);
            }
            Ok(Value::Null)
        })
    },
};

/// The end of a group.
pub static DELETE: Method = Method {
    path: "/access/groups/{groupid}",
    verb: Verb::Delete,
    description: "Removes a group, and whatever it was given.",
    parameters: &[AT_GROUP],
    permission: CHANGE,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        context.store.lock_access()?.change_users(|cfg| match cfg.remove_group(name(params)) {
            true => Ok(Value::Null),
            false => Err(refused(Refused::NoGroup(name(params).to_owned()))),
        })
    },
};
