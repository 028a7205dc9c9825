//! Health: each mirror looked at, the master judged, the sentinel looked after.

use std::sync::Arc;

use futures_util::future::join_all;
use standin_state::config::RepositoryConfig;
use standin_state::model::{Health, MirrorId, RepositoryId};

use super::Engine;
use super::sync::SyncRequest;
use crate::event::Notice;
use crate::health::{self, HealthReport};
use crate::observer;
use crate::source::named;
use crate::{Result, roles, status};

impl Engine {
    /// Judges the master and looks at each mirror that is switched on, or at one place: a mirror, or `source`. The
    /// master's report comes first.
    ///
    /// # Errors
    /// [`crate::Code::NotFound`] for an unknown mirror, [`crate::Code::Storage`] when the verdict cannot be kept. A place
    /// that is not well is no error.
    pub async fn health(
        &self,
        repository: Option<&RepositoryId>,
        mirror: Option<&MirrorId>,
    ) -> Result<Vec<HealthReport>> {
        let home = self.repository(repository)?;
        let fences = self.learn_who_is_master(&home).await?;
        if let Err(error) = self.settle_role_change(&home).await {
            tracing::info!(error = %error.message, "whether a change of master is still open cannot be told now");
        }
        let direction = self.direction(Some(&home.id))?;
        let watched = Arc::new(direction.watched().clone());
        let place = direction.watched_place();
        let of_watched = self.source_of_a_look(&watched).await?;
        let mut reports = Vec::new();
        if mirror.is_none_or(|id| *id == place) {
            reports.extend(observer::observe(&of_watched, &direction).await?);
        }
        let mirrors = match mirror {
            Some(id) if *id == place && !reports.is_empty() => Vec::new(),
            Some(id) if direction.is_temporary() && direction.master() == Some(id) => Vec::new(),
            Some(id) => {
                direction.check_target(id)?;
                vec![named(&direction.config, id)?]
            }
            None => direction.targets().filter(|mirror| mirror.enabled).cloned().map(Arc::new).collect(),
        };
        // A standby that stands in is kept in step with nobody, so that no mirror's check looks at it.
        if let Some(standby) =
            direction.master().filter(|standby| direction.is_temporary() && mirror.is_none_or(|id| id == *standby))
        {
            let read = fences.iter().find(|(id, _)| id == standby).map(|(_, read)| read.clone());
            reports.push(self.report_of_stand_in(&home, standby, read)?);
        }
        let source = self.source_of_a_look(&direction.config).await?;
        let request = self.run_request(&SyncRequest::default());
        let checks = mirrors.into_iter().map(|mirror| health::check(source.clone(), mirror, &request));
        reports.extend(join_all(checks).await.into_iter().collect::<Result<Vec<_>>>()?);
        observer::check_sentinels(&of_watched, &self.config(), &mut reports).await?;
        status::write(&self.shared.store, &source.context.folder, &home, &self.terms())?;
        Ok(reports)
    }

    /// Reads the fences of the standbys, so that what another machine or the sentinel did is known. One that cannot be
    /// read shows when its mirror is looked at.
    pub(super) async fn learn_who_is_master(
        &self,
        home: &Arc<RepositoryConfig>,
    ) -> Result<Vec<(MirrorId, Result<()>)>> {
        let source = self.source_of_a_look(home).await?;
        let reads = observer::standbys(home).map(|mirror| {
            let (source, mirror) = (source.clone(), Arc::new(mirror.clone()));
            async move {
                let read = async { roles::read_fence(&source.context_by_hand(mirror.clone()).await?).await };
                (mirror.id.clone(), read.await)
            }
        });
        Ok(join_all(reads).await)
    }

    /// The report of a standby that is `TEMPORARY_MASTER`, by the look at its fence.
    fn report_of_stand_in(
        &self,
        home: &RepositoryConfig,
        standby: &MirrorId,
        read: Option<Result<()>>,
    ) -> Result<HealthReport> {
        let now = self.shared.outside.clock.now();
        let repo = home.mirror(standby).map(|mirror| mirror.target.display()).unwrap_or_default();
        let mut report = HealthReport::new(standby.clone(), repo, now);
        report.health = Health::Ok;
        if let Some(Err(error)) = read {
            report.health = Health::Failed;
            report.findings.push(Notice { hint: error.advice(), message: error.message });
        }
        let detail = report.findings.first().map(|notice| notice.message.as_str());
        self.shared.store.set_health(&home.id, standby, report.health, detail, now)?;
        Ok(report)
    }
}
