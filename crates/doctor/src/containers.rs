//! LXC: whether it is there, which version, and the ids of unprivileged containers.

use crate::Finding;
use crate::programs;
use crate::scene::Scene;
use lxc::{Tools, subid};
use model::GuestKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long LXC may take to tell its version.
const LIMIT: Duration = Duration::from_secs(4);

/// LXC and its version.
pub(crate) fn program(scene: &Scene) -> Vec<Finding> {
    let problem = |what: String, mend: &str| {
        let found = Finding::problem("LXC", what, "containers are run by it", mend);
        vec![found.unless(scene.needs(GuestKind::Lxc))]
    };
    let tools = match Tools::find() {
        Ok(tools) => tools,
        Err(lxc::ToolsError::NotInstalled { tool }) => {
            return problem(format!("'{tool}' is not installed"), "apt-get install lxc");
        }
        Err(error) => return problem(error.to_string(), "apt-get install --reinstall lxc"),
    };
    match programs::run(Command::new(&tools.start).arg("--version"), None, LIMIT) {
        Ok(said) if !said.out.trim().is_empty() => {
            vec![Finding::ok("LXC", format!("{}, {}", said.out.trim(), tools.start.display()))]
        }
        Ok(said) => problem(
            format!("'{}' does not tell its version: {}", tools.start.display(), said.why()),
            "apt-get install --reinstall lxc",
        ),
        Err(error) => problem(
            format!("'{}' cannot be run: {error}", tools.start.display()),
            "apt-get install --reinstall lxc",
        ),
    }
}

/// The ids that root may give to unprivileged containers.
pub(crate) fn ids(scene: &Scene) -> Vec<Finding> {
    let unprivileged = |main: &config::Section| main.flag("unprivileged", false);
    let needs = scene.guests.is_empty() || scene.any(GuestKind::Lxc, unprivileged);
    if subid::ready() {
        return vec![Finding::ok("ids of unprivileged containers", subid::LINE)];
    }
    let missing = subid::missing(Path::new("/etc")).into_iter();
    let problem = |missing: subid::MissingLine| {
        Finding::problem(
            missing.0.display().to_string(),
            format!("the line '{}' is missing", subid::LINE),
            "unprivileged containers need it",
            "hookvisor init --fix",
        )
        .unless(needs)
    };
    missing.map(problem).collect()
}
