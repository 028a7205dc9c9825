//! `sentinel`: the workflow that watches the master. Tokens for it come on standard input and are never printed.

use std::io::{IsTerminal as _, Read as _};

use secrecy::{ExposeSecret as _, SecretString};
use standin_core::engine::Engine;
use standin_core::sentinel::{self, Installed, SecretsSet, Tokens, Written, install};
use standin_core::state::model::Health;
use standin_core::{Code, Error, Result};

use super::quiet_engine;
use crate::arguments::{Global, SentinelCommand, SentinelInstallArguments};
use crate::output::{self, Exit, lines, tables};

/// `standin sentinel`
pub async fn sentinel(global: &Global, command: &SentinelCommand) -> Result<Exit> {
    let engine = quiet_engine(global)?;
    match command {
        SentinelCommand::Render => {
            let rendered = engine.sentinel_render(None)?;
            if global.json {
                return Ok(output::json(&serde_json::json!({
                    "path": sentinel::PATH,
                    "master": rendered.master,
                    "cron": rendered.cron,
                    "text": rendered.text,
                })));
            }
            lines::print(rendered.text.trim_end());
            Ok(Exit::Well)
        }
        SentinelCommand::Install(arguments) => install(&engine, global, arguments).await,
        SentinelCommand::Check => {
            let report = engine.sentinel_check(None).await?;
            if global.json {
                output::json(&report);
            } else {
                tables::sentinel(&report).iter().for_each(|line| lines::print(line));
            }
            Ok(if report.health == Health::Failed { Exit::Failed } else { Exit::Well })
        }
    }
}

async fn install(engine: &Engine, global: &Global, arguments: &SentinelInstallArguments) -> Result<Exit> {
    // Before anything is done: a token that was mistyped stops all of it.
    let tokens = if arguments.tokens { Some(read_tokens()?) } else { None };
    let request = install::Request { pull_request: arguments.pull_request, replace: arguments.yes };
    let installed = engine.sentinel_install(None, request).await?;
    if !global.json {
        installed_lines(&installed).iter().for_each(|line| lines::print(line));
    }
    let set = match tokens {
        Some(tokens) => Some(engine.sentinel_set_tokens(None, arguments.mirror.as_ref(), &tokens).await?),
        None => None,
    };
    match (&set, global.json) {
        (_, true) => return Ok(output::json(&serde_json::json!({ "installed": installed, "secrets": set }))),
        (Some(SecretsSet { repo, names, .. }), false) => {
            lines::print(&format!("set {} of {repo}", names.join(" and ")))
        }
        (None, false) => {
            lines::print(
                "Each standby needs two secrets of its own (`standin sentinel check` says which are missing):",
            );
            lines::print("  STANDIN_TOKEN  for the standby: Contents, Variables and Actions, to read and write");
            lines::print("  MASTER_TOKEN   for the master: Contents, to read");
            lines::print("`standin sentinel install --tokens --mirror ID` sets them from standard input.");
        }
    }
    Ok(Exit::Well)
}

fn installed_lines(installed: &Installed) -> Vec<String> {
    let Installed { repo, path, written, pull_request, cron, notices } = installed;
    let mut text = vec![match (written, pull_request) {
        (Written::Already, _) => format!("{path} is on {repo} already ({cron})"),
        (Written::Committed, _) => format!("committed {path} to {repo} ({cron})"),
        (Written::PullRequest, url) => {
            format!("made a pull request with {path} in {repo}: {}", url.as_deref().unwrap_or_default())
        }
    }];
    for notice in notices {
        text.push(format!("note: {}", notice.message));
        if !notice.hint.is_empty() {
            text.push(format!("      {}", notice.hint));
        }
    }
    text
}

/// Reads the tokens: from a person without showing them, else all of standard input.
fn read_tokens() -> Result<Tokens> {
    let failed = |error: std::io::Error| {
        Error::new(Code::Usage, format!("the tokens cannot be read: {error}"), "Give them on standard input.")
    };
    let mut text = String::new();
    if std::io::stdin().is_terminal() {
        for name in sentinel::SECRETS {
            let token = rpassword::prompt_password(format!("{name} (not shown; empty leaves it as it is): "));
            let token = SecretString::from(token.map_err(failed)?);
            if !token.expose_secret().trim().is_empty() {
                text.push_str(&format!("{name}={}\n", token.expose_secret().trim()));
            }
        }
    } else {
        std::io::stdin().lock().read_to_string(&mut text).map_err(failed)?;
    }
    Tokens::parse(&SecretString::from(text))
}
