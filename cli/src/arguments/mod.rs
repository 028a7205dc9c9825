//! What can be typed.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod` | the commands, and the options of those that a person gives |
//! | [`by_itself`] | what belongs to working by itself |
//! | [`mirrors`] | mirrors: listed, tried, added, changed, removed |

mod by_itself;
mod mirrors;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use standin_core::state::model::{Aspect, JobId, MirrorId, RefName, RepositoryId, RunStatus, Trigger};
use standin_core::state::store::DecisionChoice;

pub use self::by_itself::{
    HookCommand, NotifyCommand, PauseLength, ScheduleCommand, ServiceCommand, WatchArguments, WebhookCommand,
};
pub use self::mirrors::{MirrorAddArguments, MirrorCommand, MirrorEditArguments, MirrorRemoveArguments, Said, Writing};

/// Keeps standbys of a GitHub repository ready to take over.
#[derive(Debug, Parser)]
#[command(name = "standin", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Exit status: 0 all well, 1 something failed, 2 usage or configuration, 3 a decision is needed."
)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The clone to work on [default: the git repository around the current folder]
    #[arg(long, global = true, value_name = "PATH")]
    pub repo: Option<PathBuf>,
    /// One of the configured repositories, by its id [default: the one of the clone]
    #[arg(long, global = true, value_name = "ID")]
    pub repository: Option<RepositoryId>,
    /// The configuration file [default: $STANDIN_CONFIG, else standin.toml in the OS config folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where Standin keeps its memory [default: $STANDIN_STATE_DIR, else the OS data folder]
    #[arg(long, global = true, value_name = "FOLDER")]
    pub state_dir: Option<PathBuf>,
    /// Print JSON: results as one document, events one a line
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what is known: who is master, how old each standby is, what went wrong
    Status(StatusArguments),
    /// Say yes to what the `.env` of the clone asks for: where tokens, secrets and commits may go
    Allow(AllowArguments),
    /// Say no to what the `.env` of the clone asks for, or take a yes back
    Deny,
    /// Show what a sync would do, and change nothing
    Plan(PlanArguments),
    /// Bring the mirrors in step
    Sync(SyncArguments),
    /// Keep a copy of an upstream here: write it into standin.toml, and fetch it for the first time
    Import(ImportArguments),
    /// Decide about a ref that has diverged on a mirror
    Resolve(ResolveArguments),
    /// Make a standby the master: switch over while the master is well, fail over when it is gone
    Promote(RoleArguments),
    /// Hand back to the source: bring what the standby committed home, then make the source master again
    Demote(RoleArguments),
    /// Work by itself: sync when it is due, look at the masters; ends with Ctrl-C or SIGTERM
    #[command(
        after_help = "SIGHUP reads the configuration again; a change of its files is noticed without it. A second one on the same \
                      state folder stands by, and goes on where the first one ends."
    )]
    Watch(WatchArguments),
    /// When each mirror is synced by itself; pause that, or let it go on
    Schedule {
        #[command(subcommand)]
        command: Option<ScheduleCommand>,
    },
    /// Judge the master, and look at each mirror: reachable, token good, in step, its sentinel awake?
    Health(HealthArguments),
    /// Show the runs, one run, or the audit trail
    History(HistoryArguments),
    /// List, restore or drop tips that were saved before they were moved
    Rescue {
        #[command(subcommand)]
        command: RescueCommand,
    },
    /// List the mirrors, test one without changing anything; add, change or remove one
    Mirror {
        #[command(subcommand)]
        command: Box<MirrorCommand>,
    },
    /// Keep tokens in the keychain, and see what they can do
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Keep values of secrets in the vault, and see where each value comes from
    Secret {
        #[command(subcommand)]
        command: SecretCommand,
    },
    /// Say where word of what changed goes, try it, and keep the tokens that it takes
    Notify {
        #[command(subcommand)]
        command: NotifyCommand,
    },
    /// The workflow that watches the master from the standbys: print it, install it, check it
    Sentinel {
        #[command(subcommand)]
        command: SentinelCommand,
    },
    /// The git hook that tells Standin at once when branches or tags of a local repository move
    Hook {
        #[command(subcommand)]
        command: HookCommand,
    },
    /// The secret by which GitHub's webhooks are known to `standin watch --listen`
    Webhook {
        #[command(subcommand)]
        command: WebhookCommand,
    },
    /// Have the operating system keep `standin watch` running for you: systemd, launchd or the task scheduler
    #[command(
        after_help = "Exit status: 0 it is as asked for, 1 it is installed and does not run, or the file was changed by hand."
    )]
    Service {
        #[command(subcommand)]
        command: ServiceCommand,
    },
    /// Rehearse a fail-over of this configuration in the sandbox, or look whether the real thing is ready
    #[command(
        after_help = "Exit status: 0 the drill passed, or every standby is ready; 1 it did not pass, or one is not ready."
    )]
    Drill(DrillArguments),
    /// Run a GitHub on this machine, to try things on
    Sandbox(SandboxArguments),
    /// Show the main job and a fail-over in the sandbox, step by step, and check them
    Demo(DemoArguments),
    /// Write the manual pages, or the completions of a shell, into a folder: for those who make packages
    #[command(hide = true)]
    Generate(GenerateArguments),
}

#[derive(Debug, Args)]
pub struct StatusArguments {
    /// All configured repositories
    #[arg(long)]
    pub all: bool,
    /// Only this mirror
    #[arg(long, value_name = "ID")]
    pub mirror: Option<MirrorId>,
}

#[derive(Debug, Args)]
pub struct AllowArguments {
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct RoleArguments {
    /// The standby
    pub mirror: MirrorId,
    /// Show the plan and change nothing
    #[arg(long, conflicts_with_all = ["resume", "rollback"])]
    pub dry_run: bool,
    /// Do not ask; also confirms guards and new secret names of the sync before
    #[arg(long)]
    pub yes: bool,
    /// The master is gone: needed where that cannot be told from here (its token is refused, the host's limits are used
    /// up), and for the source to take over from a standby that does not answer
    #[arg(long, conflicts_with_all = ["resume", "rollback"])]
    pub gone: bool,
    /// Go on with the change that is open, whoever began it
    #[arg(long, conflicts_with = "rollback")]
    pub resume: bool,
    /// Take back the change that is open, whoever began it
    #[arg(long)]
    pub rollback: bool,
}

#[derive(Debug, Args)]
pub struct Selection {
    /// Only this mirror (may be given several times)
    #[arg(long = "mirror", value_name = "ID")]
    pub mirrors: Vec<MirrorId>,
    /// Only these aspects: code, secrets, variables, workflows
    #[arg(long, value_name = "ASPECT", value_delimiter = ',')]
    pub only: Vec<Aspect>,
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    #[command(flatten)]
    pub selection: Selection,
}

#[derive(Debug, Args)]
pub struct SyncArguments {
    #[command(flatten)]
    pub selection: Selection,
    /// Only branches and tags
    #[arg(long, conflicts_with_all = ["only", "secrets_only", "vars_only", "workflows_only"])]
    pub code_only: bool,
    /// Only Actions secrets
    #[arg(long, conflicts_with_all = ["only", "vars_only", "workflows_only"])]
    pub secrets_only: bool,
    /// Only Actions variables
    #[arg(long, conflicts_with_all = ["only", "workflows_only"])]
    pub vars_only: bool,
    /// Only workflow states
    #[arg(long, conflicts_with = "only")]
    pub workflows_only: bool,
    /// Show the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do what was planned and nothing else: a file that `standin plan --json` wrote (`-` reads standard input)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "mirrors", "only", "code_only", "secrets_only", "vars_only", "workflows_only"])]
    pub plan: Option<PathBuf>,
    /// Confirm guards and new secret names (never a divergence)
    #[arg(long)]
    pub yes: bool,
    /// Ask the hosts for everything anew, as if no answer of theirs was kept; confirms nothing
    #[arg(long, conflicts_with = "dry_run")]
    pub force: bool,
    /// Fail at once when another process syncs the mirror, instead of waiting for it
    #[arg(long)]
    pub no_wait: bool,
    /// Print the job's id and come back at once; the sync goes on by itself
    #[arg(long, conflicts_with_all = ["dry_run", "plan"])]
    pub background: bool,
    /// The id of the job that this is
    #[arg(long, hide = true, value_name = "ID")]
    pub job: Option<JobId>,
}

#[derive(Debug, Args)]
pub struct ImportArguments {
    /// The upstream: a URL, `owner/name` on GitHub, or a path
    pub url: String,
    /// What the repository is called [default: the last part of the URL]
    #[arg(long, value_name = "NAME")]
    pub id: Option<RepositoryId>,
    /// The folder of the copy [default: in Standin's data folder]
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<PathBuf>,
    /// Only these refs, as git's refspecs: `+refs/heads/*:refs/heads/*`, `^refs/pull/*` (may be given several times)
    #[arg(long, value_name = "REFSPEC")]
    pub refs: Vec<String>,
    /// Time between two syncs, such as 15m [default: the schedule's]
    #[arg(long, value_name = "TIME")]
    pub interval: Option<String>,
    /// How long one sync may take, such as 2h [default: 30m]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// Print the job's id and come back at once; the first fetch goes on by itself
    #[arg(long)]
    pub background: bool,
}

#[derive(Debug, Args)]
pub struct ResolveArguments {
    /// The mirror
    pub mirror: MirrorId,
    /// The ref: `refs/heads/main`, or `main` for a branch
    #[arg(value_name = "REF", value_parser = parse_ref)]
    pub ref_name: RefName,
    /// What to do with the mirror's commits
    pub choice: Choice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Choice {
    /// Save the mirror's tip, then put the source's there
    Overwrite,
    /// Bring the mirror's tip to the source as branch rescue/<mirror>/<ref>
    Take,
    /// Leave that tip as it is until it moves again
    Leave,
}

impl From<Choice> for DecisionChoice {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Overwrite => Self::Overwrite,
            Choice::Take => Self::Take,
            Choice::Leave => Self::Leave,
        }
    }
}

fn parse_ref(text: &str) -> Result<RefName, String> {
    let full = if text.starts_with("refs/") { text.to_owned() } else { format!("refs/heads/{text}") };
    full.parse().map_err(|error: standin_core::state::model::NameError| error.to_string())
}

#[derive(Debug, Args)]
pub struct HealthArguments {
    /// Only this mirror, or `source`
    #[arg(long, value_name = "ID")]
    pub mirror: Option<MirrorId>,
}

#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// One run in full, by its id
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Only this mirror
    #[arg(long, value_name = "ID")]
    pub mirror: Option<MirrorId>,
    /// Only runs in this state: running, success, failed, blocked, cancelled
    #[arg(long, value_name = "STATE")]
    pub status: Option<RunStatus>,
    /// Only runs that this set off: manual, schedule, env_file, source_refs, hook, webhook, upstream
    #[arg(long, value_name = "TRIGGER")]
    pub trigger: Option<Trigger>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// The audit trail instead of the runs: who did what, when, with which outcome
    #[arg(long, conflicts_with_all = ["run", "status", "trigger"])]
    pub audit: bool,
    /// As comma-separated values for a spreadsheet, a line for each run
    #[arg(long, conflicts_with_all = ["run", "audit", "json"])]
    pub csv: bool,
}

#[derive(Debug, Subcommand)]
pub enum RescueCommand {
    /// List the saved tips
    List {
        /// Only of this mirror
        #[arg(long, value_name = "ID")]
        mirror: Option<MirrorId>,
    },
    /// Put a saved tip back on its mirror
    Restore {
        /// The rescue's id, as `rescue list` shows it
        id: String,
        /// On this mirror [default: the one that held it]
        #[arg(long, value_name = "ID")]
        mirror: Option<MirrorId>,
        /// Under this name [default: its old name, if that is free]
        #[arg(long, value_name = "REF", value_parser = parse_ref)]
        to: Option<RefName>,
    },
    /// Remove a saved tip for good
    Drop {
        /// The rescue's id, as `rescue list` shows it
        id: String,
        /// Also when it is the only copy
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Store a token, read from standard input
    Set {
        /// `source`, or a mirror's id
        place: String,
    },
    /// Remove a token from the keychain
    Remove {
        /// `source`, or a mirror's id
        place: String,
    },
    /// Say whose a token is, what it may do, and when it ends
    Check {
        /// `source`, or a mirror's id [default: all of them]
        place: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keep a value, read from standard input byte for byte
    Set {
        /// The secret's name
        name: String,
    },
    /// Remove a value from the vault; mirrors keep what was sent
    Remove {
        /// The secret's name
        name: String,
    },
    /// List the names, and where each value is; never a value
    List,
}

#[derive(Debug, Subcommand)]
pub enum SentinelCommand {
    /// Print the workflow file with this repository's values
    Render,
    /// Commit it to the master, from where it is mirrored like any file
    Install(SentinelInstallArguments),
    /// Say what is installed where, and whether it works
    Check,
}

#[derive(Debug, Args)]
pub struct SentinelInstallArguments {
    /// Make a pull request, also where the branch would take a commit
    #[arg(long)]
    pub pull_request: bool,
    /// Replace a file that Standin did not write, or that was changed by hand
    #[arg(long)]
    pub yes: bool,
    /// Also set the sentinel's secrets on a standby, from lines STANDIN_TOKEN=… and MASTER_TOKEN=… on standard input
    #[arg(long)]
    pub tokens: bool,
    /// The standby that gets the tokens [default: the only one on GitHub]
    #[arg(long, value_name = "ID", requires = "tokens")]
    pub mirror: Option<MirrorId>,
}

#[derive(Debug, Args)]
pub struct DrillArguments {
    /// Look at the real thing instead, and change nothing: freshness, values, workflows, tokens, the sentinel
    #[arg(long, conflicts_with = "list")]
    pub check: bool,
    /// Show the drills that were played
    #[arg(long)]
    pub list: bool,
    /// The standby that takes over [default: the first on GitHub]
    #[arg(long, value_name = "ID", conflicts_with_all = ["check", "list"])]
    pub mirror: Option<MirrorId>,
}

#[derive(Debug, Args)]
pub struct SandboxArguments {
    /// How long each request is held back, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency: u64,
    /// Where its repositories are kept [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Open this program (the Standin window) on the sandbox, and keep it until the window is closed
    #[arg(long, value_name = "PROGRAM")]
    pub window: Option<PathBuf>,
    /// The latency of the sandbox, in milliseconds a request
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency: u64,
}

#[derive(Debug, Args)]
pub struct GenerateArguments {
    /// What to write
    pub what: Generated,
    /// The folder; it is made where there is none
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Generated {
    /// A manual page of each command
    Man,
    /// What the shells complete: bash, zsh and fish, each under the name that it looks for
    Completions,
}
