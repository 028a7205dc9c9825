//! `contents`: files and folders of a commit; writing one file makes a commit.

use git2::{Commit, ObjectType, Oid, Repository as Git, Signature, TreeEntry};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use super::commits::resolve_commit;
use super::git_data::{base64_lines, commit_value, decode_base64, default_signature};
use super::refs::{finish, require_allowed};
use super::reply::{Refusal, Reply};
use super::rights::{At, Target, signed_in, target};
use crate::access::{self, Need};
use crate::git::{change_ref, is_empty};
use crate::pushed::WORKFLOWS;

const READ: Need = Need::read("contents");
const WRITE: Need = Need::write("contents");
/// Larger files are given without their content, except raw.
const INLINE_MAX: usize = 1024 * 1024;

pub(super) fn get(at: At<'_>, path: &str) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, READ)?;
    let git = found.open()?;
    let reference = call.query("ref").unwrap_or("HEAD");
    let commit = resolve_commit(&git, &found, reference).map_err(|_| {
        let empty = is_empty(&git).unwrap_or(false);
        let message = if empty {
            "This repository is empty.".to_owned()
        } else {
            format!("No commit found for the ref {reference}")
        };
        Refusal::new(StatusCode::NOT_FOUND, &message)
    })?;
    let raw = call.header("accept").is_some_and(|accept| accept.contains("raw"));
    let shown = call.query("ref").unwrap_or(&found.default_branch).to_owned();
    let path = path.trim_matches('/');
    let tree = commit.tree()?;
    let folder = if path.is_empty() {
        tree
    } else {
        let entry = tree.get_path(std::path::Path::new(path))?;
        if entry.kind() != Some(ObjectType::Tree) {
            if raw {
                let blob = git.find_blob(entry.id())?;
                return Ok(Reply::raw("application/octet-stream", blob.content().to_vec()));
            }
            return Ok(Reply::json(&file(&git, &found, &entry, path, &shown, true)?));
        }
        git.find_tree(entry.id())?
    };
    let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
    let mut entries = Vec::new();
    for entry in &folder {
        let path = format!("{prefix}{}", String::from_utf8_lossy(entry.name_bytes()));
        entries.push(file(&git, &found, &entry, &path, &shown, false)?);
    }
    Ok(Reply::json(&Value::Array(entries)))
}

/// The readme at the root of the default branch.
pub(super) fn readme(at: At<'_>) -> Answer {
    let found = target(at, READ)?;
    let git = found.open()?;
    let tree = resolve_commit(&git, &found, "HEAD")?.tree()?;
    let name = tree
        .iter()
        .filter(|entry| entry.kind() == Some(ObjectType::Blob))
        .find_map(|entry| {
            let name = entry.name().ok()?.to_owned();
            name.to_lowercase().starts_with("readme").then_some(name)
        })
        .ok_or_else(Refusal::not_found)?;
    get(at, &name)
}

/// One entry of a folder, or with `content` a file itself.
fn file(
    git: &Git,
    found: &Target,
    entry: &TreeEntry<'_>,
    path: &str,
    reference: &str,
    content: bool,
) -> Result<Value, Refusal> {
    let sha = entry.id().to_string();
    let kind = match (entry.kind(), entry.filemode()) {
        (Some(ObjectType::Tree), _) => "dir",
        (Some(ObjectType::Commit), _) => "submodule",
        (_, 0o120_000) => "symlink",
        _ => "file",
    };
    let (git_part, web_part) = match kind {
        "dir" => ("trees", "tree"),
        _ => ("blobs", "blob"),
    };
    let url = format!("{}?ref={}", found.url(&format!("/contents/{path}")), super::call::percent_encode(reference));
    let git_url = found.url(&format!("/git/{git_part}/{sha}"));
    let html_url = found.web_url(&format!("/{web_part}/{reference}/{path}"));
    let size = match kind {
        "file" | "symlink" => git.odb()?.read_header(entry.id())?.0,
        _ => 0,
    };
    let download = match kind {
        "file" | "symlink" => found.web_url(&format!("/raw/{reference}/{path}")).into(),
        _ => Value::Null,
    };
    let mut value = json!({
        "name": path.rsplit('/').next().unwrap_or(path),
        "path": path,
        "sha": sha,
        "size": size,
        "url": url,
        "html_url": html_url,
        "git_url": git_url,
        "download_url": download,
        "type": kind,
        "_links": {"self": url, "git": git_url, "html": html_url},
    });
    if content {
        match kind {
            "file" => {
                let blob = git.find_blob(entry.id())?;
                let inline = blob.content().len() <= INLINE_MAX;
                value["content"] = if inline { base64_lines(blob.content()).into() } else { "".into() };
                value["encoding"] = if inline { "base64" } else { "none" }.into();
            }
            "symlink" => {
                let blob = git.find_blob(entry.id())?;
                value["target"] = String::from_utf8_lossy(blob.content()).into_owned().into();
            }
            "submodule" => value["submodule_git_url"] = Value::Null,
            _ => {}
        }
    }
    Ok(value)
}

#[derive(Deserialize)]
struct Person {
    name: Option<String>,
    email: Option<String>,
}

#[derive(Deserialize)]
struct Write {
    message: String,
    content: Option<String>,
    sha: Option<String>,
    branch: Option<String>,
    author: Option<Person>,
    committer: Option<Person>,
}

pub(super) fn put(at: At<'_>, path: &str) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, WRITE)?;
    let write: Write = call.json()?;
    let content = write
        .content
        .as_deref()
        .ok_or_else(|| Refusal::unprocessable("Invalid request.\n\n\"content\" wasn't supplied."))?;
    let bytes = decode_base64(content)?;
    let git = found.open()?;
    let blob = git.blob(&bytes)?;
    let (commit, existed) = commit_change(at, &found, &git, path, &write, Some(blob))?;
    let tree = git.find_commit(commit)?.tree()?;
    let entry = tree.get_path(std::path::Path::new(path))?;
    let branch = write.branch.as_deref().unwrap_or(&found.default_branch);
    let content = file(&git, &found, &entry, path, branch, false)?;
    let value = json!({
        "content": content,
        "commit": commit_value(&git, &found, commit)?,
    });
    Ok(if existed { Reply::json(&value) } else { Reply::created(&value) })
}

pub(super) fn delete(at: At<'_>, path: &str) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, WRITE)?;
    let write: Write = if call.body.is_empty() {
        let given = |name: &str| call.query(name).map(str::to_owned);
        Write {
            message: given("message").unwrap_or_default(),
            content: None,
            sha: given("sha"),
            branch: given("branch"),
            author: None,
            committer: None,
        }
    } else {
        call.json()?
    };
    if write.sha.is_none() {
        return Err(Refusal::unprocessable("Invalid request.\n\n\"sha\" wasn't supplied."));
    }
    let git = found.open()?;
    let (commit, _) = commit_change(at, &found, &git, path, &write, None)?;
    Ok(Reply::json(&json!({
        "content": null,
        "commit": commit_value(&git, &found, commit)?,
    })))
}

/// Commits one changed or removed file onto a branch; also says whether the file was there before.
fn commit_change(
    at: At<'_>,
    found: &Target,
    git: &Git,
    path: &str,
    write: &Write,
    blob: Option<Oid>,
) -> Result<(Oid, bool), Refusal> {
    let (shared, call, ..) = at;
    let (caller, login) = signed_in(call)?;
    if path.starts_with(WORKFLOWS) && !access::may_change_workflows(caller) {
        // GitHub hides the endpoint from the tokens of people.
        let is_job = caller.token.as_deref().is_some_and(|token| token.job_repository().is_some());
        return Err(if is_job { Refusal::not_accessible_by_integration() } else { Refusal::not_found() });
    }
    let branch = write.branch.as_deref().unwrap_or(&found.default_branch);
    let name = format!("refs/heads/{branch}");
    let parent = match git.find_reference(&name) {
        Ok(reference) => Some(reference.peel_to_commit()?),
        Err(_) if is_empty(git)? => None,
        Err(_) => {
            return Err(Refusal::new(StatusCode::NOT_FOUND, &format!("Branch {branch} not found")));
        }
    };
    let existing = existing_blob(parent.as_ref(), path);
    require_same_blob(path, existing, write.sha.as_deref(), blob.is_none())?;
    let mut update = git2::build::TreeUpdateBuilder::new();
    match blob {
        Some(blob) => update.upsert(path, blob, git2::FileMode::Blob),
        None => update.remove(path),
    };
    let base = match &parent {
        Some(parent) => parent.tree()?,
        None => git.find_tree(git.treebuilder(None)?.write()?)?,
    };
    let tree = git.find_tree(update.create_updated(git, &base)?)?;
    let signature = |person: Option<&Person>| -> Result<Signature<'static>, Refusal> {
        let default = default_signature(login, shared.now())?;
        let Some(person) = person else {
            return Ok(default);
        };
        let name = person.name.as_deref().unwrap_or(login);
        let email = person.email.clone().unwrap_or_else(|| String::from_utf8_lossy(default.email_bytes()).into_owned());
        Ok(Signature::new(name, &email, &default.when())?)
    };
    let committer = signature(write.committer.as_ref())?;
    let author = signature(write.author.as_ref().or(write.committer.as_ref()))?;
    let parents: Vec<&Commit<'_>> = parent.iter().collect();
    let new = git.commit(None, &author, &committer, &write.message, &tree, &parents)?;
    let old = parent.as_ref().map(Commit::id);
    require_allowed(at, found, git, &name, old, Some(new))?;
    let moved = change_ref(|| match old {
        Some(old) => git.reference_matching(&name, new, true, old, ""),
        None => git.reference(&name, new, false, ""),
    });
    moved.map_err(|_| Refusal::conflict(&format!("{branch} was moved meanwhile")))?;
    finish(at, found, &name, old, Some(new))?;
    Ok((new, existing.is_some()))
}

fn existing_blob(parent: Option<&Commit<'_>>, path: &str) -> Option<Oid> {
    let tree = parent?.tree().ok()?;
    let entry = tree.get_path(std::path::Path::new(path)).ok()?;
    Some(entry.id())
}

/// The file must be the one that the caller has seen.
fn require_same_blob(path: &str, existing: Option<Oid>, given: Option<&str>, deletes: bool) -> Result<(), Refusal> {
    match (existing, given) {
        (None, _) if deletes => Err(Refusal::not_found()),
        (None, _) => Ok(()),
        (Some(_), None) => Err(Refusal::unprocessable("Invalid request.\n\n\"sha\" wasn't supplied.")),
        (Some(existing), Some(given)) if existing.to_string() == given => Ok(()),
        (Some(_), Some(given)) => Err(Refusal::conflict(&format!("{path} does not match {given}"))),
    }
}
