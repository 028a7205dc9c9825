//! Opening the engine for the command line.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use standin_core::engine::Engine;
use standin_core::gh::TokioGh;
use standin_core::keychain::{Manner, OsKeychain};
use standin_core::outside::{Outside, Progress, SystemClock};
use standin_core::start::{self, StartOptions};
use standin_core::{Code, Error, Result};

use crate::arguments::Global;
use crate::output::lines;

/// Opens the engine as the global options and the environment say. Notices about the configuration go to standard
/// error, so that standard output stays what was asked for.
pub fn engine(global: &Global, progress: Arc<dyn Progress>) -> Result<Engine> {
    let environment = start::environment();
    let outside = Outside {
        gh: Arc::new(TokioGh::new(environment.clone())),
        keychain: Arc::new(OsKeychain::new(manner(), &environment)),
        progress,
        clock: Arc::new(SystemClock),
        credential_helper: this_program()?,
        environment,
    };
    let (engine, notices) = start::open(&options(global), "cli", outside)?;
    for notice in notices {
        lines::complain(&format!("note: {}", notice.message));
        if !notice.hint.is_empty() {
            lines::complain(&format!("      {}", notice.hint));
        }
    }
    Ok(engine)
}

/// What the global options say.
pub fn options(global: &Global) -> StartOptions {
    StartOptions {
        repo: global.repo.clone(),
        config: global.config.clone(),
        state_dir: global.state_dir.clone(),
        repository: global.repository.clone(),
    }
}

/// On a terminal somebody can answer the keychain; cron, services and scripts without one wait for nobody.
fn manner() -> Manner {
    if std::io::stdin().is_terminal() || std::io::stderr().is_terminal() { Manner::MayAsk } else { Manner::Quiet }
}

/// The path of this program, which git starts again as its credential helper.
pub fn this_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| {
        Error::new(Code::Storage, format!("this program cannot find itself: {error}"), "Start it by its full path.")
    })
}

/// Diagnostics for developers on standard error, off unless `STANDIN_LOG` asks (`STANDIN_LOG=standin_core=debug`).
pub fn log() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("STANDIN_LOG") {
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .log_internal_errors(false)
            .init();
    }
}
