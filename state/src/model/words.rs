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
    /// What word is sent of (`[[notify]]`, `on`).
    NotifyEvent {
        /// Two looks found that the master is down, or gone.
        MasterDown = "master_down",
        /// The master that was told to be down is well.
        MasterBack = "master_back",
        /// Another repository is master now.
        Promoted = "promoted",
        /// A person has to decide.
        Waits = "waits",
        /// Syncs failed for six hours, or three times in a row.
        Failed = "failed",
        /// Nobody has looked for a day.
        Stale = "stale",
        /// A token ends in 14, 3 or 1 days.
        TokenEnds = "token_ends",
        /// The sentinel of a standby does not watch.
        SentinelAsleep = "sentinel_asleep",
        /// What was told to have failed, to be stale or to be asleep is well.
        Mended = "mended",
    }
}

words! {
    /// How word is sent (`[[notify]]`, `type`).
    NotifyKind {
        /// Published to a topic of an ntfy server.
        Ntfy = "ntfy",
        /// Posted as JSON.
        Webhook = "webhook",
        /// A program that is given JSON on standard input.
        Command = "command",
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
    /// Why a look at the master says what it says.
    #[derive(Default)]
    MasterCause {
        /// It answers, and its heartbeat is fresh.
        Well = "well",
        /// It answers, under another name.
        Renamed = "renamed",
        /// It answers with server errors, while a standby of the same host does not.
        Ill = "ill",
        /// It does not answer at all, while a standby of the same host does.
        Silent = "silent",
        /// It answers, but its default branch cannot be read, or it is empty.
        Damaged = "damaged",
        /// Its heartbeat stands still.
        Stale = "stale",
        /// The host says that it is not there, to a token that is proven valid.
        Gone = "gone",
        /// The host says that it is not there, to a token of which nobody knows whether it is valid.
        NotProven = "not_proven",
        /// No standby could be read to compare with.
        NoComparison = "no_comparison",
        /// The standbys are as ill: it is the host.
        HostIll = "host_ill",
        /// Nothing answers: the host is ill, or the network of this machine.
        NoNetwork = "no_network",
        /// There is no token to ask with.
        TokenMissing = "token_missing",
        /// The host does not accept the token.
        TokenRefused = "token_refused",
        /// The host keeps the token out.
        TokenBarred = "token_barred",
        /// The host limits the token's requests.
        Limited = "limited",
        /// It handed over: another is master.
        Replaced = "replaced",
        /// Something else.
        #[default]
        Unclear = "unclear",
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
        /// GitHub, by a webhook.
        Webhook = "webhook",
        /// A look at the source on its host.
        Upstream = "upstream",
    }
}

words! {
    /// How a mirror or repository stands, the worst first: what a person must know before all else.
    StandingWord {
        /// Its `.env` waits for its owner's yes; nothing is done before.
        ConsentNeeded = "consent_needed",
        /// A change was begun and not ended.
        ChangeOpen = "change_open",
        /// The master is gone: deleted, suspended or blocked.
        MasterGone = "master_gone",
        /// The master does not answer, or its heartbeat stands still.
        MasterDown = "master_down",
        /// The master cannot be judged: the token or the way to it is ill.
        MasterUnknown = "master_unknown",
        /// It could not take over now: it cannot be reached or used.
        CannotTakeOver = "cannot_take_over",
        /// A person has to decide.
        Waits = "waits",
        /// The last sync did not work.
        Failed = "failed",
        /// A standby stands in for the configured source.
        StandsIn = "stands_in",
        /// The configured source, while a standby stands in for it.
        WaitsForHandBack = "waits_for_hand_back",
        /// It works, with something to be looked after.
        Attention = "attention",
        /// Nobody has looked for longer than two intervals of the schedule.
        Stale = "stale",
        /// It lacks commits that the master has.
        Behind = "behind",
        /// It stays apart from the master where a person decided so.
        LeftApart = "left_apart",
        /// It was never synced.
        NeverSynced = "never_synced",
        /// A sync goes on.
        Syncing = "syncing",
        /// No mirror is configured.
        NoMirrors = "no_mirrors",
        /// Switched off by the user.
        SwitchedOff = "switched_off",
        /// It is the master.
        IsMaster = "is_master",
        /// All that is kept in step is so.
        InStep = "in_step",
    }
}

words! {
    /// How much a state needs a person.
    Tone {
        /// At once.
        Failed = "failed",
        /// Soon.
        Waiting = "waiting",
        /// Something goes on.
        Running = "running",
        /// Nothing is known, or nothing is wanted.
        Unknown = "unknown",
        /// Not at all.
        Ok = "ok",
    }
}

words! {
    /// What a person can do about a state, with one command or one click.
    Verb {
        /// Say yes to what a clone's `.env` asks for.
        Allow = "allow",
        /// Sync now.
        Sync = "sync",
        /// Look at what waits for a decision.
        Decide = "decide",
        /// Look at the master and the mirrors.
        Health = "health",
        /// Store a token.
        SetToken = "set_token",
        /// Make a standby the master.
        Promote = "promote",
        /// Hand back to the configured source.
        Demote = "demote",
        /// Say that the master, or the standby that is one, is gone.
        SayGone = "say_gone",
        /// Go on with a change of master that is open.
        Resume = "resume",
        /// Try a mirror, and see the key of its ssh host.
        Test = "test",
        /// Install the sentinel, or wake it.
        InstallSentinel = "install_sentinel",
    }
}
