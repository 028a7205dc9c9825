//! Questions to a person.

use std::io::{IsTerminal, Write};

use standin_core::{Code, Error, Result};

/// Whether there is somebody to ask: both ways are a terminal, and no program reads JSON.
pub fn can_ask(out: &impl IsTerminal, as_json: bool) -> bool {
    !as_json && std::io::stdin().is_terminal() && out.is_terminal()
}

/// Asks for a word or a few.
pub fn text(mut out: impl Write, question: &str, otherwise: &str) -> Result<String> {
    let mut answer = String::new();
    write!(out, "{question} ")
        .and_then(|()| out.flush())
        .and_then(|()| std::io::stdin().read_line(&mut answer))
        .map_err(|error| Error::new(Code::Usage, format!("the answer could not be read: {error}"), otherwise))?;
    Ok(answer.trim().to_owned())
}

/// Asks for a yes; anything else is a no. `otherwise` is what to do where the answer cannot be read.
pub fn yes(mut out: impl Write, question: &str, otherwise: &str) -> Result<bool> {
    let mut answer = String::new();
    write!(out, "{question} [y/N] ")
        .and_then(|()| out.flush())
        .and_then(|()| std::io::stdin().read_line(&mut answer))
        .map_err(|error| Error::new(Code::Usage, format!("the answer could not be read: {error}"), otherwise))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
