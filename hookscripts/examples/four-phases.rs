//! four-phases: what it is for, in a sentence.
//!
//! Called with the guest's VMID and the phase. In pre-start a non-zero exit keeps the guest from starting; in the other
//! phases it is a warning. Each phase is a process of its own: what one has to know of another goes into a file in /run.
//!
//! A program has no settings in its text: limits stand in /etc/hookvisor/hooks.conf.

use std::error::Error;
use std::process::ExitCode;

/// The guest does not run yet. Take here what it needs, in a way that may be done twice.
fn pre_start(vmid: u32) -> Result<(), Box<dyn Error>> {
    println!("guest {vmid} is about to start");
    Ok(())
}

/// QEMU or the container's init runs; what is in the guest may need a while. A script, which a program is not, may ask for
/// agent-up, see the book.
fn post_start(vmid: u32) -> Result<(), Box<dyn Error>> {
    println!("guest {vmid} has started");
    Ok(())
}

/// Only when somebody asked for the stop: not when the guest powers itself off or crashes.
fn pre_stop(vmid: u32) -> Result<(), Box<dyn Error>> {
    println!("guest {vmid} is about to stop");
    Ok(())
}

/// The guest is gone, whatever ended it. Give back here what `pre_start` took, also where it took only a part.
fn post_stop(vmid: u32) -> Result<(), Box<dyn Error>> {
    match std::env::var("HOOKVISOR_STOP_CAUSE") {
        Ok(cause) => println!("guest {vmid} has stopped, because of {cause}"),
        Err(_) => println!("guest {vmid} has stopped"),
    }
    Ok(())
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [vmid, phase] = &args[..] else {
        eprintln!("a VMID and a phase are needed, not {args:?}");
        return ExitCode::from(64);
    };
    let Ok(vmid) = vmid.parse() else {
        eprintln!("'{vmid}' is no VMID");
        return ExitCode::from(64);
    };
    let done = match phase.as_str() {
        "pre-start" => pre_start(vmid),
        "post-start" => post_start(vmid),
        "pre-stop" => pre_stop(vmid),
        "post-stop" => post_stop(vmid),
        // A phase that there may be one day.
        _ => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{phase} of guest {vmid}: {error}");
            ExitCode::FAILURE
        }
    }
}
