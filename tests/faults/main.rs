//! What dies, hangs or fills up, and what happens then.

mod damaged_record;
mod disk_full;
mod host_crash;
mod journal;
mod keeper_killed;
mod killing;
mod misbehaving_hooks;
mod missing_program;
mod named_kills;
mod random_kills;

fn main() -> std::process::ExitCode {
    let tests = [
        keeper_killed::tests(),
        named_kills::tests(),
        random_kills::tests(),
        damaged_record::tests(),
        host_crash::tests(),
        journal::tests(),
        disk_full::tests(),
        misbehaving_hooks::tests(),
        missing_program::tests(),
    ];
    e2e::suite::main("faults", tests.concat())
}
