//! Tasks that somebody ends, by the API.

use api::{Authority, Context, Given, Origin, Output, Verb};
use e2e::suite::Test;
use e2e::{Behaviour, Guest, Host, Kind, tests};
use model::{Layout, Stream};
use serde_json::Value;
use store::ConfigStore;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: ending_a_start_aborts_its_hook, ending_a_shutdown_leaves_the_guest, one_run_is_told_with_its_lines,
            a_running_guest_is_listed_with_what_it_uses
    )
}

struct Silence;

impl Output for Silence {
    fn write(&mut self, _: Stream, _: &[u8]) {}
}

/// A call as the root's owner.
fn call(host: &Host, verb: Verb, path: &str, given: &[(&str, &str)]) -> Value {
    let store = ConfigStore::open(Layout::new(host.root())).expect("a root is laid out");
    let mut silence = Silence;
    let context = Context::new(&store, Authority::Owner, Origin::Server, &mut silence);
    let given = given.iter().map(|(key, value)| ((*key).to_owned(), Given::One((*value).to_owned())));
    let path = path.replace("NODE", store.node().as_str());
    api::call(&context, verb, &path, given).unwrap_or_else(|error| panic!("{path}: {}", error.printed()))
}

/// Ends the task of a guest that runs, by its type's end.
fn end(host: &Host, guest: &Guest<'_>, action: &str) {
    let tasks = call(host, Verb::Get, "/nodes/NODE/tasks", &[("source", "active"), ("vmid", &guest.id())]);
    let running = tasks.as_array().into_iter().flatten().find(|task| {
        task["status"] == "RUNNING" && task["type"].as_str().is_some_and(|kind| kind.ends_with(action))
    });
    let upid = running.unwrap_or_else(|| panic!("no {action} runs: {tasks}"))["upid"].as_str().unwrap();
    call(host, Verb::Delete, &format!("/nodes/NODE/tasks/{upid}"), &[]);
}

fn ending_a_start_aborts_its_hook(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "sleep 300");
    let start = guest.spawn("start", &[]);
    guest.wait_noted("pre-start", 1);
    end(host, &guest, "start");
    start.finish().fails();
    guest.lived("pre-start:aborted post-stop");
    assert_eq!(guest.status(), "stopped");
}

fn ending_a_shutdown_leaves_the_guest(host: &Host, kind: Kind) {
    let guest = match kind {
        Kind::Vm => host.vm(&Behaviour::Ignores),
        Kind::Container => host.container(),
    };
    guest.start().ok();
    if kind == Kind::Container {
        guest.exec(&["touch", "/etc/ignore"]).ok();
    }
    let shutdown = guest.spawn("shutdown", &["--timeout", "300"]);
    guest.wait_noted("pre-stop", 1);
    e2e::wait::until("the guest is asked", || {
        let status = host.hookvisor(["status", "--output-format", "json"]).ok().out().to_owned();
        status.contains("\"stage\":\"stop\"").then_some(())
    });
    end(host, &guest, "shutdown");
    shutdown.finish().complains("received interrupt");
    assert_eq!(guest.status(), "running");
    guest.stop().ok();
}

fn one_run_is_told_with_its_lines(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "echo a line; echo another >&2");
    guest.start().ok();
    guest.stop().ok();
    guest.wait_run_end();
    let id = guest.id();
    let history = guest.history();
    let run = history[0]["run"].as_str().expect("a run has an id").to_owned();
    let told = call(host, Verb::Get, &format!("/hookvisor/guests/{id}/runs/{run}"), &[("limit", "0")]);
    let lines = told["lines"].to_string();
    assert!(lines.contains("a line") && lines.contains("another"), "{told}");
    let shown = host.hookvisor(["hooks", "run", &id, &run]).ok().out().to_owned();
    assert!(shown.contains("out | a line") && shown.contains("err | another"), "{shown}");
    let events = call(host, Verb::Get, "/hookvisor/events", &[("after", "0"), ("vmid", &id)]);
    let words: Vec<&str> =
        events.as_array().into_iter().flatten().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((words.first(), words.last()), (Some(&"run-begin"), Some(&"idle")), "{words:?}");
    assert_eq!(words.iter().filter(|word| **word == "hook-begin").count(), 4, "{words:?}");
}

fn a_running_guest_is_listed_with_what_it_uses(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let listed = || {
        let all = call(host, Verb::Get, "/cluster/resources", &[("type", "vm")]);
        let own = all.as_array().into_iter().flatten().find(|row| row["vmid"] == guest.vmid()).cloned();
        own.unwrap_or_else(|| panic!("not listed: {all}"))
    };
    let row = listed();
    assert_eq!(row["status"], "running", "{row}");
    assert!(row["mem"].as_u64().is_some_and(|mem| mem > 0), "{row}");
    assert!(row["cpu"].as_f64().is_some_and(|cpu| cpu >= 0.0), "{row}");
    let of = if kind == Kind::Vm { "qemu" } else { "lxc" };
    let current = call(host, Verb::Get, &format!("/nodes/NODE/{of}/{}/status/current", guest.vmid()), &[]);
    assert_eq!(current["status"], "running", "{current}");
    let pid = if kind == Kind::Vm { guest.hypervisor() } else { guest.init() };
    assert_eq!(current["pid"], pid, "{current}");
    let rows = call(host, Verb::Get, &format!("/nodes/NODE/{of}"), &[]);
    assert_eq!(rows[0]["pid"], pid, "{rows}");
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!(listed()["status"], "stopped");
}
