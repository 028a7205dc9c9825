//! `${{ … }}`: reading and evaluating GitHub's expressions.
//!
//! What cannot be evaluated here is an error that names it, never an empty text. Which contexts and functions a place
//! of the file may use is checked before anything runs ([`Scope`]), as on GitHub.

mod context;
mod evaluate;
mod functions;
mod parse;
mod template;
#[cfg(test)]
mod tests;
mod value;

pub(super) use context::{Contexts, Standing};
pub(super) use template::{Condition, Template};
pub(super) use value::{Object, Value};

/// Which contexts and functions a place may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// As GitHub's documentation calls the place.
    pub place: &'static str,
    pub contexts: &'static [&'static str],
    /// `success()` and its like.
    pub status_functions: bool,
}

impl Scope {
    const fn new(place: &'static str, contexts: &'static [&'static str]) -> Self {
        Self { place, contexts, status_functions: false }
    }

    const fn with_status(self) -> Self {
        Self { status_functions: true, ..self }
    }
}

/// The places of a workflow file, from GitHub's table of context availability.
pub(super) mod scopes {
    use super::Scope;

    const RUN: &[&str] = &["github", "inputs", "vars"];
    const JOB: &[&str] = &["github", "needs", "vars", "inputs"];
    const STEP: &[&str] = &["github", "needs", "job", "runner", "env", "vars", "secrets", "steps", "inputs"];

    pub(crate) const RUN_NAME: Scope = Scope::new("run-name", RUN);
    pub(crate) const CONCURRENCY: Scope = Scope::new("concurrency", RUN);
    pub(crate) const ENV: Scope = Scope::new("env", &["github", "secrets", "inputs", "vars"]);
    pub(crate) const JOB_CONCURRENCY: Scope = Scope::new("jobs.<job_id>.concurrency", JOB);
    pub(crate) const JOB_ENV: Scope =
        Scope::new("jobs.<job_id>.env", &["github", "needs", "vars", "secrets", "inputs"]);
    pub(crate) const JOB_IF: Scope = Scope::new("jobs.<job_id>.if", JOB).with_status();
    pub(crate) const JOB_NAME: Scope = Scope::new("jobs.<job_id>.name", JOB);
    pub(crate) const JOB_CONTINUE: Scope = Scope::new("jobs.<job_id>.continue-on-error", JOB);
    pub(crate) const JOB_TIMEOUT: Scope = Scope::new("jobs.<job_id>.timeout-minutes", JOB);
    pub(crate) const RUNS_ON: Scope = Scope::new("jobs.<job_id>.runs-on", JOB);
    pub(crate) const JOB_DEFAULTS: Scope =
        Scope::new("jobs.<job_id>.defaults.run", &["github", "needs", "env", "vars", "inputs"]);
    pub(crate) const OUTPUTS: Scope = Scope::new("jobs.<job_id>.outputs.<output_id>", STEP);
    pub(crate) const STEP_ANY: Scope = Scope::new("jobs.<job_id>.steps", STEP);
    pub(crate) const STEP_IF: Scope =
        Scope::new("jobs.<job_id>.steps.if", &["github", "needs", "job", "runner", "env", "vars", "steps", "inputs"])
            .with_status();
}
