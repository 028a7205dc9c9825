//! Values of expressions, and GitHub's loose rules for comparing and converting them.

use std::cmp::Ordering;
use std::sync::Arc;

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Arc<Vec<Value>>),
    Object(Arc<Object>),
}

/// Named values, in order; names are looked up in any case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    entries: Vec<(String, Value)>,
    /// What this is, if a name that it lacks is a mistake and not just empty.
    closed: Option<String>,
}

impl Object {
    /// An object where names that are missing are empty.
    pub(crate) fn open(entries: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self { entries: entries.into_iter().collect(), closed: None }
    }

    /// An object where names that are missing are mistakes; `what` stands in the message.
    pub(crate) fn closed(what: &str, entries: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self { closed: Some(what.to_owned()), ..Self::open(entries) }
    }

    /// The value of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// As an expression sees it.
    pub(crate) fn look_up(&self, name: &str) -> Result<Value, String> {
        match (self.get(name), &self.closed) {
            (Some(value), _) => Ok(value.clone()),
            (None, None) => Ok(Value::Null),
            (None, Some(what)) => Err(format!("the sandbox has no {name:?} in {what}")),
        }
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(Arc::new(object))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(items) => Self::List(Arc::new(items.into_iter().map(Self::from).collect())),
            serde_json::Value::Object(fields) => {
                Object::open(fields.into_iter().map(|(name, value)| (name, Self::from(value)))).into()
            }
        }
    }
}

impl Value {
    /// Null, false, 0, NaN and the empty text are false; all else is true.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::List(_) | Self::Object(_) => true,
        }
    }

    /// As it stands in a text.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Number(number) => number_text(*number),
            Self::Text(text) => text.clone(),
            Self::List(_) => "Array".to_owned(),
            Self::Object(_) => "Object".to_owned(),
        }
    }

    /// As a number; NaN if it is none.
    pub(crate) fn to_number(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Number(number) => *number,
            Self::Text(text) => text_number(text),
            Self::List(_) | Self::Object(_) => f64::NAN,
        }
    }

    /// `==`: texts in any case; different kinds as numbers; lists and objects only if they are the same one.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(two)) => one == two,
            (Self::Text(one), Self::Text(two)) => fold(one) == fold(two),
            (Self::List(one), Self::List(two)) => Arc::ptr_eq(one, two),
            (Self::Object(one), Self::Object(two)) => Arc::ptr_eq(one, two),
            _ => self.to_number() == other.to_number(),
        }
    }

    /// `<` and `>`: texts in any case, all else as numbers; nothing compares with what is no number.
    pub(crate) fn compares(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(one), Self::Text(two)) => Some(fold(one).cmp(&fold(two))),
            _ => self.to_number().partial_cmp(&other.to_number()),
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => (*number as i64).into(),
            Self::Number(number) => serde_json::Number::from_f64(*number).map_or(serde_json::Value::Null, Into::into),
            Self::Text(text) => text.clone().into(),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(object) => serde_json::Value::Object(
                object.entries.iter().map(|(name, value)| (name.clone(), value.to_json())).collect(),
            ),
        }
    }
}

/// For comparing texts in any case.
pub(crate) fn fold(text: &str) -> String {
    text.to_uppercase()
}

fn number_text(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if number == 0.0 {
        "0".to_owned()
    } else {
        number.to_string()
    }
}

fn text_number(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    let whole = |digits: &str, radix| i64::from_str_radix(digits, radix).map_or(f64::NAN, |number| number as f64);
    if let Some(digits) = text.strip_prefix("0x") {
        return whole(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return whole(digits, 8);
    }
    match text {
        "Infinity" | "+Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ if text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) => {
            text.parse().unwrap_or(f64::NAN)
        }
        _ => f64::NAN,
    }
}
