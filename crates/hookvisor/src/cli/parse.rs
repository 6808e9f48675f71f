//! From words to a command and its parameters, with Proxmox VE's words for what is wrong (api.md 5.1).

use super::command::{Action, Command, OUTPUT_FORMAT, OfPath, Program, keeps_all, output_format};
use super::getopt::{self, Known, Options, Takes};
use super::{help, hint};
use crate::format::Format;
use api::Given;
use config::schema::{Property, Type};
use std::collections::BTreeSet;

/// What the words ask for.
pub(crate) enum Asked<'a> {
    /// To call a command's method.
    Call { command: &'a Command, given: Vec<(String, Given)>, format: Format },
    /// To do something with a path of the API; the words are still to be read.
    Path { command: &'a Command, of: OfPath, words: Vec<String> },
    /// To be told about the program or one command.
    Help(String),
    /// To do what Proxmox VE does and hookvisor does not; what to print on standard error.
    Undone(String),
}

/// Why the words ask for nothing that can be done: what to print on standard error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unclear(pub(crate) String);

/// Reads a command line without the program's name.
pub(crate) fn parse<'a>(program: &'a Program, words: &[String]) -> Result<Asked<'a>, Unclear> {
    let Some(first) = words.first() else {
        return Err(Unclear(format!("ERROR: no command specified\n{}", help::overview(program))));
    };
    match first.as_str() {
        "--help" | "-h" | "-?" => return Ok(Asked::Help(help::program(program))),
        "help" => return help_for(program, &words[1..]),
        _ => {}
    }
    if let Some(at) = words.iter().position(|word| matches!(word.as_str(), "--help" | "-h"))
        && let Some(group) = group(program, first)
        && !next_words(program, &words[..at].join(" ")).is_empty()
    {
        return Ok(Asked::Help(help::group(program, group)));
    }
    let (command, words) = match (find(program, words), undone(program, words)) {
        (Err(_), Some(name)) => {
            let of = program.name;
            let text =
                format!("ERROR: '{of} {name}' is a command of Proxmox VE that hookvisor does not have\n");
            return Ok(Asked::Undone(text));
        }
        (found, _) => found?,
    };
    let before_rest = words.iter().take_while(|word| *word != "--");
    if before_rest.into_iter().any(|word| word == "--help" || word == "-h") {
        return Ok(Asked::Help(help::command(program, command)));
    }
    if let Action::Path(of) = command.action {
        return Ok(Asked::Path { command, of, words: words.to_vec() });
    }
    let (given, format) = options(command, words).map_err(|mut problem| {
        if program.is_own() {
            problem.push_str(&hint::options(command, &problem));
        }
        problem.push_str(&help::usage(program, command));
        problem.push('\n');
        Unclear(problem)
    })?;
    Ok(Asked::Call { command, given, format })
}

fn help_for<'a>(program: &'a Program, words: &[String]) -> Result<Asked<'a>, Unclear> {
    let words: Vec<String> = words.iter().filter(|word| !word.starts_with('-')).cloned().collect();
    if words.is_empty() {
        return Ok(Asked::Help(help::program(program)));
    }
    Ok(Asked::Help(match group(program, &words[0]) {
        Some(group) if words.len() == 1 => help::group(program, group),
        _ => help::command(program, find(program, &words)?.0),
    }))
}

fn group(program: &Program, word: &str) -> Option<&'static str> {
    program.commands.iter().filter_map(Command::group).find(|group| *group == word)
}

/// The command that the first words name, and the words after it. A unique beginning of a name will do.
pub(crate) fn find<'a, 'w>(
    program: &'a Program,
    words: &'w [String],
) -> Result<(&'a Command, &'w [String]), Unclear> {
    let mut found = String::new();
    for (index, word) in words.iter().enumerate() {
        let mut names = next_words(program, &found);
        if index == 0 {
            names.extend(program.aliases.iter().map(|(alias, _)| *alias));
        }
        let name = expand(&names, word).ok_or_else(|| hint::command(program, &found, word))?;
        let alias = program.aliases.iter().find(|(alias, _)| index == 0 && *alias == name);
        let name = alias.map_or(name, |(_, target)| *target);
        found = format!("{found} {name}").trim_start().to_owned();
        if let Some(command) = program.commands.iter().find(|command| command.name == found) {
            return Ok((command, &words[index + 1..]));
        }
    }
    let group = found.split(' ').next().unwrap_or_default();
    Err(Unclear(format!("ERROR: no command specified\n{}", help::group_overview(program, group))))
}

/// The command of Proxmox VE's that the words name, where there is none of it here.
fn undone(program: &Program, words: &[String]) -> Option<&'static str> {
    let begins = |name: &str| name.split(' ').eq(words.iter().take(name.split(' ').count()));
    program.undone.iter().find(|name| begins(name)).copied()
}

/// The words that may follow in the names of commands that begin with these words.
pub(crate) fn next_words<'a>(program: &'a Program, before: &str) -> BTreeSet<&'a str> {
    let names = program.commands.iter().filter(|command| !command.hidden || before.is_empty());
    let rests = names.filter_map(|command| match before {
        "" => Some(command.name),
        _ => command.name.strip_prefix(before)?.strip_prefix(' '),
    });
    rests.filter_map(|rest| rest.split(' ').next()).collect()
}

fn expand<'n>(names: &BTreeSet<&'n str>, word: &str) -> Option<&'n str> {
    if let Some(exact) = names.get(word) {
        return Some(exact);
    }
    let mut beginning = names.iter().filter(|name| name.starts_with(word));
    beginning.next().filter(|_| beginning.next().is_none() && !word.is_empty()).copied()
}

/// The options that may be given, as the grammar asks for them.
pub(crate) struct Table(pub(crate) Vec<&'static Property>);

impl Options for Table {
    fn exact(&self, name: &str) -> Option<Known> {
        self.0.iter().find_map(|property| {
            if property.count.is_some() {
                property.is_named(name).then(|| (name.to_owned(), takes(property)))
            } else {
                let same = property.name.eq_ignore_ascii_case(name);
                same.then(|| (property.name.to_owned(), takes(property)))
            }
        })
    }

    fn starting(&self, beginning: &str) -> Vec<Known> {
        self.0
            .iter()
            .filter(|property| property.count.is_none())
            .filter(|property| property.name.to_ascii_lowercase().starts_with(beginning))
            .map(|property| (property.name.to_owned(), takes(property)))
            .collect()
    }
}

fn takes(property: &Property) -> Takes {
    match property.kind {
        Type::Boolean => Takes::Flag,
        _ if keeps_all(property) => Takes::List,
        _ => Takes::Value,
    }
}

type Filled = (Vec<(String, Given)>, Format);

/// The parameters that the words give. An error is what to print before the usage line.
fn options(command: &Command, words: &[String]) -> Result<Filled, String> {
    let table = Table(command.options().collect());
    let mut split = getopt::split(words, &table).map_err(unparsed)?;
    let required = |name: &&&str| command.property(name).is_some_and(|property| !property.optional);
    let most = if command.rest.is_some() { usize::MAX } else { command.arguments.len() };
    split.settle(most, |word| config::text::parse_boolean(word).is_some());
    let mut arguments = split.arguments.into_iter();
    let mut given = Vec::new();
    for name in command.arguments {
        match arguments.next() {
            Some(value) => given.push(((*name).to_owned(), Given::One(value))),
            None if required(&name) => return Err("400 not enough arguments\n".to_owned()),
            None => {}
        }
    }
    match command.rest {
        Some(name) => {
            let rest: Vec<String> = arguments.collect();
            let property = command.property(name);
            if rest.is_empty() && property.is_some_and(|property| !property.optional) {
                return Err("400 not enough arguments\n".to_owned());
            }
            given.push((name.to_owned(), Given::Many(rest)));
        }
        None if arguments.next().is_some() => return Err("400 too many arguments\n".to_owned()),
        None => {}
    }
    let mut format = None;
    for (name, value) in values(&table, split.options)? {
        if command.formats && name == OUTPUT_FORMAT.name {
            format = Some(checked(&OUTPUT_FORMAT, value)?);
        } else {
            given.push((name, value));
        }
    }
    Ok((given, output_format(format.as_deref())))
}

/// What is printed where options could not be told apart.
pub(crate) fn unparsed(problems: Vec<String>) -> String {
    let lines: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    format!("{lines}400 unable to parse option\n")
}

/// A value of an option of ours, which no method checks.
pub(crate) fn checked(property: &Property, value: Given) -> Result<String, String> {
    let value = value.joined();
    let good = property.check(property.name, &value);
    good.map_err(|text| format!("400 Parameter verification failed.\n{}: {text}\n", property.name))?;
    Ok(value)
}

/// The options' values as a method takes them.
pub(crate) fn values(
    table: &Table,
    options: Vec<(String, Vec<String>)>,
) -> Result<Vec<(String, Given)>, String> {
    let is_boolean = |name: &str| {
        let found = table.0.iter().find(|property| property.is_named(name));
        found.is_some_and(|property| matches!(property.kind, Type::Boolean))
    };
    let value = |(name, mut values): (String, Vec<String>)| {
        let value = if is_boolean(&name) {
            let flag = match values.pop().as_deref() {
                None | Some("") => true,
                Some(word) => config::text::parse_boolean(word)
                    .ok_or_else(|| "400 unable to parse boolean option\n".to_owned())?,
            };
            Given::One(u8::from(flag).to_string())
        } else if values.len() > 1 {
            Given::Many(values)
        } else {
            Given::One(values.pop().unwrap_or_default())
        };
        Ok((name, value))
    };
    options.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::named;

    /// The command's name and what it is given, or what is printed on standard error.
    fn read(line: &str) -> String {
        let words: Vec<String> = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let program = named(&words[0]).unwrap();
        match parse(program, &words[1..]) {
            Ok(Asked::Call { command, given, .. }) => {
                let given = given.iter().map(|(name, value)| format!("{name}={}", value.joined()));
                [command.name.to_owned()].into_iter().chain(given).collect::<Vec<_>>().join(" ")
            }
            Ok(Asked::Path { command, words, .. }) => format!("{} {}", command.name, words.join(" ")),
            Ok(Asked::Undone(text)) => text,
            Ok(Asked::Help(text)) => text.lines().next().unwrap_or_default().to_owned(),
            Err(Unclear(text)) => text,
        }
    }

    #[test]
    fn commands_options_and_arguments() {
        for (line, want) in [
            ("qm start 100", "start vmid=100"),
            ("qm stat 100 --verb", "status vmid=100 verbose=1"),
            ("qm set 100 --net0 virtio --delete a --delete b", "set vmid=100 net0=virtio delete=a,b"),
            ("qm set 100 --onboot yes", "set vmid=100 onboot=1"),
            ("qm set 100 --onboot=off", "set vmid=100 onboot=0"),
            ("qm set 100 -memory=17", "set vmid=100 memory=17"),
            ("qm start --skiplock 100", "start vmid=100 skiplock=1"),
            ("qm shutdown 100 --forceStop 1 --timeout 3", "shutdown vmid=100 forceStop=1 timeout=3"),
            ("qm agent 100 ping", "guest cmd vmid=100 command=ping"),
            (
                "qm guest exec 100 --synchronous 0 -- ls -la",
                "guest exec vmid=100 extra-args=ls,-la synchronous=0",
            ),
            ("pct exec 200 -- sh -c true", "exec vmid=200 extra-args=sh,-c,true"),
            (
                "pct create 200 local:vztmpl/x --memory 64",
                "create vmid=200 ostemplate=local:vztmpl/x memory=64",
            ),
            ("pvesm alloc local 100 x 4M", "alloc storage=local vmid=100 filename=x size=4M"),
            ("pvesm add dir fast --path /x", "add type=dir storage=fast path=/x"),
            ("hookvisor log -f", "log follow=1"),
            ("hookvisor log -f 100", "log vmid=100 follow=1"),
            ("hookvisor log 100 --phase pre-start", "log vmid=100 phase=pre-start"),
            ("hookvisor hooks history 100 --output-format json", "hooks history vmid=100"),
            ("hookvisor init --node pve1 --fix", "init node=pve1 fix=1"),
        ] {
            assert_eq!(read(line), want, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_said_with_the_usage() {
        for (line, want) in [
            ("qm start", "400 not enough arguments\nqm start <vmid> [OPTIONS]\n"),
            ("qm start 100 200", "400 too many arguments\nqm start <vmid> [OPTIONS]\n"),
            (
                "qm set 100 --nonsense 1",
                "Unknown option: nonsense\n400 unable to parse option\nqm set <vmid> [OPTIONS]\n",
            ),
            ("qm set 100 --onboot maybe", "400 unable to parse boolean option\nqm set <vmid> [OPTIONS]\n"),
            (
                "qm set 100 --name",
                "Option name requires an argument\n400 unable to parse option\nqm set <vmid> [OPTIONS]\n",
            ),
            (
                "qm set 100 --node x",
                "Unknown option: node\n400 unable to parse option\nqm set <vmid> [OPTIONS]\n",
            ),
            (
                "qm set 100 --net32 x",
                "Unknown option: net32\n400 unable to parse option\nqm set <vmid> [OPTIONS]\n",
            ),
            ("pvesm path", "400 not enough arguments\npvesm path <volume>\n"),
            ("pct create 200", "400 not enough arguments\npct create <vmid> <ostemplate> [OPTIONS]\n"),
            ("pct exec 200", "400 not enough arguments\npct exec <vmid> [<extra-args>] [OPTIONS]\n"),
            (
                "hookvisor hooks history 100 --output-format xml",
                "400 Parameter verification failed.\noutput-format: value 'xml' does not have a value in the \
                 enumeration 'text, json, json-pretty, yaml'\n\
                 hookvisor hooks history <vmid> [OPTIONS] [FORMAT_OPTIONS]\n",
            ),
        ] {
            assert_eq!(read(line), want, "{line}");
        }
    }

    #[test]
    fn a_name_must_say_which_command_is_meant() {
        for (line, first) in [
            ("qm", "ERROR: no command specified"),
            ("qm foo", "ERROR: unknown command 'qm foo'"),
            (
                "qm snapshot 100 x",
                "ERROR: 'qm snapshot' is a command of Proxmox VE that hookvisor does not have",
            ),
            (
                "qm disk move 100",
                "ERROR: 'qm disk move' is a command of Proxmox VE that hookvisor does not have",
            ),
            ("pct df 200", "ERROR: 'pct df' is a command of Proxmox VE that hookvisor does not have"),
            ("qm disk foo", "ERROR: unknown command 'qm disk foo'"),
            ("qm re 100", "ERROR: unknown command 'qm re'"),
            ("qm guest", "ERROR: no command specified"),
            ("qm guest foo", "ERROR: unknown command 'qm guest foo'"),
            ("qm guest exec- 100 1", "guest exec-status vmid=100 pid=1"),
            ("qm guest exec 100 -- x", "guest exec vmid=100 extra-args=x"),
        ] {
            assert_eq!(read(line).lines().next(), Some(first), "{line}");
        }
        let usage = read("qm foo");
        assert!(usage.contains("\nUSAGE: qm <COMMAND> [ARGS] [OPTIONS]\n       qm "), "{usage}");
        assert!(usage.contains("\n       qm guest cmd <vmid> <command>\n"), "{usage}");
    }

    #[test]
    fn help_is_everywhere() {
        for (line, first) in [
            ("qm help start", "USAGE: qm start <vmid> [OPTIONS]"),
            ("qm start --help", "USAGE: qm start <vmid> [OPTIONS]"),
            ("qm start 100 -h", "USAGE: qm start <vmid> [OPTIONS]"),
            ("qm help guest exec", "USAGE: qm guest exec <vmid> [<extra-args>] [OPTIONS]"),
            ("qm help guest", "USAGE: qm guest <COMMAND> [ARGS] [OPTIONS]"),
            ("qm guest --help", "USAGE: qm guest <COMMAND> [ARGS] [OPTIONS]"),
            ("qm --help", "Virtual machines: makes, changes, starts and stops them."),
            ("pct exec 200 -- ls --help", "exec vmid=200 extra-args=ls,--help"),
        ] {
            assert_eq!(read(line).lines().next(), Some(first), "{line}");
        }
    }
}
