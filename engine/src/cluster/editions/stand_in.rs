//! When others stand in for members that are down, and when they do so no longer.
//!
//! A member that is down has its slots with a copy less. After [`super::Heartbeat::stand_in_after`] the members next on
//! the ring come to keep them as well, by a change of the map like any other (`docs/membership.md`): they are filled
//! from the owners that are left, and begin with nothing where none is. The one that is down keeps its slots; what it
//! alone may have it brings back, and reconciles as any replica that was away. Once it has, the slots are handed back.
//! One that has stepped aside is as one that is down, though it is heard.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Editions;
use crate::id::{NodeId, Slot};
use crate::map::{Map, Phase};
use crate::time::Instant;
use crate::view::{Pull, View};

impl Editions {
    /// The next edition while nothing moves, where somebody is back, or has been down for long enough.
    pub(super) fn stand_in(&mut self, now: Instant, view: &View, is_reached: impl Fn(NodeId) -> bool) -> Option<Map> {
        let is_back = |node| match node == view.me {
            true => self.is_filled(view, |node| view.is_alive(node)),
            false => view.is_alive(node) && self.is_done(node, view.map.edition()),
        };
        let away = view.map.members.iter().filter(|member| member.away).map(|member| member.id);
        let back: Vec<NodeId> = away.filter(|node| is_back(*node)).collect();
        if !back.is_empty() {
            let next = view.map.stood_in_for(&back, false, &[], view.me)?;
            return self.unless_held_up(view, next);
        }
        let grace = self.stand_in_after?;
        let is_gone = |node| {
            let dead = self.find(node).and_then(|known| known.dead);
            let away = view.is_aside(node) || !is_reached(node);
            node != view.me && away && dead.is_some_and(|since| since + grace <= now)
        };
        let present = view.map.members.iter().filter(|member| !member.away && member.weight > 0);
        let (gone, present): (Vec<NodeId>, Vec<NodeId>) =
            present.map(|member| member.id).partition(|node| is_gone(*node));
        // Whoever else is down may be back in a moment, or is to be stood in for as well.
        if gone.is_empty() || !present.iter().all(|node| view.is_alive(*node)) {
            return None;
        }
        let copies = present.len().min(usize::from(view.map.replicas));
        let there = |slot| view.replicas(slot).iter().filter(|node| present.contains(node)).count();
        let missing = Slot::all().any(|slot| there(slot) < copies);
        let lost = Slot::all().filter(|slot| there(*slot) == 0);
        let mut sole: Vec<NodeId> = lost.flat_map(|slot| view.replicas(slot).iter().copied()).collect();
        sole.sort_unstable();
        sole.dedup();
        let next = view.map.stood_in_for(&gone, true, &sole, view.me).filter(|_| missing)?;
        self.unless_held_up(view, next)
    }

    /// That edition, unless somebody who is away and down loses a slot by it: it may have come to have something alone
    /// when it stood in itself, and the change would wait for it.
    fn unless_held_up(&mut self, view: &View, next: Map) -> Option<Map> {
        if self.passed_by.as_ref() == Some(&next) {
            return None;
        }
        let after = view.on(Arc::new(next), |node| view.is_alive(node), |_| Pull::default());
        let away = after.map.members.iter().filter(|member| member.away && !view.is_alive(member.id));
        let held_up = away.into_iter().any(|member| after.loses(member.id));
        let next = (*after.map).clone();
        if held_up {
            self.passed_by = Some(next);
            return None;
        }
        Some(next)
    }

    /// The edition by which others go on standing in for a member that was to have its slots back, and is down again:
    /// they have not freed anything yet.
    pub(super) fn stands_in_still(&self, view: &View) -> Option<Map> {
        let is_down = |node| node != view.me && !view.is_alive(node);
        let back = view.map.members.iter().filter(|member| member.was_away && !member.away);
        if view.map.phase == Phase::Filling && back.into_iter().any(|member| is_down(member.id)) {
            view.map.still_stood_in_for(view.me)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
