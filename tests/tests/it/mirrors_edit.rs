//! `standin mirror add`, `edit` and `remove` from the command line: what is written, what is asked first, what is cleaned away.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use standin_sandbox::{RepositorySpec, TokenSpec};
use standin_tests::canary::Watch;
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, Ran, World, refs};
use standin_tests::git::bare;
use standin_tests::keyring::in_a_session;
use standin_tests::local::Local;

/// Whose account the new standby is in.
const SECOND: &str = "ada-second";

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_standin-under-test")
}

fn run(machine: &Machine, arguments: &[&str], code: i32) -> Ran {
    let ran = machine.standin(arguments);
    assert_eq!(ran.code(), code, "standin {arguments:?}: {}", ran.all());
    ran
}

fn toml(world: &World) -> PathBuf {
    world.folder().join("home/.config/standin/standin.toml")
}

fn document(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.all()))
}

#[test]
fn a_standby_is_made_written_kept_in_step_changed_and_taken_out_without_a_trace() {
    in_a_session(module_path!(), "whole_life", &["all"]);
}

#[test]
#[ignore = "started by the test above in a session with a keychain"]
fn whole_life() {
    let world = World::new(program());
    world.sandbox.create_account(SECOND);
    let token = world.sandbox.create_token(SECOND, TokenSpec::classic(&["repo", "workflow"]));
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap();
    let mut machine = world.machine().with("DBUS_SESSION_BUS_ADDRESS", bus).with("STANDIN_LOG", "trace");
    let watch = Watch::over(&world, &mut machine, &[&token]);
    let place = format!("{SECOND}/{NAME}");
    let env_before = fs::read_to_string(world.clone_path().join(".env")).unwrap();

    let add = ["mirror", "add", "--github", &place, "--create", "--token-stdin", "--sync", "code,variables"];
    let running = machine.start_with(&[&add[..], &["--yes"]].concat(), token.as_bytes());
    let looking = watch.look(&world, running.id());
    let ran = running.wait();
    drop(looking);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    assert!(ran.stdout.contains(&format!("made {place}: private, empty, as {SECOND}")), "{}", ran.all());
    assert!(ran.stdout.contains("stored the token of standby in the keychain"), "{}", ran.all());
    assert!(ran.stdout.contains("next: standin mirror test standby\n"), "{}", ran.all());
    let written = fs::read_to_string(toml(&world)).unwrap();
    assert!(written.contains(&format!("repo = \"{place}\"\nsync = [\"code\", \"variables\"]\n")), "{written}");

    run(&machine, &["mirror", "test", "standby"], 0);
    run(&machine, &["sync", "--mirror", "standby"], 0);
    assert_eq!(refs(&world.sandbox.repository_path(SECOND, NAME)), refs(&world.primary()));
    assert!(world.sandbox.secrets(SECOND, NAME).is_empty(), "secrets are not kept in step");
    assert_eq!(world.sandbox.variable(SECOND, NAME, "MIRROR_ROLE").as_deref(), Some("SLAVE"));

    let off = run(&machine, &["mirror", "edit", "standby", "--disable", "--schedule", "2h", "--yes"], 0);
    assert!(off.stdout.contains("+  schedule = \"2h\"") || off.stdout.contains("+schedule = \"2h\""), "{}", off.all());
    assert!(off.stdout.contains("note: nothing is brought to standby"), "{}", off.all());
    let refused = run(&machine, &["sync", "--mirror", "standby"], 2);
    assert!(refused.stderr.contains("switched off"), "{}", refused.all());
    run(&machine, &["mirror", "edit", "standby", "--unset", "enabled,schedule", "--yes"], 0);
    assert_eq!(fs::read_to_string(toml(&world)).unwrap(), written, "as it was, byte for byte");

    world.sandbox.set_secret(SECOND, NAME, "STANDIN_TOKEN", b"x");
    world.sandbox.set_secret(SECOND, NAME, "OTHER", b"x");
    let shown = run(&machine, &["mirror", "remove", "standby", "--clean", "--dry-run"], 0);
    for word in ["fence", "role", "sentinel", "token", "memory"] {
        let line = shown.stdout.lines().find(|line| line.trim_start().starts_with(word));
        assert!(line.is_some_and(|line| line.ends_with("(will be cleaned away)")), "{word}: {}", shown.all());
    }
    assert_eq!(fs::read_to_string(toml(&world)).unwrap(), written, "it was only shown");
    let before = refs(&world.sandbox.repository_path(SECOND, NAME));
    let gone = run(&machine, &["mirror", "remove", "standby", "--clean", "--yes"], 0);
    assert!(gone.stdout.contains("cleaned away: fence"), "{}", gone.all());
    assert!(!fs::read_to_string(toml(&world)).unwrap().contains(SECOND));
    let there = git2::Repository::open_bare(world.sandbox.repository_path(SECOND, NAME)).unwrap();
    assert!(there.find_reference("refs/standin/fence").is_err(), "the fence is gone");
    assert_eq!(refs(there.path()), before, "the code is not touched");
    assert_eq!(world.sandbox.variable(SECOND, NAME, "MIRROR_ROLE"), None);
    let secrets: Vec<String> = world.sandbox.secrets(SECOND, NAME).into_iter().map(|secret| secret.name).collect();
    assert_eq!(secrets, ["OTHER"], "what is not the sentinel's stays");

    // The same again is a new mirror: nothing is kept for it any more.
    let again = run(&machine, &["mirror", "add", "--github", &place, "--yes"], 0);
    assert!(again.stdout.contains("next: standin token set standby\n"), "{}", again.all());
    assert!(run(&machine, &["token", "check", "standby"], 0).stdout.contains("none was found"));
    assert_eq!(fs::read_to_string(world.clone_path().join(".env")).unwrap(), env_before);
    let findings = watch.findings(&world);
    assert!(findings.is_empty(), "secrets are in:\n{}", findings.join("\n"));
}

#[test]
fn nothing_is_written_without_a_yes_and_a_dry_run_writes_nothing() {
    let world = World::new(program());
    let machine = world.machine();
    let place = world.folder().join("second.git");
    bare(&place);
    let add = ["mirror", "add", "--git", place.to_str().unwrap()];
    let waits = run(&machine, &add, 3);
    assert!(waits.stdout.contains("+[[repository.mirror]]") && waits.stderr.contains("--yes"), "{}", waits.all());
    run(&machine, &[&add[..], &["--dry-run"]].concat(), 0);
    let waits = run(&machine, &[&add[..], &["--json"]].concat(), 3);
    assert_eq!(document(&waits)["written"], false, "{}", waits.all());
    assert!(!toml(&world).exists());
    let unclear = run(&machine, &["mirror", "add", "--yes"], 2);
    assert!(unclear.stderr.contains("nothing says what the mirror is"), "{}", unclear.all());

    let same = run(&machine, &["mirror", "add", "--github", &format!("{OWNER}/other"), "--dry-run"], 0);
    assert!(same.stdout.contains(&format!("if {OWNER} is suspended, so is the standby")), "{}", same.all());
    let itself = run(&machine, &["mirror", "add", "--github", &format!("{OWNER}/{NAME}"), "--yes"], 2);
    assert!(itself.stderr.contains("is the source itself"), "{}", itself.all());
    let there = format!("{BACKUP}/{NAME}");
    for form in [&["--id", "twice"][..], &["--env"]] {
        let twice = run(&machine, &[&["mirror", "add", "--github", &there, "--yes"], form].concat(), 2);
        assert!(
            twice.stderr.contains("has that place already") || twice.stderr.contains("is the mirror"),
            "{}",
            twice.all()
        );
    }
    assert!(!toml(&world).exists());
}

#[test]
fn a_repository_that_cannot_be_made_stops_before_anything_is_written() {
    let world = World::new(program());
    let machine = world.machine();
    let weak = world.sandbox.create_token(OWNER, TokenSpec::classic(&[]));
    let add = |place: &str, token: &str| {
        let arguments = ["mirror", "add", "--github", place, "--create", "--token-stdin", "--yes"];
        machine.standin_with(&arguments, token.as_bytes())
    };
    let refused = add(&format!("{OWNER}/new"), &weak);
    assert_eq!(refused.code(), 1, "{}", refused.all());
    assert!(refused.stderr.contains("may not make") && refused.stderr.contains("scope `repo`"), "{}", refused.all());
    let other = add("nobody/new", &world.source_token);
    assert!(other.stderr.contains("nobody is not the account of this token"), "{}", other.all());
    let gh = machine.standin(&["mirror", "add", "--github", "nobody/new", "--create", "--yes"]);
    assert!(gh.stderr.contains("gh is not signed in"), "{}", gh.all());
    assert!(!toml(&world).exists() && world.sandbox.find_repository_path(OWNER, "new").is_none());

    // One that is there is said to be, and whether it is empty; without a keychain the mirror is written all the same.
    world.sandbox.create_account(SECOND);
    let token = world.sandbox.create_token(SECOND, TokenSpec::classic(&["repo"]));
    world.sandbox.create_repository_blocking(SECOND, NAME, RepositorySpec::default()).unwrap();
    let there = add(&format!("{SECOND}/{NAME}"), &token);
    assert!(there.stdout.contains("is there already, and empty"), "{}", there.all());
    assert!(there.stderr.contains("the mirror is written: the token of standby is not kept"), "{}", there.all());
    assert_eq!(there.code(), 1, "{}", there.all());
    assert!(toml(&world).exists());
}

#[test]
fn a_clones_env_gets_the_next_number_and_loses_its_lines_alone() {
    let world = World::new(program());
    let machine = world.machine();
    let env = world.clone_path().join(".env");
    let before = fs::read_to_string(&env).unwrap();
    let place = world.folder().join("third.git");
    bare(&place);
    // The yes to what stands there now; what Standin writes needs no second one.
    let mine = machine.unasked();
    run(&mine, &["allow", "--yes"], 0);
    let add = run(&mine, &["mirror", "add", "--git", place.to_str().unwrap(), "--env", "--yes"], 0);
    for secret in world.canaries() {
        assert!(!add.all().contains(&secret), "{}", add.all());
    }
    let lines = format!("MIRROR_3_TYPE=git\nMIRROR_3_URL={}\n", place.display());
    assert_eq!(fs::read_to_string(&env).unwrap(), format!("{before}{lines}"));
    run(&mine, &["sync", "--mirror", "mirror-3"], 0);
    assert_eq!(refs(&place), refs(&world.primary()));

    let refused = run(&mine, &["mirror", "edit", "mirror-3", "--schedule", "2h", "--yes"], 2);
    assert!(refused.stderr.contains("cannot stand in a `.env`"), "{}", refused.all());
    run(&mine, &["mirror", "edit", "mirror-3", "--disable", "--yes"], 0);
    assert!(fs::read_to_string(&env).unwrap().ends_with("MIRROR_3_ENABLED=false\n"));
    let gone = run(&mine, &["mirror", "remove", "mirror-3", "--clean", "--yes"], 0);
    assert!(gone.stdout.contains("cleaned away: fence"), "one that is switched off, too: {}", gone.all());
    assert_eq!(fs::read_to_string(&env).unwrap(), before);
    assert!(git2::Repository::open_bare(&place).unwrap().find_reference("refs/standin/fence").is_err());
    run(&mine, &["status"], 0);
    assert!(!machine.json(&["history", "--audit"]).as_array().unwrap().is_empty());
}

#[test]
fn an_env_that_waits_for_a_yes_waits_on() {
    let world = World::new(program());
    let machine = world.machine().unasked();
    let place = world.folder().join("third.git");
    bare(&place);
    let add = run(&machine, &["mirror", "add", "--git", place.to_str().unwrap(), "--env", "--yes"], 0);
    assert!(add.stdout.contains("next: standin allow\n"), "{}", add.all());
    let waits = run(&machine, &["sync", "--mirror", "mirror-3"], 3);
    assert!(waits.stderr.contains("standin allow"), "{}", waits.all());
    assert!(refs(&place).is_empty());
    // What cannot be looked at is said, and not cleaned away.
    let gone = run(&machine, &["mirror", "remove", "mirror-3", "--clean", "--yes"], 3);
    assert!(gone.stderr.contains("cannot be seen"), "{}", gone.all());
    run(&machine, &["mirror", "remove", "mirror-3", "--yes"], 0);
}

#[test]
fn a_clone_that_nothing_speaks_of_gets_its_first_mirror() {
    let local = Local::new(program(), &[]);
    local.configure("# mine\n");
    let machine = Machine { folder: local.source.clone(), ..local.machine.clone() };
    let place = local.mirror.display().to_string();
    let ran = run(&machine, &["mirror", "add", "--git", &place, "--yes"], 0);
    let text = fs::read_to_string(local.folder().join("home/.config/standin/standin.toml")).unwrap();
    assert!(text.starts_with("# mine\n\n[[repository]]\n") && text.contains("path = "), "{text}");
    assert!(ran.stdout.contains("next: standin mirror test archive\n"), "{}", ran.all());
    run(&machine, &["sync"], 0);
    assert_eq!(refs(&local.mirror).len(), 1);

    // Elsewhere it is named; the source is another by `edit source`.
    let id = machine.json(&["status"])["repository"].as_str().unwrap().to_owned();
    let home = &local.machine;
    let other = local.folder().join("other.git");
    local.git(local.folder(), &["init", "-q", "--bare", &other.display().to_string()]);
    let more = ["mirror", "add", "--git", "./../other.git", "--repository", &id, "--id", "second", "--yes"];
    run(home, &more, 0);
    let text = fs::read_to_string(local.folder().join("home/.config/standin/standin.toml")).unwrap();
    assert!(text.contains(&format!("url = \"{}\"", other.display())), "a path is written whole: {text}");
    let last = run(home, &["mirror", "remove", "second", "--repository", &id, "--yes"], 0);
    assert!(!last.stdout.contains("is the last mirror"), "{}", last.all());
    let shown = run(home, &["mirror", "edit", "source", "--to", "me/other", "--repository", &id, "--dry-run"], 0);
    assert!(
        shown.stdout.contains("+source = \"me/other\"") && shown.stdout.contains("note: every mirror"),
        "{}",
        shown.all()
    );
}

#[test]
fn a_removal_that_broke_off_is_done_again_by_the_same_command() {
    let local = Local::new(program(), &[]);
    local.standin(&["sync"]);
    let file = local.folder().join("home/.config/standin/standin.toml");
    let before = fs::read_to_string(&file).unwrap();
    let remove = ["mirror", "remove", "backup", "--clean", "--yes"];
    for point in ["leaving.clean.before#1", "leaving.clean.after#1", "leaving.write.before#1", "leaving.write.after#1"]
    {
        let crashed = local.machine.with("STANDIN_CRASH_AT", point).standin(&remove);
        assert_eq!(crashed.code(), -1, "{point}: {}", crashed.all());
        let text = fs::read_to_string(&file).unwrap();
        if point == "leaving.write.after#1" {
            assert!(!text.contains("backup"), "{text}");
            fs::write(&file, &before).unwrap();
            continue;
        }
        assert_eq!(text, before, "{point}: it is still configured");
        assert_eq!(refs(&local.mirror).len(), 1, "the code is not touched");
    }
    run(&local.machine, &remove, 0);
    assert!(!fs::read_to_string(&file).unwrap().contains("backup"));
    assert!(git2::Repository::open_bare(&local.mirror).unwrap().find_reference("refs/standin/fence").is_err());
}

#[test]
fn a_master_is_neither_removed_nor_moved_nor_switched_off() {
    let world = World::new(program());
    let machine = world.machine();
    run(&machine, &["sync"], 0);
    run(&machine, &["promote", "mirror-1", "--yes"], 0);
    for arguments in [
        &["mirror", "remove", "mirror-1", "--yes"][..],
        &["mirror", "edit", "mirror-1", "--disable", "--yes"],
        &["mirror", "edit", "mirror-1", "--to", "x/y", "--yes"],
    ] {
        let refused = run(&machine, arguments, 1);
        assert!(
            refused.stderr.contains("is the master") && refused.stderr.contains("standin demote"),
            "{}",
            refused.all()
        );
    }
    run(&machine, &["mirror", "edit", "mirror-1", "--sync", "code", "--dry-run"], 0);
}

#[test]
fn on_a_terminal_it_is_asked_what_is_wanted_and_whether_to_write_it() {
    let local = Local::new(program(), &[]);
    local.configure("");
    let place = local.mirror.display().to_string();
    let asked = |answers: &str| {
        let mut command = Command::new("script");
        command.args(["-qec", &format!("'{}' mirror add", local.machine.program.display()), "/dev/null"]);
        command.env_clear().envs(&local.machine.environment).current_dir(&local.source).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
        String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
    };
    let file = local.folder().join("home/.config/standin/standin.toml");
    let no = asked(&format!("2\n{place}\nn\n"));
    assert!(no.contains("What shall it be?") && no.contains("+[[repository.mirror]]"), "{no}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "", "a no writes nothing: {no}");
    let odd = asked("7\n");
    assert!(odd.contains("`7` is none of the three"), "{odd}");
    let yes = asked(&format!("2\n{place}\ny\n"));
    assert!(yes.contains("wrote archive in"), "{yes}");
    assert!(fs::read_to_string(&file).unwrap().contains(&format!("url = \"{place}\"")));
}

#[test]
fn a_repository_that_is_added_with_its_clone_asks_about_its_env_before_anything_of_it_counts() {
    let world = World::new(program());
    let home = world.folder().join("home");
    let machine = Machine { folder: home, ..world.machine().unasked() };
    let (place, clone) = (world.folder().join("second.git"), world.clone_path());
    bare(&place);
    let source = format!("{OWNER}/{NAME}");
    let mut add = vec!["mirror", "add", "--source", &source, "--git", place.to_str().unwrap(), "--yes", "--clone"];
    let nowhere = run(&machine, &[&add[..], &["/nowhere/at/all"]].concat(), 2);
    assert!(nowhere.stderr.contains("/nowhere/at/all"), "{}", nowhere.all());
    assert!(!toml(&world).exists());
    add.push(clone.to_str().unwrap());
    let added = run(&machine, &add, 0);
    let written = fs::read_to_string(toml(&world)).unwrap();
    assert!(written.contains(&format!("path = {:?}", clone.display().to_string())), "{written}");
    let waits = machine.standin(&["sync"]);
    assert_eq!(waits.code(), 3, "{} {}", added.all(), waits.all());
    assert!(waits.stderr.contains("standin allow"), "{}", waits.all());
    assert!(refs(&place).is_empty() && refs(&world.archive()).is_empty(), "nothing was brought anywhere");
}
