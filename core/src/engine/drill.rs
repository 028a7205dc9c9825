//! Drills: what is rehearsed, what is kept of it, and whether the real thing is ready.

use std::collections::HashSet;

use standin_state::config::RepositoryConfig;
use standin_state::model::{Health, MirrorId, RepositoryId};
use standin_state::store::Fact;

use super::{Engine, RoleGoal, RoleRequest};
use crate::drill::{DrillFinding, DrillReport, Readiness, Setup, StandbyReadiness, setup};
use crate::mastership::direction::Direction;
use crate::roles::preview::{NEVER_TRAVELS, RolePlan};
use crate::tokens::{Place, RightState, TokenReport};
use crate::{Code, Error, Result, observer};

/// So many drills are kept; the audit trail has them all.
const KEPT: usize = 20;

impl Engine {
    /// What a rehearsal needs of the configuration. Asks nobody, and takes no token or value with it.
    ///
    /// # Errors
    /// As [`Engine::repository`]; where there is nothing to rehearse, or no code on this machine.
    pub fn drill_setup(&self, repository: Option<&RepositoryId>, mirror: Option<&MirrorId>) -> Result<Setup> {
        let direction = self.direction(repository)?;
        let (home, now) = (&direction.home, self.shared.outside.clock.now());
        let mut setup = setup::gather(&self.shared.store, &self.folder(&home.id), home, mirror, now)?;
        // Names in the vault are readable without its key; values are not asked for.
        let kept = self.vault().names(&home.id)?;
        let takes = home.takes_from_vault();
        setup.has_values(kept.into_iter().filter(|name| takes(name)));
        Ok(setup)
    }

    /// Keeps a drill that was played, in the history and in the audit trail.
    ///
    /// # Errors
    /// [`Code::Storage`] when it cannot be kept.
    pub fn keep_drill(&self, report: &DrillReport) -> Result<()> {
        let mut drills = self.drills(Some(&report.repository))?;
        drills.insert(0, report.clone());
        drills.truncate(KEPT);
        let text = serde_json::to_string(&drills)
            .map_err(|error| Error::new(Code::Internal, format!("a drill cannot be written as JSON: {error}"), ""))?;
        self.shared.store.set_fact(&report.repository, None, Fact::Drills, Some(&text))?;
        let failed = report.missing.iter().filter(|finding| finding.severity == Health::Failed).count();
        let detail = format!("rehearsed in {:.1} s; {failed} things would have been missing", report.seconds);
        let outcome = match (&report.error, report.passed) {
            (Some(error), _) => Err(error.clone()),
            (None, true) => Ok(()),
            (None, false) => Err(Error::new(Code::Internal, "the drill did not pass", "")),
        };
        // The trail has the outcome; here it is no error.
        match self.audited("drill", Some(&report.repository), Some(&report.mirror), detail, outcome) {
            Err(error) if error.code == Code::Storage && report.error.as_ref() != Some(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// The drills that were played, newest first.
    ///
    /// # Errors
    /// As [`Engine::repository`]; [`Code::Storage`] when the memory cannot be read.
    pub fn drills(&self, repository: Option<&RepositoryId>) -> Result<Vec<DrillReport>> {
        let known = self.configured(repository)?;
        let text = self.shared.store.fact(&known.id, None, Fact::Drills)?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Looks at the real thing: could each standby take over now? Changes nothing.
    ///
    /// # Errors
    /// As [`Engine::repository`]; [`Code::Usage`] where no standby could ever take over. What stands in the way is in
    /// the result.
    pub async fn drill_check(&self, repository: Option<&RepositoryId>) -> Result<Readiness> {
        let home = self.repository(repository)?;
        self.learn_who_is_master(&home).await?;
        let direction = self.direction(Some(&home.id))?;
        let mut ready = Readiness {
            repository: home.id.clone(),
            at_iso: self.shared.outside.clock.now(),
            ready: false,
            standbys: Vec::new(),
            findings: Vec::new(),
            never_travels: NEVER_TRAVELS.map(str::to_owned).to_vec(),
        };
        if let Err(error) = direction.check() {
            ready.findings.push(DrillFinding::of_error(None, &error));
        }
        let standbys: Vec<_> = observer::standbys(&home).cloned().collect();
        if standbys.is_empty() {
            setup::gather(&self.shared.store, &self.folder(&home.id), &home, None, ready.at_iso)?;
        }
        for mirror in &standbys {
            let plan = self.plan_of(&home.id, &mirror.id, &direction).await;
            ready.standbys.push(self.readiness(&home, &mirror.id, plan, &mut ready.findings)?);
        }
        self.check_tokens(&home, &mut ready.findings).await;
        self.check_sentinels(&home.id, &mut ready.findings).await;
        for standby in &mut ready.standbys {
            standby.ready = !ready.findings.iter().any(|finding| {
                finding.severity == Health::Failed && finding.place.as_ref().is_none_or(|at| *at == standby.mirror)
            });
        }
        let mut told = HashSet::new();
        ready.findings.retain(|finding| told.insert((finding.place.clone(), finding.message.clone())));
        ready.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        ready.ready =
            !ready.standbys.is_empty() && !ready.findings.iter().any(|finding| finding.severity == Health::Failed);
        Ok(ready)
    }

    /// What a promotion would do now; why there is none to be thought of where the standby is master already.
    async fn plan_of(&self, repository: &RepositoryId, mirror: &MirrorId, direction: &Direction) -> Result<RolePlan> {
        if let Some(master) = direction.master() {
            return Err(Error::new(
                Code::Usage,
                format!(
                    "{master} is the master now, not the source: whether {mirror} could take over is known after the hand-back"
                ),
                format!("Hand back with `standin demote {master}`, then look again."),
            ));
        }
        let request = RoleRequest {
            repository: Some(repository.clone()),
            mirror: mirror.clone(),
            goal: RoleGoal::Promote,
            gone: true,
            yes: false,
        };
        self.role_plan(&request).await
    }

    fn readiness(
        &self,
        home: &RepositoryConfig,
        mirror: &MirrorId,
        plan: Result<RolePlan>,
        findings: &mut Vec<DrillFinding>,
    ) -> Result<StandbyReadiness> {
        let repo = home.mirror(mirror).map(|mirror| mirror.target.display()).unwrap_or_default();
        let mut standby = StandbyReadiness {
            mirror: mirror.clone(),
            repo,
            ready: false,
            last_sync_iso: None,
            missing_commits: None,
            enables: Vec::new(),
        };
        match plan {
            Ok(plan) => {
                standby.last_sync_iso = plan.last_sync_iso;
                standby.missing_commits = plan.missing_commits;
                findings.extend(of_plan(mirror, &plan));
                standby.enables = plan.enables;
            }
            Err(error) => findings.push(DrillFinding::of_error(Some(mirror), &error)),
        }
        // A promotion needs none there; a sync of this machine made one, or it was never in step.
        let store = &self.shared.store;
        if store.fence_memory(&home.id, mirror)?.is_none() {
            findings.push(DrillFinding::failed(
                Some(mirror),
                "it has no fence: it was never in step with the master",
                format!("`standin sync --mirror {mirror}` makes a standby of it."),
            ));
        }
        Ok(standby)
    }

    async fn check_tokens(&self, home: &RepositoryConfig, findings: &mut Vec<DrillFinding>) {
        let places = std::iter::once(Place::Source)
            .chain(observer::standbys(home).map(|mirror| Place::Mirror(mirror.id.clone())));
        for place in places {
            let id = match &place {
                Place::Source => MirrorId::source(),
                Place::Mirror(id) => id.clone(),
            };
            match self.token_check(Some(&home.id), &place).await {
                Ok(Some(report)) => findings.extend(of_token(&id, &report)),
                Ok(None) => findings
                    .push(DrillFinding::of_error(Some(&id), &crate::tokens::missing(&self.shared.store, home, &place))),
                Err(error) => findings.push(DrillFinding::of_error(Some(&id), &error)),
            }
        }
    }

    async fn check_sentinels(&self, repository: &RepositoryId, findings: &mut Vec<DrillFinding>) {
        match self.sentinel_check(Some(repository)).await {
            Ok(report) => {
                for place in report.places {
                    let id = place.place.parse().ok();
                    findings.extend(place.findings.into_iter().enumerate().map(|(position, notice)| DrillFinding {
                        place: id.clone(),
                        // The worst stands first, and gives the place its health.
                        severity: if position == 0 { place.health } else { Health::Warning },
                        message: notice.message,
                        hint: notice.hint,
                    }));
                }
            }
            Err(error) => findings.push(DrillFinding::of_error(None, &error)),
        }
    }
}

fn of_plan(mirror: &MirrorId, plan: &RolePlan) -> Vec<DrillFinding> {
    let mut found: Vec<DrillFinding> =
        plan.blockers.iter().map(|error| DrillFinding::of_error(Some(mirror), error)).collect();
    let mut lacking = |what: &str, names: &[String], hint: String| {
        if !names.is_empty() {
            let message = format!("it lacks {what}: {}", names.join(", "));
            found.push(DrillFinding::failed(Some(mirror), message, hint));
        }
    };
    let sync = format!("`standin sync --mirror {mirror}` brings it in step.");
    lacking("branches and tags", &plan.missing_refs, sync.clone());
    lacking(
        "secrets",
        &plan.missing_secrets,
        format!(
            "Give each a value (`standin secret list` says which have none), then `standin sync --mirror {mirror}`."
        ),
    );
    lacking("variables", &plan.missing_variables, format!("Give each a value in `.env` or at the source. {sync}"));
    lacking("workflows", &plan.missing_workflows, sync);
    if !plan.actions_off.is_empty() {
        found.push(DrillFinding::failed(
            Some(mirror),
            format!("Actions are off on {}: nothing would run there", plan.actions_off.join(", ")),
            "Switch them on in the settings of the repository.",
        ));
    }
    found
        .extend(plan.notices.iter().map(|notice| DrillFinding::warning(Some(mirror), &*notice.message, &*notice.hint)));
    found
}

fn of_token(place: &MirrorId, report: &TokenReport) -> Vec<DrillFinding> {
    let missing = report.rights.iter().filter(|right| right.state == RightState::Missing);
    let mut found: Vec<DrillFinding> = missing
        .map(|right| {
            let message = format!("the token of {} may not {}", report.repository, right.right);
            // Without the right to switch Actions off, a sync holds workflows right after the push instead.
            match right.right.as_str() {
                "switch Actions off around a push" => DrillFinding::warning(Some(place), message, &*right.detail),
                _ => DrillFinding::failed(Some(place), message, &*right.detail),
            }
        })
        .collect();
    if let Some(days) = report.days_left
        && days < 0
    {
        found.push(DrillFinding::failed(
            Some(place),
            format!("the token of {} has ended", report.repository),
            format!("Make a new one and store it with `standin token set {place}`."),
        ));
    }
    found.extend(
        report.notices.iter().map(|notice| DrillFinding::warning(Some(place), &*notice.message, &*notice.hint)),
    );
    found
}
