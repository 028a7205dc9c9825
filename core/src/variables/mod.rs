//! Actions variables of a `github` mirror: read, compare, send the difference.
//!
//! Values come from `.env` for the names that the user lists, else from the source's own Actions variables, which are
//! read once for all mirrors of a sync. `MIRROR_ROLE` on the mirror says what it is and is kept by this room; all
//! other `MIRROR_*` and `SENTINEL_*` belong to one repository and never travel. Nothing is ever removed.

mod apply;
mod plan;

pub(crate) use apply::set_role;
pub use apply::{apply, ensure_role};
pub use plan::{lacking, plan};

/// The variable on the mirror that says its role.
pub const ROLE: &str = "MIRROR_ROLE";
