//! hookvisor on a machine of its own, installed as its package, whose power is pulled at every point of a guest's life; which
//! goes down and comes up as it should; and which runs out of memory.
//!
//! The machine is QEMU, its processor emulated, with Debian's kernel and systemd; the guests run in it. The power is pulled
//! by killing that QEMU. What the disk has afterwards is made from a log of its writes and flushes, twice: without anything
//! that was not flushed, and with all that was written.

mod agent;
mod calls;
mod count;
mod disk;
mod guest;
mod machine;
mod memory;
mod orderly;
mod points;
mod prepared;
mod recovery;
mod scratch;
mod suites;
mod torn;

fn main() -> std::process::ExitCode {
    // The longest first.
    let tests = [
        recovery::tests(),
        suites::tests(),
        torn::tests(),
        points::tests(),
        orderly::tests(),
        memory::tests(),
    ];
    scratch::enter();
    let code = e2e::suite::main("host_vm", tests.concat());
    scratch::leave();
    count::print();
    code
}
