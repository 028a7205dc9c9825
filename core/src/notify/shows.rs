//! What a look shows of each state that word is sent of: whether it is so, is not so, or cannot be told now.

use std::time::Duration;

use jiff::Timestamp;
use standin_state::model::{
    Action, Health, MirrorId, MirrorReport, MirrorStatus, NotifyEvent, Role, Standing, StandingWord, Verb,
};

use super::seen::Seen;
use super::word::Note;

/// Age of the last look at a mirror from which on that is told.
const LONG_STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// How what a state is about shows at a look.
pub(super) enum Shows {
    /// It is so; the moment is that of what this was seen from.
    So(Note, Option<Timestamp>),
    /// It is not so.
    Not,
    /// That cannot be told now: what is known stays.
    Unknown,
    /// It has no meaning there any more.
    Gone,
}

/// The kinds of states.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Failed,
    Waits,
    Stale,
    Asleep,
}

impl Kind {
    pub(super) const ALL: [Self; 4] = [Self::Failed, Self::Waits, Self::Stale, Self::Asleep];

    pub(super) fn event(self) -> NotifyEvent {
        match self {
            Self::Failed => NotifyEvent::Failed,
            Self::Waits => NotifyEvent::Waits,
            Self::Stale => NotifyEvent::Stale,
            Self::Asleep => NotifyEvent::SentinelAsleep,
        }
    }

    /// What is told when it ends; a decision that was made needs no word.
    pub(super) fn end(self) -> Option<&'static str> {
        match self {
            Self::Failed => Some("syncs work again"),
            Self::Stale => Some("it was looked at again"),
            Self::Asleep => Some("its sentinel watches again"),
            Self::Waits => None,
        }
    }

    pub(super) fn key(self, mirror: Option<&MirrorId>) -> String {
        match mirror {
            Some(mirror) => format!("{} {mirror}", self.event()),
            None => self.event().to_string(),
        }
    }
}

/// What is seen, and when.
pub(super) struct View<'a> {
    pub(super) seen: &'a Seen,
    pub(super) now: Timestamp,
    pub(super) is_sure: bool,
}

impl View<'_> {
    pub(super) fn of_mirror(&self, kind: Kind, mirror: &MirrorReport) -> Shows {
        let is_stopped = self.seen.report.error.is_some();
        match kind {
            // While it is synced, what the last sync left is neither so nor not so.
            _ if is_stopped || mirror.status == MirrorStatus::Syncing => Shows::Unknown,
            Kind::Failed => failed(mirror),
            Kind::Waits => waits(mirror),
            Kind::Stale => self.stale(mirror),
            Kind::Asleep => self.asleep(mirror),
        }
    }

    /// What is so of the whole and of no mirror.
    pub(super) fn of_whole(&self, kind: Kind) -> Shows {
        let report = &self.seen.report;
        let standing = &report.standing;
        match kind {
            Kind::Failed => match &report.error {
                Some(error) => Shows::So(note(NotifyEvent::Failed, None, error.message.clone()), None),
                None => Shows::Not,
            },
            Kind::Waits if waits_for_a_person(standing) => {
                let is_denied = report.consent.as_ref().is_some_and(|question| question.is_denied);
                match standing.word {
                    StandingWord::ConsentNeeded if is_denied => Shows::Gone,
                    _ => Shows::So(standing_note(NotifyEvent::Waits, None, standing), None),
                }
            }
            Kind::Waits => Shows::Not,
            Kind::Stale | Kind::Asleep => Shows::Gone,
        }
    }

    fn stale(&self, mirror: &MirrorReport) -> Shows {
        let standing = &mirror.standing;
        match standing.word {
            StandingWord::Stale => {
                let is_long = standing
                    .since_iso
                    .is_some_and(|looked| self.now.as_second().abs_diff(looked.as_second()) >= LONG_STALE.as_secs());
                let text = "nobody has looked at it for a day";
                let found = Note { text: text.to_owned(), ..standing_note(NotifyEvent::Stale, Some(mirror), standing) };
                // Right after the clock jumped, nobody knows how long it is.
                if is_long && self.is_sure { Shows::So(found, None) } else { Shows::Unknown }
            }
            StandingWord::InStep | StandingWord::Behind | StandingWord::LeftApart | StandingWord::Attention => {
                Shows::Not
            }
            word => hidden(word),
        }
    }

    /// A sentinel that failed, or that has made no check for long. That none was ever installed is no sleep.
    fn asleep(&self, mirror: &MirrorReport) -> Shows {
        let Some(sentinel) = mirror.sentinel.as_ref().filter(|_| mirror.enabled && mirror.role == Some(Role::Slave))
        else {
            return Shows::Gone;
        };
        // What cannot be reached is told as that.
        if mirror.standing.word == StandingWord::CannotTakeOver || sentinel.health == Health::Unknown {
            return Shows::Unknown;
        }
        let silence = sentinel.last_check_iso.map(|check| sentinel.looked_at_iso.duration_since(check).as_secs());
        let patience = i64::try_from(self.seen.sentinel_interval.as_secs() * 2 + 3_600).unwrap_or(i64::MAX);
        let is_late = sentinel.health > Health::Ok && silence.is_some_and(|silence| silence > patience);
        if sentinel.health != Health::Failed && !is_late {
            return Shows::Not;
        }
        let detail = sentinel.detail.as_deref().unwrap_or("it does not watch");
        let found = note(NotifyEvent::SentinelAsleep, Some(&mirror.id), format!("its sentinel: {detail}"));
        Shows::So(Note { command: Some("standin sentinel check".to_owned()), ..found }, Some(sentinel.looked_at_iso))
    }
}

fn failed(mirror: &MirrorReport) -> Shows {
    let standing = &mirror.standing;
    match standing.word {
        StandingWord::Failed | StandingWord::CannotTakeOver => {
            Shows::So(standing_note(NotifyEvent::Failed, Some(mirror), standing), None)
        }
        StandingWord::InStep
        | StandingWord::Behind
        | StandingWord::LeftApart
        | StandingWord::Attention
        | StandingWord::Stale => Shows::Not,
        word => hidden(word),
    }
}

fn waits(mirror: &MirrorReport) -> Shows {
    let standing = &mirror.standing;
    match standing.word {
        StandingWord::Waits => Shows::So(standing_note(NotifyEvent::Waits, Some(mirror), standing), None),
        // What stops everything is told of the whole.
        StandingWord::ConsentNeeded | StandingWord::ChangeOpen | StandingWord::CannotTakeOver => Shows::Unknown,
        _ => Shows::Not,
    }
}

/// What a word says of something that it does not speak of: nothing as long as it may be so behind it.
fn hidden(word: StandingWord) -> Shows {
    match word {
        StandingWord::ConsentNeeded
        | StandingWord::ChangeOpen
        | StandingWord::MasterGone
        | StandingWord::MasterDown
        | StandingWord::MasterUnknown
        | StandingWord::CannotTakeOver
        | StandingWord::Waits
        | StandingWord::Failed
        | StandingWord::WaitsForHandBack
        | StandingWord::Syncing => Shows::Unknown,
        // Another place, or none that is kept in step: what was so of it has no meaning any more.
        StandingWord::SwitchedOff
        | StandingWord::NoMirrors
        | StandingWord::NeverSynced
        | StandingWord::StandsIn
        | StandingWord::IsMaster => Shows::Gone,
        StandingWord::Attention
        | StandingWord::Stale
        | StandingWord::Behind
        | StandingWord::LeftApart
        | StandingWord::InStep => Shows::Not,
    }
}

/// Whether nothing goes on before a person says something: as the exit status has it.
fn waits_for_a_person(standing: &Standing) -> bool {
    match standing.word {
        StandingWord::ConsentNeeded => true,
        StandingWord::ChangeOpen => standing.actions.iter().all(|action| action.verb == Verb::Resume),
        _ => false,
    }
}

pub(super) fn note(event: NotifyEvent, mirror: Option<&MirrorId>, text: String) -> Note {
    Note { event, mirror: mirror.cloned(), text, since_iso: None, command: None }
}

/// A note with the words and the best action of a standing.
fn standing_note(event: NotifyEvent, mirror: Option<&MirrorReport>, standing: &Standing) -> Note {
    let text = if standing.reason.is_empty() { standing.label.clone() } else { standing.reason.clone() };
    let command = standing.actions.first().map(|Action { command, .. }| command.clone());
    let found = note(event, mirror.map(|mirror| &mirror.id), text);
    Note { since_iso: standing.since_iso, command, ..found }
}
