//! A mirror that is looked at and set up in one go, as the window does it: with tokens and values that were typed, and nothing
//! written anywhere before the person says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use standin_core::Code;
use standin_core::engine::{Engine, SetUpRequest, SyncOutcome, SyncRequest, TypedTokens, Where};
use standin_core::event::Notice;
use standin_core::keychain::{Manner, OsKeychain, SessionKeychain};
use standin_core::outside::SystemClock;
use standin_core::setup::{MirrorChange, MirrorLook, MirrorRequest, PlaceState, SourceLook};
use standin_core::state::config::edit::{MirrorKey, Setting};
use standin_core::state::model::{Aspect, MirrorType};
use standin_sandbox::{RepositorySpec, TokenSpec};
use standin_tests::cli::{BACKUP, Machine, NAME, OWNER, World, branch, commit_in, refs, set};
use standin_tests::git::bare;
use standin_tests::keyring::in_a_session;
use standin_tests::local::Local;
use standin_tests::standby::NoKeychain;

/// Whose account the new standby is in.
const SECOND: &str = "ada-second";

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_standin-under-test")
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn add(source: &str, kind: MirrorType, settings: &[(MirrorKey, &str)]) -> MirrorRequest {
    MirrorRequest {
        repository: None,
        form: None,
        change: MirrorChange::Add {
            source: Some(source.to_owned()),
            clone: None,
            mirror: None,
            kind,
            settings: settings.iter().map(|(key, value)| Setting { key: *key, value: (*value).into() }).collect(),
        },
    }
}

fn standby(place: &str) -> MirrorRequest {
    add(&format!("{OWNER}/{NAME}"), MirrorType::GitHub, &[(MirrorKey::Repo, place)])
}

/// A world, a third account with a token, and a window on it.
struct Desk {
    world: World,
    token: String,
    session: SessionKeychain,
    engine: Engine,
    machine: Machine,
    runtime: tokio::runtime::Runtime,
}

impl Desk {
    fn new() -> Self {
        Self::over(Arc::new(|_: &Machine| SessionKeychain::over(Arc::new(NoKeychain))))
    }

    fn over(keychain: Arc<dyn Fn(&Machine) -> SessionKeychain>) -> Self {
        let world = World::new(program());
        world.sandbox.create_account(SECOND);
        let token = world.sandbox.create_token(SECOND, TokenSpec::classic(&["repo", "workflow"]));
        let mut machine = world.machine();
        if let Ok(bus) = std::env::var("DBUS_SESSION_BUS_ADDRESS") {
            machine = machine.with("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        let session = keychain(&machine);
        let engine = machine.engine(Arc::new(session.clone()), Arc::new(SystemClock));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Self { world, token, session, engine, machine, runtime }
    }

    fn typed(&self) -> TypedTokens {
        TypedTokens { source: Some(secret(&self.world.source_token)), mirror: Some(secret(&self.token)) }
    }

    fn sync(&self, request: SyncRequest) -> SyncOutcome {
        self.runtime.block_on(async { self.engine.sync(request).unwrap().finished().await })
    }

    fn toml(&self) -> PathBuf {
        self.world.folder().join("home/.config/standin/standin.toml")
    }

    fn look_at_source(&self, request: &MirrorRequest, tokens: &TypedTokens) -> SourceLook {
        self.runtime.block_on(self.engine.setup_source(request, tokens)).unwrap()
    }

    fn look_at_mirror(&self, request: &MirrorRequest, tokens: &TypedTokens) -> MirrorLook {
        self.runtime.block_on(self.engine.setup_mirror(request, tokens)).unwrap()
    }

    /// Everything that could be written: the configuration, the clone, what is remembered, and the repositories.
    fn everything(&self) -> BTreeMap<String, Vec<u8>> {
        let mut found = BTreeMap::new();
        for folder in ["home", "clone", "github", "archive.git"] {
            files(&self.world.folder().join(folder), &mut found);
        }
        files(&self.world.clone_path(), &mut found);
        found.insert("the memory".to_owned(), memory(&self.machine.state).into_bytes());
        found
    }
}

fn files(folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(content) = fs::read(&path) {
            found.insert(path.display().to_string(), content);
        }
    }
}

/// Every row that is remembered.
fn memory(state: &Path) -> String {
    let store = rusqlite::Connection::open(state.join("standin.db")).unwrap();
    let mut tables = store.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(tables.iter().any(|table| table == "facts"), "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let mut rows = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let width = rows.column_count();
        let rows = rows.query_map([], |row| {
            let cells = (0..width).map(|at| row.get::<_, rusqlite::types::Value>(at).map(|cell| format!("{cell:?}")));
            cells.collect::<Result<Vec<_>, _>>()
        });
        for row in rows.unwrap() {
            all += &format!("{table}: {}\n", row.unwrap().join(", "));
        }
    }
    all
}

fn temporary() -> BTreeSet<String> {
    let entries = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn said(notices: &[Notice]) -> String {
    notices.iter().map(|notice| notice.message.clone()).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_looked_at_is_told_by_name_and_nothing_is_written_or_left_behind() {
    in_a_session(module_path!(), "looked_at", &["all"]);
}

#[test]
#[ignore = "started by the test above in a session with a folder for temporary files of its own"]
fn looked_at() {
    let desk = Desk::new();
    for name in desk.world.secrets.keys() {
        desk.world.sandbox.set_secret(OWNER, NAME, name, b"x");
    }
    let (before, folders) = (desk.everything(), temporary());
    assert!(before.len() > 20, "there is much that could be written over");

    let look = desk.look_at_source(&standby(&format!("{SECOND}/{NAME}")), &desk.typed());
    assert_eq!((look.error.as_ref(), look.is_known, look.is_github), (None, false, true), "{look:?}");
    assert_eq!(look.token.as_ref().map(|token| &*token.login), Some(OWNER), "{look:?}");
    let part = |aspect: Aspect| look.parts.iter().find(|part| part.aspect == aspect).unwrap();
    let names: Vec<String> = desk.world.secrets.keys().cloned().collect();
    assert_eq!(part(Aspect::Secrets).names, names);
    assert_eq!(part(Aspect::Secrets).without_value, names, "no value of them is known here");
    assert_eq!(part(Aspect::Variables).names, ["MASTER_REPO"]);
    assert_eq!(part(Aspect::Workflows).names, ["cron.yml", "deploy.yml", "test.yml"]);
    assert!(part(Aspect::Code).names.contains(&"main".to_owned()), "{look:?}");
    assert_eq!(part(Aspect::Code).count, refs(&desk.world.primary()).len());
    // Without a step of the mirror's in it, the same.
    let early = desk.look_at_source(&add(&format!("{OWNER}/{NAME}"), MirrorType::GitHub, &[]), &desk.typed());
    assert_eq!(early, look);

    let absent = desk.look_at_mirror(&standby(&format!("{SECOND}/{NAME}")), &desk.typed());
    assert_eq!((absent.state, absent.error.as_ref()), (PlaceState::Absent, None), "{absent:?}");
    assert_eq!((absent.login.as_deref(), absent.is_of_gh), (Some(SECOND), false));

    let own = TypedTokens { mirror: Some(secret(&desk.world.source_token)), ..desk.typed() };
    let same = desk.look_at_mirror(&standby(&format!("{OWNER}/other")), &own);
    assert!(said(&same.notices).contains(&format!("if {OWNER} is suspended")), "{same:?}");

    assert_eq!(desk.everything(), before, "something was written");

    // One with something in it: what the first sync would do there.
    let there = TypedTokens { mirror: Some(secret(&desk.world.token)), ..desk.typed() };
    let place = desk.world.standby();
    set(&place, &branch("work"), commit_in(&place, None, &[("theirs.txt", "theirs\n")]));
    let before_filled = desk.everything();
    let filled = desk.look_at_mirror(&standby(&format!("{BACKUP}/{NAME}")), &there);
    assert_eq!((filled.state, filled.error.as_ref()), (PlaceState::Filled, None), "{filled:?}");
    let plan = serde_json::to_string(&filled.plan.unwrap()).unwrap();
    assert!(plan.contains("refs/heads/work") && plan.contains("refs/heads/main"), "{plan}");
    assert_eq!(desk.everything(), before_filled, "something was written");

    for canary in desk.world.canaries() {
        let told = format!("{look:?} {absent:?} {same:?} {plan}");
        assert!(!told.contains(&canary), "it is told");
    }
    assert_eq!(temporary(), folders, "something was left behind");
}

#[test]
fn what_cannot_be_looked_at_is_said_and_does_not_end_the_look() {
    let desk = Desk::new();
    let place = format!("{SECOND}/{NAME}");
    let bad = TypedTokens { source: Some(secret("ghp_nothing")), mirror: Some(secret("ghp_nothing")) };
    let refused = desk.look_at_source(&standby(&place), &bad);
    assert_eq!(refused.error.as_ref().map(|error| error.code), Some(Code::Unauthorized), "{refused:?}");
    let refused = desk.look_at_mirror(&standby(&place), &bad);
    assert_eq!(refused.state, PlaceState::Unseen);
    assert_eq!(refused.error.as_ref().map(|error| error.code), Some(Code::Unauthorized), "{refused:?}");
    // None was typed, and gh is not signed in.
    let none = desk.look_at_mirror(&standby(&place), &TypedTokens::default());
    assert_eq!(none.error.as_ref().map(|error| error.code), Some(Code::TokenMissing), "{none:?}");
    assert!(none.is_of_gh && none.login.is_none(), "{none:?}");
    // A source that nobody sees with this token.
    let elsewhere = add(&format!("{OWNER}/nowhere"), MirrorType::GitHub, &[(MirrorKey::Repo, &place)]);
    let unseen = desk.look_at_source(&elsewhere, &desk.typed());
    assert_eq!(unseen.error.as_ref().map(|error| error.code), Some(Code::RepositoryNotFound), "{unseen:?}");
    // What cannot be a mirror at all is the mistake of who asked.
    let itself = desk.engine.mirror_draft(&standby(&format!("{OWNER}/{NAME}"))).unwrap_err();
    assert!(itself.message.contains("is the source itself"), "{itself:?}");
}

#[test]
fn an_archive_is_looked_at_where_it_is_and_where_it_is_not() {
    let local = Local::new(program(), &["--bare"]);
    let engine = local.engine();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let look = |place: &Path| {
        let source = local.source.display().to_string();
        let request = add(&source, MirrorType::Git, &[(MirrorKey::Url, &place.display().to_string())]);
        let request = MirrorRequest { repository: Some("site".parse().unwrap()), ..request };
        runtime.block_on(engine.setup_mirror(&request, &TypedTokens::default())).unwrap()
    };
    let place = local.folder().join("second.git");
    bare(&place);
    let there = look(&place);
    assert_eq!((there.error, there.host_key), (None, None));
    let missing = look(&local.folder().join("nowhere.git"));
    assert!(missing.error.as_ref().is_some_and(|error| error.to_string().contains("nowhere.git")), "{missing:?}");
    assert!(refs(&place).is_empty() && !local.folder().join("nowhere.git").exists());
}

#[test]
fn what_was_typed_is_kept_where_it_is_wished_and_works_at_once() {
    in_a_session(module_path!(), "set_up", &["keychain"]);
}

#[test]
#[ignore = "started by the test above in a session with a keychain"]
fn set_up() {
    let of_session =
        |machine: &Machine| SessionKeychain::over(Arc::new(OsKeychain::new(Manner::MayAsk, &machine.environment)));
    let desk = Desk::over(Arc::new(of_session));
    let place = format!("{SECOND}/{NAME}");
    for name in desk.world.secrets.keys() {
        desk.world.sandbox.set_secret(OWNER, NAME, name, b"x");
    }
    let draft = desk.engine.mirror_draft(&standby(&place)).unwrap();
    assert!(!desk.toml().exists());
    let values: BTreeMap<String, SecretString> =
        desk.world.secrets.iter().map(|(name, value)| (name.clone(), secret(value))).collect();
    let request =
        SetUpRequest { draft: &draft, create: true, tokens: &desk.typed(), values: &values, keep: Where::Keychain };
    let done = desk.runtime.block_on(desk.engine.set_up(request)).unwrap();
    assert!(done.troubles.is_empty(), "{done:?}");
    let made = done.created.as_ref().unwrap();
    assert!(made.is_new && made.is_private && made.is_empty && made.login == SECOND, "{made:?}");
    let text = fs::read_to_string(desk.toml()).unwrap();
    for canary in desk.world.canaries().iter().chain([&desk.token]) {
        assert!(!text.contains(canary), "a secret is in the file");
    }

    // Another program finds all of it: the tokens and values are in the keychain and the vault.
    let elsewhere = Machine { folder: desk.world.folder().join("home"), ..desk.machine.clone() };
    // The names were shown and typed; nothing was there.
    let synced = elsewhere.standin(&["sync", "--yes"]);
    assert_eq!(synced.code(), 0, "{}", synced.all());
    assert_eq!(refs(&desk.world.sandbox.repository_path(SECOND, NAME)), refs(&desk.world.primary()));
    let secrets = desk.world.sandbox.secrets(SECOND, NAME);
    assert_eq!(secrets.len(), desk.world.secrets.len(), "{}", synced.all());
    for (name, value) in &desk.world.secrets {
        let there = desk.world.sandbox.secret_value(SECOND, NAME, name);
        assert_eq!(there.as_deref(), Some(value.as_bytes()), "{name}");
    }

    // A second one knows the source, its token and the values by now.
    desk.world.sandbox.create_account("ada-third");
    let look = desk.look_at_source(&standby("ada-third/orchestrator"), &TypedTokens::default());
    assert!(look.is_known && look.error.is_none(), "{look:?}");
    let secrets = look.parts.iter().find(|part| part.aspect == Aspect::Secrets).unwrap();
    assert!(secrets.without_value.is_empty(), "{secrets:?}");
}

#[test]
fn what_cannot_be_kept_is_told_and_a_session_keeps_it_instead() {
    let desk = Desk::new();
    let place = format!("{SECOND}/{NAME}");
    let draft = desk.engine.mirror_draft(&standby(&place)).unwrap();
    let (tokens, values) = (desk.typed(), BTreeMap::new());
    let request = |keep| SetUpRequest { draft: &draft, create: true, tokens: &tokens, values: &values, keep };
    let done = desk.runtime.block_on(desk.engine.set_up(request(Where::Keychain))).unwrap();
    let codes: Vec<Code> = done.troubles.iter().map(|error| error.code).collect();
    assert_eq!(codes, [Code::KeychainUnavailable; 2], "{done:?}");
    for (trouble, place) in done.troubles.iter().zip(["source", "standby"]) {
        assert!(trouble.to_string().contains(&format!("the token of {place} is not kept")), "{trouble}");
        assert!(!desk.world.canaries().iter().any(|canary| trouble.to_string().contains(canary)));
    }
    assert!(desk.toml().exists(), "the mirror is written all the same");

    let kept = desk.runtime.block_on(desk.engine.keep_typed(&request(Where::Session(&desk.session))));
    assert!(kept.is_empty(), "{kept:?}");
    let synced = desk.sync(SyncRequest::default());
    assert!(synced.mirrors.iter().all(|outcome| outcome.error.is_none()), "{synced:?}");
    assert_eq!(refs(&desk.world.sandbox.repository_path(SECOND, NAME)), refs(&desk.world.primary()));
}

#[test]
fn a_place_that_cannot_be_made_leaves_nothing_written_and_a_file_that_changed_stops_before_that() {
    let desk = Desk::new();
    let place = format!("{SECOND}/{NAME}");
    let draft = desk.engine.mirror_draft(&standby(&place)).unwrap();
    let weak = desk.world.sandbox.create_token(SECOND, TokenSpec::classic(&[]));
    let tokens = TypedTokens { mirror: Some(secret(&weak)), ..desk.typed() };
    let values = BTreeMap::new();
    let request = |tokens| SetUpRequest { draft: &draft, create: true, tokens, values: &values, keep: Where::Keychain };
    let refused = desk.runtime.block_on(desk.engine.set_up(request(&tokens))).unwrap_err();
    assert!(refused.to_string().contains("may not make"), "{refused:?}");
    assert!(!desk.toml().exists());

    fs::create_dir_all(desk.toml().parent().unwrap()).unwrap();
    fs::write(desk.toml(), "# mine\n").unwrap();
    let raced = desk.runtime.block_on(desk.engine.set_up(request(&desk.typed()))).unwrap_err();
    assert_eq!(raced.code, Code::Raced, "{raced:?}");
    assert!(desk.world.sandbox.find_repository_path(SECOND, NAME).is_none(), "nothing was made before that");
    assert_eq!(fs::read_to_string(desk.toml()).unwrap(), "# mine\n");

    // One that is there is taken as it is.
    desk.world.sandbox.create_repository_blocking(SECOND, NAME, RepositorySpec::default()).unwrap();
    let draft = desk.engine.mirror_draft(&standby(&place)).unwrap();
    let tokens = desk.typed();
    let request = SetUpRequest {
        draft: &draft,
        create: true,
        tokens: &tokens,
        values: &values,
        keep: Where::Session(&desk.session),
    };
    let done = desk.runtime.block_on(desk.engine.set_up(request)).unwrap();
    assert!(!done.created.unwrap().is_new);
    assert!(fs::read_to_string(desk.toml()).unwrap().starts_with("# mine\n"), "what stood there stays");
}

#[test]
fn a_clone_that_is_named_has_no_say_before_its_owners_yes() {
    let desk = Desk::new();
    let place = format!("{SECOND}/{NAME}");
    let clone = desk.world.clone_path();
    let request = MirrorRequest {
        repository: None,
        form: None,
        change: MirrorChange::Add {
            source: Some(format!("{OWNER}/{NAME}")),
            clone: Some(clone.clone()),
            mirror: None,
            kind: MirrorType::GitHub,
            settings: vec![Setting { key: MirrorKey::Repo, value: (&*place).into() }],
        },
    };
    let found = desk.engine.found_source(&clone).unwrap();
    assert_eq!((&*found.source, found.repository), (&*format!("{OWNER}/{NAME}"), None));

    // Its `.env` names tokens, mirrors and values: none of them is used for a look.
    let look = desk.look_at_source(&request, &TypedTokens::default());
    assert!(look.token.is_none(), "the token of a file that nobody said yes to: {look:?}");
    let typed = desk.look_at_source(&request, &desk.typed());
    assert_eq!(typed.error, None, "{typed:?}");

    let draft = desk.engine.mirror_draft(&request).unwrap();
    let (tokens, values) = (desk.typed(), BTreeMap::new());
    let asked = || SetUpRequest {
        draft: &draft,
        create: true,
        tokens: &tokens,
        values: &values,
        keep: Where::Session(&desk.session),
    };
    let done = desk.runtime.block_on(desk.engine.set_up(asked())).unwrap();
    let codes: Vec<Code> = done.troubles.iter().map(|error| error.code).collect();
    assert_eq!(codes, [Code::ConsentNeeded; 2], "{done:?}");
    let question = desk.engine.consent(Some(&draft.repository)).unwrap().expect("a question");
    desk.engine.allow(Some(&draft.repository), &question.hash).unwrap();
    let kept = desk.runtime.block_on(desk.engine.keep_typed(&asked()));
    assert!(kept.is_empty(), "{kept:?}");
    let request = SyncRequest { mirrors: vec![draft.mirror.clone().unwrap()], ..Default::default() };
    let synced = desk.sync(request);
    assert!(synced.mirrors.iter().all(|outcome| outcome.error.is_none()), "{synced:?}");
}
