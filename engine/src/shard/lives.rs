//! What a member says that has started again since, as others know already, and this node does not yet.
//!
//! Somebody who starts again is lost to all: who shares slots with it asks the others what it had told them. What is
//! held up on the way until they have answered would be kept by one of them, and be told to nobody. So whoever asks
//! says whom it has heard of last ([`Message::Sync`]), and what an earlier start of those says counts no longer, though
//! this node has not heard of the later one. What is sent again, or is asked for again, is listened to once it has.
//! Nor does an answer count any longer that such a start gave to a question which waits for others still: it is asked
//! anew.
//!
//! A life is told from an earlier one by the time at which it began, and a clock may have been set back in between. So
//! whoever is taken for an earlier start is asked something, and counts again once it answers: what it may have been
//! the earlier start of was there before it was asked.
//!
//! [`Message::Sync`]: crate::message::Message::Sync

use alloc::vec::Vec;

use super::{Shard, Work};
use crate::effect::Outbox;
use crate::id::{Lanes, NodeId, RequestId};
use crate::message::{Message, Slots};
use crate::time::Time;
use crate::view::View;

/// A life that others have heard, and this node has not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Later {
    life: u64,
    /// The last question that this node had asked by then.
    asked: u64,
}

impl Shard {
    /// Somebody who asks what it missed has heard others lead these lives.
    pub(super) fn outlived(&mut self, time: Time, view: &View, lives: &[(NodeId, u64)], out: &mut Outbox) {
        let heard = |node| view.pull(node).map_or(u64::MAX, |pull| pull.life);
        self.lives.retain(|node, later| later.life > heard(*node));
        for (node, life) in lives {
            let known = self.lives.get(node).map_or(0, |later| later.life).max(heard(*node));
            if *node == self.me || *life <= known {
                continue;
            }
            self.lives.insert(*node, Later { life: *life, asked: self.serial });
            let answered = |work: &Work| matches!(work, Work::Gather(gathering) if gathering.is_told_by(*node));
            let gathers = self.pending.iter().filter(|(_, pending)| answered(&pending.work));
            let gathers: Vec<u64> = gathers.map(|(serial, _)| *serial).collect();
            gathers.into_iter().for_each(|serial| self.gather_anew(time, view, serial, out));
        }
    }

    /// Does that member say this in a life that is over, as far as others know? One that answers what it was asked
    /// since then does not. What it asks changes nothing here, and is answered in any case.
    pub(super) fn is_outlived(&mut self, view: &View, node: NodeId, message: &Message, out: &mut Outbox) -> bool {
        if matches!(message, Message::Fetch { .. } | Message::Sync { .. } | Message::Compare { .. }) {
            return false;
        }
        let heard = || view.pull(node).map_or(0, |pull| pull.life);
        let later = self.lives.get(&node).copied().filter(|later| later.life > heard());
        let Some(Later { asked, .. }) = later else { return false };
        let since = |id: &RequestId| id.node == self.me && id.serial.wrapping_sub(asked).cast_signed() > 0;
        if message.answers().is_some_and(since) {
            self.lives.remove(&node);
            return false;
        }
        // About no slot at all: it is the answer that counts.
        let (id, slots) = (RequestId { node: self.me, serial: self.next_serial() }, Some(Slots::none()));
        let lanes = message.slot().map_or(self.lanes, Lanes::of);
        let (since, cursor, gained, lives) = (self.clock.latest(), 0, false, Vec::new());
        out.send(node, Message::Sync { id, lanes, since, cursor, gained, slots, lives });
        true
    }
}
