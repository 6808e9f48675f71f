//! What can be killed at an instant of a trace, and how a guest comes to rest afterwards.

use e2e::output::Output;
use e2e::promise::{self, Done};
use e2e::trace::{Held, Trace};
use e2e::{Behaviour, Guest, Host, Kind, proc, wait};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;
use std::fs;

/// Guests side by side, of each kind.
pub(crate) const LANES: usize = 3;

/// A guest that is up as soon as it can be.
#[track_caller]
pub(crate) fn quick_guest(host: &Host, kind: Kind) -> Guest<'_> {
    match kind {
        // The BIOS would show its menu for two seconds and a half.
        Kind::Vm => host.vm_with(&Behaviour::Obeys, &["--args", "-boot menu=off"]),
        Kind::Container => host.container(),
    }
}

/// What is done to the guest while something is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Start,
    Stop,
    Shutdown,
    Reboot,
    /// What a keeper left that was killed at another instant is taken over.
    Recovery,
}

impl Operation {
    pub(crate) const ALL: [Self; 5] = [Self::Start, Self::Stop, Self::Shutdown, Self::Reboot, Self::Recovery];

    /// Brings the guest to where the operation begins.
    pub(crate) fn prepare(self, guest: &Guest<'_>) {
        if matches!(self, Self::Stop | Self::Shutdown | Self::Reboot) {
            guest.start().ok();
        }
        if matches!(self, Self::Shutdown | Self::Reboot) {
            guest.wait_booted();
        }
    }

    /// Begins it, held.
    pub(crate) fn trace(self, host: &Host, guest: &Guest<'_>) -> Trace {
        let (program, id) = (guest.kind().command(), guest.id());
        let trace = match self {
            Self::Start => Trace::start(host, program, &["start", &id]),
            Self::Stop => Trace::start(host, program, &["stop", &id]),
            Self::Shutdown => {
                Trace::start(host, program, &["shutdown", &id, "--timeout", "5", "--forceStop", "1"])
            }
            Self::Reboot => Trace::start(host, program, &["reboot", &id, "--timeout", "5"]),
            Self::Recovery => Trace::start(host, "hookvisor", &["recover"]),
        };
        match self {
            Self::Stop | Self::Shutdown | Self::Reboot => trace.with_keeper(guest.keeper()),
            Self::Start | Self::Recovery => trace,
        }
    }
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    /// The keeper.
    Keeper,
    /// QEMU or lxc-start.
    Hypervisor,
    /// The container's init.
    Init,
    /// The hookscript that runs, or is about to.
    Hook,
    /// All of them.
    All,
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Keeper => "keeper",
            Self::Hypervisor => "hypervisor",
            Self::Init => "init",
            Self::Hook => "hook",
            Self::All => "all",
        })
    }
}

impl Victim {
    /// Its processes that live at this instant.
    fn pids(self, guest: &Guest<'_>, held: Held) -> BTreeSet<u32> {
        let live = Live::of(guest, held);
        let pids = match self {
            Self::Keeper => vec![held.keeper],
            Self::Hypervisor => live.hypervisor.into_iter().collect(),
            Self::Init => live.init,
            Self::Hook => live.hook.into_iter().collect(),
            Self::All => {
                live.hook.into_iter().chain(live.hypervisor).chain(live.init).chain([held.keeper]).collect()
            }
        };
        pids.into_iter().filter(|pid| proc::alive(*pid)).collect()
    }

    /// Kills it at this instant. Returns the processes.
    pub(crate) fn kill(self, guest: &Guest<'_>, held: Held) -> BTreeSet<u32> {
        let pids = self.pids(guest, held);
        pids.iter().for_each(|pid| proc::kill(*pid));
        pids
    }
}

/// What lives of a guest besides its keeper, by the ledger; what has been forked and is not in it yet is the process that is
/// held.
#[derive(Default)]
struct Live {
    hypervisor: Option<u32>,
    init: Vec<u32>,
    hook: Option<u32>,
}

impl Live {
    fn of(guest: &Guest<'_>, held: Held) -> Self {
        let mut live = Self::default();
        let mut taking = false;
        for event in guest.events() {
            let pid = |process: &Value| process["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
            match event["event"].as_str().unwrap_or_default() {
                "hook-begin" => live.hook = pid(&event["process"]),
                "hook-end" => live.hook = None,
                "took" => taking = true,
                "launch" => (live.hypervisor, taking) = (pid(&event["process"]), false),
                "ready" => live.init = pid(&event["init"]).into_iter().collect(),
                "gone" | "restart" => (live.hypervisor, live.init) = (None, Vec::new()),
                _ => {}
            }
        }
        if let Some(pid) = live.hypervisor.filter(|_| live.init.is_empty() && guest.kind() == Kind::Container)
        {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            live.init = children.split_whitespace().filter_map(|child| child.parse().ok()).collect();
        }
        match held.pid == held.keeper {
            true => {}
            false if taking => live.hypervisor = Some(held.pid),
            false => live.hook = Some(held.pid),
        }
        live
    }
}

/// How somebody comes across what a dead keeper left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By `hookvisor recover`.
    Recover,
    /// By the next start.
    Start,
    /// By the next stop.
    Stop,
}

impl Way {
    pub(crate) const ALL: [Self; 3] = [Self::Recover, Self::Start, Self::Stop];

    /// Goes this way. Returns what was printed.
    #[track_caller]
    pub(crate) fn go(self, host: &Host, guest: &Guest<'_>) -> String {
        match self {
            Self::Recover => host.hookvisor(["recover"]).ok().out(),
            Self::Start => {
                let output = guest.start();
                let runs =
                    [" already running", " already starting"].iter().any(|why| output.err().contains(why));
                if runs { output.out() } else { output.ok().out() }
            }
            // There may be nothing left to stop.
            Self::Stop => {
                let output = guest.stop();
                ended_by_itself(&output);
                output.out()
            }
        }
    }
}

/// Has everything of a guest end: its run, its keepers, and what was about to follow.
#[track_caller]
pub(crate) fn settle(host: &Host, guest: &Guest<'_>, done: &mut Done) {
    wait::until("the guest to come to rest", || {
        if guest.ledger().exists() {
            done.printed += &guest.stop().out();
        } else if guest.owed_start().exists() {
            done.printed += &host.hookvisor(["recover"]).out();
        }
        let rests = !guest.ledger().exists() && !guest.owed_start().exists() && keepers(guest).is_empty();
        rests.then_some(())
    });
    assert_eq!(guest.status(), "stopped");
}

fn keepers(guest: &Guest<'_>) -> Vec<u32> {
    let line = format!("hookvisor keeper {}", guest.vmid());
    proc::all().into_iter().filter(|process| process.cmdline == line).map(|process| process.pid).collect()
}

/// Lets everything go on after some have been killed, and waits for the command's end.
#[track_caller]
pub(crate) fn go_on(trace: Trace, killed: &BTreeSet<u32>, done: &mut Done) {
    let output = trace.finish();
    killed.iter().for_each(|pid| e2e::host::wait_gone(*pid));
    done.killed.extend(killed);
    done.printed += &output.out();
    ended_by_itself(&output);
}

#[track_caller]
fn ended_by_itself(output: &Output) {
    let by_itself = output.status.code().is_some_and(|code| code != 101);
    assert!(by_itself, "should have ended by itself:\n{}", output.describe());
}

/// Panics with what is wrong about the guest's runs, if anything is.
#[track_caller]
pub(crate) fn hold_promise(guest: &Guest<'_>, done: &Done) {
    let broken = promise::broken(guest, done);
    assert!(broken.is_empty(), "the promise is broken:\n  {}", broken.join("\n  "));
}
