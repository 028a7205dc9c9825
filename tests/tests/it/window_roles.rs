//! The worst day in the real window: told, answered by a promotion, and ended by handing back; also across a restart.

use std::time::Duration;

use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, finish};
use standin_tests::watch::Watched;
use standin_tests::window::{Theme, Window, program};

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const NEWS: &str = "[aria-labelledby^='news-']";
const SHEET: &str = "dialog[open]";

/// Keeps a picture where pictures are wanted.
fn keep(name: &str, window: &Window) {
    if let Some(folder) = std::env::var_os("STANDIN_SCREENSHOTS") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), window.picture()).unwrap();
    }
}

/// Clicks the button of an element whose words begin so.
fn press(window: &Window, within: &str, words: &str) {
    let mark = format!(
        "const found = [...document.querySelectorAll({within:?} + ' button')].find((button) => button.innerText.trim().startsWith({words:?}));
         document.querySelectorAll('[data-pressed]').forEach((old) => old.removeAttribute('data-pressed'));
         found?.setAttribute('data-pressed', '');
         return found !== undefined && !found.disabled;"
    );
    finish(words, Duration::from_secs(40), || window.run(&mark) == serde_json::Value::Bool(true));
    window.click("[data-pressed]");
}

/// Says yes to each loss that is named.
fn agree_to_all(window: &Window) {
    let count =
        window.run("return document.querySelectorAll('dialog[open] input[type=checkbox]').length").as_u64().unwrap();
    for at in 1..=count {
        window.click(&format!("dialog[open] li:nth-child({at}) input[type=checkbox]"));
    }
}

#[test]
fn the_worst_day_from_the_first_word_of_it_to_the_way_back() {
    let watched = Watched::new(PROGRAM);
    let desk = Machine { program: program(), ..watched.machine.clone() };
    let window = Window::open(&desk, &[], Theme::Light);
    window.resize(900, 640);
    window.until("h1", "orchestrator");
    watched.master_down();
    press(&window, "header", "Check health");
    window.until(NEWS, &format!("{OWNER}/{NAME} has been down"));
    window.until(NEWS, &format!("{BACKUP}/{NAME}"));
    window.until(NEWS, "nothing that Standin knows of");
    // The whole answer is there without scrolling.
    let seen = window.run(
        "const box = document.querySelector(\"[aria-labelledby^='news-'] .deeds\").getBoundingClientRect();
         return box.bottom <= innerHeight && box.top >= 0;",
    );
    assert_eq!(seen, true);
    keep("worst-day", &window);

    press(&window, NEWS, "Make mirror-1 the master");
    window.until(SHEET, "Starts running there");
    keep("promote", &window);
    if window.text(SHEET).contains("Go on") {
        press(&window, SHEET, "Go on");
        agree_to_all(&window);
        keep("promote-costs", &window);
    }
    press(&window, SHEET, "Promote");
    window.until(SHEET, "The master has changed.");
    keep("promoted-steps", &window);
    press(&window, SHEET, "Close");
    window.until("[aria-labelledby^='stands-in-']", &format!("{BACKUP}/{NAME} stands in for {OWNER}/{NAME}"));
    keep("promoted", &window);
    drop(window);

    // Another window, another day: the master is back.
    watched.master_back();
    let window = Window::open(&desk, &[], Theme::Dark);
    window.until("[aria-labelledby^='stands-in-']", "stands in for");
    press(&window, "[aria-labelledby^='stands-in-']", "Check again");
    window.until("[aria-labelledby^='stands-in-']", "is well again");
    press(&window, "[aria-labelledby^='stands-in-']", "Hand back");
    window.until(SHEET, "Comes home");
    keep("hand-back", &window);
    if window.text(SHEET).contains("Go on") {
        press(&window, SHEET, "Go on");
        agree_to_all(&window);
    }
    press(&window, &format!("{SHEET} footer"), "Hand back");
    window.until(SHEET, "The master has changed.");
    press(&window, SHEET, "Close");
    let gone = "return document.querySelector(\"[aria-labelledby^='stands-in-']\") === null";
    finish("nobody stands in any more", Duration::from_secs(40), || window.run(gone) == serde_json::Value::Bool(true));
    let status = watched.machine.json(&["status"]);
    assert_eq!(
        (&status["self_role"], &status["open_change"]),
        (&"MASTER".into(), &serde_json::Value::Null),
        "{status}"
    );
}
