//! What the `.env` of a clone asks for, in lines that a person understands, and whether its owner said yes to them.
//!
//! The lines are about what the file speaks of, and say what will be done: where the environment, which is the stronger, or the
//! user's own file decides a part of it, that is what they say. What the user says elsewhere of other things asks nobody.
//! Places are shown as they are resolved, so that two ways to write one place are one wish, and a clone that was moved asks anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::draft::{MirrorDraft, Named, PullDraft, RepositoryDraft};
use super::env::EnvFile;
use super::location::{Location, Surroundings, lossless, quoted, shortened, shown_path};
use super::mistakes::{Given, Mistakes};
use super::origin::Clone;
use super::variables::{self, Variables};
use super::{RepositoryConfig, git_folder, travel, validate, values};
use crate::model::{Aspect, ConsentLine, ConsentQuestion, ConsentTopic, MirrorType, Wish, is_said};
use crate::store::ConsentRecord;

/// The variable of the process environment that says yes where nobody can be asked: hashes, with commas or spaces between them.
pub const ALLOW: &str = "STANDIN_ALLOW";

/// What was said about files, by file.
pub type Consents = BTreeMap<String, ConsentRecord>;

/// Whether what a repository is configured to do may be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// No file that may be somebody else's has a say in it.
    #[default]
    NotNeeded,
    /// Its owner said yes to just this.
    Given(FileWish),
    /// It waits, or was denied.
    Waits(FileWish, ConsentQuestion),
}

/// A file with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWish {
    /// The file, as consents name it.
    pub file: String,
    /// What it asks for.
    pub wish: Wish,
}

impl Consent {
    /// The question that waits, where one does.
    pub fn question(&self) -> Option<&ConsentQuestion> {
        match self {
            Self::Waits(_, question) => Some(question),
            Self::NotNeeded | Self::Given(_) => None,
        }
    }

    /// The file that has a say, with what it asks for.
    pub fn wish(&self) -> Option<&FileWish> {
        match self {
            Self::Given(wish) | Self::Waits(wish, _) => Some(wish),
            Self::NotNeeded => None,
        }
    }
}

/// Whether the owner said yes to what this file asks for.
pub(super) fn judge(wish: Option<FileWish>, consents: &Consents, environment: &BTreeMap<String, String>) -> Consent {
    let Some(wish) = wish else { return Consent::NotNeeded };
    let hash = wish.wish.hash();
    let record = consents.get(&wish.file);
    let said = environment.get(ALLOW).map_or("", String::as_str);
    let is_denied = record.is_some_and(|record| record.denied.as_deref() == Some(&hash));
    let is_allowed = record.is_some_and(|record| record.allowed.as_ref() == Some(&wish.wish));
    // A no that was said here is stronger than a yes that is said everywhere.
    if is_allowed || (!is_denied && is_said(said, &hash)) {
        return Consent::Given(wish);
    }
    let before = record.and_then(|record| record.allowed.as_ref());
    let question = ConsentQuestion::of_file(&wish.file, &wish.wish, before, is_denied);
    Consent::Waits(wish, question)
}

/// What is asked for by a file that was read, or `None` where nothing in it routes or travels. `merged` is the repository as
/// all layers together make it, `layered` the file with the environment over it, where that speaks of this repository.
pub(super) fn wish(
    file: &EnvFile,
    clone: Option<&Clone>,
    layered: &Variables,
    merged: &RepositoryConfig,
    surroundings: &Surroundings<'_>,
) -> Option<FileWish> {
    let base = clone.map(|clone| clone.root.as_path()).or(file.path.parent()).unwrap_or(Path::new("."));
    let variables = Variables::new(None, Some((file, base)), surroundings.home);
    let sets = settings(file);
    let said = variables.repository(&mut Mistakes::default());
    let used = layered.repository(&mut Mistakes::default());
    let mut lines = Lines {
        lines: Vec::new(),
        surroundings,
        programs: BTreeSet::from(["git"]),
        secrets: merged.mirrors.iter().any(|mirror| mirror.sync.contains(&Aspect::Secrets)),
        variables: merged.mirrors.iter().any(|mirror| mirror.sync.contains(&Aspect::Variables)),
    };
    if file.names_mirrors() || variables.speak_of_mirrors() {
        lines.source(layered, clone, merged);
        for mirror in &said.mirrors {
            let used = used.mirrors.iter().find(|used| used.id == mirror.id).unwrap_or(mirror);
            lines.mirror(used, is_here(mirror.token.as_ref(), used.token.as_ref()));
        }
        lines.travels(&said, &used, file, merged);
        lines.runs();
        if let Some(enabled) = said.enabled {
            lines.add(ConsentTopic::Sets, &format!("MIRROR_ENABLED={enabled}"));
        }
    } else {
        lines.of_own_lists(merged);
    }
    if lines.lines.is_empty() && sets.is_empty() {
        return None;
    }
    for (name, value) in sets {
        lines.add(ConsentTopic::Sets, &format!("{name}={}", quoted(value)));
    }
    if let Some(place) = link(&file.path) {
        lines.add(
            ConsentTopic::Reads,
            &format!("these lines from {}, since the file is a link to it", shown_path(&place)),
        );
    }
    Some(FileWish { file: name_of(&file.path), wish: Wish::new(lines.lines) })
}

/// The file as consents name it: its folder without links, and its own name.
pub(super) fn name_of(path: &Path) -> String {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => lossless(&folder.join(name)),
        _ => lossless(path),
    }
}

fn link(path: &Path) -> Option<PathBuf> {
    let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_symlink());
    is_link.then(|| path.canonicalize().unwrap_or_else(|_| path.to_owned()))
}

/// Settings of the whole program that a `.env` may hold, with their values.
fn settings(file: &EnvFile) -> Vec<(&str, &str)> {
    let is_setting = |name: &str| variables::is_setting(name);
    let entries = file.entries.iter().filter(|(name, entry)| is_setting(name) && !entry.value.trim().is_empty());
    entries.map(|(name, entry)| (name.as_str(), entry.value.trim())).collect()
}

struct Lines<'a> {
    lines: Vec<ConsentLine>,
    surroundings: &'a Surroundings<'a>,
    programs: BTreeSet<&'static str>,
    /// Whether secrets, and variables, go anywhere.
    secrets: bool,
    variables: bool,
}

impl Lines<'_> {
    fn add(&mut self, topic: ConsentTopic, text: &str) {
        self.lines.push(ConsentLine::new(topic, text));
    }

    fn locate(&self, given: &Given<Named>) -> Option<Location> {
        self.surroundings.locate(&given.value.text, &given.value.base).ok()
    }

    /// How a place is opened, where it is opened with something. `address` is what git gets.
    fn opened(&mut self, address: &str, has_token: bool) -> &'static str {
        let scheme = address.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https") if has_token => ", with the token in this file",
            Some("http" | "https") => ", with your own token (from the environment, the keychain or gh)",
            Some("ssh") => self.by_ssh(),
            Some(_) => "",
            None if Path::new(address).is_absolute() => "",
            None => self.by_ssh(),
        }
    }

    fn by_ssh(&mut self) -> &'static str {
        self.programs.insert("ssh");
        ", with your ssh keys"
    }

    /// A place as it is used, on GitHub by its API and https whatever way it is written; and how it is opened, or what of a
    /// folder's data is elsewhere.
    fn place(&mut self, place: &Location, has_token: bool) -> (String, String) {
        match place {
            Location::GitHub(slug) => (quoted(&slug.to_string()), self.opened("https://", has_token).to_owned()),
            Location::Url(url) => (address(url), self.opened(url, has_token).to_owned()),
            Location::Path(path) => (folder(path), git_folder::said_of(path)),
        }
    }

    fn source(&mut self, layered: &Variables, clone: Option<&Clone>, merged: &RepositoryConfig) {
        let has_token = layered.source_token_is_from_file();
        let named = layered.source().map(|given| self.locate(&given));
        let own = ", as your own configuration says";
        let (place, why) = match (named, clone) {
            (Some(Some(place)), _) if layered.source_is_from_file() => (place, ""),
            (Some(Some(place)), _) => (place, own),
            // A mistake, which is told where mistakes are.
            (Some(None), _) => return,
            (None, Some(clone)) => {
                let used = Location::from(&merged.source);
                let identity = used.identity(self.surroundings);
                let is_used = |place: &Location| place.identity(self.surroundings) == identity;
                let origin = validate::origin_of(clone, self.surroundings, &mut Mistakes::default());
                match origin.unwrap_or_else(|| Location::Path(clone.root.clone())) {
                    // Before the folder of a clone with an origin that is this very folder.
                    Location::Path(path) if path == clone.root && is_used(&Location::Path(path.clone())) => {
                        (Location::Path(path), ", this clone")
                    }
                    origin if is_used(&origin) => (origin, ", where this clone came from"),
                    _ => (used, own),
                }
            }
            (None, None) if has_token => {
                return self.add(
                    ConsentTopic::Reads,
                    "the source that your own configuration names, with the token in this file",
                );
            }
            (None, None) => return,
        };
        let (place, opened) = self.place(&place, has_token);
        self.add(ConsentTopic::Reads, &format!("{place}{why}{opened}"));
    }

    fn mirror(&mut self, mirror: &MirrorDraft, has_token: bool) {
        let id = mirror.id.as_ref().map_or("", |id| id.as_str());
        let place = match mirror.repo.as_ref().or(mirror.url.as_ref()) {
            Some(given) => match self.locate(given) {
                Some(place) => Some(place),
                None => return,
            },
            None => None,
        };
        let is_github = match (&mirror.kind, &place) {
            (Some(kind), _) => kind.value == MirrorType::GitHub,
            (None, place) => mirror.repo.is_some() || place.is_none(),
        };
        let given = mirror.repo.as_ref().or(mirror.url.as_ref()).map(|given| given.value.text.trim());
        let pulls = mirror.kind.as_ref().is_some_and(|kind| kind.value == MirrorType::Pull);
        if pulls {
            self.programs.insert("git-lfs");
        }
        let mut text = match (&place, given) {
            (Some(place), Some(given)) if pulls => {
                let (shown, opened) = match place {
                    Location::GitHub(_) => self.place(place, has_token),
                    Location::Url(_) => (address(given), self.opened(given, has_token).to_owned()),
                    Location::Path(_) => self.place(place, has_token),
                };
                format!("{id}: a copy of {shown}{opened}")
            }
            (None, _) if pulls => format!("{id}: a copy of the source"),
            // git gets the very text, whatever it stands for.
            (Some(Location::GitHub(_)), Some(given)) if !is_github => {
                format!("{id}: {} (git){}", address(given), self.opened(given, has_token))
            }
            (Some(place), _) => {
                let kind = if is_github { "" } else { " (git)" };
                let (place, opened) = self.place(place, has_token);
                format!("{id}: {place}{kind}{opened}")
            }
            (None, _) => {
                let kind = mirror.kind.as_ref().map_or_else(String::new, |kind| format!(" as type {}", kind.value));
                format!("{id}{kind}, whose place your own configuration names")
            }
        };
        if place.is_none() && has_token {
            text.push_str(", with the token in this file");
        }
        if let Some(key) = &mirror.ssh_key {
            text.push_str(&format!(", with the ssh key {}", shown_path(&key.value)));
        }
        text.push_str(&pulled(&mirror.pull, pulls, self.surroundings.home));
        let is_on = |aspect: &Aspect| mirror.sync.get(aspect).is_none_or(|given| given.value);
        let aspects: Vec<&str> = match (is_github, &place) {
            (true, Some(_)) => {
                Aspect::ALL.iter().filter(|aspect| is_on(aspect)).map(|aspect| aspect.as_str()).collect()
            }
            (_, None) => Vec::new(),
            (false, Some(_)) => vec![Aspect::Code.as_str()],
        };
        if !aspects.is_empty() {
            text.push_str(&format!(": {}", aspects.join(", ")));
        }
        if place.is_none() {
            for (aspect, given) in &mirror.sync {
                text.push_str(&format!(", {aspect} {}", if given.value { "on" } else { "off" }));
            }
        }
        match mirror.enabled {
            Some(false) => text.push_str("; switched off"),
            Some(true) => text.push_str("; switched on"),
            None => {}
        }
        if is_github && is_on(&Aspect::Secrets) {
            self.programs.insert("gh");
        }
        self.add(ConsentTopic::Writes, &text);
    }

    /// What travels by name. Where the file lists nothing, or the environment lists something else, a list of the user's own
    /// counts.
    fn travels(&mut self, said: &RepositoryDraft, used: &RepositoryDraft, file: &EnvFile, merged: &RepositoryConfig) {
        match said.secrets.as_ref().filter(|said| is_here(Some(said), used.secrets.as_ref())) {
            Some(listed) => {
                let names = worded(&listed.value, &travel::names(listed, file));
                self.add(ConsentTopic::Sends, &format!("the secrets {names}, from this file and from your vault"));
            }
            None => self.secrets_of_own_list(merged),
        }
        match said.variables.as_ref().filter(|said| is_here(Some(said), used.variables.as_ref())) {
            Some(listed) => {
                let names = worded(&listed.value, &travel::names(listed, file));
                self.add(ConsentTopic::Sends, &format!("the variables {names}, from this file and the source's own"));
            }
            None => {
                self.variables_of_own_list(merged);
                if self.variables {
                    self.add(ConsentTopic::Sends, "the source's own Actions variables");
                }
            }
        }
    }

    /// What the user's own lists take from a file that lists nothing itself.
    fn of_own_lists(&mut self, merged: &RepositoryConfig) {
        if !merged.secrets.values.is_empty() {
            self.secrets_of_own_list(merged);
        }
        self.variables_of_own_list(merged);
    }

    fn secrets_of_own_list(&mut self, merged: &RepositoryConfig) {
        let names = joined(merged.secrets.values.keys());
        if !self.secrets {
            return;
        }
        if !merged.secrets.listed {
            let text = "other lines of this file and values in your vault as secrets, each name after a yes of its own";
            self.add(ConsentTopic::Sends, text);
        } else if !names.is_empty() {
            self.add(
                ConsentTopic::Sends,
                &format!("the secrets {names}, from this file, as your own configuration lists them"),
            );
        }
    }

    fn variables_of_own_list(&mut self, merged: &RepositoryConfig) {
        let names = joined(merged.variables.values.keys());
        if self.variables && !names.is_empty() {
            self.add(
                ConsentTopic::Sends,
                &format!("the variables {names}, from this file, as your own configuration lists them"),
            );
        }
    }

    fn runs(&mut self) {
        let programs: Vec<&str> = self.programs.iter().copied().collect();
        let text = format!("{}; nothing that came with the clone", programs.join(", "));
        self.add(ConsentTopic::Runs, &text);
    }
}

/// Where a copy is kept, of what, and how often it is renewed.
fn pulled(pull: &PullDraft, pulls: bool, home: Option<&Path>) -> String {
    let mut text = match &pull.path {
        Some(Given { value: Named { text, base, .. }, .. }) => match values::path(text, base, home) {
            Ok(path) => format!(", kept in the folder {}", folder(&path)),
            Err(_) => String::new(),
        },
        None if pulls => ", kept in Standin's own folder".to_owned(),
        None => String::new(),
    };
    if let Some(refs) = &pull.refs {
        let refs = refs.value.iter().map(|refspec| quoted(refspec)).collect::<Vec<_>>();
        text.push_str(&format!(", the refs {}", refs.join(", ")));
    }
    for (given, what) in [(&pull.interval, "every"), (&pull.timeout, "each within")] {
        if let Some(given) = given {
            text.push_str(&format!(", {what} {} s", given.value.as_secs()));
        }
    }
    text
}

/// Whether what is used is what the file says, and not what stands elsewhere.
fn is_here<T>(said: Option<&Given<T>>, used: Option<&Given<T>>) -> bool {
    matches!((said, used), (Some(said), Some(used)) if said.place == used.place)
}

/// An address so that its end is seen, and so that no letter of a host's name passes for another.
fn address(text: &str) -> String {
    if text.is_ascii() { quoted(text) } else { format!("\"{}\"", shortened(&text.escape_default().to_string())) }
}

/// A folder, and where it is if a link leads there.
fn folder(path: &Path) -> String {
    let shown = shown_path(path);
    match path.canonicalize() {
        Ok(real) if real != path => format!("{shown}, which leads to {}", shown_path(&real)),
        _ => shown,
    }
}

fn joined<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// The names as they are listed, with those that patterns match now.
fn worded(listed: &[String], found: &BTreeSet<String>) -> String {
    let matched: Vec<&str> = found.iter().filter(|name| !listed.contains(name)).map(String::as_str).collect();
    let listed = listed.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    if matched.is_empty() { listed } else { format!("{listed} (now {})", matched.join(", ")) }
}
