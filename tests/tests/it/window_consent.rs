//! The window shows what the `.env` of a clone asks for, in the words of the terminal, and does nothing before the yes:
//! whatever the page asks the application.

use std::path::PathBuf;

use serde_json::json;
use standin_tests::cli::{STANDBY, World, refs};
use standin_tests::window::{Theme, Window, program};

const BANNER: &str = "[aria-labelledby='consent-title']";

/// Where pictures are left for people to look at, when they ask for them.
fn keep_picture(window: &Window, name: &str) {
    if let Some(folder) = std::env::var_os("STANDIN_PICTURES") {
        std::fs::write(PathBuf::from(folder).join(name), window.picture()).unwrap();
    }
}

#[test]
fn nothing_is_done_before_the_yes_and_a_changed_file_asks_again() {
    let mut world = World::new(program().to_str().unwrap());
    let machine = world.machine().unasked();
    let window = Window::open(&machine, &[], Theme::Light);
    window.until(BANNER, "asks for this, and waits for your yes");
    window.until(
        BANNER,
        "mirror-1: ada-backup/orchestrator, with the token in this file: code, secrets, variables, workflows",
    );
    keep_picture(&window, "consent.png");

    let repository = "ada.orchestrator";
    let choice = json!({ "repository": repository, "mirrors": [], "yes": true });
    let role = json!({ "repository": repository, "mirror": STANDBY, "goal": "promote", "gone": false, "yes": true });
    for (command, arguments) in [
        ("plan", json!({ "choice": choice })),
        ("sync", json!({ "choice": choice })),
        ("health", json!({ "repository": repository })),
        (
            "resolve",
            json!({ "repository": repository, "mirror": STANDBY, "ask": "refs/heads/main", "choice": "overwrite" }),
        ),
        ("token_check", json!({ "repository": repository, "mirror": STANDBY })),
        ("token_set", json!({ "repository": repository, "mirror": STANDBY, "token": "ghp_x", "keep": "session" })),
        ("token_remove", json!({ "repository": repository, "mirror": STANDBY })),
        ("secrets", json!({ "repository": repository })),
        ("secret_set", json!({ "repository": repository, "name": "A", "value": "b" })),
        ("secret_remove", json!({ "repository": repository, "name": "A" })),
        ("role_plan", json!({ "choice": role })),
        ("role_change", json!({ "choice": role })),
        ("role_end", json!({ "repository": repository, "mirror": STANDBY, "choice": "resume" })),
    ] {
        let answer = window.wait_for(&format!("window.__TAURI_INTERNALS__.invoke('{command}', {arguments})"));
        assert!(!answer["rejected"].is_null(), "{command}: {answer}");
        if !command.starts_with("role_") {
            assert_eq!(answer["rejected"]["code"], "consent_needed", "{command}: {answer}");
        }
    }
    let wrong = json!({ "repository": repository, "hash": "0123456789abcdef0123456789abcdef" });
    let answer = window.wait_for(&format!("window.__TAURI_INTERNALS__.invoke('consent_allow', {wrong})"));
    assert_eq!(answer["rejected"]["code"], "consent_needed", "{answer}");
    assert!(world.sandbox.requests().is_empty(), "{:?}", world.sandbox.requests());

    let press = |label: &str| {
        window.run(&format!(
            "[...document.querySelectorAll('button')].find((button) => button.innerText.includes('{label}')).click()"
        ))
    };
    press("Allow this");
    window.wait_for("new Promise((done) => { const look = () => document.querySelector(\"[aria-labelledby='consent-title']\") ? setTimeout(look, 50) : done(true); look(); })");
    press("Sync All Now");
    window.until("[data-mirror='mirror-2']", "In step");
    window.until("[data-mirror='mirror-1']", "In step");
    assert_eq!(refs(&world.archive()), refs(&world.primary()));

    world.set("MIRROR_2_URL", Some("ssh://git@127.0.0.1:1/theirs.git"));
    window.wait_for("window.__TAURI_INTERNALS__.invoke('reload')");
    window.run("window.dispatchEvent(new Event('focus'))");
    window.until(BANNER, "asks for something else than you allowed");
    window.until(BANNER, "ssh://git@127.0.0.1:1/theirs.git");
    keep_picture(&window, "consent-changed.png");
}
