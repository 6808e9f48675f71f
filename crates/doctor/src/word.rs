//! Words for a shell.

/// A word as a shell takes it: as it is, or in quotation marks.
#[must_use]
pub fn word(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// The path of a file as a shell takes it.
pub(crate) fn path(path: &std::path::Path) -> String {
    word(path.display())
}

/// The command that opens a file for who mends it by hand, at a line where that is known.
pub(crate) fn edit(file: &std::path::Path, line: Option<usize>) -> String {
    let at = line.map(|line| format!("+{line} ")).unwrap_or_default();
    format!("${{EDITOR:-vi}} {at}{}", path(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(word("/srv/a-b.sh"), "/srv/a-b.sh");
        assert_eq!(word("it's $HOME"), "'it'\\''s $HOME'");
        assert_eq!(word(""), "''");
    }
}
