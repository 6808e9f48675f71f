//! What the ordinary suites cannot run on every host: control groups of version 2, a kernel that polices traffic and
//! filters VLANs, and a clock that may be set.

use crate::agent::LIMIT;
use crate::machine::Machine;
use e2e::suite::{Need, QEMU, Test};
use e2e::tests;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [QEMU, Need::HostMachine]: real_containers, the_doctor_tells_of_a_clock_that_is_behind)
}

/// The tests that may be skipped on a host whose control groups are of version 1, or whose kernel lacks a part.
fn skipped_elsewhere() -> Vec<String> {
    let listed: toml::Table = include_str!("../skips.toml").parse().expect("the list of skips is TOML");
    let skips = listed["skip"].as_array().expect("a list");
    skips.iter().map(|skip| skip["name"].as_str().expect("a name").to_owned()).collect()
}

fn real_containers() {
    let mut machine = Machine::ready();
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    // Where all of systemd is, their devices are there from the start.
    machine.sh("modprobe -a loop fuse tun");
    machine.sh(&format!("mkdir -p {here} && mount --bind /payload/tree $(realpath {here})"));
    let ended =
        machine.run("cd / && /payload/tests/real --test-threads=1 start 2>&1", Duration::from_secs(1200));
    let passed = |name: &String| ended.text.lines().any(|line| is_result(line, name, "ok"));
    let missing: Vec<String> = skipped_elsewhere().into_iter().filter(|name| !passed(name)).collect();
    assert!(ended.code == 0 && missing.is_empty(), "not passed: {missing:?}\n{}", ended.text);
}

fn the_doctor_tells_of_a_clock_that_is_behind() {
    let mut machine = Machine::ready();
    let now = machine.sh("date +%s");
    let mut told = |time: &str| {
        machine.sh(&format!("date --set @{time}"));
        machine.run("hookvisor doctor", LIMIT).text
    };
    let behind = told("946684800");
    assert!(behind.contains("problem  clock: is behind this program's own file"), "{behind}");
    // This Debian has nothing that timedatectl(1) could switch on.
    assert!(behind.contains("mend: apt-get install systemd-timesyncd"), "{behind}");
    let right = told(&now);
    assert!(right.contains("clock: ") && !right.contains("is behind"), "{right}");
}

/// Whether a line of a test program says this of a test.
fn is_result(line: &str, name: &str, result: &str) -> bool {
    let Some((said, how)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) else {
        return false;
    };
    said.trim() == name && how == result
}
