//! Which API this is.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_NODE;
use crate::{ApiError, Context, Params, Permission};
use serde_json::{Value, json};

/// The version of Proxmox VE whose API this is. Clients go by it.
pub(crate) const VERSION: &str = "9.2.11";

const RELEASE: &str = "9.2";

const FIELDS: &[&str] = &["version", "release", "repoid"];

/// The version of the API.
pub static GET: Method = Method {
    path: "/version",
    verb: Verb::Get,
    description: "Tells the version of the API.",
    parameters: &[],
    permission: Permission::User,
    returns: Returns::Object(FIELDS),
    protected: false,
    scope: Scope::Api,
    run: tell,
};

/// The same of a node.
pub static OF_NODE: Method = Method {
    path: "/nodes/{node}/version",
    verb: Verb::Get,
    description: "Tells the version of a node's API.",
    parameters: &[AT_NODE],
    permission: Permission::User,
    returns: Returns::Object(FIELDS),
    protected: false,
    scope: Scope::Api,
    run: tell,
};

fn tell(_: &Context<'_>, _: &Params) -> Result<Value, ApiError> {
    Ok(json!({"version": VERSION, "release": RELEASE, "repoid": build()}))
}

/// Names this build, in sixteen hexadecimal digits.
pub(crate) fn build() -> String {
    config::digest(format!("hookvisor {}", model::version()).as_bytes())[..16].to_owned()
}

/// `pve-manager/…`, as a node's status has it.
pub(crate) fn manager() -> String {
    format!("pve-manager/{VERSION}/{}", build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_is_named_in_hexadecimal_digits() {
        assert!(build().len() == 16 && build().bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert!(VERSION.starts_with(RELEASE));
    }
}
