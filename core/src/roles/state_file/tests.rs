use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use standin_state::model::RepositoryReport;

use super::{section, with_mirrors};
use crate::Code;

fn changed(text: &str, section: &Value) -> String {
    String::from_utf8(with_mirrors(text.as_bytes(), section).unwrap().expect("it changes")).unwrap()
}

fn small() -> Value {
    json!({"self_role": "MASTER", "slaves": []})
}

#[test]
fn the_section_is_written_as_the_document_is() {
    let with = |text: &str| changed(text, &small());
    assert_eq!(
        with("{\n  \"meta\": {\"a\": 1},\n  \"b\": 2\n}\n"),
        "{\n  \"meta\": {\"a\": 1},\n  \"b\": 2,\n  \"mirrors\": {\n    \"self_role\": \"MASTER\",\n    \"slaves\": []\n  }\n}\n"
    );
    assert_eq!(
        with("{\r\n\t\"a\": 1\r\n}"),
        "{\r\n\t\"a\": 1,\r\n\t\"mirrors\": {\r\n\t\t\"self_role\": \"MASTER\",\r\n\t\t\"slaves\": []\r\n\t}\r\n}"
    );
    assert_eq!(with("{\"a\":1}"), "{\"a\":1,\"mirrors\":{\"self_role\":\"MASTER\",\"slaves\":[]}}");
    assert_eq!(
        with("{\"a\": 1, \"b\": 2}"),
        "{\"a\": 1, \"b\": 2, \"mirrors\": {\"self_role\": \"MASTER\", \"slaves\": []}}"
    );
    assert_eq!(with("{}\n"), "{\n  \"mirrors\": {\n    \"self_role\": \"MASTER\",\n    \"slaves\": []\n  }\n}\n");
    assert_eq!(
        with("\u{feff}{\"mirrors\": null, \"a\" : [1,\n2]}"),
        "\u{feff}{\"mirrors\": {\"self_role\": \"MASTER\", \"slaves\": []}, \"a\" : [1,\n2]}"
    );
}

#[test]
fn a_section_that_stands_there_already_is_no_change() {
    let text = "{ \"mirrors\":{\"slaves\":[ ],\n\"self_role\":\"MASTER\"} , \"a\":1}";
    assert_eq!(with_mirrors(text.as_bytes(), &small()).unwrap(), None);
    let again = changed("{\"a\": 1}", &small());
    assert_eq!(with_mirrors(again.as_bytes(), &small()).unwrap(), None);
}

#[test]
fn a_member_of_that_name_further_inside_or_in_a_text_is_another() {
    let text =
        r#"{"a": {"mirrors": 1, "x": "}\""}, "b": "\"mirrors\": {", "mirr\u006frs": [{"mirrors": 2}], "c": -1.5e3}"#;
    let expected = text.replace("[{\"mirrors\": 2}]", "{\"self_role\": \"MASTER\", \"slaves\": []}");
    assert_eq!(changed(text, &small()), expected);
}

#[test]
fn what_cannot_take_a_section_is_refused_with_the_reason() {
    for (text, why) in [
        ("", "no JSON"),
        ("[1]", "no object"),
        ("\"x\"", "no object"),
        ("{\"a\": 1", "no JSON"),
        ("{\"a\": 1,}", "no JSON"),
        ("{\"a\": 1} x", "no JSON"),
        ("{'a': 1}", "no JSON"),
        ("{\"a\": 1, \"\\u0061\": 2}", "`a` stands in it twice"),
    ] {
        let error = with_mirrors(text.as_bytes(), &small()).unwrap_err();
        assert_eq!(error.code, Code::Usage, "{text}");
        assert!(error.message.contains(why), "{text}: {}", error.message);
    }
    assert!(with_mirrors(b"{\"a\": \"\xff\"}", &small()).unwrap_err().message.contains("no UTF-8"));
}

/// A value with its text, in whatever way somebody may have written it.
fn written() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("-0.5E+7".to_owned()),
        any::<String>().prop_map(|text| json!(text).to_string()),
        Just(r#""\ud83d\ude00\\\"{[,:""#.to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (proptest::collection::vec((inner.clone(), blanks(), blanks()), 0..4), blanks()).prop_map(
                |(items, end)| {
                    let items: Vec<String> =
                        items.into_iter().map(|(item, before, after)| format!("{before}{item}{after}")).collect();
                    format!("[{}{end}]", items.join(","))
                }
            ),
            members(inner, false),
        ]
    })
}

fn blanks() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,3}"
}

/// An object of members with different names; one of them may be `mirrors`.
fn members(value: impl Strategy<Value = String> + Clone + 'static, may_have: bool) -> BoxedStrategy<String> {
    let name = prop_oneof![Just("a".to_owned()), Just("mirrors ".to_owned()), any::<String>()];
    let member = (name, blanks(), blanks(), value.clone(), blanks(), blanks());
    (proptest::collection::vec(member, 0..5), proptest::option::of((0..5_usize, value)), blanks())
        .prop_map(move |(listed, own, end)| {
            let mut names = std::collections::HashSet::from(["mirrors".to_owned()]);
            let mut texts = Vec::new();
            for (name, before, between, value, after, colon) in listed {
                if names.insert(name.clone()) {
                    texts.push(format!("{before}{}{between}:{colon}{value}{after}", json!(name)));
                }
            }
            if let Some((at, value)) = own.filter(|_| may_have) {
                texts.insert(at.min(texts.len()), format!("\"mirrors\": {value}"));
            }
            format!("{{{}{end}}}", texts.join(","))
        })
        .boxed()
}

fn some_section() -> impl Strategy<Value = Value> {
    proptest::collection::vec(("[a-z_]{1,6}", any::<String>(), any::<u32>()), 0..5).prop_map(|fields| {
        let mut section = Map::new();
        for (name, text, number) in fields {
            section.insert(name, json!({"text": text, "list": [number, {}, []]}));
        }
        Value::Object(section)
    })
}

/// How many bytes are the same at the beginning and at the end.
fn same_around(before: &str, after: &str) -> (usize, usize) {
    let head = before.bytes().zip(after.bytes()).take_while(|(one, other)| one == other).count();
    let rest = (before.len() - head).min(after.len() - head);
    let tail = before.bytes().rev().zip(after.bytes().rev()).take(rest).take_while(|(one, other)| one == other).count();
    (head, tail)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_byte_outside_the_member_stays(
        (before, text, after) in (blanks(), members(written().boxed(), true), blanks()),
        bom in any::<bool>(),
        section in some_section(),
    ) {
        let mut whole = String::new();
        write!(whole, "{}{before}{text}{after}", if bom { "\u{feff}" } else { "" }).unwrap();
        let plain = whole.trim_start_matches('\u{feff}');
        let old: Map<String, Value> = serde_json::from_str(plain).unwrap();
        let Some(bytes) = with_mirrors(whole.as_bytes(), &section).unwrap() else {
            prop_assert_eq!(old.get("mirrors"), Some(&section));
            return Ok(());
        };
        let new_text = String::from_utf8(bytes).unwrap();
        let new: Map<String, Value> = serde_json::from_str(new_text.trim_start_matches('\u{feff}')).unwrap();
        prop_assert_eq!(&new["mirrors"], &section);
        for (name, value) in old.iter().filter(|(name, _)| *name != "mirrors") {
            prop_assert_eq!(new.get(name), Some(value));
        }
        prop_assert_eq!(new.len(), old.len() + usize::from(!old.contains_key("mirrors")));

        // What is the same before and behind the change covers all but the member that was there before.
        let (head, tail) = same_around(&whole, &new_text);
        let gone = &whole[head..whole.len() - tail];
        match old.get("mirrors") {
            None => prop_assert_eq!(gone, ""),
            Some(value) => {
                let key = whole.find("\"mirrors\": ").unwrap();
                prop_assert!(head >= key && gone.len() <= whole.len() - key);
                // Every cut of the old member lies within its value.
                let value_at = key + "\"mirrors\": ".len();
                let mut values = serde_json::Deserializer::from_str(&whole[value_at..]).into_iter::<Value>();
                prop_assert_eq!(values.next().unwrap().unwrap(), value.clone());
                let value_end = value_at + values.byte_offset();
                prop_assert!(head + tail >= whole.len() - (value_end - value_at));
                prop_assert_eq!(&new_text[..value_at], &whole[..value_at]);
                prop_assert!(new_text.ends_with(&whole[value_end..]));
            }
        }
        prop_assert_eq!(with_mirrors(new_text.as_bytes(), &section).unwrap(), None);
    }
}

fn report() -> RepositoryReport {
    let aspect = |figure: &str, value: Value| json!({"status": "ok", "last_sync_iso": "2026-02-07T05:00:00Z", figure: value, "detail": "not shown"});
    let standing = json!({
        "word": "in_step", "tone": "ok", "label": "in step", "reason": "", "since_iso": null, "actions": [],
    });
    let mirror = |id: &str, repo: &str, kind: &str, role: Value| {
        json!({
            "id": id, "repo": repo, "type": kind, "role": role, "enabled": true, "standing": standing, "status": "success",
            "code": aspect("last_commit", json!("abc123")),
            "secrets": aspect("synced_count", json!(5)),
            "variables": {"status": "unknown", "last_sync_iso": null},
            "workflows": aspect("detail", json!("1 active")),
            "health": "ok", "last_health_check_iso": "2026-02-07T05:00:00Z", "next_sync_iso": null,
        })
    };
    let whole = json!({
        "repository": "orchestrator", "enabled": true, "standing": standing, "self_role": "MASTER", "master": "me/app", "epoch": 3,
        "last_full_sync_iso": null, "open_change": null,
        "mirrors": [mirror("github-backup", "backup/app", "github", json!("SLAVE")), mirror("archive", "/srv/app.git", "git", Value::Null)],
    });
    serde_json::from_value(whole).unwrap()
}

#[test]
fn the_section_of_the_source_lists_its_mirrors() {
    let section = section(&report(), &"me/app".into(), &"me/app".into());
    assert_eq!(
        section,
        json!({
            "self_role": "MASTER",
            "slaves": [
                {
                    "id": "github-backup", "type": "github", "repo": "backup/app", "role": "SLAVE",
                    "sync": {
                        "code": {"last_sync_iso": "2026-02-07T05:00:00Z", "status": "ok", "last_commit": "abc123"},
                        "secrets": {"last_sync_iso": "2026-02-07T05:00:00Z", "status": "ok", "synced_count": 5},
                        "variables": {"last_sync_iso": null, "status": "unknown"},
                    },
                    "last_health_check_iso": "2026-02-07T05:00:00Z",
                    "health": "ok",
                },
                {
                    "id": "archive", "type": "git", "repo": "/srv/app.git", "role": null,
                    "sync": {
                        "code": {"last_sync_iso": "2026-02-07T05:00:00Z", "status": "ok", "last_commit": "abc123"},
                        "secrets": {"last_sync_iso": "2026-02-07T05:00:00Z", "status": "ok", "synced_count": 5},
                        "variables": {"last_sync_iso": null, "status": "unknown"},
                    },
                    "last_health_check_iso": "2026-02-07T05:00:00Z",
                    "health": "ok",
                },
            ],
        })
    );
}

#[test]
fn the_section_of_a_mirror_that_is_master_lists_the_source() {
    let mut turned = report();
    turned.self_role = standin_state::model::Role::Slave;
    turned.mirrors[0].role = Some(standin_state::model::Role::TemporaryMaster);
    let section = section(&turned, &"Backup/App".into(), &"me/app".into());
    assert_eq!(section["self_role"], "TEMPORARY_MASTER");
    let others: Vec<(&str, &Value)> = section["slaves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|other| (other["repo"].as_str().unwrap(), &other["role"]))
        .collect();
    assert_eq!(others, [("me/app", &json!("SLAVE")), ("/srv/app.git", &Value::Null)]);
}
