//! Word of what changed, as notifications of the desktop. Core decides what is told and when; here it is shown, and a click on it
//! opens the window.
//!
//! Whoever keeps the schedule decides: this program, or a service beside it. So what is new is read from the memory.

use std::sync::Arc;
use std::time::Duration;

use standin_core::notify::Word;
use standin_core::state::model::RepositoryId;
use standin_core::{Code, Error, Result};
use tauri::{AppHandle, Manager as _};

use crate::desktop::Desktop;
use crate::resident::Resident;
use crate::window;

#[cfg(target_os = "linux")]
pub use linux::Shower;
#[cfg(not(target_os = "linux"))]
pub use other::Shower;

/// The time between two looks whether there is something new.
const PULSE: Duration = Duration::from_secs(3);
/// How long the desktop may take to show one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shows what is decided from now on, as long as the program runs.
pub async fn keep(app: AppHandle, desktop: Arc<Desktop>) {
    let shower = app.state::<Arc<Shower>>().inner().clone();
    // What was decided before this program began is no news.
    let mut last = desktop.engine().ok().and_then(|engine| engine.last_word().ok());
    loop {
        tokio::time::sleep(PULSE).await;
        // Without a configuration that can be used there is nothing to tell.
        let Ok(engine) = desktop.engine() else { continue };
        let Some(known) = last else {
            last = engine.last_word().ok();
            continue;
        };
        for (number, word) in engine.words_after(known).unwrap_or_default() {
            last = Some(number);
            // Who looks at the window sees it there.
            if !has_the_eye(&app) {
                shower.show(&word).await;
            }
        }
    }
}

/// Whether the window is the one that is being worked with.
fn has_the_eye(app: &AppHandle) -> bool {
    app.get_webview_window(window::LABEL).is_some_and(|window| window.is_focused().unwrap_or(false))
}

/// What is shown in a notification: without the commands, since a click is nearer.
fn body(word: &Word) -> String {
    let line = |note: &standin_core::notify::Note| {
        let mirror = note.mirror.as_ref().map(|mirror| format!("{mirror}: ")).unwrap_or_default();
        format!("{mirror}{}", note.text)
    };
    match word.events.is_empty() {
        true => word.text.clone(),
        false => word.events.iter().map(line).collect::<Vec<_>>().join("\n"),
    }
}

fn nobody(reason: impl std::fmt::Display) -> Error {
    Error::new(
        Code::NotFound,
        format!("this desktop shows no notifications: {reason}"),
        "Start its notification service, or have word sent elsewhere with `[[notify]]` in standin.toml.",
    )
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;

    use futures_util::StreamExt as _;
    use tokio::sync::Mutex;
    use zbus::zvariant::Value;
    use zbus::{Connection, proxy};

    use super::*;

    #[proxy(
        interface = "org.freedesktop.Notifications",
        default_service = "org.freedesktop.Notifications",
        default_path = "/org/freedesktop/Notifications"
    )]
    trait Notifications {
        #[allow(clippy::too_many_arguments)]
        fn notify(
            &self,
            app_name: &str,
            replaces_id: u32,
            app_icon: &str,
            summary: &str,
            body: &str,
            actions: &[&str],
            hints: HashMap<&str, Value<'_>>,
            expire_timeout: i32,
        ) -> zbus::Result<u32>;
        fn get_capabilities(&self) -> zbus::Result<Vec<String>>;
        #[zbus(signal)]
        fn action_invoked(&self, id: u32, action_key: String) -> zbus::Result<()>;
    }

    /// Shows notifications by the desktop's own service, which may come and go.
    pub struct Shower {
        resident: Arc<Resident>,
        /// Which repository each is about; one of a repository takes the place of its last.
        shown: Arc<Mutex<HashMap<Option<RepositoryId>, u32>>>,
        connection: Mutex<Option<NotificationsProxy<'static>>>,
    }

    impl Shower {
        /// Nothing is shown yet.
        pub fn new(resident: Arc<Resident>) -> Self {
            Self { resident, shown: Arc::default(), connection: Mutex::default() }
        }

        /// Shows it; where nobody shows notifications, the window has it all the same.
        pub async fn show(&self, word: &Word) {
            if let Err(error) = self.try_show(word).await {
                tracing::warn!(error = %error.message, "no notification was shown");
            }
        }

        /// The same, with why it is not shown.
        ///
        /// # Errors
        /// [`Code::NotFound`] where nobody shows notifications.
        pub async fn try_show(&self, word: &Word) -> Result<()> {
            let shown = tokio::time::timeout(PATIENCE, self.shown(word)).await;
            let shown = shown.map_err(|_| nobody("its service does not answer"))?;
            if shown.is_err() {
                // The next one asks anew.
                *self.connection.lock().await = None;
            }
            shown.map_err(nobody)
        }

        async fn shown(&self, word: &Word) -> zbus::Result<()> {
            let service = self.service().await?;
            let takes_markup = service.get_capabilities().await?.iter().any(|can| can == "body-markup");
            let body = body(word);
            let body = if takes_markup { escaped(&body) } else { body };
            let mut shown = self.shown.lock().await;
            let last = shown.get(&word.repository).copied().unwrap_or_default();
            let urgency: u8 = if word.urgent { 2 } else { 1 };
            let hints = HashMap::from([
                ("urgency", Value::from(urgency)),
                ("desktop-entry", Value::from("standin")),
                ("category", Value::from("network")),
            ]);
            let actions = ["default", "Open"];
            let id = service.notify("Standin", last, "standin", &word.title, &body, &actions, hints, -1).await?;
            shown.insert(word.repository.clone(), id);
            Ok(())
        }

        async fn service(&self) -> zbus::Result<NotificationsProxy<'static>> {
            let mut connection = self.connection.lock().await;
            if let Some(service) = connection.as_ref() {
                return Ok(service.clone());
            }
            let service = NotificationsProxy::new(&Connection::session().await?).await?;
            let mut pressed = service.receive_action_invoked().await?;
            let (resident, shown) = (self.resident.clone(), self.shown.clone());
            tauri::async_runtime::spawn(async move {
                while let Some(signal) = pressed.next().await {
                    let Ok(arguments) = signal.args() else { continue };
                    let of = shown.lock().await.iter().find(|(_, id)| **id == arguments.id).map(|(of, _)| of.clone());
                    if let Some(repository) = of {
                        resident.open(repository);
                    }
                }
            });
            *connection = Some(service.clone());
            Ok(service)
        }
    }

    /// Words from outside, as they are shown where `<`, `>` and `&` mean something.
    fn escaped(text: &str) -> String {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::*;

    /// Shows notifications by the system's own service.
    pub struct Shower;

    impl Shower {
        /// Nothing is shown yet.
        pub fn new(_: Arc<Resident>) -> Self {
            Self
        }

        /// Shows it; where nobody shows notifications, the window has it all the same.
        pub async fn show(&self, word: &Word) {
            if let Err(error) = self.try_show(word).await {
                tracing::warn!(error = %error.message, "no notification was shown");
            }
        }

        /// The same, with why it is not shown.
        ///
        /// # Errors
        /// [`Code::NotFound`] where nobody shows notifications.
        pub async fn try_show(&self, word: &Word) -> Result<()> {
            let mut notification = notify_rust::Notification::new();
            notification.appname("Standin").summary(&word.title).body(&body(word));
            let shown =
                tokio::task::spawn_blocking(move || notification.show().map(drop).map_err(|error| error.to_string()));
            match tokio::time::timeout(PATIENCE, shown).await {
                Ok(Ok(shown)) => shown.map_err(nobody),
                Ok(Err(error)) => Err(nobody(error)),
                Err(_) => Err(nobody("its service does not answer")),
            }
        }
    }
}
