//! The schedule on a clock that is moved: a clock that was wrong, and a month in which everything goes wrong once.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use standin_core::engine::Engine;
use standin_core::outside::Clock as _;
use standin_core::state::model::{MirrorId, RunStatus, Trigger};
use standin_core::state::store::{RunFilter, RunRecord};
use standin_core::watch::{self, Calls, Keeping};
use standin_tests::local::{Local, MovedClock};
use tokio::task::JoinHandle;

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");
const HOUR: i64 = 60 * 60;

/// A schedule that is kept in this process, by a clock of its own.
struct Kept {
    local: Local,
    clock: MovedClock,
    engine: Engine,
    calls: Calls,
    task: JoinHandle<standin_core::Result<()>>,
}

impl Kept {
    fn begin(local: Local, clock: MovedClock) -> Self {
        let engine = local.engine_at(Arc::new(clock.clone()), &[]);
        let (calls, keeping) = (Calls::default(), Keeping { tick: Duration::from_millis(10), ..Keeping::default() });
        let task = {
            let (engine, calls) = (engine.clone(), calls.clone());
            tokio::spawn(async move { watch::keep(&engine, keeping, &calls).await })
        };
        Self { local, clock, engine, calls, task }
    }

    /// Waits until nothing goes on and nothing is due, for a moment.
    async fn settled(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut quiet = 0;
        while quiet < 2 {
            assert!(Instant::now() < deadline, "it does not come to rest: {:?}", self.engine.schedule());
            tokio::time::sleep(Duration::from_millis(12)).await;
            let now = self.clock.now();
            let report = self.engine.schedule().unwrap();
            let is_due = report.mirrors.iter().any(|mirror| mirror.next_sync_iso.is_some_and(|next| next <= now));
            let is_busy = !self.engine.jobs().is_empty() || is_due && report.pause.is_none();
            quiet = if is_busy { 0 } else { quiet + 1 };
        }
    }

    fn runs(&self, mirror: &str) -> Vec<RunRecord> {
        let mirror: MirrorId = mirror.parse().unwrap();
        self.engine.history(&RunFilter { mirror: Some(mirror), ..RunFilter::default() }).unwrap()
    }

    fn place(&self, mirror: &str) -> PathBuf {
        self.local.folder().join(format!("{mirror}.git"))
    }

    fn tip(&self, mirror: &str, name: &str) -> String {
        let found = self.local.try_git(&self.place(mirror), &["rev-parse", "--verify", "-q", name]);
        String::from_utf8_lossy(&found.stdout).trim().to_owned()
    }

    async fn end(self) {
        self.calls.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_that_lies_ahead_makes_nobody_hammer() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    // Synced while the clock was an hour ahead.
    let clock = MovedClock::default();
    clock.advance(HOUR);
    let kept = Kept::begin(local, clock.clone());
    kept.settled().await;
    assert_eq!(kept.runs("mirror").len(), 1);
    kept.calls.stop.cancel();
    kept.task.await.unwrap().unwrap();
    clock.advance(-HOUR);
    let local = kept.local;
    fs::rename(local.folder().join("mirror.git"), local.folder().join("away.git")).unwrap();
    let kept = Kept::begin(local, clock.clone());
    tokio::time::sleep(Duration::from_secs(2)).await;
    kept.settled().await;
    assert_eq!(kept.runs("mirror").len(), 2, "one try, then the minute is waited for");
    // Again after 1, 5 and 15 minutes, and never in between.
    for (minutes, runs) in [(0, 2), (1, 3), (3, 3), (3, 4), (10, 4), (6, 5), (30, 5)] {
        clock.advance(minutes * 60 + 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
        kept.settled().await;
        assert_eq!(kept.runs("mirror").len(), runs, "after {minutes} more minutes");
    }
    kept.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_stops_no_interval() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors("", &[("mirror", "")]);
    let clock = MovedClock::default();
    let kept = Kept::begin(local, clock.clone());
    kept.settled().await;
    // Not so far that what happened is forgotten.
    for (hours, runs) in [(2, 2), (2, 3), (-3, 4), (1, 5), (2, 6), (24 * 20, 7), (-24 * 60, 8), (1, 9)] {
        clock.advance(hours * HOUR);
        tokio::time::sleep(Duration::from_millis(100)).await;
        kept.settled().await;
        assert_eq!(kept.runs("mirror").len(), runs, "after {hours} hours");
    }
    kept.end().await;
}

/// What this process has: memory in KiB, open files, tasks.
fn held() -> (u64, usize, usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let memory = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    let files = fs::read_dir("/proc/self/fd").unwrap().count();
    (memory, files, tokio::runtime::Handle::current().metrics().num_alive_tasks())
}

const MONTH: [(&str, &str); 5] = [
    ("steady", ""),
    ("away", ""),
    ("refuses", "hooks = true"),
    ("decides", ""),
    ("nightly", "schedule = \"0 3 * * * UTC\""),
];
const SETTINGS: &str = "schedule = \"6h\"";

/// What happens at an hour of the month.
async fn happen(kept: &Kept, day: i64, hour: i64) {
    let (local, place) = (&kept.local, |mirror: &str| kept.place(mirror));
    let hook = place("refuses").join("hooks/pre-receive");
    let toml = local.folder().join("home/.config/standin/standin.toml");
    match (day, hour) {
        // A mirror is gone for three days.
        (3, 5) => fs::rename(place("away"), local.folder().join("gone.git")).unwrap(),
        (6, 5) => fs::rename(local.folder().join("gone.git"), place("away")).unwrap(),
        // A host refuses everything for five.
        (4, 1) => {
            fs::create_dir_all(hook.parent().unwrap()).unwrap();
            fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
            fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        (9, 1) => fs::remove_file(&hook).unwrap(),
        // Somebody commits to a mirror: a decision that nobody takes for two weeks.
        (5, 2) => {
            let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
            local.try_git(&place("decides"), &["mktree"]);
            let other = local.git(&place("decides"), &["commit-tree", tree, "-m", "theirs"]);
            local.git(&place("decides"), &["update-ref", "refs/heads/main", &other]);
        }
        (19, 2) => {
            let main = local.git(&local.source, &["rev-parse", "main"]);
            local.git(&local.source, &["push", "-q", "--force", &place("decides").display().to_string(), "main"]);
            assert_eq!(kept.tip("decides", "main"), main);
        }
        // The configuration is broken for a day.
        (10, 0) => fs::write(&toml, "[[repository]\n").unwrap(),
        (11, 0) => local.mirrors(SETTINGS, &MONTH),
        // Paused for twelve hours.
        (12, 0) => drop(kept.engine.schedule_pause(Some(Duration::from_secs(12 * 3600))).unwrap()),
        // The clock was wrong, and is set back.
        (14, 6) => kept.clock.advance(-3 * HOUR),
        // A laptop that is closed for three days.
        (22, 4) => kept.clock.advance(3 * 24 * HOUR),
        // The source is moved away and comes back.
        (16, 3) => fs::rename(&local.source, local.folder().join("moved")).unwrap(),
        (16, 15) => fs::rename(local.folder().join("moved"), &local.source).unwrap(),
        _ => {}
    }
    if hour == 8 && local.source.exists() {
        local.update(&format!("refs/heads/day-{day}"), &format!("day {day}"));
        // It is seen by itself, and the syncs that it sets off are waited for.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_in_which_everything_goes_wrong_once_leaves_nothing_behind() {
    let local = Local::new(PROGRAM, &["--bare"]);
    local.mirrors(SETTINGS, &MONTH);
    let history = "[history]\nkeep = \"20d\"\nkeep_unchanged = \"2d\"\n";
    let settings = local.folder().join("home/.config/standin/standin.toml");
    let clock = MovedClock::default();
    let with_history = || {
        let text = fs::read_to_string(&settings).unwrap();
        if !text.contains("[history]") && text.contains("[[repository]]") {
            fs::write(&settings, format!("{history}{text}")).unwrap();
        }
    };
    with_history();
    let kept = Kept::begin(local, clock.clone());
    kept.settled().await;
    let mut after_a_week = None;
    let mut steady: Vec<Timestamp> = Vec::new();
    let mut nightly = 0;
    for day in 0..30 {
        for hour in 0..24 {
            happen(&kept, day, hour).await;
            with_history();
            clock.advance(HOUR);
            kept.settled().await;
        }
        let since = clock.now() - Duration::from_secs(24 * 3600);
        steady.extend(kept.runs("steady").iter().map(|run| run.started_iso).filter(|at| *at > since));
        let at_night = |run: &&RunRecord| run.started_iso > since && run.trigger == Trigger::Schedule;
        nightly += kept.runs("nightly").iter().filter(at_night).count();
        if day == 7 {
            after_a_week = Some(held());
        }
    }

    // Made up: each mirror has the commit of every day on which the source was there.
    for (mirror, _) in MONTH {
        for day in (0..29).filter(|day| *day != 16) {
            let name = format!("refs/heads/day-{day}");
            let wanted = kept.local.git(&kept.local.source, &["rev-parse", &name]);
            assert_eq!(kept.tip(mirror, &name), wanted, "{name} at {mirror}: {:?}", kept.runs(mirror).first());
        }
        let last = &kept.runs(mirror)[0];
        assert_eq!(last.status, RunStatus::Success, "{mirror}: {last:?}");
    }
    // Four times a day and at each commit, not more; in a pause and while it slept, not at all.
    assert!((80..=170).contains(&steady.len()), "{} runs", steady.len());
    assert!((24..=34).contains(&nightly), "{nightly} nights");

    let (before, now) = (after_a_week.unwrap(), held());
    println!(
        "after a week {before:?}, after a month {now:?}, {} runs kept",
        kept.engine.history(&RunFilter::default()).unwrap().len()
    );
    assert!(now.0 < before.0 + 8 * 1024, "memory grew: {before:?} {now:?}");
    assert!(now.1 <= before.1 + 2, "files stayed open: {before:?} {now:?}");
    assert!(now.2 <= before.2 + 2, "tasks stayed: {before:?} {now:?}");
    // What is kept is what the setting says.
    let oldest = clock.now() - Duration::from_secs(21 * 24 * 3600);
    let unchanged = clock.now() - Duration::from_secs(3 * 24 * 3600);
    for run in kept.engine.history(&RunFilter::default()).unwrap() {
        let is_young = if run.totals.changes == 0 && run.status == RunStatus::Success {
            run.started_iso > unchanged
        } else {
            run.started_iso > oldest
        };
        assert!(is_young, "kept too long: {run:?}");
    }
    kept.end().await;
}
