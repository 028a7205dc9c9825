//! The real window on a real engine, against the sandbox: it shows what is so, syncs live, and lets no secret into the
//! page.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use standin_sandbox::{Effect, Fault, FaultMatcher};
use standin_tests::cli::{ARCHIVE, BACKUP, Machine, NAME, STANDBY, World, finish, refs};
use standin_tests::window::{Theme, Window, program};

fn world() -> World {
    World::new(program().to_str().unwrap())
}

fn card(mirror: &str) -> String {
    format!("[data-mirror='{mirror}']")
}

/// Pushes to the standby take so long.
fn slow_pushes(world: &World, wait: Duration) {
    let pushes = FaultMatcher::git(&format!("/{BACKUP}/{NAME}.git/git-receive-pack"));
    world.sandbox.add_fault(Fault::always(pushes, Effect::Latency(wait)));
}

fn is_pushing(world: &World) -> bool {
    let requests = world.sandbox.requests();
    requests.iter().any(|request| request.path.ends_with("receive-pack") && request.duration.is_none())
}

/// Waits until a slow push to the standby is under way, with Actions off around it. Those after it are fast.
fn wait_for_the_push(world: &World) {
    finish("the push", Duration::from_secs(60), || {
        is_pushing(world) && !world.sandbox.actions_permissions(BACKUP, NAME).unwrap().enabled
    });
    world.sandbox.clear_faults();
}

/// Records what the page receives from the application: answers to commands, and messages of its channel.
const RECORD: &str = "
    window.heard = [];
    const fetched = window.fetch;
    window.fetch = async (...request) => {
      const response = await fetched(...request);
      response.clone().text().then((text) => window.heard.push(text));
      return response;
    };
    const callbacks = window.__TAURI_INTERNALS__.callbacks;
    for (const [id, callback] of callbacks) {
      callbacks.set(id, (message) => { window.heard.push(JSON.stringify(message)); return callback(message); });
    }";

/// Everything of the page and of what reached it that a script can see.
const EVERYTHING: &str = "return JSON.stringify([
    window.heard,
    document.documentElement.outerHTML,
    [...document.querySelectorAll('input, textarea')].map((field) => field.value),
    Object.entries(localStorage), Object.entries(sessionStorage), document.cookie,
    Object.getOwnPropertyNames(window).map((name) => { try { return [name, String(window[name])]; } catch { return name; } }),
  ])";

#[test]
fn the_window_shows_real_status_and_syncs_with_live_output_and_without_a_secret() {
    let world = world();
    let machine = world.machine();
    let window = Window::open(&machine, &[], Theme::Light);
    window.until(&card(STANDBY), "Never synced");
    window.until(&card(STANDBY), "ada-backup/orchestrator");
    window.until(&card(ARCHIVE), "Never synced");
    window.run(RECORD);

    window.click("[aria-label='Sync now, mirror-1']");
    window.until("[aria-label='Output of mirror-1']", "Show output");
    window.click("[aria-label='Show output of mirror-1']");
    window.until("[aria-label='Lines of mirror-1']", "Created branch main");
    window.until("[aria-label='Output of mirror-1']", "Done in");
    let tip = refs(&world.primary())["refs/heads/main"].to_string();
    window.until(&card(STANDBY), &tip[..12]);
    window.until(&card(STANDBY), "0 commits behind");
    window.until(&card(STANDBY), "3/3");
    window.until(&card(STANDBY), "0 active, 3 held");
    window.until(&card(STANDBY), "In step");
    assert_eq!(refs(&world.standby()), refs(&world.primary()));

    window.run(
        "[...document.querySelectorAll('button')].find((button) => button.innerText.includes('Sync All Now')).click()",
    );
    window.until("[aria-label='Output of mirror-2']", "Done in");
    window.until(&card(ARCHIVE), "In step");
    assert_eq!(refs(&world.archive()), refs(&world.primary()));

    // Every command that only looks, and the pages that show it.
    for tab in ["activity", "tokens"] {
        window.click(&format!("#tab-{tab}"));
    }
    window.until("#panel-tokens", "ada-backup, from the environment");
    let overview = window.wait_for("window.__TAURI_INTERNALS__.invoke('overview')");
    let repository = overview["repositories"][0]["repository"].as_str().unwrap().to_owned();
    let choice = json!({ "repository": repository, "mirrors": [], "yes": false });
    for (command, arguments) in [
        ("plan", json!({ "choice": choice })),
        (
            "history",
            json!({ "choice": { "repository": repository, "mirror": null, "status": null, "trigger": null, "until_iso": null } }),
        ),
        ("audit", json!({ "repository": repository })),
        ("rescues", json!({ "repository": repository })),
        ("token_check", json!({ "repository": repository, "mirror": STANDBY })),
    ] {
        let answer = window.wait_for(&format!("window.__TAURI_INTERNALS__.invoke('{command}', {arguments})"));
        assert!(answer["rejected"].is_null(), "{command}: {answer}");
    }
    let everything = window.run(EVERYTHING).as_str().unwrap().to_owned();
    for told in ["aspect_finished", "job_ended", "RESEND_API_KEY", "ada-backup"] {
        assert!(everything.contains(told), "the recording lacks {told}");
    }
    for canary in world.canaries() {
        assert!(!everything.contains(&canary), "the page knows {canary}");
        assert!(!window.said().contains(&canary), "the log knows {canary}");
    }
}

#[test]
fn a_sync_that_is_cancelled_in_the_window_says_so_and_restores_actions() {
    let world = world();
    let settings = world.sandbox.actions_permissions(BACKUP, NAME).unwrap();
    let selected = world.sandbox.selected_actions(BACKUP, NAME).unwrap();
    slow_pushes(&world, Duration::from_secs(6));
    let window = Window::open(&world.machine(), &[], Theme::Light);
    window.until(&card(STANDBY), "Never synced");
    window.click("[aria-label='Sync now, mirror-1']");
    wait_for_the_push(&world);
    window.until(&format!("{} .chip", card(STANDBY)), "Syncing");
    window.click("[aria-label='Cancel the sync of mirror-1']");

    window.until("[aria-label='Output of mirror-1']", "the run was stopped");
    window.until(&format!("{} .chip", card(STANDBY)), "Failed");
    window.until(&card(STANDBY), "Start it again when you want it");
    assert!(world.sandbox.actions_permissions(BACKUP, NAME).unwrap() == settings, "Actions are as they were");
    assert!(world.sandbox.selected_actions(BACKUP, NAME).unwrap() == selected, "what may run is as it was");
    keep("cancelled", &window.picture());
    finish("the push that was given up", Duration::from_secs(30), || !is_pushing(&world));
    assert_eq!(world.sandbox.run_count(BACKUP, NAME), 0, "no workflow ran on the standby");

    window.click("[aria-label='Sync now, mirror-1']");
    window.until("[aria-label='Output of mirror-1']", "Done in");
    window.until(&card(STANDBY), "In step");
    assert_eq!(refs(&world.standby()), refs(&world.primary()));
}

#[test]
fn the_window_says_whom_it_waits_for_and_the_wait_can_be_cancelled() {
    let world = world();
    slow_pushes(&world, Duration::from_secs(15));
    let machine = world.machine();
    let window = Window::open(&machine, &[], Theme::Light);
    window.until(&card(STANDBY), "Never synced");
    let cli = Machine { program: env!("CARGO_BIN_EXE_standin-under-test").into(), ..machine.clone() };
    let mut other = cli.start(&["sync", "--code-only", "--mirror", STANDBY]);
    wait_for_the_push(&world);

    window.click("[aria-label='Sync now, mirror-1']");
    window.until("[aria-label='Output of mirror-1']", "Waiting for ");
    window.until("[aria-label='Output of mirror-1']", &format!("pid {}", other.id()));
    window.until(&format!("{} .chip", card(STANDBY)), "Waiting");
    keep("waiting", &window.picture());
    window.click("[aria-label='Cancel the sync of mirror-1']");
    window.until("[aria-label='Output of mirror-1']", "the run was stopped before it began");
    window.until(&format!("{} .chip", card(STANDBY)), "Syncing elsewhere");
    assert!(!other.has_ended(), "the other process still holds the mirror");

    window.run(
        "[...document.querySelectorAll('button')].find((button) => button.innerText.includes('Sync All Now')).click()",
    );
    window.until("[aria-label='Output of mirror-2']", "Done in");
    window.until("[aria-label='Output of mirror-1']", "Waiting for ");
    window.until("[aria-label='Output of mirror-1']", "Done in");
    assert_eq!(other.wait().code(), 0, "the first was not disturbed");
    assert_eq!(refs(&world.standby()), refs(&world.primary()));
}

#[test]
fn the_window_keeps_the_schedule_while_it_is_open() {
    let world = world();
    let machine = world.machine().with("STANDIN_SCHEDULE", "true");
    let cli = Machine { program: env!("CARGO_BIN_EXE_standin-under-test").into(), ..machine.clone() };
    let kept_by = || cli.json(&["schedule"])["kept_by"].clone();
    let window = Window::open(&machine, &[], Theme::Light);
    window.until(&card("mirror-2"), "In step");
    keep("by_itself", &window.picture());
    let holder = kept_by();
    assert!(holder.as_str().unwrap_or_default().contains("(desktop)"), "{holder}");
    let runs = cli.json(&["history", "--mirror", "mirror-2"]);
    assert_eq!(runs[0]["trigger"], "schedule", "{runs}");
    drop(window);
    finish("the schedule is free again", Duration::from_secs(30), || kept_by().is_null());
}

#[test]
fn the_window_may_do_nothing_but_its_own_commands() {
    let world = world();
    let window = Window::open(&world.machine(), &[], Theme::Light);
    window.until(&card(STANDBY), "Never synced");
    for (command, arguments) in [
        ("plugin:shell|execute", json!({ "program": "sh", "args": ["-c", "true"], "options": {} })),
        ("plugin:shell|spawn", json!({ "program": "sh", "args": [], "options": {} })),
        ("plugin:shell|open", json!({ "path": "https://example.com" })),
        ("plugin:event|emit", json!({ "event": "x", "payload": 1 })),
        ("plugin:window|create", json!({ "options": { "label": "other" } })),
        ("plugin:webview|create_webview_window", json!({ "options": { "label": "other" } })),
        ("plugin:path|resolve_directory", json!({ "directory": 1 })),
    ] {
        let answer = window.wait_for(&format!("window.__TAURI_INTERNALS__.invoke('{command}', {arguments})"));
        let why = answer["rejected"].as_str().unwrap_or_else(|| panic!("{command} was not refused: {answer}"));
        assert!(why.contains("not allowed") || why.contains("not found"), "{command}: {why}");
    }
    let sandbox = world.sandbox.api_url();
    let fetched = window.wait_for(&format!("fetch('{sandbox}/user', {{mode: 'no-cors'}})"));
    assert!(fetched["rejected"].is_string(), "{fetched}");
    let evaluated = window.wait_for(
        "new Promise((done) => {
           const script = document.createElement('script');
           script.textContent = 'window.ran = true';
           document.head.append(script);
           setTimeout(() => done(window.ran ?? 'refused'), 200);
         })",
    );
    assert_eq!(evaluated, json!("refused"));
    window.run("location.href = 'https://example.com/'");
    std::thread::sleep(std::time::Duration::from_millis(500));
    window.until(&card(STANDBY), "Never synced");
    assert_eq!(window.run("return window.open('https://example.com/') === null"), json!(true));
    assert_eq!(window.run("return '__TAURI__' in window"), json!(false));
}

#[test]
fn the_window_keeps_a_typed_token_in_memory_only_when_there_is_no_keychain_and_the_user_says_so() {
    let mut world = world();
    world.set("MIRROR_1_TOKEN", None);
    let token = world.token.clone();
    let window = Window::open(&world.machine(), &[], Theme::Light);
    window.until(&card(STANDBY), "Never synced");
    window.run(RECORD);
    window.click("#tab-tokens");
    window.until("#panel-tokens", "mirror-1");
    window.click("[aria-label='Set the token of mirror-1']");
    window.enter("#token-mirror-1", &token);
    window.click("form button[type=submit]");
    window.until("form", "Keep in memory until Standin quits");
    window.until("form", "the keychain cannot be used");
    window.run("[...document.querySelectorAll('form button')].find((button) => button.innerText.includes('Keep in memory')).click()");
    window.until("#panel-tokens", "ada-backup, in memory until Standin quits");
    let everything = window.run(EVERYTHING).as_str().unwrap().to_owned();
    assert!(everything.contains("keychain_unavailable"), "the recording lacks the answers");
    assert!(!everything.contains(&token), "the page still knows the token");
}

#[test]
fn the_window_shows_every_mistake_of_the_configuration_and_reloads() {
    let mut world = world();
    world.set("MIRROR_1_TYPE", Some("githup"));
    world.set("MIRROR_2_URL", None);
    let window = Window::open(&world.machine(), &[], Theme::Light);
    window.until("main", "The configuration has 2 mistakes");
    window.until("main", "MIRROR_1_TYPE");
    window.until("main", "MIRROR_2: nothing says where this mirror is");
    world.set("MIRROR_1_TYPE", Some("github"));
    world.set("MIRROR_2_URL", Some(&world.archive().display().to_string()));
    window.click("main button.primary");
    window.until(&card(STANDBY), "Never synced");
}

#[test]
fn screenshots_fit_every_size_and_theme() {
    for theme in [Theme::Light, Theme::Dark] {
        let world = world();
        let window = Window::open(&world.machine(), &[], theme);
        window.until(&card(STANDBY), "Never synced");
        let dark = window.run("return matchMedia('(prefers-color-scheme: dark)').matches");
        assert_eq!(dark, json!(theme == Theme::Dark));
        window.run("[...document.querySelectorAll('button')].find((button) => button.innerText.includes('Sync All Now')).click()");
        window.until("[aria-label='Output of mirror-1']", "Done in");
        window.until("[aria-label='Output of mirror-2']", "Done in");
        window.until("h1", "orchestrator");
        let mut pictures = BTreeMap::new();
        for (width, height) in [(900, 640), (1600, 1000)] {
            window.resize(width, height);
            let fits = window.run(
                "const wide = [...document.querySelectorAll('main *')].filter((element) =>
                   element.getBoundingClientRect().right > innerWidth + 1 && !element.closest('svg, pre'));
                 return [document.documentElement.scrollWidth <= innerWidth, wide.map((element) => element.outerHTML.slice(0, 120))]",
            );
            assert_eq!(fits, json!([true, []]), "{width}×{height}");
            pictures.insert(format!("{}-{width}x{height}", theme.name()), window.picture());
        }
        for (name, picture) in pictures {
            assert!(picture.len() > 10_000, "{name} shows nothing");
            keep(&name, &picture);
        }
    }
}

/// Writes a picture to the folder that `STANDIN_SCREENSHOTS` names, if it does.
fn keep(name: &str, picture: &[u8]) {
    let Some(folder) = std::env::var_os("STANDIN_SCREENSHOTS") else { return };
    std::fs::write(std::path::Path::new(&folder).join(format!("window-{name}.png")), picture).unwrap();
}
