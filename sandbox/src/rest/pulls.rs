//! `pulls`: opening, listing, reading, closing. Merging is not here.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use super::commits::resolve_commit;
use super::present::{self, Page, time, user_of};
use super::reply::{Refusal, Reply};
use super::rights::{At, change, read, signed_in, target};
use crate::access::Need;
use crate::world::{PullRequest, Repository, World, node_id};

const READ: Need = Need::read("pull_requests");
const WRITE: Need = Need::write("pull_requests");

pub(super) fn list(at: At<'_>) -> Answer {
    let (shared, call, owner, _) = at;
    let page = Page::of(call, &shared.options)?;
    let state = call.query("state").unwrap_or("open");
    let head = call.query("head").map(|head| head.strip_prefix(&format!("{owner}:")).unwrap_or(head));
    let base = call.query("base");
    let pulls = read(at, READ, |world, repository| {
        Ok(repository
            .pulls
            .iter()
            .rev()
            .filter(|pull| state == "all" || pull.open == (state == "open"))
            .filter(|pull| head.is_none_or(|head| head == pull.head_ref))
            .filter(|pull| base.is_none_or(|base| base == pull.base_ref))
            .map(|pull| simple(at, world, repository, pull))
            .collect::<Vec<_>>())
    })?;
    Ok(page.listed(call, pulls))
}

#[derive(Deserialize)]
struct Create {
    title: String,
    head: String,
    base: String,
    body: Option<String>,
    #[serde(default)]
    draft: bool,
}

pub(super) fn create(at: At<'_>) -> Answer {
    let (shared, call, owner, _) = at;
    let found = target(at, WRITE)?;
    let (caller, login) = signed_in(call)?;
    let is_job = caller.token.as_deref().is_some_and(|token| token.job_repository().is_some());
    if is_job && !read(at, WRITE, |_, repository| Ok(repository.workflow_permissions.can_approve_pull_request_reviews))?
    {
        return Err(Refusal::forbidden("GitHub Actions is not permitted to create or approve pull requests."));
    }
    let create: Create = call.json()?;
    let git = found.open()?;
    let head = create.head.strip_prefix(&format!("{owner}:")).unwrap_or(&create.head);
    let invalid = |field: &str| Refusal::validation("PullRequest", field, &format!("{field} is invalid"));
    let branch = |name: &str, field: &str| {
        resolve_commit(&git, &found, &format!("refs/heads/{name}"))
            .map(|commit| commit.id())
            .map_err(|_| invalid(field))
    };
    let head_oid = branch(head, "head")?;
    let base_oid = branch(&create.base, "base")?;
    if head_oid == base_oid || git.graph_descendant_of(base_oid, head_oid)? {
        return Err(Refusal::validation(
            "PullRequest",
            "head",
            &format!("No commits between {} and {head}", create.base),
        ));
    }
    let id = shared.world().next_id();
    let number = change(at, WRITE, |repository| {
        let same = |pull: &&PullRequest| pull.open && pull.head_ref == head && pull.base_ref == create.base;
        if repository.pulls.iter().any(|pull| same(&pull)) {
            return Err(Refusal::validation(
                "PullRequest",
                "head",
                &format!("A pull request already exists for {owner}:{head}."),
            ));
        }
        let number = repository.next_number();
        repository.pulls.push(PullRequest {
            id,
            number,
            title: create.title,
            body: create.body,
            head_ref: head.to_owned(),
            head_sha: head_oid.to_string(),
            base_ref: create.base.clone(),
            base_sha: base_oid.to_string(),
            author: login.to_owned(),
            open: true,
            draft: create.draft,
            created_at: shared.now(),
        });
        Ok(number)
    })?;
    git.reference(&format!("refs/pull/{number}/head"), head_oid, true, "")?;
    let value = full(at, number)?;
    let url = found.url(&format!("/pulls/{number}"));
    Ok(Reply::created(&value).location(&url))
}

pub(super) fn get(at: At<'_>, number: &str) -> Answer {
    let number = number.parse().map_err(|_| Refusal::not_found())?;
    Ok(Reply::json(&full(at, number)?))
}

#[derive(Deserialize)]
struct Update {
    title: Option<String>,
    body: Option<String>,
    state: Option<String>,
}

pub(super) fn update(at: At<'_>, number: &str) -> Answer {
    let (_, call, ..) = at;
    let number: u64 = number.parse().map_err(|_| Refusal::not_found())?;
    target(at, WRITE)?;
    let update: Update = call.json()?;
    change(at, WRITE, |repository| {
        let pull = repository.pulls.iter_mut().find(|pull| pull.number == number).ok_or_else(Refusal::not_found)?;
        if let Some(title) = update.title {
            pull.title = title;
        }
        if update.body.is_some() {
            pull.body = update.body;
        }
        match update.state.as_deref() {
            Some("open") => pull.open = true,
            Some("closed") => pull.open = false,
            _ => {}
        }
        Ok(())
    })?;
    Ok(Reply::json(&full(at, number)?))
}

fn full(at: At<'_>, number: u64) -> Result<Value, Refusal> {
    let found = target(at, READ)?;
    let (mut value, base, head) = read(at, READ, |world, repository| {
        let pull = repository.pulls.iter().find(|pull| pull.number == number).ok_or_else(Refusal::not_found)?;
        Ok((simple(at, world, repository, pull), pull.base_sha.clone(), pull.head_sha.clone()))
    })?;
    let git = found.open()?;
    let base = resolve_commit(&git, &found, &base)?;
    let head = resolve_commit(&git, &found, &head)?;
    let files = super::commits::files(&git, &found, Some(&base), &head)?;
    let sum = |key: &str| -> u64 { files.iter().filter_map(|file| file[key].as_u64()).sum() };
    let (ahead, _) = git.graph_ahead_behind(head.id(), base.id())?;
    let more = json!({
        "merged": false,
        "mergeable": true,
        "rebaseable": true,
        "mergeable_state": "clean",
        "merged_by": null,
        "comments": 0,
        "review_comments": 0,
        "maintainer_can_modify": false,
        "commits": ahead,
        "additions": sum("additions"),
        "deletions": sum("deletions"),
        "changed_files": files.len(),
    });
    if let (Some(fields), Value::Object(more)) = (value.as_object_mut(), more) {
        fields.extend(more);
    }
    Ok(value)
}

/// GitHub's `pull-request-simple`.
fn simple(at: At<'_>, world: &World, repository: &Repository, pull: &PullRequest) -> Value {
    let (shared, call, ..) = at;
    let slug = repository.slug();
    let base = call.url(&format!("/repos/{slug}"));
    let url = format!("{base}/pulls/{}", pull.number);
    let issue = format!("{base}/issues/{}", pull.number);
    let html = format!("{}/{slug}/pull/{}", shared.server_url(), pull.number);
    let owner = user_of(world, call, &repository.owner);
    let whole = present::repository(world, call, shared, repository);
    let side = |reference: &str, sha: &str| {
        json!({
            "label": format!("{}:{reference}", repository.owner),
            "ref": reference,
            "sha": sha,
            "user": owner,
            "repo": whole,
        })
    };
    let link = |href: &str| json!({"href": href});
    json!({
        "url": url,
        "id": pull.id,
        "node_id": node_id("PR", pull.id),
        "html_url": html,
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "issue_url": issue,
        "commits_url": format!("{url}/commits"),
        "review_comments_url": format!("{url}/comments"),
        "review_comment_url": format!("{base}/pulls/comments{{/number}}"),
        "comments_url": format!("{issue}/comments"),
        "statuses_url": format!("{base}/statuses/{}", pull.head_sha),
        "number": pull.number,
        "state": if pull.open { "open" } else { "closed" },
        "locked": false,
        "title": pull.title,
        "user": user_of(world, call, &pull.author),
        "body": pull.body,
        "labels": [],
        "milestone": null,
        "active_lock_reason": null,
        "created_at": time(pull.created_at),
        "updated_at": time(pull.created_at),
        "closed_at": null,
        "merged_at": null,
        "merge_commit_sha": null,
        "assignee": null,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "head": side(&pull.head_ref, &pull.head_sha),
        "base": side(&pull.base_ref, &pull.base_sha),
        "_links": {
            "self": link(&url),
            "html": link(&html),
            "issue": link(&issue),
            "comments": link(&format!("{issue}/comments")),
            "review_comments": link(&format!("{url}/comments")),
            "review_comment": link(&format!("{base}/pulls/comments{{/number}}")),
            "commits": link(&format!("{url}/commits")),
            "statuses": link(&format!("{base}/statuses/{}", pull.head_sha)),
        },
        "author_association": "OWNER",
        "auto_merge": null,
        "draft": pull.draft,
    })
}
