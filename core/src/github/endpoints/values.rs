//! Actions secrets (names only: the host never gives values back) and Actions variables.

use jiff::Timestamp;
use octocrab::models::repos::{RepoVariable, RepoVariables};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use standin_state::model::Slug;

use super::{found, repo};
use crate::Result;
use crate::github::{Call, Client};

/// A secret as the host lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SecretEntry {
    /// Upper-case name.
    pub name: String,
    /// Last written, to the second.
    pub updated_at: Timestamp,
}

/// A variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Upper-case name.
    pub name: String,
    /// Value.
    pub value: String,
}

impl From<RepoVariable> for Variable {
    fn from(RepoVariable { name, value, .. }: RepoVariable) -> Self {
        Self { name, value }
    }
}

impl Client {
    /// The names of all Actions secrets, with the moment of their last writing.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn secrets(&self, slug: &Slug) -> Result<Vec<SecretEntry>> {
        let what = format!("reading the secrets' names of {slug}");
        let call = Call::get("list_secrets", what, repo(slug, "/actions/secrets?per_page=100"));
        self.list(&Call { remember: true, ..call }).await
    }

    /// All Actions variables.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn variables(&self, slug: &Slug) -> Result<Vec<Variable>> {
        let what = format!("reading the variables of {slug}");
        let call = Call::get("list_variables", what, repo(slug, "/actions/variables?per_page=100"));
        let pages = self.pages::<RepoVariables>(&call).await?;
        Ok(pages.into_iter().flat_map(|page| page.variables).map(Variable::from).collect())
    }

    /// One Actions variable; `None` where there is none of this name.
    ///
    /// # Errors
    /// As [`Client::get`]; a repository that cannot be seen is told from a variable that is not there by the caller's
    /// earlier reads.
    pub async fn variable(&self, slug: &Slug, name: &str) -> Result<Option<Variable>> {
        let what = format!("reading the variable {name} of {slug}");
        let call = Call::get("get_variable", what, repo(slug, &format!("/actions/variables/{name}")));
        Ok(found(self.read::<RepoVariable>(&call).await)?.map(Variable::from))
    }

    /// Makes a variable that is not there yet.
    ///
    /// # Errors
    /// The host's refusal, also where it is there already; an unknown outcome was read back.
    pub async fn create_variable(&self, slug: &Slug, name: &str, value: &str) -> Result<()> {
        let what = format!("creating the variable {name} of {slug}");
        let body = json!({ "name": name, "value": value });
        let call = Call::write("post_variable", what, Method::POST, repo(slug, "/actions/variables"), Some(body));
        self.write(&call, || Box::pin(self.variable_is(slug, name, value))).await.map(drop)
    }

    /// Gives a variable that is there another value.
    ///
    /// # Errors
    /// The host's refusal, also where it is not there; an unknown outcome was read back.
    pub async fn update_variable(&self, slug: &Slug, name: &str, value: &str) -> Result<()> {
        let what = format!("updating the variable {name} of {slug}");
        let body = json!({ "name": name, "value": value });
        let path = repo(slug, &format!("/actions/variables/{name}"));
        let call = Call::write("patch_variable", what, Method::PATCH, path, Some(body));
        self.write(&call, || Box::pin(self.variable_is(slug, name, value))).await.map(drop)
    }

    /// Takes a variable away; `false` where there is none.
    ///
    /// # Errors
    /// The host's refusal; an unknown outcome was read back.
    pub async fn delete_variable(&self, slug: &Slug, name: &str) -> Result<bool> {
        let what = format!("deleting the variable {name} of {slug}");
        let path = repo(slug, &format!("/actions/variables/{name}"));
        let call = Call::write("delete_variable", what, Method::DELETE, path, None);
        let is_gone = || async { Ok(self.variable(slug, name).await?.is_none()) };
        Ok(found(self.write(&call, || Box::pin(is_gone())).await)?.is_some())
    }

    /// Takes an Actions secret away; `false` where there is none.
    ///
    /// # Errors
    /// The host's refusal; an unknown outcome was read back.
    pub async fn delete_secret(&self, slug: &Slug, name: &str) -> Result<bool> {
        let what = format!("deleting the secret {name} of {slug}");
        let path = repo(slug, &format!("/actions/secrets/{name}"));
        let call = Call::write("delete_secret", what, Method::DELETE, path, None);
        let is_gone = || async { Ok(self.secrets(slug).await?.iter().all(|secret| secret.name != name)) };
        Ok(found(self.write(&call, || Box::pin(is_gone())).await)?.is_some())
    }

    async fn variable_is(&self, slug: &Slug, name: &str, value: &str) -> Result<bool> {
        Ok(self.variable(slug, name).await?.is_some_and(|variable| variable.value == value))
    }
}
