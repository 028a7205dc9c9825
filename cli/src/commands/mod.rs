//! The commands: each a few lines around one call of the engine.

mod around;
mod look;
mod roles;
mod sandbox;
mod secrets;
mod sentinel;
mod sync;
mod tokens;

use std::sync::Arc;

use standin_core::engine::{Engine, RoleGoal};
use standin_core::outside::Silent;
use standin_core::{Error, Result};

use crate::arguments::{Arguments, Command, Global};
use crate::output::{self, Exit};
use crate::{demo, start};

/// Runs one command and says how the program ends.
pub async fn run(arguments: Arguments) -> Exit {
    let Arguments { global, command } = arguments;
    let result = match command {
        Command::Status(arguments) => look::status(&global, &arguments),
        Command::Plan(arguments) => sync::plan(&global, &arguments.selection, false).await,
        Command::Sync(arguments) if arguments.dry_run => {
            sync::plan(&global, &sync::selection(&arguments), arguments.yes).await
        }
        Command::Sync(arguments) => sync::sync(&global, &arguments).await,
        Command::Resolve(arguments) => around::resolve(&global, &arguments).await,
        Command::Promote(arguments) => roles::change(&global, RoleGoal::Promote, &arguments).await,
        Command::Demote(arguments) => roles::change(&global, RoleGoal::Demote, &arguments).await,
        Command::Health(arguments) => look::health(&global, &arguments).await,
        Command::History(arguments) => look::history(&global, &arguments),
        Command::Rescue { command } => around::rescue(&global, &command).await,
        Command::Mirror { command } => around::mirror(&global, &command).await,
        Command::Token { command } => tokens::token(&global, &command).await,
        Command::Secret { command } => secrets::secret(&global, &command).await,
        Command::Sentinel { command } => sentinel::sentinel(&global, &command).await,
        Command::Sandbox(arguments) => sandbox::sandbox(&global, &arguments).await,
        Command::Demo(arguments) => demo::demo(&arguments).await,
    };
    result.unwrap_or_else(|error| output::error(&error, global.json))
}

fn quiet_engine(global: &Global) -> Result<Engine, Error> {
    start::engine(global, Arc::new(Silent))
}
