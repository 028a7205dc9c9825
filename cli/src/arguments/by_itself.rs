//! What can be typed about working by itself.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Subcommand};
use standin_core::state::config;

/// `standin watch`
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct WatchArguments {
    /// Listen for GitHub's push webhooks, at an address of this machine alone such as 127.0.0.1:8788
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Show metrics for Prometheus at /metrics and the health of this process at /healthz, at an address such as
    /// 127.0.0.1:9464; it may be that of --listen
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,
}

/// `standin service`
#[derive(Debug, Subcommand)]
pub enum ServiceCommand {
    /// Start it now and at each login, on this configuration and state folder; once more changes its options
    Install(WatchArguments),
    /// Stop it, and take away what was installed
    Remove,
    /// Say whether it is installed, as it was written, and runs
    Status,
}

/// `standin webhook`
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Keep the secret that GitHub signs with in the keychain, read from standard input
    Secret {
        /// Remove it from the keychain instead
        #[arg(long)]
        remove: bool,
    },
}

/// `standin schedule`
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Show when each mirror is synced next, and who keeps the schedule [default]
    Show,
    /// Sync nothing by itself for a while; syncs by hand work as ever
    Pause {
        /// How long, such as 1h or 2d
        #[arg(value_name = "TIME|until-resumed", default_value = "until-resumed", value_parser = pause_length)]
        length: PauseLength,
    },
    /// Let the schedule go on
    Resume,
}

/// How long a pause lasts.
#[derive(Clone, Copy, Debug)]
pub enum PauseLength {
    /// Until somebody ends it.
    UntilResumed,
    /// So long.
    For(Duration),
}

fn pause_length(text: &str) -> Result<PauseLength, String> {
    if text == "until-resumed" {
        return Ok(PauseLength::UntilResumed);
    }
    config::length_of_time(text).map(PauseLength::For)
}

#[derive(Debug, Subcommand)]
pub enum HookCommand {
    /// Put it into its place; a hook that is there already stays in use
    Install {
        /// Also where it is a new file in the work tree, by `core.hooksPath`
        #[arg(long)]
        in_work_tree: bool,
    },
    /// Take it away, and leave the folder as it was
    Remove,
    /// Say whether it is there, as it was written, and works
    Status,
}

#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// List the places that standin.toml names, what each is told of, and whether word arrives
    List,
    /// Send a test to one of them, or to all
    #[command(after_help = "Exit status: 0 all arrived, 1 one did not, 2 no such place is configured.")]
    Test {
        /// The place [default: all of them]
        name: Option<String>,
    },
    /// Keep the token of a place in the keychain, read from standard input, for the host that it has now
    Token {
        /// The place
        name: String,
        /// Remove it from the keychain instead
        #[arg(long)]
        remove: bool,
    },
}
