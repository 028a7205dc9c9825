//! The page's types, made from ours. `STANDIN_UPDATE_BINDINGS=1 cargo test -p standin-desktop bindings` writes them anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use standin_core::engine::{OpenChangeChoice, RoleOutcome, SecretPlace};
use standin_core::event::Stamped;
use standin_core::plan::Plan;
use standin_core::roles::preview::RolePlan;
use standin_core::state::store::{AuditEntry, DecisionChoice, Rescue, RunRecord};
use standin_core::tokens::TokenReport;
use ts_rs::{Config, ExportError, TS};

use crate::wire::{Keep, Overview, RoleChoice, SyncChoice};

/// Writes every type that a command takes or gives, and what it is made of.
fn export(folder: &Path) -> Result<(), ExportError> {
    let config = Config::new().with_out_dir(folder).with_large_int("number");
    Overview::export_all(&config)?;
    SyncChoice::export_all(&config)?;
    Stamped::export_all(&config)?;
    Keep::export_all(&config)?;
    Plan::export_all(&config)?;
    RunRecord::export_all(&config)?;
    AuditEntry::export_all(&config)?;
    Rescue::export_all(&config)?;
    DecisionChoice::export_all(&config)?;
    SecretPlace::export_all(&config)?;
    RoleChoice::export_all(&config)?;
    RolePlan::export_all(&config)?;
    RoleOutcome::export_all(&config)?;
    OpenChangeChoice::export_all(&config)?;
    TokenReport::export_all(&config)
}

fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (PathBuf::from(path.file_name().unwrap()), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn the_bindings_of_the_page_are_those_of_the_commands() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/src/lib/bindings");
    let folder = tempfile::tempdir().unwrap();
    export(folder.path()).unwrap();
    let fresh = files(folder.path());
    assert!(fresh.len() > 40, "{} types exported", fresh.len());
    if std::env::var_os("STANDIN_UPDATE_BINDINGS").is_some() {
        std::fs::remove_dir_all(&committed).unwrap();
        std::fs::create_dir_all(&committed).unwrap();
        for (name, text) in &fresh {
            std::fs::write(committed.join(name), text).unwrap();
        }
    }
    let committed = files(&committed);
    let differing: Vec<_> =
        fresh.keys().chain(committed.keys()).filter(|name| fresh.get(*name) != committed.get(*name)).collect();
    assert!(
        differing.is_empty(),
        "the bindings drifted: {differing:?}. Run `STANDIN_UPDATE_BINDINGS=1 cargo test -p standin-desktop bindings` and commit."
    );
}
