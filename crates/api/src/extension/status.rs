//! One screen about a root: where it is, what its guests do, what the host lacks.

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::VMID;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use keeper::client;
use model::{GuestKind, Vmid};
use record::journal;
use serde_json::{Value, json};
use std::path::Path;

static PARAMETERS: &[Property] = &[VMID.optional()];

/// `hookvisor status`
pub static STATUS: Method = Method {
    path: "/hookvisor/status",
    verb: Verb::Get,
    description: "Shows the root, its guests with the phases that run now, and what the host lacks.",
    parameters: &[PARAMETERS],
    permission: Permission::Privileges { path: "/", any_of: &["Sys.Audit"] },
    returns: Returns::Object(&["root", "node", "version", "journal", "guests", "missing"]),
    protected: true,
    scope: Scope::Extension,
    run: status,
};

fn status(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let layout = context.store.layout();
    let mut guests = Vec::new();
    let only = params.text("vmid").and_then(|text| text.parse::<Vmid>().ok());
    if let Some(vmid) = only {
        context.store.read(context.store.find(vmid).unwrap_or(GuestKind::Qemu), vmid)?;
    }
    let wanted = context.store.list()?.into_iter().filter(|(vmid, _)| only.is_none_or(|only| only == *vmid));
    for (vmid, kind) in wanted {
        let Ok(config) = context.store.read(kind, vmid) else { continue };
        let state = client::state(layout, vmid);
        let name = match kind {
            GuestKind::Qemu => config.main.get("name"),
            GuestKind::Lxc => config.main.get("hostname"),
        };
        let status = match (&state.running, state.abandoned) {
            (Some(running), _) => running.qmpstatus.clone().unwrap_or_else(|| "running".to_owned()),
            (None, _) => "stopped".to_owned(),
        };
        guests.push(json!({
            "vmid": vmid.get(),
            "kind": kind.as_str(),
            "name": name,
            "status": status,
            "phase": state.phase.map(|phase| phase.as_str()),
            "stage": state.stage,
            "hook_pid": state.hook_pid,
            "keeper": state.keeper,
            "pid": state.running.as_ref().map(|running| running.pid),
            "uptime": state.running.as_ref().map(|running| running.uptime),
            "abandoned": u8::from(state.abandoned && state.keeper.is_none()),
            "hookscript": config.main.get("hookscript"),
        }));
    }
    Ok(json!({
        "root": layout.root().to_string_lossy(),
        "node": context.node().as_str(),
        "version": model::version(),
        "journal": journal_in_use(context),
        "guests": guests,
        "missing": doctor::missing(layout),
    }))
}

/// The socket that records go to, or the file that takes them where there is none.
fn journal_in_use(context: &Context<'_>) -> String {
    let folder = match journal::namespace() {
        Ok(None) => "journal".to_owned(),
        Ok(Some(name)) => format!("journal.{name}"),
        Err(error) => return error.to_string(),
    };
    let socket = Path::new("/run/systemd").join(folder).join("socket");
    if socket.exists() {
        socket.to_string_lossy().into_owned()
    } else {
        context.store.layout().fallback_record().to_string_lossy().into_owned()
    }
}
