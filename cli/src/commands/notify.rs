//! `notify`: where word of what changed goes, tried, and the tokens that it takes. A token comes on standard input.

use standin_core::state::model::{NameError, NotifyName};
use standin_core::{Code, Error, Result};

use super::{looking_engine, typed};
use crate::arguments::{Global, NotifyCommand};
use crate::output::{self, Exit, lines, notify};

/// `standin notify`
pub async fn notify(global: &Global, command: &NotifyCommand) -> Result<Exit> {
    // Nothing of a repository is read or written: what a clone's `.env` asks for is no matter here.
    let engine = looking_engine(global)?;
    match command {
        NotifyCommand::List => {
            let places = engine.notify_places()?;
            if global.json {
                return Ok(output::json(&places));
            }
            notify::places(&places).iter().for_each(|line| lines::print(line));
            Ok(Exit::Well)
        }
        NotifyCommand::Test { name } => {
            let name = name.as_deref().map(parse).transpose()?;
            let deliveries = engine.notify_test(name.as_ref()).await?;
            if global.json {
                output::json(&serde_json::json!({ "deliveries": deliveries }));
            } else {
                deliveries.iter().flat_map(notify::delivery).for_each(|line| lines::print(&line));
            }
            let all = deliveries.iter().all(|delivery| delivery.arrived);
            Ok(if all { Exit::Well } else { Exit::Failed })
        }
        NotifyCommand::Token { name, remove: true } => {
            let name = parse(name)?;
            let removed = engine.notify_token_remove(&name).await?;
            if global.json {
                return Ok(output::json(&serde_json::json!({ "name": name, "removed": removed })));
            }
            let words = if removed { "removed the token of" } else { "there is no token in the keychain for" };
            lines::print(&format!("{words} {name}"));
            Ok(Exit::Well)
        }
        NotifyCommand::Token { name, remove: false } => {
            let name = parse(name)?;
            let value = typed::secret(&format!("token of {name}"))?;
            engine.notify_token_set(&name, &value).await?;
            if global.json {
                return Ok(output::json(&serde_json::json!({ "name": name, "stored": true })));
            }
            lines::print(&format!("stored the token of {name} in the keychain"));
            Ok(Exit::Well)
        }
    }
}

fn parse(text: &str) -> Result<NotifyName> {
    text.parse().map_err(|error: NameError| {
        Error::new(Code::Usage, error.to_string(), "Name one as `standin notify list` shows it.")
    })
}
