//! Files and passwords in a guest, by its agent.

use super::agent::open;
use crate::method::{Method, Returns, Scope, Verb};
use crate::schema::AT_GUEST;
use crate::{ApiError, Context, Params, Permission};
use ::config::schema::Property;
use ::qemu::agent::{Agent, ORDINARY};
use ::qemu::base64;
use serde_json::{Value, json};

/// The most that is read at once, in bytes, as at Proxmox VE.
const MOST: u64 = 16 << 20;

/// How much the agent is asked for at a time.
const CHUNK: u64 = 1 << 20;

static READ_PARAMETERS: &[Property] = &[
    Property::integer("count").default("16777216").min(1).max(16_777_216).describe("How many bytes at most."),
    Property::boolean("decode").default("1").describe("Whether the content is text rather than base64."),
    Property::string("file").describe("The path of the file in the guest."),
    Property::integer("offset").default("0").min(0).describe("How many bytes to pass over."),
];

/// Reads a file.
pub static READ: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/agent/file-read",
    verb: Verb::Get,
    description: "Reads a file of the guest.",
    parameters: &[AT_GUEST, READ_PARAMETERS],
    permission: Permission::guest(&["VM.GuestAgent.FileRead", "VM.GuestAgent.Unrestricted"]),
    returns: Returns::Object(&["content"]),
    protected: true,
    scope: Scope::Api,
    run: read,
};

fn read(context: &Context<'_>, params: &Params) -> Result<Value, ApiError> {
    let mut agent = open(context, params.vmid())?;
    let handle = open_file(&mut agent, params, "rb")?;
    let offset = params.number("offset").filter(|offset| *offset > 0);
    let read = (|| {
        if let Some(offset) = offset {
            let seek = json!({"handle": handle, "offset": offset, "whence": "set"});
            agent.call("guest-file-seek", Some(&seek), ORDINARY)?;
        }
        read_all(&mut agent, &handle, params.number("count").unwrap_or(MOST).min(MOST))
    })();
    agent.call("guest-file-close", Some(&json!({"handle": handle})), ORDINARY)?;
    let (bytes, whole) = read?;
    let content = if params.flag("decode", true) {
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        base64::encode(&bytes)
    };
    let mut answer = json!({"content": content, "bytes-read": bytes.len()});
    if !whole {
        answer["truncated"] = json!(1);
    }
    Ok(answer)
}

/// At most so many bytes, and whether these are all.
fn read_all(agent: &mut Agent, handle: &Value, count: u64) -> Result<(Vec<u8>, bool), ApiError> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < count {
        let ask = CHUNK.min(count - bytes.len() as u64);
        let part = agent.call("guest-file-read", Some(&json!({"handle": handle, "count": ask})), ORDINARY)?;
        let chunk = part["buf-b64"].as_str().and_then(base64::decode).unwrap_or_default();
        bytes.extend_from_slice(&chunk);
        if chunk.is_empty() || part["eof"] == json!(true) {
            return Ok((bytes, true));
        }
    }
    Ok((bytes, false))
}

fn open_file(agent: &mut Agent, params: &Params, mode: &str) -> Result<Value, ApiError> {
    let asked = json!({"path": params.text("file").unwrap_or_default(), "mode": mode});
    Ok(agent.call("guest-file-open", Some(&asked), ORDINARY)?)
}

static WRITE_PARAMETERS: &[Property] = &[
    Property::string("content").max_length(60 * 1024).describe("What the file will hold."),
    Property::boolean("encode").default("1").describe("Whether the content is text rather than base64."),
    Property::string("file").describe("The path of the file in the guest."),
];

/// Writes a file.
pub static WRITE: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/agent/file-write",
    verb: Verb::Post,
    description: "Writes a file of the guest.",
    parameters: &[AT_GUEST, WRITE_PARAMETERS],
    permission: Permission::guest(&["VM.GuestAgent.FileWrite", "VM.GuestAgent.Unrestricted"]),
    returns: Returns::Null,
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let content = params.text("content").unwrap_or_default();
        let encoded =
            if params.flag("encode", true) { base64::encode(content.as_bytes()) } else { content.to_owned() };
        let mut agent = open(context, params.vmid())?;
        let handle = open_file(&mut agent, params, "wb")?;
        let written =
            agent.call("guest-file-write", Some(&json!({"handle": handle, "buf-b64": encoded})), ORDINARY);
        agent.call("guest-file-close", Some(&json!({"handle": handle})), ORDINARY)?;
        written?;
        Ok(Value::Null)
    },
};

static PASSWORD_PARAMETERS: &[Property] = &[
    Property::boolean("crypted").default("0").describe("Whether the password is a hash already."),
    Property::string("password").min_length(5).max_length(1024).describe("The new password."),
    Property::string("username").describe("The user in the guest."),
];

/// Sets a user's password.
pub static PASSWORD: Method = Method {
    path: "/nodes/{node}/qemu/{vmid}/agent/set-user-password",
    verb: Verb::Post,
    description: "Sets the password of a user of the guest.",
    parameters: &[AT_GUEST, PASSWORD_PARAMETERS],
    permission: Permission::guest(&["VM.GuestAgent.Unrestricted"]),
    returns: Returns::Object(&["result"]),
    protected: true,
    scope: Scope::Api,
    run: |context, params| {
        let asked = json!({
            "username": params.text("username").unwrap_or_default(),
            "password": base64::encode(params.text("password").unwrap_or_default().as_bytes()),
            "crypted": params.flag("crypted", false),
        });
        let result = open(context, params.vmid())?.call("guest-set-user-password", Some(&asked), ORDINARY)?;
        Ok(json!({"result": result}))
    },
};
