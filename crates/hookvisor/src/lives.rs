//! `hookvisor hooks test`: whole lives of a guest, without any guest.

use crate::cli::hint::nearest;
use crate::cli::{Answer, Command};
use crate::local::told;
use crate::progress::Progress;
use crate::run::Failure;
use crate::world::{GUEST, LAID, NETWORK, setting};
use api::{ApiError, Given, Output, Params};
use config::schema::{Errors, Property, Type};
use model::{Layout, Stream};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use workshop::lives::{
    self, Life, LifeReport, Limits, Moment, SandboxError, ScriptReport, Setting, Standing, World,
};

/// The exit code where a script fails in a life.
const FAILED: u8 = 1;

static PATH: Property = Property::string("path");

static LIFE: Property = Property::string("life").one_of(&Life::NAMES).describe("A life.");

static PARAMETERS: &[&[Property]] = &[GUEST, LAID, OWN];

static OWN: &[Property] = &[
    Property::string("as")
        .default("hookvisor")
        .one_of(&["hookvisor", "pve"])
        .describe("Who calls the script: hookvisor, or Proxmox VE as far as a script can tell."),
    Property::string("junit").optional().describe("Writes the result to this file, too, as JUnit has it."),
    Property::new("life", Type::Array(&LIFE))
        .optional()
        .describe("The lives to play; all of them if absent."),
    NETWORK,
    Property::boolean("no-sandbox")
        .default("0")
        .describe("Runs the script on this host, as whoever calls, with all that it does there."),
    Property::new("script", Type::Array(&PATH)).describe("The scripts' paths."),
    Property::integer("timeout")
        .min(1)
        .max(3600)
        .default("60")
        .describe("How long a life may take, in seconds."),
    Property::boolean("verbose").default("0").describe("Tells all of every life, of those that passed, too."),
];

/// `hookvisor hooks test`
pub(crate) const TEST: Command = Command::local(
    "hooks test",
    "Plays whole lives of a guest with hookscripts, in a sandbox and without any guest, and says what they did and left behind.",
    PARAMETERS,
    &[],
    test,
)
.example("hookvisor hooks test hook.sh --as pve")
.rest("script")
.fix(understood)
.formats()
.anybody()
.print(printed);

/// Refuses what is no life, and an option in the place of a file, with what may have been meant.
fn understood(given: Vec<(String, Given)>) -> Result<Vec<(String, Given)>, ApiError> {
    let mut errors = Errors::default();
    for (name, value) in &given {
        let values = match value {
            Given::One(value) => std::slice::from_ref(value),
            Given::Many(values) => &values[..],
        };
        for value in values {
            match name.as_str() {
                "life" if Life::named(value).is_none() => errors.add("life", &no_life(value)),
                "junit" if value.starts_with("--") => {
                    errors.add("junit", &format!("it takes the path of a file, and '{value}' is an option"));
                }
                _ => {}
            }
        }
    }
    if errors.is_empty() { Ok(given) } else { Err(ApiError::Parameters(errors)) }
}

fn no_life(value: &str) -> String {
    let lives: Vec<&str> = value.split(',').map(str::trim).collect();
    let hint = if lives.len() > 1 && lives.iter().all(|life| Life::named(life).is_some()) {
        let options: Vec<String> = lives.iter().map(|life| format!("--life {life}")).collect();
        format!("say {}", options.join(" "))
    } else if let Some(near) = nearest(value, Life::NAMES.into_iter()) {
        format!("is '{near}' meant?")
    } else {
        format!("there are {}", Life::NAMES.join(", "))
    };
    format!("no life is called '{value}'; {hint}")
}

/// Looks at all that is given before anything is played.
fn look(scripts: &[&str], junit: Option<&str>, setting: &Setting) -> Result<(), String> {
    for script in scripts {
        lives::look(Path::new(script), setting).map_err(|error| without_sandbox(&error))?;
    }
    let Some(path) = junit else { return Ok(()) };
    let folder = Path::new(path).parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    match folder.metadata() {
        _ if Path::new(path).is_dir() => Err(format!("cannot write '{path}': it is a folder")),
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("cannot write '{path}': '{}' is no folder", folder.display())),
        Err(error) => Err(format!("cannot write '{path}': '{}': {error}", folder.display())),
    }
}

fn test(_: &Layout, params: &Params, out: &mut dyn Output) -> Result<Value, Failure> {
    let setting = Setting {
        world: if params.text("as") == Some("pve") { World::Pve } else { World::Hookvisor },
        sandbox: !params.flag("no-sandbox", false),
        network: params.flag("network", false),
        limits: Limits { seconds: params.number("timeout").unwrap_or(60), ..Limits::default() },
        ..setting(params)
    };
    let named: Vec<Life> = params.list("life").into_iter().filter_map(Life::named).collect();
    let lives = if named.is_empty() { Life::ALL.to_vec() } else { named };
    let verbose = params.flag("verbose", false);
    look(&params.list("script"), params.text("junit"), &setting)?;
    let reports: Vec<ScriptReport> = params
        .list("script")
        .into_iter()
        .map(|path| {
            let progress = Progress::of(path);
            let tell = &mut |moment: Moment<'_>| match moment {
                Moment::Begins(life) => progress.begins(life),
                Moment::Ended(life) => {
                    progress.ended();
                    out.write(Stream::Stdout, one(path, setting.world, life, verbose).as_bytes());
                }
            };
            lives::test(Path::new(path), &lives, &setting, tell).map_err(|error| without_sandbox(&error))
        })
        .collect::<Result<_, String>>()?;
    if let Some(path) = params.text("junit") {
        let written = store::replace(Path::new(path), lives::junit(&reports).as_bytes(), 0o644);
        written.map_err(|error| format!("cannot write '{path}': {error}"))?;
    }
    Ok(json!(reports))
}

/// Why no life could be played.
fn without_sandbox(error: &SandboxError) -> String {
    let instead = match error {
        SandboxError::NoBubblewrap => "; --no-sandbox runs the script on this host, as you",
        _ => "",
    };
    told(error) + instead
}

/// What is to be said of all lives; each has been told of as it ended.
fn printed(answer: &Answer<'_>) -> (String, u8) {
    let verbose = answer.params.flag("verbose", false);
    let reports: Vec<ScriptReport> = serde_json::from_value(answer.value.clone()).unwrap_or_default();
    let mut out = String::new();
    for report in &reports {
        if !verbose {
            noted(&mut out, report);
        }
        for remark in &report.remarks {
            let _ = writeln!(out, "{}: note: {remark}", report.file);
        }
    }
    let lives = || reports.iter().flat_map(|report| &report.lives);
    let failed = lives().filter(|life| !life.passed).count();
    let plural =
        |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let _ = writeln!(
        out,
        "{}, {}: {} passed, {failed} failed",
        plural(reports.len(), "script", "scripts"),
        plural(lives().count(), "life", "lives"),
        lives().count() - failed
    );
    (out, if failed > 0 { FAILED } else { 0 })
}

/// A line for a life that passed, a block for one that did not: its timeline, then what is to be said of it.
fn one(file: &str, world: World, life: &LifeReport, verbose: bool) -> String {
    let world = if world == World::Pve { " as at Proxmox VE" } else { "" };
    let word = if life.passed { "passed" } else { "FAILED" };
    let mut out = format!("{file}: {}{world}: {word}\n", life.life.name());
    if life.passed && !verbose {
        return out;
    }
    life.played.timeline.iter().for_each(|entry| {
        let _ = writeln!(out, "  {}", entry.line());
    });
    for verdict in &life.verdicts {
        let word = if verdict.standing == Standing::Failed { "failed" } else { "note" };
        let _ = writeln!(out, "  {word}: {}", verdict.what);
    }
    out.push('\n');
    out
}

/// What is worth knowing of the lives that passed, once, with those that it is of.
fn noted(out: &mut String, report: &ScriptReport) {
    let mut notes: Vec<(&str, Vec<&str>)> = Vec::new();
    for life in report.lives.iter().filter(|life| life.passed) {
        for verdict in &life.verdicts {
            match notes.iter_mut().find(|(what, _)| *what == verdict.what) {
                Some((_, of)) => of.push(life.life.name()),
                None => notes.push((&verdict.what, vec![life.life.name()])),
            }
        }
    }
    for (what, lives) in notes {
        let _ = writeln!(out, "{}: note: {what} ({})", report.file, lives.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_that_passed_is_a_line_and_one_that_failed_a_block_and_the_exit_code() {
        let entry = |ms: u64, kind: &str, text: &str| json!({"ms": ms, "vmid": 100, "phase": "pre-start", "kind": kind, "text": text});
        let life = |name: &str, passed: bool, verdicts: Value| {
            json!({
                "life": name, "passed": passed, "verdicts": verdicts,
                "timeline": [entry(3, "begin", "x.sh 100 pre-start"), entry(9, "out", "hello")],
                "calls": [], "left": {"files": [], "sys": [], "processes": [], "mounts": [], "interfaces": []},
                "peak": {"processes": 1, "memory": 1, "disk": 1}, "cut": null, "secrets": [], "keepers_killed": 0,
                "trouble": [],
            })
        };
        let note = json!({"standing": "note", "what": "/run/x is left"});
        let failed = json!({"standing": "failed", "what": "the process 'sleep 9' is left"});
        let lives = [
            life("normal", true, json!([note])),
            life("crash", false, json!([failed, note])),
            life("reboot", true, json!([note])),
        ];
        let value = json!([{"file": "x.sh", "world": "pve", "sandbox": true, "lives": lives}]);
        let reports: Vec<ScriptReport> = serde_json::from_value(value.clone()).unwrap();
        let lives = reports[0].lives.iter().map(|life| one("x.sh", World::Pve, life, false));
        let (said, code) = printed(&Answer { value: &value, params: &Params::default() });
        let text = lives.collect::<String>() + &said;
        let want = concat!(
            "x.sh: normal as at Proxmox VE: passed\n",
            "x.sh: crash as at Proxmox VE: FAILED\n",
            "       3 ms  100   pre-start   x.sh 100 pre-start\n",
            "       9 ms  100   pre-start   | hello\n",
            "  failed: the process 'sleep 9' is left\n",
            "  note: /run/x is left\n",
            "\n",
            "x.sh: reboot as at Proxmox VE: passed\n",
            "x.sh: note: /run/x is left (normal, reboot)\n",
            "1 script, 3 lives: 2 passed, 1 failed\n",
        );
        assert_eq!((text.as_str(), code), (want, FAILED));
    }
}
