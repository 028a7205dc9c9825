//! `standin watch`: syncs when it is due, stands by for another, is paused, hears of a changed configuration, and ends well.

use std::fs;
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use standin_sandbox::{Effect, Fault, FaultMatcher};
use standin_tests::cli::{ARCHIVE, Machine, NAME, OWNER, Running, STANDBY, World, branch, finish};

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const PATIENCE: Duration = Duration::from_secs(60);

fn world() -> World {
    World::new(PROGRAM)
}

/// A machine on which something is due every so often.
fn machine(world: &World, interval: &str) -> Machine {
    world.machine().with("STANDIN_SYNC_INTERVAL", interval)
}

fn signal(running: &Running, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &running.id().to_string()]).status().unwrap().success());
}

/// Ends it as systemd does.
fn end(running: Running) {
    signal(&running, "TERM");
    let ran = running.wait();
    assert_eq!(ran.code(), 0, "{}", ran.all());
    assert!(ran.stdout.contains("[schedule] keeps the schedule no more"), "{}", ran.all());
}

fn runs(machine: &Machine, mirror: &str) -> Vec<Value> {
    machine.json(&["history", "--mirror", mirror]).as_array().unwrap().clone()
}

fn of(machine: &Machine, mirror: &str) -> Value {
    let status = machine.json(&["status"]);
    status["mirrors"].as_array().unwrap().iter().find(|known| known["id"] == mirror).unwrap().clone()
}

fn time(value: &Value) -> Timestamp {
    value.as_str().unwrap_or_else(|| panic!("{value}")).parse().unwrap()
}

/// Waits until so many runs of a mirror ended.
fn ended(machine: &Machine, mirror: &str, count: usize) -> Vec<Value> {
    let through = |run: &&Value| !run["finished_iso"].is_null();
    finish(&format!("{count} runs of {mirror}"), PATIENCE, || {
        runs(machine, mirror).iter().filter(through).count() >= count
    });
    runs(machine, mirror)
}

#[test]
fn everything_is_synced_at_the_start_and_again_when_it_is_due() {
    let world = world();
    let machine = machine(&world, "3s");
    assert_eq!(of(&machine, STANDBY)["next_sync_iso"], Value::Null, "nobody keeps the schedule");
    let watch = machine.start(&["watch"]);
    ended(&machine, STANDBY, 1);
    ended(&machine, ARCHIVE, 1);
    let (now, next) = (Timestamp::now(), time(&of(&machine, ARCHIVE)["next_sync_iso"]));
    assert!(next.duration_since(now).as_secs().abs() <= 4, "{next} at {now}");

    // What the source gets meanwhile arrives by itself.
    let tip = world.commit(None, &[("news", "written while nobody typed\n")]);
    world.publish(&branch("news"), Some(tip));
    let arrived = |path: &std::path::Path| standin_tests::cli::refs(path).get(&branch("news")) == Some(&tip);
    finish("the commit at the archive", PATIENCE, || arrived(&world.archive()));
    finish("the commit at the standby", PATIENCE, || arrived(&world.standby()));

    let runs = runs(&machine, ARCHIVE);
    for run in &runs {
        assert_eq!(run["trigger"], "schedule", "{run}");
    }
    let mut begun: Vec<Timestamp> = runs.iter().map(|run| time(&run["started_iso"])).collect();
    begun.sort();
    for pair in begun.windows(2) {
        assert!(pair[1].duration_since(pair[0]).as_millis() > 2_500, "too soon after each other: {begun:?}");
    }
    let audit = machine.standin(&["history", "--audit"]);
    assert!(audit.stdout.contains("(cli)"), "{}", audit.all());
    end(watch);
    assert_eq!(of(&machine, STANDBY)["next_sync_iso"], Value::Null, "nobody keeps the schedule any more");
}

#[test]
fn a_second_one_stands_by_and_goes_on_where_the_first_was_killed() {
    let world = world();
    let machine = machine(&world, "1h");
    let first = machine.start(&["watch"]);
    finish("the first keeps it", PATIENCE, || first.stdout().contains("keeps the schedule of this state folder"));
    let second = machine.start(&["watch"]);
    let pid = format!("pid {}", first.id());
    finish("the second stands by", PATIENCE, || {
        second.stdout().contains("stands by") && second.stdout().contains(&pid)
    });
    let shown = machine.json(&["schedule"]);
    assert!(shown["kept_by"].as_str().unwrap().contains(&pid), "{shown}");
    ended(&machine, ARCHIVE, 1);
    signal(&first, "KILL");
    drop(first);
    finish("the second keeps it", PATIENCE, || second.stdout().contains("keeps the schedule of this state folder"));
    // What the first one synced a moment ago is not synced anew, and nothing is forgotten.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(runs(&machine, ARCHIVE).len(), 1);
    let next = time(&of(&machine, ARCHIVE)["next_sync_iso"]);
    assert!(next.duration_since(Timestamp::now()).as_mins() < 6, "due soon after the start: {next}");
    end(second);
}

#[test]
fn a_pause_holds_until_it_is_resumed_and_never_stops_a_sync_by_hand() {
    let world = world();
    let machine = machine(&world, "2s");
    let paused = machine.json(&["schedule", "pause"]);
    assert_eq!(paused["until_iso"], Value::Null);
    let watch = machine.start(&["watch"]);
    finish("it says that it is paused", PATIENCE, || watch.stdout().contains("[schedule] paused"));
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(runs(&machine, ARCHIVE).len(), 0);
    assert_eq!(of(&machine, ARCHIVE)["next_sync_iso"], Value::Null, "nobody knows when");
    assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 0);
    assert_eq!(runs(&machine, ARCHIVE).len(), 1, "by hand");
    let resumed = machine.json(&["schedule", "resume"]);
    assert_eq!(resumed["was_paused"], true);
    ended(&machine, ARCHIVE, 2);
    assert!(watch.stdout().contains("[schedule] goes on"), "{}", watch.stdout());

    // A pause for a while ends by itself, and says until then when the next sync is.
    let until = time(&machine.json(&["schedule", "pause", "4s"])["until_iso"]);
    let next = of(&machine, ARCHIVE)["next_sync_iso"].clone();
    assert!(next.is_null() || time(&next) >= until.checked_sub(Duration::from_secs(1)).unwrap(), "{next} and {until}");
    let before = runs(&machine, ARCHIVE).len();
    finish("it goes on", PATIENCE, || runs(&machine, ARCHIVE).len() > before && Timestamp::now() > until);
    let refused = machine.standin(&["schedule", "pause", "soon"]);
    assert_eq!(refused.code(), 2, "{}", refused.all());
    assert!(refused.stderr.contains("is not a length of time"), "{}", refused.all());
    end(watch);
}

#[test]
fn a_changed_configuration_takes_effect_and_a_broken_one_changes_nothing() {
    let mut world = world();
    world.set("MIRROR_2_ENABLED", Some("false"));
    let machine = machine(&world, "2s");
    let watch = machine.start(&["watch"]);
    ended(&machine, STANDBY, 1);
    assert_eq!(runs(&machine, ARCHIVE).len(), 0);

    world.set("MIRROR_2_SYNC_CODE", Some("perhaps"));
    finish("it says that it goes on", PATIENCE, || watch.stdout().contains("goes on with the configuration as it was"));
    let count = runs(&machine, STANDBY).len();
    ended(&machine, STANDBY, count + 2);

    world.set("MIRROR_2_SYNC_CODE", None);
    world.set("MIRROR_2_ENABLED", Some("true"));
    // What the file asks for is another thing now, so it waits for a yes; once that is said it is read again.
    assert_eq!(machine.unasked().standin(&["allow", "--yes"]).code(), 0);
    ended(&machine, ARCHIVE, 1);
    let said = watch.stdout();
    assert_eq!(said.matches("goes on with the configuration as it was").count(), 1, "told once: {said}");
    end(watch);
}

#[test]
fn a_mirror_that_fails_is_tried_again_after_a_minute_and_not_all_the_time() {
    let mut world = world();
    let gone = world.folder().join("gone.git");
    world.set("MIRROR_2_URL", Some(&gone.display().to_string()));
    let machine = machine(&world, "1h");
    let watch = machine.start(&["watch"]);
    ended(&machine, ARCHIVE, 1);
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(runs(&machine, ARCHIVE).len(), 1, "{}", watch.stdout());
    let next = time(&of(&machine, ARCHIVE)["next_sync_iso"]).duration_since(Timestamp::now()).as_secs();
    assert!((40..=60).contains(&next), "next in {next} s");
    // The other one is not held up, and waits for its hour.
    ended(&machine, STANDBY, 1);
    let next = time(&of(&machine, STANDBY)["next_sync_iso"]).duration_since(Timestamp::now()).as_mins();
    assert!((55..=60).contains(&next), "next in {next} min");
    end(watch);
}

#[test]
fn a_master_that_is_down_is_seen_without_anybody_asking() {
    let world = world();
    let machine = machine(&world, "1h");
    assert_eq!(machine.standin(&["sync", "--yes"]).code(), 0);
    let down = Effect::Status { status: 503, retry_after: None };
    world.sandbox.add_fault(Fault::always(FaultMatcher::repository(OWNER, NAME), down));
    let watch = machine.start(&["watch"]);
    let standing = || machine.json(&["status"])["standing"]["word"].clone();
    finish("it is seen", PATIENCE, || matches!(standing().as_str(), Some("master_down" | "master_gone")));
    let seen = machine.json(&["status"]);
    assert_eq!(seen["standing"]["actions"][0]["command"], format!("standin promote {STANDBY}"), "{seen}");
    end(watch);
}

#[test]
fn what_is_off_or_at_its_own_times_is_not_synced_at_the_start() {
    let world = world();
    let machine = machine(&world, "1h");
    let config = machine.folder.parent().unwrap().join("times.toml");
    let clone = machine.folder.display();
    fs::write(
        &config,
        format!(
            "[[repository]]\nid = \"times\"\nsource = \"{clone}\"\nschedule = \"off\"\n\
             [[repository.mirror]]\nid = \"never\"\ntype = \"git\"\nurl = \"{0}/never.git\"\n\
             [[repository.mirror]]\nid = \"nightly\"\ntype = \"git\"\nurl = \"{0}/nightly.git\"\nschedule = \"0 3 * * * UTC\"\n\
             [[repository.mirror]]\nid = \"often\"\ntype = \"git\"\nurl = \"{0}/often.git\"\nschedule = \"30m\"\n",
            world.folder().display()
        ),
    )
    .unwrap();
    for name in ["never", "nightly", "often"] {
        standin_tests::git::bare(&world.folder().join(format!("{name}.git")));
    }
    let elsewhere = world.folder().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let config = config.display().to_string();
    let machine = Machine { folder: elsewhere, ..machine };
    let watch = machine.start(&["watch", "--config", &config]);
    let all = || machine.json(&["schedule", "--config", &config]);
    let next = |mirror: &str| {
        let all = all();
        all["mirrors"].as_array().unwrap().iter().find(|known| known["mirror"] == mirror).unwrap().clone()
    };
    finish("the one that is due is synced", PATIENCE, || {
        next("often")["next_sync_iso"].as_str().is_some_and(|at| at.parse::<Timestamp>().unwrap() > Timestamp::now())
    });
    assert_eq!(next("never")["next_sync_iso"], Value::Null);
    assert_eq!(next("never")["rhythm"], "off");
    let shown = machine.standin(&["schedule", "--config", &config]);
    assert!(shown.stdout.contains("at `0 3 * * * UTC`") && shown.stdout.contains("not by itself"), "{}", shown.all());
    end(watch);
}
