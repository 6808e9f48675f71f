//! Whole lives of a guest without any guest: a script is called as it would be for real, in a sandbox, and what it did and
//! left behind is told.
//!
//! Outside, [`test()`] makes a sandbox for each life ([`sandbox`]). Inside, pid 1 is this program again ([`drive`]): it lays
//! out a root, plays the life with the commands of production or as Proxmox VE would, and collects what there is to see.

mod check;
mod collect;
mod death;
mod drive;
mod fresh;
mod job;
mod judge;
mod junit;
mod kernel;
mod ledgers;
mod life;
mod limits;
mod play;
mod pve;
mod remark;
mod report;
mod running;
pub mod sandbox;
mod scenery;
mod tools;
mod tree;
mod units;
mod want;
mod watch;
mod worker;
mod world;

pub use check::check_by_running;
pub use drive::drive;
pub use job::{Limits, OneCall};
pub use junit::junit;
pub use life::Life;
pub use report::{
    CallReport, Change, ChangeKind, Entry, EntryKind, Left, LifeReport, Peak, Played, ScriptReport, Standing,
    Verdict,
};
pub use sandbox::{SandboxError, Setting, World};
pub use scenery::{Scenery, SceneryError};
pub use tools::{is_tool, tool};

use crate::rule::Rule;
use std::path::Path;

/// What is told of the lives of a script while they are played.
#[derive(Debug, Clone, Copy)]
pub enum Moment<'a> {
    /// One begins.
    Begins(Life),
    /// One is over.
    Ended(&'a LifeReport),
}

/// Looks at whether lives of a script can be played at all, and plays none.
///
/// # Errors
/// As [`test()`].
pub fn look(script: &Path, setting: &Setting) -> Result<(), SandboxError> {
    sandbox::Scene::new(script, setting).map(drop)
}

/// Plays lives of a script, each in a sandbox of its own; `tell` is called as each begins and ends.
///
/// # Errors
/// A script or a configuration that cannot be read, and a sandbox that cannot be made.
pub fn test(
    script: &Path,
    lives: &[Life],
    setting: &Setting,
    tell: &mut dyn FnMut(Moment<'_>),
) -> Result<ScriptReport, SandboxError> {
    let scene = sandbox::Scene::new(script, setting)?;
    // What it does is seen by playing; what it was meant to do by reading.
    let read = crate::check(script).ok();
    let found = read.as_ref().map(|report| &report.findings[..]).unwrap_or_default();
    let swapped = found.iter().find(|finding| finding.rule == Rule::Swapped);
    let played = lives.iter().map(|life| {
        tell(Moment::Begins(*life));
        let played = scene.play(*life)?;
        let report = judge::judge(*life, setting.world, played, setting.limits.disk, swapped);
        tell(Moment::Ended(&report));
        Ok(report)
    });
    let lives: Vec<LifeReport> = played.collect::<Result<_, SandboxError>>()?;
    Ok(ScriptReport {
        file: script.display().to_string(),
        world: setting.world,
        sandbox: setting.sandbox,
        remarks: remark::remarks(script, setting, read.as_ref(), &lives),
        lives,
    })
}
