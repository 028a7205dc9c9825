//! Killing a change of master at a named point, ending it from here or from elsewhere, and what must be true then.
//!
//! One stage sees many trials and goes back to its beginning for each; every second begins after a change of the same kind
//! there and back. Standin's invariants are meant: (3) no tip is lost; (5) the old state, the new, or an open change that every
//! machine sees and can resume or take back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;

use git2::{Oid, Repository};
use standin_core::state::store::Store;
use standin_sandbox::RepositoryState;

use crate::cli::{BACKUP, Beginning, Machine, NAME, OWNER, STANDBY, refs};
use crate::stage::{REPOSITORY, Stage, Standing, fence, has};

/// The signal by which a process ends itself.
const ABORTED: i32 = 6;

/// A change of master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Promote while the master is well.
    Switchover,
    /// Promote while it is gone.
    Failover,
    /// Hand back what both sides committed.
    Demote,
}

/// How a change that was left open is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It goes on.
    Resume,
    /// It is taken back.
    Rollback,
}

/// Where it is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// On the machine that was killed.
    Here,
    /// On one that knows nothing but the configuration.
    Elsewhere,
}

/// One trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Where the change is killed.
    pub point: String,
    /// How it is ended.
    pub end: End,
    /// Where.
    pub from: From,
    /// Where ending it is killed as well, if it comes by; it is then ended in the same way once more.
    pub again: Option<String>,
}

/// A stage on which a job is tried again and again.
pub struct Play {
    stage: Stage,
    job: Job,
    /// With the job to do: on a new stage, and on one that has seen it done.
    beginnings: Vec<Beginning>,
}

impl Job {
    fn arguments(self) -> [&'static str; 3] {
        [if self == Self::Demote { "demote" } else { "promote" }, STANDBY, "--yes"]
    }

    fn ended(self, end: End) -> [&'static str; 3] {
        let choice = if end == End::Resume { "--resume" } else { "--rollback" };
        [self.arguments()[0], STANDBY, choice]
    }
}

impl Play {
    /// A stage with the job to do.
    pub fn new(program: &'static str, job: Job) -> Self {
        let mut play = Self { stage: Stage::new(program), job, beginnings: Vec::new() };
        play.prepare();
        play.during(job, |stage| stage.run(0, &job.arguments()));
        play.prepare();
        play
    }

    /// The points that the job passes, of which `choice` says yes, with each passing.
    pub fn points(&mut self, choice: fn(&str) -> bool) -> Vec<String> {
        let job = self.job;
        self.stage.world.go_back(&self.beginnings[0]);
        let log = self.stage.folder().join("points");
        let machine = self.stage.machine.with("STANDIN_CRASH_LOG", log.display().to_string());
        let ran = self.during(job, |_| machine.standin(&job.arguments()));
        assert_eq!(ran.code(), 0, "{job:?} without a crash: {}", ran.all());
        let text = fs::read_to_string(log).unwrap();
        let points: Vec<String> = text.lines().filter(|line| choice(line)).map(str::to_owned).collect();
        assert!(!points.is_empty(), "no point is chosen of {text}");
        points
    }

    /// Plays all trials; how many were killed twice. Fails with all that did not end well.
    pub fn all(&mut self, trials: &[Trial]) -> usize {
        let (mut failures, mut twice) = (Vec::new(), 0);
        for (number, trial) in trials.iter().enumerate() {
            let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                // A used stage may do without what a new one does once.
                let died_twice = self.attempt(trial, number % 2).or_else(|| self.attempt(trial, 0));
                died_twice.expect("it was to die")
            }));
            match tried {
                Ok(died_twice) => twice += usize::from(died_twice),
                Err(panic) => {
                    let owned = panic.downcast_ref::<String>().cloned();
                    let words = owned.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                    failures.push(format!("{trial:?}: {}", words.unwrap_or_default()));
                }
            }
        }
        assert!(failures.is_empty(), "{} of {} trials:\n\n{}", failures.len(), trials.len(), failures.join("\n\n"));
        twice
    }

    /// Makes the job be to do, with commits that it must bring along, and remembers it.
    fn prepare(&mut self) {
        let (stage, job) = (&self.stage, self.job);
        let name = format!("{job:?}-{}", self.beginnings.len());
        let standing = stage.standing();
        match (job, standing.master) {
            (Job::Demote, OWNER) => {
                self.during(Job::Failover, |stage| stage.promote());
            }
            (Job::Switchover | Job::Failover, BACKUP) => _ = stage.demote(),
            _ => {}
        }
        match job {
            Job::Switchover | Job::Failover => _ = stage.commit_on(OWNER, "main", &name),
            Job::Demote => {
                stage.commit_on(BACKUP, "main", &name);
                stage.commit_on(OWNER, "topic", &format!("{name}-there"));
                stage.commit_on(BACKUP, "topic", &format!("{name}-here"));
            }
        }
        self.beginnings.push(self.stage.beginning());
    }

    /// Does something while the world is as the job means it.
    fn during<T>(&self, job: Job, what: impl FnOnce(&Stage) -> T) -> T {
        // As when the account was suspended: nobody tries again and again, as with a host that is ill.
        let state = if job == Job::Failover { RepositoryState::Hidden } else { RepositoryState::Live };
        self.stage.sandbox.set_repository_state(OWNER, NAME, state);
        let done = what(&self.stage);
        self.stage.sandbox.set_repository_state(OWNER, NAME, RepositoryState::Live);
        done
    }

    /// Whether ending it was killed as well; `None` where the change went through without passing the point.
    fn attempt(&mut self, trial: &Trial, beginning: usize) -> Option<bool> {
        let job = self.job;
        self.stage.world.go_back(&self.beginnings[beginning]);
        let stage = &self.stage;
        let before = stage.standing();
        let tips = stage.tips();
        let crashed = &stage.machine;
        let other = stage.another();
        let (died_twice, nothing_left) = self.during(job, |stage| {
            let ran = crashed.with("STANDIN_CRASH_AT", &trial.point).standin(&job.arguments());
            if ran.status.signal() != Some(ABORTED) {
                assert_eq!(ran.code(), 0, "it was to die, but: {}", ran.all());
                return None;
            }
            stage.settle();
            let is_open = stage.is_open();
            let seen = crashed.json(&["status"])["open_change"].clone();
            assert!(!is_open || seen["kind"] == "role_change", "(5) this machine shows it: {seen}");
            stage.check_reachable(&tips, &[crashed]);
            let mender = if trial.from == From::Elsewhere && is_open { &other } else { crashed };
            if trial.from == From::Elsewhere && is_open {
                let refused = other.standin(&["sync"]);
                assert_eq!(refused.code(), 1, "(5) nothing is synced meanwhile: {}", refused.all());
                let seen = other.json(&["status"])["open_change"].clone();
                assert_eq!(seen["kind"], "role_change", "(5) another machine shows it: {}", refused.all());
                assert!(seen["detail"].as_str().unwrap().contains("--resume"), "{seen}");
            }
            let end = job.ended(trial.end);
            let mut died_twice = false;
            if let Some(again) = &trial.again {
                let ran = mender.with("STANDIN_CRASH_AT", again).standin(&end);
                died_twice = ran.status.signal() == Some(ABORTED);
                stage.settle();
                stage.check_reachable(&tips, &[crashed, &other]);
            }
            let ended = mender.standin(&end);
            let nothing_left = ended.code() == 2 && ended.all().contains("no role change is open");
            assert!(ended.code() == 0 || nothing_left, "{}: {}", end.join(" "), ended.all());
            Some((died_twice, nothing_left))
        })?;
        // Where nothing was left to end, the sync that comes next is what is looked at.
        if !nothing_left {
            self.check(before, trial.end, if trial.from == From::Elsewhere { &other } else { crashed });
        }
        stage.check_reachable(&tips, &[crashed, &other]);
        // The machine that was killed comes back, and knows what became of it; everything is in step after.
        let first = crashed.standin(&["sync"]);
        let ran = if first.code() == 0 { first } else { crashed.standin(&["sync"]) };
        let diverged = ran.code() == 3 && before.temporary;
        assert!(ran.code() == 0 || diverged, "a sync after: {}", ran.all());
        if nothing_left || trial.from == From::Elsewhere {
            self.check(before, trial.end, crashed);
        }
        stage.check_reachable(&tips, &[crashed, &other]);
        Some(died_twice)
    }

    /// One master, the old or the new, in an epoch that fits.
    fn check(&self, before: Standing, end: End, machine: &Machine) {
        let now = self.stage.standing();
        let is_new = now.master != before.master;
        assert!(now.epoch >= before.epoch && now.epoch <= before.epoch + 2, "from {} to {}", before.epoch, now.epoch);
        assert!(!is_new || now.epoch == before.epoch + 1, "from {} to {}", before.epoch, now.epoch);
        assert!(!(is_new && end == End::Rollback && now.epoch != before.epoch + 1), "taken back, and yet new");
        assert_eq!(now.temporary, if is_new { self.job == Job::Failover } else { before.temporary });
        self.stage.check(machine, now);
    }
}

impl Stage {
    /// Which way things stand by the fence of the standby.
    fn standing(&self) -> Standing {
        let fence = fence(&self.standby()).unwrap();
        let master = fence["master"].as_str().unwrap();
        Standing {
            master: if master.starts_with(&format!("{BACKUP}/")) { BACKUP } else { OWNER },
            temporary: fence["temporary"].as_bool().unwrap_or_default(),
            epoch: fence["epoch"].as_u64().unwrap(),
        }
    }

    /// Whether a change of master stands in a fence.
    fn is_open(&self) -> bool {
        fence(&self.standby()).is_some_and(|fence| fence["open_change"]["kind"] == "role_change")
    }

    fn tips(&self) -> BTreeSet<Oid> {
        [self.primary(), self.standby(), self.archive()].iter().flat_map(|path| refs(path).into_values()).collect()
    }

    /// (3): every tip can be reached from a repository or a rescue.
    fn check_reachable(&self, tips: &BTreeSet<Oid>, machines: &[&Machine]) {
        let places = [self.primary(), self.standby(), self.archive()];
        let mut rescues: BTreeMap<PathBuf, Vec<Oid>> = BTreeMap::new();
        for machine in machines.iter().filter(|machine| machine.state.join("standin.db").exists()) {
            let kept = Store::open(&machine.state).unwrap().rescues(None, None).unwrap();
            let oids = kept.iter().map(|rescue| Oid::from_str(rescue.oid.as_str()).unwrap()).collect();
            rescues.insert(machine.state.join(REPOSITORY).join("cache.git"), oids);
        }
        for tip in tips {
            let is_kept = rescues.iter().any(|(cache, kept)| {
                let cache = Repository::open_bare(cache).unwrap();
                kept.iter().any(|from| from == tip || cache.graph_descendant_of(*from, *tip).unwrap_or(false))
            });
            assert!(is_kept || places.iter().any(|path| has(path, *tip)), "(3) {tip} is lost");
        }
    }
}
