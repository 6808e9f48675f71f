//! The lives as Proxmox VE has them.

use crate::played::Script;
use e2e::output::run;
use e2e::suite::{BWRAP, Need, Test};
use e2e::{host, tests};
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        bare [BWRAP]: each_life_has_its_calls, a_container_s_failed_start_has_post_stop, commands_that_ask_work, the_environment_is_the_callers,
            the_lock_is_held, who_holds_the_outputs_is_waited_for, what_hangs_hangs;
        bare [Need::Root, BWRAP]: it_works_on_a_proxmox_ve
    )
}

const PVE: &[&str] = &["--as", "pve"];
const FOUR: &str = "pre-start post-start pre-stop post-stop";

fn each_life_has_its_calls() {
    let script = Script::shell("echo \"$2 ${PVE_MIGRATED_FROM-unset}\"");
    let lives = [
        ("normal", FOUR),
        ("refused", ""),
        ("failed-start", "pre-start"),
        ("retried-start", "pre-start pre-start post-start pre-stop post-stop"),
        ("poweroff", "pre-start post-start post-stop"),
        ("crash", "pre-start post-start post-stop"),
        ("reboot", "pre-start post-start pre-stop post-stop pre-start post-start pre-stop post-stop"),
        ("slow-shutdown", "pre-start post-start pre-stop pre-stop post-stop"),
        ("hung-hook", "pre-start"),
        ("migration", FOUR),
        ("two-guests", FOUR),
    ];
    for (name, phases) in lives {
        let life = script.life(name, PVE);
        life.is_fine();
        assert_eq!(life.phases(100), phases, "{name}: {:#}", life.0);
        match name {
            "normal" => {
                life.prints("pre-start ");
                life.prints("pre-stop unset");
            }
            "migration" => life.prints("post-start pve2"),
            "two-guests" => assert_eq!(life.phases(101), FOUR, "{:#}", life.0),
            _ => {}
        }
    }
}

fn a_container_s_failed_start_has_post_stop() {
    let script = Script::shell("echo \"$2 ${LXC_TARGET-unset}\"");
    let life = script.life("failed-start", &["--as", "pve", "--kind", "lxc"]);
    life.is_fine();
    assert_eq!(life.phases(200), "pre-start post-stop", "{:#}", life.0);
    life.prints("post-stop stop");
}

/// No keeper comes and takes the guest over.
fn commands_that_ask_work() {
    let script = Script::shell(
        "qm status $1; pvesh get /nodes/pve1/qemu/$1/status/current --output-format json >/dev/null",
    );
    for name in ["normal", "poweroff", "crash"] {
        let life = script.life(name, PVE);
        life.is_fine();
        let calls = if name == "normal" { FOUR } else { "pre-start post-start post-stop" };
        assert_eq!(life.phases(100), calls, "{:#}", life.0);
        assert_eq!(life.lines()[..2], ["status: stopped", "status: running"], "{:#}", life.0);
        assert_eq!(life.lines().last().map(String::as_str), Some("status: stopped"), "{:#}", life.0);
    }
}

fn the_environment_is_the_callers() {
    let script = Script::shell("env | grep -c HOOKVISOR_; echo \"$LC_ALL $PATH\"; exit 0");
    let life = script.life("normal", PVE);
    life.is_fine();
    life.prints("0");
    life.prints("C /sbin:/bin:/usr/sbin:/usr/bin");
}

fn the_lock_is_held() {
    let script = Script::shell("[ \"$2\" != post-start ] || qm set $1 --description x");
    let life = script.life("normal", PVE);
    life.fails("post-start failed: exit code 255");
    life.shows("can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout");
    let script = Script::shell("[ \"$2\" != post-start ] || qm stop $1");
    let life = script.life("poweroff", PVE);
    life.fails("post-start failed: exit code 255");
    life.shows("can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout");
}

fn who_holds_the_outputs_is_waited_for() {
    let script = Script::shell("[ \"$2\" != post-start ] || { sleep 3 & }");
    let life = script.life("normal", PVE);
    life.fails("a child that post-start left has its outputs open");
    let took = life.0["calls"][1]["millis"].as_u64();
    assert!(took.is_some_and(|millis| millis >= 2900), "{:#}", life.0);
    // Whoever waits does nothing else.
    let seconds = processor_seconds(&script);
    assert!(seconds < 1.0, "{seconds} s of processor time for 3 s of waiting");
    // Nothing of the kind here.
    assert_eq!(script.life("normal", &[]).0["calls"][1]["held"], false);
}

/// The processor time of a life and of all its processes.
fn processor_seconds(script: &Script) -> f64 {
    let mut command = Command::new("sh");
    command.args(["-c", "\"$0\" hooks test \"$1\" --as pve --life normal >/dev/null; times"]);
    let output = run(command.arg(host::binary()).arg(&script.path)).out();
    let minutes = |time: &str| {
        let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
        Some(60.0 * minutes.parse::<f64>().ok()? + seconds.parse::<f64>().ok()?)
    };
    // The shell's own times are on the first line.
    output.lines().nth(1).unwrap_or_default().split(' ').filter_map(minutes).sum()
}

fn what_hangs_hangs() {
    let script = Script::shell("[ \"$2\" != pre-stop ] || sleep 600");
    let life = script.life("normal", &["--as", "pve", "--timeout", "3"]);
    life.fails("pre-stop did not end");
    life.fails("the life was ended at its limit of 3 s");
}

/// What makes a host a Proxmox VE is seen in a mount namespace of this test alone.
fn it_works_on_a_proxmox_ve() {
    let script = Script::new(
        "hook.py",
        "#!/usr/bin/python3\nimport os, sys, subprocess\nprint(sys.argv[2], os.path.exists('/usr/bin/pmxcfs'), subprocess.call(['/usr/bin/systemctl', 'is-active', 'x']))\n",
    );
    let place = script.folder.path().join("bin");
    std::fs::create_dir(&place).expect("a folder can be made");
    let set = "set -e; mount --make-rprivate /; mount -t tmpfs none \"$1\"; mkdir \"$1/up\" \"$1/work\"
        mount -t overlay -o lowerdir=/usr/bin,upperdir=\"$1/up\",workdir=\"$1/work\" none /usr/bin
        touch /usr/bin/pmxcfs
        exec \"$2\" hooks test \"$3\" --life normal --verbose";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", set, "sh"]).arg(&place).arg(host::binary()).arg(&script.path);
    let output = run(command.env_remove("HOOKVISOR_ROOT")).ok();
    assert!(output.out().contains("| pre-start False 3"), "{}", output.describe());
}
