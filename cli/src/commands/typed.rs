//! Secrets that are typed in, or come on standard input.

use std::io::{IsTerminal as _, Read as _};

use secrecy::SecretString;
use standin_core::{Code, Error, Result};

/// Reads a secret: from a person without showing it, else all of standard input. `what` names it: `token of mirror-1`.
pub(super) fn secret(what: &str) -> Result<SecretString> {
    let failed = |error: std::io::Error| {
        Error::new(Code::Usage, format!("the {what} cannot be read: {error}"), "Give it on standard input.")
    };
    if std::io::stdin().is_terminal() {
        let mut letters = what.chars();
        let title = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
        let asked = format!("{} (not shown): ", title.unwrap_or_default());
        return Ok(rpassword::prompt_password(asked).map_err(failed)?.into());
    }
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text).map_err(failed)?;
    Ok(text.into())
}
