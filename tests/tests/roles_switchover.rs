//! A change of master while the master is well: nothing is lost, the workflows change places, everybody follows.

use standin_tests::cli::{BACKUP, NAME, OWNER, STANDBY, branch, refs};
use standin_tests::stage::{Stage, at, fence, mirror, run};

fn stage() -> Stage {
    Stage::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

#[test]
fn a_promotion_brings_everything_along_and_a_demotion_brings_it_back() {
    let mut stage = stage();
    stage.check(&stage.machine, at(OWNER, 1));
    let late = stage.commit_on(OWNER, "main", "late.txt");
    stage.world.change_secret("RESEND_API_KEY");
    stage.world.set("DEPLOY_MODE", Some("half"));
    let ran = stage.promote();
    assert!(ran.stdout.contains("done in"), "{}", ran.all());
    stage.check(&stage.machine, at(BACKUP, 2));
    assert_eq!(refs(&stage.standby())[&branch("main")], late, "what was not synced yet came along");
    let secret = stage.sandbox.secret_value(BACKUP, NAME, "RESEND_API_KEY");
    assert!(secret.as_deref() == Some(stage.secrets["RESEND_API_KEY"].as_bytes()), "the new value came along");
    assert_eq!(stage.sandbox.variable(BACKUP, NAME, "DEPLOY_MODE").as_deref(), Some("half"));

    let next = stage.commit_on(BACKUP, "main", "next.txt");
    stage.sync(0);
    stage.check(&stage.machine, at(BACKUP, 2));
    for path in [stage.primary(), stage.archive()] {
        assert_eq!(refs(&path)[&branch("main")], next, "{} follows the new master", path.display());
    }
    assert_eq!(stage.sync(0).stdout.matches("[mirror-1]").count(), 0, "nothing goes towards the master");

    stage.demote();
    stage.check(&stage.machine, at(OWNER, 3));
    stage.sync(0);
    stage.check(&stage.machine, at(OWNER, 3));
    stage.check_same(&stage.primary(), &stage.standby());
    stage.check_same(&stage.primary(), &stage.archive());
}

#[test]
fn status_and_fences_name_the_new_master() {
    let stage = stage();
    stage.promote();
    let status = stage.machine.json(&["status"]);
    assert_eq!(status["self_role"], "SLAVE");
    assert_eq!(mirror(&status, "source")["role"], "SLAVE");
    assert_eq!(mirror(&status, "source")["repo"], format!("{OWNER}/{NAME}"));
    assert_eq!(mirror(&status, STANDBY)["role"], "MASTER");
    assert_eq!(mirror(&status, "mirror-2")["role"], serde_json::Value::Null);
    let refused = run(&stage.machine, 1, &["sync", "--mirror", STANDBY]);
    assert!(refused.all().contains("is the master"), "{}", refused.all());
    assert!(fence(&stage.primary()).is_some(), "the old master has a fence now");
}
