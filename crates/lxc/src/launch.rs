use crate::Paths;
use crate::tools::{PATH, Tools};
use model::Vmid;
use std::ffi::OsString;
use std::path::PathBuf;

/// A program to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The file.
    pub program: PathBuf,
    /// Its arguments, its own name first.
    pub argv: Vec<OsString>,
    /// The whole of its environment.
    pub env: Vec<(OsString, OsString)>,
}

/// How lxc-start is executed: in the foreground, with `/dev/null` for its three descriptors, in a session of its own.
/// It removes its log of an earlier start first; [`crate::start_errors`] reads it.
///
/// With `debug` the log holds everything.
#[must_use]
pub fn launch(tools: &Tools, paths: &Paths, vmid: Vmid, debug: bool) -> Launch {
    // At this level it says how init ended ([`crate::init_end`]).
    let level = if debug { "DEBUG" } else { "INFO" };
    let argv: Vec<OsString> = vec![
        "lxc-start".into(),
        // Not as a daemon, so that it is the keeper's child; without descriptors that would leak into the container.
        "-F".into(),
        "-C".into(),
        "-n".into(),
        vmid.to_string().into(),
        "-P".into(),
        paths.lxc.clone().into(),
        "-f".into(),
        paths.config.clone().into(),
        "-o".into(),
        paths.log.clone().into(),
        "-l".into(),
        level.into(),
    ];
    let env = [("PATH", PATH), ("LC_ALL", "C"), ("HOME", "/root")];
    Launch {
        program: tools.start.clone(),
        argv,
        env: env.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
    }
}
