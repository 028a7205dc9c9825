//! What the page may ask. Each command is a few lines around one call of the engine; none returns a secret.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use standin_core::activity::Activity;
use standin_core::drill::{DrillReport, Readiness};
use standin_core::engine::{
    MirrorTest, OpenChangeChoice, Removed, RoleOutcome, SecretPlace, SetUp, SetUpRequest, Settings,
};
use standin_core::event::{Job, Stamped};
use standin_core::git::CommitList;
use standin_core::git::ssh::HostKey;
use standin_core::leaving::{Leaving, LeftKind};
use standin_core::notify::Word;
use standin_core::plan::Plan;
use standin_core::roles::preview::RolePlan;
use standin_core::sentinel::check::SentinelReport;
use standin_core::sentinel::{Installed, SecretsSet, Tokens, install};
use standin_core::setup::{Draft, FoundSource, MirrorLook, MirrorRequest, SourceLook};
use standin_core::state::config::edit::{Change, SettingKey};
use standin_core::state::config::secret_name;
use standin_core::state::model::{AskId, JobId, MirrorId, NotifyName, Oid, RepositoryId, RunId, SchedulePause};
use standin_core::state::store::{AuditEntry, AuditFilter, DecisionChoice, Rescue, RunFilter, RunRecord};
use standin_core::tokens::{Place, TokenReport};
use standin_core::update::{Offer, Updates};
use standin_core::{Code, Error, Result};
use tauri::ipc::Channel;
use tauri::{AppHandle, State};
use tokio_util::sync::CancellationToken;

use crate::autostart::{self, Autostart, AutostartWish};
use crate::desktop::{Desktop, request};
use crate::dialogs;
use crate::notifications::Shower;
use crate::resident::Resident;
use crate::updates::Newer;
use crate::wire::{ExportFormat, HistoryChoice, Keep, Overview, RoleChoice, SyncChoice, TypedPlace};

/// How many lines the lists of the window hold.
const LISTED: usize = 200;
/// So many changes of each run are named in a list.
const NAMED: usize = 20;

type Here<'a> = State<'a, Arc<Desktop>>;

#[tauri::command]
pub async fn overview(
    desktop: Here<'_>,
    resident: State<'_, Arc<Resident>>,
    newer: State<'_, Arc<Newer>>,
) -> Result<Overview> {
    let overview = desktop.overview()?;
    Ok(Overview { wanted: resident.wanted(), newer: newer.news(), ..overview })
}

#[tauri::command]
pub async fn reload(desktop: Here<'_>) -> Result<Overview> {
    desktop.reload();
    desktop.overview()
}

#[tauri::command]
pub async fn consent_allow(desktop: Here<'_>, repository: RepositoryId, hash: String) -> Result<()> {
    desktop.engine()?.allow(Some(&repository), &hash).map(drop)
}

#[tauri::command]
pub async fn consent_deny(desktop: Here<'_>, repository: RepositoryId) -> Result<()> {
    desktop.engine()?.deny(Some(&repository)).map(drop)
}

#[tauri::command]
pub async fn plan(desktop: Here<'_>, choice: SyncChoice) -> Result<Vec<Plan>> {
    let plans = desktop.engine()?.plan(&request(choice)).await?;
    plans.into_iter().map(|(_, plan)| plan).collect()
}

#[tauri::command]
pub async fn sync(desktop: Here<'_>, choice: SyncChoice) -> Result<Job> {
    desktop.engine()?.sync(request(choice)).map(|started| started.job)
}

#[tauri::command]
pub async fn cancel(desktop: Here<'_>, job: JobId) -> Result<bool> {
    Ok(desktop.engine()?.cancel(&job))
}

#[tauri::command]
pub async fn health(desktop: Here<'_>, repository: RepositoryId) -> Result<()> {
    // What was found is kept, and shows in the overview.
    desktop.engine()?.health(Some(&repository), None).await.map(drop)
}

#[tauri::command]
pub async fn resolve(
    desktop: Here<'_>,
    repository: RepositoryId,
    mirror: MirrorId,
    ask: AskId,
    choice: DecisionChoice,
) -> Result<String> {
    let resolved = desktop.engine()?.resolve(Some(&repository), &mirror, &ask, choice).await?;
    Ok(resolved.detail)
}

/// As far as they are on this machine, or on the mirror that is named.
#[tauri::command]
pub async fn commits(
    desktop: Here<'_>,
    repository: RepositoryId,
    mirror: Option<MirrorId>,
    tip: Oid,
    without: Option<Oid>,
) -> Result<CommitList> {
    desktop.engine()?.commits(Some(&repository), mirror.as_ref(), &tip, without.as_ref()).await
}

#[tauri::command]
pub async fn history(desktop: Here<'_>, choice: HistoryChoice) -> Result<Vec<RunRecord>> {
    desktop.engine()?.history(&RunFilter { changes: NAMED, limit: LISTED, ..choice.into() })
}

#[tauri::command]
pub async fn history_export(
    app: AppHandle,
    desktop: Here<'_>,
    choice: HistoryChoice,
    format: ExportFormat,
) -> Result<Option<String>> {
    let runs = desktop.engine()?.history(&RunFilter { changes: usize::MAX, ..choice.into() })?;
    let text = match format {
        ExportFormat::Csv => standin_core::activity::csv(&runs),
        ExportFormat::Json => {
            serde_json::to_string_pretty(&runs).map_err(|error| Error::new(Code::Internal, error.to_string(), ""))?
        }
    };
    let name = match format {
        ExportFormat::Csv => "standin-history.csv",
        ExportFormat::Json => "standin-history.json",
    };
    let Some(file) = dialogs::save_as(&app, "Save the history", name).await else { return Ok(None) };
    dialogs::write(&file, &text).map(|()| Some(file.display().to_string()))
}

#[tauri::command]
pub async fn activity(desktop: Here<'_>, repository: RepositoryId, days: u32) -> Result<Activity> {
    desktop.engine()?.activity(Some(&repository), days.clamp(1, 366))
}

#[tauri::command]
pub async fn settings(desktop: Here<'_>) -> Result<Settings> {
    desktop.engine()?.settings()
}

#[tauri::command]
pub async fn settings_set(desktop: Here<'_>, changes: Vec<Change<SettingKey>>) -> Result<Settings> {
    let engine = desktop.engine()?;
    let set = engine.set_settings(&changes);
    desktop.reload();
    set
}

#[tauri::command]
pub async fn updates(newer: State<'_, Arc<Newer>>) -> Result<Updates> {
    newer.told().await
}

#[tauri::command]
pub async fn update_look(newer: State<'_, Arc<Newer>>) -> Result<Option<Offer>> {
    newer.look().await
}

#[tauri::command]
pub async fn update_take(newer: State<'_, Arc<Newer>>, version: String) -> Result<String> {
    newer.take(&version).await
}

/// Sends a test to a place of `[[notify]]`, or shows one on this desktop.
#[tauri::command]
pub async fn notify_test(desktop: Here<'_>, shower: State<'_, Arc<Shower>>, name: Option<NotifyName>) -> Result<()> {
    let engine = desktop.engine()?;
    let Some(name) = name else {
        return shower.try_show(&Word::test("this desktop", engine.now())).await;
    };
    let sent = engine.notify_test(Some(&name)).await?;
    sent.into_iter().find_map(|delivery| delivery.error).map_or(Ok(()), Err)
}

#[tauri::command]
pub async fn autostart(desktop: Here<'_>) -> Result<Autostart> {
    autostart::look(desktop.environment())
}

#[tauri::command]
pub async fn autostart_set(desktop: Here<'_>, wish: AutostartWish) -> Result<Autostart> {
    autostart::set(desktop.environment(), wish)?;
    autostart::look(desktop.environment())
}

#[tauri::command]
pub async fn schedule_pause(desktop: Here<'_>, minutes: Option<u32>) -> Result<SchedulePause> {
    let length = minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    desktop.engine()?.schedule_pause(length)
}

#[tauri::command]
pub async fn schedule_resume(desktop: Here<'_>) -> Result<bool> {
    desktop.engine()?.schedule_resume()
}

/// Whether the window is to be closed, with which the schedule ends.
#[tauri::command]
pub async fn close_answer(resident: State<'_, Arc<Resident>>, yes: bool) -> Result<()> {
    resident.close_answered(yes);
    Ok(())
}

#[tauri::command]
pub async fn found_sources(desktop: Here<'_>) -> Result<Vec<FoundSource>> {
    Ok(desktop.engine()?.found_sources())
}

#[tauri::command]
pub async fn choose_source(app: AppHandle, desktop: Here<'_>) -> Result<Option<FoundSource>> {
    let engine = desktop.engine()?;
    let Some(folder) = dialogs::choose_folder(&app, "Choose a clone").await else { return Ok(None) };
    engine.found_source(&folder).map(Some).ok_or_else(|| {
        let message = format!("{} is no git repository, and in none", folder.display());
        Error::new(Code::Usage, message, "Choose the folder of a clone, or name the source as `owner/name`.")
    })
}

#[tauri::command]
pub async fn setup_token(desktop: Here<'_>, place: TypedPlace, token: Option<String>) -> Result<()> {
    desktop.typed.set_token(place, token.map(SecretString::from));
    Ok(())
}

#[tauri::command]
pub async fn setup_value(desktop: Here<'_>, name: String, value: Option<String>) -> Result<Vec<String>> {
    Ok(desktop.typed.set_value(secret_name(&name)?, value.map(SecretString::from)))
}

#[tauri::command]
pub async fn setup_forget(desktop: Here<'_>) -> Result<()> {
    desktop.typed.forget();
    Ok(())
}

#[tauri::command]
pub async fn setup_source(desktop: Here<'_>, request: MirrorRequest) -> Result<SourceLook> {
    let (engine, tokens) = (desktop.engine()?, desktop.typed.tokens());
    desktop.typed.unless_left(engine.setup_source(&request, &tokens)).await
}

#[tauri::command]
pub async fn setup_mirror(desktop: Here<'_>, request: MirrorRequest) -> Result<MirrorLook> {
    let (engine, tokens) = (desktop.engine()?, desktop.typed.tokens());
    desktop.typed.unless_left(engine.setup_mirror(&request, &tokens)).await
}

#[tauri::command]
pub async fn set_up(desktop: Here<'_>, draft: Draft, create: bool, keep: Keep) -> Result<SetUp> {
    let (tokens, values) = (desktop.typed.tokens(), desktop.typed.values());
    let request =
        SetUpRequest { draft: &draft, create, tokens: &tokens, values: &values, keep: keep.place(&desktop.session) };
    let done = desktop.engine()?.set_up(request).await;
    desktop.reload();
    if done.as_ref().is_ok_and(|done| done.troubles.is_empty()) {
        desktop.typed.forget();
    }
    done
}

#[tauri::command]
pub async fn setup_keep(desktop: Here<'_>, draft: Draft, keep: Keep) -> Result<Vec<Error>> {
    let (tokens, values) = (desktop.typed.tokens(), desktop.typed.values());
    let request = SetUpRequest {
        draft: &draft,
        create: false,
        tokens: &tokens,
        values: &values,
        keep: keep.place(&desktop.session),
    };
    let troubles = desktop.engine()?.keep_typed(&request).await;
    if troubles.is_empty() {
        desktop.typed.forget();
    }
    Ok(troubles)
}

#[tauri::command]
pub async fn mirror_draft(desktop: Here<'_>, request: MirrorRequest) -> Result<Draft> {
    desktop.engine()?.mirror_draft(&request)
}

#[tauri::command]
pub async fn mirror_write(desktop: Here<'_>, draft: Draft) -> Result<()> {
    let written = desktop.engine()?.mirror_write(&draft);
    desktop.reload();
    written
}

#[tauri::command]
pub async fn mirror_test(desktop: Here<'_>, repository: RepositoryId, mirror: MirrorId) -> Result<MirrorTest> {
    desktop.engine()?.mirror_test(Some(&repository), &mirror).await
}

#[tauri::command]
pub async fn host_key_accept(desktop: Here<'_>, key: HostKey) -> Result<()> {
    desktop.engine()?.trust_host_key(&key)
}

#[tauri::command]
pub async fn mirror_leaving(desktop: Here<'_>, repository: RepositoryId, mirror: MirrorId) -> Result<Leaving> {
    desktop.engine()?.mirror_leaving(Some(&repository), &mirror).await
}

#[tauri::command]
pub async fn mirror_remove(desktop: Here<'_>, draft: Draft, clean: BTreeSet<LeftKind>) -> Result<Removed> {
    let removed = desktop.engine()?.mirror_remove(&draft, &clean).await;
    desktop.reload();
    removed
}

/// The drills that were played, newest first.
#[tauri::command]
pub async fn drills(desktop: Here<'_>, repository: RepositoryId) -> Result<Vec<DrillReport>> {
    desktop.engine()?.drills(Some(&repository))
}

#[tauri::command]
pub async fn drill_check(desktop: Here<'_>, repository: RepositoryId) -> Result<Readiness> {
    desktop.engine()?.drill_check(Some(&repository)).await
}

#[tauri::command]
pub async fn drill(desktop: Here<'_>, repository: RepositoryId, mirror: Option<MirrorId>) -> Result<DrillReport> {
    desktop.rehearsal.play(&desktop, &repository, mirror.as_ref()).await
}

#[tauri::command]
pub async fn drill_stop(desktop: Here<'_>) -> Result<bool> {
    Ok(desktop.rehearsal.stop())
}

#[tauri::command]
pub async fn sentinel_check(desktop: Here<'_>, repository: RepositoryId) -> Result<SentinelReport> {
    desktop.engine()?.sentinel_check(Some(&repository)).await
}

/// Commits the sentinel to the master, or asks for it by a pull request.
#[tauri::command]
pub async fn sentinel_install(
    desktop: Here<'_>,
    repository: RepositoryId,
    pull_request: bool,
    replace: bool,
) -> Result<Installed> {
    let request = install::Request { pull_request, replace };
    desktop.engine()?.sentinel_install(Some(&repository), request).await
}

/// Makes the sentinel's tokens secrets of a standby; one that is not given stays as it is.
#[tauri::command]
pub async fn sentinel_tokens(
    desktop: Here<'_>,
    repository: RepositoryId,
    mirror: MirrorId,
    standin: Option<String>,
    master: Option<String>,
) -> Result<SecretsSet> {
    let tokens = Tokens { standin: standin.map(SecretString::from), master: master.map(SecretString::from) };
    desktop.engine()?.sentinel_set_tokens(Some(&repository), Some(&mirror), &tokens).await
}

#[tauri::command]
pub async fn run(desktop: Here<'_>, id: RunId) -> Result<Option<RunRecord>> {
    match desktop.engine()?.run(&id) {
        Err(error) if error.code == Code::NotFound => Ok(None),
        found => found.map(Some),
    }
}

#[tauri::command]
pub async fn audit(desktop: Here<'_>, repository: RepositoryId) -> Result<Vec<AuditEntry>> {
    desktop.engine()?.audit(&AuditFilter { repository: Some(repository), limit: LISTED, ..AuditFilter::default() })
}

#[tauri::command]
pub async fn rescues(desktop: Here<'_>, repository: RepositoryId) -> Result<Vec<Rescue>> {
    desktop.engine()?.rescues(Some(&repository), None)
}

#[tauri::command]
pub async fn rescue_drop(desktop: Here<'_>, id: String) -> Result<Rescue> {
    // The page has asked, and says what it would mean.
    desktop.engine()?.rescue_drop(&id, true).await
}

#[tauri::command]
pub async fn rescue_restore(desktop: Here<'_>, id: String) -> Result<String> {
    let restored = desktop.engine()?.rescue_restore(&id, None, None).await?;
    Ok(format!("{} points to {} again.", restored.name.short(), restored.oid.short()))
}

#[tauri::command]
pub async fn token_check(
    desktop: Here<'_>,
    repository: RepositoryId,
    mirror: Option<MirrorId>,
) -> Result<Option<TokenReport>> {
    desktop.engine()?.token_check(Some(&repository), &place(mirror)).await
}

#[tauri::command]
pub async fn token_set(
    desktop: Here<'_>,
    repository: RepositoryId,
    mirror: Option<MirrorId>,
    token: String,
    keep: Keep,
) -> Result<()> {
    let token = SecretString::from(token);
    let engine = desktop.engine()?;
    match keep {
        Keep::Keychain => engine.token_set(Some(&repository), &place(mirror), &token).await,
        Keep::Session => engine.token_keep(&desktop.session, Some(&repository), &place(mirror), &token),
    }
}

#[tauri::command]
pub async fn token_remove(desktop: Here<'_>, repository: RepositoryId, mirror: Option<MirrorId>) -> Result<bool> {
    desktop.engine()?.token_remove(Some(&repository), &place(mirror)).await
}

#[tauri::command]
pub async fn role_plan(desktop: Here<'_>, choice: RoleChoice) -> Result<RolePlan> {
    desktop.engine()?.role_plan(&choice.into()).await
}

#[tauri::command]
pub async fn role_change(desktop: Here<'_>, choice: RoleChoice) -> Result<RoleOutcome> {
    desktop.engine()?.change_role(&choice.into(), CancellationToken::new()).await
}

#[tauri::command]
pub async fn role_end(
    desktop: Here<'_>,
    repository: RepositoryId,
    mirror: MirrorId,
    choice: OpenChangeChoice,
) -> Result<RoleOutcome> {
    desktop.engine()?.end_change(Some(&repository), &mirror, choice, CancellationToken::new()).await
}

#[tauri::command]
pub async fn secrets(desktop: Here<'_>, repository: RepositoryId) -> Result<Vec<SecretPlace>> {
    desktop.engine()?.secrets(Some(&repository))
}

#[tauri::command]
pub async fn secret_set(
    desktop: Here<'_>,
    repository: RepositoryId,
    name: String,
    value: String,
) -> Result<SecretPlace> {
    desktop.engine()?.secret_set(Some(&repository), &name, &SecretString::from(value)).await
}

#[tauri::command]
pub async fn secret_remove(desktop: Here<'_>, repository: RepositoryId, name: String) -> Result<bool> {
    desktop.engine()?.secret_remove(Some(&repository), &name).await
}

#[tauri::command]
pub async fn subscribe(desktop: Here<'_>, channel: Channel<Vec<Stamped>>) -> Result<()> {
    desktop.feed.subscribe(channel);
    Ok(())
}

fn place(mirror: Option<MirrorId>) -> Place {
    mirror.map_or(Place::Source, Place::Mirror)
}
