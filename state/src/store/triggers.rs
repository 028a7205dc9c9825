//! The queue of what asks for a sync. It survives a crash, and what is alike is kept once until somebody takes it.
//!
//! Who takes shows a sign of life ([`Presence`]) as long as it works on what it took. What somebody took who died is found by
//! the next taker, so that a trigger is carried out at least once, however often the program ends in between.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::Store;
use super::columns::{At, Json};
use super::failure::Failure;
use crate::drops;
use crate::error::Result;
use crate::lock::{self, Presence};
use crate::model::{MirrorId, RepositoryId, Trigger, time};

/// Characters of the words about who or what set a trigger off.
const WORDS: usize = 300;

/// Something that asks for a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTrigger {
    /// Of which repository.
    pub repository: RepositoryId,
    /// Of which mirrors; none named means all that are switched on.
    pub mirrors: BTreeSet<MirrorId>,
    /// What it is.
    pub kind: Trigger,
    by: String,
}

impl NewTrigger {
    /// A trigger for all mirrors. `by` is who or what set it off, for the audit trail: what comes from outside in it is cut to
    /// one short line.
    pub fn of_all(repository: RepositoryId, kind: Trigger, by: &str) -> Self {
        let by = by.chars().map(|character| if character.is_control() { ' ' } else { character });
        Self { repository, mirrors: BTreeSet::new(), kind, by: by.take(WORDS).collect::<String>().trim().to_owned() }
    }

    /// Who or what set it off.
    pub fn by(&self) -> &str {
        &self.by
    }
}

/// A trigger in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedTrigger {
    /// Its number, for who took it.
    pub id: i64,
    /// The repository.
    pub repository: RepositoryId,
    /// The mirrors; none named means all that are switched on.
    pub mirrors: BTreeSet<MirrorId>,
    /// What it is.
    pub kind: Trigger,
    /// Who or what set it off, the last time.
    pub by: String,
    /// When it was set off first.
    #[serde(serialize_with = "time::milliseconds")]
    pub first_iso: Timestamp,
    /// When it was set off last.
    #[serde(serialize_with = "time::milliseconds")]
    pub at_iso: Timestamp,
    /// How often it was set off.
    pub times: u64,
}

const COLUMNS: &str = "id, repository, mirrors, kind, set_off_by, first_ns, at_ns, times";

impl Store {
    /// Puts a trigger into the queue; one that is alike and was not taken yet is joined.
    pub fn queue_trigger(&self, trigger: &NewTrigger, at: Timestamp) -> Result<()> {
        self.write("queue_trigger", |transaction| {
            put(
                transaction,
                &QueuedTrigger {
                    id: 0,
                    repository: trigger.repository.clone(),
                    mirrors: trigger.mirrors.clone(),
                    kind: trigger.kind,
                    by: trigger.by.clone(),
                    first_iso: at,
                    at_iso: at,
                    times: 1,
                },
            )
        })
    }

    /// The triggers that wait, the oldest first. What somebody took who lives does not wait.
    pub fn waiting_triggers(&self) -> Result<Vec<QueuedTrigger>> {
        let dead = self.dead_takers()?;
        self.read(|transaction| {
            let all = select(transaction, "claim IS NULL OR claim IN (SELECT value FROM json_each(?1))", &Json(&dead))?;
            Ok(all)
        })
    }

    /// Takes all triggers that wait, the oldest first: nobody else gets them while `taker` is kept. Each is then told to be
    /// done, or given back.
    pub fn take_triggers(&self, taker: &Presence) -> Result<Vec<QueuedTrigger>> {
        let dead = self.dead_takers()?;
        let nothing = self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM triggers WHERE claim IS NULL)")?
                .query_row([], |row| row.get::<_, bool>(0))?)
        })?;
        if dead.is_empty() && nothing {
            return Ok(Vec::new());
        }
        let taken = self.write("take_triggers", |transaction| {
            for taker in &dead {
                give_back(transaction, "claim = ?1", taker)?;
            }
            let waiting = select(transaction, "claim IS NULL AND ?1 IS NOT NULL", &taker.name())?;
            transaction
                .prepare_cached("UPDATE triggers SET claim = ?1 WHERE claim IS NULL")?
                .execute([taker.name()])?;
            Ok(waiting)
        })?;
        dead.iter().for_each(|name| lock::forget_presence(&self.takers(), name));
        Ok(taken)
    }

    /// Removes a trigger that was taken and carried out. `false` where `taker` has no such trigger.
    pub fn finish_trigger(&self, taker: &Presence, id: i64) -> Result<bool> {
        self.write("finish_trigger", |transaction| {
            let gone = transaction
                .prepare_cached("DELETE FROM triggers WHERE id = ?1 AND claim = ?2")?
                .execute(params![id, taker.name()])?;
            Ok(gone > 0)
        })
    }

    /// Has a trigger that was taken be for these mirrors alone; another one, for `rest`, waits in the queue where there are any.
    pub fn narrow_trigger(
        &self,
        taker: &Presence,
        id: i64,
        mirrors: &BTreeSet<MirrorId>,
        rest: BTreeSet<MirrorId>,
    ) -> Result<()> {
        self.write("narrow_trigger", |transaction| {
            let own = select(transaction, "id = ?1", &id)?.into_iter().next();
            let narrowed = transaction
                .prepare_cached("UPDATE triggers SET mirrors = ?3 WHERE id = ?1 AND claim = ?2")?
                .execute(params![id, taker.name(), Json(mirrors)])?;
            match own {
                Some(own) if narrowed > 0 && !rest.is_empty() => {
                    put(transaction, &QueuedTrigger { mirrors: rest, ..own })
                }
                Some(_) | None => Ok(()),
            }
        })
    }

    /// Puts a trigger that was taken back into the queue, because it could not be carried out now.
    pub fn return_trigger(&self, taker: &Presence, id: i64) -> Result<()> {
        self.write("return_trigger", |transaction| {
            let is_own = transaction
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM triggers WHERE id = ?1 AND claim = ?2)")?
                .query_row(params![id, taker.name()], |row| row.get::<_, bool>(0))?;
            if is_own { give_back(transaction, "id = ?1", &id) } else { Ok(()) }
        })
    }

    /// A sign of life for somebody who takes triggers, kept as long as it works on them.
    ///
    /// # Errors
    /// [`crate::error::Code::Storage`] when the state folder cannot be used.
    pub fn trigger_taker(&self) -> Result<Presence> {
        lock::sweep_presences(&self.takers());
        Presence::begin(&self.takers())
    }

    fn takers(&self) -> std::path::PathBuf {
        drops::room(self.folder()).join("takers")
    }

    /// Who has taken something and lives no more.
    fn dead_takers(&self) -> Result<Vec<String>> {
        let takers: Vec<String> = self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT DISTINCT claim FROM triggers WHERE claim IS NOT NULL")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?)
        })?;
        let mut dead = Vec::new();
        for taker in takers {
            if !lock::is_present(&self.takers(), &taker)? {
                dead.push(taker);
            }
        }
        Ok(dead)
    }
}

/// Puts a trigger among those that wait, into the one that is alike where there is one.
fn put(transaction: &Transaction<'_>, trigger: &QueuedTrigger) -> Result<(), Failure> {
    transaction
        .prepare_cached(
            "INSERT INTO triggers (repository, mirrors, kind, set_off_by, first_ns, at_ns, times)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (repository, mirrors, kind) WHERE claim IS NULL DO UPDATE SET
                 set_off_by = iif(excluded.at_ns >= at_ns, excluded.set_off_by, set_off_by),
                 first_ns = min(first_ns, excluded.first_ns), at_ns = max(at_ns, excluded.at_ns),
                 times = times + excluded.times",
        )?
        .execute(params![
            trigger.repository,
            Json(&trigger.mirrors),
            trigger.kind,
            trigger.by,
            At(trigger.first_iso),
            At(trigger.at_iso),
            trigger.times,
        ])?;
    Ok(())
}

/// Frees what was taken, where `condition` on ?1 holds.
fn give_back(transaction: &Transaction<'_>, condition: &str, value: &dyn rusqlite::ToSql) -> Result<(), Failure> {
    let taken = select(transaction, condition, value)?;
    for trigger in &taken {
        transaction.prepare_cached("DELETE FROM triggers WHERE id = ?1")?.execute([trigger.id])?;
        put(transaction, trigger)?;
    }
    Ok(())
}

fn select(
    transaction: &Transaction<'_>,
    condition: &str,
    value: &dyn rusqlite::ToSql,
) -> Result<Vec<QueuedTrigger>, Failure> {
    Ok(transaction
        .prepare_cached(&format!("SELECT {COLUMNS} FROM triggers WHERE {condition} ORDER BY first_ns, id"))?
        .query_map([value], trigger_from)?
        .collect::<rusqlite::Result<_>>()?)
}

fn trigger_from(row: &Row<'_>) -> rusqlite::Result<QueuedTrigger> {
    Ok(QueuedTrigger {
        id: row.get("id")?,
        repository: row.get("repository")?,
        mirrors: row.get::<_, Json<_>>("mirrors")?.0,
        kind: row.get("kind")?,
        by: row.get("set_off_by")?,
        first_iso: row.get::<_, At>("first_ns")?.0,
        at_iso: row.get::<_, At>("at_ns")?.0,
        times: row.get("times")?,
    })
}
