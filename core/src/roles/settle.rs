//! A role change that is remembered as open on this machine, and is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use standin_state::config::{MirrorConfig, RepositoryConfig};
use standin_state::model::{MirrorId, Site};
use standin_state::store::Store;

use super::journal::{self, Entry};
use super::parties::Parties;
use super::prepare;
use crate::Result;
use crate::mastership::machine::Seen;
use crate::mastership::{direction, words};

/// What is remembered as open, here or in fences.
pub(crate) struct Remembered {
    /// The standby whose role changes.
    pub standby: Arc<MirrorConfig>,
    entry: Option<Entry>,
    open: BTreeMap<Site, Seen>,
}

/// What is remembered as open; `None` where nothing is.
///
/// # Errors
/// What the store reports; [`crate::Code::Usage`] and the like where the standby has no role any more.
pub(crate) fn remembered(store: &Store, home: &RepositoryConfig) -> Result<Option<Remembered>> {
    let entry = journal::open_here(store, &home.id)?;
    let is_open = |seen: &Seen| seen.open.as_ref().is_some_and(|open| open.change.is_some());
    let mut open = direction::fences(store, home)?;
    open.retain(|_, seen| is_open(seen));
    let mut standbys = home.mirrors.iter().filter(|mirror| mirror.enabled && mirror.slug().is_some());
    let standby = match (&entry, open.is_empty()) {
        (Some(entry), _) => prepare::standby(home, &entry.standby)?,
        (None, true) => return Ok(None),
        (None, false) => {
            let Some(first) = standbys.clone().next() else { return Ok(None) };
            let carries = standbys.find(|mirror| open.contains_key(&mirror.target.site()));
            prepare::standby(home, &carries.unwrap_or(first).id)?
        }
    };
    Ok(Some(Remembered { standby, entry, open }))
}

/// Reads those fences again, and takes a change out of the journal of this machine when the fence that carries it does so no
/// longer: it was ended on another machine, or here with its last word unwritten, or never came to the fence. A fence that
/// cannot be read leaves the journal as it is. Gives what was taken out: the standby, and what it was.
///
/// # Errors
/// [`crate::Code::RoleChangeOpen`] where the change names repositories that are not in this configuration; what the
/// store reports.
pub(crate) async fn settle(parties: &Parties, remembered: Remembered) -> Result<Option<(MirrorId, String)>> {
    for site in remembered.open.keys().filter_map(|site| parties.sites.get(site)) {
        if let Err(error) = super::read_fence(site).await {
            tracing::info!(error = %error.message, "a fence with an open change cannot be read again now");
        }
    }
    let Some(entry) = remembered.entry else { return Ok(None) };
    let register = parties.localized(&entry.change)?.register().clone();
    let found = match super::find_open(parties.site(&register)?).await {
        Ok(found) => found,
        // It is not known to be ended.
        Err(error) => {
            tracing::info!(error = %error.message, "the change of the journal cannot be looked for now");
            return Ok(None);
        }
    };
    if found.is_some_and(|found| found.id == entry.change.id) {
        return Ok(None);
    }
    let ended = (entry.standby.clone(), words::headline(&entry.change));
    entry.close(&parties.home.context.store)?;
    Ok(Some(ended))
}
