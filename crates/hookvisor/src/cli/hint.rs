//! What somebody may have meant. The programs that Proxmox VE has say it behind its words.

use super::command::{Command, Program};
use super::help;
use super::parse::{Unclear, next_words};

/// How many letters may be wrong.
const WRONG: usize = 2;

/// A command that there is none of.
pub(crate) fn command(program: &Program, before: &str, word: &str) -> Unclear {
    let asked = format!("{program} {before} {word}", program = program.name).replace("  ", " ");
    let names = next_words(program, before);
    let meant = nearest(word, names.into_iter()).map(|name| asked.replace(word, name));
    let hint = match meant {
        Some(meant) => format!("Did you mean '{meant}'?\n"),
        None if program.is_own() => format!("'{} help' lists the commands.\n", program.name),
        None => String::new(),
    };
    let usage = if program.is_own() { String::new() } else { help::overview(program) };
    Unclear(format!("ERROR: unknown command '{asked}'\n{usage}{hint}"))
}

/// Options that there are none of: a line for each that is like one.
pub(crate) fn options(command: &Command, problem: &str) -> String {
    let unknown = problem.lines().filter_map(|line| line.strip_prefix("Unknown option: "));
    let names = || command.options().map(|property| property.name);
    let meant = unknown.filter_map(|word| nearest(word, names()));
    meant.map(|name| format!("Did you mean '--{name}'?\n")).collect()
}

/// The name that is nearest to a word, where one is near.
pub(crate) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let distances = names.map(|name| (strsim::osa_distance(word, name), name));
    let near = distances.filter(|(wrong, name)| *wrong <= WRONG && *wrong < name.len());
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse::parse;
    use crate::programs::named;

    #[test]
    fn the_programs_of_proxmox_ve_say_it_behind_its_words() {
        for (line, want) in [
            ("qm strat 100", Some("Did you mean 'qm start'?")),
            ("pct lst", Some("Did you mean 'pct list'?")),
            ("qm guest cmdd 100", Some("Did you mean 'qm guest cmd'?")),
            ("qm foo", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let Err(Unclear(text)) = parse(named(&words[0]).unwrap(), &words[1..]) else { panic!("{line}") };
            assert!(text.contains("'\nUSAGE: "), "{text}");
            assert_eq!(text.lines().last().filter(|last| last.starts_with("Did")), want, "{text}");
        }
    }

    #[test]
    fn what_was_meant_is_named() {
        for (line, want) in [
            ("hoks list", "ERROR: unknown command 'hookvisor hoks'\nDid you mean 'hookvisor hooks'?\n"),
            (
                "hooks chekc",
                "ERROR: unknown command 'hookvisor hooks chekc'\nDid you mean 'hookvisor hooks check'?\n",
            ),
            (
                "frobnicate",
                "ERROR: unknown command 'hookvisor frobnicate'\n'hookvisor help' lists the commands.\n",
            ),
            (
                "log --folow 1",
                "Unknown option: folow\n400 unable to parse option\nDid you mean '--follow'?\n\
                 hookvisor log [<vmid>] [OPTIONS] [FORMAT_OPTIONS]\n",
            ),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let Err(Unclear(text)) = parse(named("hookvisor").unwrap(), &words) else { panic!("{line}") };
            assert_eq!(text, want, "{line}");
        }
    }
}
