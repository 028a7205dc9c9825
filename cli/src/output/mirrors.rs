//! How a change of a mirror looks before and after it is written.

use std::collections::BTreeSet;

use standin_core::engine::Created;
use standin_core::leaving::{Cleaning, Leaving, LeftKind};
use standin_core::setup::Draft;

/// What would be written, and what that would mean.
pub fn draft(draft: &Draft) -> Vec<String> {
    let mut text = Vec::new();
    if draft.is_as_it_was() {
        text.push(format!("{} says so already", draft.file.display()));
    } else {
        let what = if draft.before.is_none() { " (new)" } else { "" };
        text.push(format!("{}{what}:", draft.file.display()));
        text.extend(draft.difference.lines().map(|line| format!("  {line}")));
    }
    for notice in &draft.notices {
        text.push(format!("note: {}", notice.message));
        if !notice.hint.is_empty() {
            text.push(format!("      {}", notice.hint));
        }
    }
    text
}

/// What stays when a mirror goes.
pub fn leaving(leaving: &Leaving, clean: &BTreeSet<LeftKind>) -> Vec<String> {
    let mut text = vec![format!("What of Standin stays when {} ({}) goes:", leaving.mirror, leaving.repo)];
    for left in &leaving.left {
        let what = match (clean.contains(&left.what), left.cleaning) {
            (true, _) => "will be cleaned away",
            (false, Cleaning::Offered | Cleaning::Named) => "stays",
            (false, Cleaning::ByHand) => "stays, yours",
        };
        text.push(format!("  {:<10} {} ({what})", left.what, left.detail));
        if !clean.contains(&left.what) && !left.hint.is_empty() {
            text.push(format!("             {}", left.hint));
        }
    }
    if let Some(error) = &leaving.unseen {
        text.push(format!("  ·          the mirror could not be looked at, so there may be more: {}", error.message));
    }
    if leaving.left.is_empty() && leaving.unseen.is_none() {
        text.push("  nothing".to_owned());
    } else if clean.is_empty() && leaving.offered().next().is_some() {
        let words: Vec<&str> = leaving.offered().map(LeftKind::as_str).collect();
        text.push(format!("  `--clean` cleans away {}", words.join(", ")));
    }
    text
}

/// A repository that was made, or was there.
pub fn created(created: &Created) -> Vec<String> {
    let Created { repo, is_new, is_private, is_empty, login } = created;
    if *is_new {
        return vec![format!("made {repo}: private, empty, as {login}")];
    }
    let mut text = vec![format!("{repo} is there already, and {}", if *is_empty { "empty" } else { "not empty" })];
    if !is_empty {
        text.push("      What is in it stays; the first plan says whether it may be a stranger's.".to_owned());
    }
    if !is_private {
        text.push(
            "note: everybody can see it; make it private in its settings before secrets of its code go there"
                .to_owned(),
        );
    }
    text
}

/// The commands that come next.
pub fn next(next: &[String]) -> Vec<String> {
    next.iter()
        .enumerate()
        .map(|(at, command)| format!("{} {command}", if at == 0 { "next:" } else { "     " }))
        .collect()
}
