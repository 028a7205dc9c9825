//! Refusals over ssh, which come as words on standard error before git's own closing lines.

use std::path::Path;

use standin_core::state::config::{GitTarget, Target};
use standin_core::state::model::AspectStatus;
use standin_sandbox::{Options, RepositorySpec, Sandbox};
use standin_tests::replay::words::{self, Place};

use super::scene::{SHELL, Scene, preset};

#[tokio::test]
async fn a_refusal_over_ssh_is_told_in_the_hosts_words() {
    let mut scene = Scene::over_ssh(preset("github").host());
    scene.pair.source.commit_on("main", "first");
    let mut count = 0;
    for wording in words::all().filter(|wording| wording.place == Place::Ssh) {
        scene.replay.host().troubles.clear();
        scene.replay.host().fail(wording.mishap(), None);
        let synced = scene.sync().await;
        assert_ne!(synced.status(), Some(AspectStatus::Ok), "{wording:?}");
        let words = synced.words();
        let essence = wording.essence("refs/heads/main");
        assert!(words.contains(&essence), "{essence}: {words}");
        for no_reason in ["====", "and the repository exists", "hung up"] {
            assert!(!words.contains(no_reason), "`{no_reason}` is no reason: {words}");
        }
        // An address to open is part of the words.
        for address in wording.lines.iter().filter(|line| line.contains("Visit https://")) {
            let address = address.split_whitespace().find(|word| word.starts_with("https://")).unwrap();
            assert!(words.contains(address), "{address}: {words}");
        }
        count += 1;
    }
    assert!(count > 10, "{count} wordings");
    scene.replay.host().troubles.clear();
    assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
    scene.pair.assert_in_step();
}

#[tokio::test]
async fn a_repository_of_the_sandbox_is_pushed_to_and_read_over_ssh() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    sandbox.create_account("backup");
    sandbox.create_repository("backup", "there", RepositorySpec::default()).await.unwrap();
    let path = sandbox.repository_path("backup", "there");
    let front = standin_tests::replay::Replay::start(&path, preset("github").host());
    let (sshd, url) = front.over_ssh(Path::new(SHELL));

    let mut scene = Scene::over_http(preset("github").host());
    let mirror = &mut scene.pair.repository.mirrors[0];
    mirror.target = Target::Git(GitTarget { url, ssh_key: Some(sshd.user_key.clone()), hooks: false });
    scene.pair.mirror.path = path;
    scene.machine = scene.pair.machine("laptop");
    std::fs::write(scene.machine.state().join("known_hosts"), sshd.known_hosts_line()).unwrap();
    scene.pair.source.commit_on("main", "first");
    assert_eq!(scene.sync().await.status(), Some(AspectStatus::Ok));
    scene.pair.assert_in_step();
    assert!(scene.pair.mirror.fence().is_some());
    sandbox.refresh_workflows("backup", "there").unwrap();

    // Somebody rewrites what we pushed there: it is fetched over ssh before it is judged.
    let theirs = scene.pair.mirror.commit_on("main", "theirs");
    scene.pair.source.commit_on("main", "second");
    assert_eq!(scene.sync().await.status(), Some(AspectStatus::Blocked));
    assert_eq!(scene.pair.mirror.tip("refs/heads/main"), Some(theirs));
    sandbox.stop().await;
}
