//! The steps of the demo, and the checks behind each claim.

use std::path::Path;

use standin_core::Result;
use standin_sandbox::WorkflowState;

use super::failover;
use super::world::{BACKUP, NAME, World};
use crate::output::lines::print;
use crate::rehearsal::program::{git, standin, standin_json};
use crate::rehearsal::{broken, failed};

/// Tells the whole story.
pub async fn tell(world: &World) -> Result<()> {
    first_sync(world).await?;
    changed(world).await?;
    unchanged(world).await?;
    diverged(world).await?;
    failover::tell(world).await?;
    step("The state at the end");
    standin(&world.stage, &["status"]).await?;
    Ok(())
}

/// Begins a step.
pub fn step(title: &str) {
    print("");
    print(&format!("── {title}"));
}

fn checked(claim: &str) {
    print(&format!("  ✓ checked: {claim}"));
}

/// A claim that was checked, or the error that it is false.
pub fn check(holds: bool, claim: &str, found: impl std::fmt::Display) -> Result<()> {
    if !holds {
        return Err(broken(claim, found));
    }
    checked(claim);
    Ok(())
}

async fn first_sync(world: &World) -> Result<()> {
    step("A yes, once: the .env of a clone may be somebody else's, and decides nothing before it");
    let waits = standin_json(&world.stage, &["plan"]).await?;
    let code = waits["error"]["code"].as_str().unwrap_or_default();
    check(code == "consent_needed", "nothing is looked at before the yes", format!("the error is {code}"))?;
    let ended = standin(&world.stage, &["allow", "--yes"]).await?;
    check(ended.status == 0, "the yes is taken", format!("its exit status is {}", ended.status))?;
    step("First sync: everything goes");
    standin(&world.stage, &["plan"]).await?;
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 0, "the first sync ends well", format!("its exit status is {}", ended.status))?;
    same_refs(world, &world.standby(), "the standby").await?;
    same_refs(world, &world.archive(), "the archive").await?;
    secret_is(world, "RESEND_API_KEY", "re_demo_key")?;
    secret_is(world, "TWILIO_AUTH_TOKEN", "demo $ token # with odd letters")?;
    variable_is(world, "DEPLOY_MODE", "full")?;
    variable_is(world, "MIRROR_ROLE", "SLAVE")?;
    held(world)?;
    let runs = world.stage.sandbox.run_count(BACKUP, NAME);
    check(runs == 0, "no workflow ran on the standby", format!("{runs} ran"))
}

async fn changed(world: &World) -> Result<()> {
    step("A commit, a secret and a variable change: the second sync sends only that");
    world.stage.write("state/current.json", "{\"meta\": {\"updated_at_iso\": \"2026-02-07T05:30:00Z\"}}\n")?;
    let commit = world.commit("Tick").await?;
    world.publish().await?;
    world.set_env("RESEND_API_KEY", "re_new_key")?;
    world.set_env("DEPLOY_MODE", "pages")?;
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 0, "the second sync ends well", format!("its exit status is {}", ended.status))?;
    same_refs(world, &world.standby(), "the standby").await?;
    secret_is(world, "RESEND_API_KEY", "re_new_key")?;
    variable_is(world, "DEPLOY_MODE", "pages")?;
    let names = last_changes(world, "mirror-1").await?;
    let expected = ["code refs/heads/main", "secrets RESEND_API_KEY", "variables DEPLOY_MODE"];
    check(names == expected, "the standby got one ref, one secret, one variable", names.join(", "))?;
    let names = last_changes(world, "mirror-2").await?;
    check(names == ["code refs/heads/main"], "the archive got one ref", names.join(", "))?;
    let short = commit.get(..12).unwrap_or(&commit);
    check(ended.stdout.contains(short), "the output names the commit", "it does not")
}

async fn unchanged(world: &World) -> Result<()> {
    step("Nothing changed: the third sync sends nothing");
    world.stage.sandbox.clear_requests();
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 0, "the third sync ends well", format!("its exit status is {}", ended.status))?;
    let writes: Vec<String> = world
        .stage
        .sandbox
        .requests()
        .iter()
        .filter(|request| request.method != "GET" && !request.path.ends_with("git-upload-pack"))
        .map(|request| format!("{} {}", request.method, request.path))
        .collect();
    check(writes.is_empty(), "GitHub got no write", writes.join(", "))?;
    for mirror in ["mirror-1", "mirror-2"] {
        let names = last_changes(world, mirror).await?;
        check(names.is_empty(), &format!("{mirror} has no change in its history"), names.join(", "))?;
    }
    Ok(())
}

async fn diverged(world: &World) -> Result<()> {
    step("Somebody commits on the archive: that ref waits, nothing is lost");
    let archive = world.archive();
    let foreign = foreign_commit(world, &archive).await?;
    world.commit("Tick again").await?;
    world.publish().await?;
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 3, "the sync asks for a decision", format!("its exit status is {}", ended.status))?;
    let tip = git(&world.stage, &archive, &["rev-parse", "refs/heads/main"]).await?;
    check(tip == foreign, "the foreign commit is untouched", &tip)?;
    same_refs(world, &world.standby(), "the standby (it did not wait for the archive)").await?;
    let ended = standin(&world.stage, &["resolve", "mirror-2", "main", "overwrite"]).await?;
    check(ended.status == 0, "the decision is carried out", format!("its exit status is {}", ended.status))?;
    same_refs(world, &archive, "the archive").await?;
    step("The foreign commit was saved first, and comes back byte for byte");
    let rescues = standin_json(&world.stage, &["rescue", "list"]).await?;
    let id = rescues[0]["id"].as_str().unwrap_or_default().to_owned();
    standin(&world.stage, &["rescue", "list"]).await?;
    let ended = standin(&world.stage, &["rescue", "restore", &id, "--to", "restored"]).await?;
    check(ended.status == 0, "the rescue is restored", format!("its exit status is {}", ended.status))?;
    let tip = git(&world.stage, &archive, &["rev-parse", "refs/heads/restored"]).await?;
    check(tip == foreign, "branch `restored` is the very commit", &tip)?;
    let text = git(&world.stage, &archive, &["show", "refs/heads/restored:NOTES.md"]).await?;
    check(text == "A note that only the archive has.", "its file is as it was", &text)
}

/// A commit on the archive's main branch that the primary does not have.
async fn foreign_commit(world: &World, archive: &Path) -> Result<String> {
    let folder = archive.with_file_name("somebody");
    let path = folder.to_string_lossy();
    git(&world.stage, archive, &["clone", "-q", &archive.to_string_lossy(), &path]).await?;
    std::fs::write(folder.join("NOTES.md"), "A note that only the archive has.\n")
        .map_err(|error| failed("a file cannot be written", error))?;
    git(&world.stage, &folder, &["add", "NOTES.md"]).await?;
    let author = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"];
    let arguments: Vec<&str> = author.iter().copied().chain(["commit", "-q", "-m", "Note"]).collect();
    git(&world.stage, &folder, &arguments).await?;
    git(&world.stage, &folder, &["push", "-q", "origin", "main"]).await?;
    git(&world.stage, &folder, &["rev-parse", "HEAD"]).await
}

/// Branches and tags of a mirror are the primary's.
pub async fn same_refs(world: &World, repository: &Path, name: &str) -> Result<()> {
    let list = ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags"];
    let (ours, theirs) =
        (git(&world.stage, &world.primary(), &list).await?, git(&world.stage, repository, &list).await?);
    let theirs: Vec<&str> = theirs.lines().filter(|line| !line.ends_with("refs/heads/restored")).collect();
    check(
        !ours.is_empty() && ours.lines().eq(theirs.iter().copied()),
        &format!("{name} has every branch and tag of the primary"),
        format!("it has {}", theirs.join(", ")),
    )
}

fn secret_is(world: &World, name: &str, value: &str) -> Result<()> {
    let opened = world.stage.sandbox.secret_value(BACKUP, NAME, name);
    check(
        opened.as_deref() == Some(value.as_bytes()),
        &format!("secret {name} opens to the value of .env"),
        if opened.is_some() { "it opens to another" } else { "it is not there" },
    )
}

fn variable_is(world: &World, name: &str, value: &str) -> Result<()> {
    let found = world.stage.sandbox.variable(BACKUP, NAME, name);
    check(
        found.as_deref() == Some(value),
        &format!("variable {name} is {value}"),
        found.unwrap_or_else(|| "it is not there".to_owned()),
    )
}

fn held(world: &World) -> Result<()> {
    let active: Vec<String> = world
        .stage
        .sandbox
        .workflows(BACKUP, NAME)
        .into_iter()
        .filter(|workflow| workflow.state == WorkflowState::Active)
        .map(|workflow| workflow.path)
        .collect();
    check(active.is_empty(), "all workflows of the standby are held", format!("active: {}", active.join(", ")))
}

/// The changes of a mirror's last run, as `aspect name`, the fence left out.
async fn last_changes(world: &World, mirror: &str) -> Result<Vec<String>> {
    let runs = standin_json(&world.stage, &["history", "--mirror", mirror, "--limit", "1"]).await?;
    let id = runs[0]["id"].as_str().unwrap_or_default().to_owned();
    let run = standin_json(&world.stage, &["history", &id]).await?;
    let mut names: Vec<String> = run["changes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|change| change["action"] != "fence")
        .map(|change| format!("{} {}", change["aspect"].as_str().unwrap_or(""), change["name"].as_str().unwrap_or("")))
        .collect();
    names.sort();
    Ok(names)
}
