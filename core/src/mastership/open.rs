//! The change of master that stands open in a fence.

use super::machine::{Change, Open, Seen};
use super::{direction, words};
use crate::context::MirrorContext;
use crate::fence::{Document, OpenChange, ROLE_CHANGE};
use crate::{Code, Error, Result};

/// What the pure part knows of a fence document.
pub fn seen<Refs>(document: &Document<Refs>) -> Seen {
    Seen {
        epoch: document.epoch,
        sequence: document.sequence,
        master: document.master.clone(),
        is_temporary: document.temporary,
        open: document.open_change.as_ref().map(|open| Open {
            change: (open.kind == ROLE_CHANGE).then(|| open.settings["id"].as_str().unwrap_or_default().to_owned()),
            writer: open.writer.clone(),
        }),
    }
}

/// The role change that stands open in a document.
pub fn open_in<Refs>(document: &Document<Refs>) -> Option<(Change, &OpenChange)> {
    let open = document.open_change.as_ref().filter(|open| open.kind == ROLE_CHANGE)?;
    Some((serde_json::from_value(open.settings.clone()).ok()?, open))
}

/// Refuses to sync while the mastership moves, unless that is what the sync is for.
///
/// # Errors
/// [`Code::RoleChangeOpen`], with what is open and how to go on.
pub(crate) fn check_open(site: &MirrorContext, document: &Document) -> Result<()> {
    let Some(open) = document.open_change.as_ref().filter(|open| open.kind == ROLE_CHANGE) else { return Ok(()) };
    if site.source.change.is_some() && open.settings["id"].as_str() == site.source.change.as_deref() {
        return Ok(());
    }
    let id = &site.mirror.id;
    let home = site.repository().home.as_deref().unwrap_or(site.repository());
    let (what, ways) = open_in(document).map_or_else(
        || {
            let what = "a role change that this version cannot read".to_owned();
            (what, "End it with the version of Standin that wrote it.".to_owned())
        },
        |(change, _)| {
            (words::headline(&change), words::ways(&change, direction::standby_of(home, &change).unwrap_or(id)))
        },
    );
    Err(Error::new(
        Code::RoleChangeOpen,
        format!(
            "a role change is open on {id} ({}): {what}; begun by {}, {}; nothing is synced until it is ended",
            site.mirror.target.display(),
            open.writer,
            open.since_iso
        ),
        ways,
    ))
}
