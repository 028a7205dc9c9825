//! The system's own dialogs for folders and files. The program opens them; the page only asks for it, and is told what was
//! chosen.

use std::path::{Path, PathBuf};

use standin_core::{Code, Error, Result};
use tauri::AppHandle;

/// Asks for a folder; `None` where the person changed their mind.
pub async fn choose_folder(app: &AppHandle, title: &'static str) -> Option<PathBuf> {
    asked(app, title, None).await
}

/// Asks where a file is to be written; `None` where the person changed their mind.
pub async fn save_as(app: &AppHandle, title: &'static str, name: &'static str) -> Option<PathBuf> {
    asked(app, title, Some(name)).await
}

/// Writes a text where the person said.
///
/// # Errors
/// [`Code::Storage`] when it cannot be written.
pub fn write(file: &Path, text: &str) -> Result<()> {
    std::fs::write(file, text).map_err(|error| {
        let message = format!("{} could not be written: {error}", file.display());
        Error::new(Code::Storage, message, "Choose another place, or make room there.")
    })
}

#[cfg(target_os = "linux")]
async fn asked(app: &AppHandle, title: &'static str, name: Option<&'static str>) -> Option<PathBuf> {
    use gtk::prelude::{FileChooserExt as _, NativeDialogExt as _};
    use tauri::Manager as _;

    let (answer, answered) = tokio::sync::oneshot::channel();
    let window = app.get_webview_window(crate::window::LABEL);
    let shown = app.run_on_main_thread(move || {
        let (action, accept) = match name {
            None => (gtk::FileChooserAction::SelectFolder, "_Choose"),
            Some(_) => (gtk::FileChooserAction::Save, "_Save"),
        };
        let parent = window.and_then(|window| window.gtk_window().ok());
        let dialog = gtk::FileChooserNative::new(Some(title), parent.as_ref(), action, Some(accept), Some("_Cancel"));
        if let Some(name) = name {
            dialog.set_current_name(name);
            dialog.set_do_overwrite_confirmation(true);
        }
        let answer = std::cell::Cell::new(Some(answer));
        // The dialog lives as long as it is held; it is let go with its answer.
        let held = std::cell::RefCell::new(Some(dialog.clone()));
        dialog.connect_response(move |dialog, response| {
            let chosen = (response == gtk::ResponseType::Accept).then(|| dialog.filename()).flatten();
            if let Some(answer) = answer.take() {
                // Who asked may be gone.
                let _ = answer.send(chosen);
            }
            held.borrow_mut().take();
        });
        dialog.show();
    });
    shown.ok()?;
    answered.await.ok()?
}

#[cfg(not(target_os = "linux"))]
async fn asked(_app: &AppHandle, title: &'static str, name: Option<&'static str>) -> Option<PathBuf> {
    let dialog = rfd::AsyncFileDialog::new().set_title(title);
    let chosen = match name {
        None => dialog.pick_folder().await,
        Some(name) => dialog.set_file_name(name).save_file().await,
    };
    chosen.map(|file| file.path().to_owned())
}
