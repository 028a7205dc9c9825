//! A change that is not written yet: what the file would say, whether that can be used, and the writing.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::{Edit, Form, Outline, difference, in_env, in_toml};
use crate::config::{ConfigError, Consents, Instead, LoadRequest, Loaded, load};
use crate::error::{Code, Error, Result};
use crate::{files, private, reading};

/// A larger file is none that somebody wrote.
const SIZE_LIMIT: usize = 16 * 1024 * 1024;

/// What a file would say. It may be a `.env` with its secrets: it is not shown, only the difference is.
#[derive(Clone)]
pub struct Edited {
    /// The file as it was named; where that is a link, what it leads to is written.
    pub file: PathBuf,
    /// The hash of what it says now; `None` where it is not there.
    pub before: Option<String>,
    /// What it would say.
    pub after: String,
    /// What that changes, for people: no token, no secret.
    pub difference: String,
    /// The configuration as it would be.
    pub loaded: Loaded,
}

impl fmt::Debug for Edited {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, before, difference, .. } = self;
        let mut shown = formatter.debug_struct("Edited");
        shown.field("file", file).field("before", before).field("difference", difference).finish_non_exhaustive()
    }
}

/// What would come of these edits of a file, one after the other. Nothing is written.
///
/// # Errors
/// As the edits of the text; [`Code::Configuration`] with every mistake that they would make: what was wrong before is none of
/// theirs.
pub fn draft(request: &LoadRequest, consents: &Consents, form: Form, file: &Path, edits: &[Edit]) -> Result<Edited> {
    let before = read(file)?;
    let text = before.clone().unwrap_or_default();
    let after = edits.iter().try_fold(text.clone(), |text, edit| match form {
        Form::Toml => in_toml::edited(&text, edit),
        Form::Env => in_env::edited(&text, edit),
    });
    let after = after.map_err(|error| error.during(file.display().to_string()))?;
    let now = LoadRequest { instead: None, ..request.clone() };
    let then = Instead { file: file.to_owned(), text: Arc::from(&*after) };
    let loaded = load(&LoadRequest { instead: Some(then), ..request.clone() }, consents);
    let known = mistakes_of(&load(&now, consents));
    let new: Vec<ConfigError> = mistakes_of(&loaded)
        .into_iter()
        .filter(|mistake| !known.iter().any(|known| is_same(known, mistake, edits)))
        .collect();
    let loaded = match loaded {
        Ok(loaded) if new.is_empty() => loaded,
        Err(mistakes) if new.is_empty() => return Err(Error::from(mistakes)),
        _ => return Err(Error::from(new)),
    };
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    Ok(Edited {
        difference: difference::difference(form, &name, &text, &after),
        file: file.to_owned(),
        before: before.as_deref().map(hash_of),
        after,
        loaded,
    })
}

impl Edited {
    /// The hash of what the file would say.
    pub fn hash(&self) -> String {
        hash_of(&self.after)
    }

    /// Whether the file says so already.
    pub fn is_as_it_was(&self) -> bool {
        self.before.as_ref() == Some(&self.hash()) || (self.before.is_none() && self.after.is_empty())
    }

    /// Writes it: whole or not at all, with the rights that the file has, where a link leads. A new file is the owner's alone.
    ///
    /// # Errors
    /// [`Code::Raced`] where the file is not what it was when this was drafted: nothing is written then; [`Code::Storage`].
    pub fn write(&self) -> Result<()> {
        let unwritten = |error: io::Error| {
            let message = format!("{} could not be written: {error}", self.file.display());
            Error::new(Code::Storage, message, "Check that you may write there, and that the disk is not full.")
        };
        let place = match self.file.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.file.is_symlink() => self.file.clone(),
            Err(error) => return Err(unwritten(error)),
        };
        if self.before.is_none()
            && let Some(folder) = place.parent()
            && !folder.exists()
        {
            private::create_folder(folder)?;
        }
        let still = || match read(&self.file)?.as_deref().map(hash_of) == self.before {
            true => Ok(()),
            false => Err(raced(&self.file)),
        };
        still()?;
        let rights = fs::metadata(&place).ok().map(|data| data.permissions());
        files::write_if(&place, self.after.as_bytes(), rights, &|| still())
    }
}

/// What stands in `standin.toml`, before anything of it is judged; nothing where there is no such file.
///
/// # Errors
/// As [`read`].
pub fn outline(file: &Path) -> Result<Vec<Outline>> {
    Ok(in_toml::outline(&read(file)?.unwrap_or_default()))
}

/// The text of a file; `None` where there is none.
///
/// # Errors
/// [`Code::Configuration`] for what cannot be read as text, and for what is no file.
pub fn read(file: &Path) -> Result<Option<String>> {
    let unreadable = |why: &dyn fmt::Display| {
        let message = format!("{} could not be read: {why}", file.display());
        Error::new(Code::Configuration, message, "Make it readable as UTF-8 text, or put a file in its place.")
    };
    match reading::read(file, SIZE_LIMIT) {
        Ok(bytes) if bytes.len() > SIZE_LIMIT => Err(unreadable(&"it is larger than 16 MB")),
        Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|error| unreadable(&error)),
        // A link that leads nowhere is not made a file of.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !file.is_symlink() => Ok(None),
        Err(error) => Err(unreadable(&error)),
    }
}

fn raced(file: &Path) -> Error {
    Error::new(
        Code::Raced,
        format!("{} was changed since this was shown; nothing was written", file.display()),
        "Look at it again: what would be written now may be something else.",
    )
}

fn hash_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All that is wrong: with the user's own, and with single repositories.
fn mistakes_of(loaded: &Result<Loaded, Vec<ConfigError>>) -> Vec<ConfigError> {
    match loaded {
        Ok(loaded) => loaded.config.repositories.iter().flat_map(|known| known.mistakes.iter().cloned()).collect(),
        Err(mistakes) => mistakes.clone(),
    }
}

/// Whether a mistake was there before. Where something is taken out, what comes behind it has another number by then.
fn is_same(known: &ConfigError, mistake: &ConfigError, edits: &[Edit]) -> bool {
    let moves = edits.iter().any(|edit| match edit {
        Edit::RemoveMirror { .. } | Edit::RemoveRepository { .. } => true,
        Edit::AddRepository { .. }
        | Edit::AddMirror { .. }
        | Edit::ChangeMirror { .. }
        | Edit::ChangeRepository { .. }
        | Edit::ChangeSettings { .. } => false,
    });
    known == mistake || (moves && (&known.message, &known.hint) == (&mistake.message, &mistake.hint))
}
