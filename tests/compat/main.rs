//! What a user sees: compared with what a real Proxmox VE printed, and with what the documentation shows.

mod bad_input;
mod by_chance;
mod ci_page;
mod commands;
mod doctor;
mod documentation;
mod transcripts;

fn main() -> std::process::ExitCode {
    let tests = [
        transcripts::tests(),
        ci_page::tests(),
        commands::tests(),
        doctor::tests(),
        bad_input::tests(),
        by_chance::tests(),
        documentation::tests(),
    ];
    e2e::suite::main("compat", tests.concat())
}
