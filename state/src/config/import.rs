//! Writing an upstream into `standin.toml`: what [`edit`] does, with a name for what has none.

use std::path::PathBuf;

use super::edit::{self, Edit, Form, Given, MirrorKey, Outline, RepositoryKey, Setting};
use super::location::{Location, Surroundings};
use super::mistakes::Complaint;
use super::{Consents, LoadRequest};
use crate::error::{Code, Error, Result};
use crate::model::{MirrorId, MirrorType, RepositoryId};

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
    let file = edit::config_file(request);
    let source = source(request, &import.url)?;
    let id = match &import.id {
        Some(id) => id.clone(),
        None => derived_id(&source)?,
    };
    let outline = edit::outline(&file)?;
    let known = outline.iter().find(|known| known.id == id.as_str());
    let imported = |mirror: MirrorId, is_new| Imported { repository: id.clone(), mirror, file: file.clone(), is_new };
    if let Some(known) = known {
        if known.source.as_ref() != Some(&source) {
            return Err(Error::new(
                Code::Usage,
                format!("{} has a repository `{id}` already, which is another", file.display()),
                "Give this one another name with `--id NAME`.",
            ));
        }
        if let Some(mirror) = pulling(known) {
            return Ok(imported(mirror, false));
        }
    }
    let mirror = free_name(known)?;
    let settings = vec![Setting { key: RepositoryKey::Source, value: Given::Text(source) }];
    let repository = Edit::AddRepository { repository: id.clone(), settings };
    let copy = Edit::AddMirror {
        repository: id.clone(),
        mirror: mirror.clone(),
        kind: MirrorType::Pull,
        settings: settings_of(import),
    };
    let edits = if known.is_some() { vec![copy] } else { vec![repository, copy] };
    // Only what stands in the file: what the environment says comes later.
    let environment = request.environment.iter().filter(|(key, _)| !key.starts_with("MIRROR_")).map(copied).collect();
    let of_file = LoadRequest { config_file: Some(file.clone()), environment, ..request.clone() };
    edit::draft(&of_file, consents, Form::Toml, &file, &edits)?.write()?;
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
    name_in(source).parse().map_err(|_| {
        Error::new(Code::Usage, format!("`{source}` gives no name for the repository"), "Give it one with `--id NAME`.")
    })
}

/// What a place could be called: its last part, in letters that an id may have. It may be empty.
pub fn name_in(place: &str) -> String {
    let last = place.trim_end_matches(['/', '\\']).rsplit(['/', ':', '\\']).next().unwrap_or_default();
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '-' };
    let name: String = last.strip_suffix(".git").unwrap_or(last).chars().map(plain).take(60).collect();
    name.trim_matches(['-', '.']).to_owned()
}

fn named(text: &str) -> Result<MirrorId> {
    text.parse().map_err(|error| Error::new(Code::Internal, format!("{error}"), "This is a bug in Standin."))
}

/// The mirror of a repository that pulls its source.
fn pulling(repository: &Outline) -> Option<MirrorId> {
    let mut pulls = repository.mirrors.iter().filter(|mirror| mirror.kind.as_deref() == Some("pull"));
    pulls.find(|mirror| !mirror.has_place)?.id.parse().ok()
}

fn free_name(repository: Option<&Outline>) -> Result<MirrorId> {
    let taken: Vec<&str> = repository.iter().flat_map(|known| &known.mirrors).map(|mirror| &*mirror.id).collect();
    let names = std::iter::once(MIRROR.to_owned()).chain((2..).map(|number| format!("{MIRROR}-{number}")));
    let mut free = names.filter(|name| !taken.iter().any(|taken| taken.eq_ignore_ascii_case(name)));
    named(&free.next().unwrap_or_default())
}

fn settings_of(import: &Import) -> Vec<Setting<MirrorKey>> {
    let path = import.path.as_ref().map(|path| Given::Text(path.display().to_string()));
    let refs = (!import.refs.is_empty()).then(|| Given::Words(import.refs.clone()));
    let text = |given: &Option<String>| given.clone().map(Given::Text);
    let all = [
        (MirrorKey::Path, path),
        (MirrorKey::Refs, refs),
        (MirrorKey::Interval, text(&import.interval)),
        (MirrorKey::Timeout, text(&import.timeout)),
    ];
    all.into_iter().filter_map(|(key, value)| Some(Setting { key, value: value? })).collect()
}

fn copied((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::config::load;

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
