//! One call of a script in a sandbox, with an environment that is given.

use crate::played::Script;
use e2e::suite::{BWRAP, Test};
use e2e::{host, tests};
use model::Phase;
use workshop::lives::sandbox::call;
use workshop::lives::{EntryKind, OneCall, Setting};

pub(crate) fn tests() -> Vec<Test> {
    tests!(bare [BWRAP]: it_has_what_it_is_given)
}

fn it_has_what_it_is_given() {
    let script = Script::shell(
        "echo \"$1 $2 ${MARK-none} ${HOOKVISOR_RUN_ID-none}\"; grep -h ^name: /etc/pve/qemu-server/$1.conf; qm status $1; cat /run/hookvisor/4711/context.json; exit 7",
    );
    let config = script.folder.path().join("4711.conf");
    std::fs::write(&config, "name: mine\n").expect("a configuration can be written");
    let setting =
        Setting { sandbox: true, config: Some(config), program: Some(host::binary()), ..Setting::default() };
    for (phase, status) in [(Phase::PreStart, "status: stopped"), (Phase::PreStop, "status: running")] {
        let env = vec![
            ("MARK".to_owned(), "as it was".to_owned()),
            ("PATH".to_owned(), "/usr/sbin:/usr/bin".to_owned()),
        ];
        let files = vec![("/run/hookvisor/4711/context.json".to_owned(), "of a run".to_owned())];
        let played =
            call(&script.path, &setting, OneCall { vmid: 4711, phase, env, files }).expect("it is played");
        let lines: Vec<&str> = played
            .timeline
            .iter()
            .filter(|entry| entry.kind == EntryKind::Out)
            .map(|entry| entry.text.as_str())
            .collect();
        assert_eq!(
            lines,
            [&format!("4711 {phase} as it was none"), "name: mine", status, "of a run"],
            "{played:#?}"
        );
        let outcome = played.calls.first().and_then(|call| call.outcome.as_deref());
        assert_eq!(outcome, Some("exit code 7"), "{played:#?}");
        assert!(played.left.processes.is_empty() && played.trouble.is_empty(), "{played:#?}");
    }
}
