//! Pins each virtual CPU to a CPU of the host.

use hookscript::command::{self, Limit};
use hookscript::{Phase, process, run};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    run(|call| {
        if call.phase != Phase::PostStart {
            return Ok(());
        }
        let qemu = process::qemu(call).ok_or_else(|| call.error("QEMU does not run"))?;
        for vcpu in process::vcpus(qemu) {
            let (cpu, thread) = (vcpu.index.to_string(), vcpu.tid.to_string());
            command::run("taskset", ["-pc", &cpu, &thread], Limit::of(Duration::from_secs(5)))?;
        }
        Ok(())
    })
}
