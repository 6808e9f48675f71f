//! The context that hookscripts read: what it holds, and that the schema in the book says the same.

mod schema;

use hooks::context::{self, Context, Earlier, Facts};
use model::{GuestKind, Layout, Outcome, Phase, Script, StartReason, StopCause};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

const MACHINE: &str = "#notes\nagent: 1,fstrim_cloned_disks=1\ncipassword: hunter2\nmemory: 512\n\
name: web\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0\nnet2: e1000=BC:24:11:00:00:02\nscsi0: local:100/vm-100-disk-0.raw,size=4G\n\
serial0: socket\nserial1: /dev/ttyS0\nvga: none\n";

const CONTAINER: &str = "hostname: ct\nmp0: local:101/vm-101-disk-1.raw,mp=/data\n\
net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:03,type=veth\nrootfs: local:101/vm-101-disk-0.raw,size=1G\n\
lxc.cgroup2.devices.allow: c 10:200 rwm\n";

/// A context of a guest with this configuration, in the host's root unless another is given.
fn context(kind: GuestKind, config: &str, root: &str, change: impl FnOnce(&mut Facts<'_>)) -> Context {
    let vmid = "100".parse().unwrap();
    let (config, warnings) = config::parse(kind, vmid, config.as_bytes());
    assert_eq!(warnings, []);
    let mut facts = Facts {
        layout: &Layout::new(root),
        node: &"pve1".parse().unwrap(),
        vmid,
        kind,
        name: "web",
        run: &model::RunId::new(1, 2),
        reason: StartReason::User,
        cause: None,
        user: &"root@pam".parse().unwrap(),
        phase: Phase::PostStart,
        attempt: 1,
        script: &Script::Volume("local:snippets/x.sh".parse().unwrap()),
        path: Path::new("/var/lib/vz/snippets/x.sh"),
        digest: Some("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".parse().unwrap()),
        limit: Some(Duration::from_millis(1500)),
        params: BTreeMap::from([("bond".to_owned(), "bond0".to_owned())]),
        pid: Some(4711),
        config: Some(&config),
        earlier: &[Earlier {
            phase: Phase::PreStart,
            script: "hooks.d/10-x".to_owned(),
            outcome: Outcome::Exit(3),
            duration: Duration::from_secs(2),
        }],
    };
    change(&mut facts);
    Context::from(&facts)
}

fn machine() -> Value {
    serde_json::to_value(context(GuestKind::Qemu, MACHINE, "/", |_| {})).unwrap()
}

#[test]
fn a_machine_is_told_with_its_options_in_parts_and_without_its_password() {
    let told = machine();
    assert_eq!(
        told["config"]["properties"]["net0"],
        json!({"bridge": "vmbr0", "macaddr": "BC:24:11:00:00:01", "model": "virtio"})
    );
    assert_eq!(told["config"]["properties"]["scsi0"]["size"], "4G");
    assert_eq!(told["config"]["properties"]["agent"], json!({"enabled": "1", "fstrim_cloned_disks": "1"}));
    assert_eq!(told["config"]["options"]["name"], "web");
    assert_eq!(told["config"]["options"]["cipassword"], context::MASKED);
    assert!(!told.to_string().contains("hunter2"));
    assert_eq!(
        told["interfaces"],
        json!([
            {"option": "net0", "host": "tap100i0", "guest": null, "mac": "BC:24:11:00:00:01", "bridge": "vmbr0"},
            {"option": "net2", "host": null, "guest": null, "mac": "BC:24:11:00:00:02", "bridge": null},
        ])
    );
    assert_eq!(
        told["paths"],
        json!({
            "config": "/etc/pve/nodes/pve1/qemu-server/100.conf",
            "pid_file": "/run/qemu-server/100.pid",
            "qmp": "/run/qemu-server/100.qmp",
            "qga": "/run/qemu-server/100.qga",
            "vnc": null,
            "serial": {"serial0": "/run/qemu-server/100.serial0"},
            "lxc": null,
            "rootfs": null,
        })
    );
    assert_eq!(
        told["earlier"],
        json!([{"phase": "pre-start", "script": "hooks.d/10-x", "outcome": "exit", "exit_code": 3, "signal": null, "duration_ms": 2000}])
    );
}

#[test]
fn a_container_of_another_root_is_told_with_that_roots_names() {
    let root = "/srv/try";
    let told = serde_json::to_value(context(GuestKind::Lxc, CONTAINER, root, |_| {})).unwrap();
    let host = format!("{}100i0", Layout::new(root).tag().unwrap());
    assert_eq!(
        told["interfaces"],
        json!([{"option": "net0", "host": host, "guest": "eth0", "mac": "BC:24:11:00:00:03", "bridge": "vmbr0"}])
    );
    assert_eq!(told["config"]["properties"]["mp0"]["mp"], "/data");
    assert_eq!(told["config"]["lxc"], json!([["lxc.cgroup2.devices.allow", "c 10:200 rwm"]]));
    assert_eq!(told["paths"]["rootfs"], "/srv/try/var/lib/lxc/100/rootfs");
    assert_eq!((&told["paths"]["qmp"], &told["root"]), (&Value::Null, &json!(root)));
}

#[test]
fn every_context_obeys_the_schema_of_the_book_and_names_no_field_that_is_not_in_it() {
    let schema = schema::Schema::read();
    let poor = |facts: &mut Facts<'_>| {
        (facts.config, facts.pid, facts.digest, facts.limit) = (None, None, None, None);
        facts.earlier = &[];
    };
    let outcomes = [
        Outcome::Ok,
        Outcome::Exit(1),
        Outcome::Signal(9),
        Outcome::TimedOut,
        Outcome::Aborted,
        Outcome::NotFound,
        Outcome::NotExecutable,
        Outcome::NotASnippet,
        Outcome::CannotSpawn,
        Outcome::Refused,
        Outcome::Unknown,
    ];
    let earlier = outcomes.map(|outcome| Earlier {
        phase: Phase::PreStop,
        script: "local:snippets/x".to_owned(),
        outcome,
        duration: Duration::ZERO,
    });
    let earlier: &'static [Earlier] = Vec::from(earlier).leak();
    let mut contexts = vec![
        context(GuestKind::Qemu, MACHINE, "/", |_| {}),
        context(GuestKind::Lxc, CONTAINER, "/srv/try", |_| {}),
        context(GuestKind::Qemu, MACHINE, "/", poor),
    ];
    for phase in Phase::ALL {
        contexts.push(context(GuestKind::Qemu, MACHINE, "/", |facts| facts.phase = phase));
    }
    for reason in StartReason::ALL {
        contexts.push(context(GuestKind::Qemu, MACHINE, "/", |facts| facts.reason = *reason));
    }
    for cause in StopCause::ALL {
        contexts.push(context(GuestKind::Qemu, MACHINE, "/", |facts| facts.cause = Some(*cause)));
    }
    contexts.push(context(GuestKind::Qemu, MACHINE, "/", |facts| facts.earlier = earlier));
    for told in contexts {
        assert_eq!(schema.faults(&serde_json::to_value(&told).unwrap()), Vec::<String>::new());
    }
}

#[test]
fn what_breaks_the_schema_is_found() {
    let schema = schema::Schema::read();
    for (pointer, value, fault) in [
        ("/vmid", json!("100"), "/vmid is no integer"),
        ("/vmid", json!(99), "/vmid is less than 100"),
        ("/phase", json!("post-destroy"), "/phase is none of its values"),
        ("/schema", json!("hookvisor.context/2"), "/schema is not its value"),
        ("/params/bond", json!(1), "/params/bond is no string"),
        ("/config", json!([]), "/config is no object or null"),
        ("/earlier/0/exit_code", json!("3"), "/earlier/0/exit_code is no integer or null"),
        ("/interfaces/0", json!({}), "/interfaces/0 has no option"),
    ] {
        let mut told = machine();
        *told.pointer_mut(pointer).unwrap() = value;
        assert_eq!(schema.faults(&told).first().map(String::as_str), Some(fault));
    }
    let mut told = machine();
    told["new"] = json!(1);
    assert_eq!(schema.faults(&told), ["/new is not in the schema"]);
}

#[test]
fn the_book_explains_every_field_of_the_schema() {
    let page = fs::read_to_string(schema::book().join("context.md")).unwrap();
    let missing: Vec<String> = schema::Schema::read()
        .fields()
        .into_iter()
        .filter(|field| !page.contains(&format!("`{field}`")))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_file_is_its_owners_alone_and_replaced_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let first = context(GuestKind::Qemu, MACHINE, "/", |_| {});
    let path = context::write(&first, folder.path(), "pre-start.0").unwrap();
    let held = fs::File::open(&path).unwrap();
    let second = context(GuestKind::Qemu, MACHINE, "/", |facts| facts.attempt = 2);
    assert_eq!(context::write(&second, folder.path(), "pre-start.0").unwrap(), path);
    // Whoever reads the first one reads it to its end.
    assert_eq!(serde_json::from_reader::<_, Context>(held).unwrap(), first);
    assert_eq!(serde_json::from_slice::<Context>(&fs::read(&path).unwrap()).unwrap(), second);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    context::remove(folder.path(), "pre-start.0");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let error = context::write(&first, &folder.path().join("none"), "x").unwrap_err().to_string();
    assert!(error.starts_with("cannot write '") && error.contains("none/x.json"), "{error}");
}
