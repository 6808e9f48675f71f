//! What a check found out.

use serde::Serialize;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Ready.
    Ok,
    /// Not as it could be, and nothing that this root needs.
    Note,
    /// Not ready.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it stands.
    pub state: State,
    /// What it is about: a device, a program, a storage, a guest's script.
    pub about: String,
    /// What is so.
    pub what: String,
    /// Why that counts; none where it is as it should be.
    pub why: Option<String>,
    /// The command for a shell that mends it; none where there is nothing to mend.
    pub mend: Option<String>,
}

impl Finding {
    /// Something that is ready.
    pub(crate) fn ok(about: impl Into<String>, what: impl Into<String>) -> Self {
        Self { state: State::Ok, about: about.into(), what: what.into(), why: None, mend: None }
    }

    /// Something that is not; `why` that counts, and the command that mends it.
    pub(crate) fn problem(
        about: impl Into<String>,
        what: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Problem,
            why: Some(why.into()),
            mend: Some(mend.into()),
            ..Self::ok(about, what)
        }
    }

    /// The same, no more than worth a note unless something `needs` it.
    pub(crate) fn unless(self, needs: bool) -> Self {
        Self { state: if needs { self.state } else { self.state.min(State::Note) }, ..self }
    }
}
