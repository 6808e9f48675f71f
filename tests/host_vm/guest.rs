//! One guest of the machine: its commands, what its hook does, and what there is to say about its life.

use crate::agent::LIMIT;
use crate::calls::{Call, OWN};
use crate::disk::Cache;
use crate::machine::{Machine, Wreck};
use serde_json::Value;
use std::collections::BTreeSet;

/// The virtual machine's VMID.
pub(crate) const VM: u32 = 100;
/// The container's VMID.
pub(crate) const CONTAINER: u32 = 200;

/// A guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guest {
    pub(crate) vmid: u32,
    /// The command that drives it.
    pub(crate) command: &'static str,
}

/// The phases in their order.
const PHASES: [&str; 4] = ["pre-start", "post-start", "pre-stop", "post-stop"];

/// Both, one of a kind.
pub(crate) const GUESTS: [Guest; 2] =
    [Guest { vmid: VM, command: "qm" }, Guest { vmid: CONTAINER, command: "pct" }];

impl Guest {
    /// `start`, which must succeed.
    #[track_caller]
    pub(crate) fn start(self, machine: &mut Machine) {
        machine.sh(&format!("{} start {}", self.command, self.vmid));
    }

    /// A command about it that nobody waits for.
    pub(crate) fn ask(self, machine: &mut Machine, verb: &str) {
        machine.background(&format!("{} {verb} {}", self.command, self.vmid));
    }

    /// The hook does this in a phase, until the power goes.
    pub(crate) fn on(self, machine: &mut Machine, phase: &str, lines: &str) {
        self.order(machine, "/run/orders", phase, OWN, lines);
    }

    /// The hook does this in a phase, whether the power goes or not.
    pub(crate) fn always_on(self, machine: &mut Machine, phase: &str, lines: &str) {
        self.order(machine, "/etc/orders", phase, OWN, lines);
    }

    /// A hookscript of that name does this in a phase, until the power goes.
    pub(crate) fn order(self, machine: &mut Machine, folder: &str, phase: &str, script: &str, lines: &str) {
        machine.write(&format!("{folder}/{}.{phase}.{script}", self.vmid), lines.as_bytes());
    }

    /// Asks for something, and waits until the hook is in a phase, where it stays until the power goes.
    #[track_caller]
    pub(crate) fn ask_up_to(self, machine: &mut Machine, verb: &str, phase: &str) {
        self.on(machine, phase, "sleep 600");
        self.ask(machine, verb);
        self.wait_call(machine, phase, false);
    }

    /// Waits until the guest's own hook has said that it was called for a phase, or that it has ended, since the machine came up.
    #[track_caller]
    pub(crate) fn wait_call(self, machine: &mut Machine, phase: &str, ended: bool) {
        let boot = machine.boot();
        machine.until(&format!("{phase} of {}", self.vmid), |machine| {
            let calls = self.calls(machine);
            let of_own = |call: &Call| call.boot == boot && call.phase == phase && call.script == OWN;
            let found = |call: &Call| of_own(call) && (call.ended || !ended);
            calls.iter().any(found).then_some(())
        });
    }

    /// Waits until a text is in the ledger of its run.
    #[track_caller]
    pub(crate) fn wait_ledger(self, machine: &mut Machine, text: &str) {
        let look = format!("grep -q '{text}' {}", self.ledger());
        machine.until(&format!("{text} in the ledger"), |machine| {
            (machine.run(&look, LIMIT).code == 0).then_some(())
        });
    }

    /// The ledger of its run.
    pub(crate) fn ledger(self) -> String {
        format!("/var/lib/hookvisor/runs/{}.jsonl", self.vmid)
    }

    /// The processes of the guest and its keeper, by the last word about each in the ledger: `keeper`, `launch`.
    #[track_caller]
    pub(crate) fn process(self, machine: &mut Machine, event: &str) -> u64 {
        let line = machine.sh(&format!("grep '\"event\":\"{event}\"' {} | tail -n 1", self.ledger()));
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        line["process"]["pid"].as_u64().expect("a pid")
    }

    /// What the hook said of its calls for this guest.
    pub(crate) fn calls(self, machine: &Machine) -> Vec<Call> {
        machine.calls().into_iter().filter(|call| call.vmid == self.vmid).collect()
    }

    /// The whole story is this, by the hook's own word: phases in order, ` | ` where the power went in between, each with
    /// `/script` if it is not the guest's own, and `post-stop` with its stop cause. The record says so, too.
    #[track_caller]
    pub(crate) fn lived(self, machine: &mut Machine, story: &str) {
        let calls = self.calls(machine);
        let mut told = Vec::new();
        let mut boot = 1;
        for call in &calls {
            told.extend(std::iter::repeat_n("|".to_owned(), call.boot - boot));
            boot = call.boot;
            let script = if call.script == OWN { String::new() } else { format!("/{}", call.script) };
            let cause = if call.phase == "post-stop" { format!(":{}", call.cause) } else { String::new() };
            told.push(format!("{}{script}{cause}", call.phase));
        }
        assert_eq!(told.join(" "), story, "the life of {}\n{}", self.vmid, machine.diagnosis());
        self.record_agrees(machine);
    }

    /// What is on record agrees with what the hook said.
    #[track_caller]
    pub(crate) fn record_agrees(self, machine: &mut Machine) {
        let history =
            machine.sh(&format!("hookvisor hooks history {} --limit 1000 --output-format json", self.vmid));
        let recorded = recorded(&history);
        let mut open = recorded.clone();
        for call in self.calls(machine) {
            let is_this = |known: &Recorded| {
                known.run == call.run && known.phase == call.phase && known.script == call.script
            };
            let at = open.iter().position(is_this);
            let at = at.unwrap_or_else(|| panic!("{call:?} is not on record\n{}", machine.diagnosis()));
            let outcome = open.remove(at).outcome;
            let right = match outcome.as_str() {
                "ok" => call.ended,
                "unknown" => call.boot < machine.boot(),
                _ => false,
            };
            assert!(right, "{call:?} is on record as {outcome:?}\n{}", machine.diagnosis());
        }
        // A script that the power kept from its first word.
        open.retain(|call| call.outcome != "unknown");
        assert!(open.is_empty(), "nobody was called: {open:?}\n{}", machine.diagnosis());
    }

    /// What docs/design.md promises holds for every run, by the hook's own word.
    #[track_caller]
    pub(crate) fn promise_kept(self, machine: &mut Machine) {
        self.record_agrees(machine);
        let calls = self.calls(machine);
        let ids: BTreeSet<&str> = calls.iter().map(|call| call.run.as_str()).collect();
        for id in ids {
            let of_run = || calls.iter().filter(|call| call.run == id);
            let place = |call: &Call| PHASES.iter().position(|phase| *phase == call.phase);
            let in_order_and_once = of_run().map(place).is_sorted_by(|one, next| one < next);
            let runs_on = machine.run(&format!("grep -q {id} {}", self.ledger()), LIMIT).code == 0;
            // One that the power kept from its first word is on record, and as unknown.
            let history = format!(
                "grep -q '\"hook-begin\",\"phase\":\"post-stop\"' /var/lib/hookvisor/history/*/{id}.jsonl"
            );
            let begun =
                of_run().any(|call| call.phase == "post-stop") || machine.run(&history, LIMIT).code == 0;
            assert!(
                in_order_and_once && (begun || runs_on),
                "{id}: {:#?}\n{}",
                of_run().collect::<Vec<_>>(),
                machine.diagnosis()
            );
        }
    }

    /// The guest can be started and stopped as if nothing had been.
    #[track_caller]
    pub(crate) fn serves_on(self, machine: &mut Machine) {
        let command = self.command;
        let vmid = self.vmid;
        let before = self.calls(machine).len();
        if machine.sh(&format!("{command} status {vmid}")).trim() != "status: running" {
            self.start(machine);
        }
        machine.sh(&format!("{command} stop {vmid}"));
        let calls = self.calls(machine);
        let last = calls.last().map(|call| (call.phase.as_str(), call.cause.as_str()));
        assert!(calls.len() > before && last == Some(("post-stop", "stop")), "{calls:#?}");
        self.record_agrees(machine);
    }
}

/// A call as it is on record.
#[derive(Debug, Clone)]
struct Recorded {
    run: String,
    phase: String,
    script: String,
    outcome: String,
}

fn recorded(history: &str) -> Vec<Recorded> {
    let history: Value = serde_json::from_str(history).unwrap_or_else(|error| panic!("{history}: {error}"));
    let mut found = Vec::new();
    for run in runs(&history) {
        for call in run["phases"].as_array().into_iter().flatten() {
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let script = word(&call["script"]);
            let outcome = call["outcome"].as_str().or_else(|| call["outcome"]["outcome"].as_str());
            found.push(Recorded {
                run: word(&run["run"]),
                phase: word(&call["phase"]),
                script: script.rsplit('/').next().unwrap_or_default().to_owned(),
                outcome: outcome.unwrap_or_default().to_owned(),
            });
        }
    }
    found
}

/// Every run, wherever it stands.
fn runs(value: &Value) -> Vec<&Value> {
    match value {
        Value::Object(fields) if fields.contains_key("phases") => vec![value],
        Value::Object(fields) => fields.values().flat_map(runs).collect(),
        Value::Array(items) => items.iter().flat_map(runs).collect(),
        _ => Vec::new(),
    }
}

/// What is done before the power goes, and what is found with either disk that is left: all runs are at their end, and both
/// guests serve on afterwards.
#[track_caller]
pub(crate) fn pulled(before: impl FnOnce(&mut Machine), found: impl Fn(&mut Machine)) {
    let mut machine = Machine::ready();
    before(&mut machine);
    comes_up(&machine.pull(), found);
}

/// What is found with either disk that is left of a machine whose power has gone.
#[track_caller]
pub(crate) fn comes_up(wreck: &Wreck, found: impl Fn(&mut Machine)) {
    for cache in [Cache::Lost, Cache::Kept] {
        let mut machine = wreck.boot(cache);
        wait_recovered(&mut machine);
        found(&mut machine);
        for guest in GUESTS {
            guest.serves_on(&mut machine);
        }
    }
}

/// Waits until the machine has brought all runs of before to their end, and started what it starts by itself.
#[track_caller]
pub(crate) fn wait_recovered(machine: &mut Machine) {
    machine.sh("systemctl start hookvisor-guests.service");
}
