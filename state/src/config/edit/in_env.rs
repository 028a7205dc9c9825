//! An edit of a clone's `.env`: lines that are added, changed and taken out; every other line stays as it is.

use std::collections::BTreeSet;
use std::ops::Range;

use super::pieces::{Pieces, newline};
use super::{Change, Edit, Given, MirrorKey, RepositoryKey, Setting, Written};
use crate::config::env::{self, Placed};
use crate::config::variables::numbered;
use crate::error::{Code, Error, Result};
use crate::model::{Aspect, MirrorId, MirrorType};

const ASPECTS: [(Aspect, &str); 4] = [
    (Aspect::Code, "SYNC_CODE"),
    (Aspect::Secrets, "SYNC_SECRETS"),
    (Aspect::Variables, "SYNC_VARS"),
    (Aspect::Workflows, "SYNC_WORKFLOWS"),
];

/// The text of the file after the edit.
///
/// # Errors
/// [`Code::Usage`] for what a `.env` cannot say, with where it can be said; [`Code::NotFound`] for what is not there.
pub(super) fn edited(text: &str, edit: &Edit) -> Result<String> {
    let mut file = File { text, lines: env::placed(text), pieces: Pieces::of(text), new: Vec::new() };
    match edit {
        Edit::AddRepository { repository, .. } => {
            return Err(unsayable(
                &format!("the repository {repository}"),
                "a `.env` speaks of the clone that it is in, which is one already",
            ));
        }
        Edit::ChangeSettings { .. } => {
            return Err(unsayable("a setting of the whole program", "a `.env` speaks of its own clone"));
        }
        Edit::ChangeRepository { changes, .. } => file.change_repository(changes)?,
        Edit::RemoveRepository { .. } => file.remove("", |key| key.starts_with("MIRROR_"))?,
        Edit::AddMirror { mirror, kind, settings, .. } => file.add(mirror, *kind, settings)?,
        Edit::ChangeMirror { mirror, changes, .. } => file.change(mirror, changes)?,
        Edit::RemoveMirror { mirror, .. } => {
            let number = number_of(mirror)?;
            file.remove(mirror.as_str(), |key| is_of(key, number))?;
        }
    }
    Ok(file.put_together())
}

/// The id that the next mirror of a `.env` gets. Numbers that stand there stay, gaps too; `taken` are ids that stand elsewhere.
pub fn next_id(text: &str, taken: &[MirrorId]) -> Result<MirrorId> {
    let lines = env::placed(text);
    let there = lines.iter().filter_map(|line| numbered(&line.key)?.0.ok());
    let next = there
        .chain(taken.iter().filter_map(|id| number_of(id).ok()))
        .max()
        .map_or(1, |highest| highest.saturating_add(1));
    format!("mirror-{next}").parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), ""))
}

/// Whether a text of a `.env` says anything of a mirror.
pub fn has_mirror(text: &str, mirror: &MirrorId) -> bool {
    number_of(mirror).is_ok_and(|number| env::placed(text).iter().any(|line| is_of(&line.key, number)))
}

/// Whether a text of a `.env` has anything in it that is meant for Standin, or could be.
pub fn speaks_of_standin(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    ["MIRROR_", "STANDIN_", "GIT_SYNC_"].iter().any(|word| text.contains(word))
}

struct File<'a> {
    text: &'a str,
    lines: Vec<Placed>,
    pieces: Pieces<'a>,
    /// Keys that are new, with their values.
    new: Vec<(String, String)>,
}

impl File<'_> {
    fn add(&mut self, mirror: &MirrorId, kind: MirrorType, settings: &[Setting<MirrorKey>]) -> Result<()> {
        let number = number_of(mirror)?;
        if self.has(number) {
            let message = format!("the file has a mirror `{mirror}` already");
            return Err(Error::new(Code::Usage, message, "Take a number that none of its mirrors has."));
        }
        self.set(format!("MIRROR_{number}_TYPE"), kind.as_str());
        for Setting { key, value } in settings {
            self.say(number, *key, Some(value))?;
        }
        Ok(())
    }

    fn change(&mut self, mirror: &MirrorId, changes: &[Change<MirrorKey>]) -> Result<()> {
        let number = number_of(mirror)?;
        if !self.has(number) {
            return Err(not_there(mirror.as_str()));
        }
        changes.iter().try_for_each(|Change { key, value }| self.say(number, *key, value.as_ref()))
    }

    /// Says one thing of a mirror, or with `None` nothing any more.
    fn say(&mut self, number: u32, key: MirrorKey, value: Option<&Given>) -> Result<()> {
        if key == MirrorKey::Sync {
            return self.say_sync(number, value);
        }
        let Some(field) = key.in_env() else {
            return Err(unsayable(&format!("`{}`", key.in_toml()), "a `.env` has no variable for it"));
        };
        self.put(format!("MIRROR_{number}_{field}"), value);
        Ok(())
    }

    /// What is not named is switched off; what is on by itself needs no line.
    fn say_sync(&mut self, number: u32, value: Option<&Given>) -> Result<()> {
        let listed: Option<BTreeSet<&str>> = match value {
            None => None,
            Some(Given::Words(words)) => Some(words.iter().map(String::as_str).collect()),
            Some(Given::Flag(_) | Given::Text(_) | Given::Number(_)) => {
                return Err(Error::new(
                    Code::Usage,
                    "what is kept in step is a list",
                    "Name code, secrets, variables, workflows.",
                ));
            }
        };
        let is_known = |word: &&str| ASPECTS.iter().any(|(aspect, _)| aspect.as_str() == *word);
        if let Some(odd) = listed.iter().flatten().find(|word| !is_known(word)) {
            let message = format!("`{odd}` is nothing that is kept in step");
            return Err(Error::new(Code::Usage, message, "Name code, secrets, variables, workflows."));
        }
        for (aspect, field) in ASPECTS {
            let key = format!("MIRROR_{number}_{field}");
            match &listed {
                None => self.put(key, None),
                Some(listed) if listed.contains(aspect.as_str()) => {
                    if self.line(&key).is_some_and(|line| line.value.trim() != "true") {
                        self.set(key, "true");
                    }
                }
                // Only code goes to other places than GitHub, and there is no switch for the rest.
                Some(_) if aspect != Aspect::Code && !self.is_on_github(number) => {}
                Some(_) => self.set(key, "false"),
            }
        }
        Ok(())
    }

    fn is_on_github(&self, number: u32) -> bool {
        let key = format!("MIRROR_{number}_TYPE");
        let new = self.new.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str());
        let there = self.line(&key).map(|line| line.value.as_str()).filter(|value| !value.trim().is_empty());
        match new.or(there) {
            Some(kind) => kind.trim().eq_ignore_ascii_case(MirrorType::GitHub.as_str()),
            None => self.line(&format!("MIRROR_{number}_REPO")).is_some(),
        }
    }

    fn change_repository(&mut self, changes: &[Change<RepositoryKey>]) -> Result<()> {
        for Change { key, value } in changes {
            let Some(field) = key.in_env() else {
                return Err(unsayable(&format!("`{}`", key.in_toml()), "a `.env` has no variable for it"));
            };
            self.put(format!("MIRROR_{field}"), value.as_ref());
        }
        Ok(())
    }

    fn remove(&mut self, what: &str, is_meant: impl Fn(&str) -> bool) -> Result<()> {
        let mut parts: Vec<Range<usize>> = Vec::new();
        for line in self.lines.iter().filter(|line| is_meant(&line.key)) {
            match parts.last_mut().filter(|last| last.end == line.lines.start) {
                Some(last) => last.end = line.lines.end,
                None => parts.push(line.lines.clone()),
            }
        }
        if parts.is_empty() {
            return Err(not_there(what));
        }
        for part in parts {
            // The lines end with their line end, which is no part of the next one.
            let end = self.text[..part.end].trim_end_matches(['\n', '\r']).len();
            self.pieces.remove_lines(part.start..end.max(part.start));
        }
        Ok(())
    }

    fn put(&mut self, key: String, value: Option<&Given>) {
        match value {
            Some(Given::Flag(flag)) => self.set(key, &flag.to_string()),
            Some(Given::Text(text)) => self.set(key, text),
            Some(Given::Words(words)) => self.set(key, &words.join(",")),
            Some(Given::Number(number)) => self.set(key, &number.to_string()),
            None => {
                // What is not there is taken out already.
                let _ = self.remove(&key.clone(), |known| known == key);
            }
        }
    }

    /// Gives a key its value: where it stands already, at its last place, which is the one that counts.
    fn set(&mut self, key: String, value: &str) {
        match self.line(&key) {
            Some(line) if line.value == value => {}
            Some(line) => {
                let part = line.written.clone();
                let before = &self.text[line.lines.start..part.start];
                // `KEY= # comment` has its value before the comment.
                let new = env::written(value);
                let needs_space = part.is_empty() && !before.ends_with('=');
                self.pieces.replace(part, if needs_space { format!("{new} ") } else { new });
            }
            None => self.new.push((key, value.to_owned())),
        }
    }

    fn line(&self, key: &str) -> Option<&Placed> {
        self.lines.iter().rev().find(|line| line.key == key)
    }

    fn has(&self, number: u32) -> bool {
        self.lines.iter().any(|line| is_of(&line.key, number) && !line.value.trim().is_empty())
    }

    /// New lines come behind the last one that is Standin's of the same mirror, else of any, else at the end.
    fn put_together(mut self) -> String {
        let new = std::mem::take(&mut self.new);
        if let Some((first, _)) = new.first() {
            let same = numbered(first).and_then(|(number, _)| number.ok());
            let of = |is_meant: &dyn Fn(&Placed) -> bool| self.lines.iter().rev().find(|line| is_meant(line));
            let behind = of(&|line| same.is_some_and(|number| is_of(&line.key, number)))
                .or_else(|| of(&|line| line.key.starts_with("MIRROR_")));
            let at = behind.map_or(self.text.len(), |line| {
                self.text[..line.lines.end].trim_end_matches(['\n', '\r']).len().max(line.lines.start)
            });
            let nl = newline(self.text);
            let lines: String = new.iter().map(|(key, value)| format!("{key}={}{nl}", env::written(value))).collect();
            self.pieces.insert_lines(at, &lines);
        }
        self.pieces.put_together()
    }
}

/// Whether a variable is one of this mirror's.
fn is_of(key: &str, number: u32) -> bool {
    matches!(numbered(key), Some((Ok(its), _)) if its == number)
}

/// The number of a mirror that a `.env` can have.
fn number_of(mirror: &MirrorId) -> Result<u32> {
    let number = mirror.as_str().strip_prefix("mirror-").and_then(|number| number.parse().ok());
    number.filter(|number| mirror.as_str() == format!("mirror-{number}")).ok_or_else(|| {
        unsayable(&format!("the name `{mirror}`"), "mirrors of a `.env` are called `mirror-1`, `mirror-2` and so on")
    })
}

fn not_there(what: &str) -> Error {
    let message = if what.is_empty() {
        "the file says nothing of mirrors".to_owned()
    } else {
        format!("the file says nothing of `{what}`")
    };
    Error::new(
        Code::NotFound,
        message,
        "`standin mirror list` lists them; what stands in the environment is changed there.",
    )
}

fn unsayable(what: &str, why: &str) -> Error {
    Error::new(
        Code::Usage,
        format!("{what} cannot stand in a `.env`: {why}"),
        "Write it into `standin.toml`: leave out `--env`.",
    )
}
