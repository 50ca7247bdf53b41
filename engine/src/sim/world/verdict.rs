//! What must be so when faults have been over for long enough.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::World;
use super::machine::Machine;
use crate::id::NodeId;
use crate::map::{Map, Phase};
use crate::node::Node;
use crate::sim::disk::Disk;

impl World {
    /// Checks what must be true when faults have been over for long enough: see [`World::violations`].
    pub fn verdict(&mut self) {
        if self.config.checks && self.load.is_none() {
            let up = self.machines.iter().filter_map(|machine| Some((machine.id, machine.node.as_ref()?)));
            let nodes: Vec<(NodeId, &Node)> = up.collect();
            self.checks.end(self.now, &nodes, &self.core);
        }
        if let Some(open) = self.open.values().next() {
            self.checks.stuck(self.now, format!("{} requests have no end: {:?}", self.open.len(), open.ask));
        }
        self.judge_maps();
        // Who is up outside of the core and cannot write down what it is sent confirms none of it: its peers repeat it
        // for as long as they believe in it, though whoever asked for it has been told.
        let confirms = |machine: &Machine| machine.node.is_none() || machine.disk.as_ref().is_none_or(Disk::is_well);
        let is_core = |machine: &&Machine| self.core.contains(&machine.id);
        if !self.machines.iter().filter(|machine| !is_core(machine)).all(confirms) {
            return self.report();
        }
        for machine in self.machines.iter().filter(is_core) {
            let in_flight: u32 = machine.node.iter().flat_map(Node::shards).map(|shard| shard.in_flight()).sum();
            if in_flight > 0 {
                self.checks.stuck(self.now, format!("{} still has {in_flight} requests in flight", machine.id));
            }
        }
        self.report();
    }

    /// With everybody up and connected for long, all go by one map, and nothing moves any more.
    fn judge_maps(&mut self) {
        if self.machines.iter().any(|machine| !machine.left && !self.core.contains(&machine.id)) {
            return;
        }
        let maps = self.machines.iter().filter_map(|machine| Some((machine.id, &machine.node.as_ref()?.view().map)));
        let mut maps: Vec<(NodeId, &Arc<Map>)> = maps.collect();
        let Some(newest) = maps.iter().map(|(_, map)| *map).max_by_key(|map| map.edition()) else { return };
        let newest = Arc::clone(newest);
        maps.retain(|(node, map)| !self.is_forgotten(*node, map, &newest));
        let wrong = maps.iter().find(|(_, map)| map.phase != Phase::Steady || *map != maps[0].1);
        let wrong = wrong.map(|(node, map)| format!("{node} goes by map {} ({})", map.epoch.0, map.phase));
        if let Some(what) = wrong.or_else(|| self.wanted.first().map(|wish| format!("{wish:?} is not granted"))) {
            self.checks.stuck(self.now, what);
        }
    }

    /// Was that node removed while it was away, and have all left since whom it knows? Then nobody is there who could
    /// tell it. Only a person can, who starts it again where it is to be.
    fn is_forgotten(&self, node: NodeId, map: &Map, newest: &Map) -> bool {
        let is_member = |id: NodeId| {
            let name = |map: &Map| map.member(id).map(|member| member.name.clone());
            name(newest).is_some() && name(newest) == name(map)
        };
        !map.members.iter().any(|member| is_member(member.id)) && !is_member(node)
    }
}
