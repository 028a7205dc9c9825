//! `demote` of a standby that has stepped back already: what it parked is brought home, and nobody's role changes.

use std::time::Instant;

use standin_state::model::MirrorStatus;
use tokio_util::sync::CancellationToken;

use super::{RoleGoal, RoleOutcome, RoleRequest, prepare};
use crate::engine::Engine;
use crate::event::{Event, RoleChangeEnd};
use crate::mastership::machine::{Change, Kind};
use crate::roles::handback::HandBack;
use crate::roles::homecoming;
use crate::roles::parts::Parts;
use crate::roles::preview::{self, Master, RolePlan};
use crate::run::{self, RunRequest};
use crate::{Code, Error, Result};

impl Engine {
    /// What waits on a standby that has stepped back, with who takes part; `None` where the request means something else.
    pub(super) async fn homecoming(
        &self,
        request: &RoleRequest,
        cancel: CancellationToken,
    ) -> Result<Option<(Parts, HandBack)>> {
        if request.goal != RoleGoal::Demote {
            return Ok(None);
        }
        let home = self.repository(request.repository.as_ref())?;
        let standby = self.standby(&home, &request.mirror)?;
        let mut parts = self.parts(&home, standby, None, cancel).await?;
        let seen = prepare::look_at_both(&parts).await;
        if !matches!((seen.standby, seen.source), (Master::Here, Master::Here)) {
            return Ok(None);
        }
        parts.direction = self.direction(Some(&home.id))?;
        let is_slave =
            parts.direction.who.as_ref().is_some_and(|who| who.rivals.is_empty()) && parts.direction.master().is_none();
        if !home.enabled || !is_slave {
            return Ok(None);
        }
        self.refuse_open(&parts)?;
        Ok(homecoming::look(&parts).await?.map(|plan| (parts, plan)))
    }

    /// The preview of it.
    pub(super) fn homecoming_plan(parts: &Parts, hand_back: HandBack) -> RolePlan {
        let (old, new) = (parts.standby_site(), parts.source_site());
        let change = Change::new(preview::new_id(), Kind::Demote, old.clone(), new.clone(), hand_back.epoch);
        let epoch = parts.direction.who.as_ref().map_or(hand_back.epoch + 1, |who| who.epoch);
        RolePlan {
            headline: headline(parts),
            steps: vec![format!("bring the commits of {old} to {new}"), format!("bring {old} in step with {new}")],
            epoch,
            epoch_after: epoch,
            hand_back: Some(hand_back),
            never_travels: Vec::new(),
            ..RolePlan::begin(parts, &change)
        }
    }

    /// Brings it home, then brings the standby in step.
    pub(super) async fn bring_home(
        &self,
        mut parts: Parts,
        plan: &HandBack,
        request: &RoleRequest,
    ) -> Result<RoleOutcome> {
        let begun = Instant::now();
        parts.locks = self.locks(&parts).await?;
        let handed = homecoming::bring(&parts, plan).await?;
        let context = &parts.home.context;
        for notice in handed.notices {
            context.outside.progress.event(&Event::Notice {
                repository: context.repository.id.clone(),
                mirror: None,
                notice,
            });
        }
        homecoming::release(&parts, plan).await?;
        let sync = RunRequest::of_all(&parts.standby, request.yes, &self.shared.actor);
        let synced = run::execute_held(parts.home.clone(), parts.standby.clone(), sync).await;
        let error = match synced.status {
            MirrorStatus::Success => None,
            _ => Some(synced.error.unwrap_or_else(|| {
                Error::new(
                    Code::Diverged,
                    format!("the commits are home; {} is not in step yet", parts.standby.id),
                    "`standin status` shows what it waits for.",
                )
            })),
        };
        Ok(RoleOutcome {
            repository: context.repository.id.clone(),
            mirror: parts.standby.id.clone(),
            headline: headline(&parts),
            end: RoleChangeEnd::Done,
            error,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }
}

fn headline(parts: &Parts) -> String {
    format!("bring home to {} what {} committed as master", parts.source_site(), parts.standby_site())
}
