//! The sandbox of `hookvisor hooks test`.

use crate::Finding;
use crate::programs;
use crate::scene::Scene;
use std::process::Command;
use std::time::Duration;

/// How long bubblewrap may take to make one.
const LIMIT: Duration = Duration::from_secs(4);

/// Makes the emptiest sandbox there is, which does nothing.
pub(crate) fn sandbox(_: &Scene) -> Vec<Finding> {
    let why = "'hookvisor hooks test' plays lives in a sandbox of it";
    let problem =
        |what: String, mend: &str| vec![Finding::problem("bubblewrap", what, why, mend).unless(false)];
    let Some(bwrap) = programs::find("bwrap") else {
        return problem("not installed".to_owned(), "apt-get install bubblewrap");
    };
    let words = ["--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--", "/bin/sh", "-c", ":"];
    match programs::run(Command::new(bwrap).args(words), None, LIMIT) {
        Ok(ended) if ended.status.is_some_and(|status| status.success()) => {
            vec![Finding::ok("bubblewrap", "makes sandboxes")]
        }
        Ok(ended) => problem(
            format!("makes no sandbox: {}", ended.why()),
            "sysctl -w user.max_user_namespaces=15000 kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        Err(error) => problem(format!("cannot be run: {error}"), "apt-get install --reinstall bubblewrap"),
    }
}
