//! Random histories: word is of changes, and nothing is forgotten.

use proptest::prelude::*;

use super::*;

/// What happens between two looks.
#[derive(Clone, Debug)]
enum Happens {
    Nothing,
    Stands(usize, StandingWord),
    Master(MasterVerdict),
    Jumps(i64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let words = prop::sample::select(vec![
        StandingWord::InStep,
        StandingWord::Failed,
        StandingWord::Waits,
        StandingWord::Behind,
        StandingWord::Syncing,
        StandingWord::CannotTakeOver,
        StandingWord::ChangeOpen,
        StandingWord::NeverSynced,
    ]);
    prop_oneof![
        6 => Just(Happens::Nothing),
        4 => (0..2_usize, words).prop_map(|(position, word)| Happens::Stands(position, word)),
        4 => prop::sample::select(MasterVerdict::ALL.to_vec()).prop_map(Happens::Master),
        1 => (-60_000..60_000_i64).prop_map(Happens::Jumps),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_word_is_of_changes_and_nothing_is_forgotten(
        history in prop::collection::vec((1..12_i64, happens()), 1..120),
        night in any::<bool>(),
    ) {
        let mut world = World::new();
        let hours = QuietHours {
            from: jiff::civil::time(22, 0, 0, 0),
            to: jiff::civil::time(7, 0, 0, 0),
            time_zone: Some(TimeZone::UTC),
        };
        world.quiet = night.then(|| hours.clone());
        let (mut last, mut bad_looks): (Option<Timestamp>, u32) = (None, 0);
        // Whether a failure that was told has ended since, by mirror.
        let mut ended = [true, true];
        for (minutes, what) in history {
            world.pass(minutes);
            match what {
                Happens::Nothing => {}
                Happens::Stands(position, word) => {
                    world.set(position, word);
                    let failed = matches!(word, StandingWord::Failed | StandingWord::CannotTakeOver);
                    let id = world.mirror(position).id.clone();
                    world.seen.failures.insert(id, if failed { 3 } else { 0 });
                    if matches!(word, StandingWord::InStep | StandingWord::Behind | StandingWord::NeverSynced) {
                        ended[position] = true;
                    }
                }
                Happens::Master(verdict) => {
                    world.master(verdict);
                    bad_looks = match verdict {
                        MasterVerdict::Down | MasterVerdict::Gone => bad_looks + 1,
                        MasterVerdict::Well => 0,
                        MasterVerdict::Unknown => bad_looks,
                    };
                }
                Happens::Jumps(minutes) => { world.pass(minutes); }
            }
            last = last.map(|last| last.min(world.now));
            let is_quiet = night && quiet::until(&hours, world.now).is_some();
            let notes = world.look();
            if !notes.is_empty() {
                prop_assert!(last.is_none_or(|last| world.now.duration_since(last).as_mins() >= 10), "too soon");
                last = Some(world.now);
            }
            for note in notes {
                prop_assert!(!is_quiet || note.event == NotifyEvent::MasterDown, "{:?} in quiet hours", note);
                match note.event {
                    NotifyEvent::MasterDown => prop_assert!(bad_looks >= 2, "after {} looks", bad_looks),
                    NotifyEvent::Failed => {
                        let position = usize::from(note.mirror.unwrap().as_str() == "two");
                        prop_assert!(std::mem::take(&mut ended[position]), "told twice");
                    }
                    _ => {}
                }
            }
        }
        // From here on nothing changes, and the clock goes on: all that is so gets told, and then there is silence.
        let verdict = world.seen.report.master_health.as_ref().map(|health| health.verdict);
        for _ in 0..26 * 6 {
            world.pass(10);
            verdict.into_iter().for_each(|verdict| world.master(verdict));
            world.look();
        }
        for mirror in world.seen.report.mirrors.clone() {
            let is_told = |kind: Kind| {
                world.told.states.get(&kind.key(Some(&mirror.id))).is_some_and(|state| state.told.is_some())
            };
            match mirror.standing.word {
                StandingWord::Failed | StandingWord::CannotTakeOver => prop_assert!(is_told(Kind::Failed)),
                StandingWord::Waits => prop_assert!(is_told(Kind::Waits)),
                StandingWord::InStep | StandingWord::Behind => {
                    prop_assert!(!is_told(Kind::Failed) && !is_told(Kind::Waits));
                }
                _ => {}
            }
        }
        match verdict {
            Some(MasterVerdict::Down | MasterVerdict::Gone) => prop_assert!(world.told.master.told.is_some()),
            Some(MasterVerdict::Well) => prop_assert!(world.told.master.told.is_none()),
            Some(MasterVerdict::Unknown) | None => {}
        }
        let mut reminded = 0;
        for _ in 0..24 * 6 {
            world.pass(10);
            verdict.into_iter().for_each(|verdict| world.master(verdict));
            // What waits is told again once a week, and that may be today.
            let (again, other): (Vec<_>, Vec<_>) =
                world.look().into_iter().partition(|note| note.event == NotifyEvent::Waits);
            reminded += again.len();
            prop_assert!(other.is_empty(), "nothing changed: {:?}", other);
        }
        prop_assert!(reminded <= world.seen.report.mirrors.len(), "reminded {} times in a day", reminded);
    }
}
