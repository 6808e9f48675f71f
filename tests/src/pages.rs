//! The commands that a page shows in its `console` blocks, with what it shows of their outputs.

use crate::transcript::line_matches;

/// The headings below which a page shows commands that are played on a Debian where nothing of hookvisor is installed.
pub const IN_A_DEBIAN: [&str; 3] = ["From the package", "A Debian package", "A tarball"];

/// A command of a page.
#[derive(Debug)]
pub struct Step {
    /// The number of its line.
    pub line: usize,
    /// The command, with all its lines.
    pub command: String,
    /// The lines that it shows.
    pub output: Vec<String>,
}

/// The commands below those headings that are wanted; before the first one it is empty.
#[must_use]
pub fn steps(page: &str, wanted: impl Fn(&str) -> bool) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut in_block, mut playing, mut heading) = (false, false, "");
    for (number, line) in page.lines().enumerate() {
        if let Some(language) = line.strip_prefix("```") {
            in_block = !in_block;
            playing = in_block && language == "console" && wanted(heading);
        } else if !in_block {
            heading = line.strip_prefix("## ").unwrap_or(heading);
        } else if !playing {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: number + 1, command: command.to_owned(), output: vec![] });
        } else if let Some(step) = steps.last_mut() {
            match line.strip_prefix("> ").or_else(|| line.strip_prefix('>').filter(|more| more.is_empty())) {
                Some(more) if step.output.is_empty() => step.command.push_str(&format!("\n{more}")),
                _ => step.output.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Whether the lines that are seen are those that are shown: `…` in a line is anything, a line of it any number of lines.
#[must_use]
pub fn matches(wanted: &[&str], seen: &[&str]) -> bool {
    match wanted.split_first() {
        None => seen.is_empty(),
        Some((&"…", rest)) => (0..=seen.len()).any(|at| matches(rest, &seen[at..])),
        Some((first, rest)) => {
            seen.split_first().is_some_and(|(line, seen)| line_matches(first, line) && matches(rest, seen))
        }
    }
}
