//! `watch`: working by itself without a window. `schedule`: what is due, paused and resumed.

use jiff::Timestamp;
use standin_core::Result;
use standin_core::watch::{self, Calls, Keeping};

use super::looking_engine;
use crate::arguments::{Global, PauseLength, ScheduleCommand, WatchArguments};
use crate::output::{self, Exit, lines, live, tables};
use crate::signals::{reload_asked, stop_asked};
use crate::start;

/// `standin watch`: until Ctrl-C or SIGTERM; SIGHUP reads the configuration again.
pub async fn watch(global: &Global, arguments: WatchArguments) -> Result<Exit> {
    let engine = start::engine(global, live::listener(global.json))?;
    let reports = engine.status(None)?;
    if reports.is_empty() {
        lines::complain("no repository is configured: there is nothing to keep in step");
        lines::complain(
            "  fix: Write one into standin.toml, or start in a clone whose `.env` names a mirror; it is read again at once.",
        );
    }
    for report in reports {
        // What waits, or has mistakes, is left out until that is mended: nobody would see it otherwise.
        let waits =
            report.consent.as_ref().map(|question| (&question.title, "Look at it and allow it: `standin allow`."));
        let broken = report.error.as_ref().map(|error| (&error.message, "Correct it; it is read again at once."));
        for (message, hint) in waits.into_iter().chain(broken) {
            lines::complain(&format!("{}: {message}", report.repository));
            lines::complain(&format!("  fix: {hint}"));
        }
    }
    let WatchArguments { listen, metrics } = arguments;
    let calls = Calls::default();
    let signals = tokio::spawn(heard(calls.clone()));
    let kept = watch::keep(&engine, Keeping { listen, metrics, ..Keeping::default() }, &calls).await;
    signals.abort();
    kept.map(|()| Exit::Well)
}

/// Hears signals until the first that asks to stop.
async fn heard(calls: Calls) {
    loop {
        tokio::select! {
            asked = stop_asked() => {
                if asked.is_ok() {
                    lines::complain("stopping: what was begun is left in order first");
                }
                calls.stop.cancel();
                return;
            }
            Ok(()) = reload_asked() => calls.reload.notify_one(),
        }
    }
}

/// `standin schedule`
pub fn schedule(global: &Global, command: Option<&ScheduleCommand>) -> Result<Exit> {
    let engine = looking_engine(global)?;
    match command {
        None | Some(ScheduleCommand::Show) => {
            let report = engine.schedule()?;
            if global.json {
                return Ok(output::json(&report));
            }
            tables::schedule(&report, Timestamp::now()).iter().for_each(|line| lines::print(line));
        }
        Some(ScheduleCommand::Pause { length }) => {
            let length = match length {
                PauseLength::UntilResumed => None,
                PauseLength::For(length) => Some(*length),
            };
            let pause = engine.schedule_pause(length)?;
            if global.json {
                return Ok(output::json(&pause));
            }
            let until =
                pause.until_iso.map_or_else(|| "until it is resumed".to_owned(), |until| format!("until {until:.0}"));
            lines::print(&format!("Nothing is synced by itself {until}. `standin sync` works as ever."));
        }
        Some(ScheduleCommand::Resume) => {
            let was_paused = engine.schedule_resume()?;
            if global.json {
                return Ok(output::json(&serde_json::json!({ "was_paused": was_paused })));
            }
            lines::print(if was_paused { "The schedule goes on." } else { "It was not paused." });
        }
    }
    Ok(Exit::Well)
}
