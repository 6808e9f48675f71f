//! `pct`, for containers (api.md 5.3).

use super::print;
use crate::cli::{Answer, Command, Program};
use api::nodes::lxc::{config, create, destroy, disk, exec, power, status};
use std::fmt::Write as _;

/// `pct`
pub(crate) static PCT: Program = Program {
    name: "pct",
    about: "Containers: makes, changes, starts and stops them.",
    commands: &[
        Command::new("config", &config::READ, &["vmid"]).print(print::config),
        Command::new("create", &create::CREATE, &["vmid", "ostemplate"]).fix(read_keys),
        Command::new("destroy", &destroy::DESTROY, &["vmid"]),
        Command::new("enter", &exec::ENTER, &["vmid"]).print(exit_code),
        Command::new("exec", &exec::EXEC, &["vmid"]).rest("extra-args").print(exit_code),
        Command::new("list", &status::LIST, &[]).print(list),
        Command::new("pending", &config::PENDING, &["vmid"]).print(print::pending),
        Command::new("reboot", &power::REBOOT, &["vmid"]),
        Command::new("resize", &disk::RESIZE, &["vmid", "disk", "size"]),
        Command::new("set", &config::UPDATE, &["vmid"]),
        Command::new("shutdown", &power::SHUTDOWN, &["vmid"]),
        Command::new("start", &power::START, &["vmid"]),
        Command::new("status", &status::OF_COMMAND, &["vmid"]).print(print::status),
        Command::new("stop", &power::STOP, &["vmid"]),
        Command::new("unlock", &config::UNLOCK, &["vmid"]),
    ],
    aliases: &[],
};

fn list(answer: &Answer<'_>) -> (String, u8) {
    let mut text = String::new();
    for row in answer.value.as_array().into_iter().flatten() {
        if text.is_empty() {
            let _ = writeln!(text, "{:<10} {:<10} {:<12} {:<20}", "VMID", "Status", "Lock", "Name");
        }
        let field = |key| print::field(row, key);
        let _ = writeln!(
            text,
            "{:<10} {:<10} {:<12} {:<20}",
            field("vmid"),
            field("status"),
            field("lock"),
            field("name")
        );
    }
    (text, 0)
}

/// The command's own exit code.
fn exit_code(answer: &Answer<'_>) -> (String, u8) {
    (String::new(), answer.value.as_u64().and_then(|code| u8::try_from(code).ok()).unwrap_or(255))
}

/// `--ssh-public-keys` names a file on the command line.
fn read_keys(mut given: Vec<(String, api::Given)>) -> Result<Vec<(String, api::Given)>, api::ApiError> {
    for (_, value) in given.iter_mut().filter(|(name, _)| name == "ssh-public-keys") {
        let path = value.joined();
        let content = std::fs::read_to_string(&path).map_err(|source| api::ApiError::File {
            what: "unable to read",
            path: path.into(),
            source,
        })?;
        *value = api::Given::One(content);
    }
    Ok(given)
}
