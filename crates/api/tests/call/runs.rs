use crate::scene::{Scene, column};
use api::Verb;
use model::{Event, GuestKind, Phase, RunId, StartReason, Stream, UserId, Vmid};
use record::{Ledger, history};
use serde_json::json;

/// A run that printed three lines and has ended.
fn run(scene: &Scene, vmid: u32) -> RunId {
    let run = RunId::new(1_795_374_719_000, vmid);
    let vmid: Vmid = vmid.try_into().unwrap();
    let ledger = Ledger::create(&scene.layout().ledger(vmid)).unwrap();
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
    for text in ["one", "two", "three"] {
        let text = text.as_bytes().into();
        let phase = Some(Phase::PreStart);
        ledger.append(&Event::Output { phase, stream: Stream::Stdout, text, more: false }).unwrap();
    }
    ledger.append(&Event::RunEnd { cause: None, error: Some("no".into()) }).unwrap();
    ledger.finish(&history::path(scene.layout(), vmid, &run)).unwrap();
    run
}

#[test]
fn a_run_has_its_lines_by_pages() {
    let scene = Scene::with_guests();
    let run = run(&scene, 100);
    let path = format!("/hookvisor/guests/100/runs/{run}");
    let (told, total) = scene.answer("ann@pve", Verb::Get, &path, &[("start", "1"), ("limit", "1")]).unwrap();
    assert_eq!((&told["error"], total), (&json!("no"), Some(3)));
    assert_eq!((column(&told["lines"], "text"), &told["lines"][0]["n"]), (vec!["two".to_owned()], &json!(2)));
    let unknown = "/hookvisor/guests/100/runs/0123456789abcdef";
    assert_eq!(
        scene.refused("ann@pve", Verb::Get, unknown, &[]),
        "there is no run 0123456789abcdef of guest 100"
    );
    assert_eq!(
        scene.refused("none@pve", Verb::Get, &path, &[]),
        "403 Permission check failed (/vms/100, VM.Audit)"
    );
}

#[test]
fn events_are_told_to_those_who_may_see_the_guest() {
    let scene = Scene::with_guests();
    let place = scene.get("owner", "/hookvisor/events")[0]["id"].as_str().unwrap().to_owned();
    run(&scene, 100);
    run(&scene, 200);
    let events = |who: &str, after: &str| {
        let list = scene.call(who, Verb::Get, "/hookvisor/events", &[("after", after)]);
        let all = list.as_array().unwrap().clone();
        all.into_iter().filter(|event| event["event"] != "idle").collect::<Vec<_>>()
    };
    assert_eq!(events("owner", &place).len(), 10);
    let own = events("ann@pve", &place);
    assert_eq!(own.len(), 5);
    assert!(own.iter().all(|event| event["vmid"] == 100), "{own:?}");
    assert_eq!((&own[0]["event"], &own[1]["text"]), (&json!("run-begin"), &json!("one")));
    assert_eq!(events("ann@pve", own[3]["id"].as_str().unwrap()), own[4..]);
    assert!(events("none@pve", &place).is_empty());
    assert_eq!(
        scene.refused("ann@pve", Verb::Get, "/hookvisor/events", &[("vmid", "200")]),
        "403 Permission check failed (/vms/200, VM.Audit)"
    );
    assert!(scene.refused("owner", Verb::Get, "/hookvisor/events", &[("after", "x")]).contains("after: "));
}
