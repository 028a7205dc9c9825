//! Changes of master that cannot be: each says why and what to do, and changes nothing.

use insta::assert_snapshot;
use standin_sandbox::{ActionsPermissions, Effect, Fault, FaultMatcher, Level, TokenSpec};
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, STANDBY, refs, settings};
use standin_tests::stage::{SECOND, Stage, at, fence, run, workflow};

fn stage() -> Stage {
    Stage::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// Everything that a refused change must leave as it is.
fn everything(stage: &Stage) -> impl PartialEq + std::fmt::Debug {
    let places = [stage.primary(), stage.standby(), stage.archive()];
    let fences = places.clone().map(|path| fence(&path));
    (places.map(|path| refs(&path)), fences, [OWNER, BACKUP].map(|owner| (stage.states(owner), stage.role(owner))))
}

/// Runs what must be refused with this exit status, as the snapshot says, and change nothing.
fn refuse(stage: &Stage, machine: &Machine, code: i32, arguments: &[&str], snapshot: &str) {
    let before = everything(stage);
    let refused = run(machine, code, arguments);
    settings().bind(|| assert_snapshot!(snapshot, refused.all()));
    assert_eq!(everything(stage), before, "{snapshot} changed something");
}

#[test]
fn what_makes_no_sense_is_refused_by_its_words() {
    let stage = stage();
    let refuse = |code, arguments: &[&str], snapshot| refuse(&stage, &stage.machine, code, arguments, snapshot);
    refuse(2, &["promote", "mirror-2", "--yes"], "promote_a_git_mirror");
    refuse(2, &["promote", "source", "--yes"], "promote_the_source");
    refuse(2, &["promote", "mirror-9", "--yes"], "promote_nobody");
    refuse(2, &["demote", STANDBY, "--yes"], "demote_a_slave");
    refuse(2, &["demote", "source", "--yes"], "demote_the_source");
    refuse(2, &["promote", STANDBY, "--resume"], "nothing_to_resume");
    refuse(2, &["promote", STANDBY, "--rollback"], "nothing_to_roll_back");
    refuse(3, &["promote", STANDBY], "promote_without_a_yes");
    stage.promote();
    refuse(2, &["promote", STANDBY, "--yes"], "promote_the_master");
    stage.check(&stage.machine, at(BACKUP, 2));
}

#[test]
fn a_standby_that_was_never_synced_cannot_take_over() {
    let stage = Stage::unsynced(env!("CARGO_BIN_EXE_standin-under-test"));
    refuse(&stage, &stage.machine, 2, &["promote", STANDBY, "--yes"], "promote_a_stranger");
}

#[test]
fn switched_off_means_switched_off() {
    let mut stage = stage();
    stage.world.set("MIRROR_ENABLED", Some("false"));
    refuse(&stage, &stage.machine, 2, &["promote", STANDBY, "--yes"], "promote_while_switched_off");
    stage.world.set("MIRROR_ENABLED", Some("true"));
    stage.world.set("MIRROR_1_ENABLED", Some("false"));
    refuse(&stage, &stage.machine, 2, &["promote", STANDBY, "--yes"], "promote_a_mirror_switched_off");
}

#[test]
fn a_source_that_is_a_folder_has_no_role() {
    let mut stage = stage();
    stage.world.set("MIRROR_SOURCE", Some("."));
    let config = stage.folder().join("empty.toml");
    std::fs::write(&config, "").unwrap();
    let machine = stage.machine.with("STANDIN_CONFIG", config.display().to_string());
    refuse(&stage, &machine, 2, &["promote", STANDBY, "--yes"], "promote_for_a_folder");
}

#[test]
fn a_repository_that_was_archived_renamed_or_deleted_is_no_part_of_a_change() {
    let stage = stage();
    for owner in [BACKUP, OWNER] {
        stage.sandbox.set_archived(owner, NAME, true);
        refuse(&stage, &stage.machine, 1, &["promote", STANDBY, "--yes"], &format!("archived_{owner}"));
        stage.sandbox.set_archived(owner, NAME, false);
        stage.sandbox.rename_repository(owner, NAME, "elsewhere");
        let refused = stage.machine.standin(&["promote", STANDBY, "--yes"]);
        stage.sandbox.rename_repository(owner, "elsewhere", NAME);
        assert_ne!(refused.code(), 0, "renamed {owner}: {}", refused.all());
        settings().bind(|| assert_snapshot!(format!("renamed_{owner}"), refused.all()));
        stage.check(&stage.machine, at(OWNER, 1));
    }
    stage.sandbox.delete_repository(BACKUP, NAME);
    let refused = run(&stage.machine, 1, &["promote", STANDBY, "--yes"]);
    settings().bind(|| assert_snapshot!("deleted_standby", refused.all()));
    assert!(fence(&stage.primary()).is_none_or(|fence| fence["open_change"].is_null()), "the primary knows of nothing");
    assert_eq!(stage.states(OWNER)["cron"], "active");
}

#[test]
fn a_token_without_rights_is_found_before_the_first_change() {
    let mut stage = stage();
    let spec = |permissions: &[(&str, Level)]| TokenSpec::fine_grained(BACKUP, &[NAME], permissions);
    let read_only = stage.sandbox.create_token(BACKUP, spec(&[("contents", Level::Read), ("metadata", Level::Read)]));
    let good = stage.token.clone();
    stage.world.set("MIRROR_1_TOKEN", Some(&read_only));
    refuse(&stage, &stage.machine, 1, &["promote", STANDBY, "--yes"], "token_reads_only");
    let no_variables = stage.sandbox.create_token(
        BACKUP,
        spec(&[
            ("contents", Level::Write),
            ("metadata", Level::Read),
            ("actions", Level::Write),
            ("workflows", Level::Write),
            ("secrets", Level::Write),
        ]),
    );
    stage.world.set("MIRROR_1_TOKEN", Some(&no_variables));
    refuse(&stage, &stage.machine, 1, &["promote", STANDBY, "--yes"], "token_without_variables");
    let source = stage.source_token.clone();
    stage.world.set("MIRROR_1_TOKEN", Some(&good));
    let reads_source = stage.sandbox.create_token(
        OWNER,
        TokenSpec::fine_grained(
            OWNER,
            &[NAME],
            &[
                ("contents", Level::Read),
                ("metadata", Level::Read),
                ("actions", Level::Read),
                ("variables", Level::Read),
            ],
        ),
    );
    stage.world.set("MIRROR_SOURCE_TOKEN", Some(&reads_source));
    refuse(&stage, &stage.machine, 1, &["promote", STANDBY, "--yes"], "source_token_reads_only");
    stage.world.set("MIRROR_SOURCE_TOKEN", Some(&source));
    stage.promote();
    stage.check(&stage.machine, at(BACKUP, 2));
}

#[test]
fn a_refusal_in_the_middle_takes_everything_back() {
    let stage = stage();
    for (what, method, owner, path) in [
        ("hold", "PUT", OWNER, "actions/workflows/*/disable"),
        ("enable", "PUT", BACKUP, "actions/workflows/*/enable"),
        ("role", "PATCH", BACKUP, "actions/variables/MIRROR_ROLE"),
    ] {
        let epoch = fence(&stage.standby()).unwrap()["epoch"].as_u64().unwrap();
        let matcher = FaultMatcher::rest(method, &format!("/repos/{owner}/{NAME}/{path}"));
        let fault = stage.sandbox.add_fault(Fault::once(matcher, Effect::Status { status: 403, retry_after: None }));
        let ran = stage.machine.standin(&["promote", STANDBY, "--yes"]);
        assert_eq!((ran.code(), stage.sandbox.fault_hits(fault)), (1, 1), "{what}: {}", ran.all());
        assert!(ran.all().contains("taken back"), "{what}: {}", ran.all());
        let after = if what == "hold" { epoch } else { epoch + 2 };
        stage.check(&stage.machine, at(OWNER, after));
        stage.sync(0);
        stage.check(&stage.machine, at(OWNER, after));
    }
}

#[test]
fn a_standby_with_actions_off_or_without_a_workflow_says_so_first() {
    let stage = stage();
    let was = stage.sandbox.actions_permissions(BACKUP, NAME).unwrap();
    stage.sandbox.set_actions_permissions(BACKUP, NAME, ActionsPermissions { enabled: false, ..was.clone() });
    let plan = stage.run(0, &["promote", STANDBY, "--dry-run"]);
    assert!(plan.stdout.contains("Actions are switched off on"), "{}", plan.all());
    stage.sandbox.set_actions_permissions(BACKUP, NAME, was);
    stage.sandbox.remove_secret(BACKUP, NAME, "DATABASE_URL");
    stage.commit_on(OWNER, "main", &workflow("brand-new"));
    let plan = stage.machine.json(&["promote", STANDBY, "--dry-run"]);
    assert_eq!(plan["missing_workflows"], serde_json::json!([workflow("brand-new")]), "{plan}");
    let ran = stage.promote();
    assert!(stage.sandbox.secret_value(BACKUP, NAME, "DATABASE_URL").is_some(), "{}", ran.all());
    assert_eq!(stage.states(BACKUP)["brand-new"], "active", "{}", ran.all());
}

#[test]
fn another_standby_waits_until_the_first_has_handed_back() {
    let mut stage = stage();
    stage.add_second();
    stage.promote();
    refuse(&stage, &stage.machine, 2, &["promote", SECOND, "--yes"], "promote_beside_a_master");
    stage.demote();
    stage.run(0, &["promote", SECOND, "--yes"]);
    assert_eq!(fence(&stage.standby()).unwrap()["epoch"], 4);
}
