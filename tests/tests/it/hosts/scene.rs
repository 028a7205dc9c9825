//! A source, a mirror behind a replayed host, and what a sync left there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use standin_core::Error;
use standin_core::state::config::{GitTarget, Target};
use standin_core::state::model::{AspectReport, AspectStatus, Oid};
use standin_core::state::store::ChangeOutcome;
use standin_tests::git::{Sshd, refs};
use standin_tests::pair::{Machine, Pair};
use standin_tests::replay::presets::{PRESETS, Preset};
use standin_tests::replay::{Host, PushRecord, Replay};

/// The fence.
pub const FENCE: &str = "refs/standin/fence";
/// The program that sshd starts.
pub const SHELL: &str = env!("CARGO_BIN_EXE_replay-shell");

/// A preset by its name.
pub fn preset(name: &str) -> Preset {
    PRESETS.into_iter().find(|preset| preset.name == name).unwrap()
}

/// A pair of which the mirror stands behind a host.
pub struct Scene {
    pub pair: Pair,
    pub replay: Replay,
    pub machine: Machine,
    /// Every place where a ref of the mirror ever stood.
    places: BTreeMap<String, BTreeSet<String>>,
    sshd: Option<Sshd>,
}

/// What a sync came to.
#[derive(Debug)]
pub struct Synced {
    /// Its report, or the error that stopped it.
    pub result: Result<AspectReport, Error>,
    /// The refs that were refused, each with what is said of it.
    pub refused: BTreeMap<String, Error>,
    /// The pushes that it took.
    pub pushes: Vec<PushRecord>,
}

impl Synced {
    /// How it ended, if nothing stopped it.
    pub fn status(&self) -> Option<AspectStatus> {
        self.result.as_ref().ok().map(|report| report.status)
    }

    /// All words that a user sees of it.
    pub fn words(&self) -> String {
        let mut words = match &self.result {
            Ok(report) => {
                [report.error.clone(), report.hint.clone()].into_iter().flatten().collect::<Vec<_>>().join("\n")
            }
            Err(error) => format!("{}\n{}", error.message, error.hint),
        };
        for error in self.refused.values() {
            words.push_str(&format!("\n{}\n{}", error.message, error.hint));
        }
        words
    }
}

impl Scene {
    /// Over HTTP.
    pub fn over_http(host: Host) -> Self {
        let mut pair = Pair::new();
        let replay = Replay::start(&pair.mirror.path, host);
        pair.repository.mirrors[0].target = Target::git(replay.url());
        let machine = pair.machine("laptop");
        Self { pair, replay, machine, places: BTreeMap::new(), sshd: None }
    }

    /// Over ssh.
    pub fn over_ssh(host: Host) -> Self {
        let mut scene = Self::over_http(host);
        let (sshd, url) = scene.replay.over_ssh(Path::new(SHELL));
        let ssh_key = Some(sshd.user_key.clone());
        scene.pair.repository.mirrors[0].target = Target::Git(GitTarget { url, ssh_key, hooks: false });
        scene.machine = scene.pair.machine("laptop");
        std::fs::write(scene.machine.state().join("known_hosts"), sshd.known_hosts_line()).unwrap();
        scene.sshd = Some(sshd);
        scene
    }

    /// Notes where the mirror's refs stand now, since somebody else moved them.
    pub fn note(&mut self) {
        for (name, oid) in refs(&self.pair.mirror.path) {
            self.places.entry(name).or_default().insert(oid.to_string());
        }
    }

    /// The places where refs of the mirror ever stood.
    pub fn places(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.places
    }

    /// Syncs, and checks that the fence says nothing that is not so.
    pub async fn sync(&mut self) -> Synced {
        self.note();
        self.replay.forget();
        let ctx = self.machine.context().await;
        let result = self.machine.sync_in(&ctx).await;
        let refused = self
            .machine
            .changes(&ctx)
            .into_iter()
            .filter_map(|recorded| match recorded.outcome {
                ChangeOutcome::Failed { error } => Some((recorded.change.name, error)),
                _ => None,
            })
            .collect();
        let pushes = self.replay.pushes();
        for push in &pushes {
            for asked in push.asked.iter().filter(|asked| push.taken.contains(&asked.name)) {
                if let Some(new) = asked.new {
                    self.places.entry(asked.name.clone()).or_default().insert(new.to_string());
                }
            }
        }
        self.note();
        let synced = Synced { result, refused, pushes };
        self.assert_fence_is_true(&synced);
        synced
    }

    /// Every ref that the fence says we pushed stands or stood there.
    fn assert_fence_is_true(&self, synced: &Synced) {
        let Some((_, document)) = self.pair.mirror.fence() else { return };
        for (name, oid) in &document.refs {
            let stood = self.places.get(name.as_str()).is_some_and(|places| places.contains(oid.as_str()));
            assert!(stood, "the fence says that {name} was moved to {oid}, where it never stood, after {synced:?}");
        }
    }

    /// The source's refs but these.
    pub fn source_without(&self, names: &[&str]) -> BTreeMap<String, Oid> {
        let mut refs = self.pair.source.refs();
        refs.retain(|name, _| !names.contains(&name.as_str()));
        refs
    }
}
