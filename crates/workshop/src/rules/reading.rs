//! HV021: what the interpreter cannot read.

use super::{finding, short};
use crate::finding::{Finding, How, Level};
use crate::interpreter::Answer;
use crate::rule::Rule;
use crate::script::Language;

/// The one finding about a text that cannot be read: in the words of its interpreter, with what shellcheck knows of the
/// place; where the interpreter could not be asked by shellcheck alone, or by the grammar, which gives up in the lines `torn`.
pub(crate) fn of_reading(
    language: Language,
    answer: &Answer,
    shellcheck: &[(usize, String)],
    torn: &[usize],
) -> Option<Finding> {
    let places: Vec<String> =
        shellcheck.iter().map(|(line, words)| format!("line {line}: {words}")).collect();
    let hint = places.join("; ");
    if let Answer::Refused(refusal) = answer {
        let what = format!("{} cannot read it: {}", refusal.name, short(&refusal.words));
        let mut found = finding(Rule::Unreadable, refusal.line, what);
        if !hint.is_empty() {
            found.mend = format!("{}; shellcheck says: {hint}", found.mend);
        }
        return Some(found);
    }
    if let Some((line, _)) = shellcheck.first() {
        let mut found = finding(Rule::Unreadable, Some(*line), format!("shellcheck cannot read it: {hint}"));
        found.found = How::Program { program: "shellcheck".to_owned(), id: "SC1072".to_owned() };
        if *answer == Answer::Readable {
            found.level = Level::Warning;
            found.why =
                "the shell takes it for something else than is meant, which shows when it runs".to_owned();
        }
        return Some(found);
    }
    let grammar = match language {
        Language::Shell => "shell",
        Language::Perl => "Perl",
        Language::Python => "Python",
        Language::Program | Language::Other => return None,
    };
    let line = torn.first().filter(|_| *answer == Answer::Unknown)?;
    let mut found = finding(
        Rule::Unreadable,
        Some(*line),
        format!("it cannot be read as {grammar} from here on, as far as can be told without its interpreter"),
    );
    found.level = Level::Warning;
    Some(found)
}
