//! The documentation: every page is in the summary, every link leads somewhere, every command is tested.

use super::Findings;
use std::path::{Component, Path, PathBuf};

/// All findings about Markdown files.
pub(crate) fn findings(files: &[(String, String)]) -> Findings {
    let mut wrong = Findings::new();
    let pages = || files.iter().filter(|(path, _)| path.ends_with(".md"));
    let exists =
        |path: &str| files.iter().any(|(name, _)| name == path || name.starts_with(&format!("{path}/")));
    let summary = files.iter().find(|(path, _)| path == "docs/SUMMARY.md").map_or("", |(_, text)| text);
    for (path, text) in pages() {
        if let Some(page) = path.strip_prefix("docs/").filter(|page| *page != "SUMMARY.md")
            && !summary.contains(&format!("({page})"))
        {
            wrong.push(format!("{path}: not in docs/SUMMARY.md"));
        }
        for (line, link) in links(text) {
            if !exists(&resolve(path, &link)) {
                wrong.push(format!("{path}:{line}: the link {link} leads nowhere"));
            }
        }
        for line in untested(text) {
            wrong.push(format!("{path}:{line}: a command outside a `console` block is not tested"));
        }
    }
    wrong
}

/// Links to files of the repository, with their lines.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

fn resolve(page: &str, link: &str) -> String {
    let joined = Path::new(page).parent().unwrap_or(Path::new("")).join(link);
    let mut path = PathBuf::new();
    for part in joined.components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::Normal(part) => path.push(part),
            _ => {}
        }
    }
    path.to_string_lossy().into_owned()
}

/// Lines that look like commands but stand in a block that no test plays.
fn untested(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    let mut block: Option<&str> = None;
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(language) };
            if block.is_some_and(|language| matches!(language, "" | "bash" | "shell" | "shell-session")) {
                found.push(number);
            }
        } else if line.trim_start().starts_with("$ ") && block != Some("console") {
            found.push(number);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_outside_console_blocks_are_found() {
        let text = "```console\n$ qm list\n```\n```text\n$ qm list\n```\n```\nx\n```\n";
        assert_eq!(untested(text), [5, 7]);
    }

    #[test]
    fn links_are_resolved_from_their_page() {
        assert_eq!(links("see [a](../x.md#y) and [b](https://e.org)\n"), [(1, "../x.md".to_owned())]);
        assert_eq!(resolve("docs/a.md", "../tests/b.rs"), "tests/b.rs");
    }
}
