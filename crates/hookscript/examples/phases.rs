//! The four phases.

use hookscript::{Phase, log, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(|call| {
        match call.phase {
            // An error here keeps the guest from starting.
            Phase::PreStart => log::info(format!("guest {} is about to start", call.vmid)),
            Phase::PostStart => log::info(format!("guest {} has started", call.vmid)),
            Phase::PreStop => log::info(format!("guest {} is about to stop", call.vmid)),
            Phase::PostStop => match call.stop_cause() {
                Some(cause) => log::info(format!("guest {} has stopped: {cause}", call.vmid)),
                None => log::info(format!("guest {} has stopped", call.vmid)),
            },
            _ => {}
        }
        Ok(())
    })
}
