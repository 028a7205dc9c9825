//! Before a change of master: who takes part, what is meant, what speaks against it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use standin_state::config::{MirrorConfig, RepositoryConfig, Source};
use standin_state::lock::{self, MirrorLock, Refusal};
use standin_state::model::{MirrorId, MirrorType};
use tokio_util::sync::CancellationToken;

use super::{RoleGoal, RoleRequest};
use crate::engine::Engine;
use crate::engine::sync::named;
use crate::event::Event;
use crate::fence::same_master;
use crate::roles;
use crate::roles::direction::Direction;
use crate::roles::machine::{Change, Kind};
use crate::roles::parts::{Parts, source_lock};
use crate::roles::preview::{self, Master};
use crate::run::MirrorContext;
use crate::{Code, Error, Result, status};

/// How long a sync that is going on may hold a role change up.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);

impl Engine {
    /// The change that a request means, and who takes part.
    pub(super) async fn prepare(&self, request: &RoleRequest, cancel: CancellationToken) -> Result<(Parts, Change)> {
        let home = self.repository(request.repository.as_ref())?;
        if !home.enabled {
            return Err(Error::new(
                Code::Disabled,
                format!("mirroring of {} is switched off (`MIRROR_ENABLED=false`)", home.id),
                "Set `MIRROR_ENABLED=true` in `.env`, or `enabled = true` in `standin.toml`.",
            ));
        }
        let standby = self.standby(&home, &request.mirror)?;
        self.settle_role_change(&home).await?;
        let id = preview::new_id();
        let parts = self.parts(&home, standby, Some(id.clone()), cancel).await?;
        let master = self.look_for_master(&parts).await;
        // What was just read may say something new.
        let direction = Direction::of(&self.shared.store, &home)?;
        let parts = Parts { direction, ..parts };
        self.refuse_open(&parts)?;
        let change = self.change(request, &parts, id, master)?;
        Ok((parts, change))
    }

    /// Reads the fences of both, and whether the configured source answers.
    pub(super) async fn look_for_master(&self, parts: &Parts) -> Master {
        let standby = parts.site(&parts.standby_site());
        if let Ok(standby) = standby
            && let Err(error) = roles::read_fence(standby).await
        {
            return Master::Unclear(error.during(format!("Reading the standby {}", parts.standby_site())));
        }
        match parts.site(&parts.source_site()) {
            Ok(source) => match preview::look_for(source).await {
                Master::Here => match roles::read_fence(source).await {
                    Ok(()) => Master::Here,
                    Err(error) => Master::Unclear(error),
                },
                other => other,
            },
            Err(_) => Master::Unclear(crate::tokens::missing(&parts.direction.home, &crate::tokens::Place::Source)),
        }
    }

    pub(super) fn refuse_open(&self, parts: &Parts) -> Result<()> {
        let report = status::report(&self.shared.store, &parts.home.context.folder, &parts.direction.home)?;
        match report.open_change {
            Some(open) if open.kind == roles::KIND => Err(Error::new(
                Code::RoleChangeOpen,
                format!("a role change is open since {}, begun by {}: {}", open.since_iso, open.writer, open.detail),
                "End it first, with `--resume` or `--rollback`.",
            )),
            _ => Ok(()),
        }
    }

    fn change(&self, request: &RoleRequest, parts: &Parts, id: String, source: Master) -> Result<Change> {
        let (direction, mirror) = (&parts.direction, &request.mirror);
        let (standby, home) = (parts.standby_site(), parts.source_site());
        let Some(who) = &direction.who else {
            return Err(Error::new(
                Code::Usage,
                format!("{mirror} has never been synced: there is nothing that could take over or hand back"),
                format!("`standin sync --mirror {mirror}` makes a standby of it."),
            ));
        };
        let epoch = if who.rivals.is_empty() { who.epoch } else { who.epoch + 1 };
        let is_master = direction.master() == Some(mirror);
        let rival = who.rivals.iter().any(|rival| same_master(rival, &standby));
        let mut change = match request.goal {
            RoleGoal::Promote if is_master && who.rivals.is_empty() => {
                return Err(Error::new(
                    Code::Usage,
                    format!("{mirror} ({standby}) is the master already, since epoch {}", who.epoch),
                    format!("`standin demote {mirror}` hands back to {home}."),
                ));
            }
            RoleGoal::Promote => {
                if let Some(other) = direction.master().filter(|other| *other != mirror) {
                    return Err(Error::new(
                        Code::Usage,
                        format!("{other} is the master now; a standby takes over from the configured source"),
                        format!("Hand back first: `standin demote {other}`, then `standin promote {mirror}`."),
                    ));
                }
                let kind = match source {
                    Master::Here => Kind::Switchover,
                    Master::Gone(_) => Kind::Failover,
                    Master::Unclear(_) if request.gone => Kind::Failover,
                    Master::Unclear(error) => {
                        return Err(Error {
                            hint: format!(
                                "{} If you know that the master is gone, `standin promote {mirror} --gone` says so.",
                                error.hint
                            ),
                            ..error.during("whether the master is there cannot be told from here")
                        });
                    }
                };
                Change::new(id, kind, home, standby, epoch)
            }
            RoleGoal::Demote if !is_master && !rival => {
                return Err(Error::new(
                    Code::Usage,
                    format!("{mirror} ({standby}) is a SLAVE: {} is master since epoch {}", who.master, who.epoch),
                    format!("There is nothing to hand back. `standin promote {mirror}` makes it master."),
                ));
            }
            RoleGoal::Demote => match source {
                Master::Here => Change::new(id, Kind::Demote, standby, home, epoch),
                Master::Gone(error) | Master::Unclear(error) => {
                    return Err(error.during(format!("{home} cannot be handed back to, since it does not answer")));
                }
            },
        };
        change.old_is_temporary = change.kind == Kind::Demote && direction.is_temporary();
        change.others = parts.others(&change);
        Ok(change)
    }

    /// The mirror as one whose role can change.
    pub(super) fn standby(&self, home: &RepositoryConfig, mirror: &MirrorId) -> Result<Arc<MirrorConfig>> {
        if mirror.is_source() {
            return Err(Error::new(
                Code::Usage,
                "the source is no mirror: it becomes master again when the standby hands back",
                "`standin demote MIRROR`, with the mirror that is master now.",
            ));
        }
        let standby = named(home, mirror)?;
        if standby.kind != MirrorType::GitHub {
            return Err(Error::new(
                Code::Usage,
                format!("{mirror} is of type {}: it has no Actions, so it can be no master", standby.kind),
                "Only mirrors of type `github` have a role.",
            ));
        }
        if !matches!(home.source, Source::GitHub(_)) {
            return Err(Error::new(
                Code::Usage,
                format!(
                    "the source {} is not on GitHub, so it has no role that {mirror} could take over",
                    home.source.display()
                ),
                "Name its repository on GitHub as source: `MIRROR_SOURCE=owner/name` or `source = \"owner/name\"`.",
            ));
        }
        Ok(standby)
    }

    pub(super) async fn parts(
        &self,
        home: &Arc<RepositoryConfig>,
        standby: Arc<MirrorConfig>,
        change: Option<String>,
        cancel: CancellationToken,
    ) -> Result<Parts> {
        let turned = home.turned_to(&standby.id).map(Arc::new).ok_or_else(|| {
            Error::new(
                Code::Internal,
                format!("{} cannot be turned round to {}", home.id, standby.id),
                "Please report this.",
            )
        })?;
        let (at_home, turned) = tokio::try_join!(
            self.source_for(home, cancel.clone(), change.clone()),
            self.source_for(&turned, cancel, change),
        )?;
        let mut sites: BTreeMap<String, MirrorContext> = BTreeMap::new();
        sites.insert(standby.target.display(), at_home.context_by_hand(standby.clone()).await?);
        let source = named(&turned.context.repository, &MirrorId::source())?;
        match turned.context_by_hand(source.clone()).await {
            Ok(context) => _ = sites.insert(source.target.display(), context),
            // A fail-over does without it.
            Err(error) if error.code == Code::TokenMissing => {}
            Err(error) => return Err(error),
        }
        for mirror in home.mirrors.iter().filter(|mirror| mirror.enabled && mirror.id != standby.id) {
            let mirror = Arc::new(mirror.clone());
            if let Ok(context) = at_home.context_by_hand(mirror.clone()).await {
                sites.insert(mirror.target.display(), context);
            }
        }
        let direction = Direction::of(&self.shared.store, home)?;
        Ok(Parts { direction, standby, home: at_home, turned, sites, locks: Vec::new() })
    }

    /// Keeps syncs of this machine away; waits a while for one that is going on.
    pub(super) async fn locks(&self, parts: &Parts) -> Result<Vec<MirrorLock>> {
        let context = &parts.home.context;
        let until = Instant::now() + LOCK_PATIENCE;
        let mut locks = Vec::new();
        let mut told = false;
        for id in [parts.standby.id.clone(), source_lock()] {
            loop {
                let text = lock::holder(&self.shared.actor, context.outside.clock.now());
                let holder = match MirrorLock::try_acquire(&context.folder, &id, &text) {
                    Ok(lock) => {
                        locks.push(lock);
                        break;
                    }
                    Err(Refusal::Failed(error)) => return Err(error),
                    Err(Refusal::Held { holder }) => holder,
                };
                if Instant::now() > until {
                    return Err(Error::passing(
                        Code::Busy,
                        format!("{id} is being synced by {holder}; a role change waits until that is through"),
                        "Wait for it or stop it, then try again: nothing was changed.",
                    ));
                }
                if !told {
                    told = true;
                    let (repository, mirror) = (context.repository.id.clone(), id.clone());
                    context.outside.progress.event(&Event::RunWaiting { repository, mirror, holder });
                }
                tokio::select! {
                    () = context.cancel.cancelled() => {
                        return Err(Error::new(Code::Cancelled, "stopped before it began; nothing was changed", ""));
                    }
                    () = tokio::time::sleep(Duration::from_millis(200)) => {}
                }
            }
        }
        Ok(locks)
    }
}
