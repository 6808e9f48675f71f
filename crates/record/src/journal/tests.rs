use super::*;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// A journal socket that takes nothing by itself, and the sender.
struct Bench {
    dir: tempfile::TempDir,
    layout: Layout,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().join("root"));
        Self { dir, layout }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    fn listen(&self) -> UnixDatagram {
        let _ = fs::remove_file(self.socket());
        let receiver = UnixDatagram::bind(self.socket()).unwrap();
        receiver.set_nonblocking(true).unwrap();
        receiver
    }

    fn journal(&self) -> Journal {
        Journal::open_at(&self.layout, self.socket(), stamp(&self.layout).unwrap())
    }

    fn in_file(&self) -> Vec<String> {
        let text = fs::read_to_string(self.layout.fallback_record()).unwrap_or_default();
        let message = |line: &str| {
            let record: BTreeMap<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            record["MESSAGE"].as_str().unwrap().to_owned()
        };
        text.lines().map(message).collect()
    }
}

fn entry(message: &str) -> Entry {
    Entry::new(Priority::Info, "test", message).field("GUEST_VMID", "100")
}

fn received(receiver: &UnixDatagram) -> Vec<String> {
    let mut buffer = vec![0; 1 << 20];
    let mut messages = Vec::new();
    while let Ok(len) = receiver.recv(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..len]);
        let line = text.lines().find_map(|line| line.strip_prefix("MESSAGE="));
        messages.push(line.unwrap_or_default().to_owned());
    }
    messages
}

#[test]
fn what_a_stuck_journal_does_not_take_waits_and_arrives_in_order() {
    let bench = Bench::new();
    let receiver = bench.listen();
    let mut journal = bench.journal();
    assert!(journal.pending_fd().is_none());
    let sent: Vec<String> = (0..100).map(|n| format!("message {n}")).collect();
    sent.iter().for_each(|message| journal.send(entry(message)));
    assert!(journal.pending_fd().is_some() && journal.queued_bytes() > 0);

    let mut arrived = received(&receiver);
    while journal.pending_fd().is_some() {
        journal.flush();
        arrived.extend(received(&receiver));
    }
    assert_eq!((arrived, journal.queued_bytes()), (sent, 0));
    assert!(bench.in_file().is_empty());
}

#[test]
fn losses_are_counted_and_said_once_when_it_flows_again() {
    let bench = Bench::new();
    let receiver = bench.listen();
    let mut journal = bench.journal();
    let text = "x".repeat(10_000);
    (0..200).for_each(|n| journal.send(entry(&format!("{n} {text}"))));
    assert!(journal.queued_bytes() <= QUEUE_BYTES);
    assert!(journal.pause().is_some(), "the journal took something just now");
    journal.taken -= STUCK_MILLIS;
    assert_eq!(journal.pause(), None, "nobody waits for a stuck one");

    let mut arrived = received(&receiver);
    while journal.pending_fd().is_some() {
        journal.flush();
        arrived.extend(received(&receiver));
    }
    journal.send(entry("after"));
    arrived.extend(received(&receiver));
    let kept = arrived.len() - 2;
    assert_eq!(
        arrived[kept],
        format!("{} records were lost because the journal did not take them", 200 - kept)
    );
    assert_eq!(arrived[kept + 1], "after");
    assert_eq!((journal.pause(), journal.lost.count), (None, 0));
    assert!(arrived[..kept].iter().enumerate().all(|(n, message)| message.starts_with(&format!("{n} x"))));
    assert!((100..200).contains(&kept), "{kept}");
}

#[test]
fn a_restarted_journal_is_found_again() {
    let bench = Bench::new();
    let first = bench.listen();
    let mut journal = bench.journal();
    journal.send(entry("to the first"));
    assert_eq!(received(&first), ["to the first"]);
    drop(first);
    journal.send(entry("meanwhile"));
    assert!(journal.pending_fd().is_none() && journal.retry_in().is_some());
    let second = bench.listen();
    journal.send(entry("to the second"));
    assert_eq!(received(&second), ["meanwhile", "to the second"]);
    assert!(bench.in_file().is_empty());
}

#[test]
fn a_journal_that_stays_away_leaves_its_records_to_the_file() {
    let bench = Bench::new();
    let receiver = bench.listen();
    let mut journal = bench.journal();
    drop(receiver);
    journal.send(entry("one"));
    assert_eq!(journal.link_down_since(), Some(true));
    journal.link = Link::Down(Some(clock::boot_millis().saturating_sub(AWAY_MILLIS)));
    journal.send(entry("two"));
    assert_eq!(bench.in_file(), ["one", "two"]);
    assert!(journal.retry_in().is_none());
}

#[test]
fn without_a_journal_the_file_has_the_same_fields() {
    let bench = Bench::new();
    let mut journal = bench.journal();
    journal.send(Entry::new(Priority::Warning, "test", [b'a', 255]).field("RUN_ID", "x\ny"));
    let text = fs::read_to_string(bench.layout.fallback_record()).unwrap();
    let record: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(record["MESSAGE"], serde_json::json!([97, 255]));
    assert_eq!((&record["RUN_ID"], &record["PRIORITY"]), (&"x\ny".into(), &"4".into()));
    assert_eq!(record["HOOKVISOR_INSTANCE"], instance::id(&bench.layout).unwrap());

    let receiver = bench.listen();
    journal.send(entry("it came up later"));
    assert_eq!(received(&receiver), ["it came up later"]);
}

#[test]
fn what_waits_at_the_end_goes_to_the_file() {
    let bench = Bench::new();
    let receiver = bench.listen();
    let mut journal = bench.journal();
    let sent: Vec<String> = (0..30).map(|n| format!("message {n}")).collect();
    sent.iter().for_each(|message| journal.send(entry(message)));
    journal.close(Duration::from_millis(20));
    assert_eq!([received(&receiver), bench.in_file()].concat(), sent);
}

#[test]
fn a_record_too_large_for_a_datagram_comes_as_a_sealed_file() {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let bench = Bench::new();
    let receiver = bench.listen();
    let mut journal = bench.journal();
    let text = "y".repeat(4 << 20);
    journal.send(entry(&text));
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let empty = recvmsg(&receiver, &mut [], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    assert_eq!(empty.bytes, 0);
    let Some(RecvAncillaryMessage::ScmRights(mut fds)) = ancillary.drain().next() else {
        panic!("no descriptor came")
    };
    let fd = fds.next().unwrap();
    let seals = rustix::fs::fcntl_get_seals(&fd).unwrap();
    assert!(seals.contains(rustix::fs::SealFlags::WRITE | rustix::fs::SealFlags::SEAL));
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&fd));
    let mut content = String::new();
    File::open(Path::new(&path)).unwrap().read_to_string(&mut content).unwrap();
    assert!(content.starts_with(&format!("MESSAGE={text}\n")) && content.contains("\nHOOKVISOR_INSTANCE="));
}

impl Journal {
    fn link_down_since(&self) -> Option<bool> {
        match self.link {
            Link::Open(_) => None,
            Link::Down(since) => Some(since.is_some()),
        }
    }
}

#[test]
fn what_a_dead_process_did_not_get_to_send_is_sent_by_the_next() {
    let bench = Bench::new();
    let receiver = bench.listen();
    let vmid = "100".parse().unwrap();
    let mut dead = bench.journal().of_guest(&bench.layout, vmid);
    let sent: Vec<String> = (0..100).map(|n| format!("record {n}")).collect();
    for message in &sent {
        dead.send(entry(message));
    }
    assert!(dead.queued_bytes() > 0, "a socket has room for some");
    // Its death closes the file and does nothing else.
    drop(dead.spool.take());
    std::mem::forget(dead);
    let mut messages = received(&receiver);
    let mut next = bench.journal().of_guest(&bench.layout, vmid);
    while next.queued_bytes() > 0 {
        messages.extend(received(&receiver));
        next.flush();
    }
    messages.extend(received(&receiver));
    assert_eq!(messages, sent);
    assert!(!bench.layout.unsent_records(vmid).exists());
}
