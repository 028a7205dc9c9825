//! A role change that is written down as open on this machine, and is not.

use std::sync::Arc;

use standin_state::config::RepositoryConfig;
use standin_state::lock;

use crate::engine::Engine;
use crate::roles::{self, journal, words};
use crate::{Result, status};

impl Engine {
    /// Takes a role change out of the journal of this machine when the standby's fence, which carries it, does so no
    /// longer: it was ended on another machine, or here with its last word unwritten, or never came to the fence.
    ///
    /// # Errors
    /// What keeps the fence from being read; the journal stays as it is then.
    pub(in crate::engine) async fn settle_role_change(&self, home: &Arc<RepositoryConfig>) -> Result<()> {
        let store = &self.shared.store;
        let Some(entry) = journal::open_here(store, &home.id)? else { return Ok(()) };
        let folder = self.make_folder(&home.id)?;
        // Whoever carries it out here has the lock, from before it is written down until it is ended.
        if lock::is_held(&folder, &entry.standby)?.is_some() {
            return Ok(());
        }
        let standby = self.standby(home, &entry.standby)?;
        let source = self.source(home, self.limited()).await?;
        let open = roles::find_open(&source.context_by_hand(standby).await?).await?;
        if open.is_some_and(|open| open.id == entry.change.id) {
            return Ok(());
        }
        let (mirror, detail) = (entry.standby.clone(), words::headline(&entry.change));
        entry.close(store)?;
        status::write(store, &folder, home)?;
        self.audited("role_settled", Some(&home.id), Some(&mirror), detail, Ok(()))
    }
}
