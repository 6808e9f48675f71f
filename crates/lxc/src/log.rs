use crate::Paths;
use model::Vmid;
use process::Ended;
use std::fs;
use std::io::Read;
use std::path::Path;

/// The error that a failed start ends with, in Proxmox VE's words.
#[must_use]
pub fn start_failed(vmid: Vmid) -> String {
    format!("startup for container '{vmid}' failed")
}

/// Why a start failed, a line each: what programs said that LXC's hooks ran, then LXC's errors in the form in which
/// Proxmox VE shows them, `__lxc_start: 2107 Failed to spawn container "200"` (oracle.md, transcript H).
#[must_use]
pub fn start_errors(paths: &Paths) -> Vec<String> {
    let mut lines: Vec<String> = read(&paths.hook_errors).lines().map(str::to_owned).collect();
    lines.extend(read(&paths.log).lines().filter_map(error));
    lines.retain(|line| !line.is_empty());
    lines
}

/// How init ended, as lxc-start was told by the kernel: a power-off by SIGINT, pid_namespaces(7), also where that is not
/// what killed it. None where the log does not say.
#[must_use]
pub fn init_end(paths: &Paths) -> Option<Ended> {
    fs::read_to_string(&paths.log).ok()?.lines().rev().find_map(ended)
}

/// `lxc-start 200 20261122224450.702 INFO     error - ../src/lxc/error.c:lxc_error_set_and_log:34 - Child <11434> ended on
/// signal Interrupt(2)`, or `… ended on error (3)`
fn ended(line: &str) -> Option<Ended> {
    let (_, how) = line.split_once(" - Child <")?.1.split_once("> ended on ")?;
    let number = how.rsplit_once('(')?.1.strip_suffix(')')?.parse().ok()?;
    if how.starts_with("signal ") { Some(Ended::Signal(number)) } else { Some(Ended::Code(number)) }
}

/// At most the first 64 KiB: what went wrong first is what matters.
fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(64 << 10).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `lxc-start 200 20261122205522.247 ERROR    conf - ../src/lxc/conf.c:run_buffer:322 - Script exited with status 2`
fn error(line: &str) -> Option<String> {
    let (head, rest) = line.split_once(" - ")?;
    if !head.split_whitespace().any(|word| matches!(word, "ERROR" | "CRIT" | "FATAL" | "ALERT" | "EMERG")) {
        return None;
    }
    let (place, text) = rest.split_once(" - ")?;
    let mut parts = place.rsplitn(3, ':');
    let (number, function) = (parts.next()?, parts.next()?);
    // The tool's own last words add nothing.
    (function != "main").then(|| format!("{function}: {number} {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_init_is_read_as_the_kernel_told_it() {
        let line = |how| {
            format!(
                "lxc-start 200 20261122224450.702 INFO     error - ../src/lxc/error.c:lxc_error_set_and_log:34 - Child <11434> ended on {how}"
            )
        };
        assert_eq!(ended(&line("signal Interrupt(2)")), Some(Ended::Signal(2)));
        assert_eq!(ended(&line("error (3)")), Some(Ended::Code(3)));
        assert_eq!(ended("lxc-start 200 20261122224450.702 INFO     conf - x - Executing script"), None);
    }

    #[test]
    fn errors_are_shown_in_proxmox_form() {
        let log = "\
lxc-start 200 20261122210113.142 INFO     conf - ../src/lxc/conf.c:run_script_argv:341 - Executing script
lxc-start 200 20261122210113.142 ERROR    sync - ../src/lxc/sync.c:sync_wait:34 - An error occurred in another process (expected sequence number 7)
lxc-start 200 20261122210113.161 ERROR    network - ../src/lxc/network.c:lxc_create_network_priv:3427 - No such device - Failed to create network device
lxc-start 200 20261122210113.183 ERROR    lxc_start - ../src/lxc/tools/lxc_start.c:main:306 - The container failed to start
torn";
        let lines: Vec<String> = log.lines().filter_map(error).collect();
        assert_eq!(
            lines,
            [
                "sync_wait: 34 An error occurred in another process (expected sequence number 7)",
                "lxc_create_network_priv: 3427 No such device - Failed to create network device",
            ]
        );
    }
}
