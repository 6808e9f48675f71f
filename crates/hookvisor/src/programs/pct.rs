//! `pct`, for containers (api.md 5.3).

use super::print;
use crate::cli::{Answer, Command, Program};
use api::nodes::lxc::{config, create, destroy, disk, exec, power, status};
use std::fmt::Write as _;

/// `pct`
pub(crate) static PCT: Program = Program {
    name: "pct",
    about: "Containers: makes, changes, starts and stops them.",
    example: "create",
    commands: &[
        Command::new("config", &config::READ, &["vmid"]).example("pct config 200").print(print::config),
        Command::new("create", &create::CREATE, &["vmid", "ostemplate"]).example("pct create 200 local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst --hostname db --rootfs local:8 --memory 512").fix(read_keys),
        Command::new("destroy", &destroy::DESTROY, &["vmid"]).example("pct destroy 200 --purge 1"),
        Command::new("enter", &exec::ENTER, &["vmid"]).example("pct enter 200").print(exit_code),
        Command::new("exec", &exec::EXEC, &["vmid"]).example("pct exec 200 -- ls -l /tmp").rest("extra-args").print(exit_code),
        Command::new("list", &status::LIST, &[]).example("pct list").print(list),
        Command::new("pending", &config::PENDING, &["vmid"]).example("pct pending 200").print(print::pending),
        Command::new("reboot", &power::REBOOT, &["vmid"]).example("pct reboot 200 --timeout 60"),
        Command::new("resize", &disk::RESIZE, &["vmid", "disk", "size"]).example("pct resize 200 rootfs +5G"),
        Command::new("set", &config::UPDATE, &["vmid"]).example("pct set 200 --hookscript local:snippets/hook.sh"),
        Command::new("shutdown", &power::SHUTDOWN, &["vmid"]).example("pct shutdown 200 --timeout 60 --forceStop 1"),
        Command::new("start", &power::START, &["vmid"]).example("pct start 200"),
        Command::new("status", &status::OF_COMMAND, &["vmid"]).example("pct status 200 --verbose 1").print(print::status),
        Command::new("stop", &power::STOP, &["vmid"]).example("pct stop 200"),
        Command::new("unlock", &config::UNLOCK, &["vmid"]).example("pct unlock 200"),
    ],
    aliases: &[],
    undone: &[
        "clone",
        "console",
        "cpusets",
        "delsnapshot",
        "df",
        "fsck",
        "fstrim",
        "listsnapshot",
        "migrate",
        "mount",
        "move-volume",
        "move_volume",
        "pull",
        "push",
        "remote-migrate",
        "rescan",
        "restore",
        "resume",
        "rollback",
        "snapshot",
        "suspend",
        "template",
        "unmount",
    ],
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
