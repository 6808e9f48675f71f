//! The guest agent: single commands, and programs that it runs in the guest (api.md 3.1, 5.2).

use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_GUEST;
use crate::{ApiError, Context, Params, Permission, lifecycle};
use ::config::schema::{Property, Type};
use ::qemu::agent::{Agent, Execution, ORDINARY, PING, ShutdownMode};
use model::{GuestKind, Vmid};
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::time::{Duration, Instant};

/// The commands that take no arguments, without the `guest-` that the agent puts before them.
const COMMANDS: &[&str] = &[
    "fsfreeze-freeze",
    "fsfreeze-status",
    "fsfreeze-thaw",
    "fstrim",
    "get-fsinfo",
    "get-host-name",
    "get-memory-block-info",
    "get-memory-blocks",
    "get-osinfo",
    "get-time",
    "get-timezone",
    "get-users",
    "get-vcpus",
    "info",
    "network-get-interfaces",
    "ping",
    "shutdown",
    "suspend-disk",
    "suspend-hybrid",
    "suspend-ram",
];

/// How long freezing file systems may take, as at Proxmox VE.
const FREEZE: Duration = Duration::from_secs(60 * 60);

static COMMAND_PARAMETERS: &[Property] =
    &[Property::string("command").one_of(COMMANDS).describe("What the agent is to do.")];

/// `qm guest cmd`
pub static COMMAND: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/agent",
    verb: Verb::Post,
    description: "Has the guest agent carry out a command.",
    parameters: &[AT_GUEST, COMMAND_PARAMETERS],
    permission: Permission::guest(&["VM.GuestAgent.Unrestricted"]),
    returns: Returns::Object(&["result"]),
    protected: true,
    scope: Scope::Api,
    run: |context, params| carry_out(context, params.vmid(), params.text("command").unwrap_or_default()),
};

/// Has the agent carry out a command without arguments.
pub(super) fn carry_out(context: &Context<'_>, vmid: Vmid, command: &str) -> Result<Value, ApiError> {
    let mut agent = open(context, vmid)?;
    let result = match command {
        "shutdown" => {
            agent.shutdown(ShutdownMode::Powerdown)?;
            json!({})
        }
        "ping" => {
            agent.ping()?;
            json!({})
        }
        command => {
            let limit = if command.starts_with("fs") { FREEZE } else { ORDINARY };
            agent.call(&format!("guest-{command}"), None, limit)?
        }
    };
    Ok(json!({"result": result}))
}

pub(super) fn open(context: &Context<'_>, vmid: Vmid) -> Result<Agent, ApiError> {
    let config = context.read(GuestKind::Qemu, vmid)?;
    let running = lifecycle::is_running(context, vmid);
    Ok(Agent::open(&config.main, context.store.layout(), vmid, running, PING)?)
}

static WORD: Property = Property::string("word").describe("A word.");

static EXEC_PARAMETERS: &[Property] = &[
    Property::new("command", Type::Array(&WORD)).describe("The program and its arguments."),
    Property::string("input-data")
        .optional()
        .max_length(64 * 1024)
        .describe("What the program reads from its standard input."),
];

/// Starts a program in the guest.
pub static EXEC: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/agent/exec",
    verb: Verb::Post,
    description: "Has the guest agent start a program.",
    parameters: &[AT_GUEST, EXEC_PARAMETERS],
    permission: Permission::guest(&["VM.GuestAgent.Unrestricted"]),
    returns: Returns::Object(&["pid"]),
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let command: Vec<String> = params.list("command").into_iter().map(str::to_owned).collect();
        let input = params.text("input-data").map(str::as_bytes);
        Ok(json!({"pid": open(context, params.vmid())?.exec(&command, input)?}))
    },
};

static STATUS_PARAMETERS: &[Property] =
    &[Property::integer("pid").describe("The program, as its start told it.")];

/// `qm guest exec-status`
pub static EXEC_STATUS: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/agent/exec-status",
    verb: Verb::Get,
    description: "Tells what became of a program that the guest agent started.",
    parameters: &[AT_GUEST, STATUS_PARAMETERS],
    permission: Permission::guest(&["VM.GuestAgent.Unrestricted"]),
    returns: Returns::Object(&["exited"]),
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let pid = params.text("pid").and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(told(&open(context, params.vmid())?.exec_status(pid)?))
    },
};

static WAIT_PARAMETERS: &[Property] = &[
    Property::new("extra-args", Type::Array(&WORD)).describe("The program and its arguments."),
    Property::boolean("pass-stdin").default("0").describe("Passes standard input on to the program."),
    Property::boolean("synchronous").default("1").describe("Waits for the program's end."),
    Property::integer("timeout").default("30").min(0).describe("Seconds to wait at most; 0 for ever."),
];

/// `qm guest exec`
pub static EXEC_AND_WAIT: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/guest-exec",
    verb: Verb::Post,
    description: "Has the guest agent run a program, and shows what it wrote and how it ended.",
    parameters: &[AT_GUEST, WAIT_PARAMETERS],
    permission: Permission::Root,
    returns: Returns::Object(&[]),
    protected: true,
    scope: Scope::Command,
    run: exec_and_wait,
};

/// How often the agent is asked: it cannot tell by itself.
const STEP: Duration = Duration::from_millis(200);

fn exec_and_wait(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let command: Vec<String> = params.list("extra-args").into_iter().map(str::to_owned).collect();
    let mut input = Vec::new();
    let pass = params.flag("pass-stdin", false);
    if pass {
        let path = || "/dev/stdin".into();
        std::io::stdin().take(1 << 20).read_to_end(&mut input).map_err(|source| ApiError::File {
            what: "unable to read",
            path: path(),
            source,
        })?;
    }
    let mut agent = open(context, params.vmid())?;
    let pid = agent.exec(&command, pass.then_some(&input))?;
    if !params.flag("synchronous", true) {
        return Ok(json!({"pid": pid}));
    }
    let limit = Duration::from_secs(params.number("timeout").unwrap_or(30));
    let begun = Instant::now();
    loop {
        let execution = agent.exec_status(pid)?;
        if execution.exited {
            return Ok(told(&execution));
        }
        if !limit.is_zero() && begun.elapsed() >= limit {
            context.warn("timeout reached, returning pid");
            return Ok(json!({"pid": pid}));
        }
        std::thread::sleep(STEP);
    }
}

/// As Proxmox VE tells it: booleans are numbers, output is text.
fn told(execution: &Execution) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("exited", json!(u8::from(execution.exited)));
    for (key, number) in [("exitcode", execution.exitcode), ("signal", execution.signal)] {
        number.into_iter().for_each(|number| put(key, json!(number)));
    }
    for (key, data) in [("out-data", &execution.out_data), ("err-data", &execution.err_data)] {
        data.iter().for_each(|data| put(key, json!(String::from_utf8_lossy(data))));
    }
    for (key, cut) in [("out-truncated", execution.out_truncated), ("err-truncated", execution.err_truncated)]
    {
        if cut {
            put(key, json!(1));
        }
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_program_is_told_with_numbers_and_text() {
        let execution = Execution {
            exited: true,
            exitcode: Some(3),
            signal: None,
            out_data: Some(b"hello\n".to_vec()),
            err_data: None,
            out_truncated: true,
            err_truncated: false,
        };
        let want = json!({"exited": 1, "exitcode": 3, "out-data": "hello\n", "out-truncated": 1});
        assert_eq!(told(&execution), want);
    }
}
