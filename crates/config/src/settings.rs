//! Files of plain settings, a line each: `datacenter.cfg` and a node's `config`.

use crate::text::trim;
use std::collections::BTreeMap;

/// The settings of a host or of all hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Reads lines `key: value`. Comments, and lines that are none of these, are passed over; of two lines with one key the
    /// later one counts.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let line = |line: &str| {
            let (key, value) = line.split_once(':').filter(|_| !line.starts_with('#'))?;
            let [key, value] = [key, value].map(|part| trim(part.as_bytes()));
            let text = |part| String::from_utf8_lossy(part).into_owned();
            (!key.is_empty()).then(|| (text(key), text(value)))
        };
        Self(text.lines().filter_map(line).collect())
    }

    /// A value as it stands there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Sets and takes away settings in a file. Comments and all other lines stay as they are.
#[must_use]
pub fn edit(raw: &[u8], set: &BTreeMap<String, String>, delete: &[&str]) -> String {
    let text = String::from_utf8_lossy(raw);
    let key = |line: &str| {
        line.split_once(':').filter(|_| !line.starts_with('#')).map(|(key, _)| key.trim().to_owned())
    };
    let changed =
        |line: &&str| key(line).is_some_and(|key| set.contains_key(&key) || delete.contains(&key.as_str()));
    let mut edited: String =
        text.lines().filter(|line| !changed(line)).flat_map(|line| [line, "\n"]).collect();
    edited.extend(set.iter().map(|(key, value)| format!("{key}: {value}\n")));
    edited
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_setting_a_comment_or_nothing() {
        let settings = Settings::parse(
            b"# notes: none\nmax_workers: 4\n\nkeyboard:de\r\nno setting\nmax_workers: 2 \n: x\nnext-id: lower=5,upper=7",
        );
        let all: Vec<_> = settings.iter().collect();
        assert_eq!(all, [("keyboard", "de"), ("max_workers", "2"), ("next-id", "lower=5,upper=7")]);
        assert_eq!((settings.get("max_workers"), settings.get("notes")), (Some("2"), None));
        assert_eq!(Settings::parse(b"\xff: \xff\x00").0.len(), 1);
    }

    #[test]
    fn an_edit_changes_what_it_names_and_nothing_else() {
        let raw = b"# notes: none\nmax_workers: 4\nodd line\nkeyboard: de\nmax_workers: 2";
        let set = BTreeMap::from([("max_workers".to_owned(), "8".to_owned())]);
        assert_eq!(edit(raw, &set, &["keyboard"]), "# notes: none\nodd line\nmax_workers: 8\n");
        assert_eq!(edit(b"", &BTreeMap::new(), &["x"]), "");
    }
}
