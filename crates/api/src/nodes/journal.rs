//! The host's journal: as lines with cursors, and by pages (api.md 3.2).

use crate::method::{Method, Returns, Scope, Verb};
use crate::nodes::unsupported;
use crate::schema::AT_NODE;
use crate::{ApiError, Context, Params, Permission, Refusal};
use ::config::schema::Property;
use record::journal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

const LOG: Permission = Permission::Privileges { path: "/nodes/{node}", any_of: &["Sys.Syslog"] };

static PARAMETERS: &[Property] = &[
    Property::string("endcursor").optional().describe("Ends before this place."),
    Property::integer("lastentries").optional().min(0).describe("How many entries, the last ones."),
    Property::integer("since").optional().min(0).describe("Only entries since this time, in seconds."),
    Property::string("startcursor").optional().describe("Begins at this place."),
    Property::integer("until").optional().min(0).describe("Only entries until this time, in seconds."),
];

/// The journal with its cursors.
pub static JOURNAL: Method = Method {
    path: "/nodes/{node}/journal",
    verb: Verb::Get,
    description: "Shows the journal: the place of the first entry, the entries, and the place of the last one.",
    parameters: &[AT_NODE, PARAMETERS],
    permission: LOG,
    returns: Returns::List(&[]),
    protected: true,
    scope: Scope::Api,
    run: entries,
};

fn entries(_: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    unsupported(params, &["endcursor"])?;
    let mut wanted = Vec::new();
    for (name, option) in [("since", "--since=@"), ("until", "--until=@"), ("startcursor", "--cursor=")] {
        wanted.extend(params.text(name).map(|value| format!("{option}{value}")));
    }
    wanted.push(format!("--lines={}", params.text("lastentries").unwrap_or("all")));
    let mut first = String::new();
    let mut reader = Reader::open(&wanted, &["--output=json", "--output-fields=__CURSOR"])?;
    reader.line(&mut first)?;
    let first: Value = serde_json::from_str(&first).unwrap_or(Value::Null);
    let Some(begin) = first["__CURSOR"].as_str() else { return Ok(json!([])) };
    let mut lines = vec![begin.to_owned()];
    let mut reader = Reader::open(&wanted, &["--output=short", "--show-cursor"])?;
    let mut line = String::new();
    while reader.line(&mut line)? {
        lines.push(line.strip_prefix("-- cursor: ").unwrap_or(&line).to_owned());
    }
    Ok(json!(lines))
}

const TIME: &str = r"^\d{4}-\d{2}-\d{2}( \d{2}:\d{2}(:\d{2})?)?$";

fn is_time(text: &str) -> bool {
    let digits: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    ["0000-00-00", "0000-00-00 00:00", "0000-00-00 00:00:00"].contains(&digits.as_str())
}

const fn time(name: &'static str, description: &'static str) -> Property {
    Property::string(name).optional().pattern(TIME, is_time).describe(description)
}

static SYSLOG_PARAMETERS: &[Property] = &[
    Property::integer("limit").optional().min(0).describe("How many lines at most."),
    Property::string("service").optional().max_length(128).describe("Only entries of this service."),
    time("since", "Only entries since this time."),
    Property::integer("start").optional().min(0).describe("How many lines to pass over."),
    time("until", "Only entries until this time."),
];

/// The journal by pages.
pub static SYSLOG: Method = Method {
    path: "/nodes/{node}/syslog",
    verb: Verb::Get,
    description: "Shows lines of the journal.",
    parameters: &[AT_NODE, SYSLOG_PARAMETERS],
    permission: LOG,
    returns: Returns::List(&["n", "t"]),
    protected: true,
    scope: Scope::Api,
    run: lines,
};

fn lines(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let mut wanted = Vec::new();
    for (name, option) in [("since", "--since="), ("until", "--until="), ("service", "--unit=")] {
        wanted.extend(params.text(name).map(|value| format!("{option}{value}")));
    }
    let start = params.number("start").unwrap_or(0);
    let limit = params.number("limit").filter(|limit| *limit > 0).unwrap_or(50);
    let mut reader = Reader::open(&wanted, &["--output=short"])?;
    let (mut line, mut total, mut rows) = (String::new(), 0_u64, Vec::new());
    while reader.line(&mut line)? {
        total += 1;
        if (start..start.saturating_add(limit)).contains(&(total - 1)) {
            rows.push(json!({"n": total, "t": line}));
        }
    }
    if total == 0 {
        (total, rows) = (1, vec![json!({"n": 1, "t": "no content"})]);
    }
    context.set_total(total);
    Ok(Value::Array(rows))
}

/// What journalctl(1) prints.
struct Reader {
    child: Child,
    lines: Option<BufReader<std::process::ChildStdout>>,
}

impl Reader {
    fn open(wanted: &[String], form: &[&str]) -> Result<Self, ApiError> {
        let refused = |text: String| ApiError::from(Refusal::Missing(text));
        let namespace = journal::namespace().map_err(|error| refused(error.to_string()))?;
        let mut command = Command::new("journalctl");
        command.args(["--quiet", "--no-pager"]).args(form).args(wanted);
        command.args(namespace.map(|name| format!("--namespace={name}")));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C");
        let mut child = command.spawn().map_err(|source| ApiError::File {
            what: "unable to run",
            path: "journalctl".into(),
            source,
        })?;
        let lines = child.stdout.take().map(BufReader::new);
        Ok(Self { child, lines })
    }

    /// The next line without its end. False where there is none.
    fn line(&mut self, line: &mut String) -> Result<bool, ApiError> {
        line.clear();
        let failed = |source| ApiError::File { what: "unable to read", path: "journalctl".into(), source };
        let mut bytes = Vec::new();
        if let Some(lines) = &mut self.lines
            && lines.read_until(b'\n', &mut bytes).map_err(failed)? > 0
        {
            line.push_str(String::from_utf8_lossy(&bytes).trim_end_matches('\n'));
            return Ok(true);
        }
        self.lines = None;
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        let status = self.child.wait().map_err(failed)?;
        // Without a journal it complains even when it is to be quiet.
        if status.success() || said.trim().is_empty() || said.starts_with("No journal files were found") {
            return Ok(false);
        }
        Err(Refusal::Missing(said.trim().to_owned()).into())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_of_three_forms() {
        for (text, good) in [
            ("2026-11-22", true),
            ("2026-11-22 19:16", true),
            ("2026-11-22 19:16:02", true),
            ("2026-11-22T19:16", false),
            ("yesterday", false),
            ("", false),
        ] {
            assert_eq!(is_time(text), good, "{text}");
        }
    }
}
