//! `pvesh usage`: the methods of a path, with their parameters.

use super::request::options;
use crate::cli::{OfPath, Program, help};
use crate::format::Format;
use api::Given;
use config::schema::Property;
use std::fmt::Write as _;

/// The text; none where the path has no method, or not the one asked for.
pub(super) fn usage(program: &'static Program, path: &str, given: &[(String, Given)]) -> Option<String> {
    let option = |name: &str| given.iter().find(|(key, _)| key == name).map(|(_, value)| value.joined());
    let on = |name: &str| option(name).as_deref() == Some("1");
    let only = option("command");
    let mut parts = Vec::new();
    for command in ["get", "set", "create", "delete"] {
        let Some(command) = program.commands.iter().find(|known| known.name == command) else { continue };
        let crate::cli::Action::Path(OfPath::Call(verb)) = command.action else { continue };
        let Some(found) = api::find(verb, path) else { continue };
        if only.as_ref().is_some_and(|only| only != command.name) {
            continue;
        }
        let own: Vec<&str> = command.options().map(|property| property.name).collect();
        let of_method = |property: &&&'static Property| {
            !own.contains(&property.name) || found.method.properties().any(|p| p.name == property.name)
        };
        let parameters = options(command, Some(found.method));
        let mut parameters: Vec<&Property> = parameters.iter().filter(of_method).copied().collect();
        parameters.sort_by_key(|property| (property.optional, property.name));
        parts.push(method(command.name, path, found.method, &parameters, on("verbose"), on("returns")));
    }
    (!parts.is_empty()).then(|| parts.join("\n"))
}

fn method(
    command: &str,
    path: &str,
    method: &'static api::Method,
    parameters: &[&Property],
    verbose: bool,
    returns: bool,
) -> String {
    let required: Vec<String> = parameters
        .iter()
        .filter(|property| !property.optional)
        .map(|property| format!("--{} {}", property.schema_name(), help::type_text(property)))
        .collect();
    let more = if parameters.iter().any(|property| property.optional) { "[OPTIONS]" } else { "" };
    let mut text =
        format!("USAGE: pvesh {command} {path} {} {more}", required.join(" ")).trim_end().to_owned();
    text.push('\n');
    if verbose {
        let _ = writeln!(text, "\n  {}", method.description);
        for property in parameters {
            help::paragraph(&mut text, &format!("--{}", property.schema_name()), property);
        }
    }
    if returns {
        let schema = Format::JsonPretty.print(&api::openapi::returned(method));
        let _ = write!(text, "\nRETURNS: {}", schema.unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::named;

    fn shown(path: &str, given: &[(&str, &str)]) -> Option<String> {
        let given: Vec<(String, Given)> =
            given.iter().map(|(name, value)| ((*name).to_owned(), Given::One((*value).to_owned()))).collect();
        usage(named("pvesh").unwrap(), path, &given)
    }

    #[test]
    fn a_line_for_each_method() {
        let start = "/nodes/pve1/qemu/100/status/start";
        assert_eq!(shown(start, &[]).unwrap(), format!("USAGE: pvesh create {start}  [OPTIONS]\n"));
        let config = shown("/nodes/pve1/qemu/100/config", &[]).unwrap();
        let commands: Vec<&str> = config.lines().filter_map(|line| line.split(' ').nth(2)).collect();
        assert_eq!(commands, ["get", "set", "create"]);
        let only = shown("/nodes/pve1/qemu/100/config", &[("command", "set")]).unwrap();
        assert_eq!(only, "USAGE: pvesh set /nodes/pve1/qemu/100/config  [OPTIONS]\n");
        let create = shown("/nodes/pve1/qemu", &[("command", "create")]).unwrap();
        assert_eq!(
            create,
            "USAGE: pvesh create /nodes/pve1/qemu --vmid <integer> (100 - 999999999) [OPTIONS]\n"
        );
        assert_eq!(shown("/nope", &[]), None);
        assert_eq!(shown(start, &[("command", "get")]), None);
    }

    #[test]
    fn it_tells_of_parameters_and_of_what_is_returned() {
        let text = shown("/nodes/pve1/qemu/100/status/start", &[("verbose", "1"), ("returns", "1")]).unwrap();
        assert!(text.contains("\n  --skiplock <boolean>\n"), "{text}");
        assert!(text.contains("\nRETURNS: {\n") && text.contains("\"type\" : \"string\""), "{text}");
    }
}
