//! What a clone's file may cost: no more than what that clone is about.

use std::time::{Duration, Instant};

use standin_state::config::{Consents, NamePatterns, RepositoryConfig};

use crate::ground::Ground;

/// Two repositories in `standin.toml`, of which one has a clone that somebody else writes into.
const TOML: &str = "[[repository]]
id = \"theirs\"
path = \"../site\"
[[repository.mirror]]
id = \"m\"
type = \"github\"
repo = \"backup/site\"
[[repository]]
id = \"mine\"
source = \"me/mine\"
[[repository.mirror]]
id = \"m\"
type = \"github\"
repo = \"backup/mine\"
";

fn by_id<'a>(repositories: &'a [RepositoryConfig], id: &str) -> &'a RepositoryConfig {
    repositories.iter().find(|known| known.id.as_str() == id).unwrap_or_else(|| panic!("{id}: {repositories:#?}"))
}

#[test]
fn a_mistake_in_one_clone_stops_that_repository_alone() {
    for env in [
        "MIRROR_1_BOGUS=1\n",
        "mirror_1_repo=x/y\n",
        "MIRROR_1_REPO=backup/site\nno line\n",
        "MIRROR_1_REPO='open\n",
        "MIRROR_1_TYPE=git\nMIRROR_1_URL=ext::sh\n",
        "MIRROR_SOURCE=not a place\n",
        "MIRROR_1_REPO=backup/site\nMIRROR_2_REPO=backup/site\n",
        "MIRROR_SECRETS={{{{{{{{A}}}}}}}}\n",
        "MIRROR_1_REPO=backup/site\nSTANDIN_PARALLEL=many\n",
        "MIRROR_1_TYPE=git\nMIRROR_1_URL=./tools/cache.git\n",
    ] {
        for at in ["home", "site"] {
            if at == "home" && env.contains("STANDIN_PARALLEL") {
                // Settings of the whole program are taken from the clone at hand alone.
                continue;
            }
            let ground = Ground::with_clone().toml(TOML).env(env).inside(at);
            let loaded = ground.load_in_parts().unwrap_or_else(|mistakes| panic!("{env}, {at}: {mistakes:#?}"));
            let repositories = &loaded.config.repositories;
            let (theirs, mine) = (by_id(repositories, "theirs"), by_id(repositories, "mine"));
            assert!(!theirs.mistakes.is_empty(), "{env}, {at}");
            assert_eq!(theirs.mirrors.len(), 1, "what the user's own file says of it is known");
            assert!(mine.mistakes.is_empty() && mine.mirrors.len() == 1, "{env}, {at}: {mine:#?}");
            assert_eq!(loaded.config.at_hand.is_some(), at == "site");
            assert_eq!(loaded.config.limits.parallel, 32);
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_stops_that_repository_alone() {
    let ground = || Ground::with_clone().toml(TOML).inside("home");
    let folder = ground();
    std::fs::create_dir(folder.path("site/.env")).unwrap();
    let bytes = ground();
    std::fs::write(bytes.path("site/.env"), b"MIRROR_1_REPO=\xff\n").unwrap();
    let large = ground().env(&"# a comment\n".repeat(500_000));
    for ground in [folder, bytes, large] {
        let repositories = ground.load_in_parts().unwrap().config.repositories;
        assert!(!by_id(&repositories, "theirs").mistakes.is_empty());
        assert!(by_id(&repositories, "mine").mistakes.is_empty());
    }
}

/// What stands in no file of the user's own is shown by where the clone came from, and takes nobody's place.
#[test]
fn a_broken_clone_at_hand_takes_no_other_repositorys_place() {
    let env = "MIRROR_SOURCE=acme/else\nMIRROR_1_BOGUS=1\n";
    let toml = TOML.replace("path = \"../site\"", "source = \"acme/theirs\"");
    let loaded = Ground::with_clone().toml(&toml).env(env).load_in_parts().unwrap();
    assert_eq!(loaded.config.at_hand.as_ref().unwrap().as_str(), "acme.site");
    assert_eq!(loaded.config.repositories.len(), 3);
    let toml = toml.replace("id = \"mine\"", "id = \"acme.site\"");
    let loaded = Ground::with_clone().toml(&toml).env(env).load_in_parts().unwrap();
    assert!(by_id(&loaded.config.repositories, "acme.site").mistakes.is_empty());
    let at_hand = loaded.config.at_hand.unwrap();
    assert!(at_hand.as_str().starts_with("acme-site-"), "{at_hand}");
    assert!(!by_id(&loaded.config.repositories, at_hand.as_str()).mistakes.is_empty());
}

#[test]
fn a_mistake_of_the_users_own_stops_everything() {
    let toml = TOML.replace("source = \"me/mine\"", "source = \"not a place\"");
    assert!(Ground::with_clone().toml(&toml).env("A=1\n").load_in_parts().is_err());
    assert!(Ground::with_clone().toml(TOML).env("A=1\n").variable("STANDIN_PARALLEL", "x").load_in_parts().is_err());
}

#[test]
fn lists_of_patterns_have_a_bound_and_say_it() {
    let nested = |depth: usize| format!("{}A{}", "{".repeat(depth), "}".repeat(depth));
    let many =
        |count: usize, end: &str| (0..count).map(|number| format!("A{number}{end}")).collect::<Vec<_>>().join(",");
    for (list, told) in [
        (nested(5), "braces in braces, more than 4 deep"),
        (nested(250), "a pattern of 501 bytes, and 200 are read at most"),
        (nested(1_000_000), "a pattern of 2000001 bytes"),
        (format!("{}*", "A".repeat(200)), "a pattern of 201 bytes"),
        (many(101, "*"), "101 patterns are listed here, and 100 are read at most"),
        (many(1_001, ""), "1001 names and patterns are listed here, and 1000 are read at most"),
        (many(40_000, "*"), "40000 names and patterns"),
        ("{A,B".to_owned(), "is no pattern"),
    ] {
        let values: String = (0..2_000).map(|number| format!("A{number}=1\n")).collect();
        for name in ["MIRROR_SECRETS", "MIRROR_VARS"] {
            let env = format!("MIRROR_1_REPO=backup/site\n{name}={list}\n{values}");
            let begun = Instant::now();
            let mistakes = Ground::with_clone().env(&env).consents(Consents::new()).mistakes();
            assert!(begun.elapsed() < Duration::from_secs(20), "{told}: {:?}", begun.elapsed());
            assert!(mistakes.iter().any(|mistake| mistake.message.contains(told)), "{told}: {mistakes:#?}");
        }
        // Whatever is made of it without a look at the configuration's mistakes.
        assert!(!NamePatterns::new(&[list]).matches("B"));
    }
    let most = many(100, "*_{{C}}") + "," + &many(900, "");
    let secrets = Ground::with_clone()
        .env(&format!("MIRROR_1_REPO=a/b\nMIRROR_SECRETS={most}\nA1_C=x\nA9=x\n"))
        .repository()
        .secrets;
    assert_eq!(secrets.values.keys().collect::<Vec<_>>(), ["A1_C", "A9"]);
}

/// A name that is made from where a clone came from is never one that the user gave to something else: its history, its
/// rescues and its state would be another's.
#[test]
fn a_clone_takes_no_id_that_is_written_of_another_repository() {
    for written in ["victim.proj", "Victim.Proj"] {
        let toml = format!(
            "[[repository]]\nid = \"{written}\"\nsource = \"../mine\"\n[[repository.mirror]]\nid = \"a\"\nurl = \"../disk.git\"\n"
        );
        let ground = Ground::empty().clone_at("mine", "").clone_at("got", "https://github.com/victim/proj");
        let loaded =
            ground.inside("got").toml(&toml).file("got/.env", "MIRROR_1_TYPE=git\nMIRROR_1_URL=../loot.git").loaded();
        let mut ids: Vec<String> =
            loaded.config.repositories.iter().map(|known| known.id.as_str().to_ascii_lowercase()).collect();
        ids.sort();
        assert_eq!(ids.len(), 2, "{ids:?}");
        assert!(ids[0].starts_with("victim-proj-") && ids[1] == "victim.proj", "{ids:?}");
    }
    let alone = Ground::empty().clone_at("got", "https://github.com/victim/proj").inside("got");
    let loaded = alone.file("got/.env", "MIRROR_1_TYPE=git\nMIRROR_1_URL=../loot.git").loaded();
    assert_eq!(loaded.config.repositories[0].id.as_str(), "victim.proj", "as ever where nobody has it");
}
