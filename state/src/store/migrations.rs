//! Bringing a database up to this version. `PRAGMA user_version` is the number of migrations that were applied.

use rusqlite::{Connection, TransactionBehavior};

use super::failure::Failure;
use crate::crash_hook;
use crate::error::{Code, Error};

/// The migrations in order. One that was released is never changed: a later one mends it.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_history.sql"),
    include_str!("../../migrations/0002_protection.sql"),
    include_str!("../../migrations/0003_consent.sql"),
    include_str!("../../migrations/0004_standing.sql"),
    include_str!("../../migrations/0005_asks.sql"),
    include_str!("../../migrations/0006_rescues.sql"),
    include_str!("../../migrations/0007_actions.sql"),
    include_str!("../../migrations/0008_schedule.sql"),
    include_str!("../../migrations/0009_triggers.sql"),
    include_str!("../../migrations/0010_outbox.sql"),
    include_str!("../../migrations/0011_run_totals.sql"),
    include_str!("../../migrations/0012_job.sql"),
    include_str!("../../migrations/0013_words.sql"),
];

/// Refuses a database that a newer Standin wrote, before anything in it is touched; otherwise its version.
pub(super) fn check_version(connection: &Connection) -> Result<usize, Failure> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    usize::try_from(version).ok().filter(|version| *version <= MIGRATIONS.len()).ok_or_else(|| {
        Failure::Refused(Error::new(
            Code::Storage,
            format!("the database has version {version}, this Standin knows versions up to {}", MIGRATIONS.len()),
            "A newer Standin has used this state folder: update this one, or name another folder with `--state-dir`.",
        ))
    })
}

/// Applies what is missing, all of it or nothing.
pub(super) fn apply(connection: &mut Connection) -> Result<(), Failure> {
    if check_version(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    crash_hook::point("store", "migrate", "before");
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let version = check_version(&transaction)?;
    for migration in &MIGRATIONS[version..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len())?;
    transaction.commit()?;
    crash_hook::point("store", "migrate", "after");
    Ok(())
}
