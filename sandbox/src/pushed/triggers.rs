//! The part of a workflow file that says when it runs.

use globset::GlobBuilder;
use serde_json::Value;

use crate::actions::Cron;

/// A workflow file, as far as the sandbox reads it.
#[derive(Debug, Clone)]
pub(crate) struct WorkflowFile {
    pub path: String,
    /// `name:`, else the path.
    pub name: String,
    /// The whole file.
    pub text: String,
    pub triggers: Triggers,
}

impl WorkflowFile {
    /// Reads a file; one that is no YAML has a name but never runs.
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let document: Value = serde_saphyr::from_str(text).unwrap_or(Value::Null);
        let name = document.get("name").and_then(Value::as_str).unwrap_or(path).to_owned();
        let triggers = Triggers(document.get("on").cloned().unwrap_or(Value::Null));
        Self { path: path.to_owned(), name, text: text.to_owned(), triggers }
    }
}

/// The value of `on:`.
#[derive(Debug, Clone)]
pub(crate) struct Triggers(Value);

/// A branch or tag that was pushed.
pub(crate) struct Change<'a> {
    pub is_tag: bool,
    /// Without `refs/…/`.
    pub name: &'a str,
    /// Paths that the push changed; only asked for when a filter needs them.
    pub paths: &'a dyn Fn() -> Vec<String>,
}

impl Triggers {
    /// Its schedules that are valid.
    pub(crate) fn schedules(&self) -> Vec<Cron> {
        let items = self.0.get("schedule").and_then(Value::as_array);
        let crons = items.into_iter().flatten().filter_map(|item| item.get("cron")?.as_str());
        crons.filter_map(|cron| Cron::parse(cron).ok()).collect()
    }

    /// True if the event is among the triggers, whatever its filters.
    pub(crate) fn has(&self, event: &str) -> bool {
        match &self.0 {
            Value::String(name) => name == event,
            Value::Array(names) => names.iter().any(|name| name == event),
            Value::Object(events) => events.contains_key(event),
            _ => false,
        }
    }

    /// True if a push of this ref starts the workflow.
    pub(crate) fn on_push(&self, change: &Change<'_>) -> bool {
        if !self.has("push") {
            return false;
        }
        let Some(filters) = self.0.get("push").and_then(Value::as_object) else {
            return true;
        };
        let list = |name: &str| filters.get(name).map(patterns);
        let (own, other) = if change.is_tag {
            (["tags", "tags-ignore"], ["branches", "branches-ignore"])
        } else {
            (["branches", "branches-ignore"], ["tags", "tags-ignore"])
        };
        let named = match (list(own[0]), list(own[1])) {
            (Some(wanted), _) => accepts(&wanted, change.name),
            (None, Some(ignored)) => !accepts(&ignored, change.name),
            // Filters for the other kind of ref only: this kind does not run.
            (None, None) => !other.iter().any(|name| filters.contains_key(*name)),
        };
        if !named || change.is_tag {
            return named;
        }
        match (list("paths"), list("paths-ignore")) {
            (Some(wanted), _) => (change.paths)().iter().any(|path| accepts(&wanted, path)),
            (None, Some(ignored)) => !(change.paths)().iter().all(|path| accepts(&ignored, path)),
            (None, None) => true,
        }
    }
}

fn patterns(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many
            .iter()
            .map(|pattern| match pattern {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The last pattern that matches decides; `!` in front takes back.
fn accepts(patterns: &[String], name: &str) -> bool {
    let mut accepted = false;
    for pattern in patterns {
        let (pattern, takes_back) = match pattern.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (pattern.as_str(), false),
        };
        let matches = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_or(pattern == name, |glob| glob.compile_matcher().is_match(name));
        if matches {
            accepted = !takes_back;
        }
    }
    accepted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(on: &str, is_tag: bool, name: &str, paths: &[&str]) -> bool {
        let file = WorkflowFile::parse("x.yml", &format!("name: X\non: {on}\njobs: {{}}\n"));
        assert_eq!(file.name, "X");
        let paths = || paths.iter().map(|path| (*path).to_owned()).collect();
        file.triggers.on_push(&Change { is_tag, name, paths: &paths })
    }

    #[test]
    fn push_is_found_in_every_form_of_on() {
        assert!(runs("push", false, "main", &[]));
        assert!(runs("[pull_request, push]", false, "main", &[]));
        assert!(runs("{push: , schedule: [{cron: '1 1 * * *'}]}", false, "main", &[]));
        assert!(!runs("workflow_dispatch", false, "main", &[]));
        assert!(!runs("{pull_request: {branches: [main]}}", false, "main", &[]));
    }

    #[test]
    fn filters_decide_by_branch_tag_and_path() {
        let only_main = "{push: {branches: [main, 'releases/**', '!releases/old']}}";
        assert!(runs(only_main, false, "main", &[]));
        assert!(runs(only_main, false, "releases/1/x", &[]));
        assert!(!runs(only_main, false, "releases/old", &[]));
        assert!(!runs(only_main, false, "topic", &[]));
        assert!(!runs(only_main, true, "v1", &[]));
        assert!(!runs("{push: {branches-ignore: main}}", false, "main", &[]));
        assert!(runs("{push: {tags: ['v*']}}", true, "v1", &[]));
        assert!(!runs("{push: {tags: ['v*']}}", false, "main", &[]));
        let docs = "{push: {paths: ['docs/**']}}";
        assert!(runs(docs, false, "main", &["docs/a/b.md", "src/x"]));
        assert!(!runs(docs, false, "main", &["src/x"]));
        let no_docs = "{push: {paths-ignore: ['docs/**']}}";
        assert!(!runs(no_docs, false, "main", &["docs/a.md"]));
        assert!(runs(no_docs, false, "main", &["docs/a.md", "src/x"]));
    }

    #[test]
    fn a_broken_file_never_runs_and_is_named_by_its_path() {
        let file = WorkflowFile::parse(".github/workflows/bad.yml", "on: [push\n  - {");
        assert_eq!(file.name, ".github/workflows/bad.yml");
        assert!(!file.triggers.has("push"));
    }
}
