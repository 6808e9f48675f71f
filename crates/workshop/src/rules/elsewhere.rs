//! HV015, as a note: hookvisor's own variables, without which a script comes to nothing where Proxmox VE calls it.

use super::finding;
use crate::finding::{Finding, Level};
use crate::rule::Rule;
use crate::script::{Language, Source};
use regex_lite::Regex;

/// A variable of hookvisor's that is read as if it were always there; a note, where it is read first.
pub(crate) fn of_environment(source: &Source) -> Option<Finding> {
    let (reads, asks) = match source.language {
        // What is assigned, or asked for in any way, is none of it.
        Language::Python => (
            r#"os\.environ\[["'](HOOKVISOR_\w+)["']\](\s*=[^=])?"#,
            r#"KeyError|in os\.environ|environ\.(get|setdefault)\(["']HOOKVISOR_RUN_ID"#,
        ),
        Language::Perl => (
            r#"open\b.*\$ENV\{["']?(HOOKVISOR_\w+)["']?\}(\s*(?://|\|\|))?"#,
            r#"(exists|defined|if|unless)[ (]+\$ENV\{["']?HOOKVISOR_"#,
        ),
        Language::Shell if sets_nounset(&source.text) => {
            (r"\$(?:\{(HOOKVISOR_\w+)\}|(HOOKVISOR_\w+))", r"\$\{HOOKVISOR_\w+(:?[-+=?])|-v HOOKVISOR_")
        }
        _ => return None,
    };
    let (reads, asks) = (Regex::new(reads).ok()?, Regex::new(asks).ok()?);
    let code = |line: &&str| !line.trim_start().starts_with('#');
    if source.text.lines().filter(code).any(|line| asks.is_match(line)) {
        return None;
    }
    let (line, name) =
        (1..).zip(source.text.lines()).filter(|(_, line)| code(line)).find_map(|(number, line)| {
            let found = reads.captures(line)?;
            let handled = found.get(2).is_some_and(|rest| !rest.as_str().starts_with("HOOKVISOR_"));
            let name = found.get(1).or_else(|| found.get(2))?;
            (!handled).then(|| (number, name.as_str().to_owned()))
        })?;
    let mut found = finding(
        Rule::UnsetVariable,
        Some(line),
        format!("'{name}' is hookvisor's: Proxmox VE does not set it, and the script ends there"),
    );
    found.level = Level::Note;
    found.why =
        "a script that is to run on Proxmox VE as well has to do without; hookvisor itself has no context \
                 where its disk is full, and some variables in some phases only"
            .to_owned();
    found.mend = match source.language {
        Language::Python => {
            format!("os.environ.get(\"{name}\"), and the guest's configuration where that is None")
        }
        Language::Perl => format!("$ENV{{{name}}} // '', and the guest's configuration where that is empty"),
        _ => format!("${{{name}:-}}, and the guest's configuration where that is empty"),
    };
    Some(found)
}

fn sets_nounset(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        line.strip_prefix("set ").is_some_and(|words| {
            words.split_whitespace().any(|word| {
                word == "nounset" || word.starts_with('-') && !word.starts_with("--") && word.contains('u')
            })
        })
    })
}
