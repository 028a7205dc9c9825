//! Reading workflow states: of the mirror, and once for all mirrors of the source.

use std::collections::BTreeMap;

use standin_state::config::Source;
use standin_state::model::Aspect;

use super::is_file;
use crate::Result;
use crate::context::MirrorContext;
use crate::event::Notice;
use crate::github::{ActionsSettings, Workflow};

/// Workflow states as they are now.
#[derive(Clone, Debug, Default)]
pub struct States {
    /// The mirror's workflow files.
    pub mirror: Vec<Workflow>,
    /// What to know.
    pub notices: Vec<Notice>,
    /// The settings of Actions, where it was clear from the start that they would be needed.
    pub settings: Option<Result<ActionsSettings>>,
}

/// Reads the states: one list request; before the first push to a mirror, which nearly always brings workflow files, the
/// settings of Actions as well; and one of the source for all mirrors of a sync, whose states are remembered for
/// the day on which the mirror takes over.
///
/// # Errors
/// What keeps the mirror's list from being read. The source's list is not needed to hold a standby.
pub async fn read(ctx: &MirrorContext) -> Result<States> {
    let (slug, client) = ctx.github()?;
    let is_first = ctx.store().fence_memory(&ctx.repository().id, &ctx.mirror.id)?.is_none();
    let settings = async {
        if is_first && ctx.mirror.sync.contains(&Aspect::Code) {
            Some(client.actions_settings(slug).await)
        } else {
            None
        }
    };
    let (mirror, notices, settings) = tokio::join!(client.workflows(slug), remember_source(ctx), settings);
    let mirror =
        mirror?.into_iter().filter(|workflow| is_file(&workflow.path) && !workflow.state.is_deleted()).collect();
    Ok(States { mirror, notices: notices?, settings })
}

async fn remember_source(ctx: &MirrorContext) -> Result<Vec<Notice>> {
    let (Source::GitHub(slug), Some(client)) = (&ctx.repository().source, &ctx.source.github) else {
        return Ok(Vec::new());
    };
    let workflows = match client.source_workflows(slug).await {
        Ok(workflows) => workflows,
        Err(error) => {
            return Ok(vec![Notice {
                message: format!("the workflow states of the source are not known: {}", error.message),
                hint: error.advice(),
            }]);
        }
    };
    let states: BTreeMap<String, String> = workflows
        .iter()
        .filter(|workflow| is_file(&workflow.path) && !workflow.state.is_deleted())
        .map(|workflow| (workflow.path.clone(), workflow.state.to_string()))
        .collect();
    if ctx.store().source_workflows(&ctx.repository().id)? != states {
        ctx.store().set_source_workflows(&ctx.repository().id, &states)?;
    }
    Ok(Vec::new())
}
