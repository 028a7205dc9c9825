//! The command line over keychains that hang or are locked: it ends, at once when it is asked to, and says why.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use standin_tests::cli::{Machine, Running, STANDBY, World, settings};
use standin_tests::keyring::on_a_bus;
use standin_tests::keyring::service::{Dialog, Service};

/// A service with the token of the standby, a world where it stands nowhere else, and a machine on the bus of this
/// process.
fn world() -> (Service, World, Machine) {
    let mut world = World::new(env!("CARGO_BIN_EXE_standin-under-test"));
    world.set("MIRROR_1_TOKEN", None);
    let machine = world.machine().with("DBUS_SESSION_BUS_ADDRESS", std::env::var("DBUS_SESSION_BUS_ADDRESS").unwrap());
    let service = tokio::runtime::Runtime::new().unwrap().block_on(Service::start());
    let set = machine.standin_with(&["token", "set", STANDBY], world.token.as_bytes());
    assert_eq!((set.code(), service.count()), (0, 1), "{}", set.all());
    (service, world, machine)
}

/// What hangs: everything, or only the value, which is asked for on a thread of its own.
const HANGS: [&str; 2] = ["*", "GetSecret"];

#[test]
fn a_command_ends_when_it_is_asked_to_while_the_keychain_hangs() {
    on_a_bus(module_path!(), "asked_to_stop");
}

#[test]
#[ignore = "started by the test above on a bus of its own"]
fn asked_to_stop() {
    let (service, _world, machine) = world();
    let machine = machine.with("STANDIN_KEYCHAIN_LIMIT", "60s");
    for hangs in HANGS {
        for (arguments, signal) in [
            (&["token", "check", STANDBY][..], Signal::SIGTERM),
            (&["token", "check", STANDBY], Signal::SIGINT),
            (&["plan", "--mirror", STANDBY], Signal::SIGTERM),
            (&["sync", "--mirror", STANDBY], Signal::SIGTERM),
        ] {
            service.now().hangs = BTreeSet::from([hangs]);
            let before = service.now().asked;
            let mut running = machine.start(arguments);
            while service.now().asked == before {
                assert!(!running.has_ended(), "{arguments:?}: {}", running.stderr());
                std::thread::sleep(Duration::from_millis(10));
            }
            std::thread::sleep(Duration::from_millis(300));
            let asked = Instant::now();
            kill(Pid::from_raw(running.id().cast_signed()), signal).unwrap();
            let ran = running.wait();
            assert!(asked.elapsed() < Duration::from_secs(2), "{arguments:?}, {hangs}: {:?}", asked.elapsed());
            assert_eq!(ran.code(), 1, "{arguments:?}: {}", ran.all());
            assert!(ran.all().contains("stopped"), "{arguments:?}: {}", ran.all());
        }
    }
}

#[test]
fn a_command_ends_by_itself_soon_after_the_limit_while_the_keychain_hangs() {
    on_a_bus(module_path!(), "left_alone");
}

#[test]
#[ignore = "started by the test above on a bus of its own"]
fn left_alone() {
    let (service, _world, machine) = world();
    let machine = machine.with("STANDIN_KEYCHAIN_LIMIT", "2s");
    for hangs in HANGS {
        service.now().hangs = BTreeSet::from([hangs]);
        let began = Instant::now();
        let ran = machine.standin(&["token", "check", STANDBY]);
        assert!(began.elapsed() < Duration::from_secs(7), "{hangs}: {:?}", began.elapsed());
        assert_eq!(ran.code(), 1, "{}", ran.all());
        assert!(ran.stderr.contains("the keychain gave no answer within 2 seconds"), "{}", ran.all());
    }
}

#[test]
fn on_a_terminal_the_keychain_may_ask_and_elsewhere_it_may_not() {
    on_a_bus(module_path!(), "on_a_terminal");
}

#[test]
#[ignore = "started by the test above on a bus of its own"]
fn on_a_terminal() {
    let (service, world, machine) = world();
    service.now().locked = true;
    service.now().dialog = Dialog::Dismissed;
    let on_a_terminal = |what: &str| {
        let mut command = Command::new("script");
        let words = format!("'{}' token check {STANDBY}", machine.program.display());
        command.args(["-qec", &words, "/dev/null"]).current_dir(&machine.folder);
        command.env_clear().envs(&machine.environment).envs(machine.yes(&[])).stdin(Stdio::null());
        Running::start(command, &world.said(), what).wait()
    };
    assert_eq!(machine.standin(&["allow", "--yes"]).code(), 0, "what is kept is given for its place");
    let refused = on_a_terminal("a check whose dialog is dismissed");
    assert_eq!(refused.code(), 1, "{}", refused.all());
    assert!(refused.stdout.contains("its dialog was dismissed"), "{}", refused.all());
    service.now().dialog = Dialog::Unlocks;
    let quiet = machine.standin(&["token", "check", STANDBY]);
    assert!(quiet.stderr.contains("the keychain is locked"), "{}", quiet.all());
    assert_eq!(service.now().dialogs, 1);
    let checked = on_a_terminal("a check whose dialog is answered");
    assert_eq!(checked.code(), 0, "{}", checked.all());
    assert_eq!(service.now().dialogs, 2);
}

#[test]
fn a_locked_keychain_is_told_and_work_goes_on_when_it_opens() {
    on_a_bus(module_path!(), "locked");
}

#[test]
#[ignore = "started by the test above on a bus of its own"]
fn locked() {
    let (service, world, machine) = world();
    service.now().locked = true;
    let check = machine.standin(&["token", "check", STANDBY]);
    let plan = machine.standin(&["plan", "--mirror", STANDBY]);
    let sync = machine.standin(&["sync", "--mirror", STANDBY]);
    let set = machine.standin_with(&["token", "set", STANDBY], b"ghp_other");
    let remove = machine.standin(&["token", "remove", STANDBY]);
    for ran in [&check, &plan, &sync, &set, &remove] {
        assert_eq!(ran.code(), 1, "{}", ran.all());
    }
    settings().bind(|| {
        assert_snapshot!("locked_check", check.all());
        assert_snapshot!("locked_sync", sync.all());
        assert_snapshot!("locked_set", set.all());
        assert_snapshot!("locked_remove", remove.all());
    });
    assert_eq!(service.now().dialogs, 0);
    service.now().locked = false;
    let check = machine.standin(&["token", "check", STANDBY]);
    assert_eq!(check.code(), 0, "{}", check.all());
    assert!(!check.all().contains(&world.token));
}

#[test]
fn the_secret_of_webhooks_is_kept_and_taken_from_the_keychain() {
    on_a_bus(module_path!(), "webhook_secret");
}

#[test]
#[ignore = "started by the test above on a bus of its own"]
fn webhook_secret() {
    const CANARY: &str = "c4n4ry-c4n4ry-c4n4ry-c4n4ry-c4n4ry";
    let (service, _world, machine) = world();
    let listens = ["watch", "--listen", "127.0.0.1:0"];
    let refused = machine.standin(&listens);
    assert_eq!(refused.code(), 2, "{}", refused.all());
    assert!(refused.stderr.contains("`standin webhook secret`"), "{}", refused.all());

    let short = machine.standin_with(&["webhook", "secret"], b"short\n");
    assert_eq!((short.code(), service.count()), (2, 1), "{}", short.all());
    let kept = machine.standin_with(&["webhook", "secret"], format!("{CANARY}\n").as_bytes());
    assert_eq!((kept.code(), service.count()), (0, 2), "{}", kept.all());
    let watch = machine.start(&listens);
    standin_tests::cli::finish("an open ear", Duration::from_secs(30), || {
        watch.stdout().contains("keeps the schedule of this state folder")
    });
    std::thread::sleep(Duration::from_millis(500));
    kill(Pid::from_raw(watch.id().cast_signed()), Signal::SIGTERM).unwrap();
    let ran = watch.wait();
    assert_eq!(ran.code(), 0, "{}", ran.all());

    let removed = machine.standin(&["webhook", "secret", "--remove"]);
    assert_eq!((removed.code(), service.count()), (0, 1), "{}", removed.all());
    let audit = machine.standin(&["history", "--audit"]);
    assert!(audit.stdout.contains("webhook_secret_set"), "{}", audit.all());
    for said in [&refused, &short, &kept, &ran, &removed, &audit] {
        assert!(!said.all().contains(CANARY), "{}", said.all());
    }
}
