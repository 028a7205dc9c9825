//! What the page may ask. Each command is a few lines around one call of the engine; none returns a secret.

use std::sync::Arc;

use secrecy::SecretString;
use standin_core::engine::{OpenChangeChoice, RoleOutcome, SecretPlace};
use standin_core::event::{Job, Stamped};
use standin_core::plan::Plan;
use standin_core::roles::preview::RolePlan;
use standin_core::state::model::{AskId, JobId, MirrorId, RepositoryId, RunId};
use standin_core::state::store::{AuditEntry, AuditFilter, DecisionChoice, Rescue, RunFilter, RunRecord};
use standin_core::tokens::{Place, TokenReport};
use standin_core::{Code, Result};
use tauri::State;
use tauri::ipc::Channel;
use tokio_util::sync::CancellationToken;

use crate::desktop::{Desktop, request};
use crate::resident::Resident;
use crate::wire::{Keep, Overview, RoleChoice, SyncChoice};

/// How many lines the lists of the window hold.
const LISTED: usize = 200;

type Here<'a> = State<'a, Arc<Desktop>>;

#[tauri::command]
pub async fn overview(desktop: Here<'_>, resident: State<'_, Arc<Resident>>) -> Result<Overview> {
    let overview = desktop.overview()?;
    Ok(Overview { wanted: resident.wanted(), ..overview })
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

#[tauri::command]
pub async fn history(desktop: Here<'_>, repository: RepositoryId) -> Result<Vec<RunRecord>> {
    desktop.engine()?.history(&RunFilter { repository: Some(repository), limit: LISTED, ..RunFilter::default() })
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
