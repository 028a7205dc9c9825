//! Git: running the `git` program, remotes, credentials, and the repository's own cache.
//!
//! Packs travel by the `git` program ([`Remote`]), which is several times faster at it than libgit2; everything that
//! only looks (refs, ancestry, trees) and the few small writes of our own (rescues, fence commits) go through libgit2
//! ([`Cache`]). What a ref means, which of them may move and what is rescued first is decided in `code` and `fence`,
//! never here.
//!
//! | file | what lives there |
//! |---|---|
//! | `program` | finding git, its minimum version, the command line and environment of every call |
//! | `environment` | which variables children see, which of the user's network settings are kept |
//! | `child` | one running program: its process group, silent-time limit, cancellation |
//! | [`address`] | what a remote's URL says: transport, host, port |
//! | [`credential`] | answering git's question for a token over an owner-only socket |
//! | [`ssh`] | the ssh command line, host keys |
//! | `remote`, `listing`, `fetch`, `push`, `progress` | talking to a remote, and reading what git says |
//! | `local` | questions about a repository of the user's on this machine |
//! | `far_side` | the program on the other side, where that is a folder of this machine |
//! | `foreign` | opening repositories that are not Standin's own |
//! | `outbox` | the repository that a push goes from |
//! | `http`, `http_push` | listing a remote over HTTP and pushing one small commit there, without starting git |
//! | `settle` | pushing so that what became of each ref is known: read back, or believed |
//! | `blame` | which refs of a refused push are to blame |
//! | `words` | what a host says, and what kind of refusal it is |
//! | `failure`, `why` | what git's words mean as a [`crate::Code`], and what the host says where git keeps a status alone |
//! | `cache`, `upkeep`, `history`, `packed_refs` | the cache: creating and cleaning it, packing it, reading and writing it |
//! | `large_files` | what git LFS keeps outside a repository, brought by git-lfs |
//! | `copy` | the copy of an upstream, which is a cache that others may clone |

pub mod address;
mod blame;
mod cache;
mod child;
mod copy;
pub mod credential;
mod environment;
mod failure;
mod far_side;
mod fetch;
pub(crate) mod foreign;
mod history;
mod http;
mod http_push;
mod large_files;
mod listing;
mod local;
mod log;
mod outbox;
mod packed_refs;
mod program;
mod progress;
mod push;
mod remote;
mod scratch;
mod settle;
pub mod ssh;
mod upkeep;
mod why;
mod words;

pub use address::Address;
pub(crate) use blame::{Blame, blame, is_sunk};
pub use cache::Cache;
pub use copy::Head;
pub(crate) use far_side::{folder, has_hooks};
pub use history::TreeFile;
pub use listing::{Listing, Refs};
pub(crate) use local::{AT_WORK, HookPlace};
pub use log::{CommitLine, CommitList};
pub use program::{GitProgram, MINIMUM_VERSION, Version};
pub use push::{MAX_UPDATES_PER_PUSH, PushOptions, PushReport, PushResult, Update};
pub use remote::{Progress, Remote, RemoteOptions};
pub(crate) use scratch::{Scratch, sweep};
pub use settle::Capabilities;
pub(crate) use words::{Kind, Meaning, is_talk, new_address, said};
