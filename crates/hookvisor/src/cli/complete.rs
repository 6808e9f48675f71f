//! Shell completion. The scripts ask the binary itself, which answers from the same tables that it parses with.

use super::command::{Command, Program};
use super::parse::{find, next_words};
use config::format::Format;
use config::schema::{Property, Type};
use config::text::parse_boolean;
use std::collections::BTreeSet;

/// What a completion can look up on the host.
pub(crate) trait Lookup {
    /// The VMIDs that a program's commands are about.
    fn guests(&self, program: &str) -> Vec<String>;
    /// The storages.
    fn storages(&self) -> Vec<String>;
    /// The hookscripts on storages, by their volumes.
    fn snippets(&self) -> Vec<String>;
    /// The ids of guests' last runs.
    fn runs(&self) -> Vec<String>;
}

/// The words that may stand in the last place of `words`, which begins like them.
pub(crate) fn complete(program: &Program, words: &[String], host: &dyn Lookup) -> Vec<String> {
    let Some((last, before)) = words.split_last() else { return Vec::new() };
    let mut found: Vec<String> = candidates(program, before, last, host);
    found.retain(|word| word.starts_with(last.as_str()));
    found.sort();
    found.dedup();
    found
}

fn candidates(program: &Program, before: &[String], last: &str, host: &dyn Lookup) -> Vec<String> {
    let shown = || program.commands.iter().filter(|command| !command.hidden);
    let firsts = || -> BTreeSet<String> {
        let names = shown().map(|command| command.group().unwrap_or(command.name));
        names
            .chain(program.aliases.iter().map(|(alias, _)| *alias))
            .chain(["help"])
            .map(str::to_owned)
            .collect()
    };
    let Some(first) = before.first() else { return firsts().into_iter().collect() };
    if first == "help" {
        return firsts().into_iter().collect();
    }
    let members = next_words(program, &before.join(" "));
    if !members.is_empty() {
        return members.into_iter().map(str::to_owned).collect();
    }
    let Ok((command, words)) = find(program, before) else { return Vec::new() };
    if let Some(property) = words.last().and_then(|word| value_of(command, word)) {
        return values(property, program, host);
    }
    if let Some((option, _)) = last.split_once('=').filter(|_| last.starts_with('-')) {
        let values = option_of(command, option).map(|property| values(property, program, host));
        return values.into_iter().flatten().map(|value| format!("{option}={value}")).collect();
    }
    if last.starts_with('-') {
        return option_names(command.options());
    }
    let place = words.iter().enumerate().filter(|(index, word)| {
        let before = index.checked_sub(1).map(|before| words[before].as_str()).unwrap_or_default();
        let truth = is_flag(command, before) && parse_boolean(word).is_some();
        !word.starts_with('-') && !truth && value_of(command, before).is_none()
    });
    // Files are the shell's to complete.
    let further = command.rest.filter(|rest| *rest != "extra-args");
    let name = command.arguments.get(place.count()).copied().or(further);
    let argument = name.and_then(|name| command.property(name));
    let arguments = argument.map(|property| values(property, program, host));
    // A flag may stand alone, so that what follows is its value or the next argument.
    if words.last().is_some_and(|word| is_flag(command, word)) {
        return [truths(), arguments.unwrap_or_default()].concat();
    }
    arguments.unwrap_or_else(|| option_names(command.options()))
}

/// The option that a word names.
fn option_of(command: &Command, word: &str) -> Option<&'static Property> {
    let name =
        word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|name| !name.contains('='))?;
    command.options().find(|property| property.is_named(name))
}

/// The option that waits for its value after this word.
fn value_of(command: &Command, word: &str) -> Option<&'static Property> {
    option_of(command, word).filter(|property| !matches!(property.kind, Type::Boolean))
}

/// Whether a word names an option that may have a value or none.
fn is_flag(command: &Command, word: &str) -> bool {
    option_of(command, word).is_some_and(|property| matches!(property.kind, Type::Boolean))
}

fn truths() -> Vec<String> {
    vec!["0".to_owned(), "1".to_owned()]
}

/// The names of options, as they are typed.
pub(crate) fn option_names(options: impl Iterator<Item = &'static Property>) -> Vec<String> {
    let name = |property: &Property| match property.count {
        Some(_) => format!("--{}0", property.name),
        None => format!("--{}", property.name),
    };
    options.map(name).collect()
}

/// The values that a parameter may have.
pub(crate) fn values(property: &Property, program: &Program, host: &dyn Lookup) -> Vec<String> {
    match (property.kind, property.format) {
        (Type::Boolean, _) => truths(),
        (Type::Array(item), _) => values(item, program, host),
        (_, Some(Format::Vmid | Format::List(Format::Vmid))) => host.guests(program.name),
        (_, Some(Format::StorageId)) => host.storages(),
        (_, Some(Format::Properties(fields))) => {
            let bare = fields.iter().find(|field| field.default_key);
            bare.map_or_else(Vec::new, |field| values(field, program, host))
        }
        _ => match (property.name, program.is_own()) {
            ("hookscript", _) | ("volume", true) => host.snippets(),
            ("run", _) if property.typetext.is_some_and(|text| text.contains("vmid")) => {
                [host.guests(program.name), host.runs()].concat()
            }
            ("run", _) => host.runs(),
            ("vmid", _) => host.guests(program.name),
            _ => property.enumeration.iter().map(|value| (*value).to_owned()).collect(),
        },
    }
}

/// The script for a shell.
pub(crate) fn script(shell: &str, programs: &[&str]) -> Option<String> {
    let names = programs.join(" ");
    match shell {
        "bash" => Some(format!(
            // A colon and an equals sign part words for bash, which then wants only what comes behind the last one.
            "_hookvisor() {{\n    \
             local line=${{COMP_LINE:0:COMP_POINT}} words last prefix= sign before\n    \
             read -ra words <<<\"$line\"\n    \
             [[ $line == *[[:space:]] ]] && words+=(\"\")\n    \
             last=${{words[${{#words[@]}}-1]}}\n    \
             for sign in : =; do\n        \
             [[ $last == *$sign* && $COMP_WORDBREAKS == *$sign* ]] || continue\n        \
             before=${{last%\"${{last##*$sign}}\"}}\n        \
             (( ${{#before}} > ${{#prefix}} )) && prefix=$before\n    \
             done\n    \
             local IFS=$'\\n'\n    \
             COMPREPLY=($(hookvisor complete -- \"${{words[@]}}\" 2>/dev/null))\n    \
             COMPREPLY=(\"${{COMPREPLY[@]#\"$prefix\"}}\")\n}}\n\
             complete -o default -F _hookvisor {names}\n"
        )),
        "zsh" => Some(format!(
            "#compdef {names}\n_hookvisor() {{\n    local -a found\n    \
             found=(${{(f)\"$(hookvisor complete -- \"${{(@)words[1,CURRENT]}}\" 2>/dev/null)\"}})\n    \
             (( $#found )) && compadd -a found || _files\n}}\n\
             # As a file below a folder of $fpath this is the body of the function that completes.\n\
             if [[ $funcstack[1] == _* ]]; then _hookvisor \"$@\"; else compdef _hookvisor {names}; fi\n"
        )),
        "fish" => Some(format!(
            "function __hookvisor\n    \
             set -l found (hookvisor complete -- (commandline -opc) (commandline -ct) 2>/dev/null)\n    \
             set -q found[1] && printf '%s\\n' $found || __fish_complete_path (commandline -ct)\nend\n\
             for name in {names}\n    complete -c $name -f -a '(__hookvisor)'\nend\n"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::named;

    struct Host;

    impl Lookup for Host {
        fn guests(&self, program: &str) -> Vec<String> {
            if program == "qm" { vec!["100".into(), "101".into()] } else { vec!["200".into()] }
        }

        fn storages(&self) -> Vec<String> {
            vec!["local".into()]
        }

        fn snippets(&self) -> Vec<String> {
            vec!["local:snippets/a.sh".into()]
        }

        fn runs(&self) -> Vec<String> {
            vec!["1a20748ec3a2ef3f".into()]
        }
    }

    #[test]
    fn words_are_completed_by_what_may_stand_there() {
        for (line, want) in [
            ("qm sh|", "showcmd shutdown"),
            ("qm guest |", "cmd exec exec-status"),
            ("qm start |", "100 101"),
            ("pct start 2|", "200"),
            ("qm guest cmd 100 fsf|", "fsfreeze-freeze fsfreeze-status fsfreeze-thaw"),
            ("qm set 100 --ost|", "--ostype"),
            ("qm set 100 --ostype win1|", "win10 win11"),
            ("qm set 100 --net|", "--net0"),
            ("qm create 102 --storage |", "local"),
            ("pvesm list |", "local"),
            ("qm help sta|", "start status"),
            ("hookvisor hooks history 100 --output-format js|", "json json-pretty"),
            ("hookvisor completion z|", "zsh"),
            ("hookvisor hooks check |", ""),
            ("hookvisor hooks check a.sh --out|", "--output-format"),
            ("hookvisor hooks new --language p|", "perl python"),
            ("hookvisor hooks test a.sh --life re|", "reboot refused retried-start"),
            ("qm set 100 --hookscript |", "local:snippets/a.sh"),
            ("hookvisor hooks approve local:|", "local:snippets/a.sh"),
            ("hookvisor hooks show |", "1a20748ec3a2ef3f 200"),
            ("hookvisor hooks replay 1a|", "1a20748ec3a2ef3f"),
            ("hookvisor log --run |", "1a20748ec3a2ef3f"),
            ("hookvisor hooks watch |", "200"),
            ("hookvisor startall --vms |", "200"),
            ("qm set 100 --onboot |", "0 1"),
            ("qm set 100 --onboot=|", "--onboot=0 --onboot=1"),
            ("qm set 100 --ostype=l2|", "--ostype=l24 --ostype=l26"),
            ("qm set 100 --numa0=|", ""),
            ("qm set 100 --agent |", "0 1"),
            ("qm set 100 --vga vi|", "virtio virtio-gl"),
            ("qm stop --skiplock |", "0 1 100 101"),
            ("qm stop --skiplock 1 |", "100 101"),
            ("qm stop --skiplock 100 --over|", "--overrule-shutdown"),
            ("pct set 200 --cmode t|", "tty"),
            ("hookvisor hooks replay 100 --phase post-|", "post-start post-stop"),
            ("qm nope |", ""),
        ] {
            let words: Vec<String> = line.trim_end_matches('|').split(' ').map(str::to_owned).collect();
            let program = named(&words[0]).unwrap();
            assert_eq!(complete(program, &words[1..], &Host).join(" "), want, "{line}");
        }
    }

    #[test]
    fn every_shell_has_its_script() {
        for shell in ["bash", "zsh", "fish"] {
            let script = script(shell, &["hookvisor", "qm"]).unwrap();
            assert!(script.contains("hookvisor complete --") && script.contains("hookvisor qm"), "{script}");
        }
        assert!(script("tcsh", &[]).is_none());
    }
}
