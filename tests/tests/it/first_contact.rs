//! A mirror that may be a stranger's: nothing at all is changed there before a yes, whatever asks for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use git2::Repository;
use standin_core::Code;
use standin_sandbox::{RepositorySpec, WorkflowState};
use standin_tests::cli::{ARCHIVE, BACKUP, Machine, NAME, Ran, STANDBY, World, branch, commit_in, refs, set};
use standin_tests::git::bare;
use standin_tests::pair::{Pair, failure};

/// Everything of a repository on GitHub that a sync could change, and every request that could have changed it.
#[derive(Debug, PartialEq)]
struct Everything {
    refs: BTreeMap<String, String>,
    default_branch: Option<String>,
    others: String,
    writes: Vec<String>,
}

fn world() -> World {
    World::new(env!("CARGO_BIN_EXE_standin-under-test"))
}

/// All refs of the repository at `path`, HEAD as well.
fn all_refs(path: &Path) -> BTreeMap<String, String> {
    let repository = Repository::open_bare(path).unwrap();
    let references = repository.references().unwrap().map(Result::unwrap);
    let mut all: BTreeMap<String, String> = references
        .filter_map(|reference| Some((reference.name().ok()?.to_owned(), reference.target()?.to_string())))
        .collect();
    let head = repository.find_reference("HEAD").unwrap();
    all.insert("HEAD".to_owned(), head.symbolic_target().ok().flatten().unwrap_or_default().to_owned());
    all
}

fn everything(world: &World, owner: &str, name: &str) -> Everything {
    let sandbox = &world.sandbox;
    let secrets: Vec<_> = sandbox
        .secrets(owner, name)
        .into_iter()
        .map(|secret| {
            let value = sandbox.secret_value(owner, name, &secret.name);
            format!("{secret:?} {value:?}")
        })
        .collect();
    let places = [format!("/repos/{owner}/{name}"), format!("/{owner}/{name}.git")];
    let writes = sandbox.requests().into_iter().filter(|request| {
        request.method != "GET"
            && !request.path.ends_with("/git-upload-pack")
            && places.iter().any(|place| request.path.starts_with(place.as_str()))
    });
    Everything {
        refs: all_refs(&sandbox.repository_path(owner, name)),
        default_branch: sandbox.default_branch(owner, name),
        others: format!(
            "{secrets:?} {:?} {:?} {:?} {:?} {:?}",
            sandbox.variables(owner, name),
            sandbox.workflows(owner, name),
            sandbox.actions_permissions(owner, name),
            sandbox.selected_actions(owner, name),
            sandbox.workflow_permissions(owner, name)
        ),
        writes: writes.map(|request| format!("{} {}", request.method, request.path)).collect(),
    }
}

/// Somebody else's project in the repository at `path`.
fn fill(path: &Path) {
    let (file, text) = (".github/workflows/build.yml", "on: push\njobs: {}\n");
    let first = commit_in(path, None, &[("README.md", "# Something else\n"), (file, text)]);
    let second = commit_in(path, Some(first), &[("more.md", "more\n")]);
    set(path, &branch("main"), second);
    set(path, &branch("next"), first);
    set(path, "refs/tags/v9", first);
}

/// The standby's repository holds somebody else's project, with all that belongs to one.
fn strange() -> World {
    let world = world();
    fill(&world.standby());
    world.sandbox.refresh_workflows(BACKUP, NAME).unwrap();
    world.sandbox.set_workflow_state(BACKUP, NAME, ".github/workflows/build.yml", WorkflowState::Active);
    world.sandbox.set_secret(BACKUP, NAME, "RESEND_API_KEY", b"theirs");
    world.sandbox.set_variable(BACKUP, NAME, "DEPLOY_MODE", "theirs");
    world.sandbox.clear_requests();
    world
}

fn waits(ran: &Ran) {
    assert_eq!(ran.code(), 3, "{}", ran.all());
    assert!(ran.all().contains("shares no commit with the source"), "{}", ran.all());
}

#[test]
fn nothing_at_all_is_changed_before_the_yes_whatever_asks_for_it() {
    let world = strange();
    let machine = world.machine();
    let before = everything(&world, BACKUP, NAME);
    assert_eq!(before.writes, Vec::<String>::new());
    let plan = machine.standin(&["plan", "--mirror", STANDBY]);
    waits(&plan);
    for fact in [BACKUP, "default branch `main`", "2 branches", "1 tag", "1 workflow,", "last push 20"] {
        assert!(plan.stdout.contains(fact), "{fact}: {}", plan.stdout);
    }
    for aspect in ["--code-only", "--secrets-only", "--vars-only", "--workflows-only"] {
        waits(&machine.standin(&["sync", "--mirror", STANDBY, aspect]));
        assert_eq!(everything(&world, BACKUP, NAME), before, "{aspect}");
    }
    let all = machine.standin(&["sync"]);
    waits(&all);
    assert_eq!(refs(&world.archive()), refs(&world.primary()), "the other mirror does not wait for it");
    let status = machine.json(&["status"]);
    assert_eq!(status["mirrors"][0]["status"], "blocked", "{status}");
    // The archive is in step, so that it is known who is master.
    for arguments in [
        &["promote", STANDBY, "--yes"][..],
        &["promote", STANDBY, "--yes", "--gone"],
        &["demote", STANDBY, "--yes"],
        &["drill", "--check"],
        &["health"],
        &["mirror", "test", STANDBY],
        &["sync", "--mirror", STANDBY, "--dry-run"],
        &["resolve", STANDBY, "main", "overwrite"],
        &["resolve", STANDBY, "refs/standin/fence", "overwrite"],
        // What came from there would be a commit that both share.
        &["resolve", STANDBY, "main", "take"],
        &["resolve", STANDBY, "topic", "take"],
        &["sync", "--mirror", STANDBY],
    ] {
        let ran = machine.standin(arguments);
        assert_eq!(everything(&world, BACKUP, NAME), before, "{arguments:?}: {}", ran.all());
        if arguments[0] == "promote" {
            assert_ne!(ran.code(), 0, "{}", ran.all());
        }
    }
    let tokens = format!("STANDIN_TOKEN={}\nMASTER_TOKEN={}\n", world.token, world.source_token);
    let ran = machine.standin_with(&["sentinel", "install", "--tokens", "--mirror", STANDBY], tokens.as_bytes());
    assert_ne!(ran.code(), 0, "{}", ran.all());
    assert_eq!(everything(&world, BACKUP, NAME), before, "{}", ran.all());
}

#[test]
fn after_the_yes_it_goes_and_is_not_asked_again() {
    let world = strange();
    let machine = world.machine();
    let theirs = refs(&world.standby());
    waits(&machine.standin(&["sync", "--mirror", STANDBY]));
    let ran = machine.standin(&["sync", "--mirror", STANDBY, "--yes"]);
    assert_eq!(ran.code(), 3, "main of the two has diverged: {}", ran.all());
    let now = refs(&world.standby());
    assert_eq!(now[&branch("topic")], refs(&world.primary())[&branch("topic")]);
    for (name, tip) in theirs {
        assert_eq!(now[&name], tip, "{name} waits for a decision");
    }
    assert_eq!(world.sandbox.variable(BACKUP, NAME, "MIRROR_ROLE").as_deref(), Some("SLAVE"));
    let again = machine.standin(&["sync", "--mirror", STANDBY]);
    assert!(!again.all().contains("shares no commit"), "{}", again.all());
    assert!(again.all().contains("has commits that the source does not have"), "{}", again.all());
    let other = world.machine().standin(&["sync", "--mirror", STANDBY]);
    assert!(!other.all().contains("shares no commit"), "another machine sees the fence: {}", other.all());
}

#[test]
fn a_mirror_for_secrets_alone_is_a_first_contact_too_and_asks_once() {
    let mut world = strange();
    for aspect in ["CODE", "VARS", "WORKFLOWS"] {
        world.set(&format!("MIRROR_1_SYNC_{aspect}"), Some("false"));
    }
    let machine = world.machine();
    let before = everything(&world, BACKUP, NAME);
    waits(&machine.standin(&["sync", "--mirror", STANDBY]));
    assert_eq!(everything(&world, BACKUP, NAME), before);
    let ran = machine.standin(&["sync", "--mirror", STANDBY, "--yes"]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    world.change_secret("RESEND_API_KEY");
    let ran = machine.standin(&["sync", "--mirror", STANDBY]);
    assert_eq!(ran.code(), 0, "{}", ran.all());
    let value = world.sandbox.secret_value(BACKUP, NAME, "RESEND_API_KEY").unwrap();
    assert_eq!(value, world.secrets["RESEND_API_KEY"].as_bytes());
    assert_eq!(all_refs(&world.standby()), before.refs);
}

#[test]
fn a_slip_in_the_name_changes_nothing_in_the_project_that_it_hits() {
    let mut world = world();
    world.sandbox.create_repository_blocking(BACKUP, "website", RepositorySpec::default()).unwrap();
    fill(&world.sandbox.repository_path(BACKUP, "website"));
    world.set("MIRROR_1_REPO", Some(&format!("{BACKUP}/website")));
    let machine = world.machine();
    world.sandbox.clear_requests();
    let before = everything(&world, BACKUP, "website");
    waits(&machine.standin(&["sync", "--mirror", STANDBY]));
    assert_eq!(everything(&world, BACKUP, "website"), before);
    world.set("MIRROR_1_REPO", Some(&format!("{BACKUP}/{NAME}")));
    let ran = machine.standin(&["sync", "--mirror", STANDBY]);
    assert_eq!(ran.code(), 0, "the right one is empty: {}", ran.all());
}

/// What stands in the archive before the first sync, and whether that waits for a yes.
fn archive(url: impl Fn(&mut World) -> PathBuf, before: impl Fn(&World, &Path), is_strange: bool) {
    let mut world = world();
    let path = url(&mut world);
    before(&world, &path);
    let machine = world.machine();
    let held = all_refs(&path);
    let ran = machine.standin(&["sync", "--mirror", ARCHIVE]);
    if !is_strange {
        assert!(!ran.all().contains("shares no commit"), "{}", ran.all());
        assert!(all_refs(&path).contains_key("refs/standin/fence"), "{}", ran.all());
        return;
    }
    waits(&ran);
    assert_eq!(all_refs(&path), held);
    waits(&machine.standin(&["plan", "--mirror", ARCHIVE]));
    machine.standin(&["sync", "--mirror", ARCHIVE, "--yes"]);
    let there = all_refs(&path);
    assert!(there.contains_key("refs/standin/fence"), "{there:?}");
    assert!(held.iter().all(|(name, tip)| there.get(name) == Some(tip)), "{there:?}");
}

fn in_a_folder(world: &mut World) -> PathBuf {
    world.archive()
}

fn over_http(world: &mut World) -> PathBuf {
    world.sandbox.create_repository_blocking(BACKUP, "elsewhere", RepositorySpec::default()).unwrap();
    // By the address of the machine that the configuration does not know as GitHub.
    let url = format!("{}/{BACKUP}/elsewhere.git", world.sandbox.server_url().replace("127.0.0.1", "localhost"));
    let token = world.token.clone();
    world.set("MIRROR_2_URL", Some(&url));
    world.set("MIRROR_2_TOKEN", Some(&token));
    world.sandbox.repository_path(BACKUP, "elsewhere")
}

/// What the primary has, as `git push --mirror` brings it.
fn copy(world: &World, path: &Path) {
    let repository = Repository::open_bare(path).unwrap();
    let mut remote = repository.remote_anonymous(world.primary().to_str().unwrap()).unwrap();
    remote.fetch(&["+refs/*:refs/*"], None, None).unwrap();
}

#[test]
fn a_folder_and_a_server_with_something_else_wait() {
    archive(in_a_folder, |_, path| fill(path), true);
    archive(over_http, |_, path| fill(path), true);
}

#[test]
fn what_shares_history_goes_on_also_where_it_is_ahead_everywhere() {
    archive(in_a_folder, copy, false);
    let ahead = |world: &World, path: &Path| {
        copy(world, path);
        for (name, tip) in refs(path) {
            set(path, &name, commit_in(path, Some(tip), &[("ahead.md", &name)]));
        }
    };
    archive(in_a_folder, ahead, false);
    archive(over_http, ahead, false);
    archive(over_http, |_, _| {}, false);
}

#[test]
fn tags_alone_make_a_stranger_and_so_does_history_with_the_same_files() {
    let tags = |_: &World, path: &Path| set(path, "refs/tags/v1.0", commit_in(path, None, &[("a.md", "a\n")]));
    archive(in_a_folder, tags, true);
    // What another Standin kept there is somebody's, too.
    let rescues = |_: &World, path: &Path| {
        let name = "refs/standin/rescue/20260101T000000Z/heads/main";
        set(path, name, commit_in(path, None, &[("a.md", "a\n")]));
    };
    archive(in_a_folder, rescues, true);
    // The very files of the source, one of them with a tag of its own on both sides, in other commits.
    let same_files = |world: &World, path: &Path| {
        let main = refs(&world.primary())[&branch("main")];
        let primary = Repository::open_bare(world.primary()).unwrap();
        let blob = primary.find_commit(main).unwrap().tree().unwrap().get_name("README.md").unwrap().id();
        set(&world.primary(), "refs/tags/readme", blob);
        let text = primary.find_blob(blob).unwrap().content().to_vec();
        let first = commit_in(path, None, &[("README.md", std::str::from_utf8(&text).unwrap()), ("b.md", "b\n")]);
        set(path, &branch("main"), first);
        set(path, "refs/tags/readme", blob);
    };
    archive(in_a_folder, same_files, true);
    archive(over_http, same_files, true);
}

#[tokio::test]
async fn a_mirror_that_a_stranger_fills_meanwhile_is_left_alone() {
    let pair = Pair::new();
    pair.source.commit_on("main", "ours");
    let machine = pair.machine("laptop");
    let ctx = machine.context().await;
    let mut planned = machine.plan_in(&ctx).await.unwrap();
    pair.mirror.commit_on("main", "theirs");
    let theirs = pair.mirror.refs();
    assert_eq!(failure(planned.apply(&ctx).await).code, Code::GuardHeld);
    assert_eq!((pair.mirror.refs(), pair.mirror.fence()), (theirs, None));
}

#[tokio::test]
async fn beside_an_empty_source_a_foreign_commit_is_nothing_to_be_in_step_with() {
    let pair = Pair::new();
    pair.mirror.commit_on("main", "theirs");
    let report = pair.machine("laptop").sync_with_yes().await.unwrap();
    assert_eq!((report.last_commit, report.behind), (None, None));
    assert_eq!(report.detail.as_deref(), Some("the source has no commits; 1 ref only on the mirror"));
}

#[test]
fn a_rescue_is_not_put_on_a_stranger() {
    let mut world = world();
    let machine: Machine = world.machine();
    assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 0);
    world.publish(&branch("topic"), None);
    assert_eq!(machine.standin(&["sync", "--mirror", ARCHIVE]).code(), 0);
    let id = machine.json(&["rescue", "list"])[0]["id"].as_str().unwrap().to_owned();
    let other = world.folder().join("other.git");
    bare(&other);
    fill(&other);
    world.set("MIRROR_3_TYPE", Some("git"));
    world.set("MIRROR_3_URL", Some(&other.display().to_string()));
    let before = all_refs(&other);
    waits(&machine.standin(&["rescue", "restore", &id, "--mirror", "mirror-3"]));
    assert_eq!(all_refs(&other), before);
}
