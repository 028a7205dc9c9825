//! The screens that the documents show, as they really are: `cargo xtask screenshots` keeps them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use standin_tests::cli::{Machine, NAME, OWNER, finish};
use standin_tests::watch::Watched;
use standin_tests::window::{Theme, Window, program};

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");

/// Clicks the button of an element whose words begin so, wherever they stand.
fn press(window: &Window, within: &str, words: &str) {
    let mark = format!(
        "const found = [...document.querySelectorAll({within:?} + ' button, ' + {within:?} + ' label')].find((one) => one.innerText.trim().startsWith({words:?}));
         document.querySelectorAll('[data-pressed]').forEach((old) => old.removeAttribute('data-pressed'));
         found?.setAttribute('data-pressed', '');
         return found !== undefined && !found.disabled && found.ariaDisabled !== 'true';"
    );
    finish(words, Duration::from_secs(40), || window.run(&mark) == Value::Bool(true));
    window.click("[data-pressed]");
}

/// Keeps a picture where pictures are wanted, and sees that nothing hangs over the edge.
fn keep(window: &Window, theme: Theme, scene: &str) {
    let fits = window.run("return document.documentElement.scrollWidth <= innerWidth");
    assert_eq!(fits, true, "{scene}");
    if let Some(folder) = std::env::var_os("STANDIN_SCREENSHOTS") {
        let picture = window.picture();
        assert!(picture.len() > 10_000, "{scene} shows nothing");
        fs::write(Path::new(&folder).join(format!("{scene}-{}.png", theme.name())), picture).unwrap();
    }
}

/// Waits until no look goes on.
fn at_rest(window: &Window) {
    let is_busy = "return /Checking…|Looking…/.test(document.querySelector('main').innerText)";
    finish("the end of the look", Duration::from_secs(40), || window.run(is_busy) == Value::Bool(false));
}

fn good_days(watched: &Watched, theme: Theme) {
    let desk = Machine { program: program(), ..watched.machine.with("STANDIN_SCHEDULE", "true") };
    let window = Window::open(&desk, &[], theme);
    window.resize(1100, 760);
    window.until("h1", NAME);
    press(&window, "header", "Check health");
    at_rest(&window);
    window.until("main", "In step");
    window.click("#tab-activity");
    window.until("#panel-activity", "mirror-1");
    keep(&window, theme, "activity");
    press(&window, "aside", "Settings");
    window.until("h1", "Settings");
    keep(&window, theme, "settings");
}

fn first_hour(watched: &Watched, theme: Theme) {
    let home = watched.world.folder().join(format!("home-{}", theme.name()));
    fs::create_dir_all(&home).unwrap();
    let machine = watched.world.machine().unasked();
    let text = home.display().to_string();
    let desk = Machine {
        program: program(),
        folder: home,
        ..machine.with("HOME", &text).with("XDG_CONFIG_HOME", text.clone() + "/.config")
    };
    let window = Window::open(&desk, &[], theme);
    window.resize(1100, 760);
    window.until("main", "Set up a standby");
    keep(&window, theme, "first-start");
    press(&window, "main", "Set up a standby…");
    press(&window, "main", "Standby on GitHub");
    press(&window, "main", "Next");
    window.enter("#setup-source-text", &format!("{OWNER}/{NAME}"));
    press(&window, "main", "Look at it");
    finish("a field for the token", Duration::from_secs(40), || {
        !window.run("return document.querySelector('#setup-token-source')").is_null()
    });
    window.enter("#setup-token-source", &watched.world.source_token);
    press(&window, "main", "Use");
    press(&window, "main footer", "Next");
    window.until("main h2", "Where");
    keep(&window, theme, "setup");
}

fn worst_day(watched: &Watched, theme: Theme) {
    let desk = Machine { program: program(), ..watched.machine.clone() };
    let window = Window::open(&desk, &[], theme);
    window.resize(900, 640);
    window.until("h1", NAME);
    press(&window, "header", "Check health");
    window.until("[aria-labelledby^='news-']", "has been down");
    at_rest(&window);
    keep(&window, theme, "worst-day");
    press(&window, "[aria-labelledby^='news-']", "Make mirror-1 the master");
    window.until("dialog[open]", "Starts running there");
    keep(&window, theme, "promote");
}

#[test]
fn screenshots_of_the_first_hour_of_good_days_and_of_the_worst() {
    let watched = Watched::new(PROGRAM);
    // The sentinel is awake.
    watched.check();
    for theme in [Theme::Light, Theme::Dark] {
        first_hour(&watched, theme);
        good_days(&watched, theme);
    }
    watched.master_down();
    for theme in [Theme::Light, Theme::Dark] {
        worst_day(&watched, theme);
    }
}
