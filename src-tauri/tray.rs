//! The icon in the tray with its menu: what stands in it comes from [`crate::tray_view`]; what is pressed is done by the engine.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use standin_core::Result;
use standin_core::engine::{Engine, SyncRequest};
use standin_core::outside::{Clock as _, SystemClock};
use standin_core::state::model::RepositoryId;
use tauri::menu::{Menu, MenuEvent, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager as _, Wry};

use crate::desktop::Desktop;
use crate::resident::Resident;
use crate::tray_picture::picture;
use crate::tray_view::{TrayView, view};

/// How long what happens is gathered before the menu is made to say it.
const GATHER: Duration = Duration::from_millis(500);
/// How often the menu is looked at though nothing happened: it says how old things are.
const LOOK: Duration = Duration::from_secs(30);

/// What is pressed.
mod pressed {
    pub const OPEN: &str = "open";
    pub const SYNC: &str = "sync";
    pub const CHECK: &str = "check";
    pub const PAUSE_HOUR: &str = "pause-hour";
    pub const PAUSE_DAY: &str = "pause-day";
    pub const PAUSE: &str = "pause";
    pub const RESUME: &str = "resume";
    pub const QUIT: &str = "quit";
    /// Before the position of a line.
    pub const LINE: &str = "line-";
}

/// The tray as it is shown.
pub struct Tray {
    icon: TrayIcon,
    lines: Vec<MenuItem<Wry>>,
    sync: MenuItem<Wry>,
    resume: MenuItem<Wry>,
    shown: Mutex<TrayView>,
}

/// Puts the icon into the tray. Must be called on the main thread.
///
/// # Errors
/// What keeps it from being there.
pub fn build(app: &AppHandle, shown: &TrayView, pictures: PathBuf) -> tauri::Result<Tray> {
    let item = |id: &str, text: &str, enabled| MenuItem::with_id(app, id, text, enabled, None::<&str>);
    let (menu, lines) = (Menu::new(app)?, lines(app, shown)?);
    for line in &lines {
        menu.append(line)?;
    }
    let sync = item(pressed::SYNC, "", true)?;
    let resume = item(pressed::RESUME, "", false)?;
    let pause = Submenu::with_items(
        app,
        "Pause the schedule",
        true,
        &[
            &item(pressed::PAUSE_HOUR, "For 1 hour", true)?,
            &item(pressed::PAUSE_DAY, "For 24 hours", true)?,
            &item(pressed::PAUSE, "Until resumed", true)?,
            &resume,
        ],
    )?;
    menu.append_items(&[
        &PredefinedMenuItem::separator(app)?,
        &sync,
        &item(pressed::CHECK, "Check now", true)?,
        &pause,
        &PredefinedMenuItem::separator(app)?,
        &item(pressed::OPEN, "Open Standin", true)?,
        &item(pressed::QUIT, "Quit (syncs stop at a safe point)", true)?,
    ])?;
    let icon = TrayIconBuilder::with_id("standin")
        .icon(picture(shown.shape))
        .temp_dir_path(pictures)
        .title("Standin")
        .menu(&menu)
        .on_menu_event(on_menu)
        .build(app)?;
    let tray = Tray { icon, lines, sync, resume, shown: Mutex::new(shown.clone()) };
    tray.say(shown)?;
    Ok(tray)
}

fn lines(app: &AppHandle, shown: &TrayView) -> tauri::Result<Vec<MenuItem<Wry>>> {
    let line = |(position, line): (usize, &crate::tray_view::Line)| {
        MenuItem::with_id(app, format!("{}{position}", pressed::LINE), &line.text, true, None::<&str>)
    };
    shown.lines.iter().enumerate().map(line).collect()
}

impl Tray {
    /// Whether as many lines are shown as there are to show; else it is built anew.
    pub fn fits(&self, shown: &TrayView) -> bool {
        self.lines.len() == shown.lines.len()
    }

    /// Says what is so now. Must be called on the main thread.
    ///
    /// # Errors
    /// What keeps it from being shown.
    pub fn say(&self, shown: &TrayView) -> tauri::Result<()> {
        for (item, line) in self.lines.iter().zip(&shown.lines) {
            item.set_text(&line.text)?;
        }
        match &shown.going {
            Some(what) => self.sync.set_text(format!("Cancel: {what}"))?,
            None => self.sync.set_text("Sync All Now")?,
        }
        self.sync.set_enabled(shown.can_sync || shown.going.is_some())?;
        match &shown.paused {
            Some(until) => self.resume.set_text(format!("Resume (paused {until})"))?,
            None => self.resume.set_text("Resume")?,
        }
        self.resume.set_enabled(shown.paused.is_some())?;
        let before = std::mem::replace(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner), shown.clone());
        if before.shape != shown.shape {
            self.icon.set_icon(Some(picture(shown.shape)))?;
        }
        Ok(())
    }

    /// The repository of a line.
    fn repository(&self, position: usize) -> Option<RepositoryId> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.lines.get(position)?.repository.clone()
    }
}

/// What the tray shows now.
///
/// # Errors
/// [`standin_core::Code::Storage`].
pub fn look(desktop: &Desktop) -> Result<TrayView> {
    let now = SystemClock.now();
    let pause = match desktop.engine() {
        Ok(engine) => engine.schedule_pause_now()?,
        Err(_) => None,
    };
    let words = |until: Option<jiff::Timestamp>| match until {
        Some(until) => format!("until {}", until.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M")),
        None => "until you resume it".to_owned(),
    };
    Ok(view(&desktop.overview()?, pause.map(|pause| words(pause.until_iso)), now))
}

/// Keeps the tray as it should be, until the program ends.
pub async fn keep(app: AppHandle, desktop: Arc<Desktop>) {
    loop {
        let resident = app.state::<Arc<Resident>>().inner().clone();
        match look(&desktop) {
            Ok(shown) => {
                let far = resident.clone();
                // A program that ends has no main thread to be called on.
                let _ = app.run_on_main_thread(move || far.show_in_tray(&shown));
            }
            Err(error) => tracing::warn!(error = %error.message, "the tray cannot be brought up to date"),
        }
        let _ = tokio::time::timeout(LOOK, resident.changed()).await;
        tokio::time::sleep(GATHER).await;
    }
}

fn on_menu(app: &AppHandle, event: MenuEvent) {
    let resident = app.state::<Arc<Resident>>().inner().clone();
    let desktop = app.state::<Arc<Desktop>>().inner().clone();
    let id = event.id().as_ref();
    if let Some(position) = id.strip_prefix(pressed::LINE).and_then(|position| position.parse().ok()) {
        resident.open(resident.of_tray(|tray| tray.repository(position)));
        return;
    }
    match id {
        pressed::OPEN => resident.open(None),
        pressed::QUIT => resident.quit(),
        _ => {
            let (id, engine) = (id.to_owned(), desktop.engine());
            tauri::async_runtime::spawn(async move {
                let done = match engine {
                    Ok(engine) => deed(&id, &engine).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = done {
                    tracing::warn!(error = %error.message, "what was pressed in the tray could not be done");
                    // The window says why.
                    resident.open(None);
                }
                resident.tell_change();
            });
        }
    }
}

async fn deed(id: &str, engine: &Engine) -> Result<()> {
    let hours = |hours: u64| Some(Duration::from_secs(hours * 60 * 60));
    match id {
        pressed::SYNC => sync_or_cancel(engine),
        pressed::CHECK => {
            for repository in &engine.config().repositories {
                // What was found is kept, and shows in the menu; one that cannot be looked at says so there, too.
                let _ = engine.health(Some(&repository.id), None).await;
            }
            Ok(())
        }
        pressed::PAUSE_HOUR => engine.schedule_pause(hours(1)).map(drop),
        pressed::PAUSE_DAY => engine.schedule_pause(hours(24)).map(drop),
        pressed::PAUSE => engine.schedule_pause(None).map(drop),
        pressed::RESUME => engine.schedule_resume().map(drop),
        _ => Ok(()),
    }
}

fn sync_or_cancel(engine: &Engine) -> Result<()> {
    let going = engine.jobs();
    if !going.is_empty() {
        going.iter().for_each(|job| _ = engine.cancel(&job.id));
        return Ok(());
    }
    for repository in engine.config().repositories.iter().filter(|known| known.enabled) {
        engine.sync(SyncRequest { repository: Some(repository.id.clone()), ..SyncRequest::default() })?;
    }
    Ok(())
}
