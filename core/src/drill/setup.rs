//! What a rehearsal needs of the user's configuration: gathered from what is known here, without a request.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use standin_state::config::{Heartbeat, MirrorConfig, RepositoryConfig, SentinelSettings, Source, Target, is_pattern};
use standin_state::model::{Aspect, Health, MirrorId, RefName, RepositoryId, Slug};
use standin_state::store::Store;

use super::DrillFinding;
use crate::git::{Cache, foreign};
use crate::{Code, Error, Result, observer};

/// A standby is called stale after so many hours without a sync.
const STALE_HOURS: i64 = 24;

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The repository.
    pub repository: RepositoryId,
    /// The master.
    pub master: Slug,
    /// The standby that is to take over.
    pub standby: MirrorId,
    /// The mirrors that are switched on.
    pub mirrors: Vec<SetupMirror>,
    /// The code.
    pub code: CodeFrom,
    /// The branch that the host shows first, as far as it is known.
    pub default_branch: String,
    /// Names of secrets that have a value here.
    pub secrets: BTreeSet<String>,
    /// Names of variables.
    pub variables: BTreeSet<String>,
    /// Workflow files that a `SLAVE` may keep running.
    pub keep_active: BTreeSet<String>,
    /// How the master shows that it is alive.
    pub heartbeat: Option<Heartbeat>,
    /// How the sentinel watches.
    pub sentinel: SentinelSettings,
    /// The workflow states at the master when they were last read.
    pub workflows: BTreeMap<String, String>,
    /// Names of secrets that have none.
    pub valueless: BTreeSet<String>,
    /// What else would be missing on the day, as far as it is known without asking.
    pub missing: Vec<DrillFinding>,
}

impl Setup {
    /// Says that these secrets have values after all.
    pub(crate) fn has_values(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            self.valueless.retain(|known| !known.eq_ignore_ascii_case(&name));
            self.secrets.insert(name);
        }
    }

    /// All that would be missing on the day, as far as it is known without asking.
    pub fn all_missing(&self) -> Vec<DrillFinding> {
        let valueless = self.valueless.iter().map(|name| {
            DrillFinding::failed(
                None,
                format!("the secret {name} has no value here, so that no standby gets it"),
                format!("Put it into `.env`, or keep it with `standin secret set {name}`."),
            )
        });
        valueless.chain(self.missing.iter().cloned()).collect()
    }
}

/// A mirror of the rehearsal.
#[derive(Clone, Debug)]
pub struct SetupMirror {
    /// Its id.
    pub id: MirrorId,
    /// Its repository, for one on GitHub.
    pub slug: Option<Slug>,
    /// What is kept in step.
    pub sync: BTreeSet<Aspect>,
}

/// Where the code is on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeFrom {
    /// The app's own cache: branches and tags as the master had them.
    Cache(PathBuf),
    /// The user's clone: what it knows of its origin, and its own branches.
    Clone(PathBuf),
}

impl CodeFrom {
    /// The folder.
    pub fn path(&self) -> &Path {
        match self {
            Self::Cache(path) | Self::Clone(path) => path,
        }
    }
}

/// Gathers it. `folder` is `<state-dir>/<repository>`.
///
/// # Errors
/// [`Code::Usage`] where there is nothing to rehearse; [`Code::NotFound`] where no code is here; [`Code::Storage`].
pub(crate) fn gather(
    store: &Store,
    folder: &Path,
    home: &RepositoryConfig,
    wanted: Option<&MirrorId>,
    now: Timestamp,
) -> Result<Setup> {
    let Source::GitHub(master) = &home.source else {
        return Err(Error::new(
            Code::Usage,
            format!("the source of {} ({}) is not on GitHub, so it has no fail-over", home.id, home.source.display()),
            "Name its repository on GitHub as source: `MIRROR_SOURCE=owner/name` or `source = \"owner/name\"`.",
        ));
    };
    let standby = standby(home, wanted)?;
    let (code, default_branch) = code(store, folder, home, standby)?;
    let patterns = home.variables.patterns.iter().filter(|name| !is_pattern(name));
    Ok(Setup {
        repository: home.id.clone(),
        master: master.clone(),
        mirrors: home.mirrors.iter().filter(|mirror| mirror.enabled && has_code(mirror)).map(mirror_of).collect(),
        code,
        default_branch,
        secrets: home.secrets.values.keys().cloned().collect(),
        variables: home.variables.values.keys().chain(patterns).cloned().collect(),
        keep_active: home.keep_active.clone(),
        heartbeat: home.heartbeat.clone(),
        sentinel: home.sentinel.clone(),
        workflows: store.source_workflows(&home.id)?,
        valueless: home.secrets.missing.clone(),
        missing: missing(store, home, standby, now)?,
        standby: standby.id.clone(),
    })
}

fn has_code(mirror: &MirrorConfig) -> bool {
    match mirror.target {
        Target::GitHub(_) | Target::Git(_) => true,
        Target::Pull(_) => false,
    }
}

fn mirror_of(mirror: &MirrorConfig) -> SetupMirror {
    SetupMirror { id: mirror.id.clone(), slug: mirror.slug().cloned(), sync: mirror.sync.clone() }
}

/// The standby that is to take over: the one named, else the first.
fn standby<'a>(home: &'a RepositoryConfig, wanted: Option<&MirrorId>) -> Result<&'a MirrorConfig> {
    let mut standbys = observer::standbys(home);
    let found = match wanted {
        Some(id) => standbys.find(|mirror| mirror.id == *id),
        None => standbys.next(),
    };
    found.ok_or_else(|| match wanted {
        Some(id) => Error::new(
            Code::NotFound,
            format!("{} has no standby {id} on GitHub that is switched on", home.id),
            "`standin mirror list` lists the mirrors.",
        ),
        None => Error::new(
            Code::Usage,
            format!("{} has no standby on GitHub, so nothing could take over", home.id),
            "Add a mirror of type `github`.",
        ),
    })
}

/// The cache where it has been filled, else the clone.
fn code(store: &Store, folder: &Path, home: &RepositoryConfig, standby: &MirrorConfig) -> Result<(CodeFrom, String)> {
    let path = folder.join("cache.git");
    if path.is_dir() {
        let cache = Cache::open(&path)?;
        let heads = cache.refs("refs/heads/")?;
        if !heads.is_empty() {
            let memory = store.mirror_memory(&home.id, &standby.id, &standby.target.display())?;
            let tip = memory.aspects.get(&Aspect::Code).and_then(|report| report.last_commit.clone());
            let at_tip: Vec<&RefName> =
                heads.iter().filter(|(_, oid)| Some(oid.as_str()) == tip.as_deref()).map(|(name, _)| name).collect();
            let names: Vec<&RefName> = heads.keys().collect();
            return Ok((CodeFrom::Cache(path), first_of(&at_tip).or_else(|| first_of(&names)).unwrap_or_default()));
        }
    }
    let nothing = || {
        Error::new(
            Code::NotFound,
            format!("the code of {} is not on this machine yet", home.id),
            "Run `standin sync` once, or start the drill inside a clone.",
        )
    };
    let clone = home.clone.as_ref().ok_or_else(nothing)?;
    let repository = foreign::open(clone)?.ok_or_else(nothing)?;
    if repository.is_shallow() {
        return Err(Error::new(
            Code::Usage,
            format!("{} is a shallow clone, and nothing else of the code is here", clone.display()),
            "Run `standin sync` once.",
        ));
    }
    let of_origin = repository.find_reference("refs/remotes/origin/HEAD").ok();
    let target = of_origin.as_ref().and_then(|head| head.symbolic_target().ok().flatten().map(str::to_owned));
    let own = repository.head().ok().and_then(|head| head.shorthand().ok().map(str::to_owned));
    let branch = target.and_then(|name| name.strip_prefix("refs/remotes/origin/").map(str::to_owned)).or(own);
    Ok((CodeFrom::Clone(clone.clone()), branch.ok_or_else(nothing)?))
}

/// `main`, `master`, else the first, without `refs/heads/`.
fn first_of(names: &[&RefName]) -> Option<String> {
    let named = |wanted: &str| names.iter().find(|name| name.short() == wanted);
    named("main").or_else(|| named("master")).or_else(|| names.first()).map(|name| name.short().to_owned())
}

/// What would be missing, as far as it is known here.
fn missing(
    store: &Store,
    home: &RepositoryConfig,
    standby: &MirrorConfig,
    now: Timestamp,
) -> Result<Vec<DrillFinding>> {
    let mut missing = Vec::new();
    let memory = store.mirror_memory(&home.id, &standby.id, &standby.target.display())?;
    let standby = &standby.id;
    let code = memory.aspects.get(&Aspect::Code);
    let sync = format!("`standin sync --mirror {standby}` brings it in step.");
    match code.and_then(|report| report.last_sync_iso) {
        None => missing.push(DrillFinding::failed(Some(standby), "it was never synced: nothing is there", sync)),
        Some(synced) => {
            let hours = (now.as_second() - synced.as_second()) / 3600;
            if hours >= STALE_HOURS {
                let what = format!("it was last synced {hours} hours ago, so that it lacks what was done since");
                missing.push(DrillFinding::failed(Some(standby), what, sync));
            }
        }
    }
    for (aspect, report) in &memory.aspects {
        if let Some(error) = &report.error {
            let hint = report.advice();
            missing.push(DrillFinding::failed(Some(standby), format!("its {} failed: {error}", aspect.as_str()), hint));
        }
    }
    match store.sentinel_status(&home.id, standby)? {
        None => missing.push(DrillFinding::warning(
            Some(standby),
            "nobody has looked yet whether a sentinel watches from there",
            "`standin health` looks; `standin sentinel install` installs it.",
        )),
        Some(sentinel) if sentinel.health != Health::Ok => missing.push(DrillFinding {
            place: Some(standby.clone()),
            severity: Health::Failed,
            message: sentinel.detail.unwrap_or_else(|| "its sentinel does not watch".to_owned()),
            hint: sentinel.hint.unwrap_or_default(),
        }),
        Some(_) => {}
    }
    Ok(missing)
}
