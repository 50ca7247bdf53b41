//! Where slots are: the map says, and who is alive only decides whose turn it is as primary.

use alloc::format;
use alloc::string::String;

use crate::id::Slot;
use crate::view::View;

/// What has moved between the first view of a map and a later one.
pub(super) fn moved(first: &View, view: &View) -> Option<String> {
    let slots = Slot::all().step_by(SAMPLED);
    let mut wrong = slots.filter(|slot| {
        let replicas = first.replicas(*slot);
        let turn = replicas.iter().copied().find(|node| view.is_alive(*node));
        view.replicas(*slot) != replicas || view.primary(*slot) != turn
    });
    wrong.next().map(|slot| format!("slot {slot} has moved on {}, and only somebody's liveness changed", view.me))
}

/// Every so many slots one is looked at.
const SAMPLED: usize = 61;
