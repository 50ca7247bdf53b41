//! P3: what was overwritten or deleted does not come back.
//!
//! Two views of it. While the cluster is calm, the order in which clients were answered counts: a value is a ghost when
//! some other change of the key was begun after the value's write had ended, and had ended itself before the read
//! began. And by versions: what was decided and acknowledged at some version, and is still known to a node that has not
//! crashed since, must not be followed by anything older once the replicas are reconciled.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::kept::{Known, name};
use crate::id::{NodeId, Version};
use crate::request::{Key, ReadLevel, WriteLevel};
use crate::sorted::sort_by_key;
use crate::time::Instant;

/// What has ended on one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// How many increments are under way, and until when one that has ended may have made any number.
    adding: u32,
    may_add: Instant,
    /// In which time of calm the lines below were noted.
    round: u32,
    /// For reads at each level, when changes ended that these reads must see, and the latest moment at which any of
    /// those that had ended by then began. Both grow.
    lines: [Vec<(Instant, Instant)>; 3],
    /// What was acknowledged last, by version: the highest few.
    decided: Vec<Decided>,
    /// The highest version that was acknowledged, and when.
    latest: (Version, Instant),
    /// The last version that each node gave, and when.
    given: Vec<(NodeId, Version, Instant)>,
}

/// An acknowledged change.
#[derive(Clone, Debug)]
struct Decided {
    version: Version,
    at: Instant,
    /// Who knows of it and has not crashed since, and from when on.
    holders: Vec<(NodeId, Instant)>,
    /// Who has ever known of it.
    told: Vec<NodeId>,
}

/// Changes remembered by version.
const DECIDED: usize = 4;

impl Past {
    /// A write of that value, by its name, begins.
    pub(super) fn begun(known: &mut Known, value: u64) {
        let (open, ended) = known.ended.get(value).unwrap_or_default();
        known.ended.set(value, (open + 1, ended));
    }

    /// A write of that value has ended: what it may do it has done.
    pub(super) fn ended(known: &mut Known, value: u64, at: Instant) {
        if let Some((open, _)) = known.ended.get(value) {
            known.ended.set(value, (open.saturating_sub(1), at));
        }
    }

    /// An increment begins: which number it makes is for its answer to say.
    pub(super) fn adds(&mut self) {
        self.adding += 1;
    }

    /// An increment has ended, and made that value, or none.
    pub(super) fn added(&mut self, known: &mut Known, value: Option<u64>, at: Instant) {
        self.adding = self.adding.saturating_sub(1);
        if let Some(value) = value {
            let (open, _) = known.ended.get(value).unwrap_or_default();
            known.ended.set(value, (open, at));
        }
    }

    /// An increment has ended, and may still make any number until that moment.
    pub(super) fn may_add(&mut self, until: Instant) {
        self.adding = self.adding.saturating_sub(1);
        self.may_add = self.may_add.max(until);
    }

    /// A change that began at one moment, in a calm that lasts, has ended at another, acknowledged at that level. No
    /// read takes longer than `longest`.
    pub(super) fn changed(
        &mut self,
        round: u32,
        level: WriteLevel,
        (begun, ended): (Instant, Instant),
        longest: Duration,
    ) {
        self.enter(round);
        for read in ReadLevel::ALL {
            if !sees(read, level) {
                continue;
            }
            let line = &mut self.lines[read as usize];
            let latest = line.last().map_or(begun, |(_, latest)| begun.max(*latest));
            if line.last().is_none_or(|(_, before)| latest > *before) {
                line.push((ended, latest));
            }
            // Of what is older than every read that is under way, the latest is enough.
            if line.len().is_multiple_of(LOOK) {
                let old = line.partition_point(|(before, _)| *before + longest < ended);
                line.drain(..old.saturating_sub(1).max(line.len().saturating_sub(LINE)));
            }
        }
    }

    /// A read that began at that moment, in a calm that lasts, has found that value.
    pub(super) fn read(
        &mut self,
        known: &Known,
        round: u32,
        (key, value): (&Key, u64),
        level: ReadLevel,
        begun: Instant,
    ) -> Option<String> {
        self.enter(round);
        let line = &self.lines[level as usize];
        let before = line.partition_point(|(ended, _)| *ended < begun);
        let (_, latest) = line.get(before.checked_sub(1)?)?;
        let (open, ended) = known.ended.get(name(key, value))?;
        let ended = ended.max(self.may_add);
        (open == 0 && self.adding == 0 && ended < *latest).then(|| {
            let (ended, latest) = (ended.0 / 1_000, latest.0 / 1_000);
            format!(
                "{key:?}: a value whose write had ended at {ended} ms was read at {} ms, after a change begun at \
                 {latest} ms had been acknowledged",
                begun.0 / 1_000
            )
        })
    }

    /// A change of that version was acknowledged, and these nodes know of it.
    pub(super) fn decided(&mut self, version: Version, at: Instant, holders: Vec<NodeId>) {
        self.latest = self.latest.max((version, at));
        if holders.is_empty() || self.decided.iter().any(|decided| decided.version == version) {
            return;
        }
        let known = holders.iter().map(|holder| (*holder, at)).collect();
        self.decided.push(Decided { version, at, holders: known, told: holders });
        sort_by_key(&mut self.decided, |decided| decided.version);
        if self.decided.len() > DECIDED {
            self.decided.remove(0);
        }
    }

    /// A node has taken in a change of that version, which may have been acknowledged before.
    pub(super) fn took(&mut self, node: NodeId, version: Version, at: Instant) {
        if let Some(decided) = self.decided.iter_mut().find(|decided| decided.version == version)
            && decided.holders.iter().all(|(holder, _)| *holder != node)
        {
            decided.holders.push((node, at));
            decided.told.push(node);
        }
    }

    /// A node has decided about a change as its primary, and given it that version.
    pub(super) fn gave(&mut self, node: NodeId, version: Version, at: Instant) {
        self.given.retain(|(other, _, _)| *other != node);
        self.given.push((node, version, at));
    }

    pub(super) fn crashed(&mut self, node: NodeId) {
        self.forget(node, Version { stamp: u64::MAX, node: NodeId(u16::MAX) });
    }

    /// Others have decided without that node who keeps the key, and it is not among them: nobody asks it.
    pub(super) fn passed_by(&mut self, node: NodeId) {
        self.crashed(node);
    }

    /// A node keeps the key no longer, and these do: what one of them was told, or knows by what it has seen go, is for
    /// them to know, and to lose. `knows`: the version that it has of the key, or where it has none the highest that it
    /// has seen go from its slot.
    pub(super) fn handed_over(&mut self, node: NodeId, to: &[NodeId], knows: &dyn Fn(NodeId) -> Version) {
        if self.decided.iter().all(|decided| decided.holders.iter().all(|(holder, _)| *holder != node)) {
            return;
        }
        let known = to.iter().map(|node| knows(*node)).max().unwrap_or_default();
        for decided in &mut self.decided {
            if known >= decided.version || decided.told.iter().any(|told| to.contains(told)) {
                decided.holders.retain(|(holder, _)| *holder != node);
            }
        }
        self.decided.retain(|decided| !decided.holders.is_empty());
    }

    /// A node has freed its copy of that version, which others keep now: it is asked no more, and knows no more.
    pub(super) fn freed(&mut self, node: NodeId, version: Version) {
        self.forget(node, version);
    }

    fn forget(&mut self, node: NodeId, to: Version) {
        for decided in self.decided.iter_mut().filter(|decided| decided.version <= to) {
            decided.holders.retain(|(holder, _)| *holder != node);
        }
        self.decided.retain(|decided| !decided.holders.is_empty());
    }

    /// Something of that version is there or was read, long after all trouble: is there anything later that was decided
    /// before that moment, and is known to somebody who can say so?
    pub(super) fn older(
        &self,
        key: &Key,
        version: Version,
        before: Instant,
        can_tell: impl Fn(NodeId) -> bool,
    ) -> Option<String> {
        let knows = |decided: &Decided| decided.holders.iter().any(|(holder, _)| can_tell(*holder));
        let later = |decided: &&Decided| decided.at < before && decided.version > version && knows(decided);
        let later = self.decided.iter().rev().find(later)?;
        let (decided, holders) = (later.version, later.holders.iter().map(|(holder, _)| holder).collect::<Vec<_>>());
        Some(format!("{key:?} at {version} came back: {holders:?} know of {decided}, which was acknowledged"))
    }

    /// A node answers alone with that version. Does somebody know of a later one whom it has asked what it missed, or
    /// should have?
    pub(super) fn missed(
        &self,
        key: &Key,
        version: Version,
        node: NodeId,
        has_met: impl Fn(NodeId, Instant) -> bool,
    ) -> Option<String> {
        let later = self.decided.iter().rev().filter(|decided| decided.version > version);
        let mut told = later.flat_map(|decided| decided.holders.iter().map(|holder| (decided.version, *holder)));
        let (decided, (holder, _)) = told.find(|(_, (holder, since))| *holder != node && has_met(*holder, *since))?;
        Some(format!("{node} served {key:?} at {version}, and {holder} would have told it of {decided} before"))
    }

    /// A node that has heard nobody since it came back answers with that version. Was a later one acknowledged while it
    /// was down, by somebody who has not been left out by then? What it has decided itself since then it may answer
    /// with: that others were further ahead of the time, it could not know.
    pub(super) fn unheard(
        &self,
        key: &Key,
        version: Version,
        node: NodeId,
        (down, back): (Instant, Instant),
        is_left_out: impl Fn(NodeId) -> bool,
    ) -> Option<String> {
        let (latest, at) = self.latest;
        let its_own = self.given.iter().any(|(by, given, when)| (*by, *given) == (node, version) && back <= *when);
        let counts = down < at && at < back && !is_left_out(latest.node);
        (version < latest && counts && !its_own).then(|| {
            format!(
                "{node} has heard nobody since it is back and served {key:?} at {version}: {latest} was acknowledged \
                 while it was down"
            )
        })
    }

    fn enter(&mut self, round: u32) {
        if self.round != round {
            self.round = round;
            self.lines = Default::default();
        }
    }
}

/// At most so many changes are remembered for the reads that are under way, and how often that is seen to.
const LINE: usize = 4_096;
const LOOK: usize = 64;

/// Must a read at that level see what was acknowledged at that one, while everybody is alive?
fn sees(read: ReadLevel, write: WriteLevel) -> bool {
    match read {
        ReadLevel::Primary => true,
        ReadLevel::Quorum => write != WriteLevel::One,
        ReadLevel::One => matches!(write, WriteLevel::Live | WriteLevel::All),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_back_alone_serves_nothing_from_before_that_was_replaced_meanwhile() {
        let (n1, n2) = (NodeId(1), NodeId(2));
        let key = Key::new("k").expect("a key");
        let version = |stamp, node| Version { stamp, node };
        let mut past = Past::default();
        past.gave(n1, version(10, n1), Instant(1));
        past.decided(version(20, n2), Instant(5), Vec::new());
        let says = |past: &Past, version, down, back, left_out: &[NodeId]| {
            past.unheard(&key, version, n1, (Instant(down), Instant(back)), |node| left_out.contains(&node))
        };
        let serves = |past: &Past, version, down, back| says(past, version, down, back, &[]);
        assert!(serves(&past, version(10, n1), 2, 8).is_some_and(|what| what.contains("while it was down")));
        assert_eq!(serves(&past, version(20, n2), 2, 8), None, "the last that there is");
        assert_eq!(serves(&past, version(10, n1), 6, 8), None, "it was replaced before");
        assert_eq!(says(&past, version(10, n1), 2, 8, &[n2]), None, "by one that is given up with what it decided");
        assert!(says(&past, version(10, n1), 2, 8, &[NodeId(3)]).is_some());
        // Its own, since it is back, though others are further ahead of the time.
        past.gave(n1, version(12, n1), Instant(9));
        assert_eq!(serves(&past, version(12, n1), 2, 8), None);
        assert!(serves(&past, version(10, n1), 2, 8).is_some(), "the one before is as old as it was");
        assert!(serves(&past, version(12, n1), 2, 10).is_some(), "it was down once more");
    }

    #[test]
    fn what_was_handed_over_is_for_those_to_lose_who_keep_the_key() {
        let (old, new, key) = (NodeId(2), NodeId(7), Key::new("k").expect("a key"));
        let version = |stamp| Version { stamp, node: old };
        let known = |took: bool, knows: u64| {
            let mut past = Past::default();
            past.decided(version(5), Instant(1), [old].to_vec());
            if took {
                past.took(new, version(5), Instant(2));
                past.crashed(new);
            }
            let older = |past: &Past| past.older(&key, version(4), Instant(9), |_| true).is_some();
            let before = older(&past);
            past.handed_over(old, &[new], &|node| if node == new { version(knows) } else { Version::ZERO });
            (before, older(&past))
        };
        assert_eq!(known(true, 0), (true, false), "it was told, and what it had not synced has gone with it");
        assert_eq!(known(false, 4), (true, true), "it was never told");
        assert_eq!(known(false, 5), (true, false), "it was told that something as late has gone, which says the same");
    }
}
