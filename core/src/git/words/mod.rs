//! What a host says in words, and what that means.
//!
//! Git has no codes for refusals: a host says why in its own words, some in a ref's reason, some in `remote:` lines, some over ssh
//! before git's own complaint. [`words()`] picks the host's words out of what git prints, [`Meaning`] finds out what kind of
//! refusal they are. A meaning chooses the advice, and whether it is worth trying again; it never decides which ref of a push is to
//! blame (that is [`super::blame`]), so that words which a host changes cost the advice and nothing else.

mod kinds;
mod said;

/// What is said of a server that has a push whole, and ends without an answer.
pub(crate) const UNANSWERED: &str = "the server ended the connection without an answer, after it had the whole push";

/// What is said of a ref that a host does not delete, where it gives no reason.
pub(crate) const NO_DELETES: &str = "the host does not take the deletion of refs";

pub(crate) use kinds::{Kind, Meaning};
pub(super) use said::{host_words, words};
pub(crate) use said::{is_talk, new_address, said};
