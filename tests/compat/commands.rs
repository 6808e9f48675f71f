//! The commands beside start and stop.

use e2e::output::run;
use e2e::suite::{BUSYBOX, LXC, QEMU, Test};
use e2e::{Behaviour, Host, Kind, tests};
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: status_names_what_is, wait_waits_for_the_end, the_history_names_outcomes_and_lines, the_log_can_be_asked;
        once [QEMU]: options_may_be_spelled_three_ways, the_serial_port_is_a_socket, showcmd_is_what_is_run,
            every_program_is_one_binary;
        once [LXC, BUSYBOX]: exec_passes_the_exit_code_on, memory_is_limited, a_network_interface_is_there;
        once [QEMU]: a_hint_stands_behind_its_error, nothing_on_record_is_said;
        once []: a_failure_is_255_of_whatever_kind, what_was_meant_is_said, small_commands_do_what_one_tries, who_is_not_there_is_said, what_is_left_out_of_the_storages_is_said, init_is_repeatable, init_lays_out_what_the_design_says
    )
}

fn status_names_what_is(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.command("status", &[]).ok().prints_exactly("status: stopped\n");
    guest.start().ok();
    guest.command("status", &[]).ok().prints_exactly("status: running\n");
    let id = guest.id();
    let list = host.run(kind.command(), ["list"]).ok();
    let row = list.out().lines().find(|line| line.contains(&id)).map(str::to_owned);
    assert!(row.is_some_and(|row| row.contains("running") && row.contains("tiny")), "{}", list.describe());
    let own = host.hookvisor(["status"]).ok();
    assert!(own.out().contains(&id), "{}", own.describe());
    let other = host.guest(kind);
    let one = host.hookvisor(["status", &id]).ok();
    assert!(one.out().contains(&id) && !one.out().contains(&other.id()), "{}", one.describe());
    guest.stop().ok();
}

fn wait_waits_for_the_end(host: &Host, kind: Kind) {
    if kind == Kind::Container {
        // Proxmox VE has this command for virtual machines only.
        return;
    }
    let guest = host.vm(&Behaviour::PowersOff { ticks: 6 });
    guest.start().ok();
    guest.command("wait", &["--timeout", "20"]).ok();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start post-stop");
}

fn the_history_names_outcomes_and_lines(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("post-start", "echo remarkable; exit 4");
    guest.start().ok();
    guest.stop().ok();
    let text = host.hookvisor(["hooks", "history", &guest.id()]).ok();
    assert!(text.out().contains("post-start") && text.out().contains('4'), "{}", text.describe());
    let json = guest.history().to_string();
    assert!(json.contains("\"post-start\"") && json.contains("\"stop\""), "{json}");
}

fn a_hint_stands_behind_its_error(host: &Host) {
    let guest = host.guest(Kind::Vm);
    let path = host.at("var/lib/vz/snippets/recorder");
    let mode =
        |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode can be set");
    mode(0o644);
    let hint = "hint: 'chmod +x \"$(pvesm path local:snippets/recorder)\"' makes it executable\n";
    let line = format!("qm start {} 2>&1", guest.id());
    let refused = run(host.command("sh").args(["-c", &line])).fails().out();
    assert!(refused.contains("is not executable") && refused.ends_with(hint), "{refused}");
    mode(0o755);
    guest.start().ok();
    mode(0o644);
    let stopped = guest.stop().ok();
    let (out, hint) = (stopped.out(), hint.trim_end());
    assert!(out.find("on post-stop") < out.rfind(hint) && out.contains(hint), "{}", stopped.describe());
}

fn nothing_on_record_is_said(host: &Host) {
    let guest = host.guest(Kind::Vm);
    let (id, none) = (guest.id(), format!("no runs on record for {}\n", guest.id()));
    // What reads JSON needs no words beside it, which may come by the same pipe.
    for (format, want) in [("text", none.as_str()), ("json", "[]\n")] {
        let output = host.hookvisor(["hooks", "history", &id, "--output-format", format]).ok();
        assert_eq!((output.out().as_str(), output.err().as_str()), (want, ""), "{}", output.describe());
    }
    let events = host.hookvisor(["events", &id]).ok();
    assert!(events.out().is_empty() && events.err().contains("'--follow 1'"), "{}", events.describe());
}

fn a_failure_is_255_of_whatever_kind(host: &Host) {
    for line in [
        "hookvisor hooks test --life foo hook.sh",
        "hookvisor hooks test",
        "hookvisor hooks chekc",
        "hookvisor frobnicate",
        "hookvisor log --folow 1",
        "hookvisor log --phase none",
        "hookvisor hooks history 999",
        "hookvisor",
        "qm foo",
        "qm start",
        "qm start x",
        "qm start 999",
        "qm snapshot 100 x",
        "pct start 999",
        "pvesh get",
        "pvesh get /nodes --foo 1",
        "pvesm path none",
    ] {
        let mut words = line.split(' ');
        let output = host.run(words.next().unwrap_or_default(), words);
        assert_eq!(output.status.code(), Some(255), "{line}: {}", output.describe());
        assert!(output.out().is_empty() && !output.err().is_empty(), "{line}: {}", output.describe());
    }
}

fn what_was_meant_is_said(host: &Host) {
    for (program, word, meant) in
        [("qm", "strat", "start"), ("pct", "lst", "list"), ("pvesm", "lisst", "list")]
    {
        let output = host.run(program, [word]).fails();
        let error = output.err();
        assert!(error.starts_with(&format!("ERROR: unknown command '{program} {word}'\nUSAGE: ")), "{error}");
        assert!(error.ends_with(&format!("\nDid you mean '{program} {meant}'?\n")), "{error}");
    }
    host.hookvisor(["hooks", "chekc"]).fails().complains("Did you mean 'hookvisor hooks check'?");
}

fn small_commands_do_what_one_tries(host: &Host) {
    let version = host.hookvisor(["--version"]).ok().out();
    assert!(version.starts_with("hookvisor ") && version.lines().count() == 1, "{version}");
    host.hookvisor(["version"]).ok().prints_exactly(&version);
    let folder = host.scratch().join("share/man/man1");
    host.hookvisor(["man", &folder.to_string_lossy()]).ok().prints("pages are written to");
    assert!(folder.join("qm-start.1").exists());
    let script = |name: &str| host.scratch().join(name).to_string_lossy().into_owned();
    let refused = host.hookvisor(["hooks", "new", &script("a.rb")]).fails();
    refused.complains(
        "ends in '.rb', and there are templates in bash (.sh), perl (.pl), python (.py) and rust (.rs)",
    );
    assert!(!host.scratch().join("a.rb.sh").exists() && !host.scratch().join("a.rb").exists());
    host.hookvisor(["hooks", "new", &script("a.py")]).ok().prints("in python");
}

fn the_log_can_be_asked(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("post-start", "echo '<3>no such device' >&2");
    let start = guest.start().ok();
    assert!(
        start.describe().contains("no such device") && !start.describe().contains("<3>"),
        "{}",
        start.describe()
    );
    guest.stop().ok();
    let id = guest.id();
    for command in [&["log"][..], &["hooks", "show"]] {
        let shown = host.hookvisor(command.iter().copied().chain([id.as_str()])).ok();
        assert!(shown.out().contains("err | error: no such device\n"), "{}", shown.describe());
    }
    let told = host.hookvisor(["hooks", "show", &id, "--output-format", "json"]).ok();
    assert!(
        told.out().contains("\"priority\":3") && told.out().contains("<3>no such device"),
        "{}",
        told.describe()
    );
    let all = host.hookvisor(["log", &id]).ok();
    let some = host.hookvisor(["log", &id, "--phase", "post-start"]).ok();
    for phase in ["pre-start", "post-start", "pre-stop", "post-stop"] {
        assert!(all.out().contains(&format!("out {id} {phase}")), "{}", all.describe());
        assert_eq!(
            some.out().contains(&format!("out {id} {phase}")),
            phase == "post-start",
            "{}",
            some.describe()
        );
    }
}

fn who_is_not_there_is_said(host: &Host) {
    for command in [&["log", "999999"][..], &["status", "999999"]] {
        let output = host.hookvisor(command).fails();
        assert_eq!(output.out(), "", "{}", output.describe());
        output.complains("Configuration file 'nodes/pve1/qemu-server/999999.conf' does not exist");
    }
    for command in [["qm", "snapshot"], ["qm", "migrate"], ["pct", "clone"], ["pvesm", "export"]] {
        let output = host.run(command[0], [command[1], "100", "x"]);
        let text = format!(
            "ERROR: '{}' is a command of Proxmox VE that hookvisor does not have\n",
            command.join(" ")
        );
        assert_eq!((output.status.code(), output.err()), (Some(255), text));
    }
}

fn options_may_be_spelled_three_ways(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    for args in [&["--memory", "17"][..], &["--memory=17"], &["-memory", "17"], &["-memory=17"]] {
        guest.set(&["--memory", "16"]);
        guest.set(args);
        assert!(guest.config().contains("memory: 17\n"), "{args:?}: {}", guest.config());
    }
}

fn the_serial_port_is_a_socket(host: &Host) {
    use std::io::Read as _;
    let guest = host.vm_with(&Behaviour::Prints("hello from the guest".to_owned()), &["--serial0", "socket"]);
    guest.start().ok();
    guest.wait_booted();
    let socket = host.at(&format!("run/qemu-server/{}.serial0", guest.vmid()));
    let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("the serial port can be reached");
    stream.set_read_timeout(Some(e2e::wait::DEADLINE)).expect("a limit can be set");
    // What was printed before anybody listened is gone; after a reset it is printed again.
    guest.command("reset", &[]).ok();
    let mut text = String::new();
    let mut byte = [0];
    while !text.contains("hello from the guest") {
        stream.read_exact(&mut byte).expect("the guest prints");
        text.push(char::from(byte[0]));
    }
    guest.stop().ok();
}

fn showcmd_is_what_is_run(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    let shown = guest.command("showcmd", &[]).ok().out();
    guest.start().ok();
    let run = e2e::proc::process(guest.hypervisor()).expect("QEMU runs").cmdline;
    for word in ["-no-shutdown", "-nodefaults", &format!("vm-{}-disk-0.raw", guest.vmid()), "accel=tcg"] {
        assert!(shown.contains(word) && run.contains(word), "{word}\nshown: {shown}\nrun: {run}");
    }
    guest.stop().ok();
}

fn every_program_is_one_binary(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    host.hookvisor(["qm", "status", &guest.id()]).ok().prints_exactly("status: stopped\n");
    host.hookvisor(["pvesm", "path", "local:snippets/recorder"])
        .ok()
        .prints("var/lib/vz/snippets/recorder\n");
    host.hookvisor(["pct", "list"]).ok();
}

fn exec_passes_the_exit_code_on(host: &Host) {
    let guest = host.container();
    guest.exec(&["true"]).fails();
    guest.start().ok();
    guest.exec(&["true"]).ok();
    let output = guest.exec(&["sh", "-c", "echo in the guest; exit 42"]);
    assert_eq!(
        (output.status.code(), output.out().as_str()),
        (Some(42), "in the guest\n"),
        "{}",
        output.describe()
    );
    guest.stop().ok();
}

fn memory_is_limited(host: &Host) {
    let guest = host.container();
    guest.start().ok();
    let cgroups =
        std::fs::read_to_string(format!("/proc/{}/cgroup", guest.init())).expect("the init has cgroups");
    let limit = cgroups.lines().find_map(|line| {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        let file = match controllers {
            "" => format!("/sys/fs/cgroup{path}/memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                format!("/sys/fs/cgroup/memory{path}/memory.limit_in_bytes")
            }
            _ => return None,
        };
        // An init that has a cgroup namespace of its own may sit below the one that is limited.
        let own = std::path::Path::new(&file);
        let name = own.file_name()?;
        let folders = own.parent()?.ancestors().take(3);
        folders.map(|folder| folder.join(name)).find_map(|file| {
            std::fs::read_to_string(file).ok()?.trim().parse::<u64>().ok().filter(|limit| *limit < 1 << 40)
        })
    });
    assert_eq!(limit, Some(64 << 20), "{cgroups}");
    guest.stop().ok();
}

fn a_network_interface_is_there(host: &Host) {
    let bridge = host.bridge();
    let guest = host.container_with(&[
        "--net0",
        &format!("name=eth0,bridge={bridge},ip=192.0.2.7/24,hwaddr=02:00:00:00:00:07"),
    ]);
    guest.start().ok();
    let addresses = guest.exec(&["ip", "addr", "show", "eth0"]).ok();
    assert!(addresses.out().contains("02:00:00:00:00:07"), "{}", addresses.describe());
    guest.stop().ok();
}

fn what_is_left_out_of_the_storages_is_said(host: &Host) {
    let cfg = host.at("etc/pve/storage.cfg");
    let text = fs::read_to_string(&cfg).expect("the storages") + "\nodd: x\n\tpath /x\n";
    fs::write(&cfg, &text).expect("the storages can be written");
    let line = text.lines().position(|line| line == "odd: x").expect("it was added") + 1;
    let warning =
        format!("file /etc/pve/storage.cfg line {line} (skip section 'x'): unknown section type 'odd'\n");
    for words in [&["status"][..], &["list", "local"], &["path", "local:iso/x.iso"]] {
        let said = host.run("pvesm", words.iter().copied()).ok();
        assert_eq!(said.err(), warning, "{}", said.describe());
    }
    let said = host.run("qm", ["list"]).ok();
    assert_eq!(said.err(), "", "{}", said.describe());
}

fn init_is_repeatable(host: &Host) {
    let cfg = host.at("etc/pve/storage.cfg");
    let changed = std::fs::read_to_string(&cfg).expect("the storages")
        + "\ndir: mine\n\tpath /srv\n\tcontent snippets\n";
    std::fs::write(&cfg, &changed).expect("the storages can be written");
    host.hookvisor(["init", "--node", e2e::host::NODE]).ok();
    assert_eq!(std::fs::read_to_string(&cfg).expect("the storages"), changed, "what is there stays as it is");
}

fn init_lays_out_what_the_design_says(host: &Host) {
    for path in [
        "etc/pve/nodes/pve1/qemu-server",
        "etc/pve/nodes/pve1/lxc",
        "etc/pve/storage.cfg",
        "var/lib/vz/snippets",
    ] {
        assert!(host.at(path).exists(), "{path}");
    }
    for (link, target) in
        [("local", "nodes/pve1"), ("qemu-server", "nodes/pve1/qemu-server"), ("lxc", "nodes/pve1/lxc")]
    {
        let read = std::fs::read_link(host.at(&format!("etc/pve/{link}"))).expect("a link");
        assert_eq!(read, std::path::Path::new(target));
    }
    host.run("pvesm", ["list", "local", "--content", "snippets"]).ok().prints("local:snippets/recorder");
}
