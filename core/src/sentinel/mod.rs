//! The sentinel: the GitHub Actions workflow that watches the master from a standby.
//!
//! [`render`](render()) fills the template `sentinel.yml` with a repository's values; its logic is the script in `script/`, which needs
//! nothing but bash, curl, jq, and git where it pulls. [`install`] brings it to the master, from where it is mirrored like
//! any file, and sets its two secrets on a standby; [`check`] says what stands where. How the script judges, promotes and
//! hands back is described in docs/sentinel.md.
//!
//! Nothing here changes a role: the script does, on the host's machines, by the same fence as everyone else.

pub mod check;
pub mod install;
mod read;
mod render;

pub use check::{LastRun, PlaceReport, SecretFound, SentinelReport};
pub use install::{Installed, SecretsSet, Tokens, Written};
pub use render::{FileState, Rendered, compare, is_overtaken, render};

/// Where the file is in a repository.
pub const PATH: &str = ".github/workflows/sentinel.yml";

/// The secrets that it needs on each standby: for the standby itself, and to read the master.
pub const SECRETS: [&str; 2] = ["STANDIN_TOKEN", "MASTER_TOKEN"];

/// The variable in which it keeps what it knows.
pub const STATE: &str = "SENTINEL_STATE";
