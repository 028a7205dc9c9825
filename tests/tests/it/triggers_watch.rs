//! Watching folders with real events: what changed sets off a sync once, what did not change sets off nothing, and nothing is
//! left behind.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use standin_core::engine::Engine;
use standin_core::state::model::Trigger;
use standin_core::triggers::watch::{Known, Pace, Seen, SourceWatch};
use standin_tests::local::Local;
use standin_tests::own_name;

/// Longer than anything takes that is seen by an event.
const LONG: Duration = Duration::from_secs(10);

fn local(options: &[&str]) -> Local {
    Local::new(env!("CARGO_BIN_EXE_standin-under-test"), options)
}

/// Quicker than in life, and never by looking.
fn pace() -> Pace {
    Pace {
        quiet: Duration::from_millis(80),
        most: Duration::from_millis(600),
        look: Duration::from_secs(3600),
        upkeep: Duration::from_millis(300),
        events: true,
    }
}

/// For so long nothing must be seen: some times what is waited for before it is looked.
const NOTHING: Duration = Duration::from_millis(700);

async fn watch(engine: &Engine, pace: Pace) -> SourceWatch {
    let watch = engine.watch_sources(pace, &Known::default()).await.unwrap();
    // The first look, which later ones are compared with.
    tokio::time::sleep(Duration::from_millis(400)).await;
    watch
}

async fn seen(watch: &mut SourceWatch, what: &str) -> Trigger {
    match tokio::time::timeout(LONG, watch.next()).await {
        Ok(Some(Seen::Trigger(trigger))) => trigger.kind,
        other => panic!("{what}: {other:?}"),
    }
}

async fn nothing(watch: &mut SourceWatch, what: &str) {
    if let Ok(seen) = tokio::time::timeout(NOTHING, watch.next()).await {
        panic!("{what}: {seen:?}");
    }
}

fn touch(path: &Path) {
    assert!(Command::new("touch").arg(path).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_of_every_kind_of_repository_are_seen_and_what_moves_none_is_not() {
    for options in [&[][..], &["--bare"], &["--ref-format=reftable"], &["--bare", "--ref-format=reftable"]] {
        let local = local(options);
        let engine = local.engine();
        let mut watch = watch(&engine, pace()).await;
        let what = |what: &str| format!("{what} ({options:?})");
        local.update("refs/heads/deep/er/branch", "second");
        assert_eq!(seen(&mut watch, &what("a branch")).await, Trigger::SourceRefs);
        local.git(&local.source, &["tag", "v1", "main"]);
        seen(&mut watch, &what("a tag")).await;
        nothing(&mut watch, &what("once")).await;
        local.git(&local.source, &["pack-refs", "--all"]);
        nothing(&mut watch, &what("packed")).await;
        local.git(&local.source, &["update-ref", "refs/remotes/origin/x", "main"]);
        nothing(&mut watch, &what("of a remote")).await;
        local.git(&local.source, &["for-each-ref"]);
        nothing(&mut watch, &what("read")).await;
        local.git(&local.source, &["branch", "-D", "deep/er/branch"]);
        seen(&mut watch, &what("deleted, from the packed ones")).await;
        local.update("refs/heads/deep/er/branch", "again");
        seen(&mut watch, &what("in folders that were gone")).await;
        watch.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_and_linked_trees_are_seen_and_a_storm_is_a_few() {
    let local = local(&[]);
    let engine = local.engine();
    let tree = local.folder().join("linked tree");
    local.git(&local.source, &["reset", "-q", "--hard"]);
    local.git(&local.source, &["worktree", "add", "-q", "../linked tree", "-b", "linked"]);
    local.git(local.folder(), &["clone", "-q", &local.source.display().to_string(), "other"]);
    let mut watch = watch(&engine, pace()).await;
    local.git(&tree, &["commit", "-q", "--allow-empty", "-m", "x"]);
    seen(&mut watch, "a commit in a linked tree").await;
    local.git(&local.folder().join("other"), &["push", "-q", "origin", "main:pushed"]);
    seen(&mut watch, "a push").await;
    fs::write(local.source.join("file"), "x").unwrap();
    local.git(&local.source, &["add", "file"]);
    nothing(&mut watch, "the index alone").await;
    let begin = Instant::now();
    let mut count = 0;
    for number in 0..60 {
        local.git(&local.source, &["update-ref", &format!("refs/heads/s{number}"), "main"]);
    }
    while tokio::time::timeout(NOTHING, watch.next()).await.is_ok() {
        count += 1;
    }
    let most = begin.elapsed().as_millis() / pace().quiet.as_millis();
    assert!(count >= 1 && count <= most.min(20), "{count} for 60 changes");
    watch.stop().await;

    // The same through the linked tree as the source.
    local.configure(&format!(
        "[[repository]]\nid = \"site\"\nsource = {tree:?}\n[[repository.mirror]]\nid = \"b\"\ntype = \"git\"\nurl = {:?}\n",
        local.mirror
    ));
    let engine = local.engine();
    let mut watch = self::watch(&engine, pace()).await;
    local.git(&local.source, &["update-ref", "refs/heads/via-common", "main"]);
    seen(&mut watch, "a ref of the repository that it belongs to").await;
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_goes_and_comes_back_or_is_another_one_is_seen() {
    let local = local(&["--bare"]);
    let engine = local.engine();
    let mut watch = watch(&engine, pace()).await;
    let aside = local.folder().join("aside.git");
    fs::rename(&local.source, &aside).unwrap();
    nothing(&mut watch, "gone").await;
    fs::rename(&aside, &local.source).unwrap();
    nothing(&mut watch, "back as it was").await;
    local.update("refs/heads/later", "x");
    seen(&mut watch, "after it came back").await;
    // A watch that is begun while nothing is there.
    fs::rename(&local.source, &aside).unwrap();
    let mut early = engine.watch_sources(pace(), &Known::default()).await.unwrap();
    nothing(&mut early, "not there yet").await;
    fs::rename(&aside, &local.source).unwrap();
    tokio::time::sleep(NOTHING).await;
    local.update("refs/heads/later", "y");
    seen(&mut early, "once it was there").await;
    early.stop().await;
    while tokio::time::timeout(NOTHING, watch.next()).await.is_ok() {}
    // Another one in its place, which its own events would not tell of.
    fs::rename(&local.source, &aside).unwrap();
    local.git(
        local.folder(),
        &["clone", "-q", "--bare", &aside.display().to_string(), &local.source.display().to_string()],
    );
    local.git(&local.source, &["update-ref", "-d", "refs/heads/later"]);
    seen(&mut watch, "another one").await;
    while tokio::time::timeout(NOTHING, watch.next()).await.is_ok() {}
    local.update("refs/heads/in-the-new-one", "x");
    seen(&mut watch, "in the new one").await;
    local.git(&aside, &["update-ref", "refs/heads/in-the-old-one", "main"]);
    nothing(&mut watch, "the old one").await;
    watch.stop().await;
}

/// A clone with a `.env` that asks for a mirror; its owner said yes.
fn with_env(local: &Local) -> Engine {
    fs::write(local.source.join(".env"), "KEY=one\n").unwrap();
    local.configure(&format!(
        "[[repository]]\nid = \"site\"\nsource = {:?}\npath = {:?}\n[[repository.mirror]]\nid = \"b\"\ntype = \"git\"\nurl = {:?}\n",
        local.source, local.source, local.mirror
    ));
    local.engine()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_env_is_seen_however_it_is_saved_and_by_what_is_in_it() {
    let local = local(&[]);
    let engine = with_env(&local);
    let env = local.source.join(".env");
    let mut watch = watch(&engine, pace()).await;
    let expect =
        async |watch: &mut SourceWatch, what: &str| assert_eq!(seen(watch, what).await, Trigger::EnvFile, "{what}");
    fs::write(&env, "KEY=two\n").unwrap();
    expect(&mut watch, "written").await;
    for number in 0..3 {
        // As editors do: written beside, renamed into its place.
        let beside = local.source.join(".env.tmp");
        fs::write(&beside, format!("KEY=renamed{number}\n")).unwrap();
        fs::rename(&beside, &env).unwrap();
        expect(&mut watch, "saved by rename").await;
    }
    touch(&env);
    nothing(&mut watch, "touched").await;
    fs::read(&env).unwrap();
    nothing(&mut watch, "read").await;
    fs::write(local.source.join(".env.swp"), "x").unwrap();
    nothing(&mut watch, "another file").await;
    fs::remove_file(&env).unwrap();
    expect(&mut watch, "removed").await;
    let target = local.folder().join("elsewhere/the real.env");
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(&target, "KEY=linked\n").unwrap();
    symlink(&target, &env).unwrap();
    expect(&mut watch, "linked").await;
    fs::write(&target, "KEY=changed where it is\n").unwrap();
    expect(&mut watch, "changed behind the link").await;
    fs::remove_file(&env).unwrap();
    fs::create_dir(&env).unwrap();
    expect(&mut watch, "no file any more").await;
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_yes_is_watched_for_its_wish_alone() {
    let local = local(&[]);
    let engine = with_env(&local);
    let env = local.source.join(".env");
    fs::write(&env, format!("MIRROR_1_TYPE=git\nMIRROR_1_URL={}\n", local.mirror.display())).unwrap();
    engine.reload().unwrap();
    assert_eq!(engine.repository(None).unwrap_err().code, standin_core::Code::ConsentNeeded);
    let mut watch = watch(&engine, pace()).await;
    local.update("refs/heads/x", "x");
    nothing(&mut watch, "git is not asked about it").await;
    fs::write(&env, "KEY=two\n").unwrap();
    assert_eq!(seen(&mut watch, "the wish").await, Trigger::EnvFile);
    watch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hooks_leave_is_told_also_what_lay_there_before() {
    let local = local(&["--bare"]);
    local.standin(&["hook", "install"]);
    local.update("refs/heads/before", "x");
    let engine = local.engine();
    let mut watch = engine.watch_sources(pace(), &Known::default()).await.unwrap();
    let drops = async |watch: &mut SourceWatch| loop {
        match tokio::time::timeout(LONG, watch.next()).await.unwrap().unwrap() {
            Seen::Drops => break,
            Seen::Trigger(_) => {}
            Seen::Notice(notice) => panic!("{notice:?}"),
        }
    };
    drops(&mut watch).await;
    engine.sweep_drops().unwrap();
    assert_eq!(engine.queued().unwrap()[0].by, "refs/heads/before");
    while tokio::time::timeout(NOTHING, watch.next()).await.is_ok() {}
    local.update("refs/heads/after", "x");
    drops(&mut watch).await;
    engine.sweep_drops().unwrap();
    assert_eq!(engine.queued().unwrap()[0].by, "refs/heads/after");
    watch.stop().await;
}

/// Threads of the watcher, and files by which the system tells it of events, in this process.
#[cfg(target_os = "linux")]
fn watchers() -> (usize, usize) {
    let names = fs::read_dir("/proc/self/task")
        .unwrap()
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    let threads = names.filter(|name| name.contains("notify")).count();
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|file| file.path().read_link().ok());
    (threads, links.filter(|link| link.to_string_lossy().contains("inotify")).count())
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_behind_when_it_was_stopped_or_dropped() {
    let local = local(&[]);
    let engine = local.engine();
    let none_left = async || {
        let begin = Instant::now();
        while watchers() != (0, 0) {
            assert!(begin.elapsed() < LONG, "{:?}", watchers());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    none_left().await;
    for is_stopped in [true, false] {
        let watch = watch(&engine, pace()).await;
        assert_eq!(watchers(), (1, 1), "the check is blind");
        if is_stopped {
            watch.stop().await;
        } else {
            drop(watch);
        }
        none_left().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_events_come_it_is_looked_from_time_to_time() {
    let local = local(&[]);
    let engine = local.engine();
    let pace = Pace { events: false, look: Duration::from_millis(200), ..pace() };
    let mut watch = watch(&engine, pace).await;
    nothing(&mut watch, "nothing changed").await;
    local.update("refs/heads/x", "x");
    assert_eq!(seen(&mut watch, "by looking").await, Trigger::SourceRefs);
    nothing(&mut watch, "once").await;
    watch.stop().await;
}

#[test]
fn a_system_without_watches_is_told_once_and_looked_at_instead() {
    let name = own_name(module_path!(), "inside_a_process_with_no_file_left");
    let exe = std::env::current_exe().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 200; exec \"$0\" --exact \"$1\" --ignored --nocapture"])
        .arg(exe)
        .arg(&name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "another test runs it in a process that may open few files"]
async fn inside_a_process_with_no_file_left() {
    let local = local(&[]);
    let engine = local.engine();
    let pace = Pace { look: Duration::from_millis(200), ..pace() };
    // Git was found; from now on no watcher can be had.
    engine.watch_sources(pace, &Known::default()).await.unwrap().stop().await;
    let mut taken = Vec::new();
    while let Ok(file) = fs::File::open("/dev/null") {
        taken.push(file);
        assert!(taken.len() < 1000, "the limit does not hold");
    }
    let folder = taken.pop();
    let watch = engine.watch_sources(pace, &Known::default()).await;
    drop(folder);
    let mut watch = watch.unwrap();
    let Ok(Some(Seen::Notice(notice))) = tokio::time::timeout(LONG, watch.next()).await else {
        panic!("no word of it")
    };
    assert!(notice.message.contains("no more watches") && notice.hint.contains("max_user_instances"), "{notice:?}");
    drop(taken);
    tokio::time::sleep(Duration::from_millis(600)).await;
    local.update("refs/heads/x", "x");
    assert_eq!(seen(&mut watch, "by looking").await, Trigger::SourceRefs);
    nothing(&mut watch, "told once").await;
    watch.stop().await;
}
