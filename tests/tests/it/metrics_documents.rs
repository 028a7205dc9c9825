//! What is written about metrics is so: the table, the alert rules and the dashboard name what is served, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use standin_core::metrics::{Kind, METRICS, Metric};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("docs/{name}: {error}"))
}

fn served() -> BTreeSet<String> {
    METRICS.iter().map(Metric::name).collect()
}

/// Names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    words.filter(|word| word.starts_with("standin_")).map(str::to_owned).collect()
}

#[test]
fn the_table_has_a_row_for_each_metric_with_its_type_unit_and_labels() {
    let document = read("operations.md");
    let rows = document.lines().filter(|line| line.starts_with("| `standin_"));
    let rows: Vec<Vec<String>> =
        rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect()).collect();
    let described: Vec<Vec<String>> = METRICS
        .iter()
        .map(|metric| {
            let name = metric.name();
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            let unit = metric.unit.as_ref().map_or("", |unit| unit.as_str());
            let unit = if name.contains("_bytes_") { "bytes" } else { unit };
            assert_eq!(unit == "seconds", name.ends_with("_seconds"), "{name}");
            vec![name, kind.to_owned(), unit.to_owned(), metric.labels.join(", ")]
        })
        .collect();
    let told: Vec<Vec<String>> = rows.iter().map(|row| row[..4].to_vec()).collect();
    assert_eq!(told, described);
    for row in &rows {
        assert!(row.len() == 5 && row[4].len() > 5, "{row:?} says what it is");
    }
    let known = served();
    let elsewhere: Vec<String> = named(&document).into_iter().filter(|name| !known.contains(name)).collect();
    assert!(elsewhere.is_empty(), "docs/operations.md speaks of {elsewhere:?}");
}

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(path("prometheus"))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("promtool, of the package prometheus: {error}"));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
}

#[test]
fn alert_rules_are_rules_and_fire_where_they_should() {
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
    let (rules, tests) = (read("prometheus/alerts.yml"), read("prometheus/alerts_test.yml"));
    let names: BTreeSet<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::trim).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        // Each is tried where it must be silent or where it must fire; at least once it fires.
        let fires = format!("alertname: {name}\n        exp_alerts:\n");
        assert!(tests.contains(&fires), "no test makes {name} fire");
    }
}

#[test]
fn alert_rules_and_dashboard_name_only_what_is_served() {
    let known = served();
    for name in ["prometheus/alerts.yml", "prometheus/alerts_test.yml", "prometheus/grafana.json"] {
        let found = named(&read(name));
        assert!(found.len() > 8, "docs/{name} names only {found:?}: the check is blind");
        let unknown: Vec<&String> = found.difference(&known).collect();
        assert!(unknown.is_empty(), "docs/{name} names {unknown:?}");
    }
}

/// The queries of the dashboard.
pub(crate) fn dashboard_queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("prometheus/grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_dashboard_can_be_imported_anywhere() {
    let dashboard: Value = serde_json::from_str(&read("prometheus/grafana.json")).unwrap();
    assert_eq!((&dashboard["title"], &dashboard["uid"]), (&Value::from("Standin"), &Value::from("standin")));
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 36));
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "job", "repository"]);
    assert_eq!((&variables[0]["type"], &variables[0]["query"]), (&"datasource".into(), &"prometheus".into()));
    let panels = dashboard["panels"].as_array().unwrap();
    let mut places = BTreeMap::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{title} is within the page");
        for y in place("y")..place("y") + place("h") {
            for x in place("x")..place("x") + place("w") {
                let other = places.insert((x, y), title);
                assert_eq!(other, None, "{title} lies over another");
            }
        }
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            let query = target["expr"].as_str().unwrap();
            let used = query.split('$').skip(1).map(|rest| {
                let end = rest.find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
                &rest[..end.unwrap_or(rest.len())]
            });
            for variable in used {
                assert!(names.contains(&variable) || variable == "__rate_interval", "{title} asks for ${variable}");
            }
        }
    }
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each panel has an id of its own");
    let table = panels.iter().find(|panel| panel["type"] == "table").unwrap();
    assert_eq!(table["title"], "Standbys");
    assert!(dashboard_queries().len() > 20);
}
