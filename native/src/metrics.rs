//! What is counted, and how it is printed for Prometheus. Counting costs plain additions on the worker's own lines.

mod disk;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use vitrine_engine::cluster::{ClusterCounters, Health, Routes};
use vitrine_engine::id::NodeId;
use vitrine_engine::map::Phase;
use vitrine_engine::shard::Counters;
use vitrine_engine::store::Policy;

use crate::shards::Shards;
use crate::snapshot::Schedule;
use disk::Disk;

/// All counts of a node's front ends and peers.
#[derive(Debug)]
pub struct Metrics {
    workers: Box<[Worker]>,
    /// Connections accepted since the start.
    pub accepted: AtomicU64,
    /// Connections among them that were told that there are too many.
    pub refused: AtomicU64,
    /// Connections open now.
    pub open: AtomicU64,
    /// What happened to messages between nodes.
    pub peers: PeerCounts,
    /// What the wall clock did.
    pub clock: ClockCounts,
    /// What the control plane has said last.
    pub membership: ArcSwap<Membership>,
}

/// What the wall clock did against the monotonic one.
#[derive(Debug, Default)]
pub struct ClockCounts {
    /// It was set forward.
    pub jumps_forward: AtomicU64,
    /// It was set back.
    pub jumps_back: AtomicU64,
    /// How far it is ahead of the time that this node lives by, in milliseconds; less than zero when it is behind.
    pub ahead_ms: AtomicI64,
    /// The version floor could not be written.
    pub floor_failures: AtomicU64,
    /// Versions have come to the one that is on disk: no writes are taken.
    pub floor_low: AtomicBool,
}

/// What happened to messages between nodes.
#[derive(Debug, Default)]
pub struct PeerCounts {
    /// Put on a connection.
    pub sent: AtomicU64,
    /// Taken in.
    pub received: AtomicU64,
    /// Dropped because the peer was not connected, or its queue was full.
    pub dropped: AtomicU64,
    /// Frames that could not be decoded, or were not for this node.
    pub refused: AtomicU64,
    /// Connections made to peers.
    pub connected: AtomicU64,
    /// Passed on for a peer that does not reach another one.
    pub relayed: AtomicU64,
}

/// What the control plane knows of the other members, for whoever looks.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    /// How each is doing, and by which way it is reached.
    pub routes: Arc<Routes>,
    /// What has been counted.
    pub counters: ClusterCounters,
    /// The members that the change of the map under way waits for.
    pub awaited: Vec<NodeId>,
}

/// The counts of one worker, written by it alone.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Worker {
    serial: AtomicU64,
    commands: [[AtomicU64; OUTCOMES.len()]; COMMANDS.len()],
    latency: [Latency; COMMANDS.len()],
}

#[derive(Debug, Default)]
struct Latency {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// What was asked, as far as metrics tell requests apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A read of an entry.
    Get,
    /// A write of an entry.
    Put,
    /// A removal of an entry.
    Delete,
    /// An increment of an entry.
    Increment,
    /// Another deadline for an entry.
    Touch,
    /// `/get`.
    PlainGet,
    /// `/set`.
    PlainSet,
    /// `/save` and `/load`.
    Snapshot,
    /// The page.
    Page,
    /// Health, cluster, explain, metrics, and what does not exist.
    Operations,
}

const COMMANDS: [Command; 10] = [
    Command::Get,
    Command::Put,
    Command::Delete,
    Command::Increment,
    Command::Touch,
    Command::PlainGet,
    Command::PlainSet,
    Command::Snapshot,
    Command::Page,
    Command::Operations,
];
const OUTCOMES: [&str; 4] = ["ok", "missing", "refused", "failed"];
/// Upper bounds of the latency buckets, in microseconds.
const BOUNDS: [u64; 15] =
    [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000];

impl Metrics {
    /// All zero, for so many workers.
    pub fn new(workers: usize) -> Metrics {
        Metrics {
            workers: (0..workers).map(|_| Worker::default()).collect(),
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            open: AtomicU64::new(0),
            peers: PeerCounts::default(),
            clock: ClockCounts::default(),
            membership: ArcSwap::default(),
        }
    }

    /// The counts of that worker.
    pub fn worker(&self, index: usize) -> &Worker {
        &self.workers[index]
    }

    /// Everything, in the text format.
    pub fn print(self: &std::sync::Arc<Metrics>, shards: &Shards, snapshots: Option<&Arc<Schedule>>) -> String {
        let mut registry = Registry::with_prefix("vitrine");
        registry.register_collector(Box::new(Scrape::of(self, shards)));
        if let Some(log) = shards.log() {
            let (log, snapshots) = (Arc::clone(log), snapshots.cloned());
            registry.register_collector(Box::new(Disk { log, snapshots }));
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut text, &registry);
        text
    }
}

impl Worker {
    /// The number of the next request. Only its own worker asks.
    pub fn next_serial(&self) -> u64 {
        bump(&self.serial, 1)
    }

    /// Counts an answer. Only its own worker does.
    pub fn answered(&self, command: Command, status: StatusCode, took: Duration) {
        let outcome = match status.as_u16() {
            ..400 => 0,
            404 => 1,
            400..500 => 2,
            _ => 3,
        };
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let latency = &self.latency[command as usize];
        bump(&self.commands[command as usize][outcome], 1);
        bump(&latency.buckets[BOUNDS.partition_point(|bound| *bound < micros)], 1);
        bump(&latency.micros, micros);
    }
}

impl Command {
    /// Its name in labels and logs.
    pub fn name(self) -> &'static str {
        match self {
            Command::Get => "get",
            Command::Put => "put",
            Command::Delete => "delete",
            Command::Increment => "incr",
            Command::Touch => "touch",
            Command::PlainGet => "plain_get",
            Command::PlainSet => "plain_set",
            Command::Snapshot => "snapshot",
            Command::Page => "page",
            Command::Operations => "operations",
        }
    }
}

/// Adds without a locked instruction: there is one writer. Gives back what was there.
fn bump(counter: &AtomicU64, by: u64) -> u64 {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(by), Ordering::Relaxed);
    before
}

/// What one scrape prints, read once.
struct Scrape {
    metrics: std::sync::Arc<Metrics>,
    counters: Counters,
    entries: u64,
    bytes: u64,
    entries_limit: Option<u64>,
    bytes_limit: Option<u64>,
    policy: Policy,
    waiting: u64,
    alive: u64,
    members: u64,
    epoch: u64,
    phase: u64,
    awaited: u64,
    stood_in_for: u64,
    in_doubt: u64,
    orphans: u64,
    isolated: u64,
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape").finish_non_exhaustive()
    }
}

impl Scrape {
    fn of(metrics: &std::sync::Arc<Metrics>, shards: &Shards) -> Scrape {
        let view = shards.view();
        let mut scrape = Scrape {
            metrics: std::sync::Arc::clone(metrics),
            counters: Counters::default(),
            entries: 0,
            bytes: 0,
            entries_limit: Some(0),
            bytes_limit: Some(0),
            policy: shards.policy(),
            waiting: shards.waiting() as u64,
            alive: view.map.members.iter().filter(|m| view.is_alive(m.id)).count() as u64,
            members: view.map.members.len() as u64,
            epoch: view.map.epoch.0,
            phase: match view.map.phase {
                Phase::Steady => 0,
                Phase::Filling => 1,
                Phase::Handing => 2,
            },
            awaited: metrics.membership.load().awaited.len() as u64,
            stood_in_for: view.map.members.iter().filter(|member| member.away).count() as u64,
            in_doubt: shards.in_doubt(),
            orphans: shards.orphans(),
            isolated: shards.isolated(),
        };
        shards.each(|shard| {
            let store = shard.store();
            scrape.counters = scrape.counters.plus(*shard.counters());
            scrape.entries += u64::from(store.len());
            scrape.bytes += store.bytes();
            scrape.entries_limit = scrape.entries_limit.zip(store.limits().entries).map(|(a, b)| a + u64::from(b));
            scrape.bytes_limit = scrape.bytes_limit.zip(store.limits().bytes).map(|(a, b)| a + b);
        });
        scrape
    }

    fn requests(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sum = |read: &dyn Fn(&Worker) -> u64| self.metrics.workers.iter().map(read).sum::<u64>();
        let mut family =
            encoder.encode_descriptor("http_requests", "Requests by command and outcome", None, MetricType::Counter)?;
        for command in COMMANDS {
            for (index, outcome) in OUTCOMES.iter().enumerate() {
                let count = sum(&|w| w.commands[command as usize][index].load(Ordering::Relaxed));
                let labels = [("command", command.name()), ("outcome", *outcome)];
                family.encode_family(&labels)?.encode_counter::<NoLabels, _, u64>(&count, None)?;
            }
        }
        let mut family = encoder.encode_descriptor(
            "http_request_duration_seconds",
            "Time from a request's head to its answer",
            None,
            MetricType::Histogram,
        )?;
        for command in COMMANDS {
            let bound = |index: usize| BOUNDS.get(index).map_or(f64::MAX, |micros| *micros as f64 / 1e6);
            let buckets: Vec<(f64, u64)> = (0..=BOUNDS.len())
                .map(|i| (bound(i), sum(&|w| w.latency[command as usize].buckets[i].load(Ordering::Relaxed))))
                .collect();
            let count = buckets.iter().map(|(_, count)| count).sum();
            let seconds = sum(&|w| w.latency[command as usize].micros.load(Ordering::Relaxed)) as f64 / 1e6;
            let labels = [("command", command.name())];
            family.encode_family(&labels)?.encode_histogram::<NoLabels>(seconds, count, &buckets, None)?;
        }
        Ok(())
    }

    fn counts(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let (c, peers, clock) = (&self.counters, &self.metrics.peers, &self.metrics.clock);
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let cluster = self.metrics.membership.load().counters;
        for (name, help, count) in [
            ("store_hits", "Reads answered from this store with a value", c.hits),
            ("store_misses", "Reads answered from this store with a miss", c.misses),
            ("store_sets", "Values written here as primary", c.sets),
            ("store_deletes", "Keys deleted here as primary", c.deletes),
            ("replica_applied", "Changes applied here as replica", c.replicated),
            ("replica_incredible", "Messages ignored because a version in them lies too far ahead", c.incredible),
            ("replica_refused", "Changes refused because something newer was known", c.refused),
            ("reconcile_pulls", "Pulls begun from replicas that this node may have missed something of", c.pulls),
            ("reconcile_pulled", "Pulls that came to their end", c.pulled),
            ("reconcile_listed", "Keys listed for replicas that may have missed them", c.listed),
            ("reconcile_slots_same", "Slots in which digests said that nothing was missed", c.slots_same),
            ("reconcile_caught_up", "Entries that were missed and are here now", c.caught_up),
            ("reconcile_left_out", "Entries that were missed and had no room here", c.left_out),
            ("reconcile_dropped", "Entries dropped because no replica vouched for them", c.unvouched),
            ("forwarded", "Requests passed on to another primary", c.forwarded),
            ("forwarded_shared", "Reads among those that shared the answer of another", c.shared),
            ("retries", "Requests whose messages were repeated because nobody answered", c.retries),
            ("retries_held_back", "Repetitions that had to wait for others to the same peer", c.held_back),
            ("timeouts", "Requests that ended at their deadline", c.timeouts),
            ("busy", "Requests turned away because a limit was reached", c.busy),
            ("clock_jumps_forward", "Times that the wall clock was set forward", load(&clock.jumps_forward)),
            ("clock_jumps_back", "Times that the wall clock was set back", load(&clock.jumps_back)),
            ("version_floor_failures", "Times that the version floor was not written", load(&clock.floor_failures)),
            ("connections_accepted", "Connections accepted", load(&self.metrics.accepted)),
            ("connections_refused", "Connections told that there are too many", load(&self.metrics.refused)),
            ("peer_messages_sent", "Messages put on a connection to a peer", load(&peers.sent)),
            ("peer_messages_received", "Messages taken in from peers", load(&peers.received)),
            ("peer_messages_dropped", "Messages dropped: not connected, or queue full", load(&peers.dropped)),
            ("peer_messages_refused", "Frames not decoded, or not for this node", load(&peers.refused)),
            ("peer_connections", "Connections made to peers", load(&peers.connected)),
            ("peer_messages_relayed", "Messages passed on to whom their sender does not reach", load(&peers.relayed)),
            ("membership_given_up", "Members that were believed dead", cluster.given_up),
            ("membership_rejoins", "Times that others had given up this node", cluster.rejoins),
            ("membership_reroutes", "Times that a member was reached another way than before", cluster.reroutes),
            ("move_keys_fetched", "Keys fetched for slots that this node gains", c.filled),
            ("move_bytes_fetched", "Bytes of those keys and their values", c.filled_bytes),
            ("reconcile_bytes_fetched", "Bytes fetched because they had been missed", c.missed_bytes),
            ("entries_moved_away", "Entries freed because other nodes keep their slots now", c.moved),
            ("membership_garbled", "Packets of the membership protocol that were none", cluster.garbled),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            metric.encode_counter::<NoLabels, _, u64>(&count, None)?;
        }
        let mut removed =
            encoder.encode_descriptor("store_removed", "Entries that left by cause", None, MetricType::Counter)?;
        for (cause, count) in [("expired", c.expired), ("entries", c.evicted_entries), ("bytes", c.evicted_bytes)] {
            removed.encode_family(&[("cause", cause)])?.encode_counter::<NoLabels, _, u64>(&count, None)?;
        }
        Ok(())
    }

    fn gauges(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let low = u64::from(self.metrics.clock.floor_low.load(Ordering::Acquire));
        for (name, help, value) in [
            ("store_entries", "Entries held", Some(self.entries)),
            ("store_bytes", "Accounted bytes held", Some(self.bytes)),
            ("store_entries_limit", "Most entries", self.entries_limit),
            ("store_bytes_limit", "Most accounted bytes", self.bytes_limit),
            ("requests_waiting", "Requests that wait for other nodes", Some(self.waiting)),
            ("connections_open", "Client connections open now", Some(self.metrics.open.load(Ordering::Relaxed))),
            ("slots_isolated", "Slots led here without a majority of their replicas in touch", Some(self.isolated)),
            ("slots_orphaned", "Slots in which nobody left knows what this node missed", Some(self.orphans)),
            ("reconcile_lanes_in_doubt", "Lanes of slots, of 64, not answered for alone", Some(self.in_doubt)),
            ("members", "Members of the cluster", Some(self.members)),
            ("map_epoch", "Edition of the map: it grows with every change of the members", Some(self.epoch)),
            ("map_phase", "Of a change of the map: 0 none, 1 filling, 2 handing over", Some(self.phase)),
            ("map_awaited", "Members that the change of the map under way waits for", Some(self.awaited)),
            ("members_stood_in_for", "Members that others stand in for until they are back", Some(self.stood_in_for)),
            (
                "version_floor_low",
                "1 while no writes are taken, since no version is left below the floor on disk",
                Some(low),
            ),
            ("members_alive", "Members believed alive, this node included", Some(self.alive)),
        ] {
            if let Some(value) = value {
                encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)?;
            }
        }
        let mut ahead = encoder.encode_descriptor(
            "clock_ahead_milliseconds",
            "How far the wall clock is ahead of the time that this node lives by",
            None,
            MetricType::Gauge,
        )?;
        ahead.encode_gauge(&self.metrics.clock.ahead_ms.load(Ordering::Relaxed))?;
        let membership = self.metrics.membership.load();
        let mut states = encoder.encode_descriptor(
            "members_by_state",
            "Other members by what is believed of them",
            None,
            MetricType::Gauge,
        )?;
        for health in [Health::Alive, Health::Suspect, Health::Aside, Health::Down] {
            let count = membership.routes.ways().iter().filter(|way| way.health == health).count() as u64;
            states.encode_family(&[("state", health.name())])?.encode_gauge(&count)?;
        }
        let indirect = membership.routes.ways().iter().filter(|way| way.through.is_some()).count() as u64;
        let help = "Other members that are reached through a third one";
        encoder.encode_descriptor("members_relayed", help, None, MetricType::Gauge)?.encode_gauge(&indirect)?;
        let mut info = encoder.encode_descriptor("build", "What runs", None, MetricType::Info)?;
        info.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        let mut store = encoder.encode_descriptor("store", "How the store evicts", None, MetricType::Info)?;
        store.encode_info(&[("policy", self.policy.name())])
    }
}

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.requests(&mut encoder)?;
        self.counts(&mut encoder)?;
        self.gauges(&mut encoder)
    }
}

type NoLabels = [(&'static str, &'static str); 0];
