//! No run ends without a word: on terminals of all kinds, and where it could not even begin.

use std::process::{Command, Stdio};

use standin_core::event::{Event, Stamped};
use standin_tests::cli::{ARCHIVE, Machine, Ran, Running, World, refs};

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// Runs `standin` on a terminal of this kind, which `script` makes.
fn on_a_terminal(machine: &Machine, kind: &str, arguments: &str) -> Ran {
    let mut command = Command::new("script");
    command
        .args([
            "--quiet",
            "--return",
            "--command",
            &format!("'{}' {arguments}", machine.program.display()),
            "/dev/null",
        ])
        .current_dir(&machine.folder)
        .env_clear()
        .envs(&machine.environment)
        .envs(machine.yes(&[]))
        .env("TERM", kind)
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::null());
    Running::start(command, &machine.said, &format!("standin {arguments} on a terminal")).wait()
}

#[test]
fn a_sync_tells_its_result_on_a_terminal_of_any_kind() {
    let mut world = world();
    let machine = world.machine();
    for kind in ["dumb", "xterm-256color"] {
        world.change_secret("RESEND_API_KEY");
        let ran = on_a_terminal(&machine, kind, &format!("sync --mirror {ARCHIVE}"));
        assert_eq!(ran.code(), 0, "{kind}: {ran:?}");
        assert!(ran.stdout.contains("Code push..."), "{kind}: {}", ran.stdout);
        assert!(ran.stdout.contains("1 mirror(s) synced"), "{kind}: {}", ran.stdout);
    }
    std::fs::remove_dir_all(world.archive()).unwrap();
    let ran = on_a_terminal(&machine, "dumb", &format!("sync --mirror {ARCHIVE}"));
    assert_eq!(ran.code(), 1, "{ran:?}");
    assert!(ran.stdout.contains("does not appear to be a git repository"), "{}", ran.stdout);
}

#[test]
fn a_run_that_cannot_begin_says_why() {
    let world = world();
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 0);
    let store = rusqlite::Connection::open(machine.state.join("standin.db")).unwrap();
    store
        .execute_batch("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(FAIL, 'no room for a run'); END")
        .unwrap();
    let ran = machine.standin(&["sync", "--mirror", ARCHIVE]);
    assert_eq!(ran.code(), 1, "{ran:?}");
    assert!(ran.stdout.contains("no room for a run"), "{}", ran.stdout);
    let ran = machine.standin(&["sync", "--mirror", ARCHIVE, "--json"]);
    let events: Vec<Stamped> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = events.iter().any(|stamped| {
        matches!(&stamped.event, Event::RunFinished { error: Some(error), .. } if error.message.contains("no room"))
    });
    assert!(told, "{}", ran.stdout);
}

#[test]
fn a_reader_that_goes_away_ends_no_sync_and_changes_no_exit_status() {
    let world = world();
    let machine = world.machine();
    let run = |arguments: &str, redirected: &str| {
        let script =
            format!("'{}' {arguments} {redirected}; echo \"status ${{PIPESTATUS[0]}}\" >&9", machine.program.display());
        let mut command = Command::new("bash");
        command.args(["-c", &format!("exec 9>&1; {script}")]);
        command
            .current_dir(&machine.folder)
            .env_clear()
            .envs(&machine.environment)
            .envs(machine.yes(&[]))
            .stdin(Stdio::null());
        Running::start(command, &machine.said, &script).wait()
    };
    for redirected in ["| true", "--json | true", ">&- 2>&-", "2>&1 | true"] {
        let tip = world.commit(refs(&world.primary()).get("refs/heads/main").copied(), &[("MORE", redirected)]);
        world.publish("refs/heads/main", Some(tip));
        let ran = run(&format!("sync --mirror {ARCHIVE}"), redirected);
        assert!(ran.stdout.contains("status 0"), "{redirected}: {ran:?}");
        assert_eq!(refs(&world.archive())["refs/heads/main"], tip, "{redirected}: {ran:?}");
    }
    // The pipe is closed before anything is said.
    let ran = run("sync --mirror none", "2>&1 | { exec <&-; sleep 1; }");
    assert!(ran.stdout.contains("status 2"), "{ran:?}");
}
