//! What a script says about itself, and what the host's administrator says about it: phases, limits, retries, parameters.

use super::{at_gate, chmod, drop_in, ended, ends, forget_notes, hooks_conf, json_of, noted, own};
use e2e::suite::{QEMU, Test};
use e2e::{Guest, Host, Kind, proc, tests, wait};
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_limit_in_each_phase;
        once [QEMU]: a_script_is_called_in_its_phases, a_tree_is_ended_with_its_script, a_tree_is_ended_with_what_left_it,
            a_tree_that_does_not_listen_is_killed, a_group_is_ended_and_what_left_it_is_not,
            post_stop_is_repeated_where_it_may_be, settings_that_cannot_be_read, limits_of_host_and_guest,
            a_configuration_that_cannot_be_read, parameters, a_script_that_takes_its_time
    )
}

fn a_script_is_called_in_its_phases(host: &Host) {
    let guest = host.guest(Kind::Vm);
    own(host, &guest, "# hookvisor: phases=post-start", "");
    drop_in(host, "10-a", "# hookvisor: phases=pre-start,post-stop", "");
    drop_in(host, "20-b", "# hookvisor: phases=post-stop", "");
    guest.start().ok();
    guest.stop().ok();
    assert_eq!(
        noted(host),
        ["10-a pre-start", "own post-start", "20-b post-stop stop", "10-a post-stop stop"]
    );
    ended(
        &guest,
        &[
            "hooks.d/10-a pre-start ok",
            "local:snippets/own post-start ok",
            "hooks.d/20-b post-stop ok",
            "hooks.d/10-a post-stop ok",
        ],
    );
}

fn a_limit_in_each_phase(host: &Host, kind: Kind) {
    for hanging in ["pre-start", "post-start", "pre-stop", "post-stop"] {
        let guest = host.guest(kind);
        own(host, &guest, "", "");
        let body = format!("[ \"$2\" != {hanging} ] || exec sleep 1000");
        let path = drop_in(host, "10-a", "# hookvisor: timeout=1s", &body);
        let message = format!(
            "hookscript error for {} on {hanging}: command '{} {} {hanging}' failed: got timeout",
            guest.vmid(),
            path.display(),
            guest.vmid()
        );
        if hanging == "pre-start" {
            guest.start().fails().complains(&message);
            guest.wait_run_end();
            assert_eq!(guest.status(), "stopped");
            // It may have taken something before its time was up.
            ended(&guest, &["hooks.d/10-a pre-start timed out", "hooks.d/10-a post-stop ok"]);
            continue;
        }
        let (start, stop) = (guest.start().ok(), guest.stop().ok());
        let warned = if hanging == "post-start" { start } else { stop };
        warned.prints(&message);
        guest.wait_run_end();
        let outcome = |phase: &str| if phase == hanging { "timed out" } else { "ok" };
        let mut expected = Vec::new();
        for (phase, inwards) in
            [("pre-start", true), ("post-start", false), ("pre-stop", true), ("post-stop", false)]
        {
            let a = format!("hooks.d/10-a {phase} {}", outcome(phase));
            let own = format!("local:snippets/own {phase} ok");
            expected.extend(if inwards { [a, own] } else { [own, a] });
        }
        ended(&guest, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Starts a guest whose `pre-start` forks a process that leaves the script's process group, aborts it by a stop, and
/// returns the pid of what left.
fn abort_with_a_grandchild(host: &Host, settings: &str, grandchild: &str) -> u32 {
    abort_with(host, settings, grandchild, ("", "&\nwait"))
}

/// The same; what stands around it is how the process is forked, and what the script does afterwards.
fn abort_with(host: &Host, settings: &str, grandchild: &str, (before, then): (&str, &str)) -> u32 {
    let guest = host.guest(Kind::Vm);
    let told = host.scratch().join("grandchild");
    let body = format!(
        "[ \"$2\" = pre-start ] || exit 0\n{before}setsid sh -c '{grandchild} echo $$ >\"{told}.new\"; mv \"{told}.new\" \"{told}\"; \
         while :; do sleep 1; done' {then}",
        told = told.display()
    );
    own(host, &guest, settings, &body);
    let start = guest.spawn("start", &[]);
    let pid = wait::until("the grandchild", || fs::read_to_string(&told).ok()?.trim().parse::<u32>().ok());
    host.hookvisor(["hooks", "abort", &guest.id()]).ok();
    start.finish().fails().complains("failed: received interrupt");
    guest.wait_run_end();
    ended(&guest, &["local:snippets/own pre-start aborted", "local:snippets/own post-stop ok"]);
    pid
}

fn a_tree_is_ended_with_its_script(host: &Host) {
    let pid = abort_with_a_grandchild(host, "# hookvisor: kill=tree", "");
    assert!(!proc::alive(pid), "it belongs to the tree");
}

fn a_tree_that_does_not_listen_is_killed(host: &Host) {
    let pid = abort_with_a_grandchild(host, "# hookvisor: kill=tree", "trap \"\" TERM;");
    assert!(!proc::alive(pid), "it belongs to the tree, whatever it does about SIGTERM");
}

/// A daemon: its parents have ended, and it is in a session of its own.
fn a_tree_is_ended_with_what_left_it(host: &Host) {
    let pid = abort_with(host, "# hookvisor: kill=tree", "", ("{ ", "& } &\nwait; sleep 60"));
    assert!(!proc::alive(pid), "the script forked it");
}

fn a_group_is_ended_and_what_left_it_is_not(host: &Host) {
    let pid = abort_with_a_grandchild(host, "", "");
    assert!(proc::alive(pid), "it left the group");
    proc::kill(pid);
}

fn post_stop_is_repeated_where_it_may_be(host: &Host) {
    for (settings, kills) in [("# hookvisor: retry=post-stop", 2), ("", 1)] {
        let guest = host.guest(Kind::Vm);
        let (gate, wait_at_gate) = at_gate(host);
        let pid = host.scratch().join("pid");
        let tell = format!("echo $$ $HOOKVISOR_ATTEMPT >'{0}.new'; mv '{0}.new' '{0}'", pid.display());
        drop_in(host, "10-a", "", "");
        own(host, &guest, settings, &format!("[ \"$2\" = post-stop ] || exit 0\n{tell}\n{wait_at_gate}"));
        guest.start().ok();
        let stop = guest.spawn("stop", &[]);
        let mut asked = Some(stop);
        for attempt in 1..=kills {
            let script = wait::until("the script", || {
                let text = fs::read_to_string(&pid).ok()?;
                let (pid, seen) = text.trim().split_once(' ')?;
                assert_eq!(seen, attempt.to_string());
                pid.parse::<u32>().ok()
            });
            let keeper = guest.keeper();
            guest.kill(&[keeper, script]);
            if let Some(running) = asked.take() {
                let _ = running.finish();
            }
            fs::remove_file(&pid).expect("the script told its pid");
            if attempt == kills {
                fs::write(&gate, "").expect("the gate can be opened");
                host.hookvisor(["recover"]).ok();
            } else {
                asked = Some(host.spawn("hookvisor", ["recover"]));
            }
        }
        guest.wait_run_end();
        let calls = noted(host).iter().filter(|line| *line == "own post-stop stop").count();
        assert_eq!(calls, if settings.is_empty() { 1 } else { 3 }, "with {settings:?}: {:?}", noted(host));
        assert_eq!(noted(host).last().map(String::as_str), Some("10-a post-stop stop"));
        let unknown = "local:snippets/own post-stop unknown".to_owned();
        assert_eq!(ends(&guest).iter().filter(|end| **end == unknown).count(), kills);
        fs::remove_file(gate).expect("the gate is there");
        let _ = fs::remove_file(pid);
        forget_notes(host);
    }
}

fn settings_that_cannot_be_read(host: &Host) {
    let guest = host.guest(Kind::Vm);
    own(host, &guest, "# hookvisor: timeut=3s", "");
    let wrong = "settings in script 'local:snippets/own' line 2: unknown setting 'timeut': there are timeout, phases, retry, \
                 kill and params";
    let message = format!("hookscript error for {} on pre-start: {wrong}", guest.vmid());
    guest.start().fails().complains(&message);
    guest.wait_run_end();
    assert_eq!(noted(host), [""; 0]);
    ended(&guest, &["local:snippets/own pre-start refused"]);
    own(host, &guest, "", "");
    guest.start().ok();
    own(host, &guest, "# hookvisor: timeut=3s", "");
    guest.stop().ok().prints(&format!("warning: {wrong}\n"));
    assert_eq!(noted(host), ["own pre-start", "own post-start", "own pre-stop stop", "own post-stop stop"]);
}

fn limits_of_host_and_guest(host: &Host) {
    let context = |name: &str| format!("cp \"$HOOKVISOR_CONTEXT\" '{}'/{name}.$1", host.scratch().display());
    let guest = host.guest(Kind::Vm);
    let other = host.guest(Kind::Vm);
    drop_in(host, "10-mute", "# hookvisor: phases=pre-start", &context("mute"));
    drop_in(host, "20-own", "# hookvisor: timeout=7s, phases=pre-start", &context("own"));
    hooks_conf(host, &format!("[host]\ntimeout = 2m\n[guest {}]\ntimeout=5m\n", guest.vmid()));
    for guest in [&guest, &other] {
        guest.start().ok();
        guest.stop().ok();
    }
    let limit = |name: &str, guest: &Guest| {
        let path = host.scratch().join(format!("{name}.{}", guest.vmid()));
        json_of(&path)["script"]["timeout_ms"].as_u64()
    };
    assert_eq!((limit("mute", &guest), limit("own", &guest)), (Some(300_000), Some(300_000)));
    assert_eq!((limit("mute", &other), limit("own", &other)), (Some(120_000), Some(7_000)));

    // And it holds.
    hooks_conf(host, &format!("[host]\ntimeout = 2m\n[guest {}]\ntimeout=500ms\n", guest.vmid()));
    drop_in(host, "20-own", "# hookvisor: timeout=1m", "exec sleep 1000");
    guest.start().fails().complains("failed: got timeout");
    guest.wait_run_end();
}

fn a_configuration_that_cannot_be_read(host: &Host) {
    let guest = host.guest(Kind::Vm);
    hooks_conf(host, "[host]\ngrace = 3s\n");
    let path = host.at("etc/hookvisor/hooks.conf");
    let wrong = format!("'{}' line 2: unknown setting 'grace': there are timeout and params", path.display());
    guest.start().fails().complains(&wrong);
    hooks_conf(host, "");
    guest.start().ok();
    chmod(&path, 0o620);
    guest.stop().ok().prints(&format!("warning: '{}' is refused: its group may write to it", path.display()));
    guest.lived("pre-start:refused pre-start post-start pre-stop post-stop");
}

/// What is misspelt is said at the start, once, and where scripts are checked.
fn a_name_that_no_script_knows(host: &Host) {
    let guest = host.guest(Kind::Vm);
    own(host, &guest, "# hookvisor: params=bond=bond0", "");
    drop_in(host, "10-late", "# hookvisor: phases=post-stop, params=late=1", "");
    hooks_conf(host, &format!("[guest {}]\nparams = bnod=bond1, late=2\n", guest.vmid()));
    let said = format!("warning: no script of {} names 'bnod', which '", guest.vmid());
    let start = guest.start().ok();
    assert_eq!(
        start.out().matches(&said).count() + start.err().matches(&said).count(),
        1,
        "{}",
        start.describe()
    );
    let stop = guest.stop().ok();
    assert!(!stop.describe().contains("bnod"), "{}", stop.describe());
    let script = host.at("var/lib/vz/snippets/own").display().to_string();
    let checked = host.hookvisor(["hooks", "check", &script]);
    let what =
        format!("hooks.conf: note: no script of {0} names the parameter 'bnod' of [guest {0}]", guest.vmid());
    assert!(checked.out().contains(&what), "{}", checked.describe());
    // One that is no script of a guest's has nothing to do with it, nor has a copy of one that is.
    let copy = host.scratch().join("own.sh");
    std::fs::copy(&script, &copy).expect("the script can be copied");
    let checked = host.hookvisor(["hooks", "check", &copy.display().to_string()]);
    assert!(!checked.out().contains("hooks.conf"), "{}", checked.describe());
    hooks_conf(host, &format!("[guest {}]\nparams = bond=bond1, late=2\n", guest.vmid()));
    let start = guest.start().ok();
    assert!(!start.describe().contains("names '"), "{}", start.describe());
    guest.stop().ok();
    std::fs::remove_file(host.at("etc/hookvisor/hooks.d/10-late")).expect("the drop-in is there");
    hooks_conf(host, "");
    forget_notes(host);
}

fn parameters(host: &Host) {
    a_name_that_no_script_knows(host);
    let guest = host.guest(Kind::Vm);
    let settings = "# hookvisor: params=bond=bond0,greeting=\"hello, guest\"\n# hookvisor: params=vlan_id=1";
    let seen = host.scratch().join("seen");
    own(host, &guest, settings, &format!("env | grep ^HOOKVISOR_PARAM_ | sort >'{}'.$2", seen.display()));
    hooks_conf(
        host,
        &format!("[host]\nparams = syslog=10.0.0.5, vlan_id=7\n[guest {}]\nparams=vlan_id=8\n", guest.vmid()),
    );
    guest.start().ok();
    guest.stop().ok();
    for phase in ["pre-start", "post-start", "pre-stop", "post-stop"] {
        let text = fs::read_to_string(seen.with_extension(phase)).expect("what the script saw");
        assert_eq!(
            text,
            "HOOKVISOR_PARAM_BOND=bond0\nHOOKVISOR_PARAM_GREETING=hello, guest\nHOOKVISOR_PARAM_SYSLOG=10.0.0.5\n\
             HOOKVISOR_PARAM_VLAN_ID=8\n"
        );
    }
}

fn a_script_that_takes_its_time(host: &Host) {
    let guest = host.guest(Kind::Vm);
    let (gate, wait_at_gate) = at_gate(host);
    let body = format!("[ \"$2\" != pre-start ] || {{ echo \"I am $$\"; {wait_at_gate}; }}");
    own(host, &guest, "# hookvisor: timeout=1m", &body);
    let start = guest.spawn("start", &[]);
    let line = wait::until("a line about the script", || {
        start.stdout_so_far().lines().find(|line| line.contains("still runs")).map(str::to_owned)
    });
    let out = start.stdout_so_far();
    let pid = out.lines().find_map(|line| line.strip_prefix("I am ")).expect("its pid");
    assert_eq!(
        line,
        format!(
            "local:snippets/own (pre-start, pid {pid}) still runs after 10 s; its limit is 1 min; 'hookvisor hooks abort {}' \
             ends it",
            guest.vmid()
        )
    );
    fs::write(gate, "").expect("the gate can be opened");
    start.finish().ok();
    guest.stop().ok();
}
