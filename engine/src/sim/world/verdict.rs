//! What must be so when faults have been over for long enough.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::World;
use super::machine::Machine;
use crate::effect::Event;
use crate::id::NodeId;
use crate::map::{Map, Phase};
use crate::node::Node;
use crate::shard::Shard;
use crate::sim::disk::Disk;
use crate::sim::trace::Asked;
use crate::time::UnixMs;

impl World {
    /// Checks what must be true when faults have been over for long enough: see [`World::violations`].
    pub fn verdict(&mut self) {
        if self.config.checks && self.load.is_none() {
            let up = self.machines.iter().filter_map(|machine| Some((machine.id, machine.node.as_ref()?)));
            let nodes: Vec<(NodeId, &Node)> = up.collect();
            self.checks.end(self.now, &nodes, &self.core);
        }
        if let Some(open) = self.open.values().next() {
            self.checks.stuck(self.now, format!("{} requests have no end: {}", self.open.len(), Asked(&open.ask)));
        }
        // While only a core is healed, slots may move, and be in doubt.
        if self.is_healed() {
            self.judge_maps();
            self.judge_sync();
        }
        self.judge_in_flight();
        self.report();
    }

    /// Is everybody in the core who has not left?
    fn is_healed(&self) -> bool {
        self.machines.iter().all(|machine| machine.left || self.core.contains(&machine.id))
    }

    /// Who answers alone that there is nothing holds nothing, by its own clock, but for what nobody vouches for.
    pub(super) fn judge_misses(&mut self, index: usize, now: UnixMs, events: &[Event]) {
        let Some(node) = &self.machines[index].node else { return };
        let me = self.machines[index].id;
        for event in events {
            let Event::Read { key, version: None } = event else { continue };
            let is_put = |event: &Event| matches!(event, Event::Applied { key: other, .. } if other == key);
            let holds = |shard: &Shard| {
                let store = shard.store();
                let held = store.peek(now, store.hash(key.as_bytes()), key.as_bytes());
                held.is_some_and(|entry| !shard.may_hide(key.slot(), entry.version))
            };
            if node.shards().iter().any(holds) && !events.iter().any(is_put) {
                self.checks.hidden(me, key, self.now);
            }
        }
    }

    /// All go by one map, and nothing moves any more.
    fn judge_maps(&mut self) {
        let maps = self.machines.iter().filter_map(|machine| Some((machine.id, &machine.node.as_ref()?.view().map)));
        let mut maps: Vec<(NodeId, &Arc<Map>)> = maps.collect();
        let Some(newest) = maps.iter().map(|(_, map)| *map).max_by_key(|map| map.edition()) else { return };
        let newest = Arc::clone(newest);
        maps.retain(|(node, map)| !is_forgotten(*node, map, &newest));
        let wrong = maps.iter().find(|(_, map)| map.phase != Phase::Steady || *map != maps[0].1);
        let wrong = wrong.map(|(node, map)| format!("{node} goes by map {} ({})", map.epoch.0, map.phase));
        if let Some(what) =
            wrong.or_else(|| self.wanted.first().map(|wish| format!("what {} wishes for is not granted", wish.name())))
        {
            self.checks.stuck(self.now, what);
        }
    }

    /// Nobody is in doubt about anything, or suspects anybody who is up: every slot is in sync. And the checkers do not
    /// take the cluster to be in trouble, in which they would ask little of it for ever.
    fn judge_sync(&mut self) {
        let up = || self.machines.iter().filter_map(|machine| Some((machine.id, machine.node.as_ref()?)));
        let Some(newest) = up().map(|(_, node)| &node.view().map).max_by_key(|map| map.edition()) else { return };
        let forgotten = |(id, node): &(NodeId, &Node)| is_forgotten(*id, &node.view().map, newest);
        let wrong = up().filter(|node| !forgotten(node)).find_map(|(id, node)| {
            let view = node.view();
            let suspect = up()
                .map(|(other, _)| other)
                .find(|other| *other != id && view.member(*other).is_some() && !view.is_alive(*other));
            match () {
                () if !node.in_doubt().is_empty() => {
                    Some(format!("{id} is in doubt about {} lanes", node.in_doubt().len()))
                }
                () if !view.is_sure() => Some(format!("{id} does not know whether its map is the latest")),
                () if !view.is_alive(id) => Some(format!("{id} is aside")),
                () => suspect.map(|other| format!("{id} suspects {other}, which is up")),
            }
        });
        let somebody = up().any(|node| forgotten(&node));
        let unsettled = || self.checks.unsettled().filter(|_| self.config.checks && !somebody);
        if let Some(what) = wrong.or_else(unsettled) {
            self.checks.stuck(self.now, what);
        }
    }

    /// Nothing that the core was asked is under way in it; what its nodes ask each other as slots move is, where only
    /// it is healed. Who is up outside of it and cannot write down what it is sent confirms none of that: its peers
    /// repeat it for as long as they believe in it, though whoever asked for it has been told.
    fn judge_in_flight(&mut self) {
        let is_core = |machine: &Machine| self.core.contains(&machine.id);
        let is_well = |machine: &Machine| machine.disk.as_ref().is_none_or(Disk::is_well);
        let outside = self.machines.iter().filter(|machine| machine.node.is_some() && !is_core(machine));
        let ill: Vec<NodeId> = outside.filter(|machine| !is_well(machine)).map(|machine| machine.id).collect();
        for machine in self.machines.iter().filter(|machine| is_core(machine)) {
            let Some(node) = &machine.node else { continue };
            let pulls = self.is_healed() || node.view().map.phase == Phase::Steady;
            let shards = node.shards().iter();
            let in_flight: u32 = shards.map(|shard| shard.in_flight_without(&ill, pulls)).sum();
            if in_flight > 0 {
                self.checks.stuck(self.now, format!("{} still has {in_flight} requests in flight", machine.id));
            }
        }
    }
}

/// Was that node removed while it was away, and have all left since whom it knows? Then nobody is there who could tell
/// it. Only a person can, who starts it again where it is to be.
fn is_forgotten(node: NodeId, map: &Map, newest: &Map) -> bool {
    let is_member = |id: NodeId| {
        let name = |map: &Map| map.member(id).map(|member| member.name.clone());
        name(newest).is_some() && name(newest) == name(map)
    };
    !map.members.iter().any(|member| is_member(member.id)) && !is_member(node)
}
