//! The gh program: found, its version checked, run with an environment of ours.
//!
//! gh seals and sends secrets, and tells the token that the user is signed in with. It sees of our environment only
//! what a network needs to be reached; its configuration is an empty folder of ours or the one configured for the
//! host, never the user's own (but for `gh auth token`, which asks for just that). [`TokioGh`] runs it with
//! `tokio::process`; the desktop has its own [`Gh`], built from the same [`call`] and [`Program`].

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use standin_state::config::Config;
use standin_state::private;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::github::GITHUB_COM;
use crate::outside::{Gh, GhCall, GhOutput};
use crate::processes::{Group, on_path, own_group};
use crate::{Code, Error, Result};

/// The oldest gh that will do: the first with `gh variable`, by when `gh secret set -f -` was there too.
pub const MINIMUM_VERSION: (u32, u32, u32) = (2, 32, 0);
/// How long `gh --version` may take.
const VERSION_LIMIT: Duration = Duration::from_secs(20);
/// Most that is kept of either output, in bytes; gh says little.
pub const OUTPUT_LIMIT: usize = 1024 * 1024;

/// Variables of ours that gh may see: how to reach the network, and what Windows programs need to start.
const PASSED_ON: [&str; 16] = [
    "PATH",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
    "SystemRoot",
    "SystemDrive",
    "ComSpec",
    "PATHEXT",
    "TEMP",
    "TMP",
];

/// A session bus that is not there. Without an address gh starts a bus of its own to look for a keychain, and leaves it
/// running, with the keychain that the bus starts: one pair more each time on a machine without a desktop session.
const NO_BUS: (&str, &str) = ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");

/// What is true of every call. gh lives for a fraction of a second: collecting its garbage would take a third of that.
const ALWAYS: [(&str, &str); 10] = [
    NO_BUS,
    ("GH_PROMPT_DISABLED", "1"),
    ("GH_NO_UPDATE_NOTIFIER", "1"),
    ("GH_NO_EXTENSION_UPDATE_NOTIFIER", "1"),
    ("GH_TELEMETRY", "false"),
    ("DO_NOT_TRACK", "1"),
    ("NO_COLOR", "1"),
    ("LC_ALL", "C"),
    ("GOGC", "off"),
    ("GOMEMLIMIT", "256MiB"),
];

/// Where gh is told to find things, and with which token.
pub struct Place<'a> {
    /// Hosts.
    pub config: &'a Config,
    /// The host as slugs name it; `None` is github.com.
    pub host: Option<&'a str>,
    /// The token.
    pub token: &'a SecretString,
    /// An own folder for gh's configuration where none is configured; made if need be.
    pub own_folder: &'a Path,
}

/// One call against a host with a token of ours.
///
/// # Errors
/// [`Code::Storage`] when the own folder cannot be made.
pub fn call(
    place: &Place<'_>,
    arguments: Vec<String>,
    input: Option<SecretString>,
    time_limit: Duration,
) -> Result<GhCall> {
    let host = place.host.unwrap_or(GITHUB_COM);
    let configured = place.config.hosts.iter().find(|known| known.name.eq_ignore_ascii_case(host));
    let folder = match configured.and_then(|known| known.gh_config_dir.clone()) {
        Some(folder) => folder,
        None => {
            private::create_folder(place.own_folder)?;
            place.own_folder.to_path_buf()
        }
    };
    let text = |path: &Path| SecretString::from(path.to_string_lossy().into_owned());
    let mut environment = BTreeMap::from([
        ("GH_CONFIG_DIR".to_owned(), text(&folder)),
        // gh looks for state, cache and extensions below the home folder: not below the user's.
        ("HOME".to_owned(), text(place.own_folder)),
        ("APPDATA".to_owned(), text(place.own_folder)),
        ("LOCALAPPDATA".to_owned(), text(place.own_folder)),
    ]);
    if host == GITHUB_COM || host.ends_with(".ghe.com") {
        environment.insert("GH_TOKEN".to_owned(), place.token.clone());
    } else {
        environment.insert("GH_ENTERPRISE_TOKEN".to_owned(), place.token.clone());
    }
    if host != GITHUB_COM {
        environment.insert("GH_HOST".to_owned(), SecretString::from(host.to_owned()));
    }
    Ok(GhCall { arguments, input, environment, time_limit })
}

/// The variables that gh gets with every call, out of those that this program was started with.
pub fn base_environment(outside: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let passes = |name: &str| {
        PASSED_ON.iter().any(|passed| if cfg!(windows) { passed.eq_ignore_ascii_case(name) } else { *passed == name })
    };
    let mut environment: BTreeMap<String, String> =
        outside.iter().filter(|(name, _)| passes(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    environment.extend(ALWAYS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment
}

/// Where gh is started: in no clone, since it would ask git about the one that it is in.
pub fn folder() -> &'static Path {
    Path::new(if cfg!(windows) { "C:\\" } else { "/" })
}

/// A gh that was found and is new enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its version.
    pub version: (u32, u32, u32),
}

impl Program {
    /// `STANDIN_GH`, else the `gh` of `PATH`.
    ///
    /// # Errors
    /// [`Code::GhMissing`] where there is none.
    fn locate(outside: &BTreeMap<String, String>) -> Result<PathBuf> {
        if let Some(named) = outside.get("STANDIN_GH").filter(|named| !named.is_empty()) {
            return Ok(std::path::absolute(named).unwrap_or_else(|_| PathBuf::from(named)));
        }
        let path = outside.get("PATH").map(String::as_str).unwrap_or_default();
        on_path("gh", OsStr::new(path))
            .ok_or_else(|| Error::new(Code::GhMissing, "the program gh was not found on PATH", install_hint()))
    }

    /// Finds gh and asks it for its version: `run` starts the program with one call.
    ///
    /// # Errors
    /// [`Code::GhMissing`]; what `run` reports.
    pub async fn find<R>(outside: &BTreeMap<String, String>, run: impl FnOnce(PathBuf, GhCall) -> R) -> Result<Self>
    where
        R: Future<Output = Result<GhOutput>>,
    {
        let path = Self::locate(outside)?;
        let call = GhCall {
            arguments: vec!["--version".to_owned()],
            input: None,
            environment: BTreeMap::new(),
            time_limit: VERSION_LIMIT,
        };
        let output = run(path.clone(), call).await?;
        Self::checked(path, &output.stdout)
    }

    /// Takes the version out of what `gh --version` printed.
    ///
    /// # Errors
    /// [`Code::GhMissing`] for a gh that is too old, or that is none.
    fn checked(path: PathBuf, printed: &str) -> Result<Self> {
        let hint = install_hint();
        let Some(version) = version(printed) else {
            return Err(Error::new(Code::GhMissing, format!("{} does not seem to be gh", path.display()), hint));
        };
        if version < MINIMUM_VERSION {
            let (major, minor, patch) = version;
            let message = format!("{} is gh {major}.{minor}.{patch}, which is too old", path.display());
            return Err(Error::new(Code::GhMissing, message, hint));
        }
        Ok(Self { path, version })
    }
}

fn install_hint() -> String {
    let (major, minor, patch) = MINIMUM_VERSION;
    format!("Install gh {major}.{minor}.{patch} or newer (https://cli.github.com), or name it in STANDIN_GH.")
}

fn version(printed: &str) -> Option<(u32, u32, u32)> {
    let text = printed.strip_prefix("gh version ")?.split_whitespace().next()?;
    let mut parts = text.split(['.', '-']).map(|part| part.parse::<u32>().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

/// What is wrong where gh does not come to answer, in the same words however it is started.
pub mod failure {
    use std::fmt::Display;
    use std::path::Path;
    use std::time::Duration;

    use super::install_hint;
    use crate::{Code, Error};

    /// It could not be started.
    pub fn not_started(path: &Path, error: impl Display) -> Error {
        Error::new(Code::GhMissing, format!("{} could not be started: {error}", path.display()), install_hint())
    }

    /// Its words could not be read.
    pub fn not_heard(error: impl Display) -> Error {
        Error::passing(Code::GhFailed, format!("gh could not be listened to: {error}"), "Try again.")
    }

    /// It took longer than it may.
    pub fn timed_out(limit: Duration) -> Error {
        Error::passing(
            Code::TimedOut,
            format!("gh did not end within {} seconds and was stopped", limit.as_secs()),
            "The host hangs or is very slow. Try again later, or raise `[limits] request`.",
        )
    }
}

/// gh by `tokio::process`.
pub struct TokioGh {
    outside: Arc<BTreeMap<String, String>>,
    program: OnceCell<Program>,
}

impl TokioGh {
    /// gh as this environment leads to it; looked for and checked when it is first needed.
    pub fn new(outside: Arc<BTreeMap<String, String>>) -> Self {
        Self { outside, program: OnceCell::new() }
    }

    /// The program, found and checked once.
    ///
    /// # Errors
    /// [`Code::GhMissing`].
    pub async fn program(&self) -> Result<&Program> {
        self.program
            .get_or_try_init(|| {
                Program::find(&self.outside, |path, call| async move { self.run_program(&path, call).await })
            })
            .await
    }

    async fn run_program(&self, path: &Path, call: GhCall) -> Result<GhOutput> {
        let mut command = Command::new(path);
        command
            .args(&call.arguments)
            .current_dir(folder())
            .env_clear()
            .envs(base_environment(&self.outside))
            .envs(call.environment.iter().map(|(name, value)| (name, value.expose_secret())))
            .stdin(if call.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        own_group(&mut command);
        let mut child = command.spawn().map_err(|error| failure::not_started(path, error))?;
        // The command holds the token; it is not needed any more.
        drop(command);
        let mut group = Group::of(child.id());
        let ended = tokio::time::timeout(call.time_limit, converse(&mut child, call.input)).await;
        match ended {
            Ok(Ok(output)) => {
                group.leave();
                Ok(output)
            }
            Ok(Err(error)) => Err(failure::not_heard(error)),
            Err(_) => Err(failure::timed_out(call.time_limit)),
        }
    }
}

#[async_trait]
impl Gh for TokioGh {
    async fn run(&self, call: GhCall) -> Result<GhOutput> {
        let program = self.program().await?;
        self.run_program(&program.path, call).await
    }
}

async fn converse(child: &mut Child, input: Option<SecretString>) -> std::io::Result<GhOutput> {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let write = async move {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // gh may end before it has read everything; it then says why on standard error.
            let _ = stdin.write_all(input.expose_secret().as_bytes()).await;
        }
    };
    let ((), stdout, stderr) = tokio::join!(write, read(stdout), read(stderr));
    let status = child.wait().await?;
    Ok(GhOutput { status: status.code(), stdout: stdout?, stderr: stderr? })
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        (&mut stream).take(OUTPUT_LIMIT as u64).read_to_end(&mut bytes).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_gh_is_refused_with_what_to_install() {
        let debian = Program::checked(PathBuf::from("/usr/bin/gh"), "gh version 2.23.0 (2023-02-27 Debian 2.23.0)\n");
        let error = debian.unwrap_err();
        assert_eq!(error.code, Code::GhMissing);
        assert_eq!(error.message, "/usr/bin/gh is gh 2.23.0, which is too old");
        assert!(error.hint.contains("2.32.0"));
        let current = Program::checked(PathBuf::from("/usr/bin/gh"), "gh version 2.103.3 (2026-10-26)\n").unwrap();
        assert_eq!(current.version, (2, 103, 3));
        assert!(Program::checked(PathBuf::from("/bin/true"), "").is_err());
    }

    #[test]
    fn gh_sees_nothing_of_the_users_environment_but_the_network() {
        let outside = [
            ("PATH", "/bin"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("GITHUB_TOKEN", "x"),
            ("GH_HOST", "x"),
            ("HTTPS_PROXY", "p"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = base_environment(&BTreeMap::from(outside));
        let mut names: Vec<&str> = environment.keys().map(String::as_str).collect();
        names.retain(|name| ALWAYS.iter().all(|(always, _)| always != name));
        assert_eq!(names, ["HTTPS_PROXY", "PATH"]);
    }

    #[test]
    fn the_token_goes_into_the_variable_that_gh_reads_for_the_host() {
        let folder = tempfile::tempdir().unwrap();
        let token = SecretString::from("t");
        let names = |host: Option<&str>| -> Vec<String> {
            let place = Place { config: &Config::default(), host, token: &token, own_folder: folder.path() };
            let call = call(&place, Vec::new(), None, VERSION_LIMIT).unwrap();
            call.environment.keys().filter(|name| name.starts_with("GH_")).cloned().collect()
        };
        assert_eq!(names(None), ["GH_CONFIG_DIR", "GH_TOKEN"]);
        assert_eq!(names(Some("ghe.example.com")), ["GH_CONFIG_DIR", "GH_ENTERPRISE_TOKEN", "GH_HOST"]);
    }
}
