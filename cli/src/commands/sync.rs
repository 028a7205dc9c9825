//! `plan` and `sync`.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use standin_core::engine::{Engine, SyncRequest};
use standin_core::plan::Plan;
use standin_core::state::model::{Aspect, MirrorId};
use standin_core::{Code, Error, Result};

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
                    lines::print(&format!("     → {}", error.advice()));
                }
            }
        }
    }
    Ok(plans.iter().map(|(_, plan)| exit_of_plan(plan)).max().unwrap_or(Exit::Well))
}

fn exit_of_plan(plan: &Result<Plan>) -> Exit {
    match plan {
        Err(error) => Exit::of_error(error),
        Ok(plan) if plan.failures().next().is_some() => Exit::Failed,
        Ok(plan) if plan.waiting().next().is_some() => Exit::Decision,
        Ok(_) => Exit::Well,
    }
}

/// `standin sync`
pub async fn sync(global: &Global, arguments: &SyncArguments) -> Result<Exit> {
    let engine = consent::engine(global, live::listener(global.json))?;
    let request = match &arguments.plan {
        Some(file) => planned(&engine, file, arguments.yes)?,
        None => request(&selection(arguments), arguments.yes),
    };
    follow(
        &engine,
        SyncRequest { wait: !arguments.no_wait, force: arguments.force, job: arguments.job.clone(), ..request },
    )
    .await
}

/// What a file of `standin plan --json` holds for one mirror.
#[derive(Deserialize)]
struct Planned {
    mirror: MirrorId,
    plan: Option<Plan>,
}

/// The request that carries out what a file of plans holds.
fn planned(engine: &Engine, file: &Path, yes: bool) -> Result<SyncRequest> {
    let shown = if file == Path::new("-") { "standard input".to_owned() } else { format!("`{}`", file.display()) };
    let refused =
        |what: String| Error::new(Code::Usage, what, "Make it anew with `standin plan --json`, written to a file.");
    let text = match file == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin()),
        false => std::fs::read_to_string(file),
    };
    let text = text.map_err(|error| refused(format!("cannot read the plan in {shown}: {error}")))?;
    let plans: Vec<Planned> = serde_json::from_str(&text)
        .map_err(|error| refused(format!("{shown} is not what `standin plan --json` writes: {error}")))?;
    let mut request = SyncRequest { yes, aspects: Some(BTreeSet::new()), ..SyncRequest::default() };
    for Planned { mirror, plan } in plans {
        let Some(plan) = plan else {
            return Err(refused(format!(
                "the plan of {mirror} in {shown} could not be made, so there is nothing to do"
            )));
        };
        let aspects: BTreeSet<Aspect> = plan.sections.iter().map(|section| section.aspect).collect();
        request.aspects.get_or_insert_default().extend(aspects);
        let seal = engine.seal_of(&plan)?;
        if mirror != plan.mirror || request.repository.as_ref().is_some_and(|known| *known != plan.repository) {
            return Err(refused(format!("{shown} puts the plan of {} in the place of another", plan.mirror)));
        }
        request.seals.insert(mirror.clone(), seal);
        request.repository = Some(plan.repository);
        request.mirrors.push(mirror);
    }
    if request.mirrors.is_empty() {
        return Err(refused(format!("{shown} holds no plan")));
    }
    Ok(request)
}

/// Starts a sync and waits for its end; Ctrl-C or SIGTERM stops it at the next safe point.
pub async fn follow(engine: &Engine, request: SyncRequest) -> Result<Exit> {
    let job = engine.sync(request)?;
    let id = job.job.id.clone();
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
