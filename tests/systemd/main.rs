//! hookvisor where systemd runs the host: its units, a host that comes up and goes down, keepers that are watched. The host is
//! a Debian in a container with systemd as process 1, and its guests are real ones in there.

mod boot;
mod keepers;
mod server;
mod status;
mod upgrade;

fn main() -> std::process::ExitCode {
    let tests = [boot::tests(), keepers::tests(), server::tests(), status::tests(), upgrade::tests()];
    e2e::suite::main("systemd", tests.concat())
}
