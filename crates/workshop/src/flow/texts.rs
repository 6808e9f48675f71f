//! Texts as far as they are known: patterns, regular expressions, and what a shell cuts out of them.

use super::ir::Expansion;
use super::value::{Piece, Value, known};

/// Whether a text is empty, where that is certain.
pub(crate) fn emptiness(pieces: &[Piece]) -> Option<bool> {
    let some = pieces.iter().any(|piece| match piece {
        Piece::Known(text) => !text.is_empty(),
        Piece::Vmid => true,
        Piece::Unknown(_) => false,
    });
    match (some, pieces.iter().any(|piece| matches!(piece, Piece::Unknown(_)))) {
        (true, _) => Some(false),
        (false, true) => None,
        (false, false) => Some(true),
    }
}

/// Variables that the shell itself sets.
pub(crate) fn is_special(name: &str) -> bool {
    matches!(
        name,
        "?" | "!"
            | "$"
            | "-"
            | "#"
            | "*"
            | "RANDOM"
            | "SECONDS"
            | "LINENO"
            | "HOSTNAME"
            | "HOSTTYPE"
            | "OSTYPE"
            | "MACHTYPE"
            | "UID"
            | "EUID"
            | "PPID"
            | "BASHPID"
            | "IFS"
            | "OPTARG"
            | "OPTIND"
            | "REPLY"
            | "OLDPWD"
            | "PIPESTATUS"
            | "FUNCNAME"
            | "SHELL"
            | "TERM"
            | "TMPDIR"
            | "COLUMNS"
            | "LINES"
            | "GROUPS"
            | "DIRSTACK"
            | "EPOCHSECONDS"
            | "EPOCHREALTIME"
            | "SRANDOM"
            | "PS4"
            | "PS1"
            | "OPTERR"
            | "MAPFILE"
            | "COPROC"
            | "status"
            | "SHELLOPTS"
            | "argv0"
    ) || name.starts_with("BASH")
}

/// The words that a shell pattern names, and whether a value fits it.
pub(crate) fn glob(subject: &Value, pattern: &[Piece]) -> (Vec<String>, Option<bool>) {
    let Some(pattern) = known(pattern) else {
        let same = super::value::equal(subject, &Value::Text(pattern.to_vec()));
        return (Vec::new(), if same == Some(true) { same } else { None });
    };
    let words = if pattern.contains(['*', '?', '[']) { Vec::new() } else { alternatives(&pattern) };
    if subject.is_vmid() {
        // A number fits what wants digits, and nothing that has a letter in it.
        let fits = match pattern.as_str() {
            "*" | "?*" | "[0-9]*" | "[1-9]*" | "+([0-9])" | "[0-9]*[0-9]" => Some(true),
            "" | "*[!0-9]*" | "*[^0-9]*" | "*[!0-9]" | "[!0-9]*" => Some(false),
            _ if pattern.chars().any(char::is_alphabetic) && !pattern.contains(['[', '(']) => Some(false),
            _ => None,
        };
        return (words, fits);
    }
    match subject.known() {
        Some(text) => (
            words,
            translated(&pattern).and_then(|regex| Some(regex_lite::Regex::new(&regex).ok()?.is_match(&text))),
        ),
        None if pattern == "*" => (words, Some(true)),
        None => {
            let certain = super::value::equal(subject, &Value::text(pattern.clone()));
            (
                words,
                if certain == Some(false) && !pattern.contains(['*', '?', '[', '(']) {
                    certain
                } else {
                    None
                },
            )
        }
    }
}

/// `@(pre-start|post-stop)` names two words, `pre-start` one.
fn alternatives(pattern: &str) -> Vec<String> {
    match pattern.strip_prefix("@(").and_then(|rest| rest.strip_suffix(')')) {
        Some(inner) => inner.split('|').map(str::to_owned).collect(),
        None => vec![pattern.to_owned()],
    }
}

/// A shell pattern as a regular expression.
fn translated(pattern: &str) -> Option<String> {
    let mut regex = "(?s)^".to_owned();
    let mut chars = pattern.chars().peekable();
    let mut groups: Vec<char> = Vec::new();
    while let Some(c) = chars.next() {
        match c {
            '@' | '?' | '*' | '+' | '!' if chars.peek() == Some(&'(') => {
                if c == '!' {
                    return None;
                }
                chars.next();
                groups.push(c);
                regex.push_str("(?:");
            }
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                regex.push('[');
                if matches!(chars.peek(), Some('!' | '^')) {
                    chars.next();
                    regex.push('^');
                }
                for c in chars.by_ref() {
                    if c == ']' {
                        break;
                    }
                    if matches!(c, '\\' | '[' | '&' | '~') {
                        regex.push('\\');
                    }
                    regex.push(c);
                }
                regex.push(']');
            }
            '|' if !groups.is_empty() => regex.push('|'),
            ')' if !groups.is_empty() => {
                regex.push(')');
                match groups.pop() {
                    Some('@') | None => {}
                    Some(c) => regex.push(c),
                }
            }
            '\\' => {
                if let Some(c) = chars.next() {
                    regex.push_str(&regex_lite::escape(&c.to_string()));
                }
            }
            c => regex.push_str(&regex_lite::escape(&c.to_string())),
        }
    }
    regex.push('$');
    Some(regex)
}

/// The words that a regular expression names, and whether a value fits it.
pub(crate) fn regex(subject: &Value, pattern: &Value) -> (Vec<String>, Option<bool>) {
    let Some(pattern) = pattern.known() else { return (Vec::new(), None) };
    let words = named(&pattern);
    if subject.is_vmid() {
        let digits = [
            "^[0-9]+$",
            "^\\d+$",
            "[0-9]+",
            "\\d+",
            "^[1-9][0-9]*$",
            "^[0-9]*$",
            "^[[:digit:]]+$",
            "^([0-9]+)$",
            "^(\\d+)$",
            "^[1-9]\\d*$",
            "\\A\\d+\\z",
            "^[0-9]",
        ];
        let letters = !words.is_empty() && words.iter().all(|word| word.chars().any(char::is_alphabetic));
        let fits = match () {
            () if digits.contains(&pattern.as_str()) => Some(true),
            () if matches!(pattern.as_str(), "[^0-9]" | "\\D" | "[^\\d]") => Some(false),
            () if letters => Some(false),
            () => None,
        };
        return (words, fits);
    }
    let truth = match (subject.known(), regex_lite::Regex::new(&pattern)) {
        (Some(text), Ok(regex)) => Some(regex.is_match(&text)),
        _ => None,
    };
    (words, truth)
}

/// The words of an expression that is nothing but words: `^(pre-start|post-stop)$`.
fn named(pattern: &str) -> Vec<String> {
    let inner = pattern.trim_start_matches('^').trim_start_matches("\\A");
    let Some(inner) = inner.strip_suffix('$').or_else(|| inner.strip_suffix("\\z")) else {
        return Vec::new();
    };
    let inner = inner
        .strip_prefix("(?:")
        .or_else(|| inner.strip_prefix('('))
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(inner);
    let words: Vec<String> = inner.split('|').map(str::to_owned).collect();
    let plain = |word: &String| word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if words.iter().all(plain) { words } else { Vec::new() }
}

/// What a parameter's expansion makes of a value.
pub(crate) fn reshape(value: &Value, how: &Expansion, words: &[Value], about: &str) -> Value {
    // A number has no part that such a pattern takes away.
    let spares_digits = |word: &Value| {
        word.known()
            .is_some_and(|text| !text.chars().any(|c| c.is_ascii_digit() || matches!(c, '?' | '*' | '[')))
    };
    let unknown = || Value::unknown(format!("${about} {}", value.shown()));
    if value.is_vmid() {
        return match how {
            Expansion::Upper | Expansion::Lower => value.clone(),
            Expansion::Other => unknown(),
            _ if words.first().is_some_and(spares_digits) => value.clone(),
            _ => unknown(),
        };
    }
    let Some(text) = value.known() else {
        return match value {
            Value::Unset => Value::text(""),
            _ => unknown(),
        };
    };
    let word = |at: usize| words.get(at).and_then(Value::known);
    let result = match how {
        Expansion::Upper => Some(text.to_uppercase()),
        Expansion::Lower => Some(text.to_lowercase()),
        Expansion::Replace { all, .. } => word(0).zip(word(1)).and_then(|(from, to)| {
            if from.is_empty() {
                return Some(text.clone());
            }
            let regex = translated(&from)?;
            let regex = regex.trim_start_matches("(?s)^").trim_end_matches('$').to_owned();
            let regex = regex_lite::Regex::new(&regex).ok()?;
            let to = to.replace('$', "$$");
            let result =
                if *all { regex.replace_all(&text, to.as_str()) } else { regex.replace(&text, to.as_str()) };
            Some(result.into_owned())
        }),
        Expansion::CutFront { longest, .. } => {
            word(0).and_then(|pattern| cut(&text, &pattern, *longest, true))
        }
        Expansion::CutBack { longest, .. } => {
            word(0).and_then(|pattern| cut(&text, &pattern, *longest, false))
        }
        _ => None,
    };
    result.map_or_else(unknown, Value::text)
}

fn cut(text: &str, pattern: &str, longest: bool, front: bool) -> Option<String> {
    let regex = regex_lite::Regex::new(&translated(pattern)?).ok()?;
    let mut places: Vec<usize> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
    if longest == front {
        places.reverse();
    }
    for at in places {
        let (before, behind) = text.split_at(at);
        if front && regex.is_match(before) {
            return Some(behind.to_owned());
        }
        if !front && regex.is_match(behind) {
            return Some(before.to_owned());
        }
    }
    Some(text.to_owned())
}
