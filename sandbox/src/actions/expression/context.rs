//! What expressions can look at.

use super::value::{Object, Value};

/// How a job stands, for `success()` and its like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub success: bool,
    pub failure: bool,
    pub cancelled: bool,
}

/// The contexts that exist at a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contexts {
    all: Vec<(&'static str, Value)>,
    standing: Option<Standing>,
}

impl Contexts {
    /// Sets a context, in place of the one that it had.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        let value = value.into();
        match self.all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.all.push((name, value)),
        }
    }

    /// The same with the context `env`.
    pub(crate) fn with_env(&self, env: &[(String, String)]) -> Self {
        let mut contexts = self.clone();
        contexts.set("env", Object::open(env.iter().map(|(name, value)| (name.clone(), value.clone().into()))));
        contexts
    }

    /// The same with a way to answer `success()` and its like.
    pub(crate) fn standing_so(&self, standing: Standing) -> Self {
        Self { standing: Some(standing), ..self.clone() }
    }

    pub(super) fn standing(&self) -> Option<Standing> {
        self.standing
    }

    /// A context.
    ///
    /// # Errors
    /// When there is none of this name at the moment.
    pub(super) fn get(&self, name: &str) -> Result<Value, String> {
        self.all
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
            .ok_or_else(|| format!("there is no context {name:?} here"))
    }
}
