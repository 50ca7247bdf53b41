//! Where slots are: the map says, and who is alive only decides whose turn it is as primary.

use alloc::format;
use alloc::string::String;

use crate::id::{Epoch, NodeId, Slot};
use crate::map::Phase;
use crate::sorted::SortedSet;
use crate::view::{Member, View};

/// What has moved between the first view of a map and a later one, of the same node or of another.
pub(super) fn moved(first: &View, view: &View) -> Option<String> {
    let slots = Slot::all().step_by(SAMPLED);
    let mut wrong = slots.filter(|slot| {
        let replicas = first.replicas(*slot);
        // Who is to stand in for somebody decides nothing before it is filled.
        let standing_in = view.map.phase == Phase::Filling && view.map.is_standing_in();
        let decides = |node: NodeId| view.is_alive(node) && !(standing_in && view.gains(node, *slot));
        let turn = replicas.iter().copied().find(|node| decides(*node));
        // While slots are handed over, an old primary goes on until it is known to have stopped.
        let waits = view.map.phase == Phase::Handing;
        view.replicas(*slot) != replicas || !waits && view.primary(*slot) != turn
    });
    wrong.next().map(|slot| format!("slot {slot} has moved on {}, and only somebody's liveness changed", view.me))
}

/// A message about a slot between nodes whose maps have an edition between them: they agree on no owner.
pub(super) fn apart((from, theirs): (NodeId, Epoch), (to, mine): (NodeId, Epoch)) -> Option<String> {
    let far = theirs.0.max(mine.0) - theirs.0.min(mine.0) > 1;
    far.then(|| format!("{to} goes by map {} and took what {from} had sent by map {}", mine.0, theirs.0))
}

/// A slot whose copies are in fewer zones than there could be, where nothing moves. Those who are away count for
/// nothing, as others stand in for them.
pub(super) fn crowded(view: &View) -> Option<String> {
    let zones = |nodes: &mut dyn Iterator<Item = &Member>| {
        nodes.map(|member| member.zone.as_str()).collect::<SortedSet<&str>>().len()
    };
    if view.map.phase != Phase::Steady {
        return None;
    }
    let all = zones(&mut view.map.members.iter().filter(|member| member.weight > 0 && !member.away));
    if all < 2 {
        return None;
    }
    let mut slots = Slot::all().step_by(SAMPLED);
    let crowded = slots.find(|slot| {
        let replicas = view.replicas(*slot).iter().filter_map(|node| view.member(*node));
        let present = replicas.clone().filter(|member| !member.away);
        // Replicas beyond the configured number: whoever stands in for one that stood in itself comes as it may.
        if replicas.skip(usize::from(view.map.replicas)).any(|member| member.away) {
            return false;
        }
        zones(&mut present.clone()) < present.count().min(all)
    });
    crowded.map(|slot| format!("slot {slot} is in fewer zones than there are: {:?}", view.replicas(slot)))
}

/// Every so many slots one is looked at.
const SAMPLED: usize = 61;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_maps_may_speak_and_no_others() {
        let check = |theirs, mine, wrong: bool| {
            let what = apart((NodeId(1), Epoch(theirs)), (NodeId(2), Epoch(mine)));
            assert_eq!(what.is_some(), wrong, "{theirs} and {mine}: {what:?}");
        };
        check(4, 4, false);
        check(4, 5, false);
        check(5, 4, false);
        check(4, 6, true);
        check(6, 4, true);
    }
}
