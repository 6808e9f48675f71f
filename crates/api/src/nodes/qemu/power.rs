//! Start, stop and what lies between, for virtual machines (lifecycle.md 2.5). A task of the lifecycle runs in the
//! guest's keeper; where none lives there is nothing to do and the task says so at once.

use crate::lifecycle;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::{AT_GUEST, SKIPLOCK, seconds};
use crate::{ApiError, Context, Params, Permission, Refusal};
use config::format::Format;
use config::schema::Property;
use keeper::{MachineAction, Request};
use model::{GuestKind, Vmid};
use serde_json::Value;

const KIND: GuestKind = GuestKind::Qemu;

const POWER: Permission = Permission::guest(&["VM.PowerMgmt"]);

static START_PARAMETERS: &[Property] = &[
    Property::string("force-cpu").optional().describe("QEMU's -cpu, verbatim."),
    Property::string("machine").optional().max_length(40).describe("The machine type for this start."),
    Property::string("migratedfrom").optional().format(Format::Node).describe("The node that it comes from."),
    Property::string("migration_network").optional().describe("The network that a migration uses."),
    Property::string("migration_type")
        .optional()
        .one_of(&["secure", "insecure"])
        .describe("How a migration is carried over."),
    Property::string("nets-host-mtu").optional().describe("The MTU of network devices on the source."),
    SKIPLOCK,
    Property::string("stateuri").optional().max_length(128).describe("Where the state is read from."),
    Property::string("targetstorage").optional().describe("Which storages replace which."),
    seconds("timeout", "How long QEMU may take to come up, in seconds."),
    Property::boolean("with-conntrack-state").default("0").describe("Takes connection tracking along."),
];

/// `qm start`
pub static START: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/status/start",
    verb: Verb::Post,
    description: "Starts a virtual machine.",
    parameters: &[AT_GUEST, START_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: start,
};

fn start(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    root_only(context, params, START_ROOT_ONLY)?;
    if let Some(name) = START_UNSERVED.iter().find(|name| params.has(name)) {
        return Err(ApiError::parameter(name, "is not supported by this version of hookvisor"));
    }
    let skiplock = params.flag("skiplock", false);
    lifecycle::start(context, KIND, params.vmid(), skiplock, params.number("timeout"))
}

/// api.md 2.4, "root-only request params".
const START_ROOT_ONLY: &[&str] = &[
    "skiplock",
    "stateuri",
    "migratedfrom",
    "migration_type",
    "migration_network",
    "targetstorage",
    "force-cpu",
    "with-conntrack-state",
    "nets-host-mtu",
];

/// What belongs to migration and to starts from a state.
const START_UNSERVED: &[&str] = &[
    "force-cpu",
    "machine",
    "migratedfrom",
    "migration_network",
    "migration_type",
    "nets-host-mtu",
    "stateuri",
    "targetstorage",
    "with-conntrack-state",
];

/// Refuses parameters that only root@pam may use.
pub(crate) fn root_only(context: &Context<'_>, params: &Params, names: &[&str]) -> Result<(), ApiError> {
    match names.iter().find(|name| params.has(name) && !context.is_root()) {
        Some(name) => Err(ApiError::parameter(name, "Only root may use this option.")),
        None => Ok(()),
    }
}

static STOP_PARAMETERS: &[Property] = &[
    Property::boolean("keepActive").default("0").describe("Leaves storages and volumes active."),
    Property::string("migratedfrom").optional().format(Format::Node).describe("The node that it came from."),
    Property::boolean("overrule-shutdown").default("0").describe("Ends a shutdown that is under way."),
    SKIPLOCK,
    seconds("timeout", "How long the end may take before it is forced, in seconds."),
];

/// `qm stop`
pub static STOP: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/status/stop",
    verb: Verb::Post,
    description: "Ends a virtual machine at once, as if its plug were pulled.",
    parameters: &[AT_GUEST, STOP_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: stop,
};

fn stop(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    root_only(context, params, &["skiplock", "keepActive", "migratedfrom"])?;
    ask_or_rest(context, params.vmid(), "qmstop", &stop_request(context, params))
}

static SHUTDOWN_PARAMETERS: &[Property] = &[
    Property::boolean("forceStop").default("0").describe("Ends it when it takes longer."),
    Property::boolean("keepActive").default("0").describe("Leaves storages and volumes active."),
    SKIPLOCK,
    seconds("timeout", "How long the shutdown may take, in seconds."),
];

fn stop_request(context: &Context<'_>, params: &Params) -> Request {
    Request::Stop {
        user: context.user.clone(),
        skiplock: params.flag("skiplock", false),
        timeout: params.number("timeout"),
    }
}

/// `qm shutdown`
pub static SHUTDOWN: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/status/shutdown",
    verb: Verb::Post,
    description: "Asks a virtual machine to shut down, by its agent or its power button.",
    parameters: &[AT_GUEST, SHUTDOWN_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: shutdown,
};

fn shutdown(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    root_only(context, params, &["skiplock", "keepActive"])?;
    let (vmid, force) = (params.vmid(), params.flag("forceStop", false));
    if is_paused(context, vmid) {
        if !force {
            return Err(Refusal::Paused.into());
        }
        context.warn("VM is paused - stop instead of shutdown");
        return ask_or_rest(context, vmid, "qmshutdown", &stop_request(context, params));
    }
    let request = Request::Shutdown {
        user: context.user.clone(),
        skiplock: params.flag("skiplock", false),
        timeout: params.number("timeout"),
        force,
        host: false,
    };
    ask_or_rest(context, vmid, "qmshutdown", &request)
}

static REBOOT_PARAMETERS: &[Property] = &[seconds("timeout", "How long the shutdown may take, in seconds.")];

/// `qm reboot`
pub static REBOOT: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/status/reboot",
    verb: Verb::Post,
    description: "Shuts a virtual machine down and starts it again; pending changes take effect.",
    parameters: &[AT_GUEST, REBOOT_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: reboot,
};

fn reboot(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let vmid = params.vmid();
    context.read(KIND, vmid)?;
    if is_paused(context, vmid) {
        return Err(Refusal::Paused.into());
    }
    lifecycle::must_run(context, KIND, vmid)?;
    let request = Request::Reboot { user: context.user.clone(), timeout: params.number("timeout") };
    lifecycle::ask(context, KIND, vmid, &request)
}

static SKIPLOCK_ONLY: &[Property] = &[SKIPLOCK];

/// `qm reset`
pub static RESET: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/status/reset",
    verb: Verb::Post,
    description: "Presses a virtual machine's reset button.",
    parameters: &[AT_GUEST, SKIPLOCK_ONLY],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        root_only(context, params, &["skiplock"])?;
        act(context, params, MachineAction::Reset)
    },
};

static SUSPEND_PARAMETERS: &[Property] = &[
    SKIPLOCK,
    Property::string("statestorage")
        .optional()
        .format(Format::StorageId)
        .requires("todisk")
        .describe("Where the state is kept."),
    Property::boolean("todisk").default("0").describe("Writes the state to a volume and ends the machine."),
];

/// `qm suspend`
pub static SUSPEND: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/status/suspend",
    verb: Verb::Post,
    description: "Pauses a virtual machine.",
    parameters: &[AT_GUEST, SUSPEND_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        root_only(context, params, &["skiplock"])?;
        if params.flag("todisk", false) {
            return Err(ApiError::parameter("todisk", "is not supported by this version of hookvisor"));
        }
        act(context, params, MachineAction::Suspend)
    },
};

static RESUME_PARAMETERS: &[Property] =
    &[Property::boolean("nocheck").optional().describe("Does not look for the configuration."), SKIPLOCK];

/// `qm resume`
pub static RESUME: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/status/resume",
    verb: Verb::Post,
    description: "Lets a paused virtual machine go on.",
    parameters: &[AT_GUEST, RESUME_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        root_only(context, params, &["skiplock", "nocheck"])?;
        act(context, params, MachineAction::Resume)
    },
};

/// Something that needs a running machine and no phase.
fn act(context: &Context<'_>, params: &Params, action: MachineAction) -> Result<Value, ApiError> {
    lifecycle::must_run(context, KIND, params.vmid())?;
    let request =
        Request::Machine { user: context.user.clone(), action, skiplock: params.flag("skiplock", false) };
    lifecycle::ask(context, KIND, params.vmid(), &request)
}

fn is_paused(context: &Context<'_>, vmid: Vmid) -> bool {
    let running = lifecycle::state(context, vmid).running;
    running.is_some_and(|running| running.qmpstatus.as_deref() == Some("paused"))
}

/// A stop of a virtual machine that nothing keeps is a task with nothing to do (lifecycle.md 2.3).
fn ask_or_rest(
    context: &Context<'_>,
    vmid: Vmid,
    kind: &'static str,
    request: &Request,
) -> Result<Value, ApiError> {
    if lifecycle::is_kept(context, vmid) {
        match lifecycle::ask(context, KIND, vmid, request) {
            Err(ApiError::Refused(Refusal::NotRunning { .. })) => {}
            answer => return answer,
        }
    }
    crate::task::run(context, kind, &vmid.to_string(), |task| {
        let verb = if kind == "qmstop" { "stop" } else { "shutdown" };
        context.journal(&format!("{verb} VM {vmid}: {}", task.upid()), Some(vmid));
        if context.store.find(vmid) == Some(KIND) {
            Ok(())
        } else {
            Err(Refusal::NoVmHere { vmid, node: context.node().clone() }.into())
        }
    })
}
