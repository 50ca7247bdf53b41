//! What a state machine asks its body to do, as plain data in the caller's outbox.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::error::Failure;
use crate::id::{ClientToken, Lsn, NodeId, RequestId, Slot, Version};
use crate::map::Map;
use crate::message::{Message, Verdict};
use crate::record::Record;
use crate::request::{Key, Outcome};
use crate::store::Cause;
use crate::view::View;

/// One thing to do outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a message to a peer. It may be dropped when the peer's queue is full: whoever sent it repeats it.
    Send {
        /// The receiver; never this node.
        to: NodeId,
        /// What to say.
        message: Message,
        /// It may leave only when the log has been synced that far.
        after: Option<Lsn>,
    },
    /// Answer a client, once.
    Reply {
        /// The client, by the token it came with.
        client: ClientToken,
        /// What it is told.
        outcome: Outcome,
        /// Who says so.
        served: Served,
        /// It may leave only when the log has been synced that far.
        after: Option<Lsn>,
    },
    /// Route by this view from now on, and tell every shard.
    Publish(Arc<View>),
}

/// Who carried a request out or refused it: this node, or the one that it was passed on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The node.
    pub by: NodeId,
    /// It had lost touch with a majority of the slot's replicas: another side of a partition may serve the slot too.
    pub isolated: bool,
}

/// Where effects are gathered: made once by the caller, filled under its lock, drained after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// What to do, in order.
    pub effects: Vec<Effect>,
    /// What happened, for whoever watches; empty unless [`Outbox::watched`].
    pub events: Vec<Event>,
    /// What the log is to keep, in order; empty unless [`Outbox::log_from`] gave their numbers.
    pub records: Vec<Record>,
    next: Option<Lsn>,
    watched: bool,
}

/// Something that happened inside a node and that a person may want to see. Nothing is decided by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A write was applied here, as primary or as replica.
    Applied {
        /// The key.
        key: Key,
        /// Its version now.
        version: Version,
        /// True when the key has no value from this version on.
        removed: bool,
        /// True at the primary that gave the version.
        primary: bool,
    },
    /// A change was refused because of what is known here.
    Refused {
        /// The key.
        key: Key,
        /// The version offered.
        offered: Version,
        /// The version or floor that is not below it.
        held: Version,
    },
    /// An entry left the store by itself.
    Dropped {
        /// The key.
        key: Key,
        /// The version it had.
        version: Version,
        /// Why.
        cause: Cause,
    },
    /// An entry was dropped because a replica has seen it go, or something newer in its place, while one of the two was
    /// away.
    Unvouched {
        /// The key.
        key: Key,
        /// The version it had.
        version: Version,
    },
    /// An entry that was missed was not taken in, for want of room: it stays with those who have it, unless they free
    /// it because the slot is this node's to keep.
    LeftOut {
        /// The key.
        key: Key,
        /// The version it has there.
        version: Version,
    },
    /// An entry was freed because its slot is kept by other nodes now.
    Moved {
        /// The key.
        key: Key,
        /// The version it had.
        version: Version,
    },
    /// This node knows again all that a member has of the slots that they share.
    Reconciled {
        /// The member.
        with: NodeId,
    },
    /// A read was answered from the store of this node.
    Read {
        /// The key.
        key: Key,
        /// The version found, or `None` for a miss.
        version: Option<Version>,
    },
    /// A request was passed on to the primary.
    Forwarded {
        /// The request.
        id: RequestId,
        /// The slot.
        slot: Slot,
        /// The primary.
        to: NodeId,
    },
    /// A member is no longer believed alive.
    Suspected {
        /// The member.
        member: NodeId,
        /// It answers, and has stepped aside.
        aside: bool,
    },
    /// This node holds another edition of the map from now on.
    Mapped {
        /// The map.
        map: Arc<Map>,
    },
    /// A member answers again.
    Alive {
        /// The member.
        member: NodeId,
    },
    /// A member is reached by another way from now on.
    Rerouted {
        /// The member.
        member: NodeId,
        /// Who passes messages on to it; `None` where they go straight.
        through: Option<NodeId>,
    },
    /// This node has stepped aside, since it cannot write its log and others can; or it comes back.
    Aside {
        /// It has stepped aside.
        aside: bool,
    },
    /// Others had given up this node, and it has heard so: it is back, and asks what it missed.
    Rejoined,
}

impl Effect {
    /// The record of the log that must be on disk before it is performed; `None` where it waits for none.
    pub fn after(&self) -> Option<Lsn> {
        match self {
            Effect::Send { after, .. } | Effect::Reply { after, .. } => *after,
            Effect::Publish(_) => None,
        }
    }

    /// What is done in its place where its record may never be on disk. The change is in memory, and may be written
    /// down later: whoever asked for it, here or by way of another node, is told at once that the outcome is unknown,
    /// and a primary that there is no copy to count. `None` where nothing is said.
    pub fn unlogged(self) -> Option<Effect> {
        let unknown = Err(Failure::Indeterminate { copies: 0 });
        match self {
            Effect::Reply { client, served, after: Some(_), .. } => {
                Some(Effect::Reply { client, outcome: unknown, served, after: None })
            }
            Effect::Send { to, message, after: Some(_) } => {
                let message = match message {
                    Message::Answer { id, slot, isolated, .. } => {
                        Message::Answer { id, slot, isolated, outcome: unknown }
                    }
                    Message::Replicated { id, slot, version, verdict: Verdict::Applied } => {
                        Message::Replicated { id, slot, version, verdict: Verdict::Unlogged }
                    }
                    _ => return None,
                };
                Some(Effect::Send { to, message, after: None })
            }
            waits_for_nothing => Some(waits_for_nothing),
        }
    }
}

impl Outbox {
    /// An empty outbox that keeps no events.
    pub fn new() -> Outbox {
        Outbox::default()
    }

    /// An empty outbox that keeps events.
    pub fn watching() -> Outbox {
        Outbox { watched: true, ..Outbox::default() }
    }

    /// Are events wanted?
    pub fn watched(&self) -> bool {
        self.watched
    }

    /// Sends as soon as may be.
    pub fn send(&mut self, to: NodeId, message: Message) {
        self.effects.push(Effect::Send { to, message, after: None });
    }

    /// Numbers the records that come from now on, from that number up; `None` where no log is kept. The numbers that
    /// effects wait for are these.
    pub fn log_from(&mut self, next: Option<Lsn>) {
        self.next = next;
    }

    /// The number of the next record; `None` where no log is kept.
    pub fn next_lsn(&self) -> Option<Lsn> {
        self.next
    }

    /// Hands a record to the log, if there is one, and returns its number.
    pub fn record(&mut self, record: impl FnOnce() -> Record) -> Option<Lsn> {
        let lsn = self.next?;
        self.records.push(record());
        self.next = Some(Lsn(lsn.0 + 1));
        Some(lsn)
    }

    /// Notes an event, which is built only when events are wanted.
    pub fn event(&mut self, event: impl FnOnce() -> Event) {
        if self.watched {
            self.events.push(event());
        }
    }
}
