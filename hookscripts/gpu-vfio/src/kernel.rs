//! Writing to sysfs within a limit: a driver that hangs in the kernel takes the process that writes with it, and no signal reaches
//! that. So a process of its own writes, and is left to itself where it does not come back.

use hookscript::{Result, wait};
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{Error, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// The word by which this program is told to be that process.
pub(crate) const WRITE: &str = "--write";

/// What is said where the process that writes was killed: errno(3).
const EIO: i32 = 5;

/// Writes a text to an attribute, which must be there.
pub(crate) fn write(path: &Path, text: &str, limit: Duration) -> Result<()> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(WRITE).arg(path).arg(text).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let what = format!("the kernel to take '{}' for '{}'", text.trim(), path.display());
    let ended = wait::until(&what, limit, Duration::from_millis(5), || Ok(child.try_wait()?));
    let Ok(status) = ended else {
        let _ = child.kill();
        return ended.map(drop);
    };
    match status.code() {
        Some(0) => Ok(()),
        code => {
            let why = Error::from_raw_os_error(code.unwrap_or(EIO));
            Err(format!("cannot write '{}' to '{}': {why}", text.trim(), path.display()).into())
        }
    }
}

/// The process that writes: it ends with the number of its error.
pub(crate) fn write_here(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let (path, text) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let written = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.to_string_lossy().as_bytes()));
    let code = written.map_or_else(|error| error.raw_os_error().unwrap_or(EIO), |()| 0);
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
