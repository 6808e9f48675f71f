//! The record: whether a journal takes it, whether that outlives a boot, and what the file took in its place.

use crate::Finding;
use crate::scene::Scene;
use crate::word::path as shell;
use record::journal;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// Where distributions have it.
const JOURNALD: &str = "/lib/systemd/systemd-journald";

/// systemd's journal.
pub(crate) fn journal(scene: &Scene) -> Vec<Finding> {
    let name = match journal::namespace() {
        Ok(name) => name,
        Err(error) => {
            let why = "nothing that needs the record is begun";
            return vec![Finding::problem("journal", error.to_string(), why, "unset HOOKVISOR_JOURNAL")];
        }
    };
    let suffix = name.as_ref().map(|name| format!(".{name}")).unwrap_or_default();
    let socket = PathBuf::from(format!("/run/systemd/journal{suffix}/socket"));
    let unit = match &name {
        None => "systemd-journald.service".to_owned(),
        Some(name) => format!("systemd-journald@{name}.service"),
    };
    let connected = UnixDatagram::unbound().and_then(|datagram| datagram.connect(&socket));
    if let Err(error) = connected {
        let file = scene.layout.fallback_record();
        let what = format!("'{}' takes nothing: {error}", socket.display());
        let why = format!("records go to '{}' alone", file.display());
        let mend = match Path::new("/run/systemd/system").exists() {
            true => format!("systemctl restart {unit}"),
            false => begin(Path::new(JOURNALD).exists(), name.as_deref()),
        };
        return vec![Finding::problem("journal", what, why, mend).unless(false)];
    }
    let mut found = vec![Finding::ok("journal", socket.display().to_string())];
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let folder = Path::new("/var/log/journal").join(format!("{}{suffix}", machine.trim()));
    if !folder.is_dir() {
        found.push(
            Finding::problem(
                "journal",
                "is in memory",
                "a boot loses it; 'hookvisor hooks history' stays",
                format!("mkdir -p /var/log/journal && journalctl{} --flush", namespace(name.as_deref())),
            )
            .unless(false),
        );
    }
    found
}

/// Journald as a process of its own, as it runs where systemd is not what began the host.
fn begin(installed: bool, name: Option<&str>) -> String {
    let install = if installed { "" } else { "apt-get install systemd && " };
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    format!("{install}setsid --fork {JOURNALD}{name}")
}

fn namespace(name: Option<&str>) -> String {
    name.map(|name| format!(" --namespace={name}")).unwrap_or_default()
}

/// The file that takes records where no journal does.
pub(crate) fn fallback(scene: &Scene) -> Vec<Finding> {
    let file = scene.layout.fallback_record();
    let records = fs::metadata(&file).map_or(0, |meta| meta.len());
    if records == 0 {
        return Vec::new();
    }
    let what = format!("{} KiB of records are kept there", records.div_ceil(1024));
    let why = "the journal did not take them when they were made; 'hookvisor log' shows them";
    let mend = format!(
        "mv {0} {0}.$(date +%F-%H%M%S)  # where 'hookvisor log' shows them still; rm forgets them",
        shell(&file)
    );
    vec![Finding::problem(file.display().to_string(), what, why, mend).unless(false)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journald_is_begun_by_hand_where_no_systemd_does() {
        assert_eq!(begin(true, None), format!("setsid --fork {JOURNALD}"));
        assert_eq!(
            begin(false, Some("try")),
            format!("apt-get install systemd && setsid --fork {JOURNALD} try")
        );
    }
}
