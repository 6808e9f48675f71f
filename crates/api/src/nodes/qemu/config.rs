//! The configuration of a virtual machine: read, pending, changed, unlocked.

use crate::guest::{show, update};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, CURRENT, DELETE, DIGEST, REVERT, SKIPLOCK, SNAPSHOT};
use crate::{Permission, task};
use ::config::options::qemu::OPTIONS;
use ::config::schema::Property;
use model::GuestKind;
use serde_json::Value;

const KIND: GuestKind = GuestKind::Qemu;

const AUDIT: Permission = Permission::guest(&["VM.Audit"]);

const CHANGE: Permission = Permission::Besides(&USUAL, &SCRIPT);

const SCRIPT: Permission = Permission::guest(&[::access::roles::HOOKSCRIPT]);

const USUAL: Permission = Permission::guest(&[
    "VM.Config.Disk",
    "VM.Config.CDROM",
    "VM.Config.CPU",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.HWType",
    "VM.Config.Options",
    "VM.Config.Cloudinit",
]);

static READ_PARAMETERS: &[Property] = &[CURRENT, SNAPSHOT];

/// `qm config`
pub static READ: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/config",
    verb: Verb::Get,
    description: "Shows a virtual machine's configuration, as it will hold with its pending changes.",
    parameters: &[AT_GUEST, READ_PARAMETERS],
    permission: AUDIT,
    returns: Returns::Object(&["digest"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| show::config(KIND, context, params),
};

/// `qm pending`
pub static PENDING: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/pending",
    verb: Verb::Get,
    description: "Shows a virtual machine's configuration beside the changes that wait for its next start.",
    parameters: &[AT_GUEST],
    permission: AUDIT,
    returns: Returns::List(&["key"]),
    protected: false,
    scope: Scope::Api,
    run: |context, params| show::pending(KIND, context, params),
};

static UPDATE_PARAMETERS: &[Property] = &[
    DELETE,
    DIGEST,
    Property::boolean("force")
        .optional()
        .requires("delete")
        .describe("Removes the volumes of deleted drives too, instead of keeping them as unused."),
    REVERT,
    SKIPLOCK,
];

/// `qm set`
pub static UPDATE: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/config",
    verb: Verb::Put,
    description: "Changes a virtual machine's configuration.",
    parameters: &[AT_GUEST, UPDATE_PARAMETERS, &OPTIONS],
    permission: CHANGE,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| update::update(KIND, context, params).map(|()| Value::Null),
};

static UPDATE_TASK_PARAMETERS: &[Property] = &[Property::integer("background_delay")
    .optional()
    .min(1)
    .max(30)
    .describe("Seconds to wait for the end of the change before its task is named.")];

/// The same change as a task.
pub static UPDATE_TASK: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/config",
    verb: Verb::Post,
    description: "Changes a virtual machine's configuration, in a task.",
    parameters: &[AT_GUEST, UPDATE_PARAMETERS, UPDATE_TASK_PARAMETERS, &OPTIONS],
    permission: CHANGE,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        update::check_request(KIND, context, params)?;
        task::run(context, "qmconfig", &params.vmid().to_string(), |_| update::update(KIND, context, params))
    },
};

/// `qm unlock`
pub static UNLOCK: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/unlock",
    verb: Verb::Post,
    description: "Takes the lock out of a virtual machine's configuration.",
    parameters: &[AT_GUEST],
    permission: Permission::Root,
    returns: Returns::Null,
    protected: true,
    scope: Scope::Command,
    run: |context, params| update::unlock(KIND, context, params.vmid()).map(|()| Value::Null),
};
