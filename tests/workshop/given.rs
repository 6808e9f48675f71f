//! What a script cannot do without is given to it: parameters, files, trees, mounts.

use crate::played::Script;
use e2e::host;
use e2e::output::run;
use e2e::suite::{BWRAP, Test};
use e2e::tests;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        bare [BWRAP]: one_that_refuses_without_passes_with, a_file_of_settings_holds_for_its_guest,
            what_is_given_is_no_mark_of_the_script_s, a_cut_life_leaves_nothing_of_the_world_s_own
    )
}

/// Refuses without each of them.
const DEMANDING: &str = "# hookvisor: params=bond=bond0
set -eu
[ \"$2\" = pre-start ] || exit 0
echo \"param: $HOOKVISOR_PARAM_TOKEN\"
mountpoint -q /mnt/nas
test -d /tank/vm
test -s /etc/mine.conf
test -s /srv/tree/a
echo \"file: $(cat /etc/mine.conf)\"
echo \"tree: $(cat /srv/tree/a) $(stat -c %a /srv/tree/a) $(readlink /srv/tree/link)\"";

/// The script, and the options that give it all.
fn demanding() -> (Script, Vec<String>) {
    let script = Script::shell(DEMANDING);
    let (tree, file) = (script.folder.path().join("tree"), script.folder.path().join("mine.conf"));
    fs::create_dir_all(tree.join("srv/tree")).expect("a folder can be made");
    fs::write(tree.join("srv/tree/a"), "secret\n").expect("a file can be written");
    fs::set_permissions(tree.join("srv/tree/a"), fs::Permissions::from_mode(0o600))
        .expect("a mode can be set");
    symlink("a", tree.join("srv/tree/link")).expect("a link can be made");
    fs::write(&file, "mine\n").expect("a file can be written");
    let words = [
        "--param=token=a, b".to_owned(),
        format!("--file=/etc/mine.conf={}", file.display()),
        "--file=/tank/vm/".to_owned(),
        "--mount=/mnt/nas".to_owned(),
        format!("--tree={}", tree.display()),
    ];
    (script, words.to_vec())
}

fn one_that_refuses_without_passes_with() {
    let (script, words) = demanding();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    script.life("normal", &[]).fails("pre-start refused the start");
    for world in ["hookvisor", "pve"] {
        for name in ["normal", "hung-hook", "two-guests"] {
            let life = script.life(name, &[&["--as", world][..], &words].concat());
            life.is_fine();
            if name != "hung-hook" {
                for line in ["param: a, b", "file: mine", "tree: secret 600 a"] {
                    life.prints(line);
                }
            }
        }
    }
    for without in 0..words.len() {
        let mut less = words.clone();
        less.remove(without);
        script.life("normal", &less).fails("pre-start refused the start");
    }
    let check = |words: &[&str]| {
        let mut command = Command::new(host::binary());
        run(command.args(["hooks", "check", "--run"]).args(words).arg(&script.path))
    };
    check(&[]).fails();
    check(&words).ok().prints("0 errors, 0 warnings");
}

fn a_file_of_settings_holds_for_its_guest() {
    let script =
        Script::shell("[ \"$2\" != pre-start ] || echo \"$1: $HOOKVISOR_PARAM_A $HOOKVISOR_PARAM_B\"");
    let conf = script.folder.path().join("hooks.conf");
    let text = "[host]\nparams = a=host, b=host\n[guest 100]\nparams = a=guest\ntimeout = 5m\n";
    fs::write(&conf, text).expect("settings can be written");
    let conf = conf.to_string_lossy();
    let life = script.life("two-guests", &["--hooks-conf", &conf]);
    life.prints("100: guest host");
    life.prints("101: host host");
    let life = script.life("normal", &["--hooks-conf", &conf, "--param", "a=hand"]);
    life.prints("100: hand host");
    // Its own limit is not the life's.
    assert_eq!(script.life("hung-hook", &["--hooks-conf", &conf]).0["calls"][0]["outcome"], "timed out");
}

fn what_is_given_is_no_mark_of_the_script_s() {
    let (script, words) = demanding();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(script.life("normal", &words).0["left"]["files"].as_array().map(Vec::len), Some(0));
    let script = Script::shell("[ \"$2\" != pre-start ] || cat /root/.ssh/id_ed25519");
    let key = script.folder.path().join("key");
    fs::write(&key, "given\n").expect("a file can be written");
    let life = script.life("normal", &[&format!("--file=/root/.ssh/id_ed25519={}", key.display())]);
    life.is_fine();
    life.prints("given");
}

fn a_cut_life_leaves_nothing_of_the_world_s_own() {
    let script = Script::shell("[ \"$2\" != post-start ] || sleep 600");
    for world in ["hookvisor", "pve"] {
        let life = script.life("normal", &["--as", world, "--timeout", "2"]);
        life.fails("the life was ended at its limit of 2 s");
        assert_eq!(life.0["left"]["files"].as_array().map(Vec::len), Some(0), "{:#}", life.0);
    }
}
