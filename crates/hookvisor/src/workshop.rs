//! `hookvisor hooks new` and `hookvisor hooks check`: for those who write hookscripts.

use crate::cli::{Answer, Command};
use crate::local::told;
use crate::programs::plain;
use crate::progress::Progress;
use crate::run::Failure;
use crate::world::{GUEST, LAID, NETWORK, given, setting};
use ::doctor::word;
use api::{Output, Params};
use config::schema::{Property, Type};
use model::Layout;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use workshop::Template;
use workshop::lives::Setting;

/// The exit code where a script has mistakes.
const MISTAKES: u8 = 1;

/// The exit code where one cannot be read, that of every failure.
const UNREAD: u8 = 255;

static PATH: Property = Property::string("path");

static CHECKED: &[&[Property]] = &[GUEST, LAID, OWN];

static OWN: &[Property] = &[
    NETWORK,
    Property::new("script", Type::Array(&PATH)).describe("The scripts' paths."),
    Property::boolean("run").default("0").describe(
        "Plays lives of a guest with the script, too, in a sandbox and as Proxmox VE would, and tells what shows there.",
    ),
    Property::boolean("strict")
        .default("0")
        .describe("Fails for notes and for what could not be judged, too."),
];

/// `hookvisor hooks check`
pub(crate) const CHECK: Command = Command::local(
    "hooks check",
    "Reads hookscripts for the mistakes that are made in them, and says what it could not judge. Nothing of them is run but with --run.",
    CHECKED,
    &[],
    check,
)
.example("hookvisor hooks check hook.sh")
.rest("script")
.formats()
.anybody()
.print(reports);

fn check(layout: &Layout, params: &Params, _: &mut dyn Output) -> Result<Value, Failure> {
    let run = params.flag("run", false);
    let network = params.flag("network", false);
    let option = given(params, &[GUEST, LAID]).or(network.then_some(NETWORK.name));
    if let Some(option) = option.filter(|_| !run) {
        return Err(format!("--{option} is for scripts that are run: say --run as well").into());
    }
    let setting = Setting { network, ..setting(params) };
    let report = |path: &str| {
        let path = Path::new(path);
        let mut report = workshop::check(path).map_err(|error| told(&error))?;
        if run {
            let progress = Progress::of(&report.file);
            report.run(path, &setting, &mut |life| progress.begins(life)).map_err(|error| told(&error))?;
        }
        Ok(json!(report))
    };
    let scripts = params.list("script");
    // One that cannot be read keeps nobody from the others.
    let reports: Vec<Result<Value, String>> = scripts.iter().map(|path| report(path)).collect();
    if let [Err(error)] = &reports[..] {
        return Err(error.clone().into());
    }
    let failed = |(path, report): (&&str, Result<Value, String>)| {
        report.unwrap_or_else(|error| json!({"file": path, "error": error}))
    };
    let reports = scripts.iter().zip(reports).map(failed);
    let checked: Vec<PathBuf> = scripts.iter().map(PathBuf::from).collect();
    Ok(reports.chain(settings_of_host(layout, &checked)).collect())
}

/// What is to be said of the settings that this host has for guests with these scripts, where there is something.
fn settings_of_host(layout: &Layout, scripts: &[PathBuf]) -> Option<Value> {
    let finding = |found: ::doctor::Finding| {
        json!({
            "level": "note", "rule": "hooks.conf", "what": found.what, "why": found.why, "mend": found.mend,
            "found": {"by": "reading"},
        })
    };
    let findings: Vec<Value> = ::doctor::settings(layout, scripts).into_iter().map(finding).collect();
    let file = layout.hooks_conf();
    (!findings.is_empty())
        .then(|| json!({"file": file.display().to_string(), "findings": findings, "unjudged": []}))
}

/// A block for each finding, a line for all of it.
fn reports(answer: &Answer<'_>) -> (String, u8) {
    let strict = answer.params.flag("strict", false);
    let (mut out, mut counts, mut unjudged) = (String::new(), [0; 3], 0);
    let reports: Vec<&Value> = answer.value.as_array().into_iter().flatten().collect();
    for report in &reports {
        if let Some(error) = report["error"].as_str() {
            let _ = writeln!(out, "{error}");
        }
        let place = |line: &Value| match line.as_u64() {
            Some(line) => format!("{}:{line}", plain(&report["file"])),
            None => plain(&report["file"]),
        };
        for finding in report["findings"].as_array().into_iter().flatten() {
            let level = plain(&finding["level"]);
            counts[["error", "warning", "note"].iter().position(|name| *name == level).unwrap_or(2)] += 1;
            let phases: Vec<String> = finding["phases"].as_array().into_iter().flatten().map(plain).collect();
            let phases = if phases.is_empty() { String::new() } else { format!(" [{}]", phases.join(", ")) };
            let _ = writeln!(
                out,
                "{}: {level}: {} ({}{phases})",
                place(&finding["line"]),
                plain(&finding["what"]),
                plain(&finding["rule"]),
            );
            if let Some(call) = finding["found"]["call"].as_str() {
                let _ = writeln!(out, "    seen: in the call {call}");
            }
            let (why, mend) = (plain(&finding["why"]), plain(&finding["mend"]));
            let _ = writeln!(out, "    why:  {why}\n    mend: {mend}");
        }
        for open in report["unjudged"].as_array().into_iter().flatten() {
            unjudged += 1;
            let _ = writeln!(out, "{}: could not judge {}", place(&open["line"]), plain(&open["what"]));
        }
    }
    let unread = reports.iter().filter(|report| report["error"].is_string()).count();
    // What is said of the host's settings is about no script.
    let read = reports.iter().filter(|report| report["language"].is_string()).count();
    let scripts = plural(read, "script");
    let not_read = if unread > 0 { format!(", {unread} that cannot be read") } else { String::new() };
    let [errors, warnings, notes] = counts;
    let _ = writeln!(
        out,
        "{scripts}: {}, {}, {}, {unjudged} not judged{not_read}",
        plural(errors, "error"),
        plural(warnings, "warning"),
        plural(notes, "note")
    );
    let wrong = errors + warnings > 0 || strict && notes + unjudged > 0;
    (
        out,
        if unread > 0 {
            UNREAD
        } else if wrong {
            MISTAKES
        } else {
            0
        },
    )
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

static MADE: &[&[Property]] = &[&[
    Property::string("path").optional().describe(
        "Where it is written: 'hookscript' in this folder if absent. The language's ending is added where it has none.",
    ),
    Property::string("language")
        .optional()
        .one_of(&["bash", "perl", "python", "rust"])
        .describe("The language; that of the path's ending if absent, else bash."),
]];

/// `hookvisor hooks new`
pub(crate) const NEW: Command = Command::local(
    "hooks new",
    "Writes a hookscript with all four phases, ready to run, and says what to do with it.",
    MADE,
    &["path"],
    new,
)
.example("hookvisor hooks new hook.sh")
.formats()
.anybody()
.print(made);

fn new(layout: &Layout, params: &Params, _: &mut dyn Output) -> Result<Value, Failure> {
    let template = params.text("language").and_then(Template::named);
    let (path, template) =
        workshop::new(params.text("path").map(Path::new), template).map_err(|error| told(&error))?;
    let snippets = layout.at("var/lib/vz/snippets");
    Ok(json!({
        "path": path.display().to_string(),
        "language": template.name(),
        "next": steps(&path, template, &snippets),
    }))
}

/// What to do next, as commands.
fn steps(path: &Path, template: Template, snippets: &Path) -> Vec<String> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let compiled = template == Template::Rust;
    let program = if compiled { path.with_extension("") } else { path.to_owned() };
    let name = if compiled { stem } else { file };
    let compile = compiled
        .then(|| format!("rustc --edition 2024 -O -o {} {}", word(program.display()), word(path.display())));
    let here =
        if program.components().count() == 1 { Path::new(".").join(&program) } else { program.clone() };
    let folder = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
    let elsewhere = folder.is_none_or(|folder| folder != snippets);
    compile
        .into_iter()
        .chain([
            format!("hookvisor hooks check {}", word(program.display())),
            format!("hookvisor hooks test {}", word(program.display())),
            format!("{} 100 pre-start", word(here.display())),
        ])
        .chain(elsewhere.then(|| format!("cp {} {}/", word(program.display()), word(snippets.display()))))
        .chain([format!("qm set 100 --hookscript {}", word(format!("local:snippets/{name}")))])
        .collect()
}

/// What a step is for.
fn what_for(step: &str) -> &'static str {
    match step.split(' ').collect::<Vec<_>>()[..] {
        ["rustc", ..] => "compile it",
        ["hookvisor", "hooks", "check", ..] => "look for mistakes",
        ["hookvisor", "hooks", "test", ..] => "play whole lives of a guest with it, in a sandbox",
        ["cp", ..] => "put it where snippets are",
        ["qm", ..] => "set it, for a container with pct",
        _ => "try a phase by hand",
    }
}

fn made(answer: &Answer<'_>) -> (String, u8) {
    let value = answer.value;
    let next: Vec<String> = value["next"].as_array().into_iter().flatten().map(plain).collect();
    let mut out =
        format!("'{}' is written, in {}. Next:\n", plain(&value["path"]), plain(&value["language"]));
    for step in &next {
        let _ = writeln!(out, "  {step}  # {}", what_for(step));
    }
    (out, 0)
}
