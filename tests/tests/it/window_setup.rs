//! From the first start to a standby that is in step, in the real window; and what the window refuses on the way in.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use standin_sandbox::{Level, TokenSpec};
use standin_tests::canary::Watch;
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, STANDBY, World, finish, refs};
use standin_tests::window::{Theme, Window, program};

/// Whose account the new standby is in.
const SECOND: &str = "ada-second";
const PATIENCE: Duration = Duration::from_secs(40);

/// Keeps a picture where pictures are wanted.
fn keep(name: &str, window: &Window) {
    if let Some(folder) = std::env::var_os("STANDIN_SCREENSHOTS") {
        fs::write(std::path::Path::new(&folder).join(format!("setup-{name}.png")), window.picture()).unwrap();
    }
}

/// Clicks what a person would, by the words that it begins with: a button, or the label of a box.
fn press(window: &Window, words: &str) {
    let mark = format!(
        "const found = [...document.querySelectorAll('main button, main label')].find((one) => one.innerText.trim().startsWith({words:?}));
         document.querySelectorAll('[data-pressed]').forEach((old) => old.removeAttribute('data-pressed'));
         found?.setAttribute('data-pressed', '');
         return found !== undefined && !found.disabled && found.ariaDisabled !== 'true';"
    );
    finish(words, PATIENCE, || window.run(&mark) == Value::Bool(true));
    window.click("[data-pressed]");
}

fn step(window: &Window, title: &str) {
    window.until("main h2", title);
}

#[test]
fn a_standby_is_set_up_from_the_first_start_to_its_first_sync() {
    let world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
    world.sandbox.create_account(SECOND);
    let token = world.sandbox.create_token(SECOND, TokenSpec::classic(&["repo", "workflow"]));
    for name in world.secrets.keys() {
        world.sandbox.set_secret(OWNER, NAME, name, b"x");
    }
    let home = world.folder().join("home");
    let desk = Machine { program: program(), folder: home.clone(), ..world.machine().unasked() };
    let toml = home.join(".config/standin/standin.toml");
    let window = Window::open(&desk, &[], Theme::Light);
    window.resize(1100, 800);
    window.until("main", "Set up a standby");
    keep("first-start", &window);
    press(&window, "Set up a standby…");
    step(&window, "What do you want to set up?");
    press(&window, "Standby on GitHub");
    press(&window, "Next");

    step(&window, "What is to be kept safe?");
    window.enter("#setup-source-text", &format!("{OWNER}/{NAME}"));
    press(&window, "Look at it");
    // Nobody is signed in here, and nothing is kept: it asks for a token.
    window.until("main", "token");
    finish("a field for the token", PATIENCE, || {
        !window.run("return document.querySelector('#setup-token-source')").is_null()
    });
    window.enter("#setup-token-source", &world.source_token);
    press(&window, "Use");
    window.until("main", OWNER);
    keep("source", &window);
    press(&window, "Next");

    step(&window, "Where is it to be?");
    window.enter("#setup-token-mirror", &token);
    press(&window, "Use");
    window.until("main", &format!("of {SECOND}, in memory only"));
    let proposed = "return document.querySelector('#setup-repo').value";
    finish("a proposal", PATIENCE, || window.run(proposed) == json!(format!("{SECOND}/{NAME}")));
    press(&window, "Look there");
    window.until("main", "Create a private repository there");
    keep("where", &window);
    press(&window, "Next");

    step(&window, "What is kept in step?");
    for (name, value) in &world.secrets {
        window.enter(&format!("#value-{name}"), value);
    }
    keep("parts", &window);
    press(&window, "Next");
    step(&window, "Who watches");
    press(&window, "Next");
    window.until("main", &format!("repo = \"{SECOND}/{NAME}\""));
    keep("review", &window);
    assert!(!toml.exists(), "nothing is written before the last button");
    assert!(world.sandbox.find_repository_path(SECOND, NAME).is_none(), "nothing is made before it");

    // This session has no keychain: that is said, and the memory of the program is the other way.
    press(&window, "In memory");
    press(&window, "Create the repository and set up");
    finish("the file", PATIENCE, || toml.exists());
    // Nor has it a vault, whose key is in the keychain: what could not be kept is named, and the rest goes on.
    window.until("main", "the value of DATABASE_URL is not kept");
    keep("troubles", &window);
    press(&window, "Go on without");
    window.until("main", "Ready.");
    keep("ready", &window);
    assert_eq!(refs(&world.sandbox.repository_path(SECOND, NAME)), refs(&world.primary()));
    let text = fs::read_to_string(&toml).unwrap();
    let page = window.run("return document.documentElement.innerHTML + JSON.stringify({...localStorage})").to_string();
    for canary in world.canaries().iter().chain([&token]) {
        assert!(
            !text.contains(canary) && !page.contains(canary) && !window.said().contains(canary),
            "a secret is seen"
        );
    }
    press(&window, "Open the card");
    window.until("h1", NAME);
    window.until("article[data-mirror]", &format!("{SECOND}/{NAME}"));
    keep("card", &window);
}

#[test]
fn a_setup_that_is_left_leaves_nothing_behind() {
    let world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let home = world.folder().join("home");
    let desk = Machine { program: program(), folder: home.clone(), ..world.machine().unasked() };
    let window = Window::open(&desk, &[], Theme::Dark);
    window.until("main", "Set up a standby");
    press(&window, "Set up a standby…");
    press(&window, "Standby on GitHub");
    press(&window, "Next");
    window.enter("#setup-source-text", &format!("{OWNER}/{NAME}"));
    press(&window, "Look at it");
    finish("a field for the token", PATIENCE, || {
        !window.run("return document.querySelector('#setup-token-source')").is_null()
    });
    window.enter("#setup-token-source", &world.source_token);
    press(&window, "Use");
    finish("the source", PATIENCE, || {
        let onward = "return document.querySelector('main footer button.primary')";
        window.run(&format!("{onward}?.innerText")) == "Next"
            && window.run(&format!("{onward}?.ariaDisabled")).is_null()
    });
    press(&window, "Cancel");
    press(&window, "Leave");
    window.until("main", "Set up a standby");
    assert!(!home.join(".config/standin").exists());
    // The token is forgotten: the same look has none.
    let request = json!({ "repository": null, "form": null, "change": {
        "change": "add", "source": format!("{OWNER}/{NAME}"), "clone": null, "mirror": null, "kind": "github", "settings": [] } });
    let look = window
        .wait_for(&format!("window.__TAURI_INTERNALS__.invoke('setup_source', {})", json!({ "request": request })));
    assert!(look["token"].is_null() && !look["error"].is_null(), "{look}");
}

/// Presses a button of the panel that is open.
fn press_in_panel(window: &Window, words: &str) {
    let mark = format!(
        "const found = [...document.querySelectorAll('dialog[open] button')].find((one) => one.innerText.trim().startsWith({words:?}));
         document.querySelectorAll('[data-pressed]').forEach((old) => old.removeAttribute('data-pressed'));
         found?.setAttribute('data-pressed', '');
         return found !== undefined && !found.disabled && found.ariaDisabled !== 'true';"
    );
    finish(words, PATIENCE, || window.run(&mark) == Value::Bool(true));
    window.click("[data-pressed]");
}

#[test]
fn the_sentinel_is_set_up_by_buttons_and_its_tokens_are_seen_nowhere() {
    let world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let rights = |names: &[(&'static str, Level)], owner: &str| {
        world.sandbox.create_token(owner, TokenSpec::fine_grained(owner, &[NAME], names))
    };
    let write = Level::Write;
    let standin = rights(&[("contents", write), ("actions", write), ("actions_variables", write)], BACKUP);
    let master = rights(&[("contents", Level::Read)], OWNER);
    let mut desk = Machine { program: program(), ..machine.clone() };
    let watch = Watch::over(&world, &mut desk, &[&standin, &master]);
    let looking = watch.look(&world, std::process::id());
    let window = Window::open(&desk, &[], Theme::Light);
    window.resize(1100, 800);
    window.until("h1", NAME);
    press(&window, "Sentinel…");
    window.until("dialog[open]", "not set up yet");
    press_in_panel(&window, "Commit it");
    window.until("dialog[open]", "was committed to ada/orchestrator");
    keep("sentinel-committed", &window);
    press_in_panel(&window, "");
    press(&window, "Sync All Now");
    window.until("[aria-label='Output of mirror-1']", "Done in");
    press(&window, "Sentinel…");
    window.until("dialog[open]", "STANDIN_TOKEN is not there");
    for (key, secret, token) in [("standin", "STANDIN_TOKEN", &standin), ("master", "MASTER_TOKEN", &master)] {
        window.enter(&format!("#sentinel-{STANDBY}-{key}"), token);
        window
            .run(&format!("document.querySelector('#sentinel-{STANDBY}-{key}').form.querySelector('button').focus()"));
        window.click(&format!("form:has(#sentinel-{STANDBY}-{key}) button"));
        window.until("dialog[open]", &format!("{secret} was stored just now"));
    }
    keep("sentinel-tokens", &window);
    let page = window.run(
        "return document.documentElement.outerHTML + [...document.querySelectorAll('input')].map((one) => one.value)",
    );
    let said = window.said();
    for token in [&standin, &master] {
        assert!(!page.as_str().unwrap().contains(token.as_str()) && !said.contains(token.as_str()));
    }
    drop(window);
    drop(looking);
    assert!(watch.starts("gh") > 0 && watch.looked_at() > 0);
    assert_eq!(watch.findings(&world), Vec::<String>::new());
    // What the window did is what the command line finds.
    let report = machine.json(&["sentinel", "check"]);
    let secrets = report["places"][1]["secrets"].as_array().unwrap();
    assert!(secrets.iter().all(|secret| !secret["updated_iso"].is_null()), "{report}");
    assert_eq!(
        (&report["places"][0]["file"], &report["places"][1]["file"]),
        (&json!("current"), &json!("current")),
        "{report}"
    );
}

/// Whether it is a whole argument that says nothing: a choice of all, and no change at all.
fn is_none(command: &str, value: &Value) -> bool {
    (command == "history" && *value == json!({})) || (command == "settings_set" && *value == json!([]))
}

/// Every command that the page may call, with each of its arguments wrong in turn: refused with words, and the program lives on.
#[test]
fn garbage_in_any_argument_of_any_command_is_refused_and_changes_nothing() {
    let world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let desk = Machine { program: program(), ..world.machine() };
    let window = Window::open(&desk, &[], Theme::Light);
    window.until("h1", "orchestrator");
    let names = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../src-tauri/command_names.rs")).unwrap();
    let commands: Vec<&str> = names
        .lines()
        .map(str::trim)
        .filter_map(|line| line.strip_suffix(','))
        .filter(|line| !line.contains(' '))
        .collect();
    assert!(commands.len() > 50, "{commands:?}");
    let before = fs::read_to_string(world.clone_path().join(".env")).unwrap();
    // Those that need nothing are asked for what they do elsewhere; a dialog would wait for a person.
    let needs_nothing = [
        "overview",
        "reload",
        "settings",
        "autostart",
        "schedule_resume",
        "found_sources",
        "choose_source",
        "setup_forget",
        "updates",
        "update_look",
        "drill_stop",
        "notify_test",
        "schedule_pause",
        "subscribe",
    ];
    let odd = [
        json!(null),
        json!(7),
        json!(""),
        json!("../../etc"),
        json!("x ".repeat(35_000)),
        json!("a\u{0}b"),
        json!([]),
        json!({}),
        json!([[[]]]),
        json!({ "repository": { "$ne": 1 } }),
        json!(true),
    ];
    for command in commands.iter().filter(|command| !needs_nothing.contains(command)) {
        for value in &odd {
            let all = [
                "repository",
                "mirror",
                "choice",
                "id",
                "run",
                "job",
                "ask",
                "token",
                "value",
                "name",
                "keep",
                "draft",
                "request",
                "changes",
                "wish",
                "clean",
                "create",
                "place",
                "key",
                "tip",
                "without",
                "version",
                "format",
                "days",
                "hash",
            ];
            let arguments: serde_json::Map<String, Value> =
                all.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
            let call = format!("window.__TAURI_INTERNALS__.invoke('{command}', {})", Value::Object(arguments));
            let answer = window.wait_for(&call);
            // `null` is no repository and no mirror to those that may go without one.
            if !value.is_null() && !is_none(command, value) {
                assert!(!answer["rejected"].is_null(), "{command} takes {value}: {answer}");
            }
        }
    }
    let missing = window.wait_for("window.__TAURI_INTERNALS__.invoke('plan', {})");
    assert!(missing["rejected"].as_str().is_some_and(|words| words.contains("choice")), "{missing}");
    // What is not named is not there: neither a plugin's commands nor Tauri's own.
    for foreign in [
        "plugin:shell|execute",
        "plugin:shell|open",
        "plugin:window|create",
        "plugin:event|emit",
        "eval",
        "run_program",
    ] {
        let answer = window.wait_for(&format!("window.__TAURI_INTERNALS__.invoke('{foreign}', {{}})"));
        assert!(!answer["rejected"].is_null(), "{foreign}: {answer}");
    }
    let overview = window.wait_for("window.__TAURI_INTERNALS__.invoke('overview')");
    assert_eq!(overview["repositories"].as_array().map(Vec::len), Some(1), "{overview}");
    assert_eq!(fs::read_to_string(world.clone_path().join(".env")).unwrap(), before);
    assert!(!world.folder().join("home/.config/standin/standin.toml").exists());
    assert!(refs(&world.standby()).is_empty() && refs(&world.archive()).is_empty(), "nothing was synced");
}
