//! The context is made of what the keeper knows.

use super::{Call, Config, Context, Interface, Paths, SCHEMA, ScriptFacts};
use crate::digest::Digest;
use config::format::Format;
use config::property::{self, Properties};
use config::{GuestConfig, Section};
use model::{
    GuestKind, Layout, NodeName, Outcome, Phase, RunId, Script, StartReason, StopCause, UserId, Vmid,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What stands in place of a secret, as where Proxmox VE shows it (api.md 3.3).
pub const MASKED: &str = "**********";

/// Options whose values are secrets. Public keys are none, and `args` are on QEMU's command line for everybody to see.
const SECRETS: [&str; 1] = ["cipassword"];

/// What a keeper knows about a call that is about to be made.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Where everything lies.
    pub layout: &'a Layout,
    /// The host.
    pub node: &'a NodeName,
    /// The guest.
    pub vmid: Vmid,
    /// Its kind.
    pub kind: GuestKind,
    /// Its name or hostname.
    pub name: &'a str,
    /// The run.
    pub run: &'a RunId,
    /// Why it was started.
    pub reason: StartReason,
    /// Why it stops, where it does.
    pub cause: Option<StopCause>,
    /// Who asked.
    pub user: &'a UserId,
    /// The phase.
    pub phase: Phase,
    /// Which call of this script for this phase in this run, from 1.
    pub attempt: u32,
    /// The script.
    pub script: &'a Script,
    /// Its file.
    pub path: &'a Path,
    /// The file's digest, where it can be read.
    pub digest: Option<Digest>,
    /// How long it may run.
    pub limit: Option<Duration>,
    /// Its parameters with their values.
    pub params: BTreeMap<String, String>,
    /// The guest's first process, where it runs.
    pub pid: Option<u32>,
    /// The configuration, where it can be read.
    pub config: Option<&'a GuestConfig>,
    /// The calls of this run that have ended.
    pub earlier: &'a [Earlier],
}

/// A call that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The phase.
    pub phase: Phase,
    /// The script's name in records.
    pub script: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it ran.
    pub duration: Duration,
}

impl From<&Facts<'_>> for Context {
    fn from(facts: &Facts<'_>) -> Self {
        let main = facts.config.map(|config| &config.main);
        Self {
            schema: SCHEMA.to_owned(),
            run: facts.run.to_string(),
            vmid: facts.vmid.get(),
            kind: facts.kind.as_str().to_owned(),
            name: facts.name.to_owned(),
            node: facts.node.to_string(),
            phase: facts.phase.as_str().to_owned(),
            start_reason: facts.reason.as_str().to_owned(),
            stop_cause: facts.cause.map(|cause| cause.as_str().to_owned()),
            user: facts.user.to_string(),
            attempt: facts.attempt,
            script: ScriptFacts {
                name: facts.script.to_string(),
                path: text(facts.path),
                sha256: facts.digest.map(String::from),
                timeout_ms: facts.limit.map(millis),
            },
            params: facts.params.clone(),
            root: text(facts.layout.root()),
            pid: facts.pid,
            paths: paths(facts, main),
            config: facts.config.map(config),
            interfaces: main.map(|main| interfaces(facts, main)).unwrap_or_default(),
            earlier: facts.earlier.iter().map(call).collect(),
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn paths(facts: &Facts<'_>, main: Option<&Section>) -> Paths {
    let Facts { layout, node, vmid, kind, .. } = *facts;
    let machine = kind == GuestKind::Qemu;
    let run_file = |suffix: &str| text(&layout.run_qemu_file(vmid, suffix));
    let part = |option: &str, part: &str| {
        main.and_then(|main| properties(kind, main, option)).and_then(|all| all.get(part).map(str::to_owned))
    };
    let agent = part("agent", "enabled").is_some_and(|enabled| enabled == "1");
    let headless = part("vga", "type").is_some_and(|kind| kind == "none" || kind.starts_with("serial"));
    let serial = main.filter(|_| machine).into_iter().flat_map(|main| main.indexed("serial"));
    let folder = layout.lxc().join(vmid.to_string());
    Paths {
        config: text(&layout.guest_config(node, kind, vmid)),
        pid_file: machine.then(|| run_file("pid")),
        qmp: machine.then(|| run_file("qmp")),
        qga: (machine && agent).then(|| run_file("qga")),
        vnc: (machine && !headless).then(|| run_file("vnc")),
        serial: serial
            .filter(|(_, port)| *port == "socket")
            .map(|(index, _)| (format!("serial{index}"), run_file(&format!("serial{index}"))))
            .collect(),
        rootfs: (!machine).then(|| text(&folder.join("rootfs"))),
        lxc: (!machine).then(|| text(&folder)),
    }
}

/// The parts of an option that is made of such; none where it is not set or cannot be read.
fn properties(kind: GuestKind, section: &Section, key: &str) -> Option<Properties> {
    match config::options::find_in_file(kind, key)?.format? {
        Format::Properties(fields) => property::parse(section.get(key)?, fields).ok(),
        _ => None,
    }
}

fn config(config: &GuestConfig) -> Config {
    let main = &config.main;
    let masked = |key: &str, value: &str| if SECRETS.contains(&key) { MASKED } else { value }.to_owned();
    let parts = |key: &String| {
        let all = properties(config.kind, main, key)?;
        Some((key.clone(), all.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()))
    };
    Config {
        digest: config.digest.clone(),
        description: main.description.clone(),
        options: main.options.iter().map(|(key, value)| (key.clone(), masked(key, value))).collect(),
        properties: main.options.keys().filter_map(parts).collect(),
        lxc: main.lxc.clone(),
    }
}

fn interfaces(facts: &Facts<'_>, main: &Section) -> Vec<Interface> {
    let Facts { layout, vmid, kind, .. } = *facts;
    let interface = |(index, _): (u32, &str)| {
        let option = format!("net{index}");
        let parts = properties(kind, main, &option);
        let part = |key: &str| parts.as_ref().and_then(|parts| parts.get(key)).map(str::to_owned);
        let bridge = part("bridge");
        // Without a bridge QEMU makes a network of its own; a container's pair is there anyway.
        let on_host = kind == GuestKind::Lxc || bridge.is_some();
        Interface {
            host: on_host.then(|| layout.interface(kind, vmid, index)),
            guest: part("name"),
            mac: part("macaddr").or_else(|| part("hwaddr")),
            bridge,
            option,
        }
    };
    main.indexed("net").map(interface).collect()
}

fn call(earlier: &Earlier) -> Call {
    let (outcome, exit_code, signal) = match earlier.outcome {
        Outcome::Ok => ("ok", Some(0), None),
        Outcome::Exit(code) => ("exit", Some(code), None),
        Outcome::Signal(signal) => ("signal", None, Some(signal)),
        Outcome::TimedOut => ("timed-out", None, None),
        Outcome::Aborted => ("aborted", None, None),
        Outcome::NotFound => ("not-found", None, None),
        Outcome::NotExecutable => ("not-executable", None, None),
        Outcome::NotASnippet => ("not-a-snippet", None, None),
        Outcome::CannotSpawn => ("cannot-spawn", None, None),
        Outcome::Refused => ("refused", None, None),
        Outcome::Unknown => ("unknown", None, None),
    };
    Call {
        phase: earlier.phase.as_str().to_owned(),
        script: earlier.script.clone(),
        outcome: outcome.to_owned(),
        exit_code,
        signal,
        duration_ms: millis(earlier.duration),
    }
}
