//! The library of hookscripts, each on real guests: an ordinary life, a guest that is killed in the middle of it, what the
//! script relies on missing, and calls as Proxmox VE makes them.

mod after_stop;
mod checked;
mod cpu_pin;
mod gpu_vfio;
mod guest_deps;
mod net_tap;
mod one_file;
mod pve;
mod scene;
mod wait_for;

fn main() -> std::process::ExitCode {
    let tests = [
        checked::tests(),
        wait_for::tests(),
        guest_deps::tests(),
        cpu_pin::tests(),
        net_tap::tests(),
        after_stop::tests(),
        gpu_vfio::tests(),
        one_file::tests(),
    ];
    e2e::suite::main("library", tests.concat())
}
