use crate::{InvalidId, NodeName, ProcessId, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest one, in bytes: it is the name of a file.
const LONGEST: usize = 255;

/// The unique id of a task: `UPID:<node>:<pid>:<pstart>:<starttime>:<type>:<id>:<user>:`, numbers in upper-case
/// hexadecimal (api.md 4.1). Each has one spelling, which is the name of its log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Upid {
    /// The host it runs on.
    pub node: NodeName,
    /// The process that carries it out.
    pub process: ProcessId,
    /// When it began, in seconds since the Unix epoch.
    pub start_time: u64,
    /// What it does: `qmstart`, `vzstop` and so on.
    pub kind: String,
    /// What it is about, usually a VMID; may be empty.
    pub id: String,
    /// Who asked for it.
    pub user: UserId,
}

impl Upid {
    /// The folder below the task log's that holds it: the last hexadecimal digit of the start time.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("{:X}", self.start_time & 0xf)
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, process, start_time, kind, id, user } = self;
        write!(
            f,
            "UPID:{node}:{:08X}:{:08X}:{start_time:08X}:{kind}:{id}:{user}:",
            process.pid, process.start
        )
    }
}

impl FromStr for Upid {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId { what: "UPID", value: text.to_owned() };
        let fields: Vec<&str> = text.split(':').collect();
        let ["UPID", node, pid, pstart, start_time, kind, id, user, ""] = fields[..] else {
            return Err(invalid());
        };
        let hex = |field: &str, max: usize| {
            let plain = (8..=max).contains(&field.len()) && field.bytes().all(|b| b.is_ascii_hexdigit());
            if plain { u64::from_str_radix(field, 16).map_err(|_| invalid()) } else { Err(invalid()) }
        };
        let word = |field: &str| !field.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/');
        if kind.is_empty() || !word(kind) || !word(id) {
            return Err(invalid());
        }
        let pid = u32::try_from(hex(pid, 8)?).map_err(|_| invalid())?;
        let upid = Self {
            node: node.parse().map_err(|_| invalid())?,
            process: ProcessId { pid, start: hex(pstart, 9)? },
            start_time: hex(start_time, 8)?,
            kind: kind.to_owned(),
            id: id.to_owned(),
            user: user.parse().map_err(|_| invalid())?,
        };
        if text.len() <= LONGEST && upid.to_string() == text { Ok(upid) } else { Err(invalid()) }
    }
}

impl TryFrom<String> for Upid {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<Upid> for String {
    fn from(upid: Upid) -> String {
        upid.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_upid_reads_back_as_written() {
        let text = "UPID:pve1:00001016:00030A62:6B034184:vzstart:200:root@pam:";
        let upid: Upid = text.parse().unwrap();
        assert_eq!((upid.process.pid, upid.kind.as_str(), upid.folder().as_str()), (0x1016, "vzstart", "4"));
        assert_eq!(upid.to_string(), text);
    }

    #[test]
    fn a_text_that_is_no_upid_is_refused() {
        for bad in [
            "",
            "UPID:pve1:1016:00030A62:6B034184:vzstart:200:root@pam:",
            "UPID:pve1:00001016:00030A62:6B034184::200:root@pam:",
            "UPID:pve1:00001016:00030A62:6B034184:vzstart:../x:root@pam:",
            "UPID:pve1:00001016:00030A62:6B034184:vzstart:200:root@pam",
            "UPID:pve1:00001016:00030A62:6B034184:vzstart:200:root@pam::",
            "UPID:pve1:00001016:00030a62:6b034184:vzstart:200:root@pam:",
            "UPID:pve1:00001016:000030A62:6B034184:vzstart:200:root@pam:",
            "UPID:pve1:00001016:00030A62:6B034184:vzstart:2\x1b0:root@pam:",
            &format!("UPID:pve1:00001016:00030A62:6B034184:vzstart:{}:root@pam:", "2".repeat(250)),
        ] {
            assert!(bad.parse::<Upid>().is_err(), "{bad}");
        }
    }
}
