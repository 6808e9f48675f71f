//! The programs and their commands. A command is a method, which of its parameters stand without their names, and
//! how its answer is printed for people.

pub(crate) mod hookvisor;
mod pct;
mod print;
mod pvesh;
mod pvesm;
mod qm;
pub(crate) mod record;
mod users;

pub(crate) use hookvisor::{blocks, outcome};
pub(crate) use print::{field, plain};

use crate::cli::Program;

/// The programs that are called by their own names, and by the first argument of the binary.
pub(crate) static PROGRAMS: &[&Program] = &[&qm::QM, &pct::PCT, &pvesh::PVESH, &pvesm::PVESM];

/// The program of this name.
pub(crate) fn named(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().copied().chain([&hookvisor::HOOKVISOR]).find(|program| program.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command::keeps_all;
    use crate::cli::parse::{Asked, parse};
    use crate::cli::{Action, OfPath, help};
    use api::{METHODS, Scope};
    use std::collections::BTreeSet;

    fn all() -> impl Iterator<Item = &'static Program> {
        PROGRAMS.iter().copied().chain([&hookvisor::HOOKVISOR])
    }

    #[test]
    fn commands_are_sorted_and_name_their_methods_parameters() {
        for program in all() {
            let key = |index: usize| {
                let command = &program.commands[index];
                (command.group().is_none(), command.name)
            };
            for index in 1..program.commands.len() {
                assert!(key(index - 1) < key(index), "{} {}", program.name, key(index).1);
            }
            for command in program.commands {
                let about = format!("{} {}", program.name, command.name);
                for name in command.arguments.iter().chain(command.rest.as_ref()) {
                    assert!(command.property(name).is_some(), "{about} {name}");
                }
                let optional = |name: &&str| command.property(name).is_some_and(|property| property.optional);
                assert!(
                    command.arguments.is_sorted_by_key(optional),
                    "{about}: optional arguments come last"
                );
                assert!(command.description.ends_with('.'), "{about}");
            }
            for name in program.undone {
                assert!(
                    !program.commands.iter().any(|command| command.name == *name),
                    "{} {name}",
                    program.name
                );
                assert!(!program.aliases.iter().any(|(alias, _)| alias == name), "{} {name}", program.name);
            }
            assert!(program.undone.is_sorted(), "{}", program.name);
            for (alias, target) in program.aliases {
                let known = program.commands.iter().any(|command| command.name == *target);
                assert!(known, "{} {alias} {target}", program.name);
            }
        }
    }

    /// What is shown as an example can be typed.
    #[test]
    fn each_command_has_an_example_that_is_understood() {
        for program in all() {
            assert!(
                program.commands.iter().any(|command| command.name == program.example),
                "{}",
                program.name
            );
            for command in program.commands {
                let words: Vec<String> = command.example.split(' ').map(str::to_owned).collect();
                assert_eq!(words[0], program.name, "{} {}", program.name, command.name);
                let asked = parse(program, &words[1..]).map_err(|unclear| unclear.0);
                let (found, given) = match asked.unwrap_or_else(|text| panic!("{}: {text}", command.example))
                {
                    Asked::Call { command, given, .. } => (command, given),
                    Asked::Path { command, of, words } => {
                        if let OfPath::Call(verb) = of {
                            assert!(api::find(verb, &words[0]).is_some(), "{}", command.example);
                        }
                        (command, Vec::new())
                    }
                    Asked::Help(_) | Asked::Undone(_) => panic!("{} calls nothing", command.example),
                };
                assert_eq!(found.name, command.name, "{}", command.example);
                for (name, value) in given {
                    let property = command.properties().find(|property| property.is_named(&name));
                    let property = property.unwrap_or_else(|| panic!("{}: {name}", command.example));
                    if !keeps_all(property) {
                        let checked = property.check(&name, &value.joined());
                        assert_eq!(checked, Ok(()), "{}: {name}", command.example);
                    }
                }
            }
        }
    }

    /// A group's help shows the program's own example where it is one of the group's.
    #[test]
    fn a_group_shows_the_example_that_somebody_begins_with() {
        for (program, group, want) in [
            ("hookvisor", "hooks", "hookvisor hooks history 100 --limit 5"),
            ("hookvisor", "acl", "hookvisor acl list"),
        ] {
            let page = help::group(named(program).unwrap(), group);
            assert_eq!(page.lines().last(), Some(format!("EXAMPLE: {want}").as_str()), "{page}");
        }
    }

    /// What only the command line serves is on the command line.
    #[test]
    fn every_method_of_commands_has_its_command() {
        let called: BTreeSet<(&str, &str)> = all()
            .flat_map(|program| program.commands)
            .filter_map(|command| match command.action {
                Action::Method(method) => Some((method.path, method.verb.as_str())),
                Action::Local(_) | Action::Path(_) => None,
            })
            .collect();
        for method in METHODS.iter().filter(|method| method.scope == Scope::Command) {
            assert!(called.contains(&(method.path, method.verb.as_str())), "{} {}", method.verb, method.path);
        }
    }
}
