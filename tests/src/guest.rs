//! One guest of a scratch host: its commands, its processes, and what is on record about it.

use crate::host::Host;
use crate::journal::{Record, bytes, text};
use crate::output::Output;
use crate::qmp::Monitor;
use crate::recorder::Note;
use crate::runs::{collect_runs, read_events};
use crate::{proc, wait};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// What kind of guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A QEMU virtual machine.
    Vm,
    /// An LXC container.
    Container,
}

impl Kind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Vm, Self::Container];

    /// The command that drives it.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Vm => "qm",
            Self::Container => "pct",
        }
    }
}

/// A guest of a host.
#[derive(Debug, Clone, Copy)]
pub struct Guest<'h> {
    host: &'h Host,
    kind: Kind,
    vmid: u32,
}

/// A phase as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhaseRecord {
    /// The phase.
    pub phase: String,
    /// `HOOK_OUTCOME` of the end record; none if there is no end record.
    pub outcome: Option<String>,
    /// The lines on standard output.
    pub stdout: Vec<Vec<u8>>,
    /// The lines on standard error.
    pub stderr: Vec<Vec<u8>>,
}

impl<'h> Guest<'h> {
    /// The guest of that kind and VMID, whether it exists or not.
    #[must_use]
    pub fn of(host: &'h Host, kind: Kind, vmid: u32) -> Self {
        Self { host, kind, vmid }
    }

    /// Its VMID.
    #[must_use]
    pub fn vmid(&self) -> u32 {
        self.vmid
    }

    /// Its VMID as text.
    #[must_use]
    pub fn id(&self) -> String {
        self.vmid.to_string()
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Runs `qm VERB VMID ARGS…` or `pct …`.
    #[track_caller]
    pub fn command(&self, verb: &str, args: &[&str]) -> Output {
        let id = self.id();
        self.host.run(self.kind.command(), [verb, &id].iter().chain(args))
    }

    /// The same in the background.
    #[track_caller]
    #[must_use]
    pub fn spawn(&self, verb: &str, args: &[&str]) -> crate::output::Running {
        let id = self.id();
        self.host.spawn(self.kind.command(), [verb, &id].iter().chain(args))
    }

    /// `start`.
    #[track_caller]
    pub fn start(&self) -> Output {
        self.command("start", &[])
    }

    /// `stop`.
    #[track_caller]
    pub fn stop(&self) -> Output {
        self.command("stop", &[])
    }

    /// `shutdown` with these options.
    #[track_caller]
    pub fn shutdown(&self, args: &[&str]) -> Output {
        self.command("shutdown", args)
    }

    /// `set` with these options, which must succeed.
    #[track_caller]
    pub fn set(&self, args: &[&str]) -> Output {
        self.command("set", args).ok()
    }

    /// The word behind `status:`.
    #[track_caller]
    #[must_use]
    pub fn status(&self) -> String {
        let out = self.command("status", &[]).ok().out();
        out.trim().strip_prefix("status: ").unwrap_or(&out).to_owned()
    }

    /// Whether it has a configuration.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.config_path().exists()
    }

    /// Its configuration file.
    #[must_use]
    pub fn config_path(&self) -> PathBuf {
        let folder = match self.kind {
            Kind::Vm => "qemu-server",
            Kind::Container => "lxc",
        };
        self.host.at(&format!("etc/pve/{folder}/{}.conf", self.vmid))
    }

    /// The text of its configuration.
    #[must_use]
    pub fn config(&self) -> String {
        fs::read_to_string(self.config_path()).unwrap_or_default()
    }

    /// Waits until `status` is this word.
    ///
    /// # Panics
    /// If that takes too long.
    #[track_caller]
    pub fn wait_status(&self, word: &str) {
        wait::until(&format!("guest {} to be {word}", self.vmid), || (self.status() == word).then_some(()));
    }

    /// The monitor that is there for other programs.
    #[track_caller]
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor::connect(&self.host.at(&format!("run/qemu-server/{}.qmp", self.vmid)))
    }

    /// Waits until the guest would hear that it shall shut down: the tiny VM has enabled the power button, the
    /// container's init has set its traps.
    ///
    /// # Panics
    /// If it never does.
    #[track_caller]
    pub fn wait_booted(&self) {
        match self.kind {
            Kind::Vm => {
                let mut monitor = self.monitor();
                wait::until("the power button to be enabled", || {
                    monitor.port(0x602).filter(|enabled| *enabled == 0x100)
                });
            }
            Kind::Container => {
                wait::until("the init's traps", || {
                    self.exec(&["cat", "/run/up"]).status.success().then_some(())
                });
            }
        }
    }

    /// Runs a command in the container.
    #[track_caller]
    pub fn exec(&self, words: &[&str]) -> Output {
        let id = self.id();
        self.host.pct(["exec", &id, "--"].iter().chain(words))
    }

    /// The hook runs these lines of shell in that phase from now on.
    pub fn on(&self, phase: &str, lines: &str) {
        self.host.recorder().order(self.vmid, phase, lines);
    }

    /// The hook only notes that phase from now on.
    pub fn forget(&self, phase: &str) {
        self.host.recorder().forget(self.vmid, phase);
    }

    /// What the hook noted.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        self.host.recorder().notes(self.vmid)
    }

    /// The phases that the hook noted, in order.
    #[must_use]
    pub fn noted(&self) -> Vec<String> {
        self.notes().into_iter().map(|note| note.phase).collect()
    }

    /// Waits until the hook has noted so many calls of a phase, and returns the last note.
    ///
    /// # Panics
    /// If that takes too long.
    #[track_caller]
    pub fn wait_noted(&self, phase: &str, times: usize) -> Note {
        wait::until(&format!("call {times} of {phase} for {}", self.vmid), || {
            self.notes().into_iter().filter(|note| note.phase == phase).nth(times - 1)
        })
    }

    /// With what exit code a call of the hook came to its end, by its own note.
    #[must_use]
    pub fn hook_end(&self, pid: u32) -> Option<i32> {
        self.host.recorder().end(pid)
    }

    /// The records of some runs in the journal.
    #[must_use]
    pub fn records_of_runs(&self, runs: &[String]) -> Vec<Record> {
        if runs.is_empty() {
            return Vec::new();
        }
        let any: Vec<String> = runs.iter().map(|run| format!("RUN_ID={run}")).collect();
        let any: Vec<&str> = any.iter().map(String::as_str).collect();
        self.host.with_journal(|journal| journal.matching(&any))
    }

    /// The guest's records in the journal.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.host.with_journal(|journal| journal.matching(&[&format!("GUEST_VMID={}", self.vmid)]))
    }

    /// The phases as the journal has them: each begin record, with the lines and the end record that follow it.
    #[track_caller]
    #[must_use]
    pub fn phases(&self) -> Vec<PhaseRecord> {
        let mut phases: Vec<PhaseRecord> = Vec::new();
        for record in self.records() {
            let phase = text(&record, "HOOK_PHASE");
            if phase.is_empty() {
                continue;
            }
            let stream = text(&record, "HOOK_STREAM");
            let outcome = record.get("HOOK_OUTCOME").map(|_| text(&record, "HOOK_OUTCOME"));
            if stream.is_empty() && outcome.is_none() {
                phases.push(PhaseRecord { phase, outcome: None, stdout: Vec::new(), stderr: Vec::new() });
                continue;
            }
            // Lines may come after the end, from a child that stayed; ends may not come twice.
            let fits = |open: &&mut PhaseRecord| {
                open.phase == phase && (outcome.is_none() || open.outcome.is_none())
            };
            let open = match phases.iter_mut().rev().find(fits) {
                Some(open) => open,
                // A script that could not be started has an end only; a keeper may have been killed right after it
                // had begun one.
                None => {
                    let phase = phase.clone();
                    phases.push(PhaseRecord { phase, outcome: None, stdout: Vec::new(), stderr: Vec::new() });
                    phases.last_mut().expect("one has just been added")
                }
            };
            match stream.as_str() {
                "stdout" => open.stdout.push(bytes(&record, "MESSAGE")),
                "stderr" => open.stderr.push(bytes(&record, "MESSAGE")),
                _ => open.outcome = outcome,
            }
        }
        phases
    }

    /// The phases' names in the journal, each with its outcome if that is not `ok`: `pre-start post-start:exit-code-1`.
    #[track_caller]
    #[must_use]
    pub fn recorded(&self) -> String {
        let words = self.phases().into_iter().map(|record| match record.outcome.as_deref() {
            Some("ok") => record.phase,
            Some(outcome) => format!("{}:{}", record.phase, outcome.replace(' ', "-")),
            None => format!("{}:open", record.phase),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The whole story is this, by the hook's own notes, by the journal and by the history, and the three agree:
    /// phases in order, separated by spaces, each with `:outcome` if that is not `ok`. Waits for the last of them.
    ///
    /// # Panics
    /// If it is another story.
    #[track_caller]
    pub fn lived(&self, story: &str) {
        let expected: Vec<&str> = story.split_whitespace().collect();
        let names: Vec<String> =
            expected.iter().map(|word| word.split(':').next().unwrap_or(word).to_owned()).collect();
        let called: Vec<String> = expected
            .iter()
            .filter(|word| !is_never_called(word))
            .map(|word| word.split(':').next().unwrap_or(word).to_owned())
            .collect();
        wait::until_quietly(|| (self.noted().len() >= called.len()).then_some(()));
        assert_eq!(self.noted(), called, "phases that the hook of {} noted", self.vmid);
        wait::until_quietly(|| (self.recorded() == story).then_some(()));
        assert_eq!(self.recorded(), story, "phases of {} in the journal", self.vmid);
        let history: Vec<String> = self.history_phases();
        assert_eq!(history, names, "phases of {} in its history", self.vmid);
        for record in self.phases() {
            let called =
                record.outcome.as_deref().is_none_or(|outcome| !is_never_called(&outcome.replace(' ', "-")));
            let line = format!("out {} {}", self.vmid, record.phase).into_bytes();
            assert!(
                !called || record.stdout.contains(&line),
                "{line:?} should be in the journal: {record:?}"
            );
            let line = format!("err {} {}", self.vmid, record.phase).into_bytes();
            assert!(
                !called || record.stderr.contains(&line),
                "{line:?} should be in the journal: {record:?}"
            );
        }
    }

    /// `hookvisor hooks history`, as JSON.
    ///
    /// # Panics
    /// If it fails or prints something else.
    #[track_caller]
    #[must_use]
    pub fn history(&self) -> Value {
        let id = self.id();
        let output =
            self.host.hookvisor(["hooks", "history", &id, "--limit", "1000", "--output-format", "json"]).ok();
        serde_json::from_slice(&output.stdout).expect("the history is JSON")
    }

    /// The phases in the history, in order.
    #[track_caller]
    #[must_use]
    pub fn history_phases(&self) -> Vec<String> {
        let mut runs = Vec::new();
        collect_runs(&self.history(), &mut runs);
        runs.sort_by_key(|(begun, _)| *begun);
        runs.into_iter().flat_map(|(_, phases)| phases).collect()
    }

    /// The ledgers: of the run that is going on, then of those that ended.
    #[must_use]
    pub fn ledgers(&self) -> Vec<PathBuf> {
        let mut ended: Vec<PathBuf> =
            fs::read_dir(self.host.at(&format!("var/lib/hookvisor/history/{}", self.vmid)))
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .collect();
        ended.sort();
        let live = self.ledger();
        if live.exists() {
            ended.push(live);
        }
        ended
    }

    /// Whether the list of tasks has the end of a task, those that nobody carries out any more having been ended.
    #[must_use]
    pub fn task_is_over(&self, upid: &str) -> bool {
        self.host.hookvisor(["recover"]).ok();
        let list = |name| fs::read_to_string(self.host.at(&format!("var/log/pve/tasks/{name}")));
        let lists = ["active", "index"].map(|name| list(name).unwrap_or_default()).concat();
        lists.lines().any(|line| line.starts_with(upid) && line.split(' ').count() > 2)
    }

    /// Takes away the runs that have ended, and the hook's notes.
    pub fn forget_past(&self) {
        let _ = fs::remove_dir_all(self.host.at(&format!("var/lib/hookvisor/history/{}", self.vmid)));
        self.host.recorder().clear();
    }

    /// The ledger of the run that is going on.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.host.at(&format!("var/lib/hookvisor/runs/{}.jsonl", self.vmid))
    }

    /// The start that is owed after the run that is going on.
    #[must_use]
    pub fn owed_start(&self) -> PathBuf {
        self.host.at(&format!("var/lib/hookvisor/runs/{}.next", self.vmid))
    }

    /// The events of the run that is going on, as they stand in the ledger.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        read_events(&self.ledger())
    }

    /// The last event of that name.
    ///
    /// # Panics
    /// If there is none within the deadline.
    #[track_caller]
    #[must_use]
    pub fn event(&self, name: &str) -> Value {
        wait::until(&format!("{name} in the ledger of {}", self.vmid), || {
            self.events().into_iter().rev().find(|event| event["event"] == name)
        })
    }

    /// The keeper's pid.
    #[track_caller]
    #[must_use]
    pub fn keeper(&self) -> u32 {
        pid(&self.event("keeper")["process"])
    }

    /// The pid of QEMU or lxc-start.
    #[track_caller]
    #[must_use]
    pub fn hypervisor(&self) -> u32 {
        pid(&self.event("launch")["process"])
    }

    /// The pid of the container's init on the host.
    #[track_caller]
    #[must_use]
    pub fn init(&self) -> u32 {
        pid(&self.event("ready")["init"])
    }

    /// Waits until the run is over: its ledger is in the history and its keeper gone.
    #[track_caller]
    pub fn wait_run_end(&self) {
        wait::until(&format!("the end of the run of {}", self.vmid), || {
            (!self.ledger().exists()).then_some(())
        });
    }

    /// Kills processes at once, as an out-of-memory killer would, and waits until they are gone.
    #[track_caller]
    pub fn kill(&self, pids: &[u32]) {
        for pid in pids {
            proc::kill(*pid);
        }
        for pid in pids {
            crate::host::wait_gone(*pid);
        }
    }
}

fn is_never_called(word: &str) -> bool {
    ["not-found", "not-executable", "not-a-snippet", "cannot-spawn", "refused"]
        .iter()
        .any(|outcome| word.ends_with(outcome))
}

fn pid(process: &Value) -> u32 {
    let pid = process["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    pid.unwrap_or_else(|| panic!("{process} has no pid"))
}
