//! The commits that a decision is about: told by name before anything is decided, and fetched where they are not here yet.

use standin_core::Code;
use standin_core::engine::SyncRequest;
use standin_core::state::model::{MirrorId, Oid};
use standin_tests::local::Local;

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_standin-under-test")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

/// Somebody commits on top of a branch of the mirror, straight in its folder; the new tip.
fn intrude(local: &Local, author: &str, message: &str, file: &str) -> Oid {
    let git = |arguments: &[&str]| local.git(&local.mirror, arguments).trim().to_owned();
    let blob = git(&["hash-object", "-w", "--stdin"]);
    let tree = format!("100644 blob {blob}\t{file}\n");
    let index = local.folder().join("tree");
    std::fs::write(&index, tree).unwrap();
    let mktree = std::process::Command::new("git")
        .args(["-C", local.mirror.to_str().unwrap(), "mktree"])
        .stdin(std::fs::File::open(&index).unwrap())
        .output()
        .unwrap();
    let tree = String::from_utf8(mktree.stdout).unwrap().trim().to_owned();
    let commit = local
        .git_command(&local.mirror, &["commit-tree", &tree, "-p", "refs/heads/main", "-m", message])
        .env("GIT_AUTHOR_NAME", author)
        .env("GIT_AUTHOR_DATE", "2026-03-01T12:00:00Z")
        .output()
        .unwrap();
    assert!(commit.status.success(), "{commit:?}");
    let commit = String::from_utf8(commit.stdout).unwrap().trim().to_owned();
    git(&["update-ref", "refs/heads/main", &commit]);
    commit.parse().unwrap()
}

#[test]
fn commits_of_a_mirror_alone_are_told_before_anything_of_them_is_here() {
    let local = Local::new(program(), &["--bare"]);
    local.standin(&["sync"]);
    let first: Oid = local.git(&local.source, &["rev-parse", "main"]).trim().parse().unwrap();
    intrude(&local, "Grace", "Answer twice as fast\n\nA body that is not told.", "answer.txt");
    let tip = intrude(&local, "Mal\u{202e}lory", "Mend\u{1b}[2J the \u{202e}greeting", "greeting.txt");
    let (engine, runtime) = (local.engine(), runtime());
    let mirror: MirrorId = "backup".parse().unwrap();
    let commits = |mirror: Option<&MirrorId>, tip: &Oid, without: Option<&Oid>| {
        runtime.block_on(engine.commits(None, mirror, tip, without))
    };
    let nowhere = commits(None, &tip, Some(&first)).unwrap_err();
    assert_eq!(nowhere.code, Code::NotFound, "{nowhere:?}");
    let list = commits(Some(&mirror), &tip, Some(&first)).unwrap();
    let told: Vec<_> = list.commits.iter().map(|line| (&*line.subject, &*line.author, line.oid == tip)).collect();
    assert_eq!(told, [("Mend[2J the greeting", "Mallory", true), ("Answer twice as fast", "Grace", false)]);
    assert_eq!(list.commits[1].at_iso, "2026-03-01T12:00:00Z".parse().unwrap());
    assert_eq!((list.count, list.file_count, list.files), (2, 1, vec!["greeting.txt".to_owned()]));
    // By now they are here, and nobody is asked any more.
    let again = commits(None, &tip, Some(&first)).unwrap();
    assert_eq!((again.count, again.commits), (2, list.commits));
    // The other way round there is nothing; of one tip alone, its whole history.
    assert_eq!(commits(None, &first, Some(&tip)).unwrap().count, 0);
    assert_eq!(commits(None, &tip, None).unwrap().count, 3);
    // Nothing was moved by looking, on either side.
    assert_eq!(local.git(&local.mirror, &["rev-parse", "main"]).trim(), tip.as_str());
    assert_eq!(local.git(&local.source, &["rev-parse", "main"]).trim(), first.as_str());
    // The plan knows how many they are.
    let plans = runtime.block_on(engine.plan(&SyncRequest::default())).unwrap();
    let plan = plans.into_iter().next().unwrap().1.unwrap();
    assert!(serde_json::to_string(&plan).unwrap().contains("2 commits only on the mirror"), "{plan:?}");

    let gone = "1".repeat(40).parse().unwrap();
    let moved = commits(Some(&mirror), &gone, Some(&first)).unwrap_err();
    assert_eq!(moved.code, Code::NotFound, "{moved:?}");
    assert!(moved.message.contains("neither on this machine nor at the mirror"), "{moved}");
}

#[test]
fn commits_of_a_strangers_repository_are_not_fetched() {
    let local = Local::new(program(), &["--bare"]);
    // A repository that shares nothing with the source, and was never a mirror.
    let other = local.folder().join("stranger");
    local.git(local.folder(), &["init", "-q", "-b", "main", other.to_str().unwrap()]);
    local.git(&other, &["commit", "-q", "--allow-empty", "-m", "a stranger's"]);
    local.git(&other, &["push", "-q", local.mirror.to_str().unwrap(), "main"]);
    let tip: Oid = local.git(&other, &["rev-parse", "main"]).trim().parse().unwrap();
    let (engine, runtime) = (local.engine(), runtime());
    // The source is known here.
    drop(runtime.block_on(engine.plan(&SyncRequest::default())));
    let refused = runtime.block_on(engine.commits(None, Some(&"backup".parse().unwrap()), &tip, None)).unwrap_err();
    assert_eq!(refused.code, Code::GuardHeld, "{refused:?}");
}

#[test]
fn as_many_commits_as_can_be_read_are_named_and_the_others_counted() {
    let local = Local::new(program(), &["--bare"]);
    local.standin(&["sync"]);
    let first: Oid = local.git(&local.source, &["rev-parse", "main"]).trim().parse().unwrap();
    let stream: String = (0..150)
        .map(|number| {
            let from = if number == 0 { "from refs/heads/main^0\n" } else { "" };
            format!("commit refs/heads/main\ncommitter A <a@b> {} +0000\ndata 4\nc{number:03}\n{from}M 644 inline f{number}\ndata 1\nx\n", 1_800_000_000 + number)
        })
        .collect();
    let file = local.folder().join("stream");
    std::fs::write(&file, stream).unwrap();
    let imported = local
        .git_command(&local.source, &["fast-import", "--quiet"])
        .stdin(std::fs::File::open(&file).unwrap())
        .output()
        .unwrap();
    assert!(imported.status.success(), "{imported:?}");
    local.standin(&["sync"]);
    let tip: Oid = local.git(&local.source, &["rev-parse", "main"]).trim().parse().unwrap();
    let list = runtime().block_on(local.engine().commits(None, None, &tip, Some(&first))).unwrap();
    assert_eq!((list.count, list.commits.len(), list.file_count, list.files.len()), (150, 100, 150, 100));
    assert_eq!((&*list.commits[0].subject, &*list.commits[99].subject), ("c149", "c050"));
}
