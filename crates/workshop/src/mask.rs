//! What is not to be shown of a run: passwords, tokens and keys, wherever in it they stand.

use crate::rules::secrets::{is_place, is_secret, known_token, names_a_secret};
use hooks::context::MASKED;
use regex_lite::Regex;
use serde_json::Value;
use std::ops::Range;
use std::sync::LazyLock;

/// What is shorter may stand anywhere by chance.
const SHORTEST: usize = 4;

/// From this length on a secret is found inside of words, too.
const LONG: usize = 8;

/// The secrets that a run is known to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mask {
    /// The longest first, as one may hold another.
    known: Vec<String>,
}

impl Mask {
    /// Takes the value of a variable, which is a secret as a whole or has one in it.
    pub fn learn(&mut self, name: &str, value: &str) {
        if is_named(name) {
            value.lines().for_each(|line| self.know(line.trim()));
        } else {
            self.read(value);
        }
    }

    /// Takes the secrets that a text shows by their form, such as what a script has printed.
    pub fn read(&mut self, text: &str) {
        let mut in_key = false;
        for line in text.lines() {
            in_key |= line.contains("-----BEGIN") && line.contains("PRIVATE KEY-----");
            if in_key {
                self.know(line.trim());
            }
            in_key &= !line.contains("-----END");
            let found: Vec<&str> = spans(line).into_iter().map(|span| &line[span]).collect();
            found.into_iter().for_each(|secret| self.know(secret));
        }
    }

    /// Takes the secrets that stand in a script's text.
    pub fn read_script(&mut self, text: &str) {
        for line in text.lines() {
            let of_names = assigned(line, &ASSIGNED, is_secret);
            let found: Vec<&str> = of_names.into_iter().map(|span| &line[span]).collect();
            found.into_iter().for_each(|secret| self.know(secret));
        }
    }

    fn know(&mut self, secret: &str) {
        if secret.len() < SHORTEST || says_nothing(secret) || self.known.iter().any(|known| known == secret) {
            return;
        }
        let at = self.known.partition_point(|known| known.len() >= secret.len());
        self.known.insert(at, secret.to_owned());
    }

    /// The value of a variable as it is shown.
    #[must_use]
    pub fn variable(&self, name: &str, value: &str) -> String {
        if is_named(name) { MASKED.to_owned() } else { self.text(value) }
    }

    /// A text as it is shown.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        text.split_inclusive('\n').map(|line| self.line(line)).collect()
    }

    fn line(&self, line: &str) -> String {
        let mut found = spans(line);
        for secret in &self.known {
            let is_whole = |at: usize| {
                let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                secret.len() >= LONG
                    || !inside(line[..at].chars().next_back())
                        && !inside(line[at + secret.len()..].chars().next())
            };
            let places = line.match_indices(secret.as_str()).filter(|(at, _)| is_whole(*at));
            found.extend(places.map(|(at, _)| at..at + secret.len()));
        }
        found.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
        let (mut shown, mut done) = (String::new(), 0);
        for span in found {
            if span.start >= done {
                shown.push_str(&line[done..span.start]);
                shown.push_str(MASKED);
            }
            done = done.max(span.end);
        }
        shown + &line[done..]
    }

    /// Masks all texts in a value, also those that stand as bytes.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => match bytes(items) {
                Some(bytes) => {
                    let text = String::from_utf8_lossy(&bytes);
                    let shown = self.text(&text);
                    if shown != text {
                        *value = Value::String(shown);
                    }
                }
                None => items.iter_mut().for_each(|item| self.value(item)),
            },
            Value::Object(fields) => fields.values_mut().for_each(|field| self.value(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Bytes that are no UTF-8, as records have them.
fn bytes(items: &[Value]) -> Option<Vec<u8>> {
    let bytes: Option<Vec<u8>> =
        items.iter().map(|item| item.as_u64().and_then(|number| u8::try_from(number).ok())).collect();
    bytes.filter(|bytes| !bytes.is_empty())
}

/// Whether a variable holds a secret: its name and value say so, or its value alone.
#[must_use]
pub fn holds_secret(name: &str, value: &str) -> bool {
    is_named(name) && !says_nothing(value) || !spans(value).is_empty()
}

/// Whether the value of such a variable is a secret, with the parts of the name by underscores or by capitals.
fn is_named(name: &str) -> bool {
    if name == "cipassword" {
        return true;
    }
    let mut parted = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_uppercase() && parted.ends_with(|last: char| last.is_ascii_lowercase()) {
            parted.push('_');
        }
        parted.push(c);
    }
    names_a_secret(&parted)
}

/// Where a secret is, a variable, or one that is masked already.
fn says_nothing(value: &str) -> bool {
    value.is_empty() || value.starts_with(['$', '<']) || value.chars().all(|c| c == '*') || is_place(value)
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is right")
}

/// What marks a secret by itself, as their only groups.
static MARKED: LazyLock<[Regex; 7]> = LazyLock::new(|| {
    [
        // https://user:SECRET@host
        r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s/:@'"]*:([^\s/'"]+)@"#,
        // https://SECRET@host
        r#"[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9_-]{20,})@"#,
        // Authorization: Bearer SECRET
        r#"(?i)authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest)\s+|pveapitoken=[^\s!]+![^\s=]+=)?([^\s"',]{4,})"#,
        r#"(?i)\bbearer\s+([\w.~+/=-]*[0-9][\w.~+/=-]*|[\w.~+/=-]{16,})"#,
        // PVEAPIToken=user@realm!id=SECRET
        r#"@[\w.-]+![\w.-]+[=:]([^\s'",;&]{8,})"#,
        r#"(?i)PVEAuthCookie=([^\s;'"]+)"#,
        // curl -u user:SECRET, sshpass -p SECRET
        r#"(?:(?:^|\s)(?:-u|--user)\s+["']?[^\s:'"]+:|sshpass\s+-p\s*["']?)([^\s'"]+)"#,
    ]
    .map(pattern)
});

/// NAME=VALUE
static ASSIGNED: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"([A-Za-z_][\w.-]*)=(?:"([^"]*)"|'([^']*)'|([^\s"'&,;)\]}]+))"#));

/// --NAME VALUE
static OPTION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"--([A-Za-z][\w-]*)\s+(?:"([^"]*)"|'([^']*)'|([^\s"'-][^\s"']*))"#));

/// "NAME": "VALUE"
static FIELD: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"([A-Za-z_][\w.-]*)["']?\s*:\s*(?:"([^"]*)"|'([^']*)'|([^\s"'&,;)\]}]+))"#));

/// Where there are secrets in a line, by their form and by the names before them.
fn spans(line: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for pattern in MARKED.iter() {
        let groups = pattern.captures_iter(line).filter_map(|captures| captures.get(1));
        found.extend(groups.map(|group| group.range()));
    }
    let named = |name: &str, _: &str| is_named(name);
    found.extend(assigned(line, &ASSIGNED, named));
    found.extend(assigned(line, &OPTION, named));
    // A word behind a colon is often no more than a message: 'bad token: expected a number'.
    let random = |value: &str| value.len() >= 16 || value.contains(|c: char| c.is_ascii_digit());
    let quoted = |span: &Range<usize>| line[..span.start].ends_with(['"', '\'']);
    let fields = assigned(line, &FIELD, named);
    found.extend(fields.into_iter().filter(|span| quoted(span) || random(&line[span.clone()])));
    let mut rest = 0;
    while let Some((span, _)) = known_token(&line[rest..]) {
        found.push(rest + span.start..rest + span.end);
        rest += span.end;
    }
    found.retain(|span| !says_nothing(&line[span.clone()]));
    found
}

/// The values in a line whose names and texts are of a kind. A value may hold another name with its value.
fn assigned(line: &str, pattern: &Regex, is_meant: impl Fn(&str, &str) -> bool) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(captures) = pattern.captures_at(line, at) {
        let value = (2..=4).find_map(|group| captures.get(group));
        let (Some(name), Some(value)) = (captures.get(1), value) else { break };
        let meant = is_meant(name.as_str(), value.as_str());
        found.extend(meant.then(|| value.range()));
        at = if meant { value.end().max(name.end()) } else { name.end() };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_known_by_their_form_and_by_the_names_before_them() {
        for (line, want) in [
            ("GET https://ann:hunter22@pve1:8006/api2", "GET https://ann:*@pve1:8006/api2"),
            ("redis://:p@ss@host/0", "redis://:*@host/0"),
            ("clone https://abcdefgh0123456789xyz@git/x", "clone https://*@git/x"),
            ("ssh://git@host/x and mail ann@pve1", "ssh://git@host/x and mail ann@pve1"),
            ("-H 'Authorization: Bearer abcd'", "-H 'Authorization: Bearer *'"),
            ("sent bearer eyJ0.abc-1", "sent bearer *"),
            ("the bearer token was refused", "the bearer token was refused"),
            (
                "Authorization: PVEAPIToken=root@pam!ci=0b1c-22dd-ee",
                "Authorization: PVEAPIToken=root@pam!ci=*",
            ),
            ("PVEAPIToken=root@pam!ci=0b1c2222-22dd", "PVEAPIToken=root@pam!ci=*"),
            ("Cookie: PVEAuthCookie=PVE:root@pam:66::x==", "Cookie: PVEAuthCookie=*"),
            ("+ API_TOKEN=abc", "+ API_TOKEN=*"),
            ("url=https://x/?id=7&token=abc&y=1", "url=https://x/?id=7&token=*&y=1"),
            ("password='a long one' left", "password='*' left"),
            ("{\"apiToken\": \"abc\", \"id\": 7}", "{\"apiToken\": \"*\", \"id\": 7}"),
            ("X-Api-Key: 0123abcd", "X-Api-Key: *"),
            ("bad token: expected a number", "bad token: expected a number"),
            ("+ curl -u root:hunter2 x", "+ curl -u root:* x"),
            ("+ sshpass -p hunter2 ssh x", "+ sshpass -p * ssh x"),
            ("pvesh create /x --password hunter2 --force", "pvesh create /x --password * --force"),
            ("with ghp_0123456789abcdefghijABCDEFGHIJ0123 in it", "with * in it"),
            (
                "TOKEN_FILE=/etc/token, token=/etc/x, token=$T",
                "TOKEN_FILE=/etc/token, token=/etc/x, token=$T",
            ),
            ("passed 3, pass=3", "passed 3, pass=3"),
        ] {
            assert_eq!(Mask::default().text(line), want.replace('*', MASKED), "{line}");
        }
    }

    #[test]
    fn what_is_a_secret_in_one_place_is_one_in_all() {
        let mut mask = Mask::default();
        mask.learn("HOOKVISOR_PARAM_PASSWORD", "hunter22");
        mask.learn("HOOKVISOR_PARAM_PIN_SECRET", "4711x");
        mask.learn("HOOKVISOR_PARAM_URL", "https://ann:secretly@pve1/");
        mask.learn("HOOKVISOR_PARAM_TOKEN_FILE", "/etc/token");
        mask.read("+ TOKEN=abcdef99\n-----BEGIN PRIVATE KEY-----\nMIIBVwIBADAN\n-----END PRIVATE KEY-----");
        mask.read_script("API_KEY=\"sesame-open\"\nTOKEN=your-token-here\n");
        for (line, want) in [
            ("as xhunter22y it is", "as x*y it is"),
            ("4711x, a4711xb", "*, a4711xb"),
            ("said secretly and abcdef99", "said * and *"),
            ("MIIBVwIBADAN\nsesame-open your-token-here", "*\n* your-token-here"),
            ("/etc/token", "/etc/token"),
        ] {
            assert_eq!(mask.text(line), want.replace('*', MASKED), "{line}");
        }
        assert_eq!(mask.variable("API_TOKEN", "x"), MASKED);
        assert_eq!(mask.variable("HOOKVISOR_NODE", "pve1"), "pve1");
        assert!(holds_secret("api_token", "x7y") && holds_secret("hook", "https://ann:secretly@pve1/"));
        assert!(!holds_secret("token", "/etc/token") && !holds_secret("bridge", "vmbr0"));
        let mut value =
            json!({"lines": [{"text": [104, 117, 110, 116, 101, 114, 50, 50, 255]}], "n": [1, 300]});
        mask.value(&mut value);
        let shown = format!("{MASKED}\u{fffd}");
        assert_eq!(value, json!({"lines": [{"text": shown}], "n": [1, 300]}));
    }
}
