//! The door: each command of the command line and of the window is one call here.
//!
//! [`sync`] and [`plan`](Engine::plan) are the main job, `roles` the changes of master; `decisions`, `tokens`, `secrets` and
//! `mirror_test` are what a person does beside them, held and written down by `by_hand`; `health` judges the master and looks at
//! the mirrors; `schedule` and `triggers` are what sets syncs off. Nothing here prints, and nothing here knows who calls.

mod activity;
mod by_hand;
mod commits;
mod consent;
mod create_repository;
mod decisions;
mod drill;
mod health;
mod in_step;
mod jobs;
mod metrics;
mod mirror_edit;
mod mirror_remove;
mod mirror_test;
mod notify;
mod roles;
mod schedule;
mod secrets;
mod sentinel;
mod service;
mod set_up;
mod settings;
mod setup_look;
mod sync;
mod tidy;
mod tokens;
mod triggers;
mod upstream;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use standin_state::config::{self, Config, LoadRequest, RepositoryConfig};
use standin_state::model::{RepositoryId, RepositoryReport, RunId};
use standin_state::private;
use standin_state::store::{AuditEntry, AuditFilter, RunFilter, RunRecord, Store};
use tokio::sync::OnceCell;

use crate::event::Notice;
use crate::git::{self, GitProgram};
use crate::jobs::Jobs;
use crate::mastership::direction::Direction;
use crate::outside::Outside;
use crate::standing::{self, Terms};
use crate::{Code, Error, Result, status};

pub use crate::roles::change::{OpenChangeChoice, RoleGoal, RoleOutcome, RoleRequest};
pub use create_repository::Created;
pub use jobs::new_job_id;
pub use mirror_remove::Removed;
pub use mirror_test::MirrorTest;
pub use notify::{After, NotifyPlace, NotifyPlaces, QuietReport, Telling};
pub(crate) use schedule::ConfigurationStamp;
pub use secrets::SecretPlace;
pub use set_up::{SetUp, SetUpRequest, Where};
pub use settings::Settings;
pub use setup_look::TypedTokens;
pub use sync::{SyncJob, SyncOutcome, SyncRequest};
pub use upstream::UpstreamLook;

/// What an engine is opened with.
pub struct EngineOptions {
    /// Where the memory is: `standin.db` and one folder for each repository.
    pub state_dir: PathBuf,
    /// Where the configuration is read from, at the start and at each [`Engine::reload`].
    pub load: LoadRequest,
    /// The outside.
    pub outside: Outside,
    /// Who acts: `user@host` and the face, for the audit trail and the locks.
    pub actor: String,
}

/// Standin's engine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
}

struct Shared {
    state_dir: PathBuf,
    load: LoadRequest,
    outside: Outside,
    actor: String,
    store: Store,
    config: RwLock<Arc<Config>>,
    git: OnceCell<GitProgram>,
    jobs: Jobs,
    going: jobs::Going,
    looks: upstream::Looks,
    looked: tidy::Looked,
}

impl Engine {
    /// Opens the memory and reads the configuration. The notices are what the user should know about it.
    ///
    /// # Errors
    /// [`Code::Configuration`] with every mistake, [`Code::Storage`] when the memory cannot be opened.
    pub fn open(options: EngineOptions) -> Result<(Self, Vec<Notice>)> {
        arm_crash_points();
        git::sweep();
        let store = Store::open(&options.state_dir)?;
        let loaded = config::load(&options.load, &store.consents()?).map_err(Error::from)?;
        let jobs = Jobs::new(loaded.config.limits.parallel);
        let notices = loaded.notices.into_iter().map(|(message, hint)| Notice { message, hint }).collect();
        let shared = Shared {
            state_dir: store.folder().to_owned(),
            load: options.load,
            outside: options.outside,
            actor: options.actor,
            store,
            config: RwLock::new(Arc::new(loaded.config)),
            git: OnceCell::new(),
            jobs,
            going: jobs::Going::default(),
            looks: upstream::Looks::default(),
            looked: tidy::Looked::default(),
        };
        Ok((Self { shared: Arc::new(shared) }, notices))
    }

    /// The configuration as it was last read.
    pub fn config(&self) -> Arc<Config> {
        self.shared.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the configuration again. Runs that are going on keep the old one.
    ///
    /// # Errors
    /// [`Code::Configuration`] with every mistake; the old configuration stays.
    pub fn reload(&self) -> Result<Vec<Notice>> {
        let loaded = config::load(&self.shared.load, &self.shared.store.consents()?).map_err(Error::from)?;
        self.set_config(loaded.config);
        self.shared.looks.forget_all();
        Ok(loaded.notices.into_iter().map(|(message, hint)| Notice { message, hint }).collect())
    }

    fn set_config(&self, config: Config) {
        *self.shared.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// What is known of one repository, or of all; asks nobody.
    ///
    /// # Errors
    /// [`Code::NotFound`] for a repository that is not configured, [`Code::Storage`] when the memory cannot be read.
    pub fn status(&self, repository: Option<&RepositoryId>) -> Result<Vec<RepositoryReport>> {
        let (config, terms) = (self.config(), self.terms());
        let troubles = self.notify_troubles()?;
        config
            .repositories
            .iter()
            .filter(|known| repository.is_none_or(|id| known.id == *id))
            .map(|known| {
                let mut report = status::report(&self.shared.store, &self.folder(&known.id), known, &terms)?;
                // What is kept for another place waits for a yes as a file does.
                report.consent = self.shown_question(known)?;
                report.notify.clone_from(&troubles);
                standing::judge(&mut report, &terms);
                Ok(report)
            })
            .collect::<Result<Vec<_>>>()
            .and_then(|reports| match (reports.is_empty(), repository) {
                (true, Some(id)) => Err(unknown_repository(id, &config)),
                _ => Ok(reports),
            })
    }

    /// Runs, newest first, without their changes.
    ///
    /// # Errors
    /// [`Code::Storage`] when the memory cannot be read.
    pub fn history(&self, filter: &RunFilter) -> Result<Vec<RunRecord>> {
        self.shared.store.runs(filter)
    }

    /// One run with its changes.
    ///
    /// # Errors
    /// [`Code::NotFound`] for an unknown id, [`Code::Storage`] when the memory cannot be read.
    pub fn run(&self, id: &RunId) -> Result<RunRecord> {
        self.shared.store.run(id)?.ok_or_else(|| {
            Error::new(Code::NotFound, format!("there is no run {id}"), "`standin history` lists the runs.")
        })
    }

    /// The audit trail, newest first.
    ///
    /// # Errors
    /// [`Code::Storage`] when the memory cannot be read.
    pub fn audit(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>> {
        self.shared.store.audit(filter)
    }

    /// The repository meant, with its owner's yes where it needs one: the door to everything that reads or writes anything
    /// outside, opens a keychain or vault, or runs a program.
    ///
    /// # Errors
    /// As [`Engine::configured`]; [`Code::Configuration`] with what is wrong with this one; [`Code::ConsentNeeded`] with what
    /// waits for the yes.
    pub fn repository(&self, id: Option<&RepositoryId>) -> Result<Arc<RepositoryConfig>> {
        let repository = self.readable(id)?;
        let Some(waits) = repository.consent.question() else { return Ok(repository) };
        // The yes is for what is kept on this machine, too.
        let question = self.asked_of(&repository)?.unwrap_or_else(|| waits.clone());
        Err(consent::needed(&question))
    }

    /// The repository meant, where nothing is wrong with its configuration.
    fn readable(&self, id: Option<&RepositoryId>) -> Result<Arc<RepositoryConfig>> {
        let repository = self.configured(id)?;
        match repository.mistakes.is_empty() {
            true => Ok(repository),
            false => Err(Error::from(repository.mistakes.clone())),
        }
    }

    /// The repository meant: the one named, else the one at hand, else the only one. Only to show it: whether anything of it
    /// may be done is not asked here.
    ///
    /// # Errors
    /// [`Code::NotFound`] or [`Code::Usage`] when none is meant.
    pub fn configured(&self, id: Option<&RepositoryId>) -> Result<Arc<RepositoryConfig>> {
        let config = self.config();
        let wanted = id.or(config.at_hand.as_ref());
        let found = match (wanted, config.repositories.as_slice()) {
            (Some(id), repositories) => {
                repositories.iter().find(|known| known.id == *id).ok_or_else(|| unknown_repository(id, &config))?
            }
            (None, [only]) => only,
            (None, []) => {
                return Err(Error::new(
                    Code::Configuration,
                    "no repository is configured",
                    "Write `MIRROR_1_TYPE`, `MIRROR_1_REPO` and `MIRROR_1_TOKEN` into the `.env` of a clone and run Standin there, or write a `standin.toml`.",
                ));
            }
            (None, several) => {
                let names: Vec<&str> = several.iter().map(|known| known.id.as_str()).collect();
                return Err(Error::new(
                    Code::Usage,
                    format!("several repositories are configured ({}), and none is at hand", names.join(", ")),
                    "Run Standin inside the clone, or name it with `--repo PATH`.",
                ));
            }
        };
        Ok(Arc::new(found.clone()))
    }

    /// Which way a repository is kept in step now, by the fences that are known.
    ///
    /// # Errors
    /// As [`Engine::repository`]; [`Code::Storage`] when the memory cannot be read.
    pub fn direction(&self, id: Option<&RepositoryId>) -> Result<Direction> {
        Direction::of(&self.shared.store, &*self.repository(id)?)
    }

    fn terms(&self) -> Terms {
        Terms::now(&self.config(), self.shared.outside.clock.as_ref())
    }

    fn folder(&self, repository: &RepositoryId) -> PathBuf {
        self.shared.state_dir.join(repository.as_str())
    }

    async fn git(&self) -> Result<&GitProgram> {
        let outside = &self.shared.outside;
        self.shared.git.get_or_try_init(|| GitProgram::find(&outside.environment, &outside.credential_helper)).await
    }

    fn make_folder(&self, repository: &RepositoryId) -> Result<PathBuf> {
        let folder = self.folder(repository);
        private::create_folder(&folder)?;
        Ok(folder)
    }
}

fn unknown_repository(id: &RepositoryId, config: &Config) -> Error {
    let names: Vec<&str> = config.repositories.iter().map(|known| known.id.as_str()).collect();
    Error::new(
        Code::NotFound,
        format!("there is no repository {id} in the configuration"),
        if names.is_empty() {
            "No repository is configured yet.".to_owned()
        } else {
            format!("Configured: {}.", names.join(", "))
        },
    )
}

/// Lets the points in `standin-state` pass through the ones here.
fn arm_crash_points() {
    #[cfg(feature = "crash-points")]
    standin_state::crash_hook::set(crate::crash::point);
}
