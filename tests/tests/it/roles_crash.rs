//! Changes of master killed at each step, and once more while they are ended: one master, nothing lost, nothing open.

use standin_tests::turns::{End, From, Job, Play, Trial};

const PROGRAM: &str = env!("CARGO_BIN_EXE_standin-under-test");

/// Around each step and each of its records.
fn is_step(point: &str) -> bool {
    point.starts_with("role.journal.") || point.starts_with("role.step.")
}

/// Around what leaves this machine.
fn is_effect(point: &str) -> bool {
    let names = ["git.fence.push", "git.mirror.push", "git.handback", "github.put_", "github.patch_", "github.post_"];
    names.iter().any(|name| point.starts_with(name)) || point.starts_with("roles.")
}

/// After a step, when it is not written down yet that it was taken: what a step leaves behind is seen here.
fn is_after_a_step(point: &str) -> bool {
    let number = point.strip_prefix("role.journal.before#").and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| number % 2 == 0)
}

/// Whether everything is tried, which takes some twenty minutes: `STANDIN_EVERY_CRASH=1`.
fn is_everything() -> bool {
    std::env::var_os("STANDIN_EVERY_CRASH").is_some()
}

/// One trial at each point after a step, but where [`pairs`] begins with the same ones. Of all other points of the kind, each is
/// tried by one of `of` tests, this being the `part`th of them.
fn each(job: Job, choice: fn(&str) -> bool, (part, of): (usize, usize), end: End, from: From) {
    let mut play = Play::new(PROGRAM, job);
    let all = play.points(choice);
    let (mut steps, others): (Vec<String>, Vec<String>) = all.into_iter().partition(|point| is_after_a_step(point));
    if PAIRED.contains(&(job, end, from)) && !is_everything() {
        steps.clear();
    }
    let others = others.into_iter().enumerate();
    let others = others.filter(|(index, _)| is_everything() || index % of == part).map(|(_, point)| point);
    let trials: Vec<Trial> =
        steps.into_iter().chain(others).map(|point| Trial { point, end, from, again: None }).collect();
    println!("{} points of {job:?}", trials.len());
    play.all(&trials);
}

/// What is killed after each step by [`pairs`], with all that is checked then, before it is killed again.
const PAIRED: [(Job, End, From); 6] = [
    (Job::Switchover, End::Resume, From::Here),
    (Job::Switchover, End::Rollback, From::Elsewhere),
    (Job::Failover, End::Resume, From::Elsewhere),
    (Job::Failover, End::Rollback, From::Here),
    (Job::Demote, End::Resume, From::Elsewhere),
    (Job::Demote, End::Rollback, From::Here),
];

/// Killed after a step, and again after a step of what ends it: every step of both comes up.
fn pairs(job: Job, end: End, from: From) {
    let mut play = Play::new(PROGRAM, job);
    let steps = play.points(is_after_a_step);
    let mut trials = Vec::new();
    for (first, point) in steps.iter().enumerate() {
        for (second, again) in steps.iter().enumerate() {
            if is_everything() || (first * 11 + 3) % steps.len() == second {
                trials.push(Trial { point: point.clone(), end, from, again: Some(again.clone()) });
            }
        }
    }
    println!("{} pairs of {} points of {job:?}", trials.len(), steps.len());
    let twice = play.all(&trials);
    println!("{twice} of them died twice");
    assert!(twice * 3 >= trials.len(), "only {twice} of {} died twice", trials.len());
}

macro_rules! crash {
    ($($name:ident: $kind:ident $($argument:expr),+;)+) => {
        $(#[test]
        fn $name() {
            $kind($($argument),+);
        })+
    };
}

crash! {
    a_switchover_killed_at_a_step_goes_on: each Job::Switchover, is_step, (0, 4), End::Resume, From::Here;
    a_switchover_killed_at_a_step_is_taken_back: each Job::Switchover, is_step, (1, 4), End::Rollback, From::Here;
    a_switchover_killed_at_a_step_goes_on_elsewhere: each Job::Switchover, is_step, (2, 4), End::Resume, From::Elsewhere;
    a_switchover_killed_at_a_step_is_taken_back_elsewhere:
        each Job::Switchover, is_step, (3, 4), End::Rollback, From::Elsewhere;
    a_switchover_killed_around_an_effect_goes_on: each Job::Switchover, is_effect, (0, 2), End::Resume, From::Here;
    a_switchover_killed_around_an_effect_is_taken_back:
        each Job::Switchover, is_effect, (1, 2), End::Rollback, From::Elsewhere;
    a_failover_killed_at_a_step_goes_on: each Job::Failover, is_step, (0, 2), End::Resume, From::Elsewhere;
    a_failover_killed_at_a_step_is_taken_back: each Job::Failover, is_step, (1, 2), End::Rollback, From::Here;
    a_hand_back_killed_at_a_step_goes_on: each Job::Demote, is_step, (0, 4), End::Resume, From::Here;
    a_hand_back_killed_at_a_step_is_taken_back: each Job::Demote, is_step, (1, 4), End::Rollback, From::Here;
    a_hand_back_killed_at_a_step_goes_on_elsewhere: each Job::Demote, is_step, (2, 4), End::Resume, From::Elsewhere;
    a_hand_back_killed_at_a_step_is_taken_back_elsewhere: each Job::Demote, is_step, (3, 4), End::Rollback, From::Elsewhere;
    a_hand_back_killed_around_an_effect_goes_on: each Job::Demote, is_effect, (0, 2), End::Resume, From::Elsewhere;
    a_hand_back_killed_around_an_effect_is_taken_back: each Job::Demote, is_effect, (1, 2), End::Rollback, From::Here;
    a_switchover_killed_twice_goes_on: pairs Job::Switchover, End::Resume, From::Here;
    a_switchover_killed_twice_is_taken_back: pairs Job::Switchover, End::Rollback, From::Elsewhere;
    a_failover_killed_twice_goes_on: pairs Job::Failover, End::Resume, From::Elsewhere;
    a_failover_killed_twice_is_taken_back: pairs Job::Failover, End::Rollback, From::Here;
    a_hand_back_killed_twice_goes_on: pairs Job::Demote, End::Resume, From::Elsewhere;
    a_hand_back_killed_twice_is_taken_back: pairs Job::Demote, End::Rollback, From::Here;
}
