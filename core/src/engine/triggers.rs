//! What sets syncs off: the queue, what is watched, the hook, the webhook.

use std::collections::BTreeSet;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};
use standin_state::config::{RepositoryConfig, Source};
use standin_state::drops;
use standin_state::lock::Presence;
use standin_state::model::{MirrorId, RepositoryId, Trigger};
use standin_state::store::{NewTrigger, QueuedTrigger};

use super::{Engine, SyncRequest};
use crate::event::Notice;
use crate::triggers::ear::Keep;
use crate::triggers::hook::{Hook, HookReport};
use crate::triggers::watch::{Known, Pace, SourceWatch, Watched};
use crate::triggers::webhook::{self, SECRET_ACCOUNT, SECRET_VARIABLE, Webhooks};
use crate::{Code, Error, Result};

impl Engine {
    /// Puts a trigger into the queue. Costs one short write, and starts nothing.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn queue(&self, trigger: &NewTrigger) -> Result<()> {
        self.shared.store.queue_trigger(trigger, self.shared.outside.clock.now())
    }

    /// What waits in the queue, the oldest first.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn queued(&self) -> Result<Vec<QueuedTrigger>> {
        self.shared.store.waiting_triggers()
    }

    /// A sign of life for who takes from the queue; kept as long as it works on what it took.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn trigger_taker(&self) -> Result<Presence> {
        self.shared.store.trigger_taker()
    }

    /// Takes all that waits. Each is then [`Engine::trigger_done`] or [`Engine::trigger_back`]; what is neither when `taker` is
    /// dropped, or its process dies, waits again.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn take_triggers(&self, taker: &Presence) -> Result<Vec<QueuedTrigger>> {
        self.shared.store.take_triggers(taker)
    }

    /// What was taken is carried out.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn trigger_done(&self, taker: &Presence, trigger: &QueuedTrigger) -> Result<()> {
        self.shared.store.finish_trigger(taker, trigger.id).map(drop)
    }

    /// What was taken cannot be carried out now, and waits again.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn trigger_back(&self, taker: &Presence, trigger: &QueuedTrigger) -> Result<()> {
        self.shared.store.return_trigger(taker, trigger.id)
    }

    /// What was taken is carried out for these mirrors alone; for the rest of them it waits in the queue.
    ///
    /// # Errors
    /// [`Code::Storage`].
    pub fn trigger_for(
        &self,
        taker: &Presence,
        trigger: QueuedTrigger,
        mirrors: BTreeSet<MirrorId>,
        rest: BTreeSet<MirrorId>,
    ) -> Result<QueuedTrigger> {
        self.shared.store.narrow_trigger(taker, trigger.id, &mirrors, rest)?;
        Ok(QueuedTrigger { mirrors, ..trigger })
    }

    /// Sweeps what git hooks left into the queue. What was refused is told, once; so is what is for no repository that is
    /// configured.
    ///
    /// # Errors
    /// [`Code::Storage`]; then nothing is lost.
    pub fn sweep_drops(&self) -> Result<Vec<Notice>> {
        let config = self.config();
        let mut notices = Vec::new();
        let refused = drops::sweep(self.state_dir(), |dropped| {
            if !config.repositories.iter().any(|known| known.id == dropped.repository) {
                let message = format!("a git hook asks for a sync of {}, which is not configured", dropped.repository);
                let hint = "Take the hook away in that repository: it is `.git/hooks/reference-transaction`.";
                notices.push(Notice { message, hint: hint.to_owned() });
                return Ok(());
            }
            let trigger = NewTrigger::of_all(dropped.repository.clone(), Trigger::Hook, &dropped.words);
            self.shared.store.queue_trigger(&trigger, dropped.at)
        })?;
        notices.extend(refused.into_iter().map(|error| Notice { message: error.message, hint: error.hint }));
        Ok(notices)
    }

    /// Watches the `.env` of each repository, the refs of each local source that its owner said yes to, and what git hooks
    /// leave. Begin it anew when the configuration has changed, with what the watch before knew. Must be called inside a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`Code::GitMissing`]; [`Code::Storage`].
    pub async fn watch_sources(&self, pace: Pace, known: &Known) -> Result<SourceWatch> {
        let mut watched = BTreeSet::from([Watched::Drops { folder: drops::folder(self.state_dir())? }]);
        for repository in &self.config().repositories {
            watched.extend(self.watched_of(repository));
        }
        Ok(SourceWatch::begin(self.git().await?.clone(), watched, pace, known))
    }

    fn watched_of(&self, repository: &RepositoryConfig) -> Vec<Watched> {
        let id = || repository.id.clone();
        let env = repository.env_file.clone().map(|path| Watched::EnvFile { repository: id(), path });
        // Git is asked about nothing that waits for a yes.
        let is_allowed = repository.mistakes.is_empty() && self.repository(Some(&repository.id)).is_ok();
        let refs = match &repository.source {
            Source::Path(named) if is_allowed => Some(Watched::Refs { repository: id(), named: named.clone() }),
            Source::Path(_) | Source::GitHub(_) | Source::Url(_) => None,
        };
        env.into_iter().chain(refs).collect()
    }

    /// A sync as this trigger asks for it.
    pub fn request_of(&self, trigger: &QueuedTrigger) -> SyncRequest {
        SyncRequest {
            repository: Some(trigger.repository.clone()),
            mirrors: trigger.mirrors.iter().cloned().collect(),
            trigger: trigger.kind,
            set_off_by: Some(trigger.by.clone()).filter(|by| !by.is_empty()),
            ..SyncRequest::default()
        }
    }

    /// Puts the git hook into its place.
    ///
    /// # Errors
    /// As [`Engine::repository`]; [`Code::Usage`] with what stands in the way.
    pub async fn install_hook(&self, id: Option<&RepositoryId>, in_work_tree: bool) -> Result<HookReport> {
        let repository = self.repository(id)?;
        let result = async { self.hook(&repository).await?.install(in_work_tree).await }.await;
        self.audited_hook("hook_install", &repository, result)
    }

    /// Takes the git hook away.
    ///
    /// # Errors
    /// As [`Engine::install_hook`].
    pub async fn remove_hook(&self, id: Option<&RepositoryId>) -> Result<HookReport> {
        let repository = self.repository(id)?;
        let result = async { self.hook(&repository).await?.remove().await }.await;
        self.audited_hook("hook_remove", &repository, result)
    }

    /// Looks at the git hook.
    ///
    /// # Errors
    /// As [`Engine::repository`]; [`Code::Storage`].
    pub async fn hook_status(&self, id: Option<&RepositoryId>) -> Result<HookReport> {
        let repository = self.repository(id)?;
        self.hook(&repository).await?.status().await
    }

    async fn hook<'a>(&'a self, repository: &RepositoryConfig) -> Result<Hook<'a>> {
        Hook::of(self.git().await?, self.state_dir(), repository).await
    }

    fn audited_hook(
        &self,
        action: &str,
        repository: &RepositoryConfig,
        result: Result<HookReport>,
    ) -> Result<HookReport> {
        let detail = match &result {
            Ok(report) => report.file.display().to_string(),
            Err(_) => "the git hook".to_owned(),
        };
        self.audited(action, Some(&repository.id), None, detail, result)
    }

    /// What judges the webhooks of the sources that are on GitHub, by the secret in `STANDIN_WEBHOOK_SECRET`, else in the
    /// keychain's entry `webhook`. Make it anew when the configuration or the master has changed.
    ///
    /// # Errors
    /// [`Code::Configuration`] where there is no secret, a weak one, or no source on GitHub; those of the keychain.
    pub async fn webhooks(&self) -> Result<Webhooks> {
        let secret = self.webhook_secret().await?.ok_or_else(|| {
            Error::new(
                Code::Configuration,
                "there is no secret by which webhooks could be told from anybody's requests",
                format!(
                    "Make one with `openssl rand -hex 32`, give it to the webhook's settings at GitHub, and here to \
                     `standin webhook secret` or {SECRET_VARIABLE}."
                ),
            )
        })?;
        let mut sources = Vec::new();
        for repository in &self.config().repositories {
            // One that waits for a yes, or is ill, is none to be synced.
            let Ok(direction) = self.direction(Some(&repository.id)) else { continue };
            if let Source::GitHub(slug) = &direction.config.source {
                sources.push((repository.id.clone(), slug.clone()));
            }
        }
        if sources.is_empty() {
            return Err(Error::new(
                Code::Configuration,
                "no repository has a source on GitHub, so that no webhook could be for one",
                "Configure one, or listen for nothing. `standin status --all` shows what waits for a yes.",
            ));
        }
        Webhooks::new(secret, sources)
    }

    /// Keeps the secret by which webhooks are known in the keychain.
    ///
    /// # Errors
    /// [`Code::Configuration`] for one that could be guessed; those of the keychain.
    pub async fn webhook_secret_set(&self, secret: &SecretString) -> Result<()> {
        let secret = SecretString::from(secret.expose_secret().trim());
        let kept = match webhook::check_secret(&secret) {
            Ok(()) => self.shared.outside.keychain.set(SECRET_ACCOUNT, &secret).await,
            Err(error) => Err(error),
        };
        self.audited_for_all("webhook_secret_set", String::new(), kept)
    }

    /// Removes that secret from the keychain; `false` where there was none.
    ///
    /// # Errors
    /// Those of the keychain.
    pub async fn webhook_secret_remove(&self) -> Result<bool> {
        let removed = self.shared.outside.keychain.remove(SECRET_ACCOUNT).await;
        self.audited_for_all("webhook_secret_remove", String::new(), removed)
    }

    async fn webhook_secret(&self) -> Result<Option<SecretString>> {
        let outside = &self.shared.outside;
        match outside.environment.get(SECRET_VARIABLE).filter(|secret| !secret.is_empty()) {
            Some(secret) => Ok(Some(SecretString::from(secret.as_str()))),
            None => match outside.keychain.get(SECRET_ACCOUNT).await {
                // The variable is left to those who have none.
                Err(error) if error.code == Code::KeychainUnavailable => Ok(None),
                found => found,
            },
        }
    }

    /// Where a listener keeps what it hears: the queue.
    pub fn keeper(&self) -> Arc<Keep> {
        let engine = self.clone();
        Arc::new(move |trigger| engine.queue(trigger))
    }

    fn state_dir(&self) -> &std::path::Path {
        &self.shared.state_dir
    }
}
