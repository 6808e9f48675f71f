//! What is done with the real LXC: every golden configuration that this host can run is started, and a container is
//! ended in every way. What cannot run here is ignored, with the reason in its name.

mod ground;
#[path = "common/parse.rs"]
mod parse;

use ground::{Ground, Guest};
use libtest_mimic::{Arguments, Failed, Trial};
use lxc::create::{Create, CreateError, Inside, Template, create};
use lxc::end::{Init, Wish};
use lxc::{Attach, Signal, Source, Target, attach, start_errors};
use model::Vmid;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

type Case = fn(&Ground, Vmid);

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    match Ground::lay() {
        Err(reason) => {
            trials.push(
                Trial::test(format!("real containers: skipped: {reason}"), || Ok(())).with_ignored_flag(true),
            );
        }
        Ok(ground) => {
            let ground = Arc::new(ground);
            let cases: [(&str, Case); 15] = [
                ("poweroff", guests_own_poweroff),
                ("reboot", guests_own_reboot),
                ("halt", halt_by_signal),
                ("reboot-asked", reboot_by_signal),
                ("kill-init", kill_init),
                ("kill-early", kill_init_before_its_exec),
                ("kill-monitor", kill_monitor),
                ("bad-init", start_without_init),
                ("bad-image", start_with_a_damaged_image),
                ("attach", attach_and_freeze),
                ("archives", archives),
                ("refresh", settings_are_written_before_a_start),
                ("archive-tricks", archive_tricks),
                ("create-fails", failed_creation_leaves_nothing),
                ("escape", unprivileged_files_have_shifted_owners),
            ];
            let mut vmid = 7100_u32;
            for (name, case) in cases {
                vmid += 1;
                let (ground, vmid) = (Arc::clone(&ground), vmid.try_into().expect("a vmid"));
                trials.push(Trial::test(name, move || {
                    case(&ground, vmid);
                    Ok::<(), Failed>(())
                }));
            }
            for (name, raw) in ground::goldens() {
                vmid += 1;
                let number: Vmid = vmid.try_into().expect("a vmid");
                let skip = ground.cannot(&raw);
                let label = skip
                    .map_or_else(|| format!("start {name}"), |why| format!("start {name}: skipped: {why}"));
                let ground = Arc::clone(&ground);
                let trial = Trial::test(label, move || {
                    golden(&ground, number, &raw);
                    Ok::<(), Failed>(())
                });
                trials.push(trial.with_ignored_flag(skip.is_some()));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn golden(ground: &Ground, vmid: Vmid, raw: &str) {
    let mut guest = ground.guest(vmid, raw);
    guest.start();
    let status = fs::read_to_string(format!("/proc/{}/status", guest.init().process.pid)).unwrap();
    let mapped = fs::read_to_string(format!("/proc/{}/uid_map", guest.init().process.pid)).unwrap();
    let unprivileged = guest.main.flag("unprivileged", false);
    assert_eq!(mapped.split_whitespace().nth(1) != Some("0"), unprivileged, "{mapped}");
    assert!(status.contains("NSpid:"), "{status}");
    for (index, value) in guest.main.indexed("mp") {
        let target = value.split(',').find_map(|part| part.strip_prefix("mp=")).unwrap();
        let mounts = fs::read_to_string(format!("/proc/{}/mounts", guest.init().process.pid)).unwrap();
        let escaped = target.replace(' ', "\\040");
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(escaped.as_str()));
        let options =
            line.unwrap_or_else(|| panic!("mp{index} is not there:\n{mounts}")).split(' ').nth(3).unwrap();
        for option in ["ro", "noexec"] {
            let asked =
                value.contains(&format!("{option}=1")) || value.contains(&format!("mountoptions={option}"));
            assert_eq!(options.split(',').any(|have| have == option), asked, "mp{index} {option}: {options}");
        }
    }
    for (_, value) in guest.main.indexed("dev") {
        let path = value.trim_start_matches("path=").split(',').next().unwrap();
        assert!(guest.inside(&["/bin/busybox", "test", "-e", path]).status.success(), "{path}");
    }
    guest.init().kill();
    assert_eq!(guest.finish(), Target::Stop);
}

fn guests_own_poweroff(ground: &Ground, vmid: Vmid) {
    let mut guest = ground.guest(vmid, ground::PLAIN);
    guest.start();
    guest.inside(&["/bin/busybox", "touch", "/tmp/poweroff"]);
    assert_eq!(guest.finish(), Target::Stop);
}

fn guests_own_reboot(ground: &Ground, vmid: Vmid) {
    let mut guest = ground.guest(vmid, ground::PLAIN);
    guest.start();
    guest.inside(&["/bin/busybox", "touch", "/tmp/reboot"]);
    // lxc-start ends rather than starting it again.
    assert_eq!(guest.finish(), Target::Reboot);
    guest.start();
    guest.init().kill();
    assert_eq!(guest.finish(), Target::Stop);
}

fn halt_by_signal(ground: &Ground, vmid: Vmid) {
    let mut guest = ground.guest(vmid, ground::PLAIN);
    guest.start();
    guest.await_init(30);
    assert_eq!(guest.init().ask(Wish::Halt, None).unwrap(), 30);
    assert_eq!(guest.finish(), Target::Stop);
    let mut guest = ground.guest(vmid, &format!("{}lxc.signal.halt: SIGRTMIN+5\n", ground::PLAIN));
    guest.start();
    guest.await_init(39);
    assert_eq!(guest.made().halt_signal, Some(39));
    assert_eq!(guest.init().ask(Wish::Halt, guest.made().halt_signal).unwrap(), 39);
    assert_eq!(guest.finish(), Target::Stop);
}

fn reboot_by_signal(ground: &Ground, vmid: Vmid) {
    let mut guest = ground.guest(vmid, ground::PLAIN);
    guest.start();
    guest.await_init(2);
    guest.init().ask(Wish::Reboot, None).unwrap();
    assert_eq!(guest.finish(), Target::Reboot);
}

fn kill_init(ground: &Ground, vmid: Vmid) {
    let mut guest = ground.guest(vmid, ground::PLAIN);
    guest.start();
    guest.init().kill();
    assert_eq!(guest.finish(), Target::Stop);
}

/// An init that is killed just before its exec leaves lxc-start waiting for ever, unless it is dealt with.
fn kill_init_before_its_exec(ground: &Ground, vmid: Vmid) {
    let mut guest = ground.guest(vmid, ground::PLAIN);
    for _ in 0..10 {
        guest.start_early();
        guest.init().kill();
        assert_eq!(guest.finish(), Target::Stop);
    }
}

/// The kernel ends init with its monitor; what stays are control groups on which the next start would fail.
fn kill_monitor(ground: &Ground, vmid: Vmid) {
    for raw in [ground::PLAIN, ground::IMAGE] {
        let mut guest = ground.guest(vmid, raw);
        guest.start();
        let init = guest.kill_monitor();
        let (cgroups, names) = guest.cgroups();
        assert!(!cgroups.groups(&names).is_empty());
        assert!(cgroups.remove(&names, Duration::from_secs(10)).unwrap() > 0);
        // It leaves its groups a moment before it has ended.
        ground::await_end(&init);
        guest.assert_nothing_left();
        guest.start();
        guest.init().kill();
        assert_eq!(guest.finish(), Target::Stop);
    }
}

fn start_without_init(ground: &Ground, vmid: Vmid) {
    let mut guest = ground.guest(vmid, &format!("{}entrypoint: /sbin/nope\n", ground::PLAIN));
    assert_eq!(guest.start_fails(), Signal::Stopped { target: Target::Stop });
    let errors = start_errors(&guest.paths);
    assert!(errors.iter().any(|line| line.contains("/sbin/nope")), "{errors:?}");
    assert!(
        errors.iter().any(|line| line.ends_with(&format!("Failed to spawn container \"{vmid}\""))),
        "{errors:?}"
    );
    guest.assert_nothing_left();
}

fn start_with_a_damaged_image(ground: &Ground, vmid: Vmid) {
    let mut guest = ground.guest(vmid, ground::IMAGE);
    let Source::Image(image) = guest.volume() else { panic!("no image") };
    fs::File::options().write(true).open(&image).unwrap().set_len(0).unwrap();
    fs::File::options().write(true).open(&image).unwrap().set_len(1 << 20).unwrap();
    guest.start_fails();
    let errors = start_errors(&guest.paths);
    // The words of mount(8) come first.
    assert!(errors[0].starts_with("mount: "), "{errors:?}");
    guest.assert_nothing_left();
}

fn attach_and_freeze(ground: &Ground, vmid: Vmid) {
    let mut guest = ground.guest(vmid, ground::PLAIN);
    guest.start();
    let how = Attach { keep_env: false, env: &[("GREETING", "hello there")] };
    let argv = attach(
        &ground.tools,
        &guest.paths,
        vmid,
        &how,
        &["/bin/busybox", "sh", "-c", "echo $GREETING; exit 7"],
    );
    let output = Command::new(&argv[0]).args(&argv[1..]).env("SECRET", "x").output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(7), b"hello there\n".as_slice()));
    let (cgroups, names) = guest.cgroups();
    assert!(cgroups.processes(&names).contains(&guest.init().process.pid));
    cgroups.freeze(&names, true, Duration::from_secs(10)).unwrap();
    cgroups.freeze(&names, false, Duration::from_secs(10)).unwrap();
    // A frozen one can be ended, too.
    cgroups.freeze(&names, true, Duration::from_secs(10)).unwrap();
    cgroups.kill(&names);
    assert_eq!(guest.finish(), Target::Stop);
}

/// Each packing, into a folder and an image, privileged and not; what was made starts.
fn archives(ground: &Ground, vmid: Vmid) {
    for (option, suffix) in
        [("--gzip", "tar.gz"), ("--xz", "tar.xz"), ("--zstd", "tar.zst"), ("--no-auto-compress", "tar")]
    {
        let archive = ground.folder().join(format!("template-{vmid}.{suffix}"));
        let packed = Command::new("tar")
            .arg("-C")
            .arg(ground.base())
            .args(["-c", option, "-f"])
            .arg(&archive)
            .arg(".")
            .status();
        assert!(packed.unwrap().success());
        let image = matches!(suffix, "tar.gz" | "tar.zst");
        let unprivileged = matches!(suffix, "tar.xz" | "tar.zst");
        let raw = format!("{}ostype: debian\nunprivileged: {}\n", ground::PLAIN, u8::from(unprivileged));
        let mut guest = ground.empty_guest(vmid, &raw, image);
        let mut lines = Vec::new();
        let request = Create {
            vmid,
            main: &guest.main,
            template: Template::Archive(&archive),
            volume: &guest.volume(),
            password: Some("geheim"),
            ssh_keys: Some("ssh-ed25519 AAAA me"),
            ignore_unpack_errors: false,
        };
        let created = create(&request, &ground.tools, &mut |line| lines.push(line.to_owned())).unwrap();
        assert_eq!((created.ostype.as_str(), created.arch.as_str()), ("debian", "amd64"));
        assert_eq!(lines[0], format!("extracting archive '{}'", archive.display()));
        assert!(lines[1].starts_with("Total bytes read: ") && lines[1].ends_with("/s)"), "{lines:?}");
        assert_eq!(lines.len(), 2, "{lines:?}");
        guest.start();
        let shown = guest.inside(&["/bin/busybox", "sh", "-c", "stat -c '%u %g %a %n' /etc/shadow /root/.ssh/authorized_keys /bin/busybox; cat /etc/hostname; grep -c '^root:.6' /etc/shadow"]);
        assert_eq!(
            String::from_utf8_lossy(&shown.stdout),
            "0 42 640 /etc/shadow\n0 0 600 /root/.ssh/authorized_keys\n0 0 755 /bin/busybox\nct200\n1\n",
            "{shown:?}"
        );
        guest.init().kill();
        guest.finish();
    }
}

fn settings_are_written_before_a_start(ground: &Ground, vmid: Vmid) {
    for raw in [ground::PLAIN, ground::IMAGE] {
        let raw = format!("{raw}ostype: debian\nunprivileged: 1\nnameserver: 192.0.2.7\n");
        let mut guest = ground.guest(vmid, &raw.replace("ct200", "before"));
        guest.main = parse::parse(&raw.replace("ct200", "after.example.org"));
        lxc::create::refresh(vmid, &guest.main, &guest.volume).unwrap();
        guest.start();
        let shown = guest.inside(&["/bin/busybox", "cat", "/etc/hostname", "/etc/resolv.conf", "/etc/hosts"]);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.starts_with("after\n"), "{shown}");
        assert!(shown.contains("\nnameserver 192.0.2.7\n"), "{shown}");
        assert!(
            shown.contains("\n127.0.1.1 after.example.org after\n") && !shown.contains("before"),
            "{shown}"
        );
        guest.init().kill();
        guest.finish();
    }
}

/// Names that lead out of the root do not, and device nodes are left out.
fn archive_tricks(ground: &Ground, vmid: Vmid) {
    let folder = ground.folder().join(format!("tricks-{vmid}"));
    fs::create_dir_all(folder.join("in/dev")).unwrap();
    let canary = folder.join("canary");
    fs::write(&canary, "the host's").unwrap();
    std::os::unix::fs::symlink(&folder, folder.join("in/out")).unwrap();
    fs::write(folder.join("in/dev/x"), "").unwrap();
    let archive = folder.join("a.tar");
    let tar = |arguments: &[&str]| {
        let status = Command::new("tar")
            .current_dir(&folder)
            .arg("-P")
            .arg("-f")
            .arg(&archive)
            .args(arguments)
            .status();
        assert!(status.unwrap().success());
    };
    tar(&["-c", "-C", "in", "./out", "./dev/x"]);
    // A member that goes through the link, one with an absolute name, one with dots.
    let name = canary.to_str().unwrap();
    tar(&["-r", "--transform", "s,.*,out/canary,", "/etc/hostname"]);
    tar(&["-r", "--transform", &format!("s,.*,{name},"), "/etc/hostname"]);
    tar(&["-r", "--transform", "s,.*,../canary,", "/etc/hostname"]);
    for unprivileged in [0, 1] {
        let guest =
            ground.empty_guest(vmid, &format!("{}unprivileged: {unprivileged}\n", ground::PLAIN), false);
        let request = request(&guest, Template::Archive(&archive), None);
        let _ = create(&request, &ground.tools, &mut |_| {});
        assert_eq!(fs::read_to_string(&canary).unwrap(), "the host's");
        let Source::Folder(root) = guest.volume() else { panic!("no folder") };
        assert!(!root.join("dev/x").exists());
        assert!(!root.parent().unwrap().join("canary").exists());
    }
}

fn request<'a>(guest: &'a Guest<'_>, template: Template<'a>, password: Option<&'a str>) -> Create<'a> {
    Create {
        vmid: guest.vmid,
        main: &guest.main,
        template,
        volume: &guest.volume,
        password,
        ssh_keys: None,
        ignore_unpack_errors: false,
    }
}

fn failed_creation_leaves_nothing(ground: &Ground, vmid: Vmid) {
    // No shadow file in an otherwise good root: the last step fails.
    let bare = ground.folder().join(format!("bare-{vmid}"));
    fs::create_dir_all(bare.join("etc")).unwrap();
    fs::write(bare.join("etc/x"), "x").unwrap();
    for image in [false, true] {
        let guest = ground.empty_guest(vmid, ground::PLAIN, image);
        let error =
            create(&request(&guest, Template::Folder(&bare), Some("geheim")), &ground.tools, &mut |_| {});
        assert!(matches!(error, Err(CreateError::Login(_))), "{error:?}");
        // Empty again, so the same volume can be used.
        create(&request(&guest, Template::Folder(&bare), None), &ground.tools, &mut |_| {}).unwrap();
        let again = create(&request(&guest, Template::Folder(&bare), None), &ground.tools, &mut |_| {});
        assert!(matches!(again, Err(CreateError::NotEmpty(_))), "{again:?}");
    }
    let guest = ground.empty_guest(vmid, ground::PLAIN, false);
    let junk = ground.folder().join(format!("junk-{vmid}.tar.gz"));
    fs::write(&junk, b"\x1f\x8b\x08 this is not gzip").unwrap();
    let mut lines = Vec::new();
    let error = create(&request(&guest, Template::Archive(&junk), None), &ground.tools, &mut |line| {
        lines.push(line.to_owned())
    });
    let text = error.unwrap_err().to_string();
    assert_eq!(
        text,
        format!("unable to extract archive '{}': tar failed: exit code 2", junk.display()),
        "{lines:?}"
    );
    assert!(lines.iter().any(|line| line.contains("gzip: ")), "{lines:?}");
    let Source::Folder(root) = guest.volume() else { panic!("no folder") };
    assert_eq!(fs::read_dir(root).unwrap().count(), 0);
}

fn unprivileged_files_have_shifted_owners(ground: &Ground, vmid: Vmid) {
    use std::os::unix::fs::MetadataExt;
    let guest = ground.empty_guest(vmid, &format!("{}unprivileged: 1\n", ground::PLAIN), false);
    create(&request(&guest, Template::Folder(ground.base()), Some("geheim")), &ground.tools, &mut |_| {})
        .unwrap();
    let Source::Folder(root) = guest.volume() else { panic!("no folder") };
    for (path, uid, gid) in
        [(".", 100_000, 100_000), ("etc/shadow", 100_000, 100_042), ("bin/sh", 100_000, 100_000)]
    {
        let metadata = fs::symlink_metadata(root.join(path)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (uid, gid), "{path}");
    }
    let inside = Inside::open(&root, 100_000).unwrap();
    inside.write("etc/new", b"x", 0o600).unwrap();
    assert_eq!(fs::metadata(root.join("etc/new")).unwrap().uid(), 100_000);
    assert!(Init::open(0).is_none());
    assert!(Path::new("/etc/subuid").exists());
}
