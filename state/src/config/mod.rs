//! The configuration: what the user wants kept in step.
//!
//! Three sources, merged per field, the stronger first: process environment, the `.env` file of the repository
//! at hand, `standin.toml`. Mirrors named in more than one are matched by their target, then by id. Loading reads
//! files and nothing else; the environment is passed in, so that the same input gives the same configuration.

mod types;

pub use types::{
    Config, GitHubHost, Heartbeat, Limits, MirrorConfig, RepositoryConfig, Schedule, SecretValues, Source, Target,
    VariableValues,
};
