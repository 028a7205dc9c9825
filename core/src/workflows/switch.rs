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
use standin_state::store::{Change, ChangeAction, ChangeOutcome, JournalKind};

use super::hold::{self, Round};
use super::remembered::{
    KIND, Remembered, close_journal, in_fence, journaled, no_looser, payload, remembered, rewrite_journal,
};
use super::tell_role;
use crate::context::MirrorContext;
use crate::fence::{self, OpenChange};
use crate::github::ActionsSettings;
use crate::mirror::{self, MirrorView, fence_move};
use crate::plan::ActionsGuardPlan;
use crate::{Code, Error, Result, crash};

/// How long files that are not listed yet are looked for once Actions are on.
const LISTING_BUDGET: Duration = Duration::from_secs(30);
/// Wait before the second look; doubled before each further one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest wait between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// How often the mirror is looked at again when its fence moves before ours does.
const RACES: usize = 4;
/// How long switching off again may take after something failed or was stopped.
const CLEAN_UP: Duration = Duration::from_secs(60);

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
    /// Nothing is open any more. The settings were left as they are: nothing had been switched off, or somebody has
    /// set them since.
    Closed,
    /// Actions stay off, for this reason, or could not be looked at; the change stays open.
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

/// Switches Actions off before a push. With a change open already (its file is still awaited) they are off, or go off
/// again, and the settings remembered then stay the ones to restore.
///
/// # Errors
/// What keeps Actions from being switched off; then nothing may be pushed. What was begun is ended by the next [`mend`].
pub async fn engage(ctx: &MirrorContext, view: &mut MirrorView) -> Result<Engaged> {
    engage_from(ctx, view, None).await
}

/// As [`engage`], with the settings of Actions where they were just read.
///
/// # Errors
/// As [`engage`].
pub(crate) async fn engage_from(
    ctx: &MirrorContext,
    view: &mut MirrorView,
    read: Option<&ActionsSettings>,
) -> Result<Engaged> {
    let (slug, client) = ctx.github()?;
    let settings = match remembered(ctx, view)? {
        Some(Remembered::Journal { settings, .. }) => settings,
        fenced => {
            let now = match read {
                Some(read) => read.clone(),
                None => client.actions_settings(slug).await?,
            };
            match fenced {
                _ if now.enabled() => now,
                Some(Remembered::Fence(settings)) => no_looser(&settings, &now),
                _ => return Ok(Engaged { settings: None }),
            }
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
    let payload = payload(settings)?;
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
    fence_move::amend(ctx, view, |document| {
        document.open_change = Some(OpenChange { kind: KIND.to_owned(), writer, since_iso: now, settings: payload });
    })
    .await
}

async fn switch_off(ctx: &MirrorContext) -> Result<()> {
    let (slug, client) = ctx.github()?;
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

/// Keeps a push of ours from arriving later, whose end is not known since it was stopped, timed out, or lost the process
/// that made it: it moves the fence from where it was, so once the fence has moved on the host refuses all of it.
/// Without this it could bring workflows when Actions are on again.
///
/// # Errors
/// What keeps the fence from being moved; then Actions must stay off.
pub async fn bar_late_pushes(ctx: &MirrorContext, view: &mut MirrorView) -> Result<()> {
    let mut races = 0;
    loop {
        match fence_move::amend(ctx, view, |_| {}).await {
            Err(error) if error.code == Code::Raced && races < RACES => {
                races += 1;
                *view = mirror::look(ctx).await?;
            }
            moved => return moved,
        }
    }
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
/// Settings that somebody has set meanwhile are accepted. A change that only the fence knows is ended only where
/// Actions are off, and by settings no looser than the repository's own.
///
/// # Errors
/// [`Code::Cancelled`], and what says that somebody else is at it or is master. Whatever else is in the way of the
/// switch leaves the change open and is in the answer: code, secrets and variables need not wait for it.
pub async fn mend(ctx: &MirrorContext, view: &mut MirrorView) -> Result<Mended> {
    let mended = match end_open(ctx, view).await {
        Err(error)
            if !matches!(
                error.code,
                Code::Cancelled | Code::Raced | Code::FencedOff | Code::FenceLost | Code::Busy
            ) =>
        {
            let error = error.during(format!(
                "an interrupted sync may have left Actions off on mirror {}, and this cannot be ended now",
                ctx.mirror.id
            ));
            ctx.notice(error.message.clone(), error.advice());
            Ok(Mended::StillOff(error))
        }
        mended => mended,
    };
    view.still_open = match &mended {
        Ok(Mended::StillOff(error)) => Some(error.clone()),
        Ok(_) | Err(_) => None,
    };
    mended
}

async fn end_open(ctx: &MirrorContext, view: &mut MirrorView) -> Result<Mended> {
    let Some(remembered) = remembered(ctx, view)? else {
        return Ok(if close_journal(ctx)? { Mended::Closed } else { Mended::Nothing });
    };
    let (slug, client) = ctx.github()?;
    let now = client.actions_settings(slug).await?;
    let (settings, accepted) = match remembered {
        Remembered::Journal { settings, restoring } if now.enabled() && !restoring && !now.same_as(&settings) => {
            ctx.notice(
                format!(
                    "the Actions settings of {slug} were changed while Standin kept Actions off there; they stay as they \
                     are now. Before: {}. Now: {}",
                    settings.shown(),
                    now.shown()
                ),
                "Change them in the settings of the repository if they are not meant.",
            );
            rewrite_journal(ctx, &now, false)?;
            (now.clone(), true)
        }
        Remembered::Journal { settings, .. } => (settings, false),
        Remembered::Fence(_) if now.enabled() => (now.clone(), true),
        Remembered::Fence(settings) => (no_looser(&settings, &now), false),
    };
    if !now.enabled() {
        bar_late_pushes(ctx, view).await?;
    }
    Ok(match finish(ctx, view, &settings).await? {
        Finished::Restored(_) if accepted => Mended::Closed,
        Finished::Restored(_) => {
            ctx.notice("Actions had been left off by an interrupted sync; their settings are restored now", "");
            Mended::Restored
        }
        Finished::StillOff(error) => {
            ctx.notice(error.message.clone(), error.advice());
            Mended::StillOff(error)
        }
    })
}

/// The error of a mirror whose Actions stay off: what kept them from being switched on again at the start of this run.
pub(super) fn left_off(ctx: &MirrorContext, view: &MirrorView) -> Result<Option<Error>> {
    if remembered(ctx, view)?.is_none() {
        return Ok(None);
    }
    let why = || still_off(ctx, "what an earlier sync could not end");
    Ok(Some(view.still_open.clone().unwrap_or_else(why)))
}

enum Finished {
    Restored(Round),
    StillOff(Error),
}

async fn finish(ctx: &MirrorContext, view: &mut MirrorView, settings: &ActionsSettings) -> Result<Finished> {
    let (slug, client) = ctx.github()?;
    // Both to their end: a hold that is under way is not dropped because the files cannot be read.
    let (round, files) = tokio::join!(hold::settle(ctx), client.workflow_files(slug));
    let (round, files) = (round?, files?.into_iter().collect::<BTreeSet<String>>());
    // A file that could not be held must not run either: as good as not listed.
    if let Some((path, error)) = round.failures.iter().next() {
        let error = still_off(ctx, &format!("{path}, which could not be held ({})", error.message));
        return stay_off(ctx, view, settings, &round, error).await;
    }
    let round = match switch_on(ctx, view, settings, round, &files).await {
        Ok(Finished::Restored(round)) => round,
        Ok(still_off) => return Ok(still_off),
        Err(error) => return Err(off_again(ctx, settings, error).await),
    };
    // All is held: what fails from here on finds the change open, and nothing runs meanwhile.
    hold::tell_fence(ctx, view, &round, true).await?;
    close_journal(ctx)?;
    ctx.changed(change(ChangeAction::ActionsRestored), ChangeOutcome::Done)?;
    Ok(Finished::Restored(round))
}

/// Restores the settings and holds what is listed only then. Whatever it fails with, Actions may be on afterwards.
async fn switch_on(
    ctx: &MirrorContext,
    view: &mut MirrorView,
    settings: &ActionsSettings,
    mut round: Round,
    files: &BTreeSet<String>,
) -> Result<Finished> {
    restore(ctx, settings).await?;
    let until = Instant::now() + LISTING_BUDGET;
    let mut pause = FIRST_PAUSE;
    loop {
        let missing = hold::unlisted(&round, files, &ctx.repository().keep_active).join(", ");
        if missing.is_empty() && round.failures.is_empty() {
            return Ok(Finished::Restored(round));
        }
        if let Some((path, error)) = round.failures.iter().next() {
            let error = still_off(ctx, &format!("{path}, which could not be held ({})", error.message));
            return stay_off(ctx, view, settings, &round, error).await;
        }
        if Instant::now() + pause > until {
            let error =
                still_off(ctx, &format!("{missing}, which GitHub does not list yet, so that it cannot be held"));
            return stay_off(ctx, view, settings, &round, error).await;
        }
        tokio::select! {
            () = ctx.cancel.cancelled() => {
                return Err(Error::new(
                    Code::Cancelled,
                    "stopped while workflows were being held",
                    "Sync again to finish it; Actions are off on the mirror until then.",
                ));
            }
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        round = hold::settle(ctx).await?;
    }
}

/// Switches Actions off after an error that may have come while they were on and not everything was held.
async fn off_again(ctx: &MirrorContext, settings: &ActionsSettings, error: Error) -> Error {
    let off = switch_off(&ctx.for_clean_up(CLEAN_UP)).await.and_then(|()| rewrite_journal(ctx, settings, false));
    match off {
        Ok(()) => error,
        Err(off) => {
            let hint = format!(
                "{} Actions may be on while not every workflow is held, since they could not be switched off again: {}",
                error.hint, off.message
            );
            Error { hint: hint.trim_start().to_owned(), ..error }
        }
    }
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
    rewrite_journal(ctx, settings, false)?;
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
    let (slug, client) = ctx.github()?;
    // Somebody's hand is told from a restore that was cut short by this.
    rewrite_journal(ctx, settings, true)?;
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
            settings.shown(),
            now.shown()
        ),
    ))
}

/// Holds what is listed, looking again for a while for what the push brought: where Actions could not be switched off,
/// or were off anyway.
pub(super) async fn settle_all(ctx: &MirrorContext, guard: ActionsGuardPlan) -> Result<Round> {
    let (slug, client) = ctx.github()?;
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
