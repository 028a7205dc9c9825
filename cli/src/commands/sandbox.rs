//! `sandbox`: the demo's world, kept until Ctrl-C, to try Standin on by hand.

use std::time::Duration;

use standin_core::{Code, Error, Result};

use crate::arguments::{Global, SandboxArguments};
use crate::demo::{World, WorldOptions};
use crate::output::{self, Exit, lines};
use crate::signals::stop_asked;

/// `standin sandbox`
pub async fn sandbox(global: &Global, arguments: &SandboxArguments) -> Result<Exit> {
    let options = WorldOptions { latency: Duration::from_millis(arguments.latency), data: arguments.data.clone() };
    let world = World::make(&options).await?;
    let environment = world.stage.environment();
    if global.json {
        output::json(&serde_json::json!({ "clone": world.clone_path(), "environment": environment }));
    } else {
        lines::print("A GitHub on this machine, with a primary, an empty standby and an archive. In another terminal:");
        lines::print("");
        lines::print(&format!("  cd {}", quoted(&world.clone_path().to_string_lossy())));
        for (name, value) in environment.iter().filter(|(name, _)| name.starts_with("STANDIN_")) {
            lines::print(&format!("  export {name}={}", quoted(value)));
        }
        lines::print("  standin sync");
        lines::print("");
        lines::print("Ctrl-C ends it.");
    }
    let waited = stop_asked().await;
    world.stage.stop().await;
    waited.map(|()| Exit::Well).map_err(|error| {
        Error::new(Code::Storage, format!("Ctrl-C cannot be waited for: {error}"), "End the program by its id.")
    })
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
