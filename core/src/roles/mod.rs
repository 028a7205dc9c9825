//! Roles: who is master, and how that changes.
//!
//! [`machine`] is the pure part: the steps of a role change and what each makes of a fence. [`who`] says who is master
//! by the fences that are known.

pub mod machine;
pub mod who;
