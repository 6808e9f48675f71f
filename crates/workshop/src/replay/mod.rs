//! A call of the history, made again: the same bytes, arguments and environment, and a context with the same configuration; in
//! a sandbox, where the guest has that configuration, too, or for real.
//!
//! What a real call looks at without the context is the host as it is now: it cannot have the host of that day.

mod run;
mod sandboxed;

pub use crate::printed::Line;
pub use run::Again;

use crate::lives::Scenery;
use hooks::context::{Context, Earlier, Facts};
use hooks::digest::{self, Digest};
use hooks::kept;
use model::{Layout, NodeName, Phase, Script, StopCause, Text};
use record::history::PhaseHistory;
use record::recall::{Made, Recalled};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the call's environment begins its parameters with.
const PARAMETER: &str = "HOOKVISOR_PARAM_";

/// Which bytes of a script are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Those that it had in the run.
    Then,
    /// Those that it has now.
    Now,
}

/// Where it runs.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// In a sandbox, which has this besides.
    Sandbox(&'a Scenery),
    /// On this host, as root.
    Host,
}

/// A call cannot be made again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It was never made: no file was found, or it could not be executed.
    #[error("no script ran then")]
    NotMade,
    /// Neither its file nor the copy has the bytes of that day.
    #[error("'{}' is not what it was, and how it was is not kept; --current runs it as it is now", .0.display())]
    NotKept(PathBuf),
    /// Its file is gone.
    #[error("'{}' is not there any more", .0.display())]
    Gone(PathBuf),
    /// Something of what the run has on record cannot be read.
    #[error("the record says '{0}', which cannot be read")]
    Unreadable(String),
    /// A folder or file cannot be made or read.
    #[error("cannot prepare the call in '{}'", path.display())]
    Prepare {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no sandbox.
    #[error(transparent)]
    NoSandbox(#[from] crate::lives::SandboxError),
    /// The sandbox has not made it.
    #[error("the sandbox made no such call: {0}")]
    Sandboxed(String),
    /// The process cannot be made or followed.
    #[error("cannot make the call")]
    Call(#[source] io::Error),
}

/// Makes a call of a run again, and waits for its end.
///
/// # Errors
/// The call was never made, or what it takes is not there any more.
pub fn replay(
    layout: &Layout,
    recalled: &Recalled,
    at: usize,
    version: Version,
    place: Place<'_>,
) -> Result<Again, ReplayError> {
    let (Some(call), Some(made)) = (recalled.run.phases.get(at), recalled.calls.get(at)) else {
        return Err(ReplayError::NotMade);
    };
    let Some(path) = call.path.as_ref().map(PathBuf::from) else { return Err(ReplayError::NotMade) };
    let folder = Folder::make(layout)?;
    let file = script(layout, call, &path, version, &folder)?;
    let config = config(layout, made);
    let context = context(layout, recalled, at, &path, config.as_deref())?;
    let written =
        hooks::context::write(&context, &folder.0, "context").map_err(|error| folder.failed(error.source))?;
    let env = environment(made, &written);
    let limit = made.limit_ms.map(Duration::from_millis);
    if let Place::Sandbox(scenery) = place {
        let with = (&context, config.as_deref(), &folder, scenery);
        return sandboxed::run(&file, recalled, call.phase, &env, limit, with);
    }
    run::run(&file, recalled.run.vmid, call.phase, &env, limit).map_err(ReplayError::Call)
}

/// A folder of this call alone: on a file system that programs may be executed from, as `/run` often is not.
struct Folder(PathBuf);

impl Folder {
    fn make(layout: &Layout) -> Result<Self, ReplayError> {
        let folder = Self(layout.state().join(format!("replay.{}", std::process::id())));
        // Of a process of the same pid that died here.
        let _ = fs::remove_dir_all(&folder.0);
        let made = DirBuilder::new().mode(0o700).create(&folder.0);
        made.map_err(|source| folder.failed(source))?;
        Ok(folder)
    }

    fn failed(&self, source: io::Error) -> ReplayError {
        ReplayError::Prepare { path: self.0.clone(), source }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The file that is executed: the script's own where it has the right bytes, so that it finds what lies beside it.
fn script(
    layout: &Layout,
    call: &PhaseHistory,
    path: &Path,
    version: Version,
    folder: &Folder,
) -> Result<PathBuf, ReplayError> {
    let then = call.sha256.as_ref().map(|text| text.parse::<Digest>()).transpose();
    let then = then.map_err(|error| ReplayError::Unreadable(error.0))?;
    let Some(then) = then.filter(|_| version == Version::Then) else {
        return if path.is_file() { Ok(path.to_owned()) } else { Err(ReplayError::Gone(path.to_owned())) };
    };
    if digest::inspect(path).is_ok_and(|found| found.digest == then) {
        return Ok(path.to_owned());
    }
    let bytes = kept::read(layout, then).map_err(|source| folder.failed(source))?;
    let bytes = bytes.ok_or_else(|| ReplayError::NotKept(path.to_owned()))?;
    let copy = folder.0.join(path.file_name().unwrap_or("script".as_ref()));
    let written = OpenOptions::new().write(true).create_new(true).mode(0o700).open(&copy);
    written.and_then(|mut file| file.write_all(&bytes)).map_err(|source| folder.failed(source))?;
    Ok(copy)
}

/// The environment on record, with the context that was made anew.
fn environment(made: &Made, context: &Path) -> Vec<(OsString, OsString)> {
    let own = |text: &Text| OsString::from_vec(text.as_bytes().to_vec());
    let mut env: Vec<(OsString, OsString)> =
        made.with.env.iter().map(|(key, value)| (own(key), own(value))).collect();
    for (_, value) in env.iter_mut().filter(|(key, _)| key == "HOOKVISOR_CONTEXT") {
        *value = context.as_os_str().to_owned();
    }
    env
}

/// The text of the guest's configuration as the call had it, where it is kept.
fn config(layout: &Layout, made: &Made) -> Option<Vec<u8>> {
    let digest = made.with.config.as_ref()?.parse::<Digest>().ok()?;
    kept::read(layout, digest).ok().flatten()
}

/// The context that the call had, as its run has it on record.
fn context(
    layout: &Layout,
    recalled: &Recalled,
    at: usize,
    path: &Path,
    raw: Option<&[u8]>,
) -> Result<Context, ReplayError> {
    let (call, made, run) = (&recalled.run.phases[at], &recalled.calls[at], &recalled.run);
    let unreadable = |text: &str| ReplayError::Unreadable(text.to_owned());
    let variable = |name: &str| {
        let found = made.with.env.iter().find(|(key, _)| key.as_bytes() == name.as_bytes());
        found.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let node = variable("HOOKVISOR_NODE").unwrap_or_default();
    let node: NodeName = node.parse().map_err(|_| unreadable(&node))?;
    let script: Script = call.script.parse().map_err(|_| unreadable(&call.script))?;
    let cause = variable("HOOKVISOR_STOP_CAUSE");
    let cause = cause.and_then(|word| StopCause::ALL.iter().copied().find(|cause| cause.as_str() == word));
    let config = raw.map(|raw| config::parse(run.kind, run.vmid, raw).0);
    let earlier: Vec<Earlier> = run.phases[..at]
        .iter()
        .filter_map(|call| {
            let duration = Duration::from_millis(call.millis.unwrap_or(0));
            Some(Earlier { phase: call.phase, script: call.script.clone(), outcome: call.outcome?, duration })
        })
        .collect();
    Ok(Context::from(&Facts {
        layout,
        node: &node,
        vmid: run.vmid,
        kind: run.kind,
        name: &run.name,
        run: &run.run,
        reason: run.reason,
        cause,
        user: &run.user,
        phase: call.phase,
        attempt: variable("HOOKVISOR_ATTEMPT").and_then(|text| text.parse().ok()).unwrap_or(1),
        script: &script,
        path,
        digest: call.sha256.as_ref().and_then(|text| text.parse().ok()),
        limit: made.limit_ms.map(Duration::from_millis),
        params: parameters(made),
        pid: made.guest.filter(|_| runs_then(call.phase)),
        config: config.as_ref(),
        earlier: &earlier,
    }))
}

/// Whether the guest runs in a phase.
fn runs_then(phase: Phase) -> bool {
    match phase {
        Phase::PostStart | Phase::AgentUp | Phase::PreStop => true,
        Phase::PreStart | Phase::PostStop => false,
    }
}

/// The parameters, of which the environment has all: their names are of lower-case letters, digits and `_`.
fn parameters(made: &Made) -> BTreeMap<String, String> {
    let text = |text: &Text| String::from_utf8_lossy(text.as_bytes()).into_owned();
    let named =
        made.with.env.iter().filter_map(|(key, value)| {
            Some((text(key).strip_prefix(PARAMETER)?.to_lowercase(), text(value)))
        });
    named.collect()
}
