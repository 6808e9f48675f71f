//! The changelog keeps the form of Keep a Changelog.

use super::Findings;

const SECTIONS: [&str; 6] = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/// All findings about `CHANGELOG.md`.
pub(crate) fn findings(files: &[(String, String)]) -> Findings {
    match files.iter().find(|(path, _)| path == "CHANGELOG.md") {
        None => vec!["CHANGELOG.md is missing".to_owned()],
        Some((_, text)) => form(text),
    }
}

fn form(text: &str) -> Findings {
    let mut wrong = Findings::new();
    let mut say = |line: usize, what: &str| wrong.push(format!("CHANGELOG.md:{line}: {what}"));
    if text.lines().next() != Some("# Changelog") {
        say(1, "must begin with `# Changelog`");
    }
    let mut releases = 0;
    let mut open: Option<(usize, bool)> = None;
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        if let Some(title) = line.strip_prefix("## ") {
            if let Some((at, false)) = open.take() {
                say(at, "a section without an entry");
            }
            if releases == 0 && title != "[Unreleased]" {
                say(number, "the first release must be `[Unreleased]`");
            }
            if releases > 0 && !is_release(title) {
                say(number, "a release is `[1.2.3] - 2026-01-31`");
            }
            releases += 1;
        } else if let Some(title) = line.strip_prefix("### ") {
            if let Some((at, false)) = open {
                say(at, "a section without an entry");
            }
            if !SECTIONS.contains(&title) {
                say(number, "not a section that Keep a Changelog has");
            }
            open = Some((number, false));
        } else if line.starts_with("- ") {
            match &mut open {
                Some((_, filled)) => *filled = true,
                None => say(number, "an entry outside a section"),
            }
        }
    }
    if releases == 0 {
        say(1, "no release, not even `[Unreleased]`");
    }
    if let Some((at, false)) = open {
        say(at, "a section without an entry");
    }
    wrong
}

fn is_release(title: &str) -> bool {
    let Some((version, date)) = title.split_once(" - ") else { return false };
    let version = version.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let numbers = |text: &str, mark: char, count: usize| {
        let parts: Vec<&str> = text.split(mark).collect();
        parts.len() == count
            && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    version.is_some_and(|version| numbers(version, '.', 3)) && date.len() == 10 && numbers(date, '-', 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_checked() {
        let good = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- a\n\n## [0.1.0] - 2026-11-22\n\n### Fixed\n\n- b\n";
        assert!(form(good).is_empty(), "{:?}", form(good));
        assert_eq!(form("# Changelog\n\n## 0.1\n\n### News\n\n### Added\n").len(), 4);
    }
}
