//! What a role change and its steps are called before a person.

use standin_state::model::{Action, MirrorId, Verb};

use super::machine::{Change, Kind, Step, Way};

/// What the change does, as a headline.
pub fn headline(change: &Change) -> String {
    let Change { old, new, .. } = change;
    let forward = match change.kind {
        Kind::Switchover => format!("make {new} master instead of {old}"),
        Kind::Failover if change.is_homeward => format!("make {new} master again, since {old} is gone"),
        Kind::Failover => format!("make {new} TEMPORARY_MASTER, since {old} is gone"),
        Kind::Demote => format!("hand back from {old} to {new}"),
    };
    match change.way {
        Way::Onward => forward,
        Way::Back => format!("take back: {forward}"),
    }
}

/// What a step does.
pub fn step(change: &Change, step: &Step) -> String {
    match step {
        Step::Announce(site) => format!("put the change into the fence of {site}"),
        Step::Hold(site) => format!("switch the workflows of {site} off"),
        Step::Quiesce(site) => format!("let the runs of {site} end"),
        Step::Bring => format!("bring the commits of {} to {}", change.old, change.new),
        Step::Raise(site) => {
            format!("name {} master in epoch {} in the fence of {site}", change.winner(), change.epoch_after())
        }
        Step::Tell(site) => format!("tell {site} who is master"),
        Step::Enable(site) => format!("give {site} the workflows of a master"),
        Step::SetRole(site) => format!("set MIRROR_ROLE of {site} to {}", change.role_of(site).as_str()),
        Step::Resync(site) => format!("bring {site} in step with {}", change.winner()),
        Step::StateFile => format!("write who is master into the state file of {}", change.winner()),
        Step::Close(site) => format!("close the change in the fence of {site}"),
    }
}

/// What goes on with an open change.
pub fn resume(change: &Change, standby: &MirrorId) -> Action {
    let is_back = change.kind == Kind::Demote || change.is_homeward;
    let verb = if is_back { "demote" } else { "promote" };
    Action { command: format!("standin {verb} {standby} --resume"), ..Action::new(Verb::Resume, Some(standby)) }
}

/// How to go on with an open change.
pub fn ways(change: &Change, standby: &MirrorId) -> String {
    let command = resume(change, standby).command;
    let (resume, rollback) = (format!("`{command}`"), format!("`{}`", command.replace("--resume", "--rollback")));
    if change.is_one_way {
        format!("{resume} goes on with it; it has no way back.")
    } else {
        format!("{resume} goes on with it, {rollback} takes it back.")
    }
}

/// How an open change is shown: what it does, how far it has come as far as is known here, and how to go on.
pub fn open(change: &Change, standby: &MirrorId) -> String {
    let next = change.next().map_or_else(String::new, |next| {
        format!(" Next, of {} steps, is {}: {}.", change.steps().len(), change.position + 1, step(change, &next))
    });
    format!("A role change is open: {}.{next} {}", headline(change), ways(change, standby))
}
