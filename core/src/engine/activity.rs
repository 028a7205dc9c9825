//! What happened in the last days, for the chart.

use standin_state::model::{RepositoryId, RunStatus};
use standin_state::store::RunFilter;

use super::Engine;
use crate::Result;
use crate::activity::{Activity, Track, days_before, dots};

impl Engine {
    /// The runs of a repository in the last `days`, by mirror. Asks nobody.
    ///
    /// # Errors
    /// As [`Engine::configured`]; [`crate::Code::Storage`] when the memory cannot be read.
    pub fn activity(&self, repository: Option<&RepositoryId>, days: u32) -> Result<Activity> {
        let known = self.configured(repository)?;
        let to = self.shared.outside.clock.now();
        let from = days_before(to, days);
        let of = RunFilter { repository: Some(known.id.clone()), ..RunFilter::default() };
        let runs = self.shared.store.runs(&RunFilter { since: Some(from), ..of.clone() })?;
        let track = |mirror: &standin_state::config::MirrorConfig| {
            let before = self.shared.store.runs(&RunFilter {
                mirror: Some(mirror.id.clone()),
                status: Some(RunStatus::Success),
                until: Some(from),
                limit: 1,
                ..of.clone()
            })?;
            Ok(Track {
                mirror: mirror.id.clone(),
                repo: mirror.target.display(),
                in_step_before_iso: before.first().and_then(|run| run.finished_iso),
                dots: dots(runs.iter().filter(|run| run.mirror == mirror.id), (from, to)),
            })
        };
        let tracks = known.mirrors.iter().map(track).collect::<Result<_>>()?;
        Ok(Activity { from_iso: from, to_iso: to, tracks })
    }
}
