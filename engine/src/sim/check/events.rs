//! What happens in nodes, as the checkers take it in.

use alloc::sync::Arc;

use super::loss::Gone;
use super::{Checks, Promise};
use crate::effect::Event;
use crate::id::NodeId;
use crate::map::{Map, Phase};
use crate::sim::disk::Versions;
use crate::sim::mark::Mark;
use crate::store::Cause;
use crate::time::Instant;

impl Checks {
    /// Something happened in a node.
    pub(in crate::sim) fn happened(
        &mut self,
        node: NodeId,
        event: &Event,
        at: Instant,
        member_is_up: impl Fn(NodeId) -> bool,
    ) {
        match event {
            Event::Applied { key, version, removed, primary } => {
                let Some(ledger) = self.keys.get_mut(key) else { return };
                match removed {
                    true => {
                        ledger.let_go(at);
                        ledger.copies.removed(node, *version, Gone::Changed);
                    }
                    false => ledger.copies.holds(node, *version),
                }
                ledger.past.took(node, *version, at);
                if *primary {
                    if version.node == node {
                        ledger.past.gave(node, *version, at);
                    }
                    if *removed {
                        ledger.removed.decided(*version, at);
                    }
                    if ledger.primary.replace(node).is_some_and(|before| before != node) {
                        self.marks.note(Mark::PrimaryChanged);
                    }
                }
            }
            Event::Dropped { key, version, cause } => {
                self.marks.note(match cause {
                    Cause::Entries => Mark::EvictedEntries,
                    Cause::Bytes => Mark::EvictedBytes,
                    Cause::Expired => Mark::Expired,
                });
                let why = if *cause == Cause::Expired { Gone::Expired } else { Gone::Evicted };
                if let Some(ledger) = self.keys.get_mut(key) {
                    ledger.let_go(at);
                    ledger.copies.removed(node, *version, why);
                }
            }
            Event::Suspected { member, .. } => {
                let up = member_is_up(*member);
                self.marks.note(if up { Mark::SuspectedAlive } else { Mark::SuspectedAway });
                self.calm.suspected(node, *member, at);
            }
            Event::Alive { member } => {
                self.marks.note(Mark::HeardAgain);
                self.calm.heard(node, *member, at);
            }
            Event::Unvouched { key, version } => {
                if let Some(ledger) = self.keys.get_mut(key) {
                    ledger.let_go(at);
                    ledger.copies.removed(node, *version, Gone::Unvouched);
                }
            }
            Event::Read { key, version: Some(version) } if self.reconciles => {
                let Some(ledger) = self.keys.get(key) else { return };
                self.checked.note(Promise::NoGhosts);
                let has_met = |holder, after| self.calm.has_met(node, holder, after);
                let alone = self.calm.alone(node).filter(|_| !self.serves_doubtful);
                let is_left_out = |member| self.calm.is_left_out(member, node);
                let unheard = || ledger.past.unheard(key, *version, node, alone?, is_left_out);
                if let Some(what) = ledger.past.missed(key, *version, node, has_met).or_else(unheard) {
                    self.broken(Promise::NoGhosts, Some(key), at, what);
                }
            }
            Event::Moved { key, version } => {
                if let Some(ledger) = self.keys.get_mut(key) {
                    ledger.register.let_go(at);
                    ledger.copies.moved(node, *version, self.settled.1, self.unnoticed);
                    ledger.past.freed(node, *version);
                }
            }
            Event::LeftOut { key, version } => {
                if let Some(ledger) = self.keys.get_mut(key) {
                    ledger.let_go(at);
                    ledger.copies.left_out(*version);
                }
            }
            Event::Reconciled { .. } => {
                self.marks.note(Mark::Reconciled);
                self.calm.reconciled(node, at);
            }
            Event::Rejoined => self.marks.note(Mark::Rejoined),
            Event::Aside { aside: true } => self.marks.note(Mark::SteppedAside),
            Event::Aside { aside: false } => {
                self.marks.note(Mark::CameBack);
                self.calm.came_back(node, at);
            }
            Event::Refused { .. } | Event::Read { .. } | Event::Forwarded { .. } | Event::Rerouted { .. } => {}
            Event::Mapped { map } => {
                self.calm.mapped(node, Arc::clone(map), at);
                if map.phase != Phase::Steady && map.members.iter().any(|m| m.leaving && m.weight > 0) {
                    self.marks.note(Mark::RemovedMoving);
                }
                if map.members.iter().any(|m| m.leaving && m.weight > 0 && !member_is_up(m.id)) {
                    self.marks.note(Mark::RemovedAway);
                }
                if map.phase == Phase::Handing && map.members.iter().any(|m| m.was_away && !m.away) {
                    self.marks.note(Mark::StoodDown);
                }
                if map.phase == Phase::Steady {
                    let away = map.members.iter().filter(|member| member.away).count();
                    if away > 0 {
                        self.marks.note(Mark::StoodIn);
                    }
                    if away >= usize::from(map.replicas) {
                        self.marks.note(Mark::StoodInForAll);
                    }
                    if map.epoch > self.settled.0 {
                        self.settled = (map.epoch, at);
                    }
                    self.marks.note(Mark::Moved);
                }
            }
        }
    }

    /// A node has gone down with all that it knew.
    pub(in crate::sim) fn crashed(&mut self, node: NodeId, at: Instant) {
        self.crashed_leaving(node, at, &Versions::default());
    }

    /// A node has gone down, and these versions are on its disk.
    pub(in crate::sim) fn crashed_leaving(&mut self, node: NodeId, at: Instant, durable: &Versions) {
        self.calm.crashed(node, at);
        self.crashes.note(node, at);
        for (key, ledger) in self.keys.iter_mut() {
            ledger.copies.crashed(node, at, durable.get(key));
            ledger.past.crashed(node);
        }
    }

    /// A node has started, by that map.
    pub(in crate::sim) fn started(&mut self, node: NodeId, map: Arc<Map>, at: Instant) {
        self.calm.mapped(node, map, at);
        self.calm.started(node, at);
        self.keys.iter_mut().for_each(|(_, ledger)| ledger.copies.started(node));
    }
}
