//! Before a change of master: who takes part, what is meant, what speaks against it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use standin_state::config::{MirrorConfig, RepositoryConfig, Source};
use standin_state::lock::{self, MirrorLock, Refusal};
use standin_state::model::{MirrorId, MirrorType};
use tokio_util::sync::CancellationToken;

use super::{RoleGoal, RoleRequest};
use crate::context::MirrorContext;
use crate::engine::Engine;
use crate::engine::sync::named;
use crate::event::Event;
use crate::fence::{Document, ROLE_CHANGE, same_master};
use crate::mastership::direction::Direction;
use crate::mastership::machine::{Change, Kind, Site};
use crate::roles::journal;
use crate::roles::parts::{Parts, source_lock};
use crate::roles::preview::{self, Master};
use crate::{Code, Error, Result, mastership, roles, status};

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
        let mut seen = look_at_both(&parts).await;
        // What was just read may say something new.
        let direction = Direction::of(&self.shared.store, &home)?;
        let parts = Parts { direction, ..parts };
        if let Some(other) = other_master(&parts) {
            seen.master = Some(look_at(parts.site(&other)?).await);
        }
        let change = self.change(request, &parts, id, seen)?;
        Ok((parts, change))
    }

    pub(super) fn refuse_open(&self, parts: &Parts) -> Result<()> {
        let report = status::report(&self.shared.store, &parts.home.context.folder, &parts.direction.home, &self.terms())?;
        match report.open_change {
            Some(open) if open.kind == ROLE_CHANGE => Err(Error::new(
                Code::RoleChangeOpen,
                format!("a role change is open since {}, begun by {}: {}", open.since_iso, open.writer, open.detail),
                "End it first, with `--resume` or `--rollback`.",
            )),
            _ => Ok(()),
        }
    }

    fn change(&self, request: &RoleRequest, parts: &Parts, id: String, seen: Seen) -> Result<Change> {
        let (direction, mirror) = (&parts.direction, &request.mirror);
        let standby = parts.standby_site();
        let Some(who) = &direction.who else {
            return Err(Error::new(
                Code::Usage,
                format!("{mirror} has never been synced: there is nothing that could take over or hand back"),
                format!("`standin sync --mirror {mirror}` makes a standby of it."),
            ));
        };
        let mut change = match request.goal {
            RoleGoal::Promote => {
                self.refuse_open(parts)?;
                if direction.master() == Some(mirror) && who.rivals.is_empty() {
                    return Err(Error::new(
                        Code::Usage,
                        format!("{mirror} ({standby}) is the master already, since epoch {}", who.epoch),
                        format!("`standin demote {mirror}` hands back to {}.", parts.source_site()),
                    ));
                }
                promotion(request, parts, id, seen)?
            }
            RoleGoal::Demote => {
                let under_way = self.under_way_with_gone(parts, &seen)?;
                if under_way.is_none() {
                    self.refuse_open(parts)?;
                }
                let is_rival = who.rivals.iter().any(|rival| same_master(rival, &standby));
                if direction.master() != Some(mirror) && !is_rival && under_way.is_none() {
                    return Err(Error::new(
                        Code::Usage,
                        format!("{mirror} ({standby}) is a SLAVE: {} is master since epoch {}", who.master, who.epoch),
                        format!("There is nothing to hand back. `standin promote {mirror}` makes it master."),
                    ));
                }
                let change = hand_back(request, parts, id, seen)?;
                match under_way {
                    Some(open) => change.ending(&open),
                    None => change,
                }
            }
        };
        change.others = parts.others(&change);
        Ok(change)
    }

    /// The change that stands open between the source and a standby that does not answer, and which only the standby's
    /// fence could end.
    fn under_way_with_gone(&self, parts: &Parts, seen: &Seen) -> Result<Option<Change>> {
        if matches!(seen.standby, Master::Here) {
            return Ok(None);
        }
        let (store, home) = (&self.shared.store, &parts.direction.home);
        let epoch = parts.direction.who.as_ref().map_or(0, |who| who.epoch);
        let mut found: Vec<Change> = Vec::new();
        for place in [&MirrorId::source(), &parts.standby.id] {
            let Some(memory) = store.fence_memory(&home.id, place)? else { continue };
            let document = Document::parse(memory.document.as_bytes())?;
            found.extend(mastership::open_in(&document).filter(|_| memory.epoch >= epoch).map(|(change, _)| change));
        }
        found.extend(journal::open_here(store, &home.id)?.map(|entry| entry.change));
        let localized = found.iter().filter_map(|change| parts.localized(change).ok());
        Ok(localized.into_iter().find(|change| *change.register() == parts.standby_site()))
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

/// What both sides say when they are asked.
pub(super) struct Seen {
    /// The standby whose role changes.
    pub standby: Master,
    /// The configured source.
    pub source: Master,
    /// Another standby, where that is master.
    pub master: Option<Master>,
}

/// Reads the fences of both, and whether they answer.
pub(super) async fn look_at_both(parts: &Parts) -> Seen {
    let standby = match parts.site(&parts.standby_site()) {
        Ok(standby) => look_at(standby).await,
        Err(error) => Master::Unclear(error),
    };
    let source = match parts.site(&parts.source_site()) {
        Ok(source) => match preview::look_for(source).await {
            Master::Here => match roles::read_fence(source).await {
                Ok(()) => Master::Here,
                Err(error) => Master::Unclear(error),
            },
            other => other,
        },
        Err(_) => Master::Unclear(crate::tokens::missing(&parts.direction.home, &crate::tokens::Place::Source)),
    };
    Seen { standby, source, master: None }
}

/// Reads the fence of one; where it cannot be read, whether that says that the repository is gone.
async fn look_at(site: &MirrorContext) -> Master {
    let Err(error) = roles::read_fence(site).await else { return Master::Here };
    match preview::look_for(site).await {
        Master::Here => Master::Unclear(error),
        other => other,
    }
}

/// The standby that is master while the request is about another.
fn other_master(parts: &Parts) -> Option<Site> {
    let direction = &parts.direction;
    let other = direction.master().filter(|master| **master != parts.standby.id)?;
    Some(direction.home.mirror(other)?.target.display())
}

/// The epoch that a change begins with: of two masters of one epoch, both are left behind.
fn epoch(parts: &Parts) -> u64 {
    parts.direction.who.as_ref().map_or(1, |who| who.epoch + u64::from(!who.rivals.is_empty()))
}

/// A standby becomes master instead of whoever is.
fn promotion(request: &RoleRequest, parts: &Parts, id: String, seen: Seen) -> Result<Change> {
    let (mirror, standby) = (&request.mirror, parts.standby_site());
    if let Master::Gone(error) | Master::Unclear(error) = seen.standby {
        return Err(error.during(format!("Reading the standby {standby}")));
    }
    let (old, master, is_source) = match (other_master(parts), seen.master) {
        (Some(other), Some(master)) => (other, master, false),
        _ => (parts.source_site(), seen.source, true),
    };
    match master {
        Master::Here if is_source => Ok(Change::new(id, Kind::Switchover, old, standby, epoch(parts))),
        Master::Here => {
            let other = parts.direction.master().map_or("MIRROR", MirrorId::as_str);
            Err(Error::new(
                Code::Usage,
                format!("{other} is the master now, and well; a standby takes over from the configured source"),
                format!("Hand back first: `standin demote {other}`, then `standin promote {mirror}`."),
            ))
        }
        Master::Unclear(error) if !request.gone => {
            Err(unclear(error, "the master", &format!("`standin promote {mirror} --gone`")))
        }
        Master::Gone(_) | Master::Unclear(_) if is_source => {
            Ok(Change::new(id, Kind::Failover, old, standby, epoch(parts)))
        }
        Master::Gone(_) | Master::Unclear(_) => Ok(Change::past(id, old, standby, epoch(parts))),
    }
}

/// The configured source becomes master again: by a hand-back or, where the standby is gone, alone.
fn hand_back(request: &RoleRequest, parts: &Parts, id: String, seen: Seen) -> Result<Change> {
    let (standby, home) = (parts.standby_site(), parts.source_site());
    if let Master::Gone(error) | Master::Unclear(error) = seen.source {
        return Err(error.during(format!("{home} cannot be handed back to, since it does not answer")));
    }
    let change = match seen.standby {
        Master::Here => Change::new(id, Kind::Demote, standby, home, epoch(parts)),
        Master::Gone(_) | Master::Unclear(_) if request.gone => {
            Change { is_homeward: true, ..Change::past(id, standby, home, epoch(parts)) }
        }
        Master::Unclear(error) => {
            return Err(unclear(error, &standby, &format!("`standin demote {} --gone`", request.mirror)));
        }
        // A token that sees the repository no more looks the same, and a hand-back is another thing: so it is asked for.
        Master::Gone(error) => {
            let hint = format!(
                "{} If it is gone, `standin demote {} --gone` makes {home} master again without it; what was committed \
                 there comes home when it is back.",
                error.hint, request.mirror
            );
            return Err(Error {
                hint,
                ..error.during(format!("{standby} cannot hand back, since it does not answer"))
            });
        }
    };
    Ok(Change { old_is_temporary: parts.direction.is_temporary(), ..change })
}

fn unclear(error: Error, master: &str, command: &str) -> Error {
    let hint = format!("{} If you know that {master} is gone, {command} says so.", error.hint);
    Error { hint, ..error.during(format!("whether {master} is there cannot be told from here")) }
}
