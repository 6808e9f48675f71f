//! What is known of the guest: its kind, its name, its process, its interfaces, its configuration.

use hookscript::{Kind, log, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(|call| {
        let guest = call.guest()?;
        let kind = match guest.kind {
            Kind::Qemu => "virtual machine",
            Kind::Lxc => "container",
        };
        log::info(format!("{kind} {} is called '{}'; process {:?}", guest.vmid, guest.name, guest.pid));
        for interface in &guest.interfaces {
            log::info(format!("{} is {:?} on {:?}", interface.option, interface.host, interface.bridge));
        }
        for (number, value) in guest.config.numbered("hostpci") {
            log::info(format!("has the device {value} as number {number}"));
        }
        if guest.config.tags().contains(&"noisy") {
            log::debug(guest.config.description());
        }
        Ok(())
    })
}
