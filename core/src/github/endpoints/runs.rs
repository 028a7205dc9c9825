//! Runs of workflows: what has not ended, and how it is made to end.

use reqwest::Method;
use serde::Deserialize;
use standin_state::model::Slug;

use super::{found, repo};
use crate::Result;
use crate::github::{Call, Client};

/// A run as the host lists it. octocrab's wants a name, a branch and a commit, which are null for some.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WorkflowRun {
    /// Its number.
    pub id: u64,
    /// The name of its workflow.
    #[serde(default)]
    pub name: Option<String>,
    /// Its workflow's file; the host may add `@` and a ref.
    pub path: String,
    /// Where it is in its life.
    #[serde(default)]
    pub status: Option<String>,
    /// How it ended.
    #[serde(default)]
    pub conclusion: Option<String>,
    /// Its page.
    pub html_url: String,
}

impl WorkflowRun {
    /// The words for runs that have not ended.
    pub const UNENDED: [&'static str; 5] = ["requested", "pending", "waiting", "queued", "in_progress"];

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.status.as_deref() == Some("completed")
    }

    /// Its workflow's file, without the ref.
    pub fn file(&self) -> &str {
        self.path.split_once('@').map_or(self.path.as_str(), |(file, _)| file)
    }

    /// Its workflow's name, or its file where it has none.
    pub fn shown(&self) -> &str {
        self.name.as_deref().filter(|name| !name.is_empty()).unwrap_or_else(|| self.file())
    }
}

impl Client {
    /// The runs with one of [`WorkflowRun::UNENDED`] as status.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn runs_with_status(&self, slug: &Slug, status: &str) -> Result<Vec<WorkflowRun>> {
        let what = format!("reading the runs of {slug} that are {status}");
        let call = Call::get("list_runs", what, repo(slug, &format!("/actions/runs?status={status}&per_page=100")));
        self.list(&call).await
    }

    /// One run; `None` where it is not there any more.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn run(&self, slug: &Slug, id: u64) -> Result<Option<WorkflowRun>> {
        let what = format!("reading the run {id} of {slug}");
        found(self.read(&Call::get("get_run", what, repo(slug, &format!("/actions/runs/{id}")))).await)
    }

    /// Asks the host to end a run; it ends a while after. With `force`, also where its jobs do not want to.
    ///
    /// # Errors
    /// The host's refusal, also where it has ended already; an unknown outcome was read back.
    pub async fn cancel_run(&self, slug: &Slug, run: &WorkflowRun, force: bool) -> Result<()> {
        let (name, word) = if force { ("force_cancel_run", "force-cancel") } else { ("cancel_run", "cancel") };
        let what = format!("cancelling the run {} ({}) of {slug}", run.id, run.shown());
        let call = Call::write(name, what, Method::POST, repo(slug, &format!("/actions/runs/{}/{word}", run.id)), None);
        let has_ended = || async { Ok(self.run(slug, run.id).await?.is_none_or(|run| run.has_ended())) };
        self.write(&call, || Box::pin(has_ended())).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_behind_the_file_of_a_run_does_not_count() {
        let run = |path: &str| -> WorkflowRun {
            serde_json::from_value(serde_json::json!({"id": 1, "path": path, "html_url": ""})).unwrap()
        };
        assert_eq!(run(".github/workflows/a.yml@main").file(), ".github/workflows/a.yml");
        assert_eq!(run(".github/workflows/a.yml").shown(), ".github/workflows/a.yml");
        assert!(!run("x").has_ended());
    }
}
