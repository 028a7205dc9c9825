//! The workflows of a repository whose role changes: held when it is no longer master, given back when it is.

use std::collections::BTreeMap;
use std::time::Duration;

use standin_state::model::{Aspect, Role};
use standin_state::store::{Change as Recorded, ChangeAction, ChangeOutcome, HeldWorkflow};

use super::site_fence;
use crate::context::MirrorContext;
use crate::github::Workflow;
use crate::mastership::machine::{Change, Kind, Way};
use crate::workflows::{self, is_sentinel};
use crate::{Code, Error, Result, variables};

/// The state of a workflow that runs.
const ACTIVE: &str = "active";
/// How often a workflow that the host does not list yet is looked for again.
const LOOKS: u32 = 6;
/// Wait before the second look; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The states of the workflow files there now, by path. A file that the host does not list yet is new, and new ones run.
///
/// # Errors
/// What keeps them from being listed.
pub(super) async fn states(site: &MirrorContext) -> Result<BTreeMap<String, String>> {
    let (slug, client) = site.github()?;
    let (listed, files) = tokio::try_join!(list(site), client.workflow_files(slug))?;
    let mut states: BTreeMap<String, String> = files.into_iter().map(|path| (path, ACTIVE.to_owned())).collect();
    states.extend(listed.into_iter().map(|workflow| (workflow.path, workflow.state.to_string())));
    Ok(states)
}

/// Switches off everything that a `SLAVE` may not run, and says in the fence what was on before.
///
/// # Errors
/// The first that could not be switched off; what moving the fence reports.
pub(super) async fn hold(site: &MirrorContext, change: &Change, me: &str) -> Result<String> {
    let held = workflows::hold_all(site).await?;
    let known = site.store().held_workflows(&site.repository().id, &site.mirror.id)?;
    let (_, fence) = site_fence::read(site).await?;
    let mut after = fence.map(|fence| fence.document.held).unwrap_or_default();
    after.extend(known.into_iter().map(|workflow| (workflow.path, workflow.state_before)));
    site_fence::note(site, change, me, |document| document.held.clone_from(&after)).await?;
    Ok(held)
}

/// Gives a repository the workflow states of the master that it becomes. A master's sentinel is off, and counts as held:
/// whichever way the repository becomes a standby again, it is switched on.
///
/// # Errors
/// The first that could not be switched; what moving the fence reports.
pub(super) async fn enable(site: &MirrorContext, change: &Change, me: &str) -> Result<String> {
    let wanted = wanted(site, change).await?;
    let role = change.role_of(&site.mirror.target.site());
    let (mut switched, mut active) = (0_usize, 0_usize);
    let mut held = BTreeMap::new();
    for workflow in list_all(site, &wanted).await? {
        let should = should_run(&workflow.path, role, &wanted);
        if should.is_some_and(|should| should != workflow.state.is_active()) {
            switch(site, &workflow, should == Some(true)).await?;
            switched += 1;
        }
        active += usize::from(should.unwrap_or(workflow.state.is_active()));
        if role == Role::Master && is_sentinel(&workflow.path) {
            held.insert(workflow.path, ACTIVE.to_owned());
        }
    }
    let (store, repository, mirror) = (site.store(), &site.repository().id, &site.mirror.id);
    for before in store.held_workflows(repository, mirror)? {
        store.forget_held_workflow(repository, mirror, &before.path)?;
    }
    for (path, state_before) in held.clone() {
        store.set_held_workflow(repository, mirror, &HeldWorkflow { path, state_before })?;
    }
    site_fence::note(site, change, me, |document| document.held.clone_from(&held)).await?;
    Ok(format!("{active} active, {switched} switched"))
}

/// What [`enable`] would switch on, for a preview.
///
/// # Errors
/// What keeps the workflows from being listed.
pub(super) async fn to_enable(site: &MirrorContext, change: &Change) -> Result<Vec<String>> {
    let wanted = wanted(site, change).await?;
    let role = change.role_of(&site.mirror.target.site());
    let listed = list(site).await?;
    let on = listed.into_iter().filter(|workflow| should_run(&workflow.path, role, &wanted) == Some(true));
    Ok(on.map(|workflow| workflow.path).collect())
}

/// Workflows that the master had and that the repository lacks.
pub(super) async fn lacking(site: &MirrorContext, wanted: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let here = states(site).await?;
    let active = wanted.iter().filter(|(path, state)| *state == ACTIVE && !is_sentinel(path));
    Ok(active.map(|(path, _)| path.clone()).filter(|path| !here.contains_key(path)).collect())
}

/// Sets `MIRROR_ROLE`, and the sentinel on or off with it.
///
/// # Errors
/// The host's refusal.
pub(super) async fn set_role(site: &MirrorContext, role: Role) -> Result<String> {
    variables::set_role(site, role).await?;
    for workflow in list(site).await?.iter().filter(|workflow| is_sentinel(&workflow.path)) {
        let should = role != Role::Master;
        if should != workflow.state.is_active() {
            switch(site, workflow, should).await?;
        }
        if should {
            site.store().forget_held_workflow(&site.repository().id, &site.mirror.id, &workflow.path)?;
        }
    }
    Ok(role.as_str().to_owned())
}

/// The states that the repository gets, by path.
async fn wanted(site: &MirrorContext, change: &Change) -> Result<BTreeMap<String, String>> {
    let from_old = change.workflows.get(&change.old).cloned().unwrap_or_default();
    // What a change wrote down that this one ends is what its master had.
    let is_known = change.ends.is_some() && !from_old.is_empty();
    if change.way == Way::Back || change.kind == Kind::Switchover || is_known {
        return Ok(from_old);
    }
    let (_, fence) = site_fence::read(site).await?;
    let document = fence.map(|fence| fence.document);
    let (held, masters) = document.map(|document| (document.held, document.master_workflows)).unwrap_or_default();
    let ours = site.store().held_workflows(&site.repository().id, &site.mirror.id)?;
    let mut held = held;
    for workflow in ours {
        held.entry(workflow.path).or_insert(workflow.state_before);
    }
    if change.kind == Kind::Demote {
        // What we switched off there, nothing else: it was master itself.
        return Ok(held);
    }
    // What was held on the standby when it came is what the master had then; what was read of the master since is newer.
    let mut wanted = held;
    wanted.extend(site.store().source_workflows(&site.repository().id)?);
    wanted.extend(masters);
    Ok(wanted)
}

/// Whether a workflow runs in this role; `None` where it stays as it is.
fn should_run(path: &str, role: Role, wanted: &BTreeMap<String, String>) -> Option<bool> {
    if is_sentinel(path) {
        return Some(role != Role::Master);
    }
    wanted.get(path).map(|state| state == ACTIVE)
}

async fn list(site: &MirrorContext) -> Result<Vec<Workflow>> {
    let (slug, client) = site.github()?;
    let listed = client.workflows(slug).await?;
    Ok(listed
        .into_iter()
        .filter(|workflow| workflows::is_file(&workflow.path) && !workflow.state.is_deleted())
        .collect())
}

/// The workflows, looking again for a while for those that are wanted and not listed yet.
async fn list_all(site: &MirrorContext, wanted: &BTreeMap<String, String>) -> Result<Vec<Workflow>> {
    let (slug, client) = site.github()?;
    let files = client.workflow_files(slug).await?;
    let mut pause = FIRST_PAUSE;
    for _ in 1..LOOKS {
        let listed = list(site).await?;
        let is_missing = |path: &&String| wanted.contains_key(*path) && !listed.iter().any(|one| one.path == **path);
        if !files.iter().any(|path| is_missing(&path)) {
            return Ok(listed);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    let listed = list(site).await?;
    if let Some(path) =
        files.iter().find(|path| wanted.contains_key(*path) && !listed.iter().any(|one| one.path == **path))
    {
        return Err(Error::passing(
            Code::UnexpectedAnswer,
            format!("{path} of {slug} is not listed by the host yet, so that it can be switched neither on nor off"),
            "Go on in a minute with `--resume`.",
        ));
    }
    Ok(listed)
}

async fn switch(site: &MirrorContext, workflow: &Workflow, on: bool) -> Result<()> {
    let (slug, client) = site.github()?;
    if on {
        client.enable_workflow(slug, workflow).await?;
    } else {
        client.disable_workflow(slug, workflow).await?;
    }
    let now = client.workflow(slug, workflow.id).await?;
    if now.state.is_active() != on {
        return Err(Error::passing(
            Code::UnexpectedAnswer,
            format!(
                "{} of {slug} was switched {} and reads {}",
                workflow.path,
                if on { "on" } else { "off" },
                now.state
            ),
            "Somebody else may switch it too: look at the workflows of the repository, then go on.",
        ));
    }
    let action = if on { ChangeAction::Release } else { ChangeAction::Hold };
    let change = Recorded {
        aspect: Aspect::Workflows,
        action,
        name: workflow.path.clone(),
        before: Some(workflow.state.to_string()),
        after: Some(now.state.to_string()),
    };
    site.changed(change, ChangeOutcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_gets_what_the_master_had_and_only_a_stand_in_keeps_the_sentinel() {
        let wanted = BTreeMap::from([
            (".github/workflows/cron.yml".to_owned(), "active".to_owned()),
            (".github/workflows/old.yml".to_owned(), "disabled_manually".to_owned()),
        ]);
        let run = |name: &str, role| should_run(&format!(".github/workflows/{name}"), role, &wanted);
        assert_eq!(run("cron.yml", Role::Master), Some(true));
        assert_eq!(run("old.yml", Role::Master), Some(false));
        assert_eq!(run("new.yml", Role::Master), None);
        assert_eq!(run("sentinel.yml", Role::Master), Some(false));
        assert_eq!(run("sentinel.yml", Role::TemporaryMaster), Some(true));
    }
}
