//! Secrets from here to a standby, by the real gh, opened in the sandbox.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config as Settings, RngSeed, TestRunner};
use secrecy::{ExposeSecret, SecretString};
use standin_core::context::MirrorContext;
use standin_core::outside::{Gh, GhCall, GhOutput};
use standin_core::plan::{SecretState, SecretsPlan};
use standin_core::secrets;
use standin_core::state::config::Target;
use standin_core::state::model::{AspectReport, AspectStatus, Slug};
use standin_core::state::store::ChangeOutcome;
use standin_sandbox::{Effect, Fault, FaultMatcher, Options, TokenSpec};
use standin_tests::standby::{self, STANDBY, Standby};

async fn sync(standby: &Standby) -> (SecretsPlan, AspectReport) {
    sync_with(&standby.context().await).await
}

async fn sync_with(ctx: &MirrorContext) -> (SecretsPlan, AspectReport) {
    let plan = secrets::plan(ctx).await.expect("a plan");
    let report = secrets::apply(ctx, &plan).await.expect("a report");
    (plan, report)
}

fn value(standby: &Standby, name: &str) -> Option<Vec<u8>> {
    standby.sandbox.secret_value(STANDBY.0, STANDBY.1, name)
}

fn states(plan: &SecretsPlan) -> Vec<(&str, SecretState)> {
    plan.names.iter().map(|(name, state)| (name.as_str(), *state)).collect()
}

fn secret_puts() -> FaultMatcher {
    FaultMatcher::rest("PUT", "/repos/*/*/actions/secrets/*")
}

/// Every shape that once broke a dotenv parser, a shell or a trim.
fn odd_values() -> Vec<String> {
    let large = "x".repeat(48 * 1024);
    let large_odd = "it's \"$x\" \\\n".repeat(4 * 1024);
    let pem = "-----BEGIN KEY-----\nMIIE\n+/=\n-----END KEY-----\n";
    let mut values: Vec<String> = [
        "plain",
        " ",
        "  both ends  ",
        "\t",
        "\n",
        "\n\n",
        "ends\n",
        "ends\n\n\n",
        "\nbegins",
        "ends\r\n",
        "a\r\nb\r\n",
        "\r",
        "a\rb",
        "a\n\rb",
        "#",
        "# comment",
        "a #b",
        "a#b",
        "=",
        "a=b",
        "export A=b",
        "$",
        "$HOME",
        "${HOME}",
        "$$",
        "\\$HOME",
        "\\\\$HOME",
        "$(id)",
        "`id`",
        "'",
        "''",
        "'quoted'",
        "it's",
        "it's\n",
        "\"",
        "\"\"",
        "\"quoted\"",
        "say \"hi\"",
        "it's \"both\"",
        "it's \"both\" \\",
        "'\"",
        "\"'",
        "'\"\n",
        "'\r\n\"",
        "\\",
        "\\\\",
        "ends\\",
        "it's\\",
        "\\n",
        "\\r",
        "\\t",
        "it's \\n",
        "it's \\\\n",
        "it's $HOME \\$HOME",
        "'\\\"",
        "\\'",
        "\\\"",
        "'\\",
        "\\'\n",
        "{\"a\": \"b's\", \"c\": [1, 2]}",
        "ümläut",
        "日本語",
        "🔐",
        "\u{feff}bom",
        "a\u{0}b",
        "\u{0}",
        "\u{1b}[31m",
        "a\u{b}b",
        "\u{2028}",
        "A='b'\nC=\"d\"",
        "%s %d",
        "--body",
        "-",
        "null",
        "true",
        pem,
    ]
    .map(str::to_owned)
    .to_vec();
    values.push(large);
    values.push(large_odd);
    values
}

#[tokio::test]
async fn secrets_of_every_odd_shape_arrive_byte_for_byte() {
    let mut standby = Standby::start_with(Options { secondary_limit: None, ..Options::default() }).await;
    let values = odd_values();
    let named: Vec<(String, &str)> =
        values.iter().enumerate().map(|(index, value)| (format!("S{index}"), value.as_str())).collect();
    for part in named.chunks(70) {
        let pairs: Vec<(&str, &str)> = part.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        standby.repository.secrets = standby::secrets(&pairs);
        let (_, report) = sync(&standby).await;
        assert_eq!(report.status, AspectStatus::Ok, "{report:?}");
        for (name, expected) in pairs {
            let arrived = value(&standby, name).unwrap_or_default();
            let shown = expected.get(..40).unwrap_or(expected);
            assert_eq!(arrived, expected.as_bytes(), "{name}: {shown:?}");
        }
    }
}

#[tokio::test]
async fn random_secrets_arrive_byte_for_byte() {
    let mut standby = Standby::start_with(Options { secondary_limit: None, ..Options::default() }).await;
    // Made of what parsers stumble over, and of any text.
    let strategy = proptest::collection::vec(
        proptest::prop_oneof![
            r#"[ '"\\$#{}=a\n\r\t]{0,12}"#.prop_map(|text| text),
            proptest::prelude::any::<String>(),
            r#"[A-Za-z]{0,3}['"\\\n\r]{1,3}"#.prop_map(|text| text),
        ],
        60..61,
    );
    let seed = rand::random();
    let mut runner = TestRunner::new(Settings { rng_seed: RngSeed::Fixed(seed), ..Settings::default() });
    for round in 0..3 {
        // Each token has its own pace.
        standby.token = standby.sandbox.create_token(STANDBY.0, TokenSpec::classic(&["repo"]));
        let values = strategy.new_tree(&mut runner).unwrap().current();
        let names: Vec<String> = (0..values.len()).map(|index| format!("R{index}")).collect();
        let pairs: Vec<(&str, &str)> =
            names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
        standby.repository.secrets = standby::secrets(&pairs);
        let (_, report) = sync(&standby).await;
        assert_eq!(report.status, AspectStatus::Ok, "seed {seed}, round {round}: {report:?}");
        for (name, expected) in pairs {
            let arrived = value(&standby, name).unwrap_or_default();
            assert_eq!(arrived, expected.as_bytes(), "seed {seed}, round {round}, {name}: {expected:?}");
        }
    }
}

#[tokio::test]
async fn many_secrets_cost_one_call_of_gh_and_unchanged_ones_one_list_request() {
    let mut standby = Standby::start().await;
    let names: Vec<String> = (0..20).map(|index| format!("S{index}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "it's a value")).collect();
    standby.repository.secrets = standby::secrets(&pairs);
    let ctx = standby.context().await;
    let (plan, report) = sync_with(&ctx).await;
    assert_eq!(plan.changes().len(), 20);
    assert_eq!(report.detail.as_deref(), Some("20/20"));
    let totals = ctx.totals.snapshot();
    assert_eq!((totals.gh_calls, totals.api_requests, totals.changes), (1, 2, 20));

    standby.take_requests();
    let ctx = standby.context().await;
    let (plan, report) = sync_with(&ctx).await;
    assert!(plan.changes().is_empty());
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("20/20")));
    let requests = standby.sandbox.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!((requests[0].status, ctx.totals.snapshot().gh_calls), (Some(304), 0));
}

#[tokio::test]
async fn only_the_changed_secret_is_sent_again() {
    let mut standby = Standby::start().await;
    standby.repository.secrets = standby::secrets(&[("A", "1"), ("B", "2")]);
    sync(&standby).await;
    standby.take_requests();
    standby.repository.secrets = standby::secrets(&[("A", "1"), ("B", "changed")]);
    let (plan, _) = sync(&standby).await;
    assert_eq!(states(&plan), [("A", SecretState::InStep), ("B", SecretState::Update)]);
    let puts: Vec<String> = standby.take_requests().into_iter().filter(|request| request.starts_with("PUT")).collect();
    assert_eq!(puts, ["PUT /repos/backup/standby/actions/secrets/B"]);
    assert_eq!(value(&standby, "B").unwrap(), b"changed");
}

#[tokio::test]
async fn what_somebody_else_wrote_is_noticed_and_mended() {
    let mut standby = Standby::start().await;
    standby.repository.secrets = standby::secrets(&[("A", "ours"), ("B", "ours")]);
    sync(&standby).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    standby.sandbox.set_secret(STANDBY.0, STANDBY.1, "A", b"theirs");
    standby.sandbox.remove_secret(STANDBY.0, STANDBY.1, "B");
    let (plan, report) = sync(&standby).await;
    assert_eq!(states(&plan), [("A", SecretState::Update), ("B", SecretState::Create)]);
    assert_eq!(report.status, AspectStatus::Ok);
    assert_eq!((value(&standby, "A").unwrap(), value(&standby, "B").unwrap()), (b"ours".to_vec(), b"ours".to_vec()));
}

#[tokio::test]
async fn a_machine_with_an_empty_database_sends_once_and_then_nothing() {
    let mut standby = Standby::start().await;
    standby.repository.secrets = standby::secrets(&[("A", "1")]);
    sync(&standby).await;
    standby.change_machine();
    assert_eq!(states(&sync(&standby).await.0), [("A", SecretState::Update)]);
    assert_eq!(states(&sync(&standby).await.0), [("A", SecretState::InStep)]);
}

#[tokio::test]
async fn candidates_wait_for_a_yes_once_for_each_name() {
    let mut standby = Standby::start().await;
    standby.repository.secrets = standby::secrets(&[("DATABASE_PASSWORD", "1")]);
    standby.repository.secrets.listed = false;
    let (plan, report) = sync(&standby).await;
    assert_eq!(states(&plan), [("DATABASE_PASSWORD", SecretState::NeedsYes)]);
    assert_eq!(report.status, AspectStatus::Blocked);
    assert_eq!(report.error.as_deref(), Some("a yes is awaited for what never went to this mirror: DATABASE_PASSWORD"));
    assert_eq!(value(&standby, "DATABASE_PASSWORD"), None);

    let (plan, report) = sync_with(&standby.context_with_yes().await).await;
    assert_eq!(states(&plan), [("DATABASE_PASSWORD", SecretState::Create)]);
    assert_eq!(report.status, AspectStatus::Ok);

    // The yes holds for another value of the same name, also after it was removed there.
    standby.repository.secrets.values.insert("DATABASE_PASSWORD".to_owned(), SecretString::from("2"));
    standby.sandbox.remove_secret(STANDBY.0, STANDBY.1, "DATABASE_PASSWORD");
    let (plan, _) = sync(&standby).await;
    assert_eq!(states(&plan), [("DATABASE_PASSWORD", SecretState::Create)]);
    standby.repository.secrets.values.insert("ANOTHER".to_owned(), SecretString::from("1"));
    let (plan, report) = sync(&standby).await;
    assert_eq!(states(&plan)[0], ("ANOTHER", SecretState::NeedsYes));
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Blocked, Some("1/2")));
}

#[tokio::test]
async fn tokens_of_standin_and_of_the_sentinel_never_travel() {
    let mut standby = Standby::start().await;
    let never = ["STANDIN_TOKEN", "MASTER_TOKEN", "MIRROR_1_TOKEN", "SENTINEL_X", "GIT_SYNC_ALPHA"];
    let pairs: Vec<(&str, &str)> = never.iter().map(|name| (*name, "1")).chain([("A", "1")]).collect();
    standby.repository.secrets = standby::secrets(&pairs);
    let (plan, _) = sync_with(&standby.context_with_yes().await).await;
    assert_eq!(states(&plan), [("A", SecretState::Create)]);
    assert_eq!(standby.sandbox.secrets(STANDBY.0, STANDBY.1).len(), 1);
}

#[tokio::test]
async fn the_parity_report_lists_every_name_and_removes_nothing() {
    let mut standby = Standby::start().await;
    standby.sandbox.set_secret(STANDBY.0, STANDBY.1, "THEIRS", b"x");
    standby.repository.secrets = standby::secrets(&[("lower_case", "1")]);
    standby.repository.secrets.missing = BTreeSet::from(["NO_VALUE".to_owned()]);
    let (plan, report) = sync(&standby).await;
    assert_eq!(
        states(&plan),
        [
            ("LOWER_CASE", SecretState::Create),
            ("NO_VALUE", SecretState::MissingHere),
            ("THEIRS", SecretState::OnlyOnMirror),
        ]
    );
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Failed, Some("1/2")));
    assert_eq!(report.error.as_deref(), Some("no value here for NO_VALUE"));
    assert_eq!(value(&standby, "THEIRS").unwrap(), b"x");
    assert_eq!(value(&standby, "LOWER_CASE").unwrap(), b"1");
}

#[tokio::test]
async fn what_the_host_would_not_take_fails_alone_and_before_it_is_sent() {
    let mut standby = Standby::start().await;
    let large = "x".repeat(48 * 1024 + 1);
    standby.repository.secrets = standby::secrets(&[("GOOD", "1"), ("LARGE", &large), ("BAD-NAME", "1")]);
    let (plan, report) = sync(&standby).await;
    assert_eq!(
        states(&plan),
        [("BAD-NAME", SecretState::Unusable), ("GOOD", SecretState::Create), ("LARGE", SecretState::Unusable)]
    );
    let messages: Vec<&str> = plan.notices.iter().map(|notice| notice.message.as_str()).collect();
    assert_eq!(messages, ["BAD-NAME cannot be the name of a secret", "LARGE has 49153 bytes; a secret may have 49152"]);
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Failed, Some("1/3")));
    assert_eq!(value(&standby, "GOOD").unwrap(), b"1");
}

#[tokio::test]
async fn a_hundred_and_first_secret_is_named_before_anything_is_sent() {
    let mut standby = Standby::start().await;
    for index in 0..99 {
        standby.sandbox.set_secret(STANDBY.0, STANDBY.1, &format!("T{index}"), b"x");
    }
    standby.repository.secrets = standby::secrets(&[("A", "1"), ("B", "1")]);
    let (plan, report) = sync(&standby).await;
    assert_eq!(plan.notices[0].message, "a repository may have 100 secrets; there is no room for B");
    assert_eq!(report.detail.as_deref(), Some("1/2"));
    assert_eq!(standby.sandbox.secrets(STANDBY.0, STANDBY.1).len(), 100);
}

#[tokio::test]
async fn one_refused_secret_does_not_hold_up_the_others() {
    let mut standby = Standby::start().await;
    standby.repository.secrets = standby::secrets(&[("A", "1"), ("B", "2"), ("C", "3")]);
    let refused = FaultMatcher::rest("PUT", "/repos/*/*/actions/secrets/B");
    let fault = standby.sandbox.add_fault(Fault::always(refused, Effect::Status { status: 403, retry_after: None }));
    let (_, report) = sync(&standby).await;
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Failed, Some("2/3")));
    let error = report.error.unwrap();
    assert!(error.starts_with("B: gh: ") && error.contains("403"), "{error}");
    assert_eq!(value(&standby, "B"), None);
    let run = standby.store().runs(&standin_core::state::store::RunFilter { limit: 1, ..Default::default() }).unwrap();
    let run = standby.store().run(&run[0].id).unwrap().unwrap();
    let failed: Vec<&str> = run
        .changes
        .iter()
        .filter(|change| change.outcome != ChangeOutcome::Done)
        .map(|change| change.change.name.as_str())
        .collect();
    assert_eq!((run.changes.len(), failed), (3, vec!["B"]));

    standby.sandbox.remove_fault(fault);
    standby.take_requests();
    let (plan, report) = sync(&standby).await;
    assert_eq!(plan.changes().len(), 1);
    assert_eq!(report.detail.as_deref(), Some("3/3"));
}

#[tokio::test]
async fn a_cut_connection_is_mended_within_the_same_sync() {
    for effect in [Effect::CutBefore, Effect::CutAfter, Effect::Status { status: 502, retry_after: None }] {
        let mut standby = Standby::start().await;
        standby.repository.secrets = standby::secrets(&[("A", "1"), ("B", "2"), ("C", "3")]);
        standby.sandbox.add_fault(Fault::nth(secret_puts(), 2, effect.clone()));
        let (_, report) = sync(&standby).await;
        assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("3/3")), "{effect:?}");
        for (name, expected) in [("A", "1"), ("B", "2"), ("C", "3")] {
            assert_eq!(value(&standby, name).unwrap(), expected.as_bytes(), "{effect:?}");
        }
        let (plan, _) = sync(&standby).await;
        assert!(plan.changes().is_empty(), "{effect:?}");
    }
}

#[tokio::test]
async fn the_hosts_limits_are_told_as_such_and_a_later_sync_sends_the_rest() {
    let mut standby = Standby::start().await;
    standby.repository.secrets = standby::secrets(&[("A", "1"), ("B", "2")]);
    let limit = Effect::SecondaryLimit { retry_after: Some(Duration::from_secs(60)) };
    let fault = standby.sandbox.add_fault(Fault::always(secret_puts(), limit));
    let (_, report) = sync(&standby).await;
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Failed, Some("0/2")));
    assert!(report.hint.unwrap().contains("limits this token's requests"));
    standby.sandbox.remove_fault(fault);
    assert_eq!(sync(&standby).await.1.detail.as_deref(), Some("2/2"));
}

#[tokio::test]
async fn a_gh_that_hangs_is_ended_and_what_arrived_is_found_out() {
    let mut standby = Standby::start().await;
    standby.limits.request = Duration::from_secs(1);
    standby.repository.secrets = standby::secrets(&[("A", "1"), ("B", "2")]);
    let hang = FaultMatcher::rest("PUT", "/repos/*/*/actions/secrets/B");
    standby.sandbox.add_fault(Fault::once(hang, Effect::Hang));
    let (_, report) = sync(&standby).await;
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("2/2")), "{report:?}");
    assert_eq!(value(&standby, "B").unwrap(), b"2");
}

#[tokio::test]
async fn values_are_neither_in_events_nor_on_this_machine() {
    let canary = "canary-7d0e it's \"here\"";
    let mut standby = Standby::start().await;
    standby.repository.secrets = standby::secrets(&[("A", canary)]);
    standby.sandbox.add_fault(Fault::once(secret_puts(), Effect::Status { status: 422, retry_after: None }));
    sync(&standby).await;
    sync(&standby).await;
    assert_eq!(value(&standby, "A").unwrap(), canary.as_bytes());
    let events = serde_json::to_string(&standby.events.all()).unwrap();
    assert!(!events.contains("canary-7d0e"));
    let mut files = vec![standby.state.clone()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if let Ok(bytes) = std::fs::read(&path) {
            for secret in ["canary-7d0e", standby.token.as_str()] {
                assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn a_token_that_may_not_read_secrets_is_told_so() {
    let mut standby = Standby::start().await;
    let spec = TokenSpec::fine_grained(STANDBY.0, &[STANDBY.1], &[]);
    standby.token = standby.sandbox.create_token(STANDBY.0, spec);
    let error = secrets::plan(&standby.context().await).await.unwrap_err();
    assert_eq!(error.code, standin_core::Code::Forbidden);
    assert!(error.hint.contains("`secrets=read`"));
}

#[tokio::test]
async fn secrets_reach_a_standby_on_github_enterprise() {
    let mut standby = Standby::start().await;
    let on_enterprise = Slug { host: Some(standby::ENTERPRISE.to_owned()), ..standby::slug(STANDBY) };
    standby.repository.mirrors[0].target = Target::GitHub(on_enterprise);
    standby.repository.secrets = standby::secrets(&[("A", "1"), ("B", "it's \"")]);
    let (_, report) = sync(&standby).await;
    assert_eq!((report.status, report.detail.as_deref()), (AspectStatus::Ok, Some("2/2")), "{report:?}");
    assert_eq!(value(&standby, "B").unwrap(), b"it's \"");
    assert!(sync(&standby).await.0.changes().is_empty());
}

/// A gh that fails and shows all that it was given.
struct Echo;

#[async_trait::async_trait]
impl Gh for Echo {
    async fn run(&self, call: GhCall) -> standin_core::Result<GhOutput> {
        let given = call.environment.values().chain(&call.input).map(ExposeSecret::expose_secret);
        let stderr = given.collect::<Vec<_>>().join(" ");
        Ok(GhOutput { status: Some(1), stdout: String::new(), stderr })
    }
}

#[tokio::test]
async fn a_gh_that_repeats_what_it_was_given_does_not_make_us_show_it() {
    let mut standby = Standby::start().await;
    standby.repository.secrets = standby::secrets(&[("A", "canary-one"), ("B", "canary-two $x ' \"")]);
    let mut ctx = standby.context_with_yes().await;
    Arc::get_mut(&mut ctx.source).unwrap().outside.gh = Arc::new(Echo);
    let (_, report) = sync_with(&ctx).await;
    assert_eq!(report.status, AspectStatus::Failed);
    let shown = format!("{report:?} {:?}", standby.events.all());
    assert!(shown.contains("***"), "{shown}");
    for secret in ["canary-one", "canary-two", &standby.token] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
}
