//! The demo: guests of both kinds through their phases on a scratch host, and the timeline as the journal has it.

mod timeline;

use e2e::{Behaviour, Host, Kind, promise, template, tiny_vm};
use std::cell::Cell;
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

/// What `--by-hand` has the hookscript do in each phase, so that there is time to kill something.
const PAUSE: &str = "sleep 3\n";

const GUESTS: [(Kind, u32); 4] = [(Kind::Vm, 100), (Kind::Vm, 101), (Kind::Vm, 102), (Kind::Container, 200)];

fn main() -> ExitCode {
    let by_hand = std::env::args().any(|arg| arg == "--by-hand");
    let host = Host::new();
    let demo = Demo { host: &host, by_hand, surprises: Cell::new(0) };
    let went = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        demo.prepare();
        demo.live();
        demo.take_stock()
    }));
    let clean = host.finish();
    if let Err(left) = &clean {
        eprintln!("{left}");
    }
    let as_planned = by_hand || demo.surprises.get() == 0;
    if matches!(went, Ok(true)) && clean.is_ok() && as_planned {
        println!("\nEvery phase is on record, and everything is gone again: guests, host, journal.");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Demo<'h> {
    host: &'h Host,
    /// Whether somebody watches who kills what lives.
    by_hand: bool,
    /// Commands that did not end as they do where nobody is killed.
    surprises: Cell<u32>,
}

impl Demo<'_> {
    fn prepare(&self) {
        let host = self.host;
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
        let hook = if self.by_hand { format!("{HOOK}{PAUSE}") } else { HOOK.to_owned() };
        host.snippet("hook.sh", hook);
        host.snippet("refuses.sh", REFUSES);
        for (vmid, name, hook, disk) in [
            (100, "ends-itself", "hook.sh", &disks[0]),
            (101, "gets-killed", "hook.sh", &disks[1]),
            (102, "refused", "refuses.sh", &disks[2]),
        ] {
            self.succeeds(&format!(
                "qm create {vmid} --name {name} --memory 16 --kvm 0 --vga none --ide0 {disk} --boot order=ide0 \
                 --hookscript local:snippets/{hook}"
            ));
        }
        self.succeeds(
            "pct create 200 local:vztmpl/busybox.tar.gz --hostname stopped --ostype unmanaged --rootfs local:0 \
             --memory 64 --swap 0 --unprivileged 0 --hookscript local:snippets/hook.sh",
        );
        for (kind, vmid) in GUESTS {
            host.adopt(kind, vmid);
        }
        if self.by_hand {
            println!(
                "\nKill what you like from here on, with -9: keepers, hypervisors, hookscripts, in each phase of 3 seconds.\n\
                 In another terminal: ps -ef | grep -e 'hookvisor keeper' -e '{}'",
                host.root().display()
            );
        }
    }

    fn live(&self) {
        title("Both kinds start; pre-start before, post-start after");
        self.succeeds("qm start 100");
        self.succeeds("pct start 200");
        self.succeeds("qm list");

        title("A pre-start that refuses keeps its guest from starting");
        self.fails("qm start 102");
        self.succeeds("qm status 102");

        title("The container is stopped: pre-stop, post-stop");
        self.succeeds("pct stop 200");

        title("The first VM powers itself off: no pre-stop, but post-stop");
        self.succeeds("qm wait 100 --timeout 30");
        self.succeeds("qm status 100");

        title("QEMU and its keeper are killed at once: post-stop all the same");
        let guest = e2e::Guest::of(self.host, Kind::Vm, 101);
        self.succeeds("qm start 101");
        if guest.status() == "running" {
            let victims = [guest.keeper(), guest.hypervisor()];
            println!("$ kill -9 {} {}", victims[0], victims[1]);
            guest.kill(&victims);
        }
        self.succeeds("hookvisor recover");
    }

    /// Whether every phase that was owed is on record, once everything has ended.
    fn take_stock(&self) -> bool {
        title("What is on record");
        // A keeper that was killed meanwhile is noticed here at the latest.
        self.succeeds("hookvisor recover");
        let mut whole = true;
        for (kind, vmid) in GUESTS {
            let guest = e2e::Guest::of(self.host, kind, vmid);
            if guest.status() == "running" {
                self.succeeds(&format!("{} stop {vmid}", kind.command()));
            }
            if guest.ledger().exists() {
                guest.wait_run_end();
            }
            self.succeeds(&format!("hookvisor hooks history {vmid}"));
            for run in promise::story(&guest).split(" | ") {
                whole &= is_whole(run);
            }
        }
        title("The timeline, as the systemd journal has it");
        timeline::print(&self.host.with_journal(|journal| journal.records()));
        whole
    }

    fn succeeds(&self, line: &str) {
        self.run(line, true);
    }

    fn fails(&self, line: &str) {
        self.run(line, false);
    }

    fn run(&self, line: &str, succeeds: bool) {
        println!("$ {line}");
        let mut words = line.split_whitespace();
        let output = self.host.run(words.next().unwrap_or_default(), words);
        for bytes in [&output.stdout, &output.stderr] {
            for line in String::from_utf8_lossy(bytes).lines() {
                println!("  {line}");
            }
        }
        if !output.status.success() {
            println!("  => exit {}", output.status.code().unwrap_or(-1));
        }
        if output.status.success() != succeeds {
            self.surprises.set(self.surprises.get() + 1);
        }
    }
}

/// Whether `post-stop` was called where `pre-start` may have taken something.
fn is_whole(run: &str) -> bool {
    let refused = run.starts_with("pre-start:exit") || run.starts_with("pre-start:cannot-spawn");
    refused || run.is_empty() || run.split(' ').any(|word| word.starts_with("post-stop"))
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
