//! The message that goes out. Its JSON is what webhooks and programs are given, and is documented in `docs/notifications.md`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::model::{MirrorId, NotifyEvent, RepositoryId};
use ts_rs::TS;

use crate::redact::Redactor;

/// The shape of the JSON. Fields may be added to a shape; one that changes or goes makes another.
pub const SCHEMA: u32 = 1;
/// Longest text of one note, in characters.
const LONGEST: usize = 400;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Word {
    /// The shape: 1.
    pub schema: u32,
    /// Its id. A message that is sent again, since nobody knows whether it arrived, has the same.
    pub id: String,
    /// When it was decided.
    #[ts(type = "string")]
    pub at_iso: Timestamp,
    /// The repository; `null` in a test.
    pub repository: Option<RepositoryId>,
    /// Whether the master is down: the only thing that quiet hours do not hold.
    pub urgent: bool,
    /// All in one line.
    pub title: String,
    /// The whole, for a person.
    pub text: String,
    /// What is told, the most urgent first; empty in a test.
    pub events: Vec<Note>,
    /// Whether it is only a test.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[ts(optional, as = "Option<bool>")]
    pub test: bool,
}

/// One thing that is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Note {
    /// What it is.
    pub event: NotifyEvent,
    /// The mirror that it is about; absent where it is about the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub mirror: Option<MirrorId>,
    /// What is so, for a person.
    pub text: String,
    /// Since when, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional, type = "string")]
    pub since_iso: Option<Timestamp>,
    /// What to type about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub command: Option<String>,
}

impl Word {
    /// The message that says these things of a repository.
    pub(crate) fn of(repository: &RepositoryId, notes: Vec<Note>, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            id: new_id(),
            at_iso: now,
            repository: Some(repository.clone()),
            urgent: false,
            title: String::new(),
            text: String::new(),
            events: notes,
            test: false,
        }
        .worded()
    }

    /// The same message with what one place wants to be told; `None` where that is nothing.
    pub(crate) fn only(&self, wanted: &BTreeSet<NotifyEvent>) -> Option<Self> {
        let events: Vec<Note> = self.events.iter().filter(|note| wanted.contains(&note.event)).cloned().collect();
        (!events.is_empty()).then(|| Self { events, ..self.clone() }.worded())
    }

    /// The message with the words that its events have.
    fn worded(self) -> Self {
        let repository = self.repository.as_ref().map_or("", |repository| repository.as_str());
        let first = self.events.first().map_or("", |note| headline(note.event));
        let title = match self.events.len() {
            0 | 1 => format!("{repository}: {first}"),
            count => format!("{repository}: {first}, and {} more", count - 1),
        };
        let urgent = self.events.iter().any(|note| note.event == NotifyEvent::MasterDown);
        let text = self.events.iter().map(line).collect::<Vec<_>>().join("\n");
        Self { urgent, title, text, ..self }
    }

    /// A message that says nothing but that it arrived.
    pub fn test(name: &str, now: Timestamp) -> Self {
        let text = format!("Word from Standin reaches `{name}`. Nothing has happened.");
        Self { test: true, ..Self::of_the_program("Standin: a test", text, now) }
    }

    /// What the program says of itself: nothing has happened to a repository.
    pub fn of_the_program(title: &str, text: String, now: Timestamp) -> Self {
        Self {
            schema: SCHEMA,
            id: new_id(),
            at_iso: now,
            repository: None,
            urgent: false,
            title: title.to_owned(),
            text,
            events: Vec::new(),
            test: false,
        }
    }

    /// The words of its events, with commas between them; `test` where it is one.
    pub(crate) fn event_words(&self) -> String {
        if self.test {
            return "test".to_owned();
        }
        let mut words: Vec<&str> = self.events.iter().map(|note| note.event.as_str()).collect();
        words.dedup();
        words.join(",")
    }
}

impl Note {
    /// The note as it may leave this machine: short, on lines of its own, without what must not be told.
    pub(crate) fn cleaned(self, redactor: &Redactor) -> Self {
        let clean = redactor.text(&self.text);
        let mut text: String =
            clean.chars().map(|one| if one.is_control() { ' ' } else { one }).take(LONGEST).collect();
        if clean.chars().count() > LONGEST {
            text.push('…');
        }
        Self { text, ..self }
    }
}

fn new_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// What a title says of an event.
fn headline(event: NotifyEvent) -> &'static str {
    match event {
        NotifyEvent::MasterDown => "the master is down",
        NotifyEvent::MasterBack => "the master is back",
        NotifyEvent::Promoted => "another is master now",
        NotifyEvent::Waits => "waits for your decision",
        NotifyEvent::Failed => "syncs fail",
        NotifyEvent::Stale => "nobody has looked for a day",
        NotifyEvent::TokenEnds => "a token ends soon",
        NotifyEvent::SentinelAsleep => "a sentinel sleeps",
        NotifyEvent::Mended => "well again",
    }
}

fn line(note: &Note) -> String {
    let mirror = note.mirror.as_ref().map_or_else(String::new, |mirror| format!("{mirror}: "));
    let since = note.since_iso.map_or_else(String::new, |since| format!(" (since {since:.0})"));
    let command = note.command.as_ref().map_or_else(String::new, |command| format!("\n  → {command}"));
    format!("{mirror}{}{since}{command}", note.text)
}
