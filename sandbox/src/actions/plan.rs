//! A workflow file as it is carried out: what it asks for, all expressions read. See `read.rs` for how it comes to be.

use std::collections::BTreeMap;
use std::fmt;

use super::expression::{Condition, Contexts, Template, Value};
use crate::world::Level;

/// What stops a workflow, and where in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub line: u64,
    pub message: String,
}

impl Trouble {
    /// With the file's name before it.
    pub(crate) fn in_file(&self, path: &str) -> String {
        format!("{path}:{}: {}", self.line, self.message)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.message)
    }
}

/// A text of the file that may have expressions in it.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub line: u64,
    pub template: Template,
}

impl Text {
    pub(super) fn value(&self, contexts: &Contexts) -> Result<Value, Trouble> {
        self.template.evaluate(contexts).map_err(|message| Trouble { line: self.line, message })
    }

    pub(super) fn text(&self, contexts: &Contexts) -> Result<String, Trouble> {
        self.template.text(contexts).map_err(|message| Trouble { line: self.line, message })
    }

    /// As true or false.
    pub(super) fn flag(&self, contexts: &Contexts) -> Result<bool, Trouble> {
        match self.value(contexts)? {
            Value::Bool(value) => Ok(value),
            Value::Text(text) if text == "true" => Ok(true),
            Value::Text(text) if text == "false" => Ok(false),
            other => {
                Err(Trouble { line: self.line, message: format!("{:?} is neither true nor false", other.to_text()) })
            }
        }
    }

    /// As a number above zero.
    pub(super) fn number(&self, contexts: &Contexts) -> Result<f64, Trouble> {
        let value = self.value(contexts)?;
        let number = value.to_number();
        if number > 0.0 && number.is_finite() {
            return Ok(number);
        }
        Err(Trouble { line: self.line, message: format!("{:?} is no number above zero", value.to_text()) })
    }
}

/// An `if:`.
#[derive(Debug, Clone)]
pub(super) struct When {
    pub line: u64,
    pub condition: Condition,
}

/// `env:` in the order of the file.
pub(super) type Environment = Vec<(String, Text)>;

/// What the job's token may do, by GitHub's name of the permission.
pub(super) type Grants = BTreeMap<String, Level>;

/// `defaults.run`.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    pub shell: Option<Shell>,
    pub working_directory: Option<Text>,
}

/// The program that reads a step's script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shell {
    /// `shell: bash`
    Bash,
    /// `shell: sh`
    Sh,
}

/// `concurrency:`
#[derive(Debug, Clone)]
pub(super) struct Concurrency {
    pub group: Text,
    pub cancel_in_progress: Option<Text>,
}

/// An input of `workflow_dispatch`.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub name: String,
    pub kind: InputKind,
    pub required: bool,
    pub default: Option<String>,
}

/// What an input may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InputKind {
    Text,
    Boolean,
    Number,
    Choice(Vec<String>),
}

/// A workflow file.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub run_name: Option<Text>,
    pub environment: Environment,
    pub defaults: Defaults,
    pub permissions: Option<Grants>,
    pub concurrency: Option<Concurrency>,
    /// Of `workflow_dispatch`, if that is among the triggers.
    pub inputs: Vec<Input>,
    pub jobs: Vec<JobPlan>,
}

/// A job of a workflow file.
#[derive(Debug, Clone)]
pub(super) struct JobPlan {
    pub line: u64,
    pub key: String,
    pub name: Option<Text>,
    pub needs: Vec<String>,
    pub when: Option<When>,
    pub runs_on: Vec<Text>,
    pub environment: Environment,
    pub defaults: Defaults,
    pub permissions: Option<Grants>,
    pub concurrency: Option<Concurrency>,
    pub timeout_minutes: Option<Text>,
    pub continue_on_error: Option<Text>,
    pub outputs: Vec<(String, Text)>,
    pub steps: Vec<StepPlan>,
}

/// A step of a job.
#[derive(Debug, Clone)]
pub(super) struct StepPlan {
    pub line: u64,
    pub id: Option<String>,
    pub name: Option<Text>,
    pub when: Option<When>,
    pub run: Text,
    /// The first line of the command as it is written, for a step without a name.
    pub first_line: String,
    pub shell: Option<Shell>,
    pub environment: Environment,
    pub working_directory: Option<Text>,
    pub timeout_minutes: Option<Text>,
    pub continue_on_error: Option<Text>,
}
