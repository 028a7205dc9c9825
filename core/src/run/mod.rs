//! One run of one mirror: look, plan, apply, record.

mod context;

pub use context::{MirrorContext, SourceContext, Totals};
