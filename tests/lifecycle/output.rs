//! What a hook prints: at the command, in the journal, in the task's log, byte for byte.

use e2e::suite::Test;
use e2e::{Guest, Host, Kind, tests};
use std::fs;
use std::time::Duration;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: both_outputs_come_on_stdout_in_order, bytes_pass_unchanged, a_missing_line_end_glues_the_next_line_on,
            long_lines_are_numbered_parts, nine_kilobytes_in_one_line, many_lines_are_all_there,
            it_comes_as_it_is_printed, a_child_that_holds_the_outputs_does_not_hold_the_start,
            the_task_log_has_what_the_command_showed
    )
}

/// The lines of one phase in the journal.
#[track_caller]
fn lines(guest: &Guest, phase: &str) -> Vec<Vec<u8>> {
    let phases = guest.phases();
    let record = phases.iter().rfind(|record| record.phase == phase);
    record.unwrap_or_else(|| panic!("no {phase} in the journal")).stdout.clone()
}

fn both_outputs_come_on_stdout_in_order(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let id = guest.vmid();
    let output = guest.start().ok();
    for phase in ["pre-start", "post-start"] {
        let (out, err) = (format!("out {id} {phase}\n"), format!("err {id} {phase}\n"));
        assert!(output.out().contains(&out) && output.out().contains(&err), "{}", output.describe());
    }
    assert_eq!(output.err(), "", "a hook's standard error comes on standard output");
    assert!(output.out().find("pre-start") < output.out().find("post-start"));
    let output = guest.stop().ok();
    assert!(output.out().contains(&format!("out {id} post-stop")), "{}", output.describe());
    assert_eq!(output.err(), "");
}

fn bytes_pass_unchanged(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", r"printf 'latin \344\366\374 \033[31mred\033[0m tab\there\r\nnext\0zero\n'");
    let output = guest.start().ok();
    let expected = b"latin \xe4\xf6\xfc \x1b[31mred\x1b[0m tab\there\r\nnext\0zero\n";
    assert!(output.stdout.windows(expected.len()).any(|part| part == expected), "{:?}", output.stdout);
    guest.stop().ok();
    let lines = lines(&guest, "pre-start");
    assert!(
        lines.iter().any(|line| line.starts_with(b"latin \xe4\xf6\xfc \x1b[31mred\x1b[0m tab\there")),
        "{lines:?}"
    );
    assert!(lines.contains(&b"next\0zero".to_vec()), "{lines:?}");
}

fn a_missing_line_end_glues_the_next_line_on(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let script = "#!/bin/sh\n[ \"$2\" != post-start ] || { printf 'no end'; exit 4; }\n";
    guest.set(&["--hookscript", &host.snippet("no-end", script)]);
    let message = format!("no endhookscript error for {} on post-start", guest.vmid());
    guest.start().ok().prints(&message);
    guest.stop().ok();
    assert!(lines(&guest, "post-start").contains(&b"no end".to_vec()));
}

fn long_lines_are_numbered_parts(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "head -c 200000 /dev/zero | tr '\\0' x; echo");
    let output = guest.start().ok();
    assert_eq!(output.stdout.iter().filter(|byte| **byte == b'x').count(), 200_000);
    guest.stop().ok();
    let records = guest.records();
    let parts: Vec<(String, usize)> = records
        .iter()
        .filter(|record| record.contains_key("HOOK_PART"))
        .map(|record| (e2e::journal::text(record, "HOOK_PART"), e2e::journal::bytes(record, "MESSAGE").len()))
        .collect();
    let numbers: Vec<String> = (1..=parts.len()).map(|number| number.to_string()).collect();
    assert_eq!(parts.iter().map(|part| part.0.clone()).collect::<Vec<_>>(), numbers);
    assert_eq!(parts.iter().map(|part| part.1).sum::<usize>(), 200_000);
    assert!(parts.iter().all(|part| part.1 <= 64 << 10), "{parts:?}");
}

fn nine_kilobytes_in_one_line(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "head -c 9216 /dev/zero | tr '\\0' y; echo");
    guest.start().ok();
    guest.stop().ok();
    assert!(lines(&guest, "pre-start").contains(&vec![b'y'; 9216]));
}

fn many_lines_are_all_there(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "seq 1 5000");
    let output = guest.start().ok();
    guest.stop().ok();
    let numbers = |lines: &mut dyn Iterator<Item = String>| -> Vec<u32> {
        lines.filter_map(|line| line.parse().ok()).collect()
    };
    let expected: Vec<u32> = (1..=5000).collect();
    let shown = numbers(&mut output.out().lines().map(str::to_owned));
    assert!(shown == expected, "{} of 5000 lines at the command: {:?}", shown.len(), gaps(&shown));
    let recorded = lines(&guest, "pre-start");
    let recorded = numbers(&mut recorded.iter().map(|line| String::from_utf8_lossy(line).into_owned()));
    assert!(recorded == expected, "{} of 5000 lines in the journal: {:?}", recorded.len(), gaps(&recorded));
}

/// The places where the next number is not one more.
fn gaps(numbers: &[u32]) -> Vec<(u32, u32)> {
    numbers.windows(2).filter(|pair| pair[0] + 1 != pair[1]).map(|pair| (pair[0], pair[1])).take(8).collect()
}

fn it_comes_as_it_is_printed(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let gate = host.scratch().join("gate");
    guest.on("pre-start", &format!("echo waiting; while ! [ -e '{}' ]; do sleep 0.01; done", gate.display()));
    let start = guest.spawn("start", &[]);
    e2e::wait::until("the hook's line at the command", || {
        start.stdout_so_far().contains("waiting\n").then_some(())
    });
    e2e::wait::until("the hook's line in the journal", || {
        lines_so_far(&guest).contains(&b"waiting".to_vec()).then_some(())
    });
    fs::write(gate, "").expect("the gate can be opened");
    start.finish().ok();
    guest.stop().ok();
}

fn lines_so_far(guest: &Guest) -> Vec<Vec<u8>> {
    guest.phases().into_iter().flat_map(|record| record.stdout).collect()
}

/// On purpose not as Proxmox VE, where such a child holds the guest.
fn a_child_that_holds_the_outputs_does_not_hold_the_start(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "(sleep 8; echo late) &");
    let output = guest.start().ok();
    assert!(output.took < Duration::from_secs(5), "{}", output.describe());
    let output = guest.stop().ok();
    assert!(output.took < Duration::from_secs(5), "{}", output.describe());
    // Its later lines are still recorded, after the run has ended.
    e2e::wait::until("the child's line in the journal", || {
        lines_so_far(&guest).contains(&b"late".to_vec()).then_some(())
    });
}

fn the_task_log_has_what_the_command_showed(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let output = guest.start().ok();
    guest.stop().ok();
    let index = fs::read_to_string(host.at("var/log/pve/tasks/index")).expect("the index of tasks");
    let task = if kind == Kind::Vm { ":qmstart:" } else { ":vzstart:" };
    let upid = index.lines().find(|line| line.contains(task)).and_then(|line| line.split(' ').next());
    let upid = upid.unwrap_or_else(|| panic!("{task} is not in the index: {index}"));
    let folder = upid.split(':').nth(4).and_then(|time| time.chars().last()).expect("a start time");
    let log = fs::read_to_string(host.at(&format!("var/log/pve/tasks/{folder}/{upid}")))
        .expect("the log of the task");
    assert_eq!(log, format!("{}TASK OK\n", output.out()), "{}", output.describe());
}
