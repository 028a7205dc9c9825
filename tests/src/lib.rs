//! stub
pub mod git;
pub mod pair;
pub mod standby;
