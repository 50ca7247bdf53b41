//! P2: where an acknowledged write is, and what became of it. An acknowledged version that is missing in the end is
//! explained (every node that had it crashed, or it was evicted, expired, deleted or replaced), or the run fails.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::held;
use crate::id::{NodeId, Version};
use crate::node::Node;
use crate::request::Key;
use crate::sim::mark::Mark;
use crate::time::Instant;

/// The copies of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies {
    /// The highest version that a client was told is stored.
    acknowledged: Version,
    /// Who had it when that was said, and has not crashed since.
    holders: Vec<NodeId>,
    /// For each node, the highest version that it has removed, evicted, expired or replaced.
    gone: BTreeMap<NodeId, Version>,
}

impl Copies {
    /// A client is told that so many nodes have that version, and these have it, or a later one, or had it until it
    /// went. What is wrong with it?
    ///
    /// `crashed` are the nodes that have crashed since it was asked: they may have had it.
    pub(super) fn acknowledged(
        &mut self,
        key: &Key,
        version: Version,
        copies: u8,
        crashed: usize,
        holders: Vec<NodeId>,
    ) -> Option<String> {
        let count = holders.len();
        if version > self.acknowledged {
            (self.acknowledged, self.holders) = (version, holders);
        }
        (count + crashed < usize::from(copies))
            .then(|| format!("{key:?} at {version} was acknowledged with {copies} copies, {count} have it"))
    }

    /// A node has removed the key up to that version.
    pub(super) fn removed(&mut self, node: NodeId, version: Version) {
        let gone = self.gone.entry(node).or_default();
        *gone = (*gone).max(version);
    }

    /// The highest version up to which that node has removed it.
    pub(super) fn gone(&self, node: NodeId) -> Version {
        self.gone.get(&node).copied().unwrap_or(Version::ZERO)
    }

    pub(super) fn crashed(&mut self, node: NodeId) {
        self.holders.retain(|holder| *holder != node);
    }

    /// In the end: where is it? What explains that it is nowhere, or that nothing does.
    pub(super) fn end(&self, key: &Key, nodes: &[(NodeId, &Node)]) -> Result<Option<Mark>, String> {
        let version = self.acknowledged;
        if version == Version::ZERO || nodes.iter().any(|(_, node)| held(node, key).is_some_and(|held| held >= version))
        {
            return Ok(None);
        }
        if self.gone.values().any(|gone| *gone >= version) {
            return Ok(Some(Mark::LostToRules));
        }
        match self.holders.is_empty() {
            true => Ok(Some(Mark::LostToCrashes)),
            false => Err(format!("{key:?} at {version} is nowhere, {:?} had it, and nothing says why", self.holders)),
        }
    }
}

/// When nodes crashed last.
#[derive(Clone, Debug, Default)]
pub(super) struct Crashes(BTreeMap<NodeId, Instant>);

impl Crashes {
    pub(super) fn note(&mut self, node: NodeId, at: Instant) {
        self.0.insert(node, at);
    }

    /// How many nodes have crashed since.
    pub(super) fn since(&self, at: Instant) -> usize {
        self.0.values().filter(|crash| **crash >= at).count()
    }
}
