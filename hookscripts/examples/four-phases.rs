//! A hookscript in Rust, with nothing but the standard library: a variant for each of the four phases.
//!
//! Build it, copy the program to a storage that allows snippets, and set it:
//!   rustc --edition 2024 four-phases.rs
//!   qm set 100 --hookscript local:snippets/four-phases

use std::process::ExitCode;

enum Phase {
    PreStart,
    PostStart,
    PreStop,
    PostStop,
}

impl Phase {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "pre-start" => Some(Self::PreStart),
            "post-start" => Some(Self::PostStart),
            "pre-stop" => Some(Self::PreStop),
            "post-stop" => Some(Self::PostStop),
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let call = match &args[..] {
        [vmid, phase] => vmid.parse::<u32>().ok().zip(Phase::parse(phase)),
        _ => None,
    };
    let Some((vmid, phase)) = call else {
        eprintln!("two arguments are needed, a VMID and a phase, not {args:?}");
        return ExitCode::from(64);
    };
    match phase {
        // The guest does not run yet. A failure here keeps it from starting.
        Phase::PreStart => println!("guest {vmid} is about to start"),
        // The guest runs. From here on a failure is only a warning.
        Phase::PostStart => println!("guest {vmid} has started"),
        // The guest still runs. Not called when the guest ends by itself.
        Phase::PreStop => println!("guest {vmid} is about to stop"),
        // The guest is gone, whatever ended it. Give back here what `pre-start` took.
        Phase::PostStop => match std::env::var("HOOKVISOR_STOP_CAUSE") {
            Ok(cause) => println!("guest {vmid} has stopped ({cause})"),
            Err(_) => println!("guest {vmid} has stopped"),
        },
    }
    ExitCode::SUCCESS
}
