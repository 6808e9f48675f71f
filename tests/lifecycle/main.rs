//! The life of a guest, operation by operation: which phases run, in which order, and what is on record about them.

mod admission;
mod agent;
mod agent_up;
mod approval;
mod boot;
mod call;
mod chain;
mod end_task;
mod failed_start;
mod from_inside;
mod guest_ends;
mod languages;
mod output;
mod past;
mod reboot;
mod refusal;
mod shutdown;
mod start_stop;
mod tiny_guests;
mod undo;

fn main() -> std::process::ExitCode {
    let tests = [
        tiny_guests::tests(),
        start_stop::tests(),
        shutdown::tests(),
        reboot::tests(),
        guest_ends::tests(),
        failed_start::tests(),
        undo::tests(),
        refusal::tests(),
        output::tests(),
        past::tests(),
        call::tests(),
        end_task::tests(),
        chain::tests(),
        from_inside::tests(),
        admission::tests(),
        approval::tests(),
        agent::tests(),
        agent_up::tests(),
        boot::tests(),
        languages::tests(),
    ];
    e2e::suite::main("lifecycle", tests.concat())
}
