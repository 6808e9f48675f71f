//! The programs of Python that the tests drive, in an environment of their own below the target folder.

use crate::packages;
use crate::run::{command, show, target};
use std::fs;

/// A client, what it talks HTTP with, and what calls an API by chance.
const CLIENTS: [&str; 3] = ["proxmoxer==2.3.0", "requests==2.34.2", "schemathesis==4.32.5"];

/// Makes the environment where it is missing. It is whole once it has the file `complete`, which says what is in it.
pub(crate) fn install() -> Result<(), String> {
    let folder = target().join("python");
    let complete = folder.join("complete");
    let wanted = CLIENTS.join("\n");
    if fs::read_to_string(&complete).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    let failed = |error: std::io::Error| format!("cannot make {}: {error}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    let place = folder.to_string_lossy().into_owned();
    let made = show(&mut command("python3", &["-m", "venv", &place]));
    if made.is_err() && packages::is_root() && packages::is_debian() {
        packages::install_venv()?;
        show(&mut command("python3", &["-m", "venv", "--clear", &place]))?;
    } else {
        made?;
    }
    let pip = folder.join("bin/pip").to_string_lossy().into_owned();
    show(command(&pip, &["install", "--quiet", "--disable-pip-version-check"]).args(CLIENTS))?;
    fs::write(&complete, wanted).map_err(failed)
}
