//! The sentinel: rendered, installed, given its tokens, checked.

use std::sync::Arc;

use standin_state::config::RepositoryConfig;
use standin_state::model::{MirrorId, RepositoryId};

use super::Engine;
use crate::sentinel::{self, Installed, Rendered, SecretsSet, SentinelReport, Tokens, install};
use crate::source::named;
use crate::tokens::{Place, missing};
use crate::{Code, Error, Result};

impl Engine {
    /// The file as it would be installed now.
    ///
    /// # Errors
    /// As [`sentinel::render`].
    pub fn sentinel_render(&self, repository: Option<&RepositoryId>) -> Result<Rendered> {
        sentinel::render(&self.config(), &*self.watched(repository)?)
    }

    /// Brings the file to the master.
    ///
    /// # Errors
    /// As [`install::install`]; [`Code::TokenMissing`] without a token for the master.
    pub async fn sentinel_install(
        &self,
        repository: Option<&RepositoryId>,
        request: install::Request,
    ) -> Result<Installed> {
        let known = self.watched(repository)?;
        let rendered = sentinel::render(&self.config(), &known)?;
        let source = self.source_by_hand(&known).await?;
        let installed = match &source.context.github {
            Some(client) => install::install(client, &rendered, request).await,
            None => Err(missing(&source.context.store, &known, &Place::Source)),
        };
        let detail = match &installed {
            Ok(installed) => format!("{}: {:?}", installed.repo, installed.written),
            Err(_) => rendered.master.to_string(),
        };
        self.audited("sentinel_install", Some(&known.id), None, detail, installed)
    }

    /// Proves the tokens and sets them as secrets of a standby: of `mirror`, else of the only one on GitHub.
    ///
    /// # Errors
    /// As [`install::set_secrets`]; [`Code::Usage`] where no mirror is meant.
    pub async fn sentinel_set_tokens(
        &self,
        repository: Option<&RepositoryId>,
        mirror: Option<&MirrorId>,
        tokens: &Tokens,
    ) -> Result<SecretsSet> {
        let known = self.watched(repository)?;
        let rendered = sentinel::render(&self.config(), &known)?;
        let mirror = named(&known, &standby(&known, mirror)?)?;
        let set = async {
            let source = self.source_by_hand(&known).await?;
            let context = source.context_by_hand(mirror.clone()).await?;
            install::set_secrets(&context, &rendered, tokens).await
        }
        .await;
        let detail = set.as_ref().map_or_else(|_| String::new(), |set| set.names.join(", "));
        self.audited("sentinel_tokens", Some(&known.id), Some(&mirror.id), detail, set)
    }

    /// Looks at the sentinel on the master and on each standby.
    ///
    /// # Errors
    /// As [`sentinel::render`]; a sentinel that is not well is no error.
    pub async fn sentinel_check(&self, repository: Option<&RepositoryId>) -> Result<SentinelReport> {
        let known = self.watched(repository)?;
        let rendered = sentinel::render(&self.config(), &known)?;
        let source = self.source_of_a_look(&known).await?;
        sentinel::check::check(&source, &rendered).await
    }

    /// The repository as the sentinel sees it: turned to its master, but for one that only stands in.
    fn watched(&self, repository: Option<&RepositoryId>) -> Result<Arc<RepositoryConfig>> {
        let direction = self.direction(repository)?;
        Ok(if direction.is_temporary() { direction.home } else { direction.config })
    }
}

/// The standby that is meant.
fn standby(repository: &RepositoryConfig, mirror: Option<&MirrorId>) -> Result<MirrorId> {
    if let Some(id) = mirror {
        return Ok(id.clone());
    }
    let standbys: Vec<&MirrorId> = repository
        .mirrors
        .iter()
        .filter(|mirror| mirror.enabled && mirror.slug().is_some())
        .map(|mirror| &mirror.id)
        .collect();
    match standbys[..] {
        [only] => Ok(only.clone()),
        [] => Err(Error::new(
            Code::Usage,
            format!("{} has no standby on GitHub that could run a sentinel", repository.id),
            "Add a mirror of type `github`.",
        )),
        _ => Err(Error::new(
            Code::Usage,
            "there are several standbys, and each has tokens of its own",
            "Name one with `--mirror ID`; `standin mirror list` lists them.",
        )),
    }
}
