//! P2: where an acknowledged write is, and what became of it. An acknowledged version that is missing in the end is
//! explained (every node that had it crashed; it was evicted, expired, deleted or replaced; or its slot
//! has moved to a node that had no room for it), or the run fails.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Checks, Promise, held};
use crate::id::{Lsn, NodeId, Version};
use crate::node::Node;
use crate::request::Key;
use crate::sim::client::Ask;
use crate::sim::mark::Mark;
use crate::sorted::SortedMap;
use crate::time::Instant;

/// The copies of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    /// The highest version that a client was told is stored.
    acknowledged: Version,
    /// Who had it when that was said or has got it since, and has not crashed.
    holders: Vec<NodeId>,
    /// Who has crashed with it on disk.
    on_disk: Vec<NodeId>,
    /// For each node, the highest version that it has removed, evicted, expired or replaced.
    gone: SortedMap<NodeId, Version>,
    /// For each of [`Gone::ALL`], the highest version that went for it.
    gone_for: [Version; Gone::ALL.len()],
    /// For each node, the highest version that it has freed because others keep the slot.
    moved: SortedMap<NodeId, Version>,
    /// For each node, the highest version that it has let go in one of these ways and has not crashed since.
    known_gone: SortedMap<NodeId, Version>,
    /// The highest version that a node did not take in for want of room.
    left_out: Version,
    /// When a node crashed last that had the acknowledged version.
    fell: Option<Instant>,
}

impl Copies {
    /// A client is told that so many nodes have that version, and these have it, or a later one, or had it until it
    /// went. What is wrong with it?
    ///
    /// `crashed` is when nodes have crashed since it was asked: they may have had it.
    pub(super) fn acknowledged(
        &mut self,
        key: &Key,
        version: Version,
        copies: u8,
        crashed: &[Instant],
        holders: Vec<NodeId>,
    ) -> Option<String> {
        let count = holders.len();
        if version > self.acknowledged {
            let fell = crashed.iter().max().copied();
            (self.acknowledged, self.fell) = (version, fell);
            self.on_disk.clear();
            let (freed, kept): (Vec<_>, Vec<_>) = holders.into_iter().partition(|id| self.has_freed(*id, version));
            // The last one that had it is still asked for it, as when it frees it later, unless one has crashed since
            // that may have it.
            self.holders = if kept.is_empty() && crashed.is_empty() { freed } else { kept };
        }
        (count + crashed.len() < usize::from(copies))
            .then(|| format!("{key:?} at {version} was acknowledged with {copies} copies, {count} have it"))
    }

    /// A node has removed the key up to that version.
    pub(super) fn removed(&mut self, node: NodeId, version: Version, why: Gone) {
        let highest = &mut self.gone_for[why as usize];
        *highest = (*highest).max(version);
        raise(&mut self.gone, node, version);
        raise(&mut self.known_gone, node, version);
    }

    /// A node has a copy of that version now.
    pub(super) fn holds(&mut self, node: NodeId, version: Version) {
        if version >= self.acknowledged && self.acknowledged > Version::ZERO && !self.holders.contains(&node) {
            self.holders.push(node);
        }
    }

    /// A node has freed the key, which others keep now: the change of the map was over at that moment. The last one
    /// that had it is still asked for it, unless one that keeps it had crashed so shortly before that nobody knew.
    pub(super) fn moved(&mut self, node: NodeId, version: Version, over: Instant, unnoticed: Duration) {
        raise(&mut self.moved, node, version);
        raise(&mut self.known_gone, node, version);
        if self.holders.len() > 1 || self.fell.is_some_and(|fell| fell + unnoticed >= over) {
            self.holders.retain(|holder| *holder != node);
        }
    }

    /// Has that node freed that version, or a later one, because others keep the key?
    pub(super) fn has_freed(&self, node: NodeId, version: Version) -> bool {
        self.moved.get(&node).is_some_and(|moved| *moved >= version)
    }

    /// A node has no room for that version, which others have.
    pub(super) fn left_out(&mut self, version: Version) {
        self.left_out = self.left_out.max(version);
    }

    /// The highest version that node has had and let go, and may remember.
    pub(super) fn had(&self, node: NodeId) -> Version {
        self.known_gone.get(&node).copied().unwrap_or(Version::ZERO)
    }

    /// May that node have nothing where another one has that version? Some node has let it go, of its own accord, and a
    /// replica that asks what it missed may then be told of nothing; or it was over there before it was stored.
    pub(super) fn may_lack(&self, node: NodeId, version: Version) -> bool {
        let by_itself = [Gone::Expired, Gone::Evicted, Gone::Unvouched].map(|why| self.gone_for[why as usize]);
        let moved = self.moved.values().copied();
        by_itself.into_iter().chain(moved).chain([self.left_out]).any(|gone| gone >= version)
            || self.gone.get(&node) == Some(&version)
    }

    /// A node has gone down; its disk has that version, [`Version::ZERO`] for none.
    pub(super) fn crashed(&mut self, node: NodeId, at: Instant, durable: Version) {
        if self.holders.contains(&node) {
            self.fell = Some(at);
        }
        self.holders.retain(|holder| *holder != node);
        self.on_disk.retain(|other| *other != node);
        self.known_gone.remove(&node);
        if durable >= self.acknowledged && durable > Version::ZERO {
            self.on_disk.push(node);
        }
    }

    /// A node has started: what was on its disk is in its store.
    pub(super) fn started(&mut self, node: NodeId) {
        if let Some(at) = self.on_disk.iter().position(|other| *other == node) {
            self.holders.push(self.on_disk.remove(at));
        }
    }

    /// In the end: where is it? What explains that it is nowhere, or that nothing does.
    pub(super) fn end(&self, key: &Key, nodes: &[(NodeId, &Node)]) -> Result<Option<Mark>, String> {
        let version = self.acknowledged;
        if version == Version::ZERO || nodes.iter().any(|(_, node)| held(node, key).is_some_and(|held| held >= version))
        {
            return Ok(None);
        }
        if let Some(why) = Gone::ALL.into_iter().find(|why| self.gone_for[*why as usize] >= version) {
            return Ok(Some(why.mark()));
        }
        if self.left_out >= version && self.moved.values().any(|moved| *moved >= version) {
            return Ok(Some(Mark::LostToRoom));
        }
        match self.holders.is_empty() {
            true => Ok(Some(Mark::LostToCrashes)),
            false => Err(format!("{key:?} at {version} is nowhere, {:?} had it, and nothing says why", self.holders)),
        }
    }
}

fn raise(versions: &mut SortedMap<NodeId, Version>, node: NodeId, version: Version) {
    let highest = versions.get_or_default(node);
    *highest = (*highest).max(version);
}

impl Checks {
    /// A client is told that so many nodes have that version, and so many disks have it.
    pub(in crate::sim) fn lasting(
        &mut self,
        ask: &Ask,
        asked: Instant,
        told: (Version, u8),
        lasting: usize,
        at: Instant,
    ) {
        let (version, copies) = told;
        // One whose disk is gone since may have had it.
        if lasting + self.crashes.since(asked) < usize::from(copies) {
            let what =
                format!("{:?} at {version} was acknowledged with {copies} copies, {lasting} are on disk", ask.key);
            self.broken(Promise::NoLoss, Some(&ask.key), at, what);
        }
    }

    /// The versions that a removal may have which was asked for at that moment; `None` where that is not known.
    pub(in crate::sim) fn removals(&self, key: &Key, asked: Instant) -> Option<Vec<Version>> {
        self.keys.get(key).and_then(|ledger| Some(ledger.removed.since(asked)?.collect()))
    }

    /// A node answers that it has nothing for a key that it holds.
    pub(in crate::sim) fn hidden(&mut self, node: NodeId, key: &Key, at: Instant) {
        self.broken(Promise::NoLoss, Some(key), at, format!("{node} holds {key:?} and answers that it has nothing"));
    }

    /// What a node had synced is not what it wrote, though nothing has changed its disk.
    pub(in crate::sim) fn damaged(&mut self, node: NodeId, record: Lsn, at: Instant) {
        self.broken(Promise::NoLoss, None, at, format!("{node} finds its log damaged at record {}", record.0));
    }

    /// A node takes in a record that is not what was written under its number.
    pub(in crate::sim) fn misread(&mut self, node: NodeId, record: Lsn, at: Instant) {
        self.broken(Promise::NoInvention, None, at, format!("{node} reads another record {} than it wrote", record.0));
    }

    /// What a node reads of a key is neither what its log has said of it since the beginning, nor nothing after it was
    /// evicted or had expired.
    pub(in crate::sim) fn differs(&mut self, node: NodeId, key: &Key, at: Instant) {
        self.broken(
            Promise::NoLoss,
            Some(key),
            at,
            format!("{node} reads something else of {key:?} than its log has ever said"),
        );
    }

    /// What a node had synced is missing, though nothing has changed its disk.
    pub(in crate::sim) fn shortened(&mut self, node: NodeId, (next, solid): (Lsn, Lsn), at: Instant) {
        let what = format!("{node} finds its log up to record {}, and had synced all below {}", next.0, solid.0);
        self.broken(Promise::NoLoss, None, at, what);
    }
}

/// By which rule a copy went: the first that applies to a version explains its going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// A later change deleted or replaced it.
    Changed,
    Expired,
    Evicted,
    /// Nobody could vouch for it.
    Unvouched,
}

impl Gone {
    /// In the order in which they are looked for.
    const ALL: [Gone; 4] = [Gone::Unvouched, Gone::Changed, Gone::Expired, Gone::Evicted];

    fn mark(self) -> Mark {
        match self {
            Gone::Changed => Mark::LostToChange,
            Gone::Expired => Mark::LostToExpiry,
            Gone::Evicted => Mark::LostToEviction,
            Gone::Unvouched => Mark::LostToDoubt,
        }
    }
}

/// A crash is found out within that time: the default of suspicion, and what heartbeats take on bad networks.
pub(super) const UNNOTICED: Duration = Duration::from_secs(2);

/// When nodes crashed last.
#[derive(Clone, Debug, Default)]
pub(super) struct Crashes(SortedMap<NodeId, Instant>);

impl Crashes {
    pub(super) fn note(&mut self, node: NodeId, at: Instant) {
        self.0.insert(node, at);
    }

    /// How many nodes have crashed since.
    pub(super) fn since(&self, at: Instant) -> usize {
        self.times_since(at).len()
    }

    /// When they did.
    pub(super) fn times_since(&self, at: Instant) -> Vec<Instant> {
        self.0.values().copied().filter(|crash| *crash >= at).collect()
    }
}
