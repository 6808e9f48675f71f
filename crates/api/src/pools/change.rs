//! Pools made, changed and removed (api.md 2.3). A guest is in one pool at most, a storage in any number.

use super::POOL;
use super::refused::Refused;
use crate::method::{Method, Returns, Scope, Verb};
use crate::permission::modifies;
use crate::{ApiError, Context, Params, Permission, Refusal};
use ::config::format::Format;
use ::config::schema::Property;
use ::config::user_cfg::{Pool, UserCfg};
use model::{StorageId, Vmid};
use serde_json::Value;
use std::collections::BTreeSet;

const MAY: Permission = Permission::Privileges { path: "/pool/{poolid}", any_of: &["Pool.Allocate"] };

const COMMENT: Property = Property::string("comment").optional().describe("What is noted about it.");

static NEW: &[Property] = &[COMMENT, POOL];

static AT_POOL: &[Property] = &[POOL];

static CHANGES: &[Property] = &[
    Property::boolean("allow-move").default("0").describe("Takes guests out of the pools that they are in."),
    COMMENT,
    Property::boolean("delete").default("0").describe("Takes the guests and storages out, not in."),
    POOL,
    Property::string("storage")
        .optional()
        .format(Format::List(&Format::StorageId))
        .describe("Storages to take in, a list."),
    Property::string("vms")
        .optional()
        .format(Format::List(&Format::Vmid))
        .describe("Guests to take in, a list."),
];

const fn method(
    path: &'static str,
    verb: Verb,
    description: &'static str,
    parameters: &'static [&'static [Property]],
    run: fn(&Context<'_>, &Params) -> Result<Value, ApiError>,
) -> Method {
    let (returns, scope) = (Returns::Null, Scope::Api);
    Method { path, verb, description, parameters, permission: MAY, returns, protected: true, scope, run }
}

/// A new pool.
pub static CREATE: Method = method("/pools", Verb::Post, "Makes a pool.", &[NEW], create);

/// A change of a pool.
pub static UPDATE: Method = method("/pools", Verb::Put, "Changes a pool.", &[CHANGES], update);

/// The end of a pool.
pub static DELETE: Method = method("/pools", Verb::Delete, "Removes an empty pool.", &[AT_POOL], delete);

/// As [`UPDATE`], by path; a pool within a pool has none.
pub static UPDATE_ONE: Method = method("/pools/{poolid}", Verb::Put, "Changes a pool.", &[CHANGES], update);

/// As [`DELETE`], by path.
pub static DELETE_ONE: Method =
    method("/pools/{poolid}", Verb::Delete, "Removes an empty pool.", &[AT_POOL], delete);

fn name(params: &Params) -> &str {
    params.text("poolid").unwrap_or_default()
}

fn refused(why: Refused) -> ApiError {
    Refusal::from(why).into()
}

fn create(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let name = name(params);
    context.store.lock_access()?.change_users(|cfg| {
        if cfg.pools.contains_key(name) {
            return Err(refused(Refused::Exists(name.to_owned())));
        }
        if let Some((parent, _)) =
            name.rsplit_once('/').filter(|(parent, _)| !cfg.pools.contains_key(*parent))
        {
            return Err(refused(Refused::NoParent { pool: name.to_owned(), parent: parent.to_owned() }));
        }
        let comment = params.text("comment").unwrap_or_default().to_owned();
        cfg.pools.insert(name.to_owned(), Pool { comment, ..Pool::default() });
        Ok(Value::Null)
    })
}

fn update(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let (name, away) = (name(params), params.flag("delete", false));
    let vms: BTreeSet<Vmid> = params.list("vms").iter().filter_map(|vmid| vmid.parse().ok()).collect();
    let storages: BTreeSet<StorageId> =
        params.list("storage").iter().filter_map(|id| id.parse().ok()).collect();
    let may_share = |path: &str| context.require(path, modifies(path));
    vms.iter().try_for_each(|vmid| may_share(&format!("/vms/{vmid}")))?;
    storages.iter().try_for_each(|storage| may_share(&format!("/storage/{storage}")))?;
    context.store.lock_access()?.change_users(|cfg| {
        let pool = cfg.pools.get_mut(name).ok_or_else(|| refused(Refused::NoPool(name.to_owned())))?;
        if let Some(comment) = params.text("comment") {
            comment.clone_into(&mut pool.comment);
        }
        for storage in storages {
            let (was, told) = match away {
                true => (pool.storage.remove(&storage), Refused::NoMember as fn(String) -> Refused),
                false => (pool.storage.insert(storage.clone()), Refused::Member as fn(String) -> Refused),
            };
            if !was {
                return Err(refused(told(format!("Storage '{storage}'"))));
            }
        }
        for vmid in vms {
            if away {
                let pool = cfg.pools.get_mut(name).filter(|pool| pool.vms.contains(&vmid));
                let pool = pool.ok_or_else(|| refused(Refused::NoMember(format!("VM {vmid}"))))?;
                pool.vms.remove(&vmid);
                continue;
            }
            take_in(context, cfg, name, vmid, params.flag("allow-move", false))?;
        }
        Ok(Value::Null)
    })
}

/// Takes a guest in, out of the pool that it was in where that is allowed.
fn take_in(
    context: &Context<'_>,
    cfg: &mut UserCfg,
    name: &str,
    vmid: Vmid,
    moves: bool,
) -> Result<(), ApiError> {
    let before = cfg.pools.iter().find(|(_, pool)| pool.vms.contains(&vmid)).map(|(other, _)| other.clone());
    match before {
        Some(other) if other == name => return Err(refused(Refused::Member(format!("VM {vmid}")))),
        Some(other) if !moves => return Err(refused(Refused::Elsewhere { vmid, pool: other })),
        Some(other) => context.require(&format!("/pool/{other}"), &["Pool.Allocate"])?,
        None => {}
    }
    cfg.join_pool(name, vmid);
    Ok(())
}

fn delete(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let name = name(params);
    let storages = context.storages()?;
    let there: BTreeSet<Vmid> = context.store.list_all()?.into_iter().map(|(vmid, ..)| vmid).collect();
    context.store.lock_access()?.change_users(|cfg| {
        let pool = cfg.pools.get(name).ok_or_else(|| refused(Refused::NotThere(name.to_owned())))?;
        // Members that are gone hold nothing.
        let vmid = pool.vms.iter().find(|vmid| there.contains(vmid)).map(|vmid| format!("VM {vmid}"));
        let storage = pool.storage.iter().find(|id| storages.get(id).is_ok());
        let inner = cfg.pools.keys().find(|other| other.starts_with(&format!("{name}/")));
        let holds = inner.map(|inner| format!("pool '{inner}'"));
        let holds = holds.or(vmid).or_else(|| storage.map(|storage| format!("storage '{storage}'")));
        match holds {
            Some(member) => Err(refused(Refused::NotEmpty { pool: name.to_owned(), member })),
            None => {
                cfg.remove_pool(name);
                Ok(Value::Null)
            }
        }
    })
}
