//! Every token and every secret is a canary: after syncs of all kinds it is found nowhere it may not be.

use std::fs;
use std::process::Command;
use std::time::Duration;

use standin_sandbox::{Effect, Fault, FaultMatcher, PushRefusal};
use standin_tests::canary::Watch;
use standin_tests::cli::{ARCHIVE, BACKUP, Machine, NAME, Ran, World, branch, refs};
use standin_tests::git::Sshd;

/// A world whose archive is reached by ssh, a machine that logs all it can, and a watch over both.
struct Scene {
    world: World,
    machine: Machine,
    watch: Watch,
    _sshd: Sshd,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
        let sshd = Sshd::start(&world.folder().join("sshd"));
        world.set("MIRROR_2_URL", Some(&sshd.url(&world.archive())));
        world.set("MIRROR_2_SSH_KEY_PATH", Some(&sshd.user_key.display().to_string()));
        let mut machine = world.machine().with("STANDIN_LOG", "trace").with("STANDIN_REQUEST_LIMIT", "10s");
        let watch = Watch::over(&world, &mut machine, &[]);
        let known = machine.standin(&["mirror", "test", ARCHIVE, "--accept-host-key"]);
        assert_eq!(known.code(), 0, "{}", known.stdout);
        Self { world, machine, watch, _sshd: sshd }
    }

    /// Runs `standin` while its processes are looked at.
    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_on(&self.machine, arguments)
    }

    fn run_on(&self, machine: &Machine, arguments: &[&str]) -> Ran {
        let running = machine.start(arguments);
        let _looking = self.watch.look(&self.world, running.id());
        running.wait()
    }

    fn change(&mut self) {
        let before = refs(&self.world.primary());
        let (path, text) = self.world.new_workflow("nightly");
        let ahead = self.world.commit(Some(before[&branch("main")]), &[("README.md", "# Ahead\n"), (&path, &text)]);
        let rewritten = self.world.commit(Some(before[&branch("old")]), &[("topic.txt", "two\n")]);
        self.world.publish(&branch("main"), Some(ahead));
        self.world.publish(&branch("topic"), Some(rewritten));
        self.world.change_secret("RESEND_API_KEY");
        self.watch.add(&self.world.secrets["RESEND_API_KEY"]);
    }

    fn assert_clean(&self) {
        let findings = self.watch.findings(&self.world);
        assert!(findings.is_empty(), "secrets are in:\n{}", findings.join("\n"));
        let left: Vec<_> = fs::read_dir(self.world.folder().join("tmp")).unwrap().flatten().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

#[test]
fn after_syncs_that_end_well_no_secret_is_anywhere() {
    let mut scene = Scene::new();
    let first = scene.run(&["sync"]);
    assert_eq!(first.code(), 0, "{}", first.stdout);
    assert!(first.stderr.contains("TRACE"), "it logs");
    scene.change();
    let changed = scene.run(&["sync", "--json"]);
    assert_eq!(changed.code(), 0, "{}", changed.stdout);
    for arguments in [
        &["plan", "--json"][..],
        &["health"],
        &["status", "--json"],
        &["history", "--json"],
        &["history", "--audit"],
        &["token", "check", "--json"],
        &["mirror", "test", "mirror-1"],
        &["rescue", "list"],
    ] {
        let ran = scene.run(arguments);
        assert_eq!(ran.code(), 0, "{arguments:?}: {}", ran.stdout);
    }
    let watch = &scene.watch;
    for program in ["/git", "/git-remote-http", "/gh", "/ssh"] {
        assert!(watch.starts(program) > 0, "{program} was recorded");
    }
    assert!(watch.looked_at() > 5, "processes were looked at");
    scene.assert_clean();
}

#[test]
fn after_syncs_that_fail_no_secret_is_anywhere() {
    let mut scene = Scene::new();
    let wrong = format!("ghp_{:032x}wrong", rand::random::<u128>());
    scene.watch.add(&wrong);
    let refused = scene.run_on(&scene.machine.with("MIRROR_1_TOKEN", &wrong), &["sync"]);
    assert_eq!(refused.code(), 1, "{}", refused.stdout);

    let refusal = PushRefusal {
        refs: branch("main"),
        reason: "declined".to_owned(),
        remote_lines: vec![format!("your token {} may not do this", scene.world.token)],
    };
    scene.world.sandbox.refuse_pushes(BACKUP, NAME, refusal);
    let declined = scene.run(&["sync"]);
    assert_eq!(declined.code(), 1, "{}", declined.stdout);
    scene.world.sandbox.clear_refusals(BACKUP, NAME);

    scene.change();
    let anything = |path: &str| FaultMatcher { path: Some(path.to_owned()), ..FaultMatcher::any() };
    for (path, effect) in [
        ("/ada-backup/orchestrator.git/git-receive-pack", Effect::CutAfter),
        ("/repos/*/*/actions/secrets/*", Effect::CutBefore),
        ("/repos/*/*/actions/variables", Effect::CutAfter),
        ("/repos/*/*/actions/permissions", Effect::Status { status: 502, retry_after: None }),
        ("/ada/orchestrator.git/info/refs", Effect::CutBefore),
        ("/repos/*/*/actions/secrets/public-key", Effect::Latency(Duration::from_millis(200))),
    ] {
        scene.world.sandbox.add_fault(Fault::once(anything(path), effect));
    }
    scene.run(&["sync"]);
    scene.world.sandbox.set_down(true);
    let down = scene.run(&["sync", "--mirror", "mirror-1", "--json"]);
    assert_eq!(down.code(), 1, "{}", down.stdout);
    scene.world.sandbox.set_down(false);
    let last = scene.run(&["sync"]);
    assert_eq!(last.code(), 0, "{}", last.stdout);
    scene.assert_clean();
}

/// The check itself: a secret in any of these places is found, and named.
#[test]
fn a_secret_that_is_planted_anywhere_is_found() {
    let scene = Scene::new();
    let (world, secret) = (&scene.world, scene.world.token.clone());
    let basic = format!("eC1hY2Nlc3MtdG9rZW46{}", base64_of(&secret));
    scene.assert_clean();
    let found = |wanted: &str, plant: &dyn Fn(), remove: &dyn Fn()| {
        plant();
        let findings = scene.watch.findings(world);
        assert!(findings.iter().any(|finding| finding.contains(wanted)), "{wanted}: {findings:?}");
        remove();
    };
    let state = scene.machine.state.join("ada.orchestrator");
    for place in [state.join("x"), world.said().join("x"), world.folder().join("tmp/x"), world.folder().join("home/x")]
    {
        for text in [&secret, &basic] {
            let plant = || fs::write(&place, format!("{text} ")).unwrap();
            found(&place.display().to_string(), &plant, &|| fs::remove_file(&place).unwrap());
        }
    }
    let path = &scene.machine.environment["PATH"];
    let run = |program: &str, variable: (&str, &str), argument: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$@\" >/dev/null 2>&1", program, argument]).env_clear().env("PATH", path);
        command.env("HOME", world.folder().join("home"));
        command.env(variable.0, variable.1).status().unwrap();
    };
    scene.assert_clean();
    run("gh", ("GH_TOKEN", &secret), "--version");
    scene.assert_clean();
    let nothing = ("NOTHING", "");
    found("environment of", &|| run("gh", ("OTHER", &secret), "--version"), &|| {});
    found("argument of", &|| run("gh", nothing, &secret), &|| {});
    let scene = Scene::new();
    let secret = scene.world.token.clone();
    let object = git2::Repository::open_bare(scene.world.standby()).unwrap();
    object.blob(format!("{{\"token\": \"{secret}\"}}").as_bytes()).unwrap();
    let findings = scene.watch.findings(&scene.world);
    assert!(findings.iter().any(|finding| finding.starts_with("object ")), "{findings:?}");
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(text)
}
