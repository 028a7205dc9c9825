//! What an edit changes, for people: a unified difference.

use similar::TextDiff;

use super::Form;
use crate::config::env;
use crate::config::mistakes::looks_secret;

/// Lines shown around what changes.
const AROUND: usize = 3;

/// What stands in the place of a value that is nobody's business.
const HIDDEN: &str = "…";

/// The difference of two texts of a file. Of a `.env` it shows the lines that change and nothing around them, and the values of
/// `MIRROR_*` alone, but for the tokens: the rest is somebody's secrets.
pub(super) fn difference(form: Form, name: &str, before: &str, after: &str) -> String {
    let (before, after, around) = match form {
        Form::Toml => (without_tokens(before), without_tokens(after), AROUND),
        Form::Env => (veiled(before), veiled(after), 0),
    };
    let difference = TextDiff::from_lines(&before, &after);
    let (old, new) = (format!("{name} (now)"), format!("{name} (then)"));
    difference.unified_diff().context_radius(around).header(&old, &new).to_string()
}

/// Line ends are no matter of what is shown, and neither is a token that somebody wrote into the wrong file.
fn without_tokens(text: &str) -> String {
    text.lines()
        .map(|line| if looks_secret(line) { "(hidden: it may hold a token)\n".to_owned() } else { format!("{line}\n") })
        .collect()
}

fn veiled(text: &str) -> String {
    let mut shown = String::new();
    let mut done = 0;
    for line in env::placed(text) {
        shown.push_str(&blanked(&text[done..line.lines.start]));
        let is_open = line.key.starts_with("MIRROR_") && !line.key.ends_with("TOKEN") && !looks_secret(&line.value);
        let value = if is_open { env::written(&line.value) } else { HIDDEN.to_owned() };
        shown.push_str(&format!("{}={value}\n", line.key));
        done = line.lines.end;
    }
    shown.push_str(&blanked(&text[done..]));
    shown
}

/// Comments, and lines that are none of ours: they are there, and that is all.
fn blanked(text: &str) -> String {
    text.lines().map(|line| if line.trim().is_empty() { "\n" } else { "#\n" }).collect()
}
