//! The `mirrors` section of a file that the repository's own programs keep, such as `state/current.json`: who is master and
//! who stands by, for those who read it there.
//!
//! [`with_mirrors`] puts the section into the document and leaves every other byte as it is ([`document`](self) finds where
//! the member stands). [`section`] says what stands in it. [`commit`] commits it on the default branch of a master.

mod document;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use standin_state::model::{AspectReport, MirrorType, RepositoryReport, Role, Site};
use ts_rs::TS;

use crate::context::MirrorContext;
use crate::event::Notice;
use crate::github::{Contents, FileContents};
use crate::{Code, Error, Result, crash};

pub use document::with_mirrors;

/// How often a file that somebody else changes meanwhile is read again.
const TRIES: usize = 3;

/// What became of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case", tag = "outcome", content = "notice")]
#[ts(export, rename = "StateFileCommitted")]
pub enum Committed {
    /// There is no such file; nothing was made.
    NotThere,
    /// The section stood there already.
    Already,
    /// It was committed.
    Done,
    /// It could not be; the role change goes on without it.
    Refused(Notice),
}

/// Commits the section into the file at `path` on the default branch of `site`: one commit, made only on top of the content
/// that was read. `change` says in the commit's message what happened, such as `backup/app is master (epoch 4)`. A file that is
/// not there is not made; one that cannot be written, or is no JSON object, is told as a notice.
///
/// # Errors
/// When the host cannot be asked; [`Code::Cancelled`].
pub async fn commit(site: &MirrorContext, path: &str, section: &Value, change: &str) -> Result<Committed> {
    let (slug, client) = site.github()?;
    let refused = |error: Error| {
        let notice = Notice {
            message: format!("The section `mirrors` of {path} at {slug} could not be committed: {}", error.message),
            hint: error.advice(),
        };
        site.notice(&notice.message, &notice.hint);
        Ok(Committed::Refused(notice))
    };
    let mut tries = 0;
    let mut file = match client.contents(slug, path).await? {
        Some(Contents::File(file)) => file,
        Some(Contents::Other) => return refused(no_file(path)),
        None => return Ok(Committed::NotThere),
    };
    loop {
        let FileContents { blob, bytes } = &file;
        let changed = match with_mirrors(bytes, section) {
            Ok(Some(changed)) => changed,
            Ok(None) => return Ok(Committed::Already),
            Err(error) => return refused(error),
        };
        crash::point("roles.state_file.commit");
        let error = match client.commit_file(slug, path, blob, &changed, &format!("Standin: {change}")).await {
            Ok(()) => return Ok(Committed::Done),
            Err(error) if matches!(error.code, Code::UnexpectedAnswer | Code::Forbidden | Code::RepositoryNotFound) => {
                error
            }
            Err(error) => return Err(error),
        };
        tries += 1;
        // A refusal because somebody was faster is told from all others by the file itself.
        file = match client.contents(slug, path).await? {
            Some(Contents::File(now)) if now.blob != *blob && tries < TRIES => now,
            Some(_) => return refused(error),
            None => return Ok(Committed::NotThere),
        };
    }
}

fn no_file(path: &str) -> Error {
    Error::new(Code::Usage, format!("`{path}` is a folder, a link or a submodule"), "Name a JSON file as heartbeat.")
}

/// The section as it stands in the repository `here`: its own role, and all others with what was last known of them. `source`
/// is the configured source, which is one of the others while a mirror is master.
pub fn section(report: &RepositoryReport, here: &Site, source: &Site) -> Value {
    let places = || report.mirrors.iter().filter(|mirror| mirror.kind != MirrorType::Pull);
    let own = places().find(|mirror| *here == *mirror.repo.as_str());
    let self_role = match own {
        Some(mirror) if here != source => mirror.role.unwrap_or(Role::Slave),
        _ => report.self_role,
    };
    let others = places().filter(|mirror| *here != *mirror.repo.as_str());
    let mut slaves: Vec<Value> = Vec::new();
    let is_listed = places().any(|mirror| *source == *mirror.repo.as_str());
    if here != source && !is_listed {
        slaves.push(json!({ "id": "source", "type": "github", "repo": source, "role": report.self_role }));
    }
    for mirror in others {
        let whole = serde_json::to_value(mirror).unwrap_or_default();
        slaves.push(json!({
            "id": mirror.id,
            "type": mirror.kind,
            "repo": mirror.repo,
            "role": mirror.role,
            "sync": {
                "code": aspect(&mirror.code, "last_commit"),
                "secrets": aspect(&mirror.secrets, "synced_count"),
                "variables": aspect(&mirror.variables, "synced_count"),
            },
            "last_health_check_iso": whole["last_health_check_iso"],
            "health": mirror.health,
        }));
    }
    json!({ "self_role": self_role, "slaves": slaves })
}

/// When an aspect was last tried, how it went, and its figure where there is one.
fn aspect(report: &AspectReport, figure: &str) -> Value {
    let whole = serde_json::to_value(report).unwrap_or_default();
    let kept = ["last_sync_iso", "status", figure];
    let fields: Map<String, Value> =
        kept.iter().filter_map(|&name| Some((name.to_owned(), whole.get(name)?.clone()))).collect();
    Value::Object(fields)
}

#[cfg(test)]
mod tests;
