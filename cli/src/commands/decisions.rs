//! `resolve`, `rescue`: what a person decides.

use jiff::Timestamp;
use standin_core::Result;
use standin_core::state::store::DecisionChoice;

use super::{consent, looking_engine, quiet_engine, sync};
use crate::arguments::{Global, RescueCommand, ResolveArguments};
use crate::output::{self, Exit, lines, live, tables};
use crate::signals::unless_stopped;

/// `standin resolve`: decides, and for `overwrite` syncs at once.
pub async fn resolve(global: &Global, arguments: &ResolveArguments) -> Result<Exit> {
    let engine = consent::engine(global, live::listener(global.json))?;
    let choice = DecisionChoice::from(arguments.choice);
    let resolved =
        unless_stopped(engine.resolve(None, &arguments.mirror, &(&arguments.ref_name).into(), choice)).await?;
    if global.json {
        output::json_line(&resolved);
    } else {
        lines::print(&format!("[{}] {}", arguments.mirror, resolved.detail));
    }
    match choice {
        DecisionChoice::Overwrite if resolved.needs_sync => sync::sync_code(&engine, &arguments.mirror).await,
        DecisionChoice::Overwrite | DecisionChoice::Take | DecisionChoice::Leave => Ok(Exit::Well),
    }
}

/// `standin rescue`
pub async fn rescue(global: &Global, command: &RescueCommand) -> Result<Exit> {
    let engine = match command {
        RescueCommand::List { .. } => looking_engine(global)?,
        RescueCommand::Restore { .. } | RescueCommand::Drop { .. } => quiet_engine(global)?,
    };
    match command {
        RescueCommand::List { mirror } => {
            let repository = engine.configured(None)?;
            let rescues = engine.rescues(Some(&repository.id), mirror.as_ref())?;
            if global.json {
                return Ok(output::json(&rescues));
            }
            tables::rescues(&rescues, Timestamp::now()).iter().for_each(|line| lines::print(line));
        }
        RescueCommand::Restore { id, mirror, to } => {
            let restored = engine.rescue_restore(id, mirror.as_ref(), to.as_ref()).await?;
            if global.json {
                return Ok(output::json(&restored));
            }
            lines::print(&format!("{} is {} again", restored.name, restored.oid));
        }
        RescueCommand::Drop { id, yes } => {
            let rescue = engine.rescue_drop(id, *yes).await?;
            if global.json {
                return Ok(output::json(&rescue));
            }
            lines::print(&format!("dropped {id}: {} {}", rescue.ref_name, rescue.oid));
        }
    }
    Ok(Exit::Well)
}
