//! The source at one moment, fetched into the cache: every mirror of one sync gets the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use standin_state::config::{RepositoryConfig, Source};
use standin_state::model::{MirrorId, Oid, RefName};
use standin_state::store::Fact;

use super::default_branch::DefaultBranch;
use crate::context::SourceContext;
use crate::event::Notice;
use crate::fence::{self, Fence};
use crate::git::{Cache, Listing, Refs, Remote, foreign};
use crate::mirror::{cache, fence_move, fence_read, listed_prefixes, source_remote, travelling_prefixes};
use crate::plan::{LfsReport, counted};
use crate::tokens::{self, Place};
use crate::{Code, Error, Result};

/// Where the source's own fence is kept in the cache.
const SOURCE_FENCE: &str = "refs/standin/source/fence";

/// The source at one moment. All its objects are in the cache and stay there.
#[derive(Debug)]
pub struct Snapshot {
    /// The cache.
    pub cache: Cache,
    /// Branches, tags and, where asked for, notes.
    pub refs: Refs,
    /// Which branch is the default one.
    pub default_branch: DefaultBranch,
    /// The source's own fence, where it has one.
    pub fence: Option<Fence>,
    /// The repository's id at its host; survives renames.
    pub id: Option<String>,
    /// Whether only its collaborators see it; `None` where the host cannot be asked.
    pub private: Option<bool>,
    /// What to know about the source.
    pub notices: Vec<Notice>,
    lfs: Mutex<HashMap<LfsQuestion, Option<LfsReport>>>,
}

/// New tips, and tips that the mirror has.
type LfsQuestion = (Vec<Oid>, Vec<Oid>);

impl Snapshot {
    /// The default branch, seen from a mirror whose default branch is `mirror`.
    pub fn default_branch<'a>(&'a self, mirror: Option<&'a RefName>) -> Option<&'a RefName> {
        self.default_branch.seen_from(mirror, &self.refs)
    }

    /// The commit of the default branch, seen from a mirror whose default branch is `mirror`.
    pub fn default_tip(&self, mirror: Option<&RefName>) -> Option<&Oid> {
        self.default_branch(mirror).and_then(|name| self.refs.get(name))
    }

    /// What git LFS would leave behind; counted once for mirrors that lack the same.
    pub(super) fn lfs(&self, new: Vec<Oid>, known: Vec<Oid>) -> Result<Option<LfsReport>> {
        let question = (new, known);
        let mut answers = self.lfs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answers.get(&question) {
            return Ok(answer.clone());
        }
        let answer = super::lfs::count(&self.cache, &question.0, &question.1)?;
        answers.insert(question, answer.clone());
        Ok(answer)
    }
}

/// Reads the source: lists it, and fetches what is new into the cache.
///
/// # Errors
/// [`Code::Configuration`] for a shallow source; whatever git, the host and the store report.
pub async fn snapshot(source: &SourceContext) -> Result<Arc<Snapshot>> {
    refuse_shallow(source)?;
    let remote = source_remote(source, "git.source")?;
    let cache = cache(source)?;
    let prefixes = listed_prefixes(&source.repository);
    let (listing, info) =
        tokio::try_join!(remote.list(&prefixes), info(source)).map_err(|error| unread(source, error))?;
    let refs = fetch(source, &remote, &cache, &listing).await?;
    let fence = match listing.refs.get(&RefName::fence()) {
        Some(oid) => Some(Fence { oid: oid.clone(), document: source_document(source, &cache, oid)? }),
        None => None,
    };
    fence_move::remember_source(source, &cache, fence.as_ref())?;
    let default_branch = DefaultBranch::of(&source.repository.source, &listing, &refs, source.git.first_branch());
    let mut notices = notices(&listing, &default_branch, &refs);
    notices.extend(committed_env(&source.repository));
    let (id, private) = info.unzip();
    Ok(Arc::new(Snapshot { cache, refs, default_branch, fence, id, private, notices, lfs: Mutex::default() }))
}

/// Why the source could not be read. Git knows of a token that is missing only that it is.
fn unread(source: &SourceContext, error: Error) -> Error {
    let error = match (error.code, &source.repository.source) {
        (Code::TokenMissing, Source::GitHub(_)) => {
            let Error { hint, .. } = tokens::missing(&source.store, &source.repository, &Place::Source);
            Error { hint, ..error }
        }
        _ => error,
    };
    error.during(format!("Reading the source `{}`", source.repository.source.display()))
}

/// The branches and tags of the source as they are now, those that travel. Fetches nothing.
///
/// # Errors
/// [`Code::Configuration`] for a shallow source; what listing it fails with.
pub async fn listed(source: &SourceContext) -> Result<Refs> {
    refuse_shallow(source)?;
    let mut refs = source_remote(source, "git.source")?
        .list(&listed_prefixes(&source.repository))
        .await
        .map_err(|error| unread(source, error))?
        .refs;
    refs.remove(&RefName::fence());
    Ok(refs)
}

/// Whether branches or tags of the source have moved since it was last fetched; `None` where it never was. Fetches nothing.
///
/// # Errors
/// What listing the source fails with.
pub async fn has_moved(source: &SourceContext) -> Result<Option<bool>> {
    refuse_shallow(source)?;
    if source.memory().get(Fact::SnapshotOf)?.is_none() {
        return Ok(None);
    }
    let (cache, remote) = (cache(source)?, source_remote(source, "git.source")?);
    let known = cache.refs_below(&travelling_prefixes(&source.repository))?;
    let mut listed = remote.list(&listed_prefixes(&source.repository)).await?.refs;
    listed.remove(&RefName::fence());
    Ok(Some(known != listed))
}

/// The repository's id and whether it is private, where its host tells.
async fn info(source: &SourceContext) -> Result<Option<(String, bool)>> {
    match (&source.repository.source, &source.github) {
        (Source::GitHub(slug), Some(client)) => {
            let info = client.repository(slug).await?;
            Ok(Some((info.id.to_string(), info.private)))
        }
        _ => Ok(None),
    }
}

async fn fetch(source: &SourceContext, remote: &Remote, cache: &Cache, listing: &Listing) -> Result<Refs> {
    let travelling = travelling_prefixes(&source.repository);
    let kept_fence: RefName =
        SOURCE_FENCE.parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), ""))?;
    let known = cache.refs_below(&travelling)?;
    let mut listed = listing.refs.clone();
    let listed_fence = listed.remove(&RefName::fence());
    let known_fence = cache.ref_tip(&kept_fence)?;
    keep_turned(source, cache, &known, &listed).await?;
    if known == listed && (listed_fence.is_none() || listed_fence == known_fence) {
        return Ok(known);
    }
    let mut wanted = listed;
    wanted.extend(listed_fence.map(|oid| (kept_fence, oid)));
    Box::pin(remote.fetch_all(cache, &wanted, &travelling))
        .await
        .map_err(|error| error.during(format!("Fetching the source `{}`", source.repository.source.display())))?;
    wanted.retain(|name, _| travelling.iter().any(|prefix| name.as_str().starts_with(prefix)));
    Ok(wanted)
}

/// The cache has the refs of one source. Where that is now another repository, the tips of the one before that differ
/// may be nowhere else: its host may be gone. They are saved before they lose their names.
async fn keep_turned(source: &SourceContext, cache: &Cache, known: &Refs, listed: &Refs) -> Result<()> {
    let repository = &source.repository;
    let place = repository.master.clone().unwrap_or_else(MirrorId::source);
    let before = source.memory().get(Fact::SnapshotOf)?;
    if before.as_deref() == Some(place.as_str()) {
        return Ok(());
    }
    if let Some(before) = before.and_then(|text| text.parse::<MirrorId>().ok()) {
        let gone = known.iter().filter(|(name, oid)| listed.get(*name) != Some(oid));
        let tips: Vec<(RefName, Oid)> = gone.map(|(name, oid)| (name.clone(), oid.clone())).collect();
        super::rescue::save_turned(source, cache, &before, &tips).await?;
    }
    source.memory().set(Fact::SnapshotOf, place.as_str())
}

fn source_document(source: &SourceContext, cache: &Cache, oid: &Oid) -> Result<fence::Document> {
    fence_read::read_commit(cache, oid).map_err(|error| {
        let hint = if error.hint.is_empty() {
            format!(
                "Find out who wrote `{}` at {}; delete that ref there if nobody needs it, then sync again.",
                RefName::fence(),
                source.repository.source.display()
            )
        } else {
            error.hint.clone()
        };
        Error { hint, ..error.during("The fence of the source is not one") }
    })
}

fn notices(listing: &Listing, default_branch: &DefaultBranch, refs: &Refs) -> Vec<Notice> {
    let mut notices = Vec::new();
    if !listing.unusable.is_empty() {
        notices.push(Notice {
            message: format!(
                "The source has {} with names that git does not accept; they do not travel: {}",
                counted(listing.unusable.len(), "ref"),
                listing.unusable.join(", ")
            ),
            hint: "Rename them at the source.".to_owned(),
        });
    }
    if *default_branch == DefaultBranch::Known(None) && !refs.is_empty() {
        let (state, hint) = match (&listing.head, &listing.head_oid) {
            (None, Some(oid)) if !refs.values().any(|tip| tip == oid) => (
                format!("HEAD of the source is detached at {}, which no branch names", oid.short()),
                "Make a branch there if that commit shall be mirrored.",
            ),
            (None, Some(oid)) => (format!("HEAD of the source is detached at {}", oid.short()), ""),
            _ => ("HEAD of the source names a branch without commits".to_owned(), ""),
        };
        notices.push(Notice {
            message: format!("{state}; the mirror's default branch stays as it is"),
            hint: hint.to_owned(),
        });
    }
    notices
}

/// An `.env` that git keeps: whoever reads the repository reads it too.
fn committed_env(repository: &RepositoryConfig) -> Option<Notice> {
    let (file, clone) = (repository.env_file.as_ref()?, repository.clone.as_ref()?);
    let opened = foreign::open(clone).ok().flatten()?;
    let root = opened.workdir()?.canonicalize().ok()?;
    let within = file.parent()?.canonicalize().ok()?.join(file.file_name()?);
    opened.index().ok()?.get_path(within.strip_prefix(root).ok()?, 0)?;
    Some(Notice {
        message: format!("{} is committed to git; take every token and secret in it as known", file.display()),
        hint: "Take it out with `git rm --cached .env`, name it in `.gitignore`, and make new tokens and secrets: the old \
               ones stay in the history."
            .to_owned(),
    })
}

/// A shallow clone lacks history: the mirror could not be complete, and git would refuse halfway.
fn refuse_shallow(source: &SourceContext) -> Result<()> {
    let Source::Path(path) = &source.repository.source else { return Ok(()) };
    if !foreign::open(path)?.is_some_and(|repository| repository.is_shallow()) {
        return Ok(());
    }
    Err(Error::new(
        Code::Configuration,
        format!("The source `{}` is a shallow clone: a part of its history is missing", path.display()),
        "Complete it with `git fetch --unshallow`, or use the repository that it was cloned from as source.",
    ))
}
