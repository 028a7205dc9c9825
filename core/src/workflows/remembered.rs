//! What is known of Actions being switched off: by the journal of this machine, and by the fence for all machines.
//!
//! The journal is opened first, then the fence, then Actions go off; the fence is closed first, then the journal. So a
//! journal without an open change in a fence that the host keeps is of something that never began or has ended.
//! The fence may be written by everybody who may push, so it is believed less than the journal.

use serde_json::{Value, json};
use standin_state::store::{JournalEntry, JournalKind};

use crate::context::MirrorContext;
use crate::fence::OpenChange;
use crate::github::ActionsSettings;
use crate::mirror::MirrorView;
use crate::{Code, Error, Result};

/// The kind of the fence's open change.
pub(super) const KIND: &str = "actions_off";
/// The field of a journal's payload that says that restoring began.
const RESTORING: &str = "restoring";
/// What may be run, from the strictest to the loosest.
const ALLOWED: [&str; 3] = ["local_only", "selected", "all"];

/// The settings of an open change, and who says so.
pub(super) enum Remembered {
    /// Our own journal.
    Journal {
        /// The settings before.
        settings: ActionsSettings,
        /// Whether they were being put back when it ended.
        restoring: bool,
    },
    /// Only the fence.
    Fence(ActionsSettings),
}

/// The change that is open, where one is.
///
/// # Errors
/// [`Code::UnexpectedAnswer`] for settings that cannot be read; what the store reports.
pub(super) fn remembered(ctx: &MirrorContext, view: &MirrorView) -> Result<Option<Remembered>> {
    let fenced = in_fence(view);
    let journal = journaled(ctx)?.into_iter().next();
    Ok(match (journal, fenced) {
        (None, None) => None,
        (Some(_), None) if view.fence_supported => None,
        (Some(entry), _) => {
            let restoring = entry.payload[RESTORING] == true;
            Some(Remembered::Journal { settings: read(ctx, entry.payload)?, restoring })
        }
        (None, Some(change)) => Some(Remembered::Fence(read(ctx, change.settings.clone())?)),
    })
}

fn read(ctx: &MirrorContext, value: Value) -> Result<ActionsSettings> {
    serde_json::from_value(value).map_err(|error| {
        Error::new(
            Code::UnexpectedAnswer,
            format!("the Actions settings remembered for mirror {} cannot be read: {error}", ctx.mirror.id),
            "Switch Actions on by hand in the settings of the mirror's repository.",
        )
    })
}

/// The journal's entries of this mirror.
pub(super) fn journaled(ctx: &MirrorContext) -> Result<Vec<JournalEntry>> {
    let mut entries = ctx.store().open_journals(Some(&ctx.repository().id))?;
    entries.retain(|entry| entry.mirror == ctx.mirror.id && entry.kind == JournalKind::ActionsOff);
    Ok(entries)
}

/// Replaces the settings to restore.
pub(super) fn rewrite_journal(ctx: &MirrorContext, settings: &ActionsSettings, restoring: bool) -> Result<()> {
    let mut payload = payload(settings)?;
    if restoring {
        payload[RESTORING] = json!(true);
    }
    for entry in journaled(ctx)? {
        ctx.store().update_journal(entry.id, &payload)?;
    }
    Ok(())
}

/// Closes the journal of this mirror; `false` where none was open.
pub(super) fn close_journal(ctx: &MirrorContext) -> Result<bool> {
    let entries = journaled(ctx)?;
    for entry in &entries {
        ctx.store().close_journal(entry.id)?;
    }
    Ok(!entries.is_empty())
}

/// The open change that stands in the fence.
pub(super) fn in_fence(view: &MirrorView) -> Option<&OpenChange> {
    view.fence.as_ref()?.document.open_change.as_ref().filter(|change| change.kind == KIND)
}

/// Settings as the journal and the fence keep them.
pub(super) fn payload(settings: &ActionsSettings) -> Result<Value> {
    serde_json::to_value(settings).map_err(|error| {
        Error::new(Code::Internal, format!("settings that are no JSON: {error}"), "Please report this.")
    })
}

/// What the fence's settings may bring back where Actions are off: the fields that are known, and none looser than what
/// the repository itself says now.
pub(super) fn no_looser(fenced: &ActionsSettings, now: &ActionsSettings) -> ActionsSettings {
    let rank =
        |settings: &ActionsSettings| ALLOWED.iter().position(|word| settings.permissions["allowed_actions"] == **word);
    let mut permissions = json!({ "enabled": fenced.enabled() });
    let allowed = match (rank(fenced), rank(now)) {
        (Some(fenced), Some(now)) => Some(fenced.min(now)),
        (fenced, now) => fenced.or(now),
    };
    if let Some(rank) = allowed {
        permissions["allowed_actions"] = json!(ALLOWED[rank]);
    }
    let pinning: Vec<bool> =
        [fenced, now].iter().filter_map(|settings| settings.permissions["sha_pinning_required"].as_bool()).collect();
    if !pinning.is_empty() {
        permissions["sha_pinning_required"] = json!(pinning.contains(&true));
    }
    let selected_actions = if permissions["allowed_actions"] == "selected" {
        now.selected_actions.clone().or_else(|| fenced.selected_actions.as_ref().map(known_selected))
    } else {
        None
    };
    ActionsSettings { permissions, selected_actions }
}

fn known_selected(selected: &Value) -> Value {
    let known = ["github_owned_allowed", "verified_allowed", "patterns_allowed"];
    known.iter().filter_map(|name| Some(((*name).to_owned(), selected.get(name)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(permissions: Value, selected_actions: Option<Value>) -> ActionsSettings {
        ActionsSettings { permissions, selected_actions }
    }

    #[test]
    fn a_fence_brings_back_known_fields_only_and_loosens_nothing() {
        let fenced =
            settings(json!({"enabled": true, "allowed_actions": "all", "sha_pinning_required": false, "new": 1}), None);
        let strict =
            settings(json!({"enabled": false, "allowed_actions": "local_only", "sha_pinning_required": true}), None);
        assert_eq!(
            no_looser(&fenced, &strict).permissions,
            json!({"enabled": true, "allowed_actions": "local_only", "sha_pinning_required": true})
        );
        let silent = settings(json!({"enabled": false}), None);
        assert_eq!(
            no_looser(&fenced, &silent).permissions,
            json!({"enabled": true, "allowed_actions": "all", "sha_pinning_required": false})
        );
        let selected = settings(
            json!({"enabled": true, "allowed_actions": "selected"}),
            Some(json!({"verified_allowed": true, "new": 2})),
        );
        assert_eq!(no_looser(&selected, &silent).selected_actions, Some(json!({"verified_allowed": true})));
        assert_eq!(no_looser(&selected, &strict).selected_actions, None);
    }
}
