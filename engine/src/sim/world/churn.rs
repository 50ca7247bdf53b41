//! Members that come and go: what a person asks the cluster for, again and again until it is so.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::machine::Machine;
use super::{Due, World, index};
use crate::id::{NodeId, Version};
use crate::limits;
use crate::map::{Map, Member, Refusal, Wish};
use crate::sim::clock::WallClock;
use crate::sim::disk::Disk;
use crate::sim::mark::Mark;
use crate::sim::trace::What;
use crate::sorted::SortedSet;
use crate::time::{Instant, Time};

/// Between two times that somebody asks.
const AGAIN: Duration = Duration::from_millis(250);

impl World {
    /// A new machine asks to be a member, of that weight, and in that zone, or in the one that it is its turn to have.
    pub(super) fn join(&mut self, weight: u32, zone: String) {
        if usize::from(self.size) + self.joining() >= limits::MAX_MEMBERS {
            return;
        }
        let number = usize::from(self.size) + self.joining() + 1;
        let name = format!("n{number}");
        let zone = if zone.is_empty() { self.config.zone(number as u16) } else { zone };
        let address = String::new;
        self.want(Wish::Join { name, weight, zone, peer_address: address(), http_address: address() });
    }

    /// A member is to go, once what it has is kept by others.
    pub(super) fn leave(&mut self, node: NodeId, force: bool) {
        self.want(Wish::Leave { name: format!("{node}"), force });
    }

    /// A member is to have that share of the slots.
    pub(super) fn weigh(&mut self, node: NodeId, weight: u32) {
        self.want(Wish::Weight { name: format!("{node}"), weight });
    }

    /// A member is said to stand in that zone.
    pub(super) fn rezone(&mut self, node: NodeId, zone: String) {
        self.want(Wish::Zone { name: format!("{node}"), zone });
    }

    /// The changes of the map that have been asked for and are not there yet.
    pub fn wanted(&self) -> &[Wish] {
        &self.wanted
    }

    pub(super) fn wanted_due(&mut self) {
        // One after the other, as a careful person would.
        let Some(wish) = self.wanted.first().cloned() else { return };
        self.turn = self.turn.wrapping_add(1);
        let working: Vec<usize> = (0..self.machines.len()).filter(|at| self.machines[*at].is_working()).collect();
        if let Some(at) = working.get(self.turn as usize % working.len().max(1)).copied() {
            let machine = &mut self.machines[at];
            let time = Time { instant: self.now, unix: machine.clock.read(self.now) };
            if let Some(node) = &mut machine.node {
                let map = Arc::clone(&node.view().map);
                let granted = map.grants(&wish);
                let refusal = if granted { None } else { node.wish(time, wish.clone()).err() };
                let refusal = refusal.filter(|refusal| *refusal != Refusal::Full);
                let by = machine.id;
                if granted || refusal.is_some() {
                    self.wanted.remove(0);
                }
                if let Some(refusal) = refusal {
                    self.trace.push(self.now, What::Denied { by, refusal });
                }
                match &wish {
                    Wish::Join { name, .. } if granted => self.joined(&map, name),
                    Wish::Zone { .. } if granted => self.marks.note(Mark::Rezoned),
                    _ => {}
                }
            }
        }
        if !self.wanted.is_empty() {
            self.queue(self.now + AGAIN, Due::Wanted);
        }
    }

    /// The newest map that a node can learn of which starts now: of those whom it reaches, or the one on its own disk.
    /// Where nobody is asked it is that on its disk, as in a server that was started with a list.
    pub(super) fn map_for(&self, node: NodeId) -> Option<Arc<Map>> {
        let machine = &self.machines[index(node)];
        let kept = Some(&machine.map).filter(|_| !machine.wiped);
        if self.config.alone
            && let Some(kept) = kept
        {
            return kept.member(node).is_some().then(|| Arc::clone(kept));
        }
        let reached = self
            .machines
            .iter()
            .filter(|machine| machine.is_working())
            .filter(|machine| !self.air.links.is_cut(node, machine.id) && !self.air.links.is_cut(machine.id, node));
        let maps = reached.filter_map(|machine| Some(&machine.node.as_ref()?.view().map));
        let newest = maps.chain(kept).max_by_key(|map| map.edition())?;
        newest.member(node).is_some().then(|| Arc::clone(newest))
    }

    /// A node is no member any more: it stops for good. One that was passed over is started again by whatever starts
    /// what has failed, and asks again.
    pub(super) fn expelled(&mut self, index: usize) {
        let me = self.machines[index].id;
        let again = self.machines[index].node.as_ref().filter(|node| node.is_passed_over());
        let again = again.and_then(|node| node.view().map.member(me).cloned());
        self.crash(index);
        self.lose_disk(index);
        self.machines[index].left = true;
        self.marks.note(Mark::Left);
        self.trace.push(self.now, What::Left(me));
        if let Some(member) = again {
            let Member { name, weight, zone, peer_address, http_address, .. } = member;
            self.want(Wish::Join { name, weight, zone, peer_address, http_address });
        }
    }

    fn want(&mut self, wish: Wish) {
        if self.wanted.len() >= limits::MAX_WISHES {
            return;
        }
        self.wanted.push(wish);
        if self.wanted.len() == 1 {
            self.queue(self.now, Due::Wanted);
        }
    }

    fn joining(&self) -> usize {
        self.wanted.iter().filter(|wish| matches!(wish, Wish::Join { .. })).count()
    }

    /// The cluster has taken a machine in: it starts.
    fn joined(&mut self, map: &Arc<Map>, name: &str) {
        let Some(member) = map.named(name) else { return };
        let at = index(member.id);
        if let Some(machine) = self.machines.get(at) {
            // Its number has been given before, to one that was passed over or has long left: here the machine is taken
            // for the new member.
            let other = machine.map.member(member.id).is_some_and(|other| other.name != member.name);
            if other && !machine.left {
                self.expelled(at);
            }
            let machine = &mut self.machines[at];
            if machine.left {
                (machine.left, machine.map) = (false, Arc::clone(map));
                self.start(at);
            }
            return;
        }
        // A number was given to a member that never came, or left out: nobody is there.
        while at >= self.machines.len() {
            self.add(map);
        }
        self.machines[at].left = false;
        self.marks.note(Mark::Joined);
        self.start(at);
    }

    /// One more machine, which is no member yet.
    fn add(&mut self, map: &Arc<Map>) {
        let id = NodeId(self.size + 1);
        self.machines.push(Machine {
            map: Arc::clone(map),
            id,
            boots: 0,
            node: None,
            clock: WallClock::new(0, self.config.clock_skew),
            floor: Version::ZERO,
            wiped: false,
            wake: Instant::NEVER,
            late: Duration::ZERO,
            asked: SortedSet::new(),
            paused: false,
            left: true,
            inbox: Vec::new(),
            disk: self.config.fsync.map(|_| Disk::new(id)),
            held: Vec::new(),
            refusing: false,
            saves_from: Instant(0),
        });
        self.size += 1;
        if usize::from(self.size) == self.core.len() + 1 {
            self.core.push(id);
        }
    }
}
