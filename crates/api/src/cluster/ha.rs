//! High availability, which takes more than one node: clients see that nothing is managed.

use crate::method::{Method, Returns, Scope, Verb};
use crate::{Permission, Refusal};
use ::config::schema::Property;
use serde_json::json;

const AUDIT: Permission = Permission::Privileges { path: "/", any_of: &["Sys.Audit"] };

static SID: &[Property] = &[Property::string("sid").describe("The resource, as `vm:100` or a number.")];

/// One resource: there is none.
pub static RESOURCE: Method = Method {
    path: "/cluster/ha/resources/{sid}",
    verb: Verb::Get,
    description: "Tells about a highly available guest.",
    parameters: &[SID],
    permission: AUDIT,
    returns: Returns::Object(&[]),
    protected: false,
    scope: Scope::Api,
    run: |_, params| Err(Refusal::NoResource(params.text("sid").unwrap_or_default().to_owned()).into()),
};

/// How the cluster stands.
pub static CURRENT: Method = Method {
    path: "/cluster/ha/status/current",
    verb: Verb::Get,
    description: "Tells how the cluster stands.",
    parameters: &[],
    permission: AUDIT,
    returns: Returns::List(&["id", "node", "status", "type"]),
    protected: false,
    scope: Scope::Api,
    run: |context, _| {
        let node = context.node().as_str();
        Ok(json!([{"id": "quorum", "type": "quorum", "node": node, "status": "OK", "quorate": 1}]))
    },
};

/// What the manager of high availability knows.
pub static MANAGER: Method = Method {
    path: "/cluster/ha/status/manager_status",
    verb: Verb::Get,
    description: "Tells what the manager of high availability knows: nothing.",
    parameters: &[],
    permission: AUDIT,
    returns: Returns::Object(&["lrm_status", "manager_status", "quorum"]),
    protected: false,
    scope: Scope::Api,
    run: |context, _| {
        let node = context.node().as_str();
        Ok(json!({"lrm_status": {}, "manager_status": {}, "quorum": {"node": node, "quorate": "1"}}))
    },
};
