//! The end of the demo: the primary goes down, the sentinel makes the standby master, work goes on, the primary returns
//! and gets everything back.

use standin_core::Result;
use standin_core::state::config::SentinelSettings;

use super::story::{check, same_refs, step};
use super::world::World;
use crate::output::lines::print;
use crate::rehearsal::program::{git, standin, standin_json, standin_with};
use crate::rehearsal::{Cast, failed};

/// Tells it.
pub async fn tell(world: &World) -> Result<()> {
    let cast = world.cast();
    watched(world, &cast).await?;
    down(world, &cast).await?;
    let at_the_standby = work_goes_on(world, &cast).await?;
    let at_the_master = returned(world, &cast).await?;
    handed_back(world, &cast, &[at_the_standby, at_the_master]).await
}

async fn watched(world: &World, cast: &Cast<'_>) -> Result<()> {
    step("The sentinel: a workflow on the standby that watches the primary");
    print("  (its two tokens come on standard input; each is fine-grained and of its own owner)");
    let install = ["sentinel", "install", "--tokens", "--mirror", &cast.mirror];
    let ended = standin_with(&world.stage, &install, Some(&cast.sentinel_tokens())).await?;
    check(ended.status == 0, "the sentinel is installed", format!("the exit status is {}", ended.status))?;
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 0, "the sync brings it to the standby", format!("its exit status is {}", ended.status))?;
    cast.wake_sentinel();
    let checked = cast.check().await?;
    check(checked.verdict == "well", &format!("half an hour later it says: {}", checked.detail), &checked.verdict)
}

async fn down(world: &World, cast: &Cast<'_>) -> Result<()> {
    step("The primary goes down, and nobody is there to act");
    cast.take_down();
    let most = SentinelSettings::default().threshold;
    let took =
        cast.until_promoted(|count, checked| print(&format!("  check {count} of {most}: {}", checked.detail))).await?;
    let minutes = took.simulated.as_secs() / 60;
    check(
        took.checks == most,
        &format!("after {most} checks ({minutes} minutes on the sandbox's clock) the standby is TEMPORARY_MASTER"),
        format!("it took {}", took.checks),
    )?;
    let (active, expected) = (cast.active(&cast.standby), cast.active(&cast.master));
    check(
        !expected.is_empty() && active == expected,
        &format!("it runs what the primary ran: {} workflows", active.len()),
        active.join(", "),
    )?;
    standin(&world.stage, &["health", "--mirror", "source"]).await?;
    let report = standin_json(&world.stage, &["status"]).await?;
    check(
        report["master"] == cast.standby.to_string().as_str() && report["epoch"] == 2,
        "this machine has learned who is master",
        &report["master"],
    )
}

/// Gives the commit that was made at the standby.
async fn work_goes_on(world: &World, cast: &Cast<'_>) -> Result<String> {
    step("Work goes on at the standby, and the archive follows it");
    let commit = cast.commit(&cast.standby, "main", "NEWS.md", "Written while the primary was down.\n", "News").await?;
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 0, "the sync now goes from the standby", format!("its exit status is {}", ended.status))?;
    let tip = git(&world.stage, &world.archive(), &["rev-parse", "refs/heads/main"]).await?;
    check(tip == commit, "the archive has the standby's commit", tip)?;
    Ok(commit)
}

/// Gives the commit that the primary made of its own.
async fn returned(world: &World, cast: &Cast<'_>) -> Result<String> {
    step("The primary returns, with a commit that was never mirrored");
    let commit = cast.commit(&cast.master, "main", "LAST.md", "Pushed just before the outage.\n", "Last").await?;
    cast.bring_back();
    let ended = standin(&world.stage, &["health", "--mirror", "source"]).await?;
    check(
        ended.stdout.contains(&format!("standin demote {}", cast.mirror)),
        "the second observer says that it is well, and what to type",
        &ended.stdout,
    )?;
    Ok(commit)
}

async fn handed_back(world: &World, cast: &Cast<'_>, commits: &[String]) -> Result<()> {
    step("Handed back: both sides went on, so the standby's work comes home as a pull request");
    cast.end_runs();
    let mut tips = cast.tips(&cast.standby).await?;
    tips.extend(cast.tips(&cast.master).await?);
    let ended = standin(&world.stage, &["demote", &cast.mirror, "--yes"]).await?;
    check(ended.status == 0, "the hand-back is done", format!("its exit status is {}", ended.status))?;
    let lost = cast.lost(&tips).await?;
    check(lost.is_empty(), "every commit of both sides is on a branch or tag of the primary", lost.join(", "))?;
    let path = world.primary();
    for commit in commits {
        let names = ["for-each-ref", "--contains", commit, "--format=%(refname:short)", "refs/heads"];
        let names = git(&world.stage, &path, &names).await?;
        let name = names.lines().next().ok_or_else(|| failed("a commit was lost", commit))?;
        print(&format!("    {} is on {name}", &commit[..12.min(commit.len())]));
    }
    let roles = (cast.role(&cast.master), cast.role(&cast.standby));
    check(
        roles == ("MASTER".to_owned(), "SLAVE".to_owned()),
        "the primary is MASTER and the standby SLAVE",
        format!("they are {} and {}", roles.0, roles.1),
    )?;
    let running = cast.active(&cast.standby);
    check(running.is_empty(), "the standby's workflows are held again", running.join(", "))?;
    same_refs(world, &world.standby(), "the standby").await?;
    step("The archive, which had followed the standby, follows the primary again");
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 0, "the sync ends well", format!("its exit status is {}", ended.status))?;
    same_refs(world, &world.archive(), "the archive").await
}
