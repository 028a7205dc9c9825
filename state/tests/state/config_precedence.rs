//! Which layer wins, and which mirrors are the same.

use std::time::Duration;

use secrecy::ExposeSecret;
use standin_state::config::{MirrorConfig, SentinelSettings, Source, Target};
use standin_state::model::{Aspect, MirrorType};

use crate::ground::Ground;

const TOML: &str = r#"
[[repository]]
id = "orchestrator"
source = "acme/site"
secrets = ["FROM_TOML"]
variables = ["FROM_TOML"]
keep_active = ["test.yml", ".github/workflows/lint.yaml"]
notes = true
heartbeat = { path = "state/current.json", field = "meta.updated_at_iso", max_age = "90m" }
sentinel = { threshold = 4, interval = "1h", gone_counts = false }

[[repository.mirror]]
id = "backup"
type = "github"
repo = "acme/backup"
sync = ["code", "secrets"]

[[repository.mirror]]
id = "archive"
type = "git"
url = "ssh://git@example.com/archive.git"
enabled = false
"#;

fn token(mirror: &MirrorConfig) -> Option<&str> {
    mirror.token.as_ref().map(ExposeSecret::expose_secret)
}

fn ids(mirrors: &[MirrorConfig]) -> Vec<&str> {
    mirrors.iter().map(|mirror| mirror.id.as_str()).collect()
}

#[test]
fn nothing_configured_is_no_mistake() {
    let loaded = Ground::with_clone().env("DATABASE_URL=x\n").loaded();
    assert!(loaded.config.repositories.is_empty());
    assert_eq!(loaded.config.at_hand, None);
    assert_eq!(loaded.config.schedule.interval, Duration::from_secs(3600));
    assert!(loaded.config.schedule.enabled);
    assert_eq!(loaded.config.limits.parallel, 32);
    assert!(loaded.notices.is_empty());
}

#[test]
fn an_env_file_is_enough() {
    let ground = Ground::with_clone().env(
        "MIRROR_ENABLED=true\n\
         MIRROR_1_TYPE=github\nMIRROR_1_TOKEN=ghp_xxxxx   # PAT with repo+workflow scope\n\
         MIRROR_1_REPO=backup-account/continuity-orchestrator\nMIRROR_1_SYNC_SECRETS=TRUE\nMIRROR_1_SYNC_VARS=off\n\
         MIRROR_4_TYPE=git\nMIRROR_4_URL=ssh://backup.example.com/repo.git\n",
    );
    let loaded = ground.loaded();
    let repository = ground.repository();
    assert_eq!(loaded.config.at_hand.as_ref(), Some(&repository.id));
    assert_eq!(repository.id.as_str(), "acme.site");
    assert_eq!(repository.source, Source::GitHub("acme/site".parse().unwrap()));
    assert_eq!(repository.clone, Some(ground.path("site")));
    assert_eq!(repository.env_file, Some(ground.path("site/.env")));
    assert!(repository.enabled);
    assert_eq!(ids(&repository.mirrors), ["mirror-1", "mirror-4"]);
    let [github, git] = &repository.mirrors[..] else { panic!() };
    assert_eq!(token(github), Some("ghp_xxxxx"));
    assert_eq!(github.target, Target::GitHub("backup-account/continuity-orchestrator".parse().unwrap()));
    assert_eq!(github.sync.iter().copied().collect::<Vec<_>>(), [Aspect::Code, Aspect::Secrets, Aspect::Workflows]);
    assert_eq!((git.kind(), git.target.display().as_str()), (MirrorType::Git, "ssh://backup.example.com/repo.git"));
    assert_eq!(git.sync.iter().copied().collect::<Vec<_>>(), [Aspect::Code]);
}

#[test]
fn a_toml_file_is_enough() {
    let ground = Ground::empty().toml(TOML);
    let repository = ground.repository();
    assert_eq!(repository.id.as_str(), "orchestrator");
    assert_eq!(ground.loaded().config.at_hand, None);
    assert!(repository.enabled && repository.notes);
    assert_eq!(repository.keep_active.iter().collect::<Vec<_>>(), ["lint.yaml", "test.yml"]);
    assert_eq!(repository.heartbeat.unwrap().max_age, Duration::from_secs(5400));
    let sentinel = SentinelSettings {
        threshold: 4,
        interval: Duration::from_secs(3600),
        gone_counts: false,
        ..SentinelSettings::default()
    };
    assert_eq!(repository.sentinel, sentinel);
    assert!(sentinel.auto_demotion && !sentinel.write_to_master);
    assert_eq!(ids(&repository.mirrors), ["backup", "archive"]);
    assert!(repository.mirrors[0].enabled && !repository.mirrors[1].enabled);
    assert_eq!(repository.mirrors[0].sync.len(), 2);
}

#[test]
fn a_mirror_in_both_is_matched_by_its_target_and_merged_field_by_field() {
    for target in ["MIRROR_7_REPO=ACME/Backup", "MIRROR_7_TYPE=github\nMIRROR_7_URL=https://github.com/acme/backup"] {
        let ground = Ground::with_clone()
            .toml(TOML)
            .env(&format!("{target}\nMIRROR_7_TOKEN=abc\nMIRROR_7_SYNC_VARS=yes\nMIRROR_7_SYNC_CODE=no\n"));
        let repository = ground.repository();
        assert_eq!(ids(&repository.mirrors), ["backup", "archive"], "{target}");
        let backup = &repository.mirrors[0];
        assert_eq!(token(backup), Some("abc"));
        assert_eq!(backup.sync.iter().copied().collect::<Vec<_>>(), [Aspect::Secrets, Aspect::Variables]);
        assert_eq!(ground.loaded().config.at_hand.unwrap().as_str(), "orchestrator");
    }
}

#[test]
fn a_mirror_in_both_is_matched_by_id_where_no_target_fits() {
    let toml = TOML.replace("id = \"backup\"", "id = \"mirror-1\"");
    let only_token = Ground::with_clone().toml(&toml).env("MIRROR_1_TOKEN=abc\n").repository();
    assert_eq!(ids(&only_token.mirrors), ["mirror-1", "archive"]);
    assert_eq!(token(&only_token.mirrors[0]), Some("abc"));
    let moved = Ground::with_clone().toml(&toml).env("MIRROR_1_REPO=acme/moved\n").repository();
    assert_eq!(moved.mirrors[0].target.display(), "acme/moved");
    assert_eq!(moved.mirrors[0].sync.len(), 2, "the other fields stay");
}

#[test]
fn a_mirror_that_only_the_variables_have_comes_after_those_of_the_file() {
    let repository = Ground::with_clone().toml(TOML).env("MIRROR_2_REPO=acme/third\n").repository();
    assert_eq!(ids(&repository.mirrors), ["backup", "archive", "mirror-2"]);
}

#[test]
fn target_matches_before_id() {
    let toml = TOML.replace("\"archive\"", "\"mirror-1\"");
    let repository =
        Ground::with_clone().toml(&toml).env("MIRROR_1_REPO=acme/backup\nMIRROR_1_TOKEN=abc\n").repository();
    assert_eq!(ids(&repository.mirrors), ["backup", "mirror-1"]);
    assert_eq!(token(&repository.mirrors[0]), Some("abc"));
    assert_eq!(token(&repository.mirrors[1]), None);
}

#[test]
fn environment_beats_env_file_beats_toml() {
    let toml = format!(
        "[schedule]\nenabled = false\ninterval = \"3h\"\n[limits]\nparallel = 3\nrun = \"3m\"\nrequest = \"3s\"\n{TOML}"
    );
    let env = "MIRROR_1_REPO=acme/backup\nMIRROR_1_ENABLED=false\nMIRROR_1_TOKEN=file\nMIRROR_VARS=FILE\n\
               STANDIN_SYNC_INTERVAL=2h\nSTANDIN_PARALLEL=2\nMIRROR_ENABLED=false\n";
    let ground = Ground::with_clone()
        .toml(&toml)
        .env(env)
        .variable("MIRROR_1_TOKEN", "environment")
        .variable("STANDIN_SYNC_INTERVAL", "1h30m")
        .variable("MIRROR_ENABLED", "1");
    let config = ground.loaded().config;
    assert_eq!(config.schedule.interval, Duration::from_secs(5400));
    assert!(!config.schedule.enabled);
    assert_eq!(
        (config.limits.parallel, config.limits.run, config.limits.request),
        (2, Duration::from_secs(180), Duration::from_secs(3))
    );
    let repository = ground.repository();
    assert!(repository.enabled);
    assert_eq!(token(&repository.mirrors[0]), Some("environment"));
    assert!(!repository.mirrors[0].enabled);
    assert_eq!(repository.variables.patterns, ["FILE"]);
    assert_eq!(repository.secrets.patterns, ["FROM_TOML"]);
}

#[test]
fn empty_values_count_as_not_given() {
    let ground = Ground::with_clone()
        .env("MIRROR_1_REPO=acme/backup\nMIRROR_1_TOKEN=\nMIRROR_2_REPO=acme/two\nMIRROR_2_TOKEN=file\nMIRROR_ENABLED=\n")
        .variable("MIRROR_2_TOKEN", "");
    let repository = ground.repository();
    assert!(repository.enabled);
    assert_eq!(token(&repository.mirrors[0]), None);
    assert_eq!(token(&repository.mirrors[1]), Some("file"));
}

#[test]
fn without_mirror_enabled_a_repository_counts_once_it_has_a_mirror() {
    assert!(Ground::with_clone().env("MIRROR_1_REPO=acme/backup").repository().enabled);
    assert!(!Ground::with_clone().env("MIRROR_SOURCE=acme/site").repository().enabled);
    assert!(!Ground::with_clone().env("MIRROR_ENABLED=no\nMIRROR_1_REPO=acme/backup").repository().enabled);
}

#[test]
fn mirror_enabled_false_in_the_environment_stops_every_repository() {
    let toml = format!("{TOML}\n[[repository]]\nid = \"other\"\nsource = \"acme/other\"\nenabled = true\n");
    let ground = Ground::with_clone().toml(&toml).variable("MIRROR_ENABLED", "false");
    assert_eq!(ground.loaded().config.repositories.iter().filter(|repository| repository.enabled).count(), 0);
    let ground = Ground::with_clone().toml(&toml).variable("MIRROR_ENABLED", "true");
    assert_eq!(ground.loaded().config.repositories.iter().filter(|repository| repository.enabled).count(), 2);
}

#[test]
fn the_repository_at_hand_comes_first_and_variables_speak_of_no_other() {
    let toml = format!(
        "[[repository]]\nid = \"other\"\nsource = \"acme/other\"\n[[repository.mirror]]\nid = \"x\"\nrepo = \"acme/x\"\n{TOML}"
    );
    let ground = Ground::with_clone().toml(&toml).variable("MIRROR_1_REPO", "acme/third");
    let config = ground.loaded().config;
    let found: Vec<_> =
        config.repositories.iter().map(|repository| (repository.id.as_str(), repository.mirrors.len())).collect();
    assert_eq!(found, [("orchestrator", 3), ("other", 1)]);
    assert_eq!(config.at_hand.unwrap().as_str(), "orchestrator");
}

#[test]
fn each_repository_of_the_file_has_its_own_env_file() {
    let ground = Ground::empty()
        .clone_at("one", "https://github.com/acme/one")
        .file("one/.env", "MIRROR_1_REPO=acme/one-backup\nSTANDIN_PARALLEL=1\nKEY=one\n")
        .file("config/two.env", "MIRROR_1_URL=../two.git\n")
        .toml("[[repository]]\nid = \"one\"\npath = \"../one\"\n[[repository]]\nid = \"two\"\nsource = \"acme/two\"\nenv_file = \"two.env\"\n");
    let config = ground.loaded().config;
    assert_eq!(config.limits.parallel, 32, "settings come from the repository at hand only");
    let [one, two] = &config.repositories[..] else { panic!() };
    assert_eq!(one.source.display(), "acme/one");
    assert_eq!(one.mirrors[0].target.display(), "acme/one-backup");
    assert_eq!(two.mirrors[0].target.display(), ground.path("two.git").display().to_string());
    assert!(one.secrets.values.contains_key("KEY") && two.secrets.values.is_empty());
}

#[test]
fn without_a_clone_the_environment_names_its_repository() {
    let ground = Ground::empty().variable("MIRROR_SOURCE", "acme/site").variable("MIRROR_1_REPO", "acme/backup");
    let repository = ground.repository();
    assert_eq!((repository.id.as_str(), repository.clone), ("acme.site", None));
    assert_eq!(ground.loaded().config.at_hand.unwrap().as_str(), "acme.site");

    let ground = Ground::empty().toml(TOML).variable("MIRROR_SOURCE_TOKEN", "abc");
    assert!(ground.repository().source_token.is_some(), "the only repository of the file is meant");

    let ground = Ground::empty()
        .toml(TOML)
        .variable("MIRROR_SOURCE", "https://github.com/acme/site")
        .variable("MIRROR_SOURCE_TOKEN", "abc");
    assert_eq!(ground.repository().id.as_str(), "orchestrator");
}

#[test]
fn config_and_standin_config_name_the_file() {
    let ground =
        || Ground::empty().toml(TOML).file("a.toml", "[limits]\nparallel = 1").file("b.toml", "[limits]\nparallel = 2");
    assert_eq!(ground().loaded().config.limits.parallel, 32);
    assert_eq!(ground().variable("STANDIN_CONFIG", "[dir]/a.toml").loaded().config.limits.parallel, 1);
    assert_eq!(
        ground().variable("STANDIN_CONFIG", "[dir]/a.toml").config_file("b.toml").loaded().config.limits.parallel,
        2
    );
}

#[test]
fn paths_are_relative_to_the_clone_in_env_files_and_to_the_file_in_toml() {
    let toml = "[[repository]]\nid = \"site\"\npath = \"../site\"\n[[repository.mirror]]\nid = \"a\"\nurl = \"ssh://x.example/a\"\nssh_key_path = \"keys/a\"\n\
                [[repository.mirror]]\nid = \"b\"\nurl = \"~/b.git\"\n";
    let env = "MIRROR_1_URL=git@x.example:c\nMIRROR_1_SSH_KEY_PATH=../keys/c\nMIRROR_2_URL=../d.git\n";
    let ground = Ground::with_clone().inside("site/deep/inside").toml(toml).env(env);
    let mirrors = ground.repository().mirrors;
    assert_eq!(mirrors[0].target.pushed_to().unwrap().ssh_key, Some(ground.path("config/keys/a")));
    assert_eq!(mirrors[1].target.display(), ground.path("home/b.git").display().to_string());
    assert_eq!(mirrors[2].target.pushed_to().unwrap().ssh_key, Some(ground.path("keys/c")));
    assert_eq!(mirrors[3].target.display(), ground.path("d.git").display().to_string());
}

#[test]
fn addresses_of_github_can_be_replaced_part_by_part() {
    let ground = Ground::with_clone()
        .toml("[[host]]\nname = \"github.com\"\ngh_config_dir = \"gh\"\n[[host]]\nname = \"GHE.example.com\"\n")
        .env("MIRROR_1_TYPE=github\nMIRROR_1_REPO=http://127.0.0.1:8080/acme/backup.git\n")
        .variable("STANDIN_GITHUB_SERVER_URL", "http://127.0.0.1:8080/")
        .variable("STANDIN_GITHUB_API_URL", "http://127.0.0.1:8080/api");
    let config = ground.loaded().config;
    let [github, ghe] = &config.hosts[..] else { panic!("{:?}", config.hosts) };
    assert_eq!(github.api_url, "http://127.0.0.1:8080/api");
    assert_eq!(github.server_url, "http://127.0.0.1:8080");
    assert_eq!(github.gh_config_dir, Some(ground.path("config/gh")));
    assert_eq!((ghe.name.as_str(), ghe.api_url.as_str()), ("ghe.example.com", "https://ghe.example.com/api/v3"));
    assert_eq!(ground.mirror().target, Target::GitHub("acme/backup".parse().unwrap()));
}

#[test]
fn an_address_of_github_in_a_clone_that_is_not_kept_in_step_changes_nothing() {
    let ground = Ground::with_clone().env("STANDIN_GITHUB_API_URL=https://evil.example\n");
    assert!(ground.loaded().config.hosts.is_empty());
}

#[test]
fn github_com_is_listed_only_where_its_addresses_differ() {
    assert!(Ground::with_clone().env("MIRROR_1_REPO=acme/backup").loaded().config.hosts.is_empty());
}

#[test]
fn the_debug_output_of_a_configuration_shows_no_secret() {
    let ground = Ground::with_clone().env(
        "MIRROR_1_REPO=acme/backup\nMIRROR_1_TOKEN=canary-one\nMIRROR_SOURCE_TOKEN=canary-two\nKEY=canary-three\n\
         MIRROR_SECRETS=KEY\n",
    );
    let loaded = ground.loaded();
    assert_eq!(loaded.config.repositories[0].secrets.values["KEY"].expose_secret(), "canary-three");
    assert_eq!(token(&loaded.config.repositories[0].mirrors[0]), Some("canary-one"));
    assert!(!format!("{loaded:?}").contains("canary"));
}

#[cfg(unix)]
#[test]
fn tokens_in_a_file_that_others_can_read_are_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let ground = Ground::with_clone().env("MIRROR_1_REPO=acme/backup\nMIRROR_1_TOKEN=abc\n");
    assert!(ground.notices().is_empty());
    std::fs::set_permissions(ground.path("site/.env"), std::fs::Permissions::from_mode(0o644)).unwrap();
    insta::assert_debug_snapshot!(ground.notices());
    let tokenless = Ground::with_clone().env("MIRROR_1_REPO=acme/backup\n");
    std::fs::set_permissions(tokenless.path("site/.env"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(tokenless.notices().is_empty());
}

#[test]
fn what_is_no_mistake_but_worth_knowing_is_told() {
    let ground = Ground::with_clone().env(
        "MIRROR_1_REPO=acme/backup\nMIRROR_ROLE=SLAVE\nSTANDIN_PARALEL=3\nA=1\nA=2\nB=${A}\nC='${A}'\nMY.KEY=x\n\
         MIRROR_2_URL=ssh://x.example/y\nMIRROR_2_TOKEN=abc\nMIRROR_2_SSH_KEY_PATH=missing\n",
    );
    insta::assert_debug_snapshot!(ground.notices());
}
