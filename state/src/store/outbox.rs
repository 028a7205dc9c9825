//! Word that is to be sent. What is decided and what is remembered as told are written together, so that after a crash
//! nothing is told twice by decision and nothing is remembered as told that nobody will send.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, Transaction, params};

use super::columns::At;
use super::{Fact, Store};
use crate::error::{Error, Result};
use crate::model::{NotifyName, NotifyTrouble, RepositoryId};

/// A message on its way to one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place in the order.
    pub id: i64,
    /// Where it goes.
    pub target: NotifyName,
    /// What it is about.
    pub repository: RepositoryId,
    /// The message, as JSON.
    pub message: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it is to be tried next.
    pub next: Timestamp,
}

/// So many words are kept for faces that show them.
const KEPT_WORDS: i64 = 100;

impl Store {
    /// What was told of a repository, as it was last written.
    pub fn told(&self, repository: &RepositoryId) -> Result<Option<String>> {
        self.fact(repository, None, Fact::Told)
    }

    /// Remembers what is told of a repository from now on, keeps the word for faces that show it, and puts the messages that say
    /// it into the outbox: all or none.
    pub fn tell<'a>(
        &self,
        repository: &RepositoryId,
        told: &str,
        word: Option<&str>,
        messages: impl IntoIterator<Item = (&'a NotifyName, &'a str)>,
        now: Timestamp,
    ) -> Result<()> {
        self.write("tell", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO facts (repository, mirror, key, value) VALUES (?1, '', ?2, ?3)",
                )?
                .execute(params![repository, Fact::Told, told])?;
            if let Some(word) = word {
                transaction
                    .prepare_cached("INSERT INTO words (at_ns, word) VALUES (?1, ?2)")?
                    .execute(params![At(now), word])?;
                transaction
                    .prepare_cached("DELETE FROM words WHERE id <= (SELECT max(id) FROM words) - ?1")?
                    .execute([KEPT_WORDS])?;
            }
            for (target, message) in messages {
                transaction
                    .prepare_cached(
                        "INSERT INTO outbox (target, repository, message, tries, next_ns) VALUES (?1, ?2, ?3, 0, ?4)",
                    )?
                    .execute(params![target, repository, message, At(now)])?;
            }
            Ok(())
        })
    }

    /// The words that were kept after the one with this number, each with its own, the oldest first.
    pub fn words_after(&self, number: i64) -> Result<Vec<(i64, String)>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT id, word FROM words WHERE id > ?1 ORDER BY id")?
                .query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The number of the last word that was kept; 0 before the first.
    pub fn last_word(&self) -> Result<i64> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'words'")?
                .query_row([], |row| row.get(0))?)
        })
    }

    /// All that is to be sent, the oldest first.
    pub fn outbox(&self) -> Result<Vec<Outgoing>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT id, target, repository, message, tries, next_ns FROM outbox ORDER BY id")?
                .query_map([], outgoing)?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// A message arrived: it is no longer to be sent, and there is no trouble with its place.
    pub fn sent(&self, outgoing: &Outgoing) -> Result<()> {
        self.write("sent", |transaction| {
            transaction.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([outgoing.id])?;
            transaction
                .prepare_cached("DELETE FROM notify_troubles WHERE target = ?1")?
                .execute(params![outgoing.target])?;
            Ok(())
        })
    }

    /// A message did not arrive: it is tried again at `next`, or with `None` no more.
    pub fn not_sent(&self, outgoing: &Outgoing, error: &Error, next: Option<Timestamp>, now: Timestamp) -> Result<()> {
        self.write("not_sent", |transaction| {
            match next {
                Some(next) => transaction
                    .prepare_cached("UPDATE outbox SET tries = tries + 1, next_ns = ?2 WHERE id = ?1")?
                    .execute(params![outgoing.id, At(next)])?,
                None => transaction.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([outgoing.id])?,
            };
            keep_trouble(transaction, outgoing.target.as_str(), error, now)?;
            Ok(())
        })
    }

    /// Remembers trouble with a place, or with `None` that there is none.
    pub fn set_notify_trouble(&self, name: &str, error: Option<&Error>, now: Timestamp) -> Result<()> {
        if error.is_none() && self.trouble_of(name)?.is_none() {
            return Ok(());
        }
        self.write("set_notify_trouble", |transaction| {
            if let Some(error) = error {
                keep_trouble(transaction, name, error, now)?;
            } else {
                transaction.prepare_cached("DELETE FROM notify_troubles WHERE target = ?1")?.execute([name])?;
            }
            Ok(())
        })
    }

    /// The places where word did not arrive when it was last sent, by name.
    pub fn notify_troubles(&self) -> Result<Vec<NotifyTrouble>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT target, at_ns, error, hint,
                         (SELECT count(*) FROM outbox WHERE outbox.target = notify_troubles.target)
                     FROM notify_troubles ORDER BY target",
                )?
                .query_map([], |row| {
                    Ok(NotifyTrouble {
                        name: row.get(0)?,
                        at_iso: row.get::<_, At>(1)?.0,
                        error: row.get(2)?,
                        hint: row.get(3)?,
                        waiting: row.get(4)?,
                    })
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Forgets what waits for places that are configured no more, and the trouble with them.
    pub fn keep_notify_targets(&self, names: &[&str]) -> Result<()> {
        let is_known = |name: &str| names.contains(&name);
        let gone = self.read(|transaction| {
            let names: Vec<String> = transaction
                .prepare_cached("SELECT target FROM outbox UNION SELECT target FROM notify_troubles")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            Ok(names.into_iter().filter(|name| !is_known(name)).collect::<Vec<_>>())
        })?;
        if gone.is_empty() {
            return Ok(());
        }
        self.write("keep_notify_targets", |transaction| {
            for name in &gone {
                transaction.prepare_cached("DELETE FROM outbox WHERE target = ?1")?.execute([name])?;
                transaction.prepare_cached("DELETE FROM notify_troubles WHERE target = ?1")?.execute([name])?;
            }
            Ok(())
        })
    }

    fn trouble_of(&self, name: &str) -> Result<Option<String>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT error FROM notify_troubles WHERE target = ?1")?
                .query_row([name], |row| row.get(0))
                .optional()?)
        })
    }
}

fn outgoing(row: &Row<'_>) -> rusqlite::Result<Outgoing> {
    Ok(Outgoing {
        id: row.get(0)?,
        target: row.get(1)?,
        repository: row.get(2)?,
        message: row.get(3)?,
        tries: row.get(4)?,
        next: row.get::<_, At>(5)?.0,
    })
}

fn keep_trouble(transaction: &Transaction<'_>, name: &str, error: &Error, now: Timestamp) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO notify_troubles (target, at_ns, error, hint) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![name, At(now), error.message, error.hint])?;
    Ok(())
}
