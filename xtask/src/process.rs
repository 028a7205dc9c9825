//! Starting other programs: found on `PATH`, echoed before they run, their failure told in one sentence.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::place::Place;
use crate::report::{Failure, say};

/// A program about to be started in the checkout.
pub struct Program {
    command: Command,
    shown: String,
}

impl Program {
    /// `cargo`, the same that started us, without the variables that `cargo run` added: they would make some build
    /// scripts run again.
    pub fn cargo(place: &Place) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut program = Self::named(place, cargo);
        program.shown = "cargo".to_owned();
        program
    }

    /// `npm`, in a folder of the checkout.
    pub fn npm(place: &Place, folder: &str) -> Self {
        let mut program = Self::named(place, if cfg!(windows) { "npm.cmd" } else { "npm" });
        program.command.current_dir(place.path(folder));
        program.shown = format!("(in {folder}) npm");
        program
    }

    /// Any program.
    pub fn named(place: &Place, name: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(name.as_ref());
        command.current_dir(place.root());
        for (key, _) in std::env::vars_os() {
            if is_of_cargo_run(&key) {
                command.env_remove(key);
            }
        }
        let mut search = vec![place.tools().join("bin")];
        search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        if let Ok(search) = std::env::join_paths(search) {
            command.env("PATH", search);
        }
        let shown = Path::new(name.as_ref());
        let shown = shown.strip_prefix(place.root()).unwrap_or(shown).display().to_string();
        Self { command, shown }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        let text = argument.as_ref().to_string_lossy();
        self.shown.push(' ');
        if text.contains(char::is_whitespace) {
            self.shown.push_str(&format!("'{text}'"));
        } else {
            self.shown.push_str(&text);
        }
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Self::arg)
    }

    /// Sets a variable for the program.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Sets several variables for the program.
    #[must_use]
    pub fn envs(mut self, variables: &[(&'static str, OsString)]) -> Self {
        self.command.envs(variables.iter().map(|(key, value)| (key, value)));
        self
    }

    /// Runs it in this folder instead of the checkout.
    #[must_use]
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Puts folders of programs before all others.
    #[must_use]
    pub fn with_programs(mut self, folders: &[&Path]) -> Self {
        let known = std::env::var_os("PATH").unwrap_or_default();
        let search = folders.iter().map(|folder| folder.to_path_buf()).chain(std::env::split_paths(&known));
        if let Ok(search) = std::env::join_paths(search) {
            self.command.env("PATH", search);
        }
        self
    }

    /// Runs it, its output going where ours goes, and waits for its end.
    pub fn status(mut self) -> Result<ExitStatus, Failure> {
        say(&format!("$ {}", self.shown));
        self.command.status().map_err(|error| Failure::cannot_start(&self.shown, &error))
    }

    /// Runs it like [`Program::status`]; any status but 0 is a failure.
    pub fn run(self) -> Result<(), Failure> {
        let shown = self.shown.clone();
        let status = self.status()?;
        if status.success() { Ok(()) } else { Err(Failure::of_status(&shown, status)) }
    }

    /// Runs it silently and gives what it printed, `None` where it cannot be started or failed.
    pub fn answer(mut self) -> Option<String> {
        let output = self.command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// The first program of this name on `PATH`, or in the folders where Debian keeps the servers.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(servers)
        .map(|folder| folder.join(name).with_extension(std::env::consts::EXE_EXTENSION))
        .find(|program| program.is_file())
}

fn is_of_cargo_run(key: &OsStr) -> bool {
    let key = key.to_string_lossy();
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"]
        .iter()
        .any(|prefix| key.starts_with(prefix))
}
