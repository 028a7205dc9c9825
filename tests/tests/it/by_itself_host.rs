//! The schedule beside a host that is ill for hours: tried as often as it says, no oftener, and in step as soon as the host is well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use standin_core::engine::Engine;
use standin_core::outside::Clock as _;
use standin_core::state::model::StandingWord;
use standin_core::state::store::RunFilter;
use standin_core::watch::{self, Calls, Keeping};
use standin_sandbox::{Effect, Fault, FaultMatcher, Kind};
use standin_tests::cli::refs;
use standin_tests::local::{Local, MovedClock};
use standin_tests::standby::{PRIMARY, STANDBY, Standby, commit};

const HOUR: i64 = 60 * 60;
/// For so many the host is ill.
const HOURS: usize = 6;

async fn settled(engine: &Engine, clock: &MovedClock) {
    let deadline = Instant::now() + Duration::from_secs(90);
    let mut quiet = 0;
    while quiet < 3 {
        assert!(Instant::now() < deadline, "it does not come to rest: {:?}", engine.schedule());
        tokio::time::sleep(Duration::from_millis(15)).await;
        let now: Timestamp = clock.now();
        let report = engine.schedule().unwrap();
        let is_due = report.mirrors.iter().any(|mirror| mirror.next_sync_iso.is_some_and(|next| next <= now));
        quiet = if engine.jobs().is_empty() && !is_due { quiet + 1 } else { 0 };
    }
}

/// Hours of `effect` at these requests.
async fn hours_of(matcher: FaultMatcher, effect: Effect, words: &str) {
    let standby = Standby::start().await;
    let places = [PRIMARY, STANDBY].map(|(owner, name)| standby.sandbox.repository_path(owner, name));
    commit(&places[0], "refs/heads/main", &[("a", "first")]);
    let local = Local::new(env!("CARGO_BIN_EXE_standin-under-test"), &[]);
    local.configure(&format!(
        "[[host]]\nname = \"github.com\"\napi_url = {:?}\nserver_url = {:?}\n[[repository]]\nid = \"site\"\nsource = \"{}/{}\"\n\
         [[repository.mirror]]\nid = \"mirror-1\"\ntype = \"github\"\nrepo = \"{}/{}\"\n",
        standby.sandbox.api_url(), standby.sandbox.server_url(), PRIMARY.0, PRIMARY.1, STANDBY.0, STANDBY.1
    ));
    let (source_token, token) = (standby.source_token.clone().unwrap(), standby.token.clone());
    let clock = MovedClock::default();
    let engine = local.engine_at(
        Arc::new(clock.clone()),
        &[
            ("MIRROR_SOURCE_TOKEN", &source_token),
            ("MIRROR_1_REPO", &format!("{}/{}", STANDBY.0, STANDBY.1)),
            ("MIRROR_1_TOKEN", &token),
        ],
    );
    let (calls, keeping) = (Calls::default(), Keeping { tick: Duration::from_millis(10), ..Keeping::default() });
    let task = {
        let (engine, calls) = (engine.clone(), calls.clone());
        tokio::spawn(async move { watch::keep(&engine, keeping, &calls).await })
    };
    settled(&engine, &clock).await;
    assert_eq!(engine.status(None).unwrap()[0].standing.word, StandingWord::InStep);

    let tip = commit(&places[0], "refs/heads/main", &[("a", "while the host is ill")]);
    let ill = standby.sandbox.add_fault(Fault::always(matcher, effect));
    let runs = || engine.history(&RunFilter::default()).unwrap().len();
    let before = runs();
    for _ in 0..HOURS {
        clock.advance(HOUR);
        tokio::time::sleep(Duration::from_millis(60)).await;
        settled(&engine, &clock).await;
    }
    let tried = runs() - before;
    assert!((HOURS - 1..=HOURS + 3).contains(&tried), "{tried} tries in {HOURS} hours");
    let report = &engine.status(None).unwrap()[0];
    assert_ne!(report.standing.word, StandingWord::InStep);
    let told = serde_json::to_string(report).unwrap();
    assert!(told.contains(words), "{told}");
    // What was known is known still.
    assert!(report.mirrors[0].code.last_sync_iso.is_some());

    standby.sandbox.remove_fault(ill);
    clock.advance(HOUR);
    tokio::time::sleep(Duration::from_millis(60)).await;
    settled(&engine, &clock).await;
    assert_eq!(refs(&places[1])["refs/heads/main"], tip);
    assert_eq!(engine.status(None).unwrap()[0].standing.word, StandingWord::InStep);
    calls.stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_always_answers_500_is_asked_each_hour_and_caught_up_with() {
    let effect = Effect::Status { status: 500, retry_after: None };
    hours_of(FaultMatcher::any(), effect, "500").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_without_network_are_caught_up_with_and_say_nothing_about_the_master() {
    hours_of(FaultMatcher::any(), Effect::CutBefore, "\"cause\":\"no_network\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_is_used_up_is_waited_for() {
    let effect = Effect::RateLimit { status: 403, reset_after: Duration::from_secs(50 * 60) };
    let of_the_api = FaultMatcher { kind: Some(Kind::Rest), ..FaultMatcher::any() };
    hours_of(of_the_api, effect, "limit").await;
}
