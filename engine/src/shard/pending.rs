//! What has been begun and has not ended: room for it, its names, and when each is next looked at.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Shard, forward, gather, others, pull, write};
use crate::error::Failure;
use crate::id::{NodeId, Slot};
use crate::time::Instant;
use crate::view::View;

/// Something begun and not ended.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    /// When it is next looked at: its entry in the timers.
    pub(super) wake: Instant,
    /// When whoever asked stops waiting.
    pub(super) deadline: Instant,
    /// How often its messages have been repeated.
    pub(super) attempt: u32,
    /// Bytes of values that it holds.
    pub(super) bytes: usize,
    /// Peers whose answers it waits for.
    pub(super) waiting: Vec<NodeId>,
    pub(super) work: Work,
}

#[derive(Clone, Debug)]
pub(super) enum Work {
    Forward(forward::Forwarding),
    Write(write::Writing),
    Gather(gather::Gathering),
    Pull(pull::Pulling),
}

impl Pending {
    /// When it must be looked at, if not before: at its deadline, which may have passed while the node was busy. The
    /// replication of a write goes on without one, once whoever waited has been told.
    pub(super) fn until(&self) -> Instant {
        match &self.work {
            Work::Write(writing) if writing.is_answered() => Instant::NEVER,
            _ => self.deadline,
        }
    }

    /// Does this node make up by it for what it missed, and nobody waits for it?
    pub(super) fn is_of_pull(&self) -> bool {
        match &self.work {
            Work::Pull(_) => true,
            Work::Gather(gathering) => gathering.settles(),
            Work::Forward(_) | Work::Write(_) => false,
        }
    }
}

impl Shard {
    /// The bound at which a request about that slot would be turned away now, where it needs a peer. Whoever has yet to
    /// take in what it says may ask first; the request itself is decided when it is submitted.
    pub fn full(&self, view: &View, slot: Slot) -> Option<&'static str> {
        match view.primary(slot) {
            Some(primary) if primary == view.me => self.reached(0, &others(view, slot)),
            Some(primary) => self.reached(0, &[primary]),
            None => None,
        }
    }

    /// Room for one more pending request of that size that waits for those peers?
    pub(super) fn room(&mut self, bytes: usize, peers: &[NodeId]) -> Result<(), Failure> {
        let Some(limit) = self.reached(bytes, peers) else { return Ok(()) };
        self.counters.busy += 1;
        Err(Failure::Busy { limit })
    }

    pub(super) fn reached(&self, bytes: usize, peers: &[NodeId]) -> Option<&'static str> {
        match () {
            () if self.pending.len() - self.pulls_running >= self.tuning.pending => Some("MAX_PENDING"),
            () if self.pending_bytes.saturating_add(bytes) > self.tuning.pending_bytes => Some("MAX_PENDING_BYTES"),
            () if peers.iter().any(|peer| self.awaited.is_full(*peer)) => Some("MAX_PENDING_FOR_PEER"),
            () => None,
        }
    }

    pub(super) fn hold(
        &mut self,
        now: Instant,
        deadline: Instant,
        bytes: usize,
        waiting: Vec<NodeId>,
        work: Work,
    ) -> u64 {
        let serial = self.next_serial();
        self.pulls_running += usize::from(matches!(work, Work::Pull(_)));
        let wake = self.backoff(now, 0).min(deadline);
        self.timers.insert((wake, serial));
        self.pending_bytes += bytes;
        waiting.iter().for_each(|peer| self.awaited.begin(*peer));
        self.pending.insert(serial, Pending { wake, deadline, attempt: 0, bytes, waiting, work });
        serial
    }

    pub(super) fn release(&mut self, serial: u64) -> Option<Pending> {
        let pending = self.pending.remove(&serial)?;
        self.timers.remove(&(pending.wake, serial));
        self.pending_bytes -= pending.bytes;
        self.pulls_running -= usize::from(matches!(pending.work, Work::Pull(_)));
        pending.waiting.iter().for_each(|peer| self.awaited.end(*peer, serial));
        Some(pending)
    }

    /// Looks at a pending request at that moment.
    pub(super) fn wake_at(&mut self, serial: u64, at: Instant) {
        let Some(pending) = self.pending.get_mut(&serial) else { return };
        self.timers.remove(&(pending.wake, serial));
        pending.wake = at;
        self.timers.insert((at, serial));
    }

    /// A pending request is sent as if for the first time: it had waited for others, or says something else now.
    pub(super) fn sent_anew(&mut self, now: Instant, serial: u64) {
        let wake = self.backoff(now, 0);
        let Some(until) = self.pending.get(&serial).map(Pending::until) else { return };
        self.wake_at(serial, wake.min(until));
    }

    /// Looks at a pending request again after the next step of its backoff, and at its deadline at the latest.
    pub(super) fn again(&mut self, now: Instant, serial: u64) {
        let Some(attempt) = self.pending.get(&serial).map(|pending| pending.attempt) else { return };
        let wake = self.backoff(now, attempt + 1);
        let pending = self.pending.get_mut(&serial).expect("looked up above");
        pending.attempt += 1;
        let wake = wake.min(pending.until());
        self.wake_at(serial, wake);
        self.counters.retries += 1;
    }

    pub(super) fn backoff(&mut self, now: Instant, attempt: u32) -> Instant {
        let step = self.retry.first.saturating_mul(1 << attempt.min(10)).min(self.retry.most);
        let jitter = self.rng.below(crate::time::micros(step) / 2 + 1);
        now + step + Duration::from_micros(jitter)
    }

    pub(super) fn next_serial(&mut self) -> u64 {
        self.serial = self.serial.wrapping_add(1);
        self.serial
    }
}
