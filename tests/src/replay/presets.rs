//! The hosts that are known by name.

use super::host::{Family, Host, RaceWords};
use super::words::{self, Kind, Place, Wording};

/// A host by name.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// Its name, as in [`words::all`].
    pub name: &'static str,
    family: Family,
    sunk: &'static str,
    race: RaceWords,
    agent: &'static str,
}

/// What git says of refs that another one sinks in an atomic push.
pub const SUNK_BY_GIT: &str = "atomic push failure";
/// What GitHub says of them.
pub const SUNK_BY_GITHUB: &str = "atomic transaction failed";
/// What JGit says of them.
pub const SUNK_BY_JGIT: &str = "transaction aborted";

const fn behind_a_hook(name: &'static str) -> Preset {
    Preset { name, family: Family::PreReceive, sunk: SUNK_BY_GIT, race: RaceWords::Git, agent: "git/2.47.3" }
}

/// All of them.
pub const PRESETS: [Preset; 14] = [
    Preset {
        name: "github",
        family: Family::Atomic,
        sunk: SUNK_BY_GITHUB,
        race: RaceWords::InLine,
        agent: "github/spokes-receive-pack-b8fc7a1a1b2e",
    },
    behind_a_hook("gitlab"),
    behind_a_hook("gitea"),
    behind_a_hook("forgejo"),
    behind_a_hook("gogs"),
    behind_a_hook("onedev"),
    behind_a_hook("bitbucket-cloud"),
    behind_a_hook("bitbucket-server"),
    behind_a_hook("codeup"),
    behind_a_hook("gitee"),
    Preset {
        name: "gerrit",
        family: Family::Atomic,
        sunk: SUNK_BY_JGIT,
        race: RaceWords::Own("invalid old id sent"),
        agent: "JGit/6.6.1",
    },
    Preset {
        name: "azure",
        family: Family::NoAtomic,
        sunk: SUNK_BY_GIT,
        race: RaceWords::Own(
            "TF401028: The reference '{ref}' has already been updated by another client, so you cannot update it. \
             Please try again.",
        ),
        agent: "azure-repos/1",
    },
    Preset {
        name: "codecommit",
        family: Family::NoAtomic,
        sunk: SUNK_BY_GIT,
        race: RaceWords::Git,
        agent: "codecommit/1",
    },
    Preset {
        name: "gitolite",
        family: Family::UpdateHook,
        sunk: SUNK_BY_GIT,
        race: RaceWords::Git,
        agent: "git/2.47.3",
    },
];

impl Preset {
    /// The host, which refuses nothing yet.
    pub fn host(&self) -> Host {
        let mut host = Host::new(self.name, self.family, self.sunk);
        host.race = self.race;
        host.agent = self.agent;
        let remarks = words::of(self.name, Kind::Remark);
        host.greetings = remarks.flat_map(Wording::owned_lines).collect();
        host
    }

    /// How it refuses a branch.
    pub fn refusal(&self) -> &'static Wording {
        let mut refusals = words::of(self.name, Kind::ProtectedBranch).chain(words::of(self.name, Kind::NoRight));
        refusals.find(|wording| wording.place == Place::Ref).expect("every host refuses branches")
    }

    /// How it refuses whatever comes, and why that will pass or not: an outage, a full repository, a missing right.
    pub fn refusals_of_all(&self) -> impl Iterator<Item = &'static Wording> + use<> {
        let name = self.name;
        [Kind::Passing, Kind::NoRoom, Kind::NoRight]
            .into_iter()
            .flat_map(move |kind| words::of(name, kind))
            .filter(|wording| matches!(wording.place, Place::Whole | Place::Http(_)))
    }
}
