//! The steps of a role change and what they make of the fences, one party at a time. What several parties and accidents
//! make of them is the business of `roles_model`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use standin_core::mastership::machine::{
    Change, Kind, Move, Refusal, Seen, Step, Way, fence_move, may_take, take_over,
};
use standin_core::mastership::who;
use standin_state::model::Site;

const ME: &str = "anna@laptop";

type Fences = BTreeMap<Site, Seen>;

fn closed(epoch: u64, master: &str, is_temporary: bool) -> Seen {
    Seen { epoch, sequence: 1, master: master.into(), is_temporary, open: None }
}

/// A change of this kind between home and the standby, with a third mirror beside them, and the fences before it.
fn before(kind: Kind) -> (Change, Fences) {
    let (old, new) = if kind == Kind::Demote { ("standby", "home") } else { ("home", "standby") };
    let mut change = Change::new("c1", kind, old, new, 5);
    change.old_is_temporary = kind == Kind::Demote;
    change.others = vec!["third".into()];
    let fence = |site: &str, epoch| (site.into(), closed(epoch, old, change.old_is_temporary));
    let fences = Fences::from([fence("home", 4), fence("standby", 5), fence("third", 3)]);
    (change, fences)
}

/// Takes the next step; false where there is none.
fn step(change: &mut Change, fences: &mut Fences) -> bool {
    let Some(step) = change.next() else { return false };
    let begun = change.begun();
    may_take(&begun, &step, ME, fences.get(begun.register())).unwrap_or_else(|refusal| panic!("{step:?}: {refusal:?}"));
    let site = begun.site_of(&step).clone();
    match fence_move(&begun, &step, ME, fences.get(&site)) {
        Move::Write(to) => {
            fences.insert(site, to);
        }
        Move::Already => {}
        Move::Refused(refusal) => panic!("{step:?}: {refusal:?}"),
    }
    *change = begun.done();
    true
}

fn is_closed(fences: &Fences) -> bool {
    fences.values().all(|seen| seen.open.is_none())
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(vec![Kind::Switchover, Kind::Failover, Kind::Demote])
}

/// The steps as a reader wants to see them.
fn told(change: &Change) -> String {
    let steps = change.steps();
    let words: Vec<String> = steps.iter().map(|step| format!("{step:?}").replace('"', "")).collect();
    words.join(" ")
}

#[test]
fn a_switchover_holds_the_old_master_before_it_raises_and_closes_the_register_last() {
    let (change, _) = before(Kind::Switchover);
    assert_eq!(
        told(&change),
        "Announce(standby) Announce(home) Hold(home) Quiesce(home) Bring Raise(standby) Raise(home) Tell(third) \
         Enable(standby) SetRole(standby) SetRole(home) StateFile Close(home) Close(standby)"
    );
}

#[test]
fn a_fail_over_touches_the_standby_alone() {
    let (change, _) = before(Kind::Failover);
    assert_eq!(
        told(&change),
        "Announce(standby) Raise(standby) Tell(third) Enable(standby) SetRole(standby) StateFile Close(standby)"
    );
}

#[test]
fn a_hand_back_brings_the_commits_home_before_it_puts_the_standby_in_step() {
    let (change, _) = before(Kind::Demote);
    assert_eq!(
        told(&change),
        "Announce(standby) Announce(home) Hold(standby) Quiesce(standby) Bring Raise(standby) Raise(home) Tell(third) \
         Enable(home) SetRole(home) SetRole(standby) StateFile Resync(standby) Close(home) Close(standby)"
    );
}

#[test]
fn the_way_back_moves_the_fences_first_and_raises_again_only_what_was_raised() {
    let (change, mut fences) = before(Kind::Switchover);
    let mut held = change.clone();
    while held.next() != Some(Step::Quiesce("home".into())) {
        assert!(step(&mut held, &mut fences));
    }
    assert_eq!(
        told(&held.turn_back()),
        "Announce(standby) Announce(home) Enable(home) SetRole(home) Close(home) Close(standby)"
    );
    let mut raised = held;
    while raised.next() != Some(Step::Enable("standby".into())) {
        assert!(step(&mut raised, &mut fences));
    }
    assert_eq!(
        told(&raised.turn_back()),
        "Announce(standby) Announce(home) Hold(standby) Raise(standby) Raise(home) Tell(third) Enable(home) SetRole(home) \
         SetRole(standby) StateFile Close(home) Close(standby)"
    );
}

#[test]
fn a_register_that_somebody_else_closed_is_not_opened_again() {
    let (mut change, mut fences) = before(Kind::Switchover);
    for _ in 0..3 {
        assert!(step(&mut change, &mut fences));
    }
    let register = closed(5, "home", false);
    let announce = Step::Announce("standby".into());
    let refused = fence_move(&change.turn_back().begun(), &announce, ME, Some(&register));
    assert_eq!(refused, Move::Refused(Refusal::Closed));
    assert_eq!(may_take(&change, &Step::Bring, ME, Some(&register)), Err(Refusal::Closed));
}

#[test]
fn a_change_left_behind_by_a_higher_epoch_is_gone_over_and_one_that_is_not_stays() {
    let (mut left, mut fences) = before(Kind::Switchover);
    for _ in 0..3 {
        assert!(step(&mut left, &mut fences));
    }
    let announce = Step::Announce("home".into());
    let mut next = Change::new("c2", Kind::Demote, "standby", "home", 5);
    let blocked = fence_move(&next, &announce, "ben", fences.get(&"home".into()));
    assert_eq!(blocked, Move::Refused(Refusal::OtherChange { writer: ME.to_owned() }));
    next.epoch = 6;
    assert!(
        matches!(fence_move(&next, &announce, "ben", fences.get(&"home".into())), Move::Write(to) if to.epoch == 6)
    );
    let open: Fences = fences.clone();
    assert_eq!(who::open_change(&open).map(|(_, open)| open.writer.as_str()), Some(ME));
    fences.insert("standby".into(), closed(6, "standby", true));
    assert_eq!(who::open_change(&fences), None);
}

#[test]
fn a_change_whose_other_side_died_becomes_a_fail_over_above_all_that_it_raised() {
    let (mut change, mut fences) = before(Kind::Switchover);
    while change.next() != Some(Step::Enable("standby".into())) {
        assert!(step(&mut change, &mut fences));
    }
    let mut instead = change.fail_over();
    assert_eq!(instead.turn_back().way, Way::Onward);
    while step(&mut instead, &mut fences) {}
    let standby = &fences[&"standby".into()];
    assert_eq!((standby.epoch, standby.is_temporary, &standby.open), (7, true, &None));
    assert!(fences[&"home".into()].epoch < standby.epoch);
}

#[test]
fn a_field_that_this_version_does_not_know_does_no_harm() {
    let (change, _) = before(Kind::Demote);
    let mut json = serde_json::to_value(&change).unwrap();
    json["invented_later"] = serde_json::json!({"a": 1});
    assert_eq!(serde_json::from_value::<Change>(json).unwrap(), change);
    let least = serde_json::json!({"id": "1f", "kind": "failover", "old": "a/b", "new": "c/d", "epoch": 3});
    assert_eq!(serde_json::from_value::<Change>(least).unwrap(), Change::new("1f", Kind::Failover, "a/b", "c/d", 3));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_change_ends_closed_with_the_new_master_and_every_prefix_turned_back_with_the_old(
        kind in kinds(), forward in 0_usize..20, is_begun: bool,
    ) {
        let (mut change, mut fences) = before(kind);
        let first = change.clone();
        for _ in 0..forward {
            step(&mut change, &mut fences);
        }
        let ended = change.next().is_none();
        if !ended {
            if is_begun {
                change = change.begun();
            }
            change = change.turn_back();
            while step(&mut change, &mut fences) {}
        }
        prop_assert!(is_closed(&fences), "{fences:#?}");
        let who = who::master(&fences).unwrap();
        let master = if ended { &first.new } else { &first.old };
        prop_assert_eq!(&who.master, master);
        prop_assert!(who.rivals.is_empty());
        prop_assert_eq!(who.epoch, if ended { 6 } else { change.epoch_after() });
        prop_assert_eq!(who.is_temporary, if ended { kind == Kind::Failover } else { first.old_is_temporary });
    }

    #[test]
    fn another_party_ends_what_it_finds_at_any_point_either_way(kind in kinds(), forward in 1_usize..15, is_back: bool) {
        let (mut change, mut fences) = before(kind);
        let (mut copy, register) = (change.clone(), change.register().clone());
        for _ in 0..forward {
            let moved = fences[&register].clone();
            step(&mut change, &mut fences);
            if fences[&register] != moved {
                copy = change.clone();
            }
        }
        let Some(open) = fences[&register].open.clone() else { return Ok(()) };
        prop_assert_eq!(&open.writer, ME);
        // The first party's name is another from here on.
        for seen in fences.values_mut() {
            if let Some(open) = &mut seen.open {
                "ben@tower".clone_into(&mut open.writer);
            }
        }
        let found = copy.found_at(&fences[&register]);
        let mut found = if is_back { found.turn_back() } else { found };
        let Move::Write(to) = take_over(&found, ME, &fences[&register]) else { panic!("not taken over") };
        fences.insert(register, to);
        while step(&mut found, &mut fences) {}
        prop_assert!(is_closed(&fences), "{fences:#?}");
        let who = who::master(&fences).unwrap();
        prop_assert_eq!(&who.master, found.winner());
    }

    #[test]
    fn a_fence_step_applied_to_what_it_made_changes_nothing(kind in kinds(), forward in 0_usize..15, is_back: bool) {
        let (mut change, mut fences) = before(kind);
        for _ in 0..forward {
            step(&mut change, &mut fences);
        }
        if is_back && change.next().is_some() {
            change = change.turn_back();
        }
        while let Some(next) = change.next() {
            let before = fences.clone();
            let begun = change.begun();
            step(&mut change, &mut fences);
            let site = begun.site_of(&next);
            for (name, seen) in &fences {
                let rises = (seen.epoch, seen.sequence) > (before[name].epoch, before[name].sequence);
                prop_assert!(*seen == before[name] || rises && name == site);
            }
            let is_announced_back = change.way == Way::Back && matches!(next, Step::Announce(_));
            if !is_announced_back {
                prop_assert_eq!(fence_move(&begun, &next, ME, fences.get(site)), Move::Already, "{:?}", next);
            }
        }
    }

    #[test]
    fn a_change_reads_back_as_it_was_written(kind in kinds(), forward in 0_usize..15, is_back: bool) {
        let (mut change, mut fences) = before(kind);
        for _ in 0..forward {
            step(&mut change, &mut fences);
        }
        if is_back {
            change = change.turn_back().begun();
        }
        let json = serde_json::to_string(&change).unwrap();
        prop_assert_eq!(serde_json::from_str::<Change>(&json).unwrap(), change);
    }
}
