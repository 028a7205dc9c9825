//! The main job and a fail-over, told in steps against a sandbox, each run with the real program and checked at the
//! other side.
//!
//! Everything lives in one temporary folder: a primary with a clone, a standby on the sandbox's GitHub, an archive
//! in a bare git repository. Nothing outside it is read or written, the user's keychain and gh login included.

mod failover;
mod story;
mod world;

pub use world::{World, WorldOptions};

use std::path::Path;
use std::time::{Duration, Instant};

use standin_core::Result;

use crate::arguments::DemoArguments;
use crate::output::Exit;
use crate::output::lines::print;
use crate::rehearsal::{need_tools, program};
use crate::signals::unless_stopped;

/// `standin demo`
pub async fn demo(arguments: &DemoArguments) -> Result<Exit> {
    need_tools()?;
    let started = Instant::now();
    print("Standin's demo: a primary and two mirrors in a sandbox on this machine. It takes about half a minute.");
    let world = World::make(&WorldOptions { latency: Duration::from_millis(arguments.latency), data: None }).await?;
    let told = unless_stopped(story::tell(&world)).await;
    let shown = match (&told, &arguments.window) {
        (Ok(()), Some(window)) => show(&world, window).await,
        _ => Ok(()),
    };
    world.stage.stop().await;
    told?;
    shown?;
    print("");
    print(&format!("Demo passed in {:.1} s: every claim above was checked.", started.elapsed().as_secs_f64()));
    Ok(Exit::Well)
}

/// Leaves something to do, and opens the window.
async fn show(world: &World, window: &Path) -> Result<()> {
    world.catch_up().await?;
    world.stage.write("state/current.json", "{\"meta\": {\"updated_at_iso\": \"2026-02-07T06:00:00Z\"}}\n")?;
    world.commit("Tick in the window").await?;
    world.publish().await?;
    world.set_env("RESEND_API_KEY", "re_key_for_the_window")?;
    print("");
    print("A commit and a new secret wait at the primary: press Preview to see them, Sync All Now to send them.");
    program::window(&world.stage, window).await
}
