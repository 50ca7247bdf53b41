//! What happened in a world, in words and in order: what a person reads and a script's golden file holds.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;

use super::check::Violation;
use super::client::{Ask, Reply, Verb};
use super::fault::DiskFault;
use super::network::Place;
use crate::effect::Event;
use crate::id::{Lsn, NodeId};
use crate::map::Refusal;
use crate::request::{Answer, Condition, Key, ReadLevel, WriteLevel};
use crate::store::Cause;
use crate::time::Instant;

/// The latest events of a world; older ones are forgotten.
///
/// Heartbeats are left out, delivered or not: they would drown the rest. What nodes make of them is in it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Clones of the world share them: an event never changes.
    events: VecDeque<Arc<TraceEvent>>,
    capacity: usize,
    next: u64,
    /// When the message was sent that has arrived last.
    sent: Instant,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    /// Its number, from 1.
    pub seq: u64,
    /// When.
    pub at: Instant,
    /// When the message was sent that it is about, where it is about one that has arrived.
    pub sent: Instant,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A client asked.
    Asked(Ask),
    /// A client was told.
    Told {
        /// The operation.
        id: u64,
        /// The client.
        client: u16,
        /// The node that answered.
        node: NodeId,
        /// The key it asked for.
        key: Key,
        /// What it was told.
        reply: Reply,
    },
    /// A message arrived.
    Delivered {
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// Its kind.
        kind: &'static str,
        /// The key it is about, if it names one.
        key: Option<Key>,
    },
    /// A message did not arrive.
    Dropped {
        /// The sender.
        from: Place,
        /// The receiver.
        to: Place,
        /// Its kind.
        kind: &'static str,
        /// Why.
        why: Dropped,
    },
    /// A message was passed on to its receiver by a node that it was handed to for that.
    Relayed {
        /// Who sent it.
        from: NodeId,
        /// Who passed it on.
        by: NodeId,
        /// Whom it is for.
        to: NodeId,
        /// Its kind.
        kind: &'static str,
        /// The key it is about, if it names one.
        key: Option<Key>,
    },
    /// Something happened inside a node.
    Node {
        /// The node.
        node: NodeId,
        /// What.
        event: Event,
    },
    /// A node lost its memory and stopped.
    Crashed(NodeId),
    /// A node started with nothing.
    Started(NodeId),
    /// A change of the map that a person asked a node for is not to be.
    Denied {
        /// The node.
        by: NodeId,
        /// Why.
        refusal: Refusal,
    },
    /// A node that has just started has read its log.
    Recovered {
        /// The node.
        node: NodeId,
        /// The number from which it has read the log over a snapshot, and the records in that, where it began with one.
        snapshot: Option<(Lsn, u64)>,
        /// Records that it has read in its log.
        records: u64,
        /// Bytes of a torn tail that it has cut off.
        torn: u64,
    },
    /// Something happened to a node's disk, or the node does something about it.
    Disk(NodeId, DiskNote),
    /// A node is a member no more, and has stopped.
    Left(NodeId),
    /// A node stopped handling anything.
    Paused(NodeId),
    /// A node that was paused went on.
    Resumed(NodeId),
    /// A way between nodes was cut.
    Cut(NodeId, NodeId),
    /// A way between nodes was mended.
    Healed(NodeId, NodeId),
    /// What is sent from one node to another is held up.
    Clogged(NodeId, NodeId),
    /// It is held up no longer.
    Unclogged(NodeId, NodeId),
    /// A wall clock is that far from the truth now, in milliseconds.
    Clock(NodeId, i64),
    /// A promise was broken.
    Violated(Violation),
}

/// What happens with a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskNote {
    /// It is not as it was.
    Suffers(DiskFault),
    /// Its node could not write its log, and takes no writes from now on.
    GivenUp,
    /// Its node has written what it could not write before, and takes writes again.
    WritesAgain,
    /// Its node has started, found its log damaged, and thrown it away.
    Discarded,
    /// Its node begins a snapshot.
    Saves,
    /// The snapshot is written and synced, and has its name.
    SnapshotNamed,
    /// The name is on disk as well, and the log before it is dropped.
    LogDropped,
    /// The snapshot came to nothing.
    SaveFailed,
    /// Its node goes down while it takes one.
    SaveCutOff {
        /// It has its name, and the log before it is not dropped.
        named: bool,
    },
    /// Its node has started, and its newest snapshot is damaged.
    PassedOver,
}

/// Why a message did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The network lost it.
    Lost,
    /// The way was cut.
    Cut,
    /// Nobody was there.
    Down,
    /// The receiver's sockets were full: it was paused.
    Full,
}

impl Trace {
    pub(super) fn new(capacity: usize) -> Trace {
        Trace { events: VecDeque::new(), capacity, next: 0, sent: Instant(0) }
    }

    /// Is anything kept?
    pub fn is_on(&self) -> bool {
        self.capacity > 0
    }

    /// The events that are still known, oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &TraceEvent> + ExactSizeIterator {
        self.events.iter().map(|event| &**event)
    }

    /// The known events with a number above `seq`, oldest first.
    pub fn since(&self, seq: u64) -> impl Iterator<Item = &TraceEvent> {
        let first = self.events.front().map_or(0, |event| event.seq);
        let skip = (seq + 1).saturating_sub(first).min(self.events.len() as u64);
        self.events.range(skip as usize..).map(|event| &**event)
    }

    /// The number of the latest event; 0 before the first.
    pub fn latest(&self) -> u64 {
        self.next
    }

    /// What comes next is about a message that was sent then.
    pub(super) fn arrived(&mut self, sent: Instant) {
        self.sent = sent;
    }

    /// Takes the events out; their numbers stay taken.
    pub(super) fn take(&mut self) -> VecDeque<Arc<TraceEvent>> {
        core::mem::take(&mut self.events)
    }

    /// Puts events back that were taken out, in place of all others.
    pub(super) fn restore(&mut self, events: VecDeque<Arc<TraceEvent>>) {
        self.events = events;
    }

    pub(super) fn push(&mut self, at: Instant, what: What) {
        self.next += 1;
        if self.capacity == 0 {
            return;
        }
        if self.events.len() == self.capacity {
            self.events.pop_front();
        }
        self.events.push_back(Arc::new(TraceEvent { seq: self.next, at, sent: self.sent, what }));
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}.{:03}ms  {}", self.at.0 / 1_000, self.at.0 % 1_000, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Asked(ask) => write!(f, "c{}@{} {}", ask.client, ask.node, Asked(ask)),
            What::Told { client, node, key, reply, .. } => {
                write!(f, "c{client}@{node} {} -> {}", Text(key.as_bytes()), Replied(reply))
            }
            What::Delivered { from, to, kind, key: Some(key) } => {
                write!(f, "{from} -> {to} {kind} {}", Text(key.as_bytes()))
            }
            What::Delivered { from, to, kind, key: None } => write!(f, "{from} -> {to} {kind}"),
            What::Relayed { from, by, to, kind, key } => {
                write!(f, "{by} passes on {from} -> {to} {kind}")?;
                key.as_ref().map_or(Ok(()), |key| write!(f, " {}", Text(key.as_bytes())))
            }
            What::Dropped { from, to, kind, why } => {
                let why = match why {
                    Dropped::Lost => "lost",
                    Dropped::Cut => "cut off",
                    Dropped::Down => "nobody there",
                    Dropped::Full => "its sockets are full",
                };
                write!(f, "{from} -x {to} {kind} ({why})")
            }
            What::Node { node, event } => write!(f, "{node} {}", Happened(event)),
            What::Crashed(node) => write!(f, "{node} crashed"),
            What::Denied { by, refusal } => write!(f, "{by} refuses: {refusal}"),
            What::Left(node) => write!(f, "{node} has left"),
            What::Started(node) => write!(f, "{node} started"),
            What::Recovered { node, snapshot, records, torn } => {
                write!(f, "{node} read ")?;
                if let Some((first, held)) = snapshot {
                    write!(f, "{} from its snapshot {}, then ", Records(*held), first.0)?;
                }
                write!(f, "{} from its log", Records(*records))?;
                if let Some((first, _)) = snapshot {
                    write!(f, " from {} on", first.0)?;
                }
                if *torn > 0 { write!(f, " and cut off {torn} torn bytes") } else { Ok(()) }
            }
            What::Disk(node, DiskNote::Suffers(fault)) => write!(f, "disk {node} {}", fault.name()),
            What::Disk(node, note) => {
                let what = match note {
                    DiskNote::WritesAgain => "has written its log again, and takes writes",
                    DiskNote::Discarded => "found its log damaged, and begins with nothing",
                    DiskNote::Saves => "begins a snapshot",
                    DiskNote::SnapshotNamed => "has a snapshot under its name",
                    DiskNote::LogDropped => "has dropped the log before its snapshot",
                    DiskNote::PassedOver => "found its newest snapshot damaged",
                    DiskNote::SaveFailed => "could not take a snapshot",
                    DiskNote::SaveCutOff { named: false } => "goes down with half a snapshot, which has no name",
                    DiskNote::SaveCutOff { named: true } => "goes down before the log before its snapshot is dropped",
                    DiskNote::GivenUp | DiskNote::Suffers(_) => "cannot write its log, and takes no writes",
                };
                write!(f, "{node} {what}")
            }
            What::Paused(node) => write!(f, "{node} paused"),
            What::Resumed(node) => write!(f, "{node} resumed"),
            What::Clogged(from, to) => write!(f, "clogged {from} > {to}"),
            What::Unclogged(from, to) => write!(f, "unclogged {from} > {to}"),
            What::Cut(from, to) => write!(f, "cut {from} > {to}"),
            What::Healed(from, to) => write!(f, "healed {from} > {to}"),
            What::Clock(node, offset) => write!(f, "{node} clock {offset:+}ms"),
            What::Violated(violation) => write!(f, "VIOLATION {violation}"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Node(node) => write!(f, "{node}"),
            Place::Client(client) => write!(f, "c{client}"),
        }
    }
}

/// Bytes as a person reads them: what is not printable is escaped, what is long is cut.
struct Text<'a>(&'a [u8]);

/// `1 copy`, `2 copies`.
struct Copies(u8);

impl fmt::Display for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "copy" } else { "copies" })
    }
}

/// `1 record`, `2 records`.
struct Records(u64);

impl fmt::Display for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "record" } else { "records" })
    }
}

pub(super) struct Asked<'a>(pub(super) &'a Ask);
struct Replied<'a>(&'a Reply);
struct Happened<'a>(&'a Event);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 40;
        write!(f, "{}", self.0[..self.0.len().min(SHOWN)].escape_ascii())?;
        if self.0.len() > SHOWN { write!(f, "… ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = Text(self.0.key.as_bytes());
        match &self.0.verb {
            Verb::Get(ReadLevel::Primary) => write!(f, "get {key}"),
            Verb::Get(level) => write!(f, "get {key} read={}", level.name()),
            Verb::Delete(WriteLevel::Live) => write!(f, "del {key}"),
            Verb::Delete(level) => write!(f, "del {key} write={}", level.name()),
            Verb::Set { value, ttl, condition, level } => {
                write!(f, "set {key} {}", Text(value))?;
                if let Some(ttl) = ttl {
                    write!(f, " ttl={}ms", ttl.as_millis())?;
                }
                match condition {
                    Condition::Always => {}
                    Condition::Absent => f.write_str(" if=absent")?,
                    Condition::Present => f.write_str(" if=present")?,
                    Condition::Is(version) => write!(f, " if={version}")?,
                    Condition::OlderThan(version) => write!(f, " if=older:{version}")?,
                }
                if *level == WriteLevel::Live { Ok(()) } else { write!(f, " write={}", level.name()) }
            }
            Verb::Increment { by, level } => {
                write!(f, "incr {key} {by}")?;
                if *level == WriteLevel::Live { Ok(()) } else { write!(f, " write={}", level.name()) }
            }
            Verb::Touch { ttl, level } => {
                match ttl {
                    Some(ttl) => write!(f, "touch {key} ttl={}ms", ttl.as_millis())?,
                    None => write!(f, "touch {key} ttl=none")?,
                }
                if *level == WriteLevel::Live { Ok(()) } else { write!(f, " write={}", level.name()) }
            }
        }
    }
}

impl fmt::Display for Replied<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.word();
        match self.0 {
            Reply::Outcome(Ok(Answer::Found(entry))) => write!(f, "{word} {}", Text(&entry.value.bytes)),
            Reply::Outcome(Ok(Answer::Added { value, copies, .. })) => write!(f, "{word} {value}, {}", Copies(*copies)),
            Reply::Outcome(Ok(
                Answer::Stored { copies, .. } | Answer::Deleted { copies, .. } | Answer::Touched { copies, .. },
            )) => write!(f, "{word}, {}", Copies(*copies)),
            Reply::Outcome(Err(failure)) => write!(f, "{word}: {failure}"),
            Reply::Refused => write!(f, "{word}: nobody listens there"),
            Reply::Lost => write!(f, "{word}: the connection broke, the outcome is unknown"),
            Reply::Outcome(Ok(_)) => f.write_str(word),
        }
    }
}

impl fmt::Display for Happened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Event::Applied { key, removed, primary, .. } => {
                let what = if *removed { "removed" } else { "stored" };
                let role = if *primary { "primary" } else { "replica" };
                write!(f, "{what} {} as {role}", Text(key.as_bytes()))
            }
            Event::Refused { key, .. } => write!(f, "refused {}: it knows of something newer", Text(key.as_bytes())),
            Event::Dropped { key, cause, .. } => {
                let why = match cause {
                    Cause::Expired => "expired",
                    Cause::Entries => "evicted (too many entries)",
                    Cause::Bytes => "evicted (too many bytes)",
                };
                write!(f, "{why} {}", Text(key.as_bytes()))
            }
            Event::Unvouched { key, .. } => write!(f, "dropped {}: nobody vouches for it", Text(key.as_bytes())),
            Event::LeftOut { key, .. } => write!(f, "left {} out: there is no room", Text(key.as_bytes())),
            Event::Moved { key, .. } => write!(f, "freed {}: others keep it now", Text(key.as_bytes())),
            Event::Reconciled { with } => write!(f, "knows again what {with} has"),
            Event::Read { key, version: Some(_) } => write!(f, "hit {}", Text(key.as_bytes())),
            Event::Read { key, version: None } => write!(f, "miss {}", Text(key.as_bytes())),
            Event::Forwarded { slot, to, .. } => write!(f, "forwarded slot {slot} to {to}"),
            Event::Mapped { map } => {
                write!(f, "goes by map {} ({})", map.epoch.0, map.phase)
            }
            Event::Suspected { member, aside: false } => write!(f, "suspects {member}"),
            Event::Suspected { member, aside: true } => write!(f, "counts {member} out"),
            Event::Aside { aside: true } => f.write_str("steps aside"),
            Event::Aside { aside: false } => f.write_str("comes back"),
            Event::Alive { member } => write!(f, "hears {member} again"),
            Event::Rerouted { member, through: Some(through) } => write!(f, "reaches {member} through {through}"),
            Event::Rerouted { member, through: None } => write!(f, "reaches {member} through nobody else"),
            Event::Rejoined => f.write_str("was given up, and is back"),
        }
    }
}

/// What a client was told, in words.
pub(super) fn replied(reply: &Reply) -> String {
    Replied(reply).to_string()
}

/// The bytes that tell this message from every other, for fingerprints.
pub(super) fn digest(from: NodeId, to: NodeId, message: &crate::message::Message, bytes: &mut alloc::vec::Vec<u8>) {
    let envelope =
        crate::message::Envelope { from, to, origin: crate::message::Origin::default(), message: message.clone() };
    crate::codec::peer::encode(&envelope, crate::codec::peer::ClusterTag(0), bytes);
}
