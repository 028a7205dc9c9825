//! The one window: opened once, shows the application's own page and nothing else, and waits for its syncs to stop
//! before it closes.

use std::sync::Arc;
use std::time::Duration;

use standin_core::start::{self, StartOptions};
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager as _, Url, WebviewUrl, WebviewWindowBuilder, Window, WindowEvent};

use crate::commands;
use crate::desktop::Desktop;
use crate::feed::Feed;
use crate::gh::ShellGh;

/// What answers the commands in the list.
macro_rules! for_each_command {
    ($($name:ident),+ $(,)?) => { tauri::generate_handler![$(commands::$name),+] };
}

/// The label of the window, as the capability file names it.
const LABEL: &str = "main";
/// How long a closing window waits for its syncs to come to a safe point.
const CLOSING_LIMIT: Duration = Duration::from_secs(20);

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

/// Opens the window and stays until it is closed.
///
/// # Errors
/// What keeps the window from opening.
pub fn run(options: StartOptions) -> tauri::Result<()> {
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_shell::init())
        .invoke_handler(include!("command_names.rs"))
        .setup(move |app| {
            let desktop = open(app.handle(), options)?;
            app.manage(Arc::new(desktop));
            show(app.handle())?;
            Ok(())
        })
        .on_window_event(close_when_done)
        .build(tauri::generate_context!())?;
    app.run(|_, _| {});
    Ok(())
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

fn show(app: &AppHandle) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Standin")
        .inner_size(1100.0, 760.0)
        .min_inner_size(760.0, 520.0)
        .devtools(cfg!(debug_assertions))
        .on_navigation(is_own_page)
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?;
    Ok(())
}

/// Whether an address is a page of the application. Every other is refused.
fn is_own_page(url: &Url) -> bool {
    match (url.scheme(), url.host_str()) {
        ("tauri", Some("localhost")) | ("http" | "https", Some("tauri.localhost")) => true,
        ("http", Some("127.0.0.1" | "localhost")) => tauri::is_dev() && url.port() == Some(5173),
        _ => false,
    }
}

/// Closing the window stops the syncs that it started, and waits until each is at a safe point.
fn close_when_done(window: &Window, event: &WindowEvent) {
    let WindowEvent::CloseRequested { api, .. } = event else { return };
    let desktop = window.state::<Arc<Desktop>>().inner().clone();
    if !desktop.cancel_all() {
        return;
    }
    api.prevent_close();
    let window = window.clone();
    tauri::async_runtime::spawn(async move {
        let done = async {
            while desktop.is_busy() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // What is not done by then is found and mended by the next start, as after a crash.
        let _ = tokio::time::timeout(CLOSING_LIMIT, done).await;
        // A window that cannot be destroyed is gone already.
        let _ = window.destroy();
    });
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
