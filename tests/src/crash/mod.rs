//! Ending Standin at a named point, and what must be true of the world then and after the next sync.
//!
//! The numbers are those of the invariants in the design: (1) epochs and sequences only rise; (3) no tip is lost; (4) what
//! was moved or deleted was rescued; (5) what is open is shown, and running again finishes the job; (8) no secret lies
//! about.

mod check;

use std::any::Any;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::cli::{Beginning, Machine, Options, Ran, World};

use check::same_actions;
pub use check::{Before, check_after_crash, check_in_step, check_values, last_changes};

/// How many worlds are tried side by side.
const SIDE_BY_SIDE: usize = 2;
/// The signal by which a process ends itself.
const ABORTED: i32 = 6;

/// A job that is interrupted.
pub struct Scenario {
    /// Makes a world.
    pub world: fn() -> Place,
    /// Makes the job be to do, in a new world or in one where it was done before; `None` where that needs a new one.
    pub prepare: Option<fn(&mut Place)>,
    /// The job: the arguments of `standin`.
    pub job: &'static [&'static str],
    /// What finishes it after a crash.
    pub finish: fn(&Machine),
}

/// A world and the machine that works in it.
pub struct Place {
    /// The world.
    pub world: World,
    /// The machine.
    pub machine: Machine,
    /// How many jobs were done in it.
    pub round: usize,
}

impl Place {
    /// A new world that is kept in memory, with one machine.
    pub fn new(program: &str) -> Self {
        // Many jobs in a minute are no concern here.
        let sandbox = standin_sandbox::Options { secondary_limit: None, ..standin_sandbox::Options::default() };
        let world = World::with(program, Options { sandbox, in_memory: true });
        let machine = world.machine();
        Self { world, machine, round: 0 }
    }
}

/// A place and the moments at which the job was to do in it, to which it goes back for each trial.
struct Tried {
    place: Place,
    /// In a new world; then, where the job can be made to do again, in one where it was done before.
    beginnings: Vec<(usize, Beginning)>,
}

impl Tried {
    fn new(scenario: &Scenario) -> Self {
        let mut tried = Self { place: (scenario.world)(), beginnings: Vec::new() };
        if let Some(prepare) = scenario.prepare {
            prepare(&mut tried.place);
            tried.remember();
            let ran = tried.place.machine.standin(scenario.job);
            assert_eq!(ran.code(), 0, "without a crash: {}", ran.all());
            tried.place.round += 1;
            prepare(&mut tried.place);
        }
        tried.remember();
        tried
    }

    fn remember(&mut self) {
        self.beginnings.push((self.place.round, self.place.world.beginning()));
    }

    fn go_back(&mut self, beginning: usize) {
        let (round, beginning) = &self.beginnings[beginning];
        self.place.world.go_back(beginning);
        self.place.round = *round;
    }
}

/// Which points of a scenario a test tries.
pub type Choice = fn(&str) -> bool;

/// Whether the point is about git or its cache.
pub fn is_git(point: &str) -> bool {
    point.starts_with("git.") || point.starts_with("cache.")
}

/// Whether the point is about what Standin keeps on this machine.
pub fn is_store(point: &str) -> bool {
    point.starts_with("store.") || point.starts_with("files.")
}

/// Whether the point is about GitHub or gh.
pub fn is_github(point: &str) -> bool {
    !is_git(point) && !is_store(point)
}

/// Between the moment before Actions are switched off and the one when all of it is recorded.
pub fn is_while_actions_are_off(point: &str) -> bool {
    let names = ["switch.", "git.mirror.push", "store.open_journal", "store.close_journal", "github.put_"];
    names.iter().any(|name| point.starts_with(name))
}

/// After the mirror has it, before this machine knows.
pub fn is_while_this_machine_does_not_know(point: &str) -> bool {
    let names = [
        "git.fence.push.after",
        "cache.set_ref",
        "store.set_fence_memory",
        "store.record_change",
        "store.set_held_workflow",
        "github.disable_workflow",
        "gh.secret_set",
        "store.set_sent_secret",
        "github.post_variable",
        "store.finish_run",
    ];
    names.iter().any(|name| point.starts_with(name))
}

/// Tries a scenario with a crash at each of the chosen points. Fails with all that were not survived.
pub fn crash_everywhere(scenario: &Scenario, choice: Choice) {
    each(scenario, choice, |Place { world, machine, .. }, before| {
        check_after_crash(world, machine, before);
        (scenario.finish)(machine);
        check_in_step(world, &[machine], before);
        let again = machine.standin(&["sync"]);
        assert_eq!(again.code(), 0, "a further sync: {}", again.all());
        assert_eq!(last_changes(machine), [0, 0], "a further sync changes nothing");
    });
}

/// The same, but the job is finished by another machine, which knows nothing but the configuration; then the machine
/// that crashed comes back.
pub fn crash_and_change_machine(scenario: &Scenario, choice: Choice) {
    each(scenario, choice, |Place { world, machine, .. }, before| {
        check_after_crash(world, machine, before);
        let other = world.machine();
        if !same_actions(world, before) {
            other.standin(&["plan"]);
            let seen = other.json(&["status"])["open_change"].clone();
            assert_eq!(seen["kind"], "actions_off", "(5) another machine that looks shows it too");
            assert!(seen["writer"].as_str().is_some_and(|writer| !writer.is_empty()));
        }
        (scenario.finish)(&other);
        check_in_step(world, &[&other, machine], before);
        let back = machine.standin(&["sync"]);
        assert_eq!(back.code(), 0, "the machine that crashed comes back: {}", back.all());
        check_in_step(world, &[machine, &other], before);
    });
}

/// The chosen points of a scenario. Of writes on this machine the first and the last passing of each name are enough, of
/// reads, which leave nothing behind, the last.
fn points(scenario: &Scenario, tried: &mut Tried, choice: Choice) -> Vec<String> {
    tried.go_back(0);
    let place = &tried.place;
    let log = place.world.folder().join("points");
    let ran = place.machine.with("STANDIN_CRASH_LOG", log.display().to_string()).standin(scenario.job);
    assert_eq!(ran.code(), 0, "without a crash: {}", ran.all());
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for line in fs::read_to_string(log).unwrap().lines() {
        let (name, number) = line.split_once('#').unwrap();
        let last = times.entry(name.to_owned()).or_default();
        *last = number.parse::<u32>().unwrap().max(*last);
    }
    let mut points = Vec::new();
    for (name, last) in times.iter().filter(|(name, _)| choice(name)) {
        let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        let is_read = begins(&["github.get_", "github.list_", "git.mirror.list"]);
        let is_local = begins(&["store.", "files.", "cache."]);
        let numbers = (1..=*last).filter(|number| number == last || (!is_read && (!is_local || *number == 1)));
        points.extend(numbers.map(|number| format!("{name}#{number}")));
    }
    assert!(!points.is_empty(), "no point is chosen out of {times:?}");
    points
}

/// Does the job with a crash at each chosen point, then `check`; some side by side. Fails with all failures.
fn each(scenario: &Scenario, choice: Choice, check: impl Fn(&Place, &Before) + Sync) {
    let mut first = Tried::new(scenario);
    let points = points(scenario, &mut first, choice);
    let first = Mutex::new(Some(first));
    let next = AtomicUsize::new(0);
    let failures: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                let mut mine = first.lock().unwrap().take();
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    let Some(point) = points.get(number) else { break };
                    let tried = catch_unwind(AssertUnwindSafe(|| {
                        let mut tried = mine.take().unwrap_or_else(|| Tried::new(scenario));
                        let before = crash_at(scenario, point, &mut tried, number);
                        check(&tried.place, &before);
                        tried
                    }));
                    match tried {
                        Ok(tried) => mine = Some(tried),
                        Err(panic) => failures.lock().unwrap().push(format!("killed at {point}: {}", words(&*panic))),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {} points:\n\n{}", failures.len(), points.len(), failures.join("\n\n"));
}

fn words(panic: &(dyn Any + Send)) -> String {
    let owned = panic.downcast_ref::<String>().cloned();
    owned.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned())).unwrap_or_default()
}

/// Runs the job of a scenario until it dies at `point`; every second trial in a used world where there is one. Should the
/// point not be passed there as often as in a new one, a new one it is. What runs side by side is written down now one by
/// one, now together: a point that is not passed so often this time is tried one passing earlier.
fn crash_at(scenario: &Scenario, point: &str, tried: &mut Tried, number: usize) -> Before {
    let (name, last) = point.split_once('#').unwrap();
    let last: u32 = last.parse().unwrap();
    let earlier = last.saturating_sub(1).max(1);
    let tries = [(number % tried.beginnings.len(), last), (0, last), (0, earlier)];
    let mut said = String::new();
    for (index, (beginning, passing)) in tries.into_iter().enumerate() {
        if tries[..index].contains(&(beginning, passing)) {
            continue;
        }
        tried.go_back(beginning);
        let before = Before::of(&tried.place.world);
        let machine = tried.place.machine.with("STANDIN_CRASH_AT", format!("{name}#{passing}"));
        let ran = machine.standin(scenario.job);
        if ran.status.signal() == Some(ABORTED) {
            return before;
        }
        said = ran.all();
    }
    panic!("it was to die, but: {said}");
}

/// Runs `standin sync`, which must end well.
pub fn sync(machine: &Machine) -> Ran {
    let ran = machine.standin(&["sync"]);
    assert_eq!(ran.code(), 0, "a sync: {}", ran.all());
    ran
}
