//! What is said about a call that failed, as Proxmox VE words it (lifecycle.md 1.3).

use model::{Outcome, Phase, Vmid};
use std::path::Path;

/// The three words of the call, quoted for a shell where one of them needs it.
#[must_use]
pub fn command_line(path: &Path, vmid: Vmid, phase: Phase) -> String {
    let path = path.to_string_lossy();
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:=@%+,^~".contains(&byte));
    let path = if plain { path.into_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) };
    format!("{path} {vmid} {phase}")
}

/// Why a call that was made did not end well; none where it did.
#[must_use]
pub fn failure(command: &str, outcome: Outcome) -> Option<String> {
    let how = match outcome {
        Outcome::Ok => return None,
        Outcome::Unknown => return Some("nobody saw how it ended: its keeper died".to_owned()),
        Outcome::Exit(code) => format!("exit code {code}"),
        Outcome::Signal(signal) => format!("got signal {signal}"),
        Outcome::TimedOut => "got timeout".to_owned(),
        Outcome::Aborted => "received interrupt".to_owned(),
        other => other.to_string(),
    };
    Some(format!("command '{command}' failed: {how}"))
}

/// The whole text, with the two line ends that it has there.
#[must_use]
pub fn error_text(vmid: Vmid, phase: Phase, cause: &str) -> String {
    format!("hookscript error for {vmid} on {phase}: {cause}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_reads_as_on_proxmox_ve() {
        let vmid = "100".parse().unwrap();
        let command = command_line(Path::new("/var/lib/vz/snippets/phases.sh"), vmid, Phase::PreStart);
        let cause = failure(&command, Outcome::Exit(3)).unwrap();
        assert_eq!(
            error_text(vmid, Phase::PreStart, &cause),
            "hookscript error for 100 on pre-start: command '/var/lib/vz/snippets/phases.sh 100 pre-start' failed: exit code 3\n\n"
        );
        assert_eq!(failure(&command, Outcome::Ok), None);
    }

    #[test]
    fn a_path_is_quoted_where_a_shell_would_split_it() {
        let vmid = "100".parse().unwrap();
        assert_eq!(command_line(Path::new("/x/a b.sh"), vmid, Phase::PostStop), "'/x/a b.sh' 100 post-stop");
        assert_eq!(command_line(Path::new("/x/it's"), vmid, Phase::PostStop), r"'/x/it'\''s' 100 post-stop");
    }
}
