//! What must not be mistaken: a race for a deletion, a moment's refusal for one that lasts.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use standin_core::Code;
use standin_core::code;
use standin_core::git::GitProgram;
use standin_core::mirror;
use standin_core::state::config::Source;
use standin_core::state::model::AspectStatus;
use standin_core::state::store::DecisionChoice;
use standin_tests::pair::{Machine, Pair, failure};

#[tokio::test]
async fn a_branch_that_goes_between_listing_and_fetching_is_no_deletion() {
    // With its commit still there it is as it was listed; without, it is a race.
    for (also, is_race) in [("true", false), ("{real} --git-dir {source} prune --expire=now", true)] {
        let (pair, machine) = Pair::in_step().await;
        pair.source.commit_on("other", "of its own");
        // A git that is overtaken by somebody who deletes the branch.
        let bin = pair.folder().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let path = std::env::var("PATH").unwrap();
        let real = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file()).unwrap();
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *\" fetch \"*) {{real}} --git-dir {{source}} update-ref -d refs/heads/other; {also};; esac\n\
             exec {{real}} \"$@\"\n"
        );
        let script = script
            .replace("{real}", &real.display().to_string())
            .replace("{source}", &pair.source.path.display().to_string());
        std::fs::write(bin.join("git"), script).unwrap();
        std::fs::set_permissions(bin.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut ctx = machine.context().await;
        let environment = BTreeMap::from([
            ("PATH".to_owned(), format!("{}:{path}", bin.display())),
            ("HOME".to_owned(), pair.folder().display().to_string()),
        ]);
        let source = Arc::get_mut(&mut ctx.source).unwrap();
        source.git = GitProgram::find(&environment, std::path::Path::new("/nonexistent")).await.unwrap();
        let other = "refs/heads/other".parse().unwrap();
        match code::snapshot(&ctx.source).await {
            Ok(snapshot) => {
                assert!(!is_race);
                assert!(snapshot.cache.oid_exists(&snapshot.refs[&other]).unwrap());
            }
            Err(error) => {
                assert!(is_race, "{error:?}");
                assert_eq!((error.code, error.retryable), (Code::Raced, true), "{error:?}");
            }
        }
        assert!(!code::snapshot(&ctx.source).await.unwrap().refs.contains_key(&other));
    }
}

#[tokio::test]
async fn take_brings_no_workflows_to_the_source_that_its_default_branch_does_not_have() {
    let mut pair = Pair::new();
    pair.repository.source = Source::Url(format!("file://{}", pair.source.path.display()));
    let ours = pair.source.commit_file(".github/workflows/a.yml", b"on: push\n", None);
    pair.source.set("refs/heads/main", &ours);
    let machine = pair.machine("laptop");
    machine.sync().await.unwrap();
    let theirs = pair.mirror.commit_file(".github/workflows/a.yml", b"on: [push, pull_request]\n", Some(&ours));
    pair.mirror.set("refs/heads/topic", &theirs);
    let error = failure(machine.resolve("refs/heads/topic", DecisionChoice::Take).await);
    assert_eq!(error.code, Code::GuardHeld);
    assert!(error.message.contains(".github/workflows/a.yml"), "{error:?}");
    let rescue = &machine.store.rescues(None, None).unwrap()[0];
    assert_eq!(rescue.oid, theirs);
    assert!(error.hint.contains(&format!("standin rescue restore {} --to", rescue.id)), "{error:?}");
    assert_eq!(pair.source.refs().len(), 1);
    // The same workflows travel.
    let same = pair.mirror.commit_file(".github/workflows/a.yml", b"on: push\n", Some(&theirs));
    pair.mirror.set("refs/heads/topic", &same);
    machine.resolve("refs/heads/topic", DecisionChoice::Take).await.unwrap();
    assert_eq!(pair.source.tip("refs/heads/rescue/backup/topic"), Some(same));
}

/// What the next sync comes to: whether the fence is on the mirror, and whether several refs move all or none.
async fn synced(machine: &Machine) -> (bool, bool) {
    assert_eq!(machine.sync().await.unwrap().status, AspectStatus::Ok);
    let plan = machine.plan().await.unwrap();
    (plan.fence.supported, plan.fence.atomic)
}

#[tokio::test]
async fn what_a_host_refused_is_tried_again_after_a_day_and_after_a_test() {
    for tested in [false, true] {
        let pair = Pair::new();
        pair.source.commit_on("main", "first");
        pair.mirror.configure("receive.hideRefs", "refs/standin");
        pair.mirror.configure("receive.advertiseAtomic", "false");
        let machine = pair.machine("laptop");
        assert_eq!(synced(&machine).await, (false, false));
        machine.pass_days(2);
        assert_eq!(synced(&machine).await, (false, false), "still so");
        for key in ["receive.hideRefs", "receive.advertiseAtomic"] {
            pair.mirror.git(&["config", "--unset-all", key]);
        }
        assert_eq!(synced(&machine).await, (false, false), "asked less than a day ago");
        assert_eq!(pair.mirror.fence(), None);
        if tested {
            assert!(mirror::probe(&machine.context().await).await.unwrap());
        } else {
            machine.pass_days(2);
        }
        assert_eq!(synced(&machine).await, (true, true));
        assert!(pair.mirror.fence().is_some());
        pair.source.commit_on("main", "second");
        assert_eq!(pair.machine("second").sync().await.unwrap().status, AspectStatus::Ok);
        assert_eq!(synced(&machine).await, (true, true));
        pair.assert_in_step();
    }
}
