//! What of the program's words is different each time, so that the rest can be kept as snapshots.

use insta::Settings;

use super::Machine;

/// Snapshots with times, ids, paths and the like replaced by their names.
pub fn settings() -> Settings {
    let mut settings = Settings::clone_current();
    for (what, name) in [
        (r"/[^\s`]*/sw-[A-Za-z0-9]+", "[world]"),
        (r"\b[0-9a-f]{11}-[0-9a-f]{8}\b", "[run]"),
        (r"\b[0-9a-f]{40}\b", "[commit]"),
        (r"\b[0-9a-f]{12}\b", "[short]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"(just now|\d+ (second|minute)s? ago) *", "[ago] "),
        (r" +\d+\.\d s ", " [took] "),
        (r"cost      .*", "cost      [cost]"),
        (r"ada@[^\s,]+", "ada@[host]"),
        (r"pid \d+", "pid [pid]"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:[port]"),
    ] {
        settings.add_filter(what, name);
    }
    settings
}

/// The history and the audit trail of a machine in a few words a line, oldest first.
pub fn chronicle(machine: &Machine) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let entries = |arguments: &[&str]| {
        let mut list = machine.json(arguments).as_array().unwrap().clone();
        list.reverse();
        list
    };
    let mut lines = Vec::new();
    for run in entries(&["history", "--limit", "100"]) {
        lines.push(format!("run {} {} {}", text(&run["mirror"]), text(&run["status"]), text(&run["error"]["code"])));
    }
    for entry in entries(&["history", "--audit", "--limit", "100"]) {
        let [action, mirror, outcome] = ["action", "mirror", "outcome"].map(|field| text(&entry[field]));
        lines.push(format!("audit {action} {mirror}: {outcome}"));
    }
    lines.sort();
    lines
}
