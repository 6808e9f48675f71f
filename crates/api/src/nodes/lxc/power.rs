//! Start, stop and what lies between, for containers (lifecycle.md 3.5). Other than for virtual machines, a guest in
//! the wrong state is refused before there is a task.

use crate::lifecycle;
use crate::method::{Method, Returns, Scope, Verb};
use crate::nodes::qemu::power::root_only;
use crate::schema::{AT_GUEST, SKIPLOCK, seconds};
use crate::{ApiError, Context, Params, Permission, Refusal};
use config::schema::Property;
use keeper::Request;
use model::GuestKind;
use serde_json::Value;

const KIND: GuestKind = GuestKind::Lxc;

const POWER: Permission = Permission::guest(&["VM.PowerMgmt"]);

static START_PARAMETERS: &[Property] =
    &[Property::boolean("debug").default("0").describe("Has LXC say more while it starts."), SKIPLOCK];

/// `pct start`
pub static START: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/status/start",
    verb: Verb::Post,
    description: "Starts a container.",
    parameters: &[AT_GUEST, START_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: start,
};

fn start(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    root_only(context, params, &["skiplock"])?;
    let vmid = params.vmid();
    context.read(KIND, vmid)?;
    let state = lifecycle::state(context, vmid);
    // While a phase goes on its keeper knows better: a hookscript may ask, or the guest is being stopped.
    if state.running.is_some() && !matches!(state.stage.as_str(), "post-start" | "pre-stop" | "stop") {
        return Err(Refusal::AlreadyRunning { kind: KIND, vmid }.into());
    }
    lifecycle::start(context, KIND, vmid, params.flag("skiplock", false), None)
}

static STOP_PARAMETERS: &[Property] = &[
    Property::boolean("overrule-shutdown").default("0").describe("Ends a shutdown that is under way."),
    SKIPLOCK,
];

/// `pct stop`
pub static STOP: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/status/stop",
    verb: Verb::Post,
    description: "Ends a container at once.",
    parameters: &[AT_GUEST, STOP_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        root_only(context, params, &["skiplock"])?;
        kept(context, params)?;
        let request = Request::Stop {
            user: context.user.clone(),
            skiplock: params.flag("skiplock", false),
            timeout: None,
        };
        lifecycle::ask(context, KIND, params.vmid(), &request)
    },
};

static SHUTDOWN_PARAMETERS: &[Property] = &[
    Property::boolean("forceStop").default("0").describe("Ends it when it takes longer."),
    seconds("timeout", "How long the shutdown may take, in seconds.").default("60"),
];

/// `pct shutdown`
pub static SHUTDOWN: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/status/shutdown",
    verb: Verb::Post,
    description: "Asks a container's init to shut down.",
    parameters: &[AT_GUEST, SHUTDOWN_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        kept(context, params)?;
        let request = Request::Shutdown {
            user: context.user.clone(),
            skiplock: false,
            timeout: Some(params.number("timeout").unwrap_or(60)),
            force: params.flag("forceStop", false),
            host: false,
        };
        lifecycle::ask(context, KIND, params.vmid(), &request)
    },
};

static REBOOT_PARAMETERS: &[Property] = &[seconds("timeout", "How long the shutdown may take, in seconds.")];

/// `pct reboot`
pub static REBOOT: Method = Method {
    path: "/nodes/{node}/lxc/{vmid}/status/reboot",
    verb: Verb::Post,
    description: "Shuts a container down and starts it again; pending changes take effect.",
    parameters: &[AT_GUEST, REBOOT_PARAMETERS],
    permission: POWER,
    returns: Returns::Upid,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let vmid = params.vmid();
        context.read(KIND, vmid)?;
        if !lifecycle::is_running(context, vmid) {
            return Err(Refusal::NoReboot(vmid).into());
        }
        let request = Request::Reboot { user: context.user.clone(), timeout: params.number("timeout") };
        lifecycle::ask(context, KIND, vmid, &request)
    },
};

/// Refuses a container that nothing keeps. One whose start is still under way can be stopped: that cancels it.
fn kept(context: &Context<'_>, params: &Params) -> Result<(), ApiError> {
    let vmid = params.vmid();
    context.read(KIND, vmid)?;
    if lifecycle::is_kept(context, vmid) {
        Ok(())
    } else {
        Err(Refusal::NotRunning { kind: KIND, vmid }.into())
    }
}
