//! Who is waited for, and whose messages may be repeated: what keeps one silent peer from taking everybody's room, and
//! repetitions from making an outage worse.
//!
//! A shard keeps, for each peer, how many requests wait for it and which of them are being repeated. Both are bounded
//! whatever the load is. A peer that answers makes room within a round trip, so that what an outage has held up is
//! caught up with at the pace of the peer; a peer that is silent is asked again by a few for all. Who is held back
//! keeps its place in a line, and takes turns with those that are repeated: one message that is never answered holds up
//! no other.

use alloc::vec::Vec;

use super::{Pending, Shard, Work};
use crate::effect::Outbox;
use crate::id::{NodeId, Slot};
use crate::limits::{MAX_PENDING_FOR_PEER, MAX_REPEATING};
use crate::sorted::{SortedMap, SortedSet};
use crate::time::{Instant, Time};
use crate::view::View;

/// The peers that somebody waits for.
#[derive(Clone, Debug)]
pub(super) struct Awaited {
    peers: SortedMap<NodeId, Peer>,
    /// Peers with room for another repetition since somebody looked.
    freed: Vec<NodeId>,
    /// Requests that may wait for one peer, and of them those that may be repeated at a time.
    most_waiting: usize,
    most_repeating: usize,
}

#[derive(Clone, Debug, Default)]
struct Peer {
    /// Pending requests that wait for it.
    waiting: usize,
    /// Those of them whose messages are being repeated.
    repeating: SortedSet<u64>,
    /// Those that are due to be repeated and have to wait for others, by turn and by name.
    line: SortedSet<(u64, u64)>,
    turns: SortedMap<u64, u64>,
    /// Of the last one in the line.
    turn: u64,
}

impl Default for Awaited {
    fn default() -> Awaited {
        Awaited {
            peers: SortedMap::new(),
            freed: Vec::new(),
            most_waiting: MAX_PENDING_FOR_PEER,
            most_repeating: MAX_REPEATING,
        }
    }
}

impl Awaited {
    /// Lets so many wait for one peer from now on, and repeats for so many of them at a time.
    pub(super) fn bound(&mut self, waiting: usize, repeating: usize) {
        (self.most_waiting, self.most_repeating) = (waiting, repeating);
    }

    /// Can no further request wait for that peer?
    pub(super) fn is_full(&self, peer: NodeId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.waiting >= self.most_waiting)
    }

    /// One more request waits for that peer.
    pub(super) fn begin(&mut self, peer: NodeId) {
        self.peers.get_or_default(peer).waiting += 1;
    }

    /// A request waits for that peer no longer.
    pub(super) fn end(&mut self, peer: NodeId, serial: u64) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.waiting = state.waiting.saturating_sub(1);
        state.leave(serial);
        if state.waiting == 0 {
            self.peers.remove(&peer);
        } else if !state.line.is_empty() {
            self.freed.push(peer);
        }
    }

    /// A request has had no answer from that peer: may its message be repeated now? If not, it has a place in the line.
    pub(super) fn may_repeat(&mut self, peer: NodeId, serial: u64) -> bool {
        let most = self.most_repeating;
        let state = self.peers.get_or_default(peer);
        if state.line.is_empty() && (state.repeating.contains(&serial) || state.repeating.len() < most) {
            state.repeating.insert(serial);
            return true;
        }
        // Others have waited for longer.
        state.repeating.remove(&serial);
        if !state.turns.contains_key(&serial) {
            state.turn += 1;
            state.turns.insert(serial, state.turn);
            state.line.insert((state.turn, serial));
        }
        self.freed.push(peer);
        false
    }

    fn is_in_line(&self, peer: NodeId, serial: u64) -> bool {
        self.peers.get(&peer).is_some_and(|state| state.turns.contains_key(&serial))
    }

    /// The next one in some line that may be repeated now.
    fn next(&mut self) -> Option<(NodeId, u64)> {
        while let Some(peer) = self.freed.last().copied() {
            if let Some(state) = self.peers.get_mut(&peer)
                && state.repeating.len() < self.most_repeating
                && let Some((_, serial)) = state.line.pop_first()
            {
                state.turns.remove(&serial);
                state.repeating.insert(serial);
                return Some((peer, serial));
            }
            self.freed.pop();
        }
        None
    }
}

impl Peer {
    fn leave(&mut self, serial: u64) {
        self.repeating.remove(&serial);
        if let Some(turn) = self.turns.remove(&serial) {
            self.line.remove(&(turn, serial));
        }
    }
}

impl Shard {
    /// As [`Shard::in_flight`], of those that wait for none of these members; with pulls and the keys that are settled
    /// for them, or without.
    pub fn in_flight_without(&self, members: &[NodeId], pulls: bool) -> u32 {
        let waits = |pending: &&Pending| pending.waiting.iter().any(|member| members.contains(member));
        let counts = |pending: &&Pending| !waits(pending) && (pulls || !pending.is_of_pull());
        self.pending.values().filter(counts).count() as u32
    }

    /// Members that answer by that view, and did not by the one before.
    pub(super) fn begin_to_tell(&self, view: &View) -> Vec<NodeId> {
        let Some(known) = self.sources.view() else { return Vec::new() };
        let members = view.map.members.iter().map(|member| member.id);
        members.filter(|id| view.tells(*id) && !known.tells(*id)).collect()
    }

    /// What such a member was sent before did not count there: it is repeated now, and not when an answer is late. A
    /// replica that is asked what it holds is asked anew in any case.
    pub(super) fn repeat_to(&mut self, members: &[NodeId], now: Instant, serial: u64) {
        let Some(Pending { work, waiting, .. }) = self.pending.get(&serial) else { return };
        if matches!(work, Work::Forward(_) | Work::Write(_)) && waiting.iter().any(|node| members.contains(node)) {
            self.look_again(serial, now);
        }
    }

    /// From now on a pending request, which is about to be sent to them, waits for those peers and for no others.
    pub(super) fn wait_for(&mut self, now: Instant, serial: u64, peers: Vec<NodeId>) {
        let Some(pending) = self.pending.get_mut(&serial) else { return };
        let mut held_back = false;
        for peer in core::mem::replace(&mut pending.waiting, peers) {
            held_back |= self.awaited.is_in_line(peer, serial);
            self.awaited.end(peer, serial);
        }
        pending.waiting.iter().for_each(|peer| self.awaited.begin(*peer));
        // In a line it had no time of its own, and now it is in none.
        if held_back {
            self.sent_anew(now, serial);
        }
    }

    /// A pending request has heard from that peer. False when it did not wait for it.
    pub(super) fn heard(&mut self, serial: u64, from: NodeId) -> bool {
        let Some(pending) = self.pending.get_mut(&serial) else { return false };
        let Some(place) = pending.waiting.iter().position(|peer| *peer == from) else { return false };
        pending.waiting.swap_remove(place);
        self.awaited.end(from, serial);
        true
    }

    /// A pending request waits no longer for who is gone.
    pub(super) fn wait_for_living(&mut self, serial: u64, view: &View) {
        self.wait_only_for(serial, |peer| view.is_alive(peer));
    }

    /// A pending write waits no longer for who is gone, or does not keep the slot any more.
    pub(super) fn wait_for_replicas(&mut self, serial: u64, slot: Slot, view: &View) {
        let replicas = view.replicas(slot);
        self.wait_only_for(serial, |peer| view.is_alive(peer) && replicas.contains(&peer));
    }

    fn wait_only_for(&mut self, serial: u64, is_awaited: impl Fn(NodeId) -> bool) {
        let Some(pending) = self.pending.get_mut(&serial) else { return };
        let awaited = &mut self.awaited;
        pending.waiting.retain(|peer| {
            let stays = is_awaited(*peer);
            if !stays {
                awaited.end(*peer, serial);
            }
            stays
        });
    }

    /// The peers of a pending request that have not answered and may be asked again now. When it is next due is set.
    pub(super) fn repeat(&mut self, time: Time, serial: u64) -> Vec<NodeId> {
        let Some(pending) = self.pending.get(&serial) else { return Vec::new() };
        let awaited = &mut self.awaited;
        let now: Vec<NodeId> =
            pending.waiting.iter().copied().filter(|peer| awaited.may_repeat(*peer, serial)).collect();
        if now.is_empty() && !pending.waiting.is_empty() {
            // It is sent when its turn comes. Until then it only has a deadline.
            self.counters.held_back += 1;
            let until = pending.until();
            self.wake_at(serial, until);
        } else {
            self.again(time.instant, serial);
        }
        now
    }

    /// Repeats what had to wait for others to be answered.
    pub(super) fn repeat_held_back(&mut self, time: Time, view: &View, out: &mut Outbox) {
        while let Some((peer, serial)) = self.awaited.next() {
            self.again(time.instant, serial);
            match self.pending.get(&serial) {
                Some(Pending { work: Work::Forward(_), .. }) => self.send_forward(time, view, serial, out),
                Some(Pending { work: Work::Write(_), .. }) => self.send_write(time.unix, serial, &[peer], out),
                Some(Pending { work: Work::Gather(_), .. }) => self.send_gather(serial, &[peer], out),
                Some(Pending { work: Work::Pull(_), .. }) | None => {}
            }
        }
    }
}
