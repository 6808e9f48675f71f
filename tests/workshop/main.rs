//! Whole lives of a guest without any guest: what `hookvisor hooks test` plays, sees and holds back.

mod as_pve;
mod call;
mod check;
mod given;
mod harm;
mod lives;
mod played;
mod report;

fn main() -> std::process::ExitCode {
    let tests = [
        lives::tests(),
        as_pve::tests(),
        harm::tests(),
        report::tests(),
        check::tests(),
        call::tests(),
        given::tests(),
    ];
    e2e::suite::main("workshop", tests.concat())
}
