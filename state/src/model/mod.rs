//! The words of Standin as types: names that cannot be malformed, and an enum for each set of states.
//!
//! Wire values (JSON, TOML, database) are the serde names and do not change. Only plain data lives here.

mod consent;
mod names;
mod notify;
mod schedule;
mod site;
mod standing;
mod status;
pub(crate) mod time;
mod words;

pub use consent::{AskedLine, ConsentChange, ConsentLine, ConsentQuestion, ConsentTopic, Wish, is_said, visible};
pub use names::{AskId, JobId, MirrorId, NameError, NotifyName, Oid, RefName, RepositoryId, RunId, Slug};
pub use notify::NotifyTrouble;
pub use schedule::{SchedulePause, ScheduleReport, ScheduledMirror};
pub use site::Site;
pub use standing::{Action, Standing};
pub use status::{
    AspectReport, MasterHealth, MirrorReport, OpenChangeReport, PulledReport, RepositoryReport, SeenTip, SentinelStatus,
};
pub use words::{
    Aspect, AspectStatus, Health, MasterCause, MasterVerdict, MirrorStatus, MirrorType, NotifyEvent, NotifyKind, Role,
    RunStatus, StandingWord, Tone, Trigger, Verb,
};
