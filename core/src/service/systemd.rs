//! A user unit of systemd. It runs as long as the user is logged in, or always where lingering is allowed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Seen;
use super::ask::Asked;
use super::text::{Comment, marked};
use super::watcher::Watcher;
use crate::event::Notice;
use crate::{Code, Error, Result};

/// The unit's name.
pub const NAME: &str = "standin-watch.service";

/// Where the unit belongs.
pub(super) fn file(environment: &BTreeMap<String, String>) -> Result<PathBuf> {
    let given = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = given("XDG_CONFIG_HOME").or_else(|| given("HOME").map(|home| home.join(".config")));
    config.map(|config| config.join("systemd/user").join(NAME)).ok_or_else(|| {
        Error::new(Code::Usage, "HOME is not set, so that there is no place for a unit", "Set HOME, then try again.")
    })
}

/// The unit's text.
///
/// # Errors
/// [`Code::Usage`] for a path that cannot be written into one.
pub fn unit(watcher: &Watcher) -> Result<String> {
    let command: Vec<String> = watcher.command()?.iter().map(|word| command_word(word)).collect();
    let variables: String = watcher
        .variables()?
        .iter()
        .map(|(name, value)| format!("Environment={}\n", quoted(&format!("{name}={value}"))))
        .collect();
    // Also after a mistake in the configuration it is started again: what is mended then is found. `watch` itself takes 20 seconds at
    // most to come to a safe point.
    let body = format!(
        "[Unit]\n\
         Description=Standin keeps standbys of git repositories in step\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=exec\n\
         ExecStart={}\n\
         ExecReload=kill -HUP $MAINPID\n\
         KillMode=mixed\n\
         TimeoutStopSec=45\n\
         Restart=on-failure\n\
         RestartSec=30\n\
         {variables}\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
        command.join(" ")
    );
    Ok(marked("", Comment { before: "# ", after: "" }, &body))
}

/// A word in quotes, as systemd reads it: `%` stands for itself when it is doubled.
fn quoted(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    format!("\"{escaped}\"")
}

/// A word of a command line, where variables would be put in, too.
fn command_word(word: &str) -> String {
    quoted(word).replace('$', "$$")
}

/// Whether the user's systemd answers.
pub(super) async fn check(asked: &Asked<'_>) -> Result<()> {
    let said = asked.run("systemctl", &["--user", "show", "--property=Version"]).await?;
    if said.is_well {
        return Ok(());
    }
    Err(Error::new(
        Code::Usage,
        format!("systemd of this user does not answer: {}", said.complaint),
        "Install it from a login session of the user (with sudo and su there is none; `machinectl shell` opens one). In a container, or \
         without systemd, have `standin watch` started by whatever starts programs there.",
    ))
}

pub(super) async fn start(asked: &Asked<'_>) -> Result<()> {
    asked.must("systemctl", &["--user", "daemon-reload"]).await?;
    asked.must("systemctl", &["--user", "enable", "--quiet", NAME]).await?;
    // Also where it ran before: with what it was told then.
    asked.must("systemctl", &["--user", "restart", NAME]).await?;
    Ok(())
}

pub(super) async fn stop(asked: &Asked<'_>) -> Result<()> {
    asked.must("systemctl", &["--user", "disable", "--quiet", "--now", NAME]).await.map(drop)
}

/// Lets systemd see that the unit is gone.
pub(super) async fn forget(asked: &Asked<'_>) {
    for arguments in [&["--user", "daemon-reload"][..], &["--user", "reset-failed", NAME]] {
        // Where it never failed there is nothing to reset.
        let _ = asked.run("systemctl", arguments).await;
    }
}

pub(super) async fn look(asked: &Asked<'_>) -> Seen {
    let properties = "--property=ActiveState,SubState,UnitFileState,NeedDaemonReload,ExecMainStatus";
    let said = match asked.run("systemctl", &["--user", "show", NAME, properties]).await {
        Ok(said) if said.is_well => said,
        Ok(said) => return Seen { runs: None, is_heard: false, notices: vec![unheard(&said.complaint)] },
        Err(error) => return Seen { runs: None, is_heard: false, notices: vec![unheard(&error.message)] },
    };
    let known: BTreeMap<&str, &str> = said.stdout.lines().filter_map(|line| line.split_once('=')).collect();
    let known = |name: &str| known.get(name).copied().unwrap_or_default();
    let mut notices = Vec::new();
    let mut note = |message: String, hint: &str| notices.push(Notice { message, hint: hint.to_owned() });
    // Between two starts of one that fails it is "activating".
    let runs = known("ActiveState") == "active" || known("ActiveState") == "reloading";
    if !runs {
        note(
            format!(
                "it does not run ({}, {}; it last ended with {})",
                known("ActiveState"),
                known("SubState"),
                known("ExecMainStatus")
            ),
            "`journalctl --user -u standin-watch -n 20` has its last words.",
        );
    }
    if known("UnitFileState") != "enabled" {
        note(
            format!("it is not started at login ({})", known("UnitFileState")),
            "Run `standin service install` again.",
        );
    }
    if known("NeedDaemonReload") == "yes" {
        note("systemd has not read the file since it changed".to_owned(), "Run `standin service install` again.");
    }
    notices.extend(lingering(asked).await);
    Seen { runs: Some(runs), is_heard: true, notices }
}

/// Where the user's units end with the last session, that is worth a word.
async fn lingering(asked: &Asked<'_>) -> Option<Notice> {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| asked.outside.environment.get(*name))?;
    let said = asked.run("loginctl", &["show-user", user, "--property=Linger"]).await.ok()?;
    (said.is_well && said.stdout.trim() == "Linger=no").then(|| Notice {
        message: "it runs only as long as you are logged in".to_owned(),
        hint: "`loginctl enable-linger` lets it run from the start of the machine on. The keychain is locked as long as nobody has logged in.".to_owned(),
    })
}

fn unheard(complaint: &str) -> Notice {
    Notice {
        message: format!("whether it runs is not known: systemd of this user does not answer ({complaint})"),
        hint: "Look again from a login session of the user.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_characters_stand_for_themselves() {
        assert_eq!(quoted(r#"a b%h\"c"#), r#""a b%%h\\\"c""#);
        assert_eq!(command_word("a$HOME"), "\"a$$HOME\"");
    }
}
