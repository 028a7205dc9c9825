//! What a person does around the main job: decide, restore, check, keep tokens.

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use standin_state::config::RepositoryConfig;
use standin_state::lock::{self, MirrorLock};
use standin_state::model::{AskId, MirrorId, RefName, RepositoryId};
use standin_state::store::{AuditEntry, DecisionChoice, Rescue, RescueReason};
use tokio_util::sync::CancellationToken;
use ts_rs::TS;

use super::Engine;
use crate::code::{self, Resolved, Restored};
use crate::context::MirrorContext;
use crate::git::ssh::{self, HostKey};
use crate::keychain::SessionKeychain;
use crate::kinds::{self, Check};
use crate::source::named;
use crate::tokens::{self, Place, TokenReport};
use crate::{Code, Error, Result, mirror};

/// What a test of a mirror found. Nothing was changed by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MirrorTest {
    /// The mirror.
    pub mirror: MirrorId,
    /// Where it is, as it may be shown.
    pub repo: String,
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
    /// The ssh host key that the mirror's host shows and that is not accepted yet.
    pub host_key: Option<HostKey>,
}

impl MirrorTest {
    /// Whether nothing failed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.works != Some(false))
    }
}

impl Engine {
    /// Answers what a plan asked: about a diverged ref, or a lost fence. What the answer allows is done by the next sync.
    ///
    /// # Errors
    /// [`Code::Usage`] where there is nothing to decide; whatever stops the look at the mirror.
    pub async fn resolve(
        &self,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
        ask: &AskId,
        choice: DecisionChoice,
    ) -> Result<Resolved> {
        let detail = format!("{ask}: {choice:?}").to_lowercase();
        let decided = async {
            let direction = self.direction(repository)?;
            // The fence of a master says that it is one; putting it back is no sync towards it.
            let known = match ask.as_str() == RefName::fence().as_str() && direction.master() == Some(mirror) {
                true => direction.home,
                false => {
                    direction.check_target(mirror)?;
                    direction.config
                }
            };
            let (context, _lock) = self.locked_context_in(&known, mirror).await?;
            kinds::of(&context.mirror.target).answer(&context, ask, choice).await
        }
        .await;
        self.audited("resolve", repository, Some(mirror), detail, decided)
    }

    /// The saved tips of a repository, newest first.
    ///
    /// # Errors
    /// [`Code::Storage`] when the memory cannot be read.
    pub fn rescues(&self, repository: Option<&RepositoryId>, mirror: Option<&MirrorId>) -> Result<Vec<Rescue>> {
        self.shared.store.rescues(repository, mirror)
    }

    /// Puts a saved tip back on its mirror, or on `onto` where that one is no longer configured, under `to` or its old
    /// name.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown id or where its mirror is no longer configured, [`Code::RefRefused`] where the
    /// name is taken or the host refuses.
    pub async fn rescue_restore(&self, id: &str, onto: Option<&MirrorId>, to: Option<&RefName>) -> Result<Restored> {
        let rescue = self.rescue(id)?;
        let mirror = onto.unwrap_or(&rescue.mirror);
        let restored = async {
            if rescue.reason == RescueReason::Turned && onto.is_none() {
                return self.restore_turned(&rescue, to).await;
            }
            self.still_configured(&rescue, mirror)?;
            if onto.is_none() {
                self.still_there(&rescue)?;
            }
            let (context, _lock) = self.locked_context(Some(&rescue.repository), mirror).await?;
            kinds::of(&context.mirror.target).restore(&context, &rescue, to).await
        }
        .await;
        let detail = format!("{id}: {} {}", rescue.ref_name, rescue.oid);
        self.audited("rescue_restore", Some(&rescue.repository), Some(mirror), detail, restored)
    }

    /// What to do about a rescue whose mirror has another id now, or is gone.
    fn still_configured(&self, rescue: &Rescue, mirror: &MirrorId) -> Result<()> {
        let Rescue { id, repository, .. } = rescue;
        let Ok(known) = self.configured(Some(repository)) else {
            return Err(Error::new(
                Code::NotFound,
                format!("rescue {id} is of the repository {repository}, which is no longer configured"),
                format!(
                    "Give a repository with the same source the id `{repository}` in `standin.toml`, then restore it."
                ),
            ));
        };
        if mirror.is_source() || known.mirror(mirror).is_some() || *mirror != rescue.mirror {
            return Ok(());
        }
        Err(Error::new(
            Code::NotFound,
            format!("rescue {id} is of the mirror {mirror}, which is no longer configured"),
            format!(
                "The tip is kept here. `standin rescue restore {id} --mirror MIRROR` puts it on another mirror of {repository}: {}.",
                known.mirrors.iter().map(|mirror| mirror.id.as_str()).collect::<Vec<_>>().join(", ")
            ),
        ))
    }

    /// Refuses to put a tip of one place on another that has its mirror's id by now.
    fn still_there(&self, rescue: &Rescue) -> Result<()> {
        let Rescue { id, repository, mirror, .. } = rescue;
        let direction = self.direction(Some(repository))?;
        let now = direction.config.mirror(mirror).map(|mirror| mirror.target.display());
        match (&rescue.target, now) {
            (Some(then), Some(now)) if *then != now => Err(Error::new(
                Code::Usage,
                format!("rescue {id} is of {then}, and mirror {mirror} is {now} by now"),
                format!(
                    "Name {then} again to put it back there; `standin rescue restore {id} --mirror {mirror}` puts it on {now}."
                ),
            )),
            _ => Ok(()),
        }
    }

    /// A tip of a master that is no longer one goes to the one that is, under a name of its own.
    async fn restore_turned(&self, rescue: &Rescue, to: Option<&RefName>) -> Result<Restored> {
        let direction = self.direction(Some(&rescue.repository))?;
        let source = self.source(&direction.config, self.limited()).await?;
        let cache = mirror::cache(&source.context)?;
        let kind = if rescue.ref_name.is_tag() { "tags" } else { "heads" };
        let base = to.map_or_else(
            || format!("refs/{kind}/rescue/{}/{}", rescue.mirror, rescue.ref_name.short()),
            ToString::to_string,
        );
        let name = code::offer::to_source(&source.context, &cache, &base, &rescue.oid).await?;
        Ok(Restored { name, oid: rescue.oid.clone() })
    }

    /// Removes a saved tip for good.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown id; [`Code::GuardHeld`] without `yes`, since it may be the only copy.
    pub async fn rescue_drop(&self, id: &str, yes: bool) -> Result<Rescue> {
        let rescue = self.rescue(id)?;
        if !yes {
            return Err(Error::new(
                Code::GuardHeld,
                format!("{id} may be the only copy of {} {}, and dropping it is for good", rescue.ref_name, rescue.oid),
                format!("Restore it first with `standin rescue restore {id}`, or drop it with `--yes`."),
            ));
        }
        let repository = self.repository(Some(&rescue.repository))?;
        let source = self.source(&repository, self.limited()).await?;
        let dropped = code::rescue::drop(&source.context, id);
        let detail = format!("{id}: {} {}", rescue.ref_name, rescue.oid);
        self.audited("rescue_drop", Some(&rescue.repository), Some(&rescue.mirror), detail, dropped)
    }

    fn rescue(&self, id: &str) -> Result<Rescue> {
        code::rescue::find(&self.shared.store, id)
    }

    /// Stores a token in the keychain.
    ///
    /// # Errors
    /// As [`tokens::set`]; the hint names the variable to use instead.
    pub async fn token_set(
        &self,
        repository: Option<&RepositoryId>,
        place: &Place,
        value: &SecretString,
    ) -> Result<()> {
        let known = self.repository(repository)?;
        let set = tokens::set(&self.shared.outside, &self.shared.store, &known, place, value).await;
        self.audited("token_set", Some(&known.id), mirror_of(place), place.to_string(), set)
    }

    /// Keeps a token in memory until the program quits. `session` is the keychain that the engine was opened with.
    ///
    /// # Errors
    /// [`Code::Usage`] for what cannot be a token.
    pub fn token_keep(
        &self,
        session: &SessionKeychain,
        repository: Option<&RepositoryId>,
        place: &Place,
        value: &SecretString,
    ) -> Result<()> {
        let known = self.repository(repository)?;
        let kept = tokens::keep(session, &known, place, value);
        self.audited("token_set", Some(&known.id), mirror_of(place), format!("{place}, in memory only"), kept)
    }

    /// Removes a token from the keychain; `false` where there was none.
    ///
    /// # Errors
    /// As [`tokens::remove`].
    pub async fn token_remove(&self, repository: Option<&RepositoryId>, place: &Place) -> Result<bool> {
        let known = self.repository(repository)?;
        let removed = tokens::remove(&self.shared.outside, &self.shared.store, &known, place).await;
        self.audited("token_remove", Some(&known.id), mirror_of(place), place.to_string(), removed)
    }

    /// Whose a token is, what it may do, when it ends; `None` where there is no token or none is needed.
    ///
    /// # Errors
    /// Whatever the host answers to the questions.
    pub async fn token_check(&self, repository: Option<&RepositoryId>, place: &Place) -> Result<Option<TokenReport>> {
        let known = self.repository(repository)?;
        tokens::check(&self.shared.outside, &self.config(), &self.shared.store, &known, place).await
    }

    /// Tries a mirror's address, token and rights, and changes nothing there.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown mirror, [`Code::ConsentNeeded`] where it waits for a yes. What does not work is in the
    /// result.
    pub async fn mirror_test(&self, repository: Option<&RepositoryId>, mirror: &MirrorId) -> Result<MirrorTest> {
        let direction = self.direction(repository)?;
        let is_copy = direction.home.mirror(mirror).is_some_and(|known| known.target.pulled().is_some());
        let known = if is_copy { direction.config } else { direction.home };
        let mirror = named(&known, mirror)?;
        let mut test =
            MirrorTest { mirror: mirror.id.clone(), repo: mirror.target.display(), checks: Vec::new(), host_key: None };
        let source = self.source_of_a_look(&known).await?;
        let context = match source.context_by_hand(mirror.clone()).await {
            Ok(context) => context,
            Err(error) if error.code.waits() => return Err(error),
            Err(error) => {
                test.checks.push(Check::failed("find a token", &error));
                return Ok(test);
            }
        };
        let tested = kinds::of(&mirror.target).test(&context).await?;
        (test.checks, test.host_key) = (tested.checks, tested.host_key);
        Ok(test)
    }

    /// Remembers an ssh host key that the user has looked at.
    ///
    /// # Errors
    /// [`Code::Storage`] when it cannot be written.
    pub fn accept_host_key(&self, repository: Option<&RepositoryId>, key: &HostKey) -> Result<()> {
        let known = self.repository(repository)?;
        self.make_folder(&known.id)?;
        let accepted = ssh::accept(&self.shared.state_dir.join("known_hosts"), key);
        self.audited("accept_host_key", Some(&known.id), None, format!("{} {}", key.host, key.fingerprint), accepted)
    }

    /// A cancel that comes when the time limit of a run is up: what is done by hand never holds a mirror longer.
    pub(super) fn limited(&self) -> CancellationToken {
        let (cancel, limit) = (CancellationToken::new(), self.config().limits.run);
        let timer = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            timer.cancel();
        });
        cancel
    }

    /// A mirror's context with its lock held, for what is done by hand.
    async fn locked_context(
        &self,
        repository: Option<&RepositoryId>,
        mirror: &MirrorId,
    ) -> Result<(MirrorContext, MirrorLock)> {
        let direction = self.direction(repository)?;
        direction.check_target(mirror)?;
        self.locked_context_in(&direction.config, mirror).await
    }

    async fn locked_context_in(
        &self,
        known: &Arc<RepositoryConfig>,
        mirror: &MirrorId,
    ) -> Result<(MirrorContext, MirrorLock)> {
        let mirror = named(known, mirror)?;
        let source = self.source(known, self.limited()).await?;
        let text = lock::holder(&self.shared.actor, self.shared.outside.clock.now());
        let lock = MirrorLock::try_acquire(&source.context.folder, &mirror.id, &text).map_err(Error::from)?;
        let context = source.context_by_hand(mirror).await?;
        Ok((context, lock))
    }

    /// Writes down what was done and how it ended, then gives the result on.
    pub(super) fn audited<T>(
        &self,
        action: &str,
        repository: Option<&RepositoryId>,
        mirror: Option<&MirrorId>,
        detail: String,
        result: Result<T>,
    ) -> Result<T> {
        let repository = match repository {
            Some(id) => Some(id.clone()),
            None => self.configured(None).ok().map(|known| known.id.clone()),
        };
        self.shared.store.append_audit(&AuditEntry {
            at_iso: self.shared.outside.clock.now(),
            actor: self.shared.actor.clone(),
            action: action.to_owned(),
            repository,
            mirror: mirror.cloned(),
            detail,
            outcome: result.as_ref().err().map_or_else(|| "ok".to_owned(), |error| error.message.clone()),
        })?;
        result
    }
}

fn mirror_of(place: &Place) -> Option<&MirrorId> {
    match place {
        Place::Source => None,
        Place::Mirror(id) => Some(id),
    }
}
