//! The host goes down without warning: everything is killed at once and `/run` is empty afterwards.

use e2e::suite::Test;
use e2e::{Host, Kind, tests};
use std::fs;

pub(crate) fn tests() -> Vec<Test> {
    tests!(each []: post_stop_follows_at_the_next_boot, what_was_not_brought_to_disk_is_no_damage, the_next_start_comes_after_post_stop)
}

fn crash(host: &Host, guest: &e2e::Guest) {
    let mut victims = vec![guest.keeper(), guest.hypervisor()];
    if guest.kind() == Kind::Container {
        victims.push(guest.init());
    }
    goes_with(host, guest, &victims);
}

fn goes_with(host: &Host, guest: &e2e::Guest, victims: &[u32]) {
    guest.kill(victims);
    fs::remove_dir_all(host.at("run"))
        .and_then(|()| fs::create_dir(host.at("run")))
        .expect("/run can be emptied");
}

fn post_stop_follows_at_the_next_boot(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    crash(host, &guest);
    host.hookvisor(["recover"]).ok();
    guest.wait_run_end();
    assert_eq!(guest.status(), "stopped");
    guest.lived("pre-start post-start post-stop");
    assert_eq!(guest.notes()[2].stop_cause, "host-crash");
    guest.start().ok();
    guest.stop().ok();
}

/// A file system may leave zeros where a file had grown.
fn what_was_not_brought_to_disk_is_no_damage(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.on("pre-start", "exec sleep 60");
    let start = guest.spawn("start", &[]);
    let hook = guest.wait_noted("pre-start", 1).pid;
    goes_with(host, &guest, &[guest.keeper(), hook]);
    let _ = start.finish();
    let record = fs::read(guest.ledger()).expect("the run has a ledger");
    fs::write(guest.ledger(), [record, vec![0; 700]].concat()).expect("a ledger can be written");
    host.hookvisor(["recover"]).ok();
    guest.wait_run_end();
    assert_eq!(guest.noted(), ["pre-start", "post-stop"]);
    assert_eq!(guest.notes()[1].stop_cause, "host-crash");
    assert_eq!(guest.recorded(), "pre-start:unknown post-stop");
    assert_eq!(guest.ledgers().len(), 1, "nothing is kept aside: {:?}", guest.ledgers());
}

fn the_next_start_comes_after_post_stop(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    guest.start().ok();
    crash(host, &guest);
    guest.start().ok();
    guest.stop().ok();
    guest.lived("pre-start post-start post-stop pre-start post-start pre-stop post-stop");
}
