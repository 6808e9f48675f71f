//! Passwords of the realm `pve`.

use super::{Refused, USERID, guard_root, refused, rights, userid, users};
use crate::method::{Method, Returns, Scope, Verb};
use crate::{ApiError, Context, Params, Permission};
use ::access::Access;
use ::config::schema::Property;
use ::config::secrets::Form;
use model::UserId;
use serde_json::Value;

static PARAMETERS: &[Property] = &[
    Property::string("confirmation-password")
        .optional()
        .min_length(5)
        .max_length(64)
        .describe("The password of whoever asks; everybody but root@pam needs it."),
    Property::string("password").min_length(8).max_length(64).describe("The new password."),
    USERID,
];

/// `hookvisor user passwd`
pub static CHANGE: Method = Method {
    path: "/access/password",
    verb: Verb::Put,
    description: "Changes a user's password.",
    parameters: &[PARAMETERS],
    permission: Permission::Ticket(&Permission::AnyOf(&[
        Permission::Own,
        Permission::AllOf(&[Permission::Realm, users::MANAGE]),
    ])),
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: change,
};

fn change(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let id = userid(params)?;
    guard_root(context, &id)?;
    if !rights(context)?.cfg().users.contains_key(&id) {
        return Err(refused(Refused::NoUser(id)));
    }
    if !context.is_root() {
        let missing =
            || ApiError::parameter("confirmation-password", "property is missing and it is not optional");
        let own = params.text("confirmation-password").ok_or_else(missing)?;
        let access = Access::open(context.store.layout());
        access.log_in_from(context.peer.as_deref(), context.user.as_str(), None, own)?;
    }
    let hash = hash(&id, params.text("password").unwrap_or_default())?;
    context
        .store
        .lock_access()?
        .change_secrets(Form::Shadow, |secrets| drop(secrets.all.insert(id.name().to_owned(), hash)))?;
    Ok(Value::Null)
}

/// The hash of a new password of a user whose password is ours.
pub(super) fn hash(id: &UserId, password: &str) -> Result<String, ApiError> {
    if id.realm() != "pve" {
        return Err(refused(Refused::ForeignPassword(id.realm().to_owned())));
    }
    ::access::password::hash(password).ok_or_else(|| refused(Refused::NoRandom))
}
