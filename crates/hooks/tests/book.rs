//! What the book shows of settings is what they are.

use hooks::Problem;
use hooks::conf::HooksConf;
use hooks::settings::{self, Kill};
use model::{Phase, Script};
use std::path::Path;
use std::time::Duration;

/// The blocks of a language in the page about settings.
fn blocks(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/hook-settings.md");
    let page = std::fs::read_to_string(path).unwrap();
    let begin = format!("```{language}\n");
    page.split(&begin).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_script_and_the_file_that_it_shows_can_be_read() {
    let [script] = &blocks("sh")[..] else { panic!("one script is shown") };
    let settings = settings::parse(script.as_bytes()).unwrap();
    assert_eq!((settings.timeout, settings.kill), (Some(Duration::from_secs(30)), Kill::Tree));
    assert_eq!(settings.phases, [Phase::PreStart, Phase::PostStop].into());
    assert_eq!(settings.retry, [Phase::PostStop].into());

    let [conf] = &blocks("ini")[..] else { panic!("one file is shown") };
    let conf = HooksConf::parse(conf.as_bytes()).unwrap();
    let [guest, other] = ["100", "101"].map(|vmid| vmid.parse().unwrap());
    assert_eq!(conf.limit(&settings, guest).map(|limit| limit.after), Some(Duration::from_secs(30 * 60)));
    assert_eq!(conf.limit(&settings, other).map(|limit| limit.after), Some(Duration::from_secs(30)));
    let params = conf.params(&settings, guest);
    assert_eq!((&params["bond"][..], &params["greeting"][..]), ("bond1", "good morning, guest"));
    let params = conf.params(&settings, other);
    assert_eq!((&params["bond"][..], &params["greeting"][..]), ("bond0", "hello, guest"));
}

#[test]
fn an_error_reads_as_it_shows_it() {
    let script: Script = "local:snippets/x.sh".parse().unwrap();
    let error = settings::parse(b"#!/bin/sh\n# hookvisor: timeut=3s\n").unwrap_err();
    let text = hooks::error_text(
        "100".parse().unwrap(),
        Phase::PreStart,
        &Problem::settings(&script, &error).to_string(),
    );
    assert!(
        blocks("text").iter().any(|shown| *shown == text.trim_end_matches('\n').to_owned() + "\n"),
        "{text}"
    );
}
