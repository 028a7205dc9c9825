//! Actions off around a push that brings workflow files, and on again once these are held.
//!
//! A file that comes with a push may run at once, before it can be held. So Actions are switched off for the repository
//! first, with the settings read whole, journaled and put into the fence as an open change *before* it happens; after
//! the push the files are held and the settings restored whole. Whoever finds the change open (a later start, a
//! health check, another machine with nothing but the fence) ends it by [`mend`].
//!
//! GitHub may list a new file late, or only once Actions are on. Such a file is looked for again for a while after they
//! were switched on, and held at once; if it does not come, Actions go off again and stay so, and the change stays
//! open. Files on other branches than the default one may never be listed and are not waited for.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use standin_state::model::{Aspect, AspectReport, AspectStatus};
use standin_state::store::{Change, ChangeAction, ChangeOutcome, JournalEntry, JournalKind};

use super::hold::{self, Round};
use super::{reach, tell_role};
use crate::code::MirrorView;
use crate::fence::{self, OpenChange};
use crate::github::ActionsSettings;
use crate::plan::ActionsGuardPlan;
use crate::run::MirrorContext;
use crate::{Code, Error, Result, crash};

/// The kind of the fence's open change.
const KIND: &str = "actions_off";
/// How long files that are not listed yet are looked for once Actions are on.
const LISTING_BUDGET: Duration = Duration::from_secs(30);
/// Wait before the second look; doubled before each further one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest wait between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Actions are off for a push; to be given back to [`release`].
#[derive(Debug)]
#[must_use = "Actions stay off until they are released"]
pub struct Engaged {
    /// `None` where the user had switched them off: then nothing is restored.
    settings: Option<ActionsSettings>,
}

/// What [`mend`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mended {
    /// Nothing was open.
    Nothing,
    /// The settings are restored and nothing is open any more.
    Restored,
    /// Actions stay off, for this reason; the change stays open.
    StillOff(Error),
}

/// Whether a change of ours is open on the mirror, by the journal or by the fence.
///
/// # Errors
/// What the store reports.
pub fn is_open(ctx: &MirrorContext, view: &MirrorView) -> Result<bool> {
    Ok(is_journaled(ctx)? || in_fence(view).is_some())
}

/// Whether a change of ours is open by the journal of this machine.
pub(super) fn is_journaled(ctx: &MirrorContext) -> Result<bool> {
    Ok(!journaled(ctx)?.is_empty())
}

fn journaled(ctx: &MirrorContext) -> Result<Vec<JournalEntry>> {
    let mut entries = ctx.store().open_journals(Some(&ctx.repository().id))?;
    entries.retain(|entry| entry.mirror == ctx.mirror.id && entry.kind == JournalKind::ActionsOff);
    Ok(entries)
}

fn in_fence(view: &MirrorView) -> Option<&OpenChange> {
    view.fence.as_ref()?.document.open_change.as_ref().filter(|change| change.kind == KIND)
}

/// The settings to restore: those of the journal, else of the fence.
fn remembered(ctx: &MirrorContext, view: &MirrorView) -> Result<Option<ActionsSettings>> {
    let journaled = journaled(ctx)?.into_iter().next().map(|entry| entry.payload);
    let Some(value) = journaled.or_else(|| in_fence(view).map(|change| change.settings.clone())) else {
        return Ok(None);
    };
    serde_json::from_value(value).map(Some).map_err(|error| {
        Error::new(
            Code::UnexpectedAnswer,
            format!("the Actions settings remembered for mirror {} cannot be read: {error}", ctx.mirror.id),
            "Switch Actions on by hand in the settings of the mirror's repository.",
        )
    })
}

/// Switches Actions off before a push. With a change open already (its file is still awaited) they are off, or go off
/// again, and the settings remembered then stay the ones to restore.
///
/// # Errors
/// What keeps Actions from being switched off; then nothing may be pushed. What was begun is ended by the next [`mend`].
pub async fn engage(ctx: &MirrorContext, view: &mut MirrorView) -> Result<Engaged> {
    let (slug, client) = reach(ctx)?;
    let settings = match remembered(ctx, view)? {
        Some(settings) => settings,
        None => {
            let settings = client.actions_settings(slug).await?;
            if !settings.enabled() {
                return Ok(Engaged { settings: None });
            }
            settings
        }
    };
    record(ctx, view, &settings).await?;
    switch_off(ctx).await?;
    ctx.changed(change(ChangeAction::ActionsOff), ChangeOutcome::Done)?;
    Ok(Engaged { settings: Some(settings) })
}

/// Journals what is about to happen, and puts it into the fence where every machine sees it. Moving the fence also
/// checks it: a move over somebody else's fails.
async fn record(ctx: &MirrorContext, view: &mut MirrorView, settings: &ActionsSettings) -> Result<()> {
    let payload = serde_json::to_value(settings).map_err(|error| {
        Error::new(Code::Internal, format!("settings that are no JSON: {error}"), "Please report this.")
    })?;
    let now = ctx.outside().clock.now();
    if !is_journaled(ctx)? {
        ctx.store().open_journal(
            &ctx.repository().id,
            &ctx.mirror.id,
            JournalKind::ActionsOff,
            payload.clone(),
            now,
        )?;
    }
    if in_fence(view).is_some() {
        return Ok(());
    }
    let writer = fence::writer(&ctx.source)?;
    fence::amend(ctx, view, |document| {
        document.open_change = Some(OpenChange { kind: KIND.to_owned(), writer, since_iso: now, settings: payload });
    })
    .await
}

async fn switch_off(ctx: &MirrorContext) -> Result<()> {
    let (slug, client) = reach(ctx)?;
    crash::point("switch.off.before");
    client.put_actions_permissions(slug, &json!({ "enabled": false })).await?;
    crash::point("switch.off.after");
    if client.actions_settings(slug).await?.enabled() {
        return Err(Error::passing(
            Code::UnexpectedAnswer,
            format!("Actions of {slug} were switched off, yet are on"),
            "Somebody else may have switched them on, or an organization's rule does: check there, then sync again.",
        ));
    }
    Ok(())
}

/// Holds what the push brought, restores the settings, and closes the change. Where a file that must be held is not
/// listed in time, Actions go off again and the report says so.
///
/// # Errors
/// What stops it on the way; the change then stays open for the next [`mend`].
pub async fn release(ctx: &MirrorContext, engaged: Engaged, view: &mut MirrorView) -> Result<AspectReport> {
    let report = match engaged.settings {
        None => {
            let round = settle_all(ctx, ActionsGuardPlan::AlreadyOff).await?;
            hold::tell_fence(ctx, view, &round, false).await?;
            hold::report(&round)
        }
        Some(settings) => match finish(ctx, view, &settings).await? {
            Finished::Restored(round) => hold::report(&round),
            Finished::StillOff(error) => AspectReport::from_error(AspectStatus::Failed, &error),
        },
    };
    tell_role(ctx).await?;
    Ok(report)
}

/// Ends a change that is open, by whatever machine it was begun: holds what must not run, restores the settings. Does
/// nothing where none is open. Called at the start of each run and by health checks.
///
/// # Errors
/// What stops it on the way; the change stays open.
pub async fn mend(ctx: &MirrorContext, view: &mut MirrorView) -> Result<Mended> {
    let Some(settings) = remembered(ctx, view)? else { return Ok(Mended::Nothing) };
    Ok(match finish(ctx, view, &settings).await? {
        Finished::Restored(_) => {
            ctx.notice("Actions had been left off by an interrupted sync; their settings are restored now", "");
            Mended::Restored
        }
        Finished::StillOff(error) => {
            ctx.notice(error.message.clone(), error.hint.clone());
            Mended::StillOff(error)
        }
    })
}

/// The error of a mirror whose Actions stay off because a file is still awaited.
pub(super) fn left_off(ctx: &MirrorContext, view: &MirrorView) -> Result<Option<Error>> {
    Ok(is_open(ctx, view)?.then(|| still_off(ctx, "a workflow file that must not run there")))
}

enum Finished {
    Restored(Round),
    StillOff(Error),
}

async fn finish(ctx: &MirrorContext, view: &mut MirrorView, settings: &ActionsSettings) -> Result<Finished> {
    let (slug, client) = reach(ctx)?;
    let mut round = hold::settle(ctx).await?;
    let files: BTreeSet<String> = client.workflow_files(slug).await?.into_iter().collect();
    // A file that could not be held must not run either: as good as not listed.
    if let Some((path, error)) = round.failures.iter().next() {
        let error = still_off(ctx, &format!("{path}, which could not be held ({})", error.message));
        return stay_off(ctx, view, settings, &round, error).await;
    }
    restore(ctx, settings).await?;
    let until = Instant::now() + LISTING_BUDGET;
    let mut pause = FIRST_PAUSE;
    loop {
        let missing = hold::unlisted(&round, &files, &ctx.repository().keep_active).join(", ");
        if missing.is_empty() && round.failures.is_empty() {
            break;
        }
        if Instant::now() + pause > until || !round.failures.is_empty() {
            let error =
                still_off(ctx, &format!("{missing}, which GitHub does not list yet, so that it cannot be held"));
            return stay_off(ctx, view, settings, &round, error).await;
        }
        let slept = tokio::select! {
            () = ctx.cancel.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        };
        if !slept {
            switch_off(&ctx.for_clean_up(Duration::from_secs(60))).await?;
            return Err(Error::new(
                Code::Cancelled,
                "stopped while workflows were being held",
                "Sync again to finish it; Actions are off on the mirror until then.",
            ));
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        round = hold::settle(ctx).await?;
    }
    hold::tell_fence(ctx, view, &round, true).await?;
    for entry in journaled(ctx)? {
        ctx.store().close_journal(entry.id)?;
    }
    ctx.changed(change(ChangeAction::ActionsRestored), ChangeOutcome::Done)?;
    Ok(Finished::Restored(round))
}

/// Actions off again, with the change open here and in the fence.
async fn stay_off(
    ctx: &MirrorContext,
    view: &mut MirrorView,
    settings: &ActionsSettings,
    round: &Round,
    error: Error,
) -> Result<Finished> {
    record(ctx, view, settings).await?;
    switch_off(ctx).await?;
    hold::tell_fence(ctx, view, round, false).await?;
    Ok(Finished::StillOff(error))
}

fn still_off(ctx: &MirrorContext, why: &str) -> Error {
    Error::new(
        Code::ActionsLeftOff,
        format!("Actions stay off on mirror {} because of {why}", ctx.mirror.id),
        "The next sync or `standin health` looks again. Code, secrets and variables are kept in step meanwhile.",
    )
}

/// Puts the settings back whole, and reads them back.
async fn restore(ctx: &MirrorContext, settings: &ActionsSettings) -> Result<()> {
    let (slug, client) = reach(ctx)?;
    crash::point("switch.on.before");
    client.put_actions_permissions(slug, &settings.permissions_to_send()).await?;
    if let Some(selected) = settings.selected_to_send() {
        client.put_selected_actions(slug, &selected).await?;
    }
    crash::point("switch.on.after");
    let now = client.actions_settings(slug).await?;
    if now.same_as(settings) {
        return Ok(());
    }
    Err(Error::new(
        Code::ActionsLeftOff,
        format!("the Actions settings of {slug} could not be restored as they were"),
        format!(
            "Before: {}. Now: {}. Set them in the settings of the repository, then sync again.",
            settings.permissions_to_send(),
            now.permissions_to_send()
        ),
    ))
}

/// Holds what is listed, looking again for a while for what the push brought: where Actions could not be switched off,
/// or were off anyway.
pub(super) async fn settle_all(ctx: &MirrorContext, guard: ActionsGuardPlan) -> Result<Round> {
    let (slug, client) = reach(ctx)?;
    let mut round = hold::settle(ctx).await?;
    // With Actions off by the user nothing runs: what is not listed yet is held by a later sync.
    if guard == ActionsGuardPlan::AlreadyOff {
        return Ok(round);
    }
    let files: BTreeSet<String> = client.workflow_files(slug).await?.into_iter().collect();
    let until = Instant::now() + LISTING_BUDGET;
    let mut pause = FIRST_PAUSE;
    while !hold::unlisted(&round, &files, &ctx.repository().keep_active).is_empty() && Instant::now() + pause <= until {
        tokio::select! {
            () = ctx.cancel.cancelled() => return Ok(round),
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        round = hold::settle(ctx).await?;
    }
    for path in hold::unlisted(&round, &files, &ctx.repository().keep_active) {
        let error = Error::passing(
            Code::UnexpectedAnswer,
            format!("{path} is on the mirror, but GitHub does not list it yet, so that it could not be held"),
            "Sync again in a minute.",
        );
        round.failures.insert(path.to_owned(), error);
    }
    Ok(round)
}

fn change(action: ChangeAction) -> Change {
    Change { aspect: Aspect::Workflows, action, name: "actions".to_owned(), before: None, after: None }
}
