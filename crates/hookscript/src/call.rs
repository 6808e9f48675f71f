use crate::error::told;
use crate::guest::Guest;
use crate::{Error, Phase, Result, log, params};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The exit code of a call without the two arguments: `EX_USAGE` of sysexits.h(3head).
const USAGE: u8 = 64;

/// One call of a hookscript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The guest's number.
    pub vmid: u32,
    /// The phase.
    pub phase: Phase,
    /// The root that everything lies below: `/`, or `HOOKVISOR_ROOT`.
    pub root: PathBuf,
    /// The file with all that hookvisor knows of the call; none at Proxmox VE.
    pub context: Option<PathBuf>,
    /// The script's own name, for messages and for what it keeps: its file's name without the last extension.
    pub script: String,
}

/// Runs a hookscript: the body of its `main`.
///
/// An error is said on standard error, and is a failure: in `pre-start` it keeps the guest from starting. A phase that this
/// version does not know is none of the script's business, so it succeeds.
pub fn run(body: impl FnOnce(&Call) -> Result<()>) -> ExitCode {
    let mut args = std::env::args_os();
    let program = args.next().unwrap_or_default();
    let args: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    let [vmid, phase] = &args[..] else {
        return usage(&program, "two arguments are needed");
    };
    let Ok(vmid) = vmid.parse() else {
        return usage(&program, &format!("'{vmid}' is no VMID"));
    };
    let Ok(phase) = phase.parse() else { return ExitCode::SUCCESS };
    match body(&Call::of(&program, vmid, phase)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error(told(&error));
            ExitCode::FAILURE
        }
    }
}

fn usage(program: &OsString, what: &str) -> ExitCode {
    eprintln!("{what}: {} VMID pre-start|post-start|pre-stop|post-stop", program.to_string_lossy());
    ExitCode::from(USAGE)
}

impl Call {
    /// A call of a program with these arguments in this process's environment.
    #[must_use]
    pub fn of(program: &OsString, vmid: u32, phase: Phase) -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let script = Path::new(program).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self {
            vmid,
            phase,
            root: path("HOOKVISOR_ROOT").unwrap_or_else(|| PathBuf::from("/")),
            context: path("HOOKVISOR_CONTEXT"),
            script,
        }
    }

    /// What is known of the guest: from the context, or from `/etc/pve` and `/run` where Proxmox VE calls.
    ///
    /// # Errors
    /// Where neither can be read.
    pub fn guest(&self) -> Result<Guest> {
        match &self.context {
            Some(context) => Guest::from_context(context),
            None => Guest::find(self),
        }
    }

    /// Why the guest stops, in `pre-stop` and `post-stop`: `stop`, `guest-poweroff`, `crash`, … None at Proxmox VE, which
    /// does not tell.
    #[must_use]
    pub fn stop_cause(&self) -> Option<String> {
        variable("HOOKVISOR_STOP_CAUSE")
    }

    /// Why the guest was started: `user`, `boot`, `reboot`, … None at Proxmox VE.
    #[must_use]
    pub fn start_reason(&self) -> Option<String> {
        variable("HOOKVISOR_START_REASON")
    }

    /// A parameter of the script, as the host's administrator or its own header sets it. At Proxmox VE it is what
    /// `/etc/hookvisor/hooks.conf` says there; none where nobody set it.
    ///
    /// # Errors
    /// Where that file cannot be read, or others than root may write to it.
    pub fn param(&self, name: &str) -> Result<Option<String>> {
        match variable("HOOKVISOR_RUN_ID") {
            Some(_) => Ok(variable(&format!("HOOKVISOR_PARAM_{}", name.to_uppercase().replace('-', "_")))),
            None => params::read(self, name),
        }
    }

    /// An absolute path below the root.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// An error that names the guest.
    #[must_use]
    pub fn error(&self, text: impl std::fmt::Display) -> Error {
        Error::from(format!("guest {}: {text}", self.vmid))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
