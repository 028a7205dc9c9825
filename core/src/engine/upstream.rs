//! The look at a source on its host: whether its branches or tags have moved, by one request that the host does not count as long
//! as they have not.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use standin_state::config::{RepositoryConfig, Source};
use standin_state::model::{RepositoryId, Slug, Trigger};
use standin_state::store::{Fact, NewTrigger};
use tokio_util::sync::CancellationToken;

use super::Engine;
use crate::github::{Client, LookedAt, PATIENCE_OF_A_LOOK};
use crate::memory::Memory;
use crate::tokens::{self, Place};
use crate::totals::Totals;
use crate::{Result, code};

/// How long a token that was found serves for looks: finding it may ask the keychain, and gh's own is checked by requests that
/// count.
const TOKEN_KEPT: Duration = Duration::from_secs(2 * 60 * 60);
/// How long it is believed that there is none.
const NO_TOKEN_KEPT: Duration = Duration::from_secs(10 * 60);

/// The tokens that were found for looks, in memory alone.
#[derive(Default)]
pub(super) struct Looks(Mutex<HashMap<RepositoryId, Found>>);

struct Found {
    until: Instant,
    source: Slug,
    token: Option<SecretString>,
}

impl Looks {
    fn lock(&self) -> MutexGuard<'_, HashMap<RepositoryId, Found>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, repository: &RepositoryId) {
        self.lock().remove(repository);
    }

    /// The configuration may name others now.
    pub(super) fn forget_all(&self) {
        self.lock().clear();
    }
}

/// What a look at a source on its host found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamLook {
    /// The source is not on GitHub, or no token for it is known: there is nothing that could be asked.
    NotAsked,
    /// It was never looked at before; what is there now is what later looks are compared with.
    First,
    /// No branch or tag has moved since the last look.
    Same,
    /// Some have: a sync is in the queue.
    Moved,
}

/// What is remembered of a look.
#[derive(Serialize, Deserialize)]
struct Looked {
    source: String,
    etag: Option<String>,
    refs: String,
}

impl Engine {
    /// Asks the host of a source on GitHub, by one request, whether branches or tags have moved since the last look, and puts a
    /// trigger into the queue where they have. As long as nothing moves, the host does not count the request.
    ///
    /// # Errors
    /// As [`Engine::repository`]; the host's refusal. Then nothing is known to have moved, and a later look finds it.
    pub async fn look_upstream(&self, id: &RepositoryId) -> Result<UpstreamLook> {
        let direction = self.direction(Some(id))?;
        let Source::GitHub(slug) = &direction.config.source else { return Ok(UpstreamLook::NotAsked) };
        let Some(token) = self.token_of_looks(&direction.config, slug).await? else {
            return Ok(UpstreamLook::NotAsked);
        };
        let memory = Memory::new(&self.shared.store, id, None, &self.shared.outside.clock);
        let (config, cancel) = (self.config(), CancellationToken::new());
        let client = Client::new(&config, slug, &token, memory.clone(), Arc::new(Totals::default()), cancel)?;
        let client = client.waiting(&self.shared.outside, id, None, Some(PATIENCE_OF_A_LOOK));
        let text = memory.get(Fact::UpstreamLook)?;
        let shown = slug.to_string();
        let last = text.and_then(|text| serde_json::from_str::<Looked>(&text).ok()).filter(|last| last.source == shown);
        let etag = last.as_ref().and_then(|last| last.etag.clone());
        // Another token may be there by the next look.
        let found = client.look_at_refs(slug, etag).await.inspect_err(|_| self.shared.looks.forget(id))?;
        let (etag, refs) = match found {
            LookedAt::Same => return Ok(UpstreamLook::Same),
            LookedAt::Found { etag, refs } => (etag, hash(&refs)),
        };
        let is_moved = last.as_ref().map(|last| last.refs != refs);
        if is_moved == Some(true) {
            // First the trigger: a crash in between asks for one sync more, never for one less.
            self.queue(&NewTrigger::of_all(
                id.clone(),
                Trigger::Upstream,
                &format!("branches or tags moved at {shown}"),
            ))?;
        }
        let looked = Looked { source: shown, etag, refs };
        memory.set(Fact::UpstreamLook, &serde_json::to_string(&looked).unwrap_or_default())?;
        Ok(match is_moved {
            None => UpstreamLook::First,
            Some(true) => UpstreamLook::Moved,
            Some(false) => UpstreamLook::Same,
        })
    }

    /// Puts a trigger into the queue where branches or tags of a source in a folder have moved since they were last fetched: what
    /// nobody watched. `true` where they have.
    ///
    /// # Errors
    /// As [`Engine::repository`]; what listing the source fails with. Then the schedule finds it.
    pub async fn look_at_folder(&self, id: &RepositoryId) -> Result<bool> {
        let config = self.direction(Some(id))?.config;
        let Source::Path(folder) = &config.source else { return Ok(false) };
        let source = self.source_of_a_look(&config).await?;
        if code::has_moved(&source.context).await? != Some(true) {
            return Ok(false);
        }
        self.queue(&NewTrigger::of_all(id.clone(), Trigger::SourceRefs, &folder.display().to_string()))?;
        Ok(true)
    }

    async fn token_of_looks(&self, repository: &RepositoryConfig, source: &Slug) -> Result<Option<SecretString>> {
        let now = Instant::now();
        if let Some(found) = self.shared.looks.lock().get(&repository.id)
            && found.until > now
            && found.source == *source
        {
            return Ok(found.token.clone());
        }
        let shared = &self.shared;
        let token = tokens::find(&shared.outside, &self.config(), &shared.store, repository, &Place::Source).await?;
        let token = token.map(|token| token.value);
        let until = now + if token.is_some() { TOKEN_KEPT } else { NO_TOKEN_KEPT };
        let found = Found { until, source: source.clone(), token: token.clone() };
        shared.looks.lock().insert(repository.id.clone(), found);
        Ok(token)
    }
}

/// The refs that travel, as a hash in hexadecimal digits.
fn hash(refs: &[(String, String)]) -> String {
    let travels =
        |name: &str| ["refs/heads/", "refs/tags/", "refs/notes/"].iter().any(|prefix| name.starts_with(prefix));
    let lines: BTreeSet<String> =
        refs.iter().filter(|(name, _)| travels(name)).map(|(name, tip)| format!("{tip} {name}\n")).collect();
    let mut hash = Sha256::new();
    lines.iter().for_each(|line| hash.update(line));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
