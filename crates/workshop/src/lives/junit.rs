//! Lives as JUnit has tests, for whatever shows those.

use super::report::{Entry, LifeReport, ScriptReport, Standing};
use std::fmt::Write as _;

/// A document with a suite for each script and a case for each life.
#[must_use]
pub fn junit(reports: &[ScriptReport]) -> String {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"hookvisor\">\n");
    for report in reports {
        let failures = report.lives.iter().filter(|life| !life.passed).count();
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\">",
            escaped(&report.file),
            report.lives.len()
        );
        for life in &report.lives {
            case(&mut out, &report.file, life);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn case(out: &mut String, file: &str, life: &LifeReport) {
    let millis = life.played.timeline.last().map_or(0, |entry| entry.ms);
    let _ = writeln!(
        out,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}.{:03}\">",
        escaped(file),
        life.life.name(),
        millis / 1000,
        millis % 1000
    );
    let failed: Vec<&str> = life
        .verdicts
        .iter()
        .filter(|verdict| verdict.standing == Standing::Failed)
        .map(|verdict| verdict.what.as_str())
        .collect();
    if let [first, ..] = failed[..] {
        let _ = writeln!(
            out,
            "      <failure message=\"{}\">{}</failure>",
            escaped(first),
            escaped(&failed.join("\n"))
        );
    }
    let lines: Vec<String> = life.played.timeline.iter().map(Entry::line).collect();
    let _ = writeln!(out, "      <system-out>{}</system-out>\n    </testcase>", escaped(&lines.join("\n")));
}

/// Text as XML has it; characters that XML has not are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lives::{EntryKind, Life, Played, Verdict, World};

    #[test]
    fn a_life_that_failed_is_a_failure_and_text_is_escaped() {
        let entry = Entry {
            ms: 1205,
            vmid: Some(100),
            kind: EntryKind::Out,
            phase: Some(model::Phase::PreStart),
            text: "a < b & \u{1b}[1m".to_owned(),
            failed: false,
        };
        let verdict = Verdict {
            standing: Standing::Failed,
            phase: None,
            what: "the process 'sleep \"9\"' is left".to_owned(),
        };
        let life = LifeReport {
            life: Life::Crash,
            passed: false,
            verdicts: vec![verdict],
            played: Played { timeline: vec![entry], ..Played::default() },
        };
        let report = ScriptReport {
            file: "a.sh".to_owned(),
            world: World::Hookvisor,
            sandbox: true,
            remarks: Vec::new(),
            lives: vec![life],
        };
        let text = junit(&[report]);
        assert!(text.contains("<testsuite name=\"a.sh\" tests=\"1\" failures=\"1\" errors=\"0\">"), "{text}");
        assert!(text.contains("name=\"crash\" time=\"1.205\""), "{text}");
        assert!(text.contains("<failure message=\"the process 'sleep &quot;9&quot;' is left\">"), "{text}");
        assert!(text.contains("1205 ms  100   pre-start   | a &lt; b &amp; [1m<"), "{text}");
    }
}
