//! `commits`: history and single commits.

use git2::{Commit, Delta, DiffOptions, Oid, Patch, Repository as Git, Sort};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Answer;
use super::git_data::{person_value, unsigned};
use super::present::{Page, object_node_id};
use super::refs::opened;
use super::reply::{Refusal, Reply};
use super::rights::{At, Target, target};
use crate::access::Need;

const READ: Need = Need::read("contents");
/// Files that a commit or comparison shows at most, as on GitHub.
const FILES_MAX: usize = 300;

/// What a name means: `HEAD`, a branch, a tag, a full ref name, `heads/…`, or a commit's name or its start.
pub(super) fn resolve(git: &Git, found: &Target, name: &str) -> Result<Oid, Refusal> {
    if name.is_empty() || name == "HEAD" {
        return resolve(git, found, &format!("refs/heads/{}", found.default_branch));
    }
    let is_hex = name.len() >= 7 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if name.len() == 40 && is_hex {
        return Ok(git.find_object(Oid::from_str(name)?, None)?.id());
    }
    for prefix in ["refs/heads/", "refs/tags/", "refs/", ""] {
        let full = format!("{prefix}{name}");
        if full.starts_with("refs/")
            && let Ok(oid) = git.refname_to_id(&full)
        {
            return Ok(oid);
        }
    }
    if is_hex {
        return Ok(git.find_commit_by_prefix(name)?.id());
    }
    Err(Refusal::not_found())
}

/// The commit that a name leads to, through tags.
pub(super) fn resolve_commit<'g>(git: &'g Git, found: &Target, name: &str) -> Result<Commit<'g>, Refusal> {
    let oid = resolve(git, found, name)?;
    Ok(git.find_object(oid, None)?.peel_to_commit()?)
}

pub(super) fn list(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let found = target(at, READ)?;
    let page = Page::of(call, &shared.options)?;
    let git = opened(&found)?;
    let start = resolve_commit(&git, &found, call.query("sha").unwrap_or("HEAD"))?;
    let moment = |name: &str| -> Result<Option<i64>, Refusal> {
        call.query(name)
            .map(|text| {
                text.parse::<Timestamp>()
                    .map(Timestamp::as_second)
                    .map_err(|_| Refusal::unprocessable(&format!("{name} is no time")))
            })
            .transpose()
    };
    let (since, until) = (moment("since")?, moment("until")?);
    let path = call.query("path");
    let mut walk = git.revwalk()?;
    walk.set_sorting(Sort::TIME | Sort::TOPOLOGICAL)?;
    walk.push(start.id())?;
    let mut commits = Vec::new();
    for oid in walk {
        let commit = git.find_commit(oid?)?;
        let when = commit.time().seconds();
        let in_time = since.is_none_or(|since| when >= since) && until.is_none_or(|until| when <= until);
        if in_time && path.is_none_or(|path| touches(&commit, path)) {
            commits.push(value(at, &found, &commit)?);
        }
    }
    Ok(page.listed(call, commits))
}

fn touches(commit: &Commit<'_>, path: &str) -> bool {
    let path = std::path::Path::new(path);
    let entry = |commit: &Commit<'_>| commit.tree().and_then(|tree| tree.get_path(path)).map(|entry| entry.id()).ok();
    let here = entry(commit);
    if commit.parent_count() == 0 {
        return here.is_some();
    }
    commit.parents().all(|parent| entry(&parent) != here)
}

pub(super) fn get(at: At<'_>, reference: &str) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, READ)?;
    let git = opened(&found)?;
    let commit = resolve_commit(&git, &found, reference)
        .map_err(|_| Refusal::unprocessable(&format!("No commit found for SHA: {reference}")))?;
    if call.header("accept").is_some_and(|accept| accept.contains("application/vnd.github.sha")) {
        return Ok(Reply::raw("application/vnd.github.sha; charset=utf-8", commit.id().to_string()));
    }
    let mut value = value(at, &found, &commit)?;
    let parent = commit.parent(0).ok();
    let files = files(&git, &found, parent.as_ref(), &commit)?;
    let sum = |key: &str| -> u64 { files.iter().filter_map(|file| file[key].as_u64()).sum() };
    value["stats"] = json!({
        "additions": sum("additions"),
        "deletions": sum("deletions"),
        "total": sum("changes"),
    });
    value["files"] = files.into();
    Ok(Reply::json(&value))
}

/// GitHub's `commit`.
pub(super) fn value(at: At<'_>, found: &Target, commit: &Commit<'_>) -> Result<Value, Refusal> {
    let (shared, call, ..) = at;
    let oid = commit.id();
    let url = found.url(&format!("/commits/{oid}"));
    let parents: Vec<Value> = commit
        .parent_ids()
        .map(|parent| {
            json!({
                "sha": parent.to_string(),
                "url": found.url(&format!("/commits/{parent}")),
                "html_url": found.web_url(&format!("/commit/{parent}")),
            })
        })
        .collect();
    let world = shared.world();
    let account = |name: &[u8]| super::present::user_of(&world, call, &String::from_utf8_lossy(name));
    Ok(json!({
        "sha": oid.to_string(),
        "node_id": object_node_id("C", found.id, &oid.to_string()),
        "commit": {
            "author": person_value(&commit.author()),
            "committer": person_value(&commit.committer()),
            "message": String::from_utf8_lossy(commit.message_bytes()),
            "tree": {
                "sha": commit.tree_id().to_string(),
                "url": found.url(&format!("/git/trees/{}", commit.tree_id())),
            },
            "url": found.url(&format!("/git/commits/{oid}")),
            "comment_count": 0,
            "verification": unsigned(),
        },
        "url": url,
        "html_url": found.web_url(&format!("/commit/{oid}")),
        "comments_url": format!("{url}/comments"),
        "author": account(commit.author().name_bytes()),
        "committer": account(commit.committer().name_bytes()),
        "parents": parents,
    }))
}

/// The files that differ between two commits.
pub(super) fn files(
    git: &Git,
    found: &Target,
    before: Option<&Commit<'_>>,
    after: &Commit<'_>,
) -> Result<Vec<Value>, Refusal> {
    let old = before.map(Commit::tree).transpose()?;
    let mut diff = git.diff_tree_to_tree(old.as_ref(), Some(&after.tree()?), Some(&mut DiffOptions::new()))?;
    diff.find_similar(None)?;
    let mut files = Vec::new();
    for (index, delta) in diff.deltas().enumerate().take(FILES_MAX) {
        let status = match delta.status() {
            Delta::Added => "added",
            Delta::Deleted => "removed",
            Delta::Renamed => "renamed",
            Delta::Copied => "copied",
            _ => "modified",
        };
        let side = if delta.status() == Delta::Deleted { delta.old_file() } else { delta.new_file() };
        let name = side.path().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        let patch = Patch::from_diff(&diff, index)?;
        let (additions, deletions) = match &patch {
            Some(patch) => patch.line_stats().map(|(_, added, removed)| (added, removed))?,
            None => (0, 0),
        };
        let at = after.id();
        let mut file = json!({
            "sha": side.id().to_string(),
            "filename": name,
            "status": status,
            "additions": additions,
            "deletions": deletions,
            "changes": additions + deletions,
            "blob_url": found.web_url(&format!("/blob/{at}/{name}")),
            "raw_url": found.web_url(&format!("/raw/{at}/{name}")),
            "contents_url": format!("{}?ref={at}", found.url(&format!("/contents/{name}"))),
        });
        if let Some(mut patch) = patch
            && let Ok(text) = patch.to_buf()
            && let Ok(text) = text.as_str()
            && let Some(start) = text.find("@@")
        {
            file["patch"] = text[start..].trim_end().into();
        }
        if delta.status() == Delta::Renamed {
            let before = delta.old_file();
            file["previous_filename"] = before.path().map(|path| path.to_string_lossy().into_owned()).into();
        }
        files.push(file);
    }
    Ok(files)
}
