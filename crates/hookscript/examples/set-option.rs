//! Changes the guest's configuration before it starts: on hookvisor it counts for this start.

use hookscript::{Phase, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(|call| match call.phase {
        Phase::PreStart => call.set("memory", &call.param("memory")?.unwrap_or_else(|| "512".to_owned())),
        _ => Ok(()),
    })
}
