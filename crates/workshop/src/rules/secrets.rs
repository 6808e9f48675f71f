//! HV012: a secret in the file.

use super::{finding, short};
use crate::finding::Finding;
use crate::flow::ir::{Node, Op, Target};
use crate::rule::Rule;
use crate::script::Source;
use std::collections::BTreeMap;
use std::ops::Range;

/// What tokens of well-known services begin with, how many characters follow at least, and what they are.
const TOKENS: [(&str, usize, &str); 12] = [
    ("ghp_", 30, "a token of GitHub"),
    ("github_pat_", 30, "a token of GitHub"),
    ("glpat-", 18, "a token of GitLab"),
    ("xoxb-", 20, "a token of Slack"),
    ("xoxp-", 20, "a token of Slack"),
    ("AKIA", 16, "a key of Amazon"),
    ("sk-", 32, "an API key"),
    ("tskey-", 16, "a key of Tailscale"),
    ("hvs.", 20, "a token of Vault"),
    ("https://hooks.slack.com/services/T", 20, "a webhook of Slack"),
    ("https://discord.com/api/webhooks/", 30, "a webhook of Discord"),
    ("https://discordapp.com/api/webhooks/", 30, "a webhook of Discord"),
];

/// Words in the names of variables that hold secrets.
const NAMES: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "access_key",
    "private_key",
    "credential",
    "auth_key",
    "authkey",
    "webhook_url",
    "pass",
];

/// Words in the names of variables that say where a secret is, or something about it.
const PLACES: [&str; 16] = [
    "file", "path", "dir", "name", "id", "len", "length", "url", "cmd", "command", "ttl", "prefix", "type",
    "header", "env", "var",
];

/// Looks for secrets in a script's text and in what it assigns.
pub(crate) fn in_text(source: &Source, body: Option<&Node>) -> Vec<Finding> {
    let mut found: BTreeMap<usize, Finding> = BTreeMap::new();
    for (line, text) in (1..).zip(source.text.lines()) {
        if let Some((_, what)) = known_token(text) {
            found
                .entry(line)
                .or_insert_with(|| finding(Rule::Secret, Some(line), format!("there is {what}")));
        }
        let own = in_settings(text)
            .map(|name| format!("the parameter '{}' has a value that looks like a secret", short(&name)));
        let url = || in_address(text).then(|| "a password stands in an address".to_owned());
        if let Some(what) = own.or_else(url) {
            found.entry(line).or_insert_with(|| finding(Rule::Secret, Some(line), what));
        }
    }
    if let Some(body) = body {
        in_steps(body, &mut found);
    }
    found.into_values().collect()
}

/// The first parameter in a line of the script's own settings that holds a secret.
fn in_settings(line: &str) -> Option<String> {
    let comment = line.trim_start().starts_with(['#', '/', '-', ';']);
    // One line is read as if it were the only one; what cannot be read is told of elsewhere.
    let settings = if comment { hooks::settings::parse(line.as_bytes()).ok()? } else { return None };
    settings.params.into_iter().find(|(name, value)| is_secret(name, value)).map(|(name, _)| name)
}

/// Whether an address holds a password: `https://USER:PASSWORD@HOST`.
fn in_address(line: &str) -> bool {
    let names = |text: &str| NAMES.contains(&text.to_lowercase().as_str());
    line.match_indices("://").any(|(at, mark)| {
        let rest = &line[at + mark.len()..];
        let authority = run_of(rest, |c| !c.is_whitespace() && !"/?#'\"`,;()|\\".contains(c));
        let Some((user, secret)) = authority.rsplit_once('@').and_then(|(own, _)| own.split_once(':')) else {
            return false;
        };
        secret.len() >= 4 && !names(secret) && !secret.eq_ignore_ascii_case(user) && !is_placeholder(secret)
    })
}

/// The first token or key of a known kind in a line: where it stands, and what it is.
pub(crate) fn known_token(line: &str) -> Option<(Range<usize>, &'static str)> {
    if line.contains("-----BEGIN") && line.contains("PRIVATE KEY-----") {
        return Some((0..line.len(), "a private key"));
    }
    for (prefix, least, what) in TOKENS {
        let mut from = 0;
        while let Some(at) = line[from..].find(prefix).map(|at| from + at) {
            let before = line[..at].chars().next_back();
            from = at + prefix.len();
            let token = run_of(&line[from..], |c| c.is_ascii_alphanumeric() || "-_/.".contains(c));
            let whole = before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
            if whole && token.len() >= least && !is_placeholder(token) {
                return Some((at..from + token.len(), what));
            }
        }
    }
    // PVEAPIToken=USER@REALM!NAME=UUID
    if let Some((_, rest)) = line.split_once("PVEAPIToken=")
        && let Some((_, rest)) = rest.split_once('!')
        && let Some((_, token)) = rest.split_once('=')
    {
        let at = line.len() - token.len();
        let token = run_of(token, |c| c.is_ascii_hexdigit() || c == '-');
        if token.len() == 36 && !is_placeholder(token) {
            return Some((at..at + token.len(), "an API token of Proxmox VE"));
        }
    }
    None
}

/// What a text begins with of these characters.
fn run_of(text: &str, wanted: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|c| !wanted(c)).unwrap_or(text.len())]
}

fn in_steps(node: &Node, found: &mut BTreeMap<usize, Finding>) {
    let mut add = |line: usize, what: String| {
        found.entry(line).or_insert_with(|| finding(Rule::Secret, Some(line), what));
    };
    node.walk(&mut |node| match &node.op {
        Op::Assign(target, value) => {
            let name = match target {
                Target::Name(name) | Target::Local(name) | Target::Field(_, name) => name.clone(),
                Target::Item(_, key) => literal(key).unwrap_or_default(),
                _ => return,
            };
            let value = match &value.op {
                // A default is as readable as a value.
                Op::Expand(_, _, crate::flow::ir::Expansion::Default(word)) => literal(word),
                Op::Or(_, word) => literal(word),
                Op::Call(callee, words, _) if asks_environment(callee) => words.get(1).and_then(literal),
                _ => literal(value),
            };
            if let Some(value) = value
                && is_secret(&name, &value)
            {
                add(node.line, format!("'{}' has a value that looks like a secret", short(name.trim_start_matches(['$', '%', '@']))));
            }
        }
        Op::Map(pairs) => {
            for (key, value) in pairs {
                let (Some(name), Some(text)) = (literal(key), literal(value)) else { continue };
                if is_secret(&name, &text) {
                    add(value.line, format!("'{}' has a value that looks like a secret", short(&name)));
                } else if name.eq_ignore_ascii_case("authorization") && bearer(&text) {
                    add(value.line, "a header holds a secret".to_owned());
                }
            }
        }
        Op::Call(_, _, named) => {
            for (name, value) in named {
                if literal(value).is_some_and(|text| is_secret(name, &text)) {
                    add(value.line, format!("'{}' has a value that looks like a secret", short(name)));
                }
            }
        }
        Op::Command(own, words) => {
            for (name, value) in own {
                if literal(value).is_some_and(|text| is_secret(name, &text)) {
                    add(node.line, format!("'{}' has a value that looks like a secret", short(name)));
                }
            }
            if let Some(what) = in_words(words) {
                add(node.line, what);
            }
        }
        Op::List(words) => {
            if let Some(what) = in_words(words) {
                add(node.line, what);
            }
        }
        Op::Pipeline(stages) => {
            let changes = stages.iter().skip(1).any(|stage| matches!(&stage.op, Op::Command(_, words) if words.first().and_then(literal).is_some_and(|name| name == "chpasswd" || name == "passwd")))
                || stages.last().is_some_and(|stage| mentions(stage, "chpasswd"));
            let printed = stages.first().and_then(|stage| match &stage.op {
                Op::Command(_, words) => words.iter().skip(1).filter_map(literal).next_back(),
                _ => None,
            });
            if let (true, Some(text)) = (changes, printed)
                && text.split_once(':').is_some_and(|(_, secret)| !secret.trim().is_empty() && !is_placeholder(secret.trim()))
            {
                add(node.line, "a password is set that stands here".to_owned());
            }
        }
        Op::Func(func) => {
            for param in &func.params {
                if let Some(text) = param.default.as_ref().and_then(literal)
                    && is_secret(&param.name, &text)
                {
                    add(node.line, format!("'{}' has a value that looks like a secret", short(&param.name)));
                }
            }
        }
        _ => {}
    });
    // Functions are not walked into by themselves.
    let mut bodies = Vec::new();
    node.walk(&mut |node| match &node.op {
        Op::Func(func) => bodies.push(func.clone()),
        Op::Class(class) => class.body.iter().for_each(|step| in_class(step, &mut bodies)),
        _ => {}
    });
    for func in bodies {
        in_steps(&func.body, found);
    }
}

/// `os.environ.get`, `os.getenv`: what stands second is what holds where there is no such variable.
fn asks_environment(callee: &Node) -> bool {
    match &callee.op {
        Op::Var(name) => name == "getenv",
        Op::Field(_, name) if name == "getenv" => true,
        Op::Field(of, name) if name == "get" => {
            matches!(&of.op, Op::Var(name) | Op::Field(_, name) if name == "environ")
        }
        _ => false,
    }
}

fn in_class(step: &Node, bodies: &mut Vec<std::rc::Rc<crate::flow::ir::Func>>) {
    step.walk(&mut |node| {
        if let Op::Func(func) = &node.op {
            bodies.push(func.clone());
        }
    });
}

fn mentions(node: &Node, word: &str) -> bool {
    let mut found = false;
    node.walk(&mut |node| found |= matches!(&node.op, Op::Text(text) if text == word));
    found
}

/// Passwords as arguments: `sshpass -p`, `curl -u USER:PASSWORD`, `Authorization: Bearer …`.
fn in_words(words: &[Node]) -> Option<String> {
    let texts: Vec<Option<String>> = words.iter().map(literal).collect();
    let program = texts.first().and_then(Option::as_deref).unwrap_or_default();
    let behind = |option: &str| {
        texts
            .iter()
            .position(|text| text.as_deref() == Some(option))
            .and_then(|at| texts.get(at + 1).cloned().flatten())
    };
    let real = |text: &String| !text.is_empty() && !is_placeholder(text);
    match program.rsplit('/').next().unwrap_or_default() {
        "sshpass" => {
            let own = behind("-p").or_else(|| {
                texts.iter().flatten().find_map(|text| {
                    text.strip_prefix("-p").filter(|rest| !rest.is_empty()).map(str::to_owned)
                })
            });
            if own.is_some_and(|text| real(&text)) {
                return Some("a password stands behind 'sshpass -p'".to_owned());
            }
        }
        "curl" | "wget" => {
            let user = behind("-u").or_else(|| behind("--user"));
            if user
                .and_then(|text| text.split_once(':').map(|(_, secret)| secret.to_owned()))
                .is_some_and(|text| real(&text))
            {
                return Some("a password stands behind 'curl -u'".to_owned());
            }
        }
        _ => {}
    }
    texts.iter().flatten().find(|text| header(text)).map(|_| "a header holds a secret".to_owned())
}

fn header(text: &str) -> bool {
    let Some((name, value)) = text.split_once(':') else { return false };
    match name.trim().to_lowercase().as_str() {
        "authorization" => bearer(value.trim()),
        "x-api-key" | "x-auth-token" | "private-token" | "x-gotify-key" => {
            let value = value.trim();
            value.len() >= 8 && !is_placeholder(value)
        }
        _ => false,
    }
}

fn bearer(value: &str) -> bool {
    let secret = value.split_once(' ').map_or("", |(_, secret)| secret.trim());
    secret.len() >= 8 && !is_placeholder(secret)
}

/// A text that stands as it is.
fn literal(node: &Node) -> Option<String> {
    match &node.op {
        Op::Text(text) => Some(text.clone()),
        Op::Concat(parts) => parts.iter().map(literal).collect(),
        Op::Spread(inner) => literal(inner),
        _ => None,
    }
}

/// Whether a variable of this name has a secret as its value.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    names_a_secret(name)
        && !NAMES.contains(&value.to_lowercase().as_str())
        && value.len() >= 4
        && !value.contains(char::is_whitespace)
        && !is_placeholder(value)
        && !is_place(value)
}

/// Whether a variable of this name holds a secret, and not only something about one.
pub(crate) fn names_a_secret(name: &str) -> bool {
    let lower = name.trim_start_matches(['$', '@', '%']).to_lowercase();
    let words: Vec<&str> = lower.split(['_', '-', '.']).collect();
    let named = NAMES.iter().any(|word| match *word {
        "pass" | "token" | "secret" => words.contains(word),
        word => lower.contains(word) || lower.replace(['-', '_'], "").contains(word),
    });
    let about = words.last().is_some_and(|last| PLACES.contains(last)) && !lower.contains("webhook_url");
    named && !about
}

/// Where a secret is, not the secret.
pub(crate) fn is_place(value: &str) -> bool {
    value.starts_with(['/', '~', '.'])
        || value.starts_with("file:")
        || value.ends_with(".txt")
        || value.ends_with(".token")
        || value.chars().all(|c| c.is_ascii_digit() && value.len() < 4)
        || matches!(value, "true" | "false" | "none" | "null" | "ask" | "prompt" | "auto" | "root@pam")
}

fn is_placeholder(value: &str) -> bool {
    let lower = value.to_lowercase();
    let same = lower.chars().all(|c| c == lower.chars().next().unwrap_or('x') || c == '-');
    same || lower.is_empty()
        || value.contains(['$', '<', '>', '{', '}', '%', '`', '\u{2026}', '*'])
        || [
            "changeme",
            "change_me",
            "change-me",
            "example",
            "your",
            "xxxx",
            "placeholder",
            "redacted",
            "insert",
            "replace",
            "dummy",
            "todo",
            "...",
            "secret_here",
            "00000000-0000",
        ]
        .iter()
        .any(|word| lower.contains(word))
}
