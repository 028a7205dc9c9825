//! `mirror`: the mirrors that are configured, and whether they can be reached.

use serde::Serialize;
use standin_core::Result;
use standin_core::engine::MirrorTest;
use standin_core::git::ssh::HostKey;

use super::{looking_engine, mirror_add, mirror_edit, mirror_remove, quiet_engine};
use crate::arguments::{Global, MirrorCommand};
use crate::output::{self, Exit, lines, tables};

/// `standin mirror`
pub async fn mirror(global: &Global, command: &MirrorCommand) -> Result<Exit> {
    match command {
        MirrorCommand::Add(arguments) => mirror_add::add(global, arguments).await,
        MirrorCommand::Edit(arguments) => mirror_edit::edit(global, arguments),
        MirrorCommand::Remove(arguments) => mirror_remove::remove(global, arguments).await,
        MirrorCommand::List => {
            let engine = looking_engine(global)?;
            let repository = engine.configured(None)?;
            let reports = engine.status(Some(&repository.id))?;
            let waiting = reports.iter().find_map(|report| report.consent.clone());
            let broken = reports.iter().find_map(|report| report.error.clone());
            let mirrors: Vec<_> = reports.into_iter().flat_map(|report| report.mirrors).collect();
            if global.json {
                return Ok(output::json(&mirrors));
            }
            if let Some(error) = &broken {
                tables::mistakes(error).iter().for_each(|line| lines::print(line));
                lines::print("");
            }
            if let Some(question) = &waiting {
                tables::consent(question).iter().for_each(|line| lines::print(line));
                lines::print("");
            }
            for mirror in &mirrors {
                let state = match (mirror.enabled, &waiting) {
                    (false, _) => "switched off",
                    (true, Some(_)) => "waits",
                    (true, None) => mirror.status.as_str(),
                };
                lines::print(&format!("{:<20} {:<10} {state:<12} {}", mirror.id, mirror.kind.as_str(), mirror.repo));
            }
            Ok(if waiting.is_some() { Exit::Decision } else { Exit::Well })
        }
        MirrorCommand::Test { mirror, accept_host_key } => {
            let engine = quiet_engine(global)?;
            let mut test = engine.mirror_test(None, mirror).await?;
            let accepted = test.host_key.clone().filter(|_| *accept_host_key);
            if let Some(key) = &accepted {
                engine.accept_host_key(None, key)?;
                test = engine.mirror_test(None, mirror).await?;
            }
            if global.json {
                output::json(&Tested { test: &test, accepted_host_key: accepted.as_ref() });
            } else {
                if let Some(key) = &accepted {
                    lines::print(&format!("accepted the {} key {} of {}", key.kind, key.fingerprint, key.host));
                }
                test_lines(&test).iter().for_each(|line| lines::print(line));
            }
            Ok(if test.passed() { Exit::Well } else { Exit::Failed })
        }
    }
}

/// A test, and the key that was accepted for it.
#[derive(Serialize)]
struct Tested<'a> {
    #[serde(flatten)]
    test: &'a MirrorTest,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_host_key: Option<&'a HostKey>,
}

fn test_lines(test: &MirrorTest) -> Vec<String> {
    let mut text = vec![format!("[{}] {}", test.mirror, test.repo)];
    for check in &test.checks {
        let icon = match check.works {
            Some(true) => "✅",
            Some(false) => "❌",
            None => "·",
        };
        text.push(format!("  {icon} {}: {}", check.what, check.detail));
    }
    if let Some(key) = &test.host_key {
        text.push(format!("  {} shows the {} key {}", key.host, key.kind, key.fingerprint));
        text.push(
            "     → Compare it with what the host's owner publishes, then run this again with --accept-host-key."
                .to_owned(),
        );
    }
    text
}
