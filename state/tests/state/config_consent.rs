//! What the `.env` of a clone asks for waits for its owner's yes, shows all of it and nothing secret, and asks again for
//! what routes and for nothing else.

use std::collections::BTreeMap;

use proptest::prelude::*;
use standin_state::config::{ALLOW, Consent, Consents};
use standin_state::store::ConsentRecord;

use crate::ground::Ground;

const TOKEN: &str = "ghp_canary0123456789abcdefghijklmnop";

const ENV: &str = "MIRROR_ENABLED=true
MIRROR_1_TYPE=github
MIRROR_1_REPO=backup/site
MIRROR_1_TOKEN=ghp_canary0123456789abcdefghijklmnop
MIRROR_2_TYPE=git
MIRROR_2_URL=ssh://git@backup.example.com/srv/site.git
MIRROR_SECRETS=RESEND_API_KEY,TWILIO_*
RESEND_API_KEY=re_canary_value
TWILIO_SID=AC_canary_value
OTHER=not for Standin
";

fn asked(env: &str) -> Consent {
    Ground::with_clone().env(env).consents(Consents::new()).repository().consent
}

fn lines(env: &str) -> Vec<String> {
    asked(env).question().map_or_else(Vec::new, |question| question.text())
}

#[test]
fn what_is_asked_for_is_understood_at_one_look() {
    let ground = Ground::with_clone().env(ENV).consents(Consents::new());
    let question = ground.repository().consent.question().cloned().unwrap();
    assert!(question.title.contains("site/.env asks for this"), "{question:?}");
    let text = question.text().join("\n");
    assert!(!text.contains("canary"), "{text}");
    insta::assert_snapshot!(ground.stable(&text));
}

#[test]
fn only_what_routes_asks_again() {
    let hash = |env: &str| asked(env).question().map(|question| question.hash.clone());
    let first = hash(ENV);
    assert!(first.is_some());
    let same = [
        ENV.replace("re_canary_value", "another value"),
        ENV.replace(TOKEN, "ghp_another0123456789abcdefghijklmno"),
        ENV.replace("MIRROR_1_REPO=backup/site", "MIRROR_1_REPO='https://github.com/backup/site.git' # the same"),
        ENV.replace("OTHER=not for Standin", "OTHER=something else\nNEW=1"),
        format!("# a comment\n\n{ENV}"),
    ];
    for env in same {
        assert_eq!(hash(&env), first, "{env}");
    }
    let others = [
        ENV.replace("backup/site", "stranger/site"),
        ENV.replace("MIRROR_1_TOKEN=ghp_canary0123456789abcdefghijklmnop\n", ""),
        ENV.replace("backup.example.com", "stranger.example.com"),
        ENV.replace("TWILIO_*", "*"),
        ENV.replace("TWILIO_SID=", "TWILIO_TOKEN=1\nTWILIO_SID="),
        format!("{ENV}MIRROR_VARS=DEPLOY_MODE\n"),
        format!("{ENV}MIRROR_SOURCE=acme/other\nMIRROR_SOURCE_TOKEN={TOKEN}\n"),
        format!("{ENV}MIRROR_SOURCE_TOKEN={TOKEN}\n"),
        format!("{ENV}MIRROR_1_SYNC_SECRETS=false\n"),
        format!("{ENV}MIRROR_1_ENABLED=false\n"),
        format!("{ENV}MIRROR_2_SSH_KEY_PATH=/keys/one\n"),
        format!("{ENV}MIRROR_3_REPO=third/site\n"),
        format!("{ENV}STANDIN_SYNC_INTERVAL=10s\n"),
        format!("{ENV}STANDIN_SCHEDULE=false\n"),
        format!("{ENV}STANDIN_PARALLEL=1\n"),
        format!("{ENV}STANDIN_RUN_LIMIT=1s\n"),
        format!("{ENV}STANDIN_REQUEST_LIMIT=1s\n"),
        ENV.replace("MIRROR_ENABLED=true", "MIRROR_ENABLED=false"),
    ];
    let mut hashes = BTreeMap::from([(first, ENV.to_owned())]);
    for env in others {
        let hash = hash(&env);
        assert!(hash.is_some(), "{env}");
        let twin = hashes.insert(hash, env.clone());
        assert_eq!(twin, None, "{env}");
    }
}

#[test]
fn a_change_shows_the_difference_alone() {
    let ground = Ground::with_clone().env(ENV).consents(Consents::new());
    let wish = ground.repository().consent.wish().cloned().unwrap();
    let said = |allowed, denied| Consents::from([(wish.file.clone(), ConsentRecord { allowed, denied })]);
    let ground = ground.consents(said(Some(wish.wish.clone()), None));
    assert!(matches!(ground.repository().consent, Consent::Given(_)));
    let ground = ground.env(&ENV.replace("backup/site", "stranger/site"));
    let question = ground.repository().consent.question().cloned().unwrap();
    assert_eq!(
        question.text(),
        [
            "- writes mirror-1: backup/site, with the token in this file: code, secrets, variables, workflows",
            "+ writes mirror-1: stranger/site, with the token in this file: code, secrets, variables, workflows",
        ]
    );
    // A no is for just this.
    let ground = ground.consents(said(None, Some(question.hash.clone())));
    assert!(ground.repository().consent.question().is_some_and(|question| question.is_denied));
    let ground = ground.env(ENV);
    assert!(ground.repository().consent.question().is_some_and(|question| !question.is_denied));
}

#[test]
fn the_yes_is_for_this_file_in_this_place() {
    let ground = Ground::with_clone().env(ENV).consents(Consents::new());
    let wish = ground.repository().consent.wish().cloned().unwrap();
    let said = Consents::from([(wish.file, ConsentRecord { allowed: Some(wish.wish), denied: None })]);
    let copy = Ground::with_clone().env(ENV).consents(said.clone());
    assert!(copy.repository().consent.question().is_some(), "another folder");
    let moved = ground.clone_at("site", "https://github.com/stranger/site.git").consents(said);
    assert!(moved.repository().consent.question().is_some(), "the same file, and another origin");
}

#[test]
fn a_hash_in_the_environment_is_a_yes() {
    let hash = asked(ENV).question().map(|question| question.hash.clone()).unwrap();
    let allowed =
        |value: &str| Ground::with_clone().env(ENV).consents(Consents::new()).variable(ALLOW, value).repository();
    assert!(allowed(&format!("0123, {hash}")).consent.question().is_none());
    for other in ["", "*", "true", &hash[..31]] {
        assert!(allowed(other).consent.question().is_some(), "{other:?}");
    }
    // A file cannot say yes to itself.
    let question = asked(&format!("{ENV}{ALLOW}={hash}\n"));
    assert!(question.question().is_some());
}

#[test]
fn what_the_user_says_elsewhere_asks_nobody() {
    let toml = "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\nenv_file = \"[dir]/site/.env\"\n[[repository.mirror]]\nid = \"m\"\ntype = \"github\"\nrepo = \"backup/site\"\n";
    let outside = toml.replace("[dir]/site/.env", "[dir]/mine/.env");
    let ground = Ground::with_clone().toml(&outside).file("mine/.env", ENV).consents(Consents::new());
    assert_eq!(ground.repository().consent, Consent::NotNeeded, "the user's own file");
    let ground = Ground::with_clone().variable("MIRROR_1_REPO", "backup/site").consents(Consents::new());
    assert_eq!(ground.repository().consent, Consent::NotNeeded);
    // The user's own file, where it names the same, changes nothing of what the clone's asks for.
    let plain = lines("MIRROR_1_SYNC_SECRETS=false\nMIRROR_1_REPO=backup/site\n");
    let ground = Ground::with_clone()
        .toml(toml)
        .env("MIRROR_1_SYNC_SECRETS=false\nMIRROR_1_REPO=backup/site\n")
        .consents(Consents::new());
    let with_toml = ground.repository().consent.question().unwrap().text();
    assert_eq!(plain, with_toml);
}

/// A clone that passes for the user's repository brings values for names that the user lists.
#[test]
fn a_file_with_nothing_but_values_waits_where_they_would_travel() {
    let toml = |lists: &str| {
        format!(
            "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\n{lists}[[repository.mirror]]\nid = \"m\"\ntype = \"github\"\nrepo = \"backup/site\"\n"
        )
    };
    let asked = |lists: &str, env: &str| {
        let ground = Ground::with_clone().toml(&toml(lists)).env(env).consents(Consents::new());
        ground.repository().consent.question().map_or_else(Vec::new, |question| question.text())
    };
    let lists = "secrets = [\"RESEND_API_KEY\"]\nvariables = [\"DEPLOY_MODE\"]\n";
    assert_eq!(
        asked(lists, "RESEND_API_KEY=theirs\nDEPLOY_MODE=theirs\nOTHER=1\n"),
        [
            "sends  the secrets RESEND_API_KEY, from this file, as your own configuration lists them",
            "sends  the variables DEPLOY_MODE, from this file, as your own configuration lists them",
        ]
    );
    assert_eq!(asked(lists, "OTHER=1\n"), [""; 0]);
    assert_eq!(
        asked("", "RESEND_API_KEY=theirs\n"),
        ["sends  other lines of this file and values in your vault as secrets, each name after a yes of its own"]
    );
}

/// What acts is what all layers make together; the lines must not hide it.
#[test]
fn a_file_cannot_borrow_what_was_said_of_another_place() {
    let toml = |more: &str| {
        format!(
            "[[repository]]\nid = \"site\"\nsource = \"acme/site\"\n[[repository.mirror]]\nid = \"mirror-1\"\ntype = \"github\"\nrepo = \"me/backup\"\n{more}"
        )
    };
    let ground = |env: &str, more: &str| Ground::with_clone().toml(&toml(more)).env(env).consents(Consents::new());
    let mirror = ground("MIRROR_1_URL=https://github.com/other/place.git\n", "").mirror();
    assert_eq!(mirror.kind(), standin_state::model::MirrorType::Git, "the type was said of me/backup");
    assert_eq!(mirror.sync.len(), 1);
    let hash = |env: &str| ground(env, "enabled = false\n").repository().consent.question().unwrap().hash.clone();
    let token = format!("MIRROR_1_TOKEN={TOKEN}\n");
    let mut seen = std::collections::BTreeSet::new();
    for more in
        ["", "MIRROR_1_TYPE=github\n", "MIRROR_1_ENABLED=true\n", "MIRROR_1_ENABLED=false\n", "MIRROR_ENABLED=true\n"]
    {
        assert!(seen.insert(hash(&format!("{token}{more}"))), "{more}");
    }
}

/// The environment is the stronger: what it says is what is done, so the lines say that and the yes is for that.
#[test]
fn the_lines_say_what_is_used_where_the_environment_says_something_else() {
    let env = format!(
        "MIRROR_SOURCE_TOKEN={TOKEN}\nMIRROR_1_TYPE=git\nMIRROR_1_URL=https://h.example/x.git\nMIRROR_1_TOKEN={TOKEN}\nMIRROR_2_TYPE=git\nMIRROR_2_URL=ssh://git@h.example/x.git\nMIRROR_2_SSH_KEY_PATH=/theirs\nMIRROR_3_REPO=backup/site\nMIRROR_3_SYNC_VARS=false\nMIRROR_3_TOKEN={TOKEN}\nMIRROR_SECRETS=A\nB=1\n"
    );
    let text = |variables: &[(&str, &str)]| {
        let ground = Ground::with_clone().env(&env).consents(Consents::new());
        let ground = variables.iter().fold(ground, |ground, (name, value)| ground.variable(name, value));
        let question = ground.repository().consent.question().cloned().unwrap();
        (question.text(), question.hash)
    };
    let line = |lines: &[String], part: &str| lines.iter().find(|line| line.contains(part)).cloned().unwrap();
    let (plain, hash) = text(&[]);
    assert!(line(&plain, "mirror-1").contains("with the token in this file"), "{plain:#?}");
    assert!(line(&plain, "reads").contains("with the token in this file"), "{plain:#?}");
    for (name, value, part, shown) in [
        ("MIRROR_1_TOKEN", "ghp_mine", "mirror-1", "with your own token"),
        ("MIRROR_SOURCE_TOKEN", "ghp_mine", "reads", "with your own token"),
        ("MIRROR_SOURCE", "acme/other", "reads", "acme/other, as your own configuration says"),
        ("MIRROR_1_URL", "https://mine.example/x.git", "mirror-1", "https://mine.example/x.git (git)"),
        ("MIRROR_2_SSH_KEY_PATH", "/mine", "mirror-2", "with the ssh key /mine"),
        ("MIRROR_3_SYNC_VARS", "true", "mirror-3", "code, secrets, variables"),
        ("MIRROR_SECRETS", "B", "sends", "the secrets B, from this file, as your own configuration lists them"),
    ] {
        let (lines, other) = text(&[(name, value)]);
        assert!(line(&lines, part).contains(shown), "{name}: {lines:#?}");
        assert!(!line(&lines, part).contains("theirs"), "{name}: {lines:#?}");
        assert_ne!(hash, other, "{name}");
    }
    // The user's own file decides what is read where nothing else does.
    let toml = "[[repository]]\nid = \"site\"\npath = \"../site\"\nsource = \"acme/private\"\n";
    let ground = Ground::with_clone().toml(toml).env("MIRROR_1_REPO=backup/site\n").consents(Consents::new());
    let lines = ground.repository().consent.question().unwrap().text();
    assert!(line(&lines, "reads").contains("acme/private, as your own configuration says"), "{lines:#?}");
}

#[test]
fn every_way_to_a_git_server_is_another_wish() {
    let mut seen = std::collections::BTreeSet::new();
    for url in [
        "https://github.com/o/n.git",
        "git@github.com:o/n.git",
        "ssh://root@github.com:2222/o/n.git",
        "ssh://git@github.com/o/n.git",
        "git://github.com/o/n.git",
        "https://github.com:8443/o/n.git",
    ] {
        let lines = lines(&format!("MIRROR_1_TYPE=git\nMIRROR_1_URL={url}\n"));
        assert!(lines.iter().any(|line| line.contains(url)), "{lines:?}");
        let by_ssh = url.contains("git@") || url.starts_with("ssh");
        assert_eq!(lines.iter().any(|line| line.contains("ssh;")), by_ssh, "{lines:?}");
        assert!(seen.insert(lines));
    }
}

#[test]
fn a_no_is_stronger_than_a_hash_in_the_environment() {
    let ground = Ground::with_clone().env(ENV).consents(Consents::new());
    let wish = ground.repository().consent.wish().cloned().unwrap();
    let hash = wish.wish.hash();
    let record = ConsentRecord { allowed: None, denied: Some(hash.clone()) };
    let ground = ground.variable(ALLOW, &hash).consents(Consents::from([(wish.file, record)]));
    assert!(ground.repository().consent.question().is_some_and(|question| question.is_denied));
}

#[test]
fn large_files_are_read_in_one_pass() {
    let expandable: String = (0..40_000).map(|number| format!("k{number}=${{\n")).collect();
    let nonsense = "x\n".repeat(1_000_000);
    let mirrors: String = (0..20_000).map(|number| format!("MIRROR_{number}_REPO=a/b{number}\n")).collect();
    for text in [expandable, nonsense, mirrors] {
        // Whatever is said of it; what counts is that it ends.
        let _ = Ground::with_clone().env(&text).consents(Consents::new()).load();
    }
}

#[test]
fn settings_of_a_file_that_waits_have_no_effect() {
    let env = "MIRROR_1_REPO=backup/site\nSTANDIN_PARALLEL=1\nSTANDIN_SYNC_INTERVAL=10s\nSTANDIN_SCHEDULE=false\n";
    let waits = Ground::with_clone().env(env).consents(Consents::new()).loaded().config;
    assert_eq!((waits.limits.parallel, waits.schedule.enabled), (32, true));
    assert_eq!(waits.schedule.interval.as_secs(), 3_600);
    let said = Ground::with_clone().env(env).loaded().config;
    assert_eq!((said.limits.parallel, said.schedule.enabled, said.schedule.interval.as_secs()), (1, false, 10));
    // Where the clone is none that is looked after, nobody can say yes to it.
    let toml = "[[repository]]\nid = \"other\"\nsource = \"acme/other\"\n[[repository.mirror]]\nid = \"m\"\nrepo = \"backup/other\"\ntype = \"github\"\n";
    let stray = Ground::with_clone().toml(toml).env("STANDIN_PARALLEL=1\n").loaded().config;
    assert_eq!(stray.limits.parallel, 32);
}

#[test]
fn no_place_passes_for_words_of_the_question() {
    let of_url = |url: &str, more: &str| lines(&format!("MIRROR_1_TYPE=git\nMIRROR_1_URL=\"{url}\"\n{more}"));
    let real = of_url("ssh://git@h/x", "MIRROR_1_SSH_KEY_PATH=/k\n");
    let pretended = of_url("ssh://git@h/x (git), with your ssh keys, with the ssh key /k: code", "");
    assert_ne!(real, pretended);
    assert!(pretended.iter().any(|line| line.contains("\"ssh://git@h/x (git), with")), "{pretended:?}");
    let odd = of_url("https://h.example/gith\u{443}b.git", "");
    assert!(odd.iter().any(|line| line.contains("gith\\u{443}b.git")), "{odd:?}");
}

#[test]
fn a_long_address_is_cut_where_no_host_is_and_is_another_wish_for_each_other_one() {
    let of = |url: &str| {
        let consent = asked(&format!("MIRROR_1_TYPE=git\nMIRROR_1_URL={url}\n"));
        let question = consent.question().unwrap();
        (question.text().into_iter().find(|line| line.starts_with("writes")).unwrap(), question.hash.clone())
    };
    let host = format!("github.com.{}evil.example", "a.".repeat(100));
    let url = |middle: &str| format!("https://{host}/{}{middle}{}/x.git", "b".repeat(3_000), "c".repeat(3_000));
    let (line, hash) = of(&url("1"));
    assert!(line.len() < 800 && line.contains(&host) && line.contains("/x.git"), "{line}");
    assert!(line.contains(&format!("[{} characters, SHA-256 ", url("1").len())), "{line}");
    assert_ne!(hash, of(&url("2")).1);
    let path = format!("/srv/{}", "d/".repeat(2_000));
    assert!(of(&path).0.contains(" characters, SHA-256 "), "{}", of(&path).0);
}

#[test]
fn a_question_longer_than_a_screen_says_at_both_ends_what_it_is() {
    let mirrors: String = (1..=40).map(|number| format!("MIRROR_{number}_REPO=backup/a{number}\n")).collect();
    let consent = asked(&format!("{mirrors}MIRROR_SECRETS=A,B_*\nB_1=x\nB_2=x\nSTANDIN_PARALLEL=2\n"));
    let question = consent.question().unwrap();
    let told = question.told();
    assert_eq!(told[1], "  (45 lines; what they come to stands below them)");
    assert_eq!(told.len(), 45 + 4);
    assert_eq!(told[told.len() - 2], question.title);
    assert_eq!(
        told[told.len() - 1],
        "  in all: 1 place is read, 40 mirrors are written, 5 names travel, 1 setting is changed, runs gh, git; nothing that came with the clone"
    );
    let short = asked(ENV);
    assert_eq!(short.question().unwrap().told().len(), 1 + lines(ENV).len());
}

#[cfg(unix)]
#[test]
fn a_file_that_is_a_link_says_so_and_is_another_wish() {
    let ground = Ground::with_clone().file("elsewhere/.env", ENV).consents(Consents::new());
    std::os::unix::fs::symlink(ground.path("elsewhere/.env"), ground.path("site/.env")).unwrap();
    let question = ground.repository().consent.question().cloned().unwrap();
    assert!(
        question.text().iter().any(|line| line.contains("elsewhere/.env, since the file is a link")),
        "{question:?}"
    );
    assert_ne!(question.hash, asked(ENV).question().unwrap().hash);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the two files: where anything of the clone's routes, the repository waits.
    #[test]
    fn no_text_of_a_file_says_yes(
        names in proptest::collection::vec("(export )?(MIRROR_(1_|2_|)(TYPE|REPO|URL|TOKEN|SOURCE|SOURCE_TOKEN|SECRETS|VARS|ENABLED|SSH_KEY_PATH|SYNC_CODE)|STANDIN_(ALLOW|PARALLEL|SCHEDULE|SYNC_INTERVAL|CONFIG|STATE_DIR)|OTHER)", 1..8),
        values in proptest::collection::vec("(github|git|true|false|backup/site|https://h.example/x|ssh://g@h/x|/srv/x|\\./x|[0-9a-f]{32}|\\*|A,B|.{0,12})", 8),
        quote in prop_oneof![Just(""), Just("'"), Just("\"")],
    ) {
        let text: String = names.iter().zip(&values).map(|(name, value)| format!("{name}={quote}{value}{quote}\n")).collect();
        let Ok(loaded) = Ground::with_clone().env(&text).consents(Consents::new()).load() else { return Ok(()) };
        for repository in &loaded.config.repositories {
            prop_assert!(repository.consent.question().is_some(), "{text}");
        }
        prop_assert_eq!(loaded.config.limits.parallel, 32);
        prop_assert_eq!(loaded.config.schedule.interval.as_secs(), 3_600);
    }
}
