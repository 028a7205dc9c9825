//! What is remembered between runs: one SQLite file, `standin.db`, in the state folder.
//!
//! WAL, `synchronous=FULL`, numbered migrations in `state/migrations/`. Everything is keyed by repository, then
//! mirror. A [`Store`] may be cloned and used from several threads; each call is one transaction and short. Values
//! of secrets and tokens never come here: of secrets only keyed fingerprints.
//!
//! Each method of [`Store`] stands in the file of its topic. Unless it says more, it fails only with
//! [`crate::error::Code::Storage`].

mod audit;
mod columns;
mod consents;
mod counts;
mod decisions;
mod facts;
mod failure;
mod fence;
mod forget;
mod journal;
mod migrations;
mod outbox;
mod records;
mod reports;
mod rescues;
mod runs;
mod schedule;
mod secrets;
mod targets;
mod triggers;
mod watch;
mod workflows;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

pub use audit::AuditFilter;
pub use consents::ConsentRecord;
pub use facts::Fact;
pub use outbox::Outgoing;
pub use records::{
    AuditEntry, Change, ChangeAction, ChangeOutcome, Decision, DecisionChoice, FenceMemory, HeldWorkflow, JournalEntry,
    JournalKind, RecordedChange, Rescue, RescueReason, RunCount, RunFilter, RunRecord, RunTotals, SentSecret,
};
pub use reports::MirrorMemory;
pub use schedule::ScheduledTry;
pub use triggers::{NewTrigger, QueuedTrigger};

use crate::crash_hook;
use crate::error::{Code, Error, Result};
use crate::private;
use failure::Failure;

/// The name of the database in the state folder.
pub const DATABASE: &str = "standin.db";

/// How long a call waits for another process that is writing.
const BUSY_LIMIT: Duration = Duration::from_secs(20);
/// How long one try to open it waits.
const BUSY_AT_OPENING: Duration = Duration::from_millis(250);

/// The memory. Clones share one connection.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the memory in `state_dir`, making the folder (for its owner only) and the database where they are
    /// missing, and bringing an older database up to this version.
    ///
    /// # Errors
    /// [`Code::Storage`] when the folder or file cannot be used, is not the user's alone, is damaged, or was written by a newer
    /// Standin.
    pub fn open(state_dir: &Path) -> Result<Self> {
        let folder = private::state_folder(state_dir)?;
        let path = folder.join(DATABASE);
        for end in ["", "-wal", "-shm", "-journal"] {
            private::check_existing(&folder.join(format!("{DATABASE}{end}")))?;
        }
        let connection = connect(&path).map_err(|failure| failure.into_error(&path))?;
        Ok(Self { inner: Arc::new(Inner { folder, connection: Mutex::new(connection) }) })
    }

    /// The state folder, where it really is.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    fn path(&self) -> PathBuf {
        self.inner.folder.join(DATABASE)
    }

    /// Writes all that is remembered into a new database in another folder, as it is at this moment.
    ///
    /// # Errors
    /// [`Code::Storage`] where that cannot be written.
    pub fn copy_to(&self, folder: &Path) -> Result<()> {
        let folder = private::state_folder(folder)?;
        let connection = self.inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let copied = connection.execute("VACUUM INTO ?1", [folder.join(DATABASE).to_string_lossy()]);
        copied.map(drop).map_err(|error| Failure::from(error).into_error(&folder))
    }

    /// Does `work` in one transaction that is on the disk when this returns. `step` names its crash points.
    fn write<T>(&self, step: &str, work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>) -> Result<T> {
        crash_hook::point("store", step, "before");
        let value = self.transact(TransactionBehavior::Immediate, work)?;
        crash_hook::point("store", step, "after");
        Ok(value)
    }

    /// Reads in one transaction, so that all of it is of one moment.
    fn read<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>) -> Result<T> {
        self.transact(TransactionBehavior::Deferred, work)
    }

    fn transact<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T> {
        // A thread that panicked while it held the connection left a transaction that its drop rolled back.
        let mut connection = self.inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let result = connection.transaction_with_behavior(behavior).map_err(Failure::from).and_then(|transaction| {
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        });
        result.map_err(|failure| failure.into_error(&self.path()))
    }
}

fn connect(path: &Path) -> Result<Connection, Failure> {
    // SQLite gives its side files the mode of the database, so the file is made before SQLite sees it.
    let file = private::open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
    }
    drop(file);
    let deadline = Instant::now() + BUSY_LIMIT;
    loop {
        match prepare(path) {
            // Two processes that open a new database at once cannot both switch it to WAL; SQLite does not wait there.
            Err(failure)
                if failure.is_busy()
                    && Instant::now() < deadline
                    && path.parent().and_then(failure::no_locks).is_none() =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}

fn prepare(path: &Path) -> Result<Connection, Failure> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut connection = Connection::open_with_flags(path, flags)?;
    // Who calls tries again, and finds out what a busy file means.
    connection.busy_timeout(BUSY_AT_OPENING)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    migrations::check_version(&connection)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Failure::Refused(Error::new(
            Code::Storage,
            format!("{} cannot be kept safely there: SQLite offers journal mode `{mode}`, not WAL", path.display()),
            "Keep the state folder on a local disk; name one with `--state-dir`.",
        )));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrations::apply(&mut connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.busy_timeout(BUSY_LIMIT)?;
    Ok(connection)
}
