//! What the world asks of its guests.

use super::stand_in::POWER_OFF;
use model::{Layout, Vmid};
use serde_json::json;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long a stand-in may take to answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Has a guest power itself off.
///
/// # Errors
/// Where it cannot be reached.
pub fn power_off(layout: &Layout, vmid: Vmid) -> io::Result<()> {
    tell(layout, vmid, POWER_OFF, ANSWER).map(|_| ())
}

/// Asks a guest to shut down. Says whether it did within the limit.
///
/// # Errors
/// Where it cannot be reached.
pub fn ask_down(layout: &Layout, vmid: Vmid, limit: Duration) -> io::Result<bool> {
    tell(layout, vmid, "system_powerdown", limit)
}

/// Tells a guest's hypervisor to quit.
///
/// # Errors
/// Where it cannot be reached.
pub fn quit(layout: &Layout, vmid: Vmid) -> io::Result<()> {
    tell(layout, vmid, "quit", ANSWER).map(|_| ())
}

/// Whether a guest answers.
#[must_use]
pub fn is_up(layout: &Layout, vmid: Vmid) -> bool {
    UnixStream::connect(layout.monitor_socket(vmid)).is_ok()
}

/// Gives a command, and waits until the guest says that it goes down.
fn tell(layout: &Layout, vmid: Vmid, command: &str, limit: Duration) -> io::Result<bool> {
    let mut stream = UnixStream::connect(layout.monitor_socket(vmid))?;
    stream.write_all(format!("{}\n", json!({"execute": command})).as_bytes())?;
    let deadline = Instant::now() + limit;
    let mut heard = String::new();
    let mut buffer = [0; 1024];
    while !heard.contains("\"SHUTDOWN\"") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(count) => heard.push_str(&String::from_utf8_lossy(&buffer[..count])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
