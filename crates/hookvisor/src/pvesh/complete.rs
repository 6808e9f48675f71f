//! Completion of paths and of their methods' options.

use super::{list, request, within};
use crate::cli::complete::{Lookup, option_names, values};
use crate::cli::{Action, OfPath, Program};
use config::schema::{Property, Type};
use model::Layout;

/// What may stand in the last place, for `pvesh` with a command before it; none for everything else.
pub(crate) fn complete(
    program: &'static Program,
    words: &[String],
    layout: &Layout,
    host: &dyn Lookup,
) -> Option<Vec<String>> {
    let (last, before) = words.split_last()?;
    let (first, before) = before.split_first()?;
    let command = program.commands.iter().find(|command| command.name == first)?;
    let Action::Path(of) = command.action else { return None };
    let mut found = match request::path(before) {
        None => paths(program, layout, last),
        Some((path, _)) => {
            let method = match of {
                OfPath::Call(verb) => api::find(verb, &path).map(|found| found.method),
                _ => None,
            };
            let options = request::options(command, method);
            let named = before.last().and_then(|word| word.strip_prefix("--"));
            let named = named.and_then(|name| options.iter().find(|property| property.is_named(name)));
            let stands_alone =
                |property: &&&Property| matches!(property.kind, Type::Boolean) && last.starts_with('-');
            let waiting = named.filter(|property| !stands_alone(property));
            match waiting {
                Some(property) => values(property, program, host),
                None => option_names(options.iter().copied()),
            }
        }
    };
    found.retain(|word| word.starts_with(last.as_str()));
    found.sort();
    found.dedup();
    Some(found)
}

/// The paths one step below the part of `typed` that is whole.
fn paths(program: &'static Program, layout: &Layout, typed: &str) -> Vec<String> {
    let folder = typed.rfind('/').map_or("", |at| &typed[..at]);
    let Some(below) = api::below(folder) else { return Vec::new() };
    let mut names = Vec::new();
    for name in below {
        match name.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            None => names.push(name.to_owned()),
            Some(parameter) => {
                let there = within(program, layout, |context| {
                    let path = if folder.is_empty() { "/" } else { folder };
                    list::there(context, path, parameter)
                });
                names.extend(there.unwrap_or_default());
            }
        }
    }
    names.iter().map(|name| format!("{folder}/{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::named;

    struct Nothing;

    impl Lookup for Nothing {
        fn guests(&self, _: &str) -> Vec<String> {
            Vec::new()
        }

        fn storages(&self) -> Vec<String> {
            Vec::new()
        }

        fn snippets(&self) -> Vec<String> {
            Vec::new()
        }

        fn runs(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn paths_and_options_are_completed() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        for (line, want) in [
            ("get /no|", "/nodes"),
            ("get /nodes/pve1/qemu/100/sta|", "/nodes/pve1/qemu/100/status"),
            (
                "create /nodes/pve1/qemu/100/status/res|",
                "/nodes/pve1/qemu/100/status/reset /nodes/pve1/qemu/100/status/resume",
            ),
            ("set /nodes/pve1/qemu/100/config --hooks|", "--hookscript"),
            ("set /nodes/pve1/qemu/100/config --onboot |", "0 1"),
            ("set /nodes/pve1/qemu/100/config --onboot --hooks|", "--hookscript"),
            ("get /version --output-format js|", "json json-pretty"),
            ("usage /nodes --com|", "--command"),
        ] {
            let words: Vec<String> = line.trim_end_matches('|').split(' ').map(str::to_owned).collect();
            let found = complete(named("pvesh").unwrap(), &words, &layout, &Nothing).unwrap();
            assert_eq!(found.join(" "), want, "{line}");
        }
        assert_eq!(complete(named("pvesh").unwrap(), &["ge".to_owned()], &layout, &Nothing), None);
    }
}
