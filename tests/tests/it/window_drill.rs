//! A fail-over rehearsed from the window: looked at, played by the command line beside it, stopped, and kept.

use std::time::Duration;

use serde_json::{Value, json};
use standin_tests::cli::{Machine, NAME, STANDBY, World, finish, refs};
use standin_tests::window::{Theme, Window, program};

/// A drill is a minute's work, on a busy machine several.
const PATIENCE: Duration = Duration::from_secs(400);

/// Begins a command that takes long, and gives its answer.
fn answer(window: &Window, command: &str, arguments: &Value, meanwhile: impl Fn()) -> Value {
    window.run(&format!(
        "window.answered = null;
         window.__TAURI_INTERNALS__.invoke('{command}', {arguments}).then((one) => (window.answered = {{ one }}), (rejected) => (window.answered = {{ rejected }}));"
    ));
    meanwhile();
    finish(command, PATIENCE, || !window.run("return window.answered").is_null());
    window.run("return window.answered")
}

#[test]
fn a_fail_over_is_looked_at_rehearsed_and_stopped_from_the_window() {
    let world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let before = (refs(&world.primary()), refs(&world.standby()));
    let desk = Machine { program: program(), ..machine };
    let window = Window::open(&desk, &[], Theme::Light);
    window.until("h1", NAME);
    let overview = window.wait_for("window.__TAURI_INTERNALS__.invoke('overview')");
    let repository = json!({ "repository": overview["repositories"][0]["repository"] });

    let ready = answer(&window, "drill_check", &repository, || {});
    assert_eq!(ready["one"]["standbys"][0]["mirror"], STANDBY, "{ready}");
    // No sentinel watches there, and that is said.
    assert_eq!(
        (&ready["one"]["ready"], &ready["one"]["standbys"][0]["missing_commits"]),
        (&json!(false), &json!(0)),
        "{ready}"
    );
    assert!(ready["one"]["findings"].to_string().contains("sentinel.yml is not there"), "{ready}");

    let mut choice = repository.clone();
    choice["mirror"] = json!(STANDBY);
    // One that is stopped says so, and a second one does not begin beside it.
    let stopped = answer(&window, "drill", &choice, || {
        let second = window.wait_for(&format!("window.__TAURI_INTERNALS__.invoke('drill', {choice})"));
        assert_eq!(second["rejected"]["code"], "busy", "{second}");
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(window.wait_for("window.__TAURI_INTERNALS__.invoke('drill_stop')"), true);
    });
    assert_eq!(stopped["rejected"]["code"], "cancelled", "{stopped}");
    assert_eq!(window.wait_for("window.__TAURI_INTERNALS__.invoke('drill_stop')"), false);

    let played = answer(&window, "drill", &choice, || {});
    let report = &played["one"];
    assert_eq!((&report["passed"], &report["mirror"]), (&json!(true), &json!(STANDBY)), "{played}");
    assert!(report["phases"].as_array().is_some_and(|phases| phases.len() > 4), "{played}");
    let kept = window.wait_for(&format!("window.__TAURI_INTERNALS__.invoke('drills', {repository})"));
    assert_eq!((kept.as_array().map(Vec::len), &kept[0]["at_iso"]), (Some(1), &report["at_iso"]), "{kept}");
    // Nothing real was touched, and nobody sees a secret.
    assert_eq!((refs(&world.primary()), refs(&world.standby())), before);
    for canary in world.canaries() {
        assert!(!played.to_string().contains(&canary) && !window.said().contains(&canary), "a secret is seen");
    }
}
