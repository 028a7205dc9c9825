//! The two sides, each started as a user would start it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use crate::Failure;
use crate::field::Field;
use crate::options::Options;
use crate::project::dotenv;

/// Longest that one sync may take.
const TIME_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Whose mirrors they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Standin's.
    Standin,
    /// The script's.
    Script,
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Standin => "standin",
            Self::Script => "script",
        })
    }
}

/// Somebody who can bring all of their mirrors in step.
pub trait Contestant {
    /// Which side it is.
    fn side(&self) -> Side;
    /// Brings them in step and says how long that took.
    async fn sync(&self) -> Result<Duration, Failure>;
}

/// The real command line, with everything in `.env`.
pub struct Standin {
    program: PathBuf,
    folder: PathBuf,
    home: PathBuf,
    environment: Vec<(String, String)>,
}

impl Standin {
    /// Prepares its home and writes its `.env`.
    pub fn new(field: &Field, options: &Options) -> Result<Self, Failure> {
        let home = field.folder("standin-home")?;
        let environment = field.standin_environment(&options.gh);
        let standin =
            Self { program: options.standin.clone(), folder: field.project.folder.clone(), home, environment };
        standin.write_values(field)?;
        standin.say_yes()?;
        Ok(standin)
    }

    /// Says yes, once, to what the `.env` asks for.
    fn say_yes(&self) -> Result<(), Failure> {
        let mut command = bare(&self.program, &self.home).into_std();
        command.arg("--state-dir").arg(self.home.join("state")).args(["allow", "--yes"]).current_dir(&self.folder);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = command.output().map_err(|error| format!("standin could not be started: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("`standin allow` failed: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Writes `.env` as the values are now.
    pub fn write_values(&self, field: &Field) -> Result<(), Failure> {
        let project = &field.project;
        let mut text = String::from("MIRROR_ENABLED=true\n");
        for (number, mirror) in (1..).zip(field.mirrors(Side::Standin)) {
            let (slug, token) = (mirror.slug(), &mirror.token);
            text +=
                &format!("MIRROR_{number}_TYPE=github\nMIRROR_{number}_REPO={slug}\nMIRROR_{number}_TOKEN={token}\n");
        }
        let names = |values: &std::collections::BTreeMap<String, String>| {
            values.keys().map(String::as_str).collect::<Vec<_>>().join(",")
        };
        text += &format!("MIRROR_SECRETS={}\nMIRROR_VARS={}\n", names(&project.secrets), names(&project.variables));
        text += &dotenv(project.secrets.iter().chain(&project.variables));
        write_private(&self.folder.join(".env"), &text)
    }
}

impl Contestant for Standin {
    fn side(&self) -> Side {
        Side::Standin
    }

    async fn sync(&self) -> Result<Duration, Failure> {
        let mut command = bare(&self.program, &self.home);
        command.arg("--state-dir").arg(self.home.join("state")).arg("sync").current_dir(&self.folder);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        timed(command, &self.home.join("output.txt")).await
    }
}

/// What one would write in an afternoon: mirror after mirror, every time everything.
pub struct Script {
    file: PathBuf,
    folder: PathBuf,
    home: PathBuf,
    environment: Vec<(String, String)>,
}

const SCRIPT: &str = r#"#!/usr/bin/env bash
set -euo pipefail
helper='!f() { echo username=x-access-token; echo "password=$GH_TOKEN"; }; f'
while read -r slug GH_TOKEN <&3; do
  export GH_TOKEN
  git -c credential.helper= -c credential.helper="$helper" push --quiet --mirror "$SERVER/$slug.git"
  "$GH" secret set --repo "$slug" -f "$VALUES/secrets.env"
  "$GH" variable set --repo "$slug" -f "$VALUES/variables.env"
  for workflow in $WORKFLOWS; do
    # Refused where it is off already.
    "$GH" workflow disable --repo "$slug" "$workflow" 2>/dev/null || true
  done
done 3< "$VALUES/mirrors.txt"
"#;

impl Script {
    /// Writes the script and what it reads.
    pub fn new(field: &Field, options: &Options) -> Result<Self, Failure> {
        let home = field.folder("script-home")?;
        let file = home.join("mirror.sh");
        std::fs::write(&file, SCRIPT)?;
        let mirrors = field.mirrors(Side::Script).iter();
        let list: String = mirrors.map(|mirror| format!("{} {}\n", mirror.slug(), mirror.token)).collect();
        write_private(&home.join("mirrors.txt"), &list)?;
        let mut environment = field.script_environment();
        environment.push(("GH".to_owned(), options.gh.display().to_string()));
        environment.push(("VALUES".to_owned(), home.display().to_string()));
        environment.push(("WORKFLOWS".to_owned(), field.project.workflows().join(" ")));
        let script = Self { file, folder: field.project.folder.clone(), home, environment };
        script.write_values(field)?;
        Ok(script)
    }

    /// Writes its files of values as they are now.
    pub fn write_values(&self, field: &Field) -> Result<(), Failure> {
        write_private(&self.home.join("secrets.env"), &dotenv(&field.project.secrets))?;
        write_private(&self.home.join("variables.env"), &dotenv(&field.project.variables))
    }
}

impl Contestant for Script {
    fn side(&self) -> Side {
        Side::Script
    }

    async fn sync(&self) -> Result<Duration, Failure> {
        let mut command = bare(Path::new("bash"), &self.home);
        command.arg(&self.file).current_dir(&self.folder);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        timed(command, &self.home.join("output.txt")).await
    }
}

/// A program with an environment that is the same on every machine.
fn bare(program: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("LC_ALL", "C.UTF-8").env("GIT_TERMINAL_PROMPT", "0");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

async fn timed(mut command: Command, output: &Path) -> Result<Duration, Failure> {
    let file = std::fs::File::create(output)?;
    command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let began = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("`{program}` could not be started: {error}"))?;
    let status = tokio::time::timeout(TIME_LIMIT, child.wait()).await;
    let took = began.elapsed();
    match status {
        Ok(status) if status.as_ref().is_ok_and(std::process::ExitStatus::success) => Ok(took),
        Ok(status) => {
            let said = std::fs::read_to_string(output)?;
            Err(format!("`{program}` failed ({:?}). It said:\n{said}", status?.code()).into())
        }
        Err(_) => Err(format!("`{program}` took longer than {} minutes", TIME_LIMIT.as_secs() / 60).into()),
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
