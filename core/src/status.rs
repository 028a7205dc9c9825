//! What is known, without asking anyone: configuration merged with memory. A mirror never synced shows too, and
//! nothing shows as `syncing` whose process is gone.

use std::path::Path;

use jiff::Timestamp;
use standin_state::config::{MirrorConfig, RepositoryConfig, Rhythm};
use standin_state::model::{
    Action, Aspect, AspectReport, AspectStatus, MirrorId, MirrorReport, MirrorStatus, OpenChangeReport, PulledReport,
    RepositoryReport, RunStatus, Verb,
};
use standin_state::store::{JournalEntry, JournalKind, MirrorMemory, Store};
use standin_state::{files, lock};

use crate::mastership::direction::{self, Direction};
use crate::mastership::machine::Change;
use crate::mastership::{open_in, words};
use crate::mirror::copy_path;
use crate::schedule::Kept;
use crate::standing::{self, Terms};
use crate::{Code, Error, Result, fence, schedule};

/// The report of one repository. `folder` is `<state-dir>/<repository>`.
///
/// # Errors
/// [`Code::Storage`] when the memory cannot be read.
pub fn report(store: &Store, folder: &Path, repository: &RepositoryConfig, terms: &Terms) -> Result<RepositoryReport> {
    gather(store, folder, repository, terms, View::Live)
}

/// Whether runs that are going on are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    Live,
    AtRest,
}

fn gather(
    store: &Store,
    folder: &Path,
    repository: &RepositoryConfig,
    terms: &Terms,
    view: View,
) -> Result<RepositoryReport> {
    let repository = repository.home.as_deref().unwrap_or(repository);
    let direction = Direction::of(store, repository)?;
    let mut open_changes = Vec::new();
    for entry in store.open_journals(Some(&repository.id))? {
        if entry.mirror.is_source() || repository.mirror(&entry.mirror).is_some() {
            open_changes.push(from_journal(&entry));
        }
    }
    let epoch = direction.who.as_ref().map_or(0, |who| who.epoch);
    for (id, site) in repository.places() {
        // A fence that another place has, whose id this one took, says nothing of it.
        let is_other = store.target(&repository.id, &id)?.is_some_and(|known| known != site.as_str());
        if !is_other && let Some(memory) = store.fence_memory(&repository.id, &id)? {
            let open = from_fence(repository, &memory.document, &id);
            // A change of master that stands in a fence of an older epoch can go on no more.
            open_changes.extend(open.filter(|open| open.kind != fence::ROLE_CHANGE || memory.epoch >= epoch));
        }
    }
    // Of several, the change of master is what a person must know first.
    let open_change =
        open_changes.iter().find(|open| open.kind == fence::ROLE_CHANGE).or_else(|| open_changes.first()).cloned();
    let kept = match folder.parent() {
        Some(state_dir) => schedule::kept(store, state_dir, terms.now)?,
        None => None,
    };
    let known = Known { store, folder, repository, direction: &direction, terms, kept, view };
    let mut mirrors = Vec::with_capacity(repository.mirrors.len() + 1);
    for mirror in &repository.mirrors {
        // A copy of the source is one of whoever is master.
        let mirror = direction.config.mirror(&mirror.id).unwrap_or(mirror);
        mirrors.push(mirror_report(&known, mirror)?);
    }
    // With another master, the configured source is one of those that are kept in step.
    if let Some(source) = direction.config.mirror(&MirrorId::source()) {
        mirrors.push(mirror_report(&known, source)?);
    }
    let seen = store.seen_tip(&repository.id)?;
    for mirror in &mut mirrors {
        // How many commits came since, nobody counted.
        if seen.as_ref().is_some_and(|seen| seen.overtakes(&mirror.code)) {
            mirror.code.behind = None;
        }
    }
    let mut report = RepositoryReport {
        repository: repository.id.clone(),
        enabled: repository.enabled,
        standing: standing::not_judged(),
        consent: repository.consent.question().cloned(),
        error: [&repository.mistakes, &repository.newer_mistakes]
            .into_iter()
            .find(|mistakes| !mistakes.is_empty())
            .map(|mistakes| Error::from(mistakes.clone())),
        self_role: direction.role_of_source(),
        master: direction.config.source.display(),
        epoch: direction.who.as_ref().map(|who| who.epoch),
        last_full_sync_iso: store.last_full_sync(&repository.id)?,
        seen,
        open_change,
        master_health: store.master_health(&repository.id)?.filter(|kept| kept.place == direction.watched_place()),
        notify: Vec::new(),
        mirrors,
    };
    standing::judge(&mut report, terms);
    Ok(report)
}

fn from_journal(entry: &JournalEntry) -> OpenChangeReport {
    match entry.kind {
        JournalKind::ActionsOff => OpenChangeReport {
            kind: "actions_off".to_owned(),
            mirror: entry.mirror.clone(),
            writer: "this machine".to_owned(),
            since_iso: entry.opened_at,
            detail: actions_off_detail(&entry.mirror),
            action: Some(Action::new(Verb::Sync, Some(&entry.mirror))),
        },
        JournalKind::RoleChange => {
            let change: Option<Change> = serde_json::from_value(entry.payload.clone()).ok();
            OpenChangeReport {
                kind: fence::ROLE_CHANGE.to_owned(),
                mirror: entry.mirror.clone(),
                writer: "this machine".to_owned(),
                since_iso: entry.opened_at,
                detail: change.as_ref().map_or_else(String::new, |change| words::open(change, &entry.mirror)),
                action: change.as_ref().map(|change| words::resume(change, &entry.mirror)),
            }
        }
    }
}

fn from_fence(home: &RepositoryConfig, document: &str, place: &MirrorId) -> Option<OpenChangeReport> {
    let document = fence::Summary::summary(document.as_bytes()).ok()?;
    let (mirror, detail, action) = match open_in(&document) {
        Some((change, _)) => {
            let standby = direction::standby_of(home, &change).unwrap_or(place);
            (standby, words::open(&change, standby), words::resume(&change, standby))
        }
        None => (place, actions_off_detail(place), Action::new(Verb::Sync, Some(place))),
    };
    let change = document.open_change?;
    Some(OpenChangeReport {
        detail,
        action: Some(action),
        kind: change.kind,
        mirror: mirror.clone(),
        writer: change.writer,
        since_iso: change.since_iso,
    })
}

fn actions_off_detail(mirror: &MirrorId) -> String {
    format!(
        "Actions are switched off on {mirror} around a push. The next sync or `standin health` of it holds its workflows and restores the settings."
    )
}

/// What the reports of one repository's mirrors are made from.
struct Known<'a> {
    store: &'a Store,
    folder: &'a Path,
    repository: &'a RepositoryConfig,
    direction: &'a Direction,
    terms: &'a Terms,
    kept: Option<Kept>,
    view: View,
}

fn mirror_report(known: &Known<'_>, mirror: &MirrorConfig) -> Result<MirrorReport> {
    let Known { store, folder, repository, direction, terms, kept, view } = *known;
    let mut memory = store.mirror_memory(&repository.id, &mirror.id, &mirror.target.display())?;
    let held = lock::is_held(folder, &mirror.id)?.is_some();
    let goes_on = held && memory.last_run.as_ref().is_some_and(|run| run.status == RunStatus::Running);
    if view == View::AtRest && goes_on {
        memory.last_run = memory.last_ended.take();
    }
    let held = held && view == View::Live;
    // What is master is kept in step with nobody: what it was before says nothing any more.
    let is_master = direction.master() == Some(&mirror.id);
    let aspect = |aspect: Aspect| {
        if mirror.sync.contains(&aspect) && !is_master {
            memory.aspects.get(&aspect).cloned().unwrap_or_else(|| AspectReport::new(AspectStatus::Unknown))
        } else {
            AspectReport::new(AspectStatus::Skipped)
        }
    };
    let status = if is_master { MirrorStatus::Idle } else { status(mirror, &memory, held) };
    let error = if is_master { None } else { error(&memory, held) };
    let code = aspect(Aspect::Code);
    Ok(MirrorReport {
        id: mirror.id.clone(),
        pulled: pulled(folder, mirror, status, &code, error.as_ref()),
        repo: mirror.target.display(),
        kind: mirror.kind(),
        role: if mirror.id.is_source() { Some(direction.role_of_source()) } else { direction.role_of(&mirror.id) },
        enabled: mirror.enabled,
        standing: standing::not_judged(),
        status,
        code,
        secrets: aspect(Aspect::Secrets),
        variables: aspect(Aspect::Variables),
        workflows: aspect(Aspect::Workflows),
        health: memory.health,
        health_detail: memory.health_detail.clone(),
        last_health_check_iso: memory.last_health_check,
        sentinel: match mirror.slug() {
            Some(_) => store.sentinel_status(&repository.id, &mirror.id)?,
            None => None,
        },
        next_sync_iso: match kept {
            Some(kept) if !is_master && repository.is_open() => {
                kept.next(store, &terms.schedule, repository, mirror, terms.now)?
            }
            Some(_) | None => None,
        },
        longest_gap_seconds: longest_gap(mirror, terms.now),
        error,
    })
}

/// How long lies between two syncs of a mirror that has times of its own.
fn longest_gap(mirror: &MirrorConfig, now: Timestamp) -> Option<u64> {
    match mirror.rhythm.as_ref()? {
        Rhythm::Every(interval) => Some(interval.as_secs()),
        Rhythm::At(cron) => {
            let first = cron.after(now)?;
            u64::try_from(cron.after(first)?.duration_since(first).as_secs()).ok()
        }
        // Whoever syncs it by hand is told as everybody is that nobody has looked.
        Rhythm::Off => None,
    }
}

/// What only a mirror that pulls has.
fn pulled(
    folder: &Path,
    mirror: &MirrorConfig,
    status: MirrorStatus,
    code: &AspectReport,
    error: Option<&Error>,
) -> PulledReport {
    let Some(pull) = mirror.target.pulled() else { return PulledReport::default() };
    PulledReport {
        is_mirror: true,
        mirror_url: Some(pull.upstream.display()),
        path: Some(copy_path(folder, &mirror.id, pull).display().to_string()),
        last_synced_at: code.last_sync_iso,
        sync_status: Some(status),
        sync_error: error.map(|error| error.message.clone()).or_else(|| code.error.clone()),
        sync_interval_seconds: pull.interval.map(|interval| interval.as_secs()),
    }
}

fn status(mirror: &MirrorConfig, memory: &MirrorMemory, held: bool) -> MirrorStatus {
    let Some(run) = &memory.last_run else {
        return if held { MirrorStatus::Syncing } else { MirrorStatus::Idle };
    };
    if held && run.status == RunStatus::Running {
        return MirrorStatus::Syncing;
    }
    let any =
        |status| memory.aspects.iter().any(|(aspect, report)| mirror.sync.contains(aspect) && report.status == status);
    match run.status {
        // Its process is gone: the lock is free.
        RunStatus::Running => MirrorStatus::Failed,
        RunStatus::Success if any(AspectStatus::Failed) => MirrorStatus::Failed,
        RunStatus::Success if any(AspectStatus::Blocked) => MirrorStatus::Blocked,
        status => status.of_mirror(),
    }
}

fn error(memory: &MirrorMemory, held: bool) -> Option<Error> {
    let run = memory.last_run.as_ref()?;
    match run.status {
        RunStatus::Running if held => None,
        RunStatus::Running => Some(interrupted()),
        _ => run.error.clone(),
    }
}

/// The error of a run whose process ended without a word.
pub fn interrupted() -> Error {
    Error::new(
        Code::Interrupted,
        "the last run was interrupted before it was through",
        "Sync again: what was done is kept, and the rest is finished.",
    )
}

/// Writes `mirror_status.json`: the report at rest. A file cannot take back what it says, so a run that is going on
/// shows in it as what was before.
pub(crate) fn write(store: &Store, folder: &Path, repository: &RepositoryConfig, terms: &Terms) -> Result<()> {
    // One writer at a time, so that an older report never replaces a newer one.
    let _alone = lock::exclusive(folder, "status")?;
    files::write_mirror_status(folder, &gather(store, folder, repository, terms, View::AtRest)?)
}
