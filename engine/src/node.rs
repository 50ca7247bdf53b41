//! One whole node on one thread: the control plane and the stripes of the data plane, put together.
//!
//! The simulator runs this; the native server puts the same parts together with locks and tasks instead. A test holds
//! the two to the same answers.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::cluster::{Cluster, ClusterCounters, Heartbeat, Routes};
use crate::effect::{Effect, Outbox};
use crate::error::Failure;
use crate::id::{ClientToken, Lanes, NodeId, Version};
use crate::map::{Refusal, Wish};
use crate::message::{Message, Origin};
use crate::record::Record;
use crate::request::{Key, Request};
use crate::shard::{Counters, OnDoubt, Progress, Shard, ShardConfig, Tuning, lanes_of, stripe_of};
use crate::store::Policy;
use crate::time::{Instant, Time};
use crate::view::{Map, View};

/// A node without a body.
#[derive(Clone, Debug)]
pub struct Node {
    cluster: Cluster,
    shards: Vec<Shard>,
}

/// How a node is made.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Each of its stripes; the seed is varied from one to the next, and the limits are each stripe's own.
    pub shard: ShardConfig,
    /// How many stripes: a power of two, at most [`crate::id::LANES`].
    pub stripes: u16,
    /// How liveness is found out.
    pub heartbeat: Heartbeat,
    /// Clones of it go the same way: for simulators, see [`Cluster::recorded`].
    pub recorded: bool,
}

/// What happens to a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A client asks.
    Client {
        /// Who is answered.
        client: ClientToken,
        /// What it asks.
        request: Request,
    },
    /// A peer says something.
    Peer {
        /// The peer.
        from: NodeId,
        /// By what it went when it said so.
        origin: Origin,
        /// What it says.
        message: Message,
    },
    /// Time has passed.
    Tick,
}

impl Node {
    /// A node that has just started, with nothing in its store.
    pub fn new(config: &NodeConfig, map: Arc<Map>, now: Time) -> Node {
        let me = config.shard.me;
        let seeded = |stripe: u16| ShardConfig {
            seed: config.shard.seed.wrapping_add(u64::from(stripe)),
            ..config.shard.clone()
        };
        let cluster = Cluster::new(me, map, config.heartbeat, config.shard.seed, now);
        Node {
            cluster: if config.recorded { cluster.recorded() } else { cluster },
            shards: (0..config.stripes.max(1))
                .map(|stripe| Shard::new(seeded(stripe), lanes_of(stripe, config.stripes.max(1)), now))
                .collect(),
        }
    }

    /// See [`Shard::tune`].
    pub fn tune(&mut self, tuning: Tuning) {
        self.shards.iter_mut().for_each(|shard| shard.tune(tuning));
    }

    /// See [`Shard::evict_by`].
    pub fn evict_by(&mut self, policy: Policy) {
        self.shards.iter_mut().for_each(|shard| shard.evict_by(policy));
    }

    /// See [`Shard::on_doubt`].
    pub fn on_doubt(&mut self, policy: OnDoubt) {
        self.shards.iter_mut().for_each(|shard| shard.on_doubt(policy));
    }

    /// See [`Shard::limit_moves`].
    pub fn limit_moves(&mut self, bytes_a_second: u64, now: Instant) {
        self.shards.iter_mut().for_each(|shard| shard.limit_moves(bytes_a_second, now));
    }

    /// See [`Shard::refuse_writes`].
    pub fn refuse_writes(&mut self, failure: Option<Failure>) {
        self.cluster.note_failing(failure == Some(Failure::ReadOnly));
        self.shards.iter_mut().for_each(|shard| shard.refuse_writes(failure.clone()));
    }

    /// See [`Shard::start_above`].
    pub fn start_above(&mut self, version: Version) {
        self.shards.iter_mut().for_each(|shard| shard.start_above(version));
    }

    /// The highest version that was given or seen here.
    pub fn latest(&self) -> Version {
        self.shards.iter().map(Shard::latest).max().unwrap_or(Version::ZERO)
    }

    /// Forgets a key, as if there were no room for it: a cache always may.
    pub fn evict(&mut self, time: Time, key: &Key, out: &mut Outbox) {
        self.shard(key.slot()).evict(time, key, out);
    }

    /// See [`Shard::recover`].
    pub fn recover(&mut self, time: Time, record: &Record, out: &mut Outbox) {
        if let Some(slot) = record.slot() {
            self.shard(slot).recover(time, record, out);
        }
    }

    /// See [`Shard::recovered`].
    pub fn recovered(&mut self, time: Time, out: &mut Outbox) {
        self.shards.iter_mut().for_each(|shard| shard.recovered(time, out));
    }

    /// How far slots that move to this node have come.
    pub fn progress(&self) -> Progress {
        let view = self.cluster.view();
        self.shards.iter().fold(Progress::default(), |sum, shard| sum.plus(shard.progress(view)))
    }

    /// Takes one input; what must happen is in the outbox.
    pub fn handle(&mut self, time: Time, input: Input, out: &mut Outbox) {
        // A node that stood still for a while finds that out before it answers anybody.
        if input != Input::Tick && time.instant > self.cluster.trusted_until() {
            self.tick(time, out);
        }
        let view = Arc::clone(self.cluster.view());
        match input {
            Input::Client { client, request } => {
                let shard = self.shard(request.key.slot());
                shard.submit(time, &view, client, request, out);
            }
            Input::Peer { from, .. } if from == view.me => {}
            Input::Peer { from, origin, message } if view.member(from).is_some() => match message.slot() {
                Some(slot) if view.admits(from, origin, &message) => {
                    self.shard(slot).receive(time, &view, from, message, out);
                }
                // It will be repeated, once each goes by what the other does, or nearly so.
                Some(_) => {}
                None => self.cluster.receive(time, from, &message, out),
            },
            Input::Peer { from, message, .. } => self.cluster.receive_from_stranger(time, from, &message, out),
            Input::Tick => self.tick(time, out),
        }
        self.publish(time, out);
    }

    fn tick(&mut self, time: Time, out: &mut Outbox) {
        let shards = &mut self.shards;
        let view = Arc::clone(self.cluster.view());
        self.cluster.note_filled(view.generation, shards.iter().all(|shard| shard.is_through(&view)));
        let settled = || shards.iter_mut().map(|shard| shard.settled(time.unix)).min().unwrap_or(Version::ZERO);
        self.cluster.tick(time, settled, out);
        self.publish(time, out);
        let view = Arc::clone(self.cluster.view());
        for shard in &mut self.shards {
            shard.tick(time, &view, out);
        }
    }

    /// Somebody wants the map to change.
    pub fn wish(&mut self, time: Time, wish: Wish) -> Result<(), Refusal> {
        self.cluster.wish(time, wish)
    }

    /// True once the map has come without this node in it.
    pub fn is_expelled(&self) -> bool {
        self.cluster.is_expelled()
    }

    /// True when that happened before it had kept any slots: another map has won over the one that took it in.
    pub fn is_passed_over(&self) -> bool {
        self.cluster.is_passed_over()
    }

    /// The lanes of which it has yet to hear from some replica that is believed alive.
    pub fn in_doubt(&self) -> Lanes {
        self.shards.iter().fold(Lanes::NONE, |lanes, shard| lanes.or(shard.in_doubt()))
    }

    /// When [`Input::Tick`] has something to do next.
    pub fn next_wake(&self) -> Instant {
        self.shards.iter().filter_map(Shard::next_wake).fold(self.cluster.next_wake(), Instant::min)
    }

    /// By which ways its messages go.
    pub fn routes(&self) -> &Arc<Routes> {
        self.cluster.routes()
    }

    /// What its control plane has counted.
    pub fn cluster_counters(&self) -> ClusterCounters {
        self.cluster.counters()
    }

    /// What this node routes by.
    pub fn view(&self) -> &Arc<View> {
        self.cluster.view()
    }

    /// Its stripes.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The totals of its stripes.
    pub fn counters(&self) -> Counters {
        self.shards.iter().fold(Counters::default(), |sum, shard| sum.plus(*shard.counters()))
    }

    /// The version of that key that it holds, or where it has none the highest that it has seen go from the key's slot.
    pub fn latest_of(&self, key: &Key) -> Version {
        self.shards[usize::from(stripe_of(key.slot(), self.shards.len() as u16))].latest_of(key)
    }

    fn shard(&mut self, slot: crate::id::Slot) -> &mut Shard {
        let stripe = stripe_of(slot, self.shards.len() as u16);
        &mut self.shards[usize::from(stripe)]
    }

    /// Tells every stripe of a view that the control plane has published. The views stay inside: nobody else routes.
    fn publish(&mut self, time: Time, out: &mut Outbox) {
        if !out.effects.iter().any(|effect| matches!(effect, Effect::Publish(_))) {
            return;
        }
        out.effects.retain(|effect| !matches!(effect, Effect::Publish(_)));
        let view = Arc::clone(self.cluster.view());
        for shard in &mut self.shards {
            shard.view_changed(time, &view, out);
        }
    }
}
