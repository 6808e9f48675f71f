use super::*;
use crate::Ledger;
use model::{GuestKind, StartReason, UserId};
use std::sync::mpsc;

struct Root {
    _folder: tempfile::TempDir,
    layout: Layout,
    runs: u32,
}

impl Root {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        Self { _folder: folder, layout, runs: 0 }
    }

    fn begin(&mut self, vmid: u32) -> (Ledger, RunId) {
        self.runs += 1;
        let run = RunId::new(clock::epoch_millis(), self.runs);
        let vmid: Vmid = vmid.try_into().unwrap();
        let ledger = Ledger::create(&self.layout.ledger(vmid)).unwrap();
        let begin = Event::RunBegin {
            run: run.clone(),
            vmid,
            kind: GuestKind::Qemu,
            name: "x".into(),
            reason: StartReason::User,
            user: UserId::root(),
            hookscript: None,
        };
        ledger.append(&begin).unwrap();
        (ledger, run)
    }

    fn end(&self, vmid: u32, (ledger, run): (Ledger, RunId)) {
        ledger.append(&Event::RunEnd { cause: None, error: None }).unwrap();
        let history = history::path(&self.layout, vmid.try_into().unwrap(), &run);
        ledger.finish(&history).unwrap();
    }

    /// All that is told after a place, as words with the places after them.
    fn told(&self, after: &str) -> Vec<(String, String)> {
        let filter = Filter { until_now: true, ..Filter::default() };
        let mut told = Vec::new();
        let after: Cursor = after.parse().unwrap();
        events(&self.layout, Some(&after), &filter, &mut |heard| {
            told.extend(word(&heard));
            Continue(())
        })
        .unwrap();
        told
    }
}

fn note(ledger: &Ledger, text: &str) {
    ledger.append(&Event::Note { text: text.into() }).unwrap();
}

fn word(heard: &Heard) -> Option<(String, String)> {
    match heard {
        Heard::Record { id, vmid, line, stamped, .. } => {
            let word = match &stamped.event {
                Event::Note { text } => text.clone(),
                Event::RunBegin { .. } => "begin".to_owned(),
                Event::RunEnd { .. } => "end".to_owned(),
                other => format!("{other:?}"),
            };
            Some((format!("{vmid}:{line}:{word}"), id.to_string()))
        }
        Heard::Gap { id, what, .. } => Some((what.clone(), id.to_string())),
        Heard::Idle { .. } => None,
    }
}

fn words(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(word, _)| word.as_str()).collect()
}

#[test]
fn a_stream_is_gone_on_with_from_every_place() {
    let mut root = Root::new();
    let start = Cursor::at(clock::epoch_millis()).to_string();
    let (one, two) = (root.begin(100), root.begin(101));
    note(&one.0, "a");
    note(&two.0, "b");
    root.end(100, one);
    let again = root.begin(100);
    note(&two.0, "c");
    root.end(100, again);
    let all = root.told(&start);
    let mut sorted = words(&all);
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "100:1:begin",
            "100:1:begin",
            "100:2:a",
            "100:2:end",
            "100:3:end",
            "101:1:begin",
            "101:2:b",
            "101:3:c"
        ]
    );
    for (place, (_, id)) in all.iter().enumerate() {
        assert_eq!(root.told(id), all[place + 1..], "after {id}");
    }
    let only = Filter { vmid: Some(101.try_into().unwrap()), until_now: true };
    let mut own = Vec::new();
    events(&root.layout, Some(&start.parse().unwrap()), &only, &mut |heard| {
        own.extend(word(&heard));
        Continue(())
    })
    .unwrap();
    assert_eq!(words(&own), ["101:1:begin", "101:2:b", "101:3:c"]);
    note(&two.0, "d");
    assert_eq!(words(&root.told(&all.last().unwrap().1)), ["101:4:d"]);
}

#[test]
fn who_follows_hears_of_runs_that_begin_and_end() {
    let mut root = Root::new();
    let old = root.begin(100);
    note(&old.0, "before");
    let layout = root.layout.clone();
    let (to, heard) = mpsc::channel();
    let follower = std::thread::spawn(move || {
        events(&layout, None, &Filter::default(), &mut |heard| {
            let idle = matches!(heard, Heard::Idle { .. });
            let word = word(&heard).map(|(word, _)| word);
            let last = word.as_deref() == Some("101:2:end");
            if idle || word.is_some() {
                to.send(word).unwrap();
            }
            if last { Break(()) } else { Continue(()) }
        })
        .unwrap();
    });
    assert_eq!(heard.recv().unwrap(), None, "what was before is not told");
    note(&old.0, "now");
    let next = || loop {
        if let Some(word) = heard.recv().unwrap() {
            return word;
        }
    };
    assert_eq!(next(), "100:3:now");
    root.end(100, old);
    assert_eq!(next(), "100:4:end");
    let new = root.begin(100);
    assert_eq!(next(), "100:1:begin");
    drop(new);
    // Over before anybody could look.
    let short = root.begin(101);
    root.end(101, short);
    assert_eq!((next(), next()), ("101:1:begin".into(), "101:2:end".into()));
    follower.join().unwrap();
}

#[test]
fn what_is_missing_is_said() {
    let mut root = Root::new();
    let start = Cursor::at(clock::epoch_millis()).to_string();
    let run = root.begin(100);
    note(&run.0, "a");
    let all = root.told(&start);
    let name = run.1.clone();
    root.end(100, run);
    fs::remove_dir_all(root.layout.history(100.try_into().unwrap())).unwrap();
    let missing = format!("the rest of run {name} is not on record any more");
    assert_eq!(words(&root.told(&all[1].1)), [missing.as_str()]);
    // A line that cannot be read.
    let run = root.begin(101);
    let text = fs::read_to_string(run.0.path()).unwrap();
    fs::write(run.0.path(), format!("{text}{}\n", &text[..40])).unwrap();
    let told = root.told(&start);
    assert_eq!(words(&told), ["101:1:begin", &format!("run {}, line 2: the record is torn", run.1)]);
    assert_eq!(root.told(&told[1].1), []);
}

#[test]
fn a_run_that_has_been_told_to_its_end_is_not_missed() {
    let mut root = Root::new();
    let start = Cursor::at(clock::epoch_millis()).to_string();
    let run = root.begin(100);
    root.end(100, run);
    let last = root.told(&start).pop().unwrap().1;
    fs::remove_dir_all(root.layout.history(100.try_into().unwrap())).unwrap();
    assert_eq!(root.told(&last), []);
}
