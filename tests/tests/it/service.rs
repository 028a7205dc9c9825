//! `standin service`: with a real systemd of a user, and the files of the others read by what knows their formats.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use standin_core::service::watcher::{Addresses, Watcher};
use standin_core::service::{launchd, systemd, tasks};
use standin_tests::cli::{Machine, finish};
use standin_tests::local::Local;
use standin_tests::user_systemd::UserSystemd;

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const PATIENCE: Duration = Duration::from_secs(60);
const CANARY: &str = "ghp_CANARYcanaryCANARYcanaryCANARYcana12";

fn odd(program: &str, folder: &str) -> Watcher {
    Watcher {
        program: program.into(),
        repo: Some(PathBuf::from(folder).join("100% $mine & <yours>")),
        config: Some(PathBuf::from(folder).join("standin.toml")),
        state_dir: PathBuf::from(folder).join("it's \"here\""),
        addresses: Addresses { listen: "127.0.0.1:8788".parse().ok(), metrics: "127.0.0.1:9464".parse().ok() },
        environment: [
            ("PATH".to_owned(), "/usr/bin:/opt/a b/bin:/opt/50%/$x".to_owned()),
            ("XDG_DATA_HOME".to_owned(), "/home/ada/\"data\"".to_owned()),
        ]
        .into(),
    }
}

/// Runs a script of Python's over a file; what it prints.
fn python(script: &str, file: &Path) -> String {
    let output = Command::new("python3").args(["-c", script]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_unit_is_one_that_systemd_takes() {
    let folder = tempfile::tempdir().unwrap();
    let text = systemd::unit(&odd("/opt/my tools/standin", "/home/ada")).unwrap();
    insta::assert_snapshot!(text);
    // With a program that is there: that it is, is verified, too.
    let file = folder.path().join(systemd::NAME);
    fs::write(&file, systemd::unit(&odd("/usr/bin/env", "/home/ada")).unwrap()).unwrap();
    let Ok(verified) = Command::new("systemd-analyze").args(["verify", "--user", "--man=no"]).arg(&file).output()
    else {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("standin")).collect();
    assert!(ours.is_empty(), "{said}");
}

#[test]
fn the_agent_is_a_property_list_that_says_what_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let watcher = odd("/Applications/A & B/standin", "/Users/ada");
    let text = launchd::agent(&watcher).unwrap();
    insta::assert_snapshot!(text);
    let file = folder.path().join("agent.plist");
    fs::write(&file, &text).unwrap();
    let read = python("import json,plistlib,sys; print(json.dumps(plistlib.load(open(sys.argv[1],'rb'))))", &file);
    let read: serde_json::Value = serde_json::from_str(&read).unwrap();
    assert_eq!(read["Label"], launchd::LABEL);
    assert_eq!(read["ProgramArguments"], serde_json::json!(watcher.command().unwrap()));
    assert_eq!(read["EnvironmentVariables"], serde_json::json!(watcher.environment));
    // The keys that launchd.plist(5) knows, with the types that it wants.
    for (key, value) in read.as_object().unwrap() {
        let is_right = match key.as_str() {
            "Label" | "ProcessType" => value.is_string(),
            "ProgramArguments" => value.is_array(),
            "EnvironmentVariables" | "KeepAlive" => value.is_object(),
            "RunAtLoad" => value.is_boolean(),
            "ThrottleInterval" | "ExitTimeOut" => value.is_u64(),
            _ => false,
        };
        assert!(is_right, "{key}: {value}");
    }
    assert_eq!(read["KeepAlive"], serde_json::json!({ "SuccessfulExit": false }));
}

#[test]
fn the_task_has_the_elements_of_its_schema_and_its_words_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let watcher = odd(r"C:\Program Files\Standin\standin.exe", "C:/Users/ada");
    let text = tasks::task(&watcher).unwrap();
    insta::assert_snapshot!(text);
    let file = folder.path().join("task.xml");
    fs::write(&file, &text).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/task.xsd");
    match Command::new("xmllint").args(["--noout", "--schema"]).arg(&schema).arg(&file).output() {
        Ok(read) => assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr)),
        Err(_) => eprintln!("skipped: there is no xmllint here"),
    }
    let script = "import sys, xml.etree.ElementTree as tree
n='{http://schemas.microsoft.com/windows/2004/02/mit/task}'
print(tree.parse(sys.argv[1]).find(f'{n}Actions/{n}Exec/{n}Arguments').text, end='')";
    let words = python(script, &file);
    assert!(
        words.starts_with(
            r#"--headless "C:\Program Files\Standin\standin.exe" --repo "C:/Users/ada/100% $mine & <yours>""#
        ),
        "{words}"
    );
}

fn installed(local: &Local) -> PathBuf {
    local.folder().join("home/.config/systemd/user").join(systemd::NAME)
}

fn main_pid(systemd: &UserSystemd, machine: &Machine) -> u32 {
    systemd.systemctl(machine, &["show", "--value", "--property=MainPID", systemd::NAME]).1.parse().unwrap()
}

#[test]
fn a_real_systemd_keeps_it_running_until_it_is_removed() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let Some(systemd) = UserSystemd::start(&local.machine) else { return };
    let machine = systemd.beside(&local.machine).with("MIRROR_SOURCE_TOKEN", CANARY);
    let absent = machine.json(&["service", "status"]);
    assert_eq!((&absent["state"], &absent["runs"]), (&"absent".into(), &serde_json::Value::Null), "{absent}");

    let report = machine.json(&["service", "install"]);
    assert_eq!((&report["state"], &report["runs"]), (&"installed".into(), &true.into()), "{report}");
    let told = report["notices"].to_string();
    assert!(told.contains("does not see these variables of this terminal: MIRROR_SOURCE_TOKEN"), "{told}");
    let unit = fs::read_to_string(installed(&local)).unwrap();
    assert!(!unit.contains(CANARY) && !told.contains(CANARY), "{unit}");
    assert_eq!(systemd.systemctl(&machine, &["is-enabled", systemd::NAME]), (true, "enabled".to_owned()));

    // It works: what the source gets arrives.
    let kept = || machine.json(&["schedule"])["kept_by"].as_str().map(str::to_owned);
    finish("somebody who keeps the schedule", PATIENCE, || kept().is_some());
    let first = main_pid(&systemd, &machine);
    assert!(kept().unwrap().contains(&format!("pid {first}")), "{:?}", kept());
    let tip = local.update("refs/heads/more", "second");
    let at_mirror = || local.try_git(&local.mirror, &["rev-parse", "--verify", "-q", "refs/heads/more"]).stdout;
    finish("the commit at the mirror", PATIENCE, || String::from_utf8_lossy(&at_mirror()).trim() == tip);
    let environment = fs::read(format!("/proc/{first}/environ")).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains(CANARY));

    // Reloaded it is the same process; installed anew it is another.
    assert!(systemd.systemctl(&machine, &["reload", systemd::NAME]).0);
    assert_eq!(main_pid(&systemd, &machine), first);
    assert!(machine.standin(&["service", "install"]).status.success());
    let second = main_pid(&systemd, &machine);
    assert_ne!(second, first);
    finish("the end of the first", PATIENCE, || !Path::new(&format!("/proc/{first}")).exists());
    finish("the second, which keeps the schedule", PATIENCE, || {
        kept().is_some_and(|keeper| keeper.contains(&format!("pid {second}")))
    });
    let status = machine.standin(&["service", "status"]);
    assert!(status.status.success() && status.stdout.contains("systemd runs it"), "{}", status.all());

    // What somebody changed by hand is left alone.
    fs::write(installed(&local), unit.replace("RestartSec=30", "RestartSec=60")).unwrap();
    let changed = machine.standin(&["service", "status"]);
    assert_eq!(changed.code(), 1, "{}", changed.all());
    assert!(changed.stdout.contains("is not as it was written"), "{}", changed.all());
    for command in ["install", "remove"] {
        let refused = machine.standin(&["service", command]);
        assert_eq!(refused.code(), 2, "{}", refused.all());
        assert!(refused.stderr.contains("was changed by hand"), "{}", refused.all());
    }
    fs::write(installed(&local), &unit).unwrap();

    let removed = machine.json(&["service", "remove"]);
    assert_eq!(removed["state"], "absent", "{removed}");
    assert!(!installed(&local).exists());
    finish("its end", PATIENCE, || !Path::new(&format!("/proc/{second}")).exists());
    let left: Vec<_> = fs::read_dir(installed(&local).parent().unwrap()).unwrap().flatten().collect();
    let wants: Vec<PathBuf> = left
        .iter()
        .filter(|entry| entry.path().is_dir())
        .flat_map(|entry| fs::read_dir(entry.path()).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>())
        .collect();
    assert!(wants.is_empty(), "{wants:?}");
    assert!(machine.standin(&["service", "remove"]).status.success(), "once more changes nothing");
    let audit = machine.standin(&["history", "--audit"]).stdout;
    assert!(audit.contains("service_install") && audit.contains("service_remove"), "{audit}");
}

#[test]
fn what_lies_in_the_place_and_is_no_file_of_ours_holds_nobody_up_and_stays() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let place = installed(&local);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    let elsewhere = local.folder().join("elsewhere.service");
    let lay: [(&str, &dyn Fn(), &str); 5] = [
        ("a pipe", &|| nix::unistd::mkfifo(&place, nix::sys::stat::Mode::S_IRWXU).unwrap(), "is no file"),
        ("a folder", &|| fs::create_dir(&place).unwrap(), "is no file"),
        ("a link that leads nowhere", &|| symlink(&elsewhere, &place).unwrap(), "is not Standin's"),
        (
            "a link to a pipe",
            &|| {
                nix::unistd::mkfifo(&elsewhere, nix::sys::stat::Mode::S_IRWXU).unwrap();
                symlink(&elsewhere, &place).unwrap();
            },
            "is not Standin's",
        ),
        ("a large file", &|| fs::File::create(&place).unwrap().set_len(1 << 30).unwrap(), "is not Standin's"),
    ];
    for (what, put, words) in lay {
        put();
        let before = fs::symlink_metadata(&place).unwrap().file_type();
        let status = local.machine.standin(&["service", "status"]);
        assert_eq!(status.code(), 1, "{what}: {}", status.all());
        assert!(status.all().contains(words), "{what}: {}", status.all());
        for command in ["install", "remove"] {
            let refused = local.machine.standin(&["service", command]);
            assert_eq!(refused.code(), 2, "{what}: {}", refused.all());
            assert!(refused.stderr.contains(words) && !refused.stderr.contains("room"), "{what}: {}", refused.all());
        }
        assert_eq!(fs::symlink_metadata(&place).unwrap().file_type(), before, "{what} is as it was");
        if before.is_dir() { fs::remove_dir(&place).unwrap() } else { fs::remove_file(&place).unwrap() }
    }
}

/// A `systemctl` that does this when it is told the word, and else says that all is well.
fn stub(local: &Local, word: &str, deed: &str) -> Machine {
    let folder = local.folder().join("stub");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("systemctl");
    let well = "Version=252\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no";
    fs::write(&file, format!("#!/bin/sh\ncase \"$*\" in *{word}*) {deed} ;; esac\nprintf '{well}\\n'\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), local.machine.environment["PATH"]);
    local.machine.with("PATH", path)
}

#[test]
fn what_could_not_be_stopped_or_asked_is_not_told_as_well() {
    let local = Local::new(PROGRAM, &["--bare"]);
    assert_eq!(stub(&local, "nothing", "").standin(&["service", "install"]).code(), 0);
    let complaint =
        "i=0; while [ $i -lt 3000 ]; do echo 'no bus, says the stub, again and again' >&2; i=$((i+1)); done; exit 1";
    let refused = stub(&local, "disable", complaint).standin(&["service", "remove"]);
    assert_eq!(refused.code(), 2, "{}", refused.all());
    assert!(refused.stderr.contains("nothing was taken away") && refused.stderr.len() < 2000, "{}", refused.all());
    assert!(installed(&local).exists(), "so that it can be stopped later");
    let unheard = stub(&local, "show", "exit 1").standin(&["service", "status"]);
    assert_eq!(unheard.code(), 1, "{}", unheard.all());
    assert!(unheard.stdout.contains("whether it runs is not known"), "{}", unheard.all());
    assert_eq!(stub(&local, "nothing", "").standin(&["service", "status"]).code(), 0);
    assert_eq!(stub(&local, "nothing", "").standin(&["service", "remove"]).code(), 0);
    assert!(!installed(&local).exists());
}

#[test]
fn a_systemctl_that_hangs_is_waited_for_once() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let begin = Instant::now();
    let refused = stub(&local, "daemon-reload", "sleep 600").standin(&["service", "install"]);
    assert_ne!(refused.code(), 0, "{}", refused.all());
    assert!(refused.stderr.contains("did not end within 50 seconds"), "{}", refused.all());
    assert!(begin.elapsed() < Duration::from_secs(90), "{:?}", begin.elapsed());
    assert!(!installed(&local).exists());
}

#[test]
fn where_no_systemd_answers_nothing_is_left_behind() {
    let local = Local::new(PROGRAM, &["--bare"]);
    let machine = local.machine.with("XDG_RUNTIME_DIR", local.folder().join("nowhere").display().to_string());
    let refused = machine.standin(&["service", "install"]);
    assert_eq!(refused.code(), 2, "{}", refused.all());
    assert!(!installed(&local).exists());
    let without = machine.with("PATH", "/nonexistent");
    let refused = without.standin(&["service", "install"]);
    assert_eq!(refused.code(), 2, "{}", refused.all());
    assert!(refused.stderr.contains("there is no program `systemctl`"), "{}", refused.all());
    // What somebody else put there stays.
    fs::create_dir_all(installed(&local).parent().unwrap()).unwrap();
    fs::write(installed(&local), "[Service]\nExecStart=/bin/true\n").unwrap();
    assert_eq!(machine.standin(&["service", "install"]).code(), 2);
    assert_eq!(fs::read_to_string(installed(&local)).unwrap(), "[Service]\nExecStart=/bin/true\n");
}
