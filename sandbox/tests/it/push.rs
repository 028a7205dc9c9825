//! Clone and push with real git: rights, refusals in the host's words, what a push sets off.

use std::time::Duration;

use standin_sandbox::{Level, Options, Protection, PushRefusal, Role, TokenSpec};

use crate::support::{World, said, workflow};

#[tokio::test]
async fn what_is_pushed_is_cloned_again() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    let tip = work.commit("src/main.rs", "fn main() {}\n", "Second");
    work.git(&["tag", "-a", "v1", "-m", "v1"]);
    work.git(&["push", "origin", "main", "v1"]);
    let other = world.work("two", &world.token);
    other.git(&["clone", "-q", &world.url("alice/primary"), "."]);
    assert_eq!(other.git(&["rev-parse", "HEAD"]), tip);
    assert_eq!(other.git(&["tag"]), "v1");
}

#[tokio::test]
async fn a_large_push_streams_in_chunks_and_with_the_old_protocol() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    let noise: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    work.write("noise.bin", &noise);
    work.commit("other", "x", "Noise");
    work.git(&["-c", "http.postBuffer=65536", "-c", "protocol.version=0", "push", "origin", "main"]);
    let other = world.work("two", &world.token);
    other.git(&["-c", "protocol.version=0", "clone", "-q", &world.url("alice/primary"), "."]);
    assert_eq!(std::fs::read(other.path.join("noise.bin")).unwrap(), noise);
}

#[tokio::test]
async fn wrong_tokens_and_missing_rights_are_refused() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    let refused = |name: &str, token: &str, arguments: &[&str]| {
        let other = world.work(name, token);
        other.git(&["init", "-q", "-b", "main"]);
        other.git(&["remote", "add", "origin", &world.url("alice/primary")]);
        other.commit("x", name, "X");
        other.git_fails(arguments)
    };
    let fetch: &[&str] = &["fetch", "origin"];
    let push: &[&str] = &["push", "origin", "main:refs/heads/other"];
    assert!(refused("wrong", "ghp_wrong", fetch).contains("Authentication failed"));
    let bob = world.sandbox.create_token("bob", TokenSpec::classic(&["repo"]));
    assert!(refused("stranger", &bob, fetch).contains("not found"));
    world.sandbox.add_collaborator("alice", "primary", "bob", Role::Read);
    let denied = refused("reader", &bob, push);
    assert!(denied.contains("Permission to alice/primary.git denied to bob"), "{denied}");
    assert!(denied.contains("403"), "{denied}");
    let fine = world
        .sandbox
        .create_token("alice", TokenSpec::fine_grained("alice", &["primary"], &[("contents", Level::Read)]));
    let denied = refused("fine", &fine, push);
    assert!(denied.contains("Write access to repository not granted"), "{denied}");
    world.sandbox.set_archived("alice", "primary", true);
    let denied = refused("archived", &world.token, push);
    assert!(denied.contains("archived so it is read-only"), "{denied}");
}

#[tokio::test]
async fn hidden_refs_are_refused_alone_and_sink_an_atomic_push() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    let refs = ["main", "main:refs/pull/1/head", "main:refs/heads/other"];
    let words = work.git_fails(&[&["push", "origin"], &refs[..]].concat());
    assert!(words.contains("deny updating a hidden ref"), "{words}");
    assert!(work.remote_ref("refs/heads/other").is_some());
    work.commit("more", "x", "More");
    let words = work.git_fails(&[&["push", "--atomic", "origin"], &refs[..]].concat());
    assert!(words.contains("deny updating a hidden ref"), "{words}");
    assert_ne!(work.remote_ref("refs/heads/other").unwrap(), work.git(&["rev-parse", "main"]));
}

#[tokio::test]
async fn workflow_files_need_the_scope_and_other_refs_go_through() {
    let world = World::new().await;
    let plain = world.sandbox.create_token("alice", TokenSpec::classic(&["repo"]));
    let work = world.clone_with_commit("one");
    let helper = world.work("one", &plain);
    work.git(&["push", "-q", "origin", "main"]);
    work.git(&["checkout", "-q", "-b", "with-workflow"]);
    work.commit(".github/workflows/x.yml", &workflow("push"), "Workflow");
    let words = helper.git_fails(&["push", "origin", "with-workflow", "main:side"]);
    assert!(
        words.contains(
            "refusing to allow a Personal Access Token to create or update workflow \
             `.github/workflows/x.yml` without `workflow` scope"
        ),
        "{words}"
    );
    assert!(work.remote_ref("refs/heads/side").is_some());
    assert!(work.remote_ref("refs/heads/with-workflow").is_none());
    let words = helper.git_fails(&["push", "--atomic", "origin", "with-workflow", "main:side2"]);
    assert!(words.contains("without `workflow` scope"), "{words}");
    assert!(work.remote_ref("refs/heads/side2").is_none());
    let fine = world.sandbox.create_token(
        "alice",
        TokenSpec::fine_grained("alice", &["primary"], &[("contents", Level::Write), ("workflows", Level::Write)]),
    );
    world.work("one", &fine).git(&["push", "origin", "with-workflow"]);
    // Nothing new in it: no scope is needed to point another branch there.
    world.work("one", &plain).git(&["push", "origin", "with-workflow:again"]);
}

#[tokio::test]
async fn a_file_over_the_limit_sinks_the_push_and_is_named() {
    let world = World::with(Options { file_size_limit: 1024 * 1024, ..Options::default() }).await;
    let work = world.clone_with_commit("one");
    work.write("data/big.bin", &vec![0; 2 * 1024 * 1024]);
    work.commit("other", "x", "Big");
    let words = work.git_fails(&["push", "origin", "main", "main~1:refs/heads/small"]);
    for part in [
        "GH001: Large files detected",
        "File data/big.bin is 2.00 MB; this exceeds GitHub's file size limit of 1.00 MB",
        "main -> main (pre-receive hook declined)",
        "main~1 -> small (pre-receive hook declined)",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
    assert!(work.remote_ref("refs/heads/small").is_none());
}

#[tokio::test]
async fn protected_branches_refuse_rewrites_and_deletion_or_every_push() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main", "main:release/1", "main:locked"]);
    let sandbox = &world.sandbox;
    sandbox.protect_branch("alice", "primary", "release/*", Protection::NoRewrite);
    sandbox.protect_branch("alice", "primary", "locked", Protection::PullRequestOnly);
    work.commit("a", "a", "A");
    work.git(&["push", "origin", "main:release/1"]);
    work.git(&["commit", "-q", "--amend", "-m", "B"]);
    let words = work.git_fails(&["push", "--force", "origin", "main:release/1"]);
    assert!(words.contains("(protected branch hook declined)"), "{words}");
    assert!(words.contains("GH006: Protected branch update failed for refs/heads/release/1"), "{words}");
    assert!(words.contains("Cannot force-push to this branch"), "{words}");
    let words = work.git_fails(&["push", "origin", ":release/1"]);
    assert!(words.contains("Cannot delete this branch"), "{words}");
    let words = work.git_fails(&["push", "origin", "main:locked"]);
    assert!(words.contains("Changes must be made through a pull request"), "{words}");
    let words = work.git_fails(&["push", "origin", ":main"]);
    assert!(words.contains("refusing to delete the current branch: refs/heads/main"), "{words}");
}

#[tokio::test]
async fn refusals_can_be_in_any_words() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    let refusal = PushRefusal {
        refs: "refs/heads/secret/**".to_owned(),
        reason: "push declined due to repository rule violations".to_owned(),
        remote_lines: vec!["error: GH013: Repository rule violations found".to_owned()],
    };
    world.sandbox.refuse_pushes("alice", "primary", refusal);
    let words = work.git_fails(&["push", "origin", "main", "main:secret/a"]);
    assert!(words.contains("(push declined due to repository rule violations)"), "{words}");
    assert!(words.contains("GH013"), "{words}");
    assert!(work.remote_ref("refs/heads/main").is_some());
}

#[tokio::test]
async fn leases_and_atomic_pushes_work_as_with_any_server() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    let first = work.git(&["rev-parse", "HEAD"]);
    work.git(&["push", "-q", "origin", "main", "main:refs/standin/fence"]);
    let second = work.commit("a", "a", "A");
    let stale = format!("--force-with-lease=refs/standin/fence:{second}");
    work.git_fails(&["push", "--atomic", &stale, "origin", "main", "main:refs/standin/fence"]);
    assert_eq!(work.remote_ref("refs/heads/main").unwrap(), first);
    let right = format!("--force-with-lease=refs/standin/fence:{first}");
    work.git(&["push", "--atomic", &right, "origin", "main", "main:refs/standin/fence"]);
    assert_eq!(work.remote_ref("refs/standin/fence").unwrap(), second);
}

#[tokio::test]
async fn the_first_branch_pushed_becomes_the_default_where_the_default_is_missing() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main:trunk"]);
    assert_eq!(world.sandbox.default_branch("alice", "primary").unwrap(), "trunk");
    let head = work.git(&["ls-remote", "--symref", "origin", "HEAD"]);
    assert!(head.contains("ref: refs/heads/trunk"), "{head}");
}

#[tokio::test]
async fn a_push_counts_a_run_for_each_enabled_workflow_it_starts() {
    let world = World::new().await;
    let sandbox = &world.sandbox;
    let runs = || sandbox.run_count("alice", "primary");
    let work = world.clone_with_commit("one");
    work.write(".github/workflows/on-push.yml", workflow("push").as_bytes());
    work.write(".github/workflows/on-main.yml", workflow("{push: {branches: [main]}}").as_bytes());
    work.commit(".github/workflows/by-hand.yaml", &workflow("workflow_dispatch"), "Workflows");
    work.git(&["push", "-q", "origin", "main"]);
    assert_eq!(runs(), 2);
    work.git(&["push", "-q", "origin", "main:topic"]);
    assert_eq!(runs(), 3);
    let listed = sandbox.workflows("alice", "primary");
    assert_eq!(listed.len(), 3);
    sandbox.set_workflow_state("alice", "primary", "on-push.yml", standin_sandbox::WorkflowState::DisabledManually);
    work.commit("a", "a", "A");
    work.git(&["push", "-q", "origin", "main"]);
    assert_eq!(runs(), 4);
    let off = standin_sandbox::ActionsPermissions { enabled: false, ..Default::default() };
    sandbox.set_actions_permissions("alice", "primary", off);
    work.commit("b", "b", "B");
    work.git(&["push", "-q", "origin", "main", ":topic"]);
    assert_eq!(runs(), 4);
    let run = &sandbox.runs("alice", "primary")[0];
    assert_eq!((run.actor.as_str(), run.event.as_str()), ("alice", "push"));
    assert!(run.token_id.is_some());
    work.git(&["rm", "-q", ".github/workflows/by-hand.yaml"]);
    work.commit("c", "c", "C");
    work.git(&["push", "-q", "origin", "main"]);
    assert_eq!(sandbox.workflows("alice", "primary").len(), 2);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_client_dies_leaves_no_child_and_no_folder() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    let noise: Vec<u8> = (0..8_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    work.write("noise.bin", &noise);
    work.commit("other", "x", "Noise");
    let mut client = work.command(&["-c", "http.postBuffer=65536", "push", "-q", "origin", "main"]).spawn().unwrap();
    let receiving = || {
        world
            .sandbox
            .requests()
            .iter()
            .any(|request| request.path.ends_with("/git-receive-pack") && request.method == "POST")
    };
    while !receiving() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.kill().unwrap();
    client.wait().unwrap();
    let repository = world.sandbox.repository_path("alice", "primary");
    world.sandbox.clone().stop().await;
    // The whole data folder is gone, and nobody works in it any more.
    assert!(!repository.exists());
    let still = processes_naming(repository.parent().unwrap());
    assert!(still.is_empty(), "{still:?}");
}

#[tokio::test]
async fn a_long_negotiation_comes_compressed_and_a_clone_may_leave_files_out() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    work.git(&["push", "-q", "origin", "main"]);
    let other = world.work("two", &world.token);
    other.git(&["clone", "-q", &world.url("alice/primary"), "."]);
    for number in 0..120 {
        // Newer than what both have, so that git offers these first, and many of them.
        let date = format!("@{} +0000", 2_000_000_000 + number);
        let mut commit = other.command(&["commit", "-q", "--allow-empty", "-m", &format!("Own {number}")]);
        assert!(commit.env("GIT_COMMITTER_DATE", date).status().unwrap().success());
    }
    let tip = work.commit("new", "x", "New");
    work.git(&["push", "-q", "origin", "main"]);
    // Beyond 1024 bytes git compresses what it has to say.
    let mut fetch = other.command(&["-c", "protocol.version=0", "fetch", "-q", "origin"]);
    let output = fetch.env("GIT_TRACE_CURL", "1").output().unwrap();
    assert!(said(&output).to_lowercase().contains("content-encoding: gzip"));
    assert_eq!(other.git(&["rev-parse", "origin/main"]), tip);
    let partial = world.work("three", &world.token);
    let url = world.url("alice/primary");
    partial.git(&["clone", "-q", "--filter=blob:none", "--no-checkout", &url, "."]);
    let missing = partial.git(&["rev-list", "--objects", "--missing=print", "HEAD"]);
    assert!(missing.lines().any(|line| line.starts_with('?')), "{missing}");
}

/// Command lines of this machine's processes that serve repositories in this folder.
#[cfg(target_os = "linux")]
fn processes_naming(folder: &std::path::Path) -> Vec<String> {
    let needle = folder.to_string_lossy().into_owned();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|entry| {
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            let environment = String::from_utf8_lossy(&environment).into_owned();
            let command = std::fs::read(entry.path().join("cmdline")).ok()?;
            environment
                .contains(&format!("GIT_PROJECT_ROOT={needle}"))
                .then(|| String::from_utf8_lossy(&command).replace('\0', " "))
        })
        .collect()
}

#[tokio::test]
async fn many_refs_and_odd_names_go_through_one_push() {
    let world = World::new().await;
    let work = world.clone_with_commit("one");
    let oid = work.git(&["rev-parse", "HEAD"]);
    let mut input = String::new();
    for number in 0..2_000 {
        input.push_str(&format!("create refs/heads/many/{number} {oid}\n"));
    }
    for odd in ["ünï/cödé", "a#b", "per%cent", "quote'd", "-dash", "with\"double"] {
        input.push_str(&format!("create refs/heads/{odd} {oid}\n"));
    }
    work.write("refs.txt", input.as_bytes());
    let mut update = work.command(&["update-ref", "--stdin"]);
    update.stdin(std::fs::File::open(work.path.join("refs.txt")).unwrap());
    assert!(update.status().unwrap().success());
    work.git(&["push", "-q", "--atomic", "origin", "refs/heads/*:refs/heads/*"]);
    let count = work.git(&["ls-remote", "--heads", "origin"]).lines().count();
    assert_eq!(count, 2_007);
    assert_eq!(work.remote_ref("refs/heads/ünï/cödé").unwrap(), oid);
    let body = world.rest().get("/repos/alice/primary/git/ref/heads/per%25cent").await;
    assert_eq!(body.json()["ref"], "refs/heads/per%cent");
}
