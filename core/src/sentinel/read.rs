//! What is read of a repository: the file, the workflow, its last run, the variable.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use standin_state::model::Slug;

use super::{PATH, STATE};
use crate::github::{Call, Client, Workflow, in_url};
use crate::{Code, Error, Result};

/// A file on a branch.
pub(super) struct File {
    /// Its blob.
    pub sha: String,
    /// What stands in it.
    pub text: String,
}

/// A run as the host lists it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Run {
    pub event: String,
    pub status: String,
    pub conclusion: Option<String>,
    pub created_at: Timestamp,
    pub html_url: String,
}

/// `repos/{owner}/{name}/{rest}`.
pub(super) fn path(slug: &Slug, rest: &str) -> String {
    format!("repos/{}/{rest}", slug.path())
}

/// A file of a repository's branch; `None` where the branch has none, or the repository is empty.
pub(super) async fn file(client: &Client, slug: &Slug, branch: &str, file: &str) -> Result<Option<File>> {
    #[derive(Deserialize)]
    struct Contents {
        sha: String,
        #[serde(default)]
        content: String,
    }
    let what = format!("reading {file} of {slug}");
    let call =
        Call::get("get_contents", &what, path(slug, &format!("contents/{}?ref={}", in_url(file), in_url(branch))));
    let contents: Contents = match client.get(&call).await {
        Ok(answer) => answer.json(&what)?,
        Err(error) if error.code == Code::RepositoryNotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let packed: String = contents.content.split_whitespace().collect();
    let bytes = STANDARD.decode(packed).map_err(|_| {
        Error::new(
            Code::UnexpectedAnswer,
            format!("{what}: its content is not base64"),
            "Check that `api_url` leads to GitHub.",
        )
    })?;
    Ok(Some(File { sha: contents.sha, text: String::from_utf8_lossy(&bytes).into_owned() }))
}

/// The sentinel among the workflows that the host lists.
pub(super) async fn workflow(client: &Client, slug: &Slug) -> Result<Option<Workflow>> {
    let listed = client.workflows(slug).await?;
    Ok(listed.into_iter().find(|workflow| workflow.path == PATH && !workflow.state.is_deleted()))
}

/// The last run of a workflow.
pub(super) async fn last_run(client: &Client, slug: &Slug, workflow: &Workflow) -> Result<Option<Run>> {
    #[derive(Deserialize)]
    struct Runs {
        workflow_runs: Vec<Run>,
    }
    let what = format!("reading the runs of the sentinel of {slug}");
    let runs = path(slug, &format!("actions/workflows/{}/runs?per_page=1", workflow.id));
    let runs: Runs = client.get(&Call::get("list_runs", &what, runs)).await?.json(&what)?;
    Ok(runs.workflow_runs.into_iter().next())
}

/// What the sentinel remembers; `None` before its first check, or where it is no JSON.
pub(super) async fn state(client: &Client, slug: &Slug) -> Result<Option<serde_json::Value>> {
    let variable = client.variable(slug, STATE).await?;
    Ok(variable.and_then(|variable| serde_json::from_str(&variable.value).ok()).filter(serde_json::Value::is_object))
}
