//! What peers say to each other. Plain data: [`crate::codec`] makes bytes of it, the simulator delays and loses it.
//!
//! Every message may be lost, repeated, delayed and overtaken; none of them relies on its neighbours.

mod reach;
mod slots;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::id::{Epoch, Lanes, NodeId, RequestId, Slot, Version};
pub use crate::map::Edition;
use crate::map::{Map, Wish};
use crate::request::{Entry, Holding, Key, Outcome, Request};
pub use reach::{Contact, Reach};
pub use slots::Slots;

/// From where a message speaks: nodes start again, and go by one map after another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The start of the sender, as it says it in its heartbeats.
    pub boot: u64,
    /// The epoch of the map that the sender went by.
    pub epoch: Epoch,
}

/// A message with its addresses and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The sender.
    pub from: NodeId,
    /// The receiver.
    pub to: NodeId,
    /// By what its sender went.
    pub origin: Origin,
    /// What it says.
    pub message: Message,
}

/// What one peer says to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// "You are the primary: do this." Answered by `Answer`; repeated with the same id until then.
    Forward {
        /// The coordinator's name for it; a write that was carried out is not carried out again under the same id.
        id: RequestId,
        /// The start of the receiver that the sender means it for; 0 where it has not heard the receiver yet. Another
        /// start cannot know whether it was carried out before.
        boot: u64,
        /// How often it has been passed on, this time included. At most [`crate::limits::MAX_HOPS`].
        hops: u8,
        /// What the client asked; its timeout is what remains of it.
        request: Request,
    },
    /// The answer to `Forward`.
    Answer {
        /// As in the `Forward`.
        id: RequestId,
        /// The slot of the request's key.
        slot: Slot,
        /// The sender has lost touch with a majority of the slot's replicas.
        isolated: bool,
        /// What the client is told.
        outcome: Outcome,
    },
    /// "This key now has this state." Answered by `Replicated`; repeated until then.
    Replicate {
        /// The primary's name for the write.
        id: RequestId,
        /// The key.
        key: Key,
        /// What became of it.
        change: Change,
    },
    /// The answer to `Replicate`.
    Replicated {
        /// As in the `Replicate`.
        id: RequestId,
        /// The slot of the key.
        slot: Slot,
        /// The version that was offered.
        version: Version,
        /// What the replica did with it.
        verdict: Verdict,
    },
    /// "What do you hold for this key?" Answered by `Fetched`.
    Fetch {
        /// The coordinator's name for the read.
        id: RequestId,
        /// The key.
        key: Key,
        /// How much of it, and whether that counts as a use.
        wanted: Wanted,
    },
    /// The answer to `Fetch`.
    Fetched {
        /// As in the `Fetch`.
        id: RequestId,
        /// The slot of the key.
        slot: Slot,
        /// What is known about it.
        holding: Holding,
        /// The entry, when there is one and it was asked for.
        entry: Option<Entry>,
    },
    /// "What do you have, in slots that we share, that I may not?" Answered by a `Listed`; repeated until then. Whoever
    /// believes the sender dead does not answer: what it writes meanwhile does not reach the sender, so that no listing
    /// would be complete.
    Sync {
        /// The sender's name for its pull.
        id: RequestId,
        /// The lanes that are asked for; the receiver answers for those of them that lie in its stripe of the lowest.
        lanes: Lanes,
        /// Versions up to this one are known here.
        since: Version,
        /// Where to go on: 0 at first, then what the page before said. Keys come first, then floors.
        cursor: u64,
        /// Only slots that the sender gains by the change of the map that is under way. With a `since` that is not zero
        /// it asks again for what was withheld, and is answered once it is known whether that is to be told.
        gained: bool,
        /// Only these slots: digests have said that the others are the same here and there. `None`: all of them.
        slots: Option<Slots>,
        /// Where the cursor is 0, which lives the sender has heard others lead, who are alive to it. What they said in
        /// earlier lives, and is held up on the way, is to count no longer once this has been answered: it would be
        /// told to the sender by nobody.
        lives: Vec<(NodeId, u64)>,
    },
    /// The answer to `Sync`: one page. Nothing is remembered of it by who gives it.
    Listed {
        /// As in the `Sync`.
        id: RequestId,
        /// The slot that the `Sync` was routed by.
        slot: Slot,
        /// The lanes that the answer is about: of those asked for, the ones that live together here.
        lanes: Lanes,
        /// As in the `Sync`.
        cursor: u64,
        /// Where the next page begins; `None` at the end.
        next: Option<u64>,
        /// The lanes of those in which the sender vouches for what it has: it was not away itself, or has heard since
        /// what it missed.
        vouches: Lanes,
        /// For slots in which something newer than `since` was removed, the highest such version.
        floors: Vec<(Slot, Version)>,
        /// Keys with versions above `since`.
        keys: Vec<(Key, Version)>,
    },
    /// "What do you have in each slot that we share, in one number?" Asked where much would be listed otherwise;
    /// answered by a `Compared`, and repeated until then. As for a `Sync`, whoever believes the sender dead does not
    /// answer.
    Compare {
        /// The sender's name for its pull.
        id: RequestId,
        /// As in a `Sync`.
        lanes: Lanes,
        /// As in a `Sync`.
        since: Version,
        /// Where to go on: 0 at first, then what the answer before said.
        cursor: u64,
        /// As in a `Sync`.
        lives: Vec<(NodeId, u64)>,
    },
    /// The answer to `Compare`: digests of some slots, or of none while the sender is still working them out.
    Compared {
        /// As in the `Compare`.
        id: RequestId,
        /// The slot that the `Compare` was routed by.
        slot: Slot,
        /// The lanes that the answer is about: of those asked for, the ones that live together here.
        lanes: Lanes,
        /// As in the `Compare`.
        cursor: u64,
        /// What to ask for next; `None` at the end.
        next: Option<u64>,
        /// By ascending slot, a number for the keys of the slot with their versions and for what the slot has seen go.
        /// Slots of which there is neither are left out.
        digests: Vec<(Slot, u64)>,
    },
    /// "Are you there?" Answered by `Pong`.
    Ping {
        /// The sender's count: a `Pong` proves the round trip of that `Ping` only.
        serial: u64,
        /// How it travels.
        path: Path,
        /// How the sender stands to the receiver.
        standing: Standing,
    },
    /// "I am."
    Pong {
        /// As in the `Ping`.
        serial: u64,
        /// As in the `Ping`.
        path: Path,
        /// How the sender stands to the receiver.
        standing: Standing,
    },
    /// What the membership protocol says: a packet of the crate `foca`, which is no business of anybody else.
    Gossip {
        /// The packet, at most [`crate::limits::MAX_GOSSIP`] bytes of it.
        data: Bytes,
    },
    /// "This is the map that I hold": to whoever holds an earlier edition.
    Map {
        /// All of it.
        map: Arc<Map>,
    },
    /// "Somebody wants the map to change": to the member that makes the next edition.
    Wish {
        /// What is wanted.
        wish: Wish,
    },
}

/// How a message travels to its receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Straight to it, and by no other way: that is what it finds out.
    Direct,
    /// As the sender's data does: through another member where the straight way is broken.
    Routed,
}

/// How the sender of a heartbeat stands to its receiver: what the receiver must know to notice that one of the two was
/// away, and what it missed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Drawn when the sender started: another number is another start, which remembers nothing.
    pub boot: u64,
    /// How often the sender's belief in the receiver has changed since then; odd while the receiver is suspected.
    pub lapses: u32,
    /// Every write of the sender at or below this version was confirmed by every replica that the sender believed
    /// alive.
    pub settled: Version,
    /// The sender's life in the membership protocol: it grows when it starts, and each time that it was given up and
    /// came back.
    pub life: u64,
    /// The latest life of the receiver that the sender knows to be over; 0 for none. Whoever still leads it has to
    /// begin another.
    pub over: u64,
    /// Whom the sender believes alive, and how it reaches them.
    pub reach: Reach,
    /// The map that the sender holds.
    pub edition: Edition,
    /// It knows all that there is of every slot that it keeps by that map, old owners' included.
    pub filled: bool,
    /// How often the sender, since its start, has stepped aside or come back; odd while it counts itself out, since it
    /// cannot write its log.
    pub steps: u32,
    /// It cannot write its log, aside or not.
    pub failing: bool,
    /// How often, since the sender started, others have gone by a map without it that took slots from those who shared
    /// them with it. What one of those had told it may be known to nobody else: it is asked for all.
    pub skips: u32,
}

/// What is asked about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// What is known about it, eviction rank included, for a person.
    Facts,
    /// The entry, for a client: it becomes the most recently used.
    Value,
    /// The entry, for a replica that may not have it. It is not a use.
    Copy,
    /// Only which version there is.
    Version,
}

/// The state that a key has from a version on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It has this value.
    Put(Entry),
    /// It has none.
    Remove {
        /// From this version on.
        version: Version,
    },
}

/// What a replica did with a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has it, now or already, and what is to be on its disk is.
    Applied,
    /// It has it in memory alone, since it cannot write its log: no copy to be counted, and nothing to wait for.
    Unlogged,
    /// It knows of this version, which is not below the offered one, and changed nothing. The primary moves on above
    /// it.
    Refused {
        /// The version it holds, or the floor under which it has forgotten.
        held: Version,
    },
}

impl Message {
    /// The slot that it is about or is routed by; `None` for the control plane's messages, and for a `Sync` about
    /// nothing.
    pub fn slot(&self) -> Option<Slot> {
        match self {
            Message::Forward { request, .. } => Some(request.key.slot()),
            Message::Replicate { key, .. } | Message::Fetch { key, .. } => Some(key.slot()),
            Message::Answer { slot, .. } | Message::Replicated { slot, .. } | Message::Fetched { slot, .. } => {
                Some(*slot)
            }
            Message::Sync { lanes, .. } | Message::Compare { lanes, .. } => lanes.first(),
            Message::Listed { slot, .. } | Message::Compared { slot, .. } => Some(*slot),
            Message::Ping { .. } | Message::Pong { .. } | Message::Gossip { .. } => None,
            Message::Map { .. } | Message::Wish { .. } => None,
        }
    }

    /// The question of a shard that it answers, if it does.
    pub fn answers(&self) -> Option<&RequestId> {
        match self {
            Message::Answer { id, .. } | Message::Replicated { id, .. } | Message::Fetched { id, .. } => Some(id),
            Message::Listed { id, .. } | Message::Compared { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The highest version that it speaks of; [`Version::ZERO`] when it speaks of none.
    pub fn newest(&self) -> Version {
        match self {
            Message::Replicate { change, .. } => change.version(),
            Message::Replicated { version, verdict: Verdict::Refused { held }, .. } => *held.max(version),
            Message::Replicated { version, .. } => *version,
            Message::Fetched { holding, entry, .. } => {
                let entry = entry.as_ref().map(|entry| entry.version);
                holding.version.max(entry).unwrap_or(Version::ZERO).max(holding.floor)
            }
            Message::Answer { .. } | Message::Forward { .. } | Message::Fetch { .. } => Version::ZERO,
            // Each key of a page is judged by itself: one wrong clock must not hold all the others back.
            Message::Sync { .. } | Message::Listed { .. } => Version::ZERO,
            Message::Compare { .. } | Message::Compared { .. } => Version::ZERO,
            Message::Ping { .. } | Message::Pong { .. } | Message::Gossip { .. } => Version::ZERO,
            Message::Map { .. } | Message::Wish { .. } => Version::ZERO,
        }
    }

    /// A name for logs, traces and metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Message::Forward { .. } => "forward",
            Message::Answer { .. } => "answer",
            Message::Replicate { .. } => "replicate",
            Message::Replicated { .. } => "replicated",
            Message::Fetch { .. } => "fetch",
            Message::Fetched { .. } => "fetched",
            Message::Sync { .. } => "sync",
            Message::Listed { .. } => "listed",
            Message::Compare { .. } => "compare",
            Message::Compared { .. } => "compared",
            Message::Ping { .. } => "ping",
            Message::Pong { .. } => "pong",
            Message::Gossip { .. } => "gossip",
            Message::Map { .. } => "map",
            Message::Wish { .. } => "wish",
        }
    }

    /// True for what only shows that nodes are there: pings and their answers, and what the membership protocol says.
    pub fn is_heartbeat(&self) -> bool {
        matches!(self, Message::Ping { .. } | Message::Pong { .. } | Message::Gossip { .. })
    }

    /// How it travels.
    pub fn path(&self) -> Path {
        match self {
            Message::Ping { path, .. } | Message::Pong { path, .. } => *path,
            _ => Path::Routed,
        }
    }
}

impl Change {
    /// The version from which on it holds.
    pub fn version(&self) -> Version {
        match self {
            Change::Put(entry) => entry.version,
            Change::Remove { version } => *version,
        }
    }
}

/// How long the answer to a message that may be repeated is remembered after the request's own deadline: longer than
/// any copy of it is under way.
pub const ANSWER_MEMORY: Duration = Duration::from_secs(3);
