//! Word of what changed: told after each round and each look, tried, and what it needs kept.
//!
//! Whoever runs a schedule calls [`Engine::tell_word`] after each round of syncs and each look at the master. A command that a
//! person types sends nothing, since they see what it says; what it changed is taken note of at the next of these calls. What
//! has mended by then and was never told is told no more, and a change of master that was made by hand is known already.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use standin_state::config::{NotifyTarget, PING};
use standin_state::lock::{self, MirrorLock, Refusal};
use standin_state::model::{
    MirrorId, NotifyEvent, NotifyKind, NotifyName, NotifyTrouble, RepositoryId, RepositoryReport, StandingWord,
};
use standin_state::store::Fact;
use ts_rs::TS;

use super::Engine;
use crate::mastership::direction::Direction;
use crate::notify::secret::{self, SecretFrom};
use crate::notify::{Delivery, Note, Post, Rules, Seen, Told, Word, decide, outbox};
use crate::redact::Redactor;
use crate::{Code, Error, Result};

/// After what word is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// A round of syncs; where all is in step after it, the ping is sent.
    Round,
    /// A look at the master, or a wait that is over.
    Look,
}

/// What was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Telling {
    /// What was decided to be told now, one for each repository at most. It goes out by `[[notify]]`; a face that has
    /// notifications of its own finds it with [`Engine::words_after`].
    pub words: Vec<Word>,
    /// What was sent now, older messages that waited too, and what came of each.
    pub deliveries: Vec<Delivery>,
    /// When there is something to tell or to try again, if nothing else comes before. To be called then.
    pub next_iso: Option<Timestamp>,
    /// Another process, or another call, was telling: nothing was done.
    pub busy: bool,
}

/// The places that word is sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[ts(export)]
pub struct NotifyPlaces {
    /// In the order of the configuration.
    pub places: Vec<NotifyPlace>,
    /// When only a master that is down is told.
    pub quiet_hours: Option<QuietReport>,
    /// The host that is asked after each round in which all is in step.
    pub ping: Option<String>,
    /// What the last ping met with, where it did not work.
    pub ping_trouble: Option<NotifyTrouble>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[ts(export)]
pub struct NotifyPlace {
    /// Its name.
    pub name: NotifyName,
    /// How word gets there.
    #[serde(rename = "type")]
    pub kind: NotifyKind,
    /// The host, or the program.
    pub to: String,
    /// What it is told of.
    pub on: Vec<NotifyEvent>,
    /// Where its token is.
    pub token: SecretFrom,
    /// Why word did not arrive there last, where it did not.
    pub trouble: Option<NotifyTrouble>,
}

/// The hours in which only a master that is down is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[ts(export)]
pub struct QuietReport {
    /// When they begin, as `22:00`.
    pub from: String,
    /// When they end.
    pub to: String,
    /// By whose clock; `None` is this machine's.
    pub time_zone: Option<String>,
}

impl Engine {
    /// Tells what changed, of all repositories: decides, sends what is decided and what waits, and asks the ping where all is in
    /// step. Comes back when each place has answered or its limit of 20 s is up; a place that has much waiting is served for
    /// less than a minute.
    ///
    /// # Errors
    /// [`Code::Storage`]. What does not arrive is in the result, stands in `status`, and is tried again where that may help.
    pub async fn tell_word(&self, after: After) -> Result<Telling> {
        let reports = self.status(None)?;
        let ping = self.ping(after, &reports);
        let (telling, pinged) = tokio::join!(self.tell_alone(reports.clone()), ping);
        pinged?;
        telling
    }

    /// The number of the last word that a face may show: what comes after it is new.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn last_word(&self) -> Result<i64> {
        self.shared.store.last_word()
    }

    /// The words that were decided after the one with this number, by whichever process, as `[desktop] notify` wants them; each
    /// with its number, the oldest first. For a face that has notifications of its own.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn words_after(&self, number: i64) -> Result<Vec<(i64, Word)>> {
        let words = self.shared.store.words_after(number)?;
        // One that a newer version wrote in another shape is none that could be shown.
        Ok(words.into_iter().filter_map(|(number, word)| Some((number, serde_json::from_str(&word).ok()?))).collect())
    }

    /// Sends a test to one place, or to all, at once. Quiet hours and pauses do not hold it, and it is not tried again.
    ///
    /// # Errors
    /// [`Code::Configuration`] where no place is configured, [`Code::NotFound`] for an unknown name. What does not arrive is
    /// in the result.
    pub async fn notify_test(&self, name: Option<&NotifyName>) -> Result<Vec<Delivery>> {
        let config = self.config();
        let targets = match name {
            Some(name) => vec![named(&config.notify.targets, name)?],
            None if config.notify.targets.is_empty() => return Err(no_place()),
            None => config.notify.targets.iter().collect(),
        };
        let (post, now) = (self.post(), self.shared.outside.clock.now());
        let sent = targets.into_iter().map(|target| {
            let post = &post;
            async move {
                let word = Word::test(target.name.as_str(), now);
                Delivery::of(target, post.send(target, &word).await)
            }
        });
        Ok(join_all(sent).await)
    }

    /// The places that word is sent to, and how they are. Asks nobody, and opens no keychain.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn notify_places(&self) -> Result<NotifyPlaces> {
        let (config, troubles) = (self.config(), self.notify_troubles()?);
        let trouble = |name: &str| troubles.iter().find(|trouble| trouble.name == name).cloned();
        let places = config.notify.targets.iter().map(|target| {
            Ok(NotifyPlace {
                name: target.name.clone(),
                kind: target.kind(),
                to: target.display(),
                on: target.on.iter().copied().collect(),
                token: secret::origin(&self.shared.outside, &self.shared.store, target)?,
                trouble: trouble(target.name.as_str()),
            })
        });
        let quiet_hours = config.notify.quiet_hours.as_ref().map(|hours| QuietReport {
            from: hours.from.strftime("%H:%M").to_string(),
            to: hours.to.strftime("%H:%M").to_string(),
            time_zone: hours.time_zone.as_ref().and_then(|zone| zone.iana_name().map(str::to_owned)),
        });
        Ok(NotifyPlaces {
            places: places.collect::<Result<_>>()?,
            quiet_hours,
            ping: config.notify.ping.as_ref().map(ToString::to_string),
            ping_trouble: trouble(PING),
        })
    }

    /// Keeps the token of a place in the keychain, for the host that it has now.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown name; else as [`secret::set`].
    pub async fn notify_token_set(&self, name: &NotifyName, value: &SecretString) -> Result<()> {
        let config = self.config();
        let target = named(&config.notify.targets, name)?;
        // A repository of this very name keeps the tokens of its mirrors under the same names.
        let takes = |id: &RepositoryId| id.as_str().eq_ignore_ascii_case("notify");
        let is_taken = config.repositories.iter().filter(|known| takes(&known.id)).any(|known| {
            let mirrors = known.mirrors.iter().map(|mirror| mirror.id.as_str());
            mirrors.chain(["source"]).any(|id| id.eq_ignore_ascii_case(name.as_str()))
        });
        let set = match is_taken {
            true => Err(Error::new(
                Code::Usage,
                format!("the keychain has the token of {name} of your repository `notify` under the same name"),
                "Give this place another `name` in standin.toml.",
            )),
            false => secret::set(&self.shared.outside, &self.shared.store, target, value).await,
        };
        self.audited_for_all("notify_token_set", name.to_string(), set)
    }

    /// Removes the token of a place from the keychain; `false` where there was none. The place need not be configured any more.
    ///
    /// # Errors
    /// As [`secret::remove`].
    pub async fn notify_token_remove(&self, name: &NotifyName) -> Result<bool> {
        let removed = secret::remove(&self.shared.outside, &self.shared.store, name).await;
        self.audited_for_all("notify_token_remove", name.to_string(), removed)
    }

    /// Remembers that a person changed the master here, who needs no word of it. Where that cannot be kept, they get one.
    pub(super) fn note_change_by_hand(&self, repository: Option<&RepositoryId>) {
        let noted = self.configured(repository).and_then(|known| {
            let direction = Direction::of(&self.shared.store, &known)?;
            let Some(who) = &direction.who else { return Ok(()) };
            self.shared.store.set_fact(&known.id, None, Fact::ChangedByHand, Some(&who.epoch.to_string()))
        });
        if let Err(error) = noted {
            tracing::warn!(error = %error.message, "that the master was changed by hand could not be kept");
        }
    }

    /// The trouble with places that are configured.
    pub(super) fn notify_troubles(&self) -> Result<Vec<NotifyTrouble>> {
        let notify = &self.config().notify;
        let is_known = |name: &str| {
            let is_place = notify.targets.iter().any(|target| target.name.as_str() == name);
            is_place || (name == PING && notify.ping.is_some())
        };
        let all = self.shared.store.notify_troubles()?;
        Ok(all.into_iter().filter(|trouble| is_known(&trouble.name)).collect())
    }

    fn post(&self) -> Post<'_> {
        Post::new(&self.shared.outside, &self.shared.store)
    }

    /// Decides and sends, unless somebody else is at it.
    async fn tell_alone(&self, reports: Vec<RepositoryReport>) -> Result<Telling> {
        let busy = Telling { busy: true, ..Telling::default() };
        let Ok(lock) = "notify".parse::<MirrorId>() else { return Ok(busy) };
        let holder = lock::holder(&self.shared.actor, self.shared.outside.clock.now());
        let _alone = match MirrorLock::try_acquire(&self.shared.state_dir, &lock, &holder) {
            Ok(lock) => lock,
            Err(Refusal::Held { .. }) => return Ok(busy),
            Err(Refusal::Failed(error)) => return Err(error),
        };
        let config = self.config();
        let mut names: Vec<&str> = config.notify.targets.iter().map(|target| target.name.as_str()).collect();
        names.extend(config.notify.ping.as_ref().map(|_| PING));
        self.shared.store.keep_notify_targets(&names)?;
        let redactor = self.redactor();
        let (mut words, mut next) = (Vec::new(), None);
        for report in reports {
            let (word, held_until) = self.decide(report, &redactor)?;
            words.extend(word);
            next = earlier(next, held_until);
        }
        let post = self.post();
        let deliveries = outbox::deliver(&post, &config.notify).await?;
        let next_iso = earlier(next, outbox::next(&post)?);
        Ok(Telling { words, deliveries, next_iso, busy: false })
    }

    /// Decides what is told of one repository, and puts it into the outbox.
    fn decide(&self, report: RepositoryReport, redactor: &Redactor) -> Result<(Option<Word>, Option<Timestamp>)> {
        let (config, store, now) = (self.config(), &self.shared.store, self.shared.outside.clock.now());
        let id = report.repository.clone();
        let Some(known) = config.repositories.iter().find(|known| known.id == id) else { return Ok((None, None)) };
        let notify = &config.notify;
        let told = Told::read(store.told(&id)?.as_deref());
        let sent = notify.targets.iter().flat_map(|target| target.on.iter());
        let wanted: BTreeSet<NotifyEvent> = sent.chain(&notify.desktop).copied().collect();
        let rules = Rules { wanted, quiet_hours: notify.quiet_hours.as_ref(), interval: config.schedule.interval };
        let decision = decide(&told, &Seen::gather(store, known, report)?, &rules, now);
        let notes: Vec<Note> = decision.notes.into_iter().map(|note| note.cleaned(redactor)).collect();
        let word = (!notes.is_empty()).then(|| Word::of(&id, notes, now));
        let mut messages = Vec::new();
        for target in &notify.targets {
            if let Some(word) = word.as_ref().and_then(|word| word.only(&target.on)) {
                messages.push((&target.name, written(&word)?));
            }
        }
        let messages = messages.iter().map(|(name, text)| (*name, text.as_str()));
        let shown = word.as_ref().and_then(|word| word.only(&notify.desktop)).map(|word| written(&word)).transpose()?;
        store.tell(&id, &written(&decision.told)?, shown.as_deref(), messages, now)?;
        Ok((word, decision.held_until))
    }

    /// Asks the ping after a round in which all is in step.
    async fn ping(&self, after: After, reports: &[RepositoryReport]) -> Result<()> {
        let config = self.config();
        let Some(address) = config.notify.ping.as_ref().filter(|_| after == After::Round && are_in_step(reports))
        else {
            return Ok(());
        };
        let asked = self.post().ping(address).await;
        if let Err(error) = &asked {
            tracing::warn!(error = %error.message, "the ping was not taken");
        }
        self.shared.store.set_notify_trouble(PING, asked.err().as_ref(), self.shared.outside.clock.now())
    }

    /// Takes out of messages whatever secret is known here, should any have got into words from outside.
    fn redactor(&self) -> Redactor {
        let config = self.config();
        let mut secrets: Vec<SecretString> = Vec::new();
        for repository in &config.repositories {
            secrets.extend(repository.source_token.iter().cloned());
            secrets.extend(repository.mirrors.iter().filter_map(|mirror| mirror.token.clone()));
            secrets.extend(repository.secrets.values.values().cloned());
        }
        let variables = config.notify.targets.iter().filter_map(|target| target.token_env.as_ref());
        let values = variables.filter_map(|variable| self.shared.outside.environment.get(variable));
        secrets.extend(values.map(|value| SecretString::from(value.trim())));
        Redactor::of(&secrets)
    }
}

/// Whether all that is kept in step is so, and something is.
fn are_in_step(reports: &[RepositoryReport]) -> bool {
    let is_idle = |word| matches!(word, StandingWord::SwitchedOff | StandingWord::NoMirrors);
    let mut kept = reports.iter().map(|report| report.standing.word).filter(|word| !is_idle(*word)).peekable();
    kept.peek().is_some() && kept.all(|word| word == StandingWord::InStep)
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

fn written<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| {
        Error::new(Code::Internal, format!("word cannot be written as JSON: {error}"), "Please report this.")
    })
}

fn named<'a>(targets: &'a [NotifyTarget], name: &NotifyName) -> Result<&'a NotifyTarget> {
    if targets.is_empty() {
        return Err(no_place());
    }
    targets.iter().find(|target| target.name == *name).ok_or_else(|| {
        let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
        Error::new(
            Code::NotFound,
            format!("there is no [[notify]] called {name}"),
            format!("Configured: {}.", names.join(", ")),
        )
    })
}

fn no_place() -> Error {
    Error::new(
        Code::Configuration,
        "nobody is told of anything: standin.toml has no [[notify]]",
        "Write one, such as `[[notify]]` with `type = \"ntfy\"` and `url = \"https://ntfy.sh/TOPIC\"`.",
    )
}

#[cfg(all(test, unix))]
#[path = "notify_tests.rs"]
mod tests;
