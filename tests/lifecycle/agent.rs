//! The guest agent: a real one in a Linux guest, and none where one was promised.

use e2e::linux_vm::{LinuxGuest, SHUTDOWN};
use e2e::output::{Output, Running};
use e2e::suite::{BUSYBOX, Need, QEMU, QEMU_GA, Test};
use e2e::{Behaviour, Host, tests, wait};
use serde_json::{Value, json};

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        once [QEMU, QEMU_GA, BUSYBOX, Need::GuestKernel]: an_agent_in_a_guest_answers_and_shuts_it_down,
            an_agent_that_ended_and_came_back_is_found_again, a_reboot_and_a_shutdown_from_within_go_through_it;
        once [QEMU]: an_agent_that_does_not_run_is_told_of, one_that_is_not_configured_is_told_of
    )
}

/// As long as no agent is there a ping takes three seconds.
const WAIT_FOR_AGENT: &str = r#"
left=15
until qm guest cmd "$1" ping 2>/dev/null; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || exit 1
    sleep 0.1
done
echo "the agent answers"
"#;

/// A guest whose `post-start` waits for the agent, as hookscripts do that set something up in the guest.
fn started(host: &Host) -> LinuxGuest<'_> {
    let linux = LinuxGuest::make(host);
    linux.guest.on("post-start", WAIT_FOR_AGENT);
    let output = linux.guest.start().ok();
    assert!(
        output.out().contains("the agent answers"),
        "{}\nconsole:\n{}",
        output.describe(),
        linux.console()
    );
    linux
}

fn agent(host: &Host, id: &str, words: &[&str]) -> Output {
    host.qm(["guest", "cmd", id].iter().chain(words))
}

fn answer(output: Output) -> Value {
    let output = output.ok();
    serde_json::from_str(&output.out()).unwrap_or_else(|error| panic!("{error}: {}", output.describe()))
}

fn an_agent_in_a_guest_answers_and_shuts_it_down(host: &Host) {
    let linux = started(host);
    let (guest, id) = (&linux.guest, linux.guest.id());
    agent(host, &id, &["ping"]).ok().prints_exactly("");
    host.qm(["agent", &id, "ping"]).ok().prints_exactly("");
    assert_eq!(answer(agent(host, &id, &["get-osinfo"]))["id"], "hookvisor-test");
    let commands = answer(agent(host, &id, &["info"]))["supported_commands"].take();
    let commands = commands.as_array().expect("a list of commands").clone();
    assert!(commands.iter().any(|command| command["name"] == "guest-exec"), "{commands:?}");

    let exec = |words: &[&str]| answer(host.qm(["guest", "exec", &id, "--"].iter().chain(words)));
    assert_eq!(exec(&["/bin/echo", "hi"]), json!({"exited": 1, "exitcode": 0, "out-data": "hi\n"}));
    let failing = exec(&["/bin/sh", "-c", "echo no >&2; exit 3"]);
    assert_eq!(failing, json!({"exited": 1, "exitcode": 3, "err-data": "no\n"}));
    // More than a socket's buffer, and more than the channel takes at once.
    let long = exec(&["/bin/head", "-c", "400000", "/long"]);
    assert_eq!(long["out-data"].as_str().map(str::len), Some(400_000));
    let piped = r#"printf 'from outside' | qm guest exec "$0" --pass-stdin 1 -- /bin/cat"#;
    assert_eq!(answer(host.run("sh", ["-c", piped, &id]))["out-data"], "from outside");
    // The channel takes one client at a time: the others wait for their turn.
    let clients: Vec<Running> =
        (0..6).map(|_| host.spawn("qm", ["guest", "cmd", &id, "get-osinfo"])).collect();
    for client in clients {
        assert_eq!(answer(client.finish())["id"], "hookvisor-test");
    }
    host.qm(["guest", "exec", &id, "--", "/bin/nothing"]).fails().complains("Agent error: ");

    let output = guest.shutdown(&["--timeout", "50"]).ok();
    assert_eq!(guest.status(), "stopped", "{}", output.describe());
    let console = linux.console();
    assert!(console.contains(&format!("{SHUTDOWN}-h -P +0 hypervisor initiated shutdown")), "{console}");
    guest.lived("pre-start post-start pre-stop post-stop");
    assert_eq!(guest.notes()[3].stop_cause, "shutdown");
}

fn an_agent_that_ended_and_came_back_is_found_again(host: &Host) {
    let linux = started(host);
    let (guest, id) = (&linux.guest, linux.guest.id());
    let kill = "(sleep 1; killall qemu-ga) </dev/null >/dev/null 2>&1 &";
    host.qm(["guest", "exec", &id, "--synchronous", "0", "--", "/bin/sh", "-c", kill]).ok();
    linux.wait_agent_ended();
    // What is asked now stays in the channel, and the agent answers it when it is back.
    for _ in 0..2 {
        agent(host, &id, &["ping"]).fails().complains("QEMU guest agent is not running");
    }
    // Without the agent it is the power button that is pressed, which this guest does not hear.
    guest.shutdown(&["--timeout", "6"]).fails().complains("VM quit/powerdown failed - got timeout");
    assert_eq!(guest.status(), "running");
    linux.start_agent();
    wait::until("the agent to answer again", || agent(host, &id, &["ping"]).status.success().then_some(()));
    let exec = answer(host.qm(["guest", "exec", &id, "--", "/bin/echo", "back"]));
    assert_eq!(exec["out-data"], "back\n");
    guest.shutdown(&["--timeout", "50"]).ok();
    guest.lived("pre-start post-start pre-stop pre-stop post-stop");
    assert_eq!(guest.notes()[4].stop_cause, "shutdown");
}

fn a_reboot_and_a_shutdown_from_within_go_through_it(host: &Host) {
    let linux = started(host);
    let (guest, id) = (&linux.guest, linux.guest.id());
    guest.command("reboot", &["--timeout", "50"]).ok();
    let booted = "pre-start post-start pre-stop post-stop pre-start post-start";
    wait::until("post-start to find the agent again", || (guest.recorded() == booted).then_some(()));
    agent(host, &id, &["shutdown"]).ok();
    guest.wait_status("stopped");
    guest.lived(&format!("{booted} post-stop"));
    let causes =
        guest.notes().into_iter().filter(|note| note.phase == "post-stop").map(|note| note.stop_cause);
    assert_eq!(causes.collect::<Vec<_>>(), ["reboot", "guest-poweroff"]);
}

fn an_agent_that_does_not_run_is_told_of(host: &Host) {
    let guest = host.vm_with(&Behaviour::Obeys, &["--agent", "1"]);
    let id = guest.id();
    let ping = || host.qm(["agent", &id, "ping"]);
    ping().fails().complains(&format!("VM {id} is not running"));
    guest.start().ok();
    guest.wait_booted();
    let output = ping().fails().complains("QEMU guest agent is not running");
    assert!(output.took.as_secs() >= 3, "{}", output.describe());
    // The power button is pressed in its stead.
    guest.shutdown(&["--timeout", "30"]).ok();
    guest.lived("pre-start post-start pre-stop post-stop");
}

fn one_that_is_not_configured_is_told_of(host: &Host) {
    let guest = host.vm(&Behaviour::Obeys);
    host.qm(["agent", &guest.id(), "ping"]).fails().complains("No QEMU guest agent configured");
}
