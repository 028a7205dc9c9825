//! The program in the tray: without a window, with a menu that says what is so and does what is pressed, alone for its state folder.

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use standin_tests::cli::{Machine, Running, finish};
use standin_tests::local::Local;
use standin_tests::tray::{Desk, has_window};
use standin_tests::window::{Theme, Window, program};

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const PATIENCE: Duration = Duration::from_secs(60);

fn signal(running: &Running, signal: Signal) {
    kill(Pid::from_raw(running.id().try_into().unwrap()), signal).unwrap();
}

fn arrived(local: &Local, name: &str, tip: &str) -> bool {
    let there = local.try_git(&local.mirror, &["rev-parse", "--verify", "-q", name]).stdout;
    String::from_utf8_lossy(&there).trim() == tip
}

#[test]
fn a_window_in_the_tray_says_what_is_so_and_does_what_is_pressed() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let desk = Desk::new(&local.machine);
    let host = desk.host();
    let running = desk.start(&["--hidden"]);
    host.until_there();
    host.until("site: in step");
    assert!(!has_window(&running), "it began without one");
    let ready = host.picture();
    assert_eq!(&ready[1..4], b"PNG");

    // What changes is shown, and told apart by the picture.
    let aside = local.folder().join("aside.git");
    std::fs::rename(&local.mirror, &aside).unwrap();
    host.press("Sync All Now");
    host.until("site: failed");
    finish("another picture", PATIENCE, || host.picture() != ready);
    std::fs::rename(&aside, &local.mirror).unwrap();
    let tip = local.update("refs/heads/pressed", "pressed");
    host.press("Sync All Now");
    finish("the commit at the mirror", PATIENCE, || arrived(&local, "refs/heads/pressed", &tip));
    host.until("site: in step");
    finish("the first picture", PATIENCE, || host.picture() == ready);

    host.press("For 1 hour");
    host.until("Resume (paused until ");
    assert!(local.machine.json(&["schedule"])["pause"]["until_iso"].is_string());
    host.press("Resume");
    finish("the end of the pause", PATIENCE, || local.machine.json(&["schedule"])["pause"].is_null());

    // A panel that is started again finds it.
    drop(host);
    let host = desk.host();
    host.until_there();
    host.until("site: in step");
    host.press("Open Standin");
    finish("a window", PATIENCE, || has_window(&running));
    host.press("Quit");
    assert_eq!(running.wait().code(), 0);
}

#[test]
fn without_a_place_for_icons_there_is_a_window_and_one_that_comes_later_is_used() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let desk = Desk::new(&local.machine);
    let running = desk.start(&["--hidden"]);
    finish("a window, since nothing else shows that it runs", PATIENCE, || has_window(&running));
    let host = desk.host();
    host.until_there();
    host.until("site: ");
    signal(&running, Signal::SIGTERM);
    assert_eq!(running.wait().code(), 0);
}

#[test]
fn whoever_is_started_second_shows_the_first_and_never_waits_for_one_that_hangs() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let desk = Desk::new(&local.machine);
    let host = desk.host();
    let first = desk.start(&["--hidden"]);
    host.until_there();
    assert!(!has_window(&first));
    let second = desk.start(&[]).wait();
    assert_eq!(second.code(), 0, "{}", second.all());
    assert!(second.stderr.contains("is open already, and is shown as it was started"), "{}", second.all());
    finish("the window of the first", PATIENCE, || has_window(&first));
    // One for another state folder is another program.
    let folder = local.folder().join("other-state").display().to_string();
    let other = desk.start(&["--state-dir", &folder, "--hidden"]);
    finish("the icons of both", PATIENCE, || std::path::Path::new(&folder).join("locks/desktop.socket").exists());
    signal(&other, Signal::SIGTERM);
    assert_eq!(other.wait().code(), 0);

    signal(&first, Signal::SIGSTOP);
    let begin = Instant::now();
    let third = desk.start(&[]).wait();
    assert_eq!(third.code(), 1, "{}", third.all());
    assert!(third.stderr.contains("is open and does not answer"), "{}", third.all());
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    signal(&first, Signal::SIGCONT);
    signal(&first, Signal::SIGTERM);
    assert_eq!(first.wait().code(), 0);
}

#[test]
fn word_of_what_changed_is_a_notification_that_opens_the_window() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let desk = Desk::new(&local.machine);
    let (host, service) = (desk.host(), desk.notifications());
    let running = desk.start(&["--hidden"]);
    host.until_there();
    host.until("site: in step");
    assert_eq!(service.count(), 0, "that all is well is no word");

    // Somebody pushes to the mirror: that waits for a decision. Names of branches are strangers' words.
    let theirs = local.git(&local.mirror, &["commit-tree", "main^{tree}", "-p", "main", "-m", "theirs"]);
    local.git(&local.mirror, &["update-ref", "refs/heads/main", &theirs]);
    local.update("refs/heads/a<b>&c", "ours");
    host.until("site: waits for your decision");
    let shown = service.until(1);
    assert_eq!(shown.title, "site: waits for your decision", "{shown:?}");
    assert!(shown.body.contains("backup") && !shown.body.contains('<'), "{shown:?}");
    assert_eq!((shown.replaces, shown.urgency, shown.actions[1].as_str()), (0, 1, "Open"), "{shown:?}");

    // A service that went and came back shows the next one; what another process decided is shown as well.
    drop(service);
    let service = desk.notifications();
    let words = rusqlite::Connection::open(local.machine.state.join("standin.db")).unwrap();
    let again = "INSERT INTO words (at_ns, word) SELECT at_ns, word FROM words ORDER BY id LIMIT 1";
    words.execute(again, []).unwrap();
    let shown = service.until(1);
    assert!(!has_window(&running));
    service.press(&shown);
    finish("a window", PATIENCE, || has_window(&running));

    // The first time that the window is closed, it is said where the program is; once.
    desk.close_window();
    let shown = service.until(2);
    assert_eq!(shown.title, "Standin goes on in the tray", "{shown:?}");
    finish("the end of the window", PATIENCE, || !has_window(&running));
    service.press(&shown);
    finish("a window", PATIENCE, || has_window(&running));
    desk.close_window();
    finish("the end of the window", PATIENCE, || !has_window(&running));
    assert_eq!(service.count(), 2);
    signal(&running, Signal::SIGTERM);
    assert_eq!(running.wait().code(), 0);
}

/// Nobody shows icons here.
#[test]
fn a_window_asks_before_the_schedule_ends_with_it() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let desk = Machine { program: program(), ..local.machine.with("STANDIN_SCHEDULE", "true") };
    let question = "Close Standin, and the schedule with it?";
    let window = Window::open(&desk, &[], Theme::Light);
    window.until("h1", "site");
    window.until("main", "in step");
    window.close();
    window.until("dialog[open]", question);
    // It is as high as its words, and no higher.
    let height = window.run("return document.querySelector('dialog[open]').offsetHeight").as_u64().unwrap();
    assert!((80..320).contains(&height), "{height}");
    if let Some(folder) = std::env::var_os("STANDIN_SCREENSHOTS") {
        fs::write(std::path::Path::new(&folder).join("closing.png"), window.picture()).unwrap();
    }
    window.click("dialog[open] .primary");
    finish("the end of the question", PATIENCE, || window.text("dialog[open]").is_empty());
    // Asked again the next time; who closes it while they are asked means it, whatever the page does.
    window.close();
    window.until("dialog[open]", question);
    window.close();
    finish("the end of the program", PATIENCE, || window.has_ended());
    drop(window);

    // Where somebody else keeps the schedule, nothing is asked.
    let watch = local.machine.start(&["watch"]);
    finish("somebody who keeps the schedule", PATIENCE, || watch.stdout().contains("keeps the schedule of this"));
    let window = Window::open(&desk, &[], Theme::Light);
    window.until("main", "in step");
    window.close();
    finish("the end of the program", PATIENCE, || window.has_ended());
    signal(&watch, Signal::SIGTERM);
    assert_eq!(watch.wait().code(), 0);
}
