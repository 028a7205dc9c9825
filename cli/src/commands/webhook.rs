//! `webhook`: the secret by which GitHub's deliveries are known. It comes on standard input.

use standin_core::Result;

use super::{looking_engine, typed};
use crate::arguments::{Global, WebhookCommand};
use crate::output::{self, Exit, lines};

/// `standin webhook`
pub async fn webhook(global: &Global, command: &WebhookCommand) -> Result<Exit> {
    // It is this machine's, not a repository's: what a clone's `.env` asks for is no matter here.
    let engine = looking_engine(global)?;
    let WebhookCommand::Secret { remove } = command;
    if *remove {
        let removed = engine.webhook_secret_remove().await?;
        if global.json {
            return Ok(output::json(&serde_json::json!({ "removed": removed })));
        }
        lines::print(if removed {
            "removed the webhook's secret"
        } else {
            "there is no webhook's secret in the keychain"
        });
        return Ok(Exit::Well);
    }
    engine.webhook_secret_set(&typed::secret("secret of the webhook")?).await?;
    if global.json {
        return Ok(output::json(&serde_json::json!({ "stored": true })));
    }
    lines::print(
        "stored the webhook's secret in the keychain; a watch that listens takes it from there when it starts",
    );
    Ok(Exit::Well)
}
