//! The sentinel's tokens while it runs: in no argument, in the environment of no program that it starts, in no log.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use standin_tests::cli::{BACKUP, NAME, branch};
use standin_tests::watch::Watched;

/// What was seen of programs: how often each ran, and where a token stood.
#[derive(Default)]
struct Seen {
    programs: BTreeMap<String, usize>,
    findings: Vec<String>,
}

/// Looks at all processes until `end`.
fn look(tokens: &[String], end: &AtomicBool) -> Seen {
    let mut seen = Seen::default();
    while !end.load(Ordering::SeqCst) {
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
            let (arguments, environment) = (read("cmdline"), read("environ"));
            // One that became another program meanwhile is looked at the next time.
            if arguments.is_empty() || !arguments.ends_with(b"\0") || read("cmdline") != arguments {
                continue;
            }
            let arguments = String::from_utf8_lossy(&arguments).into_owned();
            let environment = String::from_utf8_lossy(&environment).into_owned();
            if !environment.contains("RUNNER_TEMP=") {
                continue;
            }
            let program = arguments.split('\0').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
            *seen.programs.entry(program.to_owned()).or_default() += 1;
            for token in tokens {
                if arguments.contains(token.as_str()) {
                    seen.findings.push(format!("arguments of {program}"));
                }
                // The runner gives them to the step's own shell.
                if environment.contains(token.as_str()) && program != "bash" {
                    seen.findings.push(format!("environment of {program}"));
                }
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    seen
}

#[test]
fn tokens_are_in_no_argument_no_environment_and_no_log() {
    let watched = Watched::new(env!("CARGO_BIN_EXE_standin-under-test"));
    let tokens = vec![watched.standin_token.clone(), watched.master_token.clone()];
    let end = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let looking = scope.spawn(|| look(&tokens, &end));
        watched.world.sandbox.set_latency(Duration::from_millis(15));
        watched.master_down();
        watched.checks(3);
        watched.assert_temporary();
        watched.work_on("topic");
        watched.master_back();
        // Logs are looked at with each check.
        watched.checks(2);
        watched.assert_slave();
        end.store(true, Ordering::SeqCst);
        looking.join().unwrap()
    });
    assert_eq!(seen.findings, Vec::<String>::new());
    for program in ["bash", "curl", "git"] {
        assert!(
            seen.programs.get(program).is_some_and(|count| *count > 0),
            "{program} was not seen: {:?}",
            seen.programs
        );
    }
    let variables = watched.world.sandbox.variables(BACKUP, NAME);
    assert!(variables.iter().all(|variable| tokens.iter().all(|token| !variable.value.contains(token.as_str()))));
    let standby = git2::Repository::open_bare(watched.world.standby()).unwrap();
    let odb = standby.odb().unwrap();
    odb.foreach(|oid| {
        let text = String::from_utf8_lossy(odb.read(*oid).unwrap().data()).into_owned();
        tokens.iter().all(|token| !text.contains(token.as_str()))
    })
    .expect("a token in an object");
    assert!(watched.refs().contains_key(&branch("standin/handback-2/topic")));
}

#[test]
fn the_look_itself_finds_a_token() {
    let token = format!("canary-{:032x}", rand::random::<u128>());
    let end = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let looking = scope.spawn(|| look(std::slice::from_ref(&token), &end));
        for (argument, variable) in [(token.as_str(), "x"), ("x", token.as_str())] {
            let mut command = std::process::Command::new("sh");
            command.args(["-c", "sleep 0.2; true", argument]).env("RUNNER_TEMP", "/tmp").env("OTHER", variable);
            assert!(command.status().unwrap().success());
        }
        end.store(true, Ordering::SeqCst);
        looking.join().unwrap()
    });
    for finding in ["arguments of sh", "environment of sh"] {
        assert!(seen.findings.iter().any(|found| found == finding), "{finding}: {:?}", seen.findings);
    }
}
