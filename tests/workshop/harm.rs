//! Scripts that do harm: none comes of it outside, and it is said what they tried.

use crate::played::Script;
use e2e::suite::{BWRAP, Test};
use e2e::tests;
use std::time::{Duration, Instant};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        bare [BWRAP]: one_that_never_ends, one_that_forks_a_bomb, one_that_deletes_everything, one_that_writes_gigabytes,
            one_that_prints_gigabytes, one_that_eats_memory, one_that_kills_its_parent, one_that_reads_secrets,
            one_that_wants_the_network
    )
}

/// Does it in `pre-start`.
fn does(text: &str) -> Script {
    Script::shell(&format!("[ \"$2\" = pre-start ] || exit 0\n{text}"))
}

/// Nothing of the sandbox lives on, and nothing of its files.
#[track_caller]
fn nothing_is_left(mark: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let lives = std::fs::read_dir("/proc").into_iter().flatten().flatten().any(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(mark)
        });
        if !lives {
            return;
        }
        assert!(Instant::now() < deadline, "a process with '{mark}' lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn one_that_never_ends() {
    let script = does("trap '' TERM; while :; do sleep 31731; done");
    let began = Instant::now();
    let life = script.life("normal", &["--timeout", "3"]);
    life.fails("pre-start did not end");
    life.fails("the life was ended at its limit of 3 s");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    nothing_is_left("sleep\u{0}31731");
}

fn one_that_forks_a_bomb() {
    let script = does("bomb() { bomb | bomb & }; bomb; sleep 31732");
    let life = script.life("normal", &["--timeout", "20"]);
    life.fails("the life was ended at its limit of 128 processes at a time");
    nothing_is_left("31732");
}

fn one_that_deletes_everything() {
    let before = std::fs::read("/etc/passwd").expect("a file of the host");
    // It says so of every file of the host, and its ledger is among those that are gone.
    let script = does("rm -rf --no-preserve-root / /*");
    let life = script.life("normal", &["--timeout", "50"]);
    assert!(life.failures()[0].starts_with("it removed /etc/"), "{:?}", life.failures());
    assert_eq!(life.phases(100).split(' ').next(), Some("pre-start"), "{:?}", life.failures());
    life.shows("/var/lib/vz/snippets/hook.sh 100 pre-start");
    life.shows("rm: cannot remove '/");
    assert!(!life.failures().iter().any(|what| what.contains("it filled")), "{:?}", life.failures());
    assert_eq!(std::fs::read("/etc/passwd").expect("a file of the host"), before);
    assert!(script.path.exists());
}

fn one_that_writes_gigabytes() {
    let script = does("head -c 4G /dev/zero >/tmp/big; head -c 4G /dev/zero >/run/big; exit 0");
    let life = script.life("normal", &["--timeout", "30"]);
    assert!(life.failures()[0].starts_with("it filled /"), "{:?}", life.failures());
    assert!(life.failures()[0].ends_with(", 64 MiB"), "{:?}", life.failures());
}

fn one_that_prints_gigabytes() {
    let script = does("head -c 256M /dev/zero | tr '\\0' '\\n'; exit 0");
    let life = script.life("normal", &["--as", "pve", "--timeout", "50"]);
    life.fails("MiB that nobody keeps");
}

fn one_that_eats_memory() {
    let script = Script::new(
        "hook.py",
        "#!/usr/bin/python3\nimport sys\nif sys.argv[2] == 'pre-start':\n    all = []\n    while True:\n        all.append(bytearray(64 << 20))\n",
    );
    let life = script.life("normal", &["--timeout", "30"]);
    assert!(life.0["passed"] == false, "{:#}", life.0);
    let failures = life.failures().join("\n");
    assert!(
        failures.contains("MiB of memory") || failures.contains("pre-start refused the start"),
        "{failures}"
    );
}

fn one_that_kills_its_parent() {
    let script = does("kill -9 $PPID; kill -9 1; kill -9 -1; sleep 1");
    for world in ["hookvisor", "pve"] {
        let life = script.life("normal", &["--as", world, "--timeout", "20"]);
        assert_eq!(life.failures()[0], "the process that calls it was killed, once", "{world}: {:#}", life.0);
    }
}

fn one_that_reads_secrets() {
    let script = does(
        "cat /etc/shadow; cat /root/.ssh/id_ed25519; cat /etc/pve/priv/*; ls /home; ls -A /root; cat /proc/1/environ | tr '\\0' '\\n' | sort",
    );
    let life = script.life("normal", &[]);
    life.fails("it opened /etc/shadow");
    life.fails("it opened /root/.ssh/id_ed25519");
    life.fails("it opened /etc/pve/priv/authkey.key");
    life.prints("simulated");
    // None of the host's own is there.
    let host = std::fs::read_to_string("/etc/shadow").unwrap_or_default();
    let own = host.lines().find(|line| !line.is_empty()).unwrap_or("no such line");
    assert!(!life.lines().iter().any(|line| line == own), "{:#}", life.0);
    assert!(
        !life.lines().iter().any(|line| line.starts_with("CARGO") || line.starts_with("SHELL")),
        "{:#}",
        life.0
    );
}

fn one_that_wants_the_network() {
    let script = does(
        "ip -br addr | grep -vc '^lo \\|^vmbr0\\|tap100i0'; timeout 3 bash -c '</dev/tcp/192.0.2.1/80' 2>/dev/null || echo unreachable",
    );
    let life = script.life("normal", &[]);
    life.is_fine();
    life.prints("0");
    life.prints("unreachable");
}
