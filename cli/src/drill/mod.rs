//! `drill`: the user's own configuration rehearsed in the sandbox, or the real thing looked at without changing it.
//!
//! | file | what lives there |
//! |---|---|
//! | `build` | the rehearsal's world: repositories shaped like the configuration, with its code and made-up values |
//! | `play` | the story: in step, down, taken over, worked on, back, handed back, compared |
//! | `words` | how both look |

#[cfg(unix)]
mod build;
#[cfg(unix)]
mod play;
#[cfg_attr(not(unix), allow(dead_code))]
mod words;

use standin_core::Result;
use standin_core::engine::Engine;

use crate::arguments::{DrillArguments, Global};
use crate::commands::quiet_engine;
use crate::output::{self, Exit, lines};

/// `standin drill`
pub async fn drill(global: &Global, arguments: &DrillArguments) -> Result<Exit> {
    let engine = quiet_engine(global)?;
    if arguments.check {
        return check(global, &engine).await;
    }
    if arguments.list {
        return list(global, &engine);
    }
    rehearse(global, arguments, &engine).await
}

async fn check(global: &Global, engine: &Engine) -> Result<Exit> {
    let ready = engine.drill_check(None).await?;
    if global.json {
        output::json(&ready);
    } else {
        words::readiness(&ready).iter().for_each(|line| lines::print(line));
    }
    Ok(if ready.ready { Exit::Well } else { Exit::Failed })
}

fn list(global: &Global, engine: &Engine) -> Result<Exit> {
    let drills = engine.drills(None)?;
    if global.json {
        return Ok(output::json(&drills));
    }
    words::drills(&drills).iter().for_each(|line| lines::print(line));
    Ok(Exit::Well)
}

#[cfg(unix)]
async fn rehearse(global: &Global, arguments: &DrillArguments, engine: &Engine) -> Result<Exit> {
    crate::rehearsal::need_tools()?;
    let setup = engine.drill_setup(None, arguments.mirror.as_ref())?;
    if !global.json {
        words::beginning(&setup).iter().for_each(|line| lines::print(line));
    }
    let report = play::play(&setup, |phase| {
        if !global.json {
            words::phase(phase).iter().for_each(|line| lines::print(line));
        }
    })
    .await;
    engine.keep_drill(&report)?;
    if global.json {
        output::json(&report);
    } else {
        words::end(&report).iter().for_each(|line| lines::print(line));
    }
    Ok(if report.passed { Exit::Well } else { Exit::Failed })
}

#[cfg(not(unix))]
async fn rehearse(_: &Global, _: &DrillArguments, _: &Engine) -> Result<Exit> {
    Err(standin_core::Error::new(
        standin_core::Code::Usage,
        "a drill is played in the sandbox, which needs Linux or macOS",
        "Run it there, or in the Windows Subsystem for Linux. `standin drill --check` works here.",
    ))
}
