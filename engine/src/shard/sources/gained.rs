//! Slots that this node comes to keep, or gives to others, by a change of the map: who has told all that there is.

use super::judging::{deciding, knowing};
use super::{Source, Sources};
use crate::id::{Lanes, NodeId, Slot, Version};
use crate::map::Phase;
use crate::view::View;

impl Sources {
    /// Where those who keep a gained slot could not tell whether what they have is current, it has not come with it;
    /// and where all of them were down, and are expected back with what they have, nothing has. This node has what was
    /// written since, and knows no more than they do: it does not vouch for the slot.
    pub(super) fn inherit(&mut self, before: &View, view: &View) {
        if view.map.phase == Phase::Filling {
            return;
        }
        // Whoever was being filled did not speak of what it was given.
        for slot in self.lanes_slots().filter(|slot| view.is_replica(*slot)) {
            for source in self.list.iter_mut().filter(|source| before.gains(source.id, slot)) {
                source.vouches = source.vouches.without(Lanes::of(slot));
            }
        }
        for slot in self.lanes_slots().filter(|slot| before.gains(before.me, *slot) && view.is_replica(*slot)) {
            let keepers = || knowing(before, slot);
            let is_there = |node: &NodeId| view.is_alive(*node);
            let stays = |node: NodeId| view.member(node).is_some_and(|member| !member.leaving);
            let gave = |node| self.list.iter().any(|source| source.id == node && source.gave.contains(slot));
            let known = match keepers().any(|node| is_there(&node)) {
                true => keepers().filter(is_there).any(gave),
                // What those have who are gone for good is given up.
                false => !keepers().any(stays) || keepers().any(gave),
            };
            if !known {
                self.orphans.inherit(slot);
            }
        }
    }

    /// That member has been heard out about gained slots of those lanes, for the first time or `again`, and vouched for
    /// some. Who did not may do so once it has heard others, or now that somebody does: it is asked again for what it
    /// has withheld.
    pub(in crate::shard) fn gave(&mut self, from: NodeId, lanes: Lanes, vouches: Lanes, again: bool) {
        let given = vouches.and(lanes);
        for source in &mut self.list {
            let anew = if source.id == from {
                source.gained = source.gained.without(lanes);
                source.gaining = source.gaining.without(lanes);
                source.gave = source.gave.or(given);
                source.withheld = source.withheld.or(lanes).without(given);
                if again { Lanes::NONE } else { source.withheld.and(lanes) }
            } else {
                source.withheld.and(given)
            };
            source.gained = source.gained.or(anew);
            source.again = source.again.or(anew);
        }
    }

    /// Is a slot that others are given an orphan, of which one that is expected back may know what there is? Until it
    /// is heard, what they would be given is not all.
    pub(in crate::shard) fn may_yet_know(&self) -> bool {
        self.may_yet_hear(|view, slot| view.replicas(slot).iter().any(|node| view.gains(*node, slot)))
    }

    /// The same, of slots of those lanes that this member gains.
    pub(in crate::shard) fn may_yet_tell(&self, to: NodeId, lanes: Lanes) -> bool {
        self.may_yet_hear(|view, slot| lanes.contains(slot) && view.gains(to, slot))
    }

    fn may_yet_hear(&self, is_given: impl Fn(&View, Slot) -> bool) -> bool {
        let Some(view) = self.view.as_ref().filter(|view| view.map.phase == Phase::Filling) else { return false };
        let stays = |node: NodeId| view.member(node).is_some_and(|member| !member.leaving);
        let unheard = |slot: Slot| {
            let source = |node| self.list.iter().find(|source| source.id == node);
            deciding(view, slot).filter(|node| stays(*node)).filter_map(source).any(|source| source.open.contains(slot))
        };
        let given = self.orphans.iter().filter(|slot| !view.gains(view.me, *slot) && is_given(view, *slot));
        given.filter(|slot| self.orphans.is_unheard(*slot)).any(unheard)
    }

    /// Is some slot of those lanes, which that member gains from this node, an orphan that is asked about still? What
    /// is withheld now may be told in a moment.
    pub(in crate::shard) fn may_yet_vouch(&self, to: NodeId, lanes: Lanes) -> bool {
        let Some(view) = self.view.as_ref().filter(|_| !self.orphans.is_empty()) else { return false };
        let told = |slot: Slot| lanes.contains(slot) && view.gains(to, slot) && !view.gains(view.me, slot);
        self.orphans.iter().any(|slot| told(slot) && self.doubt.contains(slot))
    }
}

/// What a member has yet to say that is not heard: of what both keep since that version, and of what this node gains.
/// It may be told to others, and they are asked for it.
pub(super) struct Unheard {
    from: NodeId,
    open: Lanes,
    since: Version,
    gained: Lanes,
}

impl Source {
    /// What it has yet to say.
    pub(super) fn unheard(&self) -> Unheard {
        Unheard { from: self.id, open: self.open, since: self.since, gained: self.gained }
    }

    /// Asks it for what it may have been told by that one, if it is another.
    pub(super) fn ask_for(&mut self, unheard: &Unheard) {
        if unheard.from == self.id {
            return;
        }
        let shared = unheard.open.and(self.shared);
        if !shared.is_empty() {
            self.ask_again(shared, unheard.since);
        }
        self.ask_again_for(unheard.gained.and(self.gave.or(self.withheld)));
    }

    /// Asks it for gained slots of those lanes as if it had said nothing of them.
    pub(super) fn ask_again_for(&mut self, gained: Lanes) {
        self.gained = self.gained.or(gained);
        (self.gave, self.withheld) = (self.gave.without(gained), self.withheld.without(gained));
        self.again = self.again.without(gained);
    }
}
