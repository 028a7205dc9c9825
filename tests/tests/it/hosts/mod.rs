//! What hosts of many kinds say and do to pushes, and what becomes of a mirror there.

mod answers;
mod half;
mod parts;
mod passing;
mod property;
mod refused;
mod replay;
pub mod scene;
mod ssh;
mod whole;
mod words;
