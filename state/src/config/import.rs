//! Writing an upstream into `standin.toml`, with the user's own comments and order kept.

use std::path::{Path, PathBuf};

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, value};

use super::location::{Location, Surroundings};
use super::mistakes::{Complaint, ConfigError};
use super::{Consents, LoadRequest, load};
use crate::error::{Code, Error, Result};
use crate::files;
use crate::model::{MirrorId, RepositoryId};

/// What the mirror is called where nothing else is said.
const MIRROR: &str = "copy";

/// An upstream that is to be kept here.
#[derive(Clone, Debug, Default)]
pub struct Import {
    /// Its URL, `owner/name`, or path.
    pub url: String,
    /// The id of the repository; default: the last part of the URL.
    pub id: Option<RepositoryId>,
    /// The folder of the copy; default: in the state folder.
    pub path: Option<PathBuf>,
    /// The refspecs; none means all refs.
    pub refs: Vec<String>,
    /// Time between two syncs, as settings write it.
    pub interval: Option<String>,
    /// How long one run may take, as settings write it.
    pub timeout: Option<String>,
}

/// Where an upstream stands in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The repository.
    pub repository: RepositoryId,
    /// The mirror that pulls.
    pub mirror: MirrorId,
    /// The file.
    pub file: PathBuf,
    /// Whether it was written now, and did not stand there before.
    pub is_new: bool,
}

/// Writes the upstream into the configuration file, which is made where there is none. One that stands there already is
/// left as it is.
///
/// # Errors
/// [`Code::Usage`] for an id that something else has; [`Code::Configuration`] for what cannot be used: the file is as it was
/// then; [`Code::Storage`] when it cannot be written.
pub fn import(request: &LoadRequest, consents: &Consents, import: &Import) -> Result<Imported> {
    let file = match &request.config_file {
        Some(file) => request.current_dir.join(file),
        None => request.default_config_dir.join(super::CONFIG_FILE),
    };
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            let message = format!("{} could not be read: {error}", file.display());
            return Err(Error::new(Code::Configuration, message, "Make it readable as UTF-8 text."));
        }
    };
    let source = source(request, &import.url)?;
    let mut document: DocumentMut = before.as_deref().unwrap_or_default().parse().map_err(|error| {
        let error: toml_edit::TomlError = error;
        let message = format!("{} is not TOML: {}", file.display(), error.message().lines().next().unwrap_or_default());
        Error::new(Code::Configuration, message, "Mend that line, and import again.")
    })?;
    let repositories = document.entry("repository").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let Some(repositories) = repositories.as_array_of_tables_mut() else {
        let message = format!("`repository` in {} is not written as `[[repository]]`", file.display());
        return Err(Error::new(
            Code::Configuration,
            message,
            "Write each repository as a table that begins with `[[repository]]`.",
        ));
    };
    let id = match &import.id {
        Some(id) => id.clone(),
        None => derived_id(&source)?,
    };
    let found = repositories.iter_mut().find(|table| text(table, "id") == Some(id.as_str()));
    let imported = |mirror: MirrorId, is_new| Imported { repository: id.clone(), mirror, file: file.clone(), is_new };
    let mirror: MirrorId = match found {
        Some(known) if text(known, "source") != Some(source.as_str()) => {
            return Err(Error::new(
                Code::Usage,
                format!("{} has a repository `{id}` already, which is another", file.display()),
                "Give this one another name with `--id NAME`.",
            ));
        }
        Some(known) => {
            if let Some(mirror) = pulling(known) {
                return Ok(imported(mirror, false));
            }
            let mirror = free_name(known)?;
            add_mirror(known, &mirror, import, &file)?;
            mirror
        }
        None => {
            let mirror = named(MIRROR)?;
            let mut table = Table::new();
            table["id"] = value(id.as_str());
            table["source"] = value(source);
            add_mirror(&mut table, &mirror, import, &file)?;
            repositories.push(table);
            mirror
        }
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            let message = format!("the folder {} could not be made: {error}", folder.display());
            Error::new(Code::Storage, message, "Make it by hand, or name another file with `--config`.")
        })?;
    }
    files::write_atomically(&file, document.to_string().as_bytes())?;
    check(request, consents, &file, &id).inspect_err(|_| {
        // What cannot be taken back is told by the very next start.
        let _ = match &before {
            Some(text) => files::write_atomically(&file, text.as_bytes()),
            None => std::fs::remove_file(&file).map_err(|_| Error::new(Code::Storage, "", "")),
        };
    })?;
    Ok(imported(mirror, true))
}

/// The upstream as it is written: a path in full, all else as it was said.
fn source(request: &LoadRequest, url: &str) -> Result<String> {
    let home = ["HOME", "USERPROFILE"].iter().find_map(|key| request.environment.get(*key)).map(PathBuf::from);
    let surroundings = Surroundings { hosts: &[], home: home.as_deref() };
    match surroundings.locate(url, &request.current_dir) {
        Ok(Location::Path(path)) => Ok(path.display().to_string()),
        Ok(Location::GitHub(_) | Location::Url(_)) => Ok(url.trim().to_owned()),
        Err(Complaint { message, hint }) => Err(Error::new(Code::Usage, message, hint)),
    }
}

fn derived_id(source: &str) -> Result<RepositoryId> {
    let last = source.trim_end_matches('/').rsplit(['/', ':', '\\']).next().unwrap_or_default();
    let name: String = last
        .strip_suffix(".git")
        .unwrap_or(last)
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' })
        .take(60)
        .collect();
    name.trim_matches(['-', '.']).parse().map_err(|_| {
        Error::new(Code::Usage, format!("`{source}` gives no name for the repository"), "Give it one with `--id NAME`.")
    })
}

fn named(text: &str) -> Result<MirrorId> {
    text.parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), "This is a bug in Standin."))
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key)?.as_str()
}

fn mirrors(repository: &Table) -> impl Iterator<Item = &Table> {
    repository.get("mirror").and_then(Item::as_array_of_tables).into_iter().flat_map(ArrayOfTables::iter)
}

/// The mirror of a repository that pulls its source.
fn pulling(repository: &Table) -> Option<MirrorId> {
    let mut pulls = mirrors(repository).filter(|mirror| text(mirror, "type") == Some("pull"));
    pulls.find(|mirror| mirror.get("url").is_none())?.get("id")?.as_str()?.parse().ok()
}

fn free_name(repository: &Table) -> Result<MirrorId> {
    let taken: Vec<&str> = mirrors(repository).filter_map(|mirror| text(mirror, "id")).collect();
    let names = std::iter::once(MIRROR.to_owned()).chain((2..).map(|number| format!("{MIRROR}-{number}")));
    let mut free = names.filter(|name| !taken.iter().any(|taken| taken.eq_ignore_ascii_case(name)));
    named(&free.next().unwrap_or_default())
}

fn add_mirror(repository: &mut Table, id: &MirrorId, import: &Import, file: &Path) -> Result<()> {
    let mut mirror = Table::new();
    mirror["id"] = value(id.as_str());
    mirror["type"] = value("pull");
    if let Some(path) = &import.path {
        mirror["path"] = value(path.display().to_string());
    }
    if !import.refs.is_empty() {
        mirror["refs"] = value(import.refs.iter().collect::<Array>());
    }
    for (key, given) in [("interval", &import.interval), ("timeout", &import.timeout)] {
        if let Some(given) = given {
            mirror[key] = value(given);
        }
    }
    let all = repository.entry("mirror").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    match all.as_array_of_tables_mut() {
        Some(all) => {
            all.push(mirror);
            Ok(())
        }
        None => Err(Error::new(
            Code::Configuration,
            format!("`mirror` in {} is not written as `[[repository.mirror]]`", file.display()),
            "Write each mirror as a table that begins with `[[repository.mirror]]`.",
        )),
    }
}

/// Whether the file as it is now can be used. What was wrong elsewhere before is none of this.
fn check(request: &LoadRequest, consents: &Consents, file: &Path, id: &RepositoryId) -> Result<()> {
    let of_file = LoadRequest {
        config_file: Some(file.to_owned()),
        // Only what stands in the file: what the environment says comes later.
        environment: request.environment.iter().filter(|(key, _)| !key.starts_with("MIRROR_")).map(copied).collect(),
        ..request.clone()
    };
    match load(&of_file, consents) {
        Ok(loaded) => match loaded.config.repositories.iter().find(|known| known.id == *id) {
            Some(known) if !known.mistakes.is_empty() => Err(Error::from(known.mistakes.clone())),
            _ => Ok(()),
        },
        Err(mistakes) => {
            let of_it = format!("[[repository]] {id}");
            let own: Vec<ConfigError> =
                mistakes.iter().filter(|mistake| mistake.place.contains(&of_it)).cloned().collect();
            Err(Error::from(if own.is_empty() { mistakes } else { own }))
        }
    }
}

fn copied((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn request(folder: &Path) -> LoadRequest {
        LoadRequest {
            environment: BTreeMap::from([("HOME".to_owned(), folder.display().to_string())]),
            current_dir: folder.to_owned(),
            default_config_dir: folder.join("config"),
            ..LoadRequest::default()
        }
    }

    fn of(url: &str) -> Import {
        Import { url: url.to_owned(), ..Import::default() }
    }

    #[test]
    fn an_upstream_is_added_and_all_else_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let request = request(folder.path());
        std::fs::create_dir(folder.path().join("config")).unwrap();
        let own =
            "# mine\n[schedule]\ninterval = \"2h\" # slow\n\n[[repository]]\nid = \"site\"\nsource = \"me/site\"\n";
        let file = folder.path().join("config/standin.toml");
        std::fs::write(&file, own).unwrap();
        let with = Import {
            interval: Some("10m".to_owned()),
            refs: vec!["+refs/heads/*:refs/heads/*".to_owned()],
            ..of("https://git.example/team/Linux.git")
        };
        let imported = import(&request, &Consents::new(), &with).unwrap();
        assert_eq!((imported.repository.as_str(), imported.mirror.as_str(), imported.is_new), ("Linux", "copy", true));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(own), "{text}");
        assert!(
            text.contains("refs = [\"+refs/heads/*:refs/heads/*\"]") && text.contains("interval = \"10m\""),
            "{text}"
        );
        let again = import(&request, &Consents::new(), &with).unwrap();
        assert_eq!((again.mirror.as_str(), again.is_new), ("copy", false));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        // A repository that is there with mirrors of other kinds gets one more.
        let other = import(&request, &Consents::new(), &of("me/site")).unwrap();
        assert_eq!((other.repository.as_str(), other.is_new), ("site", true));
        let loaded = load(&request, &Consents::new()).unwrap();
        assert_eq!(loaded.config.repositories.len(), 2);
        assert!(loaded.config.repositories.iter().all(|known| known.mirrors[0].target.pulled().is_some()));
    }

    #[test]
    fn what_cannot_be_used_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let request = request(folder.path());
        let file = folder.path().join("config/standin.toml");
        for (import_of, code) in [
            (of("https://me:s3cret@git.example/x.git"), Code::Usage),
            (of("ext::sh -c id"), Code::Usage),
            (Import { interval: Some("soon".to_owned()), ..of("https://git.example/x.git") }, Code::Configuration),
            (Import { refs: vec!["refs/heads/*".to_owned()], ..of("https://git.example/x.git") }, Code::Configuration),
        ] {
            let error = import(&request, &Consents::new(), &import_of).unwrap_err();
            assert_eq!(error.code, code, "{error:?}");
            assert!(!error.message.contains("s3cret") && !file.exists(), "{error:?}");
        }
        import(&request, &Consents::new(), &of("https://git.example/x.git")).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let error = import(&request, &Consents::new(), &of("https://git.example/other/x.git")).unwrap_err();
        assert_eq!((error.code, std::fs::read_to_string(&file).unwrap()), (Code::Usage, text));
    }
}
