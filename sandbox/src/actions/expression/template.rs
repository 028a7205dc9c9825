//! Texts with expressions in them, and conditions.

use super::context::Contexts;
use super::parse::{self, Expression};
use super::value::Value;
use super::{Scope, Standing};

/// A text with expressions in it.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Expression { written: String, expression: Expression },
}

impl Template {
    /// A text with nothing in it.
    pub(crate) fn empty() -> Self {
        Self { parts: Vec::new() }
    }

    /// Reads a text for this place.
    ///
    /// # Errors
    /// What is wrong with an expression, or not allowed or not there at this place.
    pub(crate) fn parse(text: &str, scope: &Scope) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find("${{") {
            if start > 0 {
                parts.push(Part::Text(rest[..start].to_owned()));
            }
            let inside = &rest[start + 3..];
            let end = end_of(inside).ok_or_else(|| format!("`{}` has no closing `}}}}`", &rest[start..]))?;
            let written = inside[..end].trim().to_owned();
            let expression = read(&written, scope)?;
            parts.push(Part::Expression { written, expression });
            rest = &inside[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The value: of the expression, if it is nothing but one; else the text.
    ///
    /// # Errors
    /// The expression that cannot be evaluated, and why.
    pub(crate) fn evaluate(&self, contexts: &Contexts) -> Result<Value, String> {
        if let [Part::Expression { written, expression }] = self.parts.as_slice() {
            return evaluate(written, expression, contexts);
        }
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Expression { written, expression } => {
                    text.push_str(&evaluate(written, expression, contexts)?.to_text());
                }
            }
        }
        Ok(Value::Text(text))
    }

    /// The text.
    ///
    /// # Errors
    /// As [`Template::evaluate`].
    pub(crate) fn text(&self, contexts: &Contexts) -> Result<String, String> {
        self.evaluate(contexts).map(|value| value.to_text())
    }
}

/// The value of an `if:`.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    written: String,
    expression: Expression,
}

impl Condition {
    /// Reads a condition for this place; `${{ }}` around it may be left out.
    ///
    /// # Errors
    /// As [`Template::parse`]; also when `${{ }}` is only around a part, which GitHub takes for a text that is always true.
    pub(crate) fn parse(text: &str, scope: &Scope) -> Result<Self, String> {
        let trimmed = text.trim();
        let bare = match trimmed.strip_prefix("${{") {
            Some(inside) if end_of(inside).is_some_and(|end| inside[end + 2..].is_empty()) => {
                inside[..inside.len() - 2].trim()
            }
            _ if trimmed.contains("${{") => {
                return Err(format!("`{trimmed}` is always true, as `${{{{ }}}}` is around a part of it only"));
            }
            _ => trimmed,
        };
        Ok(Self { written: bare.to_owned(), expression: read(bare, scope)? })
    }

    /// True if it is met. A condition that does not ask how things stand is only met while all is well.
    ///
    /// # Errors
    /// The expression that cannot be evaluated, and why.
    pub(crate) fn is_met(&self, contexts: &Contexts, standing: Standing) -> Result<bool, String> {
        if !self.expression.asks_status() && !standing.success {
            return Ok(false);
        }
        Ok(evaluate(&self.written, &self.expression, &contexts.standing_so(standing))?.is_truthy())
    }
}

fn read(written: &str, scope: &Scope) -> Result<Expression, String> {
    let named = |message| format!("`{written}`: {message}");
    let expression = parse::parse(written).map_err(named)?;
    expression.check(scope).map_err(named)?;
    Ok(expression)
}

fn evaluate(written: &str, expression: &Expression, contexts: &Contexts) -> Result<Value, String> {
    expression.evaluate(contexts).map_err(|message| format!("`{written}`: {message}"))
}

/// Where the `}}` is that ends an expression, texts in quotes aside.
fn end_of(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quoted = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\'' => quoted = !quoted,
            b'}' if !quoted && bytes.get(at + 1) == Some(&b'}') => return Some(at),
            _ => {}
        }
    }
    None
}
