//! One moment of the model: what tells it from others, and what can be asked of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use vitrine_engine::id::{NodeId, RequestId, Version};
use vitrine_engine::message::Message;
use vitrine_engine::shard::Shard;
use vitrine_engine::time::Time;
use vitrine_engine::view::View;

use crate::belief::{self, Beliefs};
use crate::promises::History;

pub const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

pub type Flight = (NodeId, NodeId, Arc<Message>);

/// One moment.
#[derive(Clone)]
pub struct State {
    pub digest: u64,
    pub shards: [Option<Arc<Shard>>; 3],
    pub views: [View; 3],
    pub beliefs: [Option<Beliefs>; 3],
    /// Messages under way, the oldest first.
    pub links: Vec<Flight>,
    pub held: Vec<Flight>,
    pub asked: u8,
    /// What is left.
    pub budget: [u8; 4],
    /// Starts so far: time goes on with each.
    pub starts: u32,
    /// How often each node has repeated itself: its time goes on with that.
    pub repeats: [u32; 3],
    pub history: History,
}

pub const HELD: usize = 0;
pub const SUSPICIONS: usize = 1;
pub const CUTS: usize = 2;
pub const CRASHES: usize = 3;

pub fn index(node: NodeId) -> usize {
    usize::from(node.0) - 1
}

impl PartialEq for State {
    fn eq(&self, other: &State) -> bool {
        self.digest == other.digest
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:?}", self.history)?;
        for (from, to, message) in &self.links {
            writeln!(f, "  {from} to {to}: {message:?}")?;
        }
        self.held.iter().try_for_each(|(from, to, message)| writeln!(f, "  late, {from} to {to}: {message:?}"))
    }
}

impl State {
    pub fn shard(&self, node: NodeId) -> Option<&Shard> {
        self.shards[index(node)].as_deref()
    }

    /// Where the oldest message from one to the other is.
    pub fn head(&self, from: NodeId, to: NodeId) -> Option<usize> {
        self.links.iter().position(|flight| flight.0 == from && flight.1 == to)
    }

    /// What a node says of its writes in a heartbeat.
    pub fn settled(&mut self, node: NodeId, time: Time) -> Version {
        let shard = self.shards[index(node)].as_mut();
        shard.map_or(Version::ZERO, |shard| Arc::make_mut(shard).settled(time.unix))
    }

    /// Everybody is up, believes in everybody, and has heard everybody out.
    pub fn is_calm(&self) -> bool {
        let news = || NODES.into_iter().flat_map(|of| NODES.map(|to| (of, to))).filter(|(of, to)| of != to);
        self.shards.iter().all(|shard| shard.as_ref().is_some_and(|shard| shard.in_doubt().is_empty()))
            && self.views.iter().all(|view| NODES.into_iter().all(|node| view.is_alive(node)))
            && news().all(|(of, to)| !belief::is_news(&self.beliefs, of, to))
    }

    /// Nothing is under way but what is held back.
    pub fn is_quiet(&self) -> bool {
        self.links.is_empty() && self.shards.iter().flatten().all(|shard| shard.in_flight() == 0)
    }
}

pub fn is_answer(message: &Message) -> bool {
    use Message::{Answer, Compared, Fetched, Listed, Replicated};
    matches!(message, Answer { .. } | Compared { .. } | Fetched { .. } | Listed { .. } | Replicated { .. })
}

pub fn id_of(message: &Message) -> RequestId {
    match message {
        Message::Forward { id, .. }
        | Message::Answer { id, .. }
        | Message::Replicate { id, .. }
        | Message::Replicated { id, .. }
        | Message::Fetch { id, .. }
        | Message::Fetched { id, .. }
        | Message::Sync { id, .. }
        | Message::Listed { id, .. }
        | Message::Compare { id, .. }
        | Message::Compared { id, .. } => *id,
        _ => RequestId::default(),
    }
}

/// The same message with its request under another name. A request that is passed on keeps its own: by that it is known
/// again.
pub fn named(message: &Message, name: impl Fn(RequestId) -> RequestId) -> Message {
    let mut message = message.clone();
    match &mut message {
        Message::Replicate { id, .. }
        | Message::Replicated { id, .. }
        | Message::Fetch { id, .. }
        | Message::Fetched { id, .. }
        | Message::Sync { id, .. }
        | Message::Listed { id, .. }
        | Message::Compare { id, .. }
        | Message::Compared { id, .. } => *id = name(*id),
        _ => {}
    }
    message
}
