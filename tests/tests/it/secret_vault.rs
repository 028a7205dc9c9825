//! The vault from the command line, with a real keychain: values arrive byte for byte, are found nowhere else, and none
//! is lost by two who write at once, by a crash, or by a file that was changed.

use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;
use standin_tests::canary::Watch;
use standin_tests::cli::{BACKUP, Machine, NAME, STANDBY, World, refs, settings};
use standin_tests::keyring::in_a_session;

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// A machine in the session that this process runs in.
fn in_session(world: &World) -> Machine {
    world.machine().with("DBUS_SESSION_BUS_ADDRESS", std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap())
}

fn vault(machine: &Machine) -> PathBuf {
    machine.state.join("standin.vault")
}

fn set(machine: &Machine, name: &str, value: &str) {
    let ran = machine.standin_with(&["secret", "set", name], value.as_bytes());
    assert_eq!(ran.code(), 0, "{}", ran.all());
}

/// Name, source, whether it is in the vault, whether it travels.
fn list(machine: &Machine) -> Vec<String> {
    let places = machine.json(&["secret", "list"]);
    places
        .as_array()
        .unwrap()
        .iter()
        .map(|place| format!("{} {} {} {}", place["name"], place["source"], place["in_vault"], place["travels"]))
        .collect()
}

/// A text that is found nowhere by chance.
fn canary() -> String {
    format!("canary-vault-{:032x}", rand::random::<u128>())
}

#[test]
fn values_of_the_vault_arrive_byte_for_byte_and_are_found_nowhere_else() {
    in_a_session(module_path!(), "arrive", &["all"]);
}

#[test]
#[ignore = "started by the test above in a session with a keychain"]
fn arrive() {
    let mut world = world();
    world.set("MIRROR_SECRETS", Some("RESEND_API_KEY,vault_*,DATABASE_URL,Lower"));
    let mut machine = in_session(&world).with("STANDIN_LOG", "trace");
    let values: Vec<(&str, String)> = vec![
        ("VAULT_PLAIN", canary()),
        ("VAULT_ODD", format!("{}'\"$x\\ #\r\n\n", canary())),
        ("LOWER", canary()),
        ("NOT_LISTED", canary()),
        ("RESEND_API_KEY", canary()),
    ];
    let more: Vec<&str> = values.iter().map(|(_, value)| value.trim_end().split('\'').next().unwrap()).collect();
    let watch = Watch::over(&world, &mut machine, &more);
    for (name, value) in &values {
        let running = machine.start_with(&["secret", "set", name], value.as_bytes());
        let _looking = watch.look(&world, running.id());
        assert_eq!(running.wait().code(), 0);
    }
    assert_eq!(
        list(&machine),
        [
            r#""DATABASE_URL" "env" false true"#,
            r#""Lower" "vault" true true"#,
            r#""NOT_LISTED" null true false"#,
            r#""RESEND_API_KEY" "env" true true"#,
            r#""VAULT_ODD" "vault" true true"#,
            r#""VAULT_PLAIN" "vault" true true"#,
        ]
    );
    settings().bind(|| {
        assert_snapshot!("list", machine.standin(&["secret", "list"]).stdout);
        assert_snapshot!("plan", machine.standin(&["plan", "--mirror", STANDBY, "--only", "secrets"]).stdout);
    });
    let synced = machine.standin(&["sync", "--json"]);
    assert_eq!(synced.code(), 0, "{}", synced.stdout);
    let there = |name: &str| world.sandbox.secret_value(BACKUP, NAME, name);
    for (name, value) in &values[..3] {
        assert_eq!(there(name).as_deref(), Some(value.as_bytes()), "{name}");
    }
    assert_eq!(there("NOT_LISTED"), None);
    assert_eq!(
        there("RESEND_API_KEY"),
        Some(world.secrets["RESEND_API_KEY"].clone().into_bytes()),
        "`.env` comes first"
    );
    settings().bind(|| {
        assert_snapshot!("plan_in_step", machine.standin(&["plan", "--mirror", STANDBY, "--only", "secrets"]).stdout);
    });

    let removed = machine.standin(&["secret", "remove", "vault_plain"]);
    assert_eq!(removed.code(), 0, "{}", removed.all());
    assert!(!list(&machine).iter().any(|line| line.contains("VAULT_PLAIN")));
    assert!(machine.standin(&["secret", "remove", "VAULT_PLAIN"]).stdout.contains("has no"));
    for arguments in [&["history", "--audit"][..], &["history", "--json"], &["status", "--json"], &["health"]] {
        assert_eq!(machine.standin(arguments).code(), 0, "{arguments:?}");
    }
    let findings = watch.findings(&world);
    assert!(findings.is_empty(), "values are in:\n{}", findings.join("\n"));
}

#[test]
fn without_a_list_a_value_of_the_vault_needs_one_yes() {
    in_a_session(module_path!(), "needs_yes", &["all"]);
}

#[test]
#[ignore = "started by the test above in a session with a keychain"]
fn needs_yes() {
    let mut world = world();
    world.set("MIRROR_SECRETS", None);
    for name in ["RESEND_API_KEY", "TWILIO_AUTH_TOKEN", "DATABASE_URL"] {
        world.secrets.remove(name);
    }
    world.write_env();
    let machine = in_session(&world);
    set(&machine, "FROM_VAULT", "value");
    let waits = machine.standin(&["sync", "--mirror", STANDBY, "--secrets-only"]);
    assert_eq!(waits.code(), 3, "{}", waits.all());
    assert_eq!(world.sandbox.secret_value(BACKUP, NAME, "FROM_VAULT"), None);
    let yes = machine.standin(&["sync", "--mirror", STANDBY, "--secrets-only", "--yes"]);
    assert_eq!(yes.code(), 0, "{}", yes.all());
    assert_eq!(world.sandbox.secret_value(BACKUP, NAME, "FROM_VAULT").as_deref(), Some(b"value".as_slice()));
}

#[test]
fn processes_that_write_at_once_lose_nothing() {
    in_a_session(module_path!(), "at_once", &["all"]);
}

#[test]
#[ignore = "started by the test above in a session with a keychain"]
fn at_once() {
    let mut world = world();
    world.set("MIRROR_SECRETS", Some("NAME_*"));
    let machine = in_session(&world);
    let names: Vec<String> = (0..8).map(|number| format!("NAME_{number}")).collect();
    let running: Vec<_> =
        names.iter().map(|name| machine.start_with(&["secret", "set", name], name.as_bytes())).collect();
    for running in running {
        assert_eq!(running.wait().code(), 0);
    }
    let synced = machine.standin(&["sync", "--mirror", STANDBY, "--secrets-only"]);
    assert_eq!(synced.code(), 0, "{}", synced.all());
    for name in &names {
        assert_eq!(world.sandbox.secret_value(BACKUP, NAME, name).as_deref(), Some(name.as_bytes()));
    }
}

#[test]
fn a_crash_while_a_value_is_kept_leaves_the_old_vault_or_the_new() {
    in_a_session(module_path!(), "crashes", &["all"]);
}

#[test]
#[ignore = "started by the test above in a session with a keychain"]
fn crashes() {
    let mut world = world();
    world.set("MIRROR_SECRETS", Some("OLD,NEW"));
    let machine = in_session(&world);
    let log = world.folder().join("points");
    let points_of = |value: &str| -> Vec<String> {
        let logging = machine.with("STANDIN_CRASH_LOG", log.display().to_string());
        assert_eq!(logging.standin_with(&["secret", "set", "NEW"], value.as_bytes()).code(), 0);
        let points = fs::read_to_string(&log).unwrap();
        fs::remove_file(&log).unwrap();
        points.lines().map(str::to_owned).collect()
    };
    let kept = |machine: &Machine, name: &str| {
        let synced = machine.standin(&["sync", "--mirror", STANDBY, "--secrets-only"]);
        assert!([0, 1].contains(&synced.code()), "{}", synced.all());
        world.sandbox.secret_value(BACKUP, NAME, name).map(|value| String::from_utf8(value).unwrap())
    };
    // The first points are those of a vault that is made, with its key; the second ones of a vault that is there.
    let first = points_of("first");
    for wanted in ["vault.key.before#1", "vault.key.after#1", "vault.write.before#1", "vault.write.after#1"] {
        assert!(first.iter().any(|point| point == wanted), "{wanted} in {first:?}");
    }
    set(&machine, "OLD", "old");
    let again = points_of("again");
    let is_about_the_vault = |point: &&String| point.starts_with("vault.") || point.starts_with("files.");
    for (number, point) in again.iter().filter(is_about_the_vault).enumerate() {
        let (before, after) = (format!("before {number}"), format!("after {number}"));
        set(&machine, "NEW", &before);
        let killed = machine.with("STANDIN_CRASH_AT", point).standin_with(&["secret", "set", "NEW"], after.as_bytes());
        assert_eq!(killed.code(), -1, "{point}: {}", killed.all());
        let found = kept(&machine, "NEW").unwrap();
        assert!(found == before || found == after, "{point}: {found}");
        assert_eq!(kept(&machine, "OLD").as_deref(), Some("old"), "{point}");
        set(&machine, "NEW", &after);
        assert_eq!(kept(&machine, "NEW"), Some(after), "{point}: set again");
    }
    for point in first.iter().filter(is_about_the_vault) {
        let fresh = in_session(&world);
        let killed = fresh.with("STANDIN_CRASH_AT", point).standin_with(&["secret", "set", "NEW"], b"x");
        if killed.code() == 0 {
            // The key is there already, so it is not made again.
            assert!(point.starts_with("vault.key."), "{point}");
        }
        set(&fresh, "OLD", point);
        assert_eq!(kept(&fresh, "OLD").as_ref(), Some(point));
    }
}

#[test]
fn a_changed_vault_fails_the_secrets_alone_and_is_left_as_it_is() {
    in_a_session(module_path!(), "tampered", &["all"]);
}

#[test]
#[ignore = "started by the test above in a session with a keychain"]
fn tampered() {
    let mut world = world();
    world.set("MIRROR_SECRETS", Some("IN_VAULT"));
    let machine = in_session(&world);
    set(&machine, "IN_VAULT", "value");
    let good = fs::read(vault(&machine)).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(vault(&machine), &bad).unwrap();
    let synced = machine.standin(&["sync", "--mirror", STANDBY]);
    assert_eq!(synced.code(), 1, "{}", synced.all());
    assert_eq!(refs(&world.standby()), refs(&world.primary()), "code goes on");
    let refused = machine.standin_with(&["secret", "set", "IN_VAULT"], b"other");
    assert_eq!(refused.code(), 1);
    settings().bind(|| {
        assert_snapshot!("tampered_sync", synced.stdout);
        assert_snapshot!("tampered_set", refused.stderr);
    });
    assert_eq!(fs::read(vault(&machine)).unwrap(), bad, "left as it is");
    fs::write(vault(&machine), &good).unwrap();
    let synced = machine.standin(&["sync", "--mirror", STANDBY]);
    assert_eq!(synced.code(), 0, "{}", synced.all());
    assert_eq!(world.sandbox.secret_value(BACKUP, NAME, "IN_VAULT").as_deref(), Some(b"value".as_slice()));
}

#[test]
fn without_a_keychain_nothing_is_written_and_bad_input_is_named() {
    let world = world();
    let machine = world.machine();
    let no_keychain = machine.standin_with(&["secret", "set", "NAME"], b"canary-value");
    assert_eq!(no_keychain.code(), 1);
    assert!(!vault(&machine).exists());
    let large = "x".repeat(48 * 1024 + 1);
    let mut said = vec![no_keychain.stderr];
    for (name, value) in [
        ("NAME", b"".as_slice()),
        ("NAME", b"\xff\xfe"),
        ("NAME", large.as_bytes()),
        ("1NAME", b"x"),
        ("GITHUB_NAME", b"x"),
        ("MIRROR_1_TOKEN", b"x"),
        ("ghp_0123456789abcdefghijABCDEFGHIJ012345", b"x"),
    ] {
        let refused = machine.standin_with(&["secret", "set", name], value);
        assert_eq!(refused.code(), 2, "{}", refused.all());
        assert!(!refused.all().contains("ghp_0123"));
        said.push(refused.stderr);
    }
    settings().bind(|| assert_snapshot!("refused", said.concat()));
}
