//! The file that `HOOKVISOR_CONTEXT` names.

use super::{drop_in, json_of, own};
use e2e::suite::{QEMU, Test};
use e2e::{Host, Kind, tests};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub(crate) fn tests() -> Vec<Test> {
    tests!(
        each []: the_context_is_what_is_so, what_a_script_was_run_with_is_kept;
        once [QEMU]: passwords_are_masked
    )
}

/// What the file says is compared with what is so on the host while the script runs, as the script itself sees it.
fn the_context_is_what_is_so(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let seen = host.scratch().join("seen");
    fs::create_dir_all(&seen).expect("a folder can be made");
    let body = format!(
        "cd '{}'\ncp \"$HOOKVISOR_CONTEXT\" $2.json\nstat -c %a \"$HOOKVISOR_CONTEXT\" >$2.mode\n\
         sha256sum \"$0\" | cut -d' ' -f1 >$2.digest\nenv >$2.env\n[ \"$2\" != post-start ] || exit 3",
        seen.display()
    );
    drop_in(host, "10-a", "", "");
    own(host, &guest, "# hookvisor: timeout=50s", &body);
    guest.set(&["--description", "some notes"]);
    guest.start().ok();
    let pid = match kind {
        Kind::Vm => guest.hypervisor(),
        Kind::Container => guest.init(),
    };
    guest.stop().ok();
    let mut run = Value::Null;
    for (phase, cause, earlier) in [
        ("pre-start", Value::Null, 1),
        ("post-start", Value::Null, 2),
        ("pre-stop", json!("stop"), 5),
        ("post-stop", json!("stop"), 6),
    ] {
        let read = |end: &str| {
            let text = fs::read_to_string(seen.join(format!("{phase}.{end}"))).expect("what the script saw");
            text.trim_end().to_owned()
        };
        let context = json_of(&seen.join(format!("{phase}.json")));
        assert_eq!(read("mode"), "600");
        assert_eq!(
            (&context["schema"], &context["phase"], &context["stop_cause"]),
            (&json!("hookvisor.context/1"), &json!(phase), &cause)
        );
        let word = if kind == Kind::Vm { "qemu" } else { "lxc" };
        assert_eq!((&context["vmid"], &context["kind"]), (&json!(guest.vmid()), &json!(word)));
        assert_eq!(
            (&context["name"], &context["node"], &context["user"]),
            (&json!("tiny"), &json!("pve1"), &json!("root@pam"))
        );
        assert_eq!((&context["start_reason"], &context["attempt"]), (&json!("user"), &json!(1)));
        assert_eq!(context["root"], json!(host.root().to_string_lossy()));
        let script = &context["script"];
        let path = host.at("var/lib/vz/snippets/own");
        assert_eq!(
            (&script["name"], &script["path"], &script["timeout_ms"]),
            (&json!("local:snippets/own"), &json!(path.to_string_lossy()), &json!(50_000))
        );
        assert_eq!(script["sha256"], json!(read("digest")));
        let up = phase == "post-start" || phase == "pre-stop";
        assert_eq!(context["pid"], if up { json!(pid) } else { Value::Null }, "{phase}");
        assert_eq!(context["paths"]["config"].as_str().map(fs::read_to_string).map(Result::ok), {
            Some(Some(guest.config()))
        });
        assert_eq!(context["config"]["options"]["hookscript"], json!("local:snippets/own"));
        let notes = context["config"]["description"].as_str().unwrap_or_default();
        assert_eq!(notes.trim_end(), "some notes");
        let calls = context["earlier"].as_array().expect("a list");
        assert_eq!(calls.len(), earlier, "{phase}: {calls:?}");
        let (first, outcome) = (&calls[0], |call: &Value| call["outcome"].clone());
        assert_eq!(
            (&first["script"], &first["phase"], outcome(first)),
            (&json!("hooks.d/10-a"), &json!("pre-start"), json!("ok"))
        );
        if earlier > 2 {
            let failed = &calls[2];
            assert_eq!(
                (&failed["script"], &failed["phase"], outcome(failed), &failed["exit_code"]),
                (&json!("local:snippets/own"), &json!("post-start"), json!("exit"), &json!(3))
            );
        }
        if run.is_null() {
            run = context["run"].clone();
        }
        assert_eq!(context["run"], run);
        // The variables say the same.
        let env = read("env");
        for (name, value) in [
            ("RUN_ID", run.as_str().unwrap_or_default()),
            ("SCRIPT", "local:snippets/own"),
            ("SCRIPT_SHA256", &read("digest")),
            ("PHASE", phase),
        ] {
            let line = format!("HOOKVISOR_{name}={value}");
            assert!(env.lines().any(|own| own == line), "{line} in {env}");
        }
    }
}

/// Both the script and the configuration have changed since.
fn what_a_script_was_run_with_is_kept(host: &Host, kind: Kind) {
    let guest = host.guest(kind);
    let seen = host.scratch().join("env");
    own(
        host,
        &guest,
        "",
        &format!("[ $2 = post-start ] && tr '\\0' '\\n' </proc/$$/environ >'{}'\ntrue", seen.display()),
    );
    let script = host.at("var/lib/vz/snippets/own");
    let before = (fs::read(&script).expect("the script"), guest.config().into_bytes());
    guest.start().ok();
    let events = guest.events();
    guest.stop().ok();
    fs::write(&script, "#!/bin/sh\n").expect("the script can be changed");
    guest.set(&["--description", "changed"]);
    let call = |event: &&Value| event["event"] == "hook-begin" && event["phase"] == "post-start";
    let begin = events.iter().find(call).expect("the call is on record");
    let kept = |digest: &Value| {
        let path = host.at("var/lib/hookvisor/kept").join(digest.as_str().expect("a digest"));
        assert_eq!(fs::metadata(&path).expect("it is kept").permissions().mode() & 0o777, 0o600);
        fs::read(path).expect("it is kept")
    };
    assert!(kept(&begin["sha256"]) == before.0, "the script as it was");
    assert!(kept(&begin["with"]["config"]) == before.1, "the configuration as it was");
    let told = begin["with"]["env"].as_array().expect("an environment");
    let mut told: Vec<String> = told
        .iter()
        .map(|pair| format!("{}={}", pair[0].as_str().expect("a name"), pair[1].as_str().expect("a value")))
        .collect();
    let env = fs::read_to_string(seen).expect("the script has noted its environment");
    let mut env: Vec<String> = env.lines().map(str::to_owned).collect();
    told.sort();
    env.sort();
    assert_eq!(told, env);
}

fn passwords_are_masked(host: &Host) {
    let guest = host.guest(Kind::Vm);
    let mut config = guest.config();
    config.push_str("cipassword: verysecret\nciuser: me\n");
    fs::write(guest.config_path(), config).expect("the configuration can be written");
    let copy = host.scratch().join("context");
    own(host, &guest, "", &format!("cp \"$HOOKVISOR_CONTEXT\" '{}'", copy.display()));
    guest.start().ok();
    let text = fs::read_to_string(&copy).expect("the context");
    assert!(!text.contains("verysecret"), "{text}");
    let options = &json_of(&copy)["config"]["options"];
    assert_eq!((&options["cipassword"], &options["ciuser"]), (&json!("**********"), &json!("me")));
    guest.stop().ok();
}
