//! An upstream kept here: what plain git gets of the copy is what it gets of the upstream, and nothing is lost on the way.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use standin_tests::canary::Watch;
use standin_tests::cli::{BACKUP, NAME, OWNER, World, finish};
use standin_tests::git::Sshd;
use standin_tests::upstream::{COPY, REPOSITORY, Upstream, git};

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");

fn upstream() -> Upstream {
    Upstream::new(PROGRAM)
}

/// The points that a sync passes.
fn points(upstream: &Upstream, arguments: &[&str]) -> Vec<String> {
    let log = upstream.folder().join("points");
    let _ = fs::remove_file(&log);
    let ran = upstream.machine.with("STANDIN_CRASH_LOG", log.display().to_string()).standin(arguments);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The error of the last event `run_finished`, or of its aspect.
fn failure(upstream: &Upstream, arguments: &[&str]) -> Value {
    let ran = upstream.machine.standin(&[arguments, &["--json"]].concat());
    assert_ne!(ran.code(), 0, "{}", ran.all());
    let events = ran.stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let finished: Vec<Value> = events.filter(|event| event["event"] == "run_finished").collect();
    finished.last().unwrap_or_else(|| panic!("{}", ran.all()))["error"].clone()
}

fn rescues(upstream: &Upstream) -> Vec<Value> {
    upstream.machine.json(&["rescue", "list"]).as_array().unwrap().clone()
}

fn tip(upstream: &Upstream, name: &str) -> String {
    git(&upstream.path, &["rev-parse", name]).trim().to_owned()
}

#[test]
fn the_first_pull_is_what_a_mirror_clone_is_and_an_unchanged_one_fetches_nothing() {
    let upstream = upstream();
    let ran = upstream.import();
    assert!(ran.stdout.contains("Code pull... ✅ pulled") && ran.stdout.contains("git clone"), "{}", ran.all());
    upstream.check_in_step();
    let status = upstream.status();
    for (field, value) in [
        ("type", Value::from("pull")),
        ("role", Value::Null),
        ("is_mirror", Value::from(true)),
        ("mirror_url", Value::from(upstream.url())),
        ("sync_status", Value::from("success")),
        ("path", Value::from(upstream.copy().display().to_string())),
    ] {
        assert_eq!(status[field], value, "{field}: {status:#}");
    }
    assert_eq!(status["last_synced_at"], status["code"]["last_sync_iso"]);
    assert!(status["sync_error"].is_null() && status["standing"]["word"] == "in_step", "{status:#}");
    let file = fs::read(upstream.machine.state.join(REPOSITORY).join("mirror_status.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&file).unwrap()["mirrors"][0]["is_mirror"], true);
    let passed = points(&upstream, &["sync"]);
    assert!(passed.iter().any(|point| point.starts_with("git.upstream.list")), "{passed:?}");
    assert!(!passed.iter().any(|point| point.contains("fetch") || point.starts_with("cache.set_refs")), "{passed:?}");
    upstream.run(0, &["health"]);
    upstream.run(0, &["plan"]);
    upstream.run(0, &["mirror", "test", COPY]);
    assert!(upstream.run(0, &["mirror", "list"]).stdout.contains("pull"));
    assert!(upstream.run(0, &["import", upstream.url()]).stdout.contains("stands already"));
}

#[test]
fn a_plan_makes_nothing() {
    let upstream = upstream();
    upstream.configure(upstream.url(), "");
    assert!(upstream.run(0, &["plan"]).stdout.contains("refs/heads/main"));
    assert!(!upstream.copy().exists());
}

#[test]
fn what_moves_otherwise_than_forward_or_goes_is_rescued_and_can_be_put_back() {
    let upstream = upstream();
    upstream.import();
    let (old_topic, old_tag) = (tip(&upstream, "topic"), tip(&upstream, "refs/tags/v1"));
    upstream.commit("main", "three");
    upstream.git(&["checkout", "-q", "--orphan", "rewritten"]);
    upstream.commit("rewritten", "other");
    upstream.git(&["tag", "-f", "-a", "v1", "-m", "again", "main"]);
    upstream.publish(&["main", "rewritten:topic", "v1", "main:refs/heads/new/deep"]);
    let plan = upstream.run(0, &["plan"]).stdout;
    assert!(plan.contains("refs/heads/new/deep") && plan.contains("refs/tags/v1"), "{plan}");
    upstream.run(0, &["sync"]);
    upstream.check_in_step();
    let saved: BTreeSet<String> =
        rescues(&upstream).iter().map(|rescue| rescue["oid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(saved, BTreeSet::from([old_topic.clone(), old_tag]));
    // A name that was a branch becomes a folder in the same step.
    upstream.publish(&[":refs/heads/new/deep"]);
    upstream.publish(&["main:refs/heads/new", ":topic"]);
    upstream.run(0, &["sync"]);
    upstream.check_in_step();
    let all = rescues(&upstream);
    let id = all.iter().find(|rescue| rescue["oid"] == old_topic.as_str()).unwrap()["id"].as_str().unwrap();
    upstream.run(0, &["rescue", "restore", id]);
    assert_eq!(git(&upstream.copy(), &["rev-parse", "topic"]).trim(), old_topic);
    let sync = upstream.run(0, &["sync"]);
    assert!(sync.stdout.contains("refs/heads/topic"), "{}", sync.all());
    assert_eq!(git(&upstream.copy(), &["rev-parse", "topic"]).trim(), old_topic, "what was put back stays");
    // Until the upstream has that name itself.
    upstream.publish(&["main:topic"]);
    upstream.run(0, &["sync"]);
    upstream.check_in_step();
    let before = rescues(&upstream).len();
    upstream.run(0, &["rescue", "drop", id, "--yes"]);
    assert_eq!(rescues(&upstream).len(), before - 1);
    assert!(!git(&upstream.copy(), &["for-each-ref"]).contains(&format!("refs/standin/rescue/{id}")));
}

#[test]
fn an_upstream_that_was_wiped_does_not_wipe_the_copy() {
    let upstream = upstream();
    upstream.import();
    let before = upstream.kept();
    fs::remove_dir_all(&upstream.path).unwrap();
    assert_eq!(failure(&upstream, &["sync"])["code"], "repository_not_found");
    git(upstream.folder(), &["init", "-q", "--bare", "-b", "main", "upstream.git"]);
    let ran = upstream.run(3, &["sync"]);
    assert!(ran.stdout.contains("the source has no branches"), "{}", ran.all());
    assert_eq!((upstream.kept(), upstream.status()["sync_status"].clone()), (before.clone(), "blocked".into()));
    assert!(upstream.status()["sync_error"].as_str().unwrap().contains("waits for your confirmation"));
    upstream.run(3, &["plan"]);
    // Another history under the same names.
    upstream.git(&["checkout", "-q", "--orphan", "other"]);
    upstream.commit("other", "other");
    upstream.publish(&["other:main"]);
    let ran = upstream.run(3, &["sync"]);
    assert!(ran.stdout.contains("another repository than before"), "{}", ran.all());
    assert_eq!(upstream.kept(), before);
    upstream.run(0, &["sync", "--yes"]);
    assert_eq!(upstream.kept(), upstream.expected());
    // Two branches, two tags, a note and the head of a pull request.
    assert_eq!(rescues(&upstream).len(), before.len() - 1);
}

#[test]
fn head_follows_the_upstreams() {
    let upstream = upstream();
    upstream.import();
    git(&upstream.path, &["symbolic-ref", "HEAD", "refs/heads/topic"]);
    assert!(upstream.run(0, &["plan"]).stdout.contains("topic the default branch"));
    upstream.run(0, &["sync"]);
    upstream.check_in_step();
    let detached = tip(&upstream, "refs/tags/light");
    git(&upstream.path, &["update-ref", "--no-deref", "HEAD", &detached]);
    upstream.run(0, &["sync"]);
    upstream.check_in_step();
    upstream.run(0, &["sync"]);
    git(&upstream.path, &["symbolic-ref", "HEAD", "refs/heads/main"]);
    upstream.run(0, &["sync"]);
    upstream.check_in_step();
}

#[test]
fn only_what_refs_names_is_kept() {
    let upstream = upstream();
    let refs = "refs = [\"+refs/heads/*:refs/heads/*\", \"+refs/pull/*/head:refs/reviews/*\", \"^refs/heads/topic\"]\n";
    upstream.configure(upstream.url(), refs);
    upstream.run(0, &["sync"]);
    let names: Vec<String> =
        upstream.kept().iter().filter_map(|line| line.split_once(' ').map(|(_, name)| name.to_owned())).collect();
    assert_eq!(names, ["refs/heads/main", "refs/reviews/1", "refs/heads/main"]);
    // What is left out no longer comes; what is left out from now on goes, and is rescued.
    upstream.configure(upstream.url(), "refs = [\"+refs/heads/*:refs/heads/*\"]\n");
    upstream.run(0, &["sync"]);
    assert!(!upstream.kept().iter().any(|line| line.contains("refs/reviews")));
    assert_eq!(rescues(&upstream).len(), 1);
}

#[test]
fn a_folder_that_is_not_this_copy_is_never_written_to() {
    let upstream = upstream();
    let path = upstream.folder().join("mine.git");
    git(upstream.folder(), &["init", "-q", "--bare", "mine.git"]);
    let before = fs::read(path.join("config")).unwrap();
    upstream.configure(upstream.url(), &format!("path = \"{}\"\n", path.display()));
    let error = failure(&upstream, &["sync", "--yes"]);
    assert!(
        error["code"] == "configuration" && error["message"].as_str().unwrap().contains("is not a copy"),
        "{error}"
    );
    assert_eq!((fs::read(path.join("config")).unwrap(), git(&path, &["for-each-ref"])), (before, String::new()));
    upstream.run(1, &["mirror", "test", COPY]);
    let elsewhere = upstream.folder().join("not/there/x.git");
    upstream.configure(upstream.url(), &format!("path = \"{}\"\n", elsewhere.display()));
    let ran = upstream.run(1, &["sync"]);
    assert!(ran.stdout.contains("there is no folder"), "{}", ran.all());
    fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
    upstream.run(0, &["sync"]);
    assert!(elsewhere.join("HEAD").exists());
    // The copy of one mirror is none of another.
    let text = fs::read_to_string(upstream.folder().join("home/.config/standin/standin.toml")).unwrap();
    let renamed = text.replace(&format!("id = \"{COPY}\""), "id = \"other\"");
    fs::write(upstream.folder().join("home/.config/standin/standin.toml"), renamed).unwrap();
    assert!(failure(&upstream, &["sync"])["message"].as_str().unwrap().contains("is the copy of the mirror"));
}

#[test]
fn a_sync_that_is_killed_anywhere_is_finished_by_the_next() {
    let upstream = upstream();
    let change = |round: usize| {
        upstream.commit("main", &format!("more-{round}"));
        upstream.git(&["checkout", "-q", "-B", "side", "main~1"]);
        upstream.commit("side", &format!("side-{round}"));
        upstream.git(&["checkout", "-q", "main"]);
        let gone = format!("main:refs/heads/round-{round}");
        let head = if round.is_multiple_of(2) { "topic" } else { "main" };
        upstream.publish(&["main", "side:topic", &gone]);
        git(&upstream.path, &["symbolic-ref", "HEAD", &format!("refs/heads/{head}")]);
    };
    upstream.configure(upstream.url(), "");
    let first: BTreeSet<String> = chosen(&points(&upstream, &["sync"]));
    change(0);
    let changed: BTreeSet<String> = chosen(&points(&upstream, &["sync"]));
    assert!(changed.iter().any(|point| point.starts_with("pull.rescue.after")), "{changed:?}");
    let mut round = 0;
    let mut crash = |point: &str| {
        let before = upstream.kept_or_none();
        let ran = upstream.machine.with("STANDIN_CRASH_AT", point).standin(&["sync", "--yes"]);
        assert_eq!(ran.status.signal(), Some(6), "at {point}: {}", ran.all());
        let now = upstream.kept_or_none();
        // Without `HEAD`, which is the last line; a copy that is not there yet has none.
        let refs = |lines: &Option<Vec<String>>| {
            lines.as_ref().map_or_else(Vec::new, |lines| lines[..lines.len() - 1].to_vec())
        };
        let expected = Some(upstream.expected());
        assert!(refs(&now) == refs(&before) || refs(&now) == refs(&expected), "half moved at {point}: {now:?}");
        assert_eq!(upstream.machine.standin(&["sync", "--yes"]).code(), 0, "after {point}");
        upstream.check_in_step();
        let left = fs::read_dir(upstream.copy().join("objects/pack")).unwrap().flatten();
        let left: Vec<_> =
            left.map(|entry| entry.file_name()).filter(|name| name.to_string_lossy().starts_with("tmp_")).collect();
        assert!(left.is_empty(), "{left:?}");
        round += 1;
    };
    for point in &first {
        let _ = fs::remove_dir_all(upstream.copy());
        crash(point);
    }
    for (round, point) in changed.iter().enumerate() {
        let old = tip(&upstream, "topic");
        change(round + 1);
        crash(point);
        assert!(rescues(&upstream).iter().any(|rescue| rescue["oid"] == old.as_str()), "rescued after {point}");
    }
    assert!(round > 20);
}

/// Each name once, but for the store's, whose rows others test.
fn chosen(points: &[String]) -> BTreeSet<String> {
    let ours = ["git.upstream", "cache.", "copy.", "pull."];
    points.iter().filter(|point| ours.iter().any(|prefix| point.starts_with(prefix))).cloned().collect()
}

trait KeptOrNone {
    fn kept_or_none(&self) -> Option<Vec<String>>;
}

impl KeptOrNone for Upstream {
    fn kept_or_none(&self) -> Option<Vec<String>> {
        self.copy().exists().then(|| self.kept())
    }
}

/// A host that answers each request with this, or never.
fn host(status: Option<&'static str>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut silent = Vec::new();
        for stream in listener.incoming().flatten() {
            let Some(status) = status else {
                silent.push(stream);
                continue;
            };
            let mut stream = stream;
            let _ = stream.read(&mut [0; 4_096]);
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

#[test]
fn an_upstream_that_refuses_is_told_by_its_kind() {
    let upstream = upstream();
    for (status, code) in [
        ("401 Unauthorized", "token_missing"),
        ("403 Forbidden", "forbidden"),
        ("404 Not Found", "repository_not_found"),
        ("503 Service Unavailable", "host_failed"),
    ] {
        let port = host(Some(status));
        upstream.configure(&format!("http://127.0.0.1:{port}/x.git"), "");
        let ran = upstream.machine.standin(&["plan", "--json"]);
        let plans: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(plans[0]["error"]["code"], code, "{status}: {plans:#}");
        let shown = upstream.run(1, &["plan"]).stdout;
        assert!(shown.contains("the upstream"), "{shown}");
    }
    assert!(!upstream.copy().exists());
}

#[test]
fn two_syncs_of_one_are_never_at_once_and_one_may_go_on_by_itself() {
    let upstream = upstream();
    upstream.import();
    let port = host(None);
    let url = format!("http://127.0.0.1:{port}/x.git");
    upstream.configure(&url, "timeout = \"4s\"\n");
    let ran = upstream.run(0, &["sync", "--background", "--json"]);
    let job: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(job["status"], "syncing", "{job}");
    assert_eq!(upstream.status()["sync_status"], "syncing");
    assert_eq!(failure(&upstream, &["sync", "--no-wait"])["code"], "busy");
    let second = upstream.run(1, &["sync", "--background"]);
    assert!(second.stdout.contains("is being synced by"), "{}", second.all());
    finish("the end of the job", Duration::from_secs(30), || upstream.status()["sync_status"] == "failed");
    let run = upstream.machine.json(&["history", job["job"].as_str().unwrap()]);
    assert_eq!((&run["status"], &run["error"]["code"]), (&"failed".into(), &"timed_out".into()), "{run:#}");
    let log = fs::read_to_string(job["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("limit of 4 s"), "{log}");
    upstream.configure(upstream.url(), "");
    let ran = upstream.run(0, &["sync", "--background"]);
    assert!(ran.stdout.starts_with("job "), "{}", ran.all());
    finish("the end of the job", Duration::from_secs(30), || upstream.status()["sync_status"] == "success");
}

#[test]
fn an_upstream_at_an_ssh_address_is_opened_with_the_mirrors_key() {
    let upstream = upstream();
    let sshd = Sshd::start(&upstream.folder().join("sshd"));
    upstream.configure(&sshd.url(&upstream.path), &format!("ssh_key_path = \"{}\"\n", sshd.user_key.display()));
    assert_eq!(failure(&upstream, &["sync"])["code"], "host_key_unknown");
    upstream.run(0, &["mirror", "test", COPY, "--accept-host-key"]);
    upstream.run(0, &["sync"]);
    upstream.check_in_step();
}

#[test]
fn a_private_upstream_is_read_with_the_mirrors_token_which_stands_nowhere() {
    let mut world = World::new(PROGRAM);
    for name in ["TYPE", "REPO", "TOKEN"] {
        world.set(&format!("MIRROR_1_{name}"), None);
    }
    let token = world.source_token.clone();
    let url = format!("{}/{OWNER}/{NAME}.git", world.sandbox.server_url());
    for (name, value) in [("TYPE", "pull"), ("URL", &url), ("TOKEN", &token)] {
        world.set(&format!("MIRROR_2_{name}"), Some(value));
    }
    world.set("MIRROR_SOURCE_TOKEN", None);
    let mut machine = world.machine().with("STANDIN_LOG", "trace");
    let watch = Watch::over(&world, &mut machine, &[]);
    let running = machine.start(&["sync"]);
    let looking = watch.look(&world, running.id());
    let ran = running.wait();
    drop(looking);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    let mirror = machine.json(&["status"])["mirrors"][0].clone();
    let copy = mirror["path"].as_str().unwrap().to_owned();
    let refs = git(Path::new(&copy), &["for-each-ref", "--format=%(objectname) %(refname)"]);
    assert_eq!(refs, git(&world.primary(), &["for-each-ref", "--format=%(objectname) %(refname)"]));
    assert!(!refs.contains("refs/standin"), "nothing is written to the upstream: {refs}");
    let findings = watch.findings(&world);
    assert!(watch.looked_at() > 0 && findings.is_empty(), "{findings:#?}");
    world.set("MIRROR_2_TOKEN", None);
    assert_ne!(machine.standin(&["sync"]).code(), 0, "without the token it is closed");
}

#[test]
fn a_change_of_master_asks_nothing_of_a_copy_which_follows_the_master() {
    let mut world = World::new(PROGRAM);
    world.set("MIRROR_2_TYPE", Some("pull"));
    world.set("MIRROR_2_URL", None);
    let machine = world.machine();
    let run = |arguments: &[&str]| {
        let ran = machine.standin(arguments);
        assert_eq!(ran.code(), 0, "{arguments:?}: {}", ran.all());
        ran
    };
    let copy = || machine.json(&["status"])["mirrors"][1].clone();
    run(&["sync"]);
    assert_eq!((&copy()["role"], &copy()["mirror_url"]), (&Value::Null, &format!("{OWNER}/{NAME}").into()));
    assert_eq!(machine.json(&["status"])["standing"]["word"], "in_step");
    let path = copy()["path"].as_str().unwrap().to_owned();
    let before = git(Path::new(&path), &["for-each-ref"]);
    run(&["promote", "mirror-1", "--yes"]);
    assert_eq!(git(Path::new(&path), &["for-each-ref"]), before, "it is no part of the change");
    assert_eq!(machine.standin(&["promote", "mirror-2", "--yes"]).code(), 2, "and never a master");
    run(&["sync"]);
    assert_eq!(copy()["mirror_url"], format!("{BACKUP}/{NAME}"));
    assert_eq!(git(Path::new(&path), &["for-each-ref"]), before, "both have the same");
    run(&["demote", "mirror-1", "--yes"]);
    run(&["sync"]);
    assert_eq!(copy()["mirror_url"], format!("{OWNER}/{NAME}"));
    assert!(!before.contains("refs/standin"));
}

#[test]
fn large_files_come_along_where_git_lfs_is_there() {
    let upstream = upstream();
    upstream.git(&["lfs", "install", "--local"]);
    upstream.git(&["lfs", "track", "*.bin"]);
    fs::write(upstream.folder().join("work/big.bin"), vec![7; 10_000]).unwrap();
    upstream.commit("main", "large");
    upstream.git(&["push", "-q", &format!("file://{}", upstream.url()), "main"]);
    let bare = upstream.folder().join("bin");
    fs::create_dir(&bare).unwrap();
    for program in ["git", "sh"] {
        let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|path| path.join(program))
            .find(|path| path.exists());
        std::os::unix::fs::symlink(real.unwrap(), bare.join(program)).unwrap();
    }
    upstream.configure(upstream.url(), "");
    let without = upstream.machine.with("PATH", bare.display().to_string());
    let ran = without.standin(&["sync"]);
    assert!(ran.code() == 0 && ran.stdout.contains("1 file kept by git LFS"), "{}", ran.all());
    assert!(without.standin(&["plan"]).stdout.contains("LFS"), "every plan says so");
    assert!(!upstream.copy().join("lfs").exists());
    upstream.run(0, &["sync"]);
    let stored = upstream.copy().join("lfs/objects");
    assert!(stored.is_dir(), "the next sync with git-lfs brings them");
    assert!(!upstream.run(0, &["plan"]).stdout.contains("LFS"));
}
