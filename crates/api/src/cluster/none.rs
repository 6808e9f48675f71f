//! What one node alone has none of: replication, backup jobs, jobs. The lists are there because clients ask for them.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_NODE;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use serde_json::Value;

fn none(_: &Context<'_>, _: &Params) -> Result<Value, ApiError> {
    Ok(Value::Array(Vec::new()))
}

const fn empty(
    path: &'static str,
    description: &'static str,
    parameters: &'static [&'static [Property]],
    permission: Permission,
) -> Method {
    Method {
        path,
        verb: Verb::Get,
        description,
        parameters,
        permission,
        returns: Returns::List(&[]),
        protected: false,
        scope: Scope::Api,
        run: none,
    }
}

const AUDIT: Permission = Permission::Privileges { path: "/", any_of: &["Sys.Audit"] };

/// Jobs that back guests up.
pub static BACKUP: Method =
    empty("/cluster/backup", "Lists the jobs that back guests up: there are none.", &[], Permission::User);

/// Jobs that replicate guests.
pub static REPLICATION: Method = empty(
    "/cluster/replication",
    "Lists the jobs that replicate guests: there are none.",
    &[],
    Permission::User,
);

/// Jobs that bring realms up to date.
pub static REALM_SYNC: Method =
    empty("/cluster/jobs/realm-sync", "Lists the jobs that synchronise realms: there are none.", &[], AUDIT);

/// Jobs that replicate guests of a node.
pub static NODE_REPLICATION: Method = empty(
    "/nodes/{node}/replication",
    "Lists how jobs that replicate guests of this node stand: there are none.",
    &[AT_NODE],
    Permission::User,
);

/// High-availability groups.
pub static HA_GROUPS: Method = empty(
    "/cluster/ha/groups",
    "Lists the groups of nodes for high availability: there are none.",
    &[],
    AUDIT,
);

/// High-availability resources.
pub static HA_RESOURCES: Method = empty(
    "/cluster/ha/resources",
    "Lists the guests that are highly available: there are none.",
    &[HA_TYPE],
    AUDIT,
);

static HA_TYPE: &[Property] =
    &[Property::string("type").optional().one_of(&["ct", "vm"]).describe("Only resources of this type.")];

/// High-availability rules.
pub static HA_RULES: Method = empty(
    "/cluster/ha/rules",
    "Lists the rules of where highly available guests run: there are none.",
    &[HA_RULE],
    AUDIT,
);

static HA_RULE: &[Property] = &[
    Property::string("resource").optional().describe("Only rules about this resource."),
    Property::string("type")
        .optional()
        .one_of(&["node-affinity", "resource-affinity"])
        .describe("Only rules of this type."),
];
