//! What the owner of a clone said about its `.env`, and what tokens and values that are kept were given for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::params;

use super::Store;
use super::columns::{At, Json};
use crate::error::Result;
use crate::model::Wish;

/// What was said about one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsentRecord {
    /// What was allowed.
    pub allowed: Option<Wish>,
    /// The hash of the wish that was denied last.
    pub denied: Option<String>,
}

impl Store {
    /// What was said, by file.
    pub fn consents(&self) -> Result<BTreeMap<String, ConsentRecord>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT file, wish, denied FROM consents")?
                .query_map([], |row| {
                    let allowed = row.get::<_, Option<Json<Wish>>>(1)?.map(|Json(wish)| wish);
                    Ok((row.get(0)?, ConsentRecord { allowed, denied: row.get(2)? }))
                })?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers what was said about a file, in place of what was said before.
    pub fn set_consent(&self, file: &str, consent: &ConsentRecord, at: Timestamp) -> Result<()> {
        self.write("set_consent", |transaction| {
            transaction
                .prepare_cached(
                    "INSERT OR REPLACE INTO consents (file, wish, denied, decided_ns) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![file, consent.allowed.as_ref().map(Json), consent.denied, At(at)])?;
            Ok(())
        })
    }

    /// The targets that what is kept under `account` was given for.
    pub fn bound(&self, account: &str) -> Result<BTreeSet<String>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT target FROM bound WHERE account = ?1")?
                .query_map([account], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Remembers that what is kept under these accounts is given for these targets too.
    pub fn bind<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<()> {
        self.write("bind", |transaction| {
            for (account, target) in pairs {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO bound (account, target) VALUES (?1, ?2)")?
                    .execute([account, target])?;
            }
            Ok(())
        })
    }

    /// Forgets that what is kept under these accounts was given for these targets.
    pub fn unbind<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<()> {
        self.write("unbind", |transaction| {
            for (account, target) in pairs {
                transaction
                    .prepare_cached("DELETE FROM bound WHERE account = ?1 AND target = ?2")?
                    .execute([account, target])?;
            }
            Ok(())
        })
    }

    /// Remembers that what is kept under `account` is another from now on, given for these targets and no others.
    pub fn rebind<'a>(&self, account: &str, targets: impl IntoIterator<Item = &'a str>) -> Result<()> {
        self.write("rebind", |transaction| {
            transaction.prepare_cached("DELETE FROM bound WHERE account = ?1")?.execute([account])?;
            for target in targets {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO bound (account, target) VALUES (?1, ?2)")?
                    .execute([account, target])?;
            }
            Ok(())
        })
    }
}
