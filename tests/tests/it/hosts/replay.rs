//! The replayed hosts themselves, seen by plain git: they do what their tables say.

use std::process::Command;

use standin_tests::git::write_hook;
use standin_tests::pair::Pair;
use standin_tests::replay::presets::{SUNK_BY_GITHUB, SUNK_BY_JGIT};
use standin_tests::replay::words::{Kind, all};
use standin_tests::replay::{Family, Host, Mishap, Replay, Rule};

/// Pushes `main`, `held` and a fence with plain git, and gives what it says.
fn push(pair: &Pair, url: &str, options: &[&str]) -> String {
    let output = Command::new("git")
        .arg("--git-dir")
        .arg(&pair.source.path)
        .args(["-c", "advice.pushUpdateRejected=false", "push", "--porcelain"])
        .args(options)
        .args([url, "refs/heads/main:refs/heads/main", "refs/heads/held:refs/heads/held"])
        .arg("refs/heads/main:refs/standin/fence")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn pair() -> Pair {
    let pair = Pair::new();
    pair.source.commit_on("main", "first");
    pair.source.commit_on("held", "held");
    pair
}

fn refusing(family: Family, sunk: &'static str) -> Host {
    let mut host = Host::new("a host", family, sunk);
    host.rules.push(Rule::new("refs/heads/held", "not you", &["{short} is held"]));
    host
}

#[test]
fn each_family_moves_and_says_what_its_kind_does() {
    for (family, sunk, options, of_main, of_held, taken) in [
        (Family::Atomic, SUNK_BY_GITHUB, &["--atomic"][..], "(atomic transaction failed)", "(not you)", 0),
        (Family::Atomic, SUNK_BY_JGIT, &["--atomic"], "(transaction aborted)", "(not you)", 0),
        (Family::Atomic, SUNK_BY_JGIT, &[], "[new branch]", "(not you)", 2),
        (Family::PreReceive, "", &[], "(pre-receive hook declined)", "(pre-receive hook declined)", 0),
        (Family::ByHalf, "", &["--atomic"], "[new branch]", "(not you)", 2),
        (Family::NoAtomic, "", &[], "[new branch]", "(not you)", 2),
    ] {
        let pair = pair();
        let replay = Replay::start(&pair.mirror.path, refusing(family, sunk));
        let said = push(&pair, &replay.url(), options);
        let line = |name: &str| said.lines().find(|line| line.contains(&format!(":refs/heads/{name}\t"))).unwrap();
        assert!(line("main").contains(of_main), "{family:?}: {said}");
        assert!(line("held").contains(of_held), "{family:?}: {said}");
        assert!(said.contains("remote: held is held"), "{said}");
        assert_eq!(pair.mirror.refs().len() + usize::from(pair.mirror.tip("refs/standin/fence").is_some()), taken);
        let [record] = &replay.pushes()[..] else { panic!("{:?}", replay.pushes()) };
        assert_eq!((record.asked.len(), record.taken.len()), (3, taken));
        assert_eq!(record.atomic, options == ["--atomic"]);
    }
}

#[test]
fn a_host_without_atomic_pushes_does_not_say_that_it_has_them() {
    let pair = pair();
    let replay = Replay::start(&pair.mirror.path, refusing(Family::NoAtomic, ""));
    let said = push(&pair, &replay.url(), &["--atomic"]);
    assert!(said.contains("does not support --atomic push"), "{said}");
    assert!(pair.mirror.refs().is_empty());
}

#[test]
fn a_plain_server_is_played_word_for_word() {
    // What real git says, with a hook of each kind, is what is replayed.
    let said_by = |url: &str, pair: &Pair| {
        let said = push(pair, url, &["--atomic"]);
        let mut lines: Vec<String> = said.lines().filter(|line| line.starts_with('!')).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    for (family, hook, lines) in [
        (Family::PreReceive, "pre-receive", "cat >/dev/null; echo 'held is held' >&2; exit 1"),
        (Family::UpdateHook, "update", "[ \"$1\" != refs/heads/held ]"),
    ] {
        let real = pair();
        write_hook(&real.mirror.path, hook, lines);
        let played = pair();
        let mut host = refusing(family, "atomic push failure");
        host.rules[0].reason = "hook declined".to_owned();
        let replay = Replay::start(&played.mirror.path, host);
        let real = said_by(&real.mirror.path.display().to_string(), &real);
        assert_eq!(said_by(&replay.url(), &played), real, "{family:?}");
        assert_eq!(real.len(), 3);
    }
}

#[test]
fn a_lost_race_of_a_plain_server_is_played_word_for_word() {
    let real = pair();
    let theirs = real.mirror.commit("theirs", None);
    let race = format!("unset GIT_QUARANTINE_PATH; cat >/dev/null; git update-ref refs/heads/main {theirs}");
    write_hook(&real.mirror.path, "pre-receive", &race);
    let real_said = push(&real, &real.mirror.path.display().to_string(), &["--atomic"]);

    let played = pair();
    let theirs = played.mirror.commit("theirs", None);
    let replay = Replay::start(&played.mirror.path, Host::new("git", Family::Atomic, "atomic push failure"));
    replay.host().races.push(("refs/heads/main".to_owned(), git2::Oid::from_str(theirs.as_str()).ok()));
    let played_said = push(&played, &replay.url(), &["--atomic"]);
    for part in
        ["[remote rejected] (atomic transaction failed)", "cannot lock ref 'refs/heads/main': reference already exists"]
    {
        assert!(real_said.contains(part), "{part}: {real_said}");
        assert!(played_said.contains(part), "{part}: {played_said}");
    }
    assert_eq!(played.mirror.refs().len(), 1);
}

#[test]
fn troubles_last_as_long_as_they_shall() {
    let pair = pair();
    let replay = Replay::start(&pair.mirror.path, Host::new("a host", Family::Atomic, SUNK_BY_GITHUB));
    let report =
        Mishap::Report { reason: "failure".to_owned(), remarks: vec!["fatal error in commit_refs".to_owned()] };
    replay.host().fail(report, Some(1));
    let door = Mishap::Door { status: 503, lines: vec!["closed for today".to_owned()], reads: false };
    replay.host().fail(door, Some(1));
    let said = push(&pair, &replay.url(), &["--atomic"]);
    assert_eq!(said.matches("(failure)").count(), 3, "{said}");
    let said = push(&pair, &replay.url(), &["--atomic"]);
    assert!(said.contains("remote: closed for today") && said.contains("503"), "{said}");
    assert!(pair.mirror.refs().is_empty());
    push(&pair, &replay.url(), &["--atomic"]);
    assert_eq!(pair.mirror.refs().len(), 2);
}

#[test]
fn every_saying_has_words_and_a_host() {
    let presets = standin_tests::replay::presets::PRESETS;
    for wording in all() {
        assert!(presets.iter().any(|preset| preset.name == wording.host), "{wording:?}");
        assert!(wording.essence("refs/heads/main").contains(char::is_alphabetic), "{wording:?}");
        let named = [wording.reason].into_iter().chain(wording.lines.iter().copied()).any(|line| !line.is_empty());
        assert!(named, "{wording:?}");
        assert!(wording.kind != Kind::Race || !wording.reason.is_empty(), "{wording:?}");
    }
    assert!(all().count() > 90);
}
