//! From the words behind a command's name to a path, parameters and the form of the answer.

use super::text::Style;
use crate::cli::Command;
use crate::cli::command::{OUTPUT_FORMAT, output_format};
use crate::cli::getopt;
use crate::cli::parse::{Table, checked, unparsed, values};
use crate::format::Format;
use api::{Given, Method};
use config::schema::Property;

/// What a command asks for.
pub(super) struct Request {
    /// The parameters.
    pub(super) given: Vec<(String, Given)>,
    /// The form of the answer.
    pub(super) format: Format,
    /// How tables are drawn.
    pub(super) style: Style,
    /// Whether nothing of the answer is printed.
    pub(super) quiet: bool,
}

/// The path among the words, with one slash between its parts and one in front, and the other words.
pub(super) fn path(words: &[String]) -> Option<(String, Vec<String>)> {
    let value = |at: usize| at > 0 && words[at - 1].starts_with('-') && !words[at - 1].contains('=');
    let absolute = || words.iter().enumerate().position(|(at, word)| word.starts_with('/') && !value(at));
    let at = match words.first() {
        Some(first) if !first.starts_with('-') => 0,
        _ => absolute().or_else(|| words.iter().position(|word| word.starts_with('/')))?,
    };
    let parts: Vec<&str> = words[at].split('/').filter(|part| !part.is_empty()).collect();
    let others = words[..at].iter().chain(&words[at + 1..]).cloned().collect();
    Some((format!("/{}", parts.join("/")), others))
}

/// The options of a command at a path: those of its method that the path does not say, and the command's own.
pub(super) fn options(command: &Command, method: Option<&'static Method>) -> Vec<&'static Property> {
    let in_path = |property: &&Property| {
        method.is_some_and(|method| method.path.contains(&format!("{{{}}}", property.name)))
    };
    let of_method = method.into_iter().flat_map(|method| method.properties()).filter(|p| !in_path(p));
    let own =
        command.options().filter(|own| method.is_none_or(|m| m.properties().all(|p| p.name != own.name)));
    of_method.chain(own).collect()
}

impl Request {
    /// Reads the words without the path. An error is what to print before the usage line.
    pub(super) fn read(
        command: &Command,
        method: Option<&'static Method>,
        words: &[String],
    ) -> Result<Self, String> {
        let table = Table(options(command, method));
        let mut split = getopt::split(words, &table).map_err(unparsed)?;
        split.settle(0, |_| true);
        if !split.arguments.is_empty() {
            return Err("400 too many arguments\n".to_owned());
        }
        let mut request =
            Self { given: Vec::new(), format: Format::Text, style: Style::default(), quiet: false };
        let own = |name: &str| method.is_none_or(|m| m.properties().all(|property| !property.is_named(name)));
        for (name, value) in values(&table, split.options)? {
            let on = value.joined() == "1";
            match name.as_str() {
                "output-format" => request.format = output_format(Some(&checked(&OUTPUT_FORMAT, value)?)),
                "human-readable" if own(&name) => request.style.human = on,
                "noborder" if own(&name) => request.style.border = !on,
                "noheader" if own(&name) => request.style.header = !on,
                "quiet" if own(&name) => request.quiet = on,
                "noproxy" if own(&name) => {}
                _ => request.given.push((name, value)),
            }
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;
    use crate::programs::named;
    use api::Verb;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn command(name: &str) -> &'static Command {
        named("pvesh").unwrap().commands.iter().find(|command| command.name == name).unwrap()
    }

    fn read(name: &str, verb: Verb, line: &str) -> String {
        let (path, words) = path(&words(line)).unwrap();
        let method = api::find(verb, &path).map(|found| found.method);
        match Request::read(command(name), method, &words) {
            Ok(request) => {
                let given = request.given.iter().map(|(name, value)| format!(" {name}={}", value.joined()));
                path + &given.collect::<String>()
            }
            Err(text) => text,
        }
    }

    #[test]
    fn a_path_stands_anywhere_and_is_made_plain() {
        for (line, want) in [
            ("/version", "/version"),
            ("version/", "/version"),
            ("//nodes///pve1/", "/nodes/pve1"),
            ("/", "/"),
            ("--output-format json /version", "/version"),
            ("--quiet /version", "/version"),
        ] {
            assert_eq!(path(&words(line)).unwrap().0, want, "{line}");
        }
        assert_eq!(path(&words("")), None);
        assert_eq!(path(&words("--quiet")), None);
    }

    #[test]
    fn options_are_those_of_the_method_and_of_the_command() {
        for (line, want) in [
            ("/nodes/n/qemu/100/config --memory 64 -name=x", "/nodes/n/qemu/100/config memory=64 name=x"),
            ("/nodes/n/qemu/100/config --delete a --delete b", "/nodes/n/qemu/100/config delete=a,b"),
            ("/nodes/n/qemu/100/config --onboot --quiet --noborder 1", "/nodes/n/qemu/100/config onboot=1"),
            ("/nodes/n/qemu/100/config --vmid 101", "Unknown option: vmid\n400 unable to parse option\n"),
            ("/nodes/n/qemu/100/config more", "400 too many arguments\n"),
            (
                "/nodes/n/qemu/100/config --output-format xml",
                "400 Parameter verification failed.\noutput-format: value 'xml' does not have a value in the \
                 enumeration 'text, json, json-pretty, yaml'\n",
            ),
        ] {
            assert_eq!(read("set", Verb::Put, line), want, "{line}");
        }
    }
}
