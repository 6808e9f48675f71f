//! `hookvisor hooks test`: whole lives of a guest, without any guest.

use crate::cli::{Answer, Command};
use crate::local::told;
use crate::programs::plain;
use api::{Output, Params};
use config::schema::{Property, Type};
use model::{GuestKind, Layout};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use workshop::lives::{self, Life, Limits, ScriptReport, Setting, World};

/// The exit code where a script fails in a life.
const FAILED: u8 = 1;

static PATH: Property = Property::string("path");

static LIFE: Property = Property::string("life").one_of(&Life::NAMES).describe("A life.");

static PARAMETERS: &[&[Property]] = &[&[
    Property::string("as")
        .default("hookvisor")
        .one_of(&["hookvisor", "pve"])
        .describe("Who calls the script: hookvisor, or Proxmox VE as far as a script can tell."),
    Property::string("config")
        .optional()
        .describe("The guest's configuration, as in 100.conf; the file's name is its VMID."),
    Property::string("junit").optional().describe("Writes the result to this file, too, as JUnit has it."),
    Property::string("kind")
        .optional()
        .one_of(&["qemu", "lxc"])
        .describe("The guest's kind; that of its configuration if absent, else qemu."),
    Property::new("life", Type::Array(&LIFE))
        .optional()
        .describe("The lives to play; all of them if absent."),
    Property::boolean("network").default("0").describe("Lets the script have the host's network."),
    Property::boolean("no-sandbox")
        .default("0")
        .describe("Runs the script on this host, as whoever calls, with all that it does there."),
    Property::new("script", Type::Array(&PATH)).describe("The scripts' paths."),
    Property::integer("timeout")
        .min(1)
        .max(3600)
        .default("60")
        .describe("How long a life may take, in seconds."),
]];

/// `hookvisor hooks test`
pub(crate) const TEST: Command = Command::local(
    "hooks test",
    "Plays whole lives of a guest with hookscripts, in a sandbox and without any guest, and says what they did and left behind.",
    PARAMETERS,
    &[],
    test,
)
.rest("script")
.formats()
.anybody()
.print(printed);

fn test(_: &Layout, params: &Params, _: &mut dyn Output) -> Result<Value, String> {
    let setting = Setting {
        world: if params.text("as") == Some("pve") { World::Pve } else { World::Hookvisor },
        sandbox: !params.flag("no-sandbox", false),
        network: params.flag("network", false),
        kind: params.text("kind").map(|kind| if kind == "lxc" { GuestKind::Lxc } else { GuestKind::Qemu }),
        config: params.text("config").map(PathBuf::from),
        limits: Limits { seconds: params.number("timeout").unwrap_or(60), ..Limits::default() },
        program: None,
    };
    let named: Vec<Life> = params.list("life").into_iter().filter_map(Life::named).collect();
    let lives = if named.is_empty() { Life::ALL.to_vec() } else { named };
    let reports: Vec<ScriptReport> = params
        .list("script")
        .into_iter()
        .map(|path| lives::test(Path::new(path), &lives, &setting).map_err(|error| told(&error)))
        .collect::<Result<_, String>>()?;
    if let Some(path) = params.text("junit") {
        let written = store::replace(Path::new(path), lives::junit(&reports).as_bytes(), 0o644);
        written.map_err(|error| format!("cannot write '{path}': {error}"))?;
    }
    Ok(json!(reports))
}

/// A block for each life: its timeline, then what is to be said of it.
fn printed(answer: &Answer<'_>) -> (String, u8) {
    let (mut out, mut passed, mut failed, mut scripts) = (String::new(), 0, 0, 0);
    for report in answer.value.as_array().into_iter().flatten() {
        scripts += 1;
        let world = if report["world"] == "pve" { " as at Proxmox VE" } else { "" };
        for life in report["lives"].as_array().into_iter().flatten() {
            let well = life["passed"] == true;
            if well {
                passed += 1;
            } else {
                failed += 1;
            }
            let word = if well { "passed" } else { "FAILED" };
            let _ = writeln!(out, "{}: {}{world}: {word}", plain(&report["file"]), plain(&life["life"]));
            life["timeline"].as_array().into_iter().flatten().for_each(|entry| happened(&mut out, entry));
            for verdict in life["verdicts"].as_array().into_iter().flatten() {
                let _ = writeln!(out, "  {}: {}", plain(&verdict["standing"]), plain(&verdict["what"]));
            }
            out.push('\n');
        }
    }
    let plural =
        |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let scripts = plural(scripts, "script", "scripts");
    let lives = plural(passed + failed, "life", "lives");
    let _ = writeln!(out, "{scripts}, {lives}: {passed} passed, {failed} failed");
    (out, if failed > 0 { FAILED } else { 0 })
}

fn happened(out: &mut String, entry: &Value) {
    let mark = match entry["kind"].as_str().unwrap_or_default() {
        "command" => "$ ",
        "said" => "! ",
        "out" => "| ",
        "err" => "2| ",
        "call" => "> ",
        "guest" => "the guest ",
        _ => "",
    };
    let vmid = match entry["vmid"].as_u64() {
        Some(vmid) => vmid.to_string(),
        None => String::new(),
    };
    let phase = entry["phase"].as_str().unwrap_or_default();
    let text = plain(&entry["text"]);
    let line = format!("  {:>6} ms  {vmid:<5} {phase:<10}  {mark}{text}", entry["ms"].as_u64().unwrap_or(0));
    let _ = writeln!(out, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_block_and_one_that_failed_is_the_exit_code() {
        let entry = |ms: u64, kind: &str, text: &str| json!({"ms": ms, "vmid": 100, "phase": "pre-start", "kind": kind, "text": text});
        let life = json!({
            "life": "crash", "passed": false,
            "timeline": [entry(3, "begin", "x.sh 100 pre-start"), entry(9, "out", "hello")],
            "verdicts": [{"standing": "failed", "what": "the process 'sleep 9' is left"}],
        });
        let value = json!([{"file": "x.sh", "world": "pve", "lives": [life]}]);
        let (text, code) = printed(&Answer { value: &value, params: &Params::default() });
        let want = concat!(
            "x.sh: crash as at Proxmox VE: FAILED\n",
            "       3 ms  100   pre-start   x.sh 100 pre-start\n",
            "       9 ms  100   pre-start   | hello\n",
            "  failed: the process 'sleep 9' is left\n",
            "\n",
            "1 script, 1 life: 0 passed, 1 failed\n",
        );
        assert_eq!((text.as_str(), code), (want, FAILED));
    }
}
