//! The configuration: what the user wants kept in step.
//!
//! Three sources, merged per field, the stronger first: process environment, the `.env` file of the repository
//! at hand, `standin.toml`. Mirrors named in more than one are matched by their target, then by id. Loading reads
//! files and nothing else; the environment is passed in, so that the same input gives the same configuration.
//!
//! A `.env` may be somebody else's: what it asks for waits for its owner's yes ([`consent`]). Each file is read once for
//! one loading, so that the yes is for what is then used.
//!
//! A mistake in a repository that a clone has a say in stops that repository alone ([`RepositoryConfig::mistakes`]): whoever made
//! the clone must not stop the others.
//!
//! Data flows from the layers ([`env`], [`variables`], [`file`]) as drafts through [`merge`] to [`validate`]; all
//! mistakes are collected before any is shown.

mod consent;
mod draft;
pub mod edit;
mod env;
mod file;
mod found;
mod git_folder;
mod import;
mod inside;
mod location;
mod merge;
mod mistakes;
mod notify;
mod origin;
mod patterns;
mod pulled;
mod rhythm;
mod settings;
mod travel;
mod types;
mod updates;
mod validate;
mod values;
mod variables;
mod web;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use consent::{ALLOW, Consent, Consents, FileWish};
pub use found::{FoundClone, found_clone, found_clones};
pub use import::{Import, Imported, import, name_in};
pub use mistakes::ConfigError;
pub use notify::{Notify, NotifyCommand, NotifyMeans, NotifyTarget, PING, QuietHours};
pub use origin::own_setting;
pub use patterns::{NamePatterns, is_pattern};
pub use pulled::{PullTarget, PulledRefs};
pub use rhythm::{Cron, Rhythm};
pub use travel::{secret_name, stays_home};
pub use types::{
    Config, GitHubHost, GitTarget, Heartbeat, History, Limits, MirrorConfig, RepositoryConfig, Schedule, SecretValues,
    SentinelSettings, Source, Target, VariableValues,
};
pub use updates::{Channel, Updates};
pub use values::{length_of_time, written as length_as_written};
pub use web::WebAddress;

use draft::{Named, RepositoryDraft};
use env::EnvFile;
use location::{Location, Surroundings};
use mistakes::{Complaint, Mistakes};
use origin::Clone as LocalClone;
use settings::Settings;
use validate::Room;
use variables::Variables;

use crate::model::RepositoryId;

/// The name of the configuration file in the OS's configuration folder.
pub const CONFIG_FILE: &str = "standin.toml";

/// A length of time as settings write it, such as `90s` or `1h30m`; `None` for what is none.
pub fn duration(text: &str) -> Option<Duration> {
    values::duration(text).ok()
}

/// Where the refs of the repository at `path` are, as git finds it there; linked work trees share one. `None` where there is none.
pub fn common_git_folder(path: &Path) -> Option<PathBuf> {
    git_folder::GitFolder::opened_at(path).map(|git| git.common)
}

/// Where the configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// The process environment.
    pub environment: BTreeMap<String, String>,
    /// `--repo`: the clone at hand, or a folder in it; default: the one around `current_dir`, where there is one.
    pub repo: Option<PathBuf>,
    /// `--config`; default: `$STANDIN_CONFIG`, else `standin.toml` in `default_config_dir`, where it exists.
    pub config_file: Option<PathBuf>,
    /// What relative paths on the command line and in the environment are relative to.
    pub current_dir: PathBuf,
    /// Standin's folder below the OS's configuration folder.
    pub default_config_dir: PathBuf,
    /// `--repository`: the one that is meant, in place of the one at hand.
    pub repository: Option<RepositoryId>,
    /// What one of the files would say ([`edit`]): this is read in its place, whether the file is there or not.
    pub instead: Option<Instead>,
}

/// What a file would say. It may hold what a `.env` holds, so it is not shown.
#[derive(Clone)]
pub struct Instead {
    /// The file.
    pub file: PathBuf,
    /// Its text.
    pub text: Arc<str>,
}

impl std::fmt::Debug for Instead {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Instead").field("file", &self.file).finish_non_exhaustive()
    }
}

impl LoadRequest {
    fn instead(&self, path: &Path) -> Option<&str> {
        self.instead.as_ref().filter(|instead| instead.file == path).map(|instead| &*instead.text)
    }
}

/// A configuration without mistakes, but for those that stop one repository alone.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What the user should know though it is no mistake: message and hint.
    pub notices: Vec<(String, String)>,
}

/// Reads the configuration.
///
/// The repository at hand counts where it has `MIRROR_*` in its `.env`, where `MIRROR_<n>_*` stands in the
/// environment, or where `standin.toml` names it by `path` or `source`. Without a clone at hand, the environment
/// speaks of the repository that its `MIRROR_SOURCE` names, or of the only one in the file. `MIRROR_ENABLED=false`
/// in the environment stops all of them.
///
/// `consents` is what owners of clones said about their files; a repository whose file still waits is in the configuration
/// with the question ([`RepositoryConfig::consent`]), and nothing else of such a file has an effect.
///
/// # Errors
/// Every mistake of the user's own, in the order in which they were found.
pub fn load(request: &LoadRequest, consents: &Consents) -> Result<Loaded, Vec<ConfigError>> {
    let mut mistakes = Mistakes::default();
    let config = Loader::new(request, consents, &mut mistakes).load(&mut mistakes);
    if mistakes.errors.is_empty() { Ok(Loaded { config, notices: mistakes.notices }) } else { Err(mistakes.errors) }
}

struct Loader<'a> {
    request: &'a LoadRequest,
    consents: &'a Consents,
    home: Option<PathBuf>,
    at_hand: Option<LocalClone>,
}

/// A repository of the file or of the variables, with what belongs to it.
struct Entry {
    draft: RepositoryDraft,
    clone: Option<LocalClone>,
    is_at_hand: bool,
}

impl Entry {
    /// The `.env` that has a say, and the clone that it came with; without one it is the user's own.
    fn env_file(&self) -> Option<(PathBuf, Option<LocalClone>)> {
        match (&self.draft.env_file, &self.clone) {
            (Some(path), _) => Some((path.value.clone(), LocalClone::with(&path.value))),
            (None, Some(clone)) => Some((clone.root.join(".env"), Some(clone.clone()))),
            (None, None) => None,
        }
    }
}

impl<'a> Loader<'a> {
    fn new(request: &'a LoadRequest, consents: &'a Consents, mistakes: &mut Mistakes) -> Self {
        let home = ["HOME", "USERPROFILE"].iter().find_map(|key| request.environment.get(*key)).map(PathBuf::from);
        let at_hand = match &request.repo {
            None => LocalClone::around(&request.current_dir),
            Some(path) => {
                let folder = values::lexical(&request.current_dir.join(path));
                let found = LocalClone::around(&folder);
                if found.is_none() {
                    let message = format!("{} is not in a git repository", folder.display());
                    mistakes
                        .add("--repo", Complaint::new(message, "Name the folder of a clone, or of a bare repository."));
                }
                found
            }
        };
        Self { request, consents, home: home.filter(|home| home.is_absolute()), at_hand }
    }

    fn load(self, mistakes: &mut Mistakes) -> Config {
        let file = match self.config_file() {
            Some(path) => file::read(&path, self.request.instead(&path), self.home.as_deref(), mistakes),
            None => file::FileDraft::default(),
        };
        // Hosts must be known before targets and sources can be compared; they never come from a `.env`.
        let own = self.variables(None, None, true).settings(&mut Mistakes::default());
        let hosts = settings::settle(own, file.settings.clone()).hosts;
        let surroundings = Surroundings { hosts: &hosts, home: self.home.as_deref() };

        let mut env_at_hand = self.env_at_hand(mistakes);
        let variables = self.variables(env_at_hand.as_ref(), self.at_hand.as_ref(), true);
        self.variables(None, None, true).settings(mistakes);
        let mut of_file = Mistakes::default();
        let with_file = variables.settings(&mut of_file);
        of_file.errors.retain(|mistake| !mistakes.errors.contains(mistake));
        let entries = self.entries(file.repositories, env_at_hand.as_ref(), &variables, &surroundings);
        refuse_same_ids(&entries, mistakes);
        let written = entries.iter().filter_map(|entry| entry.draft.id.as_ref());
        let written = written.map(|id| id.as_str().to_ascii_lowercase()).collect();
        let known = Known { hosts: &hosts, written: &written };
        let stopped = self.variables(None, None, true).enabled(mistakes) == Some(false);
        let mut repositories = Vec::new();
        let mut at_hand = None;
        let mut may_set = false;
        for entry in entries {
            let is_at_hand = entry.is_at_hand;
            let read = env_at_hand.take_if(|_| is_at_hand);
            let held = if is_at_hand { std::mem::take(&mut of_file) } else { Mistakes::default() };
            let Some(mut repository) = self.held(entry, read, known, held, mistakes) else { continue };
            repository.enabled &= !stopped;
            if is_at_hand {
                // The file at hand has a say in the settings of the whole program once its owner said yes.
                let read = self.at_hand.as_ref().map(|clone| consent::name_of(&clone.root.join(".env")));
                if let Consent::Given(wish) = &repository.consent {
                    may_set = read.as_ref() == Some(&wish.file);
                }
                // What a broken file says of its id is not known, and where it came from may be another's.
                let is_taken =
                    |known: &RepositoryConfig| known.id.as_str().eq_ignore_ascii_case(repository.id.as_str());
                if let Some(clone) = self.at_hand.as_ref().filter(|_| !repository.mistakes.is_empty())
                    && repositories.iter().any(is_taken)
                    && let Some(id) = validate::id_of_folder(&clone.root, &surroundings)
                {
                    repository.id = id;
                }
                at_hand = Some(repository.id.clone());
                repositories.insert(0, repository);
            } else {
                repositories.push(repository);
            }
        }
        let settings =
            if may_set { with_file } else { self.variables(None, None, true).settings(&mut Mistakes::default()) };
        let Settings { schedule, limits, history, hosts } = settings::settle(settings, file.settings);
        let at_hand = self.request.repository.clone().or(at_hand);
        Config { schedule, limits, history, notify: file.notify, updates: file.updates, hosts, repositories, at_hand }
    }

    fn config_file(&self) -> Option<PathBuf> {
        let file = edit::config_file(self.request);
        let is_read = edit::is_named(self.request) || self.request.instead(&file).is_some() || file.exists();
        is_read.then_some(file)
    }

    /// The `.env` at hand before it is known whether it is meant for us: what is wrong in it is not reported, and a
    /// file that cannot be read at all is left out with a notice.
    fn env_at_hand(&self, mistakes: &mut Mistakes) -> Option<EnvFile> {
        let path = self.at_hand.as_ref()?.root.join(".env");
        EnvFile::read(&path, self.request.instead(&path)).unwrap_or_else(|complaint| {
            mistakes.notice(format!("{} is left out: {}", path.display(), complaint.message), complaint.hint);
            None
        })
    }

    fn env_file(&self, path: &Path, mistakes: &mut Mistakes) -> Option<EnvFile> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        mistakes.take(&format!("`{name}`"), EnvFile::read(path, self.request.instead(path))).flatten()
    }

    fn variables(&self, file: Option<&EnvFile>, clone: Option<&LocalClone>, with_environment: bool) -> Variables {
        let environment = with_environment.then_some((&self.request.environment, self.request.current_dir.as_path()));
        let file = file.map(|file| {
            let folder = clone.map(|clone| clone.root.as_path()).or(file.path.parent());
            (file, folder.unwrap_or(Path::new(".")))
        });
        Variables::new(environment, file, self.home.as_deref())
    }

    /// The repositories of the file, and the one at hand where the file does not have it.
    fn entries(
        &self,
        drafts: Vec<RepositoryDraft>,
        env_at_hand: Option<&EnvFile>,
        variables: &Variables,
        surroundings: &Surroundings<'_>,
    ) -> Vec<Entry> {
        let position = self.position_at_hand(&drafts, variables, surroundings);
        let mut entries: Vec<Entry> = drafts
            .into_iter()
            .enumerate()
            .map(|(index, draft)| {
                let is_at_hand = position == Some(index);
                let named = draft.path.as_ref().map(|path| path.value.clone()).or_else(|| {
                    let source = &draft.source.as_ref()?.value;
                    match surroundings.locate(&source.text, &source.base) {
                        Ok(Location::Path(path)) => Some(path),
                        _ => None,
                    }
                });
                let clone = match (&self.at_hand, named) {
                    (Some(clone), _) if is_at_hand => Some(clone.clone()),
                    (_, Some(path)) => LocalClone::at(&path),
                    (_, None) => None,
                };
                Entry { draft, clone, is_at_hand }
            })
            .collect();
        let is_ours = variables.number_mirrors() || env_at_hand.is_some_and(EnvFile::names_mirrors);
        if position.is_none() && is_ours {
            let place = match &self.at_hand {
                Some(clone) => format!("the repository at {}", clone.root.display()),
                None => "environment, MIRROR_*".to_owned(),
            };
            let draft = RepositoryDraft { place, ..RepositoryDraft::default() };
            entries.push(Entry { draft, clone: self.at_hand.clone(), is_at_hand: true });
        }
        entries
    }

    /// Which repository of the file is the one at hand: by its path, else by its source.
    fn position_at_hand(
        &self,
        drafts: &[RepositoryDraft],
        variables: &Variables,
        surroundings: &Surroundings<'_>,
    ) -> Option<usize> {
        let locate = |named: &Named| surroundings.locate(&named.text, &named.base).ok();
        if let Some(clone) = &self.at_hand {
            let by_path = drafts.iter().position(|draft| {
                let path = draft.path.as_ref().map(|path| path.value.clone()).or_else(|| {
                    match locate(&draft.source.as_ref()?.value)? {
                        Location::Path(path) => Some(path),
                        _ => None,
                    }
                });
                path.is_some_and(|path| validate::is_folder_of(clone, &path))
            });
            if by_path.is_some() {
                return by_path;
            }
        }
        let named = variables.source().and_then(|given| locate(&given.value));
        let own = named.or_else(|| validate::origin_of(self.at_hand.as_ref()?, surroundings, &mut Mistakes::default()));
        match own.map(|own| own.identity(surroundings)) {
            Some(own) => drafts.iter().position(|draft| {
                let source = draft.source.as_ref().and_then(|source| locate(&source.value));
                source.is_some_and(|source| source.identity(surroundings) == own)
            }),
            None if self.at_hand.is_none() && drafts.len() == 1 && variables.speak_of_mirrors() => Some(0),
            None => None,
        }
    }

    /// A repository, or what can be known of it where a clone has a say in it and something is wrong: then it stands there with
    /// its mistakes. `read` is the `.env` of the clone at hand, where this is its repository, and `held` what is wrong in it.
    fn held(
        &self,
        entry: Entry,
        read: Option<EnvFile>,
        known: Known<'_>,
        mut held: Mistakes,
        mistakes: &mut Mistakes,
    ) -> Option<RepositoryConfig> {
        let Some((path, Some(_))) = entry.env_file() else { return self.repository(entry, read, known, mistakes) };
        let (draft, clone) = (entry.draft.clone(), entry.clone.clone());
        let built = self.repository(entry, read, known, &mut held);
        // Advice about a file comes after the yes to it.
        let waits = built.as_ref().is_some_and(|built| built.consent.question().is_some());
        if !waits {
            mistakes.notices.append(&mut held.notices);
        }
        if held.errors.is_empty() {
            return built;
        }
        let Known { hosts, written } = known;
        let surroundings = || Surroundings { hosts, home: self.home.as_deref() };
        let room = Room { surroundings: surroundings(), clone: clone.as_ref(), env_file: None, owner: None, written };
        let RepositoryDraft { place, id, source, path: folder, .. } = draft.clone();
        let named =
            RepositoryDraft { place: place.clone(), id: id.clone(), source, path: folder, ..Default::default() };
        let bare = RepositoryDraft { place, id, ..Default::default() };
        let found = [draft, named, bare].into_iter().find_map(|draft| {
            let mut unheard = Mistakes::default();
            let found = validate::repository(draft, &room, &mut unheard)?;
            unheard.errors.is_empty().then_some(found)
        });
        match found {
            Some(known) => Some(RepositoryConfig { mistakes: held.errors, env_file: Some(path), ..known }),
            None => {
                mistakes.errors.append(&mut held.errors);
                None
            }
        }
    }

    fn repository(
        &self,
        entry: Entry,
        read: Option<EnvFile>,
        Known { hosts, written }: Known<'_>,
        mistakes: &mut Mistakes,
    ) -> Option<RepositoryConfig> {
        let of_clone = entry.env_file();
        let Entry { draft, clone, is_at_hand } = entry;
        let is_read = |path: &Path| read.as_ref().is_some_and(|read| read.path == *path);
        let mut file = match (&draft.env_file, &clone) {
            (Some(path), _) if is_read(&path.value) => read,
            (None, Some(clone)) if is_read(&clone.root.join(".env")) => read,
            (Some(path), _) => {
                let file = self.env_file(&path.value, mistakes);
                if !path.value.exists() && self.request.instead(&path.value).is_none() {
                    let message = format!("there is no file {}", path.value.display());
                    let complaint =
                        Complaint::new(message, "Name the `.env` file; a relative path starts at the TOML file.");
                    mistakes.add(&path.place, complaint);
                }
                file
            }
            (None, Some(clone)) => self.env_file(&clone.root.join(".env"), mistakes),
            (None, None) => None,
        };
        if let Some(file) = &mut file {
            file.report(mistakes);
        }
        if clone.is_none()
            && let Some(path) = &draft.path
        {
            let message = format!("{} is no git repository", path.value.display());
            mistakes.add(
                &path.place,
                Complaint::new(message, "Name the folder of a clone, or remove `path` and give `source`."),
            );
        }
        let surroundings = Surroundings { hosts, home: self.home.as_deref() };
        let variables = self.variables(file.as_ref(), clone.as_ref(), is_at_hand);
        // A file outside of any clone, which the user named, is the user's own.
        let owner = of_clone.and_then(|(_, owner)| owner).filter(|_| file.is_some());
        let is_own = draft.env_file.is_some() && owner.is_none();
        if let Some(owner) = &owner {
            validate::refuse_foreign_source(&variables, draft.source.as_ref(), owner, &surroundings, mistakes);
        }
        if let Some(clone) = &clone {
            mistakes.take(&draft.place, location::refuse_unreadable(&clone.root));
            mistakes.take(&draft.place, git_folder::refuse_disguised(&clone.root));
        }
        let merged = merge::over(variables.repository(mistakes), draft, &surroundings);
        let owner = owner.filter(|owner| clone.as_ref().is_none_or(|clone| clone.root != owner.root));
        let room =
            Room { surroundings, clone: clone.as_ref(), env_file: file.as_ref(), owner: owner.as_ref(), written };
        let mut repository = validate::repository(merged, &room, mistakes)?;
        let wish = file.as_ref().filter(|_| !is_own);
        let wish =
            wish.and_then(|file| consent::wish(file, clone.as_ref(), &variables, &repository, &room.surroundings));
        repository.consent = consent::judge(wish, self.consents, &self.request.environment);
        Some(repository)
    }
}

/// What all repositories of one configuration are read with.
#[derive(Clone, Copy)]
struct Known<'a> {
    hosts: &'a [GitHubHost],
    /// The ids that are written, in lower case.
    written: &'a BTreeSet<String>,
}

fn refuse_same_ids(entries: &[Entry], mistakes: &mut Mistakes) {
    let mut seen = BTreeSet::new();
    for Entry { draft, .. } in entries {
        if let Some(id) = &draft.id
            && !seen.insert(id.as_str().to_ascii_lowercase())
        {
            let message = format!("there is another repository with the id `{id}`");
            mistakes.add(
                &draft.place,
                Complaint::new(message, "Give each repository an id of its own; case does not count."),
            );
        }
    }
}
