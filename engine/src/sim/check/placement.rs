//! Where slots are: the map says, and who is alive only decides whose turn it is as primary.

use alloc::format;
use alloc::string::String;

use crate::id::Slot;
use crate::map::Phase;
use crate::view::View;

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

/// Every so many slots one is looked at.
const SAMPLED: usize = 61;
