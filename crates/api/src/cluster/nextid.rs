//! A number for a new guest.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::VMID;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use serde_json::Value;

static PARAMETERS: &[Property] = &[VMID.optional()];

/// The lowest number that is free.
pub static GET: Method = Method {
    path: "/cluster/nextid",
    verb: Verb::Get,
    description: "Tells the lowest number that no guest has, or whether one is free.",
    parameters: &[PARAMETERS],
    permission: Permission::User,
    returns: Returns::Text,
    protected: false,
    scope: Scope::Api,
    run: next,
};

fn next(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    // A text: clients take no number (api.md 1.5).
    let Some(asked) = params.text("vmid") else {
        let (lower, upper) = range(context)?;
        return Ok(Value::from(context.store.next_free(lower, upper)?.to_string()));
    };
    let taken = context.store.list_all()?.into_iter().any(|(vmid, ..)| vmid.to_string() == asked);
    if taken {
        return Err(ApiError::parameter("vmid", &format!("VM {asked} already exists")));
    }
    Ok(Value::from(asked))
}

/// Where numbers are looked for, by `next-id` of `datacenter.cfg`: from the first up to below the second.
fn range(context: &Context<'_>) -> Result<(u32, u32), ApiError> {
    let settings = context.store.datacenter()?;
    let set = settings.get("next-id").unwrap_or_default();
    let number = |key: &str| {
        let parts = set.split(',').filter_map(|part| part.trim().split_once('='));
        parts.filter(|(name, _)| *name == key).find_map(|(_, value)| value.parse::<u32>().ok())
    };
    Ok((number("lower").unwrap_or(100), number("upper").unwrap_or(1_000_000)))
}
