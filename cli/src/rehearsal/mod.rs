//! Standin rehearsed in a sandbox: what the demo and the drill have in common.
//!
//! | file | what lives there |
//! |---|---|
//! | [`Stage`] | a sandbox with its temporary folder, and an environment that keeps programs inside it |
//! | [`program`] | running Standin itself, git and the window there |
//! | [`Pair`] | a master and its standby, and what happens to them: sentinel, outage, take-over, return, hand-back |
//!
//! Nothing outside the folder is read or written by what runs here, the user's keychain and gh login included.

mod pair;
pub mod program;
mod stage;

pub use pair::Pair;
pub use stage::{SandboxRepository, Stage, StageOptions};

use standin_core::{Code, Error, Result};

/// The error of a claim that turned out false.
pub fn broken(claim: &str, found: impl std::fmt::Display) -> Error {
    Error::new(
        Code::Internal,
        format!("it was expected that {claim}, but {found}"),
        "If this is a bug in Standin, please report it with the lines above.",
    )
}

/// The error of something around the rehearsal that failed.
pub fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(Code::Storage, format!("{what}: {error}"), "Mend that and start again.")
}

/// What the sentinel's script needs on the machine that carries it out; the host's machines have all of it.
///
/// # Errors
/// What is missing.
pub fn need_tools() -> Result<()> {
    let folders: Vec<_> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let is_here = |name: &str| folders.iter().any(|folder: &std::path::PathBuf| folder.join(name).is_file());
    let missing: Vec<&str> = ["bash", "curl", "jq"].into_iter().filter(|name| !is_here(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::Usage,
        format!("the sentinel's script is run on this machine, which has no {}", missing.join(" and no ")),
        "Install it with the system's package manager, then start again.",
    ))
}
