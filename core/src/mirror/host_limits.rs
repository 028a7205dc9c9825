//! What a mirror's host was found not to do, and when: hosts are mended and updated, so after a day it is asked again.

use jiff::{SignedDuration, Timestamp};

use standin_state::config::{MirrorConfig, Target};
use standin_state::store::Fact;

use crate::Result;
use crate::git::Address;
use crate::git::address::Transport;
use crate::memory::Memory;

/// What a host was found not to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostLimit {
    /// It refuses the fence.
    NoFence,
    /// It takes the fence, and shows it to nobody.
    HiddenFence,
    /// It does not move several refs all or none.
    NotAtomic,
    /// It says that it moves several refs all or none, and was seen to move some without the others.
    ByHalf,
    /// It takes one ref in a push, so that none goes with the fence.
    OneAPush,
    /// It refused a push as a whole in words for a fault that passes. Where it does so again, it may be one ref that it means.
    Passing,
}

impl HostLimit {
    /// Where it is remembered, and the word for it.
    fn kept(self) -> (Fact<'static>, &'static str) {
        match self {
            Self::NoFence => (Fact::Fence, "refused"),
            Self::HiddenFence => (Fact::Fence, "hidden"),
            Self::NotAtomic => (Fact::Atomic, "no"),
            Self::ByHalf => (Fact::Atomic, "half"),
            Self::OneAPush => (Fact::Atomic, "one"),
            Self::Passing => (Fact::Passing, "told"),
        }
    }

    /// How long it is believed. That a host moves refs by half, or takes one in a push, only a refused push could show to be over.
    fn believed(self) -> SignedDuration {
        match self {
            Self::ByHalf | Self::OneAPush => SignedDuration::from_hours(30 * 24),
            Self::NoFence | Self::HiddenFence | Self::NotAtomic | Self::Passing => SignedDuration::from_hours(24),
        }
    }

    /// Remembers that it was found now.
    ///
    /// # Errors
    /// [`crate::Code::Storage`], as for all of these.
    pub(crate) fn remember(self, memory: &Memory) -> Result<()> {
        let (fact, word) = self.kept();
        memory.set(fact, &format!("{word} {}", memory.now()))
    }

    /// Whether it was found, however long ago.
    pub(crate) fn is_known(self, memory: &Memory) -> Result<bool> {
        Ok(self.since(memory)?.is_some())
    }

    /// Whether it was found so lately that it still holds.
    pub(crate) fn is_believed(self, memory: &Memory) -> Result<bool> {
        let now = memory.now();
        Ok(self.since(memory)?.is_some_and(|since| since <= now && now.duration_since(since) < self.believed()))
    }

    /// Whether it was found so long ago that it has to be looked at again.
    pub(crate) fn is_old(self, memory: &Memory) -> Result<bool> {
        Ok(self.is_known(memory)? && !self.is_believed(memory)?)
    }

    /// Forgets it: it is not so any more.
    pub(crate) fn forget(self, memory: &Memory) -> Result<()> {
        if self.is_known(memory)? { memory.forget(self.kept().0) } else { Ok(()) }
    }

    /// Makes what was found be tried at the next occasion.
    pub(crate) fn doubt(self, memory: &Memory) -> Result<()> {
        let (fact, word) = self.kept();
        if self.is_known(memory)? { memory.set(fact, word) } else { Ok(()) }
    }

    /// When it was found; long ago where that is not known.
    fn since(self, memory: &Memory) -> Result<Option<Timestamp>> {
        let (fact, word) = self.kept();
        let known = memory.get(fact)?;
        let Some(rest) = known.as_deref().and_then(|known| known.strip_prefix(word)) else { return Ok(None) };
        Ok(Some(rest.trim().parse().unwrap_or(Timestamp::MIN)))
    }
}

/// Whether the mirror's host takes the fence and shows it, as far as is known.
pub(crate) fn keeps_fence(memory: &Memory) -> Result<bool> {
    Ok(!HostLimit::NoFence.is_known(memory)? && !HostLimit::HiddenFence.is_known(memory)?)
}

/// Whether the mirror's host moves several refs all or none, as far as is known.
pub(crate) fn is_atomic(memory: &Memory) -> Result<bool> {
    let unlike = [HostLimit::NotAtomic, HostLimit::ByHalf, HostLimit::OneAPush];
    unlike.into_iter().try_fold(true, |atomic, learned| Ok(atomic && !learned.is_believed(memory)?))
}

/// Whether what a mirror's server reports of a push is believed: where it is git's own program, or GitHub's. Others were seen to
/// report what they did not do.
pub(crate) fn trusts_reports(memory: &Memory, mirror: &MirrorConfig) -> Result<bool> {
    let is_path = |url: &str| Address::parse(url, None).is_ok_and(|address| address.transport == Transport::File);
    match &mirror.target {
        // Nothing is pushed to a copy.
        Target::GitHub(_) | Target::Pull(_) => Ok(true),
        Target::Git(git) if is_path(&git.url) => Ok(true),
        Target::Git(_) => Ok(memory.get(Fact::Server)?.is_some_and(|name| name.starts_with("git/"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use standin_state::store::Store;

    use super::*;
    use crate::outside::Clock;

    struct Hours(AtomicI64);

    impl Clock for Hours {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1_000_000 / 4 + self.0.load(Ordering::SeqCst))
        }
    }

    fn memory() -> (tempfile::TempDir, Arc<Hours>, Memory) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let clock = Arc::new(Hours(AtomicI64::new(0)));
        let told: Arc<dyn Clock> = clock.clone();
        let mirror = "mirror-1".parse().unwrap();
        (folder, clock, Memory::new(&store, &"site".parse().unwrap(), Some(&mirror), &told))
    }

    #[test]
    fn what_was_learned_is_believed_for_its_time_and_known_after_it() {
        for (learned, hours) in [
            (HostLimit::NoFence, 24),
            (HostLimit::HiddenFence, 24),
            (HostLimit::NotAtomic, 24),
            (HostLimit::Passing, 24),
            (HostLimit::ByHalf, 720),
            (HostLimit::OneAPush, 720),
        ] {
            let (_folder, clock, memory) = memory();
            assert!(!learned.is_known(&memory).unwrap());
            learned.remember(&memory).unwrap();
            for (at, believed) in [(0, true), (hours - 1, true), (hours, false), (-1, false)] {
                clock.0.store(at, Ordering::SeqCst);
                assert_eq!(learned.is_believed(&memory).unwrap(), believed, "{learned:?} {at}");
                assert_eq!(learned.is_old(&memory).unwrap(), !believed, "{learned:?} {at}");
            }
            clock.0.store(0, Ordering::SeqCst);
            learned.doubt(&memory).unwrap();
            assert!(learned.is_old(&memory).unwrap(), "{learned:?}");
            learned.forget(&memory).unwrap();
            assert!(!learned.is_known(&memory).unwrap(), "{learned:?}");
        }
    }

    #[test]
    fn a_host_is_atomic_until_one_of_three_things_was_seen_and_each_takes_the_place_of_another() {
        let (_folder, _, memory) = memory();
        assert!(is_atomic(&memory).unwrap());
        HostLimit::NoFence.remember(&memory).unwrap();
        assert!(is_atomic(&memory).unwrap());
        for learned in [HostLimit::NotAtomic, HostLimit::ByHalf, HostLimit::OneAPush] {
            learned.remember(&memory).unwrap();
            assert!(!is_atomic(&memory).unwrap(), "{learned:?}");
        }
        assert!(!HostLimit::ByHalf.is_known(&memory).unwrap());
        // Of another it is not for this one to forget.
        HostLimit::NotAtomic.forget(&memory).unwrap();
        assert!(HostLimit::OneAPush.is_known(&memory).unwrap());
    }
}
