//! What a hookscript is told in the JSON file that `HOOKVISOR_CONTEXT` names.
//!
//! The types here are the schema `hookvisor.context/1` and nothing else: every field is always there, null where the thing
//! itself is not. `docs/context.schema.json` says the same for other languages.

mod facts;
mod file;

pub use facts::{Earlier, Facts, MASKED};
pub use file::{WriteError, remove, write};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the schema. Within a version fields may be added; none changes its meaning or goes away.
pub const SCHEMA: &str = "hookvisor.context/1";

/// All that a hookscript is told about its call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// [`SCHEMA`].
    pub schema: String,
    /// The id of the run: the same in all phases from start to `post-stop`.
    pub run: String,
    /// The guest's number.
    pub vmid: u32,
    /// `qemu` or `lxc`.
    pub kind: String,
    /// The guest's name or hostname; may be empty.
    pub name: String,
    /// The host's name.
    pub node: String,
    /// The phase that it is called for.
    pub phase: String,
    /// Why the guest was started.
    pub start_reason: String,
    /// Why the guest stops; null where it does not.
    pub stop_cause: Option<String>,
    /// Who asked for what goes on.
    pub user: String,
    /// Which call of this script for this phase in this run, from 1.
    pub attempt: u32,
    /// The script itself.
    pub script: ScriptFacts,
    /// Its parameters, with the values that hold for this guest.
    pub params: BTreeMap<String, String>,
    /// The root that everything lies below.
    pub root: String,
    /// The guest's first process in the host's pids: QEMU, or the container's init; null while it does not run.
    pub pid: Option<u32>,
    /// Where the guest's files are, below the root.
    pub paths: Paths,
    /// The guest's configuration; null where it cannot be read.
    pub config: Option<Config>,
    /// The guest's network interfaces, by number.
    pub interfaces: Vec<Interface>,
    /// The calls of hookscripts in this run so far, in their order.
    pub earlier: Vec<Call>,
}

/// The script that is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptFacts {
    /// Its name in records: `local:snippets/x.sh`, `hooks.d/10-x`.
    pub name: String,
    /// The file.
    pub path: String,
    /// The SHA-256 of the file, in lower-case hexadecimal; null where it cannot be read.
    pub sha256: Option<String>,
    /// How long it may run, in milliseconds; null for as long as it likes.
    pub timeout_ms: Option<u64>,
}

/// Files of the guest. They are there when the guest runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paths {
    /// Its configuration.
    pub config: String,
    /// The pid file; null for a container.
    pub pid_file: Option<String>,
    /// QEMU's monitor; null for a container.
    pub qmp: Option<String>,
    /// The guest agent's socket; null for a container, and where no agent is configured.
    pub qga: Option<String>,
    /// The VNC socket; null for a container, and for a machine without display.
    pub vnc: Option<String>,
    /// The sockets of serial ports, by option: `serial0`.
    pub serial: BTreeMap<String, String>,
    /// LXC's folder of the container; null for a virtual machine.
    pub lxc: Option<String>,
    /// Where the container's root is mounted while it runs; null for a virtual machine.
    pub rootfs: Option<String>,
}

/// The guest's configuration, without snapshots and pending changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// SHA-1 of the file, by which Proxmox VE's clients see that it changed.
    pub digest: String,
    /// The notes; null where there are none.
    pub description: Option<String>,
    /// All options by key, as the file has them. Passwords are masked.
    pub options: BTreeMap<String, String>,
    /// The options that are made of parts, by key, each with its parts by name: `net0`, `scsi0`, `mp0`.
    pub properties: BTreeMap<String, BTreeMap<String, String>>,
    /// A container's raw LXC settings, in their order.
    pub lxc: Vec<(String, String)>,
}

/// A network interface of the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The option: `net0`.
    pub option: String,
    /// The host's end: `tap100i0`, `veth100i0`; null where the host has none, as with QEMU's own network.
    pub host: Option<String>,
    /// The guest's end, of a container: `eth0`.
    pub guest: Option<String>,
    /// The guest's MAC address, where it is configured.
    pub mac: Option<String>,
    /// The bridge.
    pub bridge: Option<String>,
}

/// A call of a hookscript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The phase.
    pub phase: String,
    /// The script's name in records.
    pub script: String,
    /// How it ended: `ok`, `exit`, `signal`, `timed-out`, `aborted`, `not-found`, `not-executable`, `not-a-snippet`,
    /// `cannot-spawn`, `refused`, `unknown`.
    pub outcome: String,
    /// Its exit code, where it ended by itself.
    pub exit_code: Option<i32>,
    /// The signal, where one ended it.
    pub signal: Option<i32>,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
}
