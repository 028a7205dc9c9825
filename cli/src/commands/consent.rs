//! `allow`, `deny`, and the question that other commands ask on a terminal.

use std::path::Path;
use std::sync::Arc;

use standin_core::engine::Engine;
use standin_core::outside::{Progress, Silent};
use standin_core::{Code, Error, Result};

use crate::arguments::{AllowArguments, Global};
use crate::output::{self, Exit, ask, lines, tables};
use crate::start;

/// An engine for a command that reads or writes something outside. Where what the `.env` asks for waits for a yes and a
/// person sits there, they are asked now; without a yes the command ends with what waits.
pub fn engine(global: &Global, progress: Arc<dyn Progress>) -> Result<Engine> {
    let engine = start::engine(global, progress)?;
    // What no repository at hand has, the command itself tells.
    let Ok(repository) = engine.configured(None) else { return Ok(engine) };
    let waits = repository.consent.question().is_some_and(|question| !question.is_denied);
    if waits
        && ask::can_ask(&std::io::stderr(), global.json)
        && let Some(question) = engine.consent(None)?
    {
        tables::consent(&question).iter().for_each(|line| lines::complain(line));
        if !asked_for_yes()? {
            return Err(Error::new(
                Code::ConsentNeeded,
                "nothing was done: what is asked for waits for a yes",
                "`standin allow` asks again; `standin deny` ends the question.",
            ));
        }
        engine.allow(None, &question.hash)?;
    }
    Ok(engine)
}

/// `standin allow`
pub fn allow(global: &Global, arguments: &AllowArguments) -> Result<Exit> {
    let engine = start::engine(global, Arc::new(Silent))?;
    let Some(question) = engine.consent(None)? else {
        if global.json {
            return Ok(output::json(&serde_json::json!({ "allowed": null })));
        }
        lines::print("nothing waits for a yes");
        return Ok(Exit::Well);
    };
    if !global.json {
        tables::consent(&question).iter().for_each(|line| lines::print(line));
    }
    let said_yes = arguments.yes || (ask::can_ask(&std::io::stdout(), global.json) && asked_for_yes()?);
    if !said_yes {
        return Err(Error::new(
            Code::ConsentNeeded,
            "nothing was allowed: it waits for a yes",
            "Look at what is asked for, then say it with `standin allow --yes`.",
        ));
    }
    let allowed = engine.allow(None, &question.hash)?;
    if global.json {
        return Ok(output::json(&serde_json::json!({ "allowed": allowed })));
    }
    lines::print("allowed. A change of it asks again.");
    Ok(Exit::Well)
}

/// `standin deny`
pub fn deny(global: &Global) -> Result<Exit> {
    let engine = start::engine(global, Arc::new(Silent))?;
    let denied = engine.deny(None)?;
    if global.json {
        return Ok(output::json(&serde_json::json!({ "denied": denied })));
    }
    lines::print(&match denied {
        Some(file) if Path::new(&file).is_absolute() => {
            format!("denied: nothing of what {file} asks for is done. `standin allow` takes that back.")
        }
        Some(kept) => {
            format!("denied: {kept} goes to no other place than it was given for. `standin allow` takes that back.")
        }
        None => "nothing asks for anything here".to_owned(),
    });
    Ok(Exit::Well)
}

fn asked_for_yes() -> Result<bool> {
    ask::yes(std::io::stderr(), "Allow this?", "Use `standin allow --yes`.")
}
