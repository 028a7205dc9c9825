//! The story of a drill.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use standin_core::drill::{DrillFinding, DrillPhase, DrillReport, Setup};
use standin_core::roles::preview::NEVER_TRAVELS;
use standin_core::state::model::Health;
use standin_core::{Error, Result};

use super::build;
use crate::rehearsal::program::quietly;
use crate::rehearsal::{Pair, Stage, broken};

/// Plays a drill, tells each phase as it ends, and reports. What went wrong is in the report.
pub async fn play(setup: &Setup, told: impl FnMut(&DrillPhase)) -> DrillReport {
    let (begun, at_iso) = (Instant::now(), Timestamp::now());
    let mut play = Play { setup, told, phases: Vec::new(), missing: setup.all_missing(), since: Instant::now() };
    let error = match build::stage(setup).await {
        Ok(stage) => {
            let ended = play.all(&stage).await;
            stage.stop().await;
            ended.err()
        }
        Err(error) => Some(error),
    };
    DrillReport {
        repository: setup.repository.clone(),
        mirror: setup.standby.clone(),
        at_iso,
        passed: error.is_none(),
        error,
        phases: play.phases,
        missing: play.missing,
        never_travels: NEVER_TRAVELS.map(str::to_owned).to_vec(),
        seconds: rounded(begun.elapsed()),
    }
}

struct Play<'a, F> {
    setup: &'a Setup,
    told: F,
    phases: Vec<DrillPhase>,
    missing: Vec<DrillFinding>,
    since: Instant,
}

/// Seconds with one digit: more is nobody's business.
fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

impl<F: FnMut(&DrillPhase)> Play<'_, F> {
    async fn all(&mut self, stage: &Stage) -> Result<()> {
        let pair = build::fill(stage, self.setup).await?;
        quietly(stage, &["--config", "standin.toml", "allow", "--yes"], None).await?.well("standin allow")?;
        let refs = pair.refs(&pair.master).await?.len();
        let (secrets, variables) = (self.setup.secrets.len(), self.setup.variables.len());
        self.ended(
            "built the rehearsal",
            format!("{refs} branches and tags, {secrets} secrets and {variables} variables with made-up values"),
            None,
        );
        self.in_step(&pair).await?;
        self.taken_over(&pair).await?;
        let work = self.worked_on(&pair).await?;
        self.handed_back(&pair, work).await
    }

    fn ended(&mut self, what: &str, detail: String, on_the_day: Option<Duration>) {
        let phase = DrillPhase {
            what: what.to_owned(),
            detail,
            seconds: rounded(self.since.elapsed()),
            minutes_on_the_day: on_the_day.map(|time| (time.as_secs_f64() / 60.0).round()),
        };
        (self.told)(&phase);
        self.phases.push(phase);
        self.since = Instant::now();
    }

    async fn in_step(&mut self, pair: &Pair<'_>) -> Result<()> {
        if let Some(heartbeat) = &self.setup.heartbeat
            && let Err(why) = build::beat(pair, heartbeat, &self.setup.default_branch).await
        {
            self.missing.push(DrillFinding {
                place: None,
                severity: Health::Warning,
                message: format!("{why}: the sentinel cannot judge by it"),
                hint: "Correct `heartbeat` in `standin.toml`, or let the master write that file.".to_owned(),
            });
        }
        let config = ["--config", "standin.toml"];
        let install = [&config[..], &["sentinel", "install", "--yes", "--tokens", "--mirror", &pair.mirror]].concat();
        let tokens = pair.sentinel_tokens();
        quietly(pair.stage, &install, Some(&tokens)).await?.well("the sentinel could not be installed")?;
        quietly(pair.stage, &[&config[..], &["sync", "--yes"]].concat(), None)
            .await?
            .well("the first sync of the rehearsal failed")?;
        let (here, there) = (pair.refs(&pair.master).await?, pair.refs(&pair.standby).await?);
        if here != there {
            let lacking: Vec<String> = here.into_iter().filter(|line| !there.contains(line)).collect();
            return Err(broken(
                "the standby has every branch and tag of the master",
                format!("it lacks {}", lacking.join(", ")),
            ));
        }
        pair.wake_sentinel();
        let checked = pair.check().await?;
        if checked.verdict != "well" {
            self.missing.push(DrillFinding {
                place: None,
                severity: Health::Failed,
                message: format!("the sentinel cannot tell that the master is well: {}", checked.detail),
                hint: "Correct `heartbeat` in `standin.toml`, or let the master write that file.".to_owned(),
            });
        }
        self.ended("brought the standby in step, the sentinel watching", checked.detail, None);
        Ok(())
    }

    async fn taken_over(&mut self, pair: &Pair<'_>) -> Result<()> {
        let expected = pair.active(&pair.master);
        pair.take_down();
        let took = pair.until_promoted(|_, _| {}).await?;
        let active = pair.active(&pair.standby);
        let idle: Vec<&str> = expected.iter().filter(|path| !active.contains(path)).map(|path| path.as_str()).collect();
        if !idle.is_empty() {
            return Err(broken(
                "the standby runs what the master ran",
                format!("these do not run: {}", idle.join(", ")),
            ));
        }
        self.ended(
            "took the master down: the sentinel made the standby TEMPORARY_MASTER",
            format!("after {} checks; {} workflows run there now", took.checks, active.len()),
            Some(took.simulated),
        );
        Ok(())
    }

    /// Gives the commits of both sides that only they have.
    async fn worked_on(&mut self, pair: &Pair<'_>) -> Result<Vec<String>> {
        let branch = &self.setup.default_branch;
        let file = "standin-drill.txt";
        let work = vec![
            pair.commit(&pair.standby, branch, file, "Written while the master was down.\n", "Drill: work goes on")
                .await?,
            pair.commit(&pair.standby, "standin-drill/new", file, "A branch of its own.\n", "Drill: a new branch")
                .await?,
            pair.commit(&pair.master, branch, "standin-drill-master.txt", "Never mirrored.\n", "Drill: last words")
                .await?,
        ];
        self.ended(
            "worked on both sides",
            "2 commits at the standby, 1 at the master that was never mirrored".to_owned(),
            None,
        );
        Ok(work)
    }

    async fn handed_back(&mut self, pair: &Pair<'_>, work: Vec<String>) -> Result<()> {
        pair.bring_back();
        pair.end_runs();
        let mut commits = work;
        commits.extend(pair.tips(&pair.standby).await?);
        commits.extend(pair.tips(&pair.master).await?);
        pair.hand_back(&["--config", "standin.toml"]).await?;
        self.ended(
            "the master returned: handed back",
            format!("{} is MASTER and {} SLAVE again", pair.master, pair.standby),
            None,
        );
        let roles = (pair.role(&pair.master), pair.role(&pair.standby));
        if roles != ("MASTER".to_owned(), "SLAVE".to_owned()) {
            return Err(broken(
                "the master is MASTER and the standby SLAVE",
                format!("they are {} and {}", roles.0, roles.1),
            ));
        }
        let running: Vec<String> = pair
            .active(&pair.standby)
            .into_iter()
            .filter(|path| !self.setup.keep_active.iter().any(|name| path.ends_with(&format!("/{name}"))))
            .collect();
        if !running.is_empty() {
            return Err(broken("the standby's workflows are held again", format!("these run: {}", running.join(", "))));
        }
        let lost = pair.lost(&commits).await?;
        if !lost.is_empty() {
            return Err(lost_commits(&lost));
        }
        // The hand-back ends with a commit to the state file, where there is one.
        quietly(pair.stage, &["--config", "standin.toml", "sync", "--yes"], None)
            .await?
            .well("the sync after the hand-back failed")?;
        if pair.refs(&pair.master).await? != pair.refs(&pair.standby).await? {
            return Err(broken("the standby is in step with the master again", "it is not"));
        }
        let home = pair.refs(&pair.master).await?;
        let parked = home.iter().filter(|line| line.contains("/standin/handback-")).count();
        self.ended(
            "compared both sides",
            format!(
                "nothing is lost; work of the standby waits to be merged at the master on {parked} branches and tags"
            ),
            None,
        );
        Ok(())
    }
}

fn lost_commits(lost: &[String]) -> Error {
    broken(
        "every commit of both sides is on a branch or tag of the master",
        format!("these are not: {}", lost.join(", ")),
    )
}
