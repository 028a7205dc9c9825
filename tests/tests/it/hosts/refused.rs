//! One refused branch among others, on every host that is known: it is named in the host's words, and the rest arrives.

use standin_core::Code;
use standin_core::state::model::AspectStatus;

use super::scene::{FENCE, Scene, preset};

const HELD: &str = "refs/heads/held";

/// `others` go beside `main` and the refused one; the second sync is left out where each call takes long.
async fn one_refused_branch(mut scene: Scene, name: &str, others: &[&str]) {
    let wording = preset(name).refusal();
    let first = scene.pair.source.commit_on("main", "first");
    scene.pair.source.commit_on("held", "held");
    for branch in others {
        scene.pair.source.commit_on(branch, branch);
        scene.pair.source.annotated_tag(&format!("v-{branch}"), &first);
    }
    scene.replay.host().rules.push(wording.rule(HELD));

    let first = scene.sync().await;
    assert_eq!(first.status(), Some(AspectStatus::Failed), "{first:?}");
    let refused: Vec<&String> = first.refused.keys().collect();
    assert_eq!(refused, [HELD], "{first:?}");
    let error = &first.refused[HELD];
    assert_eq!(error.code, Code::RefRefused, "{error:?}");
    let essence = wording.essence(HELD);
    assert!(error.message.contains(&essence), "{essence}: {error:?}");
    assert_eq!(scene.pair.mirror.refs(), scene.source_without(&[HELD]));
    let (_, fence) = scene.pair.mirror.fence().expect("the fence travels with the rest");
    assert!(!fence.refs.contains_key(&HELD.parse().unwrap()), "{fence:?}");

    if !others.is_empty() {
        comes_to_the_same(&mut scene, first.pushes.len()).await;
    }
    scene.replay.host().rules.clear();
    let third = scene.sync().await;
    assert_eq!(third.status(), Some(AspectStatus::Ok), "{third:?}");
    assert!(third.pushes.iter().any(|push| push.has(FENCE)), "the fence moves with what arrives");
    scene.pair.assert_in_step();
}

/// Another sync says the same and costs no more.
async fn comes_to_the_same(scene: &mut Scene, pushes: usize) {
    let second = scene.sync().await;
    assert_eq!(second.status(), Some(AspectStatus::Failed), "{second:?}");
    assert_eq!(second.refused.keys().collect::<Vec<_>>(), [HELD], "{second:?}");
    assert!(second.pushes.len() <= pushes, "{pushes} pushes, then {}", second.pushes.len());
    assert_eq!(scene.pair.mirror.refs(), scene.source_without(&[HELD]));
}

/// A test for each host.
macro_rules! on_each_host {
    ($($host:ident = $name:literal,)*) => {$(
        mod $host {
            #[tokio::test]
            async fn a_refused_branch_is_named_in_its_words_and_the_rest_arrives_over_http() {
                let host = super::preset($name).host();
                super::one_refused_branch(super::Scene::over_http(host), $name, &["other", "third"]).await;
            }

            #[tokio::test]
            async fn a_refused_branch_is_named_in_its_words_and_the_rest_arrives_over_ssh() {
                let host = super::preset($name).host();
                super::one_refused_branch(super::Scene::over_ssh(host), $name, &[]).await;
            }
        }
    )*};
}

on_each_host! {
    github = "github",
    gitlab = "gitlab",
    gitea = "gitea",
    forgejo = "forgejo",
    gogs = "gogs",
    onedev = "onedev",
    bitbucket_cloud = "bitbucket-cloud",
    bitbucket_server = "bitbucket-server",
    codeup = "codeup",
    gitee = "gitee",
    gerrit = "gerrit",
    azure = "azure",
    codecommit = "codecommit",
    gitolite = "gitolite",
}

#[test]
fn no_host_was_left_out() {
    let source = include_str!("refused.rs");
    for preset in standin_tests::replay::presets::PRESETS {
        assert!(source.contains(&format!("= \"{}\",", preset.name)), "{} has no test", preset.name);
    }
}
