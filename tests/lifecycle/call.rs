//! How a hookscript is called: arguments, environment, folder, umask, standard input, process group.

use e2e::suite::Test;
use e2e::{Guest, Host, Kind, tests};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: the_surroundings_are_always_the_same, what_hookvisor_tells_is_true, a_script_without_a_first_line_runs,
            a_symbolic_link_is_followed, a_binary_runs, a_hook_that_reads_its_input_sees_its_end,
            a_hook_may_ask_about_and_change_its_own_guest, a_change_made_in_pre_start_counts_for_this_start
    )
}

/// Starts and stops the guest from strange surroundings with a hook that writes down its own.
fn surroundings(host: &Host, guest: &Guest) -> Vec<BTreeMap<String, String>> {
    let seen = host.scratch().join("seen");
    fs::create_dir_all(&seen).expect("a folder can be made");
    let script = format!(
        "#!/bin/sh\nf='{}'/$2\nls /proc/$$/fd >\"$f-fds\"\n{{ echo \"cwd=$(pwd -P)\"; echo \"umask=$(umask)\"; echo \"argv=$0 $*\"; echo \"count=$#\"; \
         echo \"group=$(($(cut -d' ' -f5 /proc/$$/stat) == $$))\"; echo \"stdin=$(readlink /proc/$$/fd/0)\"; \
         echo \"fds=$(tr '\\n' ' ' <\"$f-fds\")\"; \
         echo \"ignored=$(grep SigIgn /proc/$$/status | cut -f2)\"; echo \"blocked=$(grep SigBlk /proc/$$/status | cut -f2)\"; \
         echo \"oom=$(cat /proc/$$/oom_score_adj)\"; echo \"nofile=$(ulimit -n)\"; \
         tr '\\0' '\\n' </proc/$$/environ | sed 's/^/env /'; }} >\"$f\"\n",
        seen.display()
    );
    guest.set(&["--hookscript", &host.snippet("surroundings", script)]);
    let odd = |verb: &str| {
        let mut command = host.command("sh");
        let line = format!(
            "umask 077; trap '' HUP; ulimit -n 512; {} {verb} {}",
            guest.kind().command(),
            guest.vmid()
        );
        command.args(["-c", &line]).env("STRANGER", "1").env("LC_ALL", "de_DE.UTF-8").env("PERL5LIB", "/tmp");
        e2e::output::run(&mut command).ok();
    };
    odd("start");
    odd("stop");
    ["pre-start", "post-start", "pre-stop", "post-stop"]
        .iter()
        .map(|phase| {
            let text =
                fs::read_to_string(seen.join(phase)).unwrap_or_else(|error| panic!("{phase}: {error}"));
            text.lines()
                .filter_map(|line| line.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect()
        })
        .collect()
}

fn the_surroundings_are_always_the_same(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let path = host.at("var/lib/vz/snippets/surroundings");
    for (phase, seen) in
        ["pre-start", "post-start", "pre-stop", "post-stop"].iter().zip(surroundings(host, &guest))
    {
        let expect = |key: &str, value: &str| {
            assert_eq!(seen.get(key).map(String::as_str), Some(value), "{key} in {phase}: {seen:#?}");
        };
        expect("cwd", "/");
        expect("umask", "0022");
        expect("argv", &format!("{} {} {phase}", path.display(), guest.vmid()));
        expect("count", "2");
        expect("group", "1");
        for mask in ["ignored", "blocked"] {
            let signals = u64::from_str_radix(&seen[mask], 16).expect("a mask of signals");
            // 32 and 33 belong to the C library, which lets no program change them.
            assert_eq!(signals & !(0b11 << 31), 0, "{mask} in {phase}: {seen:#?}");
        }
        expect("oom", "0");
        expect("env LC_ALL", "C");
        expect("env LVM_SUPPRESS_FD_WARNINGS", "1");
        expect("env HOME", "/root");
        expect("env USER", "root");
        expect("env LOGNAME", "root");
        let paths: Vec<&str> = seen["env PATH"].split(':').collect();
        assert_eq!(paths[paths.len() - 4..], ["/sbin", "/bin", "/usr/sbin", "/usr/bin"], "{paths:?}");
        let known = [
            "PVE_MIGRATED_FROM",
            "PATH",
            "LC_ALL",
            "LVM_SUPPRESS_FD_WARNINGS",
            "HOME",
            "USER",
            "LOGNAME",
            "PWD",
        ];
        for name in seen.keys().filter_map(|key| key.strip_prefix("env ")) {
            assert!(
                known.contains(&name) || name.starts_with("HOOKVISOR_"),
                "{name} came from the caller: {seen:#?}"
            );
        }
        // Nothing of the keeper's is open in the hook: 10 and up are the shell's own.
        let low: Vec<&str> = seen["fds"].split(' ').filter(|fd| !fd.is_empty() && fd.len() < 2).collect();
        assert!(low.iter().all(|fd| ["0", "1", "2"].contains(fd)), "{low:?}");
    }
}

fn what_hookvisor_tells_is_true(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let all = surroundings(host, &guest);
    let told =
        |at: usize, name: &str| all[at].get(&format!("env HOOKVISOR_{name}")).cloned().unwrap_or_default();
    for at in 0..4 {
        assert_eq!(told(at, "ROOT"), host.root().to_string_lossy());
        assert!(!told(at, "RUN_ID").is_empty() && told(at, "RUN_ID") == told(0, "RUN_ID"));
        let kind = if kind == Kind::Vm { "qemu" } else { "lxc" };
        assert_eq!((told(at, "KIND").as_str(), told(at, "NODE").as_str()), (kind, "pve1"));
        assert_eq!((told(at, "NAME").as_str(), told(at, "USER").as_str()), ("tiny", "root@pam"));
    }
    assert_eq!((told(0, "START_REASON").as_str(), told(3, "STOP_CAUSE").as_str()), ("user", "stop"));
}

fn a_script_without_a_first_line_runs(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let script = host.recorder().script();
    host.snippet("recorder", script.trim_start_matches("#!/bin/sh\n"));
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn a_symbolic_link_is_followed(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let elsewhere = host.scratch().join("elsewhere");
    let script = host.at("var/lib/vz/snippets/recorder");
    fs::rename(&script, &elsewhere).and_then(|()| symlink(&elsewhere, &script)).expect("a link can be made");
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn a_binary_runs(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    fs::copy("/bin/echo", host.at("var/lib/vz/snippets/binary")).expect("a program can be copied");
    guest.set(&["--hookscript", "local:snippets/binary"]);
    guest.start().ok().prints(&format!("{} pre-start\n", guest.vmid()));
    guest.stop().ok().prints(&format!("{} post-stop\n", guest.vmid()));
}

fn a_hook_that_reads_its_input_sees_its_end(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "cat; echo \"read to the end\"");
    guest.start().ok().prints("read to the end\n");
    guest.stop().ok();
}

/// On purpose not as Proxmox VE, where `set` waits for a lock that the start holds, and fails.
fn a_hook_may_ask_about_and_change_its_own_guest(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let command = guest.kind().command();
    let id = guest.vmid();
    guest.on("pre-start", &format!("{command} status {id}; {command} config {id} >/dev/null; {command} set {id} --description changed || exit 1"));
    let output = guest.start().ok().prints("status: stopped\n");
    assert!(output.took.as_secs() < 8, "{}", output.describe());
    assert!(guest.config().contains("#changed"), "{}", guest.config());
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// On purpose not as Proxmox VE, where the change counts for the next start.
fn a_change_made_in_pre_start_counts_for_this_start(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let id = guest.vmid();
    match kind {
        Kind::Vm => guest.on("pre-start", &format!("qm set {id} --memory 24")),
        Kind::Container => guest.on("pre-start", &format!("pct set {id} --hostname changed")),
    }
    guest.start().ok();
    match kind {
        Kind::Vm => {
            let cmdline = e2e::proc::process(guest.hypervisor()).expect("QEMU runs").cmdline;
            assert!(cmdline.contains("-m 24"), "{cmdline}");
        }
        Kind::Container => {
            guest.exec(&["hostname"]).ok().prints("changed\n");
        }
    }
    guest.stop().ok();
}
