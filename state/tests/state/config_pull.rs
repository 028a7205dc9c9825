//! Mirrors that keep an upstream here: from `standin.toml` and from variables alike, with what is wrong told where it stands.

use std::time::Duration;

use standin_state::config::{Consents, PullTarget, PulledRefs, Source};
use standin_state::model::{Aspect, MirrorType};

use crate::ground::Ground;

const SITE: &str = "[[repository]]\nid = \"site\"\nsource = \"https://git.example/team/site.git\"\n";

fn toml(mirror: &str) -> Ground {
    Ground::empty().toml(&format!("{SITE}[[repository.mirror]]\nid = \"copy\"\ntype = \"pull\"\n{mirror}"))
}

fn pull(ground: &Ground) -> PullTarget {
    let mirror = ground.mirror();
    assert_eq!((mirror.kind(), mirror.slug(), mirror.target.pushed_to()), (MirrorType::Pull, None, None));
    assert_eq!(mirror.sync, [Aspect::Code].into());
    mirror.target.pulled().cloned().unwrap()
}

#[test]
fn all_that_is_not_said_has_its_default() {
    let upstream = Source::Url("https://git.example/team/site.git".to_owned());
    assert_eq!(pull(&toml("")), PullTarget { follows_source: true, ..PullTarget::of(upstream) });
}

#[test]
fn both_layers_say_the_same() {
    let of_file = pull(&toml(
        "url = \"git@git.example:other.git\"\npath = \"[dir]/copies/other.git\"\nrefs = [\"+refs/heads/*:refs/heads/*\", \
         \"^refs/heads/wip/*\"]\ninterval = \"10m\"\ntimeout = \"2h\"\nssh_key_path = \"[dir]/key\"\n",
    ));
    let of_env = Ground::with_clone().env(
        "MIRROR_1_TYPE=pull\nMIRROR_1_URL=git@git.example:other.git\nMIRROR_1_PATH=[dir]/copies/other.git\n\
         MIRROR_1_REFS=+refs/heads/*:refs/heads/*,^refs/heads/wip/*\nMIRROR_1_INTERVAL=10m\nMIRROR_1_TIMEOUT=2h\n\
         MIRROR_1_SSH_KEY_PATH=[dir]/key",
    );
    let of_env = pull(&of_env);
    assert_eq!(of_env.upstream, Source::Url("git@git.example:other.git".to_owned()));
    assert_eq!((of_env.interval, of_env.timeout), (Some(Duration::from_secs(600)), Some(Duration::from_secs(7_200))));
    assert!(of_env.path.as_ref().is_some_and(|path| path.ends_with("copies/other.git")));
    assert_ne!(of_env.refs, PulledRefs::default());
    assert_eq!((&of_env.refs, of_env.interval), (&of_file.refs, of_file.interval));
}

#[test]
fn an_upstream_on_github_is_written_as_one() {
    for url in ["team/other", "https://github.com/team/other.git", "git@github.com:team/other.git"] {
        assert_eq!(pull(&toml(&format!("url = \"{url}\"\n"))).upstream, Source::GitHub("team/other".parse().unwrap()));
    }
}

#[test]
fn what_is_pulled_from_a_place_and_what_is_pushed_to_it_are_two_mirrors() {
    let both = format!(
        "{SITE}[[repository.mirror]]\nid = \"copy\"\ntype = \"pull\"\nurl = \"https://git.example/x.git\"\n\
         [[repository.mirror]]\nid = \"archive\"\ntype = \"git\"\nurl = \"https://git.example/x.git\"\n"
    );
    let mirrors = Ground::empty().toml(&both).repository().mirrors;
    assert_eq!(mirrors.iter().map(|mirror| mirror.kind()).collect::<Vec<_>>(), [MirrorType::Pull, MirrorType::Git]);
    let over = Ground::empty()
        .toml(&both)
        .variable("MIRROR_1_TYPE", "pull")
        .variable("MIRROR_1_URL", "https://git.example/x.git")
        .variable("MIRROR_1_INTERVAL", "5m");
    let mirrors = over.repository().mirrors;
    assert_eq!(mirrors.len(), 2);
    assert_eq!(mirrors[0].target.pulled().unwrap().interval, Some(Duration::from_secs(300)));
}

#[test]
fn another_upstream_under_the_same_id_does_not_get_the_folder_of_the_one_before() {
    let ground = Ground::empty()
        .toml(&format!(
            "{SITE}[[repository.mirror]]\nid = \"mirror-1\"\ntype = \"pull\"\nurl = \"https://git.example/x.git\"\npath = \"[dir]/x.git\"\n"
        ))
        .variable("MIRROR_1_TYPE", "pull")
        .variable("MIRROR_1_URL", "https://stranger.example/y.git");
    assert_eq!(pull(&ground).path, None);
}

#[test]
fn mistakes_say_where_they_stand_and_what_to_write() {
    let cases = [
        ("refs = [\"refs/heads/*:refs/heads/*\"]\n", "mirror 1: `refs`", "+refs/heads/*:refs/heads/*"),
        ("refs = []\n", "mirror 1: `refs`", "+refs/*:refs/*"),
        ("interval = \"soon\"\n", "mirror 1: `interval`", "`15m`"),
        ("timeout = 5\n", "mirror 1: `timeout`", "text in quotes"),
        ("sync = [\"code\", \"secrets\"]\n", "mirror 1: `sync`", "github"),
        ("hooks = true\n", "mirror 1: `hooks`", "mirrors at a path"),
        ("ssh_key_path = \"/k\"\n", "mirror 1: `ssh_key_path`", "`git` or `pull`"),
        ("url = \"/srv/x.git\"\npath = \"/srv/x.git\"\n", "mirror 1: `path`", "another folder"),
        ("url = \"https://me:secret@git.example/x\"\n", "mirror 1: `url`", ""),
    ];
    for (text, place, hint) in cases {
        let mistakes = toml(text).mistakes();
        assert_eq!(mistakes.len(), 1, "{text}: {mistakes:#?}");
        assert!(mistakes[0].place.contains(place) && mistakes[0].hint.contains(hint), "{text}: {:#?}", mistakes[0]);
        assert!(!format!("{:?}", mistakes[0]).contains("secret@"), "{text}");
    }
    for key in ["path = \"/srv/x\"", "refs = [\"+refs/*:refs/*\"]", "interval = \"5m\"", "timeout = \"5m\""] {
        let git = format!(
            "{SITE}[[repository.mirror]]\nid = \"a\"\ntype = \"git\"\nurl = \"https://git.example/x\"\n{key}\n"
        );
        let mistakes = Ground::empty().toml(&git).mistakes();
        assert!(mistakes.len() == 1 && mistakes[0].hint.contains("type `pull`"), "{key}: {mistakes:#?}");
    }
}

#[test]
fn a_clones_own_file_names_no_folder_of_the_clone() {
    for path in ["copy.git", "./.git/copy.git", "[dir]/site/copy.git", "[dir]/site"] {
        let mistakes = Ground::with_clone().env(&format!("MIRROR_1_TYPE=pull\nMIRROR_1_PATH={path}")).mistakes();
        assert_eq!(mistakes.len(), 1, "{path}: {mistakes:#?}");
        assert!(mistakes[0].place.contains("MIRROR_1_PATH"), "{path}: {:#?}", mistakes[0]);
    }
    let own = Ground::with_clone().env("A=1").variable("MIRROR_1_TYPE", "pull").variable("MIRROR_1_PATH", "./copy.git");
    assert!(pull(&own).path.is_some());
}

#[test]
fn the_question_says_what_is_read_with_what_and_kept_where() {
    let asked = |env: &str| {
        let ground = Ground::with_clone().env(env).consents(Consents::new());
        let question = ground.repository().consent.question().cloned().unwrap();
        ground.stable(&question.text().join("\n"))
    };
    let text = asked(
        "MIRROR_1_TYPE=pull\nMIRROR_1_URL=https://git.example/x.git\nMIRROR_1_TOKEN=tok_canary\nMIRROR_1_PATH=[dir]/copies/x.git\n\
         MIRROR_1_REFS=+refs/heads/*:refs/heads/*\nMIRROR_1_INTERVAL=5m",
    );
    for part in
        ["a copy of", "git.example/x.git", "with the token in this file", "copies/x.git", "+refs/heads/*", "300 s"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("tok_canary"), "{text}");
    let text = asked("MIRROR_1_TYPE=pull");
    assert!(text.contains("a copy of the source") && text.contains("Standin's own folder"), "{text}");
    assert!(asked("MIRROR_1_TYPE=pull\nMIRROR_1_URL=https://git.example/x.git").contains("with your own token"));
}
