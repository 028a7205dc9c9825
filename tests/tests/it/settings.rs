//! Settings of the whole program, said in the window: written at once, into a file that stays as its owner wrote it.

use std::fs;
use std::path::PathBuf;

use standin_core::Code;
use standin_core::engine::Engine;
use standin_core::state::config::edit::{Change, Given, SettingKey};
use standin_core::state::config::{Channel, Updates};
use standin_core::state::model::NotifyEvent;
use standin_tests::local::Local;

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_standin-under-test")
}

fn toml(local: &Local) -> PathBuf {
    local.folder().join("home/.config/standin/standin.toml")
}

fn say(key: SettingKey, value: impl Into<Given>) -> Change<SettingKey> {
    Change { key, value: Some(value.into()) }
}

fn number(key: SettingKey, number: u32) -> Change<SettingKey> {
    Change { key, value: Some(Given::Number(number)) }
}

fn set(engine: &Engine, changes: &[Change<SettingKey>]) {
    engine.set_settings(changes).unwrap();
}

#[test]
fn a_setting_is_written_at_once_and_everything_else_of_the_file_stays() {
    let local = Local::new(program(), &["--bare"]);
    let before = "# mine\n\n[limits]   # of this machine\nrun = \"20m\"   # slow disk\n\n".to_owned()
        + &fs::read_to_string(toml(&local)).unwrap()
        + "# the end\n";
    fs::write(toml(&local), &before).unwrap();
    let engine = local.engine();
    assert_eq!(engine.settings().unwrap().run_limit, "20m");

    set(&engine, &[say(SettingKey::RunLimit, "45m"), number(SettingKey::Parallel, 4)]);
    let after = fs::read_to_string(toml(&local)).unwrap();
    assert!(after.contains("run = \"45m\"   # slow disk\n") && after.contains("parallel = 4\n"), "{after}");
    for line in before.lines().filter(|line| !line.starts_with("run")) {
        assert!(after.contains(line), "{line} is gone: {after}");
    }
    let held = engine.settings().unwrap();
    assert_eq!((&*held.run_limit, held.parallel), ("45m", 4));
    assert!(held.state_bytes > 0 && held.file == toml(&local).display().to_string());
    // Another program reads it so.
    assert_eq!(local.engine().settings().unwrap().parallel, 4);
    // And it stands in the audit trail.
    let audit = local.standin(&["history", "--audit", "--json"]);
    assert!(audit.contains("\"settings\"") && audit.contains("RunLimit, Parallel"), "{audit}");

    // Every setting there is; what is taken out is the default again.
    let events = |words: &[&str]| Given::Words(words.iter().map(|word| (*word).to_owned()).collect());
    let all = [
        Change { key: SettingKey::ScheduleEnabled, value: Some(Given::Flag(false)) },
        say(SettingKey::ScheduleInterval, "1h30m"),
        say(SettingKey::LookAtSource, "2m"),
        // Tables take turns: each is written once.
        Change { key: SettingKey::UpdateCheck, value: Some(Given::Flag(false)) },
        say(SettingKey::RequestLimit, "30s"),
        say(SettingKey::KeepRuns, "30d"),
        say(SettingKey::KeepUnchangedRuns, "2d"),
        say(SettingKey::QuietFrom, "22:00"),
        say(SettingKey::QuietTo, "07:00"),
        say(SettingKey::UpdateChannel, "beta"),
        Change { key: SettingKey::DesktopNotify, value: Some(events(&["master_down", "waits"])) },
    ];
    set(&engine, &all);
    let held = engine.settings().unwrap();
    assert_eq!((held.schedule_enabled, &*held.schedule_interval), (false, "1h30m"));
    assert_eq!((held.look_at_source.as_deref(), &*held.request_limit), (Some("2m"), "30s"));
    assert_eq!((&*held.keep_runs, &*held.keep_unchanged_runs), ("30d", "2d"));
    assert!(held.notify.quiet_hours.is_some());
    assert_eq!(held.desktop_notify, [NotifyEvent::MasterDown, NotifyEvent::Waits]);
    let updates = engine.config().updates;
    assert_eq!((updates.check, updates.channel), (false, Channel::Beta));
    set(&engine, &[Change { key: SettingKey::DesktopNotify, value: Some(events(&[])) }]);
    assert!(engine.settings().unwrap().desktop_notify.is_empty(), "nothing is shown where nothing is wished");
    let none: Vec<_> = all.iter().map(|change| Change { key: change.key, value: None }).collect();
    set(&engine, &none);
    set(&engine, &[Change { key: SettingKey::Parallel, value: None }]);
    set(&engine, &[say(SettingKey::RunLimit, "20m")]);
    let fresh = Local::new(program(), &["--bare"]).engine().settings().unwrap();
    let held = engine.settings().unwrap();
    assert_eq!(held.schedule_interval, fresh.schedule_interval);
    assert_eq!((held.parallel, held.notify.quiet_hours), (fresh.parallel, None));
    assert_eq!(held.desktop_notify, fresh.desktop_notify);
    assert_eq!(engine.config().updates, Updates::default());
}

#[test]
fn a_value_that_cannot_be_used_is_refused_with_its_mistake_and_nothing_is_written() {
    let local = Local::new(program(), &["--bare"]);
    let engine = local.engine();
    let before = fs::read_to_string(toml(&local)).unwrap();
    for (change, told) in [
        (say(SettingKey::ScheduleInterval, "soon"), "soon"),
        (say(SettingKey::ScheduleInterval, "-5m"), "-5m"),
        (say(SettingKey::ScheduleEnabled, "perhaps"), "`enabled`: this is text"),
        (number(SettingKey::Parallel, 0), "0"),
        (say(SettingKey::Parallel, "many"), "`parallel`: this is text"),
        (say(SettingKey::UpdateChannel, "nightly"), "nightly"),
        (Change { key: SettingKey::DesktopNotify, value: Some(Given::Words(vec!["weather".to_owned()])) }, "weather"),
        (say(SettingKey::KeepRuns, ""), "keep"),
        (say(SettingKey::QuietFrom, "25:00"), "25:00"),
        (Change { key: SettingKey::RunLimit, value: Some(Given::Words(vec!["1h".to_owned()])) }, "run"),
    ] {
        let refused = engine.set_settings(std::slice::from_ref(&change)).unwrap_err();
        assert_eq!(refused.code, Code::Configuration, "{change:?}: {refused:?}");
        assert!(refused.to_string().contains(told), "{change:?}: {refused}");
        assert_eq!(fs::read_to_string(toml(&local)).unwrap(), before, "{change:?}");
    }
    // One of two is one too many.
    let two = [say(SettingKey::RunLimit, "45m"), say(SettingKey::QuietFrom, "25:00")];
    engine.set_settings(&two).unwrap_err();
    assert_eq!(fs::read_to_string(toml(&local)).unwrap(), before);
}

#[test]
fn what_the_environment_says_is_stronger_and_that_is_told_instead_of_written() {
    let local = Local::new(program(), &["--bare"]);
    let engine = local.engine_with(&[("STANDIN_PARALLEL", "3")]);
    let before = fs::read_to_string(toml(&local)).unwrap();
    let refused = engine.set_settings(&[number(SettingKey::Parallel, 9)]).unwrap_err();
    assert_eq!(refused.code, Code::Usage, "{refused:?}");
    assert!(refused.message.contains("the environment of this program says otherwise"), "{refused}");
    assert_eq!(fs::read_to_string(toml(&local)).unwrap(), before);
    assert_eq!(engine.settings().unwrap().parallel, 3);
    // Also where what is wished is the default, and where nothing is to be said any more.
    let off = local.engine_with(&[("STANDIN_SCHEDULE", "false"), ("STANDIN_PARALLEL", "3")]);
    for change in [
        Change { key: SettingKey::ScheduleEnabled, value: Some(Given::Flag(true)) },
        number(SettingKey::Parallel, 32),
        Change { key: SettingKey::Parallel, value: None },
    ] {
        let refused = off.set_settings(std::slice::from_ref(&change)).map(|held| held.schedule_enabled);
        // What is not in the file need not be taken out.
        if change.value.is_some() {
            assert_eq!(refused.unwrap_err().code, Code::Usage, "{change:?}");
        }
        assert_eq!(fs::read_to_string(toml(&local)).unwrap(), before, "{change:?}");
    }
    // What it says nothing of can be said.
    set(&engine, &[say(SettingKey::RunLimit, "45m")]);
    assert_eq!(engine.settings().unwrap().run_limit, "45m");
}

#[test]
fn odd_files_are_written_into_as_they_are_or_left_alone() {
    let local = Local::new(program(), &["--bare"]);
    let base = fs::read_to_string(toml(&local)).unwrap();
    let written = |text: &str| {
        fs::write(toml(&local), text).unwrap();
        local.engine().set_settings(&[say(SettingKey::RunLimit, "45m")]).map(|held| {
            assert_eq!(held.run_limit, "45m");
            fs::read_to_string(toml(&local)).unwrap()
        })
    };
    let inline = written(&format!("limits = {{ parallel = 2, run = \"20m\" }}\n{base}")).unwrap();
    assert!(inline.contains("limits = { parallel = 2, run = \"45m\" }"), "{inline}");
    let text = format!("limits.run = '20m' # mine\n{base}");
    let dotted = written(&text).unwrap_err();
    assert!(dotted.message.contains("`limits` is written in a way that this cannot change"), "{dotted}");
    assert_eq!(fs::read_to_string(toml(&local)).unwrap(), text);
    let lines = written(&format!("[limits]\r\nparallel = 2\r\n{}", base.replace('\n', "\r\n"))).unwrap();
    assert!(
        lines.contains("run = \"45m\"\r\n") && lines.matches('\n').count() == lines.matches("\r\n").count(),
        "{lines:?}"
    );

    // What was said and is no more leaves nothing that would be a mistake, and no comment is lost.
    let unsaid = |text: &str| {
        fs::write(toml(&local), format!("{text}{base}")).unwrap();
        let keys = [SettingKey::QuietFrom, SettingKey::QuietTo, SettingKey::RunLimit];
        let changes = keys.map(|key| Change { key, value: None });
        local.engine().set_settings(&changes).unwrap();
        fs::read_to_string(toml(&local)).unwrap()
    };
    assert_eq!(
        unsaid("[quiet_hours]\nfrom = \"22:00\"  # late\nto = \"07:00\"\n\n[limits]\nrun = \"20m\"\n\n"),
        format!("\n{base}")
    );
    let zoned = "[quiet_hours]\nfrom = \"22:00\"\nto = \"07:00\"\ntime_zone = \"Europe/Berlin\"\n";
    assert_eq!(unsaid(zoned), base);
    assert_eq!(unsaid("quiet_hours = { from = \"22:00\", to = \"07:00\" }\nlimits = { run = \"20m\" }\n"), base);
    assert_eq!(unsaid("[limits]\n# a slow disk\nrun = \"20m\"\n"), format!("[limits]\n# a slow disk\n{base}"));
    assert_eq!(unsaid("[limits]\nrun = \"20m\"\nparallel = 2\n"), format!("[limits]\nparallel = 2\n{base}"));

    // A file that went, one that is broken, and one that is gone from under the program.
    let engine = local.engine();
    fs::write(toml(&local), "[limits\n").unwrap();
    let broken = engine.set_settings(&[say(SettingKey::RunLimit, "50m")]).unwrap_err();
    assert_eq!(broken.code, Code::Configuration, "{broken:?}");
    assert_eq!(fs::read_to_string(toml(&local)).unwrap(), "[limits\n");
    fs::remove_file(toml(&local)).unwrap();
    set(&engine, &[Change { key: SettingKey::RunLimit, value: None }]);
    assert!(!toml(&local).exists(), "nothing that would say nothing is written");
    set(&engine, &[say(SettingKey::RunLimit, "50m")]);
    assert_eq!(fs::read_to_string(toml(&local)).unwrap(), "[limits]\nrun = \"50m\"\n");
}

#[test]
fn history_is_written_as_a_table_that_other_programs_read() {
    let local = Local::new(program(), &["--bare"]);
    local.update("refs/heads/=SUM(A1)", "a name that a spreadsheet would calculate");
    local.standin(&["sync"]);
    local.standin(&["sync"]);
    let table = local.standin(&["history", "--csv"]);
    let path = local.folder().join("history.csv");
    fs::write(&path, &table).unwrap();
    let script = "import csv,json,sys\nprint(json.dumps(list(csv.DictReader(open(sys.argv[1], newline='')))))";
    let read = std::process::Command::new("python3").args(["-c", script]).arg(&path).output().unwrap();
    let rows: serde_json::Value =
        serde_json::from_slice(&read.stdout).unwrap_or_else(|error| panic!("{error}: {read:?}"));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 2, "{table}");
    assert_eq!((&rows[1]["status"], &rows[1]["mirror"]), (&"success".into(), &"backup".into()));
    let changed = rows[1]["changed"].as_str().unwrap();
    assert!(changed.contains("refs/heads/=SUM(A1)") && changed.contains("refs/heads/main"), "{changed}");
    assert_eq!(rows[0]["changed"], "", "nothing was to do: {table}");
    assert!(rows.iter().all(|row| row["job"].as_str().is_some_and(|job| !job.is_empty())), "{table}");
}
