//! What the host refuses in a push, in its own words.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use git2::{Commit, ObjectType, Oid, Repository as Git};
use globset::GlobBuilder;

use super::hook::Reasons;
use crate::access::{self, Caller};
use crate::faults::PushFailure;
use crate::pushed::{self, WORKFLOWS};
use crate::shared::Shared;
use crate::world::{Protection, PushLimits, PushRefusal, WHOLE_PUSH};

/// One ref that a push would move.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub name: String,
    pub old: Option<Oid>,
    pub new: Option<Oid>,
}

impl Command {
    /// Reads `<old> <new> <name>`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let mut parts = line.splitn(3, ' ');
        let mut oid = || {
            let oid = Oid::from_str(parts.next()?).ok()?;
            Some((!oid.is_zero()).then_some(oid))
        };
        let (old, new) = (oid()?, oid()?);
        Some(Self { name: parts.next()?.to_owned(), old, new })
    }
}

/// Who pushes where.
pub(super) struct Pusher {
    pub caller: Caller,
    pub default_branch: String,
    pub repository_id: u64,
    pub moved_to: Option<String>,
    pub failure: Option<PushFailure>,
}

/// What becomes of a push.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    /// Every ref is refused, in these words.
    pub refused_whole: Option<&'static str>,
    /// Single refs and why.
    pub refused: Reasons,
    /// Lines for the client.
    pub remarks: Vec<String>,
}

/// The rules of one repository.
struct Rules {
    protections: Vec<(String, Protection)>,
    refusals: Vec<PushRefusal>,
    limits: PushLimits,
    slug: String,
    path: std::path::PathBuf,
}

fn rules(shared: &Shared, repository_id: u64) -> Option<Rules> {
    let world = shared.world();
    let repository = world.repository(repository_id)?;
    Some(Rules {
        protections: repository.protections.clone(),
        refusals: repository.refusals.clone(),
        limits: repository.push_limits,
        slug: repository.slug(),
        path: repository.path.clone(),
    })
}

/// Decides about a push whose new objects are in `quarantine`.
pub(super) fn judge(
    shared: &Shared,
    pusher: &Pusher,
    quarantine: Option<&Path>,
    commands: &[Command],
) -> Result<Judgement, git2::Error> {
    let mut judgement = Judgement::default();
    let Some(rules) = rules(shared, pusher.repository_id) else {
        return Ok(judgement);
    };
    if let Some(failure) = pusher.failure {
        return Ok(failed(failure));
    }
    let git = super::open(&rules.path)?;
    let mut too_large = Vec::new();
    if let Some(quarantine) = quarantine {
        let quarantine = quarantine.to_string_lossy();
        git.odb()?.add_disk_alternate(&quarantine)?;
        too_large = large_blobs(&quarantine, shared.options.file_size_limit)?;
    }
    if !too_large.is_empty() {
        judgement.refused_whole = Some(WHOLE_PUSH);
        judgement.remarks =
            large_file_remarks(&NewCommits::of(&git)?, commands, &too_large, shared.options.file_size_limit);
        return Ok(judgement);
    }
    if commands.iter().any(|command| command.new.is_some() && is_hex_name(&command.name)) {
        judgement.refused_whole = Some(WHOLE_PUSH);
        judgement.remarks.push(
            "error: GH002: Sorry, branch or tag names consisting of 40 hex characters are not allowed.".to_owned(),
        );
        return Ok(judgement);
    }
    let may_change_workflows = access::may_change_workflows(&pusher.caller);
    let mut new_commits = NewCommits::of(&git)?;
    let too_many = too_many(rules.limits, commands);
    for command in commands {
        let (reason, remarks) =
            match refusal_of_update(&git, &rules.protections, &pusher.default_branch, command.into()) {
                Some(refusal) => refusal,
                None => match refusal_by_rule(&rules, too_many.as_ref(), &command.name) {
                    Some(refusal) => refusal,
                    None if may_change_workflows => continue,
                    None => match command.new.and_then(|new| new_commits.changed_workflow(new)) {
                        Some(path) => (workflow_reason(&pusher.caller, &path), Vec::new()),
                        None => continue,
                    },
                },
            };
        if reason == WHOLE_PUSH {
            judgement.refused_whole = Some(WHOLE_PUSH);
        }
        judgement.refused.insert(command.name.clone(), reason);
        for remark in remarks {
            if remark.is_empty() || !judgement.remarks.contains(&remark) {
                judgement.remarks.push(remark);
            }
        }
    }
    if let (Some(url), None) = (&pusher.moved_to, judgement.refused_whole) {
        judgement.remarks.push("This repository moved. Please use the new location:".to_owned());
        judgement.remarks.push(format!("  {url}"));
    }
    Ok(judgement)
}

/// A push that the host takes in and then fails with.
fn failed(failure: PushFailure) -> Judgement {
    let (reason, remarks) = match failure {
        PushFailure::InternalServerError => ("Internal Server Error", Vec::new()),
        PushFailure::CommitRefs => ("failure", vec!["fatal error in commit_refs".to_owned()]),
    };
    Judgement { refused_whole: Some(reason), refused: Reasons::new(), remarks }
}

/// The rule against pushes of many branches and tags, if this is one of those.
fn too_many(limits: PushLimits, commands: &[Command]) -> Option<PushRefusal> {
    let limit = limits.refs?;
    let count = commands.iter().filter(|command| is_branch_or_tag(&command.name)).count();
    let rule = format!("Pushes can not update more than {limit} branches or tags.");
    (count > limit).then(|| PushRefusal::rule_violation("**", &rule))
}

fn is_branch_or_tag(name: &str) -> bool {
    ["refs/heads/", "refs/tags/"].iter().any(|prefix| name.starts_with(prefix))
}

/// A ref on its way from one object to another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update<'a> {
    pub name: &'a str,
    pub old: Option<Oid>,
    pub new: Option<Oid>,
}

impl<'a> From<&'a Command> for Update<'a> {
    fn from(command: &'a Command) -> Self {
        Self { name: &command.name, old: command.old, new: command.new }
    }
}

/// Why the branch itself may not move so: the reason, and lines for the client.
pub(crate) fn refusal_of_update(
    git: &Git,
    protections: &[(String, Protection)],
    default_branch: &str,
    update: Update<'_>,
) -> Option<(String, Vec<String>)> {
    if update.name.starts_with("refs/pull/") {
        return Some(("deny updating a hidden ref".to_owned(), Vec::new()));
    }
    let branch = update.name.strip_prefix("refs/heads/")?;
    if update.new.is_none() && branch == default_branch {
        let reason = format!("refusing to delete the current branch: {}", update.name);
        return Some((reason, Vec::new()));
    }
    let protection = protections
        .iter()
        .filter(|(pattern, _)| glob_matches(pattern, branch))
        .map(|(_, protection)| *protection)
        .max_by_key(|protection| *protection == Protection::PullRequestOnly)?;
    let why = match (protection, update.old, update.new) {
        (_, _, None) => "error: Cannot delete this branch",
        (Protection::PullRequestOnly, Some(_), Some(_)) => "error: Changes must be made through a pull request.",
        (_, Some(old), Some(new)) if !is_fast_forward(git, old, new) => "error: Cannot force-push to this branch",
        _ => return None,
    };
    let remarks = vec![format!("error: GH006: Protected branch update failed for {}.", update.name), why.to_owned()];
    Some(("protected branch hook declined".to_owned(), remarks))
}

fn refusal_by_rule(rules: &Rules, too_many: Option<&PushRefusal>, name: &str) -> Option<(String, Vec<String>)> {
    too_many
        .filter(|_| is_branch_or_tag(name))
        .or_else(|| rules.refusals.iter().find(|refusal| glob_matches(&refusal.refs, name)))
        .map(|refusal| (refusal.reason.clone(), refusal.lines_for(&rules.slug, name)))
}

/// True if the ref or branch name matches; a pattern that is no valid glob is taken literally.
pub(crate) fn glob_matches(pattern: &str, name: &str) -> bool {
    GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_or(pattern == name, |glob| glob.compile_matcher().is_match(name))
}

fn is_fast_forward(git: &Git, old: Oid, new: Oid) -> bool {
    old == new || git.graph_descendant_of(new, old).unwrap_or(false)
}

/// Why a token may not bring this workflow file.
pub(crate) fn workflow_reason(caller: &Caller, path: &str) -> String {
    let (token, right) = access::workflow_right(caller);
    format!("refusing to allow a {token} to create or update workflow `{path}` without {right}")
}

/// The commits that a push brings, seen from the refs that were there before.
pub(crate) struct NewCommits<'g> {
    git: &'g Git,
    known: HashSet<Oid>,
    /// What was found out about a tip, since many refs may have the same.
    workflow_changes: HashMap<Oid, Option<String>>,
}

impl<'g> NewCommits<'g> {
    /// Reads the refs as they are.
    pub(crate) fn of(git: &'g Git) -> Result<Self, git2::Error> {
        let known = git
            .references()?
            .flatten()
            .filter_map(|reference| Some(reference.peel(ObjectType::Commit).ok()?.id()))
            .collect();
        Ok(Self { git, known, workflow_changes: HashMap::new() })
    }

    /// The first workflow file that the new commits below this tip make or change.
    pub(crate) fn changed_workflow(&mut self, tip: Oid) -> Option<String> {
        if let Some(known) = self.workflow_changes.get(&tip) {
            return known.clone();
        }
        let changed = self
            .below(tip)
            .iter()
            .filter_map(|oid| self.git.find_commit(*oid).ok())
            .find_map(|commit| changed_workflow(self.git, &commit));
        self.workflow_changes.insert(tip, changed.clone());
        changed
    }

    /// New commits that this tip reaches; none if it is no commit.
    fn below(&self, tip: Oid) -> Vec<Oid> {
        let walk = || -> Result<Vec<Oid>, git2::Error> {
            let tip = self.git.find_object(tip, None)?.peel_to_commit()?.id();
            if self.known.contains(&tip) {
                return Ok(Vec::new());
            }
            let mut walk = self.git.revwalk()?;
            walk.push(tip)?;
            for known in &self.known {
                walk.hide(*known)?;
            }
            walk.collect()
        };
        walk().unwrap_or_default()
    }
}

/// A workflow file of this commit that is in none of its parents like this.
fn changed_workflow(git: &Git, commit: &Commit<'_>) -> Option<String> {
    let folder = pushed::subtree(git, &commit.tree().ok()?, WORKFLOWS)?;
    let before: Vec<_> =
        commit.parents().filter_map(|parent| pushed::subtree(git, &parent.tree().ok()?, WORKFLOWS)).collect();
    if before.iter().any(|other| other.id() == folder.id()) {
        return None;
    }
    folder.iter().find_map(|entry| {
        let name = entry.name().ok()?;
        let known = before.iter().any(|other| other.get_name(name).is_some_and(|other| other.id() == entry.id()));
        (!known).then(|| format!("{WORKFLOWS}/{name}"))
    })
}

fn is_hex_name(name: &str) -> bool {
    ["refs/heads/", "refs/tags/"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .is_some_and(|short| short.len() == 40 && short.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Blobs in this folder of objects that are larger than the limit, and their sizes.
fn large_blobs(objects: &str, limit: u64) -> Result<Vec<(Oid, u64)>, git2::Error> {
    let odb = git2::Odb::new()?;
    odb.add_disk_alternate(objects)?;
    let mut large = Vec::new();
    odb.foreach(|oid| {
        if let Ok((size, ObjectType::Blob)) = odb.read_header(*oid)
            && size as u64 > limit
        {
            large.push((*oid, size as u64));
        }
        true
    })?;
    Ok(large)
}

fn large_file_remarks(
    new_commits: &NewCommits<'_>,
    commands: &[Command],
    large: &[(Oid, u64)],
    limit: u64,
) -> Vec<String> {
    let megabytes = |bytes: u64| format!("{:.2} MB", bytes as f64 / (1024.0 * 1024.0));
    let trace: String = large.iter().map(|(oid, _)| oid.to_string()).collect::<String>().chars().take(64).collect();
    let mut remarks =
        vec![format!("error: Trace: {trace}"), "error: See https://gh.io/lfs for more information.".to_owned()];
    for (oid, size) in large {
        let path = commands
            .iter()
            .filter_map(|command| command.new)
            .find_map(|tip| path_of_blob(new_commits, tip, *oid))
            .unwrap_or_else(|| oid.to_string());
        remarks.push(format!(
            "error: File {path} is {}; this exceeds GitHub's file size limit of {}",
            megabytes(*size),
            megabytes(limit)
        ));
    }
    remarks.push(
        "error: GH001: Large files detected. You may want to try Git Large File Storage - https://git-lfs.github.com."
            .to_owned(),
    );
    remarks
}

/// Where a blob is in one of the commits that are new.
fn path_of_blob(new_commits: &NewCommits<'_>, tip: Oid, blob: Oid) -> Option<String> {
    new_commits.below(tip).iter().find_map(|oid| {
        let tree = new_commits.git.find_commit(*oid).ok()?.tree().ok()?;
        let mut found = None;
        let walked = tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
            if entry.id() == blob {
                found = entry.name().ok().map(|name| format!("{folder}{name}"));
                return git2::TreeWalkResult::Abort;
            }
            git2::TreeWalkResult::Ok
        });
        if let (Err(error), None) = (walked, &found) {
            tracing::debug!(%error, "a tree cannot be walked");
        }
        found
    })
}
