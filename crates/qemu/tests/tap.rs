//! Real interfaces on a real bridge, where the test may make them.

use qemu::command::Tap;
use qemu::tap::{TapError, open};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const BRIDGE: &str = "qtapbr";

struct Bridge;

impl Bridge {
    /// None with the reason said, where it cannot be made.
    fn make() -> Option<Self> {
        let made =
            Command::new("ip").args(["link", "add", BRIDGE, "type", "bridge"]).stderr(Stdio::null()).status();
        if made.is_ok_and(|status| status.success()) && Path::new("/dev/net/tun").exists() {
            return Some(Self);
        }
        eprintln!("skipped: no bridge can be made here");
        None
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "del", BRIDGE]).status();
    }
}

fn tap() -> Tap {
    Tap {
        index: 3,
        ifname: "qta100i3".to_owned(),
        bridge: BRIDGE.to_owned(),
        mac: "BC:24:11:0A:0B:0C".to_owned(),
        mtu: Some(1400),
        queues: 1,
        fds: vec![10],
        tag: None,
        trunks: None,
        rate: None,
    }
}

fn interface() -> PathBuf {
    Path::new("/sys/class/net").join(tap().ifname)
}

#[test]
fn a_tap_lives_as_long_as_its_descriptors() {
    let Some(_bridge) = Bridge::make() else { return };
    let read = |name: &str| fs::read_to_string(interface().join(name)).unwrap().trim().to_owned();

    let queues = open(&Tap { queues: 3, ..tap() }).unwrap();
    assert_eq!(queues.len(), 3);
    assert_eq!((read("mtu"), read("address")), ("1400".to_owned(), "fe:24:11:0a:0b:0c".to_owned()));
    assert!(interface().join("brport").exists());
    let flags = u32::from_str_radix(read("flags").trim_start_matches("0x"), 16).unwrap();
    assert_eq!(flags & 1, 1, "it is up");
    // A second guest of that name is refused, and takes nothing away from the first.
    assert!(matches!(open(&tap()), Err(TapError::System { what: "be made", .. })));
    assert!(interface().exists());
    drop(queues);
    assert!(!interface().exists());

    // What cannot be done is said by the option's name, and leaves nothing.
    let error = open(&Tap { bridge: "qtapnone".to_owned(), ..tap() }).unwrap_err();
    assert_eq!(error.to_string(), "bridge 'qtapnone' does not exist");
    let error = open(&Tap { tag: Some(5), ..tap() }).unwrap_err().to_string();
    assert!(error.contains("'net3'") && error.contains("tag") && error.contains(BRIDGE), "{error}");
    let error = open(&Tap { trunks: Some("5".to_owned()), ..tap() }).unwrap_err().to_string();
    assert!(error.contains("'net3'") && error.contains("trunks"), "{error}");
    let error = open(&Tap {
        mtu: Some(9000),
        mac: "BC:24:11:0A:0B:0C".to_owned(),
        ifname: "much-too-long-a-name".to_owned(),
        ..tap()
    });
    assert!(matches!(error, Err(TapError::System { .. })));
    match open(&Tap { rate: Some(12.5), ..tap() }) {
        Ok(_queues) => {
            let shown = Command::new("tc").args(["qdisc", "show", "dev", &tap().ifname]).output().unwrap();
            let shown = String::from_utf8(shown.stdout).unwrap();
            assert!(shown.contains("tbf") && shown.contains("ingress"), "{shown}");
        }
        Err(error) => {
            eprintln!("this kernel cannot limit a rate: {error}");
            assert!(
                error.to_string().contains("'net3' cannot be honoured on this host: rate: 'tc "),
                "{error}"
            );
        }
    }
    assert!(!interface().exists());
}
