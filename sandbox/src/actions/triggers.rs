//! `on:` of a workflow that is carried out: which triggers and options there are. When a push sets a workflow off is
//! decided in [`crate::pushed`].

use super::cron::Cron;
use super::plan::{Input, InputKind};
use super::read::Reader;
use super::yaml::{Kind, Node};

/// Triggers that the sandbox carries out.
const CARRIED_OUT: [&str; 3] = ["push", "schedule", "workflow_dispatch"];
/// Triggers of GitHub that never happen here.
const ELSEWHERE: [&str; 31] = [
    "branch_protection_rule",
    "check_run",
    "check_suite",
    "create",
    "delete",
    "deployment",
    "deployment_status",
    "discussion",
    "discussion_comment",
    "fork",
    "gollum",
    "image_version",
    "issue_comment",
    "issues",
    "label",
    "merge_group",
    "milestone",
    "page_build",
    "project",
    "public",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "pull_request_target",
    "registry_package",
    "release",
    "repository_dispatch",
    "status",
    "watch",
    "workflow_call",
    "workflow_run",
];

/// Reads `on:`; gives the inputs of `workflow_dispatch`.
pub(super) fn read(reader: &mut Reader, on: &Node) -> Vec<Input> {
    let mut inputs = Vec::new();
    match &on.kind {
        Kind::Text(name) => event(reader, name, on.line),
        Kind::List(names) => {
            for name in names {
                event(reader, &name.scalar().unwrap_or_default(), name.line);
            }
        }
        Kind::Map(entries) => {
            for entry in entries {
                event(reader, &entry.key, entry.line);
                match entry.key.as_str() {
                    "push" => push(reader, &entry.value),
                    "schedule" => crons(reader, &entry.value),
                    "workflow_dispatch" => inputs = dispatch(reader, &entry.value),
                    _ => {}
                }
            }
        }
        _ => reader.trouble(on.line, format!("`on` is {}", on.described())),
    }
    inputs
}

fn event(reader: &mut Reader, name: &str, line: u64) {
    if !CARRIED_OUT.contains(&name) && !ELSEWHERE.contains(&name) {
        reader.trouble(line, format!("there is no trigger {name:?}"));
    }
}

fn push(reader: &mut Reader, node: &Node) {
    if matches!(node.kind, Kind::Null) {
        return;
    }
    let known = ["branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore"];
    reader.only(node, "on.push", &known);
    for pair in known.chunks(2) {
        if let (Some(_), Some(ignored)) = (node.get(pair[0]), node.get(pair[1])) {
            reader.trouble(ignored.line, format!("on.push has {:?} and {:?}", pair[0], pair[1]));
        }
    }
}

fn crons(reader: &mut Reader, node: &Node) {
    let Kind::List(items) = &node.kind else {
        reader.trouble(node.line, format!("on.schedule is {}, not a list", node.described()));
        return;
    };
    for item in items {
        reader.only(item, "on.schedule", &["cron"]);
        if let Err(message) = Cron::parse(&item.get("cron").and_then(Node::scalar).unwrap_or_default()) {
            reader.trouble(item.line, message);
        }
    }
}

fn dispatch(reader: &mut Reader, node: &Node) -> Vec<Input> {
    if matches!(node.kind, Kind::Null) {
        return Vec::new();
    }
    reader.only(node, "on.workflow_dispatch", &["inputs"]);
    let inputs = node.get("inputs").map(Node::entries).unwrap_or_default();
    inputs.iter().map(|entry| input(reader, &entry.key, &entry.value)).collect()
}

fn input(reader: &mut Reader, name: &str, node: &Node) -> Input {
    if !matches!(node.kind, Kind::Null) {
        let known = ["description", "required", "default", "type", "options", "deprecationMessage"];
        reader.only(node, &format!("the input {name:?}"), &known);
    }
    let options = || match node.get("options").map(|options| &options.kind) {
        Some(Kind::List(options)) => options.iter().filter_map(Node::scalar).collect(),
        _ => Vec::new(),
    };
    let kind = match node.get("type").and_then(Node::scalar).as_deref() {
        None | Some("string") => InputKind::Text,
        Some("boolean") => InputKind::Boolean,
        Some("number") => InputKind::Number,
        Some("choice") => InputKind::Choice(options()),
        Some(other) => {
            reader.trouble(node.line, format!("the sandbox has no inputs of the type {other:?}"));
            InputKind::Text
        }
    };
    Input {
        name: name.to_owned(),
        kind,
        required: node.get("required").is_some_and(|required| matches!(required.kind, Kind::Bool(true))),
        default: node.get("default").and_then(Node::scalar),
    }
}
