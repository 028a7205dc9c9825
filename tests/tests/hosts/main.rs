//! What hosts of many kinds say and do to pushes, and what becomes of a mirror there.

mod replay;
mod scene;
mod ssh;
