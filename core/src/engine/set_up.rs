//! A mirror that is set up in one go: its repository made, the file written, tokens and values kept. In this order, so that what
//! breaks off leaves nothing that nobody knows of.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use standin_state::config::Target;
use standin_state::model::{MirrorId, RepositoryId};
use ts_rs::TS;

use super::{Created, Engine, TypedTokens};
use crate::keychain::SessionKeychain;
use crate::setup::Draft;
use crate::tokens::Place;
use crate::{Error, Result};

/// Where what was typed is kept.
#[derive(Clone, Copy)]
pub enum Where<'a> {
    /// In the keychain of the operating system.
    Keychain,
    /// In this memory, until the program quits.
    Session(&'a SessionKeychain),
}

/// What is to be done.
pub struct SetUpRequest<'a> {
    /// The change as it was shown.
    pub draft: &'a Draft,
    /// Whether the repository is made at GitHub, private and empty, where it is not there yet.
    pub create: bool,
    /// The tokens.
    pub tokens: &'a TypedTokens,
    /// Values of secrets, for the vault.
    pub values: &'a BTreeMap<String, SecretString>,
    /// Where the tokens are kept.
    pub keep: Where<'a>,
}

/// A mirror that was set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SetUp {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror.
    pub mirror: Option<MirrorId>,
    /// The repository that was made for it, or found.
    pub created: Option<Created>,
    /// What is written, and could not be kept beside it: a token or a value. The mirror is there, and this can be done again.
    pub troubles: Vec<Error>,
}

impl Engine {
    /// Sets a mirror up as it was drafted.
    ///
    /// # Errors
    /// As [`Engine::create_repository`] and [`Engine::mirror_write`]: then nothing is written, and a repository that was made is
    /// found by the next try. What could not be kept afterwards is in the result.
    pub async fn set_up(&self, request: SetUpRequest<'_>) -> Result<SetUp> {
        let SetUpRequest { draft, create, tokens, .. } = request;
        // Before anything is made elsewhere: what could not be written then is not begun.
        self.reload()?;
        let edited = self.still(&self.config(), draft)?;
        let target = edited.loaded.config.repositories.iter().find(|known| known.id == draft.repository);
        let target = target.zip(draft.mirror.as_ref()).and_then(|(known, mirror)| known.mirror(mirror));
        let created = match target.map(|mirror| &mirror.target) {
            Some(Target::GitHub(slug)) if create => {
                Some(self.create_repository(&draft.repository, slug, tokens.mirror.as_ref()).await?)
            }
            Some(Target::GitHub(_) | Target::Git(_) | Target::Pull(_)) | None => None,
        };
        self.mirror_write(draft)?;
        let troubles = self.keep_typed(&request).await;
        Ok(SetUp { repository: draft.repository.clone(), mirror: draft.mirror.clone(), created, troubles })
    }

    /// Keeps what was typed for a mirror that is written: its tokens, and values of secrets. What could not be kept is in the
    /// result, and can be kept by the same call again.
    pub async fn keep_typed(&self, request: &SetUpRequest<'_>) -> Vec<Error> {
        let SetUpRequest { draft, tokens, values, keep, .. } = *request;
        let repository = Some(&draft.repository);
        let mut troubles = Vec::new();
        let mirror = draft.mirror.clone().map(Place::Mirror);
        for (place, token) in [(Some(Place::Source), &tokens.source), (mirror, &tokens.mirror)] {
            let (Some(place), Some(token)) = (place, token) else { continue };
            let kept = match keep {
                Where::Keychain => self.token_set(repository, &place, token).await,
                Where::Session(session) => self.token_keep(session, repository, &place, token),
            };
            troubles.extend(kept.err().map(|error| error.during(format!("the token of {place} is not kept"))));
        }
        for (name, value) in values {
            let kept = self.secret_set(repository, name, value).await;
            troubles.extend(kept.err().map(|error| error.during(format!("the value of {name} is not kept"))));
        }
        troubles
    }
}
