//! Parity: the simulated node and the native composition are the same node. Both are sent the same requests, at the
//! same times, over a network that loses the same messages; every message and every answer must be equal.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vitrine::clock::{Clock as _, HandClock};
use vitrine::effects::Reply;
use vitrine::effects::Wire;
use vitrine::shards::{CLOCK_SKEW, Read, Shards, ShardsConfig, Submitted};
use vitrine_engine::cluster::{Heartbeat, Routes};
use vitrine_engine::effect::{Effect, Outbox, Served};
use vitrine_engine::id::{ClientToken, NodeId};
use vitrine_engine::message::{Message, Origin};
use vitrine_engine::node::{Input, Node, NodeConfig};
use vitrine_engine::request::{Answer, Condition, Key, Operation, ReadLevel, Request, Value, WriteLevel};
use vitrine_engine::rng::Rng;
use vitrine_engine::shard::{Retry, ShardConfig};
use vitrine_engine::store::Limits;
use vitrine_engine::time::{Instant, Time, UnixMs};
use vitrine_engine::view::{Map, Member, View};

const NODES: u16 = 3;
const STRIPES: u16 = 4;
/// Entries and bytes of one stripe: few, so that eviction is part of what is compared.
const ENTRIES: u32 = 8;
const BYTES: u64 = 1 << 16;
const HASH_SEED: (u64, u64) = (1, 2);

#[test]
fn the_native_composition_answers_as_the_simulated_node_does() {
    let (mut found, mut lost) = (0, 0);
    for seed in 0..40 {
        let run = Run::new(seed).play(400);
        found += run.0;
        lost += run.1;
    }
    // What is compared is not empty: reads that found something, and messages that were lost and sent again.
    assert!(found > 1_000 && lost > 500, "{found} found, {lost} lost");
}

/// A message on its way, as either side tells it.
type Sent = (NodeId, NodeId, Message);

struct Run {
    seed: u64,
    rng: Rng,
    clock: Arc<HandClock>,
    native: Vec<Shards>,
    native_sent: Arc<Mutex<VecDeque<Sent>>>,
    native_waiting: BTreeMap<u64, Submitted>,
    simulated: Vec<Node>,
    simulated_sent: VecDeque<Sent>,
    simulated_answers: BTreeMap<u64, Reply>,
    clients: u64,
    found: u32,
    lost: u32,
}

/// Notes what one native node sends.
struct Recorder {
    from: NodeId,
    sent: Arc<Mutex<VecDeque<Sent>>>,
}

impl Wire for Recorder {
    fn send(&self, to: NodeId, _: Origin, message: Message) {
        self.sent.lock().expect("one thread").push_back((self.from, to, message));
    }

    fn reroute(&self, _: &Arc<Routes>) {}
}

impl Run {
    fn new(seed: u64) -> Run {
        let start = Time { instant: Instant(1_000_000), unix: UnixMs(1_700_000_000_000) };
        let clock = Arc::new(HandClock::at(start));
        let member = |number: u16| Member::new(NodeId(number), format!("n{number}"));
        let members = (1..=NODES).map(member).collect();
        let map = Arc::new(Map::first(members, 2, 16));
        let native_sent = Arc::new(Mutex::new(VecDeque::new()));
        let native = |number: u16| {
            let config = ShardsConfig {
                entries: Some(u64::from(ENTRIES) * u64::from(STRIPES)),
                bytes: BYTES * u64::from(STRIPES),
                stripes: Some(usize::from(STRIPES)),
                workers: 1,
                seed: seed + u64::from(number) * 1_000,
                hash_seed: HASH_SEED,
            };
            let view = Arc::new(View::first(NodeId(number), Arc::clone(&map)));
            let wire = Recorder { from: NodeId(number), sent: Arc::clone(&native_sent) };
            Shards::new(&config, view, Arc::clone(&clock) as Arc<_>, Arc::new(wire))
        };
        let simulated = |number: u16| {
            let shard = ShardConfig {
                me: NodeId(number),
                limits: Limits { entries: Some(ENTRIES), bytes: Some(BYTES) },
                seed: seed + u64::from(number) * 1_000,
                hash_seed: HASH_SEED,
                retry: Retry::default(),
                clock_skew: CLOCK_SKEW,
            };
            let config = NodeConfig { shard, stripes: STRIPES, heartbeat: Heartbeat::default(), recorded: false };
            Node::new(&config, Arc::clone(&map), start)
        };
        Run {
            seed,
            rng: Rng::new(seed, "parity"),
            native: (1..=NODES).map(native).collect(),
            native_sent,
            native_waiting: BTreeMap::new(),
            simulated: (1..=NODES).map(simulated).collect(),
            simulated_sent: VecDeque::new(),
            simulated_answers: BTreeMap::new(),
            clock,
            clients: 0,
            found: 0,
            lost: 0,
        }
    }

    /// Plays so many requests, then lets everything end; how many reads found something, how many messages were lost.
    fn play(mut self, requests: u32) -> (u32, u32) {
        for _ in 0..requests {
            let pause = self.rng.between(0, 60);
            self.pass(Duration::from_millis(pause));
            self.request();
            self.deliver();
        }
        for _ in 0..100 {
            self.pass(Duration::from_millis(100));
            self.deliver();
        }
        assert!(self.native_waiting.is_empty(), "seed {}: somebody still waits", self.seed);
        (self.found, self.lost)
    }

    fn pass(&mut self, span: Duration) {
        self.clock.advance(span);
        for index in 0..self.native.len() {
            // Its views come first, as its control plane does.
            self.simulate(index, Input::Tick);
            self.native[index].tick();
        }
        self.deliver();
    }

    fn request(&mut self) {
        let index = self.rng.below(u64::from(NODES)) as usize;
        let key = Key::new(format!("key-{}", self.rng.below(60)).into_bytes()).expect("a key");
        let levels = [WriteLevel::One, WriteLevel::Live, WriteLevel::Quorum, WriteLevel::All];
        let level = *self.rng.pick(&levels).expect("some");
        let condition = match self.rng.below(4) {
            0 => Condition::Absent,
            1 => Condition::Present,
            _ => Condition::Always,
        };
        let operation = match self.rng.below(10) {
            0..5 => Operation::Get {
                level: *self.rng.pick(&[ReadLevel::Primary, ReadLevel::One, ReadLevel::Quorum]).expect("some"),
            },
            5..9 => {
                let bytes = format!("value {}", self.rng.u32()).repeat(self.rng.between(1, 20) as usize).into_bytes();
                let ttl = Duration::from_millis(self.rng.between(1, 2_000));
                let deadline = self.rng.chance(300_000).then(|| self.clock.now().unix.checked_add(ttl)).flatten();
                let value = Value { bytes: bytes.into(), media: vec![].into() };
                Operation::Set { value, deadline, condition, level }
            }
            _ => Operation::Delete { condition, level },
        };
        let request = Request { key, operation, timeout: Duration::from_millis(self.rng.between(100, 2_000)) };
        self.clients += 1;
        let client = self.clients;
        // As the front end does: a read that the node can answer itself never becomes a request.
        let Operation::Get { level } = request.operation else {
            return self.submit(index, client, request);
        };
        let time = self.clock.now();
        let local = match self.native[index].read(time, request.key.as_bytes(), level) {
            Read::Elsewhere => return self.submit(index, client, request),
            Read::Found(entry) => Ok(Answer::Found(entry)),
            Read::Missing => Ok(Answer::Missing),
        };
        let served =
            Served { by: NodeId(index as u16 + 1), isolated: self.native[index].is_isolated(request.key.slot()) };
        self.native_waiting.insert(client, Submitted::Now(Reply { outcome: local, served }));
        self.simulate(index, Input::Client { client: ClientToken(client), request });
    }

    fn submit(&mut self, index: usize, client: u64, request: Request) {
        self.native_waiting.insert(client, self.native[index].submit(request.clone()));
        self.simulate(index, Input::Client { client: ClientToken(client), request });
    }

    /// Delivers all that was sent, losing some of it, and compares every message and answer on the way.
    fn deliver(&mut self) {
        loop {
            // What one node says is compared in its order; which node comes first is the control plane's affair.
            let mut native: Vec<Sent> = self.native_sent.lock().expect("one thread").drain(..).collect();
            let mut simulated: Vec<Sent> = self.simulated_sent.drain(..).collect();
            native.sort_by_key(|(from, ..)| *from);
            simulated.sort_by_key(|(from, ..)| *from);
            assert_eq!(native, simulated, "seed {}: they say different things", self.seed);
            if native.is_empty() {
                break;
            }
            for (from, to, message) in native {
                if self.rng.chance(100_000) {
                    self.lost += 1;
                    continue;
                }
                let index = usize::from(to.0 - 1);
                let slot = message.slot().expect("the data plane's");
                let origin = self.simulated[usize::from(from.0 - 1)].view().origin();
                self.native[index].receive(from, origin, slot, message.clone());
                self.simulate(index, Input::Peer { from, origin, message });
            }
        }
        self.compare_answers();
    }

    fn simulate(&mut self, index: usize, input: Input) {
        let mut outbox = Outbox::new();
        let time = self.clock.now();
        self.simulated[index].handle(time, input, &mut outbox);
        let me = NodeId(index as u16 + 1);
        // The control plane is the simulated one's: the native node routes by the same views.
        let view = Arc::clone(self.simulated[index].view());
        if view.generation != self.native[index].view().generation {
            self.native[index].publish(&view);
        }
        for effect in outbox.effects {
            match effect {
                // The control plane's messages arrive at once, so that nobody is ever suspected.
                Effect::Send { to, message, .. } if message.slot().is_none() => {
                    let origin = self.simulated[index].view().origin();
                    self.simulate(usize::from(to.0 - 1), Input::Peer { from: me, origin, message });
                }
                Effect::Send { to, message, .. } => self.simulated_sent.push_back((me, to, message)),
                Effect::Reply { client, outcome, served, .. } => {
                    drop(self.simulated_answers.insert(client.0, Reply { outcome, served }));
                }
                Effect::Publish(_) => panic!("seed {}: somebody was suspected", self.seed),
            }
        }
    }

    fn compare_answers(&mut self) {
        let (seed, mut found) = (self.seed, 0);
        let simulated = &mut self.simulated_answers;
        self.native_waiting.retain(|client, submitted| {
            let native = match submitted {
                Submitted::Now(reply) => Some(reply.clone()),
                Submitted::Later(receiver) => receiver.try_recv().ok(),
            };
            assert_eq!(native, simulated.remove(client), "seed {seed}: client {client} is told different things");
            found += u32::from(native.as_ref().is_some_and(|reply| matches!(reply.outcome, Ok(Answer::Found(_)))));
            native.is_none()
        });
        self.found += found;
        assert!(self.simulated_answers.is_empty(), "seed {seed}: an answer that nobody waits for");
    }
}
