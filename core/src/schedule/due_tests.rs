//! When something is due: a table, and histories in which the clock is set, the machine sleeps and the configuration changes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use standin_state::config::Rhythm;

use super::{Past, due, early};

const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> Timestamp {
    format!("2026-02-07T{text}Z").parse().unwrap()
}

fn tried(text: &str, failures: u32) -> Past {
    Past { tried: Some(at(text)), failures, not_before: None }
}

fn hourly(past: &Past, kept_since: &str, now: &str) -> Option<Timestamp> {
    due(&Rhythm::Every(HOUR), past, Duration::ZERO, (at(kept_since), at(now)))
}

#[test]
fn an_interval_runs_from_the_last_try_and_the_start_comes_first() {
    for (past, kept_since, now, expected) in [
        (Past::default(), "10:00:00", "10:00:00", "10:00:00"),
        // Tried since the schedule is kept.
        (tried("10:01:00", 0), "10:00:00", "10:30:00", "11:01:00"),
        // At the start all is synced, unless that was done just before.
        (tried("09:30:00", 0), "10:00:00", "10:00:00", "10:00:00"),
        (tried("09:58:00", 0), "10:00:00", "10:00:00", "10:03:00"),
        // Many times were missed: it is due once, and has been since then.
        (tried("02:00:00", 0), "01:00:00", "10:00:00", "03:00:00"),
        // After failures sooner, then as usual.
        (tried("10:00:00", 1), "09:00:00", "10:00:30", "10:01:00"),
        (tried("10:00:00", 2), "09:00:00", "10:00:30", "10:05:00"),
        (tried("10:00:00", 3), "09:00:00", "10:00:30", "10:15:00"),
        (tried("10:00:00", 4), "09:00:00", "10:00:30", "11:00:00"),
        (tried("10:00:00", 400), "09:00:00", "10:00:30", "11:00:00"),
        // A start in between makes nobody wait less.
        (tried("10:00:00", 4), "10:30:00", "10:30:00", "11:00:00"),
        // Dated by a clock that was wrong.
        (tried("23:00:00", 0), "09:00:00", "10:00:00", "09:00:00"),
        (tried("23:00:00", 3), "09:00:00", "10:00:00", "09:00:00"),
    ] {
        assert_eq!(hourly(&past, kept_since, now), Some(at(expected)), "{past:?} kept since {kept_since} at {now}");
    }
}

#[test]
fn a_short_interval_is_never_made_longer_by_a_failure() {
    let past = tried("10:00:00", 3);
    let each_half_minute = Rhythm::Every(Duration::from_secs(30));
    assert_eq!(due(&each_half_minute, &past, Duration::ZERO, (at("09:00:00"), at("10:00:01"))), Some(at("10:00:30")));
}

#[test]
fn a_host_that_asks_to_be_left_alone_is_but_not_for_ever() {
    let resting = |until: &str| Past { not_before: Some(until.parse().unwrap()), ..tried("10:00:00", 1) };
    assert_eq!(hourly(&resting("2026-02-07T10:40:00Z"), "09:00:00", "10:01:00"), Some(at("10:40:00")));
    assert_eq!(
        hourly(&resting("2031-01-01T00:00:00Z"), "09:00:00", "10:01:00"),
        Some("2026-02-08T10:00:00Z".parse().unwrap())
    );
}

#[test]
fn what_is_off_is_never_due() {
    for past in [Past::default(), tried("10:00:00", 2)] {
        assert_eq!(due(&Rhythm::Off, &past, Duration::ZERO, (at("09:00:00"), at("12:00:00"))), None);
    }
}

#[test]
fn repositories_are_early_by_a_little_and_each_by_its_own() {
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..200 {
        let id = format!("site-{number}").parse().unwrap();
        let short = early(&id, HOUR);
        assert!(short < Duration::from_secs(120), "{short:?}");
        assert!(early(&id, Duration::from_secs(20)) < Duration::from_secs(1));
        assert_eq!(short, early(&id, HOUR));
        seen.insert(short);
    }
    assert!(seen.len() > 190, "only {} moments", seen.len());
}

/// What may happen between two looks of whoever keeps the schedule.
#[derive(Clone, Debug)]
enum Turn {
    /// So many seconds go by: of true time, which the clock shows.
    Pass(u32),
    /// The clock is set, by so many seconds.
    Set(i32),
    /// The machine sleeps so long, or nobody keeps the schedule.
    Away(u32),
    /// The interval is made another.
    Interval(u32),
    /// Somebody syncs by hand.
    ByHand,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        8 => (1u32..600).prop_map(Turn::Pass),
        1 => prop_oneof![-40_000_000i32..40_000_000, -7_200i32..7_200].prop_map(Turn::Set),
        1 => (60u32..2_000_000).prop_map(Turn::Away),
        1 => (60u32..90_000).prop_map(Turn::Interval),
        1 => Just(Turn::ByHand),
    ];
    proptest::collection::vec(turn, 1..120)
}

proptest! {
    /// Whatever is done to the clock, the machine and the configuration: a mirror is never synced twice without a reason in
    /// between, and it never waits longer than its interval of true time.
    #[test]
    fn nothing_is_forgotten_and_nothing_comes_in_a_storm(turns in turns(), works in proptest::collection::vec(any::<bool>(), 40)) {
        let mut clock: Timestamp = "2026-02-07T10:00:00Z".parse().unwrap();
        let mut kept_since = clock;
        let mut past = Past::default();
        let mut interval: u32 = 3600;
        // In true seconds.
        let (mut now, mut last): (u64, Option<u64>) = (0, None);
        // What gives reason for one more sync than the interval has.
        let mut reasons: u64 = 1;
        let (mut syncs, mut budget) = (0u64, 0f64);
        let mut results = works.into_iter().cycle();
        for turn in turns {
            let seconds = match turn {
                Turn::Pass(seconds) => seconds,
                Turn::Set(by) => {
                    clock = clock.checked_add(SignedDuration::from_secs(by.into())).unwrap();
                    reasons += 2;
                    0
                }
                Turn::Away(seconds) => {
                    reasons += 1;
                    seconds
                }
                Turn::Interval(other) => {
                    interval = other;
                    reasons += 1;
                    0
                }
                Turn::ByHand => {
                    past = Past { tried: Some(clock), failures: 0, not_before: None };
                    last = Some(now);
                    0
                }
            };
            now += u64::from(seconds);
            clock = clock.checked_add(SignedDuration::from_secs(seconds.into())).unwrap();
            if matches!(turn, Turn::Away(_)) {
                kept_since = clock;
            }
            budget += f64::from(seconds) / f64::from(interval);
            let rhythm = Rhythm::Every(Duration::from_secs(interval.into()));
            let next = due(&rhythm, &past, Duration::ZERO, (kept_since, clock)).unwrap();
            if next <= clock {
                let failures = if results.next().unwrap() { 0 } else { past.failures + 1 };
                past = Past { tried: Some(clock), failures, not_before: None };
                syncs += 1;
                last = Some(now);
                // At most three tries come sooner than the interval has them.
                reasons += u64::from((1..=3).contains(&failures));
                let again = due(&rhythm, &past, Duration::ZERO, (kept_since, clock)).unwrap();
                prop_assert!(again > clock, "due again at once: {again} at {clock}");
            } else if let Some(last) = last {
                prop_assert!(next.duration_since(clock) <= SignedDuration::from_secs(interval.into()), "{next} is too far from {clock}");
                let _ = last;
            } else {
                prop_assert!(false, "a mirror that was never synced waits until {next} at {clock}");
            }
        }
        prop_assert!(syncs <= reasons + budget.ceil() as u64, "{syncs} syncs with {reasons} reasons and {budget} intervals");
    }
}
