//! The lives that are played.

use keeper::simulation::Conduct;
use serde::{Deserialize, Serialize};

/// A life of a guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// It is started and shut down.
    Normal,
    /// Its start is refused before anything is done.
    Refused,
    /// It does not come up after `pre-start`.
    FailedStart,
    /// The same, and then it is started again and comes up.
    RetriedStart,
    /// It powers itself off.
    Poweroff,
    /// It is killed.
    Crash,
    /// It is rebooted.
    Reboot,
    /// It does not heed the first shutdown in time, and does the second.
    SlowShutdown,
    /// A call of the script hangs before it has done anything.
    HungHook,
    /// It comes from another node.
    Migration,
    /// Another guest with the same script lives beside it.
    TwoGuests,
}

/// One thing that is done in a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The guest is started.
    Start,
    /// It is started and does not come up.
    StartInVain,
    /// Two guests are started at the same moment.
    StartBoth,
    /// It is asked to shut down.
    Shutdown,
    /// The same, of the second guest.
    ShutdownOther,
    /// It is asked to shut down, with so little time that it fails.
    ShutdownInVain,
    /// It is rebooted, and is up again.
    Reboot,
    /// It powers itself off.
    PowerOff,
    /// Its hypervisor is killed.
    Kill,
}

impl Life {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Normal,
        Self::Refused,
        Self::FailedStart,
        Self::RetriedStart,
        Self::Poweroff,
        Self::Crash,
        Self::Reboot,
        Self::SlowShutdown,
        Self::HungHook,
        Self::Migration,
        Self::TwoGuests,
    ];

    /// The names, as [`Life::name`] has them.
    pub const NAMES: [&'static str; 11] = [
        "normal",
        "refused",
        "failed-start",
        "retried-start",
        "poweroff",
        "crash",
        "reboot",
        "slow-shutdown",
        "hung-hook",
        "migration",
        "two-guests",
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().position(|life| *life == self).map_or("", |at| Self::NAMES[at])
    }

    /// The life of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|known| *known == name).map(|at| Self::ALL[at])
    }

    /// What is done in it.
    pub(super) fn steps(self) -> &'static [Step] {
        match self {
            Self::Normal | Self::Migration => &[Step::Start, Step::Shutdown],
            Self::Refused | Self::FailedStart | Self::HungHook => &[Step::Start],
            Self::RetriedStart => &[Step::StartInVain, Step::Start, Step::Shutdown],
            Self::Poweroff => &[Step::Start, Step::PowerOff],
            Self::Crash => &[Step::Start, Step::Kill],
            Self::Reboot => &[Step::Start, Step::Reboot, Step::Shutdown],
            Self::SlowShutdown => &[Step::Start, Step::ShutdownInVain, Step::Shutdown],
            Self::TwoGuests => &[Step::StartBoth, Step::Shutdown, Step::ShutdownOther],
        }
    }

    /// What its guest does.
    pub(super) fn conduct(self) -> Conduct {
        Conduct {
            fails: matches!(self, Self::FailedStart | Self::RetriedStart),
            ignores: u32::from(self == Self::SlowShutdown),
            migrated_from: (self == Self::Migration).then(|| "pve2".to_owned()),
        }
    }

    /// Whether its start is meant to fail.
    pub(super) fn start_fails(self) -> bool {
        matches!(self, Self::Refused | Self::FailedStart | Self::HungHook)
    }
}
