//! Lines with their priorities: `journalctl -p warning -t hookscript` finds the last.

use hookscript::{log, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(|call| {
        log::info(format!("all is well with guest {}", call.vmid));
        log::notice("but not for long");
        log::warning("the disk is nearly full");
        Ok(())
    })
}
