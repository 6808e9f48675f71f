//! The nodes: this one.

use crate::Permission;
use crate::cluster::resources;
use crate::method::{Method, Returns, Scope, Verb};
use serde_json::json;

/// All nodes.
pub static LIST: Method = Method {
    path: "/nodes",
    verb: Verb::Get,
    description: "Lists the nodes with what they use.",
    parameters: &[],
    permission: Permission::User,
    returns: Returns::List(&["node", "status"]),
    protected: false,
    scope: Scope::Api,
    run: |context, _| Ok(json!([resources::node(context)])),
};
