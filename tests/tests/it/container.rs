//! The container: it keeps a standby in step from the environment alone, writes nothing but `/data`, leaves no process behind, ends
//! when it is asked to, and says whether it is alive.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use standin_tests::cli::{BACKUP, NAME, OWNER, Running, World, branch, finish, refs};
use standin_tests::contained::{self, ARCHIVE, Engine, Folder, Order, Podman, Recipe, USER};

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const PATIENCE: Duration = Duration::from_secs(90);
/// What all but the program may weigh, compressed: 80 MB less what the program is (15 MB, made for release).
const ROOT_AT_MOST: u64 = 60_000_000;

/// A port of this machine at which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What the container is told: a standby on GitHub, a folder, and a server that is not there.
fn environment(world: &World, health: &str) -> Vec<(String, String)> {
    let machine = world.machine().environment;
    let [api, server] = ["API", "SERVER"].map(|which| machine[&format!("STANDIN_GITHUB_{which}_URL")].clone());
    [
        ("MIRROR_SOURCE", format!("{OWNER}/{NAME}")),
        ("MIRROR_SOURCE_TOKEN", world.source_token.clone()),
        ("MIRROR_1_TYPE", "github".to_owned()),
        ("MIRROR_1_REPO", format!("{BACKUP}/{NAME}")),
        ("MIRROR_1_TOKEN", world.token.clone()),
        ("MIRROR_1_SYNC_SECRETS", "false".to_owned()),
        ("MIRROR_2_TYPE", "git".to_owned()),
        ("MIRROR_2_URL", ARCHIVE.to_owned()),
        // git gives up before its shell and ssh do, and leaves them to the first process.
        ("MIRROR_3_TYPE", "git".to_owned()),
        ("MIRROR_3_URL", format!("ssh://git@127.0.0.1:{}/x.git", free_port())),
        ("STANDIN_SYNC_INTERVAL", "3s".to_owned()),
        ("STANDIN_GITHUB_API_URL", api),
        ("STANDIN_GITHUB_SERVER_URL", server),
        ("STANDIN_HEALTH_ADDRESS", health.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// The tip of a branch of the archive, which belongs to the container's user.
fn archived(world: &World, name: &str) -> Option<String> {
    let mut git = Command::new("git");
    git.args(["-c", "safe.directory=*", "--git-dir"]).arg(world.archive());
    let output = git.args(["rev-parse", "--verify", "--quiet", &branch(name)]).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

fn in_step(world: &World, name: &str) {
    let tip = refs(&world.primary())[&branch(name)];
    finish(&format!("{name} at the standby"), PATIENCE, || refs(&world.standby()).get(&branch(name)) == Some(&tip));
    let tip = tip.to_string();
    finish(&format!("{name} at the archive"), PATIENCE, || archived(world, name).as_ref() == Some(&tip));
}

/// Looks at the arguments of all processes until it is dropped or asked.
struct Looking {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<BTreeSet<String>>>,
}

impl Looking {
    fn begin() -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ended = end.clone();
        let thread = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !ended.load(Ordering::SeqCst) {
                let entries = fs::read_dir("/proc").unwrap().flatten();
                let all = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
                seen.extend(all.map(|arguments| String::from_utf8_lossy(&arguments).replace('\0', " ")));
                std::thread::sleep(Duration::from_millis(10));
            }
            seen
        });
        Self { end, thread: Some(thread) }
    }

    fn seen(mut self) -> BTreeSet<String> {
        self.end.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() && !path.is_symlink() { files(&path) } else { vec![path] }).collect()
}

fn json(mut command: Command) -> Value {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// How many runs of a mirror ended.
fn ended(engine: &dyn Engine, first: u32, order: &Order, mirror: &str) -> usize {
    let runs = json(engine.within(first, order, &["standin", "history", "--mirror", mirror, "--json"]));
    let runs = runs.as_array().unwrap_or_else(|| panic!("{runs}"));
    runs.iter().filter(|run| !run["finished_iso"].is_null()).count()
}

/// Nobody is left behind: what ended is gone within a moment.
fn assert_no_zombies(first: u32) {
    let before = contained::zombies(first);
    std::thread::sleep(Duration::from_millis(1_500));
    let left: Vec<_> = contained::zombies(first).into_iter().filter(|zombie| before.contains(zombie)).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn assert_health_is_told(engine: &dyn Engine, first: u32, order: &Order) {
    let standin = Pid::from_raw(contained::standin_in(first).unwrap().cast_signed());
    finish("a healthy container", PATIENCE, || engine.is_healthy(first, order));
    kill(standin, Signal::SIGSTOP).unwrap();
    let begin = Instant::now();
    assert!(!engine.is_healthy(first, order), "it is stopped");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    kill(standin, Signal::SIGCONT).unwrap();
    finish("a healthy container again", PATIENCE, || engine.is_healthy(first, order));
}

/// As it is on the first process and on Standin: its own user, no rights, none to be had.
fn assert_powerless(first: u32) {
    for process in [first, contained::standin_in(first).unwrap()] {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(of("Uid:"), vec![USER.to_string(); 4]);
        assert_eq!(of("Gid:"), vec![USER.to_string(); 4]);
        assert_eq!((of("CapEff:"), of("CapPrm:")), (vec!["0".repeat(16)], vec!["0".repeat(16)]));
        assert_eq!(of("NoNewPrivs:"), ["1"]);
    }
}

/// Asks it to end; how it ended.
fn end(first: u32, running: Running) -> (i32, String) {
    let begin = Instant::now();
    kill(Pid::from_raw(first.cast_signed()), Signal::SIGTERM).unwrap();
    let ran = running.wait();
    assert!(begin.elapsed() < Duration::from_secs(20), "it took {:?}", begin.elapsed());
    (ran.code(), ran.all())
}

fn works(world: &World, engine: &dyn Engine) {
    for path in [world.archive()].into_iter().chain(files(&world.archive())) {
        assert!(
            Command::new("chown")
                .arg("--recursive")
                .arg(format!("{USER}:{USER}"))
                .arg(path)
                .status()
                .unwrap()
                .success()
        );
    }
    let address = format!("127.0.0.1:{}", free_port());
    let environment = environment(world, &address);
    let arguments: &[&str] = &["watch", "--metrics", &address];
    let archive = world.archive();
    let order = Order { environment: &environment, archive: &archive, arguments };

    let looking = Looking::begin();
    let running = engine.start(&order);
    finish("the container", PATIENCE, || engine.first(&running).is_some_and(|id| contained::standin_in(id).is_some()));
    let first = engine.first(&running).unwrap();

    in_step(world, "main");
    let tip = world.commit(None, &[("news", "written while nobody typed\n")]);
    world.publish(&branch("news"), Some(tip));
    in_step(world, "news");
    finish("tries of what is not there", PATIENCE, || ended(engine, first, &order, "mirror-3") >= 3);
    // What is not there is tried again and again, so it is not always to be seen how that ends.
    finish("each mirror's own word", PATIENCE, || {
        let status = json(engine.within(first, &order, &["standin", "status", "--json"]));
        let mirrors = status["mirrors"].as_array().unwrap_or_else(|| panic!("{status}"));
        mirrors.iter().map(|mirror| mirror["status"].as_str().unwrap()).eq(["success", "success", "failed"])
    });

    assert_powerless(first);
    assert_no_zombies(first);
    assert_health_is_told(engine, first, &order);
    let touched = engine.within(first, &order, &["touch", "/usr/local/bin/more"]).output().unwrap();
    assert!(String::from_utf8_lossy(&touched.stderr).contains("Read-only"), "{touched:?}");
    let gh = engine.within(first, &order, &["gh", "--version"]).output().unwrap();
    assert!(gh.status.success(), "{gh:?}");

    let (code, said) = end(first, running);
    assert_eq!(code, 0, "{said}");
    let seen = looking.seen();
    assert!(said.contains("keeps the schedule no more"), "{said}");

    assert_eq!(engine.written_elsewhere(), Vec::<String>::new());
    let data = files(&engine.data());
    assert!(data.iter().any(|path| path.ends_with("standin.db")), "{data:?}");
    assert!(seen.iter().any(|arguments| arguments.starts_with("standin watch")), "nobody looked");
    for path in &data {
        assert_eq!(fs::symlink_metadata(path).unwrap().uid(), USER, "{}", path.display());
    }
    for token in [&world.source_token, &world.token] {
        assert!(!said.contains(token.as_str()), "a token is said");
        assert!(!seen.iter().any(|arguments| arguments.contains(token.as_str())), "a token is an argument");
        for path in &data {
            let bytes = fs::read(path).unwrap_or_default();
            let is_in = bytes.windows(token.len()).any(|part| part == token.as_bytes());
            assert!(!is_in, "a token is in {}", path.display());
        }
    }
}

/// What can be had here, or a word that it cannot.
fn had<E>(engine: Result<E, String>) -> Option<E> {
    engine.inspect_err(|why| eprintln!("skipped: {why}")).ok()
}

#[test]
fn the_image_keeps_a_standby_in_step_from_the_environment_alone() {
    let world = World::new(PROGRAM);
    let Some(engine) = had(Podman::new(world.folder(), Path::new(PROGRAM))) else { return };
    works(&world, &engine);
}

#[test]
fn its_root_folder_keeps_a_standby_in_step_from_the_environment_alone() {
    let world = World::new(PROGRAM);
    let Some(engine) = had(Folder::new(world.folder(), Path::new(PROGRAM))) else { return };
    works(&world, &engine);
}

#[test]
fn the_root_folder_is_small_and_makes_nobody_somebody_else() {
    let world = World::new(PROGRAM);
    let Some(engine) = had(Folder::new(world.folder(), Path::new(PROGRAM))) else { return };
    let root = engine.root();
    let all = files(&root);
    assert!(all.len() > 1_000, "{}", all.len());
    let raised: Vec<_> = all
        .iter()
        .filter(|path| {
            fs::symlink_metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o6000 != 0)
        })
        .collect();
    assert!(raised.is_empty(), "{raised:?}");
    for gone in ["usr/bin/apt", "usr/bin/apt-get", "usr/bin/perl", "usr/bin/curl", "container", "trim.sh"] {
        assert!(!root.join(gone).exists(), "{gone}");
    }
    let packed = std::env::var("STANDIN_CONTAINER_ROOT").unwrap();
    let sized = Command::new("sh").args(["-c", "gzip -6 <\"$1\" | wc -c", "sh", &packed]).output().unwrap();
    let size: u64 = String::from_utf8(sized.stdout).unwrap().trim().parse().unwrap();
    assert!((20_000_000..ROOT_AT_MOST).contains(&size), "{size} bytes");
}

#[test]
fn the_example_for_compose_says_what_standin_understands() {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("container");
    let example = fs::read_to_string(checkout.join("standin.env.example")).unwrap();
    let world = World::new(PROGRAM);
    let mut machine = world.machine();
    machine.folder = world.folder().join("home");
    let key = world.folder().join("home/key");
    fs::write(&key, "a key\n").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let key = key.to_str().unwrap();
    let lines =
        example.lines().map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line));
    let pairs: Vec<_> = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('=')).collect();
    assert!(pairs.len() > 8, "{pairs:?}");
    for (name, value) in pairs {
        let value = match name {
            _ if name.ends_with("_TOKEN") => "ghp_example",
            _ if name.ends_with("_SSH_KEY_PATH") => key,
            _ => value,
        };
        machine = machine.with(name, value);
    }
    let ran = machine.standin(&["status", "--json"]);
    let status: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}", ran.all()));
    assert_eq!((status["mirrors"].as_array().unwrap().len(), ran.stderr.as_str()), (2, ""), "{status}");

    // Both say the same of one image, and wait longer than Standin takes.
    let (compose, recipe) = (fs::read_to_string(checkout.join("compose.yaml")).unwrap(), Recipe::read());
    assert_eq!(recipe.words("HEALTHCHECK"), ["standin-healthy"]);
    assert_eq!(recipe.of("USER"), format!("{USER}:{USER}"));
    for line in ["test: [\"CMD\", \"standin-healthy\"]", "stop_grace_period: 30s", "read_only: true", "- state:/data"] {
        assert!(compose.contains(line), "compose.yaml: {line}");
    }
}
