//! Gives PCI devices to vfio-pci for as long as a guest runs, and then back to their drivers. README.md has the settings.

mod function;
mod kernel;
mod settings;

use function::Function;
use hookscript::{Call, Phase, Resource, Result, held, hold, log, pci, run};
use settings::Settings;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|word| word == kernel::WRITE) {
        return kernel::write_here(args);
    }
    run(|call| {
        let settings = Settings::of(call)?;
        let addresses = match call.phase {
            Phase::PreStart => settings.devices(&call.guest()?)?,
            Phase::PostStop => held(call)?,
            _ => return Ok(()),
        };
        if call.phase == Phase::PreStart {
            prepare(call, &settings, &addresses)?;
        }
        give_or_take(call, &settings, &addresses)?;
        if call.phase == Phase::PostStop && !addresses.is_empty() {
            log::info(format!("gpu-vfio: {} given back", addresses.join(", ")));
        }
        Ok(())
    })
}

fn give_or_take(call: &Call, settings: &Settings, addresses: &[String]) -> Result<()> {
    let functions: Vec<Function> = addresses.iter().map(|address| Function::of(settings, address)).collect();
    let resources: Vec<&dyn Resource> = functions.iter().map(|one| one as &dyn Resource).collect();
    hold(call, &resources)
}

/// Gives back what an earlier run still has, and looks whether the guest can have all of it.
fn prepare(call: &Call, settings: &Settings, addresses: &[String]) -> Result<()> {
    let left = held(call)?;
    if !left.is_empty() {
        log::notice("gpu-vfio: an earlier run was not given the end of: gives back what it held");
        give_or_take(&Call { phase: Phase::PostStop, ..call.clone() }, settings, &left)?;
    }
    if addresses.is_empty() {
        log::notice("gpu-vfio: neither hostpciN nor gpu_devices names a device: nothing to do");
        return Ok(());
    }
    settings.load_driver()?;
    let all = pci::devices_in(&settings.sysfs)?;
    for address in addresses {
        let device = pci::device_in(&settings.sysfs, address)?;
        let Some(group) = device.iommu_group else {
            return Err(format!(
                "{address} has no IOMMU group: the IOMMU is off, in the firmware or for the kernel"
            )
            .into());
        };
        let beside =
            all.iter().filter(|one| one.iommu_group == Some(group) && !addresses.contains(&one.address));
        for other in beside {
            // Bridges stay with the host, and so may what has no driver.
            let host = other
                .driver
                .as_deref()
                .filter(|driver| !["pcieport", "pci-stub", settings.driver.as_str()].contains(driver));
            if let Some(driver) = host {
                return Err(format!(
                    "{address} cannot go to the guest without {}, which is in the same IOMMU group {group} and has the driver {driver}",
                    other.address
                )
                .into());
            }
        }
    }
    log::info(format!("gpu-vfio: {} to {}", addresses.join(", "), settings.driver));
    Ok(())
}
