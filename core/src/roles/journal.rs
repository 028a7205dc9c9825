//! The journal of a role change on this machine: written before and after each step.

use jiff::Timestamp;
use standin_state::model::{MirrorId, RepositoryId};
use standin_state::store::{JournalKind, Store};

use crate::mastership::machine::Change;
use crate::{Code, Error, Result};

/// An open role change, as it is written down here.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    id: i64,
    /// The standby whose role changes.
    pub standby: MirrorId,
    /// How far it has come.
    pub change: Change,
}

/// The role change of a repository that is open here.
///
/// # Errors
/// [`Code::Storage`]; [`Code::UnexpectedAnswer`] for one that this version cannot read.
pub(crate) fn open_here(store: &Store, repository: &RepositoryId) -> Result<Option<Entry>> {
    let entries = store.open_journals(Some(repository))?;
    let Some(entry) = entries.into_iter().find(|entry| entry.kind == JournalKind::RoleChange) else {
        return Ok(None);
    };
    let change = serde_json::from_value(entry.payload).map_err(|error| {
        Error::new(
            Code::UnexpectedAnswer,
            format!("the role change that is open for {repository} cannot be read: {error}"),
            "It was written by another version of Standin: use that one to end it.",
        )
    })?;
    Ok(Some(Entry { id: entry.id, standby: entry.mirror, change }))
}

/// Writes down that a change begins.
///
/// # Errors
/// [`Code::Storage`].
pub(crate) fn begin(
    store: &Store,
    repository: &RepositoryId,
    standby: &MirrorId,
    change: Change,
    now: Timestamp,
) -> Result<Entry> {
    let payload = payload(&change)?;
    let entry = store.open_journal(repository, standby, JournalKind::RoleChange, payload, now)?;
    Ok(Entry { id: entry.id, standby: standby.clone(), change })
}

impl Entry {
    /// Writes down how far it has come. On disk when this returns.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub(crate) fn keep(&mut self, store: &Store, change: Change) -> Result<()> {
        crate::crash::point("role.journal.before");
        store.update_journal(self.id, &payload(&change)?)?;
        crate::crash::point("role.journal.after");
        self.change = change;
        Ok(())
    }

    /// Writes down that it is ended.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub(crate) fn close(self, store: &Store) -> Result<()> {
        store.close_journal(self.id)
    }
}

fn payload(change: &Change) -> Result<serde_json::Value> {
    serde_json::to_value(change).map_err(|error| {
        Error::new(Code::Internal, format!("a role change is no JSON: {error}"), "Please report this.")
    })
}
