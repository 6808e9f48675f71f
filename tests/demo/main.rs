//! The demo: guests of both kinds through their phases on a scratch host, and the timeline as the journal has it.

mod timeline;

use e2e::output::Output;
use e2e::{Behaviour, Host, Kind, template, tiny_vm};
use std::fs;
use std::process::ExitCode;

const HOOK: &str = r#"#!/bin/sh
# The demo's hookscript: says which phase it is, and why the guest stopped.
case $2 in
pre-start) echo "taking what guest $1 needs" ;;
post-start) echo "guest $1 is up" ;;
pre-stop) echo "guest $1 is about to be stopped" ;;
post-stop) echo "guest $1 is gone: $HOOKVISOR_STOP_CAUSE" ;;
esac
"#;

const REFUSES: &str = r#"#!/bin/sh
# The demo's second hookscript: this guest may not start today.
if [ "$2" = pre-start ]; then
    echo "the licence server does not answer" >&2
    exit 3
fi
"#;

fn main() -> ExitCode {
    let host = Host::new();
    let went = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| show(&host)));
    let clean = host.finish();
    if let Err(left) = &clean {
        eprintln!("{left}");
    }
    if went.is_ok() && clean.is_ok() {
        println!("\nEverything is gone again: guests, host, journal.");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn show(host: &Host) {
    title("A host below a folder of its own, two hookscripts, three tiny VMs, one busybox container");
    println!("HOOKVISOR_ROOT={}", host.root().display());
    let disks: Vec<String> =
        [(100, Behaviour::PowersOff { ticks: 18 }), (101, Behaviour::Obeys), (102, Behaviour::Obeys)]
            .iter()
            .map(|(vmid, behaviour)| disk(host, *vmid, behaviour))
            .collect();
    let cache = host.at("var/lib/vz/template/cache");
    fs::create_dir_all(&cache).expect("the folder of templates can be made");
    template::write(&cache.join("busybox.tar.gz"));
    host.snippet("hook.sh", HOOK);
    host.snippet("refuses.sh", REFUSES);
    for (vmid, name, hook, disk) in [
        (100, "ends-itself", "hook.sh", &disks[0]),
        (101, "gets-killed", "hook.sh", &disks[1]),
        (102, "refused", "refuses.sh", &disks[2]),
    ] {
        host.adopt(Kind::Vm, vmid);
        run(
            host,
            &format!(
                "qm create {vmid} --name {name} --memory 16 --kvm 0 --vga none --ide0 {disk} --boot order=ide0 \
                 --hookscript local:snippets/{hook}"
            ),
        )
        .ok();
    }
    host.adopt(Kind::Container, 200);
    run(
        host,
        "pct create 200 local:vztmpl/busybox.tar.gz --hostname stopped --ostype unmanaged --rootfs local:0 \
         --memory 64 --swap 0 --unprivileged 0 --hookscript local:snippets/hook.sh",
    )
    .ok();

    title("Both kinds start; pre-start before, post-start after");
    run(host, "qm start 100").ok();
    run(host, "pct start 200").ok();
    run(host, "qm list").ok();

    title("A pre-start that refuses keeps its guest from starting");
    run(host, "qm start 102").fails();
    run(host, "qm status 102").ok();

    title("The container is stopped: pre-stop, post-stop");
    run(host, "pct stop 200").ok();

    title("The first VM powers itself off: no pre-stop, but post-stop");
    run(host, "qm wait 100 --timeout 30").ok();
    run(host, "qm status 100").ok();

    title("QEMU and its keeper are killed at once: post-stop all the same");
    let guest = e2e::Guest::of(host, Kind::Vm, 101);
    run(host, "qm start 101").ok();
    let victims = [guest.keeper(), guest.hypervisor()];
    println!("$ kill -9 {} {}", victims[0], victims[1]);
    guest.kill(&victims);
    run(host, "hookvisor recover").ok();
    guest.wait_run_end();
    run(host, "hookvisor hooks history 101").ok();

    title("The timeline, as the systemd journal has it");
    timeline::print(&host.with_journal(|journal| journal.records()));
}

fn disk(host: &Host, vmid: u32, behaviour: &Behaviour) -> String {
    let folder = host.at(&format!("var/lib/vz/images/{vmid}"));
    fs::create_dir_all(&folder).expect("the folder of images can be made");
    let name = format!("vm-{vmid}-disk-0.raw");
    tiny_vm::write_image(&folder.join(&name), behaviour).expect("an image can be written");
    format!("local:{vmid}/{name}")
}

fn title(text: &str) {
    println!("\n== {text}");
}

fn run(host: &Host, line: &str) -> Output {
    println!("$ {line}");
    let mut words = line.split_whitespace();
    let output = host.run(words.next().unwrap_or_default(), words);
    for bytes in [&output.stdout, &output.stderr] {
        for line in String::from_utf8_lossy(bytes).lines() {
            println!("  {line}");
        }
    }
    if !output.status.success() {
        println!("  => exit {}", output.status.code().unwrap_or(-1));
    }
    output
}
