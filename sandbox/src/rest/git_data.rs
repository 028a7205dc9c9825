//! `git/blobs`, `git/trees`, `git/commits`, `git/tags`: objects, read and made one by one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git2::{ObjectType, Oid, Repository as Git, Signature, Time, Tree};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use super::present::{object_node_id, time};
use super::refs::opened;
use super::reply::{Refusal, Reply};
use super::rights::{At, Target, target};
use crate::access::{self, Need};
use crate::pushed::WORKFLOWS;

const READ: Need = Need::read("contents");
const WRITE: Need = Need::write("contents");

pub(super) fn parse_oid(sha: &str) -> Result<Oid, Refusal> {
    if sha.len() != 40 {
        return Err(Refusal::not_found());
    }
    Oid::from_str(sha).map_err(|_| Refusal::not_found())
}

fn existing(git: &Git, sha: &str, kind: ObjectType, message: &str) -> Result<Oid, Refusal> {
    parse_oid(sha)
        .and_then(|oid| Ok(git.find_object(oid, Some(kind))?.id()))
        .map_err(|_| Refusal::unprocessable(message))
}

pub(super) fn blob(at: At<'_>, sha: &str) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, READ)?;
    let git = opened(&found)?;
    let blob = git.find_blob(parse_oid(sha)?)?;
    if call.header("accept").is_some_and(|accept| accept.contains("raw")) {
        return Ok(Reply::raw("application/octet-stream", blob.content().to_vec()));
    }
    Ok(Reply::json(&json!({
        "sha": sha,
        "node_id": object_node_id("B", found.id, sha),
        "size": blob.size(),
        "url": found.url(&format!("/git/blobs/{sha}")),
        "content": base64_lines(blob.content()),
        "encoding": "base64",
    })))
}

/// Base64 in lines of 60, as GitHub breaks it.
pub(super) fn base64_lines(bytes: &[u8]) -> String {
    bytes.chunks(45).map(|chunk| STANDARD.encode(chunk) + "\n").collect()
}

#[derive(Deserialize)]
struct CreateBlob {
    content: String,
    #[serde(default = "utf8")]
    encoding: String,
}

fn utf8() -> String {
    "utf-8".to_owned()
}

pub(super) fn create_blob(at: At<'_>) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, WRITE)?;
    let create: CreateBlob = call.json()?;
    let git = opened(&found)?;
    let bytes = match create.encoding.as_str() {
        "base64" => decode_base64(&create.content)?,
        _ => create.content.into_bytes(),
    };
    let oid = git.blob(&bytes)?.to_string();
    let url = found.url(&format!("/git/blobs/{oid}"));
    Ok(Reply::created(&json!({"sha": oid, "url": url})).location(&url))
}

/// Base64, with or without line breaks.
pub(super) fn decode_base64(text: &str) -> Result<Vec<u8>, Refusal> {
    let packed: String = text.split_whitespace().collect();
    STANDARD.decode(packed).map_err(|_| Refusal::unprocessable("content is not valid Base64"))
}

pub(super) fn tree(at: At<'_>, reference: &str) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, READ)?;
    let git = opened(&found)?;
    let tree = super::commits::resolve(&git, &found, reference)
        .and_then(|oid| Ok(git.find_object(oid, None)?.peel_to_tree()?))
        .map_err(|_| Refusal::not_found())?;
    let recursive = call.query("recursive").is_some();
    Ok(Reply::json(&tree_value(&git, &found, &tree, recursive)?))
}

fn tree_value(git: &Git, found: &Target, tree: &Tree<'_>, recursive: bool) -> Result<Value, Refusal> {
    let mut entries = Vec::new();
    list_tree(git, found, tree, "", recursive, &mut entries)?;
    let sha = tree.id().to_string();
    Ok(json!({
        "sha": sha,
        "url": found.url(&format!("/git/trees/{sha}")),
        "tree": entries,
        "truncated": false,
    }))
}

fn list_tree(
    git: &Git,
    found: &Target,
    tree: &Tree<'_>,
    folder: &str,
    recursive: bool,
    entries: &mut Vec<Value>,
) -> Result<(), Refusal> {
    for entry in tree {
        let path = format!("{folder}{}", String::from_utf8_lossy(entry.name_bytes()));
        let kind = entry.kind().unwrap_or(ObjectType::Commit);
        let sha = entry.id().to_string();
        let mut value = json!({
            "path": path,
            "mode": format!("{:06o}", entry.filemode()),
            "type": kind.str(),
            "sha": sha,
        });
        match kind {
            ObjectType::Blob => {
                value["size"] = git.odb()?.read_header(entry.id())?.0.into();
                value["url"] = found.url(&format!("/git/blobs/{sha}")).into();
            }
            ObjectType::Tree => value["url"] = found.url(&format!("/git/trees/{sha}")).into(),
            _ => {}
        }
        entries.push(value);
        if recursive && kind == ObjectType::Tree {
            let inner = git.find_tree(entry.id())?;
            list_tree(git, found, &inner, &format!("{path}/"), true, entries)?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct CreateTree {
    base_tree: Option<String>,
    tree: Vec<TreeChange>,
}

#[derive(Deserialize)]
struct TreeChange {
    path: String,
    mode: Option<String>,
    content: Option<String>,
    /// `Some(None)`: the entry is removed.
    #[serde(default, deserialize_with = "present_or_null")]
    sha: Option<Option<String>>,
}

fn present_or_null<'de, D>(deserializer: D) -> Result<Option<Option<String>>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

pub(super) fn create_tree(at: At<'_>) -> Answer {
    let (_, call, ..) = at;
    let found = target(at, WRITE)?;
    let create: CreateTree = call.json()?;
    let git = opened(&found)?;
    let caller = call.caller.as_ref().map_err(|_| Refusal::bad_credentials())?;
    let touches_workflows = create.tree.iter().any(|change| change.path.starts_with(WORKFLOWS));
    if touches_workflows && !access::may_change_workflows(caller) {
        // GitHub hides the endpoint from such tokens.
        return Err(Refusal::not_found());
    }
    let base = match &create.base_tree {
        Some(sha) => {
            let oid = parse_oid(sha)
                .and_then(|oid| Ok(git.find_object(oid, None)?.peel_to_tree()?.id()))
                .map_err(|_| Refusal::unprocessable("base_tree is not a valid tree oid"))?;
            Some(git.find_tree(oid)?)
        }
        None => None,
    };
    let mut update = git2::build::TreeUpdateBuilder::new();
    for change in &create.tree {
        let mode = change.mode.as_deref().unwrap_or("100644");
        let (mode, kind) = match mode {
            "100644" => (git2::FileMode::Blob, ObjectType::Blob),
            "100755" => (git2::FileMode::BlobExecutable, ObjectType::Blob),
            "120000" => (git2::FileMode::Link, ObjectType::Blob),
            "040000" => (git2::FileMode::Tree, ObjectType::Tree),
            "160000" => (git2::FileMode::Commit, ObjectType::Commit),
            _ => {
                return Err(Refusal::unprocessable("tree.mode must be one of 100644, 100755, 040000, 160000, 120000"));
            }
        };
        let oid = match (&change.sha, &change.content) {
            (Some(None), _) => {
                update.remove(change.path.as_str());
                continue;
            }
            (Some(Some(sha)), _) if kind == ObjectType::Commit => parse_oid(sha)?,
            (Some(Some(sha)), _) => {
                existing(&git, sha, kind, &format!("tree.sha {sha} is not a valid {}", kind.str()))?
            }
            (None, Some(content)) => git.blob(content.as_bytes())?,
            (None, None) => {
                return Err(Refusal::unprocessable("Must supply either tree.sha or tree.content"));
            }
        };
        update.upsert(change.path.as_str(), oid, mode);
    }
    let empty;
    let base = match &base {
        Some(base) => base,
        None => {
            empty = git.find_tree(git.treebuilder(None)?.write()?)?;
            &empty
        }
    };
    let oid = update
        .create_updated(&git, base)
        .map_err(|error| Refusal::unprocessable(&format!("GitRPC::BadObjectState: {}", error.message())))?;
    let value = tree_value(&git, &found, &git.find_tree(oid)?, false)?;
    let url = found.url(&format!("/git/trees/{oid}"));
    Ok(Reply::created(&value).location(&url))
}

#[derive(Deserialize)]
struct Person {
    name: Option<String>,
    email: Option<String>,
    date: Option<String>,
}

impl Person {
    fn signature(&self, login: &str, now: Timestamp) -> Result<Signature<'static>, Refusal> {
        let name = self.name.as_deref().unwrap_or(login);
        let fallback = address(login);
        let email = self.email.as_deref().unwrap_or(&fallback);
        let when = match &self.date {
            None => now,
            Some(text) => {
                text.parse().map_err(|_| Refusal::unprocessable(&format!("Invalid request.\n\n{text} is no date.")))?
            }
        };
        Ok(Signature::new(name, email, &Time::new(when.as_second(), 0))?)
    }
}

fn address(login: &str) -> String {
    format!("{login}@users.noreply.localhost")
}

/// The author of what an account makes without saying otherwise.
pub(super) fn default_signature(login: &str, now: Timestamp) -> Result<Signature<'static>, Refusal> {
    let now = Time::new(now.as_second(), 0);
    Ok(Signature::new(login, &address(login), &now)?)
}

#[derive(Deserialize)]
struct CreateCommit {
    message: String,
    tree: String,
    #[serde(default)]
    parents: Vec<String>,
    author: Option<Person>,
    committer: Option<Person>,
}

pub(super) fn create_commit(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let now = shared.now();
    let found = target(at, WRITE)?;
    let (_, login) = super::rights::signed_in(call)?;
    let create: CreateCommit = call.json()?;
    let git = opened(&found)?;
    let tree = existing(&git, &create.tree, ObjectType::Tree, "Tree SHA does not exist")?;
    let tree = git.find_tree(tree)?;
    let mut parents = Vec::new();
    for sha in &create.parents {
        let oid = existing(&git, sha, ObjectType::Commit, "Parent SHA does not exist or is not a commit object")?;
        parents.push(git.find_commit(oid)?);
    }
    let signature = |person: Option<&Person>| match person {
        Some(person) => person.signature(login, now),
        None => default_signature(login, now),
    };
    let author = signature(create.author.as_ref())?;
    let committer = signature(create.committer.as_ref().or(create.author.as_ref()))?;
    let parents: Vec<_> = parents.iter().collect();
    let oid = git.commit(None, &author, &committer, &create.message, &tree, &parents)?;
    let value = commit_value(&git, &found, oid)?;
    let url = found.url(&format!("/git/commits/{oid}"));
    Ok(Reply::created(&value).location(&url))
}

pub(super) fn commit(at: At<'_>, sha: &str) -> Answer {
    let found = target(at, READ)?;
    let git = opened(&found)?;
    Ok(Reply::json(&commit_value(&git, &found, parse_oid(sha)?)?))
}

/// GitHub's `git-commit`.
pub(super) fn commit_value(git: &Git, found: &Target, oid: Oid) -> Result<Value, Refusal> {
    let commit = git.find_commit(oid)?;
    let parents: Vec<Value> = commit
        .parent_ids()
        .map(|parent| {
            json!({
                "sha": parent.to_string(),
                "url": found.url(&format!("/git/commits/{parent}")),
                "html_url": found.web_url(&format!("/commit/{parent}")),
            })
        })
        .collect();
    Ok(json!({
        "sha": oid.to_string(),
        "node_id": object_node_id("C", found.id, &oid.to_string()),
        "url": found.url(&format!("/git/commits/{oid}")),
        "html_url": found.web_url(&format!("/commit/{oid}")),
        "author": person_value(&commit.author()),
        "committer": person_value(&commit.committer()),
        "tree": {
            "sha": commit.tree_id().to_string(),
            "url": found.url(&format!("/git/trees/{}", commit.tree_id())),
        },
        "message": String::from_utf8_lossy(commit.message_bytes()),
        "parents": parents,
        "verification": unsigned(),
    }))
}

/// What GitHub says of objects without a signature.
pub(super) fn unsigned() -> Value {
    json!({
        "verified": false,
        "reason": "unsigned",
        "signature": null,
        "payload": null,
        "verified_at": null,
    })
}

/// Name, address and time of a signature.
pub(super) fn person_value(person: &Signature<'_>) -> Value {
    let when = Timestamp::from_second(person.when().seconds()).unwrap_or(Timestamp::UNIX_EPOCH);
    json!({
        "name": String::from_utf8_lossy(person.name_bytes()),
        "email": String::from_utf8_lossy(person.email_bytes()),
        "date": time(when),
    })
}

#[derive(Deserialize)]
struct CreateTag {
    tag: String,
    message: String,
    object: String,
    #[serde(rename = "type")]
    kind: String,
    tagger: Option<Person>,
}

pub(super) fn create_tag(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let found = target(at, WRITE)?;
    let (_, login) = super::rights::signed_in(call)?;
    let create: CreateTag = call.json()?;
    let git = opened(&found)?;
    let kind = ObjectType::from_str(&create.kind)
        .ok_or_else(|| Refusal::unprocessable("type is none of commit, tree, blob"))?;
    let oid = existing(&git, &create.object, kind, "Object does not exist")?;
    let object = git.find_object(oid, None)?;
    let tagger = match &create.tagger {
        Some(person) => person.signature(login, shared.now())?,
        None => default_signature(login, shared.now())?,
    };
    let oid = git.tag_annotation_create(&create.tag, &object, &tagger, &create.message)?;
    let value = tag_value(&git, &found, oid)?;
    let url = found.url(&format!("/git/tags/{oid}"));
    Ok(Reply::created(&value).location(&url))
}

pub(super) fn tag(at: At<'_>, sha: &str) -> Answer {
    let found = target(at, READ)?;
    let git = opened(&found)?;
    Ok(Reply::json(&tag_value(&git, &found, parse_oid(sha)?)?))
}

fn tag_value(git: &Git, found: &Target, oid: Oid) -> Result<Value, Refusal> {
    let tag = git.find_tag(oid)?;
    let kind = tag.target_type().unwrap_or(ObjectType::Commit).str();
    let tagged = tag.target_id().to_string();
    let tagger = match tag.tagger() {
        Some(person) => person_value(&person),
        None => person_value(&default_signature("nobody", Timestamp::UNIX_EPOCH)?),
    };
    Ok(json!({
        "node_id": object_node_id("T", found.id, &oid.to_string()),
        "tag": String::from_utf8_lossy(tag.name_bytes()),
        "sha": oid.to_string(),
        "url": found.url(&format!("/git/tags/{oid}")),
        "message": String::from_utf8_lossy(tag.message_bytes().unwrap_or_default()),
        "tagger": tagger,
        "object": {
            "sha": tagged,
            "type": kind,
            "url": found.url(&format!("/git/{kind}s/{tagged}")),
        },
        "verification": unsigned(),
    }))
}
