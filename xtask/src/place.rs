//! Where things are in this checkout.

use std::path::{Path, PathBuf};

use crate::report::Failure;

/// The checkout and the folder that cargo builds in.
pub struct Place {
    root: PathBuf,
    target: PathBuf,
}

impl Place {
    /// Finds both: cargo says where the checkout is, and the build folder is where this program lies. What was compiled
    /// in would still say where a checkout was before it was moved.
    pub fn find() -> Result<Self, Failure> {
        let said = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = said.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        let root = root.filter(|root| root.join("Cargo.toml").is_file()).ok_or_else(|| {
            Failure::new("This program does not know which checkout it is for.", "Run it as `cargo xtask`.")
        })?;
        let program = std::env::current_exe().map_err(|error| Failure::io("find this program's own path", error))?;
        let target = program.parent().and_then(Path::parent).map(Path::to_path_buf);
        Ok(Self { target: target.unwrap_or_else(|| root.join("target")), root })
    }

    /// The folder of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file or folder of the checkout.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A program that cargo built, such as `debug/standin`.
    pub fn built(&self, program: &str) -> PathBuf {
        self.target.join(program).with_extension(std::env::consts::EXE_EXTENSION)
    }

    /// Any other file or folder below cargo's build folder, such as `release/bundle`.
    pub fn scratch(&self, relative: &str) -> PathBuf {
        self.target.join(relative)
    }

    /// Programs that [`crate::setup`] installed for this checkout alone.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }
}
