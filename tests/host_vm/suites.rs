//! What the ordinary suites cannot run on every host: control groups of version 2, and a kernel that polices traffic and
//! filters VLANs.

use crate::machine::Machine;
use e2e::suite::{Need, QEMU, Test};
use e2e::tests;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [QEMU, Need::HostMachine]: real_containers)
}

/// Those that are skipped where control groups are of version 1, or where the kernel lacks a part.
const SKIPPED_ELSEWHERE: [&str; 6] = [
    "start limits-v2",
    "start plain-v2",
    "start raw-v2",
    "start network-rate",
    "start network-vlan",
    "start unprivileged-own-map",
];

fn real_containers() {
    let mut machine = Machine::ready();
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    machine.sh(&format!("mkdir -p {here} && mount --bind /payload/tree $(realpath {here})"));
    let ended = machine.run("cd / && /payload/tests/real --test-threads=1 2>&1", Duration::from_secs(400));
    let passed = |name: &&str| ended.text.lines().any(|line| is_result(line, name, "ok"));
    let missing: Vec<&str> = SKIPPED_ELSEWHERE.into_iter().filter(|name| !passed(name)).collect();
    assert!(ended.code == 0 && missing.is_empty(), "not passed: {missing:?}\n{}", ended.text);
}

/// Whether a line of a test program says this of a test.
fn is_result(line: &str, name: &str, result: &str) -> bool {
    let Some((said, how)) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... ")) else {
        return false;
    };
    said.trim() == name && how == result
}
