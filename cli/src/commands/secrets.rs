//! `secret`: values come on standard input and go into the vault; they are never printed.

use std::io::{IsTerminal as _, Read as _};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use standin_core::engine::SecretPlace;
use standin_core::github::VALUE_LIMIT;
use standin_core::plan::SecretSource;
use standin_core::{Code, Error, Result};

use super::quiet_engine;
use crate::arguments::{Global, SecretCommand};
use crate::output::{self, Exit, lines};

/// `standin secret`
pub async fn secret(global: &Global, command: &SecretCommand) -> Result<Exit> {
    let engine = quiet_engine(global)?;
    match command {
        SecretCommand::Set { name } => {
            let value = read(name)?;
            let place = engine.secret_set(None, name, &value).await?;
            if value.expose_secret().ends_with('\n') {
                lines::complain("note: the value ends with a line break, which is part of it");
                lines::complain(&format!("      `printf %s VALUE | standin secret set {}` gives none", place.name));
            }
            if global.json {
                return Ok(output::json(&place));
            }
            lines::print(&format!("stored {} in the vault", place.name));
            if let Some(remark) = remark(&place) {
                lines::print(&format!("  {remark}"));
            }
            Ok(Exit::Well)
        }
        SecretCommand::Remove { name } => {
            let removed = engine.secret_remove(None, name).await?;
            if global.json {
                return Ok(output::json(&serde_json::json!({ "name": name, "removed": removed })));
            }
            lines::print(&match removed {
                true => format!("removed {name} from the vault; mirrors keep what was sent to them"),
                false => format!("the vault has no {name}"),
            });
            Ok(Exit::Well)
        }
        SecretCommand::List => {
            let places = engine.secrets(None)?;
            if global.json {
                return Ok(output::json(&places));
            }
            if places.is_empty() {
                lines::print("no secret is known here");
            }
            for place in &places {
                let remark = remark(place).map_or_else(String::new, |remark| format!("  ({remark})"));
                lines::print(&format!("{:<32} {}{remark}", place.name, source_words(place)));
            }
            Ok(Exit::Well)
        }
    }
}

fn source_words(place: &SecretPlace) -> &'static str {
    match place.source {
        Some(source) => source.words(),
        None if place.in_vault => SecretSource::Vault.words(),
        None => "no value here",
    }
}

/// What the user may not expect.
fn remark(place: &SecretPlace) -> Option<&'static str> {
    match (place.in_vault, place.travels, place.source) {
        (true, _, Some(SecretSource::Env)) => Some("also in the vault, but `.env` comes first"),
        (true, false, _) => Some("does not travel: it is not on the list of secrets, or is a variable"),
        _ => None,
    }
}

/// Reads a value: from a person without showing it, else all of standard input, byte for byte.
fn read(name: &str) -> Result<SecretString> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::new(Code::Usage, format!("the value of {name} cannot be read: {why}"), "Give it on standard input.")
    };
    if std::io::stdin().is_terminal() {
        let text =
            rpassword::prompt_password(format!("Value of {name} (not shown): ")).map_err(|error| failed(&error))?;
        return Ok(text.into());
    }
    // One byte more than fits, so that the engine sees that it is too long; never moved while it is read.
    let mut bytes = Zeroizing::new(Vec::with_capacity(VALUE_LIMIT + 64));
    let most = VALUE_LIMIT as u64 + 1;
    std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Error::new(
            Code::Usage,
            format!("the value of {name} is not UTF-8 text"),
            "Encode it, for instance with base64, and decode it in the workflow.",
        )
    })?;
    Ok(SecretString::from(text))
}
