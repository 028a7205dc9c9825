//! Generates what Tauri needs at compile time, and the list of commands that the page may be allowed to call.

/// Every command of `src-tauri/commands.rs`. The capability file allows them one by one, for the one window.
const COMMANDS: &[&str] = &[
    "overview",
    "reload",
    "consent_allow",
    "consent_deny",
    "plan",
    "sync",
    "cancel",
    "health",
    "resolve",
    "history",
    "run",
    "audit",
    "rescues",
    "rescue_restore",
    "token_check",
    "token_set",
    "token_remove",
    "secrets",
    "secret_set",
    "secret_remove",
    "subscribe",
];

fn main() {
    if !std::path::Path::new("ui/dist/index.html").exists() {
        println!("cargo::error=the page is not built: run `npm ci` and `npm run build` in ui/ first");
        return;
    }
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/*.json")
        .app_manifest(tauri_build::AppManifest::new().commands(COMMANDS));
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
