//! The one binary: `hookvisor`, and `qm`, `pct`, `pvesh` and `pvesm` by the name it is called with or by its first argument.

mod cli;
mod clock;
mod doctor;
mod entry;
mod format;
mod lives;
mod local;
mod man;
mod output;
mod past;
mod programs;
mod progress;
mod pvesh;
#[cfg(test)]
mod reference;
mod remedy;
mod run;
mod serve;
mod table;
mod workshop;
mod world;

use model::Layout;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let called = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    let name = Path::new(&called).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if words.first().is_none_or(|word| word != "serve") {
        end_at_panics();
    }
    if ::workshop::lives::is_tool(name, &words) {
        return entry::code(::workshop::lives::tool(name, &words));
    }
    if ["kvm", "lxc-start"].contains(&name) && keeper::simulation::is_stand_in(&words) {
        return entry::stand_in(&words);
    }
    let layout = Layout::new(root());
    let (program, words) = match (programs::named(name), words.first().map(String::as_str)) {
        (Some(program), _) if program.name != "hookvisor" => (program, &words[..]),
        (_, Some("keeper")) => return entry::keeper(layout, &words[1..]),
        (_, Some("lives")) if words.len() == 1 => return entry::code(::workshop::lives::drive()),
        (_, Some("worker")) => return entry::worker(&layout),
        (_, Some("pam-helper")) => return ExitCode::from(u8::try_from(access::pam_helper()).unwrap_or(2)),
        (_, Some("complete")) => return run::complete(&layout, &words[1..]),
        (_, Some("--version" | "-V")) => {
            output::print(&format!("hookvisor {}\n", model::version()));
            return ExitCode::SUCCESS;
        }
        (_, Some(first)) => match programs::PROGRAMS.iter().find(|program| program.name == first) {
            Some(program) => (*program, &words[1..]),
            None => (&programs::hookvisor::HOOKVISOR, &words[..]),
        },
        (_, None) => (&programs::hookvisor::HOOKVISOR, &words[..]),
    };
    run::run(program, &layout, words)
}

/// A panic ends the process there and then, children that have just been forked included. In the server it is the end of
/// one call alone.
fn end_at_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        usual(panic);
        std::process::abort();
    }));
}

/// The folder that `HOOKVISOR_ROOT` names, made absolute; the host's own root otherwise.
fn root() -> PathBuf {
    let named = std::env::var_os("HOOKVISOR_ROOT").filter(|root| !root.is_empty());
    let root = named.map_or_else(|| PathBuf::from("/"), PathBuf::from);
    std::path::absolute(&root).unwrap_or(root)
}
