//! `promote` and `demote`.

use standin_core::engine::{Engine, OpenChangeChoice, RoleGoal, RoleOutcome, RoleRequest};
use standin_core::event::RoleChangeEnd;
use standin_core::{Code, Error, Result};
use tokio_util::sync::CancellationToken;

use crate::arguments::{Global, RoleArguments};
use crate::output::{self, Exit, ask, lines, live, roles as words};
use crate::signals::stop_asked;

/// `standin promote`, `standin demote`
pub async fn change(global: &Global, goal: RoleGoal, arguments: &RoleArguments) -> Result<Exit> {
    // A preview is one document, as a plan is.
    let engine = match arguments.dry_run && global.json {
        true => super::quiet_engine(global)?,
        false => super::consent::engine(global, live::listener(global.json))?,
    };
    let cancel = when_stop_is_asked();
    let mirror = &arguments.mirror;
    let choice = match (arguments.resume, arguments.rollback) {
        (true, _) => Some(OpenChangeChoice::Resume),
        (_, true) => Some(OpenChangeChoice::Rollback),
        _ => None,
    };
    if let Some(choice) = choice {
        return Ok(told(global, &engine.end_change(None, mirror, choice, cancel).await?));
    }
    let request =
        RoleRequest { repository: None, mirror: mirror.clone(), goal, gone: arguments.gone, yes: arguments.yes };
    if arguments.dry_run || !arguments.yes {
        let plan = engine.role_plan(&request).await?;
        let is_fit = plan.blockers.is_empty();
        if global.json && arguments.dry_run {
            output::json(&plan);
        } else if !global.json {
            words::plan(&plan).iter().for_each(|line| lines::print(line));
        }
        if arguments.dry_run {
            return Ok(plan.blockers.first().map_or(Exit::Well, Exit::of_error));
        }
        if is_fit && !confirmed(global, goal, arguments)? {
            return Err(Error::new(
                Code::GuardHeld,
                "nothing was changed: the change of master waits for a yes",
                "Look at the plan above, then say it again with `--yes`.",
            ));
        }
    }
    run(global, &engine, &request, cancel).await
}

async fn run(global: &Global, engine: &Engine, request: &RoleRequest, cancel: CancellationToken) -> Result<Exit> {
    Ok(told(global, &engine.change_role(request, cancel).await?))
}

/// Asks on a terminal; without one, only `--yes` is a yes.
fn confirmed(global: &Global, goal: RoleGoal, arguments: &RoleArguments) -> Result<bool> {
    if !ask::can_ask(&std::io::stdout(), global.json) {
        return Ok(false);
    }
    let verb = match goal {
        RoleGoal::Promote => "Promote",
        RoleGoal::Demote => "Demote",
    };
    ask::yes(std::io::stdout(), &format!("{verb} {} now?", arguments.mirror), "Use `--yes`.")
}

fn told(global: &Global, outcome: &RoleOutcome) -> Exit {
    if global.json {
        if let Ok(line) = serde_json::to_string(outcome) {
            lines::print_json(&line);
        }
    } else {
        words::outcome(outcome).iter().for_each(|line| lines::print(line));
    }
    match outcome.end {
        RoleChangeEnd::Done => Exit::Well,
        RoleChangeEnd::RolledBack if outcome.error.is_none() => Exit::Well,
        RoleChangeEnd::RolledBack | RoleChangeEnd::Open => Exit::Failed,
    }
}

/// Ctrl-C or SIGTERM stops the change between two steps, where every machine can see how far it has come.
fn when_stop_is_asked() -> CancellationToken {
    let cancel = CancellationToken::new();
    let heard = cancel.clone();
    tokio::spawn(async move {
        if stop_asked().await.is_ok() {
            lines::complain("stopping: the change stays open, and can be resumed or rolled back");
            heard.cancel();
        }
    });
    cancel
}
