//! What `standin-state` promises, through its public face: configuration, memory, locks, files.

mod config_consent;
mod config_mistakes;
mod config_origin;
mod config_precedence;
mod config_travel;
mod crash_points;
mod ground;
mod locks;
mod opening;
mod report;
mod store;
