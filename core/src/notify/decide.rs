//! What is told now: a pure function of what was told, what is seen, the clock and the rules.
//!
//! Word is of changes only. What is so and was not told yet is **due**; a look tells all that is due at once, unless
//! quiet hours or the last word, which is not ten minutes old, hold it. What is held is written down nowhere: the next look
//! finds it due again, if it is still so.
//!
//! **The clock.** Right after it jumped (a laptop that wakes, a clock that is set), nothing is told that rests on time alone: the
//! next look tells it, once the sync that comes with waking has had its say. A moment that lies ahead was written by a clock
//! that was wrong, and counts as now.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use standin_state::config::QuietHours;
use standin_state::model::{MasterHealth, MasterVerdict, MirrorId, MirrorReport, NotifyEvent, Role, Verb};

use super::quiet;
use super::seen::Seen;
use super::shows::{Kind, Shows, View, note};
use super::told::{Mastership, State, TokenTold, Told};
use super::word::Note;
use crate::tokens::days_left;

/// Runs in a row that fail before that is told.
pub(super) const ENOUGH_FAILURES: u32 = 3;
/// Time after which a failure is told, however often it was tried.
const LONG_FAILURE: Duration = Duration::from_secs(6 * 60 * 60);
/// How long a mirror is seen to be stale before that is told: longer than the sync that would mend it.
const STALE_PATIENCE: Duration = Duration::from_secs(30 * 60);
/// Time after which a decision that still waits is told again.
const REMINDER: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Least time between two words of one repository.
pub const PAUSE: Duration = Duration::from_secs(10 * 60);
/// Days before its end at which a token is told of.
const TOKEN_DAYS: [i64; 3] = [1, 3, 14];
/// Looks that must agree before the master, or a sentinel, is told to be down.
const LOOKS: u32 = 2;
/// A step of the clock between two looks that is no jump.
const LONGEST_STEP: Duration = Duration::from_secs(6 * 60 * 60);
/// How far the clock may go back between two looks without having jumped.
const SHORTEST_STEP: i64 = -60;

/// What is to be held to.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// What somebody wants to be told.
    pub wanted: BTreeSet<NotifyEvent>,
    /// When only a master that is down is told.
    pub quiet_hours: Option<&'a QuietHours>,
    /// How often the schedule looks.
    pub interval: Duration,
}

/// What a look led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What is remembered from now on.
    pub told: Told,
    /// What is told now, the most urgent first; empty where nothing is.
    pub notes: Vec<Note>,
    /// When what is held now may be told.
    pub held_until: Option<Timestamp>,
}

/// Something that may be told, and what is remembered once it was.
struct Due {
    note: Note,
    mark: Mark,
}

/// What is remembered of something that was told.
enum Mark {
    Master(Option<MasterVerdict>),
    Mastership(Mastership),
    State(String),
    Mended(String),
    Token(MirrorId, TokenTold),
}

/// Decides what is told of a repository at this look.
pub fn decide(told: &Told, seen: &Seen, rules: &Rules<'_>, now: Timestamp) -> Decision {
    let mut look = Look { told: told.clone(), seen, rules, now, is_sure: is_sure(told, rules, now) };
    let mut due = Vec::new();
    look.told.looked = Some(now);
    look.told.sent = look.told.sent.map(|sent| sent.min(now));
    due.extend(look.master());
    due.extend(look.mastership());
    due.extend(look.states());
    due.extend(look.tokens());
    look.tell(due)
}

/// Whether the clock did not jump since the last look.
fn is_sure(told: &Told, rules: &Rules<'_>, now: Timestamp) -> bool {
    let longest = LONGEST_STEP.max(rules.interval.saturating_mul(3));
    told.looked.is_none_or(|looked| {
        let step = now.as_second() - looked.as_second();
        step >= SHORTEST_STEP && step <= i64::try_from(longest.as_secs()).unwrap_or(i64::MAX)
    })
}

fn is_past(since: Timestamp, limit: Duration, now: Timestamp) -> bool {
    now.duration_since(since).as_secs() >= i64::try_from(limit.as_secs()).unwrap_or(i64::MAX)
}

struct Look<'a> {
    told: Told,
    seen: &'a Seen,
    rules: &'a Rules<'a>,
    now: Timestamp,
    is_sure: bool,
}

impl Look<'_> {
    /// The master that is down, or back. A look that cannot tell changes nothing.
    fn master(&mut self) -> Option<Due> {
        let health = self.seen.report.master_health.as_ref()?;
        let known = &mut self.told.master;
        if known.place.as_ref() != Some(&health.place) {
            *known = super::told::MasterTold { place: Some(health.place.clone()), ..Default::default() };
        }
        let is_new = known.last != Some(health.last_health_check_iso);
        match health.verdict {
            MasterVerdict::Unknown => return None,
            MasterVerdict::Well => {
                known.looks = 0;
                known.told?;
                let note = note(NotifyEvent::MasterBack, None, format!("{} is well again.", health.repo));
                return Some(Due { note, mark: Mark::Master(None) });
            }
            MasterVerdict::Down | MasterVerdict::Gone => {}
        }
        // Somebody may have looked in between: the look says since when each has said the same. By a clock that was set back
        // since then that lies ahead, and is another look all the same.
        let said_twice = health.since_iso != health.last_health_check_iso;
        if is_new {
            known.looks = known.looks.saturating_add(1);
            known.last = Some(health.last_health_check_iso);
        }
        let is_worse = known.told == Some(MasterVerdict::Down) && health.verdict == MasterVerdict::Gone && said_twice;
        let is_first = known.told.is_none() && (known.looks >= LOOKS || said_twice);
        (is_first || is_worse).then(|| Due { note: self.down(health), mark: Mark::Master(Some(health.verdict)) })
    }

    fn down(&self, health: &MasterHealth) -> Note {
        let word = if health.verdict == MasterVerdict::Gone { "is gone" } else { "is down" };
        let detail = health.detail.strip_prefix(&health.repo).unwrap_or(&health.detail);
        let text = format!("{} {word}: {}", health.repo, detail.trim_start_matches([':', ' ']));
        let found = note(NotifyEvent::MasterDown, None, text);
        // The best that can be done, as everywhere else; what stands in already needs nothing.
        let promote = self.seen.report.standing.actions.iter().find(|action| action.verb == Verb::Promote);
        let command = promote.map_or_else(|| "standin health".to_owned(), |action| action.command.clone());
        Note { since_iso: Some(health.since_iso), command: Some(command), ..found }
    }

    /// Another master, unless a person made it here.
    fn mastership(&mut self) -> Option<Due> {
        let report = &self.seen.report;
        let epoch = report.epoch?;
        let is = Mastership { epoch, master: report.master.clone() };
        let Some(known) = self.told.mastership.clone().filter(|known| known.epoch <= epoch) else {
            // The first look, or a memory that was put back: nothing changed that anybody saw.
            self.told.mastership = Some(is);
            return None;
        };
        let is_known = self.seen.changed_by_hand == Some(epoch) || known.epoch == epoch || known.master == is.master;
        if is_known {
            self.told.mastership = Some(is);
            return None;
        }
        let stands_in = report.mirrors.iter().find(|mirror| mirror.role == Some(Role::TemporaryMaster));
        let text = match stands_in {
            Some(mirror) => {
                format!("{} was made master in place of {}, and stands in for it.", mirror.repo, known.master)
            }
            None => format!("{} is master now, in place of {}.", is.master, known.master),
        };
        let note = Note {
            mirror: stands_in.map(|mirror| mirror.id.clone()),
            command: Some("standin status".to_owned()),
            ..note(NotifyEvent::Promoted, None, text)
        };
        Some(Due { note, mark: Mark::Mastership(is) })
    }

    /// What fails, waits, is stale or asleep.
    fn states(&mut self) -> Vec<Due> {
        let mut due = Vec::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        let seen = self.seen;
        for kind in Kind::ALL {
            let places = seen.report.mirrors.iter().map(Some).chain([None]);
            for mirror in places {
                let key = kind.key(mirror.map(|mirror| &mirror.id));
                let view = View { seen, now: self.now, is_sure: self.is_sure };
                let shows = match mirror {
                    Some(mirror) => view.of_mirror(kind, mirror),
                    None => view.of_whole(kind),
                };
                due.extend(self.state(kind, &key, mirror, shows));
                known.insert(key);
            }
        }
        self.told.states.retain(|key, _| known.contains(key));
        due
    }

    /// What becomes of one state.
    fn state(&mut self, kind: Kind, key: &str, mirror: Option<&MirrorReport>, shows: Shows) -> Option<Due> {
        let (now, is_sure) = (self.now, self.is_sure);
        match shows {
            Shows::Unknown => None,
            Shows::Gone => {
                self.told.states.remove(key);
                None
            }
            Shows::Not => {
                let before = self.told.states.get(key)?;
                let was_told = before.told.is_some() && self.rules.wanted.contains(&kind.event());
                let Some(words) = kind.end().filter(|_| was_told) else {
                    self.told.states.remove(key);
                    return None;
                };
                let note = note(NotifyEvent::Mended, mirror.map(|mirror| &mirror.id), words.to_owned());
                Some(Due { note, mark: Mark::Mended(key.to_owned()) })
            }
            Shows::So(note, seen_at) => {
                let fresh = State { since: now, looks: 0, last: None, told: None };
                let state = self.told.states.entry(key.to_owned()).or_insert(fresh);
                state.since = state.since.min(now);
                state.told = state.told.map(|told| told.min(now));
                if state.last.is_none() || state.last != seen_at {
                    state.looks = state.looks.saturating_add(1);
                    state.last = seen_at;
                }
                let state = state.clone();
                let is_due = match (kind, state.told) {
                    (Kind::Waits, Some(told)) => is_sure && is_past(told, REMINDER, now),
                    (Kind::Waits, None) => true,
                    (_, Some(_)) => false,
                    (Kind::Failed, None) => {
                        let row = mirror.and_then(|mirror| self.seen.failures.get(&mirror.id));
                        row.is_some_and(|row| *row >= ENOUGH_FAILURES)
                            || (is_sure && is_past(state.since, LONG_FAILURE, now))
                    }
                    (Kind::Stale, None) => is_sure && is_past(state.since, STALE_PATIENCE, now),
                    (Kind::Asleep, None) => state.looks >= LOOKS,
                };
                let note = match kind {
                    Kind::Failed => Note { since_iso: Some(state.since), ..note },
                    Kind::Waits | Kind::Stale | Kind::Asleep => note,
                };
                is_due.then(|| Due { note, mark: Mark::State(key.to_owned()) })
            }
        }
    }

    /// Tokens that end soon, told at 14, 3 and 1 days.
    fn tokens(&mut self) -> Vec<Due> {
        let seen = self.seen;
        self.told
            .tokens
            .retain(|place, known| seen.tokens.iter().any(|(id, end)| id.as_str() == place && *end == known.end));
        if !self.is_sure {
            return Vec::new();
        }
        seen.tokens.iter().filter_map(|(place, end)| self.token(place, *end)).collect()
    }

    fn token(&mut self, place: &MirrorId, end: Timestamp) -> Option<Due> {
        let left = days_left(end, self.now);
        let step = TOKEN_DAYS.into_iter().find(|days| left <= *days).filter(|_| left >= 0);
        let known = self.told.tokens.get(place.as_str()).map(|known| known.days);
        let Some(days) = step else {
            // Told by a clock that was ahead: it is told again when the day comes.
            if left >= 0 {
                self.told.tokens.remove(place.as_str());
            }
            return None;
        };
        let mark = TokenTold { end, days };
        match known {
            Some(known) if known == days => return None,
            Some(known) if known < days => {
                self.told.tokens.insert(place.to_string(), mark);
                return None;
            }
            Some(_) | None => {}
        }
        let when = match left {
            0 => "within a day".to_owned(),
            1 => "in 1 day".to_owned(),
            _ => format!("in {left} days"),
        };
        let (whose, mirror, command) = match place.is_source() {
            true => ("the token for the master".to_owned(), None, "standin token check".to_owned()),
            false => (format!("the token of {place}"), Some(place), format!("standin token set {place}")),
        };
        let found = note(NotifyEvent::TokenEnds, mirror, format!("{whose} ends {when}"));
        Some(Due { note: Note { command: Some(command), ..found }, mark: Mark::Token(place.clone(), mark) })
    }

    /// Tells what is due and not held.
    fn tell(mut self, due: Vec<Due>) -> Decision {
        let (wanted, other): (Vec<Due>, Vec<Due>) =
            due.into_iter().partition(|due| self.rules.wanted.contains(&due.note.event));
        other.into_iter().for_each(|due| self.mark(due.mark));
        let quiet_until = self.rules.quiet_hours.and_then(|hours| quiet::until(hours, self.now));
        let paused_until =
            self.told.sent.and_then(|sent| sent.checked_add(PAUSE).ok()).filter(|until| *until > self.now);
        let (now, held): (Vec<Due>, Vec<Due>) = wanted.into_iter().partition(|due| {
            paused_until.is_none() && (quiet_until.is_none() || due.note.event == NotifyEvent::MasterDown)
        });
        let has_urgent = held.iter().any(|due| due.note.event == NotifyEvent::MasterDown);
        let mut notes = Vec::new();
        for due in now {
            notes.push(due.note);
            self.mark(due.mark);
        }
        notes.sort_by_key(|note| note.event);
        if !notes.is_empty() {
            self.told.sent = Some(self.now);
        }
        let held_until = match held.is_empty() {
            true => None,
            false if has_urgent => paused_until,
            false => paused_until.max(quiet_until),
        };
        Decision { told: self.told, notes, held_until }
    }

    fn mark(&mut self, mark: Mark) {
        match mark {
            Mark::Master(told) => self.told.master.told = told,
            Mark::Mastership(is) => self.told.mastership = Some(is),
            Mark::State(key) => {
                if let Some(state) = self.told.states.get_mut(&key) {
                    state.told = Some(self.now);
                }
            }
            Mark::Mended(key) => drop(self.told.states.remove(&key)),
            Mark::Token(place, told) => drop(self.told.tokens.insert(place.to_string(), told)),
        }
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
