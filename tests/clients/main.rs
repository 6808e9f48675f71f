//! What clients see: real programs, over real TLS, against a real server.

mod disks;
mod events;
mod http;
mod life;
mod needs;
mod proxmoxer;
mod starvation;
mod together;
mod typed;
mod upload;
mod workflow;

fn main() -> std::process::ExitCode {
    let tests = [
        disks::tests(),
        events::tests(),
        http::tests(),
        life::tests(),
        needs::tests(),
        proxmoxer::tests(),
        starvation::tests(),
        together::tests(),
        typed::tests(),
        upload::tests(),
        workflow::tests(),
    ]
    .concat();
    e2e::suite::main("clients", tests)
}
