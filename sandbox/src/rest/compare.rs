//! `compare/{base}...{head}`.

use git2::{Commit, Repository as Git, Sort};
use serde_json::{Value, json};

use super::Answer;
use super::commits::{self, resolve_commit};
use super::present::Page;
use super::refs::opened;
use super::reply::{Refusal, Reply};
use super::rights::{At, target};
use crate::access::Need;

const READ: Need = Need::read("contents");
/// Commits on one page unless another size is asked for.
const COMMITS_DEFAULT: usize = 250;

pub(super) fn compare(at: At<'_>, basehead: &str) -> Answer {
    let (shared, call, ..) = at;
    let found = target(at, READ)?;
    let page = Page::of(call, &shared.options)?.or_default(COMMITS_DEFAULT);
    let git = opened(&found)?;
    let (base, head) = basehead.split_once("...").ok_or_else(Refusal::not_found)?;
    // `owner:branch` and `owner:repository:branch` are only known for this repository.
    let own = |side: &str| -> Result<String, Refusal> {
        let parts: Vec<&str> = side.split(':').collect();
        match parts.as_slice() {
            [reference] => Ok((*reference).to_owned()),
            [owner, reference] if owner.eq_ignore_ascii_case(&found.owner) => Ok((*reference).to_owned()),
            [owner, repository, reference]
                if owner.eq_ignore_ascii_case(&found.owner) && repository.eq_ignore_ascii_case(&found.name) =>
            {
                Ok((*reference).to_owned())
            }
            _ => Err(Refusal::not_found()),
        }
    };
    let base = resolve_commit(&git, &found, &own(base)?)?;
    let head = resolve_commit(&git, &found, &own(head)?)?;
    let merge_base = git
        .merge_base(base.id(), head.id())
        .map_err(|_| Refusal::new(hyper::StatusCode::NOT_FOUND, "No common ancestor between the two commits"))?;
    let merge_base = git.find_commit(merge_base)?;
    let ahead = between(&git, &base, &head)?;
    let behind = between(&git, &head, &base)?.len();
    let status = match (ahead.len(), behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let total = ahead.len();
    let mut listed = Vec::new();
    for commit in &ahead {
        listed.push(commits::value(at, &found, commit)?);
    }
    let url = found.url(&format!("/compare/{basehead}"));
    let html_url = found.web_url(&format!("/compare/{basehead}"));
    let permalink = found.web_url(&format!("/compare/{}:{}...{}:{}", found.owner, base.id(), found.owner, head.id()));
    let value = json!({
        "url": url,
        "html_url": html_url,
        "permalink_url": permalink,
        "diff_url": format!("{html_url}.diff"),
        "patch_url": format!("{html_url}.patch"),
        "base_commit": commits::value(at, &found, &base)?,
        "merge_base_commit": commits::value(at, &found, &merge_base)?,
        "status": status,
        "ahead_by": total,
        "behind_by": behind,
        "total_commits": total,
        "commits": page.cut(listed),
        "files": Value::Array(commits::files(&git, &found, Some(&merge_base), &head)?),
    });
    Ok(page.link(call, total, Reply::json(&value)))
}

/// Commits of `head` that `base` has not, oldest first.
fn between<'g>(git: &'g Git, base: &Commit<'_>, head: &Commit<'_>) -> Result<Vec<Commit<'g>>, Refusal> {
    let mut walk = git.revwalk()?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    walk.push(head.id())?;
    walk.hide(base.id())?;
    let mut commits = Vec::new();
    for oid in walk {
        commits.push(git.find_commit(oid?)?);
    }
    Ok(commits)
}
