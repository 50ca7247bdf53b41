//! What a member says that has started again since, as others know already, and this node does not yet.
//!
//! Somebody who starts again is lost to all: who shares slots with it asks the others what it had told them. What is
//! held up on the way until they have answered would be kept by one of them, and be told to nobody. So whoever asks
//! says whom it has heard of last ([`Message::Sync`]), and what an earlier start of those says counts no longer, though
//! this node has not heard of the later one. What is sent again, or is asked for again, is listened to once it has.
//! Nor does an answer count any longer that such a start gave to a question which waits for others still: it is asked
//! anew.
//!
//! [`Message::Sync`]: crate::message::Message::Sync

use alloc::vec::Vec;

use super::{Shard, Work};
use crate::effect::Outbox;
use crate::id::NodeId;
use crate::time::Time;
use crate::view::View;

impl Shard {
    /// Somebody who asks what it missed has heard others lead these lives.
    pub(super) fn outlived(&mut self, time: Time, view: &View, lives: &[(NodeId, u64)], out: &mut Outbox) {
        let heard = |node| view.pull(node).map_or(u64::MAX, |pull| pull.life);
        self.lives.retain(|node, life| *life > heard(*node));
        let mut outlived = Vec::new();
        for (node, life) in lives.iter().filter(|(node, life)| *node != self.me && *life > heard(*node)) {
            let known = self.lives.get_or_default(*node);
            if *known < *life {
                *known = *life;
                outlived.push(*node);
            }
        }
        if outlived.is_empty() {
            return;
        }
        let answered = |work: &Work| matches!(work, Work::Gather(gathering) if gathering.is_told_by(&outlived));
        let gathers = self.pending.iter().filter(|(_, pending)| answered(&pending.work));
        let gathers: Vec<u64> = gathers.map(|(serial, _)| *serial).collect();
        gathers.into_iter().for_each(|serial| self.gather_anew(time, view, serial, out));
    }

    /// Has that member begun another life than the one in which this node has heard it last?
    pub(super) fn is_outlived(&self, view: &View, node: NodeId) -> bool {
        let heard = || view.pull(node).map_or(0, |pull| pull.life);
        !self.lives.is_empty() && self.lives.get(&node).is_some_and(|life| *life > heard())
    }
}
