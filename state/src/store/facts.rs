//! Small things known about a repository or mirror that are no records of their own. Never a secret.

use std::borrow::Cow;

use rusqlite::{OptionalExtension as _, params};

use super::Store;
use crate::error::Result;
use crate::model::{MirrorId, RepositoryId};

/// What may be known. The names in the database stay as they are: an older or newer version reads them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// Of a repository: the id of this installation in its fences.
    Installation,
    /// Of a repository: the mirror, or the source, whose refs the cache has.
    SnapshotOf,
    /// Of a repository: what a look at the master found last, as JSON.
    MasterHealth,
    /// Of a repository: where the heartbeat was last read, and when.
    HeartbeatSeen,
    /// Of a repository: the drills that were played, as JSON.
    Drills,
    /// Of a repository: what was told of it, and what is so without having been told, as JSON.
    Told,
    /// Of a repository: the epoch of the change of master that a person made here last.
    ChangedByHand,
    /// The place that the memory of the mirror is about.
    Target,
    /// That a mirror without a fence is no stranger's, with its id at the host where that is known.
    FirstContact,
    /// That the mirror's host refuses the fence, and when it did.
    Fence,
    /// That the mirror's host does not move several refs all or none, how that was seen, and when.
    Atomic,
    /// That the mirror's host refused a push in words for a fault that passes, and when.
    Passing,
    /// The program that answers the mirror's pushes, such as `git/2.47.3`; `?` where it does not tell.
    Server,
    /// Refs that the mirror's host refused, and those that no search came to, as JSON.
    Refused,
    /// The id of the source's repository, as it was when it was last confirmed: each that may be master has its own.
    SourceId {
        /// The mirror that is master; `None` where it is the configured source.
        master: Option<&'a MirrorId>,
    },
    /// The source, private, for which it was confirmed that the mirror is public.
    PublicConfirmed,
    /// The source, private, and the host that tells nothing, for which it was confirmed that the mirror is there.
    HostConfirmed,
    /// What `MIRROR_ROLE` was last set to on the mirror.
    MirrorRole,
    /// What was last found about the sentinel on the mirror, as JSON.
    Sentinel,
    /// What the refs of the source were at the last look at its host, with the ETag of the answer, as JSON.
    UpstreamLook,
    /// That large files are not all here: `open` while they are brought, else how many stay behind and their bytes.
    LargeFiles,
    /// When the token expires, after its short hash.
    TokenExpires,
    /// How the last try of the schedule ended, as JSON.
    ScheduledTry,
    /// For which repository, and by which token (its short hash), gh's account was seen to be one that may push there.
    GhFits,
    /// The answer of a list, with its ETag, as JSON.
    Answer {
        /// Where it was asked for.
        address: &'a str,
    },
}

impl Fact<'_> {
    /// The name in the database.
    fn key(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Installation => "writer",
            Self::SnapshotOf => "snapshot_of",
            Self::MasterHealth => "master_health",
            Self::HeartbeatSeen => "heartbeat_seen_iso",
            Self::Drills => "drills",
            Self::Told => "told",
            Self::ChangedByHand => "changed_by_hand",
            Self::Target => "target",
            Self::FirstContact => "first_contact",
            Self::Fence => "fence",
            Self::Atomic => "atomic",
            Self::Passing => "passing",
            Self::Server => "server",
            Self::Refused => "refused",
            Self::SourceId { master: None } => "source_repository_id",
            Self::SourceId { master: Some(master) } => return Cow::Owned(format!("source_repository_id {master}")),
            Self::PublicConfirmed => "public_confirmed_for",
            Self::HostConfirmed => "host_confirmed_for",
            Self::MirrorRole => "mirror_role",
            Self::Sentinel => "sentinel",
            Self::UpstreamLook => "upstream_look",
            Self::LargeFiles => "large_files",
            Self::TokenExpires => "token_expires",
            Self::ScheduledTry => "scheduled_try",
            Self::GhFits => "gh_fits",
            Self::Answer { address } => return Cow::Owned(format!("etag:{address}")),
        })
    }
}

impl rusqlite::ToSql for Fact<'_> {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(match self.key() {
            Cow::Borrowed(key) => key.into(),
            Cow::Owned(key) => key.into(),
        })
    }
}

impl Store {
    /// What is known; without a mirror, about the repository itself.
    pub fn fact(&self, repository: &RepositoryId, mirror: Option<&MirrorId>, fact: Fact<'_>) -> Result<Option<String>> {
        self.read(|transaction| {
            Ok(transaction
                .prepare_cached("SELECT value FROM facts WHERE repository = ?1 AND mirror = ?2 AND key = ?3")?
                .query_row(params![repository, mirror_column(mirror), fact], |row| row.get(0))
                .optional()?)
        })
    }

    /// Remembers `value`, or forgets with `None`.
    pub fn set_fact(
        &self,
        repository: &RepositoryId,
        mirror: Option<&MirrorId>,
        fact: Fact<'_>,
        value: Option<&str>,
    ) -> Result<()> {
        self.write("set_fact", |transaction| {
            let mirror = mirror_column(mirror);
            match value {
                Some(value) => transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO facts (repository, mirror, key, value) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![repository, mirror, fact, value])?,
                None => transaction
                    .prepare_cached("DELETE FROM facts WHERE repository = ?1 AND mirror = ?2 AND key = ?3")?
                    .execute(params![repository, mirror, fact])?,
            };
            Ok(())
        })
    }

    /// Forgets the answers of lists that were kept about it.
    pub fn forget_answers(&self, repository: &RepositoryId, mirror: Option<&MirrorId>) -> Result<()> {
        self.write("forget_answers", |transaction| {
            transaction
                .prepare_cached(
                    "DELETE FROM facts WHERE repository = ?1 AND mirror = ?2 AND substr(key, 1, 5) = 'etag:'",
                )?
                .execute(params![repository, mirror_column(mirror)])?;
            Ok(())
        })
    }
}

fn mirror_column(mirror: Option<&MirrorId>) -> &str {
    mirror.map_or("", MirrorId::as_str)
}
