//! Workflows, their states, and the settings of Actions.

use std::fmt;

use octocrab::models::repos::ContentItems;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use standin_state::model::Slug;

use super::{found, repo};
use crate::github::{Call, Client};
use crate::{Code, Result};

/// A workflow as the host lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Workflow {
    /// Its number; it stays the same for a path.
    pub id: u64,
    /// Its file, such as `.github/workflows/cron.yml`; workflows of GitHub itself begin with `dynamic/`.
    pub path: String,
    /// Whether it may run.
    pub state: WorkflowStateWord,
}

/// GitHub's word for whether a workflow may run: `active`, `disabled_manually`, `disabled_inactivity`,
/// `disabled_fork`, `deleted`, and whatever it will say one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkflowStateWord(pub String);

impl WorkflowStateWord {
    /// Runs when its event happens.
    pub fn is_active(&self) -> bool {
        self.0 == "active"
    }

    /// The file is gone.
    pub fn is_deleted(&self) -> bool {
        self.0 == "deleted"
    }
}

impl fmt::Display for WorkflowStateWord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// How a workflow came to be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disabled {
    /// By this request.
    Now,
    /// It was not active when the request came: by an earlier one, or by somebody else.
    Already,
}

/// The settings of Actions of a repository, whole: also fields that Standin does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionsSettings {
    /// `actions/permissions` as read.
    pub permissions: Value,
    /// `actions/permissions/selected-actions` as read; only where `allowed_actions` is `selected`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_actions: Option<Value>,
}

impl ActionsSettings {
    /// Whether Actions are on.
    pub fn enabled(&self) -> bool {
        self.permissions["enabled"].as_bool().unwrap_or(true)
    }

    /// What is sent to put these settings back: all that was read but the addresses, which the host makes.
    pub fn permissions_to_send(&self) -> Value {
        without_addresses(&self.permissions)
    }

    /// As [`Self::permissions_to_send`] for the selected actions.
    pub fn selected_to_send(&self) -> Option<Value> {
        self.selected_actions.as_ref().map(without_addresses)
    }

    /// The settings for a person.
    pub fn shown(&self) -> String {
        match self.selected_to_send() {
            Some(selected) => format!("{} with {selected}", self.permissions_to_send()),
            None => self.permissions_to_send().to_string(),
        }
    }

    /// Whether these settings are those, whatever their addresses.
    pub fn same_as(&self, other: &Self) -> bool {
        self.permissions_to_send() == other.permissions_to_send() && self.selected_to_send() == other.selected_to_send()
    }
}

fn without_addresses(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(name, _)| !name.ends_with("_url"))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        ),
        other => other.clone(),
    }
}

impl Client {
    /// The workflows that the host lists. It may take a while after a push before it lists a new file.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn workflows(&self, slug: &Slug) -> Result<Vec<Workflow>> {
        let what = format!("reading the workflows of {slug}");
        let call = Call::get("list_workflows", what, repo(slug, "/actions/workflows?per_page=100"));
        self.list(&Call { remember: true, ..call }).await
    }

    /// The workflow files on the default branch, whether the host lists them as workflows yet or not.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn workflow_files(&self, slug: &Slug) -> Result<Vec<String>> {
        let what = format!("reading the workflow files of {slug}");
        let call = Call::get("get_contents", what, repo(slug, "/contents/.github/workflows"));
        // Nothing without such a folder, or without a commit.
        let there = found(self.read::<ContentItems>(&call).await)?.map(|mut there| there.take_items());
        let is_file = |path: &str| path.ends_with(".yml") || path.ends_with(".yaml");
        let files = there.into_iter().flatten().filter(|entry| entry.r#type == "file" && is_file(&entry.path));
        Ok(files.map(|entry| entry.path).collect())
    }

    /// One workflow, never from memory.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn workflow(&self, slug: &Slug, id: u64) -> Result<Workflow> {
        let what = format!("reading the workflow {id} of {slug}");
        self.read(&Call::get("get_workflow", what, repo(slug, &format!("/actions/workflows/{id}")))).await
    }

    /// Switches a workflow off. GitHub refuses that for one that is not active (403, and 422 for those of its own), so after
    /// a refusal the workflow is looked at: what is off already is done.
    ///
    /// # Errors
    /// The host's refusal; an unknown outcome was read back.
    pub async fn disable_workflow(&self, slug: &Slug, workflow: &Workflow) -> Result<Disabled> {
        let what = format!("switching off {} of {slug}", workflow.path);
        let path = repo(slug, &format!("/actions/workflows/{}/disable", workflow.id));
        let call = Call::write("disable_workflow", what, Method::PUT, path, None);
        let is_off = async || Ok(!self.workflow(slug, workflow.id).await?.state.is_active());
        match self.write(&call, || Box::pin(is_off())).await {
            Ok(_) => Ok(Disabled::Now),
            Err(error) if matches!(error.code, Code::Forbidden | Code::UnexpectedAnswer) => match is_off().await {
                Ok(true) => Ok(Disabled::Already),
                Ok(false) | Err(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Switches a workflow on.
    ///
    /// # Errors
    /// The host's refusal; an unknown outcome was read back.
    pub async fn enable_workflow(&self, slug: &Slug, workflow: &Workflow) -> Result<()> {
        let what = format!("switching on {} of {slug}", workflow.path);
        let path = repo(slug, &format!("/actions/workflows/{}/enable", workflow.id));
        let call = Call::write("enable_workflow", what, Method::PUT, path, None);
        let is_on = || async { Ok(self.workflow(slug, workflow.id).await?.state.is_active()) };
        self.write(&call, || Box::pin(is_on())).await.map(drop)
    }

    /// The settings of Actions, never from memory; octocrab's models would lose the fields that they do not know.
    ///
    /// # Errors
    /// [`crate::Code::Forbidden`] or [`crate::Code::RepositoryNotFound`] for a token without Administration rights.
    pub async fn actions_settings(&self, slug: &Slug) -> Result<ActionsSettings> {
        let what = format!("reading the Actions settings of {slug}");
        let call = Call::get("get_actions_permissions", &what, repo(slug, "/actions/permissions"));
        let permissions: Value = self.read(&call).await?;
        let selected_actions = if permissions["allowed_actions"] == "selected" {
            let call = Call::get("get_selected_actions", what, repo(slug, "/actions/permissions/selected-actions"));
            Some(self.read(&call).await?)
        } else {
            None
        };
        Ok(ActionsSettings { permissions, selected_actions })
    }

    /// Writes `actions/permissions`.
    ///
    /// # Errors
    /// The host's refusal; an unknown outcome was read back.
    pub async fn put_actions_permissions(&self, slug: &Slug, permissions: &Value) -> Result<()> {
        let what = format!("changing the Actions settings of {slug}");
        let read = Call::get("get_actions_permissions", what, repo(slug, "/actions/permissions"));
        self.put_settings("put_actions_permissions", &read, permissions).await
    }

    /// Writes `actions/permissions/selected-actions`.
    ///
    /// # Errors
    /// The host's refusal; an unknown outcome was read back.
    pub async fn put_selected_actions(&self, slug: &Slug, selected: &Value) -> Result<()> {
        let what = format!("changing the selected actions of {slug}");
        let read = Call::get("get_selected_actions", what, repo(slug, "/actions/permissions/selected-actions"));
        self.put_settings("put_selected_actions", &read, selected).await
    }

    async fn put_settings(&self, name: &'static str, read: &Call, settings: &Value) -> Result<()> {
        let call = Call { name, method: Method::PUT, body: Some(settings.clone()), ..read.clone() };
        let arrived = || async { Ok(contains(&self.read(read).await?, settings)) };
        self.write(&call, || Box::pin(arrived())).await.map(drop)
    }
}

/// Whether every field of `wanted` stands in `now` with the same value.
fn contains(now: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => fields.iter().all(|(name, value)| now.get(name) == Some(value)),
        other => now == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_kept_whole_also_fields_that_are_not_known() {
        let read = ActionsSettings {
            permissions: json!({"enabled": true, "allowed_actions": "selected", "sha_pinning_required": true,
                "selected_actions_url": "https://h/x", "something_new": 3}),
            selected_actions: Some(json!({"github_owned_allowed": true, "patterns_allowed": ["a/b@*"], "new": null})),
        };
        assert_eq!(
            read.permissions_to_send(),
            json!({"enabled": true, "allowed_actions": "selected", "sha_pinning_required": true, "something_new": 3})
        );
        assert_eq!(read.selected_to_send(), read.selected_actions);
        let text = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<ActionsSettings>(&text).unwrap(), read);
    }

    #[test]
    fn a_changed_setting_is_noticed_and_a_changed_address_is_not() {
        let settings = |permissions| ActionsSettings { permissions, selected_actions: None };
        let before = settings(json!({"enabled": true, "allowed_actions": "all", "selected_actions_url": "a"}));
        assert!(before.same_as(&settings(json!({"allowed_actions": "all", "enabled": true}))));
        assert!(!before.same_as(&settings(json!({"enabled": true, "allowed_actions": "local_only"}))));
    }
}
