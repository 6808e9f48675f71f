//! The settings that a script carries in its own text, in lines that begin with `# hookvisor:`.

use crate::value::{ValueError, add_parameters, duration, split};
use model::Phase;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many lines of a file may have settings.
pub const LINES: usize = 64;

/// How much of a file may have settings, in bytes.
pub const BYTES: usize = 16 * 1024;

/// What a comment begins with in the languages that scripts are written in.
const LEADERS: [&str; 4] = ["#", "//", "--", ";"];

const KEYWORD: &str = "hookvisor:";

/// What a script says about how it wants to be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// The phases that it is called in: [`Phase::DEFAULT`] where it does not say.
    pub phases: BTreeSet<Phase>,
    /// The phases that it may be called in again where nobody saw how the first call ended.
    pub retry: BTreeSet<Phase>,
    /// What is ended with it.
    pub kill: Kill,
    /// The parameters that it takes, with their defaults, in their order.
    pub params: Vec<(String, String)>,
}

/// What is ended on a limit or an abort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kill {
    /// Its process group.
    #[default]
    Group,
    /// Everything that it forked.
    Tree,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: None,
            phases: Phase::DEFAULT.into(),
            retry: BTreeSet::new(),
            kill: Kill::default(),
            params: Vec::new(),
        }
    }
}

/// Settings that cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct SettingsError {
    /// The number of the line, from 1.
    pub line: usize,
    /// Why.
    pub reason: Reason,
}

/// Why a line of settings cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Bytes that are no text.
    #[error("the settings are not UTF-8")]
    NotText,
    /// The keyword with nothing behind it.
    #[error("no setting follows 'hookvisor:'")]
    Empty,
    /// A word that is no setting.
    #[error(
        "'{0}' is no setting: that is KEY=VALUE without blanks, also in lists, as in phases=pre-start,post-stop"
    )]
    NoSetting(String),
    /// A key that does not exist.
    #[error("unknown setting '{0}': there are timeout, phases, retry, kill and params")]
    UnknownKey(String),
    /// A key without a value.
    #[error("'{0}' has no value")]
    NoValue(&'static str),
    /// A key that has one value and has it already.
    #[error("'{0}' is set twice")]
    Twice(&'static str),
    /// A phase that does not exist.
    #[error("unknown phase '{0}': there are pre-start, post-start, agent-up, pre-stop and post-stop")]
    UnknownPhase(String),
    /// A way to end a script that does not exist.
    #[error("'{0}' is no way to end a script: there are group and tree")]
    UnknownKill(String),
    /// A repeated `pre-start` has nothing that could follow it.
    #[error("pre-start cannot be repeated: a start is not carried on after its keeper died")]
    RetryPreStart,
    /// A phase to be repeated that is never called.
    #[error("retry names {0}, which phases leaves out")]
    RetryWithoutPhase(Phase),
    /// A value that cannot be read.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// Reads the settings in a file that begins with `bytes`.
///
/// Only lines that lie wholly within the first [`LINES`] lines and [`BYTES`] bytes count, and only before the first zero
/// byte, so that a binary has none.
///
/// # Errors
/// The first setting that cannot be read: nothing that a script says about itself is passed over.
pub fn parse(bytes: &[u8]) -> Result<Settings, SettingsError> {
    let mut found = Found::default();
    for (line, text) in (1..).zip(lines(bytes)) {
        if let Some(settings) = settings_of(text) {
            found.read(line, settings).map_err(|reason| SettingsError { line, reason })?;
        }
    }
    found.finish()
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let head = &bytes[..bytes.len().min(BYTES)];
    let text = head.split(|byte| *byte == 0).next().unwrap_or_default();
    let whole = if text.len() < bytes.len() {
        // What follows belongs to the last line.
        text.iter().rposition(|byte| *byte == b'\n').map_or(&text[..0], |end| &text[..end])
    } else {
        text
    };
    whole.strip_prefix(b"\xef\xbb\xbf").unwrap_or(whole).split(|byte| *byte == b'\n').take(LINES)
}

/// What follows the keyword in a comment.
fn settings_of(line: &[u8]) -> Option<&[u8]> {
    let line = line.trim_ascii();
    let mut comment = line;
    let leader = LEADERS.iter().map(|leader| leader.as_bytes()).find(|leader| line.starts_with(leader))?;
    while let Some(rest) = comment.strip_prefix(leader) {
        comment = rest;
    }
    comment.trim_ascii_start().strip_prefix(KEYWORD.as_bytes())
}

/// What has been read so far, with the lines where that matters later.
#[derive(Default)]
struct Found {
    timeout: Option<Duration>,
    kill: Option<Kill>,
    phases: BTreeSet<Phase>,
    retry: Vec<(usize, Phase)>,
    params: Vec<(String, String)>,
}

impl Found {
    fn read(&mut self, line: usize, settings: &[u8]) -> Result<(), Reason> {
        let text = std::str::from_utf8(settings).map_err(|_| Reason::NotText)?;
        let mut any = false;
        for word in split(text, |c| c.is_ascii_whitespace())? {
            // A comma may stand between settings too.
            let word = word.strip_suffix(',').unwrap_or(word);
            if !word.is_empty() {
                any = true;
                self.set(line, word)?;
            }
        }
        if any { Ok(()) } else { Err(Reason::Empty) }
    }

    fn set(&mut self, line: usize, word: &str) -> Result<(), Reason> {
        let (key, value) = word.split_once('=').ok_or_else(|| Reason::NoSetting(word.to_owned()))?;
        let keys = ["timeout", "phases", "retry", "kill", "params"];
        let key =
            *keys.iter().find(|known| **known == key).ok_or_else(|| Reason::UnknownKey(key.to_owned()))?;
        if value.is_empty() {
            return Err(Reason::NoValue(key));
        }
        match key {
            "timeout" if self.timeout.is_some() => return Err(Reason::Twice(key)),
            "timeout" => self.timeout = Some(duration(value)?),
            "kill" if self.kill.is_some() => return Err(Reason::Twice(key)),
            "kill" => {
                self.kill = Some(match value {
                    "group" => Kill::Group,
                    "tree" => Kill::Tree,
                    other => return Err(Reason::UnknownKill(other.to_owned())),
                });
            }
            "phases" => self.phases.extend(phases(value)?),
            "retry" => {
                let phases = phases(value)?;
                if phases.contains(&Phase::PreStart) {
                    return Err(Reason::RetryPreStart);
                }
                self.retry.extend(phases.into_iter().map(|phase| (line, phase)));
            }
            _ => add_parameters(value, &mut self.params)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<Settings, SettingsError> {
        let phases = if self.phases.is_empty() { Phase::DEFAULT.into() } else { self.phases };
        for (line, phase) in &self.retry {
            if !phases.contains(phase) {
                return Err(SettingsError { line: *line, reason: Reason::RetryWithoutPhase(*phase) });
            }
        }
        Ok(Settings {
            timeout: self.timeout,
            phases,
            retry: self.retry.into_iter().map(|(_, phase)| phase).collect(),
            kill: self.kill.unwrap_or_default(),
            params: self.params,
        })
    }
}

fn phases(list: &str) -> Result<Vec<Phase>, Reason> {
    list.split(',').map(|name| name.parse().map_err(|_| Reason::UnknownPhase(name.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Phase::{PostStart, PostStop, PreStart};
    use proptest::prelude::*;

    fn error(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn several_keys_on_one_line_and_several_lines_add_up() {
        let settings = parse(
            b"#!/bin/sh\n# hookvisor: timeout=30s, phases=pre-start,post-stop, retry=post-stop\n\n  ##hookvisor: kill=tree params=bond=bond0,text=\"a, b\"\n# hookvisor: phases=post-start params=more=1\nexit 0\n",
        );
        let expected = Settings {
            timeout: Some(Duration::from_secs(30)),
            phases: [PreStart, PostStart, PostStop].into(),
            retry: [PostStop].into(),
            kill: Kill::Tree,
            params: [("bond", "bond0"), ("text", "a, b"), ("more", "1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        };
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn agent_up_has_to_be_named() {
        assert!(!parse(b"#!/bin/sh\n").unwrap().phases.contains(&Phase::AgentUp));
        let named = parse(b"#!/bin/sh\n# hookvisor: phases=agent-up retry=agent-up\n").unwrap();
        assert_eq!((named.phases, named.retry), ([Phase::AgentUp].into(), [Phase::AgentUp].into()));
    }

    #[test]
    fn every_leader_of_comments_will_do_and_other_lines_say_nothing() {
        for line in [
            "# hookvisor: kill=tree",
            "//hookvisor: kill=tree\r",
            "-- hookvisor:kill=tree",
            ";; hookvisor: kill=tree",
        ] {
            let text = format!("\u{feff}x\n{line}\n");
            assert_eq!(parse(text.as_bytes()).unwrap().kill, Kill::Tree, "{line}");
        }
        for line in [
            "hookvisor: kill=tree",
            "x # hookvisor: kill=tree",
            "# hookvisor kill=tree",
            "- hookvisor: kill=tree",
            "# see hookvisor: x",
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(Settings::default()), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (settings, reason) in [
            ("timeut=3s", "unknown setting 'timeut': there are timeout, phases, retry, kill and params"),
            ("timeout=3", "'3' is no duration: that is a whole number with ms, s, m or h, as in 30s"),
            ("timeout=0s", "'0s' is not between 1ms and 168h"),
            ("timeout=3s timeout=4s", "'timeout' is set twice"),
            ("timeout= 3s", "'timeout' has no value"),
            (
                "phases=pre-start, post-stop",
                "'post-stop' is no setting: that is KEY=VALUE without blanks, also in lists, as in phases=pre-start,post-stop",
            ),
            (
                "phases=pre-start,poststop",
                "unknown phase 'poststop': there are pre-start, post-start, agent-up, pre-stop and post-stop",
            ),
            (
                "phases=pre-start,,post-stop",
                "unknown phase '': there are pre-start, post-start, agent-up, pre-stop and post-stop",
            ),
            ("kill=all", "'all' is no way to end a script: there are group and tree"),
            (
                "retry=pre-start",
                "pre-start cannot be repeated: a start is not carried on after its keeper died",
            ),
            ("retry=post-stop phases=pre-start", "retry names post-stop, which phases leaves out"),
            (
                "params=a",
                "'a' is no parameter: that is NAME=VALUE with a name of lower-case letters, digits and '_'",
            ),
            ("params=a=\"x", "a quotation mark is not closed"),
            ("", "no setting follows 'hookvisor:'"),
            (" , ", "no setting follows 'hookvisor:'"),
        ] {
            assert_eq!(error(&format!("#!/bin/sh\n# hookvisor: {settings}\n")), format!("line 2: {reason}"));
        }
        assert_eq!(
            error("# hookvisor: kill=tree\n#\n# hookvisor: kill=tree\n"),
            "line 3: 'kill' is set twice"
        );
        assert_eq!(parse(b"# hookvisor: a=\xff").unwrap_err().reason, Reason::NotText);
    }

    #[test]
    fn only_the_head_of_a_file_counts() {
        let at = |line: usize| format!("{}# hookvisor: kill=tree\n", "\n".repeat(line - 1));
        assert_eq!(parse(at(LINES).as_bytes()).unwrap().kill, Kill::Tree);
        assert_eq!(parse(at(LINES + 1).as_bytes()).unwrap().kill, Kill::Group);
        // A line that the limit cuts would say something else than it does.
        let setting = "# hookvisor: phases=pre-start,post-stop";
        for (pad, whole) in
            [(BYTES - setting.len() - 2, true), (BYTES - setting.len() - 1, false), (BYTES - 30, false)]
        {
            let text = format!("{}\n{setting}\n", "x".repeat(pad));
            assert_eq!(parse(text.as_bytes()).unwrap() != Settings::default(), whole, "{pad}");
        }
    }

    #[test]
    fn a_binary_has_none() {
        assert_eq!(parse(b"\x7fELF\x02\x01\x01\0\0\n# hookvisor: nonsense\n"), Ok(Settings::default()));
        assert_eq!(parse(b"# hookvisor: kill=tree\n# hookvisor: ki\0ll=tree").unwrap().kill, Kill::Tree);
    }

    proptest! {
        #[test]
        fn whatever_a_file_holds_it_is_settings_or_an_error_in_it(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            words in proptest::collection::vec("(timeout|phases|retry|kill|params)?=?[a-z0-9=,\"\\- ]{0,12}", 0..6),
        ) {
            let _ = parse(&bytes);
            let text = words.iter().map(|word| format!("# hookvisor: {word}\n")).collect::<String>();
            match parse(text.as_bytes()) {
                Ok(settings) => {
                    prop_assert!(settings.retry.is_subset(&settings.phases) && !settings.phases.is_empty());
                    // It is told to the keeper through a pipe.
                    let told = serde_json::to_string(&settings).unwrap();
                    prop_assert_eq!(serde_json::from_str::<Settings>(&told).unwrap(), settings);
                }
                Err(error) => prop_assert!((1..=words.len()).contains(&error.line)),
            }
        }
    }
}
