//! The program as something that stays: its window comes and goes, its icon in the tray remains, and it ends when it is told to.
//!
//! A window that is closed is gone, with its memory; where a tray shows the icon, the program goes on with it. Where there is
//! none, closing the window ends the program.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use standin_core::event::{Event, ScheduleNews};
use standin_core::outside::Progress as _;
use standin_core::state::model::RepositoryId;
use tauri::{AppHandle, Manager as _};
use tokio::sync::Notify;

use crate::desktop::Desktop;
use crate::tray::{self, Tray};
use crate::tray_view::TrayView;
use crate::window;

/// How long a program that ends waits for its syncs to come to a safe point.
const ENDING_LIMIT: Duration = Duration::from_secs(20);

/// The program beside its window.
pub struct Resident {
    app: AppHandle,
    desktop: Arc<Desktop>,
    pictures: PathBuf,
    /// Whether somebody shows icons.
    has_host: AtomicBool,
    tray: Mutex<Option<Tray>>,
    /// Whether it is ending.
    ends: AtomicBool,
    /// Whether somebody is asked if they want that.
    asks: AtomicBool,
    /// Which repository the next page shows first.
    wanted: Mutex<Option<RepositoryId>>,
    changed: Arc<Notify>,
}

impl Resident {
    /// Nothing is shown yet.
    pub fn new(app: AppHandle, desktop: Arc<Desktop>, state_dir: &Path) -> Self {
        let changed = desktop.feed.changed.clone();
        Self {
            app,
            desktop,
            pictures: state_dir.join("tray"),
            has_host: AtomicBool::new(false),
            tray: Mutex::default(),
            ends: AtomicBool::new(false),
            asks: AtomicBool::new(false),
            wanted: Mutex::default(),
            changed,
        }
    }

    /// Somebody shows icons from now on, or no more.
    pub fn has_host(&self, is_there: bool) {
        self.has_host.store(is_there, Ordering::SeqCst);
        self.changed.notify_one();
        let is_alone = self.window_is_gone() && !is_there && !self.ends.load(Ordering::SeqCst);
        if is_alone && self.tray().is_some() {
            // Nothing would be left to find it by.
            self.open(None);
        }
    }

    /// Whether the program goes on without a window.
    pub fn stays(&self) -> bool {
        self.has_host.load(Ordering::SeqCst) && self.tray().is_some()
    }

    /// Waits until something may be shown differently.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Something may be shown differently.
    pub fn tell_change(&self) {
        self.changed.notify_one();
    }

    /// Says in the tray what is so; where a host came, the icon is put there first. On the main thread.
    pub fn show_in_tray(&self, shown: &TrayView) {
        let mut tray = self.tray();
        if !self.has_host.load(Ordering::SeqCst) && tray.is_none() {
            return;
        }
        let said = match tray.as_ref().filter(|tray| tray.fits(shown)) {
            Some(tray) => tray.say(shown),
            None => {
                // The old one goes first: both have one name.
                *tray = None;
                self.built(shown).map(|built| *tray = built)
            }
        };
        if let Err(error) = said {
            tracing::warn!(%error, "the icon in the tray cannot be shown");
        }
    }

    fn built(&self, shown: &TrayView) -> tauri::Result<Option<Tray>> {
        let build = || tray::build(&self.app, shown, self.pictures.clone());
        // What draws it is looked for at the first icon, and its absence is no error but a panic.
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(build)) {
            Ok(built) => built.map(Some),
            Err(_) => {
                tracing::warn!("the library for icons in the tray (libayatana-appindicator3) is not there");
                self.has_host.store(false, Ordering::SeqCst);
                Ok(None)
            }
        }
    }

    /// Asks the tray something.
    pub fn of_tray<T>(&self, ask: impl FnOnce(&Tray) -> Option<T>) -> Option<T> {
        self.tray().as_ref().and_then(ask)
    }

    /// Shows the window, with this repository where one is named.
    pub fn open(&self, repository: Option<RepositoryId>) {
        if repository.is_some() {
            *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = repository;
        }
        let app = self.app.clone();
        let _ = self.app.run_on_main_thread(move || {
            if let Err(error) = window::show(&app) {
                tracing::warn!(%error, "the window cannot be opened");
            }
        });
    }

    /// Which repository is to be shown first, once.
    pub fn wanted(&self) -> Option<RepositoryId> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The window is to be closed, and with it the program. Where nothing would be synced by itself any more, that is asked first;
    /// who closes it while they are asked means it, also where the page does not show the question.
    pub fn close(&self) {
        let is_needed = || self.desktop.engine().and_then(|engine| engine.is_schedule_kept_here()).unwrap_or(false);
        if self.ends() || self.asks.swap(true, Ordering::SeqCst) || !is_needed() {
            return self.quit();
        }
        self.desktop.feed.event(&Event::Schedule { news: ScheduleNews::Closing, detail: String::new() });
    }

    /// What was answered to that.
    pub fn close_answered(&self, yes: bool) {
        self.asks.store(false, Ordering::SeqCst);
        if yes {
            self.quit();
        }
    }

    /// Ends the program, once what goes on is at a safe point.
    pub fn quit(&self) {
        if self.ends.swap(true, Ordering::SeqCst) {
            return;
        }
        let (app, desktop) = (self.app.clone(), self.desktop.clone());
        if desktop.cancel_all() {
            desktop.feed.event(&Event::Schedule { news: ScheduleNews::Ending, detail: String::new() });
        }
        tauri::async_runtime::spawn(async move {
            let done = async {
                while desktop.is_busy() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            // What is not done by then is found and mended by the next start, as after a crash.
            let _ = tokio::time::timeout(ENDING_LIMIT, done).await;
            app.exit(0);
        });
    }

    /// Whether the program is ending.
    pub fn ends(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }

    fn window_is_gone(&self) -> bool {
        self.app.get_webview_window(window::LABEL).is_none()
    }

    fn tray(&self) -> MutexGuard<'_, Option<Tray>> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
