//! Many refs: their number costs no process, no wait for the disk and no promise, and what works on them in silence is
//! not taken for a host that hangs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use standin_core::Code;
use standin_core::git::{PushOptions, PushResult, Update};
use standin_core::state::model::{Oid, RefName};
use standin_sandbox::{Effect, Fault, FaultMatcher};
use standin_tests::git::{Bench, Over, Recorder, bare, commit, refs, set_ref, update, write_hook};

const ATOMIC: PushOptions = PushOptions { atomic: true, dry_run: false };
const CHECKING: &str = "Waiting for the server to check the push";

fn helper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_credential-helper"))
}

/// Tags of a repository, all at once.
fn write_tags(repository: &Path, prefix: &str, count: usize, tip: &Oid) {
    let file = repository.join("packed-refs");
    let mut lines: Vec<String> = match fs::read_to_string(&file) {
        Ok(text) => text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect(),
        Err(_) => Vec::new(),
    };
    lines.extend((0..count).map(|number| format!("{tip} refs/tags/{prefix}{number:05}")));
    lines.sort_by(|one, other| one[41..].cmp(&other[41..]));
    fs::write(file, format!("# pack-refs with: peeled fully-peeled sorted \n{}\n", lines.join("\n"))).unwrap();
}

fn creates(count: usize, tip: &Oid) -> Vec<Update> {
    (0..count).map(|number| update(&format!("refs/heads/team/b{number:04}"), None, Some(tip))).collect()
}

#[tokio::test]
async fn a_push_starts_as_many_processes_for_three_thousand_refs_as_for_ten() {
    let folder = tempfile::tempdir().unwrap();
    let mut started = Vec::new();
    for count in [10, 3_000] {
        let place = folder.path().join(count.to_string());
        fs::create_dir(&place).unwrap();
        let recorder = Recorder::new(&place, helper());
        let bench = Bench::with(Over::Path, &recorder.helper, Some(&recorder.programs)).await;
        // What a repository does to keep itself in order is its own.
        git2::Repository::open_bare(&bench.there).unwrap().config().unwrap().set_bool("receive.autogc", false).unwrap();
        let before = recorder.starts("git");
        let updates = creates(count, &bench.commit("tip", None));
        let pieces = bench.remote().pieces(&updates, &[], 0);
        assert_eq!(pieces.len(), 1);
        assert!(bench.push(&updates).await.is_done());
        assert_eq!(bench.there().len(), count);
        started.push(recorder.starts("git") - before);
        bench.stop().await;
    }
    assert!(started[0] > 0 && started[0] == started[1], "{started:?}");
}

#[tokio::test]
async fn the_leases_of_many_refs_are_exact() {
    for over in [Over::Path, Over::Http] {
        let bench = Bench::new(over, helper()).await;
        let (first, second) = (bench.commit("first", None), bench.commit("second", None));
        assert!(bench.push(&creates(150, &first)).await.is_done());
        let moves = |old: Option<&Oid>| -> Vec<Update> {
            creates(150, &second).into_iter().map(|update| Update { old: old.cloned(), ..update }).collect()
        };
        let there = git2::Repository::open_bare(&bench.there).unwrap();
        let theirs = commit(&there, "theirs", None);
        set_ref(&there, "refs/heads/team/b0077", &theirs);
        let before = bench.there();
        // Somebody moved one of them; none of them may be there at all; one that must be there is not.
        let mut with_one_more = moves(Some(&first));
        with_one_more[77] = update("refs/heads/other", Some(&first), Some(&second));
        for (updates, stale) in [(moves(Some(&first)), 1), (moves(None), 150), (with_one_more, 1)] {
            let report = bench.push(&updates).await;
            let of = |wanted: &PushResult| report.results.values().filter(|result| *result == wanted).count();
            assert_eq!((of(&PushResult::Stale), of(&PushResult::NotTried)), (stale, 150 - stale), "{over:?}");
            assert_eq!(bench.there(), before);
        }
        let mut right = moves(Some(&first));
        right[77].old = Some(theirs);
        right.push(update("refs/heads/new", None, Some(&first)));
        assert!(bench.push(&right).await.is_done(), "{over:?}");
        assert_eq!(bench.there().values().filter(|tip| **tip == second).count(), 150);
        // Deletes go along with moves.
        let mixed: Vec<Update> = right[..150]
            .iter()
            .enumerate()
            .map(|(number, made)| Update {
                old: Some(second.clone()),
                new: (number % 2 == 0).then(|| first.clone()),
                ..made.clone()
            })
            .collect();
        assert!(bench.push(&mixed).await.is_done(), "{over:?}");
        assert_eq!(bench.there().len(), 76);
        bench.stop().await;
    }
}

#[tokio::test]
async fn an_object_that_is_not_in_the_cache_stops_a_push_before_it_begins() {
    let bench = Bench::new(Over::Path, helper()).await;
    let updates = [
        update("refs/heads/main", None, Some(&bench.commit("tip", None))),
        update("refs/heads/lost", None, Some(&"1".repeat(40).parse().unwrap())),
    ];
    let error = bench.remote().push(&bench.cache, &updates, ATOMIC).await.unwrap_err();
    assert_eq!(error.code, Code::Storage, "{error:?}");
    assert!(bench.there().is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn a_small_change_of_a_large_history_sends_few_objects() {
    let bench = Bench::new(Over::Path, helper()).await;
    let mut tip = bench.commit("0", None);
    for number in 1..200 {
        tip = bench.commit(&number.to_string(), Some(&tip));
    }
    assert!(bench.push(&[update("refs/heads/main", None, Some(&tip))]).await.is_done());
    let before = bench.options.totals.snapshot().bytes_sent;
    let next = bench.commit("next", Some(&tip));
    assert!(bench.push(&[update("refs/heads/main", Some(&tip), Some(&next))]).await.is_done());
    let sent = bench.options.totals.snapshot().bytes_sent - before;
    assert!(sent < 1_000 && before > 10 * sent, "{sent} after {before}");
    bench.stop().await;
}

#[tokio::test]
async fn a_branch_that_becomes_a_folder_of_branches_is_fetched_and_comes_back() {
    let bench = Bench::new(Over::Path, helper()).await;
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    let tip = commit(&there, "tip", None);
    let names = |bench: &Bench| bench.cache.refs("refs/").unwrap().into_keys().map(String::from).collect::<Vec<_>>();
    for is_packed in [false, true] {
        for name in ["refs/heads/a", "refs/heads/a/b", "refs/heads/a"] {
            for reference in there.references().unwrap() {
                reference.unwrap().delete().unwrap();
            }
            set_ref(&there, name, &tip);
            bench.fetch_all(&["refs/heads/"]).await.unwrap();
            assert_eq!(names(&bench), [name]);
            if is_packed {
                let mut packing = Command::new("git");
                packing.arg("--git-dir").arg(bench.cache.path()).args(["pack-refs", "--all"]);
                assert!(packing.status().unwrap().success());
            } else {
                // As an older version left it: a file of its own.
                bench.cache.delete_ref(&name.parse().unwrap()).unwrap();
                bench.cache.set_ref(&name.parse().unwrap(), &tip).unwrap();
            }
        }
    }
    bench.stop().await;
}

#[tokio::test]
async fn refs_that_are_written_as_one_are_what_git_reads_with_tags_peeled() {
    let bench = Bench::new(Over::Path, helper()).await;
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    let tip = commit(&there, "tip", None);
    let object = there.find_object(git2::Oid::from_str(tip.as_str()).unwrap(), None).unwrap();
    let tagger = git2::Signature::now("Tester", "tester@localhost").unwrap();
    let inner = there.tag("inner", &object, &tagger, "annotated", false).unwrap();
    let inner = there.find_object(inner, None).unwrap();
    there.tag("outer", &inner, &tagger, "a tag of a tag", false).unwrap();
    set_ref(&there, "refs/heads/main", &tip);
    let kept: RefName = "refs/standin/rescue/one".parse().unwrap();
    bench.fetch_all(&["refs/heads/", "refs/tags/"]).await.unwrap();
    bench.cache.set_ref(&kept, &tip).unwrap();
    set_ref(&there, "refs/heads/more", &tip);
    bench.fetch_all(&["refs/heads/", "refs/tags/"]).await.unwrap();
    let listed = |path: &Path| {
        let mut command = Command::new("git");
        command.arg("ls-remote").arg(path).arg("refs/heads/*").arg("refs/tags/*");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(listed(&bench.there).contains("refs/tags/outer^{}"));
    assert_eq!(listed(bench.cache.path()), listed(&bench.there));
    assert_eq!(bench.cache.ref_tip(&kept).unwrap(), Some(tip));
    let mut walk = Command::new("git");
    walk.arg("--git-dir").arg(bench.cache.path()).args(["rev-list", "--objects", "--all", "--quiet"]);
    assert!(walk.status().unwrap().success());
    assert!(!bench.cache.path().join("packed-refs.lock").exists());
    bench.stop().await;
}

/// Makes the server take so long over each push, without a word.
fn keep_checking(bench: &Bench, time: Duration) {
    match &bench.sandbox {
        Some(sandbox) => {
            let pushes = FaultMatcher::git("/backup/there.git/git-receive-pack");
            sandbox.add_fault(Fault::always(pushes, Effect::Latency(time)));
        }
        None => write_hook(&bench.there, "pre-receive", &format!("sleep {}", time.as_secs())),
    }
}

#[tokio::test]
async fn a_server_that_checks_a_push_in_silence_is_waited_for() {
    for over in [Over::Path, Over::Http, Over::Ssh] {
        let mut bench = Bench::new(over, helper()).await;
        bench.options.silent_limit = Duration::from_secs(2);
        keep_checking(&bench, Duration::from_secs(4));
        let tip = bench.commit("tip", None);
        let updates = [update("refs/heads/main", None, Some(&tip)), update("refs/heads/side", None, Some(&tip))];
        assert!(bench.push(&updates).await.is_done(), "{over:?}");
        let told = bench.phases.lock().unwrap().iter().filter(|phase| *phase == CHECKING).count();
        assert!(told >= 2, "{over:?}: told {told} times who is at work");
        // One commit over HTTP goes without git.
        let next = bench.commit("next", Some(&tip));
        let update = [update("refs/heads/main", Some(&tip), Some(&next))];
        let alone = PushOptions { atomic: false, dry_run: false };
        assert!(bench.remote().push(&bench.cache, &update, alone).await.unwrap().is_done(), "{over:?}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn a_check_without_end_is_ended_by_the_limit_of_the_run() {
    for over in [Over::Path, Over::Http] {
        let mut bench = Bench::new(over, helper()).await;
        bench.options.silent_limit = Duration::from_secs(1);
        bench.options.work_limit = Duration::from_secs(3);
        keep_checking(&bench, Duration::from_secs(30));
        let tip = bench.commit("tip", None);
        let error = bench
            .remote()
            .push(&bench.cache, &[update("refs/heads/main", None, Some(&tip))], ATOMIC)
            .await
            .unwrap_err();
        assert_eq!((error.code, error.retryable), (Code::TimedOut, true), "{over:?}: {error:?}");
        assert!(error.message.contains("still at work after 3 s"), "{error:?}");
        bench.stop().await;
    }
}

/// A source with many tags, a mirror in a folder, and the state of one machine.
struct World {
    folder: tempfile::TempDir,
    tip: Oid,
}

impl World {
    fn new(count: usize) -> Self {
        let folder = tempfile::Builder::new().prefix("standin-many-").tempdir().unwrap();
        let mut options = git2::RepositoryInitOptions::new();
        options.initial_head("refs/heads/main").external_template(false).mkpath(true);
        let source = git2::Repository::init_opts(folder.path().join("project"), &options).unwrap();
        let tip = commit(&source, "tip", None);
        set_ref(&source, "refs/heads/main", &tip);
        bare(&folder.path().join("mirror.git"));
        let world = Self { folder, tip };
        world.add_tags("first-", count);
        let mirror = world.at("mirror.git");
        let env = format!("MIRROR_ENABLED=true\nMIRROR_1_TYPE=git\nMIRROR_1_REPO={}\n", mirror.display());
        fs::write(world.at("project/.env"), env).unwrap();
        assert!(world.standin(&["allow", "--yes"]).output().unwrap().status.success());
        fs::create_dir(world.at("home")).unwrap();
        world
    }

    fn add_tags(&self, prefix: &str, count: usize) {
        write_tags(&self.at("project/.git"), prefix, count, &self.tip);
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn standin(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_standin-under-test"));
        command.arg("--state-dir").arg(self.at("state")).args(arguments).current_dir(self.at("project"));
        command.env_clear().env("HOME", self.at("home")).env("PATH", std::env::var_os("PATH").unwrap());
        command
    }

    fn sync(&self, crash_at: Option<&str>) -> Output {
        let mut command = self.standin(&["sync"]);
        if let Some(point) = crash_at {
            command.env("STANDIN_CRASH_AT", format!("{point}#1"));
        }
        command.output().unwrap()
    }

    /// The source's refs in the cache.
    fn cached(&self) -> BTreeMap<String, Oid> {
        let states = fs::read_dir(self.at("state")).unwrap().flatten();
        let mut caches = states.map(|state| state.path().join("cache.git")).filter(|cache| cache.is_dir());
        let mut found = caches.next().map(|cache| refs(&cache)).unwrap_or_default();
        found.retain(|name, _| name.starts_with("refs/heads/") || name.starts_with("refs/tags/"));
        found
    }
}

#[test]
fn killed_while_three_thousand_refs_are_fetched_all_are_there_or_none() {
    let world = World::new(3_000);
    let points = ["git.source.fetch.after", "cache.set_refs.before", "cache.set_refs.written", "cache.set_refs.after"];
    for point in points {
        let ended = world.sync(Some(point));
        assert_eq!(ended.status.signal(), Some(6), "{point}: {}", String::from_utf8_lossy(&ended.stderr));
        let all = point.ends_with("refs.after");
        assert_eq!(world.cached().len(), if all { 3_001 } else { 0 }, "{point}");
    }
    let ended = world.sync(None);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let mirror = refs(&world.at("mirror.git"));
    assert_eq!(mirror.len(), 3_002, "branches, tags and the fence");
    world.add_tags("second-", 3_000);
    for point in points.iter().filter(|point| !point.starts_with("git.")) {
        let before = world.cached().len();
        let ended = world.sync(Some(point));
        assert_eq!(ended.status.signal(), Some(6), "{point}");
        assert_eq!(world.cached().len(), if point.ends_with("refs.after") { 6_001 } else { before }, "{point}");
    }
    assert!(world.sync(None).status.success());
    assert_eq!(refs(&world.at("mirror.git")).len(), 6_002);
}
