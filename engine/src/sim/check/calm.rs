//! When the cluster is calm: the time in which promises hold that trouble suspends.
//!
//! P5 is promised while nobody is suspected, P3 and P4 within a side and once a heal has been reconciled. Trouble is a
//! node that is down or suspected, and it lasts until [`BOUND`] after the last of it. Of who is no member any more, by
//! the maps of those who are up, nobody expects anything: else one that left would be trouble for ever.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::id::NodeId;
use crate::map::{Map, Phase};
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
    /// Since when all who are up go by one map, in which nothing moves.
    steady: Option<Instant>,
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
            steady: Some(Instant(0)),
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

    /// What keeps it from being calm, however long it lasts.
    pub(super) fn unsettled(&self) -> Option<String> {
        let down = self.down.first().map(|node| format!("{node} is down"));
        down.or_else(|| self.suspicions.first().map(|(by, member)| format!("{by} suspects {member}")))
    }

    pub(super) fn suspected(&mut self, by: NodeId, member: NodeId, at: Instant) {
        self.suspicions.insert((by, member));
        self.trouble(at);
        self.tidy(at);
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
        self.tidy(at);
    }

    pub(super) fn started(&mut self, node: NodeId, at: Instant) {
        self.started.insert(node, at);
        if self.down.remove(&node) {
            self.trouble(at);
            // By its map others may be no members, who went down while nobody was up.
            self.tidy(at);
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

    /// Is that one no member by the map that this node goes by, and does nobody go by a later one? What it has decided
    /// since then is given up.
    pub(super) fn is_left_out(&self, member: NodeId, by: NodeId) -> bool {
        let Some(map) = self.maps.get(&by) else { return false };
        map.member(member).is_none() && self.maps.values().all(|other| other.edition() <= map.edition())
    }

    /// A node goes by that map from now on.
    pub(super) fn mapped(&mut self, node: NodeId, map: Arc<Map>, at: Instant) {
        self.maps.insert(node, map);
        self.tidy(at);
    }

    /// Does one believe in the other, and has begun to after that moment? Then it asks what it missed before it answers
    /// alone. Of who is no member by its map it asks nothing.
    pub(super) fn has_met(&self, by: NodeId, member: NodeId, after: Instant) -> bool {
        let heard = self.heard.get(&(by, member)).or(self.started.get(&by));
        let knows = self.maps.get(&by).is_none_or(|map| map.member(member).is_some());
        knows && !self.suspicions.contains(&(by, member)) && heard.is_some_and(|heard| *heard > after)
    }

    /// Since when all who are up go by one map, in which nothing moves; `None` while they do not.
    pub(super) fn steady_since(&self) -> Option<Instant> {
        self.steady
    }

    /// Forgets who is down, or suspected, and is no member by the maps of those whom it concerns.
    fn tidy(&mut self, at: Instant) {
        let (maps, down) = (&self.maps, &self.down);
        let is_up = |node: &NodeId| !down.contains(node);
        let is_out = |node: &NodeId| {
            let mut others = maps.iter().filter(|(other, _)| is_up(other)).map(|(_, map)| map).peekable();
            others.peek().is_some() && others.all(|map| map.member(*node).is_none())
        };
        let gone: Vec<NodeId> = down.iter().copied().filter(is_out).collect();
        let before = self.suspicions.len();
        self.suspicions.retain(|(by, member)| maps.get(by).is_none_or(|map| map.member(*member).is_some()));
        let fewer = self.suspicions.len() < before;
        for node in &gone {
            self.down.remove(node);
            self.maps.remove(node);
        }
        if fewer || !gone.is_empty() {
            self.trouble(at);
        }
        let mut up = self.maps.iter().filter(|(node, _)| !self.down.contains(node)).map(|(_, map)| map);
        let first = up.next();
        let is_steady =
            first.is_none_or(|first| first.phase == Phase::Steady && up.all(|map| map.edition() == first.edition()));
        self.steady = if is_steady { self.steady.or(Some(at)) } else { None };
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
    use crate::id::Epoch;
    use crate::map::Member;

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

    #[test]
    fn who_is_no_member_any_more_is_no_trouble() {
        let at = |seconds: u64| Instant(seconds * 1_000_000);
        let [n1, n2, n3] = [1, 2, 3].map(NodeId);
        let map = |ids: &[u16], epoch: u64| {
            let members = ids.iter().map(|id| Member::new(NodeId(*id), format!("n{id}"))).collect();
            Arc::new(Map { epoch: Epoch(epoch), ..Map::first(members, 2, 8) })
        };
        let (three, two) = (map(&[1, 2, 3], 1), map(&[1, 2], 2));
        let mut calm = Calm::new();
        [n1, n2, n3].into_iter().for_each(|node| calm.mapped(node, Arc::clone(&three), at(0)));
        assert!(calm.is_calm() && calm.steady_since() == Some(at(0)));
        calm.suspected(n1, n3, at(10));
        calm.crashed(n3, at(10));
        calm.mapped(n1, Arc::clone(&two), at(20));
        assert_eq!(calm.steady_since(), None, "two go by two maps");
        assert_eq!(calm.unsettled().as_deref(), Some("n3 is down"), "n2 still expects it back");
        assert!(!calm.look(at(100), true));
        calm.mapped(n2, Arc::clone(&two), at(100));
        assert_eq!(calm.unsettled(), None);
        assert!(!calm.look(at(107), true) && calm.look(at(108), true) && calm.steady_since() == Some(at(100)));
        // The last to hear that it is out stops after the others have.
        let mut calm = Calm::new();
        [(n1, &two), (n2, &two), (n3, &three)].into_iter().for_each(|(n, map)| calm.mapped(n, Arc::clone(map), at(0)));
        calm.crashed(n3, at(1));
        assert!(calm.unsettled().is_none() && calm.look(at(9), true));
        calm.crashed(n2, at(10));
        calm.crashed(n1, at(10));
        assert!(calm.unsettled().is_some() && !calm.look(at(100), true), "nobody is up who could say so");
        // One that is out goes down while nobody is up, and the first who is up again goes by a map without it.
        calm.crashed(n3, at(110));
        calm.started(n1, at(120));
        assert_eq!(calm.unsettled().as_deref(), Some("n2 is down"));
        calm.started(n2, at(120));
        assert_eq!(calm.unsettled(), None);
    }
}
