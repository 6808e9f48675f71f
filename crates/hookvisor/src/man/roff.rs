//! Pages in the language of man(7).

use std::fmt::Write as _;

/// A page that grows.
pub(super) struct Roff(String);

impl Roff {
    /// Begins a page of section 1.
    pub(super) fn new(name: &str, date: &str) -> Self {
        let mut text = ".\\\" Made by `hookvisor man`.\n".to_owned();
        // The rest of a package's version, as 0.1.0~20261123.abc, does not fit below a page.
        let version = model::version().split('~').next().unwrap_or_default();
        let title = escaped(&name.to_uppercase());
        let _ = writeln!(text, ".TH {title} 1 {date} \"hookvisor {version}\" \"hookvisor\"");
        Self(text)
    }

    /// A section.
    pub(super) fn section(&mut self, title: &str) {
        let _ = writeln!(self.0, ".SH {title}");
    }

    /// A paragraph for each line of the text.
    pub(super) fn text(&mut self, text: &str) {
        for (index, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
            if index > 0 {
                self.0.push_str(".PP\n");
            }
            let _ = writeln!(self.0, "{}", escaped(line.trim()));
        }
    }

    /// Something between paragraphs.
    pub(super) fn paragraph(&mut self) {
        self.0.push_str(".PP\n");
    }

    /// What is typed, as it is.
    pub(super) fn typed(&mut self, line: &str) {
        let _ = writeln!(self.0, ".nf\n.B {}\n.fi", escaped(line));
    }

    /// An item: a bold name, its type, and what it is.
    pub(super) fn item(&mut self, name: &str, kind: &str, text: &str) {
        let kind = if kind.is_empty() { String::new() } else { format!(" {}", escaped(kind)) };
        let _ = writeln!(self.0, ".TP\n\\fB{}\\fR{kind}", escaped(name));
        for (index, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
            if index > 0 {
                self.0.push_str(".br\n");
            }
            let _ = writeln!(self.0, "{}", escaped(line.trim()));
        }
    }

    /// An item that is a reference to another page.
    pub(super) fn reference(&mut self, page: &str, text: &str) {
        let _ = writeln!(self.0, ".TP\n.BR {} (1)\n{}", escaped(page), escaped(text));
    }

    /// References to pages, behind each other.
    pub(super) fn references(&mut self, pages: &[(&str, u8)]) {
        for (index, (page, section)) in pages.iter().enumerate() {
            let comma = if index + 1 < pages.len() { " ," } else { "" };
            let _ = writeln!(self.0, ".BR {} ({section}){comma}", escaped(page));
        }
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A text as it is printed: nothing in it is a request, and what is copied from it is what was meant.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    if text.starts_with(['.', '\'']) {
        out.push_str("\\&");
    }
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '"' => out.push_str("\\(dq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '…' => out.push_str("\\&..."),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_a_request() {
        assert_eq!(escaped(".SH"), "\\&.SH");
        assert_eq!(escaped("'qm' --on\\off"), "\\&\\(aqqm\\(aq \\-\\-on\\eoff");
    }
}
