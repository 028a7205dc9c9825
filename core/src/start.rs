//! How a program starts an engine: folders of the operating system, who acts, the real outside.
//!
//! Called by the adapters only; the rest of this crate is told where things are.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use standin_state::config::{self, Consents, Import, Imported, LoadRequest};
use standin_state::model::{JobId, RepositoryId};
use standin_state::private;

use crate::engine::{Engine, EngineOptions};
use crate::event::Notice;
use crate::outside::{Outside, person};
use crate::{Code, Error, Result};

/// What a user may say at the start of any of Standin's programs.
#[derive(Clone, Debug, Default)]
pub struct StartOptions {
    /// `--repo`
    pub repo: Option<PathBuf>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--state-dir`
    pub state_dir: Option<PathBuf>,
    /// `--repository`
    pub repository: Option<RepositoryId>,
}

/// What a thread of the program may put on its stack. A change of master waits for much inside of much, and each wait has its
/// place there: with what threads have by themselves the last of it did not fit in a build without optimisation.
const STACK: usize = 16 * 1024 * 1024;

/// What everything of the program runs on.
///
/// # Errors
/// What the operating system says when it gives no threads.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK).build()
}

/// Opens an engine as the options, the environment and the operating system say. `face` names the program in the
/// audit trail: `cli`, `desktop`.
///
/// # Errors
/// As [`Engine::open`], and [`Code::Usage`] when the operating system names no folders.
pub fn open(options: &StartOptions, face: &str, outside: Outside) -> Result<(Engine, Vec<Notice>)> {
    let (state_dir, load) = prepare(options, &outside.environment)?;
    Engine::open(EngineOptions {
        state_dir,
        load,
        actor: format!("{} ({face})", person(&outside.environment)),
        outside,
    })
}

/// Where the memory is and where the configuration is read from.
///
/// # Errors
/// [`Code::Usage`] when the operating system names no folders, or HOME is no whole path.
pub fn prepare(options: &StartOptions, environment: &BTreeMap<String, String>) -> Result<(PathBuf, LoadRequest)> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // What lies in the current folder may be somebody else's; git and gh would take it for the user's own too.
    if let Some(home) = variable("HOME").filter(|home| !home.is_absolute()) {
        return Err(Error::new(
            Code::Usage,
            format!("HOME is `{}`, which is no whole path", home.display()),
            "Set it to the whole path of your home folder, beginning with `/`.",
        ));
    }
    let state_dir = options
        .state_dir
        .clone()
        .or_else(|| variable("STANDIN_STATE_DIR"))
        .or_else(|| dirs::data_dir().map(|folder| folder.join("standin")))
        .ok_or_else(|| no_folder("data", "--state-dir"))?;
    let default_config_dir = dirs::config_dir().map(|folder| folder.join("standin"));
    let current_dir = std::env::current_dir().map_err(|error| {
        Error::new(Code::Usage, format!("the current folder cannot be used: {error}"), "Start from another folder.")
    })?;
    let load = LoadRequest {
        environment: environment.clone(),
        repo: options.repo.clone(),
        config_file: options.config.clone().or_else(|| variable("STANDIN_CONFIG")),
        current_dir: current_dir.clone(),
        default_config_dir: default_config_dir.ok_or_else(|| no_folder("configuration", "--config"))?,
        repository: options.repository.clone(),
        instead: None,
    };
    Ok((current_dir.join(state_dir), load))
}

/// Writes an upstream into the configuration that the options and the environment name. Nothing is fetched yet.
///
/// # Errors
/// As [`config::import`], and [`Code::Usage`] when the operating system names no folders.
pub fn import(options: &StartOptions, environment: &BTreeMap<String, String>, import: &Import) -> Result<Imported> {
    let (_, load) = prepare(options, environment)?;
    config::import(&load, &Consents::new(), import)
}

/// How long what a job said is kept.
const LOGS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The file that a job writes what it says to, in the state folder; old ones are removed.
///
/// # Errors
/// [`Code::Storage`] when it cannot be made.
pub fn job_log(options: &StartOptions, environment: &BTreeMap<String, String>, job: &JobId) -> Result<(PathBuf, File)> {
    let folder = prepare(options, environment)?.0.join("jobs");
    private::create_folder(&folder)?;
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > LOGS_KEPT) {
            // What cannot be removed is tried again with the next job.
            let _ = std::fs::remove_file(entry.path());
        }
    }
    let path = folder.join(format!("{job}.log"));
    let file = private::open(&path).map_err(|error| {
        let message = format!("{} could not be written: {error}", path.display());
        Error::new(Code::Storage, message, "Check that you may write in the state folder.")
    })?;
    Ok((path, file))
}

fn no_folder(what: &str, option: &str) -> Error {
    Error::new(
        Code::Usage,
        format!("the operating system names no {what} folder (is HOME set?)"),
        format!("Set HOME, or name the place with `{option}`."),
    )
}

/// The environment of this process, as far as it is text.
pub fn environment() -> Arc<BTreeMap<String, String>> {
    Arc::new(
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    )
}
