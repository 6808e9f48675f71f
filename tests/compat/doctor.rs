//! `hookvisor doctor`: what is wrong is made wrong for real, is told with its remedy, and is gone once the remedy is done.

use e2e::hanging::Silent;
use e2e::inventory::Inventory;
use e2e::output::{Output, run};
use e2e::suite::{BUSYBOX, LXC, Need, QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, host, proc, tests, wait};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

const IP: Need = Need::Program("ip", "iproute2");
const FLOCK: Need = Need::Program("flock", "util-linux");
const UNSHARE: Need = Need::Program("unshare", "util-linux");

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        once [QEMU]: a_ready_host_is_ready, scripts_are_mended, settings_are_mended, storages_are_mended,
            configurations_are_mended, a_script_that_is_stopped_is_told_of, usage_is_that_of_all_commands;
        once [QEMU, FLOCK]: locks_are_mended;
        once [QEMU, IP, Need::Bridge]: guests_are_mended;
        once [QEMU, LXC, BUSYBOX]: nothing_is_changed;
        once [QEMU, UNSHARE, Need::Root]: kvm_is_tried_and_not_only_opened, programs_and_ids_are_named;
        once [QEMU, Need::Root]: a_storage_that_hangs_holds_up_nobody;
        each []: keepers_are_mended
    )
}

/// Everything that is not well, as `state about: what`, with what mends it.
#[track_caller]
fn amiss(output: &Output) -> Vec<(String, String)> {
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", output.describe()));
    let mut problems = false;
    let mut found = Vec::new();
    for finding in
        report["groups"].as_array().into_iter().flatten().flat_map(|group| group["findings"].as_array())
    {
        for finding in finding {
            let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            problems |= text("state") == "problem";
            if text("state") != "ok" {
                assert!(!text("why").is_empty() && !text("mend").is_empty(), "{finding}");
                found.push((format!("{} {}: {}", text("state"), text("about"), text("what")), text("mend")));
            }
        }
    }
    assert_eq!(report["ready"], !problems, "{report}");
    assert_eq!(output.status.code(), Some(i32::from(problems)), "{}", output.describe());
    found
}

#[track_caller]
fn examined(host: &Host) -> Vec<(String, String)> {
    amiss(&host.hookvisor(["doctor", "--output-format", "json"]))
}

/// Each of these is told, and gone after doing what mends it.
#[track_caller]
fn is_mended(host: &Host, wrong: &[&str]) {
    let found = examined(host);
    for text in wrong {
        let (line, mend) = found.iter().find(|(line, _)| line.contains(text)).unwrap_or_else(|| {
            panic!("nothing says {text:?}:\n{found:#?}");
        });
        let done = run(host.command("sh").args(["-c", mend]).env("EDITOR", editor(host)));
        assert!(done.status.success(), "{line}: {}", done.describe());
    }
    let left = examined(host);
    for text in wrong {
        assert!(!left.iter().any(|(line, _)| line.contains(text)), "{text:?} is still told:\n{left:#?}");
    }
}

/// Who mends a file by hand: takes out the line, or all where none is named.
fn editor(host: &Host) -> PathBuf {
    let path = host.scratch().join("editor");
    let text = "#!/bin/sh\ncase $1 in +*) sed -i \"${1#+}d\" \"$2\" ;; *) : >\"$1\" ;; esac\n";
    fs::write(&path, text).expect("a program can be written");
    chmod(&path, 0o755);
    path
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode can be set");
}

/// A guest that is never started, with these lines in its configuration.
fn guest<'h>(host: &'h Host, lines: &str) -> Guest<'h> {
    let guest = host.adopt(Kind::Vm, host.next_vmid());
    host.qm(["create", &guest.id(), "--memory", "16", "--kvm", "0"]).ok();
    add(&host.at(&format!("etc/pve/qemu-server/{}.conf", guest.vmid())), lines);
    guest
}

fn add(path: &Path, text: &str) {
    let before = fs::read_to_string(path).unwrap_or_default();
    fs::write(path, before + text).expect("a file can be written");
}

/// On any host whatsoever the root itself gives no cause for a problem, and what is said is for people.
fn a_ready_host_is_ready(host: &Host) {
    let output = host.hookvisor(["doctor"]);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", output.describe());
    for line in ["\n  ok       QEMU: ", "\n  ok       local: ", "\nready: 0 problems, "] {
        assert!(output.out().contains(line), "{line:?}: {}", output.describe());
    }
    output.ok();
    let bare = host.scratch().join("bare");
    let output = run(host.command("hookvisor").arg("doctor").env("HOOKVISOR_ROOT", &bare));
    assert_eq!(output.status.code(), Some(1), "{}", output.describe());
    assert!(output.out().contains("mend: hookvisor init\n"), "{}", output.describe());
    assert!(!bare.exists(), "it is made by nobody");
}

fn usage_is_that_of_all_commands(host: &Host) {
    let output = host.hookvisor(["doctor", "100"]);
    assert_eq!((output.status.code(), output.out().as_str()), (Some(255), ""), "{}", output.describe());
    host.hookvisor(["doctor", "--help"]).ok().prints("each with the command that mends it");
}

fn scripts_are_mended(host: &Host) {
    for (name, text) in [
        ("plain", "#!/bin/sh\n"),
        ("off", "#!/bin/sh\n"),
        ("open", "#!/bin/sh\n"),
        ("odd", "#!/bin/sh\n# hookvisor: timeut=3s\n"),
        ("theirs", "#!/bin/sh\n"),
    ] {
        let volume = host.snippet(name, text);
        let guest = guest(host, &format!("hookscript: {volume}\n"));
        if name == "theirs" {
            add(&host.at("var/lib/hookvisor/approvals"), &format!("bound {} {volume}\n", guest.vmid()));
        }
    }
    for (name, text) in [
        ("lost", "#!/usr/bin/no-such-program\n"),
        ("env", "#!/usr/bin/env no-such-program\n"),
        ("dos", "#!/bin/sh\r\nexit\r\n"),
        ("bare.py", "print(1)\n"),
        ("moved", "#!/usr/local/bin/sh\n"),
    ] {
        let volume = host.snippet(name, text);
        guest(host, &format!("hookscript: {volume}\n"));
    }
    for value in ["local:snippets/none.sh", "nonsense", "local:iso/x.iso"] {
        guest(host, &format!("hookscript: {value}\n"));
    }
    let snippets = host.at("var/lib/vz/snippets");
    chmod(&snippets.join("off"), 0o644);
    chmod(&snippets.join("open"), 0o777);
    let hooks_d = host.at("etc/hookvisor/hooks.d");
    for (name, mode) in [("10-off", 0o644), ("20-open", 0o757)] {
        fs::write(hooks_d.join(name), "#!/bin/sh\n").expect("a drop-in can be written");
        chmod(&hooks_d.join(name), mode);
    }
    fs::write(hooks_d.join("40-dos"), "#!/bin/sh\r\n").expect("a drop-in can be written");
    chmod(&hooks_d.join("40-dos"), 0o755);
    symlink("/nowhere", hooks_d.join("30-lost")).expect("a link can be made");
    fs::create_dir(hooks_d.join("folder")).expect("a folder can be made");
    is_mended(
        host,
        &[
            "script 'local:snippets/off' is not executable",
            "script 'local:snippets/none.sh' does not exist",
            "unable to parse volume ID 'nonsense'",
            "'local:iso/x.iso' is not in the snippets directory",
            "snippets/open' (mode 0777)",
            "settings cannot be read: line 2: unknown setting 'timeut'",
            "script 'local:snippets/theirs' is not approved",
            "line 1: '/usr/bin/no-such-program' is not on this host",
            "line 1: no 'no-such-program' is in /sbin:/bin:/usr/sbin:/usr/bin",
            "line 1: the first line ends with a carriage return",
            "line 1: there is no '#!' line, so /bin/sh runs it, though it is Python",
            "line 1: '/usr/local/bin/sh' is not on this host; it is",
            "hooks.d/40-dos: line 1: the first line ends with a carriage return",
            "10-off: is skipped: it is not executable",
            "20-open' (mode 0757)",
            "script 'hooks.d/30-lost' does not exist",
            "folder: is skipped: it is a folder that no VMID names",
        ],
    );
    // On the way up, too.
    chmod(&snippets, 0o777);
    chmod(&host.at("etc/hookvisor"), 0o775);
    is_mended(host, &["var/lib/vz/snippets' (mode 0777)", "etc/hookvisor' (mode 0775)"]);
}

fn settings_are_mended(host: &Host) {
    host.snippet("bond", "#!/bin/sh\n# hookvisor: params=bond=bond0\n");
    let guest = guest(host, "hookscript: local:snippets/bond\n");
    let conf = host.at("etc/hookvisor/hooks.conf");
    fs::write(&conf, "[host]\ngrace = 3\n").expect("a file can be written");
    is_mended(host, &["hooks.conf' line 2: unknown setting 'grace'"]);
    chmod(&conf, 0o666);
    is_mended(host, &["hooks.conf' is refused: everybody may write to it"]);
    let text = format!(
        "[host]\nparams = bnod=bond1\n[guest {}]\nparams = bond=bond2, more=1\n[guest 999]\n",
        guest.id()
    );
    fs::write(&conf, text).expect("a file can be written");
    let of_guest = format!("no script of {0} names the parameter 'more' of [guest {0}]", guest.id());
    is_mended(host, &["no script names the parameter 'bnod'", &of_guest, "there is no guest 999"]);
    fs::write(&conf, "[host]\nparams = bond=bond1\n").expect("a file can be written");
    assert!(!examined(host).iter().any(|(line, _)| line.contains("hooks.conf")), "a good one is no problem");

    let secret =
        "[host]\nparams = bond=bond1\n[guest 999]\nparams = api_token=x7yz\n".replace("999", &guest.id());
    fs::write(&conf, secret).expect("a file can be written");
    is_mended(host, &["everybody may read it (mode 0644), and 'api_token' looks like a secret"]);
    chmod(&conf, 0o640);
    assert!(!examined(host).iter().any(|(line, _)| line.contains("looks like")), "root's group is root");
    fs::write(&conf, "").expect("a file can be written");

    let record = host.at("var/log/hookvisor/records.jsonl");
    fs::write(&record, "{}\n").expect("a file can be written");
    let certificate = host.at("etc/pve/nodes/pve1/pve-ssl.pem");
    fs::write(&certificate, "none\n").expect("a file can be written");
    is_mended(host, &["records.jsonl: 1 KiB of records", "pve-ssl.pem' holds no certificate in PEM"]);
    assert!(certificate.with_extension("pem.old").exists(), "it is only put aside");
}

fn storages_are_mended(host: &Host) {
    let at = |name: &str| host.scratch().join(name);
    let (gone, closed, full, bare) = (at("gone"), at("closed"), at("full"), at("bare"));
    for folder in [&closed, &full, &bare] {
        fs::create_dir(folder).expect("a folder can be made");
    }
    let mut text = String::new();
    for (name, path, more) in [
        ("gone", &gone, "\tcontent iso\n\tcreate-base-path 0\n"),
        ("closed", &closed, "\tcontent iso\n"),
        ("full", &full, "\tcontent iso\n"),
        ("bare", &bare, "\tcontent snippets\n\tcreate-subdirs 0\n"),
        ("loose", &bare, "\tcontent iso\n\tis_mountpoint 1\n"),
    ] {
        text += &format!("\ndir: {name}\n\tpath {}\n{more}", path.display());
    }
    add(&host.at("etc/pve/storage.cfg"), &(text + "\nodd: x\n\tpath /x\n"));
    let mount = |options: &str, path: &Path| {
        run(host.command("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(path)).ok();
    };
    mount("ro", &closed);
    mount("size=1M", &full);
    let _ = fs::write(full.join("much"), vec![0; 2 << 20]);
    let found = examined(host);
    let told = |text: &str| {
        let (_, mend) = found.iter().find(|(line, _)| line.contains(text)).unwrap_or_else(|| {
            panic!("nothing says {text:?}:\n{found:#?}");
        });
        mend.clone()
    };
    assert!(told("problem full: 0.0 KiB of 1.0 MiB are free").contains("du -xh"));
    assert_eq!(told("loose: nothing is mounted at"), format!("mount {}", bare.display()));
    assert!(told("note storage.cfg: line").starts_with("${EDITOR:-vi} +"));
    is_mended(host, &["problem gone: '", "closed' cannot be written to", "bare/snippets' is not there"]);
    fs::remove_file(full.join("much")).expect("what is much can go");
    run(host.command("mount").args(["--bind"]).args([&bare, &bare])).ok();
    let left = examined(host);
    assert!(!left.iter().any(|(line, _)| line.contains("full: ") || line.contains("loose: ")), "{left:#?}");
    for folder in [&closed, &full, &bare] {
        run(host.command("umount").arg(folder)).ok();
    }
}

fn locks_are_mended(host: &Host) {
    let guest = guest(host, "lock: backup\n");
    let other = self::guest(host, "");
    let file = host.at(&format!("var/lock/qemu-server/lock-{}.conf", other.vmid()));
    // One that its taker has left to a child.
    let line = format!("exec 9>>'{}'; flock 9; exec sleep 1000", file.display());
    let holder = host.spawn("sh", ["-c", &line]);
    wait::until("the lock to be held", || {
        let status = host.run("flock", ["-n", &file.display().to_string(), "true"]).status;
        (!status.success()).then_some(())
    });
    is_mended(
        host,
        &[
            &format!("lock of {}: its configuration says 'lock: backup', and nobody is at it", guest.id()),
            &format!("lock file of {}: held by process {} (sleep)", other.id(), holder.pid()),
        ],
    );
    let _ = holder.finish();
    guest.set(&["--memory", "32"]);
}

fn guests_are_mended(host: &Host) {
    let bridge = format!("vmbr{}", host.next_vmid());
    let guest =
        guest(host, &format!("machine: pc-i440fx-99.0\nnet0: virtio=02:00:00:00:00:09,bridge={bridge}\n"));
    is_mended(
        host,
        &[
            &format!("problem bridge {bridge}: does not exist"),
            &format!("machine of {}: this QEMU has no 'pc-i440fx-99.0'", guest.id()),
        ],
    );
    run(host.command("ip").args(["link", "del", &bridge])).ok();
}

fn configurations_are_mended(host: &Host) {
    let [value, unknown, torn] =
        ["memory: abc\n", "nonsense: 1\n", "half a line\n"].map(|line| guest(host, line));
    is_mended(
        host,
        &[
            &format!("/{}.conf' line 7: unable to parse value of 'memory' - ", value.id()),
            &format!("/{}.conf' line 7: unable to parse value of 'nonsense' - unknown setting", unknown.id()),
            &format!("/{}.conf' line 7: unable to parse 'half a line'", torn.id()),
        ],
    );
    assert!(
        value.config().contains("memory: 512\n") && !value.config().contains("abc"),
        "{}",
        value.config()
    );
    // What is no more in force is no problem.
    add(&value.config_path(), "\n[before]\nmemory: abc\n");
    let found = examined(host);
    let of_snapshot = format!("note configuration of {}: ", value.id());
    assert!(found.iter().any(|(line, _)| line.starts_with(&of_snapshot)), "{found:#?}");
}

fn a_script_that_is_stopped_is_told_of(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    guest.on("pre-start", "exec sleep 1000");
    let start = guest.spawn("start", &[]);
    let script = guest.wait_noted("pre-start", 1).pid;
    let about = format!("pre-start of {}: ", guest.id());
    assert!(!examined(host).iter().any(|(line, _)| line.contains(&about)), "a call takes its time");
    proc::signal(script, rustix::process::Signal::STOP);
    wait::until("the script to be stopped", || process_is_stopped(script).then_some(()));
    is_mended(host, &[&format!("problem {about}")]);
    host.hookvisor(["hooks", "abort", &guest.id()]).ok();
    start.finish().fails();
    guest.wait_run_end();
}

fn process_is_stopped(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:\tT"))
}

fn keepers_are_mended(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    let keeper = guest.keeper();
    proc::signal(keeper, rustix::process::Signal::STOP);
    is_mended(host, &[&format!("run of {}: its keeper, process {keeper}, is stopped", guest.id())]);
    guest.kill(&[keeper]);
    host::wait_gone(keeper);
    is_mended(host, &[&format!("run of {}: its keeper is dead", guest.id())]);
    assert_ne!(guest.keeper(), keeper);
    guest.stop().ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

/// Every file with its times, and all that a guest has.
fn all_of(host: &Host, guests: &[Guest<'_>]) -> (BTreeSet<String>, Vec<Inventory>) {
    let mut lines = BTreeSet::new();
    let mut folders = vec![host.scratch().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be read").flatten() {
            let meta = entry.metadata().expect("a file can be looked at");
            let times = (meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
            lines.insert(format!("{} {:o} {} {times:?}", entry.path().display(), meta.mode(), meta.len()));
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    let modules = fs::read_dir("/sys/module").into_iter().flatten().flatten();
    lines.extend(modules.map(|entry| format!("module {}", entry.file_name().display())));
    (lines, guests.iter().map(|guest| Inventory::of(host, guest)).collect())
}

fn nothing_is_changed(host: &Host) {
    let guests = [host.vm(&Behaviour::Obeys), host.container(), host.vm(&Behaviour::Obeys)];
    guests.iter().for_each(|guest| drop(guest.start().ok()));
    // One that nobody keeps, and one that wants a storage whose folders are not made yet.
    let keeper = guests[2].keeper();
    guests[2].kill(&[keeper]);
    host::wait_gone(keeper);
    let fresh = host.scratch().join("fresh");
    add(
        &host.at("etc/pve/storage.cfg"),
        &format!("\ndir: fresh\n\tpath {}\n\tcontent iso,snippets,images\n", fresh.display()),
    );
    fs::create_dir(&fresh).expect("a folder can be made");
    // A script that hangs, one that nothing runs, and a line that nobody reads.
    guests[0].on("pre-stop", "exec sleep 1000");
    let stop = guests[0].spawn("stop", &[]);
    let script = guests[0].wait_noted("pre-stop", 1).pid;
    proc::signal(script, rustix::process::Signal::STOP);
    wait::until("the script to be stopped", || process_is_stopped(script).then_some(()));
    let lost = guest(host, &format!("nonsense: 1\nhookscript: {}\n", host.snippet("lost", "#!/none\n")));
    let before = all_of(host, &guests);
    let output = host.hookvisor(["doctor"]);
    for told in ["its keeper is dead", "and is stopped", "'/none' is not on this host", "'nonsense'"] {
        assert!(output.out().contains(told), "{told:?}: {}", output.describe());
    }
    assert!(output.out().contains(&format!("configuration of {}: ", lost.id())), "{}", output.describe());
    assert_eq!(all_of(host, &guests), before);
    proc::signal(script, rustix::process::Signal::CONT);
    host.hookvisor(["hooks", "abort", &guests[0].id()]).ok();
    stop.finish().ok();
    host.hookvisor(["recover"]).ok();
    guests[1..].iter().for_each(|guest| drop(guest.stop().ok()));
}

fn a_storage_that_hangs_holds_up_nobody(host: &Host) {
    let folder = host.scratch().join("nas");
    add(
        &host.at("etc/pve/storage.cfg"),
        &format!("\ndir: nas\n\tpath {}\n\tcontent snippets\n\tis_mountpoint 1\n", folder.display()),
    );
    let guest = guest(host, "hookscript: nas:snippets/x.sh\n");
    add(&host.at("etc/hookvisor/hooks.conf"), "[host]\nparams = x=1\n");
    let silent = Silent::at(&folder);
    let output = host.hookvisor(["doctor", "--output-format", "json"]);
    assert!(output.took < Duration::from_secs(12), "{}", output.describe());
    let found = amiss(&output);
    let says = |text: &str| found.iter().any(|(line, _)| line.contains(text));
    assert!(says("problem nas: '") && says(&format!("nas:snippets/x.sh of {}: '", guest.id())), "{found:#?}");
    is_mended(host, &["nas' does not answer within 2 s"]);
    drop(silent);
}

/// Runs doctor where these lines of shell have changed what it sees of the host's files; the host itself stays as it is.
#[track_caller]
fn where_changed(host: &Host, changes: &str, then: &str) -> Output {
    let script = format!("set -e\n{changes}\n{then}");
    let mut command = host.command("unshare");
    run(command.args(["--mount", "--propagation", "private", "sh", "-c", &script]))
}

const DOCTOR: &str = "hookvisor doctor --output-format json";

fn kvm_is_tried_and_not_only_opened(host: &Host) {
    let places = ["/usr/bin/kvm", "/usr/bin/qemu-system-x86_64"];
    let real = places.into_iter().find(|path| Path::new(path).exists()).expect("QEMU is there");
    let guest = guest(host, "");
    host.qm(["set", &guest.id(), "--kvm", "1"]).ok();
    // What QEMU does with a device that opens and runs nothing, with one that does not work, and with one that does.
    let instead = |text: &str| {
        let path = host.scratch().join("instead");
        let script =
            format!("#!/bin/sh\ncase $* in *accel*) {text} ;; esac\necho QEMU emulator version 7.2.0\n");
        fs::write(&path, script).expect("a program can be written");
        chmod(&path, 0o755);
        // A device that opens, also where the host has none.
        let device = format!(
            "d='{}'; mkdir -p \"$d\"; mount --rbind /dev \"$d\"; mount -t tmpfs tmpfs /dev; ln -s \"$d\"/* /dev; \
             rm -f /dev/kvm; cp -a \"$d/null\" /dev/kvm",
            host.scratch().join("dev").display()
        );
        format!("{device}\nmount --bind '{}' \"$(readlink -f {real})\"", path.display())
    };
    let pid = host.scratch().join("pid");
    let hangs =
        where_changed(host, &instead(&format!("echo $$ >'{}'; exec sleep 1000", pid.display())), DOCTOR);
    assert!(hangs.took < Duration::from_secs(12), "{}", hangs.describe());
    let (line, mend) = amiss(&hangs).into_iter().find(|(line, _)| line.contains("KVM")).expect("it hangs");
    assert_eq!(line, "problem KVM: /dev/kvm opens, and a guest in it hangs (4 s)");
    assert_eq!(mend, format!("qm set {} --kvm 0", guest.id()));
    let pid = fs::read_to_string(&pid).expect("it was tried");
    assert!(!proc::alive(pid.trim().parse().expect("a pid")), "it is left behind");
    let fails = amiss(&where_changed(host, &instead("echo no room >&2; exit 1"), DOCTOR));
    assert!(fails.iter().any(|(line, _)| line == "problem KVM: a guest did not run: no room"), "{fails:#?}");
    let works = amiss(&where_changed(host, &instead("exit 33"), DOCTOR));
    assert!(!works.iter().any(|(line, _)| line.contains("KVM")), "{works:#?}");
    host.run("sh", ["-c", &mend]).ok();
    let noted = amiss(&where_changed(host, &instead("exit 1"), DOCTOR));
    assert!(noted.iter().any(|(line, _)| line.starts_with("note KVM: ")), "nobody needs it: {noted:#?}");
}

fn programs_and_ids_are_named(host: &Host) {
    let ids = "t=$(mktemp -d); mount -t tmpfs tmpfs \"$t\"; cp /etc/passwd /etc/subgid \"$t\"; \
               mount -t tmpfs tmpfs /etc; cp \"$t\"/* /etc; umount \"$t\"; rmdir \"$t\"; : >/etc/subuid";
    let lacks = where_changed(host, ids, DOCTOR);
    let newuidmap = ["/usr/bin/newuidmap", "/bin/newuidmap"].iter().any(|path| Path::new(path).exists());
    let (line, mend) = match amiss(&lacks).into_iter().find(|(line, _)| line.contains("/etc/subuid")) {
        Some(found) => found,
        None => {
            assert!(!newuidmap, "{}", lacks.describe());
            return;
        }
    };
    assert!(line.contains("the line 'root:100000:65536' is missing"), "{line}");
    let mended = where_changed(host, ids, &format!("{mend} >/dev/null\n{DOCTOR}"));
    assert!(!amiss(&mended).iter().any(|(line, _)| line.contains("/etc/sub")), "{}", mended.describe());
    // The two commands that say it in passing.
    let passing = where_changed(host, ids, "hookvisor init --node pve1; hookvisor status");
    assert!(passing.err().contains("is missing (hookvisor init --fix)"), "{}", passing.describe());
    assert!(passing.out().contains("\nmissing:\n  /etc/subuid: the line"), "{}", passing.describe());
}
