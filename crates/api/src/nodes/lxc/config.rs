//! The configuration of a container: read, pending, changed, unlocked.

use crate::Permission;
use crate::guest::{show, update};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, CURRENT, DELETE, DIGEST, REVERT, SNAPSHOT};
use ::config::options::lxc::OPTIONS;
use ::config::schema::Property;
use model::GuestKind;
use serde_json::Value;

const KIND: GuestKind = GuestKind::Lxc;

const AUDIT: Permission = Permission::guest(&["VM.Audit"]);

const SCRIPT: Permission = Permission::guest(&[::access::roles::HOOKSCRIPT]);

const USUAL: Permission = Permission::guest(&[
    "VM.Config.Disk",
    "VM.Config.CPU",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
]);

static READ_PARAMETERS: &[Property] = &[CURRENT, SNAPSHOT];

/// `pct config`
pub static READ: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/config",
    verb: Verb::Get,
    description: "Shows a container's configuration, as it will hold with its pending changes.",
    parameters: &[AT_GUEST, READ_PARAMETERS],
    permission: AUDIT,
    returns: Returns::Object(&["digest"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| show::config(KIND, context, params),
};

/// `pct pending`
pub static PENDING: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/pending",
    verb: Verb::Get,
    description: "Shows a container's configuration beside the changes that wait for its next start.",
    parameters: &[AT_GUEST],
    permission: AUDIT,
    returns: Returns::List(&["key"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| show::pending(KIND, context, params),
};

static UPDATE_PARAMETERS: &[Property] = &[DELETE, DIGEST, REVERT];

/// `pct set`
pub static UPDATE: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/config",
    verb: Verb::Put,
    description: "Changes a container's configuration.",
    parameters: &[AT_GUEST, UPDATE_PARAMETERS, &OPTIONS],
    permission: Permission::Besides(&USUAL, &SCRIPT),
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| update::update(KIND, context, params).map(|()| Value::Null),
};

/// `pct unlock`
pub static UNLOCK: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/unlock",
    verb: Verb::Post,
    description: "Takes the lock out of a container's configuration.",
    parameters: &[AT_GUEST],
    permission: Permission::Root,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Command,
    run: |context, params| update::unlock(KIND, context, params.vmid()).map(|()| Value::Null),
};
