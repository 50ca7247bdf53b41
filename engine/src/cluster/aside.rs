//! Stepping aside: a member that cannot write its log is counted out, by all others and by itself, until it can.
//!
//! Others would wait in vain for it to say that it keeps what it is told, and it takes no writes of its own. So it says
//! in its heartbeats that it has stepped aside, and from then on is treated as one that is down, though it is heard:
//! others lead its slots and confirm without it, and it passes on whatever it is asked. It comes back as one that was
//! away. It stays where it is for as long as there is one slot that nobody else would answer for.
//! `docs/membership.md` has more.

use alloc::vec::Vec;

use super::Cluster;
use crate::effect::{Event, Outbox};
use crate::id::Slot;
use crate::map::Phase;
use crate::time::Instant;

/// Whether this node can write its log, and whether it has stepped aside.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Aside {
    /// It cannot write its log.
    pub(super) failing: bool,
    /// Since when, as far as it was noticed.
    since: Option<Instant>,
    /// How often it has stepped aside and come back; odd while it is aside.
    pub(super) steps: u32,
}

impl Aside {
    pub(super) fn is_aside(&self) -> bool {
        is_aside(self.steps)
    }
}

/// Is somebody aside who has stepped aside and come back so often?
pub(super) fn is_aside(steps: u32) -> bool {
    steps % 2 == 1
}

impl Cluster {
    /// Can this node write its log? To be said before each [`Cluster::tick`]; one without a log always can.
    pub fn note_failing(&mut self, failing: bool) {
        self.aside.failing = failing;
    }

    /// Has this node stepped aside, since it cannot write its log and others can?
    pub fn is_aside(&self) -> bool {
        self.aside.is_aside()
    }

    /// Steps aside, or comes back, where it is time to. A log that is written again after a moment is no reason.
    pub(super) fn step_aside(&mut self, now: Instant, out: &mut Outbox) {
        self.aside.since = self.aside.failing.then(|| self.aside.since.unwrap_or(now));
        let is_aside = self.is_aside();
        let lasts = |since| since + self.heartbeat.suspect_after <= now && self.view.map.phase == Phase::Steady;
        let wants = self.aside.since.is_some_and(|since| is_aside || lasts(since)) && self.is_dispensable();
        if wants == is_aside {
            return;
        }
        self.aside.steps = self.aside.steps.wrapping_add(1);
        self.stale = true;
        // The others need not wait for their turn to hear it.
        self.next_ping = now;
        if !wants {
            self.was_away(now, true);
        }
        out.event(|| Event::Aside { aside: wants });
    }

    /// Is there another who is alive, and can write its log, for each slot that this node keeps?
    fn is_dispensable(&self) -> bool {
        let well = |peer: &&super::Peer| peer.alive && !peer.failing;
        let well: Vec<_> = self.peers.iter().filter(well).map(|peer| peer.id).collect();
        let kept = |slot: &Slot| self.view.is_replica(*slot);
        Slot::all().filter(kept).all(|slot| self.view.replicas(slot).iter().any(|node| well.contains(node)))
    }
}
