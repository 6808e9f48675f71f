//! Waits until a server answers before the guest starts, and refuses the start where it does not.

use hookscript::{Phase, run, wait};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    run(|call| {
        if call.phase != Phase::PreStart {
            return Ok(());
        }
        let server = call.param("server")?.unwrap_or_else(|| "127.0.0.1:2049".to_owned());
        wait::until(&server, Duration::from_secs(60), Duration::from_secs(1), || {
            Ok(TcpStream::connect(&server).ok())
        })?;
        Ok(())
    })
}
