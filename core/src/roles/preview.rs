//! What a role change would do and what would be missing: shown before it starts, computed without changing anything.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::model::{Aspect, MirrorId, RepositoryId, Slug};
use ts_rs::TS;

use super::handback::{self, HandBack};
use super::parties::Parties;
use super::workflows;
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::github::RepositoryInfo;
use crate::mastership::machine::{Change, Kind};
use crate::mastership::words;
use crate::mirror::{self, contact};
use crate::plan::{SecretState, VariableState};
use crate::run::{self, RunRequest};
use crate::{Code, Error, Result};

/// What never travels, whoever is master: to be set up on a standby by hand, before the day on which it is needed.
pub const NEVER_TRAVELS: [&str; 7] = [
    "Pages settings",
    "environments and their secrets",
    "rulesets and branch protection",
    "webhooks",
    "deploy keys",
    "packages",
    "issues, pull requests, releases and their files",
];

/// A role change before it starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RolePlan {
    /// The repository.
    pub repository: RepositoryId,
    /// The standby whose role changes.
    pub mirror: MirrorId,
    /// `switchover`, `failover` or `demote`.
    #[ts(type = "\"switchover\" | \"failover\" | \"demote\"")]
    pub kind: Kind,
    /// What it does.
    pub headline: String,
    /// Who is master before.
    pub old: String,
    /// Who is master after.
    pub new: String,
    /// The epoch before.
    #[ts(type = "number")]
    pub epoch: u64,
    /// The epoch after.
    #[ts(type = "number")]
    pub epoch_after: u64,
    /// The steps, in order.
    pub steps: Vec<String>,
    /// When the standby's code was last brought in step.
    #[ts(type = "string | null")]
    pub last_sync_iso: Option<Timestamp>,
    /// Branches and tags that the standby does not have as the master last had them.
    pub missing_refs: Vec<String>,
    /// Commits of the default branch that the standby lacks; `None` where it is not known.
    #[ts(type = "number | null")]
    pub missing_commits: Option<u64>,
    /// Secrets that are wanted there and have no value there.
    pub missing_secrets: Vec<String>,
    /// Variables that are wanted there and are not there.
    pub missing_variables: Vec<String>,
    /// Workflows that the master had and that the new one does not.
    pub missing_workflows: Vec<String>,
    /// Workflows that will run at the new master.
    pub enables: Vec<String>,
    /// What would come home in a hand-back.
    pub hand_back: Option<HandBack>,
    /// Repositories of the change on which Actions are switched off, so that no workflow runs there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[ts(optional, as = "Option<Vec<String>>")]
    pub actions_off: Vec<String>,
    /// What never travels.
    pub never_travels: Vec<String>,
    /// Why it cannot start; empty when it can.
    pub blockers: Vec<Error>,
    /// What to know before.
    pub notices: Vec<Notice>,
}

impl RolePlan {
    /// What is known without asking anybody.
    pub(crate) fn begin(parties: &Parties, change: &Change) -> Self {
        Self {
            repository: parties.direction.home.id.clone(),
            mirror: parties.standby.id.clone(),
            kind: change.kind,
            headline: words::headline(change),
            old: change.old.to_string(),
            new: change.new.to_string(),
            epoch: parties.direction.who.as_ref().map_or(change.epoch, |who| who.epoch),
            epoch_after: change.epoch_after(),
            steps: change.steps().iter().map(|step| words::step(change, step)).collect(),
            last_sync_iso: None,
            missing_refs: Vec::new(),
            missing_commits: None,
            missing_secrets: Vec::new(),
            missing_variables: Vec::new(),
            missing_workflows: Vec::new(),
            enables: Vec::new(),
            hand_back: None,
            actions_off: Vec::new(),
            never_travels: NEVER_TRAVELS.map(str::to_owned).to_vec(),
            blockers: Vec::new(),
            notices: Vec::new(),
        }
    }

    fn blocked_by(&mut self, error: Error) {
        self.blockers.push(error.about(Some(&self.mirror)));
    }
}

/// Looks at everything that a role change needs and says what it would do.
///
/// # Errors
/// [`Code::Storage`]. What keeps the change from starting is in the plan.
pub(crate) async fn compute(parties: &Parties, change: &Change) -> Result<RolePlan> {
    let mut plan = RolePlan::begin(parties, change);
    let store = &parties.home.context.store;
    let new = parties.site(&change.new)?;
    let in_step = if change.is_homeward { &new.mirror } else { &parties.standby };
    let memory = store.mirror_memory(&plan.repository, &in_step.id, &in_step.target.display())?;
    plan.last_sync_iso = memory.aspects.get(&Aspect::Code).and_then(|report| report.last_sync_iso);
    let default_branch = match is_fit(new, &mut plan).await {
        Ok(info) => info.default_branch,
        Err(error) => {
            plan.blocked_by(error);
            return Ok(plan);
        }
    };
    if change.with_old()
        && let Err(error) = is_fit(parties.site(&change.old)?, &mut plan).await
    {
        plan.blocked_by(error);
        return Ok(plan);
    }
    for site in [Some(new), change.with_old().then(|| parties.site(&change.old)).transpose()?].into_iter().flatten() {
        if let Err(error) = contact::look_and_refuse(site).await {
            plan.blocked_by(error);
            return Ok(plan);
        }
    }
    match change.kind {
        Kind::Switchover => missing_now(parties, change, &mut plan).await,
        Kind::Failover => missing_since(parties, change, &default_branch, &mut plan).await?,
        Kind::Demote => match handback::plan(parties.site(&change.old)?, new, change.epoch).await {
            Ok(hand_back) => plan.hand_back = Some(hand_back),
            Err(error) => plan.blocked_by(error),
        },
    }
    match workflows::to_enable(new, change).await {
        Ok(enables) => plan.enables = enables,
        Err(error) => plan.blocked_by(error),
    }
    let masters = change.workflows.get(&change.old).cloned().unwrap_or_default();
    let masters = if masters.is_empty() { store.source_workflows(&plan.repository)? } else { masters };
    if change.kind != Kind::Demote {
        plan.missing_workflows = workflows::lacking(new, &masters).await.unwrap_or_default();
    }
    Ok(plan)
}

/// Whether a repository can take part: it is there under its name, may be written to, and Actions are on.
async fn is_fit(site: &MirrorContext, plan: &mut RolePlan) -> Result<RepositoryInfo> {
    let (slug, client) = site.github()?;
    let info: RepositoryInfo = client.repository(slug).await?;
    if info.archived {
        return Err(Error::new(
            Code::Forbidden,
            format!("{slug} is archived: nobody can write to it"),
            "Unarchive it in its settings, then try again.",
        ));
    }
    if info.disabled {
        return Err(Error::new(
            Code::Forbidden,
            format!("{slug} was switched off by its host"),
            "Ask the host's support; a switched-off repository can be no master.",
        ));
    }
    is_named_so(slug, &info)?;
    if !info.permissions.push {
        return Err(Error::new(
            Code::Forbidden,
            format!("the token for {slug} may not write there"),
            format!("Give it the rights that `standin token check {}` names.", site.mirror.id),
        ));
    }
    match client.actions_settings(slug).await {
        Ok(settings) if !settings.enabled() => {
            plan.actions_off.push(slug.to_string());
            plan.notices.push(Notice {
                message: format!("Actions are switched off on {slug}: no workflow runs there, whatever its role"),
                hint: "Switch them on in the settings of the repository.".to_owned(),
            });
        }
        Ok(_) => {}
        Err(error) if matches!(error.code, Code::Forbidden | Code::RepositoryNotFound) => plan.notices.push(Notice {
            message: format!("the token for {slug} may not read the Actions settings, so that they are not known"),
            hint: "Give it the permission Administration (read).".to_owned(),
        }),
        Err(error) => return Err(error),
    }
    rights(site).await?;
    Ok(info)
}

fn is_named_so(slug: &Slug, info: &RepositoryInfo) -> Result<()> {
    if info.full_name.eq_ignore_ascii_case(&slug.path()) {
        return Ok(());
    }
    Err(Error::new(
        Code::Configuration,
        format!("{slug} is named {} now", info.full_name),
        "Write the new name into the configuration: the fences name repositories, and another one may take the old name.",
    ))
}

/// The rights that can be proven without changing anything: to read variables and workflows, and to push. What cannot be
/// proven shows when it is used, and the change is then taken back.
async fn rights(site: &MirrorContext) -> Result<()> {
    let (slug, client) = site.github()?;
    // Side by side, but of several refusals the same is told each time.
    let (variables, workflows, push) =
        tokio::join!(client.variables(slug), client.workflows(slug), mirror::probe(site));
    variables
        .and(workflows)
        .map(|_| ())
        .and(push.map(|_| ()))
        .map_err(|error| error.during(format!("the token for {slug} cannot do what a change of master needs")))
}

/// What the standby lacks of the master as it is now.
async fn missing_now(parties: &Parties, change: &Change, plan: &mut RolePlan) {
    let Ok(mirror) = parties.mirror_of(&change.new) else { return };
    let request = RunRequest::of_all(&mirror, false, "");
    let sync = match run::plan(parties.source_of(&change.old).clone(), mirror, &request).await {
        Ok(sync) => sync,
        Err(error) => return plan.blocked_by(error),
    };
    if let Some((_, error)) = sync.failures().find(|(aspect, _)| *aspect == Aspect::Code) {
        plan.blocked_by(error.clone());
    }
    if let Some(code) = sync.code() {
        plan.missing_refs = code.refs.changes.iter().map(|change| change.name.to_string()).collect();
        plan.missing_commits = Some(code.behind);
        for diverged in &code.refs.diverged {
            plan.blocked_by(Error::new(
                Code::Diverged,
                format!("{} has commits on {} that {} does not have", diverged.name, change.new, change.old),
                format!("Decide first: `standin resolve {} {} overwrite|take|leave`.", plan.mirror, diverged.name),
            ));
        }
        for reason in &code.guard {
            plan.notices.push(Notice {
                message: format!("the sync before it waits for a confirmation: {reason}"),
                hint: "`--yes` confirms it.".to_owned(),
            });
        }
    }
    if let Some(secrets) = sync.secrets() {
        plan.missing_secrets = names(&secrets.names, |state| {
            matches!(state, SecretState::MissingHere | SecretState::Unusable | SecretState::NeedsYes)
        });
    }
    if let Some(variables) = sync.variables() {
        plan.missing_variables =
            names(&variables.names, |state| matches!(state, VariableState::MissingHere | VariableState::Unusable));
    }
    plan.notices.extend(sync.notices);
}

/// What the standby lacks of the master as it was when it was last read.
async fn missing_since(parties: &Parties, change: &Change, default_branch: &str, plan: &mut RolePlan) -> Result<()> {
    let new = parties.site(&change.new)?;
    let (cache, there) = (mirror::cache(&new.source)?, mirror::tips(new).await);
    let there = match there {
        Ok(there) => there,
        Err(error) => {
            plan.blocked_by(error);
            return Ok(());
        }
    };
    let default_branch = format!("refs/heads/{default_branch}");
    let mut commits = None;
    for prefix in ["refs/heads/", "refs/tags/"] {
        for (name, oid) in cache.refs(prefix)? {
            let on_standby = there.get(&name);
            let is_default = name.as_str() == default_branch;
            if is_default {
                commits = Some(0);
            }
            if on_standby == Some(&oid) {
                continue;
            }
            if let Some(tip) = on_standby
                && cache.oid_exists(tip)?
            {
                if cache.is_ancestor(&oid, tip)? {
                    continue;
                }
                if is_default {
                    commits = Some(cache.ahead_behind(&oid, tip)?.0);
                }
            } else if is_default {
                commits = None;
            }
            plan.missing_refs.push(name.to_string());
        }
    }
    plan.missing_commits = commits;
    let (secrets, variables) = tokio::join!(crate::secrets::plan(new), crate::variables::plan(new));
    if let Ok(secrets) = secrets {
        plan.missing_secrets = names(&secrets.names, |state| {
            matches!(
                state,
                SecretState::MissingHere | SecretState::Create | SecretState::NeedsYes | SecretState::Unusable
            )
        });
    }
    plan.missing_variables = match variables {
        Ok(variables) => names(&variables.names, |state| {
            matches!(state, VariableState::MissingHere | VariableState::Create | VariableState::Unusable)
        }),
        // Values that are kept at the master cannot be compared, but the names that are wanted are known.
        Err(_) => crate::variables::lacking(new).await.unwrap_or_default(),
    };
    plan.notices.push(Notice {
        message: format!(
            "{} cannot be reached: what was committed there after the last sync is not on {}",
            change.old, change.new
        ),
        hint: format!(
            "When it is back, it is brought together by `standin demote {}`; nothing of either side is lost.",
            plan.mirror
        ),
    });
    if change.ends.is_some() {
        plan.notices.push(Notice {
            message: format!("a change of master is open between the two; this one takes its place on {}", change.new),
            hint: format!("Where {} can still be reached, stop there: it is followed no more.", change.old),
        });
    }
    Ok(())
}

fn names<S>(names: &[(String, S)], wanted: impl Fn(&S) -> bool) -> Vec<String> {
    let found: BTreeSet<&String> = names.iter().filter(|(_, state)| wanted(state)).map(|(name, _)| name).collect();
    found.into_iter().cloned().collect()
}

/// Whether the master can be reached, and if not, whether that says that it is gone.
pub(crate) enum Master {
    /// It answers.
    Here,
    /// It does not, for this reason.
    Gone(Error),
    /// Nobody can tell from here: the token is at fault, or the limits of the host.
    Unclear(Error),
}

/// Looks whether the master is there.
///
/// That it is gone is said by its host alone, of the repository itself: that it is not there, that it was taken down, or that
/// nobody answers. Whatever else comes in the way (a refused token, a portal, git that fails where the API is well) says nothing
/// of the repository, and whoever knows better says so in so many words.
pub(crate) async fn look_for(master: &MirrorContext) -> Master {
    let told = async {
        let (slug, client) = master.github()?;
        client.repository(slug).await
    };
    let info = match told.await {
        Ok(info) => info,
        Err(error) => {
            return match error.code {
                Code::RepositoryNotFound
                | Code::RepositoryBlocked
                | Code::HostFailed
                | Code::Network
                | Code::TimedOut => Master::Gone(error),
                _ => Master::Unclear(error),
            };
        }
    };
    if let Err(error) = master.github().and_then(|(slug, _)| is_named_so(slug, &info)) {
        return Master::Unclear(error);
    }
    match mirror::tips(master).await {
        Ok(_) => Master::Here,
        Err(error) => Master::Unclear(error.during("its API answers that the repository is there")),
    }
}

/// An id for a change that begins.
pub(crate) fn new_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}
