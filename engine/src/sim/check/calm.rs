//! When the cluster is calm: the time in which promises hold that trouble suspends.
//!
//! P5 is promised while nobody is suspected, P3 and P4 within a side and once a heal has been reconciled. Trouble is a
//! node that is down or suspected, and it lasts until [`BOUND`] after the last of it.

use alloc::sync::Arc;
use core::time::Duration;

use crate::id::NodeId;
use crate::map::Map;
use crate::sorted::{SortedMap, SortedSet};
use crate::time::Instant;

/// Replicas that were away are reconciled when they come back, so that what is promised after a heal is checked. With
/// `false` only runs without trouble are held to P3, P4 and P5.
pub const RECONCILES: bool = true;

/// How long after the last trouble every replica must have been reconciled.
pub(super) const BOUND: Duration = Duration::from_secs(8);

/// Whether the cluster is calm, and since when.
#[derive(Clone, Debug)]
pub(super) struct Calm {
    /// Who suspects whom.
    suspicions: SortedSet<(NodeId, NodeId)>,
    down: SortedSet<NodeId>,
    /// When one began to believe in another once more, and when nodes started last.
    heard: SortedMap<(NodeId, NodeId), Instant>,
    started: SortedMap<NodeId, Instant>,
    /// When nodes went down last, and when they last had heard somebody out.
    crashed: SortedMap<NodeId, Instant>,
    reconciled: SortedMap<NodeId, Instant>,
    /// By which map each goes.
    maps: SortedMap<NodeId, Arc<Map>>,
    /// The last trouble, or the end of it.
    last: Option<Instant>,
    calm: bool,
    /// Since when it is, if it is.
    began: Instant,
    /// Which time of calm or of trouble this is.
    round: u32,
}

impl Calm {
    /// Calm from the beginning.
    pub(super) fn new() -> Calm {
        Calm {
            suspicions: SortedSet::new(),
            down: SortedSet::new(),
            heard: SortedMap::new(),
            started: SortedMap::new(),
            crashed: SortedMap::new(),
            reconciled: SortedMap::new(),
            maps: SortedMap::new(),
            last: None,
            calm: true,
            began: Instant(0),
            round: 0,
        }
    }

    /// Is the cluster calm at that moment? True once more when it has just become so.
    pub(super) fn look(&mut self, at: Instant, reconciles: bool) -> bool {
        let over = self.suspicions.is_empty() && self.down.is_empty();
        let again = !self.calm && reconciles && over && self.last.is_none_or(|last| at >= last + BOUND);
        if again {
            self.calm = true;
            self.round += 1;
            self.began = at;
        }
        again
    }

    /// Has it been calm since that moment?
    pub(super) fn since(&self, moment: Instant) -> bool {
        self.calm && self.began <= moment
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm
    }

    /// There has been no trouble at all.
    pub(super) fn is_first(&self) -> bool {
        self.round == 0
    }

    /// A number for this time of calm or of trouble.
    pub(super) fn round(&self) -> u32 {
        self.round
    }

    pub(super) fn suspected(&mut self, by: NodeId, member: NodeId, at: Instant) {
        self.suspicions.insert((by, member));
        self.trouble(at);
    }

    pub(super) fn heard(&mut self, by: NodeId, member: NodeId, at: Instant) {
        self.suspicions.remove(&(by, member));
        self.heard.insert((by, member), at);
        self.trouble(at);
    }

    /// A node is gone, and its suspicions with it.
    pub(super) fn crashed(&mut self, node: NodeId, at: Instant) {
        self.suspicions.retain(|(by, _)| *by != node);
        self.heard.retain(|(by, _), _| *by != node);
        self.crashed.insert(node, at);
        self.down.insert(node);
        self.trouble(at);
    }

    pub(super) fn started(&mut self, node: NodeId, at: Instant) {
        self.started.insert(node, at);
        if self.down.remove(&node) {
            self.trouble(at);
        }
    }

    /// A node had stepped aside, and is back: it asks everybody what it missed, as if it had just started.
    pub(super) fn came_back(&mut self, node: NodeId, at: Instant) {
        self.heard.retain(|(by, _), _| *by != node);
        self.started.insert(node, at);
        self.trouble(at);
    }

    /// A node has heard another out.
    pub(super) fn reconciled(&mut self, node: NodeId, at: Instant) {
        self.reconciled.insert(node, at);
    }

    /// When that node went down last and was back, if it has heard nobody out since and believes all others dead.
    pub(super) fn alone(&self, node: NodeId) -> Option<(Instant, Instant)> {
        let (down, back) = (*self.crashed.get(&node)?, *self.started.get(&node)?);
        let map = self.maps.get(&node)?;
        let mut others = map.members.iter().map(|member| member.id).filter(|id| *id != node);
        let heard = self.reconciled.get(&node).is_some_and(|heard| *heard >= back);
        let alone = others.all(|other| self.suspicions.contains(&(node, other)));
        (alone && !heard && down < back).then_some((down, back))
    }

    /// A node goes by that map from now on.
    pub(super) fn mapped(&mut self, node: NodeId, map: Arc<Map>) {
        self.maps.insert(node, map);
    }

    /// Does one believe in the other, and has begun to after that moment? Then it asks what it missed before it answers
    /// alone. Of who is no member by its map it asks nothing.
    pub(super) fn has_met(&self, by: NodeId, member: NodeId, after: Instant) -> bool {
        let heard = self.heard.get(&(by, member)).or(self.started.get(&by));
        let knows = self.maps.get(&by).is_none_or(|map| map.member(member).is_some());
        knows && !self.suspicions.contains(&(by, member)) && heard.is_some_and(|heard| *heard > after)
    }

    fn trouble(&mut self, at: Instant) {
        self.last = Some(at);
        if core::mem::take(&mut self.calm) {
            self.round += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_ends_a_while_after_its_last_sign() {
        let at = |seconds: u64| Instant(seconds * 1_000_000);
        let (n1, n2) = (NodeId(1), NodeId(2));
        let mut calm = Calm::new();
        assert!(calm.is_calm() && calm.is_first() && !calm.look(at(100), true));
        calm.suspected(n1, n2, at(100));
        assert!(!calm.is_calm() && !calm.look(at(200), true), "a suspicion lasts");
        calm.heard(n1, n2, at(200));
        assert!(!calm.look(at(207), true) && !calm.look(at(300), false));
        assert!(calm.look(at(208), true) && calm.is_calm() && !calm.is_first());
        calm.crashed(n2, at(210));
        assert!(!calm.look(at(300), true), "a node is down");
        calm.started(n2, at(300));
        assert!(calm.look(at(308), true));
        calm.suspected(n1, n2, at(400));
        calm.crashed(n1, at(401));
        calm.started(n1, at(402));
        assert!(calm.look(at(410), true), "its suspicions went with it");
        assert_eq!(calm.round(), 6);
        assert!(calm.has_met(n1, n2, at(401)) && !calm.has_met(n1, n2, at(402)), "it started then");
        calm.heard(n1, n2, at(500));
        assert!(calm.has_met(n1, n2, at(499)));
        calm.suspected(n1, n2, at(501));
        assert!(!calm.has_met(n1, n2, at(499)));
        calm.heard(n1, n2, at(502));
        calm.came_back(n1, at(600));
        assert!(calm.has_met(n1, n2, at(599)) && !calm.look(at(607), true) && calm.look(at(608), true));
    }
}
