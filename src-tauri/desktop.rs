//! The engine that the window works on, or the reasons why there is none.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use standin_core::engine::{Engine, EngineOptions, SyncRequest};
use standin_core::event::{Event, Notice, ScheduleNews};
use standin_core::keychain::{Manner, OsKeychain, SessionKeychain};
use standin_core::outside::{self, Gh, Outside, Progress as _, SystemClock};
use standin_core::start::{self, StartOptions};
use standin_core::state::config::{self, ConfigError, Consents, LoadRequest};
use standin_core::watch::{self, Calls, Keeping};
use standin_core::{Code, Error, Result};
use tauri::async_runtime::JoinHandle;

use crate::feed::Feed;
use crate::rehearsal::Rehearsal;
use crate::typed::Typed;
use crate::wire::{Overview, Places, SyncChoice};

/// What stands behind the window. One for the life of the program.
pub struct Desktop {
    /// Brings what happens to the page.
    pub feed: Arc<Feed>,
    /// Tokens of this session, in front of the keychain.
    pub session: SessionKeychain,
    /// What was typed for a mirror that is being set up.
    pub typed: Typed,
    /// The drill that is being played.
    pub rehearsal: Rehearsal,
    options: StartOptions,
    outside: Outside,
    opened: Mutex<Opened>,
    /// Keeps the schedule as long as the window is there, from the first configuration on that can be used.
    keeper: Mutex<Option<JoinHandle<()>>>,
    calls: Calls,
}

/// What came of the last reading of the configuration.
#[derive(Default)]
struct Opened {
    engine: Option<Engine>,
    notices: Vec<Notice>,
    mistakes: Vec<Error>,
}

impl Desktop {
    /// Opens the engine; where that is not possible, the reasons are kept for the window to show.
    pub fn open(
        options: StartOptions,
        environment: Arc<BTreeMap<String, String>>,
        program: PathBuf,
        gh: Arc<dyn Gh>,
        feed: Arc<Feed>,
    ) -> Self {
        let session = SessionKeychain::over(Arc::new(OsKeychain::new(Manner::MayAsk, &environment)));
        let outside = Outside {
            gh,
            keychain: Arc::new(session.clone()),
            progress: feed.clone(),
            clock: Arc::new(SystemClock),
            credential_helper: program,
            environment,
        };
        let (keeper, calls) = (Mutex::default(), Calls::default());
        let (typed, rehearsal) = (Typed::default(), Rehearsal::default());
        let desktop =
            Self { feed, session, typed, rehearsal, options, outside, opened: Mutex::default(), keeper, calls };
        desktop.reload();
        desktop
    }

    /// Reads the configuration again. Syncs that go on keep the one that they began with.
    pub fn reload(&self) {
        let mut opened = self.opened();
        let read = match &opened.engine {
            Some(engine) => engine.reload().map(|notices| (engine.clone(), notices)),
            None => self.open_engine(),
        };
        match read {
            Ok((engine, notices)) => {
                self.keep_schedule(&engine);
                *opened = Opened { engine: Some(engine), notices, mistakes: Vec::new() };
            }
            Err(error) => {
                opened.notices.clear();
                opened.mistakes = self.each_mistake(error);
            }
        }
    }

    /// Keeps the schedule from now on, as long as the window is there; another process that keeps it is stood by for.
    fn keep_schedule(&self, engine: &Engine) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if keeper.is_some() {
            return;
        }
        let (engine, calls, feed) = (engine.clone(), self.calls.clone(), self.feed.clone());
        *keeper = Some(tauri::async_runtime::spawn(async move {
            if let Err(error) = watch::keep(&engine, Keeping::default(), &calls).await {
                let detail = format!("nothing is synced by itself any more: {error}");
                feed.event(&Event::Schedule { news: ScheduleNews::Told, detail });
            }
        }));
    }

    fn open_engine(&self) -> Result<(Engine, Vec<Notice>)> {
        let (state_dir, load) = self.prepare()?;
        let actor = format!("{} (desktop)", outside::person(&self.outside.environment));
        Engine::open(EngineOptions { state_dir, load, outside: self.outside.clone(), actor })
    }

    fn prepare(&self) -> Result<(PathBuf, LoadRequest)> {
        start::prepare(&self.options, &self.outside.environment)
    }

    /// The mistakes one by one, where the configuration is to blame.
    fn each_mistake(&self, error: Error) -> Vec<Error> {
        let found = match self.prepare() {
            Ok((_, load)) if error.code == Code::Configuration => {
                config::load(&load, &Consents::new()).err().unwrap_or_default()
            }
            _ => Vec::new(),
        };
        if found.is_empty() {
            return vec![error];
        }
        each(found)
    }

    /// The engine.
    ///
    /// # Errors
    /// The first reason why there is none.
    pub fn engine(&self) -> Result<Engine> {
        let opened = self.opened();
        match (&opened.engine, opened.mistakes.first()) {
            (Some(engine), None) => Ok(engine.clone()),
            (_, Some(mistake)) => Err(mistake.clone()),
            (None, None) => Err(Error::new(Code::Configuration, "the configuration was not read yet", "Reload it.")),
        }
    }

    /// Everything that the window shows at first sight. Reads the memory, never the network.
    ///
    /// # Errors
    /// [`Code::Storage`] when the memory cannot be read.
    pub fn overview(&self) -> Result<Overview> {
        let (engine, notices, mut mistakes) = {
            let opened = self.opened();
            (opened.engine.clone(), opened.notices.clone(), opened.mistakes.clone())
        };
        let mut repositories = match &engine {
            Some(engine) if mistakes.is_empty() => engine.status(None)?,
            _ => Vec::new(),
        };
        // Where there is nothing but what is wrong, that is shown, each by itself.
        if let Some(engine) = &engine
            && !repositories.is_empty()
            && repositories.iter().all(|report| report.error.is_some())
        {
            mistakes = each(engine.config().repositories.iter().flat_map(|known| known.mistakes.clone()));
            repositories.clear();
        }
        let running = engine.as_ref().map(Engine::jobs).unwrap_or_default();
        let pause = engine.as_ref().map(Engine::schedule_pause_now).transpose()?.flatten();
        let places = self.places(engine.as_ref());
        Ok(Overview {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            repositories,
            mistakes,
            notices,
            running,
            pause,
            places,
            wanted: None,
            newer: None,
            drill: self.rehearsal.of(),
        })
    }

    /// The present moment, by the clock that all goes by.
    pub fn now(&self) -> Timestamp {
        self.outside.clock.now()
    }

    /// What the command line is started with, so that it sees the same configuration and memory.
    pub fn arguments(&self) -> Vec<OsString> {
        let StartOptions { repo, config, state_dir, .. } = &self.options;
        let named = [("--repo", repo), ("--config", config), ("--state-dir", state_dir)];
        let given = named.into_iter().filter_map(|(name, value)| Some([name.into(), value.clone()?.into_os_string()]));
        given.flatten().collect()
    }

    /// The environment that the program was started with.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.outside.environment
    }

    fn places(&self, engine: Option<&Engine>) -> Places {
        let Ok((_, load)) = self.prepare() else { return Places::default() };
        let read = engine.and_then(|engine| {
            let config = engine.config();
            let known = config.repositories.iter().find(|known| Some(&known.id) == config.at_hand.as_ref());
            known.and_then(|known| known.env_file.clone())
        });
        let folder = load.repo.as_ref().map_or(load.current_dir.clone(), |repo| load.current_dir.join(repo));
        let env_file = read.unwrap_or_else(|| folder.join(".env"));
        let config_file = load.config_file.unwrap_or_else(|| load.default_config_dir.join("standin.toml"));
        Places { env_file: env_file.display().to_string(), config_file: config_file.display().to_string() }
    }

    /// Asks everything that goes on to stop at its next safe point; `false` where nothing does.
    pub fn cancel_all(&self) -> bool {
        self.calls.stop.cancel();
        self.rehearsal.stop();
        if let Some(engine) = self.opened().engine.clone() {
            for job in engine.jobs() {
                engine.cancel(&job.id);
            }
        }
        self.is_busy()
    }

    /// Whether something goes on.
    pub fn is_busy(&self) -> bool {
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.as_ref().is_some_and(|keeper| !keeper.inner().is_finished())
            || self.rehearsal.of().is_some()
            || self.opened().engine.as_ref().is_some_and(|engine| !engine.jobs().is_empty())
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Mistakes as errors of their own.
fn each(mistakes: impl IntoIterator<Item = ConfigError>) -> Vec<Error> {
    let mistakes = mistakes.into_iter();
    mistakes.map(|mistake| Error::new(Code::Configuration, mistake.to_string(), mistake.hint)).collect()
}

/// What the engine is asked for. A mirror that another process holds is waited for: the window shows who holds it, and
/// the wait can be cancelled.
pub fn request(choice: SyncChoice) -> SyncRequest {
    SyncRequest {
        job: None,
        repository: Some(choice.repository),
        mirrors: choice.mirrors,
        yes: choice.yes,
        seals: choice.seals,
        aspects: (!choice.only.is_empty()).then_some(choice.only),
        force: choice.force,
        wait: true,
        ..SyncRequest::default()
    }
}
