use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};
use standin_state::model::{MirrorId, RunStatus, Trigger};
use standin_state::store::RunCount;

use super::*;
use crate::metrics::{MirrorFacts, PlaceFacts, RepositoryFacts};

/// As somebody reads it: what of the page does not speak of how something stands.
const EXAMPLE: &str = include_str!("page_example.txt");

fn aspect(status: &str, synced: Option<&str>) -> Json {
    json!({ "status": status, "last_sync_iso": synced, "detail": "CANARY-detail", "error": "CANARY-error" })
}

fn standing(word: &str) -> Json {
    json!({ "word": word, "tone": "ok", "label": "CANARY-label", "reason": "CANARY-reason", "since_iso": null, "actions": [] })
}

fn mirror(id: &str, change: impl FnOnce(&mut Json)) -> Json {
    let synced = Some("2026-03-01T11:00:00.25Z");
    let mut mirror = json!({
        "id": id, "repo": "https://CANARY-host/path", "type": "github", "role": "SLAVE", "enabled": true,
        "standing": standing("in_step"), "status": "success", "code": aspect("ok", synced), "secrets": aspect("ok", synced),
        "variables": aspect("skipped", None), "workflows": aspect("unknown", None), "health": "ok",
        "last_health_check_iso": null, "next_sync_iso": "2026-03-01T12:00:00Z",
    });
    change(&mut mirror);
    mirror
}

fn known(mirrors: &[Json], verdict: Option<&str>) -> RepositoryFacts {
    let health = verdict.map(|verdict| {
        json!({
            "place": "source", "repo": "CANARY/master", "verdict": verdict, "health": "ok", "detail": "CANARY", "hint": "CANARY",
            "since_iso": "2026-03-01T00:00:00Z", "last_health_check_iso": "2026-03-01T11:55:00Z",
        })
    });
    let report = json!({
        "repository": "site", "enabled": true, "standing": standing("in_step"), "self_role": "MASTER", "master": "CANARY/master",
        "epoch": 1, "last_full_sync_iso": null, "open_change": null, "master_health": health, "mirrors": mirrors,
    });
    let report = serde_json::from_value(report).unwrap();
    RepositoryFacts { report, token_ends: None, mirrors: BTreeMap::new() }
}

fn count(mirror: &str, trigger: Trigger, status: RunStatus, runs: u64) -> RunCount {
    RunCount {
        repository: "site".parse().unwrap(),
        mirror: mirror.parse().unwrap(),
        trigger,
        status,
        runs,
        api_requests: 10 * runs,
        bytes_sent: 1000 * runs,
        bytes_received: 100 * runs,
    }
}

/// Something of everything.
fn full() -> Facts {
    let backup = mirror("backup", |mirror| {
        mirror["code"]["behind"] = json!(3);
        mirror["secrets"]["status"] = json!("blocked");
        mirror["standing"] = standing("waits");
    });
    let mut one = known(&[backup], Some("well"));
    one.token_ends = Some("2026-06-01T00:00:00Z".parse().unwrap());
    let facts = MirrorFacts {
        interval: Some(Duration::from_secs(900)),
        failures: 2,
        token_ends: Some("2026-05-01T00:00:00Z".parse().unwrap()),
        runs: vec![
            count("backup", Trigger::Hook, RunStatus::Failed, 1),
            count("backup", Trigger::Schedule, RunStatus::Success, 40),
        ],
    };
    one.mirrors.insert("backup".parse().unwrap(), facts);
    Facts {
        version: "1.2.3",
        is_kept: true,
        is_paused: false,
        queued: 1,
        places: vec![PlaceFacts { name: "phone".to_owned(), waiting: 4, is_failing: true }],
        repositories: vec![one],
    }
}

fn rendered(facts: Facts, form: Form) -> String {
    page(&Arc::new(facts), form).unwrap()
}

/// The samples: what stands before the number, and the number.
fn samples(page: &str) -> BTreeMap<String, String> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(what, number)| (what.to_owned(), number.to_owned()))
        .collect()
}

#[test]
fn the_page_is_as_the_example_has_it() {
    let page = rendered(full(), Form::OpenMetrics);
    let stands = |line: &&str| line.contains("standing{") && line.ends_with(" 0");
    let shown: Vec<&str> = page.lines().filter(|line| !stands(line)).collect();
    assert_eq!(shown.join("\n") + "\n", EXAMPLE);
    assert!(page.ends_with("\n# EOF\n"));
    assert!(!page.contains("CANARY"), "{page}");
}

#[test]
fn every_metric_is_on_it_with_its_labels_under_its_name() {
    for form in [Form::OpenMetrics, Form::Text] {
        let page = rendered(full(), form);
        let mut names = BTreeSet::new();
        for what in samples(&page).keys() {
            let (name, labels) = what.split_once('{').unwrap_or((what, ""));
            let labels: Vec<&str> = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0)).collect();
            let metric = METRICS.iter().find(|metric| metric.name() == name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(labels, metric.labels, "{name}");
            names.insert(name.to_owned());
        }
        assert_eq!(names, METRICS.iter().map(Metric::name).collect(), "{form:?}");
    }
}

#[test]
fn both_forms_say_the_same() {
    assert_eq!(samples(&rendered(full(), Form::OpenMetrics)), samples(&rendered(full(), Form::Text)));
    for (accept, form) in [
        (None, Form::OpenMetrics),
        (Some("*/*"), Form::OpenMetrics),
        (Some("text/html,*/*;q=0.8"), Form::OpenMetrics),
        (
            Some("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
            Form::OpenMetrics,
        ),
        (Some("text/plain;version=0.0.4;q=1,*/*;q=0.1"), Form::Text),
        (Some("TEXT/PLAIN"), Form::Text),
        (Some("text/plainer"), Form::OpenMetrics),
        (Some(""), Form::OpenMetrics),
    ] {
        assert_eq!(Form::accepted(accept), form, "{accept:?}");
    }
}

#[test]
fn what_nobody_knows_has_no_line_and_makes_no_alarm() {
    let idle = samples(&rendered(Facts { version: "1", ..Facts::default() }, Form::OpenMetrics));
    let told: Vec<&str> = idle.keys().map(String::as_str).collect();
    assert_eq!(
        told,
        [
            "standin_build_info{version=\"1\"}",
            "standin_queue_waiting",
            "standin_schedule_kept",
            "standin_schedule_paused"
        ]
    );
    let never = mirror("new", |mirror| {
        mirror["code"] = aspect("unknown", None);
        mirror["secrets"] = aspect("skipped", None);
        mirror["next_sync_iso"] = Json::Null;
        mirror["standing"] = standing("never_synced");
    });
    let facts = Facts { repositories: vec![known(&[never], Some("unknown"))], ..Facts::default() };
    let told = samples(&rendered(facts, Form::OpenMetrics));
    let names: BTreeSet<&str> = told.keys().filter_map(|what| Some(what.split_once('{')?.0)).collect();
    for absent in
        ["last_success_timestamp_seconds", "next_sync_timestamp_seconds", "sync_interval_seconds", "commits_behind"]
    {
        assert!(!names.contains(format!("standin_{absent}").as_str()), "{absent}: {told:?}");
    }
    assert!(!names.contains("standin_master_healthy"), "nobody can tell");
    assert!(names.contains("standin_master_looked_timestamp_seconds"));
    let of = |word: &str| {
        told[&format!("standin_standing{{repository=\"site\",mirror=\"new\",standing=\"{word}\"}}")].clone()
    };
    assert_eq!((of("never_synced").as_str(), of("in_step").as_str()), ("1", "0"));
    for (name, number) in [("consecutive_failures", "0"), ("decisions_waiting", "0"), ("bytes_sent_total", "0")] {
        assert_eq!(told[&format!("standin_{name}{{repository=\"site\",mirror=\"new\"}}")], number, "{name}");
    }
}

#[test]
fn a_master_is_well_or_it_is_not() {
    for (verdict, number) in [("well", "1"), ("down", "0"), ("gone", "0")] {
        let facts = Facts { repositories: vec![known(&[], Some(verdict))], ..Facts::default() };
        let told = samples(&rendered(facts, Form::OpenMetrics));
        assert_eq!(told["standin_master_healthy{repository=\"site\"}"], number, "{verdict}");
    }
}

#[test]
fn decisions_are_counted_by_aspect_and_one_for_a_run_that_waits_as_a_whole() {
    let waits = json!({ "code": "guard_held", "message": "CANARY", "hint": "", "retryable": false });
    let decisions = |change: &dyn Fn(&mut Json)| {
        let facts = Facts { repositories: vec![known(&[mirror("m", change)], None)], ..Facts::default() };
        samples(&rendered(facts, Form::OpenMetrics))["standin_decisions_waiting{repository=\"site\",mirror=\"m\"}"]
            .clone()
    };
    assert_eq!(decisions(&|_| {}), "0");
    assert_eq!(decisions(&|mirror| mirror["error"] = waits.clone()), "1");
    let both = |mirror: &mut Json| {
        mirror["error"] = waits.clone();
        mirror["code"]["status"] = json!("blocked");
        mirror["secrets"]["status"] = json!("blocked");
    };
    assert_eq!(decisions(&both), "2");
    let off = |mirror: &mut Json| {
        both(mirror);
        mirror["enabled"] = json!(false);
    };
    assert_eq!(decisions(&off), "0", "what is switched off waits for nobody");
}

#[test]
fn the_token_of_a_source_is_told_once_while_another_is_master() {
    let end = |seconds| Some(Timestamp::from_second(seconds).unwrap());
    let of = |mirrors: &[&str]| {
        let reports: Vec<Json> = mirrors.iter().map(|id| mirror(id, |_| {})).collect();
        let mut one = known(&reports, None);
        one.token_ends = end(1);
        for (number, id) in (2..).zip(mirrors) {
            let facts = MirrorFacts { token_ends: end(number), ..MirrorFacts::default() };
            one.mirrors.insert(id.parse::<MirrorId>().unwrap(), facts);
        }
        let told = samples(&rendered(Facts { repositories: vec![one], ..Facts::default() }, Form::OpenMetrics));
        let of = |mirror: &str| {
            told.get(&format!("standin_token_expires_timestamp_seconds{{repository=\"site\",mirror=\"{mirror}\"}}"))
                .cloned()
        };
        (of("source"), of("b"))
    };
    let text = |number: &str| Some(number.to_owned());
    assert_eq!(of(&["b"]), (text("1.0"), text("2.0")));
    assert_eq!(of(&["source", "b"]), (text("2.0"), text("3.0")));
}

#[test]
fn the_largest_numbers_are_written() {
    let mut facts = full();
    facts.queued = u64::MAX;
    let mirror = facts.repositories[0].mirrors.values_mut().next().unwrap();
    mirror.runs.iter_mut().for_each(|count| count.bytes_sent = u64::MAX);
    let told = samples(&rendered(facts, Form::OpenMetrics));
    assert_eq!(told["standin_queue_waiting"], i64::MAX.to_string());
    let sent = &told["standin_bytes_sent_total{repository=\"site\",mirror=\"backup\"}"];
    assert_eq!(*sent, u64::MAX.to_string());
}
