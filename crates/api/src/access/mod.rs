//! `/access`: users with their tokens, groups, roles and access control lists (api.md 2).

pub mod acl;
pub mod domains;
pub mod groups;
pub mod password;
pub mod permissions;
mod refused;
pub mod roles;
pub mod ticket;
pub mod tokens;
pub mod users;

pub use refused::Refused;

use crate::{ApiError, Context, Params, Refusal};
use ::access::Rights;
use ::config::format::Format;
use ::config::schema::Property;
use model::UserId;
use std::sync::Arc;

const USERID: Property = Property::string("userid")
    .format(Format::UserId)
    .max_length(64)
    .describe("The user with its realm: 'name@realm'.");

const COMMENT: Property = Property::string("comment").optional().max_length(2048).describe("A note.");

const EXPIRE: Property = Property::integer("expire")
    .optional()
    .min(0)
    .describe("When it ceases to be valid, in seconds since the Unix epoch; 0 for never.");

/// What everybody may do, as `user.cfg` says now or when the caller was let in.
fn rights(context: &Context<'_>) -> Result<Arc<Rights>, ApiError> {
    match &context.authority {
        crate::Authority::User(_, rights) => Ok(rights.clone()),
        _ => Ok(Arc::new(Rights::new(context.store.user_cfg()?.0))),
    }
}

/// The user that a call is about.
fn userid(params: &Params) -> Result<UserId, ApiError> {
    let text = params.text("userid").unwrap_or_default();
    text.parse().map_err(|error: model::InvalidId| ApiError::parameter("userid", &error.to_string()))
}

/// Refuses others than root what would make them root.
fn guard_root(context: &Context<'_>, user: &UserId) -> Result<(), ApiError> {
    if *user == UserId::root() && !context.is_root() {
        return Err(ApiError::Denied("user != root@pam".to_owned()));
    }
    Ok(())
}

/// As an error of a call.
pub(crate) fn refused(reason: Refused) -> ApiError {
    ApiError::from(Refusal::Account(reason))
}
