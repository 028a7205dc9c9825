//! Roles: how the master changes. Who is master, and which steps a change has, says [`crate::mastership`].
//!
//! | file | what lives there |
//! |---|---|
//! | [`change`] | a change from its beginning to its end: what is asked for, how it ended |
//! | `prepare`, [`preview`] | which change is meant; what it would do and what would be missing |
//! | `parties`, `journal`, `drive` | who takes part, what is written down, carrying it out step after step |
//! | `site_fence` | reading and moving the fence of one repository |
//! | `settle` | what is remembered as open and is not |
//! | `homecoming` | what a repository committed as master that lost this without a hand-back |
//! | `workflows`, [`quiesce`], [`handback`], [`state_file`] | what single steps do |

pub mod change;
mod drive;
pub mod handback;
pub(crate) mod homecoming;
pub(crate) mod journal;
pub(crate) mod parties;
pub(crate) mod prepare;
pub mod preview;
pub mod quiesce;
pub(crate) mod settle;
mod site_fence;
pub mod state_file;
mod workflows;

use standin_state::model::Site;
use std::collections::BTreeMap;

use self::parties::Parties;
use crate::Result;
use crate::context::MirrorContext;
use crate::mastership::machine::Change;
use crate::mastership::open_in;

/// The workflow states of a repository now, by path.
///
/// # Errors
/// What keeps them from being listed.
async fn workflow_states(site: &MirrorContext) -> Result<BTreeMap<String, String>> {
    workflows::states(site).await
}

/// Reads the fence of a repository, so that what it says is remembered.
///
/// # Errors
/// As [`crate::mirror::fence_read::read`].
pub(crate) async fn read_fence(site: &MirrorContext) -> Result<()> {
    site_fence::read(site).await.map(|_| ())
}

/// The role change that stands open in the fence of a repository.
///
/// # Errors
/// As [`crate::mirror::fence_read::read`].
async fn find_open(site: &MirrorContext) -> Result<Option<Change>> {
    let (_, fence) = site_fence::read(site).await?;
    Ok(fence.and_then(|fence| open_in(&fence.document).map(|(change, _)| change)))
}

/// Takes over the change that stands open at this register, as `turned` wants it to go on.
///
/// # Errors
/// [`crate::Code::RoleChangeOpen`] where it is no longer there; what moving the fence reports.
async fn take_over(parties: &Parties, register: &Site, me: &str, turned: impl Fn(Change) -> Change) -> Result<Change> {
    site_fence::take_over(parties.site(register)?, me, |document, seen| {
        let (change, _) = open_in(document).ok_or_else(|| {
            crate::Error::new(
                crate::Code::RoleChangeOpen,
                format!("the change that is open on {register} cannot be read"),
                "It was written by another version of Standin: use that one to end it.",
            )
        })?;
        Ok(turned(parties.localized(&change)?.found_at(seen)))
    })
    .await
}
