//! Checking an expression against the place where it stands, and evaluating it.

use std::cmp::Ordering;

use super::context::Contexts;
use super::parse::{Expression, Operator};
use super::value::Value;
use super::{Scope, functions};

/// Contexts that GitHub has, but the sandbox does not.
const UNSUPPORTED: [&str; 3] = ["matrix", "strategy", "jobs"];
const KNOWN: [&str; 9] = ["github", "env", "vars", "secrets", "steps", "needs", "job", "runner", "inputs"];

impl Expression {
    /// Everything in it that this place does not allow, or that the sandbox does not have.
    ///
    /// # Errors
    /// The first of them.
    pub(crate) fn check(&self, scope: &Scope) -> Result<(), String> {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => Ok(()),
            Self::Context(name) => check_context(name, scope),
            Self::Index(of, index) => of.check(scope).and_then(|()| index.check(scope)),
            Self::Call(name, arguments) => {
                functions::check(name, arguments.len(), scope)?;
                arguments.iter().try_for_each(|argument| argument.check(scope))
            }
            Self::Not(inner) => inner.check(scope),
            Self::Binary(_, left, right) => left.check(scope).and_then(|()| right.check(scope)),
        }
    }

    /// True if it asks how things stand, such as with `always()`.
    pub(crate) fn asks_status(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Context(_) => false,
            Self::Index(of, index) => of.asks_status() || index.asks_status(),
            Self::Call(name, arguments) => functions::is_status(name) || arguments.iter().any(Self::asks_status),
            Self::Not(inner) => inner.asks_status(),
            Self::Binary(_, left, right) => left.asks_status() || right.asks_status(),
        }
    }

    /// Its value.
    ///
    /// # Errors
    /// What the sandbox cannot evaluate.
    pub(crate) fn evaluate(&self, contexts: &Contexts) -> Result<Value, String> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Context(name) => contexts.get(name)?,
            Self::Index(of, index) => index_of(&of.evaluate(contexts)?, &index.evaluate(contexts)?)?,
            Self::Call(name, arguments) => functions::call(name, arguments, contexts)?,
            Self::Not(inner) => Value::Bool(!inner.evaluate(contexts)?.is_truthy()),
            Self::Binary(operator, left, right) => {
                let left = left.evaluate(contexts)?;
                match operator {
                    Operator::And if !left.is_truthy() => left,
                    Operator::Or if left.is_truthy() => left,
                    Operator::And | Operator::Or => right.evaluate(contexts)?,
                    _ => Value::Bool(compare(*operator, &left, &right.evaluate(contexts)?)),
                }
            }
        })
    }
}

fn check_context(name: &str, scope: &Scope) -> Result<(), String> {
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    if scope.contexts.iter().any(is) {
        return Ok(());
    }
    if UNSUPPORTED.iter().any(is) {
        return Err(format!("the sandbox has no context {name:?}"));
    }
    if KNOWN.iter().any(is) {
        return Err(format!("the context {name:?} is not available in {}", scope.place));
    }
    Err(format!("there is no context {name:?}"))
}

fn index_of(value: &Value, index: &Value) -> Result<Value, String> {
    match value {
        Value::Object(object) => object.look_up(&index.to_text()),
        Value::List(items) => {
            let number = index.to_number();
            let inside = number >= 0.0 && number < items.len() as f64;
            Ok(if inside { items[number as usize].clone() } else { Value::Null })
        }
        _ => Ok(Value::Null),
    }
}

fn compare(operator: Operator, left: &Value, right: &Value) -> bool {
    let order = || left.compares(right);
    match operator {
        Operator::Equal => left.equals(right),
        Operator::Unequal => !left.equals(right),
        Operator::Less => order() == Some(Ordering::Less),
        Operator::LessOrEqual => matches!(order(), Some(Ordering::Less | Ordering::Equal)),
        Operator::Greater => order() == Some(Ordering::Greater),
        Operator::GreaterOrEqual => matches!(order(), Some(Ordering::Greater | Ordering::Equal)),
        Operator::And | Operator::Or => false,
    }
}
