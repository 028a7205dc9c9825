//! Word of what changed: when it is told, to whom, and how it gets there.
//!
//! | file | what lives there |
//! |---|---|
//! | [`decide`] | the pure part: from what was told, what is seen and the clock to what is told now |
//! | `told` | what is remembered between two looks |
//! | `seen` | what is known at one look, put together from the memory; asks nobody |
//! | `shows` | what such a look shows: so, not so, or not to be told now |
//! | `quiet` | the hours in which only a master that is down is told |
//! | [`word`] | the message that goes out, with its words |
//! | [`secret`] | tokens of the places that word goes to: found, kept, removed |
//! | `send` | the three ways, and the ping |
//! | [`outbox`] | what waits to be sent: tried, tried again, given up |
//! | `stage` | what tests of all this have |
//!
//! Nothing here prints, and no place that hangs or refuses holds anything else up. Of an address only the host is ever shown,
//! since whoever knows it whole may write there.

pub mod decide;
pub mod outbox;
mod quiet;
pub mod secret;
mod seen;
mod send;
mod shows;
#[cfg(all(test, unix))]
pub(crate) mod stage;
mod told;
pub mod word;

pub use decide::{Decision, Rules, decide};
pub use outbox::Delivery;
pub(crate) use seen::Seen;
pub(crate) use send::Post;
pub use told::Told;
pub use word::{Note, Word};
