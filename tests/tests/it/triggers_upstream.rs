//! The look at a source on GitHub: what it costs, and that it misses nothing.

use std::path::Path;

use git2::{Oid, Repository};
use jiff::Timestamp;
use standin_core::Code;
use standin_core::engine::UpstreamLook;
use standin_core::state::model::Trigger;
use standin_sandbox::{Effect, Fault, FaultMatcher, Options, RequestRecord};
use standin_tests::local::Local;
use standin_tests::standby::{PRIMARY, Standby, commit};

/// A sandbox with a primary, and a machine that has it as its source.
async fn started(options: Options) -> (Standby, Local) {
    let standby = Standby::start_with(options).await;
    let local = Local::new(env!("CARGO_BIN_EXE_standin-under-test"), &[]);
    local.configure(&format!(
        "[[host]]\nname = \"github.com\"\napi_url = {:?}\nserver_url = {:?}\n[[repository]]\nid = \"site\"\nsource = \"{}/{}\"\n\
         [[repository.mirror]]\nid = \"b\"\ntype = \"git\"\nurl = {:?}\n",
        standby.sandbox.api_url(),
        standby.sandbox.server_url(),
        PRIMARY.0,
        PRIMARY.1,
        local.mirror
    ));
    (standby, local)
}

fn set_ref(folder: &Path, name: &str, tip: Oid) {
    Repository::open_bare(folder).unwrap().reference(name, tip, true, "").unwrap();
}

fn counted(requests: &[RequestRecord]) -> usize {
    requests.iter().filter(|request| request.status != Some(304)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_of_looking_each_minute_costs_next_to_nothing_and_each_move_is_seen_once() {
    let (standby, local) = started(Options::default()).await;
    let folder = standby.sandbox.repository_path(PRIMARY.0, PRIMARY.1);
    let tip = commit(&folder, "refs/heads/main", &[("a", "first")]);
    let second = commit(&folder, "refs/heads/second", &[("a", "second")]);
    // Far more than a page.
    for number in 0..250 {
        set_ref(&folder, &format!("refs/heads/b{number:03}"), tip);
    }
    let token = standby.source_token.clone().unwrap();
    let engine = local.engine_with(&[("MIRROR_SOURCE_TOKEN", &token)]);
    let site = "site".parse().unwrap();
    assert_eq!(engine.look_upstream(&site).await.unwrap(), UpstreamLook::First);
    standby.sandbox.clear_requests();
    for minute in 0..24 * 60 {
        assert_eq!(engine.look_upstream(&site).await.unwrap(), UpstreamLook::Same, "minute {minute}");
    }
    let requests = standby.sandbox.requests();
    assert_eq!(requests.len(), 24 * 60, "one request a look");
    assert!(counted(&requests) <= 60, "{} requests were counted", counted(&requests));
    assert_eq!(engine.queued().unwrap(), []);

    // The last of many branches, a tag, and one that goes.
    let deleted = || drop(Repository::open_bare(&folder).unwrap().find_reference("refs/heads/b100").unwrap().delete());
    let moves: [(&str, &dyn Fn()); 3] = [
        ("a branch", &|| set_ref(&folder, "refs/heads/b249", second)),
        ("a tag", &|| set_ref(&folder, "refs/tags/v1", second)),
        ("gone", &deleted),
    ];
    for (what, change) in moves {
        change();
        assert_eq!(engine.look_upstream(&site).await.unwrap(), UpstreamLook::Moved, "{what}");
        assert_eq!(engine.look_upstream(&site).await.unwrap(), UpstreamLook::Same, "{what}");
    }
    let queued = engine.queued().unwrap();
    assert_eq!((queued.len(), queued[0].kind, queued[0].times), (1, Trigger::Upstream, 3));
    // Pull requests come and go, and move nothing that travels.
    set_ref(&folder, "refs/pull/1/head", second);
    assert_eq!(engine.look_upstream(&site).await.unwrap(), UpstreamLook::Same);
    // Another program, later: what was seen is remembered.
    let later = local.engine_with(&[("MIRROR_SOURCE_TOKEN", &token)]);
    standby.sandbox.clear_requests();
    assert_eq!(later.look_upstream(&site).await.unwrap(), UpstreamLook::Same);
    assert_eq!(counted(&standby.sandbox.requests()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_finds_later_what_moved_meanwhile() {
    let (standby, local) = started(Options::default()).await;
    let folder = standby.sandbox.repository_path(PRIMARY.0, PRIMARY.1);
    let token = standby.source_token.clone().unwrap();
    let engine = local.engine_with(&[("MIRROR_SOURCE_TOKEN", &token)]);
    let site = "site".parse().unwrap();
    assert_eq!(engine.look_upstream(&site).await.unwrap(), UpstreamLook::First, "an empty repository is one too");
    let tip = commit(&folder, "refs/heads/main", &[("a", "first")]);
    assert!(!tip.is_zero());
    let gone = Effect::Status { status: 404, retry_after: None };
    standby.sandbox.add_fault(Fault::once(FaultMatcher::any(), gone));
    assert_eq!(engine.look_upstream(&site).await.unwrap_err().code, Code::RepositoryNotFound);
    assert_eq!(engine.queued().unwrap(), []);
    assert_eq!(engine.look_upstream(&site).await.unwrap(), UpstreamLook::Moved);
    let queued = engine.queued().unwrap();
    assert!(queued[0].at_iso <= Timestamp::now() && queued[0].by.contains("alice/primary"), "{queued:?}");
    let database = std::fs::read(local.machine.state.join("standin.db")).unwrap();
    assert!(!database.windows(token.len()).any(|part| part == token.as_bytes()), "no token in the database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_no_github_is_not_asked() {
    let local = Local::new(env!("CARGO_BIN_EXE_standin-under-test"), &[]);
    let engine = local.engine();
    assert_eq!(engine.look_upstream(&"site".parse().unwrap()).await.unwrap(), UpstreamLook::NotAsked);
}
