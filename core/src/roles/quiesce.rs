//! Waiting until the workflows of a repository stand still, and ending those that do not.
//!
//! The workflows are held before, so nothing new starts but what was set off already. Runs of the sentinel are left alone: it
//! only watches, and writes nothing without looking at the fence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use standin_state::model::{Aspect, Slug};
use tokio::time::Instant;
use ts_rs::TS;

use crate::context::MirrorContext;
use crate::github::{Client, WorkflowRun};
use crate::workflows::SENTINEL;
use crate::{Code, Error, Result, crash};

/// The first wait between two looks; doubled up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait between two looks.
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// How long a cancelled run may take to end before it is forced to, and a forced one before it is given up.
const CANCEL_LIMIT: Duration = Duration::from_secs(6);

/// What became of the runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Quiesced {
    /// Ended by themselves.
    pub ended: Vec<QuiescedRun>,
    /// Were cancelled.
    pub cancelled: Vec<QuiescedRun>,
    /// Still run: the host would not end them.
    pub unended: Vec<QuiescedRun>,
}

/// A run, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct QuiescedRun {
    /// Its number.
    #[ts(type = "number")]
    pub id: u64,
    /// The name of its workflow.
    pub name: String,
    /// Its workflow's file.
    pub path: String,
    /// Its page.
    pub url: String,
    /// Why it could not be ended, in the host's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub why: Option<String>,
}

impl QuiescedRun {
    fn of(run: &WorkflowRun) -> Self {
        Self {
            id: run.id,
            name: run.shown().to_owned(),
            path: run.file().to_owned(),
            url: run.html_url.clone(),
            why: None,
        }
    }
}

impl Quiesced {
    /// Whether nothing runs any more.
    pub fn is_quiet(&self) -> bool {
        self.unended.is_empty()
    }
}

/// Waits up to `patience` until no workflow of the repository runs, then cancels what still does, forced where it does not
/// end. Runs that cannot be ended are in the report, and told as a notice.
///
/// # Errors
/// When the runs cannot be read; [`Code::Cancelled`].
pub async fn quiesce(site: &MirrorContext, patience: Duration) -> Result<Quiesced> {
    let (slug, client) = site.github()?;
    let mut watched = Watch { site, client, slug, seen: BTreeMap::new() };
    let mut left = watched.until_quiet(Instant::now() + patience).await?;
    let mut cancelled: BTreeSet<u64> = BTreeSet::new();
    let mut refusals: BTreeMap<u64, String> = BTreeMap::new();
    for force in [false, true] {
        if left.is_empty() {
            break;
        }
        crash::point("roles.quiesce.cancel");
        watched.tell(&left, force);
        for run in &left {
            match client.cancel_run(slug, run, force).await {
                Ok(()) => {
                    cancelled.insert(run.id);
                    refusals.remove(&run.id);
                }
                Err(error) if error.code == Code::Cancelled => return Err(error),
                // Whether it has ended meanwhile is seen by the next look.
                Err(error) => {
                    refusals.insert(run.id, error.message);
                }
            }
        }
        let limit = if refusals.len() == left.len() { Duration::ZERO } else { CANCEL_LIMIT };
        left = watched.until_quiet(Instant::now() + limit).await?;
    }
    let unended: BTreeSet<u64> = left.iter().map(|run| run.id).collect();
    let mut quiesced = Quiesced::default();
    for (id, mut run) in watched.seen {
        if unended.contains(&id) {
            run.why = Some(refusals.remove(&id).unwrap_or_else(|| "it was cancelled and goes on".to_owned()));
            quiesced.unended.push(run);
        } else if cancelled.contains(&id) {
            quiesced.cancelled.push(run);
        } else {
            quiesced.ended.push(run);
        }
    }
    if !quiesced.is_quiet() {
        let names: Vec<String> = quiesced.unended.iter().map(|run| format!("{} ({})", run.name, run.url)).collect();
        site.notice(
            format!("Workflows of {slug} still run and could not be ended: {}", names.join(", ")),
            "What they push from now on shows as divergence. Cancel them on their pages.",
        );
    }
    Ok(quiesced)
}

/// Looks at the runs of one repository.
struct Watch<'a> {
    site: &'a MirrorContext,
    client: &'a Client,
    slug: &'a Slug,
    /// Every run that had not ended at some look.
    seen: BTreeMap<u64, QuiescedRun>,
}

impl Watch<'_> {
    /// Looks until nothing runs or the time is over; gives what still runs.
    async fn until_quiet(&mut self, deadline: Instant) -> Result<Vec<WorkflowRun>> {
        let mut wait = FIRST_WAIT;
        let mut was_quiet = false;
        loop {
            let running = self.look().await?;
            // A run that goes from one status to the next between the parts of a look is in none of them.
            if running.is_empty() && was_quiet {
                return Ok(running);
            }
            was_quiet = running.is_empty();
            if was_quiet {
                continue;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(running);
            }
            let total = self.seen.len() as u64;
            self.site.progress(
                Aspect::Workflows,
                "waiting for runs",
                total.saturating_sub(running.len() as u64),
                Some(total),
            );
            tokio::select! {
                () = self.site.cancel.cancelled() => return Err(stopped(self.slug)),
                () = tokio::time::sleep(wait.min(left)) => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn look(&mut self) -> Result<Vec<WorkflowRun>> {
        let looks = WorkflowRun::UNENDED.iter().map(|status| self.client.runs_with_status(self.slug, status));
        let mut running: BTreeMap<u64, WorkflowRun> = BTreeMap::new();
        for run in try_join_all(looks).await?.into_iter().flatten() {
            if !run.has_ended() && run.file().rsplit('/').next() != Some(SENTINEL) {
                running.insert(run.id, run);
            }
        }
        for (id, run) in &running {
            self.seen.entry(*id).or_insert_with(|| QuiescedRun::of(run));
        }
        Ok(running.into_values().collect())
    }

    fn tell(&self, runs: &[WorkflowRun], force: bool) {
        let names: Vec<&str> = runs.iter().map(WorkflowRun::shown).collect();
        let how = if force { "did not end and are forced to" } else { "still run and are cancelled" };
        self.site.notice(
            format!("{} of {} {how}: {}", counted(runs.len()), self.slug, names.join(", ")),
            "They would go on writing to a repository that is no longer master. Start them again on the new one.",
        );
    }
}

fn counted(count: usize) -> String {
    if count == 1 { "1 run".to_owned() } else { format!("{count} runs") }
}

fn stopped(slug: &Slug) -> Error {
    Error::new(
        Code::Cancelled,
        format!("stopped while waiting for the runs of {slug} to end"),
        "Nothing was cancelled meanwhile; go on when you like.",
    )
}
