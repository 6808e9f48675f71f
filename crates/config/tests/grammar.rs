//! The line grammar of guest configurations (lifecycle.md 5.2, oracle.md 2.4): each construct, and any bytes at all.

use config::{GuestConfig, parse, print};
use model::{GuestKind, Vmid};
use proptest::prelude::*;

fn vmid() -> Vmid {
    "100".parse().unwrap()
}

fn read(kind: GuestKind, raw: &str) -> (GuestConfig, Vec<String>) {
    let (config, warnings) = parse(kind, vmid(), raw.as_bytes());
    (config, warnings.iter().map(ToString::to_string).collect())
}

fn printed(config: &GuestConfig) -> String {
    String::from_utf8(print(config)).unwrap()
}

/// What is written again of `raw`, and the warnings.
fn rewritten(kind: GuestKind, raw: &str) -> (String, Vec<String>) {
    let (config, warnings) = read(kind, raw);
    (printed(&config), warnings)
}

#[test]
fn keys_are_sorted_and_the_last_duplicate_wins() {
    let (text, warnings) = rewritten(GuestKind::Qemu, "name: a\r\nmemory:64\n\n  \ncores:   2  \nname: b\n");
    assert_eq!((text.as_str(), warnings.len()), ("cores: 2\nmemory: 64\nname: b\n", 0));
}

#[test]
fn values_are_normalised_as_proxmox_does() {
    for (kind, raw, text) in [
        (GuestKind::Qemu, "onboot: yes\nkvm: Off\n", "kvm: 0\nonboot: 1\n"),
        (GuestKind::Lxc, "onboot: TRUE\n", "onboot: 1\n"),
        (GuestKind::Qemu, "searchdomain: \"a b\"\n", "searchdomain: a b\n"),
        (GuestKind::Lxc, "entrypoint: \"a b\"\n", "entrypoint: \"a b\"\n"),
        (GuestKind::Qemu, "args: \"-device\" x: y  \n", "args: \"-device\" x: y\n"),
        (GuestKind::Qemu, "cdrom: none\n", "ide2: none\n"),
        (GuestKind::Qemu, "scsi0: size=2048M,file=local:100/d.raw\n", "scsi0: local:100/d.raw,size=2G\n"),
        (
            GuestKind::Qemu,
            "ide2: x.iso,media=cdrom\nide0: d.raw\n",
            "ide0: local:100/d.raw\nide2: local:iso/x.iso,media=cdrom\n",
        ),
        (GuestKind::Qemu, "boot: \n", "boot:  \n"),
        (GuestKind::Qemu, "boot:  \n", "boot:  \n"),
    ] {
        assert_eq!(rewritten(kind, raw), (text.to_owned(), vec![]), "{raw}");
    }
}

#[test]
fn comments_anywhere_make_the_description_of_their_section() {
    let raw = "name: a\n#two%3A colon %2525 %C3%BC\ndescription: tail%0Aend \n#\n\n[s1]\n#of s1\nname: b\n";
    let (config, warnings) = read(GuestKind::Qemu, raw);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.main.description.as_deref(), Some("two: colon %25 ü\ntail\nend"));
    assert_eq!(config.snapshots["s1"].description.as_deref(), Some("of s1"));
    assert_eq!(
        printed(&config),
        "#two%3A colon %2525 %C3%BC\n#tail\n#end\nname: a\n\n[s1]\n#of s1\nname: b\n"
    );
    // Containers keep trailing white space.
    assert_eq!(read(GuestKind::Lxc, "#a \n#\n").0.main.description.as_deref(), Some("a \n\n"));
}

#[test]
fn sections_stand_in_their_order() {
    let raw = "name: a\n\n[zz]\nsnaptime: 7\nname: z\n\n[special:cloudinit]\nwhat: ever\n\n[PenDing]\ndelete: net0,!ide0\n\n[Ab-1]\nparent: zz\n";
    let (config, warnings) = read(GuestKind::Qemu, raw);
    assert_eq!(warnings, [""; 0]);
    assert_eq!(config.pending.get("delete"), Some("net0,!ide0"));
    let text = "name: a\n\n[PENDING]\ndelete: net0,!ide0\n\n[special:cloudinit]\nwhat: ever\n\n[Ab-1]\nparent: zz\n\n[zz]\nname: z\nsnaptime: 7\n";
    assert_eq!(printed(&config), text);
    let (text, _) = rewritten(GuestKind::Lxc, "[pve:pending]\nmemory: 64\n[pending]\nmemory: 32\n");
    assert_eq!(text, "\n[pve:pending]\nmemory: 64\n\n[pending]\nmemory: 32\n");
}

#[test]
fn a_virtual_machines_invalid_lines_are_warned_about_ignored_and_kept() {
    let raw = "memory: foo\nonboot: maybe\nwhat: x\nhookscript: hook.sh\nnonsense\nname: n\nostype: beos\ndelete: x\n\n[a b]\nkey: 1\n\n[s1]\ncores: 1\n\n[s1]\ncores: 2\n";
    let (config, warnings) = read(GuestKind::Qemu, raw);
    assert_eq!(
        warnings,
        [
            "vm 100 - unable to parse value of 'memory' - format error\ncurrent: type check ('integer') failed - got 'foo'",
            "vm 100 - unable to parse value of 'onboot' - type check ('boolean') failed - got 'maybe'",
            "vm 100 - unable to parse value of 'what' - unknown setting 'what'",
            "vm 100 - unable to parse value of 'hookscript' - unable to parse volume ID 'hook.sh'",
            "vm 100 - unable to parse config: nonsense",
            "vm 100 - property 'delete' is only allowed in [PENDING]",
            "skipping unknown section: 'a b'",
            "duplicate snapshot section: s1",
        ]
    );
    assert_eq!((config.main.get("memory"), config.main.get("ostype")), (None, Some("beos")));
    let text = "delete: x\nhookscript: hook.sh\nmemory: foo\nname: n\nonboot: maybe\nostype: beos\nwhat: x\nnonsense\n\n[s1]\ncores: 2\n\n[a b]\nkey: 1\n";
    assert_eq!(printed(&config), text);
}

#[test]
fn a_containers_invalid_values_are_warned_about_and_used() {
    let raw = "memory: foo\nwhat: x\nwh-at: x\n[a b]\nswap: 1\nlxc.idmap = u 0 100000 1\nlxc.rootfs.path: /x\nlxc.nope: 1\nlxc.cgroup.x: 1\n";
    let (config, warnings) = read(GuestKind::Lxc, raw);
    assert_eq!(
        warnings,
        [
            "vm 100 - unable to parse value of 'memory' - type check ('integer') failed - got 'foo'",
            "vm 100 - unable to parse value of 'what' - unknown setting 'what'",
            "vm 100 - unable to parse config: wh-at: x",
            "vm 100 - unable to parse config: [a b]",
            "vm 100 - lxc.rootfs.path: setting it here is not supported, use the 'rootfs' option instead",
            "vm 100 - unable to parse config: lxc.nope: 1",
            "vm 100 - lxc.cgroup.x: has no effect with cgroup v2, use 'lxc.cgroup2.*'",
        ]
    );
    assert_eq!((config.main.get("memory"), config.main.get("swap")), (Some("foo"), Some("1")));
    assert_eq!(
        config.main.lxc,
        [("lxc.idmap".to_owned(), "u 0 100000 1".to_owned()), ("lxc.cgroup.x".to_owned(), "1".to_owned())]
    );
    let text = "memory: foo\nswap: 1\nwhat: x\nlxc.idmap: u 0 100000 1\nlxc.cgroup.x: 1\nwh-at: x\n[a b]\nlxc.rootfs.path: /x\nlxc.nope: 1\n";
    assert_eq!(printed(&config), text);
}

#[test]
fn a_containers_environment_is_one_value_of_many_lines() {
    let (config, warnings) =
        read(GuestKind::Lxc, "lxc.environment.runtime: A=b\nlxc.environment.runtime = C=d e\n");
    assert_eq!((config.main.get("env"), warnings.len()), (Some("A=b\0C=d e"), 0));
    assert_eq!(printed(&config), "lxc.environment.runtime: A=b\nlxc.environment.runtime: C=d e\n");
}

#[test]
fn a_hookscript_that_is_no_volume_id_is_seen_in_both_kinds() {
    for kind in GuestKind::ALL {
        let hookscript = |raw: &str| read(kind, raw).0.main.hookscript();
        assert_eq!(hookscript("name: x\n"), Ok(None));
        assert_eq!(
            hookscript("hookscript: local:snippets/h.sh\n").unwrap().unwrap().to_string(),
            "local:snippets/h.sh"
        );
        for bad in ["hook.sh", "/var/lib/vz/snippets/hook.sh", "0", " "] {
            assert_eq!(
                hookscript(&format!("hookscript: {bad}\n")).unwrap_err().0.trim(),
                bad.trim(),
                "{kind:?} {bad}"
            );
        }
        let raw = b"hookscript: local:snippets/\xff.sh\n";
        let (mut config, warnings) = parse(kind, vmid(), raw);
        assert!(config.main.hookscript().is_err() && warnings.len() == 1);
        assert_eq!(print(&config), raw);
        // Setting it anew replaces the line.
        config.main.set("hookscript", "local:snippets/h.sh");
        assert_eq!(printed(&config), "hookscript: local:snippets/h.sh\n");
    }
}

#[test]
fn a_value_with_a_line_break_is_refused_before_it_is_written() {
    let mut config = GuestConfig::new(GuestKind::Lxc);
    config.main.set("hostname", "a\nhookscript: local:snippets/evil.sh");
    assert_eq!(
        config::guest::verify(&config).unwrap_err().to_string(),
        "detected invalid newline inside property 'hostname'"
    );
}

#[test]
fn families_are_listed_by_number() {
    let (config, _) =
        read(GuestKind::Qemu, "scsihw: lsi\nscsi10: none\nscsi2: none\nscsi0: none\nvirtio0: none\n");
    let numbers: Vec<u32> = config.main.indexed("scsi").map(|(number, _)| number).collect();
    assert_eq!(numbers, [0, 2, 10]);
}

/// A line that looks like one of a configuration more often than not.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        Just("memory"),
        Just("name"),
        Just("onboot"),
        Just("hookscript"),
        Just("boot"),
        Just("scsi0"),
        Just("net0"),
        Just("cdrom"),
        Just("description"),
        Just("delete"),
        Just("args"),
        Just("searchdomain"),
        Just("snapstate"),
        Just("what"),
        Just("lxc.idmap"),
        Just("lxc.environment.runtime"),
        Just("lxc.rootfs.path"),
        Just("#"),
        Just("[s1"),
        Just("[PENDING"),
        Just("[pve:pending"),
        Just("[special:cloudinit"),
        Just("[a b"),
        Just("env"),
    ];
    let mark = prop_oneof![Just(": "), Just(":"), Just(" = "), Just("]"), Just("] "), Just("")];
    let value = prop_oneof![
        "[ -~]{0,12}".prop_map(String::into_bytes),
        "[ \\t\\r\"%:#,=]{0,6}".prop_map(String::into_bytes),
        "(1|yes|512|none|local:iso/x.iso|virtio=BC:24:11:00:00:01|size=1024M)(,media=cdrom|,size=2048K|,bridge=v)?".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    (key, mark, value).prop_map(|(key, mark, value)| [key.as_bytes(), mark.as_bytes(), &value].concat())
}

fn file() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(line(), 0..12).prop_map(|lines| lines.join(&b'\n'))
}

fn kind() -> impl Strategy<Value = GuestKind> {
    prop_oneof![Just(GuestKind::Qemu), Just(GuestKind::Lxc)]
}

/// What is printed reads back as what was printed, and as the same configuration.
fn reads_back(kind: GuestKind, raw: &[u8]) -> Result<(), TestCaseError> {
    let (config, _) = parse(kind, vmid(), raw);
    prop_assert!(config::guest::verify(&config).is_ok());
    let printed = print(&config);
    let (again, _) = parse(kind, vmid(), &printed);
    let printed_again = print(&again);
    prop_assert_eq!(String::from_utf8_lossy(&printed_again), String::from_utf8_lossy(&printed));
    prop_assert_eq!(&again.main.options, &config.main.options);
    let lines = |config: &GuestConfig| {
        let mut lines: Vec<Vec<u8>> = config.main.kept.iter().map(|kept| kept.line.clone()).collect();
        lines.sort();
        lines
    };
    prop_assert_eq!(lines(&again), lines(&config));
    prop_assert_eq!(again.snapshots.keys().collect::<Vec<_>>(), config.snapshots.keys().collect::<Vec<_>>());
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_can_be_read_and_printing_is_stable(kind in kind(), raw in prop::collection::vec(any::<u8>(), 0..200)) {
        reads_back(kind, &raw)?;
    }

    #[test]
    fn any_lines_can_be_read_and_printing_is_stable(kind in kind(), raw in file()) {
        reads_back(kind, &raw)?;
    }

    #[test]
    fn valid_values_are_read_as_they_were_set(kind in kind(), memory in 16u32..9999, cores in 1u32..64, notes in "[ -~ü\\n]{0,30}", onboot: bool) {
        let mut config = GuestConfig::new(kind);
        config.main.set("memory", memory.to_string());
        config.main.set("cores", cores.to_string());
        config.main.set("onboot", u8::from(onboot).to_string());
        config.main.description = Some(notes.clone());
        let snapshot = config.main.clone();
        config.snapshots.insert("before".to_owned(), snapshot);
        config.pending.set("cores", "1");
        let (again, warnings) = parse(kind, vmid(), &print(&config));
        prop_assert_eq!(warnings, vec![]);
        prop_assert_eq!(&again.main.options, &config.main.options);
        prop_assert_eq!(&again.pending.options, &config.pending.options);
        prop_assert_eq!(&again.snapshots["before"].options, &config.main.options);
        let described = again.main.description.unwrap_or_default();
        prop_assert_eq!(described.trim_end(), notes.trim_end());
    }
}
