//! A host as a table, and what it makes of a push.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use git2::{Oid, Repository};

use super::records::{Asked, PushRecord};

/// What a hook that looks at a push as a whole makes git say of every ref.
const HOOK_DECLINED: &str = "pre-receive hook declined";

/// Whether refs move together, and who hears of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// All or none; every refused ref has its own reason.
    Atomic,
    /// All or none; the first refused ref has its own reason, the others count as sunk: an `update` hook of git.
    UpdateHook,
    /// All or none, whatever was asked for; every ref says `pre-receive hook declined`, remarks name the culprit.
    PreReceive,
    /// Says that it moves all or none, and moves what it does not refuse.
    ByHalf,
    /// Each ref by itself, as it says.
    NoAtomic,
}

impl Family {
    /// Whether it tells clients that it can move all or none.
    pub fn says_atomic(self) -> bool {
        self != Self::NoAtomic
    }

    /// Whether a refused ref leaves the others of an atomic push where they were.
    pub fn is_atomic(self) -> bool {
        !matches!(self, Self::ByHalf | Self::NoAtomic)
    }
}

/// How a lost race is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RaceWords {
    /// As git does: what failed in the ref's line, why in a remark; in an atomic push every ref says that it failed.
    Git,
    /// As GitHub does: why, in the line of the ref.
    InLine,
    /// In words of its own in the line of the ref; `{ref}` stands for it.
    Own(&'static str),
}

/// Refs that are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Begins the names of the refs, or is one; `*` at the end stands for anything.
    pub refs: String,
    /// What stands beside the ref; `{ref}` stands for it. A hook that looks at the whole push has none.
    pub reason: String,
    /// What goes with it, likewise.
    pub remarks: Vec<String>,
}

impl Rule {
    /// Refuses these refs in one line: beside the ref, or as a remark where the host has no other place.
    pub fn new(refs: &str, reason: &str, remarks: &[&str]) -> Self {
        Self {
            refs: refs.to_owned(),
            reason: reason.to_owned(),
            remarks: remarks.iter().map(|&remark| remark.to_owned()).collect(),
        }
    }

    fn is_about(&self, name: &str) -> bool {
        match self.refs.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.refs,
        }
    }
}

/// Something that concerns the push as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Every ref is refused in these words.
    Report {
        /// Beside each ref.
        reason: String,
        /// What goes with it.
        remarks: Vec<String>,
    },
    /// The objects are not taken.
    Unpack {
        /// What the report says of them, such as `index-pack abnormal exit`.
        unpacked: String,
        /// Beside each ref.
        reason: String,
        /// What goes with it.
        remarks: Vec<String>,
    },
    /// It is sent away at the door: over ssh in these lines, over HTTP by this status with them as body.
    Door {
        /// Of HTTP.
        status: u16,
        /// In the host's words.
        lines: Vec<String>,
        /// Whether those who read are sent away as well.
        reads: bool,
    },
    /// It is done, but no answer comes.
    CutAfter,
}

/// A mishap and how long it lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What goes wrong.
    pub mishap: Mishap,
    /// For so many pushes; `None` is until it is taken away.
    pub times: Option<u32>,
}

/// A proxy or a policy before the host, which sends pushes away by a status.
#[derive(Clone, Debug)]
pub struct Front {
    /// Of more bytes than these.
    pub over: usize,
    /// With this status.
    pub status: u16,
    /// And this as body.
    pub lines: Vec<&'static str>,
    /// What the header for single sign-on says.
    pub sso: Option<&'static str>,
    /// Whether requests for the refs are sent away too.
    pub refs: bool,
    /// Whether as JSON, as an API does.
    pub json: bool,
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// How people call it.
    pub name: &'static str,
    /// Its kind.
    pub family: Family,
    /// What it says of refs that another one sinks.
    pub sunk: &'static str,
    /// What it says of refs that moved.
    pub race: RaceWords,
    /// What its server calls itself.
    pub agent: &'static str,
    /// Refs that it refuses.
    pub rules: Vec<Rule>,
    /// How many branches and tags one push may move, and how more are refused.
    pub most: Option<(usize, Rule)>,
    /// Whether that counts other refs too, such as the fence.
    pub counts_all: bool,
    /// Whether it takes no deletes, and offers none.
    pub no_deletes: bool,
    /// What goes wrong, one after the other.
    pub troubles: VecDeque<Trouble>,
    /// Refs that somebody moves just before the next push is judged, and where to.
    pub races: Vec<(String, Option<Oid>)>,
    /// Refs of which it says that they moved, and does nothing.
    pub ignored: Vec<&'static str>,
    /// What answers instead of it to the requests that push, over HTTP.
    pub front: Option<Front>,
    /// How many requests that answered.
    pub turned_away: u32,
    /// Where it sends everybody on to: the address of the repository now.
    pub moved_to: Option<String>,
    /// Whether it sends on only who pushes.
    pub moved_for_pushes: bool,
    /// What it tells with every push that it took.
    pub greetings: Vec<String>,
    /// Waited before a push is answered.
    pub delay: Duration,
}

impl Host {
    /// A plain git server that refuses nothing.
    pub fn new(name: &'static str, family: Family, sunk: &'static str) -> Self {
        Self {
            name,
            family,
            sunk,
            race: RaceWords::Git,
            agent: "git/2.47.3",
            rules: Vec::new(),
            most: None,
            counts_all: false,
            no_deletes: false,
            troubles: VecDeque::new(),
            races: Vec::new(),
            ignored: Vec::new(),
            front: None,
            turned_away: 0,
            moved_to: None,
            moved_for_pushes: false,
            greetings: Vec::new(),
            delay: Duration::ZERO,
        }
    }

    /// Does not take the fence.
    #[must_use]
    pub fn without_fence(mut self) -> Self {
        self.rules.push(Rule::new("refs/standin/*", "deny updating a hidden ref", &["{ref} is not a name for here"]));
        self
    }

    /// From now on this goes wrong, so many times.
    pub fn fail(&mut self, mishap: Mishap, times: Option<u32>) {
        self.troubles.push_back(Trouble { mishap, times });
    }

    /// What the next request at the door meets, which is not counted.
    pub(super) fn at_the_door(&self, is_push: bool) -> Option<(u16, Vec<String>)> {
        match &self.troubles.front()?.mishap {
            Mishap::Door { status, lines, reads } if is_push || *reads => Some((*status, lines.clone())),
            _ => None,
        }
    }

    /// Takes the mishap that the next push meets, and counts it.
    pub(super) fn meet(&mut self) -> Option<Mishap> {
        let trouble = self.troubles.front_mut()?;
        let mishap = trouble.mishap.clone();
        if let Some(times) = &mut trouble.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.troubles.pop_front();
            }
        }
        Some(mishap)
    }

    /// Judges a push whose objects are there, and moves what it takes.
    pub(super) fn judge(&mut self, repository: &Repository, asked: Vec<Asked>, atomic: bool) -> PushRecord {
        for (name, to) in std::mem::take(&mut self.races) {
            move_ref(repository, &name, to);
        }
        let mut record = PushRecord { asked, atomic, report: BTreeMap::new(), remarks: Vec::new(), taken: Vec::new() };
        let is_short =
            |asked: &&Asked| ["refs/heads/", "refs/tags/"].iter().any(|folder| asked.name.starts_with(folder));
        let counts_all = self.counts_all;
        let is_short = |asked: &&Asked| counts_all || is_short(asked);
        let count = record.asked.iter().filter(is_short).count();
        let too_many = self.most.as_ref().filter(|(most, _)| count > *most).map(|(_, rule)| rule);
        let refused: Vec<(usize, Rule)> = record
            .asked
            .iter()
            .enumerate()
            .filter_map(|(index, asked)| {
                let is_about = |rule: &&Rule| rule.is_about(&asked.name);
                let rule = too_many.filter(|_| is_short(&asked)).or_else(|| self.rules.iter().find(is_about))?;
                Some((index, rule.clone()))
            })
            .collect();
        let together = self.family.is_atomic() && (atomic || self.family == Family::PreReceive);
        let heard = if self.family == Family::UpdateHook && together { 1 } else { refused.len() };
        for (index, rule) in refused.iter().take(heard) {
            let name = record.asked[*index].name.clone();
            for remark in &rule.remarks {
                let remark = fill(remark, &name);
                if !record.remarks.contains(&remark) {
                    record.remarks.push(remark);
                }
            }
            record.report.insert(name.clone(), Some(fill(&rule.reason, &name)));
        }
        if !refused.is_empty() && together {
            let said = if self.family == Family::PreReceive { HOOK_DECLINED } else { self.sunk };
            for asked in &record.asked {
                let known = record.report.get(&asked.name).filter(|_| self.family != Family::PreReceive).cloned();
                record.report.insert(asked.name.clone(), known.unwrap_or_else(|| Some(said.to_owned())));
            }
            return record;
        }
        self.lose_races(repository, &mut record, atomic && self.family.is_atomic());
        for asked in record.asked.clone() {
            if !record.report.contains_key(&asked.name) {
                record.report.insert(asked.name.clone(), None);
                if self.ignored.contains(&asked.name.as_str()) {
                    continue;
                }
                move_ref(repository, &asked.name, asked.new);
                record.taken.push(asked.name);
            }
        }
        if !record.taken.is_empty() {
            record.remarks.extend(self.greetings.iter().cloned());
        }
        record
    }

    /// Says which refs do not stand where the client believes, or cannot be made beside those that are there.
    fn lose_races(&self, repository: &Repository, record: &mut PushRecord, together: bool) {
        let mut lost = false;
        for asked in record.asked.clone() {
            let stands = repository.refname_to_id(&asked.name).ok();
            let in_the_way = asked.new.filter(|_| stands.is_none()).and_then(|_| in_the_way(repository, &asked.name));
            let why = match (&in_the_way, stands, asked.old) {
                (Some(other), ..) => format!("'{other}' exists; cannot create '{}'", asked.name),
                (None, stands, old) if stands == old => continue,
                (None, Some(_), None) => "reference already exists".to_owned(),
                (None, None, _) => format!("unable to resolve reference '{}'", asked.name),
                (None, Some(stands), Some(old)) => format!("is at {stands} but expected {old}"),
            };
            let why = format!("cannot lock ref '{}': {why}", asked.name);
            if record.report.contains_key(&asked.name) || (together && lost) {
                continue;
            }
            lost = true;
            let said = match self.race {
                RaceWords::InLine => why,
                RaceWords::Own(words) => fill(words, &asked.name),
                RaceWords::Git => {
                    record.remarks.push(format!("error: {why}"));
                    let failed = if together { "atomic transaction failed" } else { "failed to update ref" };
                    failed.to_owned()
                }
            };
            record.report.insert(asked.name, Some(said));
        }
        if lost && together {
            let said = if self.race == RaceWords::Git { "atomic transaction failed" } else { self.sunk };
            for asked in &record.asked {
                record.report.entry(asked.name.clone()).or_insert_with(|| Some(said.to_owned()));
            }
        }
    }
}

/// Puts the ref's name, and that without its folder, into a host's words.
pub(super) fn fill(text: &str, name: &str) -> String {
    let short = name.splitn(3, '/').last().unwrap_or(name);
    text.replace("{ref}", name).replace("{short}", short)
}

/// A ref whose name is a folder of this one, or the other way round.
fn in_the_way(repository: &Repository, name: &str) -> Option<String> {
    let names = repository.references().unwrap().flatten();
    let mut names = names.filter_map(|reference| Some(reference.name().ok()?.to_owned()));
    names.find(|other| {
        let is_below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
        is_below(name, other) || is_below(other, name)
    })
}

/// Moves a ref, whatever it was.
fn move_ref(repository: &Repository, name: &str, to: Option<Oid>) {
    match to {
        Some(oid) => drop(repository.reference(name, oid, true, "").unwrap()),
        None => {
            if let Ok(mut found) = repository.find_reference(name) {
                found.delete().unwrap();
            }
        }
    }
}
