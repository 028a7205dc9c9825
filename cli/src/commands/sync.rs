//! `plan` and `sync`.

use std::collections::BTreeSet;

use standin_core::Result;
use standin_core::engine::{Engine, SyncRequest};
use standin_core::state::model::{Aspect, MirrorId};

use super::{consent, quiet_engine};
use crate::arguments::{Global, Selection, SyncArguments};
use crate::output::{self, Exit, lines, live, plan as plan_text};
use crate::signals::stop_asked;

/// The selection with the short forms (`--code-only` …) worked in.
pub fn selection(arguments: &SyncArguments) -> Selection {
    let short = [
        (arguments.code_only, Aspect::Code),
        (arguments.secrets_only, Aspect::Secrets),
        (arguments.vars_only, Aspect::Variables),
        (arguments.workflows_only, Aspect::Workflows),
    ];
    let only = short.iter().find(|(chosen, _)| *chosen).map(|(_, aspect)| *aspect);
    Selection {
        mirrors: arguments.selection.mirrors.clone(),
        only: only.map_or_else(|| arguments.selection.only.clone(), |aspect| vec![aspect]),
    }
}

fn request(selection: &Selection, yes: bool) -> SyncRequest {
    let aspects: BTreeSet<Aspect> = selection.only.iter().copied().collect();
    SyncRequest {
        mirrors: selection.mirrors.clone(),
        aspects: (!aspects.is_empty()).then_some(aspects),
        yes,
        ..SyncRequest::default()
    }
}

/// `standin plan`, `standin sync --dry-run`
pub async fn plan(global: &Global, selection: &Selection, yes: bool) -> Result<Exit> {
    let engine = quiet_engine(global)?;
    let plans = engine.plan(&request(selection, yes)).await?;
    if global.json {
        let values: Vec<serde_json::Value> = plans
            .iter()
            .map(|(mirror, plan)| match plan {
                Ok(plan) => serde_json::json!({ "mirror": mirror, "plan": plan }),
                Err(error) => serde_json::json!({ "mirror": mirror, "error": error }),
            })
            .collect();
        output::json(&values);
    } else {
        for (mirror, plan) in &plans {
            match plan {
                Ok(plan) => plan_text::lines(plan).iter().for_each(|line| lines::print(line)),
                Err(error) => {
                    lines::print(&format!("[{mirror}] ❌ {}", error.message));
                    lines::print(&format!("     → {}", error.hint));
                }
            }
        }
    }
    Ok(plans.iter().map(|(_, plan)| exit_of_plan(plan)).max().unwrap_or(Exit::Well))
}

fn exit_of_plan(plan: &Result<standin_core::plan::Plan>) -> Exit {
    match plan {
        Err(error) => Exit::of_error(error),
        Ok(plan) if plan.failures().next().is_some() => Exit::Failed,
        Ok(plan) if plan.needs_decision() => Exit::Decision,
        Ok(_) => Exit::Well,
    }
}

/// `standin sync`
pub async fn sync(global: &Global, arguments: &SyncArguments) -> Result<Exit> {
    let engine = consent::engine(global, live::listener(global.json))?;
    let request = SyncRequest {
        wait: !arguments.no_wait,
        job: arguments.job.clone(),
        ..request(&selection(arguments), arguments.yes)
    };
    follow(&engine, request).await
}

/// Starts a sync and waits for its end; Ctrl-C or SIGTERM stops it at the next safe point.
pub async fn follow(engine: &Engine, request: SyncRequest) -> Result<Exit> {
    let job = engine.sync(request)?;
    let id = job.id.clone();
    let finished = job.finished();
    tokio::pin!(finished);
    loop {
        tokio::select! {
            outcome = &mut finished => return Ok(Exit::of_sync(&outcome)),
            signal = stop_asked() => {
                if signal.is_ok() && engine.cancel(&id) {
                    lines::complain("stopping: what was begun is left in order first");
                }
            }
        }
    }
}

/// Syncs one mirror's code, after a decision about one of its refs.
pub async fn sync_code(engine: &Engine, mirror: &MirrorId) -> Result<Exit> {
    let request =
        SyncRequest { mirrors: vec![mirror.clone()], aspects: Some([Aspect::Code].into()), ..SyncRequest::default() };
    follow(engine, request).await
}
