//! The one window, which shows the application's own page and nothing else, and the running of the program around it.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use standin_core::notify::Word;
use standin_core::start::{self, StartOptions};
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager as _, RunEvent, Url, WebviewUrl, WebviewWindowBuilder, Window, WindowEvent};

use crate::commands;
use crate::desktop::Desktop;
use crate::feed::Feed;
use crate::geometry::{Geometry, SMALLEST};
use crate::gh::ShellGh;
use crate::notifications::Shower;
use crate::resident::Resident;
use crate::single::First;
use crate::updates::Newer;
use crate::{notifications, tray, tray_host};

/// What answers the commands in the list.
macro_rules! for_each_command {
    ($($name:ident),+ $(,)?) => { tauri::generate_handler![$(commands::$name),+] };
}

/// The label of the window, as the capability file names it.
pub const LABEL: &str = "main";

/// Whether a window can be opened at all.
///
/// # Errors
/// Why not, for a person.
#[cfg(target_os = "linux")]
pub fn display() -> Result<(), String> {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return Err("there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set".to_owned());
    }
    gtk::init().map_err(|_| "the display cannot be opened (is DISPLAY or WAYLAND_DISPLAY right?)".to_owned())
}

/// Whether a window can be opened at all.
///
/// # Errors
/// Never here: these systems always have a display.
#[cfg(not(target_os = "linux"))]
pub fn display() -> Result<(), String> {
    Ok(())
}

/// How the program is started.
pub struct Start {
    /// What stands in its arguments.
    pub options: StartOptions,
    /// Whether it begins without a window, where a tray shows its icon.
    pub hidden: bool,
    /// Where Standin's memory is.
    pub state_dir: PathBuf,
    /// What keeps others from being started beside it.
    pub first: Option<First>,
}

/// Runs until it is told to end.
///
/// # Errors
/// What keeps the window from opening.
pub fn run(start: Start) -> tauri::Result<()> {
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_shell::init())
        .invoke_handler(include!("command_names.rs"))
        .setup(move |app| {
            let Start { options, hidden, state_dir, first } = start;
            let desktop = Arc::new(open(app.handle(), options)?);
            let resident = Arc::new(Resident::new(app.handle().clone(), desktop.clone(), &state_dir));
            app.manage(desktop.clone());
            let newer = Arc::new(Newer::new(desktop.clone()));
            app.manage(newer.clone());
            tauri::async_runtime::spawn(newer.keep());
            app.manage(resident.clone());
            app.manage(Arc::new(Shower::new(resident.clone())));
            app.manage(StateDir(state_dir));
            live(app.handle().clone(), desktop, &resident, first, hidden);
            if !hidden {
                show(app.handle())?;
            }
            Ok(())
        })
        .on_window_event(on_close)
        .build(tauri::generate_context!())?;
    app.run(|app, event| {
        if let RunEvent::ExitRequested { code: None, api, .. } = event {
            let resident = app.state::<Arc<Resident>>();
            if resident.stays() && !resident.ends() {
                api.prevent_exit();
            }
        }
    });
    Ok(())
}

/// Where Standin's memory is.
struct StateDir(PathBuf);

/// What goes on beside the window, for the life of the program.
fn live(app: AppHandle, desktop: Arc<Desktop>, resident: &Arc<Resident>, first: Option<First>, hidden: bool) {
    let host = resident.clone();
    let mut waits = hidden;
    tauri::async_runtime::spawn(tray_host::follow(move |is_there| {
        host.has_host(is_there);
        // The first answer says whether it may begin without a window.
        if std::mem::take(&mut waits) && !is_there {
            host.open(None);
        }
    }));
    tauri::async_runtime::spawn(notifications::keep(app.clone(), desktop.clone()));
    tauri::async_runtime::spawn(tray::keep(app, desktop));
    if let Some(first) = first {
        let asked = resident.clone();
        tauri::async_runtime::spawn(async move { first.listen(move || asked.open(None)).await });
    }
    let told = resident.clone();
    tauri::async_runtime::spawn(async move {
        if stop_asked().await.is_ok() {
            told.quit();
        }
    });
}

/// Waits until somebody asks this program to stop, as systems do at their end.
async fn stop_asked() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

fn open(app: &AppHandle, options: StartOptions) -> tauri::Result<Desktop> {
    let environment = start::environment();
    let gh = Arc::new(ShellGh::new(app.clone(), environment.clone()));
    let (feed, queue) = Feed::new();
    let feed = Arc::new(feed);
    let far = feed.clone();
    tauri::async_runtime::spawn(async move { far.deliver(queue).await });
    Ok(Desktop::open(options, environment, std::env::current_exe()?, gh, feed))
}

/// Shows the window: the one that is there, or a new one.
///
/// # Errors
/// What keeps it from opening.
pub fn show(app: &AppHandle) -> tauri::Result<()> {
    if let Some(window) = app.get_webview_window(LABEL) {
        window.unminimize()?;
        window.show()?;
        return window.set_focus();
    }
    let geometry = Geometry::read(&app.state::<StateDir>().0);
    let (width, height) = geometry.size();
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Standin")
        .inner_size(width, height)
        .min_inner_size(SMALLEST.0, SMALLEST.1)
        .devtools(cfg!(debug_assertions))
        .on_navigation(is_own_page)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?;
    geometry.put(&window)
}

/// Whether an address is a page of the application. Every other is refused.
fn is_own_page(url: &Url) -> bool {
    match (url.scheme(), url.host_str()) {
        ("tauri", Some("localhost")) | ("http" | "https", Some("tauri.localhost")) => true,
        ("http", Some("127.0.0.1" | "localhost")) => tauri::is_dev() && url.port() == Some(5173),
        _ => false,
    }
}

/// Said the first time that the window is closed and the program is not.
fn in_the_tray(now: Timestamp) -> Word {
    let text = "It keeps your mirrors in step and tells you what needs you. A click on its icon opens it, \"Quit\" in the menu ends it.";
    Word::of_the_program("Standin goes on in the tray", text.to_owned(), now)
}

/// A window that is closed is gone. Where nothing else shows that the program is there, it ends with it, once what goes on is at
/// a safe point.
fn on_close(window: &Window, event: &WindowEvent) {
    if let WindowEvent::Destroyed = event {
        // The page that it was typed into is gone.
        window.state::<Arc<Desktop>>().typed.forget();
    }
    let WindowEvent::CloseRequested { api, .. } = event else { return };
    Geometry::keep(&window.state::<StateDir>().0, window);
    let resident = window.state::<Arc<Resident>>();
    if !resident.stays() {
        api.prevent_close();
        resident.close();
    } else if Geometry::is_first_in_tray(&window.state::<StateDir>().0) {
        let (shower, desktop) = (window.state::<Arc<Shower>>().inner().clone(), window.state::<Arc<Desktop>>());
        let now = desktop.now();
        tauri::async_runtime::spawn(async move { shower.show(&in_the_tray(now)).await });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_applications_own_page_is_shown() {
        let own = |address: &str| is_own_page(&address.parse().unwrap());
        assert!(own("tauri://localhost/index.html"));
        assert!(own("http://tauri.localhost/"));
        for foreign in [
            "https://example.com/",
            "file:///etc/passwd",
            "data:text/html,x",
            "http://tauri.localhost.example.com/",
            "tauri://elsewhere/",
        ] {
            assert!(!own(foreign), "{foreign}");
        }
    }
}
