//! `hookvisor`: the commands that Proxmox VE does not have.

use super::print::{field, text};
use crate::cli::{Answer, Command, Program};
use crate::clock::{local_time, seconds};
use crate::doctor;
use crate::lives;
use crate::local;
use crate::man;
use crate::past;
use crate::programs::{record, users};
use crate::serve;
use crate::workshop;
use api::access::{acl, password, tokens, users as accounts};
use api::extension::{approvals, events, hooks, log, recover, runs, status};
use api::nodes::all;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// `hookvisor`
pub(crate) static HOOKVISOR: Program = Program {
    name: "hookvisor",
    about: "Proxmox VE's guest lifecycle with its hookscripts, for any Linux host.\n\
            The programs qm, pct, pvesh and pvesm are commands of it, too: 'hookvisor qm start 100'.",
    example: "hooks history",
    commands: &[
        Command::new("acl list", &acl::READ, &[]).example("hookvisor acl list").formats().print(users::acl),
        Command::new("acl modify", &acl::UPDATE, &["path"])
            .example("hookvisor acl modify /vms/100 --users ann@pve --roles PVEVMUser"),
        Command::new("hooks abort", &hooks::ABORT, &["vmid"])
            .example("hookvisor hooks abort 100")
            .print(text),
        Command::new("hooks approvals", &approvals::LIST, &[])
            .example("hookvisor hooks approvals")
            .formats()
            .print(users::approvals),
        Command::new("hooks approve", &approvals::APPROVE, &["volume"])
            .example("hookvisor hooks approve local:snippets/hook.sh")
            .print(users::approved),
        workshop::CHECK,
        Command::new("hooks history", &hooks::HISTORY, &["vmid"])
            .example("hookvisor hooks history 100 --limit 5")
            .formats()
            .print(history),
        workshop::NEW,
        past::REPLAY,
        Command::new("hooks run", &runs::RUN, &["vmid", "run"])
            .example("hookvisor hooks run 100 RUN")
            .formats()
            .print(one_run),
        past::SHOW,
        lives::TEST,
        Command::new("hooks unapprove", &approvals::WITHDRAW, &["volume"])
            .example("hookvisor hooks unapprove local:snippets/hook.sh"),
        past::WATCH,
        Command::new("user add", &accounts::CREATE, &["userid"]).example("hookvisor user add ann@pve"),
        Command::new("user delete", &accounts::DELETE, &["userid"]).example("hookvisor user delete ann@pve"),
        Command::new("user list", &accounts::LIST, &[])
            .example("hookvisor user list")
            .formats()
            .print(users::list),
        Command::new("user passwd", &password::CHANGE, &["userid"])
            .example("hookvisor user passwd ann@pve")
            .fix(users::ask_password),
        Command::new("user token add", &tokens::CREATE, &["userid", "tokenid"])
            .example("hookvisor user token add ann@pve ci --privsep 1")
            .formats()
            .print(users::token),
        Command::new("user token list", &tokens::LIST, &["userid"])
            .example("hookvisor user token list ann@pve")
            .formats()
            .print(users::tokens),
        Command::new("user token remove", &tokens::DELETE, &["userid", "tokenid"])
            .example("hookvisor user token remove ann@pve ci"),
        local::COMPLETION,
        doctor::DOCTOR,
        Command::new("events", &events::EVENTS, &["vmid"])
            .example("hookvisor events 100 --follow 1")
            .formats()
            .stream(events::follow)
            .print(happened),
        local::INIT,
        Command::new("log", &log::LOG, &["vmid"])
            .example("hookvisor log 100 --phase pre-start")
            .formats()
            .stream(log::follow)
            .print(records),
        man::MAN,
        Command::new("recover", &recover::RECOVER, &["vmid"])
            .example("hookvisor recover")
            .formats()
            .print(recovered),
        serve::SERVE,
        Command::new("startall", &all::start::START, &[]).example("hookvisor startall --vms 100,101"),
        Command::new("status", &status::STATUS, &["vmid"])
            .example("hookvisor status")
            .formats()
            .print(overview),
        Command::new("stopall", &all::stop::STOP, &[]).example("hookvisor stopall --timeout 60"),
        local::VERSION,
    ],
    aliases: &[],
    undone: &[],
};

/// A list of records, or one that is handed over alone.
fn records(answer: &Answer<'_>) -> (String, u8) {
    match answer.value {
        Value::Array(list) => (list.iter().map(record::line).collect(), 0),
        one => (record::line(one), 0),
    }
}

fn recovered(answer: &Answer<'_>) -> (String, u8) {
    let rows = answer.value.as_array().into_iter().flatten();
    (rows.map(|row| format!("{}: {}\n", field(row, "vmid"), field(row, "status"))).collect(), 0)
}

/// One screen.
fn overview(answer: &Answer<'_>) -> (String, u8) {
    let value = answer.value;
    let mut out = String::new();
    for (label, key) in [("root", "root"), ("node", "node"), ("version", "version"), ("journal", "journal")] {
        let _ = writeln!(out, "{label:<8} {}", field(value, key));
    }
    let guests: Vec<&Value> = value["guests"].as_array().into_iter().flatten().collect();
    if !guests.is_empty() {
        let _ = writeln!(
            out,
            "\n{:>10} {:<5} {:<20} {:<10} {:<11} {:>8} {:>9}",
            "VMID", "KIND", "NAME", "STATUS", "PHASE", "KEEPER", "UPTIME"
        );
    }
    for guest in guests {
        let phase = match (field(guest, "phase"), field(guest, "abandoned").as_str()) {
            (phase, _) if !phase.is_empty() => phase,
            (_, "1") => "no keeper".to_owned(),
            _ => "-".to_owned(),
        };
        let keeper = field(guest, "keeper");
        let _ = writeln!(
            out,
            "{:>10} {:<5} {:<20} {:<10} {phase:<11} {:>8} {:>9}",
            field(guest, "vmid"),
            field(guest, "kind"),
            field(guest, "name"),
            field(guest, "status"),
            if keeper.is_empty() { "-" } else { &keeper },
            guest["uptime"].as_u64().map_or_else(|| "-".to_owned(), uptime),
        );
    }
    if value["guests"].as_array().is_some_and(|guests| guests.iter().any(|guest| guest["abandoned"] == 1)) {
        out.push_str("\nno keeper: it died, and 'hookvisor recover' has another one go on with what is left of the run\n");
    }
    let missing: Vec<String> =
        value["missing"].as_array().into_iter().flatten().map(super::print::plain).collect();
    if !missing.is_empty() {
        out.push_str("\nmissing:\n");
        missing.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
    }
    (out, 0)
}

fn uptime(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s}s"),
        (0, 0, m, s) => format!("{m}m {s}s"),
        (0, h, m, _) => format!("{h}h {m}m"),
        (d, h, _, _) => format!("{d}d {h}h"),
    }
}

/// The block of a run, then what was printed.
fn one_run(answer: &Answer<'_>) -> (String, u8) {
    let mut out = blocks([answer.value].into_iter());
    for line in answer.value["lines"].as_array().into_iter().flatten() {
        let record = json!({
            "time_usec": line["time"].as_u64().map(|millis| millis * 1000),
            "vmid": answer.value["vmid"],
            "phase": line["phase"],
            "stream": line["stream"],
            "message": line["text"],
        });
        out.push_str(&record::line(&record));
    }
    (out, 0)
}

/// A line for each event: when, about whom, what, and all it says.
fn happened(answer: &Answer<'_>) -> (String, u8) {
    let list = match answer.value {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    let mut out = String::new();
    for event in list.into_iter().filter(|event| event["event"] != "idle") {
        let when = event["time"].as_u64().map(local_time).unwrap_or_default();
        let said = event.as_object().into_iter().flatten().filter(|(key, value)| {
            !matches!(key.as_str(), "id" | "event" | "vmid" | "run" | "line" | "time") && !value.is_null()
        });
        let said: Vec<String> =
            said.map(|(key, value)| format!("{key}={}", super::print::plain(value))).collect();
        let _ = writeln!(
            out,
            "{when:<23}  {:>6} {:<11} {}",
            field(event, "vmid"),
            field(event, "event"),
            said.join(" ")
        );
    }
    (out, 0)
}

/// A block for each run, a line for each phase.
fn history(answer: &Answer<'_>) -> (String, u8) {
    match answer.value.as_array().map_or(&[][..], Vec::as_slice) {
        [] => (format!("no runs on record for {}\n", answer.params.vmid()), 0),
        runs => (blocks(runs.iter()), 0),
    }
}

pub(crate) fn blocks<'v>(runs: impl Iterator<Item = &'v Value>) -> String {
    let mut out = String::new();
    for run in runs {
        if !out.is_empty() {
            out.push('\n');
        }
        let millis = |key: &str| run[key].as_u64();
        let when = millis("begun").map(local_time).unwrap_or_default();
        let cause = match (field(run, "cause"), millis("ended")) {
            (cause, _) if !cause.is_empty() => cause,
            (_, None) => "still running".to_owned(),
            _ => "refused".to_owned(),
        };
        let lasted = match (millis("begun"), millis("ended")) {
            (Some(begun), Some(ended)) => format!(", {} in all", seconds(ended.saturating_sub(begun))),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "run {}  {when}  start: {} by {}  end: {cause}{lasted}",
            field(run, "run"),
            field(run, "reason"),
            field(run, "user"),
        );
        let error = field(run, "error");
        if !error.is_empty() {
            let _ = writeln!(out, "  error: {}", error.trim_end());
        }
        for phase in run["phases"].as_array().into_iter().flatten() {
            let when = phase["begun"].as_u64().map(local_time).unwrap_or_default();
            let took = phase["millis"].as_u64().map_or_else(|| "-".to_owned(), seconds);
            let _ = writeln!(
                out,
                "  {when}  {:<10}  {:<14} {took:>9}  {}",
                field(phase, "phase"),
                outcome(&phase["outcome"]),
                field(phase, "script"),
            );
            let cause = field(phase, "cause");
            if !cause.is_empty() {
                let _ = writeln!(out, "      {}", cause.trim_end());
            }
            let cut = phase["cut"].as_u64().filter(|cut| *cut > 0);
            cut.into_iter().for_each(|cut| out.push_str(&format!("      {cut} bytes of output not kept\n")));
            for left in phase["left"].as_array().into_iter().flatten() {
                let _ =
                    writeln!(out, "      left running: {} ({})", field(left, "comm"), left["process"]["pid"]);
            }
        }
    }
    out
}

/// `ok`, `exit code 3`, `timed out`: a word, or a word with a number.
pub(crate) fn outcome(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Object(map) => {
            let parts = map.iter().map(|(word, number)| match word.as_str() {
                "exit" => format!("exit code {number}"),
                word => format!("{word} {number}"),
            });
            parts.collect()
        }
        word => super::print::plain(word).replace('-', " "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Params;
    use model::Outcome;

    #[test]
    fn an_outcome_reads_as_its_own_words() {
        for value in
            [Outcome::Ok, Outcome::Exit(3), Outcome::Signal(9), Outcome::TimedOut, Outcome::NotASnippet]
        {
            assert_eq!(outcome(&json!(value)), value.to_string());
        }
    }

    #[test]
    fn one_screen_names_what_runs_and_what_is_missing() {
        let value = json!({
            "root": "/srv/hv", "node": "pve1", "version": "0.1.0", "journal": "/run/systemd/journal/socket",
            "guests": [
                {"vmid": 100, "kind": "qemu", "name": "t100", "status": "running", "phase": null, "keeper": 7,
                 "uptime": 3700, "abandoned": 0},
                {"vmid": 200, "kind": "lxc", "name": "ct", "status": "stopped", "phase": "pre-start",
                 "keeper": 8, "uptime": null, "abandoned": 0},
            ],
            "missing": ["no QEMU found"],
        });
        let (text, code) = overview(&Answer { value: &value, params: &Params::default() });
        let want = concat!(
            "root     /srv/hv\n",
            "node     pve1\n",
            "version  0.1.0\n",
            "journal  /run/systemd/journal/socket\n",
            "\n",
            "      VMID KIND  NAME                 STATUS     PHASE         KEEPER    UPTIME\n",
            "       100 qemu  t100                 running    -                  7     1h 1m\n",
            "       200 lxc   ct                   stopped    pre-start          8         -\n",
            "\n",
            "missing:\n",
            "  no QEMU found\n",
        );
        assert_eq!((text.as_str(), code), (want, 0));
    }
}
