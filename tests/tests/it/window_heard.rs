//! The real window as a screen reader finds it: everything that the eye can use has a name, in the order in which it stands.

use std::time::{Duration, Instant};

use serde_json::Value;
use standin_tests::cli::{Machine, NAME, World, finish};
use standin_tests::reader::{Heard, Reader, Role};
use standin_tests::window::{Theme, Window, program};

const PATIENCE: Duration = Duration::from_secs(60);

/// The headings, buttons, tabs, links, boxes and fields that the eye sees, in the page's order, each as `role name`.
const SEEN: &str = "
  const spoken = (node) => node.nodeType === Node.TEXT_NODE ? node.data
    : node.nodeType !== Node.ELEMENT_NODE || node.ariaHidden === 'true' ? '' : [...node.childNodes].map(spoken).join('');
  const name = (one) => one.ariaLabel
    ?? one.labels?.[0]?.innerText
    ?? spoken(one);
  const role = (one) => one.role === 'tab' || one.getAttribute('role') === 'tab' ? 'Tab'
    : /^H[1-6]$/.test(one.tagName) ? 'Heading' : one.tagName === 'A' ? 'Link'
    : one.type === 'checkbox' ? 'CheckBox' : one.tagName === 'INPUT' || one.tagName === 'TEXTAREA' ? 'Entry' : 'Button';
  const top = document.querySelector('dialog[open]') ?? document;
  return [...top.querySelectorAll('h1, h2, h3, h4, button, a[href], select, textarea, input:not([type=radio])')]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest('[aria-hidden=true]'))
    .map((one) => `${role(one)} ${name(one).replace(/\\s+/g, ' ').trim()}`);";

/// What is said of a text: its words. Where spaces stand beside commas nobody hears.
fn words(text: &str) -> String {
    text.split(|one: char| !one.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The same as it is heard. What opens a menu is a button, too.
fn heard(reader: &Reader) -> Vec<String> {
    let name = |role: &str, heard: &Heard| format!("{role} {}", words(&heard.name));
    let all = reader.all();
    // Over a question or a panel nothing else is read.
    let last = all.iter().rposition(|heard| heard.role == Role::Dialog).unwrap_or(0);
    let spoken = all[last..].iter().filter_map(|heard| match heard.role {
        Role::Heading => Some(name("Heading", heard)),
        Role::Button | Role::Menu => Some(name("Button", heard)),
        Role::Tab => Some(name("Tab", heard)),
        Role::Link => Some(name("Link", heard)),
        Role::CheckBox => Some(name("CheckBox", heard)),
        Role::Entry => Some(name("Entry", heard)),
        _ => None,
    });
    spoken.collect()
}

/// Waits until what is heard is what is seen.
fn agree(window: &Window, reader: &Reader, screen: &str) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Value::Array(seen) = window.run(SEEN) else { panic!("{screen}") };
        let seen: Vec<String> = seen.iter().map(|one| words(one.as_str().unwrap())).collect();
        let heard = heard(reader);
        if seen == heard && !seen.is_empty() {
            return seen;
        }
        assert!(Instant::now() < deadline, "{screen}\nseen  {seen:#?}\nheard {heard:#?}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

#[test]
fn a_screen_reader_reads_what_the_eye_sees_in_the_same_order() {
    let world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let machine = world.machine();
    assert_eq!(machine.standin(&["sync"]).code(), 0);
    let desk = Machine { program: program(), ..machine };
    let (window, reader) = Window::open_and_hear(&desk, &[], Theme::Light);
    window.resize(1100, 800);
    window.until("h1", NAME);
    window.until("main", "In step");

    let card = agree(&window, &reader, "the card");
    let place = |words: &str| card.iter().position(|one| one == words).unwrap_or_else(|| panic!("{words}: {card:#?}"));
    assert!(place("Heading orchestrator ada") < place("Button Sync All Now"));
    assert!(place("Button Sync All Now") < place("Heading ada backup orchestrator"));
    assert!(place("Heading ada backup orchestrator") < place("Button Sync now mirror 1"));
    // A row is one sentence, not words that run into each other.
    let rows: Vec<Heard> = reader.all().into_iter().filter(|heard| heard.name.starts_with("Secrets")).collect();
    assert!(rows.iter().any(|row| words(&row.name).starts_with("Secrets In step 3 3 ")), "{rows:?}");

    for (tab, words) in [("activity", "mirror-1"), ("vault", "RESEND_API_KEY"), ("tokens", "ada-backup")] {
        window.click(&format!("#tab-{tab}"));
        window.until(&format!("#panel-{tab}"), words);
        agree(&window, &reader, tab);
    }
    window.run("[...document.querySelectorAll('button')].find((one) => one.innerText.startsWith('Sentinel')).click()");
    window.until("dialog[open]", "not set up yet");
    let panel = agree(&window, &reader, "the sentinel");
    assert!(panel.contains(&"Button Commit it".to_owned()), "{panel:#?}");
    window.click("dialog[open] button[aria-label=Close]");
    finish("the end of the panel", PATIENCE, || window.text("dialog[open]").is_empty());
    window.run("[...document.querySelectorAll('button')].find((one) => one.innerText.trim() === 'Settings').click()");
    window.until("h1", "Settings");
    agree(&window, &reader, "the settings");
}
