//! `qm`, for virtual machines (api.md 5.2).

use super::print;
use crate::cli::{Answer, Command, Program};
use api::nodes::qemu::{agent, config, create, destroy, disk, power, showcmd, status, wait};
use std::fmt::Write as _;

/// `qm`
pub(crate) static QM: Program = Program {
    name: "qm",
    about: "Virtual machines: makes, changes, starts and stops them.",
    example: "create",
    commands: &[
        Command::new("disk resize", &disk::RESIZE, &["vmid", "disk", "size"])
            .example("qm disk resize 100 scsi0 +10G"),
        Command::new("disk unlink", &disk::UNLINK, &["vmid"]).example("qm disk unlink 100 --idlist unused0"),
        Command::new("guest cmd", &agent::COMMAND, &["vmid", "command"])
            .example("qm guest cmd 100 network-get-interfaces")
            .print(result),
        Command::new("guest exec", &agent::EXEC_AND_WAIT, &["vmid"])
            .example("qm guest exec 100 -- ls -l /tmp")
            .rest("extra-args")
            .print(print::json),
        Command::new("guest exec-status", &agent::EXEC_STATUS, &["vmid", "pid"])
            .example("qm guest exec-status 100 1234")
            .print(print::json),
        Command::new("config", &config::READ, &["vmid"]).example("qm config 100").print(print::config),
        Command::new("create", &create::CREATE, &["vmid"])
            .example("qm create 100 --name web --memory 2048 --net0 virtio,bridge=vmbr0 --scsi0 local:32")
            .fix(read_sshkeys),
        Command::new("destroy", &destroy::DESTROY, &["vmid"]).example("qm destroy 100 --purge 1"),
        Command::new("list", &status::LIST, &[]).example("qm list").print(list),
        Command::new("pending", &config::PENDING, &["vmid"]).example("qm pending 100").print(print::pending),
        Command::new("reboot", &power::REBOOT, &["vmid"]).example("qm reboot 100 --timeout 60"),
        Command::new("reset", &power::RESET, &["vmid"]).example("qm reset 100"),
        Command::new("resume", &power::RESUME, &["vmid"]).example("qm resume 100"),
        Command::new("set", &config::UPDATE, &["vmid"])
            .example("qm set 100 --hookscript local:snippets/hook.sh")
            .fix(read_sshkeys),
        Command::new("showcmd", &showcmd::SHOWCMD, &["vmid"])
            .example("qm showcmd 100 --pretty 1")
            .print(print::text),
        Command::new("shutdown", &power::SHUTDOWN, &["vmid"])
            .example("qm shutdown 100 --timeout 60 --forceStop 1"),
        Command::new("start", &power::START, &["vmid"]).example("qm start 100"),
        Command::new("status", &status::OF_COMMAND, &["vmid"])
            .example("qm status 100 --verbose 1")
            .print(print::status),
        Command::new("stop", &power::STOP, &["vmid"]).example("qm stop 100"),
        Command::new("suspend", &power::SUSPEND, &["vmid"]).example("qm suspend 100"),
        Command::new("unlock", &config::UNLOCK, &["vmid"]).example("qm unlock 100"),
        Command::new("wait", &wait::WAIT, &["vmid"]).example("qm wait 100 --timeout 60"),
    ],
    aliases: &[("agent", "guest cmd"), ("resize", "disk resize"), ("unlink", "disk unlink")],
    undone: &[
        "cleanup",
        "clone",
        "cloudinit",
        "delsnapshot",
        "disk import",
        "disk move",
        "disk rescan",
        "enroll-efi-keys",
        "guest passwd",
        "import",
        "importdisk",
        "importovf",
        "listsnapshot",
        "migrate",
        "monitor",
        "move-disk",
        "move_disk",
        "mtunnel",
        "nbdstop",
        "remote-migrate",
        "rescan",
        "rollback",
        "sendkey",
        "snapshot",
        "template",
        "terminal",
        "vncproxy",
    ],
};

/// What the agent answered.
fn result(answer: &Answer<'_>) -> (String, u8) {
    print::json(&Answer { value: &answer.value["result"], params: answer.params })
}

const MIB: f64 = 1024.0 * 1024.0;
const GIB: f64 = MIB * 1024.0;

fn list(answer: &Answer<'_>) -> (String, u8) {
    let mut text = String::new();
    for row in answer.value.as_array().into_iter().flatten() {
        if text.is_empty() {
            let _ = writeln!(
                text,
                "{:>10} {:<20} {:<10} {:<10} {:>12} {:<10}",
                "VMID", "NAME", "STATUS", "MEM(MB)", "BOOTDISK(GB)", "PID"
            );
        }
        let number = |key: &str| row[key].as_f64().unwrap_or(0.0);
        let status = row.get("qmpstatus").unwrap_or(&row["status"]);
        let _ = writeln!(
            text,
            "{:>10} {:<20} {:<10} {:<10} {:>12.2} {:<10}",
            print::field(row, "vmid"),
            print::field(row, "name"),
            print::plain(status),
            number("maxmem") / MIB,
            number("maxdisk") / GIB,
            row["pid"].as_u64().unwrap_or(0),
        );
    }
    (text, 0)
}

/// `--sshkeys` names a file on the command line; the API takes its percent-encoded content.
fn read_sshkeys(mut given: Vec<(String, api::Given)>) -> Result<Vec<(String, api::Given)>, api::ApiError> {
    for (_, value) in given.iter_mut().filter(|(name, _)| name == "sshkeys") {
        let path = value.joined();
        let content = std::fs::read(&path).map_err(|source| api::ApiError::File {
            what: "unable to read",
            path: path.into(),
            source,
        })?;
        *value = api::Given::One(percent_encoded(&content));
    }
    Ok(given)
}

/// RFC 3986's unreserved characters stay.
fn percent_encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::Params;
    use serde_json::{Value, json};

    #[test]
    fn the_list_is_proxmox_ves() {
        let value = json!([{
            "vmid": 100, "name": "t100", "status": "running", "maxmem": 67_108_864, "maxdisk": 1_048_576,
            "pid": 4100,
        }]);
        let want = "      VMID NAME                 STATUS     MEM(MB)    BOOTDISK(GB) PID       \n       \
                    100 t100                 running    64                 0.00 4100      \n";
        assert_eq!(list(&Answer { value: &value, params: &Params::default() }).0, want);
        assert_eq!(list(&Answer { value: &Value::Array(vec![]), params: &Params::default() }).0, "");
    }
}
