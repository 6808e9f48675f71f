//! after-stop: what is to be done after a guest's end is done by its cause, by a job that outlives whoever called.

use crate::pve::Pve;
use crate::scene::{file, give, refused, settings_of};
use e2e::suite::{QEMU, Test};
use e2e::{Behaviour, Guest, Host, Kind, proc, tests, wait};
use std::fs;
use std::path::{Path, PathBuf};

const SCRIPT: &str = "after-stop.pl";

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: a_guest_that_was_killed_is_started_again, it_is_backed_up_with_its_disks, it_is_made_new,
            what_cannot_be_is_refused;
        once [QEMU]: too_many_starts_are_too_many, the_job_survives_who_called_it, a_job_that_fails_says_why,
            as_pve, proxmox_ve_clones, systemd_has_the_job
    )
}

fn kept(host: &Host) -> Vec<String> {
    let entries = fs::read_dir(host.at("run/hookscript/after-stop")).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn log(host: &Host) -> String {
    fs::read_to_string(host.at("var/log/after-stop.log")).unwrap_or_default()
}

/// Waits for a line of a job, and for the job's end.
#[track_caller]
fn done(host: &Host, what: &str) {
    wait::until(&format!("{what:?} in the log"), || log(host).contains(what).then_some(()));
    wait::until("the job's end", || {
        kept(host).iter().all(|name| name.ends_with("starts") || name.ends_with("failed")).then_some(())
    });
}

fn kill(guest: &Guest) {
    guest.kill(&[guest.hypervisor()]);
}

fn a_guest_that_was_killed_is_started_again(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    settings_of(host, &guest, "after_stop=\"killed=restart crash=restart\"");
    guest.start().ok();
    let first = guest.hypervisor();
    kill(&guest);
    done(host, &format!("guest {}: started again after its end (killed)", guest.vmid()));
    guest.wait_status("running");
    assert_ne!(guest.hypervisor(), first);
    // Whoever stops it by hand means it.
    guest.stop().ok();
    guest.wait_run_end();
    assert_eq!((guest.status().as_str(), kept(host)), ("stopped", Vec::new()));
}

fn too_many_starts_are_too_many(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    give(host, &guest, SCRIPT);
    settings_of(host, &guest, "after_stop=ended=restart, after_stop_tries=2");
    guest.start().ok();
    for times in 1..=2 {
        kill(&guest);
        wait::until("the guest's next start", || {
            (log(host).matches("started again").count() == times).then_some(())
        });
        guest.wait_status("running");
    }
    kill(&guest);
    done(host, "it was started 2 times in 600 s, and stays as it is");
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
}

fn disks(host: &Host, guest: &Guest) -> PathBuf {
    host.at(&format!("var/lib/vz/images/{}", guest.vmid()))
}

/// A file within the guest's disk or root.
fn mark(host: &Host, guest: &Guest, text: &str) {
    let volume = fs::read_dir(disks(host, guest)).expect("disks").flatten().next().expect("a disk").path();
    if volume.is_dir() {
        fs::write(volume.join("root/mark"), text).expect("a mark");
    } else {
        let file = fs::File::options().write(true).open(&volume).expect("a disk");
        std::os::unix::fs::FileExt::write_at(&file, text.as_bytes(), 4096).expect("a mark");
    }
}

fn marked(folder: &Path) -> String {
    let mut volumes = fs::read_dir(folder).expect("disks").flatten().map(|entry| entry.path());
    let volume = volumes.find(|path| !path.ends_with("guest.conf")).expect("a disk");
    if volume.is_dir() {
        return fs::read_to_string(volume.join("root/mark")).unwrap_or_default();
    }
    let (mut bytes, disk) = ([0; 8], fs::File::open(&volume).expect("a disk"));
    std::os::unix::fs::FileExt::read_at(&disk, &mut bytes, 4096).expect("a mark");
    String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned()
}

fn it_is_backed_up_with_its_disks(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    let folder = host.scratch().join("backups");
    fs::create_dir(&folder).expect("a folder can be made");
    settings_of(
        host,
        &guest,
        &format!("after_stop=\"asked=backup:{0} ended=backup:{0}\", after_stop_keep=2", folder.display()),
    );
    let backups = || {
        let names = fs::read_dir(&folder).expect("backups").flatten();
        let mut names: Vec<String> =
            names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    for times in 1..=3 {
        guest.start().ok();
        if times == 2 {
            kill(&guest);
        } else {
            guest.stop().ok();
        }
        guest.wait_run_end();
        wait::until("a backup", || (log(host).matches("backed up to").count() == times).then_some(()));
        done(host, "backed up to");
        mark(host, &guest, &format!("life {times}"));
    }
    let names = backups();
    assert!(names.len() == 2 && !names.concat().contains("partial"), "{names:?}");
    let last = folder.join(&names[1]);
    assert_eq!(fs::read_to_string(last.join("guest.conf")).expect("the configuration"), guest.config());
    assert_eq!(marked(&last), "life 2");
}

fn it_is_made_new(host: &Host, kind: Kind) {
    let (guest, template) = (host.guest(kind), host.guest(kind));
    give(host, &guest, SCRIPT);
    settings_of(
        host,
        &guest,
        &format!("after_stop=\"ended=reclone:{0} ended=restart asked=reclone:{0}\"", template.vmid()),
    );
    mark(host, &template, "new");
    mark(host, &guest, "used");
    let config = guest.config();
    guest.start().ok();
    kill(&guest);
    done(host, &format!("made new from {}", template.vmid()));
    done(host, "started again after its end (killed)");
    guest.wait_status("running");
    assert_eq!(marked(&disks(host, &guest)), "new");
    mark(host, &guest, "used");
    guest.stop().ok();
    done(host, "after its end (stop)");
    assert_eq!((marked(&disks(host, &guest)), guest.config()), ("new".to_owned(), config));
    let files = fs::read_dir(disks(host, &guest)).expect("disks").count();
    assert_eq!(files, 1, "neither the old nor the next one is left");
}

fn what_cannot_be_is_refused(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    give(host, &guest, SCRIPT);
    for (params, why) in [
        ("after_stop=restart".to_owned(), "after_stop has 'restart', which is not CAUSE=ACTION".to_owned()),
        (
            "after_stop=dead=restart".to_owned(),
            "after_stop has 'dead', which is no cause: there are asked backup crash".to_owned(),
        ),
        (
            "after_stop=ended=explode".to_owned(),
            "after_stop has 'explode', which is none of backup reclone restart".to_owned(),
        ),
        ("after_stop=ended=reclone:999".to_owned(), "guest 999 is not here, or has no disk".to_owned()),
        (
            format!("after_stop=ended=reclone:{}", guest.vmid()),
            "a guest cannot be made new from itself".to_owned(),
        ),
        ("after_stop=ended=backup:/nowhere".to_owned(), "there is no folder /nowhere for backups".to_owned()),
        ("after_stop=ended=backup:local".to_owned(), "the storage local takes no backup".to_owned()),
        ("after_stop_tries=many".to_owned(), "after_stop_tries is 'many', which is no number".to_owned()),
    ] {
        settings_of(host, &guest, &params);
        refused(host, &guest, &format!("after-stop: guest {} is not started: {why}", guest.vmid()));
    }
}

/// Whoever calls is killed with the guest, as soon as the job has begun.
fn the_job_survives_who_called_it(host: &Host) {
    let (guest, template) = (host.guest(Kind::Vm), host.guest(Kind::Vm));
    give(host, &guest, SCRIPT);
    settings_of(host, &guest, &format!("after_stop=ended=reclone:{}", template.vmid()));
    mark(host, &template, "new");
    mark(host, &guest, "used");
    guest.start().ok();
    let (keeper, hypervisor) = (guest.keeper(), guest.hypervisor());
    proc::signal(keeper, rustix::process::Signal::STOP);
    guest.kill(&[hypervisor]);
    proc::signal(keeper, rustix::process::Signal::CONT);
    let job = host.at(&format!("run/hookscript/after-stop/{}.job", guest.vmid()));
    wait::until("the job", || (job.exists() || log(host).contains("made new")).then_some(()));
    // It may have come to its end by itself.
    proc::kill(keeper);
    e2e::host::wait_gone(keeper);
    done(host, "made new from");
    assert_eq!(marked(&disks(host, &guest)), "new");
    host.hookvisor(["recover"]).ok();
    guest.wait_run_end();
}

/// The template's disk has gone: nothing of the guest is touched.
fn a_job_that_fails_says_why(host: &Host) {
    let (guest, template) = (host.guest(Kind::Vm), host.guest(Kind::Vm));
    give(host, &guest, SCRIPT);
    settings_of(host, &guest, &format!("after_stop=ended=reclone:{}", template.vmid()));
    mark(host, &guest, "used");
    guest.start().ok();
    let disk = fs::read_dir(disks(host, &template)).expect("disks").flatten().next().expect("a disk").path();
    fs::remove_file(&disk).expect("the disk can go");
    kill(&guest);
    done(host, "failed after its end (killed): ");
    assert!(
        log(host).contains(&disk.file_name().expect("a name").to_string_lossy().into_owned()),
        "{}",
        log(host)
    );
    assert_eq!(marked(&disks(host, &guest)), "used");
    assert_eq!(kept(host), [format!("{}.failed", guest.vmid())]);
    guest.wait_run_end();
}

/// The log of a job on that host.
fn pve_log(pve: &Pve, what: &str) {
    let path = Path::new("/var/log/after-stop.log");
    wait::until(&format!("{what:?} in the log"), || {
        fs::read_to_string(pve.at("log/after-stop.log")).unwrap_or_default().contains(what).then_some(())
    });
    assert!(!path.exists(), "it is the scene's own");
    wait::until("the job's end", || pve.left().iter().all(|name| name.ends_with("starts")).then_some(()));
}

fn as_pve(host: &Host) {
    let (pve, guest) = (Pve::of(host), host.guest(Kind::Vm));
    let script = file(SCRIPT);
    let id = guest.vmid();
    let call = |phase| pve.call(&script, id, phase).ok();
    pve.settings(&format!("[guest {id}]\nparams = after_stop=\"killed=restart shutdown=restart\"\n"));
    // It ended by itself, as far as anybody knows.
    call("pre-start");
    call("post-stop").prints(&format!("after-stop: guest {id} has ended (ended): restart, by a job"));
    pve_log(&pve, "started again after its end (ended)");
    assert_eq!(guest.status(), "running");
    // Somebody asked.
    pve.settings(&format!("[guest {id}]\nparams = after_stop=\"killed=restart\"\n"));
    call("pre-stop");
    guest.stop().ok();
    call("post-stop").prints_exactly("");
    // A backup, a migration, a rollback, and a reboot are no ends.
    for lock in ["backup", "migrate", "rollback", "suspended"] {
        let text = format!("{}lock: {lock}\n", guest.config());
        fs::write(guest.config_path(), text).expect("the configuration can be written");
        call("post-stop").prints_exactly("");
        let text = guest.config().replace(&format!("lock: {lock}\n"), "");
        fs::write(guest.config_path(), text).expect("the configuration can be written");
    }
    let reboot = host.at(&format!("run/qemu-server/{id}.reboot"));
    fs::write(&reboot, "").expect("the request can be made");
    call("post-stop").prints_exactly("");
    fs::remove_file(reboot).expect("it is there");
    assert_eq!(pve.left(), [""; 0]);
}

/// A `qm` that notes what it is asked for, and has clones.
fn proxmox_ve_clones(host: &Host) {
    let (pve, guest, template) = (Pve::of(host), host.guest(Kind::Vm), host.guest(Kind::Vm));
    guest.set(&["--tags", "runner"]);
    let asked = host.scratch().join("asked");
    pve.program(
        "qm",
        &format!(
            "#!/bin/sh\n[ \"$1\" != status ] || {{ echo 'status: stopped'; exit; }}\necho \"$*\" >>'{}'\n",
            asked.display()
        ),
    );
    let (id, from) = (guest.vmid(), template.vmid());
    pve.settings(&format!("[guest {id}]\nparams = after_stop=\"ended=reclone:{from} ended=restart\"\n"));
    pve.call(&file(SCRIPT), id, "post-stop").ok();
    pve_log(&pve, "started again");
    assert_eq!(
        fs::read_to_string(asked).expect("what was asked"),
        format!(
            "destroy {id}\nclone {from} {id} --name tiny\nset {id} --hookscript local:snippets/recorder --tags runner\nstart {id}\n"
        )
    );
}

/// Where systemd runs the host it is systemd's own, so that the end of whoever called is none of it.
fn systemd_has_the_job(host: &Host) {
    let (pve, guest) = (Pve::of(host), host.guest(Kind::Vm));
    let script = file(SCRIPT);
    fs::create_dir_all(pve.at("run/systemd/system")).expect("a folder can be made");
    let asked = host.scratch().join("asked");
    pve.program(
        "systemd-run",
        &format!("#!/bin/sh\nfor word; do echo \"$word\" >>'{}'; done\n", asked.display()),
    );
    let id = guest.vmid();
    pve.settings("[host]\nparams = after_stop=ended=restart\n");
    pve.call(&script, id, "post-stop").ok();
    let words = fs::read_to_string(asked).expect("what was asked");
    let wanted = format!("{}\n--job\n/run/hookscript/after-stop/{id}.job\n", script.display());
    assert!(
        words.starts_with("--quiet\n--no-block\n--collect\n--unit=after-stop-") && words.ends_with(&wanted),
        "{words}"
    );
    assert_eq!(pve.left(), [format!("{id}.job")]);
}
