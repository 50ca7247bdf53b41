//! Which slots are orphans, by the view and by what the other replicas have said.

use alloc::vec::Vec;

use super::{Source, Sources};
use crate::id::{Lanes, NodeId, Slot, Version};
use crate::map::Phase;
use crate::mutant::{self, Mutant};
use crate::shard::orphans::Known;
use crate::view::View;

impl Sources {
    /// This node was away. Of the slots that it keeps, others may have decided alone meanwhile: who was alive before,
    /// and after a long time anybody. What it holds of slots that it was being given before is no better.
    pub(super) fn begin_orphans(&mut self, before: Option<&View>, view: &View, latest: Version) {
        let was_alive = |node: NodeId| view.absence().long || before.is_none_or(|before| before.is_alive(node));
        // What nobody else keeps by this map, others may keep by a later one.
        let acted = |slot: &Slot| match deciding(view, *slot).next() {
            None => !view.absence().over,
            Some(_) => deciding(view, *slot).any(was_alive),
        };
        let slots = self.lanes_slots().filter(|slot| view.is_replica(*slot)).filter(acted);
        if !mutant::on(Mutant::ServeOrphans) && !mutant::on(Mutant::ServeOutOfSync) {
            self.orphans.begin(latest, slots);
        }
    }

    /// Notes the orphans of which a replica leaves that has not been heard out.
    pub(super) fn note_bereft(&mut self, before: Option<&View>, view: &View) {
        let Some(before) = before else { return };
        let unheard =
            |node: &NodeId, slot: Slot| self.list.iter().any(|source| source.id == *node && source.open.contains(slot));
        let leaves = |slot: Slot| {
            let mut gone = deciding(before, slot).filter(|node| !view.replicas(slot).contains(node));
            gone.any(|node| unheard(&node, slot))
        };
        let bereft: Vec<Slot> = self.orphans.iter().filter(|slot| leaves(*slot)).collect();
        bereft.into_iter().for_each(|slot| self.orphans.bereave(slot));
    }

    /// An orphan is none any more once somebody vouches for it, or all who keep it have been heard out; where nobody
    /// else keeps it, once the map is known to be the one that the cluster goes by.
    pub(super) fn judge_orphans(&mut self, lanes: Lanes) {
        let Some(view) = &self.view else { return };
        let (list, me) = (&self.list, view.me);
        let sworn = list.iter().fold(Lanes::NONE, |lanes, source| lanes.or(source.vouches).or(source.gave));
        let vouches = |slot: Slot| {
            if !sworn.contains(slot) {
                return false;
            }
            let gains = view.gains(me, slot);
            let vouched = |s: &&Source| s.vouches.contains(slot) || gains && s.gave.contains(slot);
            let source = |node| list.iter().find(|source| source.id == node);
            knowing(view, slot).filter_map(source).filter(|source| source.is_heard(slot, gains)).any(|s| vouched(&s))
        };
        let judge = |slot: Slot| {
            let gains = view.gains(me, slot);
            let heard = |node| list.iter().any(|source| source.id == node && source.is_heard(slot, gains));
            let moved = deciding(view, slot).next().is_none() && !view.absence().over;
            match () {
                () if !view.is_replica(slot) || vouches(slot) => Known::All,
                () if !moved && deciding(view, slot).all(heard) => Known::Together,
                () => Known::Little,
            }
        };
        self.orphans.retain(lanes, judge, |slot| !view.is_replica(slot) || vouches(slot));
        self.list.iter_mut().for_each(|source| source.judged = source.says());
    }
}

impl Source {
    /// Lanes about which it has said more since orphans were judged by that.
    pub(super) fn moved(&self) -> Lanes {
        let before = self.judged.iter().zip(self.says());
        Lanes(before.fold(0, |lanes, (before, says)| lanes | before.0 ^ says.0))
    }

    /// By what orphans are judged.
    pub(super) fn says(&self) -> [Lanes; 4] {
        [self.open, self.gained, self.gave, self.vouches]
    }
}

/// Those besides this node who keep the slot and know what was decided about it: not who is being filled, and knows
/// what it was told by them.
pub(super) fn knowing(view: &View, slot: Slot) -> impl Iterator<Item = NodeId> {
    let filling = view.map.phase == Phase::Filling;
    let others = view.replicas(slot).iter().copied().filter(|node| *node != view.me);
    others.filter(move |node| !(filling && view.gains(*node, slot)))
}

/// Of those, the ones who may have decided what this node was not told: whoever is there and hands the slot over
/// decides nothing, and has told all.
pub(super) fn deciding(view: &View, slot: Slot) -> impl Iterator<Item = NodeId> {
    let handing = view.map.phase == Phase::Handing;
    knowing(view, slot).filter(move |node| !handing || view.keeps(*node, slot) || !view.is_alive(*node))
}
