use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use standin_state::model::{
    Action, AspectReport, AspectStatus, Health, MirrorStatus, MirrorType, PulledReport, RepositoryReport,
    SentinelStatus, Standing, StandingWord, Tone,
};

use super::*;

/// A Monday at noon.
const NOON: &str = "2026-03-02T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn standing(word: StandingWord) -> Standing {
    Standing {
        word,
        tone: Tone::Waiting,
        label: word.to_string(),
        reason: format!("because of {word}"),
        since_iso: None,
        actions: vec![Action::new(Verb::Sync, None)],
    }
}

fn mirror(id: &str, word: StandingWord) -> MirrorReport {
    let aspect = || AspectReport::new(AspectStatus::Ok);
    MirrorReport {
        id: id.parse().unwrap(),
        repo: format!("ada-{id}/site"),
        kind: MirrorType::GitHub,
        role: Some(Role::Slave),
        enabled: true,
        standing: standing(word),
        status: MirrorStatus::Success,
        code: aspect(),
        secrets: aspect(),
        variables: aspect(),
        workflows: aspect(),
        health: Health::Unknown,
        health_detail: None,
        last_health_check_iso: None,
        sentinel: None,
        next_sync_iso: None,
        longest_gap_seconds: None,
        error: None,
        pulled: PulledReport::default(),
    }
}

/// A repository in step with two mirrors, and what happens to it.
struct World {
    seen: Seen,
    told: Told,
    now: Timestamp,
    quiet: Option<QuietHours>,
    wanted: BTreeSet<NotifyEvent>,
}

impl World {
    fn new() -> Self {
        let report = RepositoryReport {
            repository: "site".parse().unwrap(),
            enabled: true,
            standing: standing(StandingWord::InStep),
            consent: None,
            error: None,
            self_role: Role::Master,
            master: "ada/site".to_owned(),
            epoch: Some(1),
            seen: None,
            last_full_sync_iso: None,
            open_change: None,
            master_health: None,
            notify: Vec::new(),
            mirrors: vec![mirror("one", StandingWord::InStep), mirror("two", StandingWord::InStep)],
        };
        let seen = Seen {
            report,
            failures: BTreeMap::new(),
            tokens: BTreeMap::new(),
            changed_by_hand: None,
            sentinel_interval: Duration::from_secs(30 * 60),
        };
        let wanted = NotifyEvent::ALL.iter().copied().collect();
        Self { seen, told: Told::default(), now: at(NOON), quiet: None, wanted }
    }

    /// One look at this moment; what it tells.
    fn look(&mut self) -> Vec<Note> {
        let rules = Rules {
            wanted: self.wanted.clone(),
            quiet_hours: self.quiet.as_ref(),
            interval: Duration::from_secs(60 * 60),
        };
        // What is remembered goes through the database as JSON.
        let told = Told::read(Some(&serde_json::to_string(&self.told).unwrap()));
        assert_eq!(told, self.told, "what is remembered is read as it was written");
        let decision = decide(&told, &self.seen, &rules, self.now);
        self.told = decision.told;
        decision.notes
    }

    /// The words of what one look tells.
    fn told(&mut self) -> Vec<&'static str> {
        self.look().into_iter().map(|note| note.event.as_str()).collect()
    }

    fn pass(&mut self, minutes: i64) -> &mut Self {
        self.now = self.now.checked_add(minutes.minutes()).unwrap();
        self
    }

    /// Looks every five minutes for so long; all that is told.
    fn wait(&mut self, minutes: i64) -> Vec<&'static str> {
        (0..minutes / 5).flat_map(|_| self.pass(5).told()).collect()
    }

    fn mirror(&mut self, position: usize) -> &mut MirrorReport {
        &mut self.seen.report.mirrors[position]
    }

    fn set(&mut self, position: usize, word: StandingWord) {
        self.mirror(position).standing = standing(word);
    }

    /// A look at the master that found this.
    fn master(&mut self, verdict: MasterVerdict) {
        let before = self.seen.report.master_health.as_ref().filter(|health| health.verdict == verdict);
        let since_iso = before.map_or(self.now, |health| health.since_iso);
        self.seen.report.master_health = Some(MasterHealth {
            place: MirrorId::source(),
            repo: "ada/site".to_owned(),
            verdict,
            cause: standin_state::model::MasterCause::Unclear,
            health: Health::Ok,
            detail: "ada/site: HTTP 503".to_owned(),
            hint: String::new(),
            since_iso,
            last_health_check_iso: self.now,
        });
    }
}

#[test]
fn a_master_is_told_to_be_down_by_the_second_look_and_once() {
    let mut world = World::new();
    world.master(MasterVerdict::Down);
    assert!(world.told().is_empty(), "one look");
    assert!(world.pass(5).told().is_empty(), "no further look");
    world.master(MasterVerdict::Down);
    let notes = world.look();
    assert_eq!(notes.len(), 1);
    assert_eq!(notes[0].text, "ada/site is down: HTTP 503");
    assert_eq!(notes[0].command.as_deref(), Some("standin health"));
    for _ in 0..40 {
        world.pass(5).master(MasterVerdict::Down);
        assert!(world.told().is_empty(), "it was told");
    }
    world.pass(5).master(MasterVerdict::Well);
    assert_eq!(world.told(), ["master_back"]);
    assert!(world.wait(600).is_empty());
}

#[test]
fn a_look_that_cannot_tell_neither_counts_nor_ends_the_row() {
    let mut world = World::new();
    world.master(MasterVerdict::Down);
    assert!(world.told().is_empty());
    for _ in 0..5 {
        world.pass(5).master(MasterVerdict::Unknown);
        assert!(world.told().is_empty());
    }
    world.pass(5).master(MasterVerdict::Down);
    assert_eq!(world.told(), ["master_down"]);
    world.pass(20).master(MasterVerdict::Unknown);
    assert!(world.told().is_empty(), "that it cannot be judged is no return");
}

#[test]
fn a_master_that_comes_and_goes_is_not_told_and_one_that_is_gone_for_good_is() {
    let mut world = World::new();
    for verdict in [MasterVerdict::Down, MasterVerdict::Well].repeat(20) {
        world.pass(5).master(verdict);
        assert!(world.told().is_empty());
    }
    world.pass(5).master(MasterVerdict::Down);
    assert!(world.told().is_empty());
    world.pass(5).master(MasterVerdict::Gone);
    assert_eq!(world.told(), ["master_down"], "both say that it is not well");
    for verdict in [MasterVerdict::Down, MasterVerdict::Gone].repeat(10) {
        world.pass(15).master(verdict);
        assert!(world.told().is_empty(), "it is no news");
    }

    let mut world = World::new();
    for _ in 0..2 {
        world.pass(15).master(MasterVerdict::Down);
        world.told();
    }
    world.pass(15).master(MasterVerdict::Gone);
    assert!(world.told().is_empty());
    world.pass(15).master(MasterVerdict::Gone);
    assert_eq!(world.look()[0].text, "ada/site is gone: HTTP 503");
}

#[test]
fn a_look_by_hand_in_between_counts() {
    let mut world = World::new();
    world.master(MasterVerdict::Down);
    world.pass(1).master(MasterVerdict::Down);
    assert_eq!(world.told(), ["master_down"], "both were made before anything was told");
}

#[test]
fn another_master_is_told_unless_a_person_made_it_here() {
    let promoted = |by_hand: Option<u64>| {
        let mut world = World::new();
        assert!(world.told().is_empty(), "the first look changes nothing");
        world.seen.changed_by_hand = by_hand;
        let report = &mut world.seen.report;
        (report.epoch, report.master) = (Some(2), "ada-one/site".to_owned());
        world.mirror(0).role = Some(Role::TemporaryMaster);
        world.set(0, StandingWord::StandsIn);
        world.pass(5);
        world
    };
    let notes = promoted(None).look();
    assert_eq!(notes[0].text, "ada-one/site was made master in place of ada/site, and stands in for it.");
    assert_eq!(promoted(Some(1)).told(), ["promoted"], "the change by hand was an earlier one");
    let mut known = promoted(Some(2));
    assert!(known.told().is_empty() && known.wait(60).is_empty());
    let report = &mut known.seen.report;
    (report.epoch, report.master) = (Some(3), "ada/site".to_owned());
    known.mirror(0).role = Some(Role::Slave);
    known.set(0, StandingWord::InStep);
    assert_eq!(known.pass(5).look()[0].text, "ada/site is master now, in place of ada-one/site.");
    // A memory that was put back is older than what is seen, never newer.
    known.seen.report.epoch = Some(2);
    assert!(known.wait(60).is_empty());
    known.seen.report.epoch = None;
    assert!(known.wait(60).is_empty());
}

#[test]
fn a_failure_is_told_after_three_runs_or_six_hours() {
    let mut world = World::new();
    world.set(0, StandingWord::Failed);
    for row in [1, 2] {
        world.seen.failures.insert("one".parse().unwrap(), row);
        assert!(world.pass(5).told().is_empty(), "{row}");
    }
    world.seen.failures.insert("one".parse().unwrap(), 3);
    assert_eq!(world.pass(5).told(), ["failed"]);
    assert!(world.wait(60 * 48).is_empty(), "it was told");
    world.set(0, StandingWord::InStep);
    assert_eq!(world.pass(5).told(), ["mended"]);

    let mut world = World::new();
    world.told();
    world.set(1, StandingWord::CannotTakeOver);
    world.pass(5).told();
    assert!(world.wait(355).is_empty());
    assert_eq!(world.wait(10), ["failed"], "six hours after it was first seen");
}

#[test]
fn a_sync_that_goes_on_and_a_decision_in_between_are_no_end_of_a_failure() {
    let mut world = World::new();
    world.set(0, StandingWord::Failed);
    world.seen.failures.insert("one".parse().unwrap(), 3);
    assert_eq!(world.told(), ["failed"]);
    world.mirror(0).status = MirrorStatus::Syncing;
    world.set(0, StandingWord::Syncing);
    assert!(world.wait(30).is_empty());
    world.mirror(0).status = MirrorStatus::Failed;
    world.set(0, StandingWord::Failed);
    assert!(world.wait(30).is_empty(), "still the same failure");
    world.set(0, StandingWord::Waits);
    assert_eq!(world.wait(30), ["waits"], "and no word that it works again");
    world.set(0, StandingWord::Behind);
    assert_eq!(world.wait(30), ["mended"]);
}

#[test]
fn a_decision_that_waits_is_told_at_once_and_each_week() {
    let mut world = World::new();
    world.set(0, StandingWord::Waits);
    assert_eq!(world.told(), ["waits"]);
    assert!(world.wait(7 * 24 * 60 - 5).is_empty());
    assert_eq!(world.wait(5), ["waits"]);
    assert_eq!(world.wait(14 * 24 * 60), ["waits", "waits"]);
    world.set(0, StandingWord::InStep);
    assert!(world.wait(60).is_empty(), "who decided knows");
    world.set(0, StandingWord::Waits);
    assert_eq!(world.wait(60), ["waits"], "another decision");
}

#[test]
fn what_waits_of_the_whole_is_told_once_and_not_by_mirror() {
    let mut world = World::new();
    world.seen.report.standing = standing(StandingWord::ConsentNeeded);
    for position in 0..2 {
        world.set(position, StandingWord::ConsentNeeded);
    }
    let notes = world.look();
    assert_eq!((notes.len(), notes[0].event, &notes[0].mirror), (1, NotifyEvent::Waits, &None));
    assert!(world.wait(60).is_empty());

    // Actions left off end with the next sync; only a change of master waits for a person.
    let mut world = World::new();
    world.seen.report.standing = standing(StandingWord::ChangeOpen);
    assert!(world.wait(60).is_empty());
    world.seen.report.standing.actions = vec![Action::new(Verb::Resume, Some(&"one".parse().unwrap()))];
    assert_eq!(world.wait(60), ["waits"]);
}

#[test]
fn a_mirror_is_told_stale_after_a_day_unless_waking_mends_it() {
    let mut world = World::new();
    world.told();
    let looked = world.now;
    let mut stale = standing(StandingWord::Stale);
    stale.since_iso = Some(looked);
    world.mirror(0).standing = stale.clone();
    assert!(world.wait(24 * 60 + 25).is_empty());
    assert_eq!(world.wait(10), ["stale"]);
    world.set(0, StandingWord::InStep);
    assert_eq!(world.wait(5), ["mended"]);

    // A laptop that slept for three days.
    let mut world = World::new();
    world.told();
    world.mirror(0).standing = stale;
    assert!(world.pass(3 * 24 * 60).told().is_empty());
    assert!(world.wait(20).is_empty(), "the sync that comes with waking goes on");
    world.set(0, StandingWord::InStep);
    assert!(world.wait(60).is_empty());
}

#[test]
fn a_token_is_told_at_fourteen_three_and_one_days() {
    let mut world = World::new();
    let place: MirrorId = "one".parse().unwrap();
    let end = world.now.checked_add((30 * 24).hours()).unwrap();
    world.seen.tokens.insert(place.clone(), end);
    let mut said = Vec::new();
    for _ in 0..31 * 24 {
        said.extend(world.pass(60).look().into_iter().map(|note| note.text));
    }
    let words = |when: &str| format!("the token of one ends {when}");
    assert_eq!(said, [words("in 14 days"), words("in 3 days"), words("in 1 day")]);

    // A new token is another; one first seen shortly before its end is told once.
    let end = world.now.checked_add(40.hours()).unwrap();
    world.seen.tokens.insert(place, end);
    let notes = world.pass(60).look();
    assert_eq!(notes[0].text, words("in 1 day"));
    assert_eq!(notes[0].command.as_deref(), Some("standin token set one"));
    assert!(world.wait(600).is_empty());
}

#[test]
fn a_sentinel_is_told_asleep_by_two_looks_and_one_that_never_was_is_not() {
    let sentinel = |health, last_check_iso, looked_at_iso, workflow: Option<&str>| SentinelStatus {
        health,
        detail: Some("it is switched off".to_owned()),
        hint: None,
        workflow: workflow.map(str::to_owned),
        last_check_iso,
        last_verdict: None,
        failures: 0,
        looked_at_iso,
    };
    let mut world = World::new();
    for (minutes, expected) in [(0, &[][..]), (5, &["sentinel_asleep"]), (60, &[])] {
        world.pass(minutes);
        world.mirror(0).sentinel = Some(sentinel(Health::Failed, None, world.now, Some("disabled_inactivity")));
        assert_eq!(world.told(), expected);
        assert!(world.told().is_empty(), "the same look");
    }
    world.mirror(0).sentinel = Some(sentinel(Health::Ok, Some(world.now), world.now, Some("active")));
    assert_eq!(world.pass(15).told(), ["mended"]);

    let mut absent = World::new();
    for _ in 0..10 {
        absent.pass(60).mirror(0).sentinel = Some(sentinel(Health::Warning, None, at(NOON), None));
        absent.mirror(0).sentinel.as_mut().unwrap().looked_at_iso = absent.now;
        assert!(absent.told().is_empty(), "nobody set one up");
    }
    let mut late = World::new();
    let last = late.now;
    for minutes in [60, 60, 30, 30] {
        late.pass(minutes);
        late.mirror(0).sentinel = Some(sentinel(Health::Warning, Some(last), late.now, Some("active")));
        let expected: &[&str] = if late.now.duration_since(last).as_mins() >= 180 { &["sentinel_asleep"] } else { &[] };
        assert_eq!(late.told(), expected);
    }
}

#[test]
fn what_comes_within_ten_minutes_is_joined_into_the_next() {
    let mut world = World::new();
    world.set(0, StandingWord::Waits);
    assert_eq!(world.told(), ["waits"]);
    world.set(1, StandingWord::Waits);
    assert!(world.pass(5).told().is_empty());
    world.master(MasterVerdict::Down);
    world.told();
    world.pass(4).master(MasterVerdict::Down);
    assert!(world.told().is_empty());
    assert_eq!(world.pass(1).told(), ["master_down", "waits"], "the worst first");
    // What is over by then is told no more.
    world.set(0, StandingWord::InStep);
    world.pass(1).told();
    world.set(0, StandingWord::Waits);
    assert!(world.pass(1).told().is_empty());
    world.set(0, StandingWord::InStep);
    assert!(world.wait(60).is_empty());
}

#[test]
fn quiet_hours_hold_all_but_a_master_that_is_down() {
    let mut world = World::new();
    let hours = |from, to| QuietHours {
        from: jiff::civil::time(from, 0, 0, 0),
        to: jiff::civil::time(to, 0, 0, 0),
        time_zone: Some(TimeZone::UTC),
    };
    world.quiet = Some(hours(22, 7));
    world.now = at("2026-03-02T23:00:00Z");
    world.set(0, StandingWord::Waits);
    world.set(1, StandingWord::Waits);
    assert!(world.told().is_empty());
    world.master(MasterVerdict::Down);
    world.told();
    world.pass(5).master(MasterVerdict::Down);
    assert_eq!(world.told(), ["master_down"], "and nothing with it");
    world.pass(30).master(MasterVerdict::Well);
    assert!(world.told().is_empty());
    world.set(1, StandingWord::InStep);
    world.now = at("2026-03-03T06:59:00Z");
    assert!(world.told().is_empty());
    assert_eq!(world.pass(1).told(), ["master_back", "waits"], "what is still so, and one of the two");
}

#[test]
fn it_is_said_when_what_is_held_may_be_told() {
    let mut world = World::new();
    world.quiet = Some(QuietHours {
        from: jiff::civil::time(22, 0, 0, 0),
        to: jiff::civil::time(7, 0, 0, 0),
        time_zone: Some(TimeZone::UTC),
    });
    world.now = at("2026-03-02T23:00:00Z");
    world.set(0, StandingWord::Waits);
    let rules = Rules { wanted: world.wanted.clone(), quiet_hours: world.quiet.as_ref(), interval: Duration::ZERO };
    let held = decide(&world.told, &world.seen, &rules, world.now);
    assert_eq!(held.held_until, Some(at("2026-03-03T07:00:00Z")));
    let told = decide(&held.told, &world.seen, &rules, at("2026-03-03T07:00:00Z"));
    assert_eq!((told.notes.len(), told.held_until), (1, None));
}

#[test]
fn what_nobody_wants_is_not_told_later_to_who_comes_to_want_it() {
    let mut world = World::new();
    world.wanted = BTreeSet::from([NotifyEvent::MasterDown, NotifyEvent::Mended]);
    world.set(0, StandingWord::Failed);
    world.seen.failures.insert("one".parse().unwrap(), 3);
    world.set(1, StandingWord::Waits);
    assert!(world.wait(60).is_empty());
    world.set(0, StandingWord::InStep);
    assert!(world.wait(60).is_empty(), "the end of what was never told");
    world.wanted = NotifyEvent::ALL.iter().copied().collect();
    assert!(world.wait(60).is_empty());
}

#[test]
fn a_clock_that_jumps_and_comes_back_tells_nothing_that_is_not_so() {
    let mut world = World::new();
    let end = world.now.checked_add((40 * 24).hours()).unwrap();
    world.seen.tokens.insert("one".parse().unwrap(), end);
    world.set(0, StandingWord::Failed);
    world.set(1, StandingWord::Waits);
    assert_eq!(world.wait(30), ["waits"]);
    for _ in 0..20 {
        // A month ahead for one look, and back.
        assert!(world.pass(30 * 24 * 60).told().is_empty());
        assert!(world.pass(-30 * 24 * 60).told().is_empty());
    }
    assert!(world.wait(5 * 60).is_empty());
    assert_eq!(world.wait(90), ["failed"], "six hours are six hours");
    let mut said = Vec::new();
    for _ in 0..40 * 24 {
        said.extend(world.pass(60).told().into_iter().filter(|word| *word == "token_ends"));
    }
    assert_eq!(said.len(), 3, "and the token is told when its days come");
}

#[test]
fn a_clock_that_was_years_ahead_silences_nobody() {
    let mut world = World::new();
    world.now = at("2036-01-01T00:00:00Z");
    world.set(0, StandingWord::Waits);
    assert_eq!(world.told(), ["waits"]);
    world.now = at(NOON);
    world.set(1, StandingWord::Waits);
    assert!(world.told().is_empty());
    assert_eq!(world.wait(15), ["waits"], "after one pause");
    assert_eq!(world.wait(7 * 24 * 60 + 30), ["waits", "waits"], "each is told again after a week");
}

#[path = "decide_random.rs"]
mod random;
