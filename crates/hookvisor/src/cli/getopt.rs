//! The grammar of options on the command line (api.md 5.1): `--opt value`, `--opt=value`, `-opt value`, options and
//! arguments in any order, `--` before arguments that begin with a dash, unique beginnings of an option's name.

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// One value.
    Value,
    /// A value or nothing.
    Flag,
    /// One value each time it is given.
    List,
}

/// The name as it is declared, and what the option takes.
pub(crate) type Known = (String, Takes);

/// The options that a command knows.
pub(crate) trait Options {
    /// The option of exactly this name, in lower case.
    fn exact(&self, name: &str) -> Option<Known>;
    /// All options that begin like this.
    fn starting(&self, beginning: &str) -> Vec<Known>;
}

/// A command line, split.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Split {
    /// The options in the order in which they were first given; a flag without a value has none.
    pub(crate) options: Vec<(String, Vec<String>)>,
    /// What is no option.
    pub(crate) arguments: Vec<String>,
    /// Flags that were given in the form `--flag word`: the word may be an argument instead.
    pub(crate) doubtful: Vec<Doubtful>,
}

/// A word after a flag, and where it stands among the arguments if it is one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Doubtful {
    pub(crate) option: String,
    pub(crate) word: String,
    pub(crate) place: usize,
}

/// Splits a command line. What cannot be understood comes back as lines for the user.
pub(crate) fn split(words: &[String], known: &dyn Options) -> Result<Split, Vec<String>> {
    let mut split = Split::default();
    let mut problems = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            split.arguments.extend(words.cloned());
            break;
        }
        let Some(body) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|b| !b.is_empty())
        else {
            split.arguments.push(word.clone());
            continue;
        };
        let (given, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (body, None),
        };
        let (name, takes) = match find(given, known) {
            Ok(found) => found,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let value = match (value, takes) {
            (Some(value), _) => Some(value),
            (None, Takes::Value | Takes::List) => match words.next() {
                Some(value) => Some(value.clone()),
                None => {
                    problems.push(format!("Option {given} requires an argument"));
                    continue;
                }
            },
            (None, Takes::Flag) => {
                words.next_if(|next| next.as_str() == "-" || !next.starts_with('-')).map(|next| {
                    let place = split.arguments.len();
                    split.doubtful.push(Doubtful { option: name.clone(), word: next.clone(), place });
                    next.clone()
                })
            }
        };
        match split.options.iter_mut().find(|(option, _)| *option == name) {
            Some((_, values)) if takes == Takes::List => values.extend(value),
            Some((_, values)) => *values = value.into_iter().collect(),
            None => split.options.push((name, value.into_iter().collect())),
        }
    }
    if problems.is_empty() { Ok(split) } else { Err(problems) }
}

fn find(given: &str, known: &dyn Options) -> Result<Known, String> {
    let name = given.to_ascii_lowercase();
    if let Some(found) = known.exact(&name) {
        return Ok(found);
    }
    let mut candidates = known.starting(&name);
    candidates.sort_by(|a, b| a.0.cmp(&b.0));
    candidates.dedup_by(|a, b| a.0 == b.0);
    match candidates.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(format!("Unknown option: {name}")),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            Err(format!("Option {name} is ambiguous ({})", names.join(", ")))
        }
    }
}

impl Split {
    /// Gives the arguments their due, of which there may be `most`: a word that was taken as a flag's value though it
    /// is no truth value is an argument where there is room for one (`qm start --skiplock 100`).
    pub(crate) fn settle(&mut self, most: usize, is_truth: impl Fn(&str) -> bool) {
        let mut moved = 0;
        for doubtful in std::mem::take(&mut self.doubtful) {
            if self.arguments.len() >= most || is_truth(&doubtful.word) {
                continue;
            }
            if let Some((_, values)) = self.options.iter_mut().find(|(name, _)| *name == doubtful.option) {
                values.retain(|value| *value != doubtful.word);
            }
            self.arguments.insert(doubtful.place + moved, doubtful.word);
            moved += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[(&str, Takes)] = &[
        ("name", Takes::Value),
        ("net0", Takes::Value),
        ("onboot", Takes::Flag),
        ("skiplock", Takes::Flag),
        ("forcestop", Takes::Flag),
        ("delete", Takes::List),
        ("description", Takes::Value),
    ];

    struct Table;

    impl Options for Table {
        fn exact(&self, name: &str) -> Option<Known> {
            KNOWN.iter().find(|(known, _)| *known == name).map(|(name, takes)| ((*name).to_owned(), *takes))
        }

        fn starting(&self, beginning: &str) -> Vec<Known> {
            KNOWN
                .iter()
                .filter(|(known, _)| known.starts_with(beginning))
                .map(|(name, takes)| ((*name).to_owned(), *takes))
                .collect()
        }
    }

    fn words(line: &str) -> Vec<String> {
        line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// Options as `name=value`, then the arguments.
    fn read(line: &str) -> String {
        match split(&words(line), &Table) {
            Ok(mut found) => {
                found.settle(1, |word| matches!(word, "0" | "1"));
                let options =
                    found.options.iter().map(|(name, values)| format!("{name}={}", values.join("+")));
                let parts: Vec<String> = options.chain(found.arguments.iter().cloned()).collect();
                parts.join(" ")
            }
            Err(problems) => problems.join("; "),
        }
    }

    #[test]
    fn the_grammar() {
        for (line, want) in [
            ("100 --name x", "name=x 100"),
            ("--name x 100", "name=x 100"),
            ("100 --name=x", "name=x 100"),
            ("100 -name x", "name=x 100"),
            ("100 --name=", "name= 100"),
            ("100 --name -x", "name=-x 100"),
            ("100 --NAME x", "name=x 100"),
            ("100 --na x", "name=x 100"),
            ("100 --onboot", "onboot= 100"),
            ("100 --onboot 1", "onboot=1 100"),
            ("100 --onboot maybe", "onboot=maybe 100"),
            ("100 --onboot --name x", "onboot= name=x 100"),
            ("--skiplock 100", "skiplock= 100"),
            ("--skiplock 1 100", "skiplock=1 100"),
            ("100 --delete a --delete b,c", "delete=a+b,c 100"),
            ("100 --name a --name b", "name=b 100"),
            ("100 -- ls -la --name x", "100 ls -la --name x"),
            ("100 -", "100 -"),
            ("100 --nope 1", "Unknown option: nope"),
            ("100 --nope --also", "Unknown option: nope; Unknown option: also"),
            ("100 --de x", "Option de is ambiguous (delete, description)"),
            ("100 --name", "Option name requires an argument"),
        ] {
            assert_eq!(read(line), want, "{line}");
        }
    }
}
