//! The promise of docs/design.md, held against what the hook itself noted: the record of a guest's runs is compared with it
//! line by line, however many keepers a run had and whatever was killed meanwhile.

use crate::guest::Guest;
use crate::journal::{Record, text};
use crate::recorder::Note;
use crate::runs::find_event;
use crate::wait;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PHASES: [&str; 4] = ["pre-start", "post-start", "pre-stop", "post-stop"];

/// What was done to a guest, as far as the comparison needs to know it.
#[derive(Debug, Default, Clone)]
pub struct Done {
    /// The processes that were killed.
    pub killed: BTreeSet<u32>,
    /// What commands printed.
    pub printed: String,
}

/// One run, as its ledger in the history has it.
struct Run {
    id: String,
    events: Vec<Value>,
    complaints: Vec<String>,
}

/// Compares all runs, which must have ended. Returns what is wrong.
pub fn broken(guest: &Guest<'_>, done: &Done) -> Vec<String> {
    let mut complaints = Vec::new();
    // The journal takes its time to take what has been sent.
    wait::until_quietly(|| {
        complaints = broken_now(guest, done);
        complaints.is_empty().then_some(())
    });
    complaints
}

fn broken_now(guest: &Guest<'_>, done: &Done) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut kept: Vec<String> = Vec::new();
    let (mut begun, mut ended) = (Vec::new(), BTreeSet::new());
    let notes = guest.notes();
    let mut runs = Vec::new();
    for path in guest.ledgers() {
        if path == guest.ledger() {
            complaints.push(format!("{} is still there", path.display()));
        } else {
            runs.push(Run::read(&path));
        }
    }
    let ids: Vec<String> = runs.iter().map(|run| run.id.clone()).collect();
    let records = guest.records_of_runs(&ids);
    for run in &mut runs {
        run.compare(guest, &notes, &records, done);
        complaints.append(&mut run.complaints);
        begun.extend(run.tasks("task-begin"));
        ended.extend(run.tasks("task-end"));
        kept.extend(run.of("output").filter_map(|output| output["text"].as_str().map(str::to_owned)));
    }
    for note in notes.iter().filter(|note| !ids.contains(&note.run)) {
        complaints.push(format!("the hook was called in a run that is nowhere on record: {note:?}"));
    }
    // A container's reboot is one task in two runs; where its keeper dies between them it is in neither.
    let open = begun.into_iter().filter(|task| !ended.contains(task) && !guest.task_is_over(task));
    complaints.extend(open.map(|task| format!("task {task} has no end")));
    for line in
        PHASES.iter().flat_map(|phase| ["out", "err"].map(|mark| format!("{mark} {} {phase}", guest.vmid())))
    {
        let shown = done.printed.lines().filter(|shown| *shown == line).count();
        let kept = kept.iter().filter(|kept| **kept == line).count();
        if shown > kept {
            complaints.push(format!("{line:?} was shown {shown} times and is on record {kept} times"));
        }
    }
    complaints
}

/// The calls of the hook in all ledgers, each with its outcome if that is not `ok`; ` | ` between runs.
#[must_use]
pub fn story(guest: &Guest<'_>) -> String {
    let ledgers = guest.ledgers();
    let runs = ledgers.iter().map(|path| {
        let run = Run::read(path);
        let words = run.of("hook-end").map(|end| match outcome(end).replace(' ', "-").as_str() {
            "ok" => name(end),
            outcome => format!("{}:{outcome}", name(end)),
        });
        words.collect::<Vec<_>>().join(" ")
    });
    runs.collect::<Vec<_>>().join(" | ")
}

impl Run {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut run = Self { id: String::new(), events: Vec::new(), complaints: Vec::new() };
        for line in text.lines() {
            match serde_json::from_str(line).ok().and_then(|line| find_event(&line)) {
                Some(event) => run.events.push(event),
                None => run.complaints.push(format!("{} has a damaged line: {line}", path.display())),
            }
        }
        run.id = run.events.first().and_then(|event| event["run"].as_str()).unwrap_or_default().to_owned();
        run
    }

    fn wrong(&mut self, text: String) {
        self.complaints.push(format!("run {}: {text}", self.id));
    }

    fn of<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |found| found["event"] == event)
    }

    fn count(&self, event: &str, phase: &str) -> usize {
        self.of(event).filter(|found| found["phase"] == phase).count()
    }

    /// How often a keeper took over.
    fn successors(&self) -> usize {
        self.of("keeper").filter(|keeper| keeper["adopted"] == true).count()
    }

    fn compare(&mut self, guest: &Guest<'_>, notes: &[Note], records: &[Record], done: &Done) {
        self.is_whole();
        self.keeps_to_the_numbers();
        self.keeps_to_the_order();
        let own: Vec<&Note> = notes.iter().filter(|note| note.run == self.id).collect();
        self.agrees_with_the_hook(guest, &own, done);
        let records: Vec<&Record> =
            records.iter().filter(|record| text(record, "RUN_ID") == self.id).collect();
        self.agrees_with_the_journal(&records);
        self.has_what_was_said(guest, &own, &records, done);
    }

    /// It begins and ends.
    fn is_whole(&mut self) {
        let ends = self.of("run-end").count();
        let end = self.events.iter().position(|event| event["event"] == "run-end");
        // Its keeper may have died before it could put the record away.
        let after = self.events.iter().skip(end.unwrap_or_default() + 1);
        let after: Vec<String> = after.map(crate::trace::name).collect();
        let harmless = |name: &String| ["keeper", "task-end", "note"].contains(&name.as_str());
        if self.id.is_empty() || ends != 1 || !after.iter().all(harmless) {
            self.wrong(format!("{ends} ends, and after it {after:?}"));
        }
    }

    fn tasks(&self, event: &str) -> Vec<String> {
        self.of(event).filter_map(|event| event["upid"].as_str().map(str::to_owned)).collect()
    }

    /// `pre-start`, `post-start` and `post-stop` at most once, `pre-stop` at most once per request; `post-stop` where
    /// `pre-start` may have taken something; no launch unless it ended well.
    fn keeps_to_the_numbers(&mut self) {
        for phase in PHASES {
            let (begun, ended) = (self.count("hook-begin", phase), self.count("hook-end", phase));
            let most = if phase == "pre-stop" { self.of("stop-asked").count() } else { 1 };
            if begun > most || ended > most || ended < begun {
                self.wrong(format!("{phase} began {begun} times, ended {ended} times, may {most} times"));
            }
        }
        let pre_start = self.of("hook-end").find(|end| end["phase"] == "pre-start").map(outcome);
        let cut_short = |outcome: &str| {
            ["unknown", "aborted", "timed-out"].contains(&outcome) || outcome.starts_with("signal")
        };
        let owed = pre_start.as_deref().is_some_and(|outcome| outcome == "ok" || cut_short(outcome));
        let called = self.count("hook-end", "post-stop") > 0;
        if owed != called {
            self.wrong(format!("pre-start ended with {pre_start:?}, and post-stop was called: {called}"));
        }
        if self.of("launch").next().is_some() && pre_start.as_deref() != Some("ok") {
            self.wrong(format!("the guest was launched after {pre_start:?}"));
        }
    }

    fn keeps_to_the_order(&mut self) {
        let place = |event: &Value| PHASES.iter().position(|phase| event["phase"] == **phase);
        let calls = self.events.iter().filter(|event| event["event"] == "hook-end").filter_map(place);
        let calls: Vec<usize> = calls.collect();
        if !calls.is_sorted() {
            self.wrong(format!("phases out of order: {calls:?}"));
        }
        let last = self.events.iter().rposition(|event| event["event"] == "hook-end");
        let gone = self.events.iter().position(|event| event["event"] == "gone");
        if self.count("hook-end", "post-stop") > 0 && gone > last {
            self.wrong("post-stop was over before the guest was gone".to_owned());
        }
    }

    /// Each call that the hook noted has its begin on record with the same process, and each outcome is what came of it.
    fn agrees_with_the_hook(&mut self, guest: &Guest<'_>, notes: &[&Note], done: &Done) {
        for note in notes {
            let begun = |begin: &Value| begin["phase"] == note.phase && begin["process"]["pid"] == note.pid;
            if self.of("hook-begin").filter(|begin| begun(begin)).count() != 1 {
                self.wrong(format!("the hook's call is not on record once: {note:?}"));
            }
        }
        let cause = self.of("gone").last().map(|gone| gone["cause"].clone());
        for note in notes.iter().filter(|note| note.phase == "post-stop") {
            let launched = self.of("launch").next().is_some();
            if cause.as_ref().is_none_or(|cause| *cause != note.stop_cause)
                || (!launched && note.stop_cause != "start-failed")
            {
                self.wrong(format!(
                    "the guest went of {cause:?}, launched: {launched}; post-stop was told {note:?}"
                ));
            }
        }
        let mut open: Option<(u32, String)> = None;
        let mut calls = Vec::new();
        for event in &self.events {
            match (event["event"].as_str(), &open) {
                (Some("hook-begin"), _) => open = Some((pid(event), name(event))),
                (Some("hook-end"), Some((pid, phase))) if *phase == name(event) => {
                    calls.push((*pid, phase.clone(), outcome(event)));
                    open = None;
                }
                // Killed before that.
                (Some("hook-end"), _) if ["cannot-spawn", "not-found"].contains(&&*outcome(event)) => {}
                (Some("hook-end"), _) => calls.push((0, name(event), outcome(event))),
                _ => {}
            }
        }
        for (pid, phase, outcome) in calls {
            let noted = notes.iter().any(|note| note.pid == pid && note.phase == phase);
            let end = noted.then(|| guest.hook_end(pid)).flatten();
            let fits = match outcome.as_str() {
                "ok" => end == Some(0),
                "unknown" => self.successors() > 0,
                "signal 9" => done.killed.contains(&pid),
                // Killed, or aborted by a stop, when nothing was left to do but to become the script.
                "cannot-spawn" => !noted,
                "aborted" => true,
                _ => false,
            };
            if !fits {
                self.wrong(format!(
                    "{phase} in process {pid} is on record as {outcome}; noted {noted}, its end {end:?}"
                ));
            }
        }
    }

    /// Each end on record is in the journal, and nothing else is but what a dead keeper had no time to put in the ledger.
    fn agrees_with_the_journal(&mut self, records: &[&Record]) {
        let of = |phase: &str, field: &str| -> Vec<String> {
            let own = records.iter().filter(|record| text(record, "HOOK_PHASE") == phase);
            own.filter(|record| record.contains_key(field)).map(|record| text(record, field)).collect()
        };
        for phase in PHASES {
            let mut said = of(phase, "HOOK_OUTCOME");
            let own = self.of("hook-end").filter(|end| end["phase"] == phase);
            for outcome in own.map(|end| outcome(end).replace('-', " ")).collect::<Vec<_>>() {
                match said.iter().position(|said| *said == outcome) {
                    Some(at) => drop(said.remove(at)),
                    None => self.wrong(format!("that {phase} ended with {outcome} is not in the journal")),
                }
            }
            if said.len() > self.successors() {
                self.wrong(format!("the journal has {phase} end too often: {said:?}"));
            }
            for process in of(phase, "HOOK_PID") {
                let begun = |begin: &Value| begin["phase"] == phase && pid(begin).to_string() == process;
                if !self.of("hook-begin").any(begun) {
                    self.wrong(format!(
                        "the journal has {phase} in process {process} begin, the ledger has not"
                    ));
                }
            }
        }
    }

    /// What the hook said is on record where nobody was killed, and no stop cut it short before it could say it.
    fn has_what_was_said(&mut self, guest: &Guest<'_>, notes: &[&Note], records: &[&Record], done: &Done) {
        let aborted = |note: &Note| {
            let ends = || self.of("hook-end").filter(|end| end["phase"] == note.phase);
            ends().any(|end| outcome(end) == "aborted")
        };
        let undisturbed = notes
            .iter()
            .filter(|note| self.successors() == 0 && !done.killed.contains(&note.pid) && !aborted(note));
        for note in undisturbed.collect::<Vec<_>>() {
            for (mark, stream) in [("out", "stdout"), ("err", "stderr")] {
                let line = format!("{mark} {} {}", guest.vmid(), note.phase);
                let kept =
                    self.of("output").any(|output| output["stream"] == stream && output["text"] == line);
                let sent = records.iter().any(|record| text(record, "MESSAGE") == line);
                if !(kept && sent) {
                    self.wrong(format!("{line:?} is in the ledger: {kept}, in the journal: {sent}"));
                }
            }
        }
    }
}

/// The outcome of a `hook-end`, as a word: `ok`, `signal 9`.
#[must_use]
pub fn outcome(end: &Value) -> String {
    match &end["outcome"] {
        Value::String(word) => word.clone(),
        Value::Object(fields) => {
            fields.iter().map(|(word, number)| format!("{word} {number}")).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

fn name(event: &Value) -> String {
    event["phase"].as_str().unwrap_or_default().to_owned()
}

fn pid(begin: &Value) -> u32 {
    begin["process"]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default()
}
