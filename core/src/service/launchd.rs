//! An agent of launchd: it runs as long as the user is logged in at the screen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Seen;
use super::ask::Asked;
use super::text::{Comment, marked};
use super::watcher::Watcher;
use crate::event::Notice;
use crate::{Code, Error, Result};

/// The agent's label.
pub const LABEL: &str = "app.standin.watch";

/// Where the agent belongs.
pub(super) fn file(environment: &BTreeMap<String, String>) -> Result<PathBuf> {
    let home = environment.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    home.map(|home| home.join("Library/LaunchAgents").join(format!("{LABEL}.plist"))).ok_or_else(|| {
        Error::new(Code::Usage, "HOME is not set, so that there is no place for an agent", "Set HOME, then try again.")
    })
}

/// The agent's text: a property list.
///
/// # Errors
/// [`Code::Usage`] for a path that cannot be written into one.
pub fn agent(watcher: &Watcher) -> Result<String> {
    let command: String =
        watcher.command()?.iter().map(|word| format!("        <string>{}</string>\n", escaped(word))).collect();
    let variables: String = watcher
        .variables()?
        .iter()
        .map(|(name, value)| {
            format!("        <key>{}</key>\n        <string>{}</string>\n", escaped(name), escaped(value))
        })
        .collect();
    // Ended by itself with anything but 0 it is started again, after 30 seconds; 45 are given it to come to a safe point. What it
    // says goes nowhere: launchd would let a file of it grow for ever, and the history has it all.
    let body = format!(
        "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n\
         <dict>\n    \
             <key>Label</key>\n    \
             <string>{LABEL}</string>\n    \
             <key>ProgramArguments</key>\n    \
             <array>\n\
         {command}    \
             </array>\n    \
             <key>EnvironmentVariables</key>\n    \
             <dict>\n\
         {variables}    \
             </dict>\n    \
             <key>RunAtLoad</key>\n    \
             <true/>\n    \
             <key>KeepAlive</key>\n    \
             <dict>\n        \
                 <key>SuccessfulExit</key>\n        \
                 <false/>\n    \
             </dict>\n    \
             <key>ThrottleInterval</key>\n    \
             <integer>30</integer>\n    \
             <key>ExitTimeOut</key>\n    \
             <integer>45</integer>\n    \
             <key>ProcessType</key>\n    \
             <string>Background</string>\n\
         </dict>\n\
         </plist>\n"
    );
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    Ok(marked(head, Comment { before: "<!-- ", after: " -->" }, &body))
}

/// Text as XML has it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The user's own domain at the screen.
#[cfg(unix)]
fn domain() -> String {
    format!("gui/{}", nix::unistd::getuid())
}

#[cfg(not(unix))]
fn domain() -> String {
    "gui".to_owned()
}

fn target() -> String {
    format!("{}/{LABEL}", domain())
}

pub(super) async fn check(asked: &Asked<'_>) -> Result<()> {
    let said = asked.run("launchctl", &["print", &domain()]).await?;
    if said.is_well {
        return Ok(());
    }
    Err(Error::new(
        Code::Usage,
        format!("launchd has no session of this user at the screen: {}", said.complaint),
        "Install it from a terminal of somebody who is logged in at the screen.",
    ))
}

pub(super) async fn start(asked: &Asked<'_>, file: &Path) -> Result<()> {
    // Whether it was loaded before is of no matter.
    let _ = asked.run("launchctl", &["bootout", &target()]).await;
    // One that is being taken away is in the way for a moment.
    let mut tries = 0;
    loop {
        match asked.must("launchctl", &["bootstrap", &domain(), &file.to_string_lossy()]).await {
            Ok(_) => return Ok(()),
            Err(error) if tries == 10 => return Err(error),
            Err(_) => tries += 1,
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

pub(super) async fn stop(asked: &Asked<'_>) -> Result<()> {
    let said = asked.run("launchctl", &["print", &target()]).await?;
    if !said.is_well {
        return Ok(());
    }
    asked.must("launchctl", &["bootout", &target()]).await.map(drop)
}

pub(super) async fn look(asked: &Asked<'_>) -> Seen {
    let unloaded = |complaint: &str| Notice {
        message: format!("launchd has not loaded it ({complaint})"),
        hint: "Run `standin service install` again.".to_owned(),
    };
    match asked.run("launchctl", &["print", &target()]).await {
        Ok(said) if said.is_well => {
            let runs = said.stdout.lines().any(|line| line.trim() == "state = running");
            let notice = || Notice {
                message: "it does not run".to_owned(),
                hint: "Run `standin watch` in a terminal to see what keeps it from running.".to_owned(),
            };
            Seen { runs: Some(runs), is_heard: true, notices: (!runs).then(notice).into_iter().collect() }
        }
        Ok(said) => Seen { runs: Some(false), is_heard: true, notices: vec![unloaded(&said.complaint)] },
        Err(error) => Seen { runs: None, is_heard: false, notices: vec![unloaded(&error.message)] },
    }
}
