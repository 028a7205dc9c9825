//! The repository at hand, and where it came from.

use std::fs;

use standin_state::config::Source;

use crate::ground::Ground;

const MIRROR: &str = "MIRROR_1_REPO=acme/backup\n";

fn source_of(origin: &str) -> Source {
    Ground::empty().clone_at("site", origin).inside("site").env(MIRROR).repository().source
}

#[test]
fn every_way_to_write_a_repository_on_github_is_its_slug() {
    for origin in [
        "https://github.com/acme/site",
        "https://github.com/acme/site.git",
        "https://GitHub.com:443/acme/site/",
        "git@github.com:acme/site.git",
        "ssh://git@github.com/acme/site.git",
        "ssh://git@ssh.github.com:443/acme/site.git",
        "https://ann:canary@github.com/acme/site.git",
    ] {
        assert_eq!(source_of(origin), Source::GitHub("acme/site".parse().unwrap()), "{origin}");
    }
}

#[test]
fn a_repository_on_a_configured_host_is_a_slug_with_that_host() {
    for origin in ["https://ghe.example.com/git/acme/site.git", "git@ghe.example.com:acme/site.git"] {
        let source = Ground::empty()
            .clone_at("site", origin)
            .inside("site")
            .env(MIRROR)
            .toml("[[host]]\nname = \"ghe.example.com\"\nserver_url = \"https://ghe.example.com/git\"\n")
            .repository()
            .source;
        assert_eq!(source.display(), "ghe.example.com/acme/site", "{origin}");
    }
}

#[test]
fn any_other_origin_stays_a_url_or_a_path() {
    assert_eq!(
        source_of("https://example.com/acme/site.git"),
        Source::Url("https://example.com/acme/site.git".to_owned())
    );
    assert_eq!(source_of("host.example:acme/site.git"), Source::Url("host.example:acme/site.git".to_owned()));
    assert_eq!(source_of("/srv/git/site.git"), Source::Path("/srv/git/site.git".into()));
    assert_eq!(source_of("file:///srv/git/site.git"), Source::Path("/srv/git/site.git".into()));
    let ground = Ground::empty().clone_at("site", "../upstream/site.git").inside("site").env(MIRROR);
    assert_eq!(ground.repository().source, Source::Path(ground.path("upstream/site.git")));
    let ground = Ground::empty().clone_at("site", "upstream/site.git").inside("site").env(MIRROR);
    assert_eq!(
        ground.repository().source,
        Source::Path(ground.path("site/upstream/site.git")),
        "git takes it as a path"
    );
}

#[test]
fn without_an_origin_the_clone_itself_is_the_source() {
    let ground = Ground::empty().clone_at("site", "").inside("site").env(MIRROR);
    assert_eq!(ground.repository().source, Source::Path(ground.path("site")));
}

#[test]
fn credentials_of_origin_are_left_out_and_told() {
    let ground = Ground::empty().clone_at("site", "https://ann:canary@example.com/site.git").inside("site").env(MIRROR);
    assert_eq!(ground.repository().source.display(), "https://example.com/site.git");
    assert!(!format!("{:?}", ground.loaded()).contains("canary"));
    insta::assert_debug_snapshot!(ground.notices());
}

#[test]
fn an_origin_that_runs_a_program_is_not_used() {
    let ground = Ground::empty().clone_at("site", "ext::sh -c canary").inside("site").env(MIRROR);
    assert_eq!(ground.repository().source, Source::Path(ground.path("site")));
    insta::assert_debug_snapshot!(ground.notices());
}

#[test]
fn the_clone_is_found_from_any_folder_in_it_and_by_name() {
    let id = |ground: Ground| ground.env(MIRROR).repository().id;
    assert_eq!(id(Ground::with_clone().inside("site/a/b")).as_str(), "acme.site");
    assert_eq!(id(Ground::with_clone().inside("site/.git/hooks")).as_str(), "acme.site");
    assert_eq!(id(Ground::with_clone().inside("home").repo("../site/")).as_str(), "acme.site");
    assert_eq!(id(Ground::with_clone().inside("site/a").repo(".")).as_str(), "acme.site");
}

#[test]
fn a_bare_repository_is_a_clone_too() {
    let ground = Ground::empty()
        .bare_at("site.git", "git@github.com:acme/site.git")
        .inside("site.git/refs")
        .file("site.git/.env", MIRROR);
    let repository = ground.repository();
    assert_eq!(repository.clone, Some(ground.path("site.git")));
    assert_eq!(repository.source.display(), "acme/site");
}

#[test]
fn a_linked_work_tree_and_a_submodule_have_the_origin_of_their_repository() {
    let ground = Ground::with_clone()
        .file("site/.git/worktrees/fix/HEAD", "ref: refs/heads/fix\n")
        .file("site/.git/worktrees/fix/commondir", "../..\n")
        .file("fix/.git", "gitdir: [dir]/site/.git/worktrees/fix\n")
        .file("fix/.env", MIRROR)
        .inside("fix");
    let repository = ground.repository();
    assert_eq!((repository.source.display().as_str(), repository.clone), ("acme/site", Some(ground.path("fix"))));

    let ground = Ground::empty()
        .bare_at("super/.git/modules/lib", "https://github.com/acme/lib")
        .file("super/lib/.git", "gitdir: ../.git/modules/lib\n")
        .file("super/lib/.env", MIRROR)
        .inside("super/lib");
    assert_eq!(ground.repository().source.display(), "acme/lib");
}

#[test]
fn the_file_names_the_clone_at_hand_by_path_by_source_or_by_another_work_tree() {
    let mirror = "[[repository.mirror]]\nid = \"backup\"\nrepo = \"acme/backup\"\n";
    for repository in [
        "path = \"../site\"",
        "source = \"ACME/site\"",
        "source = \"git@github.com:acme/site\"",
        "source = \"../site\"",
        "path = \"../fix\"",
    ] {
        let ground = Ground::with_clone()
            .file("site/.git/worktrees/fix/HEAD", "ref: refs/heads/fix\n")
            .file("site/.git/worktrees/fix/commondir", "../..\n")
            .file("fix/.git", "gitdir: [dir]/site/.git/worktrees/fix\n")
            .toml(&format!("[[repository]]\nid = \"mine\"\n{repository}\n{mirror}"));
        let config = ground.loaded().config;
        assert_eq!(config.at_hand.map(|id| id.to_string()), Some("mine".to_owned()), "{repository}");
        assert_eq!(config.repositories[0].clone, Some(ground.path("site")), "{repository}");
    }
    let elsewhere =
        Ground::with_clone().toml(&format!("[[repository]]\nid = \"mine\"\nsource = \"acme/other\"\n{mirror}"));
    assert_eq!(elsewhere.loaded().config.at_hand, None);
}

#[test]
fn mirror_source_replaces_origin() {
    let ground = Ground::with_clone().env(MIRROR).variable("MIRROR_SOURCE", "acme/upstream");
    assert_eq!(ground.repository().source.display(), "acme/upstream");
}

#[test]
fn an_env_file_may_name_the_origin_the_clone_what_toml_names_and_what_its_own_token_reads() {
    let source = |env: &str, ground: Ground| ground.env(&format!("{MIRROR}MIRROR_SOURCE={env}")).repository().source;
    let plain = Ground::with_clone;
    assert_eq!(source("git@github.com:Acme/Site.git", plain()).display(), "Acme/Site");
    let ground = plain();
    let clone = ground.path("site");
    assert_eq!(source(".", ground), Source::Path(clone));
    assert_eq!(source("acme/other\nMIRROR_SOURCE_TOKEN=canary", plain()).display(), "acme/other");
    let toml = "[[repository]]\nid = \"site\"\npath = \"../site\"\nsource = \"acme/other\"\n";
    assert_eq!(source("acme/other", plain().toml(toml)).display(), "acme/other");
    let toml = "[[repository]]\nid = \"site\"\npath = \"../site\"\nenv_file = \"own.env\"\n";
    let ground = plain().toml(toml).file("config/own.env", &format!("{MIRROR}MIRROR_SOURCE=acme/other\n"));
    assert_eq!(ground.repository().source.display(), "acme/other");
}

#[test]
fn ids_differ_where_sources_differ_and_stay_where_they_do_not() {
    let id = |folder: &str, origin: &str| {
        let ground = Ground::empty().clone_at(folder, origin).inside(folder).file(&format!("{folder}/.env"), MIRROR);
        ground.repository().id.to_string()
    };
    let url = "https://example.com/a/site.git";
    assert_eq!(id("one/site", url), id("two/copy", url));
    assert_ne!(id("one/site", url), id("one/site", "https://example.com/b/site.git"));
    assert!(id("one/site", url).starts_with("site-"));
    assert_eq!(id("x", "git@github.com:Acme/Site.git"), "acme.site");
    assert_ne!(id("x", "https://github.com/a-b/c"), id("x", "https://github.com/a/b-c"));
}

#[test]
fn a_clone_whose_env_file_is_not_for_standin_may_have_any_syntax() {
    let ground = Ground::with_clone().env("this is no dotenv file\nKEY='open\n");
    assert!(ground.loaded().config.repositories.is_empty());
    let ground = Ground::with_clone();
    fs::write(ground.path("site/.env"), b"\xff\xfe").unwrap();
    insta::assert_debug_snapshot!(ground.notices());
}

#[test]
fn clones_and_work_trees_that_git_itself_made_are_read() {
    let ground = Ground::empty();
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(ground.path("home"))
            .env("HOME", ground.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet", "../site"]);
    git(&["-C", "../site", "remote", "add", "origin", "git@github.com:acme/site \"odd\" #1;.git"]);
    git(&["-C", "../site", "commit", "--quiet", "--allow-empty", "-m", "one"]);
    git(&["-C", "../site", "worktree", "add", "--quiet", "../fix"]);
    git(&["clone", "--quiet", "--bare", "../site", "../bare.git"]);
    let ground = ground.file("site/.env", MIRROR).file("fix/.env", MIRROR).file("bare.git/.env", MIRROR);
    let odd = Source::Url("git@github.com:acme/site \"odd\" #1;.git".to_owned());
    let ground = ground.inside("site");
    assert_eq!(ground.repository().source, odd);
    let ground = ground.inside("fix");
    assert_eq!((ground.repository().source, ground.repository().clone), (odd, Some(ground.path("fix"))));
    let ground = ground.inside("bare.git");
    assert!(matches!(ground.repository().source, Source::Path(path) if path.ends_with("site")));
}
