//! What `standin-state` promises, through its public face: configuration, memory, locks, files.

mod config_consent;
mod config_edit;
#[cfg(unix)]
mod config_elsewhere;
mod config_inside;
mod config_mistakes;
mod config_notify;
mod config_origin;
mod config_precedence;
mod config_pull;
mod config_strangers;
mod config_travel;
mod counts;
mod crash_points;
#[cfg(unix)]
mod drops;
mod ground;
mod locks;
mod opening;
mod outbox;
#[cfg(unix)]
mod private;
mod report;
mod store;
mod targets;
mod triggers;
