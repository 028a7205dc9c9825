//! Who looks after this program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;
use ts_rs::TS;

/// How long a package manager may take to say whether a file is its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who looks after this program, and so brings its newer versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "owner", rename_all = "snake_case")]
#[ts(export)]
pub enum Owner {
    /// Itself: one file of this user's, that runs from anywhere.
    Itself {
        /// The file.
        file: PathBuf,
    },
    /// An installer of this system, which is started with the newer version.
    Installer,
    /// A package manager.
    PackageManager {
        /// What it is called.
        manager: String,
        /// The package.
        package: String,
        /// What brings the newer version.
        command: String,
    },
    /// Whoever built or copied it.
    Nobody,
}

impl Owner {
    /// Whether this program may bring its newer versions itself.
    pub fn is_itself(&self) -> bool {
        match self {
            Self::Itself { .. } | Self::Installer => true,
            Self::PackageManager { .. } | Self::Nobody => false,
        }
    }

    /// What to do for a newer version, where this program does not do it.
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Itself { .. } | Self::Installer => None,
            Self::PackageManager { manager, command, .. } => {
                Some(format!("{manager} looks after this program and brings its newer versions: {command}"))
            }
            Self::Nobody => {
                Some("This program was built or copied by hand; take a newer version in the same way.".to_owned())
            }
        }
    }
}

/// Who looks after the program in this file, as far as the system knows.
pub async fn of(program: &Path, environment: &BTreeMap<String, String>) -> Owner {
    if let Some(file) = image(program, environment) {
        return Owner::Itself { file };
    }
    if cfg!(windows) || (cfg!(target_os = "macos") && program.components().any(|part| part.as_os_str() == "Contents")) {
        return Owner::Installer;
    }
    if let Some(package) = said(environment, "dpkg-query", &["--search"], program).await {
        let package = package.split(':').next().unwrap_or_default().to_owned();
        let command = format!("sudo apt install --only-upgrade {package}");
        return Owner::PackageManager { manager: "apt".to_owned(), package, command };
    }
    let query = ["--query", "--queryformat", "%{NAME}", "--file"];
    if let Some(package) = said(environment, "rpm", &query, program).await {
        let command = format!("sudo dnf upgrade {package}");
        return Owner::PackageManager { manager: "dnf".to_owned(), package, command };
    }
    Owner::Nobody
}

/// The AppImage that a program runs from; `None` for one that runs from none. Whatever an AppImage starts is told of that image: only
/// what lies in its mount is part of it.
pub fn image(program: &Path, environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let named = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let (image, mount) = (named("APPIMAGE")?, named("APPDIR")?);
    let is_part = program.canonicalize().ok()?.starts_with(mount.canonicalize().ok()?);
    (is_part && image.is_file()).then_some(image)
}

/// What a package manager says of a file; `None` where it is not there, or does not know the file.
async fn said(environment: &BTreeMap<String, String>, manager: &str, query: &[&str], program: &Path) -> Option<String> {
    let mut command = Command::new(manager);
    command.args(query).arg(program).env_clear().env("LC_ALL", "C").kill_on_drop(true);
    command.envs(environment.get("PATH").map(|path| ("PATH", path)));
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let said = tokio::time::timeout(PATIENCE, command.output()).await.ok()?.ok()?;
    let text = String::from_utf8_lossy(&said.stdout).lines().next().unwrap_or_default().trim().to_owned();
    let is_name = text.split([':', ',']).next().is_some_and(|name| {
        let signs = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '+' | '.' | '_');
        !name.is_empty() && name.chars().all(signs)
    });
    (said.status.success() && is_name).then_some(text)
}
