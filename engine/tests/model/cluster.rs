//! Three nodes, the messages between them, and all that may happen next.
//!
//! The nodes are the engine's shards, and the network carries the engine's messages. A link delivers in order, as a
//! connection does; out of a budget, messages or copies of them are held back and may come at any time later, or never:
//! that is what loss, repetition and reordering are. Out of budgets, too, nodes crash, are cut off, or are suspected.
//! What is not delivered is repeated when nothing else is under way.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use stateright::{Model, Property};
use vitrine_engine::codec::peer::{ClusterTag, encode};
use vitrine_engine::effect::{Effect, Outbox};
use vitrine_engine::id::{ClientToken, Lanes, NodeId, RequestId, Version};
use vitrine_engine::map::{Map, Member};
use vitrine_engine::message::{Envelope, Message, Origin};
use vitrine_engine::request::{Condition, Key, Operation, ReadLevel, Request, Value, WriteLevel};
use vitrine_engine::shard::{Retry, Shard, ShardConfig};
use vitrine_engine::store::Limits;
use vitrine_engine::time::{Instant, Time, UnixMs};
use vitrine_engine::view::View;

use crate::belief::{self, Beliefs};
use crate::promises::{History, Mark, Promise};
use crate::state::{CRASHES, CUTS, Flight, HELD, NODES, SUSPICIONS, State, id_of, index, is_answer, named};

/// How far the exploration goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub name: &'static str,
    /// What is asked, in this order, each at any later time, of any node that takes itself for the primary. A read at
    /// `one` goes to any node.
    pub asks: &'static [Ask],
    /// Of all messages under way the oldest comes first, and heartbeats come at once; or else the messages of each link
    /// come in order, and heartbeats at any time.
    pub coarse: bool,
    /// Messages or copies of them that are held back.
    pub held: u8,
    /// Nodes that are suspected by one other though they are up.
    pub suspicions: u8,
    /// Nodes that are cut off from both others.
    pub cuts: u8,
    pub crashes: u8,
    /// What is known to be settled is the latest when somebody is lost; or else as old as can be.
    pub prompt: bool,
}

/// One question. Writes are at `live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Set,
    Delete,
    Get(ReadLevel),
}

/// Something that happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The next question is put to that node.
    Ask(NodeId),
    /// The oldest message from one to the other arrives.
    Deliver(NodeId, NodeId),
    /// It is held back.
    Hold(NodeId, NodeId),
    /// A copy of it is held back.
    Copy(NodeId, NodeId),
    /// A message that was held back arrives.
    Late(usize),
    /// One believes no longer in another.
    Suspect(NodeId, NodeId),
    /// A node and all others believe no longer in each other; what is under way between them is lost, or is not.
    Cut(NodeId, bool),
    /// A heartbeat of one reaches the other.
    Heartbeat(NodeId, NodeId),
    /// One hears from another in which it does not believe.
    Meet(NodeId, NodeId),
    Crash(NodeId),
    Restart(NodeId),
    /// A node repeats what was not answered.
    Repeat(NodeId),
}

/// The model: what does not change.
pub struct Trio {
    pub bounds: Bounds,
    key: Key,
    /// For each node and each set of nodes that it may believe in (a bit each), a view.
    views: [Vec<View>; 3],
    /// What was met, a bit each.
    marks: AtomicU32,
}

impl Model for Trio {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.begin()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.history.broken.is_some() {
            return;
        }
        let up = |node: NodeId| state.shards[index(node)].is_some();
        let pairs = || NODES.into_iter().flat_map(|a| NODES.into_iter().map(move |b| (a, b))).filter(|(a, b)| a != b);
        let oldest = state.links.first().map(|(from, to, _)| (*from, *to));
        let first = |pair: &(NodeId, NodeId)| !self.bounds.coarse || oldest == Some(*pair);
        for (from, to) in pairs().filter(first).filter(|(from, to)| state.head(*from, *to).is_some()) {
            actions.push(Action::Deliver(from, to));
            if state.budget[HELD] > 0 {
                actions.extend([Action::Hold(from, to), Action::Copy(from, to)]);
            }
        }
        actions.extend((0..state.held.len()).map(Action::Late));
        if usize::from(state.asked) < self.bounds.asks.len() {
            let slot = self.key.slot();
            let asked = NODES.into_iter().filter(|node| up(*node));
            let asked = asked.filter(|node| match self.bounds.asks[usize::from(state.asked)] {
                Ask::Get(ReadLevel::One) => true,
                _ => state.views[index(*node)].is_primary(slot),
            });
            actions.extend(asked.map(Action::Ask));
        }
        for (a, b) in pairs().filter(|(a, _)| up(*a)) {
            let alive = state.views[index(a)].is_alive(b);
            if alive && (!up(b) || state.budget[SUSPICIONS] > 0) {
                actions.push(Action::Suspect(a, b));
            }
            if up(b) && !alive {
                actions.push(Action::Meet(a, b));
            } else if self.is_news(state, b, a) {
                actions.push(Action::Heartbeat(b, a));
            }
        }
        for node in NODES {
            match up(node) {
                true => {
                    if state.budget[CUTS] > 0 {
                        actions.extend([Action::Cut(node, false), Action::Cut(node, true)]);
                    }
                    if state.budget[CRASHES] > 0 {
                        actions.push(Action::Crash(node));
                    }
                    if state.links.is_empty() && state.shard(node).is_some_and(|shard| shard.in_flight() > 0) {
                        actions.push(Action::Repeat(node));
                    }
                }
                false => actions.push(Action::Restart(node)),
            }
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Ask(node) => self.ask(&mut state, node),
            Action::Deliver(from, to) => {
                let (_, _, message) = state.links.remove(state.head(from, to)?);
                self.deliver(&mut state, from, to, &message);
            }
            Action::Hold(from, to) => {
                let flight = state.links.remove(state.head(from, to)?);
                state.budget[HELD] -= 1;
                state.held.push(flight);
            }
            Action::Copy(from, to) => {
                let flight = state.links[state.head(from, to)?].clone();
                state.budget[HELD] -= 1;
                state.held.push(flight);
            }
            Action::Late(at) => {
                let (from, to, message) = state.held.remove(at);
                self.deliver(&mut state, from, to, &message);
            }
            Action::Suspect(by, node) => {
                if state.shard(node).is_some() {
                    state.budget[SUSPICIONS] -= 1;
                }
                self.be_prompt(&mut state);
                self.suspect(&mut state, by, node);
            }
            Action::Cut(node, loses) => {
                state.budget[CUTS] -= 1;
                self.be_prompt(&mut state);
                if loses {
                    state.links.retain(|(from, to, _)| *from != node && *to != node);
                }
                for other in NODES.into_iter().filter(|other| *other != node) {
                    self.suspect(&mut state, node, other);
                    self.suspect(&mut state, other, node);
                }
            }
            Action::Heartbeat(of, to) => {
                let settled = state.settled(of, self.time(&state, of));
                belief::heartbeat(&mut state.beliefs, of, to, settled);
                self.publish(&mut state, to);
            }
            Action::Meet(node, other) => {
                // The question, which tells the other that it was suspected, and the answer.
                let settled = state.settled(node, self.time(&state, node));
                belief::heartbeat(&mut state.beliefs, node, other, settled);
                self.publish(&mut state, other);
                let settled = state.settled(other, self.time(&state, other));
                belief::heartbeat(&mut state.beliefs, other, node, settled);
                belief::answered(&mut state.beliefs, other, node);
                state.history.heard(node, other);
                self.publish(&mut state, node);
            }
            Action::Crash(node) => {
                state.budget[CRASHES] -= 1;
                self.be_prompt(&mut state);
                state.shards[index(node)] = None;
                state.beliefs[index(node)] = None;
                state.history.crashed(node);
            }
            Action::Restart(node) => self.start(&mut state, node),
            Action::Repeat(node) => {
                state.repeats[index(node)] += 1;
                self.at(&mut state, node, |shard, time, view, out| shard.tick(time, view, out));
            }
        }
        self.beat(&mut state);
        self.close(&mut state);
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Trio>> {
        fn holds(state: &State, promise: Promise) -> bool {
            state.history.broken != Some(promise)
        }
        vec![
            Property::always("P1 no invention", |_, state| holds(state, Promise::NoInvention)),
            Property::always("P2 copies", |_, state| holds(state, Promise::Acknowledged)),
            Property::always("P2 no loss", |_, state| holds(state, Promise::NoLoss)),
            Property::always("P3 no ghosts", |_, state| holds(state, Promise::NoGhosts)),
            Property::always("P4 one truth", |_, state| holds(state, Promise::OneTruth)),
        ]
    }
}

impl Trio {
    pub fn new(bounds: Bounds) -> Trio {
        let members = NODES.into_iter().map(|id| Member::new(id, format!("{id}"))).collect();
        let map = Arc::new(Map::first(members, 3, 16));
        let first = View::first(NODES[0], map);
        let in_order = |key: &Key| first.replicas(key.slot()) == NODES;
        let mut keys = (0..).filter_map(|number| Key::new(format!("k{number}")).ok());
        let key = keys.find(in_order).expect("some key has its replicas in this order");
        let alive = |set: u8| move |node: NodeId| set >> index(node) & 1 == 1;
        let views = NODES.map(|me| (0..8).map(|set| first.seen_by(me).with_alive(alive(set))).collect());
        Trio { bounds, key, views, marks: AtomicU32::new(0) }
    }

    /// What was met so far, a bit each.
    pub fn met(&self) -> u32 {
        self.marks.load(Ordering::Relaxed)
    }

    fn mark(&self, mark: Mark) {
        self.marks.fetch_or(mark.bit(), Ordering::Relaxed);
    }

    /// Three nodes that have just started and heard each other out.
    fn begin(&self) -> State {
        let Bounds { held, suspicions, cuts, crashes, .. } = self.bounds;
        let mut state = State {
            digest: 0,
            shards: [None, None, None],
            views: [0, 1, 2].map(|node| self.views[node][7].clone()),
            beliefs: [None, None, None],
            links: Vec::new(),
            held: Vec::new(),
            asked: 0,
            budget: [held, suspicions, cuts, crashes],
            starts: 0,
            repeats: [0; 3],
            history: History::default(),
        };
        NODES.into_iter().for_each(|node| self.start(&mut state, node));
        for (of, to) in NODES.into_iter().flat_map(|of| NODES.map(|to| (of, to))).filter(|(of, to)| of != to) {
            belief::heartbeat(&mut state.beliefs, of, to, Version::ZERO);
        }
        while !state.links.is_empty() {
            let (from, to, message) = state.links.remove(0);
            self.deliver(&mut state, from, to, &message);
        }
        assert!(state.is_calm() && state.is_quiet(), "nothing was lost: {state:?}");
        state.history = History::default();
        // A value is there, that of no question.
        self.put(&mut state, NODES[0], BEFORE, Ask::Set);
        while !state.links.is_empty() {
            let (from, to, message) = state.links.remove(0);
            self.deliver(&mut state, from, to, &message);
        }
        self.close(&mut state);
        state
    }

    fn time(&self, state: &State, node: NodeId) -> Time {
        let (starts, repeats) = (u64::from(state.starts), u64::from(state.repeats[index(node)]));
        let instant = Instant((starts + 5 * repeats) * 1_000_000);
        Time { instant, unix: UnixMs(START + 1_000 * starts) }
    }

    fn start(&self, state: &mut State, node: NodeId) {
        state.starts += 1;
        let time = self.time(state, node);
        let config = ShardConfig {
            me: node,
            limits: Limits { entries: Some(4), bytes: None },
            seed: u64::from(node.0) << 32 | u64::from(state.starts),
            hash_seed: (1, 2),
            retry: Retry::default(),
            clock_skew: Duration::ZERO,
        };
        let shard = Shard::new(config, Lanes::of(self.key.slot()), time);
        state.shards[index(node)] = Some(Arc::new(shard));
        state.beliefs[index(node)] = Some(Beliefs::new(state.starts));
        state.views[index(node)].clone_from(&self.views[index(node)][7]);
        state.views[index(node)].generation = 1;
        state.history.started(node);
        self.at(state, node, |shard, time, view, out| shard.tick(time, view, out));
    }

    fn ask(&self, state: &mut State, node: NodeId) {
        let number = state.asked;
        state.asked += 1;
        self.put(state, node, number, self.bounds.asks[usize::from(number)]);
    }

    /// Puts that question to a node.
    fn put(&self, state: &mut State, node: NodeId, number: u8, ask: Ask) {
        let value = Value { bytes: Bytes::copy_from_slice(&[number]), media: Bytes::new() };
        let (condition, level) = (Condition::Always, WriteLevel::Live);
        let operation = match ask {
            Ask::Set => Operation::Set { value, deadline: None, condition, level },
            Ask::Delete => Operation::Delete { condition, level },
            Ask::Get(level) => Operation::Get { level },
        };
        let calm = state.is_calm();
        state.history.asked(number, node, &state.views[index(node)], calm);
        let request = Request { key: self.key.clone(), operation, timeout: Duration::from_secs(60) };
        let client = ClientToken(u64::from(number));
        self.at(state, node, |shard, time, view, out| shard.submit(time, view, client, request, out));
    }

    fn deliver(&self, state: &mut State, from: NodeId, to: NodeId, message: &Message) {
        let message = message.clone();
        self.at(state, to, |shard, time, view, out| shard.receive(time, view, from, message, out));
    }

    fn suspect(&self, state: &mut State, by: NodeId, node: NodeId) {
        if let Some(beliefs) = &mut state.beliefs[index(by)] {
            beliefs.suspect(node);
            state.history.suspected(by, node);
            self.publish(state, by);
        }
    }

    /// Heartbeats came through until just now: everybody knows how far the others' writes are settled.
    fn be_prompt(&self, state: &mut State) {
        for (of, to) in NODES.into_iter().flat_map(|of| NODES.map(|to| (of, to))).filter(|(of, to)| of != to) {
            let believed = state.beliefs[index(to)].as_ref().is_some_and(|beliefs| beliefs.peers[index(of)].alive);
            if self.bounds.prompt && believed && !belief::is_news(&state.beliefs, of, to) {
                let settled = state.settled(of, self.time(state, of));
                belief::heartbeat(&mut state.beliefs, of, to, settled);
            }
        }
    }

    /// Tells a node's shard of a view when there is something new to say.
    fn publish(&self, state: &mut State, node: NodeId) {
        let at = index(node);
        let Some(beliefs) = &mut state.beliefs[at] else { return };
        if !beliefs.take_broken() {
            return;
        }
        let alive = |other: NodeId| other == node || beliefs.peers[index(other)].alive;
        let set = NODES.into_iter().filter(|other| alive(*other)).fold(0_u8, |set, other| set | 1 << index(other));
        let mut view = self.views[at][usize::from(set)].clone();
        view.generation = state.views[at].generation;
        state.views[at] = view.with(alive, |other| beliefs.peers[index(other)].pull);
        self.at(state, node, |shard, time, view, out| shard.view_changed(time, view, out));
    }

    /// Lets a node do something, and takes down what comes of it. Nothing, where it is down.
    fn at(&self, state: &mut State, node: NodeId, act: impl FnOnce(&mut Shard, Time, &View, &mut Outbox)) {
        let (at, time) = (index(node), self.time(state, node));
        let State { shards, views, history, links, .. } = state;
        let Some(shard) = &mut shards[at] else { return };
        let shard = Arc::make_mut(shard);
        let mut out = Outbox::watching();
        let caught_up = shard.counters().caught_up;
        act(shard, time, &views[at], &mut out);
        if shard.counters().caught_up > caught_up {
            self.mark(Mark::CaughtUp);
        }
        out.events.iter().for_each(|event| history.happened(node, &views[at], event, &|mark| self.mark(mark)));
        let held = [0, 1, 2].map(|node| shards[node].as_ref().and_then(|shard| self.held(shard)));
        history.holds(held[at]);
        let held = held.map(|held| held.map(|(version, _)| version));
        for effect in out.effects {
            match effect {
                Effect::Send { to, message, .. } => links.push((node, to, Arc::new(message))),
                Effect::Reply { client, outcome, served, .. } => {
                    history.answered(client.0 as u8, served.by, &outcome, held, &|mark| self.mark(mark));
                }
                Effect::Publish(_) => unreachable!("a shard publishes nothing"),
            }
        }
    }

    fn held(&self, shard: &Shard) -> Option<(Version, u8)> {
        let store = shard.store();
        let entry = store.peek(UnixMs(0), store.hash(self.key.as_bytes()), self.key.as_bytes())?;
        Some((entry.version, entry.value.first().copied().unwrap_or_default()))
    }

    /// Every heartbeat that is news comes through, where they come at once.
    fn beat(&self, state: &mut State) {
        let pairs = || NODES.into_iter().flat_map(|of| NODES.map(|to| (of, to))).filter(|(of, to)| of != to);
        if !self.bounds.coarse {
            return;
        }
        while let Some((of, to)) = pairs().find(|(of, to)| self.is_news(state, *of, *to)) {
            let settled = state.settled(of, self.time(state, of));
            belief::heartbeat(&mut state.beliefs, of, to, settled);
            self.publish(state, to);
        }
    }

    /// Would one that believes in the other learn something from a heartbeat of it?
    fn is_news(&self, state: &State, of: NodeId, to: NodeId) -> bool {
        state.views[index(to)].is_alive(of) && belief::is_news(&state.beliefs, of, to)
    }

    /// What is true of every moment: answers that nobody waits for are forgotten, and quiet is judged.
    fn close(&self, state: &mut State) {
        let mut names: BTreeMap<RequestId, u64> = BTreeMap::new();
        for shard in state.shards.iter().flatten() {
            names.extend(shard.open_requests().zip(0..));
        }
        let (links, held) = (&mut state.links, &mut state.held);
        for flights in [links, held] {
            flights.retain(|(_, _, message)| !is_answer(message) || names.contains_key(&id_of(message)));
        }
        if state.is_calm() && state.is_quiet() {
            self.mark(Mark::Quiet);
            let held = [0, 1, 2].map(|node| state.shards[node].as_ref().and_then(|shard| self.held(shard)));
            state.history.quiet(held.map(|held| held.map(|(version, _)| version)));
        }
        state.digest = self.digest(state, &names);
    }

    fn digest(&self, state: &State, names: &BTreeMap<RequestId, u64>) -> u64 {
        let mut hasher = DefaultHasher::new();
        let name = |id: RequestId| RequestId { serial: names.get(&id).copied().unwrap_or(u64::MAX), ..id };
        for (shard, view) in state.shards.iter().zip(&state.views) {
            NODES.map(|node| view.is_alive(node)).hash(&mut hasher);
            shard.is_some().hash(&mut hasher);
            if let Some(shard) = shard {
                shard.digest(name, &mut hasher);
            }
        }
        belief::outline(&state.beliefs).for_each(|line| line.hash(&mut hasher));
        let bytes = |(from, to, message): &Flight| {
            let mut bytes = Vec::with_capacity(96);
            let envelope = Envelope { from: *from, to: *to, origin: Origin::default(), message: named(message, name) };
            encode(&envelope, ClusterTag(0), &mut bytes);
            bytes
        };
        let mut links = state.links.clone();
        if !self.bounds.coarse {
            // The order on each link is all that counts.
            links.sort_by_key(|(from, to, _)| (*from, *to));
        }
        links.iter().for_each(|flight| bytes(flight).hash(&mut hasher));
        let mut held: Vec<_> = state.held.iter().map(bytes).collect();
        held.sort_unstable();
        (held, state.asked, state.budget, state.starts).hash(&mut hasher);
        state.history.hash(&mut hasher);
        hasher.finish()
    }
}

/// The number of the question that is asked before all others.
const BEFORE: u8 = u8::MAX;
const START: u64 = 1_700_000_000_000;
