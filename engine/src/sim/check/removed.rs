//! P2 for deletes: an acknowledged removal is known to as many nodes as its answer says.
//!
//! The answer does not name its version. It is that of one of the removals that primaries have decided since it was
//! asked, and which of them is not known where several were under way: the one that most know of counts.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

use crate::id::Version;
use crate::request::Key;
use crate::time::Instant;

/// The removals of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Removed {
    /// The latest few that primaries have decided, and when.
    latest: VecDeque<(Version, Instant)>,
    /// When the last one was decided that is not among them.
    forgotten: Option<Instant>,
    highest: Version,
}

/// Removals remembered of one key.
const REMEMBERED: usize = 8;

impl Removed {
    /// A primary has removed the key.
    pub(super) fn decided(&mut self, version: Version, at: Instant) {
        self.highest = self.highest.max(version);
        if self.latest.len() == REMEMBERED {
            self.forgotten = self.latest.pop_front().map(|(_, at)| at);
        }
        self.latest.push_back((version, at));
    }

    /// The highest version of a removal.
    pub(super) fn last(&self) -> Version {
        self.highest
    }

    /// The versions that a removal may have which was asked for at that moment; `None` where too many were decided.
    pub(super) fn since(&self, asked: Instant) -> Option<impl Iterator<Item = Version>> {
        let known = self.forgotten.is_none_or(|forgotten| forgotten < asked);
        let since = self.latest.iter().filter(move |(_, at)| *at >= asked).map(|(version, _)| *version);
        known.then_some(since)
    }

    /// A client is told that the removal it asked for at that moment is known to so many nodes, some of which may have
    /// crashed since. `known` says how many know of a version. What is wrong with it?
    pub(super) fn acknowledged(
        &self,
        key: &Key,
        asked: Instant,
        copies: u8,
        crashed: usize,
        known: impl Fn(Version) -> usize,
    ) -> Option<String> {
        let count = self.since(asked)?.map(known).max().unwrap_or(0);
        (count + crashed < usize::from(copies))
            .then(|| format!("{key:?} was acknowledged as deleted with {copies} copies, {count} know of it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeId;

    #[test]
    fn a_removal_is_known_to_as_many_as_its_answer_says() {
        let (key, version) = (Key::new("k").expect("a key"), |stamp| Version { stamp, node: NodeId(1) });
        let mut removed = Removed::default();
        let wrong = |removed: &Removed, asked: u64, copies: u8, crashed: usize| {
            // One node knows of the first, two of the second.
            let known = |version: Version| version.stamp as usize;
            removed.acknowledged(&key, Instant(asked), copies, crashed, known).is_some()
        };
        assert!(wrong(&removed, 0, 1, 0), "nobody has removed it");
        assert!(!wrong(&removed, 0, 1, 1) && !wrong(&removed, 0, 0, 0));
        removed.decided(version(1), Instant(10));
        assert!(!wrong(&removed, 10, 1, 0) && wrong(&removed, 10, 2, 0) && !wrong(&removed, 10, 2, 1));
        assert!(wrong(&removed, 11, 1, 0), "it was removed before");
        removed.decided(version(2), Instant(20));
        assert!(!wrong(&removed, 10, 2, 0) && !wrong(&removed, 20, 2, 0) && wrong(&removed, 10, 3, 0));
        (0..7).for_each(|_| removed.decided(version(1), Instant(30)));
        assert!(!wrong(&removed, 10, 3, 0), "it is not known which");
        assert!(wrong(&removed, 11, 3, 0));
        assert_eq!(removed.last(), version(2));
    }
}
