//! Pools: guests and storages that rights are given to together (api.md 2.3).

pub mod change;
mod refused;

pub use refused::Refused;

use crate::guest::live;
use crate::guest::summary::{Listed, visible};
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission, Refusal};
use ::config::format::Format;
use ::config::schema::Property;
use ::config::user_cfg::Pool;
use model::Vmid;
use serde_json::{Map, Value, json};

const POOL: Property = Property::string("poolid").format(Format::PoolId).describe("The name of the pool.");

const KIND: Property = Property::string("type")
    .optional()
    .one_of(&["qemu", "lxc", "storage"])
    .describe("Only members of this type.");

static LIST_PARAMETERS: &[Property] = &[POOL.optional(), KIND.requires("poolid")];

/// The pools, or one of them with its members.
pub static LIST: Method = Method {
    path: "/pools",
    verb: Verb::Get,
    description: "Lists the pools that the caller may see, or tells of one with its members.",
    parameters: &[LIST_PARAMETERS],
    permission: Permission::User,
    returns: Returns::List(&["poolid"]),
    protected: false,
    scope: Scope::Api,
    run: list,
};

static POOL_PARAMETERS: &[Property] = &[POOL, KIND];

/// A pool with its members.
pub static READ: Method = Method {
    path: "/pools/{poolid}",
    verb: Verb::Get,
    description: "Tells of a pool with its members.",
    parameters: &[POOL_PARAMETERS],
    permission: Permission::Privileges { path: "/pool/{poolid}", any_of: &["Pool.Audit"] },
    returns: Returns::Object(&["members"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| {
        let mut object = told(context, params.text("poolid").unwrap_or_default(), params)?;
        object.remove("poolid");
        Ok(Value::Object(object))
    },
};

fn list(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    if let Some(name) = params.text("poolid") {
        context.require(&format!("/pool/{name}"), &["Pool.Audit"])?;
        return Ok(json!([told(context, name, params)?]));
    }
    let cfg = context.user_cfg();
    let seen = cfg.pools.iter().filter(|(name, _)| {
        context.authority.has_any(&format!("/pool/{name}"), &["Pool.Audit", "Pool.Allocate"])
    });
    Ok(seen.map(|(name, pool)| Value::Object(head(name, pool))).collect())
}

fn head(name: &str, pool: &Pool) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("poolid".into(), json!(name));
    if !pool.comment.is_empty() {
        row.insert("comment".into(), json!(pool.comment));
    }
    row
}

/// A pool with those of its members that are there.
fn told(context: &Context<'_>, name: &str, params: &Params) -> Result<Map<String, Value>, ApiError> {
    let cfg = context.user_cfg();
    let pool = cfg.pools.get(name).ok_or_else(|| Refusal::NoPool(name.to_owned()))?;
    let wanted = |kind: &str| params.text("type").is_none_or(|only| only == kind);
    let node = context.node().as_str();
    let live = live::all(context)?;
    let guest = |(vmid, summary): &Listed| {
        let kind = summary.kind.as_str();
        json!({
            "id": format!("{kind}/{vmid}"),
            "type": kind,
            "vmid": vmid.get(),
            "name": summary.name,
            "node": node,
            "status": if live.contains_key(vmid) { "running" } else { "stopped" },
            "template": u8::from(summary.template),
            "maxcpu": summary.cpus(),
            "maxmem": summary.maxmem,
            "maxdisk": summary.maxdisk,
        })
    };
    let guests = visible(context, None)?;
    let own =
        guests.iter().filter(|(vmid, summary)| pool.vms.contains(vmid) && wanted(summary.kind.as_str()));
    let mut members: Vec<Value> = own.map(guest).collect();
    let storages = pool.storage.iter().filter(|storage| {
        wanted("storage") && context.authority.has_any(&format!("/storage/{storage}"), &["Datastore.Audit"])
    });
    members.extend(storages.map(|storage| {
        json!({
            "id": format!("storage/{node}/{storage}"),
            "type": "storage",
            "storage": storage.as_str(),
            "node": node,
        })
    }));
    let mut object = head(name, pool);
    object.insert("members".into(), Value::Array(members));
    Ok(object)
}

/// Refuses to make a guest for a pool that is not there.
///
/// # Errors
/// Proxmox VE's text.
pub(crate) fn check(context: &Context<'_>, params: &Params) -> Result<(), ApiError> {
    match params.text("pool") {
        Some(pool) if !context.store.user_cfg()?.0.pools.contains_key(pool) => {
            Err(Refusal::NoPool(pool.to_owned()).into())
        }
        _ => Ok(()),
    }
}

/// Puts a new guest into the pool that it was made for.
///
/// # Errors
/// The pool is gone meanwhile, or `user.cfg` cannot be changed.
pub(crate) fn join(context: &Context<'_>, params: &Params, vmid: Vmid) -> Result<(), ApiError> {
    let Some(pool) = params.text("pool") else { return Ok(()) };
    context.store.lock_access()?.change_users(|cfg| match cfg.pools.contains_key(pool) {
        true => {
            cfg.join_pool(pool, vmid);
            Ok(())
        }
        false => Err(Refusal::NoPool(pool.to_owned()).into()),
    })
}
