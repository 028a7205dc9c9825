//! A world as it once was, put back by copying: for tests that try many things from one beginning.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use standin_sandbox::Snapshot;
use tempfile::TempDir;

use super::world::World;

/// All of a world at a moment: what the sandbox remembers, and every file.
pub struct Beginning {
    sandbox: Snapshot,
    files: TempDir,
    secrets: BTreeMap<String, String>,
    settings: Vec<(String, String)>,
    machines: u32,
}

impl World {
    /// The world as it is now. Machines that there are by now are in it.
    pub fn beginning(&self) -> Beginning {
        self.settle();
        let beside = self.folder().parent().unwrap();
        let files = tempfile::Builder::new().prefix("sw-").tempdir_in(beside).unwrap();
        copy(self.folder(), files.path());
        Beginning {
            sandbox: self.sandbox.snapshot(),
            files,
            secrets: self.secrets.clone(),
            settings: self.settings.clone(),
            machines: self.machines.load(Ordering::Relaxed),
        }
    }

    /// Makes the world what it was. Machines that came later are gone, and their names are given again.
    pub fn go_back(&mut self, to: &Beginning) {
        self.settle();
        for entry in fs::read_dir(self.folder()).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let removed =
                if entry.file_type().unwrap().is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        copy(to.files.path(), self.folder());
        self.sandbox.restore(&to.sandbox);
        self.secrets.clone_from(&to.secrets);
        self.settings.clone_from(&to.settings);
        self.machines.store(to.machines, Ordering::Relaxed);
    }
}

/// Everything in a folder, with its times and rights.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(status.success(), "cp -a {} {}: {status}", from.display(), to.display());
}
