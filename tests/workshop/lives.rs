//! The lives, as hookvisor has them: the calls of each, and what the script gets and leaves.

use crate::played::Script;
use e2e::suite::{BWRAP, Test};
use e2e::{output, tests};
use std::path::Path;
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        bare [BWRAP]: each_life_has_its_calls, containers_live_too, four_languages, the_call_is_the_real_one,
            a_configuration_of_ones_own, commands_work, tools_are_there_and_on_record, drivers_come_and_go,
            what_is_left_is_told, units_are_stopped_and_outlive_a_call, only_the_call_that_hangs_is_limited, without_a_sandbox_it_is_said
    )
}

const FOUR: &str = "pre-start post-start pre-stop post-stop";

/// Each life of a script that does nothing, with the calls of the guest.
const LIVES: [(&str, &str); 11] = [
    ("normal", FOUR),
    ("refused", ""),
    ("failed-start", "pre-start post-stop"),
    ("retried-start", "pre-start post-stop pre-start post-start pre-stop post-stop"),
    ("poweroff", "pre-start post-start post-stop"),
    ("crash", "pre-start post-start post-stop"),
    ("reboot", "pre-start post-start pre-stop post-stop pre-start post-start pre-stop post-stop"),
    ("slow-shutdown", "pre-start post-start pre-stop pre-stop post-stop"),
    ("hung-hook", "pre-start post-stop"),
    ("migration", FOUR),
    ("two-guests", FOUR),
];

fn each_life_has_its_calls() {
    let script = Script::shell("echo \"$2 ${HOOKVISOR_STOP_CAUSE:-} ${PVE_MIGRATED_FROM:-}\"");
    for (name, phases) in LIVES {
        let life = script.life(name, &[]);
        life.is_fine();
        assert_eq!(life.phases(100), phases, "{name}: {:#}", life.0);
        match name {
            "failed-start" | "hung-hook" => life.prints("post-stop start-failed "),
            "poweroff" => life.prints("post-stop guest-poweroff "),
            "crash" => life.prints("post-stop killed "),
            "migration" => life.prints("pre-start  pve2"),
            "two-guests" => assert_eq!(life.phases(101), FOUR, "{:#}", life.0),
            _ => {}
        }
    }
}

fn containers_live_too() {
    let script = Script::shell("echo \"$1 $2 $HOOKVISOR_KIND\"");
    for (name, phases) in LIVES {
        let life = script.life(name, &["--kind", "lxc"]);
        life.is_fine();
        assert_eq!(life.phases(200), phases, "{name}: {:#}", life.0);
        if !phases.is_empty() && name != "hung-hook" {
            life.prints("200 pre-start lxc");
        }
    }
}

fn four_languages() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hookscripts/examples");
    let read = |name: &str| std::fs::read(examples.join(name)).expect("the example is there");
    let compiled = Script::new("unused", "");
    let program = compiled.folder.path().join("four-phases");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-o"]).arg(&program).arg(examples.join("four-phases.rs"));
    output::run(&mut rustc).ok();
    let compiled = std::fs::read(program).expect("the program has been made");
    let scripts = [
        Script::new("four-phases.sh", read("four-phases.sh")),
        Script::new("four-phases.pl", read("four-phases.pl")),
        Script::new("four-phases.py", read("four-phases.py")),
        Script::new("four-phases", compiled),
    ];
    for script in scripts {
        let life = script.life("normal", &[]);
        life.is_fine();
        life.prints("guest 100 is about to start");
        assert_eq!(life.phases(100), FOUR, "{:#}", life.0);
    }
}

fn the_call_is_the_real_one() {
    let script = Script::shell(
        "[ \"$2\" = post-start ] || exit 0
         echo \"args: $0 $*\"; echo \"root: $(id -u) $(pwd) $(umask) ${HOOKVISOR_ROOT-none}\"
         echo \"config: $(grep -c ^hookscript: /etc/pve/qemu-server/100.conf)\"
         echo \"kvm: $(tr '\\0' ' ' </proc/$(cat /run/qemu-server/100.pid)/cmdline | cut -d' ' -f1-5)\"
         echo \"threads: $(cat /proc/$(cat /run/qemu-server/100.pid)/task/*/comm | grep -c '^CPU ./KVM')\"
         echo \"tap: $(ip -br link show tap100i0 | cut -d@ -f1)\"
         echo \"context: $(python3 -c 'import json,os; print(json.load(open(os.environ[\"HOOKVISOR_CONTEXT\"]))[\"vmid\"])')\"",
    );
    let life = script.life("normal", &[]);
    life.is_fine();
    life.prints("args: /var/lib/vz/snippets/hook.sh 100 post-start");
    life.prints("root: 0 / 0022 none");
    life.prints("config: 1");
    life.prints("kvm: /usr/bin/kvm -id 100 -name web,debug-threads=on");
    life.prints("threads: 2");
    life.prints("tap: tap100i0");
    life.prints("context: 100");
}

fn a_configuration_of_ones_own() {
    let script = Script::shell("[ \"$2\" = pre-start ] && cat /etc/pve/lxc/$1.conf; exit 0");
    let config = script.folder.path().join("3007.conf");
    let text = "arch: amd64\nhookscript: nas:snippets/old.sh\nhostname: db\nmp0: tank:subvol-3007-disk-1,mp=/data\nostype: debian\nrootfs: tank:subvol-3007-disk-0,size=8G\n";
    std::fs::write(&config, text).expect("a configuration can be written");
    let life = script.life("normal", &["--config", &config.to_string_lossy()]);
    life.is_fine();
    assert_eq!(life.phases(3007), FOUR, "{:#}", life.0);
    life.prints("hostname: db");
    life.prints("mp0: tank:subvol-3007-disk-1,mp=/data");
    life.prints("hookscript: local:snippets/hook.sh");
    std::fs::rename(&config, config.with_file_name("db.conf")).expect("a file can be renamed");
    let config = config.with_file_name("db.conf");
    script
        .output(&["--config", &config.to_string_lossy()])
        .fails()
        .complains("the file's name must be a VMID");
}

fn commands_work() {
    let script = Script::shell(
        "case $2 in
         pre-start) qm status $1 ;;
         post-start) qm status $1; qm set $1 --description changed >/dev/null && qm config $1 | grep ^description
             qm guest cmd $1 get-host-name; pvesh get /nodes/pve1/qemu/$1/status/current --output-format json | grep -o '\"status\":\"[a-z]*\"'
             pvesm status | grep -c local ;;
         esac",
    );
    let life = script.life("normal", &[]);
    life.is_fine();
    for line in ["status: stopped", "status: running", "description: changed", "\"status\":\"running\"", "1"]
    {
        life.prints(line);
    }
    life.shows("simulated");
}

fn tools_are_there_and_on_record() {
    let script = Script::shell(
        "[ \"$2\" = pre-start ] || exit 0
         systemctl is-active nvidia-persistenced; /usr/bin/systemctl stop display-manager && echo stopped
         logger -t hook hello; lspci -n -s 01:00.0
         systemd-run --unit later --no-block sh -c 'echo detached >/tmp/detached'",
    );
    let life = script.life("normal", &[]);
    life.is_fine();
    life.prints("inactive");
    life.prints("stopped");
    life.prints("01:00.0 0300: 10de:2204");
    for call in ["systemctl stop display-manager", "logger -t hook hello", "systemd-run --unit later"] {
        life.shows(call);
    }
    assert!(life.0["left"]["files"].to_string().contains("/tmp/detached"), "{:#}", life.0);
}

/// A device that is lent to the guest, and given back or not.
fn drivers_come_and_go() {
    let lend = "gpu=0000:01:00.0; pci=/sys/bus/pci
        pass() { echo $gpu >$pci/devices/$gpu/driver/unbind; sleep 0.1; echo \"$1\" >$pci/devices/$gpu/driver_override
            sleep 0.1; echo $gpu >$pci/drivers_probe; sleep 0.1; basename \"$(readlink $pci/devices/$gpu/driver)\"; }";
    let give = "case $2 in pre-start) pass vfio-pci ;; post-stop) pass '' ;; esac";
    let life = Script::shell(&format!("{lend}\n{give}")).life("poweroff", &[]);
    life.is_fine();
    assert_eq!(life.lines(), ["vfio-pci", "nvidia"], "{:#}", life.0);
    let life = Script::shell(&format!("{lend}\n[ $2 != pre-start ] || pass vfio-pci")).life("poweroff", &[]);
    life.fails("devices/0000:01:00.0/driver is left changed: /sys/bus/pci/drivers/nvidia -> /sys/bus/pci/drivers/vfio-pci");
    life.fails("driver_override is left changed: (null) -> vfio-pci");
}

fn what_is_left_is_told() {
    let script = Script::shell(
        "[ \"$2\" = pre-start ] || exit 0
         sleep 300 >/dev/null 2>&1 </dev/null &
         echo performance >/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
         mkdir -p /mnt/data && mount -t tmpfs none /mnt/data
         ip link add wg0 type bridge
         echo x >/run/hook.lock",
    );
    let life = script.life("normal", &[]);
    for text in [
        "the process 'sleep 300' is left",
        "scaling_governor is left changed: powersave -> performance",
        "a mount is left at /mnt/data",
        "the network interface wg0 is left",
    ] {
        life.fails(text);
    }
    assert!(life.0["verdicts"].to_string().contains("/run/hook.lock is left"), "{:#}", life.0);
}

/// A helper in a unit of its own is stopped by its name, and one that is not is no mistake.
fn units_are_stopped_and_outlive_a_call() {
    let helper = "case $2 in pre-start) systemd-run --unit=helper-$1 --collect sleep 300; systemctl is-active helper-$1.service ;;";
    let stopped = Script::shell(&format!(
        "{helper} post-stop) systemctl stop helper-$1.service; systemctl is-active helper-$1 ;; esac; exit 0"
    ));
    for world in ["hookvisor", "pve"] {
        let life = stopped.life("poweroff", &["--as", world]);
        life.is_fine();
        assert_eq!(life.lines(), ["active", "inactive"], "{:#}", life.0);
        assert_eq!(life.0["left"]["units"].as_array().map(Vec::len), Some(0), "{:#}", life.0);
    }
    let life = Script::shell(&format!("{helper} esac")).life("poweroff", &[]);
    life.is_fine();
    let verdicts = life.0["verdicts"].to_string();
    assert!(verdicts.contains("'sleep 300' still runs, in a unit of its own"), "{:#}", life.0);
}

/// What takes longer than the hanging call may is not ended with it.
fn only_the_call_that_hangs_is_limited() {
    let life =
        Script::shell("[ \"$2\" != post-stop ] || { sleep 1.5; echo given back; }").life("hung-hook", &[]);
    life.is_fine();
    life.prints("given back");
}

fn without_a_sandbox_it_is_said() {
    let script = Script::shell("echo \"$2 in $HOOKVISOR_ROOT\"");
    let life = script.life("normal", &["--no-sandbox"]);
    life.is_fine();
    assert_eq!(life.phases(100), FOUR, "{:#}", life.0);
    assert!(life.lines()[0].contains("/hookvisor-lives-"), "{:#}", life.0);
}
