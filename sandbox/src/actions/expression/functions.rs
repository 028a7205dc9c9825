//! The functions of expressions.

use super::Scope;
use super::context::Contexts;
use super::parse::Expression;
use super::value::{Value, fold};

/// Names, and how many arguments they take at least and at most.
const FUNCTIONS: [(&str, usize, usize); 11] = [
    ("contains", 2, 2),
    ("startsWith", 2, 2),
    ("endsWith", 2, 2),
    ("format", 1, 255),
    ("join", 1, 2),
    ("toJSON", 1, 1),
    ("fromJSON", 1, 1),
    ("success", 0, 0),
    ("failure", 0, 0),
    ("always", 0, 0),
    ("cancelled", 0, 0),
];
const STATUS: [&str; 4] = ["success", "failure", "always", "cancelled"];
/// Functions that GitHub has, but the sandbox does not.
const UNSUPPORTED: [&str; 2] = ["hashFiles", "case"];

/// True for `success` and its like.
pub(super) fn is_status(name: &str) -> bool {
    STATUS.iter().any(|status| status.eq_ignore_ascii_case(name))
}

/// Refuses functions that there are not, that this place does not allow, or that have too few or too many arguments.
pub(super) fn check(name: &str, arguments: usize, scope: &Scope) -> Result<(), String> {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    let Some((_, least, most)) = FUNCTIONS.iter().find(|(known, ..)| is(known)) else {
        return Err(if UNSUPPORTED.into_iter().any(is) {
            format!("the sandbox has no function {name:?}")
        } else {
            format!("there is no function {name:?}")
        });
    };
    if is_status(name) && !scope.status_functions {
        return Err(format!("the function {name:?} is not available in {}", scope.place));
    }
    if (*least..=*most).contains(&arguments) {
        return Ok(());
    }
    Err(format!("the function {name:?} does not take {arguments} arguments"))
}

/// Calls a function.
///
/// # Errors
/// When an argument cannot be evaluated or used.
pub(super) fn call(name: &str, arguments: &[Expression], contexts: &Contexts) -> Result<Value, String> {
    let values: Vec<Value> =
        arguments.iter().map(|argument| argument.evaluate(contexts)).collect::<Result<_, String>>()?;
    let standing = || contexts.standing().ok_or_else(|| format!("the function {name:?} is not available here"));
    Ok(match (name.to_ascii_lowercase().as_str(), values.as_slice()) {
        ("contains", [whole, part]) => contains(whole, part).into(),
        ("startswith", [whole, part]) => fold(&whole.to_text()).starts_with(&fold(&part.to_text())).into(),
        ("endswith", [whole, part]) => fold(&whole.to_text()).ends_with(&fold(&part.to_text())).into(),
        ("format", [pattern, rest @ ..]) => format(&pattern.to_text(), rest)?.into(),
        ("join", [items]) => join(items, ",").into(),
        ("join", [items, separator]) => join(items, &separator.to_text()).into(),
        ("tojson", [value]) => {
            serde_json::to_string_pretty(&value.to_json()).map_err(|error| error.to_string())?.into()
        }
        ("fromjson", [text]) => from_json(&text.to_text())?,
        ("success", []) => standing()?.success.into(),
        ("failure", []) => standing()?.failure.into(),
        ("cancelled", []) => standing()?.cancelled.into(),
        ("always", []) => {
            standing()?;
            true.into()
        }
        _ => return Err(format!("the function {name:?} cannot be called so")),
    })
}

fn contains(whole: &Value, part: &Value) -> bool {
    match whole {
        Value::List(items) => items.iter().any(|item| item.equals(part)),
        Value::Object(_) => false,
        text => fold(&text.to_text()).contains(&fold(&part.to_text())),
    }
}

fn join(items: &Value, separator: &str) -> String {
    match items {
        Value::List(items) => items.iter().map(Value::to_text).collect::<Vec<_>>().join(separator),
        other => other.to_text(),
    }
}

/// `{0}` is the first value, `{{` a brace.
fn format(pattern: &str, values: &[Value]) -> Result<String, String> {
    let wrong = || format!("the format {pattern:?} is not valid");
    let mut text = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '{' if rest.next_if_eq(&'{').is_some() => text.push('{'),
            '}' if rest.next_if_eq(&'}').is_some() => text.push('}'),
            '{' => {
                let mut digits = String::new();
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                rest.next_if_eq(&'}').ok_or_else(wrong)?;
                let index: usize = digits.parse().map_err(|_| wrong())?;
                let value =
                    values.get(index).ok_or_else(|| format!("the format {pattern:?} has no value for {{{index}}}"))?;
                text.push_str(&value.to_text());
            }
            '}' => return Err(wrong()),
            other => text.push(other),
        }
    }
    Ok(text)
}

fn from_json(text: &str) -> Result<Value, String> {
    serde_json::from_str::<serde_json::Value>(text).map(Value::from).map_err(|error| {
        // The text may hold a secret, so it is not shown.
        format!("fromJSON was given what is no JSON (line {}, column {})", error.line(), error.column())
    })
}
