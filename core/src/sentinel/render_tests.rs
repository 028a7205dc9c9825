//! What is rendered is one workflow with one script, whatever the values are.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use standin_state::config::{GitHubHost, Heartbeat, SentinelSettings, Target};
use standin_state::model::Aspect;

use super::*;

/// The first rules, as they were rendered; of the script only how it judged.
const OUTDATED: &str = include_str!("fixtures/outdated.yml");

fn repository() -> RepositoryConfig {
    let mirror = standin_state::config::MirrorConfig {
        id: "mirror-1".parse().expect("an id"),
        target: Target::GitHub("ghe.example.com/Backup/Site".parse().expect("a slug")),
        enabled: true,
        sync: Aspect::ALL.iter().copied().collect(),
        rhythm: None,
        token: None,
    };
    RepositoryConfig {
        id: "site".parse().expect("an id"),
        consent: Default::default(),
        mistakes: Vec::new(),
        newer_mistakes: Vec::new(),
        enabled: true,
        source: Source::GitHub("acme/site".parse().expect("a slug")),
        source_token: None,
        clone: None,
        env_file: None,
        secrets: Default::default(),
        variables: Default::default(),
        keep_active: BTreeSet::from(["test.yml".to_owned()]),
        notes: false,
        heartbeat: None,
        sentinel: SentinelSettings::default(),
        mirrors: vec![mirror],
        master: None,
        home: None,
    }
}

fn rendered(repository: &RepositoryConfig) -> Rendered {
    render(&Config::default(), repository).expect("it can be rendered")
}

fn parsed(rendered: &Rendered) -> Value {
    serde_saphyr::from_str(&rendered.text).expect("YAML")
}

fn step(workflow: &Value) -> &Value {
    &workflow["jobs"]["watch"]["steps"][0]
}

#[test]
fn the_values_of_the_configuration_stand_in_it() {
    let mut repository = repository();
    repository.heartbeat = Some(Heartbeat {
        path: "state/current.json".to_owned(),
        field: "meta.updated_at_iso".to_owned(),
        max_age: Duration::from_secs(7200),
    });
    let rendered = rendered(&repository);
    let workflow = parsed(&rendered);
    let env = &step(&workflow)["env"];
    for (name, value) in [
        ("MASTER_SLUG", "acme/site"),
        ("MASTER_API_URL", "https://api.github.com"),
        ("MASTER_SERVER_URL", "https://github.com"),
        ("STANDBY_NAMES", r#"{"backup/site":"ghe.example.com/Backup/Site"}"#),
        ("THRESHOLD", "3"),
        ("INTERVAL", "1800"),
        ("HEARTBEAT_PATH", "state/current.json"),
        ("HEARTBEAT_FIELD", "meta.updated_at_iso"),
        ("HEARTBEAT_MAX_AGE", "7200"),
        ("KEEP_ACTIVE", r#"["test.yml"]"#),
        ("AUTO_DEMOTION", "true"),
        ("GONE_COUNTS", "true"),
        ("WRITE_TO_MASTER", "false"),
    ] {
        assert_eq!(env[name], value, "{name}");
    }
    assert_eq!(workflow["on"]["schedule"][0]["cron"], rendered.cron.as_str());
    assert!(workflow["permissions"].as_object().is_some_and(serde_json::Map::is_empty));
    assert_eq!(workflow["concurrency"], serde_json::json!({"group": "sentinel", "cancel-in-progress": false}));
}

#[test]
fn the_script_is_bash_as_it_stands_here_and_holds_no_expression() {
    let workflow = parsed(&rendered(&repository()));
    assert_eq!(step(&workflow)["shell"], "bash");
    let run = step(&workflow)["run"].as_str().expect("a script");
    assert_eq!(run.trim_end(), format!("set -euo pipefail\n{}", SCRIPT.join("\n").trim_end()));
    assert!(!run.contains("${{"));
    assert!(!rendered(&repository()).text.contains("uses:"));
}

#[test]
fn a_file_says_what_became_of_it() {
    let one = rendered(&repository());
    assert_eq!(compare(&one.text, &one), FileState::Current);
    assert_eq!(compare(&one.text.replace('\n', "\r\n"), &one), FileState::Current);
    let mut other = repository();
    other.sentinel.threshold = 5;
    assert_eq!(compare(&rendered(&other).text, &one), FileState::OtherValues);
    assert_eq!(compare(&one.text.replace("timeout-minutes: 20", "timeout-minutes: 90"), &one), FileState::Edited);
    assert_eq!(compare(&one.text.replace(": version=", ": version=9"), &one), FileState::OtherVersion);
    let template = format!("template={}", &template_hash()[..12]);
    assert_eq!(compare(&one.text.replace(&template, "template=0123456789ab"), &one), FileState::OtherVersion);
    assert_eq!(compare("name: Sentinel\non: push\n", &one), FileState::Foreign);
}

#[test]
fn a_script_that_takes_a_policy_for_a_master_that_is_gone_is_found_whatever_became_of_its_file() {
    let now = rendered(&repository());
    assert_eq!(compare(OUTDATED, &now), FileState::OtherVersion);
    let edited = OUTDATED.replace("timeout-minutes: 20", "timeout-minutes: 90");
    assert_eq!(compare(&edited, &now), FileState::Edited);
    for outdated in [OUTDATED, &edited, &OUTDATED.replace('\n', "\r\n")] {
        assert!(is_overtaken(outdated), "{outdated}");
    }
    let newer = now.text.replace("rules=2", "rules=3");
    for other in [now.text.as_str(), &now.text.replace('\n', "\r\n"), &newer, "name: Sentinel\non: push\n"] {
        assert!(!is_overtaken(other), "{other}");
    }
    assert!(is_overtaken(&now.text.replace("rules=2", "rules=1")));
}

#[test]
fn the_script_speaks_the_same_version_of_the_api_as_all_else() {
    assert!(SCRIPT[0].contains(&format!("\napi_version={}\n", crate::github::API_VERSION)));
}

#[test]
fn schedules_are_odd_and_differ_from_repository_to_repository() {
    let mut seen = BTreeSet::new();
    for number in 0..40 {
        let slug: Slug = format!("acme/site-{number}").parse().expect("a slug");
        for minutes in [5, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720] {
            let cron = cron(&slug, minutes);
            let fields: Vec<&str> = cron.split(' ').collect();
            let times: Vec<u64> = fields[0].split(',').map(|minute| minute.parse().expect("a minute")).collect();
            assert_eq!(times.len() as u64, (60 / minutes).max(1), "{cron}");
            assert!(times.iter().all(|minute| *minute < 60 && minute % 30 != 0), "{cron}");
            if minutes > 60 {
                assert_eq!(fields[1].split(',').count() as u64, 24 * 60 / minutes, "{cron}");
            }
            seen.insert(cron);
        }
    }
    assert!(seen.len() > 150, "only {} schedules", seen.len());
    assert_eq!(cron(&"Acme/Site".parse().expect("a slug"), 30), cron(&"acme/site".parse().expect("a slug"), 30));
}

#[test]
fn what_is_not_on_github_cannot_be_watched() {
    let source = Source::Path("/srv/site".into());
    let error = render(&Config::default(), &RepositoryConfig { source, ..repository() }).expect_err("a folder");
    assert_eq!(error.code, Code::Usage);
}

#[test]
fn the_masters_host_has_its_own_addresses() {
    let source = Source::GitHub("ghe.example.com/acme/site".parse().expect("a slug"));
    let repository = RepositoryConfig { source, ..repository() };
    let env = |config: &Config| {
        let workflow = parsed(&render(config, &repository).expect("rendered"));
        let env = &step(&workflow)["env"];
        ["MASTER_SLUG", "MASTER_PATH", "MASTER_API_URL", "MASTER_SERVER_URL"].map(|name| env[name].clone())
    };
    let usual = ["ghe.example.com/acme/site", "acme/site", "https://ghe.example.com/api/v3", "https://ghe.example.com"];
    assert_eq!(env(&Config::default()), usual);
    let host = GitHubHost {
        name: "ghe.example.com".to_owned(),
        api_url: "https://proxy.example.com/api/".to_owned(),
        server_url: "https://proxy.example.com/git/".to_owned(),
        gh_config_dir: None,
    };
    let config = Config { hosts: vec![host], ..Config::default() };
    assert_eq!(env(&config)[2..], ["https://proxy.example.com/api", "https://proxy.example.com/git"]);
}

proptest! {
    /// Odd values arrive in the script's environment as they are, and nothing else of the workflow changes.
    #[test]
    fn no_value_breaks_out(
        path in r#"([ -~]|[äß€😀\u{2028}\u{feff}]|"|'|: |#|\\|\$\(x\)|`|\{\{cron\}\}|%|\}\}){1,30}"#,
        field in r#"[^\x00-\x1f\x7f-\x9f]{1,20}"#,
    ) {
        prop_assume!(!path.contains("${{") && !field.contains("${{"));
        let mut plain = parsed(&rendered(&repository()));
        let mut repository = repository();
        repository.heartbeat =
            Some(Heartbeat { path: path.clone(), field: field.clone(), max_age: Duration::from_secs(7200) });
        repository.keep_active = BTreeSet::from([path.clone()]);
        let mut odd = parsed(&rendered(&repository));
        let env = step(&odd)["env"].clone();
        prop_assert_eq!(&env["HEARTBEAT_PATH"], path.as_str());
        prop_assert_eq!(&env["HEARTBEAT_FIELD"], field.as_str());
        let kept: Vec<String> = serde_json::from_str(env["KEEP_ACTIVE"].as_str().expect("text")).expect("JSON");
        prop_assert_eq!(kept, vec![path]);
        for workflow in [&mut plain, &mut odd] {
            let env = workflow["jobs"]["watch"]["steps"][0]["env"].as_object_mut().expect("a map");
            for name in ["HEARTBEAT_PATH", "HEARTBEAT_FIELD", "HEARTBEAT_MAX_AGE", "KEEP_ACTIVE"] {
                prop_assert!(env.remove(name).is_some());
            }
        }
        prop_assert_eq!(plain, odd);
    }

    #[test]
    fn what_a_workflow_file_cannot_hold_is_refused(before in ".{0,8}", bad in r"(\$\{\{|[\x00-\x1f\x7f])", after in ".{0,8}") {
        let mut repository = repository();
        repository.heartbeat = Some(Heartbeat {
            path: format!("{before}{bad}{after}"),
            field: "at".to_owned(),
            max_age: Duration::from_secs(7200),
        });
        prop_assert_eq!(render(&Config::default(), &repository).expect_err("refused").code, Code::Configuration);
    }
}
