//! A call, as every transport makes it: find the method, see whether the caller may, check the parameters, run it.

use crate::permission::permit;
use crate::registry::find;
use crate::{ApiError, Context, Given, Method, Params, Refusal, Verb, check};
use serde_json::Value;
use std::collections::BTreeMap;

/// Calls the method that a verb and a path name.
///
/// As at Proxmox VE, whether the caller may is asked before the parameters are looked at.
///
/// # Errors
///
/// [`ApiError::NotImplemented`], [`ApiError::NoTicket`], [`ApiError::Denied`], [`ApiError::Parameters`], and what the method
/// fails with.
pub fn call(
    context: &Context<'_>,
    verb: Verb,
    path: &str,
    given: impl IntoIterator<Item = (String, Given)>,
) -> Result<Value, ApiError> {
    let unknown = || ApiError::NotImplemented { verb: verb.as_str(), path: path.to_owned() };
    let found = find(verb, path).ok_or_else(unknown)?;
    let mut all: BTreeMap<String, Given> = BTreeMap::new();
    for (name, value) in found.parameters {
        // This node has two names.
        let value = if name == "node" && value == "localhost" { context.node().to_string() } else { value };
        all.insert(name.to_owned(), Given::One(value));
    }
    for (name, value) in given {
        match all.get(&name) {
            Some(there)
                if *there != value && !(name == "node" && value == Given::One("localhost".into())) =>
            {
                return Err(ApiError::parameter(
                    &name,
                    "duplicate parameter (already defined in URI) with conflicting values!",
                ));
            }
            Some(_) => {}
            None => {
                all.insert(name, value);
            }
        }
    }
    let params = prepare(context, found.method, path, all)?;
    (found.method.run)(context, &params)
}

/// Sees whether the caller may call a method with what it gives, and checks that. `path` is what the caller asked for.
///
/// # Errors
///
/// [`ApiError::NoTicket`], [`ApiError::Denied`], [`ApiError::Parameters`], and [`Refusal::NoNode`].
pub fn prepare(
    context: &Context<'_>,
    method: &Method,
    path: &str,
    given: impl IntoIterator<Item = (String, Given)>,
) -> Result<Params, ApiError> {
    let given: BTreeMap<String, Given> = given.into_iter().collect();
    permit(&context.authority, &method.permission, path, &Params::unchecked(given.clone()))?;
    let params = check(method.parameters, given)?.calling(method.path);
    match params.text("node") {
        Some(node) if method.path.contains("{node}") && node != context.node().as_str() => {
            Err(Refusal::NoNode(node.to_owned()).into())
        }
        _ => Ok(params),
    }
}
