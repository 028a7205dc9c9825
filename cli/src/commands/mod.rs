//! The commands: each a few lines around one call of the engine.

mod background;
mod consent;
mod decisions;
mod generate;
mod hook;
mod import;
mod look;
mod mirror_add;
mod mirror_edit;
mod mirror_remove;
mod mirrors;
mod notify;
mod roles;
#[cfg(unix)]
mod sandbox;
mod secrets;
mod sentinel;
mod service;
mod sync;
mod tokens;
mod typed;
mod watch;
mod webhook;

use std::sync::Arc;

use standin_core::engine::{Engine, RoleGoal};
use standin_core::outside::Silent;
use standin_core::{Error, Result};

use crate::arguments::{Arguments, Command, Global};
#[cfg(unix)]
use crate::demo;
use crate::drill;
use crate::output::{self, Exit};
use crate::signals::unless_stopped;
use crate::start;

/// Runs one command and says how the program ends.
pub async fn run(arguments: Arguments) -> Exit {
    let Arguments { global, command } = arguments;
    let result = match command {
        Command::Status(arguments) => look::status(&global, &arguments),
        Command::Allow(arguments) => consent::allow(&global, &arguments),
        Command::Deny => consent::deny(&global),
        Command::Plan(arguments) => unless_stopped(sync::plan(&global, &arguments.selection, false)).await,
        Command::Sync(arguments) if arguments.dry_run => {
            unless_stopped(sync::plan(&global, &sync::selection(&arguments), arguments.yes)).await
        }
        Command::Sync(arguments) if arguments.background => unless_stopped(background::sync(&global, &arguments)).await,
        Command::Sync(arguments) => sync::sync(&global, &arguments).await,
        Command::Import(arguments) => import::import(&global, &arguments).await,
        Command::Resolve(arguments) => decisions::resolve(&global, &arguments).await,
        Command::Promote(arguments) => roles::change(&global, RoleGoal::Promote, &arguments).await,
        Command::Demote(arguments) => roles::change(&global, RoleGoal::Demote, &arguments).await,
        Command::Watch(arguments) => watch::watch(&global, arguments).await,
        Command::Schedule { command } => watch::schedule(&global, command.as_ref()),
        Command::Health(arguments) => unless_stopped(look::health(&global, &arguments)).await,
        Command::History(arguments) => look::history(&global, &arguments),
        Command::Rescue { command } => unless_stopped(decisions::rescue(&global, &command)).await,
        Command::Mirror { command } => unless_stopped(mirrors::mirror(&global, &command)).await,
        Command::Token { command } => unless_stopped(tokens::token(&global, &command)).await,
        Command::Secret { command } => unless_stopped(secrets::secret(&global, &command)).await,
        Command::Notify { command } => unless_stopped(notify::notify(&global, &command)).await,
        Command::Sentinel { command } => unless_stopped(sentinel::sentinel(&global, &command)).await,
        Command::Hook { command } => unless_stopped(hook::hook(&global, &command)).await,
        Command::Webhook { command } => unless_stopped(webhook::webhook(&global, &command)).await,
        Command::Service { command } => unless_stopped(service::service(&global, &command)).await,
        Command::Generate(arguments) => generate::generate(&arguments),
        Command::Drill(arguments) => unless_stopped(drill::drill(&global, &arguments)).await,
        #[cfg(unix)]
        Command::Sandbox(arguments) => sandbox::sandbox(&global, &arguments).await,
        #[cfg(unix)]
        Command::Demo(arguments) => demo::demo(&arguments).await,
        #[cfg(not(unix))]
        Command::Sandbox(_) | Command::Demo(_) => Err(Error::new(
            standin_core::Code::Usage,
            "the sandbox, and with it the demo, needs Linux or macOS",
            "Run it there, or in the Windows Subsystem for Linux. All other commands work here.",
        )),
    };
    result.unwrap_or_else(|error| output::error(&error, global.json))
}

/// An engine for a command that only shows what is remembered.
fn looking_engine(global: &Global) -> Result<Engine, Error> {
    start::engine(global, Arc::new(Silent))
}

/// An engine for a command that reads or writes something outside.
pub(crate) fn quiet_engine(global: &Global) -> Result<Engine, Error> {
    consent::engine(global, Arc::new(Silent))
}
