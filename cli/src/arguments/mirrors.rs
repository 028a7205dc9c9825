//! Mirrors: listed, tried, added, changed, removed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use standin_core::leaving::LeftKind;
use standin_core::state::config::edit::MirrorKey;
use standin_core::state::model::{Aspect, MirrorId, Slug};

#[derive(Debug, Subcommand)]
pub enum MirrorCommand {
    /// List the configured mirrors
    List,
    /// Try a mirror's address, token and rights, and change nothing
    Test {
        /// The mirror
        mirror: MirrorId,
        /// Accept the ssh host key that is shown, and remember it
        #[arg(long)]
        accept_host_key: bool,
    },
    /// Write one more mirror into standin.toml, or into the `.env` of the clone; what changes is shown first
    Add(MirrorAddArguments),
    /// Change what is written of a mirror, or (as `source`) of the repository itself
    Edit(MirrorEditArguments),
    /// Take a mirror out, and clean away what of Standin stays at it
    Remove(MirrorRemoveArguments),
}

/// What adding, changing and removing have in common.
#[derive(Clone, Copy, Debug, Args)]
pub struct Writing {
    /// The `.env` of the clone, in place of standin.toml
    #[arg(long)]
    pub env: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

/// What can be said of a mirror of any kind.
#[derive(Clone, Debug, Args)]
pub struct Said {
    /// Keep only these in step: code, secrets, variables, workflows
    #[arg(long, value_name = "ASPECT", value_delimiter = ',')]
    pub sync: Vec<Aspect>,
    /// When it is synced by itself: a time between two syncs such as 2h, or as cron writes it
    #[arg(long, value_name = "WHEN")]
    pub schedule: Option<String>,
    /// The private key for an ssh address
    #[arg(long, value_name = "FILE")]
    pub ssh_key: Option<PathBuf>,
    /// The folder of a copy
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<PathBuf>,
    /// Only these refs of an upstream, as git's refspecs (may be given several times)
    #[arg(long, value_name = "REFSPEC")]
    pub refs: Vec<String>,
    /// Time between two pulls of an upstream, such as 15m
    #[arg(long, value_name = "TIME")]
    pub interval: Option<String>,
    /// How long one pull may take, such as 2h
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
}

#[derive(Debug, Args)]
pub struct MirrorAddArguments {
    /// A standby on GitHub
    #[arg(long, value_name = "OWNER/NAME", group = "kind")]
    pub github: Option<Slug>,
    /// A mirror at a git URL or path: code alone
    #[arg(long, value_name = "URL", group = "kind")]
    pub git: Option<String>,
    /// A copy here of an upstream [default: the source itself]
    #[arg(long, value_name = "URL", group = "kind", num_args = 0..=1, default_missing_value = "")]
    pub pull: Option<String>,
    /// What it is called [default: a free name; in a `.env` the next number]
    #[arg(long, value_name = "ID")]
    pub id: Option<MirrorId>,
    /// The source of a repository that is not configured yet: `owner/name`, a URL or a path
    #[arg(long, value_name = "SOURCE")]
    pub source: Option<String>,
    /// A clone of that source on this machine: values in its `.env` may travel then
    #[arg(long, value_name = "FOLDER", requires = "source")]
    pub clone: Option<PathBuf>,
    #[command(flatten)]
    pub said: Said,
    /// Make the repository at GitHub, private and empty, where it is not there yet
    #[arg(long, requires = "github")]
    pub create: bool,
    /// Read the mirror's token from standard input: for --create, and to be kept in the keychain
    #[arg(long)]
    pub token_stdin: bool,
    #[command(flatten)]
    pub writing: Writing,
}

#[derive(Debug, Args)]
pub struct MirrorEditArguments {
    /// The mirror; `source` is the repository itself
    pub mirror: MirrorId,
    /// Where it is from now on: `owner/name`, a URL or a path
    #[arg(long, value_name = "PLACE")]
    pub to: Option<String>,
    /// Switch it on
    #[arg(long, conflicts_with = "disable")]
    pub enable: bool,
    /// Switch it off: it stays configured, and is not synced
    #[arg(long)]
    pub disable: bool,
    #[command(flatten)]
    pub said: Said,
    /// Take out what is written of it, so that the default holds: sync, schedule, enabled, ssh_key_path, path, refs, interval, timeout
    #[arg(long, value_name = "KEY", value_delimiter = ',', value_parser = key)]
    pub unset: Vec<MirrorKey>,
    #[command(flatten)]
    pub writing: Writing,
}

#[derive(Debug, Args)]
pub struct MirrorRemoveArguments {
    /// The mirror
    pub mirror: MirrorId,
    /// Also clean away what of Standin stays: all that is offered, or only what is named: workflows, sentinel, role, fence, token,
    /// values, memory
    #[arg(long, value_name = "WHAT", value_delimiter = ',', num_args = 0.., require_equals = true)]
    pub clean: Option<Vec<LeftKind>>,
    #[command(flatten)]
    pub writing: Writing,
}

fn key(text: &str) -> Result<MirrorKey, String> {
    Ok(match text {
        "sync" => MirrorKey::Sync,
        "schedule" => MirrorKey::Schedule,
        "enabled" => MirrorKey::Enabled,
        "ssh_key_path" => MirrorKey::SshKeyPath,
        "path" => MirrorKey::Path,
        "refs" => MirrorKey::Refs,
        "interval" => MirrorKey::Interval,
        "timeout" => MirrorKey::Timeout,
        _ => {
            return Err(format!(
                "`{text}` is none of sync, schedule, enabled, ssh_key_path, path, refs, interval, timeout"
            ));
        }
    })
}
