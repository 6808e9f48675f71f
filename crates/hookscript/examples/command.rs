//! Runs a program within a limit: one that hangs holds nobody up.

use hookscript::command::{self, Limit};
use hookscript::{Phase, log, run};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    run(|call| {
        if call.phase == Phase::PreStart {
            let output = command::run("uname", ["-r"], Limit::of(Duration::from_secs(5)))?;
            log::info(format!("this kernel is {}", output.text()));
        }
        Ok(())
    })
}
