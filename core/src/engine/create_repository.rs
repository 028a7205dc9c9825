//! A repository on GitHub that a mirror is to be: made there, private and empty, or looked at where it is there already.

use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use standin_state::model::{RepositoryId, Slug};

use super::Engine;
use crate::github::{Client, GITHUB_COM, LookedAt, RepositoryInfo, in_url};
use crate::memory::Memory;
use crate::totals::Totals;
use crate::{Code, Error, Result, crash, tokens};

/// A repository that was made, or found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

    async fn made(&self, repository: &RepositoryId, slug: &Slug, given: Option<&SecretString>) -> Result<Created> {
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
        let seen = |info: RepositoryInfo, is_new, is_empty| Created {
            repo: slug.clone(),
            is_new,
            is_private: info.private,
            is_empty,
            login: user.login.clone(),
        };
        match client.repository(slug).await {
            Ok(info) => {
                refuse_renamed(slug, &info)?;
                let is_empty = is_empty(&client, slug).await?;
                return Ok(seen(info, false, is_empty));
            }
            Err(error) if error.code == Code::RepositoryNotFound => {}
            Err(error) => return Err(error),
        }
        crash::point("repository.create.before");
        client.create_repository(slug, of_own).await.map_err(|error| unmade(error, slug, &user.login, of_own))?;
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
        let is_empty = is_empty(&client, slug).await?;
        Ok(seen(info, true, is_empty))
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
