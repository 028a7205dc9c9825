//! The `mirrors` section of a file that the repository's own programs keep, committed over REST.

use std::time::Duration;

use serde_json::{Value, json};
use standin_core::context::MirrorContext;
use standin_core::roles::state_file::{Committed, commit};
use standin_sandbox::{Effect, Fault, FaultMatcher, Protection, TokenSpec};
use standin_tests::pair::Repo;
use standin_tests::standby::{self, STANDBY, Standby};

const PATH: &str = "state/current.json";
const TEXT: &str = "{\r\n\t\"meta\": {\"updated_at_iso\": \"2026-02-07T05:00:00Z\"},\r\n\t\"b\" :1.50\r\n}";

struct Site {
    hub: Standby,
    repo: Repo,
}

impl Site {
    async fn with(text: &str) -> Self {
        let hub = Standby::start().await;
        let repo = Repo { path: hub.sandbox.repository_path(STANDBY.0, STANDBY.1) };
        standby::commit(&repo.path, "refs/heads/main", &[(PATH, text), ("other", "x")]);
        Self { hub, repo }
    }

    async fn context(&self) -> MirrorContext {
        self.hub.context().await
    }

    fn text(&self) -> String {
        self.repo.git(&["show", &format!("main:{PATH}")])
    }

    fn commits(&self) -> usize {
        self.repo.git(&["rev-list", "main"]).lines().count()
    }

    fn slow_down_the_commit(&self, times: u32) {
        for nth in 0..times {
            let on_put = FaultMatcher::rest("PUT", &format!("/repos/backup/standby/contents/{PATH}"));
            self.hub.sandbox.add_fault(Fault::nth(on_put, nth, Effect::Latency(Duration::from_millis(1500))));
        }
    }
}

fn section(role: &str) -> Value {
    json!({"self_role": role, "slaves": []})
}

#[tokio::test]
async fn the_section_is_one_commit_and_every_other_byte_stays() {
    let site = Site::with(TEXT).await;
    let ctx = site.context().await;
    let done = commit(&ctx, PATH, &section("MASTER"), "backup/standby is master (epoch 2)").await.unwrap();
    assert_eq!((done, site.commits()), (Committed::Done, 2));
    assert_eq!(
        site.text(),
        TEXT.replace(
            "1.50\r\n",
            "1.50,\r\n\t\"mirrors\": {\r\n\t\t\"self_role\": \"MASTER\",\r\n\t\t\"slaves\": []\r\n\t}\r\n"
        )
    );
    let message = site.repo.git(&["log", "-1", "--format=%B", "main"]);
    assert_eq!(message.trim(), "Standin: backup/standby is master (epoch 2)");
    assert_eq!(site.repo.git(&["diff", "--name-only", "main~1", "main"]).trim(), PATH);

    let again = commit(&ctx, PATH, &section("MASTER"), "again").await.unwrap();
    assert_eq!((again, site.commits()), (Committed::Already, 2));
    let changed = commit(&ctx, PATH, &section("SLAVE"), "changed").await.unwrap();
    assert_eq!((changed, site.commits()), (Committed::Done, 3));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made() {
    let site = Site::with(TEXT).await;
    let ctx = site.context().await;
    assert_eq!(commit(&ctx, "state/none.json", &section("MASTER"), "x").await.unwrap(), Committed::NotThere);
    let empty = Standby::start().await;
    assert_eq!(commit(&empty.context().await, PATH, &section("MASTER"), "x").await.unwrap(), Committed::NotThere);
    assert_eq!(site.commits(), 1);
}

#[tokio::test]
async fn a_file_that_somebody_changes_at_this_moment_keeps_both_changes() {
    let site = Site::with(TEXT).await;
    site.slow_down_the_commit(1);
    let ctx = site.context().await;
    let (section, other) = (section("MASTER"), TEXT.replace("1.50", "2.75"));
    let (done, ()) = tokio::join!(commit(&ctx, PATH, &section, "x"), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        standby::commit(&site.repo.path, "refs/heads/main", &[(PATH, &other)]);
    });
    assert_eq!(done.unwrap(), Committed::Done);
    assert!(site.text().contains("2.75") && site.text().contains("\"MASTER\""), "{}", site.text());
    assert_eq!(site.commits(), 3);
}

#[tokio::test]
async fn a_protected_branch_is_a_notice_and_no_failure() {
    let site = Site::with(TEXT).await;
    site.hub.sandbox.protect_branch(STANDBY.0, STANDBY.1, "main", Protection::PullRequestOnly);
    let Committed::Refused(notice) = commit(&site.context().await, PATH, &section("MASTER"), "x").await.unwrap() else {
        panic!("it is refused")
    };
    assert!(notice.message.contains(PATH) && notice.message.contains("pull request"), "{notice:?}");
    assert_eq!(site.commits(), 1);
}

#[tokio::test]
async fn a_token_without_the_right_is_a_notice_and_no_failure() {
    let mut site = Site::with(TEXT).await;
    site.hub.sandbox.create_account("reader");
    site.hub.sandbox.add_collaborator(STANDBY.0, STANDBY.1, "reader", standin_sandbox::Role::Read);
    site.hub.token = site.hub.sandbox.create_token("reader", TokenSpec::classic(&["repo"]));
    let done = commit(&site.context().await, PATH, &section("MASTER"), "x").await.unwrap();
    assert!(matches!(done, Committed::Refused(_)), "{done:?}");
    assert_eq!(site.commits(), 1);
}

#[tokio::test]
async fn what_is_no_json_object_is_left_alone_and_said() {
    for text in ["not json", "[1]", "{\"a\": 1, \"a\": 2}"] {
        let site = Site::with(text).await;
        let Committed::Refused(notice) = commit(&site.context().await, PATH, &section("MASTER"), "x").await.unwrap()
        else {
            panic!("{text} is refused")
        };
        assert!(notice.message.contains("cannot take a section"), "{notice:?}");
        assert_eq!((site.text().as_str(), site.commits()), (text, 1));
    }
    let site = Site::with(TEXT).await;
    let done = commit(&site.context().await, "state", &section("MASTER"), "x").await.unwrap();
    assert!(matches!(done, Committed::Refused(notice) if notice.message.contains("folder")));
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_commit() {
    let site = Site::with(TEXT).await;
    let on_put = FaultMatcher::rest("PUT", &format!("/repos/backup/standby/contents/{PATH}"));
    site.hub.sandbox.add_fault(Fault::once(on_put, Effect::CutAfter));
    let done = commit(&site.context().await, PATH, &section("MASTER"), "x").await.unwrap();
    assert_eq!((done, site.commits()), (Committed::Done, 2));
}

#[tokio::test]
async fn a_large_file_is_read_whole() {
    let large = format!("{{\"text\": \"{}\"}}\n", "x".repeat(1_200_000));
    let site = Site::with(&large).await;
    let done = commit(&site.context().await, PATH, &section("MASTER"), "x").await.unwrap();
    assert_eq!(done, Committed::Done);
    assert_eq!(site.text().len(), large.len() + ", \"mirrors\": {\"self_role\": \"MASTER\", \"slaves\": []}".len());
}
