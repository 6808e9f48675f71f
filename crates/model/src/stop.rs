use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its word, as in records and in the environment of a hookscript.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// Why a guest was started.
    StartReason {
        /// Somebody asked.
        User = "user",
        /// The host came up and the guest has `onboot`.
        Boot = "boot",
        /// The second half of a reboot that was asked for through hookvisor.
        Reboot = "reboot",
        /// A hookscript asked.
        Hook = "hook",
        /// Back from hibernation.
        Resume = "resume",
        /// After a rollback to a snapshot.
        Rollback = "rollback",
        /// For or after a backup.
        Backup = "backup",
        /// As the target of a migration.
        Migration = "migration",
    }
}

words! {
    /// Why a guest stopped.
    StopCause {
        /// A hard stop that was asked for.
        Stop = "stop",
        /// A shutdown that was asked for.
        Shutdown = "shutdown",
        /// The first half of a reboot that was asked for.
        Reboot = "reboot",
        /// The guest powered itself off.
        GuestPoweroff = "guest-poweroff",
        /// The guest rebooted itself and its configuration turns that into a stop.
        GuestReboot = "guest-reboot",
        /// The hypervisor, or the guest within it, ended by a fault.
        Crash = "crash",
        /// Somebody other than hookvisor killed the hypervisor.
        Killed = "killed",
        /// The start failed after `pre-start` had ended well.
        StartFailed = "start-failed",
        /// Suspended to disk.
        Hibernate = "hibernate",
        /// Stopped for a rollback.
        Rollback = "rollback",
        /// Stopped for a backup.
        Backup = "backup",
        /// The guest lives on at another host.
        Migrated = "migrated",
        /// The host goes down in an orderly way.
        HostShutdown = "host-shutdown",
        /// The host went down without warning.
        HostCrash = "host-crash",
        /// Nobody was there to see why.
        Unknown = "unknown",
    }
}
