//! Which file it is, what the repository and the mirror are called, and the edits.

use std::path::{Path, PathBuf};

use standin_state::config::edit::{self, Change, Edit, Form, Given, MirrorKey, Outline, RepositoryKey, Setting};
use standin_state::config::{Config, RepositoryConfig, name_in};
use standin_state::model::{MirrorId, MirrorType, RepositoryId};

use super::{MirrorChange, MirrorRequest};
use crate::{Code, Error, Result};

/// What was read before anything is resolved.
pub(crate) struct Files {
    /// `standin.toml`.
    pub toml: PathBuf,
    /// What stands in it.
    pub outline: Vec<Outline>,
    /// The `.env` of the clone at hand.
    pub env_at_hand: Option<PathBuf>,
    /// What paths that somebody typed are relative to. In a file they would be relative to another folder.
    pub current_dir: PathBuf,
}

/// What is to be done to which file.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub repository: RepositoryId,
    pub mirror: Option<MirrorId>,
    pub form: Form,
    pub file: PathBuf,
    pub edits: Vec<Edit>,
}

/// Finds out what a request means.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Usage`] where nothing or several things are meant; what reading a `.env` says.
pub(crate) fn resolve(config: &Config, files: &Files, request: &MirrorRequest) -> Result<Resolved> {
    match &request.change {
        MirrorChange::Add { source, clone, mirror, kind, settings } => {
            let source = source.as_ref().map(|source| place(source, &files.current_dir));
            let mut meant = meant(config, files, request, source.as_deref())?;
            if let Some(clone) = clone.as_ref().filter(|_| meant.known.is_none()) {
                meant.clone = Some(edit::whole_path(&files.current_dir, &clone.display().to_string()));
            }
            let mut resolved = match request.form {
                Some(Form::Env) => in_env(config, files, &meant, mirror.as_ref())?,
                Some(Form::Toml) | None => in_toml(files, &meant, mirror.as_ref(), *kind)?,
            };
            if let Some(id) = &resolved.mirror {
                resolved.edits.push(Edit::AddMirror {
                    repository: resolved.repository.clone(),
                    mirror: id.clone(),
                    kind: *kind,
                    settings: settings
                        .iter()
                        .map(|Setting { key, value }| Setting { key: *key, value: whole(*key, value, files) })
                        .collect(),
                });
            }
            Ok(resolved)
        }
        MirrorChange::Edit { mirror, changes } => {
            let change = |Change { key, value }: &Change<MirrorKey>| Change {
                key: *key,
                value: value.as_ref().map(|value| whole(*key, value, files)),
            };
            let changes: Vec<_> = changes.iter().map(change).collect();
            let edit = |repository| Edit::ChangeMirror { repository, mirror: mirror.clone(), changes: changes.clone() };
            standing(config, files, request, Some(mirror), edit)
        }
        MirrorChange::EditRepository { changes } => {
            let change = |Change { key, value }: &Change<RepositoryKey>| Change {
                key: *key,
                value: match (key, value) {
                    (RepositoryKey::Source, Some(Given::Text(text))) => {
                        Some(Given::Text(place(text, &files.current_dir)))
                    }
                    (_, value) => value.clone(),
                },
            };
            let changes: Vec<_> = changes.iter().map(change).collect();
            let edit = |repository| Edit::ChangeRepository { repository, changes: changes.clone() };
            standing(config, files, request, None, edit)
        }
        MirrorChange::Remove { mirror } => {
            let edit = |repository| Edit::RemoveMirror { repository, mirror: mirror.clone() };
            standing(config, files, request, Some(mirror), edit)
        }
    }
}

/// A place as it is written, whole where it is a path that begins here.
fn place(text: &str, base: &Path) -> String {
    let text = text.trim();
    let is_relative =
        matches!(text, "." | "..") || ["./", "../", ".\\", "..\\"].iter().any(|begin| text.starts_with(begin));
    if is_relative { edit::whole_path(base, text).display().to_string() } else { text.to_owned() }
}

/// A value as it is written, with paths that are whole.
fn whole(key: MirrorKey, value: &Given, files: &Files) -> Given {
    match (key, value) {
        (MirrorKey::Url, Given::Text(text)) => Given::Text(place(text, &files.current_dir)),
        (MirrorKey::Path | MirrorKey::SshKeyPath, Given::Text(text)) if !text.starts_with('~') => {
            Given::Text(edit::whole_path(&files.current_dir, text).display().to_string())
        }
        _ => value.clone(),
    }
}

/// The repository that a mirror is added to.
struct Meant<'a> {
    id: RepositoryId,
    known: Option<&'a RepositoryConfig>,
    /// The clone, where the repository is known by that alone.
    clone: Option<PathBuf>,
    source: Option<&'a str>,
}

fn meant<'a>(config: &'a Config, files: &Files, request: &MirrorRequest, source: Option<&'a str>) -> Result<Meant<'a>> {
    let by_id = |id: &RepositoryId| config.repositories.iter().find(|known| known.id == *id);
    let by_source = |source: &str| config.repositories.iter().find(|known| is_source(known, source));
    let of = |known: &'a RepositoryConfig| Meant {
        id: known.id.clone(),
        known: Some(known),
        clone: known.clone.clone(),
        source,
    };
    if let Some(source) = source {
        let known = request.repository.as_ref().map_or_else(|| by_source(source), by_id);
        return match known {
            Some(known) if is_source(known, source) => Ok(of(known)),
            Some(known) => Err(Error::new(
                Code::Usage,
                format!("the repository `{}` has another source: {}", known.id, known.source.display()),
                "Leave out `--source`, or give the new one another id with `--repository ID`.",
            )),
            None => {
                let id = request.repository.clone().map_or_else(|| id_of(source, config), Ok)?;
                Ok(Meant { id, known: None, clone: None, source: Some(source) })
            }
        };
    }
    let clone = files.env_at_hand.as_deref().and_then(Path::parent);
    match (request.repository.as_ref().or(config.at_hand.as_ref()), clone, config.repositories.as_slice()) {
        (Some(id), _, _) => by_id(id).map(of).ok_or_else(|| {
            Error::new(
                Code::NotFound,
                format!("there is no repository {id} in the configuration"),
                "Say what it is with `--source`, such as `--source owner/name`.",
            )
        }),
        // A clone that nothing speaks of yet: it is meant, and not the only one that is configured.
        (None, Some(clone), _) => {
            let id = id_of(&clone.display().to_string(), config)?;
            Ok(Meant { id, known: None, clone: Some(clone.to_owned()), source: None })
        }
        (None, None, [only]) => Ok(of(only)),
        (None, None, _) => Err(Error::new(
            Code::Usage,
            "nothing says which repository the mirror is of",
            "Name its source, such as `--source owner/name`, run this in a clone of it, or name one that is configured with \
             `--repository ID`.",
        )),
    }
}

fn is_source(known: &RepositoryConfig, source: &str) -> bool {
    let shown = known.source.display();
    let is_path = known.clone.as_ref().is_some_and(|clone| clone.as_path() == Path::new(source));
    shown.eq_ignore_ascii_case(source.trim()) || is_path
}

/// A name for a repository: the last part of where it is.
fn id_of(source: &str, config: &Config) -> Result<RepositoryId> {
    let name = name_in(source);
    let is_taken = |name: &str| config.repositories.iter().any(|known| known.id.as_str().eq_ignore_ascii_case(name));
    free(&name, is_taken).parse().map_err(|_| {
        Error::new(
            Code::Usage,
            format!("`{source}` gives no name for the repository"),
            "Give it one with `--repository ID`.",
        )
    })
}

/// The name itself, or with the first number behind it that nobody has.
fn free(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut names = std::iter::once(name.to_owned()).chain((2_u32..).map(|number| format!("{name}-{number}")));
    names.find(|name| !is_taken(name)).unwrap_or_default()
}

fn in_toml(files: &Files, meant: &Meant<'_>, mirror: Option<&MirrorId>, kind: MirrorType) -> Result<Resolved> {
    let outline = files.outline.iter().find(|known| known.id == meant.id.as_str());
    let mut edits = Vec::new();
    if outline.is_none() {
        let mut settings = Vec::new();
        let mut say = |key, text: String| settings.push(Setting { key, value: Given::Text(text) });
        match (meant.source, &meant.clone) {
            (Some(source), clone) => {
                say(RepositoryKey::Source, source.to_owned());
                if let Some(clone) = clone {
                    say(RepositoryKey::Path, clone.display().to_string());
                }
            }
            (None, Some(clone)) => say(RepositoryKey::Path, clone.display().to_string()),
            (None, None) => {
                if let Some(known) = meant.known {
                    say(RepositoryKey::Source, known.source.display());
                }
            }
        }
        edits.push(Edit::AddRepository { repository: meant.id.clone(), settings });
    }
    let mirror = match mirror {
        Some(mirror) => mirror.clone(),
        None => {
            let of_file = outline.iter().flat_map(|known| &known.mirrors).map(|mirror| &*mirror.id);
            let of_all = meant.known.iter().flat_map(|known| &known.mirrors).map(|mirror| mirror.id.as_str());
            let taken: Vec<&str> = of_file.chain(of_all).collect();
            let word = match kind {
                MirrorType::GitHub => "standby",
                MirrorType::Git => "archive",
                MirrorType::Pull => "copy",
                MirrorType::Follow | MirrorType::Workspace => kind.as_str(),
            };
            named(&free(word, |name| taken.iter().any(|taken| taken.eq_ignore_ascii_case(name))))?
        }
    };
    Ok(Resolved {
        repository: meant.id.clone(),
        mirror: Some(mirror),
        form: Form::Toml,
        file: files.toml.clone(),
        edits,
    })
}

fn in_env(config: &Config, files: &Files, meant: &Meant<'_>, mirror: Option<&MirrorId>) -> Result<Resolved> {
    let of_clone = || Some(meant.clone.as_ref()?.join(".env"));
    let file = meant.known.and_then(|known| known.env_file.clone()).or_else(of_clone).or_else(|| {
        let at_hand = meant.known.is_none() || config.at_hand.as_ref() == Some(&meant.id);
        files.env_at_hand.clone().filter(|_| at_hand)
    });
    let file = file.ok_or_else(|| {
        Error::new(
            Code::Usage,
            format!("there is no clone of {} here whose `.env` could be written", meant.id),
            "Run this in the clone, or write `standin.toml`: leave out `--env`.",
        )
    })?;
    let text = edit::read(&file)?.unwrap_or_default();
    let next = match mirror {
        Some(mirror) => mirror.clone(),
        None => {
            let taken: Vec<MirrorId> =
                meant.known.iter().flat_map(|known| &known.mirrors).map(|mirror| mirror.id.clone()).collect();
            edit::next_id_in_env(&text, &taken)?
        }
    };
    let source = meant.source.filter(|source| !meant.known.is_some_and(|known| is_source(known, source)));
    let source = source.map(|source| Edit::ChangeRepository {
        repository: meant.id.clone(),
        changes: vec![Change { key: RepositoryKey::Source, value: Some(Given::from(source)) }],
    });
    Ok(Resolved {
        repository: meant.id.clone(),
        mirror: Some(next),
        form: Form::Env,
        file,
        edits: source.into_iter().collect(),
    })
}

/// Where something stands that is changed.
fn standing(
    config: &Config,
    files: &Files,
    request: &MirrorRequest,
    mirror: Option<&MirrorId>,
    edit: impl Fn(RepositoryId) -> Edit,
) -> Result<Resolved> {
    let meant = meant(config, files, request, None)?;
    let outline = files.outline.iter().find(|known| known.id == meant.id.as_str());
    let in_toml = outline
        .is_some_and(|known| mirror.is_none_or(|mirror| known.mirrors.iter().any(|known| known.id == mirror.as_str())));
    let env = meant.known.and_then(|known| known.env_file.clone());
    let text = env.as_deref().map(edit::read).transpose()?.flatten().unwrap_or_default();
    let in_env = match mirror {
        Some(mirror) => edit::has_mirror_in_env(&text, mirror),
        None => env.is_some(),
    };
    let resolved = |form, file: &Path| Resolved {
        repository: meant.id.clone(),
        mirror: mirror.cloned(),
        form,
        file: file.to_owned(),
        edits: vec![edit(meant.id.clone())],
    };
    match (request.form, in_toml, in_env, &env) {
        (None | Some(Form::Toml), true, _, _) => Ok(resolved(Form::Toml, &files.toml)),
        (None | Some(Form::Env), _, true, Some(env)) => Ok(resolved(Form::Env, env)),
        _ => Err(stands_elsewhere(&meant, mirror)),
    }
}

fn stands_elsewhere(meant: &Meant<'_>, mirror: Option<&MirrorId>) -> Error {
    let Some(mirror) = mirror else {
        return Error::new(
            Code::NotFound,
            format!("no file that could be written says anything of {}", meant.id),
            "Write a `[[repository]]` with this id into `standin.toml`.",
        );
    };
    match meant.known.and_then(|known| known.mirror(mirror)) {
        Some(_) => Error::new(
            Code::Usage,
            format!("mirror {mirror} stands in the environment of this process, or in the other of the two files"),
            "Change its `MIRROR_<n>_…` where the environment is set; `--env` means the `.env` of the clone.",
        ),
        None => {
            let names: Vec<&str> =
                meant.known.iter().flat_map(|known| &known.mirrors).map(|known| known.id.as_str()).collect();
            let hint = format!("Its mirrors: {}.", names.join(", "));
            Error::new(Code::NotFound, format!("{} has no mirror {mirror}", meant.id), hint)
        }
    }
}

fn named(text: &str) -> Result<MirrorId> {
    text.parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), "This is a bug in Standin."))
}
