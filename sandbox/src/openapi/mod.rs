//! Requests and answers, checked against GitHub's own OpenAPI description.
//!
//! The description is npm's `@octokit/openapi`, pinned in `openapi/package.json` and installed there by `npm ci`;
//! `STANDIN_OPENAPI` names another file. Start the sandbox with `Options::record_bodies`, then give
//! [`OpenApi::check`] what [`crate::Sandbox::exchanges`] recorded. Answers that a fault made, and GraphQL, are not in
//! the description and are left out.

mod paths;
mod schema;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::traffic::Exchange;
use paths::Paths;
use schema::Schema;

const ENVIRONMENT: &str = "STANDIN_OPENAPI";
const INSTALLED: &str = "openapi/node_modules/@octokit/openapi/generated/api.github.com.json";

/// GitHub's description, ready to check against.
pub struct OpenApi {
    document: Value,
    paths: Paths,
    schemas: Mutex<HashMap<String, Arc<Schema>>>,
}

/// The description cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not where it should be.
    #[error(
        "GitHub's OpenAPI description is not at {path}: {source}. Run `npm ci` in {folder}, or set {ENVIRONMENT} to the file"
    )]
    Missing {
        /// The file that was looked for.
        path: PathBuf,
        /// The folder whose packages are to be installed.
        folder: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// It is no JSON.
    #[error("GitHub's OpenAPI description at {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Which part of an exchange is not as described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// There is no such path or method.
    Path,
    /// A query parameter is unknown, missing or of the wrong form.
    Query,
    /// The request's body has another form.
    RequestBody,
    /// The status is none of this endpoint.
    Status,
    /// The answer's body has another form.
    ResponseBody,
}

/// Something that is not as GitHub describes it.
#[derive(Debug, Clone)]
pub struct Violation {
    /// Id of the request's record.
    pub id: u64,
    /// Method and path.
    pub request: String,
    /// Status of the answer.
    pub status: u16,
    /// Where it is.
    pub part: Part,
    /// What it is.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}), {:?}: {}", self.request, self.status, self.part, self.message)
    }
}

impl OpenApi {
    /// Loads the description from where `STANDIN_OPENAPI` says, else from the installed package.
    ///
    /// # Errors
    /// When it is not installed or cannot be read; the message says how to install it.
    pub fn load() -> Result<Self, LoadError> {
        let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = std::env::var_os(ENVIRONMENT).map_or_else(|| crate_dir.join(INSTALLED), PathBuf::from);
        let text = std::fs::read(&path).map_err(|source| LoadError::Missing {
            path: path.clone(),
            folder: crate_dir.join("openapi"),
            source,
        })?;
        let document = serde_json::from_slice(&text).map_err(|source| LoadError::Unreadable { path, source })?;
        Ok(Self::new(document))
    }

    /// Takes a description that was read elsewhere.
    pub fn new(document: Value) -> Self {
        Self { paths: Paths::of(&document), document, schemas: Mutex::default() }
    }

    /// Everything in these exchanges that is not as GitHub describes it.
    pub fn check(&self, exchanges: &[Exchange]) -> Vec<Violation> {
        exchanges
            .iter()
            // Logs are served by another host, as on GitHub.
            .filter(|exchange| exchange.path != "/graphql" && !exchange.path.starts_with("/_logs/"))
            .flat_map(|exchange| self.check_one(exchange))
            .collect()
    }

    /// Operations of the description that these exchanges have used, as `GET /repos/{owner}/{repo}`.
    pub fn covered(&self, exchanges: &[Exchange]) -> Vec<String> {
        let mut covered: Vec<String> = exchanges
            .iter()
            .filter_map(|exchange| {
                let template = self.paths.find(&exchange.method, &exchange.path)?;
                Some(format!("{} {template}", exchange.method))
            })
            .collect();
        covered.sort();
        covered.dedup();
        covered
    }

    fn check_one(&self, exchange: &Exchange) -> Vec<Violation> {
        let violation = |part, message| Violation {
            id: exchange.id,
            request: format!("{} {}", exchange.method, exchange.path),
            status: exchange.status,
            part,
            message,
        };
        let Some(template) = self.paths.find(&exchange.method, &exchange.path) else {
            return vec![violation(Part::Path, "is not described".to_owned())];
        };
        let method = exchange.method.to_lowercase();
        let operation = &self.document["paths"][template][method.as_str()];
        let place = format!("/paths/{}/{method}", escape(template));
        let mut violations = Vec::new();
        let mut found = |part, messages: Vec<String>| {
            violations.extend(messages.into_iter().map(|message| violation(part, message)));
        };
        // A request that the host refused as malformed may well be malformed.
        if exchange.status < 400 {
            found(Part::Query, self.check_query(operation, &exchange.query));
            found(Part::RequestBody, self.check_request_body(operation, &place, &exchange.request_body));
        }
        if !exchange.faulted {
            let (part, messages) = self.check_response(operation, &place, exchange);
            found(part, messages);
        }
        violations
    }

    fn check_query(&self, operation: &Value, query: &str) -> Vec<String> {
        let parameters: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolve(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .collect();
        let given: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let decode = |text| crate::rest::percent_decode(text, true);
                (decode(name), decode(value))
            })
            .collect();
        let mut messages = Vec::new();
        for (name, value) in &given {
            match parameters.iter().find(|parameter| parameter["name"] == name.as_str()) {
                None => messages.push(format!("the parameter {name} is not described")),
                Some(parameter) => {
                    if let Some(complaint) = query_value_complaint(&parameter["schema"], value) {
                        messages.push(format!("the parameter {name} {complaint}"));
                    }
                }
            }
        }
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap_or_default();
            let required = parameter["required"].as_bool().unwrap_or(false);
            if required && !given.iter().any(|(given, _)| given == name) {
                messages.push(format!("the parameter {name} is missing"));
            }
        }
        messages
    }

    fn check_request_body(&self, operation: &Value, place: &str, body: &[u8]) -> Vec<String> {
        let described = self.resolve(&operation["requestBody"]);
        if body.is_empty() {
            let required = described["required"].as_bool().unwrap_or(false);
            return if required { vec!["the body is missing".to_owned()] } else { Vec::new() };
        }
        if described.is_null() {
            return vec!["a body is not described".to_owned()];
        }
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return vec!["the body is no JSON".to_owned()];
        };
        let schema = &described["content"]["application/json"]["schema"];
        let mut messages = self.validate(&format!("{place}/requestBody"), schema, &value);
        messages.extend(self.unknown_properties(schema, &value));
        messages
    }

    /// Fields that the description does not know; a typing mistake in a name shows here only.
    fn unknown_properties(&self, schema: &Value, value: &Value) -> Vec<String> {
        let schema = self.resolve(schema);
        let (Some(known), Some(given)) = (schema["properties"].as_object(), value.as_object()) else {
            return Vec::new();
        };
        if !schema["additionalProperties"].is_null() {
            return Vec::new();
        }
        given
            .keys()
            .filter(|name| !known.contains_key(*name))
            .map(|name| format!("the field {name} is not described"))
            .collect()
    }

    fn check_response(&self, operation: &Value, place: &str, exchange: &Exchange) -> (Part, Vec<String>) {
        let status = exchange.status.to_string();
        let responses = &operation["responses"];
        let described = [status.as_str(), "default"]
            .iter()
            .map(|key| self.resolve(&responses[*key]))
            .find(|response| !response.is_null());
        let is_json = exchange.response_type.as_deref().is_some_and(|kind| kind.starts_with("application/json"));
        let parse = || serde_json::from_slice::<Value>(&exchange.response_body).ok();
        let Some(described) = described else {
            // Not modified, refusals and limits are the same everywhere; the description names them here and there.
            if exchange.status < 300 {
                return (Part::Status, vec!["is not described".to_owned()]);
            }
            let schema = &self.document["components"]["schemas"]["basic-error"];
            let messages = match parse() {
                _ if exchange.status == 304 => Vec::new(),
                Some(value) => self.validate("basic-error", schema, &value),
                None => vec!["an error has no JSON body".to_owned()],
            };
            return (Part::ResponseBody, messages);
        };
        let content = &described["content"];
        if content.is_null() {
            let messages =
                if exchange.response_body.is_empty() { Vec::new() } else { vec!["a body is not described".to_owned()] };
            return (Part::ResponseBody, messages);
        }
        if !is_json {
            // Raw files and the like have no form.
            return (Part::ResponseBody, Vec::new());
        }
        let messages = match parse() {
            None => vec!["the body is no JSON".to_owned()],
            Some(value) => {
                let schema = &content["application/json"]["schema"];
                self.validate(&format!("{place}/responses/{status}"), schema, &value)
            }
        };
        (Part::ResponseBody, messages)
    }

    fn validate(&self, key: &str, schema: &Value, value: &Value) -> Vec<String> {
        if schema.is_null() {
            return Vec::new();
        }
        let known = self.schemas().get(key).map(Arc::clone);
        let schema = match known {
            Some(schema) => schema,
            None => match Schema::compile(&self.document, schema) {
                Ok(schema) => {
                    let schema = Arc::new(schema);
                    self.schemas().insert(key.to_owned(), Arc::clone(&schema));
                    schema
                }
                Err(error) => return vec![format!("the description cannot be used: {error}")],
            },
        };
        schema.complaints(value)
    }

    fn schemas(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Schema>>> {
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        schema::resolve(&self.document, value)
    }
}

fn query_value_complaint(schema: &Value, text: &str) -> Option<String> {
    let fits = match schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().is_ok(),
        Some("number") => text.parse::<f64>().is_ok(),
        Some("boolean") => text == "true" || text == "false",
        _ => true,
    };
    if !fits {
        return Some(format!("is no {}", schema["type"].as_str().unwrap_or_default()));
    }
    let allowed = schema["enum"].as_array()?;
    (!allowed.iter().any(|allowed| allowed == text)).then(|| format!("cannot be {text}"))
}

/// A key inside a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
