//! What can be said when the window is started. The same options as the command line's.

use std::path::PathBuf;

use clap::Parser;
use standin_core::start::StartOptions;

/// Opens the window of Standin.
#[derive(Debug, Parser)]
#[command(name = "standin-desktop", version)]
pub struct Arguments {
    /// The repository at hand; default: the git repository around the current folder
    #[arg(long, value_name = "PATH")]
    repo: Option<PathBuf>,
    /// The configuration file; default: `$STANDIN_CONFIG`, else standin.toml in the configuration folder
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where Standin keeps its memory; default: `$STANDIN_STATE_DIR`, else the data folder
    #[arg(long, value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// Start without a window, where the tray shows Standin's icon
    #[arg(long)]
    hidden: bool,
}

impl Arguments {
    /// Whether it begins without a window.
    pub fn hidden(&self) -> bool {
        self.hidden
    }

    /// As core wants them.
    pub fn start(self) -> StartOptions {
        StartOptions { repo: self.repo, config: self.config, state_dir: self.state_dir, repository: None }
    }
}
