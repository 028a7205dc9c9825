//! What is to be kept running, so written that it does the same wherever it is started.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::event::Notice;
use crate::{Code, Error, Result};

/// Variables that say where things are. They go along, since whoever starts a service may not have them.
const GO_ALONG: [&str; 8] = [
    "PATH",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "GH_CONFIG_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "STANDIN_GH",
    "STANDIN_GH_CONFIG_DIR",
];
/// What begins so speaks to Standin.
const SPEAK: [&str; 3] = ["STANDIN_", "MIRROR_", "GH_"];
/// Variables that are said as options, or are of this terminal alone.
const SAID: [&str; 4] = ["STANDIN_CONFIG", "STANDIN_STATE_DIR", "STANDIN_LOG", "STANDIN_ALLOW"];

/// The addresses at which it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// `--listen`: webhooks.
    pub listen: Option<SocketAddr>,
    /// `--metrics`: metrics and health.
    pub metrics: Option<SocketAddr>,
}

/// The program with all that it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// Its whole path.
    pub program: PathBuf,
    /// `--repo`: the clone at hand, where one is.
    pub repo: Option<PathBuf>,
    /// `--config`, where it was named.
    pub config: Option<PathBuf>,
    /// `--state-dir`.
    pub state_dir: PathBuf,
    /// Where it answers.
    pub addresses: Addresses,
    /// The variables that go along.
    pub environment: BTreeMap<String, String>,
}

impl Watcher {
    /// The variables of an environment that go along.
    #[must_use]
    pub fn environment_of(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut taken: BTreeMap<String, String> = GO_ALONG
            .iter()
            .filter_map(|name| environment.get_key_value(*name))
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if let Some(path) = taken.get_mut("PATH") {
            // What lies in whatever folder it is started in decides nothing.
            let whole = std::env::split_paths(path.as_str()).filter(|folder| folder.is_absolute());
            *path = std::env::join_paths(whole).ok().and_then(|path| path.into_string().ok()).unwrap_or_default();
        }
        taken.retain(|_, value| !value.is_empty());
        taken
    }

    /// The program's arguments.
    ///
    /// # Errors
    /// [`Code::Usage`] for a path that no file of a service can name.
    pub fn arguments(&self) -> Result<Vec<String>> {
        let mut arguments = Vec::new();
        let places =
            [("--repo", &self.repo), ("--config", &self.config), ("--state-dir", &Some(self.state_dir.clone()))];
        for (option, path) in places {
            if let Some(path) = path {
                arguments.extend([option.to_owned(), written(path)?]);
            }
        }
        arguments.push("watch".to_owned());
        let Addresses { listen, metrics } = self.addresses;
        for (option, address) in [("--listen", listen), ("--metrics", metrics)] {
            arguments.extend(address.iter().flat_map(|address| [option.to_owned(), address.to_string()]));
        }
        Ok(arguments)
    }

    /// The program and its arguments.
    ///
    /// # Errors
    /// As [`Watcher::arguments`].
    pub fn command(&self) -> Result<Vec<String>> {
        Ok([written(&self.program)?].into_iter().chain(self.arguments()?).collect())
    }

    /// The variables as they are written.
    ///
    /// # Errors
    /// [`Code::Usage`] for a value that no file of a service can hold.
    pub fn variables(&self) -> Result<Vec<(String, String)>> {
        let checked = |(name, value): (&String, &String)| {
            let value = plain(value).ok_or_else(|| {
                Error::new(
                    Code::Usage,
                    format!("the variable {name} has a control character in it, which no service can be given"),
                    "Set it to another value, then install the service again.",
                )
            })?;
            Ok((name.clone(), value))
        };
        self.environment.iter().map(checked).collect()
    }

    /// What of the environment speaks to Standin and stays behind: a file of a service is no place for tokens.
    pub(super) fn left_behind(&self, environment: &BTreeMap<String, String>) -> Option<Notice> {
        let names: Vec<&str> = environment
            .keys()
            .map(String::as_str)
            .filter(|name| SPEAK.iter().any(|speak| name.starts_with(speak)))
            .filter(|name| !SAID.contains(name) && !self.environment.contains_key(*name))
            .collect();
        (!names.is_empty()).then(|| Notice {
            message: format!("the service does not see these variables of this terminal: {}", names.join(", ")),
            hint: "Keep tokens in the keychain (`standin token set source`), and settings in standin.toml or the clone's `.env`. \
                   Then install the service again from a terminal without these variables."
                .to_owned(),
        })
    }
}

/// A path as text.
fn written(path: &Path) -> Result<String> {
    path.to_str().and_then(plain).ok_or_else(|| {
        Error::new(
            Code::Usage,
            format!("{} has characters in it that no service can be told", path.display()),
            "Move or rename it so that its path is plain text.",
        )
    })
}

fn plain(text: &str) -> Option<String> {
    (!text.chars().any(char::is_control)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_goes_along_and_what_stays_behind_is_named_without_its_value() {
        let environment: BTreeMap<String, String> = [
            ("PATH", "/usr/bin:.:bin::/bin"),
            ("MIRROR_1_TOKEN", "canary"),
            ("GH_TOKEN", "canary"),
            ("STANDIN_GH", "/opt/gh"),
            ("STANDIN_STATE_DIR", "/state"),
            ("AWS_SECRET", "canary"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let watcher = Watcher {
            program: "/bin/standin".into(),
            repo: None,
            config: None,
            state_dir: "/state".into(),
            addresses: Addresses::default(),
            environment: Watcher::environment_of(&environment),
        };
        assert_eq!(
            watcher.variables().unwrap(),
            [("PATH", "/usr/bin:/bin"), ("STANDIN_GH", "/opt/gh")].map(|(name, value)| (name.into(), value.into()))
        );
        let notice = watcher.left_behind(&environment).unwrap();
        assert!(notice.message.ends_with("GH_TOKEN, MIRROR_1_TOKEN"), "{notice:?}");
        assert!(!format!("{notice:?}{watcher:?}").contains("canary"));
    }

    #[test]
    fn a_path_with_a_line_feed_is_refused_and_never_written() {
        let watcher = Watcher {
            program: "/bin/standin".into(),
            repo: None,
            config: Some("/a\nExecStartPre=/bin/false".into()),
            state_dir: "/state".into(),
            addresses: Addresses::default(),
            environment: BTreeMap::new(),
        };
        assert_eq!(watcher.command().unwrap_err().code, Code::Usage);
    }
}
