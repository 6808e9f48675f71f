//! Files of sections whose rest is not ours to understand: `jobs.cfg`, `replication.cfg`, `ha/resources.cfg`, `ha/rules.cfg`.
//! Whatever is not changed stays as it is, byte for byte.

use crate::text;

/// The file, as parts of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sections(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// Type and id; none for what comes before the first section.
    head: Option<(String, String)>,
    lines: Vec<String>,
}

impl Sections {
    /// Takes a file apart. Bytes that are no text are replaced.
    #[must_use]
    pub fn parse(raw: &[u8]) -> Self {
        let mut parts = vec![Part { head: None, lines: Vec::new() }];
        for line in String::from_utf8_lossy(raw).split_inclusive('\n') {
            if let Some(head) = head(line) {
                parts.push(Part { head: Some(head), lines: Vec::new() });
            }
            parts.last_mut().into_iter().for_each(|part| part.lines.push(line.to_owned()));
        }
        Self(parts)
    }

    /// The file's text.
    #[must_use]
    pub fn print(&self) -> String {
        self.0.iter().flat_map(|part| &part.lines).map(String::as_str).collect()
    }

    /// Types and ids of the sections, in their order.
    pub fn heads(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|part| part.head.as_ref()).map(|(kind, id)| (kind.as_str(), id.as_str()))
    }

    /// Removes the sections that are like this.
    pub fn remove(&mut self, which: impl Fn(&str, &str) -> bool) {
        self.0.retain(|part| part.head.as_ref().is_none_or(|(kind, id)| !which(kind, id)));
    }

    /// Takes a word out of the lists that properties of this name are. Where nothing stays of a list, its section goes where
    /// `needs` says so, else the property.
    pub fn remove_word(&mut self, property: &str, word: &str, needs: bool) {
        let mut empty = Vec::new();
        for (index, part) in self.0.iter_mut().enumerate().filter(|(_, part)| part.head.is_some()) {
            part.lines.retain_mut(|line| {
                let Some(words) = words(line, property).filter(|words| words.contains(&word)) else {
                    return true;
                };
                let rest: Vec<&str> = words.into_iter().filter(|other| *other != word).collect();
                if rest.is_empty() {
                    empty.push(index);
                    return false;
                }
                *line = format!("\t{property} {}\n", rest.join(","));
                true
            });
        }
        empty.dedup();
        for index in empty.into_iter().rev().filter(|_| needs) {
            self.0.remove(index);
        }
    }
}

fn head(line: &str) -> Option<(String, String)> {
    let (kind, id) = line.trim_end().split_once(':')?;
    let id = id.trim();
    let plain =
        |text: &str| !text.is_empty() && !text.contains(char::is_whitespace) && !text.starts_with('#');
    (plain(kind) && plain(id)).then(|| (kind.to_owned(), id.to_owned()))
}

fn words<'a>(line: &'a str, property: &str) -> Option<Vec<&'a str>> {
    let rest = line.strip_prefix([' ', '\t'])?.trim().strip_prefix(property)?;
    rest.starts_with([' ', '\t']).then(|| text::split_list(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOBS: &str = "# kept\nvzdump: backup-1\n\tschedule 21:00\n\tvmid 100,101\n\tenabled 1\n\n\
        vzdump: backup-2\n\tvmid 100\n\nother: x\n\tvmidx 100\n\tcomment vmid 100\n";

    #[test]
    fn what_is_not_changed_stays_as_it_is() {
        for text in [JOBS, "", "x", "a: b", "nonsense\n\n\r\n: x\na:\n"] {
            assert_eq!(Sections::parse(text.as_bytes()).print(), text);
        }
        let heads: Vec<(String, String)> = Sections::parse(JOBS.as_bytes())
            .heads()
            .map(|(kind, id)| (kind.to_owned(), id.to_owned()))
            .collect();
        let of = |kind: &str, id: &str| (kind.to_owned(), id.to_owned());
        assert_eq!(heads, [of("vzdump", "backup-1"), of("vzdump", "backup-2"), of("other", "x")]);
    }

    #[test]
    fn a_word_goes_and_with_the_last_one_its_section() {
        let mut jobs = Sections::parse(JOBS.as_bytes());
        jobs.remove_word("vmid", "100", true);
        let want = "# kept\nvzdump: backup-1\n\tschedule 21:00\n\tvmid 101\n\tenabled 1\n\n\
            other: x\n\tvmidx 100\n\tcomment vmid 100\n";
        assert_eq!(jobs.print(), want);
        let mut rules = Sections::parse(b"node-affinity: r\n\tresources vm:100\n\tnodes a\n");
        rules.remove_word("resources", "vm:100", false);
        assert_eq!(rules.print(), "node-affinity: r\n\tnodes a\n");
        let mut jobs = Sections::parse(b"vzdump: a\n\tvmid 100\n\tvmid 100\nvzdump: b\n\tvmid 101\n");
        jobs.remove_word("vmid", "100", true);
        assert_eq!(jobs.print(), "vzdump: b\n\tvmid 101\n");
        let mut jobs = Sections::parse(b"local: 100-0\n\ttarget b\n\nlocal: 1000-0\n\ttarget b\n");
        jobs.remove(|_, id| id.starts_with("100-"));
        assert_eq!(jobs.print(), "local: 1000-0\n\ttarget b\n");
    }
}
