//! What a person decides: the answer to what a plan asks, and what becomes of tips that were saved.

use standin_state::model::{AskId, MirrorId, RefName, RepositoryId};
use standin_state::store::{DecisionChoice, Rescue, RescueReason};

use super::Engine;
use crate::code::{self, Resolved, Restored};
use crate::{Code, Error, Result, kinds, mirror};

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
        let source = self.source_by_hand(&direction.config).await?;
        let cache = mirror::cache(&source.context)?;
        let kind = if rescue.ref_name.is_tag() { "tags" } else { "heads" };
        let base = to.map_or_else(
            || format!("refs/{kind}/rescue/{}/{}", rescue.mirror, rescue.ref_name.short()),
            ToString::to_string,
        );
        let name = code::new_branch::at_source(&source.context, &cache, &base, &rescue.oid).await?;
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
        let source = self.source_by_hand(&repository).await?;
        let dropped = code::rescue::drop(&source.context, id);
        let detail = format!("{id}: {} {}", rescue.ref_name, rescue.oid);
        self.audited("rescue_drop", Some(&rescue.repository), Some(&rescue.mirror), detail, dropped)
    }

    fn rescue(&self, id: &str) -> Result<Rescue> {
        code::rescue::find(&self.shared.store, id)
    }
}
