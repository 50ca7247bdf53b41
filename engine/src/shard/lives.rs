//! What a member says that has started again since, as others know already, and this node does not yet.
//!
//! Somebody who starts again is lost to all: who shares slots with it asks the others what it had told them. What is
//! held up on the way until they have answered would be kept by one of them, and be told to nobody. So whoever asks
//! says whom it has heard of last ([`Message::Sync`]), and what an earlier start of those says counts no longer, though
//! this node has not heard of the later one. What is sent again, or is asked for again, is listened to once it has.
//!
//! [`Message::Sync`]: crate::message::Message::Sync

use super::Shard;
use crate::id::NodeId;
use crate::view::View;

impl Shard {
    /// Somebody who asks what it missed has heard others lead these lives.
    pub(super) fn outlived(&mut self, view: &View, lives: &[(NodeId, u64)]) {
        let heard = |node| view.pull(node).map_or(u64::MAX, |pull| pull.life);
        self.lives.retain(|node, life| *life > heard(*node));
        for (node, life) in lives.iter().filter(|(node, life)| *node != self.me && *life > heard(*node)) {
            let known = self.lives.get_or_default(*node);
            *known = (*known).max(*life);
        }
    }

    /// Has that member begun another life than the one in which this node has heard it last?
    pub(super) fn is_outlived(&self, view: &View, node: NodeId) -> bool {
        let heard = || view.pull(node).map_or(0, |pull| pull.life);
        !self.lives.is_empty() && self.lives.get(&node).is_some_and(|life| *life > heard())
    }
}
