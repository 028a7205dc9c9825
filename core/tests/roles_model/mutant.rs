//! Bugs that can be planted in the parties and in what they send. The product's own functions stay as they are; each is
//! a way to use them wrongly.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// The new master is named without raising the epoch.
    UnmovedEpoch,
    /// Fences and refs are written without a lease.
    NoLease,
    /// A push that does not move the fence: its lease on it protects nothing.
    PushWithoutFence,
    /// A tip is moved away without a rescue.
    ForgetTheRescue,
    /// An answer that did not come counts as a yes.
    RetryWithoutReadBack,
    /// The change is taken out of the fences before the workflows are on.
    CloseBeforeEnable,
    /// The register is closed before the other side.
    CloseRegisterFirst,
    /// What is done is written down, what is about to be done is not.
    JournalAfterEffect,
    /// REST steps do not ask whether the change is still ours.
    RestUnchecked,
    /// Fence steps on the other side do not ask the register.
    OtherSideUnchecked,
    /// An announcement goes over another's open change.
    IgnoreOthersChange,
    /// Commits are brought home by force.
    ForceHandBack,
    /// The standby is put in step before its commits are home.
    ResyncBeforeHandBack,
    /// The way back leaves the epoch as it is.
    BackWithoutRaise,
    /// The way back does not move the fences first.
    BackWithoutAnnounce,
    /// A change is gone on with in the other party's name, with no move of the fence.
    TakeOverWithoutMove,
    /// A change found in a fence is believed to have come no further than the fence says.
    BelieveTheCopy,
    /// The sentinel switches workflows on, then moves the fence.
    SentinelActsFirst,
    /// Home takes over from a standby that is gone without stepping over the epochs that their open change may reach.
    EndInTheSameEpoch,
    /// The new master's workflows go on before the old one's are off.
    EnableBeforeHold,
}
