//! `branches`.

use git2::BranchType;
use serde_json::{Value, json};

use super::Answer;
use super::commits;
use super::present::Page;
use super::reply::{Refusal, Reply};
use super::rights::{At, Target, read, target};
use crate::access::Need;
use crate::git::glob_matches;

const READ: Need = Need::read("contents");

pub(super) fn list(at: At<'_>) -> Answer {
    let (shared, call, ..) = at;
    let found = target(at, READ)?;
    let page = Page::of(call, &shared.options)?;
    let patterns = protected_patterns(at)?;
    let only_protected = call.query("protected").map(|text| text == "true");
    let git = found.open()?;
    let mut branches = Vec::new();
    for branch in git.branches(Some(BranchType::Local))? {
        let (branch, _) = branch?;
        let (Ok(Some(name)), Ok(commit)) = (branch.name(), branch.get().peel_to_commit()) else {
            continue;
        };
        let protected = is_protected(&patterns, name);
        if only_protected.is_some_and(|wanted| wanted != protected) {
            continue;
        }
        branches.push(json!({
            "name": name,
            "commit": {
                "sha": commit.id().to_string(),
                "url": found.url(&format!("/commits/{}", commit.id())),
            },
            "protected": protected,
            "protection": protection(&found, name, protected),
            "protection_url": protection_url(&found, name),
        }));
    }
    branches.sort_by(|one, other| one["name"].as_str().cmp(&other["name"].as_str()));
    Ok(page.listed(call, branches))
}

pub(super) fn get(at: At<'_>, name: &str) -> Answer {
    let found = target(at, READ)?;
    let patterns = protected_patterns(at)?;
    let git = found.open()?;
    let missing = || Refusal::new(hyper::StatusCode::NOT_FOUND, "Branch not found");
    let branch = git.find_branch(name, BranchType::Local).map_err(|_| missing())?;
    let commit = branch.get().peel_to_commit().map_err(|_| missing())?;
    let protected = is_protected(&patterns, name);
    Ok(Reply::json(&json!({
        "name": name,
        "commit": commits::value(at, &found, &commit)?,
        "_links": {
            "self": found.url(&format!("/branches/{name}")),
            "html": found.web_url(&format!("/tree/{name}")),
        },
        "protected": protected,
        "protection": protection(&found, name, protected),
        "protection_url": protection_url(&found, name),
    })))
}

fn protected_patterns(at: At<'_>) -> Result<Vec<String>, Refusal> {
    read(at, READ, |_, repository| Ok(repository.protections.iter().map(|(pattern, _)| pattern.clone()).collect()))
}

fn is_protected(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| glob_matches(pattern, name))
}

fn protection(found: &Target, name: &str, protected: bool) -> Value {
    json!({
        "enabled": protected,
        "url": protection_url(found, name),
        "required_status_checks": {
            "enforcement_level": "off",
            "contexts": [],
            "checks": [],
        },
    })
}

fn protection_url(found: &Target, name: &str) -> String {
    found.url(&format!("/branches/{name}/protection"))
}
