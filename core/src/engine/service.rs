//! `standin watch` as a service of the operating system.

use std::path::{Path, PathBuf};

use super::Engine;
use crate::service::watcher::{Addresses, Watcher};
use crate::service::{ServiceReport, Unit};
use crate::{Result, schedule};

impl Engine {
    /// Has `program watch` kept running for this user, on this configuration and state folder, now and from each login on.
    ///
    /// # Errors
    /// [`crate::Code::Usage`] where nothing here keeps services, or a file that is not ours is in its place;
    /// [`crate::Code::Storage`]. Then all is as before.
    pub async fn install_service(&self, program: &Path, addresses: Addresses) -> Result<ServiceReport> {
        let watcher = self.watcher(program, addresses);
        let installed = self.unit().install(&watcher).await;
        let installed = installed.and_then(|report| self.with_keeper(report));
        self.audited_for_all("service_install", String::new(), installed)
    }

    /// Stops the service and takes it away.
    ///
    /// # Errors
    /// As [`Engine::install_service`].
    pub async fn remove_service(&self) -> Result<ServiceReport> {
        let removed = self.unit().remove().await;
        let removed = removed.and_then(|report| self.with_keeper(report));
        self.audited_for_all("service_remove", String::new(), removed)
    }

    /// Looks how the service stands; changes nothing.
    ///
    /// # Errors
    /// [`crate::Code::Storage`].
    pub async fn service_status(&self) -> Result<ServiceReport> {
        self.with_keeper(self.unit().status(None).await?)
    }

    fn unit(&self) -> Unit<'_> {
        Unit::new(&self.shared.outside, &self.shared.state_dir)
    }

    fn watcher(&self, program: &Path, addresses: Addresses) -> Watcher {
        let (load, config) = (&self.shared.load, self.config());
        let at_hand = config.repositories.iter().find(|known| Some(&known.id) == config.at_hand.as_ref());
        // Only what was found around the current folder: whoever starts the service starts it elsewhere.
        let clone = at_hand.and_then(|known| known.clone.clone()).filter(|root| load.current_dir.starts_with(root));
        let whole = |path: &PathBuf| load.current_dir.join(path);
        Watcher {
            program: program.to_owned(),
            repo: load.repo.as_ref().map(whole).or(clone),
            config: load.config_file.as_ref().map(whole),
            state_dir: self.shared.state_dir.clone(),
            addresses,
            environment: Watcher::environment_of(&self.shared.outside.environment),
        }
    }

    fn with_keeper(&self, report: ServiceReport) -> Result<ServiceReport> {
        Ok(ServiceReport { schedule_kept_by: schedule::kept_by(&self.shared.state_dir)?, ..report })
    }
}
