//! Every case of a mirror push, over each way to a remote, at the level of git alone.

use std::path::Path;

use standin_core::git::{PushOptions, PushResult};
use standin_sandbox::PushRefusal;
use standin_tests::git::{Bench, Over, set_ref, update, write_hook};

fn helper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_credential-helper"))
}

/// Makes a test of a promise for each way to a remote.
macro_rules! over_each_way {
    ($promise:ident) => {
        mod $promise {
            use super::*;

            #[tokio::test]
            async fn over_a_path() {
                super::$promise(Over::Path).await;
            }

            #[tokio::test]
            async fn over_http() {
                super::$promise(Over::Http).await;
            }

            #[tokio::test]
            async fn over_ssh() {
                super::$promise(Over::Ssh).await;
            }
        }
    };
}

over_each_way!(branches_and_tags_are_created_moved_rewritten_and_removed);
over_each_way!(all_kinds_of_updates_travel_in_one_push);
over_each_way!(a_stale_lease_moves_nothing);
over_each_way!(a_refused_ref_sinks_the_others_of_an_atomic_push);
over_each_way!(a_hidden_ref_is_refused_by_name);
over_each_way!(two_thousand_refs_travel_in_one_push_and_back);
over_each_way!(unusual_names_travel_unchanged);
over_each_way!(a_listing_tells_refs_head_and_tags);
over_each_way!(a_fetch_brings_prunes_and_replaces);
over_each_way!(a_probe_tells_what_the_remote_can_do_and_changes_nothing);
over_each_way!(calls_and_bytes_are_counted);

async fn branches_and_tags_are_created_moved_rewritten_and_removed(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let first = bench.commit("first", None);
    let second = bench.commit("second", Some(&first));
    let other = bench.commit("other", None);
    for name in ["refs/heads/main", "refs/tags/v1"] {
        let steps = [
            (None, Some(&first)),
            (Some(&first), Some(&second)),
            (Some(&second), Some(&other)),
            (Some(&other), Some(&first)),
            (Some(&first), None),
        ];
        for (old, new) in steps {
            // A host does not delete its default branch; another one stands there for that.
            let name = if new.is_none() && name == "refs/heads/main" { "refs/heads/side" } else { name };
            if name == "refs/heads/side" {
                assert!(bench.push(&[update(name, None, old)]).await.is_done());
            }
            let report = bench.push(&[update(name, old, new)]).await;
            assert!(report.is_done(), "{name} {old:?} to {new:?}: {report:?}");
            assert_eq!(bench.there().get(name), new, "{name}");
        }
    }
    bench.stop().await;
}

async fn all_kinds_of_updates_travel_in_one_push(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let first = bench.commit("first", None);
    let second = bench.commit("second", Some(&first));
    let other = bench.commit("other", None);
    let before: Vec<_> = ["refs/heads/", "refs/tags/"]
        .iter()
        .flat_map(|kind| ["moves", "turns", "goes"].map(|name| update(&format!("{kind}{name}"), None, Some(&first))))
        .collect();
    assert!(bench.push(&before).await.is_done());
    let mut all = vec![update("refs/standin/fence", None, Some(&other))];
    for kind in ["refs/heads/", "refs/tags/"] {
        all.push(update(&format!("{kind}comes"), None, Some(&second)));
        all.push(update(&format!("{kind}moves"), Some(&first), Some(&second)));
        all.push(update(&format!("{kind}turns"), Some(&first), Some(&other)));
        all.push(update(&format!("{kind}goes"), Some(&first), None));
    }
    let report = bench.push(&all).await;
    assert!(report.is_done(), "{report:?}");
    let there = bench.there();
    let expected: std::collections::BTreeMap<_, _> =
        all.iter().filter_map(|update| Some((update.name.to_string(), update.new.clone()?))).collect();
    assert_eq!(there, expected);
    all.retain(|update| update.new.is_some());
    assert!(bench.push(&all).await.is_done(), "what stands there already is done, whatever the lease says");
    bench.stop().await;
}

async fn a_stale_lease_moves_nothing(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let first = bench.commit("first", None);
    let second = bench.commit("second", Some(&first));
    let theirs = bench.commit("theirs", Some(&first));
    let fence = bench.commit("fence", None);
    assert!(bench.push(&[update("refs/heads/main", None, Some(&theirs))]).await.is_done());
    let before = bench.there();
    for (old, new) in [(Some(&first), Some(&second)), (None, Some(&second)), (Some(&first), None)] {
        let updates = [
            update("refs/heads/main", old, new),
            update("refs/heads/side", None, Some(&first)),
            update("refs/standin/fence", None, Some(&fence)),
        ];
        let report = bench.push(&updates).await;
        let results: Vec<_> = report.results.values().cloned().collect();
        assert_eq!(results, [PushResult::Stale, PushResult::NotTried, PushResult::NotTried], "{report:?}");
        assert_eq!(bench.there(), before);
    }
    bench.stop().await;
}

async fn a_refused_ref_sinks_the_others_of_an_atomic_push(over: Over) {
    let bench = Bench::new(over, helper()).await;
    match &bench.sandbox {
        Some(sandbox) => {
            let refusal = PushRefusal {
                refs: "refs/heads/kept".to_owned(),
                reason: "push declined due to repository rule violations".to_owned(),
                remote_lines: vec!["error: GH013: not this one".to_owned()],
            };
            assert!(sandbox.refuse_pushes("backup", "there", refusal));
        }
        None => write_hook(&bench.there, "update", "case $1 in refs/heads/kept) echo not this one >&2; exit 1;; esac"),
    }
    let first = bench.commit("first", None);
    let updates = [update("refs/heads/kept", None, Some(&first)), update("refs/heads/main", None, Some(&first))];
    let report = bench.push(&updates).await;
    let results: Vec<_> = report.results.values().cloned().collect();
    let PushResult::Refused { reason } = &results[0] else { panic!("{report:?}") };
    assert!(reason.contains("declined"), "{report:?}");
    assert_ne!(results[1], PushResult::Done, "{report:?}");
    assert!(!report.messages.is_empty(), "the host's own words are kept");
    assert!(bench.there().is_empty());
    bench.stop().await;
}

async fn a_hidden_ref_is_refused_by_name(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let repository = git2::Repository::open_bare(&bench.there).unwrap();
    repository.config().unwrap().set_str("receive.hideRefs", "refs/pull").unwrap();
    let first = bench.commit("first", None);
    let updates = [update("refs/heads/main", None, Some(&first)), update("refs/pull/1/head", None, Some(&first))];
    let report = bench.push(&updates).await;
    let of = |name: &str| &report.results[&name.parse().unwrap()];
    assert!(
        matches!(of("refs/pull/1/head"), PushResult::Refused { reason } if reason.contains("hidden ref")),
        "{report:?}"
    );
    // git's own receive-pack lets the others pass even when the push is atomic: only what it reports counts.
    assert_eq!(*of("refs/heads/main") == PushResult::Done, bench.there().contains_key("refs/heads/main"), "{report:?}");
    bench.stop().await;
}

async fn two_thousand_refs_travel_in_one_push_and_back(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let tip = bench.commit("tip", None);
    let updates: Vec<_> =
        (0..2_000).map(|number| update(&format!("refs/heads/team/branch-{number:04}"), None, Some(&tip))).collect();
    let report = bench.push(&updates).await;
    assert!(report.is_done());
    assert_eq!(report.results.len(), 2_000);
    let listing = bench.remote().list(&["refs/heads/"]).await.unwrap();
    assert_eq!(listing.refs.len(), 2_000);
    bench.fetch_all(&["refs/heads/"]).await.unwrap();
    assert_eq!(bench.cache.refs("refs/heads/").unwrap(), listing.refs);
    bench.stop().await;
}

async fn unusual_names_travel_unchanged(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let first = bench.commit("first", None);
    let second = bench.commit("second", Some(&first));
    let long = "x".repeat(200);
    let mut names: Vec<String> = ["heads", "tags"]
        .iter()
        .flat_map(|kind| {
            [
                "ümläut-日本-🎉",
                "-x",
                "--force",
                "@",
                "a@b",
                "it's",
                "\"quoted\"",
                "$(id)",
                "`id`",
                "a;b",
                "a&b|c",
                "#1",
                "%41",
                "+plus",
                "a=b",
                "<>",
                "!",
                "{}",
                "a,b",
                "é/é",
                &long,
            ]
            .map(|short| format!("refs/{kind}/{short}"))
        })
        .collect();
    names.push(format!("refs/heads/{}", ["deep"; 40].join("/")));
    // The first branch of an empty repository becomes its default one, which a host does not delete.
    let main = "refs/heads/main".to_owned();
    assert!(bench.push(&[update(&main, None, Some(&first))]).await.is_done());
    names.sort();
    let create: Vec<_> = names.iter().map(|name| update(name, None, Some(&first))).collect();
    let report = bench.push(&create).await;
    assert!(report.is_done(), "{report:?}");
    let without_main = |mut found: Vec<String>| {
        found.retain(|name| *name != main);
        found
    };
    assert_eq!(without_main(bench.there().into_keys().collect()), names);
    let listing = bench.remote().list(&["refs/heads/", "refs/tags/"]).await.unwrap();
    assert_eq!(without_main(listing.refs.keys().map(ToString::to_string).collect()), names);
    assert!(listing.unusable.is_empty());
    let refspecs: Vec<String> = names.iter().map(|name| format!("+{name}:{name}")).collect();
    bench.remote().fetch(&bench.cache, &refspecs).await.unwrap();
    assert_eq!(
        bench.cache.refs("refs/heads/").unwrap().len() + bench.cache.refs("refs/tags/").unwrap().len(),
        names.len()
    );
    let moves: Vec<_> = names.iter().map(|name| update(name, Some(&first), Some(&second))).collect();
    assert!(bench.push(&moves).await.is_done());
    let removes: Vec<_> = names.iter().map(|name| update(name, Some(&second), None)).collect();
    let report = bench.push(&removes).await;
    assert!(report.is_done(), "{report:?}");
    assert_eq!(bench.there().into_keys().collect::<Vec<_>>(), [main]);
    bench.stop().await;
}

async fn a_listing_tells_refs_head_and_tags(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let empty = bench.remote().list(&["refs/"]).await.unwrap();
    assert_eq!((empty.refs.len(), empty.head, empty.head_oid), (0, None, None));
    let repository = git2::Repository::open_bare(&bench.there).unwrap();
    let tip = standin_tests::git::commit(&repository, "tip", None);
    for name in ["refs/heads/main", "refs/pull/1/head", "refs/standin/fence"] {
        set_ref(&repository, name, &tip);
    }
    let object = repository.find_object(git2::Oid::from_str(tip.as_str()).unwrap(), None).unwrap();
    let tagger = git2::Signature::now("Tester", "tester@localhost").unwrap();
    let tag = repository.tag("v1", &object, &tagger, "annotated", false).unwrap();
    let listing = bench.remote().list(&["refs/heads/", "refs/tags/", "refs/standin/"]).await.unwrap();
    let refs: Vec<(&str, &str)> = listing.refs.iter().map(|(name, oid)| (name.as_str(), oid.as_str())).collect();
    let tag = tag.to_string();
    assert_eq!(refs, [("refs/heads/main", tip.as_str()), ("refs/standin/fence", tip.as_str()), ("refs/tags/v1", &tag)]);
    assert_eq!(listing.head.as_ref().map(ToString::to_string), Some("refs/heads/main".to_owned()));
    assert_eq!(listing.head_oid.as_ref(), Some(&tip));
    bench.stop().await;
}

async fn a_fetch_brings_prunes_and_replaces(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let repository = git2::Repository::open_bare(&bench.there).unwrap();
    let first = standin_tests::git::commit(&repository, "first", None);
    let other = standin_tests::git::commit(&repository, "other", None);
    let within = ["refs/heads/", "refs/tags/"];
    for name in ["refs/heads/main", "refs/heads/gone", "refs/heads/dir", "refs/tags/v1", "refs/pull/1/head"] {
        set_ref(&repository, name, &first);
    }
    bench.fetch_all(&within).await.unwrap();
    let names = |bench: &Bench| bench.cache.refs("refs/").unwrap().into_keys().map(String::from).collect::<Vec<_>>();
    assert_eq!(names(&bench), ["refs/heads/dir", "refs/heads/gone", "refs/heads/main", "refs/tags/v1"]);
    bench.cache.set_ref(&"refs/standin/rescue/one".parse().unwrap(), &first).unwrap();
    for name in ["refs/heads/gone", "refs/heads/dir"] {
        repository.find_reference(name).unwrap().delete().unwrap();
    }
    // A branch that became a folder of branches, a rewritten branch, a moved tag.
    for name in ["refs/heads/dir/inside", "refs/heads/main", "refs/tags/v1"] {
        set_ref(&repository, name, &other);
    }
    bench.fetch_all(&within).await.unwrap();
    assert_eq!(names(&bench), ["refs/heads/dir/inside", "refs/heads/main", "refs/standin/rescue/one", "refs/tags/v1"]);
    assert_eq!(bench.cache.ref_tip(&"refs/heads/main".parse().unwrap()).unwrap(), Some(other));
    bench.stop().await;
}

async fn a_probe_tells_what_the_remote_can_do_and_changes_nothing(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let found = bench.remote().probe_push(&bench.cache).await.unwrap();
    let by = if over == Over::Http { "github/" } else { "git/" };
    assert!(found.atomic && found.agent.as_deref().is_some_and(|agent| agent.starts_with(by)), "{found:?}");
    let repository = git2::Repository::open_bare(&bench.there).unwrap();
    repository.config().unwrap().set_bool("receive.advertiseAtomic", false).unwrap();
    assert!(!bench.remote().probe_push(&bench.cache).await.unwrap().atomic);
    assert!(bench.there().is_empty());
    let tip = bench.commit("tip", None);
    let updates = [update("refs/heads/main", None, Some(&tip))];
    let report = bench.push(&updates).await;
    assert!(report.atomic_unsupported && !report.is_done(), "{report:?}");
    assert!(bench.there().is_empty());
    let report =
        bench.remote().push(&bench.cache, &updates, PushOptions { atomic: false, dry_run: false }).await.unwrap();
    assert!(report.is_done(), "{report:?}");
    bench.stop().await;
}

async fn calls_and_bytes_are_counted(over: Over) {
    let bench = Bench::new(over, helper()).await;
    let noise: String =
        (1..40_000_u64).map(|number| format!("{:x}", number.pow(3).wrapping_mul(0x9E37_79B9_7F4A_7C15))).collect();
    let tip = bench.commit(&noise, None);
    bench.push(&[update("refs/heads/main", None, Some(&tip))]).await;
    let repository = git2::Repository::open_bare(&bench.there).unwrap();
    let back = standin_tests::git::commit(&repository, &noise.chars().rev().collect::<String>(), None);
    set_ref(&repository, "refs/heads/other", &back);
    bench.remote().fetch(&bench.cache, &["+refs/heads/other:refs/heads/other".to_owned()]).await.unwrap();
    let totals = bench.options.totals.snapshot();
    assert_eq!(totals.git_calls, 2);
    let size = noise.len() as u64;
    assert!(totals.bytes_sent > size / 4 && totals.bytes_sent < size * 2, "{totals:?}");
    assert!(totals.bytes_received > size / 4 && totals.bytes_received < size * 2, "{totals:?}");
    let phases = bench.phases.lock().unwrap().clone();
    assert!(phases.iter().any(|phase| phase == "Writing objects"), "{phases:?}");
    bench.stop().await;
}
