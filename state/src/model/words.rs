//! The sets of states.

use serde::{Deserialize, Serialize};
use std::fmt;
use ts_rs::TS;

/// Gives an enum its wire names, once, for `Display`, `FromStr`, serde and TypeScript.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $wire:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
        #[ts(export)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $wire)] $variant),+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The value as it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = super::NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($wire => Ok(Self::$variant),)+
                    _ => Err(super::NameError::new(text, concat!("one of ", $("`", $wire, "` "),+))),
                }
            }
        }
    };
}

words! {
    /// What a mirror is.
    MirrorType {
        /// A standby on GitHub or GitHub Enterprise: all aspects, roles.
        GitHub = "github",
        /// Any git URL or path: code only.
        Git = "git",
        /// A local bare mirror of an upstream.
        Pull = "pull",
        /// A local clone and its remote.
        Follow = "follow",
        /// A plain folder kept in step over the API.
        Workspace = "workspace",
    }
}

words! {
    /// Who a repository is among its mirrors.
    Role {
        /// Runs all pipelines; syncs go out from it.
        Master = "MASTER",
        /// Dormant; receives.
        Slave = "SLAVE",
        /// A standby that took over while the master was gone.
        TemporaryMaster = "TEMPORARY_MASTER",
    }
}

words! {
    /// What is kept in step.
    Aspect {
        /// Branches and tags.
        Code = "code",
        /// Actions secrets.
        Secrets = "secrets",
        /// Actions variables.
        Variables = "variables",
        /// Which workflows are enabled.
        Workflows = "workflows",
    }
}

words! {
    /// The last result of one aspect of one mirror.
    AspectStatus {
        /// Never tried.
        Unknown = "unknown",
        /// In step at the time of the last sync.
        Ok = "ok",
        /// The last sync failed.
        Failed = "failed",
        /// Not configured for this mirror, or not asked for.
        Skipped = "skipped",
        /// Waits for a decision.
        Blocked = "blocked",
    }
}

words! {
    /// The state of one mirror.
    MirrorStatus {
        /// Never synced.
        Idle = "idle",
        /// A run holds it now.
        Syncing = "syncing",
        /// The last run finished and all its aspects are in step.
        Success = "success",
        /// The last run failed in at least one aspect.
        Failed = "failed",
        /// The last run waits for a decision.
        Blocked = "blocked",
    }
}

words! {
    /// The state of one run in the history.
    RunStatus {
        /// Going on, or its process ended without a word (then it is read as failed, `interrupted`).
        Running = "running",
        /// All aspects in step.
        Success = "success",
        /// At least one aspect failed.
        Failed = "failed",
        /// At least one aspect waits for a decision; none failed.
        Blocked = "blocked",
        /// The user stopped it.
        Cancelled = "cancelled",
    }
}

impl RunStatus {
    /// The state of a mirror whose last run is so.
    pub fn of_mirror(self) -> MirrorStatus {
        match self {
            Self::Running => MirrorStatus::Syncing,
            Self::Success => MirrorStatus::Success,
            Self::Failed | Self::Cancelled => MirrorStatus::Failed,
            Self::Blocked => MirrorStatus::Blocked,
        }
    }
}

words! {
    /// What the last health check found.
    Health {
        /// Never checked.
        Unknown = "unknown",
        /// Reachable, token good, in the state that Standin left it in.
        Ok = "ok",
        /// Works, but needs attention soon (token about to expire, stale, Actions left off).
        Warning = "warning",
        /// Not reachable or not usable.
        Failed = "failed",
    }
}

words! {
    /// What a look at the master says, by the rules that the sentinel has too.
    MasterVerdict {
        /// It answers, and its heartbeat is fresh.
        Well = "well",
        /// It does not answer as it should, while the rest of the host does.
        Down = "down",
        /// The host says that it is not there (404, 403, 451), to a token that is proven valid.
        Gone = "gone",
        /// Nobody can tell from here: the token, the host's limits, or all of the host are at fault.
        Unknown = "unknown",
    }
}

words! {
    /// What set a run off.
    Trigger {
        /// A person, on the command line or in the window.
        Manual = "manual",
        /// The schedule.
        Schedule = "schedule",
        /// The `.env` file changed.
        EnvFile = "env_file",
        /// Refs of a local source changed.
        SourceRefs = "source_refs",
        /// A git hook.
        Hook = "hook",
    }
}
