//! `pre-start` refuses, or cannot run: the guest stays stopped, the message is Proxmox VE's, no `post-stop` follows but where
//! something cut it short.

use e2e::suite::Test;
use e2e::{Guest, Host, Kind, journal, tests};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: an_exit_code, a_signal, an_interpreter_that_is_missing, a_script_that_is_not_executable,
            a_script_that_is_gone, a_script_that_became_a_folder, a_script_that_goes_during_the_run,
            a_storage_that_is_gone, a_line_that_is_no_volume, one_that_others_may_change_is_called_with_a_warning
    )
}

/// The guest's message on standard error, with the blank before the line's end that Proxmox VE leaves (oracle.md 2.2).
#[track_caller]
fn refuses(host: &Host, guest: &Guest, cause: &str, story: &str) {
    let message = format!("hookscript error for {} on pre-start: {cause}", guest.vmid());
    let output = guest.start().fails().complains(&message);
    assert_eq!(output.err().trim_end(), message, "nothing else on standard error");
    assert_eq!(guest.status(), "stopped");
    guest.lived(story);
    let index = fs::read_to_string(host.at("var/log/pve/tasks/index")).unwrap_or_default();
    let start = index.lines().rfind(|line| line.contains("start:")).unwrap_or_default();
    assert!(start.contains(&message), "the task's status is the message: {start}");
}

/// Proxmox VE calls it, too, and says nothing.
fn one_that_others_may_change_is_called_with_a_warning(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let (file, folder) = (script(host), host.at("var/lib/vz/snippets"));
    for (path, mode) in [(&file, 0o777), (&folder, 0o775)] {
        let usual = fs::metadata(path).expect("it is there").permissions();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode can be set");
        let path_shown = path.display();
        let warning = format!(
            "(mode {mode:04o}) may change '{path_shown}', and with it what runs as root: chmod go-w '{path_shown}'"
        );
        let (started, stopped) = (guest.start().ok(), guest.stop().ok());
        assert_eq!(started.out().matches(&warning).count(), 1, "{}", started.describe());
        assert!(!stopped.out().contains("may change"), "{}", stopped.describe());
        let records = guest.records();
        let warned =
            records.iter().filter(|record| journal::text(record, "MESSAGE").contains(&warning)).count();
        assert_eq!(warned, 1, "once in the journal: {records:?}");
        fs::set_permissions(path, usual).expect("a mode can be set");
    }
    guest.start().ok();
    assert!(!guest.stop().ok().out().contains("may change"));
}

fn script(host: &Host) -> std::path::PathBuf {
    host.at("var/lib/vz/snippets/recorder")
}

fn call(host: &Host, guest: &Guest) -> String {
    format!("{} {} pre-start", script(host).display(), guest.vmid())
}

fn an_exit_code(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "exit 3");
    refuses(
        host,
        &guest,
        &format!("command '{}' failed: exit code 3", call(host, &guest)),
        "pre-start:exit-code-3",
    );
    guest.forget("pre-start");
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start:exit-code-3 pre-start post-start pre-stop post-stop");
}

fn a_signal(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "kill -SEGV $$");
    refuses(
        host,
        &guest,
        &format!("command '{}' failed: got signal 11", call(host, &guest)),
        "pre-start:signal-11 post-stop",
    );
    assert_eq!(guest.notes()[1].stop_cause, "start-failed", "it had no time to give back what it took");
}

fn an_interpreter_that_is_missing(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    host.snippet("recorder", "#!/no/such/interpreter\n");
    let message = format!("hookscript error for {} on pre-start: ", guest.vmid());
    let output = guest.start().fails().complains(&message).complains("No such file or directory");
    assert!(output.err().contains(&call(host, &guest)), "{}", output.describe());
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start:cannot-spawn");
}

fn a_script_that_is_not_executable(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    fs::set_permissions(script(host), fs::Permissions::from_mode(0o644)).expect("a mode can be set");
    refuses(host, &guest, "script 'local:snippets/recorder' is not executable", "pre-start:not-executable");
}

fn a_script_that_is_gone(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    fs::remove_file(script(host)).expect("the script is there");
    refuses(host, &guest, "script 'local:snippets/recorder' does not exist", "pre-start:not-found");
}

fn a_script_that_became_a_folder(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    fs::remove_file(script(host)).and_then(|()| fs::create_dir(script(host))).expect("a folder can be made");
    let output = guest.start().fails();
    assert!(
        output.err().starts_with(&format!("hookscript error for {} on pre-start: ", guest.vmid())),
        "{}",
        output.describe()
    );
    assert_eq!(guest.status(), "stopped");
    assert!(!guest.recorded().is_empty() && !guest.recorded().contains("open"), "{}", guest.recorded());
}

/// Every phase looks for the script anew; only `pre-start` aborts (oracle.md 2.2).
fn a_script_that_goes_during_the_run(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let away = script(host).with_extension("away");
    fs::rename(script(host), &away).expect("the script is there");
    let warning = |phase: &str| {
        format!(
            "hookscript error for {} on {phase}: script 'local:snippets/recorder' does not exist\n\n",
            guest.vmid()
        )
    };
    guest.stop().ok().prints(&warning("pre-stop")).prints(&warning("post-stop"));
    guest.lived("pre-start post-start pre-stop:not-found post-stop:not-found");
    fs::rename(&away, script(host)).expect("the script is there");
}

fn a_storage_that_is_gone(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let config = guest.config().replace("local:snippets/recorder", "gone:snippets/recorder");
    fs::write(guest.config_path(), config).expect("the configuration can be written");
    let message =
        format!("hookscript error for {} on pre-start: storage 'gone' does not exist", guest.vmid());
    guest.start().fails().complains(&message);
    assert_eq!(guest.status(), "stopped");
    assert_eq!(guest.noted(), [""; 0]);
}

/// On purpose not as Proxmox VE, which drops such a line and starts the guest without its hook.
fn a_line_that_is_no_volume(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let config = guest.config().replace("local:snippets/recorder", "/usr/local/bin/hook");
    fs::write(guest.config_path(), &config).expect("the configuration can be written");
    guest.start().fails().complains("/usr/local/bin/hook");
    assert_eq!((guest.status().as_str(), guest.config()), ("stopped", config));
    assert_eq!(guest.noted(), [""; 0]);
}
