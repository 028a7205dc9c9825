//! A role change that is remembered as open on this machine, and is not.

use std::sync::Arc;

use standin_state::config::RepositoryConfig;
use standin_state::lock;
use standin_state::model::MirrorType;

use crate::engine::Engine;
use crate::mastership::{self, direction, words};
use crate::roles::{self, journal};
use crate::{Result, status};

impl Engine {
    /// Reads fences again that are remembered with an open role change, and takes a change out of the journal of this
    /// machine when the fence that carries it does so no longer: it was ended on another machine, or here with
    /// its last word unwritten, or never came to the fence. A fence that cannot be read leaves the journal as it is.
    ///
    /// # Errors
    /// [`crate::Code::RoleChangeOpen`] where the change names repositories that are not in this configuration; what the
    /// store reports.
    pub(in crate::engine) async fn settle_role_change(&self, home: &Arc<RepositoryConfig>) -> Result<()> {
        let store = &self.shared.store;
        let entry = journal::open_here(store, &home.id)?;
        let is_open = |seen: &mastership::machine::Seen| seen.open.as_ref().is_some_and(|open| open.change.is_some());
        let mut open = direction::fences(store, home)?;
        open.retain(|_, seen| is_open(seen));
        let mut standbys = home.mirrors.iter().filter(|mirror| mirror.enabled && mirror.kind == MirrorType::GitHub);
        let standby = match (&entry, open.is_empty()) {
            (Some(entry), _) => self.standby(home, &entry.standby)?,
            (None, true) => return Ok(()),
            (None, false) => {
                let Some(first) = standbys.clone().next() else { return Ok(()) };
                let carries = standbys.find(|mirror| open.contains_key(&mirror.target.display()));
                self.standby(home, &carries.unwrap_or(first).id)?
            }
        };
        let folder = self.make_folder(&home.id)?;
        // Whoever carries it out here has the lock, from before it is written down until it is ended.
        if lock::is_held(&folder, &standby.id)?.is_some() {
            return Ok(());
        }
        let parts = self.parts(home, standby, None, self.limited()).await?;
        for site in open.keys().filter_map(|site| parts.sites.get(site)) {
            if let Err(error) = roles::read_fence(site).await {
                tracing::info!(error = %error.message, "a fence with an open change cannot be read again now");
            }
        }
        if let Some(entry) = entry {
            let register = parts.localized(&entry.change)?.register().clone();
            let found = match roles::find_open(parts.site(&register)?).await {
                Ok(found) => found,
                // It is not known to be ended.
                Err(error) => {
                    tracing::info!(error = %error.message, "the change of the journal cannot be looked for now");
                    return status::write(store, &folder, home, &self.terms());
                }
            };
            if found.is_none_or(|found| found.id != entry.change.id) {
                let (mirror, detail) = (entry.standby.clone(), words::headline(&entry.change));
                entry.close(store)?;
                self.audited("role_settled", Some(&home.id), Some(&mirror), detail, Ok(()))?;
            }
        }
        status::write(store, &folder, home, &self.terms())
    }
}
