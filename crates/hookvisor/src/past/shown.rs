//! `hookvisor hooks show`: everything on record about one run.

use super::{RUN, find, lossy, secrets};
use crate::cli::{Answer, Command};
use crate::clock::{local_time, seconds};
use crate::local::told;
use crate::programs::record::{said, with_priorities};
use crate::programs::{blocks, outcome, plain};
use crate::run::Failure;
use api::{Output, Params};
use config::schema::Property;
use hooks::digest::Digest;
use hooks::kept;
use model::Layout;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use workshop::Mask;

static PARAMETERS: &[&[Property]] = &[&[RUN]];

/// `hookvisor hooks show`
pub(crate) const SHOW: Command = Command::local(
    "hooks show",
    "Shows everything on record about one run: its calls of hookscripts with their arguments, environment and output, and \
     the guest's configuration as they had it. Secrets are masked.",
    PARAMETERS,
    &["run"],
    show,
)
.example("hookvisor hooks show 100")
.formats()
.print(text);

fn show(layout: &Layout, params: &Params, _: &mut dyn Output) -> Result<Value, Failure> {
    let recalled = find(layout, params.text("run").unwrap_or_default())?;
    let vmid = recalled.run.vmid;
    let (mask, mut value) = (secrets(layout, &recalled), json!(recalled));
    let mut configs = Map::new();
    for (at, made) in recalled.calls.iter().enumerate() {
        let call = &recalled.run.phases[at];
        let env: Map<String, Value> =
            made.with.env.iter().map(|(key, value)| variable(&mask, &lossy(key), &lossy(value))).collect();
        let digest = made.with.config.clone();
        let shown = &mut value["calls"][at];
        with_priorities(&mut shown["lines"]);
        shown["arguments"] = json!([vmid.to_string(), call.phase.as_str()]);
        shown["env"] = Value::Object(env);
        shown["config"] = json!(digest);
        // It has been taken apart.
        if let Some(shown) = shown.as_object_mut() {
            shown.remove("with");
        }
        let kept = |digest: &String| digest.parse::<Digest>().map(|digest| kept::read(layout, digest));
        shown["kept"] = json!(match call.sha256.as_ref().map(kept) {
            Some(Ok(Ok(bytes))) => bytes.is_some(),
            _ => false,
        });
        if let Some(digest) = digest.filter(|digest| !configs.contains_key(digest))
            && let Ok(read) = kept(&digest)
        {
            let text = read.map_err(|error| told(&error))?;
            let text = text.map(|bytes| config(&mask, &String::from_utf8_lossy(&bytes)));
            configs.insert(digest, json!(text));
        }
    }
    value["configs"] = Value::Object(configs);
    mask.value(&mut value);
    Ok(value)
}

fn variable(mask: &Mask, key: &str, value: &str) -> (String, Value) {
    (key.to_owned(), json!(mask.variable(key, value)))
}

/// A configuration whose passwords are masked.
fn config(mask: &Mask, text: &str) -> String {
    let line = |line: &str| match line.split_once(": ") {
        Some((key, value)) => format!("{key}: {}\n", mask.variable(key, value)),
        None => format!("{}\n", mask.text(line)),
    };
    text.lines().map(line).collect()
}

/// The run as its history has it, then a block for each call, then the configurations.
fn text(answer: &Answer<'_>) -> (String, u8) {
    let value = answer.value;
    let mut out = blocks([value].into_iter());
    let list = |key: &str| value[key].as_array().into_iter().flatten();
    for note in list("notes") {
        let _ = writeln!(out, "  {}", plain(note));
    }
    for (call, made) in list("phases").zip(list("calls")) {
        let _ = writeln!(out, "\n{}  {}", plain(&call["phase"]), plain(&call["script"]));
        block(&mut out, call, made);
    }
    for (digest, config) in value["configs"].as_object().into_iter().flatten() {
        let _ = writeln!(out, "\nconfiguration {}", short(digest));
        match config.as_str() {
            Some(text) => text.lines().for_each(|line| out.push_str(&format!("  {line}\n"))),
            None => out.push_str("  not kept any more\n"),
        }
    }
    (out, 0)
}

fn block(out: &mut String, call: &Value, made: &Value) {
    let mut row = |label: &str, text: String| {
        let _ = writeln!(out, "  {label:<12} {text}");
    };
    let took =
        call["millis"].as_u64().map_or_else(String::new, |millis| format!(" after {}", seconds(millis)));
    row("begun", call["begun"].as_u64().map(local_time).unwrap_or_default());
    row("ended", format!("{}{took}", outcome(&call["outcome"])));
    if call["cause"].is_string() {
        row("cause", plain(&call["cause"]).trim_end().to_owned());
    }
    if call["path"].is_string() {
        let words: Vec<String> = made["arguments"].as_array().into_iter().flatten().map(plain).collect();
        row("command", format!("{} {}", plain(&call["path"]), words.join(" ")));
        let kept = if made["kept"] == true { "" } else { ", not kept" };
        let digest = call["sha256"].as_str().map_or_else(|| "unknown".to_owned(), short);
        row("script", format!("{digest}{kept}"));
        row("limit", made["limit_ms"].as_u64().map_or_else(|| "none".to_owned(), seconds));
        let flags = [("tree", "kill=tree"), ("retry", "retry")]
            .map(|(key, word)| (made[key] == true).then_some(word));
        let flags: Vec<&str> = flags.into_iter().flatten().collect();
        if !flags.is_empty() {
            row("settings", flags.join(" "));
        }
        if let Some(digest) = made["config"].as_str() {
            row("configuration", short(digest));
        }
    }
    let env = made["env"].as_object().into_iter().flatten();
    for (at, (key, value)) in env.enumerate() {
        row(if at == 0 { "environment" } else { "" }, format!("{key}={}", plain(value)));
    }
    let lines = made["lines"].as_array().into_iter().flatten();
    for (at, line) in lines.enumerate() {
        let mark = if line["stream"] == "stderr" { "err |" } else { "out |" };
        row(
            if at == 0 { "printed" } else { "" },
            format!("{mark} {}", said(&line["text"], line["stream"].as_str(), None)),
        );
    }
}

/// What is enough of a digest to tell it from others.
fn short(digest: &str) -> String {
    digest.chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooks::context::MASKED;

    #[test]
    fn passwords_are_masked_wherever_they_stand() {
        let text = "name: web\ncipassword: $5$x$y\n#token ghp_0123456789abcdefghijABCDEFGHIJ0123\n";
        let expected = format!("name: web\ncipassword: {MASKED}\n#token {MASKED}\n");
        assert_eq!(config(&Mask::default(), text), expected);
    }
}
