//! One brain, two bodies, control plane included: the node that the simulator runs and what the server runs are fed the
//! same inputs while a member is cut off and returns, and must send and answer the same, in the same order.
#![expect(clippy::unwrap_used, reason = "a test says what failed by its line")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vitrine::clock::{Clock, HandClock};
use vitrine::effects::Reply;
use vitrine::effects::Wire;
use vitrine::shards::{CLOCK_SKEW, Shards, ShardsConfig, Submitted};
use vitrine_engine::cluster::{Cluster, Heartbeat, Routes};
use vitrine_engine::effect::{Effect, Outbox};
use vitrine_engine::id::{ClientToken, NodeId};
use vitrine_engine::message::{Message, Origin};
use vitrine_engine::node::{Input, Node, NodeConfig};
use vitrine_engine::request::{Condition, Key, Operation, ReadLevel, Request, Value, WriteLevel};
use vitrine_engine::rng::Rng;
use vitrine_engine::shard::{Retry, ShardConfig};
use vitrine_engine::store::Limits;
use vitrine_engine::time::{Instant, Time, UnixMs};
use vitrine_engine::view::{Map, Member};

const NODES: u16 = 3;
const BYTES: u64 = 6_000;
const SEED: u64 = 77;

/// The server's side of one node: shards under their locks, and the control plane beside them.
struct Native {
    shards: Shards,
    cluster: Cluster,
    wire: Arc<Caught>,
    waiting: Vec<(u64, tokio::sync::oneshot::Receiver<Reply>)>,
}

/// A wire that keeps what is sent.
#[derive(Default)]
struct Caught(Mutex<Vec<(NodeId, Message)>>);

impl Wire for Caught {
    fn send(&self, to: NodeId, _: Origin, message: Message) {
        self.0.lock().unwrap().push((to, message));
    }

    fn reroute(&self, _: &Arc<Routes>) {}
}

/// What one input led to: messages sent, and answers by the number of the question.
#[derive(Debug, Default, PartialEq)]
struct Led {
    sent: Vec<(NodeId, Message)>,
    answers: Vec<(u64, Reply)>,
}

#[test]
fn both_bodies_do_the_same() {
    let start = Time { instant: Instant(0), unix: UnixMs(1_700_000_000_000) };
    let clock = Arc::new(HandClock::at(start));
    let map = Arc::new(Map::first((1..=NODES).map(member).collect(), 2, 32));
    let mut nodes: Vec<Node> = (1..=NODES).map(|id| node(NodeId(id), &map, start)).collect();
    let mut natives: Vec<Native> = (1..=NODES).map(|id| native(NodeId(id), &map, &clock)).collect();
    let mut rng = Rng::new(5, "parity");
    let mut bus: VecDeque<(NodeId, NodeId, Message)> = VecDeque::new();
    let (mut answers, mut delivered, mut lost) = (0, 0, 0);
    for step in 0..60_000_u64 {
        clock.advance(Duration::from_millis(rng.below(3)));
        let at = rng.below(u64::from(NODES)) as usize;
        let (at, input) = match rng.below(10) {
            0..=2 => {
                (at, Input::Client { client: ClientToken(step), request: request(&mut rng, step, clock.now().unix) })
            }
            3 => (at, Input::Tick),
            _ => {
                let Some((from, to, message)) = bus.pop_front() else { continue };
                // In the middle of the run the third node cannot be reached, so that it is suspected and returns.
                let cut = (20_000..30_000).contains(&step) && (from == NodeId(NODES) || to == NodeId(NODES));
                if cut || rng.chance(20_000) {
                    lost += 1;
                    continue;
                }
                delivered += 1;
                let origin = nodes[usize::from(from.0) - 1].view().origin();
                (usize::from(to.0) - 1, Input::Peer { from, origin, message })
            }
        };
        let simulated = led(&mut nodes[at], clock.now(), input.clone());
        let served = serve(&mut natives[at], clock.now(), input);
        assert_eq!(simulated, served, "step {step}, node {}", at + 1);
        answers += simulated.answers.len();
        let me = NodeId(at as u16 + 1);
        bus.extend(simulated.sent.into_iter().map(|(to, message)| (me, to, message)));
    }
    assert!(answers > 10_000 && delivered > 20_000 && lost > 500, "{answers}, {delivered}, {lost}");
}

fn led(node: &mut Node, time: Time, input: Input) -> Led {
    let mut out = Outbox::new();
    node.handle(time, input, &mut out);
    let mut led = Led::default();
    for effect in out.effects {
        match effect {
            Effect::Send { to, message, .. } => led.sent.push((to, message)),
            Effect::Reply { client, outcome, served, .. } => led.answers.push((client.0, Reply { outcome, served })),
            Effect::Publish(_) => panic!("a node keeps its views to itself"),
        }
    }
    led.answers.sort_by_key(|(number, _)| *number);
    led
}

fn serve(native: &mut Native, time: Time, input: Input) -> Led {
    let mut out = Outbox::new();
    let mut led = Led::default();
    match input {
        Input::Client { client, request } => match native.shards.submit(request) {
            Submitted::Now(reply) => led.answers.push((client.0, reply)),
            Submitted::Later(receiver) => native.waiting.push((client.0, receiver)),
        },
        Input::Peer { from, origin, message } => match message.slot() {
            Some(slot) => native.shards.receive(from, origin, slot, message),
            None => native.cluster.receive(time, from, &message, &mut out),
        },
        Input::Tick => {
            let Native { shards, cluster, .. } = native;
            cluster.note_filled(cluster.view().generation, shards.are_through());
            cluster.tick(time, || shards.settled(time.unix), &mut out);
            perform(native, &mut out);
            native.shards.tick();
        }
    }
    perform(native, &mut out);
    led.sent = std::mem::take(&mut *native.wire.0.lock().unwrap());
    native.waiting.retain_mut(|(number, receiver)| match receiver.try_recv() {
        Ok(reply) => {
            led.answers.push((*number, reply));
            false
        }
        Err(_) => true,
    });
    led.answers.sort_by_key(|(number, _)| *number);
    led
}

/// What the control plane's task does with what it gathers.
fn perform(native: &Native, out: &mut Outbox) {
    for effect in out.effects.drain(..) {
        match effect {
            Effect::Send { to, message, .. } => native.wire.send(to, Origin::default(), message),
            Effect::Publish(view) => native.shards.publish(&view),
            Effect::Reply { .. } => panic!("the control plane answers nobody"),
        }
    }
}

fn member(id: u16) -> Member {
    Member::new(NodeId(id), format!("n{id}"))
}

fn node(me: NodeId, map: &Arc<Map>, now: Time) -> Node {
    let limits = Limits { entries: Some(40), bytes: Some(BYTES) };
    let shard =
        ShardConfig { me, limits, seed: SEED, hash_seed: (1, 2), retry: Retry::default(), clock_skew: CLOCK_SKEW };
    let config = NodeConfig { shard, stripes: 1, heartbeat: Heartbeat::default(), recorded: false };
    Node::new(&config, Arc::clone(map), now)
}

fn native(me: NodeId, map: &Arc<Map>, clock: &Arc<HandClock>) -> Native {
    let wire = Arc::new(Caught::default());
    let cluster = Cluster::new(me, Arc::clone(map), Heartbeat::default(), SEED, clock.now());
    let config =
        ShardsConfig { entries: Some(40), bytes: BYTES, stripes: Some(1), workers: 1, seed: SEED, hash_seed: (1, 2) };
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let shards = Shards::new(&config, Arc::clone(cluster.view()), clock, Arc::clone(&wire) as Arc<dyn Wire>);
    Native { shards, cluster, wire, waiting: Vec::new() }
}

fn request(rng: &mut Rng, step: u64, now: UnixMs) -> Request {
    let key = Key::new(format!("k{}", rng.below(60))).unwrap();
    let read = *rng.pick(&ReadLevel::ALL).unwrap();
    let level = *rng.pick(&WriteLevel::ALL).unwrap();
    let condition = *rng.pick(&[Condition::Always, Condition::Absent, Condition::Present]).unwrap();
    let operation = match rng.below(10) {
        0..=4 => Operation::Get { level: read },
        5 => Operation::Delete { condition, level },
        6 => Operation::Inspect,
        _ => Operation::Set {
            value: Value { bytes: format!("v{step}").into_bytes().into(), media: b"text/plain".to_vec().into() },
            deadline: rng.chance(300_000).then(|| UnixMs(now.0 + rng.below(5_000))),
            condition,
            level,
        },
    };
    Request { key, operation, timeout: Duration::from_millis(rng.between(1, 3_000)) }
}
