//! A repository on GitHub that a mirror is to be: made there, private and empty, or looked at where it is there already.

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use standin_state::model::{RepositoryId, Slug};
use ts_rs::TS;

use super::Engine;
use crate::github::{Client, GITHUB_COM, LookedAt, RepositoryInfo, User, in_url};
use crate::memory::Memory;
use crate::totals::Totals;
use crate::{Code, Error, Result, crash, tokens};

/// A repository that was made, or found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Created {
    /// `owner/name`, with its host where that is another than github.com.
    pub repo: Slug,
    /// Whether it was made now, and was not there before.
    pub is_new: bool,
    /// Whether only its collaborators see it.
    pub is_private: bool,
    /// Whether it has no branch and no tag.
    pub is_empty: bool,
    /// The account that the token stands for.
    pub login: String,
}

impl Engine {
    /// Makes a private, empty repository: of the token's own account, or of an organisation that it is a member of. One that is
    /// there is left as it is, and said. Without a token the one that gh is signed in with is taken, if its account is the owner.
    ///
    /// # Errors
    /// [`Code::TokenMissing`] without a token; [`Code::Forbidden`] where the token may not make it; [`Code::Usage`] for one that
    /// has another name by now; what the host reports.
    pub async fn create_repository(
        &self,
        repository: &RepositoryId,
        slug: &Slug,
        token: Option<&SecretString>,
    ) -> Result<Created> {
        let created = self.made(repository, slug, token).await;
        let detail = match &created {
            Ok(Created { is_new: false, .. }) => format!("{slug} was there"),
            Ok(_) | Err(_) => slug.to_string(),
        };
        self.audited("create_repository", Some(repository), None, detail, created)
    }

    /// The repository as it is there; `None` in the first place where there is none. Changes nothing.
    ///
    /// # Errors
    /// As [`Engine::create_repository`].
    pub(super) async fn repository_there(
        &self,
        repository: &RepositoryId,
        slug: &Slug,
        given: Option<&SecretString>,
    ) -> Result<(Option<Created>, String)> {
        let there = self.at_host(repository, slug, given).await?;
        let login = there.user.login.clone();
        there.look().await.map(|found| (found, login))
    }

    async fn made(&self, repository: &RepositoryId, slug: &Slug, given: Option<&SecretString>) -> Result<Created> {
        let there = self.at_host(repository, slug, given).await?;
        match there.look().await? {
            Some(found) => Ok(found),
            None => there.make().await,
        }
    }

    /// With the token that would make it.
    async fn at_host<'a>(
        &self,
        repository: &RepositoryId,
        slug: &'a Slug,
        given: Option<&SecretString>,
    ) -> Result<AtHost<'a>> {
        let outside = &self.shared.outside;
        let token = match given {
            Some(token) => tokens::checked(token)?,
            None => tokens::of_gh_login(outside, slug).await.ok_or_else(|| no_token(slug))?,
        };
        let (cancel, _limit) = self.limited();
        let memory = Memory::new(&self.shared.store, repository, None, &outside.clock);
        let client = Client::new(&self.config(), slug, &token, memory, Arc::new(Totals::default()), cancel)?
            .waiting(outside, repository, None, None);
        let (user, _) = client.user().await?;
        let of_own = user.login.eq_ignore_ascii_case(&slug.owner);
        if given.is_none() && !of_own {
            return Err(no_token(slug));
        }
        Ok(AtHost { client, slug, user, of_own })
    }
}

/// A name at its host, and who asks about it.
struct AtHost<'a> {
    client: Client,
    slug: &'a Slug,
    user: User,
    of_own: bool,
}

impl AtHost<'_> {
    async fn look(&self) -> Result<Option<Created>> {
        match self.client.repository(self.slug).await {
            Ok(info) => {
                refuse_renamed(self.slug, &info)?;
                self.seen(&info, false).await.map(Some)
            }
            Err(error) if error.code == Code::RepositoryNotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn seen(&self, info: &RepositoryInfo, is_new: bool) -> Result<Created> {
        Ok(Created {
            repo: self.slug.clone(),
            is_new,
            is_private: info.private,
            is_empty: is_empty(&self.client, self.slug).await?,
            login: self.user.login.clone(),
        })
    }

    async fn make(&self) -> Result<Created> {
        let Self { client, slug, user, of_own } = self;
        crash::point("repository.create.before");
        client.create_repository(slug, *of_own).await.map_err(|error| unmade(error, slug, &user.login, *of_own))?;
        crash::point("repository.create.after");
        let info = client.repository(slug).await?;
        refuse_renamed(slug, &info)?;
        if !info.private {
            return Err(Error::new(
                Code::UnexpectedAnswer,
                format!("{slug} was made, and everybody can see it"),
                "Make it private in its settings at GitHub before anything is brought there: a rule of its owner may be in the way.",
            ));
        }
        self.seen(&info, true).await
    }
}

async fn is_empty(client: &Client, slug: &Slug) -> Result<bool> {
    match client.look_at_refs(slug, None).await? {
        LookedAt::Found { refs, .. } => Ok(refs.is_empty()),
        LookedAt::Same => Ok(false),
    }
}

fn refuse_renamed(slug: &Slug, info: &RepositoryInfo) -> Result<()> {
    if info.full_name.eq_ignore_ascii_case(&slug.path()) {
        return Ok(());
    }
    Err(Error::new(
        Code::Usage,
        format!("{slug} is called {} by now", info.full_name),
        "Name it so, or name one that does not exist yet.",
    ))
}

fn no_token(slug: &Slug) -> Error {
    let host = slug.host.as_deref().unwrap_or(GITHUB_COM);
    Error::new(
        Code::TokenMissing,
        format!("no token that could make {slug}: gh is not signed in at {host} as {}", slug.owner),
        format!(
            "Give the token of {} on standard input (`--token-stdin`): classic with the scope `repo`, or fine-grained for all of \
             its repositories with Administration to write. https://{host}/settings/tokens makes one.",
            slug.owner
        ),
    )
}

/// What the host's refusal means for somebody who wants a repository made.
fn unmade(error: Error, slug: &Slug, login: &str, of_own: bool) -> Error {
    let (owner, name) = (&slug.owner, in_url(&slug.name));
    let host = slug.host.as_deref().unwrap_or(GITHUB_COM);
    let by_hand = format!("Or make it by hand, private and without a README: https://{host}/new?name={name}");
    match error.code {
        Code::Forbidden | Code::RepositoryNotFound if of_own => Error {
            code: Code::Forbidden,
            hint: format!(
                "A classic token needs the scope `repo`; a fine-grained one Administration to write, for all repositories of \
                 {owner}. {by_hand}"
            ),
            ..error.during(format!("the token of {login} may not make {slug}"))
        },
        Code::Forbidden | Code::RepositoryNotFound => Error {
            code: Code::Forbidden,
            hint: format!(
                "{owner} is not the account of this token: give the token of {owner} itself, or of a member of the organisation \
                 who may make repositories there. {by_hand}"
            ),
            ..error.during(format!("the token of {login} may not make {slug}"))
        },
        _ => error,
    }
}
