//! From what set it off to the history: a hook's file through the queue to a run that says so, also when Standin is killed.

use std::fs;

use standin_core::state::model::Trigger;
use standin_tests::local::Local;

fn local() -> Local {
    Local::new(env!("CARGO_BIN_EXE_standin-under-test"), &["--bare"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_a_bare_source_is_in_the_mirror_and_the_history_says_who_set_it_off() {
    let local = local();
    local.standin(&["sync", "--yes"]);
    local.standin(&["hook", "install"]);
    let tip = local.update("refs/heads/main", "second");
    let engine = local.engine();
    assert_eq!(engine.queued().unwrap(), []);
    assert_eq!(engine.sweep_drops().unwrap(), []);
    let taker = engine.trigger_taker().unwrap();
    let taken = engine.take_triggers(&taker).unwrap();
    assert_eq!((taken.len(), taken[0].kind, taken[0].by.as_str()), (1, Trigger::Hook, "refs/heads/main"));
    let request = standin_core::engine::SyncRequest { yes: true, ..engine.request_of(&taken[0]) };
    let outcome = engine.sync(request).unwrap().finished().await;
    assert!(outcome.mirrors.iter().all(|mirror| mirror.error.is_none()), "{outcome:?}");
    engine.trigger_done(&taker, &taken[0]).unwrap();
    assert_eq!(local.git(&local.mirror, &["rev-parse", "main"]), tip);
    assert_eq!(engine.queued().unwrap(), []);

    let runs = |trigger: &str| local.machine.json(&["history", "--trigger", trigger]).as_array().unwrap().len();
    assert_eq!((runs("hook"), runs("manual"), runs("webhook")), (1, 1, 0));
    let audit = local.machine.json(&["history", "--audit"]);
    let details: Vec<&str> = audit.as_array().unwrap().iter().filter_map(|line| line["detail"].as_str()).collect();
    assert!(details[0].ends_with("; set off by hook: refs/heads/main"), "{details:?}");
    assert!(audit.as_array().unwrap().iter().any(|line| line["action"] == "hook_install"));
    let wrong = local.machine.standin(&["history", "--trigger", "moon"]);
    assert_eq!(wrong.code(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fires_for_ever_is_one_trigger_and_one_for_a_stranger_is_told() {
    let local = local();
    local.standin(&["hook", "install"]);
    for number in 0..20 {
        local.git(&local.source, &["update-ref", &format!("refs/heads/b{number}"), "main"]);
    }
    let drops = local.machine.state.join(".triggers/drops");
    assert_eq!(fs::read_dir(&drops).unwrap().count(), 1);
    fs::write(drops.join("hook.unknown"), "").unwrap();
    fs::write(drops.join("hook.site~"), "of a test of the hook").unwrap();
    let engine = local.engine();
    let notices = engine.sweep_drops().unwrap();
    assert_eq!(notices.len(), 1);
    assert!(notices[0].message.contains("unknown, which is not configured"), "{notices:?}");
    let queued = engine.queued().unwrap();
    assert_eq!((queued.len(), queued[0].times, queued[0].by.as_str()), (1, 1, "refs/heads/b0"));
}
