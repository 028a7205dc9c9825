//! From a merged draft to a repository that can be kept in step, or to what is wrong with it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::draft::{MirrorDraft, Named, RepositoryDraft};
use super::env::EnvFile;
use super::inside;
use super::location::{Location, Surroundings, real_path, without_credentials};
use super::mistakes::{Complaint, Given, Mistakes};
use super::origin::Clone;
use super::variables::Variables;
use super::{Consent, MirrorConfig, RepositoryConfig, Rhythm, Source, Target, pulled, settings, travel};
use crate::model::{Aspect, MirrorType, RepositoryId};

/// Names in the state folder and in the keychain that an id would collide with.
const RESERVED_REPOSITORIES: &[&str] = &["standin.db", "standin.db-wal", "standin.db-shm", "fingerprint.key"];
const RESERVED_MIRRORS: &[&str] = &["source"];

/// What a draft is read with.
pub(super) struct Room<'a> {
    pub surroundings: Surroundings<'a>,
    pub clone: Option<&'a Clone>,
    pub env_file: Option<&'a EnvFile>,
    /// The clone that the `.env` is in or came with, where that is another one.
    pub owner: Option<&'a Clone>,
    /// The ids that are written of repositories, in lower case: one that is made from a source is none of these.
    pub written: &'a BTreeSet<String>,
}

impl<'a> Room<'a> {
    pub fn clones(&self) -> impl Iterator<Item = &'a Clone> {
        self.clone.into_iter().chain(self.owner)
    }
}

/// The repository, or `None` where it has no usable source or id; every mistake is noted.
pub(super) fn repository(draft: RepositoryDraft, room: &Room<'_>, mistakes: &mut Mistakes) -> Option<RepositoryConfig> {
    let surroundings = &room.surroundings;
    let source = source(&draft, room, mistakes);
    let id = match (&draft.id, &source) {
        (Some(id), _) => Some(id.clone()),
        (None, Some(source)) => match derived_id(source, surroundings) {
            Some(id) if room.written.contains(&id.as_str().to_ascii_lowercase()) => hashed_id(source, surroundings),
            id => id,
        },
        (None, None) => None,
    };
    if let Some(id) =
        id.as_ref().filter(|id| RESERVED_REPOSITORIES.contains(&id.as_str().to_ascii_lowercase().as_str()))
    {
        let complaint = Complaint::new(format!("`{id}` is a name that Standin's own files have"), "Choose another id.");
        mistakes.add(&draft.place, complaint);
    }
    let avoid: Vec<(String, &str)> = [
        source.as_ref().map(|source| (source.identity(surroundings), "the source itself")),
        room.clone.map(|clone| (Location::Path(clone.root.clone()).identity(surroundings), "the clone itself")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut taken: Vec<(String, String)> = Vec::new();
    let mut ids: BTreeSet<String> = BTreeSet::new();
    let mut mirrors = Vec::new();
    for mirror in draft.mirrors {
        let place = mirror.place.clone();
        let Some((mirror, identity)) = self::mirror(mirror, source.as_ref(), room, mistakes) else { continue };
        if let Some((_, what)) = avoid.iter().find(|(avoided, _)| *avoided == identity) {
            mistakes.add(
                &place,
                Complaint::new(
                    format!("the mirror `{}` is {what}", mirror.target.display()),
                    "Name another place as mirror, or another `MIRROR_SOURCE` (`source`).",
                ),
            );
        }
        if let Some((_, other)) = taken.iter().find(|(target, _)| *target == identity) {
            mistakes.add(
                &place,
                Complaint::new(
                    format!("`{}` is the mirror `{other}` already", mirror.target.display()),
                    "Keep one of the two, with what both should keep in step.",
                ),
            );
        }
        if RESERVED_MIRRORS.contains(&mirror.id.as_str().to_ascii_lowercase().as_str()) {
            let message = format!("`{}` stands for the source wherever tokens are named", mirror.id);
            mistakes.add(&place, Complaint::new(message, "Choose another id for this mirror."));
        }
        if !ids.insert(mirror.id.as_str().to_ascii_lowercase()) {
            let message = format!("there is another mirror with the id `{}`", mirror.id);
            mistakes.add(&place, Complaint::new(message, "Give each mirror an id of its own; case does not count."));
        }
        taken.push((identity, mirror.id.to_string()));
        mirrors.push(mirror);
    }
    let variables = travel::variables(draft.variables.as_ref(), draft.secrets.as_ref(), room.env_file, mistakes);
    // What is left out of candidates matters only where secrets travel at all.
    let secrets_travel = mirrors.iter().any(|mirror| mirror.sync.contains(&Aspect::Secrets));
    let mut unheard = Mistakes::default();
    let secrets = travel::secrets(
        draft.secrets.as_ref(),
        &variables,
        room.env_file,
        if secrets_travel || draft.secrets.is_some() { mistakes } else { &mut unheard },
    );
    for mirror in &mut mirrors {
        mirror.rhythm = mirror.rhythm.take().or_else(|| draft.rhythm.clone());
    }
    warn_of_open_file(room, &draft.source_token, &mirrors, mistakes);
    Some(RepositoryConfig {
        id: id?,
        consent: Consent::NotNeeded,
        mistakes: Vec::new(),
        newer_mistakes: Vec::new(),
        enabled: draft.enabled.unwrap_or(!mirrors.is_empty()),
        clone: room.clone.map(|clone| clone.root.clone()),
        source: source?.into(),
        source_token: draft.source_token,
        env_file: room.env_file.map(|file| file.path.clone()),
        secrets,
        variables,
        keep_active: draft.keep_active.into_iter().collect(),
        notes: draft.notes,
        heartbeat: draft.heartbeat,
        sentinel: draft.sentinel.unwrap_or_default(),
        mirrors,
        master: None,
        home: None,
    })
}

/// The given source, else the clone's `origin`, else the clone itself.
fn source(draft: &RepositoryDraft, room: &Room<'_>, mistakes: &mut Mistakes) -> Option<Location> {
    if let Some(Given { value: Named { text, base, .. }, place }) = &draft.source {
        return mistakes.take(place, room.surroundings.locate(text, base));
    }
    let Some(clone) = room.clone else {
        let is_told = ["source", "path"].map(|key| format!("{}: `{key}`", draft.place));
        if mistakes.errors.iter().any(|mistake| is_told.contains(&mistake.place)) {
            return None;
        }
        mistakes.add(
            &draft.place,
            Complaint::new(
                "it has no source, and there is no clone to ask",
                "Write `source` (in `.env` and the environment: `MIRROR_SOURCE`), such as `owner/name`, or `path` of a clone.",
            ),
        );
        return None;
    };
    Some(origin_of(clone, &room.surroundings, mistakes).unwrap_or_else(|| Location::Path(clone.root.clone())))
}

/// Refuses a source that only the clone's own `.env` names, and that is another repository: whoever wrote that file
/// may not see it, and the user's own token or key would read it for them. A token beside it in the file shows that
/// they may, where git uses that token.
pub(super) fn refuse_foreign_source(
    variables: &Variables,
    in_toml: Option<&Given<Named>>,
    clone: &Clone,
    surroundings: &Surroundings<'_>,
    mistakes: &mut Mistakes,
) {
    let Some(given) = variables.source().filter(|_| variables.source_is_from_file()) else { return };
    let locate = |named: &Named| surroundings.locate(&named.text, &named.base).ok();
    let Some(named) = locate(&given.value) else { return };
    let takes_token = match &named {
        Location::GitHub(_) => true,
        Location::Url(url) => url.to_ascii_lowercase().starts_with("http"),
        Location::Path(_) => false,
    };
    if takes_token && variables.source_token_is_from_file() {
        return;
    }
    let identity = named.identity(surroundings);
    let is_known = matches!(&named, Location::Path(path) if is_folder_of(clone, path))
        || [in_toml.and_then(|given| locate(&given.value)), origin_of(clone, surroundings, &mut Mistakes::default())]
            .into_iter()
            .flatten()
            .any(|known| known.identity(surroundings) == identity);
    if !is_known {
        let message = format!("`{}` is neither this clone nor where it came from", named.display());
        let hint = "A repository's own file cannot choose another one to be copied. Set `MIRROR_SOURCE` in the process \
                    environment, or `source` with `path` in `standin.toml`; or write the token that may read it beside \
                    it as `MIRROR_SOURCE_TOKEN`.";
        mistakes.add(&given.place, Complaint::new(message, hint));
    }
}

/// Where a clone came from, without the credentials that may stand in its URL.
pub(super) fn origin_of(clone: &Clone, surroundings: &Surroundings<'_>, mistakes: &mut Mistakes) -> Option<Location> {
    let origin = clone.origin()?;
    let clean = without_credentials(&origin);
    if clean.is_some() {
        mistakes.notice(
            format!(
                "the remote `origin` of {} has credentials in its URL; Standin leaves them out",
                clone.root.display()
            ),
            "Take them out with `git remote set-url origin URL`, and let a credential helper answer for them.",
        );
    }
    let text = clean.unwrap_or(origin);
    let located = surroundings.locate(&text, &clone.root).or_else(|complaint| {
        // git takes any other word as a path.
        let path = super::values::lexical(&clone.root.join(&text));
        if path.exists() { Ok(Location::Path(path)) } else { Err(complaint) }
    });
    match located {
        // `a/b` in a git config is a path, never a repository on GitHub.
        Ok(Location::GitHub(_)) if !text.contains(':') => {
            Some(Location::Path(super::values::lexical(&clone.root.join(&text))))
        }
        Ok(location) => Some(location),
        Err(Complaint { message, .. }) => {
            mistakes.notice(
                format!("the remote `origin` of {} cannot be the source: {message}", clone.root.display()),
                "The clone itself is used; name another with `MIRROR_SOURCE`.",
            );
            None
        }
    }
}

/// An id for what is known by its folder alone.
pub(super) fn id_of_folder(folder: &Path, surroundings: &Surroundings<'_>) -> Option<RepositoryId> {
    derived_id(&Location::Path(folder.to_owned()), surroundings)
}

/// An id for a repository that has none: the same for all clones of one source, and another for each other source.
fn derived_id(source: &Location, surroundings: &Surroundings<'_>) -> Option<RepositoryId> {
    match source {
        Location::GitHub(slug) if slug.host.is_none() => {
            let readable = format!("{}.{}", slug.owner, slug.name).to_ascii_lowercase();
            readable.parse().ok().or_else(|| hashed_id(source, surroundings))
        }
        _ => hashed_id(source, surroundings),
    }
}

/// An id that no other source has, nor anybody writes.
fn hashed_id(source: &Location, surroundings: &Surroundings<'_>) -> Option<RepositoryId> {
    let identity = source.identity(surroundings);
    let readable = match source {
        Location::GitHub(slug) if slug.host.is_none() => format!("{}-{}", slug.owner, slug.name).to_ascii_lowercase(),
        _ => identity.trim_end_matches('/').rsplit(['/', ':', '\\']).next().unwrap_or_default().to_owned(),
    };
    let name: String = readable
        .chars()
        .map(|character| if character.is_ascii_alphanumeric() || character == '_' { character } else { '-' })
        .take(40)
        .collect();
    let name = match name.trim_matches('-') {
        "" => "repository",
        name => name,
    };
    let hash = Sha256::digest(identity.as_bytes());
    format!("{name}-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]).parse().ok()
}

/// The mirror and its identity, or `None` where it cannot be used.
fn mirror(
    draft: MirrorDraft,
    source: Option<&Location>,
    room: &Room<'_>,
    mistakes: &mut Mistakes,
) -> Option<(MirrorConfig, String)> {
    let kind = match (&draft.kind, &draft.repo, &draft.url) {
        (Some(kind), ..) => kind.value,
        _ if draft.faulty => return None,
        (None, Some(_), _) => MirrorType::GitHub,
        (None, None, Some(_)) => MirrorType::Git,
        (None, None, None) => {
            mistakes.add(&draft.place, missing_target(None));
            return None;
        }
    };
    let (mut target, identity) = if kind == MirrorType::Pull {
        let (pull, identity) = pulled::target(&draft, source, room, mistakes)?;
        (Target::Pull(pull), identity)
    } else {
        pulled::refuse_elsewhere(&draft.pull, kind, mistakes);
        target(&draft, kind, room, mistakes)?
    };
    let sync = sync(&draft, kind, mistakes);
    if let Some(key) = &draft.ssh_key {
        let url = git_url(&target);
        if !url.is_some_and(|url| url.starts_with("ssh://") || is_scp(url)) {
            mistakes.add(
                &key.place,
                Complaint::new(
                    "a key serves only for mirrors at an ssh address",
                    "Write the mirror's URL as `ssh://…` or `user@host:path`, with type `git` or `pull`, or remove the key.",
                ),
            );
        } else if !key.value.is_file() {
            mistakes.notice(
                format!("{}: there is no file {}", key.place, key.value.display()),
                "The mirror fails until the key is there; name the private key, not the `.pub` beside it.",
            );
        }
    }
    if let Some(hooks) = draft.hooks.as_ref().filter(|hooks| hooks.value && !is_folder(&target)) {
        let message = match &target {
            Target::Pull(_) => "nothing is pushed to this mirror, so no hook of it runs",
            Target::GitHub(_) | Target::Git(_) => {
                "this mirror is no folder of this machine, so no hook of it runs here"
            }
        };
        mistakes.add(&hooks.place, Complaint::new(message, "Remove `hooks`: it serves for mirrors at a path."));
    }
    check_token(&draft, &target, mistakes);
    // What a kind calls its own interval is said of this mirror alone, so before what the repository says.
    let rhythm = draft.rhythm.or(target.pulled().and_then(|pull| pull.interval).map(Rhythm::Every));
    match &mut target {
        Target::Git(git) => {
            git.ssh_key = draft.ssh_key.map(|key| key.value);
            git.hooks = draft.hooks.is_some_and(|hooks| hooks.value);
        }
        Target::GitHub(_) | Target::Pull(_) => {}
    }
    let mirror = MirrorConfig {
        id: draft.id?,
        target,
        enabled: draft.enabled.unwrap_or(true),
        sync,
        rhythm,
        token: draft.token.map(|token| token.value),
    };
    Some((mirror, identity))
}

fn missing_target(kind: Option<MirrorType>) -> Complaint {
    let hint = match kind {
        Some(MirrorType::GitHub) => "Write `MIRROR_<n>_REPO=owner/name` (in TOML: `repo`).",
        Some(_) => "Write `MIRROR_<n>_URL=…` (in TOML: `url`).",
        None => {
            "Write `MIRROR_<n>_TYPE=github` with `MIRROR_<n>_REPO=owner/name`, or `MIRROR_<n>_TYPE=git` with \
             `MIRROR_<n>_URL=…` (in TOML: `type`, `repo`, `url`). To add to a mirror of the TOML file, repeat its \
             target, or give it the id `mirror-<n>`."
        }
    };
    Complaint::new("nothing says where this mirror is", hint)
}

fn target(draft: &MirrorDraft, kind: MirrorType, room: &Room<'_>, mistakes: &mut Mistakes) -> Option<(Target, String)> {
    let surroundings = &room.surroundings;
    let given = match (&draft.repo, &draft.url) {
        (Some(_), Some(url)) => {
            let message = "this mirror has both a repository (`repo`) and a URL (`url`)";
            mistakes.add(&url.place, Complaint::new(message, "Keep `repo` for type `github`, `url` for type `git`."));
            return None;
        }
        (Some(given), None) | (None, Some(given)) => given,
        (None, None) => {
            if !draft.faulty {
                mistakes.add(&draft.place, missing_target(Some(kind)));
            }
            return None;
        }
    };
    let location = mistakes.take(&given.place, surroundings.locate(&given.value.text, &given.value.base))?;
    for clone in room.clones().filter(|_| given.value.from_clone && kind != MirrorType::GitHub) {
        mistakes.take(&given.place, inside::refuse(&location, clone, surroundings.home))?;
    }
    let identity = location.identity(surroundings);
    let target = match (kind, location) {
        (MirrorType::GitHub, Location::GitHub(slug)) => Target::GitHub(slug),
        (MirrorType::GitHub, other) => {
            let message = format!("`{}` is not on GitHub", other.display());
            let hint = "Write `owner/name` (with `host/` before it for GitHub Enterprise), or use type `git`. A host of \
                        your own goes into `[[host]]`.";
            mistakes.add(&given.place, Complaint::new(message, hint));
            return None;
        }
        (_, Location::GitHub(slug)) if !given.value.text.contains(':') => {
            let hint = format!(
                "Use type `github`, or write a URL such as `https://github.com/{}.git`; a folder begins with `./`.",
                slug.path()
            );
            let message = format!("`{slug}` names a repository on GitHub, not a git URL");
            mistakes.add(&given.place, Complaint::new(message, hint));
            return None;
        }
        (_, Location::Path(path)) => Target::git(path.display().to_string()),
        // A URL on GitHub, kept as plain git.
        (_, _) => Target::git(given.value.text.trim()),
    };
    Some((target, identity))
}

fn sync(draft: &MirrorDraft, kind: MirrorType, mistakes: &mut Mistakes) -> BTreeSet<Aspect> {
    let mut sync: BTreeSet<Aspect> = match kind {
        MirrorType::GitHub => Aspect::ALL.iter().copied().collect(),
        _ => BTreeSet::from([Aspect::Code]),
    };
    for (aspect, given) in &draft.sync {
        if !given.value {
            sync.remove(aspect);
        } else if kind == MirrorType::GitHub || *aspect == Aspect::Code {
            sync.insert(*aspect);
        } else {
            let message = format!("a mirror of type `{kind}` has no {aspect}; only code goes there");
            mistakes.add(&given.place, Complaint::new(message, "Turn it off, or use type `github`."));
        }
    }
    if sync.is_empty()
        && let Some(given) = draft.sync.values().next()
    {
        let message = "nothing of this mirror is kept in step";
        let hint = "Turn on at least one of code, secrets, variables and workflows, or switch the mirror off with \
                    `MIRROR_<n>_ENABLED=false` (in TOML: `enabled = false`).";
        mistakes.add(&given.place, Complaint::new(message, hint));
    }
    sync
}

fn check_token(draft: &MirrorDraft, target: &Target, mistakes: &mut Mistakes) {
    let (Some(token), Some(url)) = (&draft.token, git_url(target)) else { return };
    let lower = url.to_ascii_lowercase();
    if let Some(rest) = lower.strip_prefix("http://") {
        if !settings::is_loopback(rest.split('/').next().unwrap_or(rest)) {
            let message = "the token would go over the network in the clear";
            mistakes.add(&token.place, Complaint::new(message, "Write the mirror's URL with `https://`."));
        }
    } else if !lower.starts_with("https://") {
        mistakes.notice(
            format!("{}: a token serves only for https addresses; this one is not used", token.place),
            "Remove it, or write the mirror's URL with `https://`.",
        );
    }
}

/// The address that git gets; `None` for what is on GitHub, where it follows from the name.
fn git_url(target: &Target) -> Option<&str> {
    match target {
        Target::GitHub(_) => None,
        Target::Git(git) => Some(&git.url),
        Target::Pull(pull) => match &pull.upstream {
            Source::GitHub(_) => None,
            Source::Url(url) => Some(url),
            Source::Path(path) => path.to_str(),
        },
    }
}

fn is_folder(target: &Target) -> bool {
    target.pushed_to().is_some_and(|git| git.url.starts_with("file://") || Path::new(&git.url).is_absolute())
}

fn is_scp(url: &str) -> bool {
    !url.contains("://") && !Path::new(url).is_absolute() && url.contains(':')
}

/// Tokens in a file that everybody on this machine can read.
fn warn_of_open_file(
    room: &Room<'_>,
    source_token: &Option<secrecy::SecretString>,
    mirrors: &[MirrorConfig],
    mistakes: &mut Mistakes,
) {
    let Some(file) = room.env_file.filter(|file| file.is_open_to_others()) else { return };
    let has_tokens = (source_token.is_some() || mirrors.iter().any(|mirror| mirror.token.is_some()))
        && file
            .entries
            .iter()
            .any(|(key, entry)| key.starts_with("MIRROR_") && key.ends_with("_TOKEN") && !entry.value.is_empty());
    if has_tokens {
        mistakes.notice(
            format!("every user of this machine can read the tokens in {}", file.path.display()),
            format!(
                "Run `chmod 600 {}`, or move the tokens into the keychain with `standin token set MIRROR` (or `source`).",
                file.path.display()
            ),
        );
    }
}

/// Whether the clone's folder is `path`.
pub(super) fn is_folder_of(clone: &Clone, path: &Path) -> bool {
    let same: [PathBuf; 2] = [real_path(&clone.root), real_path(path)];
    same[0] == same[1] || Clone::at(path).is_some_and(|other| other.is_same(clone))
}
