//! Where slots are: the map says, and who is alive only decides whose turn it is as primary.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use crate::id::Slot;
use crate::map::Phase;
use crate::view::{Member, View};

/// What has moved between the first view of a map and a later one, of the same node or of another.
pub(super) fn moved(first: &View, view: &View) -> Option<String> {
    let slots = Slot::all().step_by(SAMPLED);
    let mut wrong = slots.filter(|slot| {
        let replicas = first.replicas(*slot);
        let turn = replicas.iter().copied().find(|node| view.is_alive(*node));
        // While slots are handed over, an old primary goes on until it is known to have stopped.
        let waits = view.map.phase == Phase::Handing;
        view.replicas(*slot) != replicas || !waits && view.primary(*slot) != turn
    });
    wrong.next().map(|slot| format!("slot {slot} has moved on {}, and only somebody's liveness changed", view.me))
}

/// A slot whose copies are in fewer zones than there could be, where nothing moves.
pub(super) fn crowded(view: &View) -> Option<String> {
    let zones = |nodes: &mut dyn Iterator<Item = &Member>| {
        nodes.map(|member| member.zone.as_str()).collect::<BTreeSet<&str>>().len()
    };
    if view.map.phase != Phase::Steady {
        return None;
    }
    let all = zones(&mut view.map.members.iter().filter(|member| member.weight > 0));
    if all < 2 {
        return None;
    }
    let mut slots = Slot::all().step_by(SAMPLED);
    let crowded = slots.find(|slot| {
        let replicas = view.replicas(*slot);
        zones(&mut replicas.iter().filter_map(|node| view.member(*node))) < replicas.len().min(all)
    });
    crowded.map(|slot| format!("slot {slot} is in fewer zones than there are: {:?}", view.replicas(slot)))
}

/// Every so many slots one is looked at.
const SAMPLED: usize = 61;
