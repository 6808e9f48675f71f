//! What can be done to a guest besides its life: clients ask before they offer it.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_GUEST;
use crate::{Permission, Refusal};
use ::config::format::Format;
use ::config::schema::Property;
use model::GuestKind;
use serde_json::{Value, json};

static PARAMETERS: &[Property] = &[
    Property::string("feature").one_of(&["snapshot", "clone", "copy"]).describe("What is asked about."),
    Property::string("snapname")
        .optional()
        .format(Format::ConfigId)
        .max_length(40)
        .describe("The snapshot that it would be done to."),
];

/// Of a virtual machine.
pub static OF_MACHINE: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/feature",
    verb: Verb::Get,
    description: "Tells whether a virtual machine can be cloned, copied or have snapshots taken: none of it here.",
    parameters: &[AT_GUEST, PARAMETERS],
    permission: Permission::guest(&["VM.Audit"]),
    returns: Returns::Object(&["hasFeature", "nodes"]),
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let config = context.read(GuestKind::Qemu, params.vmid())?;
        known(&config, params.text("snapname"))?;
        Ok(json!({"hasFeature": 0, "nodes": []}))
    },
};

/// Of a container.
pub static OF_CONTAINER: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/feature",
    verb: Verb::Get,
    description: "Tells whether a container can be cloned, copied or have snapshots taken: none of it here.",
    parameters: &[AT_GUEST, PARAMETERS],
    permission: Permission::guest(&["VM.Audit"]),
    returns: Returns::Object(&["hasFeature"]),
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let config = context.read(GuestKind::Lxc, params.vmid())?;
        known(&config, params.text("snapname"))?;
        Ok(json!({"hasFeature": 0}))
    },
};

fn known(config: &::config::GuestConfig, snapshot: Option<&str>) -> Result<Value, Refusal> {
    match snapshot.filter(|name| !config.snapshots.contains_key(*name)) {
        Some(name) => Err(Refusal::NoSnapshot(name.to_owned())),
        None => Ok(Value::Null),
    }
}
