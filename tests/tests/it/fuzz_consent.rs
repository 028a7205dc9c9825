//! Whatever stands in the `.env` of a clone and in standin.toml: before the owner's yes nothing of the clone's leads to a
//! request, a program or an opened keychain.
//!
//! Here it is a property test with a bounded number of inputs. With `cargo bolero test -p standin-tests --test it fuzz_consent::no_input_acts_before_a_yes`
//! (and a nightly compiler) the same target runs under libFuzzer for as long as one likes.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use secrecy::SecretString;
use standin_core::Result;
use standin_core::engine::{Engine, EngineOptions, RoleGoal, RoleRequest, SyncRequest};
use standin_core::outside::{Gh, GhCall, GhOutput, Keychain, Outside, Silent, SystemClock};
use standin_core::state::config::{LoadRequest, RepositoryConfig};
use standin_core::state::model::{MirrorId, RepositoryId};
use standin_core::tokens::Place;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What stands in no file but the stranger's.
const STRANGER: &str = "stranger";

/// How often the outside was asked for anything.
#[derive(Default)]
struct Asked {
    gh: AtomicUsize,
    keychain: AtomicUsize,
}

#[async_trait]
impl Gh for Asked {
    async fn run(&self, _call: GhCall) -> Result<GhOutput> {
        self.gh.fetch_add(1, Ordering::SeqCst);
        Ok(GhOutput { status: Some(1), stdout: String::new(), stderr: String::new() })
    }
}

#[async_trait]
impl Keychain for Asked {
    async fn get(&self, _account: &str) -> Result<Option<SecretString>> {
        self.keychain.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }

    async fn set(&self, _account: &str, _value: &SecretString) -> Result<()> {
        self.keychain.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn remove(&self, _account: &str) -> Result<bool> {
        self.keychain.fetch_add(1, Ordering::SeqCst);
        Ok(false)
    }
}

/// A clone, an empty configuration folder, programs that leave a trace, and a host that hears who knocks.
struct Scene {
    folder: TempDir,
    host: TcpListener,
    asked: Arc<Asked>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scene = Self { folder, host: TcpListener::bind("127.0.0.1:0").unwrap(), asked: Arc::default() };
        scene.host.set_nonblocking(true).unwrap();
        let clone = git2::Repository::init(scene.clone_folder()).unwrap();
        clone.remote("origin", "https://github.com/owner/site.git").unwrap();
        for folder in ["bin", "config", "home"] {
            fs::create_dir(scene.at(folder)).unwrap();
        }
        for program in ["git", "ssh", "gh", "sh"] {
            let path = scene.at("bin").join(program);
            fs::write(&path, format!("#!/bin/sh\necho {program} >> {}\n", scene.at("ran").display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        scene
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn clone_folder(&self) -> PathBuf {
        self.at("site")
    }

    fn options(&self) -> EngineOptions {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let host = format!("http://{}", self.host.local_addr().unwrap());
        let environment = BTreeMap::from(
            [
                ("PATH", text(self.at("bin"))),
                ("HOME", text(self.at("home"))),
                ("GITHUB_API_URL", host.clone()),
                ("GITHUB_SERVER_URL", host),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        EngineOptions {
            state_dir: self.at("state"),
            load: LoadRequest {
                environment: environment.clone(),
                repo: None,
                config_file: None,
                current_dir: self.clone_folder(),
                default_config_dir: self.at("config"),
                repository: None,
                instead: None,
            },
            outside: Outside {
                gh: self.asked.clone(),
                keychain: self.asked.clone(),
                progress: Arc::new(Silent),
                clock: Arc::new(SystemClock),
                credential_helper: self.at("bin").join("git"),
                environment: Arc::new(environment),
            },
            actor: "fuzz".to_owned(),
        }
    }

    /// Puts the two files there and does everything that can be done with what waits.
    fn play(&self, env: &[u8], toml: &str) {
        fs::write(self.clone_folder().join(".env"), env).unwrap();
        fs::write(self.at("config").join("standin.toml"), toml).unwrap();
        let Ok((engine, _)) = Engine::open(self.options()) else { return };
        let config = engine.config();
        for repository in &config.repositories {
            match repository.consent.question() {
                Some(_) => act(&engine, repository),
                None => assert!(!names_the_stranger(repository), "{repository:?}"),
            }
        }
        let shown = |what: &str| format!("{what}\n.env:\n{}\nstandin.toml:\n{toml}", String::from_utf8_lossy(env));
        assert_eq!(self.asked.gh.load(Ordering::SeqCst), 0, "{}", shown("gh was started"));
        assert_eq!(self.asked.keychain.load(Ordering::SeqCst), 0, "{}", shown("the keychain was opened"));
        assert!(self.host.accept().is_err(), "{}", shown("the host was asked"));
        let ran = fs::read_to_string(self.at("ran")).unwrap_or_default();
        assert!(ran.is_empty(), "{}", shown(&ran));
    }
}

/// Whether anything that routes comes from the clone.
fn names_the_stranger(repository: &RepositoryConfig) -> bool {
    let places = repository.places().any(|(_, place)| place.as_str().contains(STRANGER));
    let travels = repository.secrets.patterns.iter().chain(&repository.variables.patterns);
    places || travels.into_iter().any(|name| name.contains(&STRANGER.to_uppercase()))
}

/// Everything that reaches outside, of a repository that waits for its owner's yes.
fn act(engine: &Engine, repository: &RepositoryConfig) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let id: &RepositoryId = &repository.id;
        let here = Some(id);
        let request = SyncRequest { repository: here.cloned(), yes: true, ..SyncRequest::default() };
        let mut waits = vec![
            engine.plan(&request).await.map(drop),
            engine.health(here, None).await.map(drop),
            engine.drill_check(here).await.map(drop),
            engine.sentinel_check(here).await.map(drop),
            engine.token_check(here, &Place::Source).await.map(drop),
            engine.secrets(here).map(drop),
            engine.secret_remove(here, "NAME").await.map(drop),
        ];
        waits.push(match engine.sync(request) {
            Ok(job) => {
                let mut errors = job.finished().await.mirrors.into_iter().filter_map(|outcome| outcome.error);
                errors.next_back().map_or(Ok(()), Err)
            }
            Err(error) => Err(error),
        });
        for mirror in repository.mirrors.iter().map(|mirror| &mirror.id).chain([&MirrorId::source()]) {
            waits.push(engine.mirror_test(here, mirror).await.map(drop));
            waits.push(engine.token_check(here, &Place::Mirror(mirror.clone())).await.map(drop));
            for goal in [RoleGoal::Promote, RoleGoal::Demote] {
                let request =
                    RoleRequest { repository: here.cloned(), mirror: mirror.clone(), goal, gone: true, yes: true };
                waits.push(engine.role_plan(&request).await.map(drop));
                waits.push(engine.change_role(&request, CancellationToken::new()).await.map(drop));
            }
        }
        for (number, waited) in waits.into_iter().enumerate() {
            let error = waited.expect_err("it does not go on");
            assert!(error.code.waits() || !repository.enabled, "{number}: {error:?}");
        }
    });
}

/// Lines of a file: each byte takes a piece, so that inputs of a fuzzer are lines that mean something, and those of
/// a property test too; what stands after a byte of 255 is taken as it is.
fn text(bytes: &[u8], pieces: &[&str]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut bytes = bytes.iter();
    while let Some(&byte) = bytes.next() {
        if byte == u8::MAX {
            text.extend(bytes.by_ref().take(6));
        } else {
            text.extend_from_slice(pieces[usize::from(byte) % pieces.len()].as_bytes());
        }
    }
    text
}

const ENV: [&str; 40] = [
    "MIRROR_ENABLED=true\n",
    "MIRROR_1_TYPE=github\n",
    "MIRROR_1_TYPE=git\n",
    "MIRROR_2_TYPE=git\n",
    "MIRROR_1_REPO=stranger/site\n",
    "MIRROR_1_REPO='stranger/site'\n",
    "MIRROR_2_URL=https://stranger.example/site.git\n",
    "MIRROR_2_URL=ssh://git@stranger.example/site.git\n",
    "MIRROR_1_URL=./stranger\n",
    "MIRROR_2_URL=/tmp/stranger.git\n",
    "MIRROR_2_SSH_KEY_PATH=stranger.key\n",
    "MIRROR_1_TOKEN=ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
    "MIRROR_SOURCE=stranger/source\n",
    "MIRROR_SOURCE=https://stranger.example/source.git\n",
    "MIRROR_SOURCE_TOKEN=ghp_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\n",
    "MIRROR_SECRETS=STRANGER_*\n",
    "MIRROR_SECRETS=*\n",
    "MIRROR_VARS=STRANGER\n",
    "MIRROR_ENABLED=false\n",
    "MIRROR_1_ENABLED=false\n",
    "MIRROR_1_SYNC_CODE=false\n",
    "STRANGER_KEY=value\n",
    "STANDIN_ALLOW=0123456789abcdef0123456789abcdef\n",
    "STANDIN_CONFIG=/tmp/stranger.toml\n",
    "STANDIN_STATE_DIR=/tmp/stranger\n",
    "STANDIN_SCHEDULE=on\n",
    "GITHUB_API_URL=http://stranger.example\n",
    "GH_HOST=stranger.example\n",
    "PATH=/tmp/stranger\n",
    "export ",
    "MIRROR_3_",
    "MIRROR_1_",
    "TYPE=",
    "REPO=",
    "stranger",
    "\"",
    "'",
    "\\\n",
    "$(stranger)",
    "\n# ",
];

const TOML: [&str; 22] = [
    "[[repository]]\nid = \"mine\"\n",
    "[[repository]]\nid = \"site\"\nsource = \"owner/site\"\n",
    "[[repository]]\nid = \"other\"\nsource = \"owner/other\"\n",
    "path = \"../site\"\n",
    "env_file = \".env\"\n",
    "env_file = \"../site/.env\"\n",
    "secrets = [\"KEY\"]\n",
    "secrets = [\"*\"]\n",
    "variables = [\"*\"]\n",
    "enabled = true\n",
    "[[repository.mirror]]\nid = \"mirror-1\"\ntype = \"github\"\nrepo = \"owner/backup\"\n",
    "[[repository.mirror]]\nid = \"archive\"\ntype = \"git\"\nurl = \"https://archive.example/site.git\"\n",
    "hooks = true\n",
    "sync = [\"code\"]\n",
    "[schedule]\ninterval = \"2h\"\n",
    "[limits]\nparallel = 4\n",
    "enabled = false\n",
    "\n",
    "=",
    "\"",
    "[",
    "x = 1\n",
];

#[test]
fn no_input_acts_before_a_yes() {
    let scene = Scene::new();
    bolero::check!().with_type::<(Vec<u8>, Vec<u8>)>().with_iterations(400).with_max_len(48).for_each(|(env, toml)| {
        scene.play(&text(env, &ENV), &String::from_utf8_lossy(&text(toml, &TOML)));
    });
}

/// The target sees what it looks for: a repository of the clone's that waits, one of the user's own beside it, and a
/// program that is started leaves its trace.
#[test]
fn the_target_is_not_blind() {
    let scene = Scene::new();
    fs::write(
        scene.clone_folder().join(".env"),
        "MIRROR_ENABLED=true\nMIRROR_2_TYPE=git\nMIRROR_2_URL=/tmp/stranger.git\n",
    )
    .unwrap();
    let toml = "[[repository]]\nid = \"mine\"\nsource = \"owner/other\"\n[[repository.mirror]]\nid = \"a\"\ntype = \"git\"\nurl = \"https://archive.example/site.git\"\n";
    fs::write(scene.at("config").join("standin.toml"), toml).unwrap();
    let (engine, _) = Engine::open(scene.options()).unwrap();
    let config = engine.config();
    let (waiting, own): (Vec<_>, Vec<_>) =
        config.repositories.iter().partition(|repository| repository.consent.question().is_some());
    assert!(waiting.len() == 1 && own.len() == 1, "{config:?}");
    assert!(names_the_stranger(waiting[0]) && !names_the_stranger(own[0]), "{config:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _ = runtime.block_on(engine.health(Some(&own[0].id), None));
    let _ = runtime.block_on(engine.token_check(Some(&own[0].id), &Place::Source));
    assert!(Path::new(&scene.at("ran")).exists(), "git was started");
    assert!(scene.asked.keychain.load(Ordering::SeqCst) > 0);
}
