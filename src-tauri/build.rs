//! Generates what Tauri needs at compile time, and the list of commands that the page may be allowed to call.

use std::collections::BTreeSet;

/// The names in the list.
macro_rules! for_each_command {
    ($($name:ident),+ $(,)?) => { &[$(stringify!($name)),+] };
}

/// Every command of `src-tauri/commands.rs`.
const COMMANDS: &[&str] = include!("command_names.rs");
/// Allows them one by one, for the one window.
const CAPABILITIES: &str = include_str!("capabilities/main.json");

/// What differs between the commands and what the window may call: a command that it may not call is no command.
fn not_allowed() -> Option<String> {
    let wanted: BTreeSet<String> = COMMANDS.iter().map(|name| format!("allow-{}", name.replace('_', "-"))).collect();
    let allowed: BTreeSet<String> =
        CAPABILITIES.split('"').filter(|word| word.starts_with("allow-")).map(str::to_owned).collect();
    let differing: Vec<&String> = wanted.symmetric_difference(&allowed).collect();
    (!differing.is_empty())
        .then(|| format!("src-tauri/capabilities/main.json and command_names.rs differ in {differing:?}"))
}

fn main() {
    if !std::path::Path::new("ui/dist/index.html").exists() {
        println!("cargo::error=the page is not built: run `npm ci` and `npm run build` in ui/ first");
        return;
    }
    if let Some(differing) = not_allowed() {
        println!("cargo::error={differing}");
        return;
    }
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/*.json")
        .app_manifest(tauri_build::AppManifest::new().commands(COMMANDS));
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
