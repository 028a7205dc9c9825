//! `token`: tokens come on standard input and go into the keychain; they are never printed.

use standin_core::state::model::NameError;
use standin_core::tokens::{Place, RightState, TokenReport};
use standin_core::{Code, Error, Result};

use super::{quiet_engine, typed};
use crate::arguments::{Global, TokenCommand};
use crate::output::{self, Exit, lines};

/// `standin token`
pub async fn token(global: &Global, command: &TokenCommand) -> Result<Exit> {
    let engine = quiet_engine(global)?;
    match command {
        TokenCommand::Set { place } => {
            let place = parse(place)?;
            let value = typed::secret(&format!("token of {place}"))?;
            engine.token_set(None, &place, &value).await?;
            if global.json {
                return Ok(output::json(&serde_json::json!({ "place": place.to_string(), "stored": true })));
            }
            lines::print(&format!("stored the token of {place} in the keychain"));
            Ok(Exit::Well)
        }
        TokenCommand::Remove { place } => {
            let place = parse(place)?;
            let removed = engine.token_remove(None, &place).await?;
            if global.json {
                return Ok(output::json(&serde_json::json!({ "place": place.to_string(), "removed": removed })));
            }
            let words = if removed { "removed the token of" } else { "there is no token in the keychain for" };
            lines::print(&format!("{words} {place}"));
            Ok(Exit::Well)
        }
        TokenCommand::Check { place } => {
            let places = match place {
                Some(place) => vec![parse(place)?],
                None => {
                    let repository = engine.repository(None)?;
                    let mirrors = repository.mirrors.iter().map(|mirror| Place::Mirror(mirror.id.clone()));
                    std::iter::once(Place::Source).chain(mirrors).collect()
                }
            };
            let mut exit = Exit::Well;
            let mut reports = Vec::new();
            for place in places {
                match engine.token_check(None, &place).await {
                    Ok(Some(report)) => {
                        if report.rights.iter().any(|right| right.state == RightState::Missing) {
                            exit = exit.max(Exit::Failed);
                        }
                        if !global.json {
                            report_lines(&report).iter().for_each(|line| lines::print(line));
                        }
                        reports.push(report);
                    }
                    Ok(None) if global.json => {}
                    Ok(None) => lines::print(&format!("{place}: no token is needed, or none was found")),
                    Err(error) => exit = exit.max(output::error(&error.during(&place), global.json)),
                }
            }
            if global.json {
                output::json(&reports);
            }
            Ok(exit)
        }
    }
}

fn parse(text: &str) -> Result<Place> {
    text.parse().map_err(|error: NameError| {
        Error::new(Code::Usage, error.to_string(), "Name `source`, or a mirror as `standin mirror list` shows it.")
    })
}

fn report_lines(report: &TokenReport) -> Vec<String> {
    let ends = match report.days_left {
        Some(days) if days < 0 => "has ended".to_owned(),
        Some(days) => format!("ends in {days} days"),
        None => "has no end that the host tells".to_owned(),
    };
    let mut lines =
        vec![format!("{}: {} on {} for {}, {ends}", report.place, report.login, report.host, report.repository)];
    for right in &report.rights {
        let icon = match right.state {
            RightState::Proven => "✅",
            RightState::Missing => "❌",
            RightState::Unproven => "· ",
        };
        lines.push(format!("  {icon} {} ({}): {}", right.right, right.aspect, right.detail));
    }
    lines
}
