//! `hookvisor hooks replay`: calls of the history made again, and both outcomes beside each other.

use super::{RUN, find, lossy, secrets};
use crate::cli::{Answer, Command};
use crate::clock::seconds;
use crate::local::told;
use crate::programs::record::{said, with_priorities};
use crate::programs::{outcome, plain};
use crate::run::Failure;
use crate::table::{Column, Drawing, table};
use crate::world::{LAID, given, scenery};
use api::{Output, Params};
use config::schema::Property;
use model::{Layout, Stream};
use record::history::PhaseHistory;
use record::recall::Recalled;
use serde_json::{Value, json};
use workshop::lives::SandboxError;
use workshop::replay::{Place, ReplayError, Version, replay};

/// The exit code where something ended in another way than it had.
const DIFFERS: u8 = 1;

static PARAMETERS: &[&[Property]] = &[LAID, OWN];

static OWN: &[Property] = &[
    Property::boolean("current")
        .default("0")
        .describe("Runs the scripts as they are now, rather than as they were in the run."),
    Property::string("phase")
        .optional()
        .one_of(&["pre-start", "post-start", "agent-up", "pre-stop", "post-stop"])
        .describe("Only the calls of this phase."),
    Property::boolean("real").default("0").describe(
        "Makes the calls on this host rather than in a sandbox, as root, with all that they do to it.",
    ),
    RUN,
    Property::string("script").optional().describe("Only the calls of this script, by its name in records."),
    Property::boolean("yes").default("0").describe("Consents to calls on this host."),
];

/// `hookvisor hooks replay`
pub(crate) const REPLAY: Command = Command::local(
    "hooks replay",
    "Makes the calls of a run again in a sandbox, with the script, the arguments, the environment and the configuration \
     that they had, and shows how both ended. Secrets are masked.",
    PARAMETERS,
    &["run"],
    again,
)
.example("hookvisor hooks replay 100 --phase pre-start --current 1")
.formats()
.print(beside);

fn again(layout: &Layout, params: &Params, out: &mut dyn Output) -> Result<Value, Failure> {
    let recalled = find(layout, params.text("run").unwrap_or_default())?;
    let wanted = wanted(&recalled, params)?;
    let real = params.flag("real", false);
    if let Some(option) = given(params, &[LAID]).filter(|_| real) {
        return Err(format!("--{option} is for the sandbox, and --real calls on this host").into());
    }
    let scenery = scenery(params);
    let place = if real { Place::Host } else { Place::Sandbox(&scenery) };
    if real && !params.flag("yes", false) {
        let calls: Vec<String> = wanted.iter().map(|at| format!("  {}\n", command(&recalled, *at))).collect();
        return Err(format!(
            "these calls would be made on this host, as root:\n{}say --yes as well if they shall",
            calls.concat()
        )
        .into());
    }
    let version = if params.flag("current", false) { Version::Now } else { Version::Then };
    let (mut mask, mut rows) = (secrets(layout, &recalled), Vec::new());
    for at in wanted {
        let (call, made) = (&recalled.run.phases[at], &recalled.calls[at]);
        out.write(Stream::Stderr, format!("{}\n", command(&recalled, at)).as_bytes());
        let lines: Vec<Value> =
            made.lines.iter().map(|line| json!({ "stream": line.stream, "text": line.text })).collect();
        let now = replay(layout, &recalled, at, version, place).map_err(|error| {
            let instead = match error {
                ReplayError::NoSandbox(SandboxError::NoBubblewrap) => {
                    "; --real --yes makes the call on this host, as root"
                }
                _ => "",
            };
            format!("{} of {} cannot be called again: {}{instead}", call.phase, call.script, told(&error))
        })?;
        let same = call.outcome == Some(now.outcome);
        let printed: Vec<String> = now.lines.iter().map(|line| lossy(&line.text)).collect();
        mask.read(&printed.join("\n"));
        let (mut lines, mut now) = (json!(lines), json!(now));
        with_priorities(&mut lines);
        with_priorities(&mut now["lines"]);
        rows.push(json!({
            "phase": call.phase,
            "script": call.script,
            "same": same,
            "then": { "outcome": call.outcome, "cause": call.cause, "millis": call.millis, "lines": lines },
            "now": now,
        }));
    }
    let mut rows = Value::Array(rows);
    mask.value(&mut rows);
    Ok(rows)
}

/// The calls that are meant: those in which a script ran.
fn wanted(recalled: &Recalled, params: &Params) -> Result<Vec<usize>, String> {
    let (phase, script) = (params.text("phase"), params.text("script"));
    let calls = &recalled.run.phases;
    let is_meant = |at: &usize| {
        let call = &calls[*at];
        phase.is_none_or(|phase| call.phase.as_str() == phase)
            && script.is_none_or(|script| call.script == script)
    };
    let meant: Vec<usize> = (0..calls.len()).filter(is_meant).collect();
    let (made, never): (Vec<usize>, Vec<usize>) = meant.into_iter().partition(|at| calls[*at].path.is_some());
    if !made.is_empty() {
        return Ok(made);
    }
    Err(match (&never[..], calls.is_empty()) {
        ([], true) => format!("run {} has no call of a hookscript", recalled.run.run),
        ([], false) => {
            format!("run {} has no such call of a hookscript; it has {}", recalled.run.run, had(calls))
        }
        _ => {
            let never: Vec<String> = never.into_iter().map(|at| never_ran(&calls[at])).collect();
            format!("run {}: there is nothing to replay: {}", recalled.run.run, never.join("; "))
        }
    })
}

/// The calls of a run, by their scripts.
fn had(calls: &[PhaseHistory]) -> String {
    let mut scripts: Vec<(&str, Vec<&str>)> = Vec::new();
    for call in calls {
        match scripts.iter_mut().find(|(script, _)| *script == call.script) {
            Some((_, phases)) => phases.push(call.phase.as_str()),
            None => scripts.push((&call.script, vec![call.phase.as_str()])),
        }
    }
    let told = scripts.iter().map(|(script, phases)| format!("{} of {script}", phases.join(", ")));
    told.collect::<Vec<_>>().join("; ")
}

/// Why no script ran in a call.
fn never_ran(call: &PhaseHistory) -> String {
    let outcome =
        call.outcome.map_or_else(|| "no outcome on record".to_owned(), |outcome| outcome.to_string());
    let cause = call.cause.as_deref().map(|cause| format!(" ({})", cause.trim_end())).unwrap_or_default();
    format!("{} of {} never ran: {outcome}{cause}", call.phase, call.script)
}

fn command(recalled: &Recalled, at: usize) -> String {
    let call = &recalled.run.phases[at];
    let path = call.path.as_deref().unwrap_or_default();
    format!("{path} {} {}", recalled.run.vmid, call.phase)
}

/// A table for each call.
fn beside(answer: &Answer<'_>) -> (String, u8) {
    let rows: Vec<&Value> = answer.value.as_array().into_iter().flatten().collect();
    let mut out = String::new();
    for row in &rows {
        if !out.is_empty() {
            out.push('\n');
        }
        let column = |title: String| Column { title, right: false };
        let columns = [column(plain(&row["phase"])), column("then".to_owned()), column("now".to_owned())];
        let both = |label: &str, show: fn(&Value) -> String| {
            vec![label.to_owned(), show(&row["then"]), show(&row["now"])]
        };
        let cells = [
            both("outcome", ended),
            both("took", |call| call["millis"].as_u64().map(seconds).unwrap_or_default()),
            both("printed", printed),
        ];
        let drawing = Drawing { border: false, header: true, unicode: false, width: None };
        out.push_str(&format!("{}\n{}", plain(&row["script"]), table(&columns, &cells, drawing)));
    }
    let differ = rows.iter().filter(|row| row["same"] != true).count();
    out.push_str(&match differ {
        0 => format!("\n{} of {} ended as before\n", rows.len(), rows.len()),
        _ => format!("\n{differ} of {} ended in another way\n", rows.len()),
    });
    (out, if differ == 0 { 0 } else { DIFFERS })
}

fn ended(call: &Value) -> String {
    let limit = call["sandbox_limit"].as_str();
    let of_sandbox = limit.map(|limit| format!(" (the sandbox's limit of {limit} ended it)"));
    format!("{}{}", outcome(&call["outcome"]), of_sandbox.unwrap_or_default())
}

fn printed(call: &Value) -> String {
    let lines = call["lines"].as_array().into_iter().flatten().map(|line| {
        let mark = if line["stream"] == "stderr" { "err |" } else { "out |" };
        format!("{mark} {}\n", said(&line["text"], line["stream"].as_str(), None))
    });
    lines.collect()
}
