//! What a node is and uses (api.md 3.2).

use crate::host::{self, Memory, Space};
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_NODE;
use crate::{ApiError, Context, Params, Permission, version};
use serde_json::{Value, json};
use std::path::Path;

/// How a node is.
pub static STATUS: Method = Method {
    path: "/nodes/{node}/status",
    verb: Verb::Get,
    description: "Tells what a node is and what it uses.",
    parameters: &[AT_NODE],
    permission: Permission::Privileges { path: "/nodes/{node}", any_of: &["Sys.Audit"] },
    returns: Returns::Object(&[
        "boot-info",
        "cpu",
        "cpuinfo",
        "current-kernel",
        "loadavg",
        "memory",
        "pveversion",
        "rootfs",
    ]),
    protected: true,
    scope: Scope::Api,
    run: tell,
};

fn tell(_: &Context<'_>, _: &Params) -> Result<Value, ApiError> {
    let (uptime, idle) = host::uptime();
    let (cpu, wait) = host::cpu();
    let (memory, root) = (Memory::read(), Space::of(Path::new("/")));
    let uname = rustix::system::uname();
    let [system, release, version, machine] =
        [uname.sysname(), uname.release(), uname.version(), uname.machine()]
            .map(|text| text.to_string_lossy().into_owned());
    Ok(json!({
        "uptime": uptime,
        "idle": idle,
        "loadavg": host::load(),
        "kversion": format!("{system} {release} {version}"),
        "current-kernel": {"sysname": system, "release": release, "version": version, "machine": machine},
        "boot-info": host::boot_info(),
        "cpuinfo": host::cpu_info(),
        "cpu": cpu,
        "wait": wait,
        "memory": {
            "total": memory.total,
            "free": memory.free,
            "available": memory.available,
            "used": memory.used(),
        },
        "swap": {
            "total": memory.swap_total,
            "free": memory.swap_free,
            "used": memory.swap_total.saturating_sub(memory.swap_free),
        },
        "ksm": {"shared": host::shared_by_ksm()},
        "rootfs": {
            "total": root.total,
            "used": root.used,
            "avail": root.available,
            "free": root.total.saturating_sub(root.used),
        },
        "pveversion": version::manager(),
    }))
}
