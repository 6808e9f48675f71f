//! The Debian package, installed on a Debian of its own: what is there then, and what is left of it.

mod debian;
mod install;
mod pages;
mod proxmox;
mod remove;
mod upgrade;

fn main() -> std::process::ExitCode {
    let tests = [install::tests(), pages::tests(), proxmox::tests(), remove::tests(), upgrade::tests()];
    e2e::suite::main("package", tests.concat())
}
