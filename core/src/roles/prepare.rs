//! Before a change of master: what is meant, what speaks against it.

use std::sync::Arc;

use standin_state::config::{MirrorConfig, RepositoryConfig, Source};
use standin_state::model::{Action, MirrorId, Site, Verb};

use super::change::{RoleGoal, RoleRequest};
use super::journal;
use super::parties::Parties;
use super::preview::{self, Master};
use crate::context::MirrorContext;
use crate::fence::{Document, ROLE_CHANGE};
use crate::mastership::direction::Direction;
use crate::mastership::machine::{Change, Kind};
use crate::source::named;
use crate::{Code, Error, Result, mastership, status};

/// The change that a request means, by what both sides say now; `id` is what it shall be called.
///
/// # Errors
/// What makes no sense, what cannot be told, and what is open.
pub(crate) async fn meant(parties: Parties, request: &RoleRequest, id: String) -> Result<(Parties, Change)> {
    let mut seen = look_at_both(&parties).await;
    // What was just read may say something new.
    let direction = Direction::of(&parties.home.context.store, &parties.direction.home)?;
    let parties = Parties { direction, ..parties };
    if let Some(other) = other_master(&parties) {
        seen.master = Some(look_at(parties.site(&other)?).await);
    }
    let change = change(request, &parties, id, seen)?;
    Ok((parties, change))
}

/// Refuses to begin while a change of master is open.
///
/// # Errors
/// [`Code::RoleChangeOpen`], with which and what to do.
pub(super) fn refuse_open(parties: &Parties) -> Result<()> {
    let context = &parties.home.context;
    let report = status::report(&context.store, &context.folder, &parties.direction.home, &(&**context).into())?;
    match report.open_change {
        Some(open) if open.kind == ROLE_CHANGE => Err(Error::new(
            Code::RoleChangeOpen,
            format!("a role change is open since {}, begun by {}: {}", open.since_iso, open.writer, open.detail),
            "End it first, with `--resume` or `--rollback`.",
        )),
        _ => Ok(()),
    }
}

fn change(request: &RoleRequest, parties: &Parties, id: String, seen: Seen) -> Result<Change> {
    let (direction, mirror) = (&parties.direction, &request.mirror);
    let standby = parties.standby_site();
    let Some(who) = &direction.who else {
        return Err(Error::new(
            Code::Usage,
            format!("{mirror} has never been synced: there is nothing that could take over or hand back"),
            format!("`standin sync --mirror {mirror}` makes a standby of it."),
        )
        .offering(Verb::Sync, Some(mirror)));
    };
    let mut change = match request.goal {
        RoleGoal::Promote => {
            refuse_open(parties)?;
            if direction.master() == Some(mirror) && who.rivals.is_empty() {
                return Err(Error::new(
                    Code::Usage,
                    format!("{mirror} ({standby}) is the master already, since epoch {}", who.epoch),
                    format!("`standin demote {mirror}` hands back to {}.", parties.source_site()),
                )
                .offering(Verb::Demote, Some(mirror)));
            }
            promotion(request, parties, id, seen)?
        }
        RoleGoal::Demote => {
            let under_way = under_way_with_gone(parties, &seen)?;
            if under_way.is_none() {
                refuse_open(parties)?;
            }
            let is_rival = who.rivals.contains(&standby);
            if direction.master() != Some(mirror) && !is_rival && under_way.is_none() {
                return Err(Error::new(
                    Code::Usage,
                    format!("{mirror} ({standby}) is a SLAVE: {} is master since epoch {}", who.master, who.epoch),
                    format!("There is nothing to hand back. `standin promote {mirror}` makes it master."),
                )
                .offering(Verb::Promote, Some(mirror)));
            }
            let change = hand_back(request, parties, id, seen)?;
            match under_way {
                Some(open) => change.ending(&open),
                None => change,
            }
        }
    };
    change.others = parties.others(&change);
    Ok(change)
}

/// The change that stands open between the source and a standby that does not answer, and which only the standby's
/// fence could end.
fn under_way_with_gone(parties: &Parties, seen: &Seen) -> Result<Option<Change>> {
    if matches!(seen.standby, Master::Here) {
        return Ok(None);
    }
    let (store, home) = (&parties.home.context.store, &parties.direction.home);
    let epoch = parties.direction.who.as_ref().map_or(0, |who| who.epoch);
    let mut found: Vec<Change> = Vec::new();
    for place in [&MirrorId::source(), &parties.standby.id] {
        let Some(memory) = store.fence_memory(&home.id, place)? else { continue };
        let document = Document::parse(memory.document.as_bytes())?;
        found.extend(mastership::open_in(&document).filter(|_| memory.epoch >= epoch).map(|(change, _)| change));
    }
    found.extend(journal::open_here(store, &home.id)?.map(|entry| entry.change));
    let localized = found.iter().filter_map(|change| parties.localized(change).ok());
    Ok(localized.into_iter().find(|change| *change.register() == parties.standby_site()))
}

/// The mirror as one whose role can change.
///
/// # Errors
/// Why it has no role, or what [`named`] says.
pub(crate) fn standby(home: &RepositoryConfig, mirror: &MirrorId) -> Result<Arc<MirrorConfig>> {
    if mirror.is_source() {
        return Err(Error::new(
            Code::Usage,
            "the source is no mirror: it becomes master again when the standby hands back",
            "`standin demote MIRROR`, with the mirror that is master now.",
        ));
    }
    let standby = named(home, mirror)?;
    if standby.slug().is_none() {
        return Err(Error::new(
            Code::Usage,
            format!("{mirror} is of type {}: it has no Actions, so it can be no master", standby.kind()),
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
pub(super) async fn look_at_both(parties: &Parties) -> Seen {
    let standby = match parties.site(&parties.standby_site()) {
        Ok(standby) => look_at(standby).await,
        Err(error) => Master::Unclear(error),
    };
    let source = match parties.site(&parties.source_site()) {
        Ok(source) => match preview::look_for(source).await {
            Master::Here => match super::read_fence(source).await {
                Ok(()) => Master::Here,
                Err(error) => Master::Unclear(error),
            },
            other => other,
        },
        Err(_) => {
            let (store, home) = (&parties.home.context.store, &parties.direction.home);
            Master::Unclear(crate::tokens::missing(store, home, &crate::tokens::Place::Source))
        }
    };
    Seen { standby, source, master: None }
}

/// Reads the fence of one; where it cannot be read, whether that says that the repository is gone.
async fn look_at(site: &MirrorContext) -> Master {
    let Err(error) = super::read_fence(site).await else { return Master::Here };
    match preview::look_for(site).await {
        Master::Here => Master::Unclear(error),
        other => other,
    }
}

/// The standby that is master while the request is about another.
fn other_master(parties: &Parties) -> Option<Site> {
    let direction = &parties.direction;
    let other = direction.master().filter(|master| **master != parties.standby.id)?;
    Some(direction.home.mirror(other)?.target.site())
}

/// The epoch that a change begins with: of two masters of one epoch, both are left behind.
fn epoch(parties: &Parties) -> u64 {
    parties.direction.who.as_ref().map_or(1, |who| who.epoch + u64::from(!who.rivals.is_empty()))
}

/// A standby becomes master instead of whoever is.
fn promotion(request: &RoleRequest, parties: &Parties, id: String, seen: Seen) -> Result<Change> {
    let (mirror, standby) = (&request.mirror, parties.standby_site());
    if let Master::Gone(error) | Master::Unclear(error) = seen.standby {
        return Err(error.during(format!("Reading the standby {standby}")));
    }
    let (old, master, is_source) = match (other_master(parties), seen.master) {
        (Some(other), Some(master)) => (other, master, false),
        _ => (parties.source_site(), seen.source, true),
    };
    match master {
        Master::Here if is_source => Ok(Change::new(id, Kind::Switchover, old, standby, epoch(parties))),
        Master::Here => {
            let other = parties.direction.master().map_or("MIRROR", MirrorId::as_str);
            Err(Error::new(
                Code::Usage,
                format!("{other} is the master now, and well; a standby takes over from the configured source"),
                format!("Hand back first: `standin demote {other}`, then `standin promote {mirror}`."),
            )
            .offering(Verb::Demote, parties.direction.master()))
        }
        Master::Unclear(error) if !request.gone => Err(unclear(error, "the master", gone("promote", mirror))),
        Master::Gone(_) | Master::Unclear(_) if is_source => {
            Ok(Change::new(id, Kind::Failover, old, standby, epoch(parties)))
        }
        Master::Gone(_) | Master::Unclear(_) => Ok(Change::past(id, old, standby, epoch(parties))),
    }
}

/// The configured source becomes master again: by a hand-back or, where the standby is gone, alone.
fn hand_back(request: &RoleRequest, parties: &Parties, id: String, seen: Seen) -> Result<Change> {
    let (standby, home) = (parties.standby_site(), parties.source_site());
    if let Master::Gone(error) | Master::Unclear(error) = seen.source {
        return Err(error.during(format!("{home} cannot be handed back to, since it does not answer")));
    }
    let change = match seen.standby {
        Master::Here => Change::new(id, Kind::Demote, standby, home, epoch(parties)),
        Master::Gone(_) | Master::Unclear(_) if request.gone => {
            Change { is_homeward: true, ..Change::past(id, standby, home, epoch(parties)) }
        }
        Master::Unclear(error) => {
            return Err(unclear(error, standby.as_str(), gone("demote", &request.mirror)));
        }
        // A token that sees the repository no more looks the same, and a hand-back is another thing: so it is asked for.
        Master::Gone(error) => {
            let hint = format!(
                "{} If it is gone, `standin demote {} --gone` makes {home} master again without it; what was committed \
                 there comes home when it is back.",
                error.advice(),
                request.mirror
            );
            return Err(Error {
                hint,
                action: Some(Box::new(gone("demote", &request.mirror))),
                ..error.during(format!("{standby} cannot hand back, since it does not answer"))
            });
        }
    };
    Ok(Change { old_is_temporary: parties.direction.is_temporary(), ..change })
}

/// What says that who is left behind is gone.
fn gone(command: &str, mirror: &MirrorId) -> Action {
    Action { command: format!("standin {command} {mirror} --gone"), ..Action::new(Verb::SayGone, Some(mirror)) }
}

fn unclear(error: Error, master: &str, action: Action) -> Error {
    let hint = format!("{} If you know that {master} is gone, `{}` says so.", error.advice(), action.command);
    let error = error.during(format!("whether {master} is there cannot be told from here"));
    Error { hint, action: Some(Box::new(action)), ..error }
}
