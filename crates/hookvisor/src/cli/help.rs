//! Usage lines and help texts, made from the schema.

use super::command::{Command, Program};
use config::schema::{Property, Type};
use std::fmt::Write as _;

/// `qm start <vmid> [OPTIONS]`
pub(crate) fn usage(program: &Program, command: &Command) -> String {
    let mut line = format!("{} {}", program.name, command.name);
    for name in command.arguments {
        let optional = command.property(name).is_some_and(|property| property.optional);
        let _ = if optional { write!(line, " [<{name}>]") } else { write!(line, " <{name}>") };
    }
    if let Some(rest) = command.rest {
        let _ = write!(line, " {}", rest_text(rest));
    }
    for property in command.options().filter(|property| !property.optional) {
        let _ = write!(line, " --{} {}", property.name, type_text(property));
    }
    if command.options().any(|property| property.optional && property.name != "output-format") {
        line.push_str(" [OPTIONS]");
    }
    if command.formats {
        line.push_str(" [FORMAT_OPTIONS]");
    }
    line
}

/// What stands for all further words: Proxmox VE's own, or the name of what there is at least one of.
fn rest_text(name: &str) -> String {
    if name == "extra-args" { format!("[<{name}>]") } else { format!("<{name}> …") }
}

/// All commands, a usage line each: what an unknown command is answered with.
pub(crate) fn overview(program: &Program) -> String {
    let mut text = format!("USAGE: {} <COMMAND> [ARGS] [OPTIONS]\n", program.name);
    let mut group = None;
    for command in program.commands.iter().filter(|command| !command.hidden) {
        if group.is_some() && group != command.group() {
            text.push('\n');
        }
        group = command.group();
        let _ = writeln!(text, "       {}", usage(program, command));
    }
    let _ = writeln!(text, "\n       {} help [<command>]", program.name);
    text
}

/// The commands of a group.
pub(crate) fn group_overview(program: &Program, group: &str) -> String {
    let mut text = format!("USAGE: {} {group} <COMMAND> [ARGS] [OPTIONS]\n", program.name);
    for command in program.commands.iter().filter(|command| command.group() == Some(group)) {
        let _ = writeln!(text, "       {}", usage(program, command));
    }
    text
}

/// The program's page.
pub(crate) fn program(program: &Program) -> String {
    let mut text = format!("{}\n\nUSAGE: {} <COMMAND> [ARGS] [OPTIONS]\n\n", program.about, program.name);
    let shown = || program.commands.iter().filter(|command| !command.hidden);
    let width = shown().map(|command| command.name.len()).max().unwrap_or(0);
    for command in shown() {
        let _ = writeln!(text, "  {:width$}  {}", command.name, command.description);
    }
    for (alias, target) in program.aliases {
        let _ = writeln!(text, "  {alias:width$}  The same as '{target}'.");
    }
    let example =
        shown().find(|command| command.name == program.example).map_or("", |command| command.example);
    let _ = writeln!(text, "\nEXAMPLE: {example}");
    let _ = writeln!(text, "\n'{} help <command>' and '--help' tell about one command.", program.name);
    text
}

/// A group's page.
pub(crate) fn group(program: &Program, group: &str) -> String {
    let mut text = group_overview(program, group);
    text.push('\n');
    for command in program.commands.iter().filter(|command| command.group() == Some(group)) {
        let _ = writeln!(text, "  {:16}  {}", command.name, command.description);
    }
    let _ = writeln!(text, "\nEXAMPLE: {}", group_example(program, group));
    text
}

/// The program's own example where it is one of the group, or that of the group's first command.
fn group_example(program: &Program, group: &str) -> &'static str {
    let shown = || program.commands.iter().filter(|command| command.group() == Some(group));
    let best = shown().find(|command| command.name == program.example).or_else(|| shown().next());
    best.map_or("", |command| command.example)
}

/// A command's page.
pub(crate) fn command(program: &Program, command: &Command) -> String {
    let mut text = format!("USAGE: {}\n\n  {}\n", usage(program, command), command.description);
    for name in command.arguments.iter().chain(command.rest.as_ref()) {
        if let Some(property) = command.property(name) {
            let shown = format!("<{name}>");
            paragraph(&mut text, &shown, property);
        }
    }
    let mut options: Vec<&Property> = command.options().collect();
    options.sort_by_key(|property| property.name);
    for property in options {
        paragraph(&mut text, &format!("--{}", property.schema_name()), property);
    }
    let _ = writeln!(text, "\nEXAMPLE: {}", command.example);
    text
}

/// What a parameter is, in a paragraph.
pub(crate) fn paragraph(text: &mut String, name: &str, property: &Property) {
    let _ = write!(text, "\n  {name} {}", type_text(property));
    if let Some(default) = property.default {
        let _ = write!(text, " (default={default})");
    }
    text.push('\n');
    if !property.description.is_empty() {
        let _ = writeln!(text, "        {}", property.description.replace('\n', "\n        "));
    }
    if let Some(other) = property.requires {
        let _ = writeln!(text, "        Needs --{other}.");
    }
}

/// `<integer> (100 - 999999999)`
pub(crate) fn type_text(property: &Property) -> String {
    if let Some(text) = property.typetext {
        return if text.starts_with(['<', '[']) { text.to_owned() } else { format!("<{text}>") };
    }
    if !property.enumeration.is_empty() {
        return format!("<{}>", property.enumeration.join(" | "));
    }
    let range = match (property.minimum, property.maximum) {
        (Some(least), Some(most)) => format!(" ({least} - {most})"),
        (Some(least), None) => format!(" ({least} - N)"),
        (None, Some(most)) => format!(" (-N - {most})"),
        (None, None) => String::new(),
    };
    match property.kind {
        Type::Array(_) => "<array>".to_owned(),
        kind => format!("<{}>{range}", kind.as_str()),
    }
}
