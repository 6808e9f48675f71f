//! What scripts and the host's administrator say about hooks: written down again it says the same, and an error has a line.

use hooks::conf::{HooksConf, Set};
use hooks::settings::{BYTES, Kill, LINES, Settings, parse};
use model::Phase;
use std::time::Duration;

/// A script.
pub(crate) fn header(script: &[u8]) {
    match parse(script) {
        Ok(settings) => {
            assert!(settings.retry.is_subset(&settings.phases) && !settings.phases.is_empty());
            let told = serde_json::to_string(&settings).expect("settings are JSON");
            assert_eq!(serde_json::from_str::<Settings>(&told).expect("they read back"), settings);
            let text = header_of(&settings);
            if text.len() < BYTES {
                assert_eq!(parse(text.as_bytes()), Ok(settings), "{text}");
            }
        }
        Err(error) => {
            assert!((1..=crate::line_count(script).min(LINES)).contains(&error.line), "{error}");
            assert!(error.to_string().starts_with(&format!("line {}: ", error.line)));
        }
    }
    // What follows a zero byte, as in a binary, says nothing.
    let binary = [script, b"\n\0\n# hookvisor: nonsense\n"].concat();
    let whole = [script, b"\n"].concat();
    assert_eq!(parse(&binary), parse(&whole));
}

fn header_of(settings: &Settings) -> String {
    let names = |phases: &mut dyn Iterator<Item = &Phase>| {
        phases.map(|phase| phase.as_str()).collect::<Vec<_>>().join(",")
    };
    let mut text = format!("# hookvisor: phases={}", names(&mut settings.phases.iter()));
    if !settings.retry.is_empty() {
        text += &format!(" retry={}", names(&mut settings.retry.iter()));
    }
    if settings.kill == Kill::Tree {
        text += " kill=tree";
    }
    if let Some(timeout) = settings.timeout {
        text += &format!(" timeout={}ms", timeout.as_millis());
    }
    if !settings.params.is_empty() {
        text += &format!(" params={}", list(&settings.params));
    }
    text + "\n"
}

/// A file `hooks.conf`.
pub(crate) fn conf(raw: &[u8]) {
    match HooksConf::parse(raw) {
        Ok(conf) => {
            let mut text = section("host", &conf.host);
            conf.guests.iter().for_each(|(vmid, set)| text += &section(&format!("guest {vmid}"), set));
            assert_eq!(HooksConf::parse(text.as_bytes()), Ok(conf), "{text}");
        }
        Err((line, reason)) => {
            assert!((1..=crate::line_count(raw)).contains(&line), "{line}: {reason}");
            assert!(!reason.to_string().is_empty());
        }
    }
}

fn section(name: &str, set: &Set) -> String {
    let limit = |timeout: Duration| format!("timeout = {}ms\n", timeout.as_millis());
    let params =
        if set.params.is_empty() { String::new() } else { format!("params = {}\n", list(&set.params)) };
    format!("[{name}]\n{}{params}", set.timeout.map(limit).unwrap_or_default())
}

fn list(params: &[(String, String)]) -> String {
    params.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect::<Vec<_>>().join(",")
}
