//! The plan of branches and tags.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use standin_state::error::{Code, Error, Result};
use standin_state::model::{Aspect, MirrorId, Oid, RefName};
use standin_state::store::{Change, ChangeAction, Decision};
use ts_rs::TS;

use crate::event::Notice;

/// What a sync would do to the mirror's refs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CodePlan {
    /// The source's default branch; `None` where its HEAD is detached or unborn.
    pub default_branch: Option<RefName>,
    /// The commit of the default branch at the source.
    pub source_tip: Option<Oid>,
    /// How many commits of the default branch the mirror lacks now.
    #[ts(type = "number")]
    pub behind: u64,
    /// The refs.
    pub refs: RefsPlan,
    /// The fence: what it is now, and what it would become.
    pub fence: FencePlan,
    /// What must be confirmed first (`--yes`); empty for a plan that may go at once.
    pub guard: Vec<GuardReason>,
    /// Set the mirror's default branch to the source's (`github` only).
    pub set_default_branch: bool,
    /// Workflow files (`.github/workflows/*`) in the trees that would be pushed.
    pub workflow_files: Vec<String>,
    /// Large files kept outside git, where there are any.
    pub lfs: Option<LfsReport>,
    /// Promises that are weaker on this mirror than usual, and other things to know.
    pub notices: Vec<Notice>,
}

/// What happens to each ref.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RefsPlan {
    /// Refs that would change, the default branch first.
    pub changes: Vec<RefChange>,
    /// Refs whose tip on the mirror neither we pushed nor the source contains: they wait for `resolve`.
    pub diverged: Vec<Divergence>,
    /// Refs that only the mirror has and that we never pushed: left alone.
    pub left_alone: Vec<LeftAlone>,
    /// Refs that cannot be made, since a ref that stays on the mirror is in the way of their name.
    pub conflicts: Vec<NameConflict>,
    /// How many refs are the same on both sides.
    #[ts(type = "number")]
    pub unchanged: usize,
}

/// One ref that would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RefChange {
    /// The ref.
    pub name: RefName,
    /// `create`, `fast_forward`, `rewrite` or `delete`.
    pub action: ChangeAction,
    /// The mirror's tip now: the lease of the push. `None` for a ref that must not exist.
    pub old: Option<Oid>,
    /// The tip to be; `None` for a delete.
    pub new: Option<Oid>,
    /// The user's choice that allows it, for a ref that had diverged.
    pub decision: Option<Decision>,
}

/// A ref that has diverged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Divergence {
    /// The ref.
    pub name: RefName,
    /// The tip on the mirror.
    pub mirror_tip: Oid,
    /// The tip at the source.
    pub source_tip: Option<Oid>,
    /// Commits that only the mirror has; `None` where its objects are not here yet.
    #[ts(type = "number | null")]
    pub ahead: Option<u64>,
    /// Commits that only the source has.
    #[ts(type = "number | null")]
    pub behind: Option<u64>,
    /// A `leave` or `take` in force for that tip; `None` waits for the user.
    pub decision: Option<Decision>,
}

/// A ref that only the mirror has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LeftAlone {
    /// The ref.
    pub name: RefName,
    /// Its tip.
    pub oid: Oid,
}

/// A ref that cannot be made on the mirror: git keeps refs like files, so `a` and `a/b` exclude each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct NameConflict {
    /// The ref of the source.
    pub name: RefName,
    /// Its tip at the source.
    pub source_tip: Oid,
    /// The refs on the mirror that are in its way.
    pub in_the_way: Vec<RefName>,
}

/// The fence before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct FencePlan {
    /// Its commit now; `None` before the first sync.
    pub current: Option<Oid>,
    /// The epoch, now and after (a sync never raises it; 1 for the first).
    #[ts(type = "number")]
    pub epoch: u64,
    /// The sequence now; 0 before the first sync.
    #[ts(type = "number")]
    pub sequence: u64,
    /// Whether the sync moves it.
    pub moves: bool,
    /// Whether the mirror can hold a fence at all.
    pub supported: bool,
    /// Whether the mirror pushes atomically.
    pub atomic: bool,
}

/// Why a plan waits for confirmation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[ts(export)]
pub enum GuardReason {
    /// More than 10 refs and more than 20 % of them are rewritten or deleted.
    ManyRefs {
        /// How many.
        affected: usize,
        /// Of how many that we keep there.
        total: usize,
    },
    /// All branches are rewritten or deleted.
    AllBranches {
        /// How many.
        branches: usize,
    },
    /// The default branch is rewritten or deleted.
    DefaultBranch {
        /// Which.
        name: RefName,
    },
    /// The source has no branches any more.
    SourceEmpty,
    /// The source is another repository than before, by its id at the host.
    SourceReplaced {
        /// The id remembered.
        before: String,
        /// The id found.
        now: String,
    },
    /// A private source would go to a public mirror.
    PrivateToPublic,
    /// A private source would go for the first time to a host that cannot tell who may read there.
    PrivateToUnknown {
        /// The mirror's host.
        host: String,
    },
    /// The mirror is not empty, has no fence, and shares no commit with the source. It stops every aspect.
    FirstContact {
        /// Whose it is: the owner of a repository on GitHub, the host of another, or the folder.
        owner: String,
        /// The default branch there, where it is told.
        default_branch: Option<String>,
        /// How many branches are there.
        branches: usize,
        /// How many tags are there.
        tags: usize,
        /// How many workflows are there, where the host tells.
        workflows: Option<usize>,
        /// When somebody last pushed there, where the host tells.
        #[ts(type = "string | null")]
        last_push_iso: Option<Timestamp>,
    },
}

/// Large files that git LFS keeps outside the repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct LfsReport {
    /// How many different objects the pushed tips point to.
    #[ts(type = "number")]
    pub objects: u64,
    /// Their size in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
}

impl GuardReason {
    /// What names it among the asks of a plan.
    pub fn id(&self) -> &'static str {
        match self {
            Self::ManyRefs { .. } => "guard/many_refs",
            Self::AllBranches { .. } => "guard/all_branches",
            Self::DefaultBranch { .. } => "guard/default_branch",
            Self::SourceEmpty => "guard/source_empty",
            Self::SourceReplaced { .. } => "guard/source_replaced",
            Self::PrivateToPublic => "guard/private_to_public",
            Self::PrivateToUnknown { .. } => "guard/private_to_unknown",
            Self::FirstContact { .. } => "guard/first_contact",
        }
    }
}

impl CodePlan {
    /// The changes, in the order in which they would be made.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes: Vec<Change> = self
            .refs
            .changes
            .iter()
            .map(|change| Change {
                aspect: Aspect::Code,
                action: change.action,
                name: change.name.to_string(),
                before: change.old.as_ref().map(ToString::to_string),
                after: change.new.as_ref().map(ToString::to_string),
            })
            .collect();
        if changes.is_empty() && self.fence.moves {
            changes.push(Change {
                aspect: Aspect::Code,
                action: ChangeAction::Fence,
                name: RefName::fence().to_string(),
                before: self.fence.current.as_ref().map(ToString::to_string),
                after: None,
            });
        }
        if self.set_default_branch {
            changes.push(Change {
                aspect: Aspect::Code,
                action: ChangeAction::DefaultBranch,
                name: self.default_branch.as_ref().map_or_else(String::new, |name| name.short().to_owned()),
                before: None,
                after: None,
            });
        }
        changes
    }

    /// How many commits the mirror lacks; `None` where it is not known which branch is meant.
    pub fn known_behind(&self) -> Option<u64> {
        let is_empty = self.refs.unchanged == 0 && self.refs.changes.is_empty();
        (self.default_branch.is_some() || is_empty).then_some(self.behind)
    }

    /// Refuses a plan that waits for a confirmation. `done` is what was not done to the mirror: `pushed to`.
    ///
    /// # Errors
    /// [`Code::GuardHeld`].
    pub(crate) fn hold(&self, mirror: &MirrorId, yes: bool, done: &str) -> Result<()> {
        if self.guard.is_empty() || yes {
            return Ok(());
        }
        let reasons: Vec<String> = self.guard.iter().map(ToString::to_string).collect();
        Err(Error::new(
            Code::GuardHeld,
            format!("Nothing was {done} `{mirror}`; this waits for your confirmation: {}", reasons.join("; ")),
            format!(
                "See `standin plan --mirror {mirror}`. If it is meant, `standin sync --mirror {mirror} --yes` does it; what goes is rescued first."
            ),
        ))
    }

    /// Divergences that still wait for the user.
    pub fn undecided(&self) -> impl Iterator<Item = &Divergence> {
        self.refs.diverged.iter().filter(|divergence| divergence.decision.is_none())
    }
}
