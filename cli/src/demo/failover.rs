//! The end of the demo: the primary goes down, the sentinel makes the standby master, work goes on, the primary returns
//! and gets everything back.

use standin_core::Result;
use standin_core::state::config::SentinelSettings;

use super::story::{check, same_refs, step};
use super::world::World;
use crate::output::lines::print;
use crate::rehearsal::program::{git, standin, standin_json, standin_with};
use crate::rehearsal::{Pair, failed};

/// Tells it.
pub async fn tell(world: &World) -> Result<()> {
    let pair = world.pair();
    watched(world, &pair).await?;
    down(world, &pair).await?;
    let at_the_standby = work_goes_on(world, &pair).await?;
    let at_the_master = returned(world, &pair).await?;
    handed_back(world, &pair, &[at_the_standby, at_the_master]).await
}

async fn watched(world: &World, pair: &Pair<'_>) -> Result<()> {
    step("The sentinel: a workflow on the standby that watches the primary");
    print("  (its two tokens come on standard input; each is fine-grained and of its own owner)");
    let install = ["sentinel", "install", "--tokens", "--mirror", &pair.mirror];
    let ended = standin_with(&world.stage, &install, Some(&pair.sentinel_tokens())).await?;
    check(ended.status == 0, "the sentinel is installed", format!("the exit status is {}", ended.status))?;
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 0, "the sync brings it to the standby", format!("its exit status is {}", ended.status))?;
    pair.wake_sentinel();
    let checked = pair.check().await?;
    check(checked.verdict == "well", &format!("half an hour later it says: {}", checked.detail), &checked.verdict)
}

async fn down(world: &World, pair: &Pair<'_>) -> Result<()> {
    step("The primary goes down, and nobody is there to act");
    pair.take_down();
    let most = SentinelSettings::default().threshold;
    let took =
        pair.until_promoted(|count, checked| print(&format!("  check {count} of {most}: {}", checked.detail))).await?;
    let minutes = took.simulated.as_secs() / 60;
    check(
        took.checks == most,
        &format!("after {most} checks ({minutes} minutes on the sandbox's clock) the standby is TEMPORARY_MASTER"),
        format!("it took {}", took.checks),
    )?;
    let (active, expected) = (pair.active(&pair.standby), pair.active(&pair.master));
    check(
        !expected.is_empty() && active == expected,
        &format!("it runs what the primary ran: {} workflows", active.len()),
        active.join(", "),
    )?;
    standin(&world.stage, &["health", "--mirror", "source"]).await?;
    let report = standin_json(&world.stage, &["status"]).await?;
    check(
        report["master"] == pair.standby.to_string().as_str() && report["epoch"] == 2,
        "this machine has learned who is master",
        &report["master"],
    )
}

/// Gives the commit that was made at the standby.
async fn work_goes_on(world: &World, pair: &Pair<'_>) -> Result<String> {
    step("Work goes on at the standby, and the archive follows it");
    let commit = pair.commit(&pair.standby, "main", "NEWS.md", "Written while the primary was down.\n", "News").await?;
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 0, "the sync now goes from the standby", format!("its exit status is {}", ended.status))?;
    let tip = git(&world.stage, &world.archive(), &["rev-parse", "refs/heads/main"]).await?;
    check(tip == commit, "the archive has the standby's commit", tip)?;
    Ok(commit)
}

/// Gives the commit that the primary made of its own.
async fn returned(world: &World, pair: &Pair<'_>) -> Result<String> {
    step("The primary returns, with a commit that was never mirrored");
    let commit = pair.commit(&pair.master, "main", "LAST.md", "Pushed just before the outage.\n", "Last").await?;
    pair.bring_back();
    let ended = standin(&world.stage, &["health", "--mirror", "source"]).await?;
    check(
        ended.stdout.contains(&format!("standin demote {}", pair.mirror)),
        "the second observer says that it is well, and what to type",
        &ended.stdout,
    )?;
    Ok(commit)
}

async fn handed_back(world: &World, pair: &Pair<'_>, commits: &[String]) -> Result<()> {
    step("Handed back: both sides went on, so the standby's work comes home as a pull request");
    pair.end_runs();
    let mut tips = pair.tips(&pair.standby).await?;
    tips.extend(pair.tips(&pair.master).await?);
    let ended = standin(&world.stage, &["demote", &pair.mirror, "--yes"]).await?;
    check(ended.status == 0, "the hand-back is done", format!("its exit status is {}", ended.status))?;
    let lost = pair.lost(&tips).await?;
    check(lost.is_empty(), "every commit of both sides is on a branch or tag of the primary", lost.join(", "))?;
    let path = world.primary();
    for commit in commits {
        let names = ["for-each-ref", "--contains", commit, "--format=%(refname:short)", "refs/heads"];
        let names = git(&world.stage, &path, &names).await?;
        let name = names.lines().next().ok_or_else(|| failed("a commit was lost", commit))?;
        print(&format!("    {} is on {name}", &commit[..12.min(commit.len())]));
    }
    let roles = (pair.role(&pair.master), pair.role(&pair.standby));
    check(
        roles == ("MASTER".to_owned(), "SLAVE".to_owned()),
        "the primary is MASTER and the standby SLAVE",
        format!("they are {} and {}", roles.0, roles.1),
    )?;
    let running = pair.active(&pair.standby);
    check(running.is_empty(), "the standby's workflows are held again", running.join(", "))?;
    same_refs(world, &world.standby(), "the standby").await?;
    step("The archive, which had followed the standby, follows the primary again");
    let ended = standin(&world.stage, &["sync"]).await?;
    check(ended.status == 0, "the sync ends well", format!("its exit status is {}", ended.status))?;
    same_refs(world, &world.archive(), "the archive").await
}
