//! The cache: it survives being killed, keeps rescues through everything, and is remade only where nothing is lost by it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use standin_core::Code;
use standin_core::git::Cache;
use standin_core::state::model::RefName;
use standin_tests::git::{Bench, Over, commit, set_ref};
use tokio_util::sync::CancellationToken;

fn helper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_credential-helper"))
}

fn name(text: &str) -> RefName {
    text.parse().unwrap()
}

const HEADS: &[&str] = &["refs/heads/"];

#[tokio::test]
async fn what_a_killed_git_left_is_swept_away_at_the_next_start() {
    let bench = Bench::new(Over::Path, helper()).await;
    let tip = bench.commit("tip", None);
    bench.cache.set_ref(&name("refs/heads/main"), &tip).unwrap();
    let path = bench.cache.path().to_owned();
    let leftovers = [
        "packed-refs.lock",
        "HEAD.lock",
        "refs/heads/main.lock",
        "objects/pack/tmp_pack_x1",
        "objects/pack/pack-1.keep",
        "gc.pid",
    ];
    for leftover in leftovers {
        fs::write(path.join(leftover), "").unwrap();
    }
    fs::create_dir_all(path.join("objects/tmp_objdir-incoming-x/ab")).unwrap();
    let cache = Cache::open(&path).unwrap();
    for leftover in leftovers.iter().chain(&["objects/tmp_objdir-incoming-x"]) {
        assert!(!path.join(leftover).exists(), "{leftover}");
    }
    cache.set_ref(&name("refs/heads/main"), &bench.commit("next", Some(&tip))).unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn branches_with_the_names_of_leftovers_survive_the_sweep() {
    let bench = Bench::new(Over::Path, helper()).await;
    let tip = bench.commit("tip", None);
    let names = ["tmp_x", "a.keep", "incoming-1/x", "tmp_objdir-1/x", "gc.pid", "objects/tmp_y"]
        .map(|short| name(&format!("refs/heads/{short}")));
    for name in &names {
        bench.cache.set_ref(name, &tip).unwrap();
    }
    let swept = Cache::open(bench.cache.path()).unwrap().refs("refs/heads/").unwrap();
    assert!(names.iter().all(|name| swept.get(name) == Some(&tip)), "{swept:?}");
    bench.stop().await;
}

#[tokio::test]
async fn nothing_is_swept_while_another_writer_is_alive() {
    let bench = Bench::new(Over::Path, helper()).await;
    let path = bench.cache.path().to_owned();
    let writer = fs::File::open(path.with_file_name("cache.lock")).unwrap();
    writer.lock_shared().unwrap();
    let lock = path.join("packed-refs.lock");
    fs::write(&lock, "").unwrap();
    Cache::open(&path).unwrap();
    assert!(lock.exists());
    drop(writer);
    Cache::open(&path).unwrap();
    assert!(!lock.exists());
    bench.stop().await;
}

#[tokio::test]
async fn a_fetch_holds_the_cache_as_long_as_git_lives() {
    let bench = Bench::new(Over::Ssh, helper()).await;
    let path = bench.cache.path().to_owned();
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    let tip = commit(&there, "tip", None);
    set_ref(&there, "refs/heads/main", &tip);
    // The server sleeps first: git waits for it.
    let authorized = bench.folder.path().join("sshd/authorized_keys");
    let key = fs::read_to_string(&authorized).unwrap();
    fs::write(&authorized, format!("command=\"sleep 2; exec sh -c \\\"$SSH_ORIGINAL_COMMAND\\\"\" {key}")).unwrap();
    let wanted = [(name("refs/heads/main"), tip)].into();
    let (remote, cache) = (bench.remote(), bench.cache.clone());
    let fetching = tokio::spawn(async move { remote.fetch_all(&cache, &wanted, HEADS).await });
    tokio::time::sleep(std::time::Duration::from_millis(1_000)).await;
    let lock = fs::File::open(path.with_file_name("cache.lock")).unwrap();
    assert!(lock.try_lock().is_err(), "the fetch holds the lock");
    // The git process itself has it open, so that it stays locked when Standin dies first.
    let holders = fs::read_dir("/proc").unwrap().flatten().filter(|process| {
        fs::read_link(process.path().join("fd/1")).is_ok_and(|file| file == path.with_file_name("cache.lock"))
    });
    assert!(holders.count() >= 1);
    fetching.await.unwrap().unwrap();
    lock.try_lock().unwrap();
    bench.stop().await;
}

#[tokio::test]
async fn a_cache_is_private_and_told_to_reach_the_disk() {
    let bench = Bench::new(Over::Path, helper()).await;
    let path = bench.cache.path();
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
    let config = fs::read_to_string(path.join("config")).unwrap();
    for line in ["fsync = all", "fsyncMethod = fsync", "logAllRefUpdates = false", "hooksPath = /dev/null"] {
        assert!(config.contains(line), "{line}: {config}");
    }
    let seen_by_libgit2 = bench.cache.repository().unwrap().config().unwrap().get_bool("core.fsyncObjectFiles");
    assert!(seen_by_libgit2.unwrap());
    bench.stop().await;
}

#[tokio::test]
async fn a_broken_cache_without_rescues_is_remade() {
    let bench = Bench::new(Over::Path, helper()).await;
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    set_ref(&there, "refs/heads/main", &commit(&there, "tip", None));
    bench.fetch_all(HEADS).await.unwrap();
    let path = bench.cache.path().to_owned();
    fs::write(path.join("HEAD"), "garbage").unwrap();
    let cache = Cache::open(&path).unwrap();
    assert!(cache.refs("refs/").unwrap().is_empty());
    bench.fetch_all(HEADS).await.unwrap();
    assert_eq!(cache.refs("refs/").unwrap().len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn lost_objects_are_noticed_by_a_fetch_which_remakes_the_cache() {
    let bench = Bench::new(Over::Path, helper()).await;
    let there = git2::Repository::open_bare(&bench.there).unwrap();
    let first = commit(&there, "first", None);
    set_ref(&there, "refs/heads/main", &first);
    bench.fetch_all(HEADS).await.unwrap();
    let packs = bench.cache.path().join("objects/pack");
    for entry in fs::read_dir(&packs).unwrap().flatten() {
        fs::remove_file(entry.path()).unwrap();
    }
    let second = commit(&there, "second", Some(&first));
    set_ref(&there, "refs/heads/main", &second);
    bench.fetch_all(HEADS).await.unwrap();
    assert_eq!(bench.cache.ref_tip(&name("refs/heads/main")).unwrap(), Some(second.clone()));
    assert!(bench.cache.is_ancestor(&first, &second).unwrap());
    bench.stop().await;
}

#[tokio::test]
async fn a_broken_cache_with_rescues_is_never_replaced() {
    let bench = Bench::new(Over::Path, helper()).await;
    let path = bench.cache.path().to_owned();
    let tip = bench.commit("only copy", None);
    bench.cache.set_ref(&name("refs/standin/rescue/mirror-1/1"), &tip).unwrap();
    for packed in [false, true] {
        if packed {
            let packing =
                std::process::Command::new("git").arg("--git-dir").arg(&path).args(["pack-refs", "--all"]).status();
            assert!(packing.unwrap().success());
            assert!(!path.join("refs/standin/rescue/mirror-1/1").exists());
        }
        let head = fs::read(path.join("HEAD")).unwrap();
        fs::write(path.join("HEAD"), "garbage").unwrap();
        let error = Cache::open(&path).unwrap_err();
        assert_eq!(error.code, Code::Storage, "{error:?}");
        assert!(error.message.contains("rescued commits"), "{error:?}");
        fs::write(path.join("HEAD"), head).unwrap();
        assert!(Cache::open(&path).unwrap().oid_exists(&tip).unwrap());
    }
    bench.stop().await;
}

#[tokio::test]
async fn packing_keeps_what_rescues_name_and_makes_few_files() {
    let bench = Bench::new(Over::Path, helper()).await;
    let mut tips = Vec::new();
    for number in 0..300 {
        let tip = bench.commit(&format!("tip {number}"), None);
        bench.cache.set_ref(&name(&format!("refs/standin/rescue/{number}")), &tip).unwrap();
        tips.push(tip);
    }
    bench.cache.maintain(&bench.git, &CancellationToken::new()).await.unwrap();
    assert!(bench.cache.path().join("packed-refs").exists());
    assert!(!bench.cache.path().join("refs/standin/rescue/7").exists());
    assert_eq!(bench.cache.refs("refs/standin/rescue/").unwrap().len(), 300);
    let loose = git2::Repository::open_bare(bench.cache.path()).unwrap();
    for number in 0..2_600 {
        loose.blob(format!("loose {number}").as_bytes()).unwrap();
    }
    bench.cache.maintain(&bench.git, &CancellationToken::new()).await.unwrap();
    let packs = fs::read_dir(bench.cache.path().join("objects/pack")).unwrap().count();
    assert!(packs > 0, "objects were packed");
    for tip in &tips {
        assert!(bench.cache.oid_exists(tip).unwrap());
    }
    bench.stop().await;
}

#[tokio::test]
async fn nothing_is_packed_while_somebody_writes_and_no_ref_names_what_is_not_there() {
    let bench = Bench::new(Over::Path, helper()).await;
    let tip = bench.commit("tip", None);
    for number in 0..260 {
        bench.cache.set_ref(&name(&format!("refs/standin/rescue/{number}")), &tip).unwrap();
    }
    let packed = bench.cache.path().join("packed-refs");
    let writer = fs::File::open(bench.cache.path().with_file_name("cache.lock")).unwrap();
    writer.lock_shared().unwrap();
    bench.cache.maintain(&bench.git, &CancellationToken::new()).await.unwrap();
    assert!(!packed.exists());
    drop(writer);
    bench.cache.maintain(&bench.git, &CancellationToken::new()).await.unwrap();
    assert!(packed.exists());
    // The lock went with git: writers go on.
    bench.cache.set_ref(&name("refs/heads/main"), &tip).unwrap();
    let pruned = "1".repeat(40).parse().unwrap();
    let error = bench.cache.set_ref(&name("refs/standin/rescue/gone"), &pruned).unwrap_err();
    assert_eq!(error.code, Code::Storage);
    bench.stop().await;
}

#[tokio::test]
async fn documents_are_written_in_a_chain_and_read_back() {
    let bench = Bench::new(Over::Path, helper()).await;
    let time = "2026-02-07T18:01:07Z".parse().unwrap();
    let cache = &bench.cache;
    let first = cache.commit_document(None, "fence.json", b"{\"epoch\":1}", "Fence 1", time).unwrap();
    let second = cache.commit_document(Some(&first), "fence.json", b"{\"epoch\":2}", "Fence 2", time).unwrap();
    assert_eq!(cache.commit_document(None, "fence.json", b"{\"epoch\":1}", "Fence 1", time).unwrap(), first);
    assert_eq!(cache.read_document(&second, "fence.json").unwrap().as_deref(), Some(&b"{\"epoch\":2}"[..]));
    assert_eq!(cache.read_document(&second, "other.json").unwrap(), None);
    assert_eq!(cache.chain(&second, 10).unwrap(), [second.clone(), first.clone()]);
    assert!(cache.is_ancestor(&first, &second).unwrap() && !cache.is_ancestor(&second, &first).unwrap());
    assert_eq!(cache.ahead_behind(&second, &first).unwrap(), (1, 0));
    let missing = "1".repeat(40).parse().unwrap();
    assert!(!cache.is_ancestor(&missing, &second).unwrap() && !cache.oid_exists(&missing).unwrap());
    assert!(cache.delete_ref(&name("refs/standin/none")).is_ok_and(|deleted| !deleted));
    bench.stop().await;
}

#[tokio::test]
async fn workflow_files_and_sizes_are_read_from_a_commit() {
    let bench = Bench::new(Over::Path, helper()).await;
    let repository = bench.cache.repository().unwrap();
    let blob = repository.blob(b"on: push\n").unwrap();
    let mut workflows = repository.treebuilder(None).unwrap();
    for file in ["a.yml", "b.yaml", "README.md"] {
        workflows.insert(file, blob, 0o100_644).unwrap();
    }
    let mut github = repository.treebuilder(None).unwrap();
    github.insert("workflows", workflows.write().unwrap(), 0o040_000).unwrap();
    let mut root = repository.treebuilder(None).unwrap();
    root.insert(".github", github.write().unwrap(), 0o040_000).unwrap();
    let tree = repository.find_tree(root.write().unwrap()).unwrap();
    let author = git2::Signature::now("Tester", "tester@localhost").unwrap();
    let tip = repository.commit(None, &author, &author, "files", &tree, &[]).unwrap().to_string().parse().unwrap();
    let files: Vec<String> = bench.cache.workflow_files(&tip).unwrap().into_keys().collect();
    assert_eq!(files, [".github/workflows/a.yml", ".github/workflows/b.yaml"]);
    let all = bench.cache.tree_files(&tip).unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|file| file.size == 9 && file.path.starts_with(".github/workflows/")));
    assert_eq!(bench.cache.blob(&all[0].blob).unwrap(), b"on: push\n");
    let plain = bench.commit("plain", None);
    assert!(bench.cache.workflow_files(&plain).unwrap().is_empty());
    bench.stop().await;
}
