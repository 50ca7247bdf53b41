//! What a world is made of.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use crate::cluster::Heartbeat;
use crate::limits;
use crate::record::Fsync;
use crate::shard::{OnDoubt, Retry, Tuning};
use crate::sim::network::Network;
use crate::store::{Limits, Policy};

/// How a world is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorldConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// Nodes, named `n1`, `n2`, …; 1 to [`limits::MAX_MEMBERS`].
    pub nodes: u16,
    /// Copies of each slot.
    pub replicas: u8,
    /// What each node may store.
    pub limits: Limits,
    /// Who goes when that is reached.
    pub policy: Policy,
    /// Points on the ring for each node.
    pub virtual_nodes: u16,
    /// How messages travel.
    pub network: Network,
    /// How far two nodes' wall clocks may be apart. They are, at random.
    pub clock_skew: Duration,
    /// When unanswered messages are repeated.
    pub retry: Retry,
    /// How liveness is found out.
    pub heartbeat: Heartbeat,
    /// How long clients wait.
    pub timeout: Duration,
    /// Check the promises all the while.
    pub checks: bool,
    /// The bounds of each node, so that a small cluster has second pages and full queues too.
    pub tuning: Tuning,
    /// Timers of nodes fire up to so much late, each by a time of its own, while messages arrive.
    pub late: Duration,
    /// Pages of what a replica missed are sent up to so much late.
    pub late_pages: Duration,
    /// Bytes a second that each node fetches of slots that it gains, 0 for no limit; `None` is what it always is.
    pub move_rate: Option<u64>,
    /// A node that starts begins with the map on its disk, where it has one, and asks nobody for a newer one.
    pub alone: bool,
    /// Nodes write a log, and sync it so; `None`: what they know is lost when they go down.
    pub fsync: Option<Fsync>,
    /// What nodes do with entries of which nobody is left who knows whether they are current.
    pub on_doubt: OnDoubt,
    /// Bytes that may wait for a node's disk: while there are more, it takes no writes.
    pub log_bytes: usize,
    /// Nodes take snapshots when their logs are longer than so many bytes and have outgrown the last one; `None`: only
    /// when they are told to.
    pub save_above: Option<u64>,
    /// A step of a snapshot takes up to so long.
    pub save_step: Duration,
    /// Zones that the nodes are in, one after the other; 0 for none.
    pub zones: u16,
    /// Events that the trace keeps; 0 for none.
    pub trace: u32,
}

impl WorldConfig {
    /// The zone of the node of that number; empty where there are none.
    pub fn zone(&self, node: u16) -> String {
        node.wrapping_sub(1).checked_rem(self.zones).map_or_else(String::new, |zone| format!("z{}", zone + 1))
    }
}

impl Default for WorldConfig {
    fn default() -> WorldConfig {
        WorldConfig {
            seed: 1,
            nodes: 3,
            replicas: 2,
            limits: Limits { entries: Some(1_000), bytes: None },
            policy: Policy::Lru,
            virtual_nodes: limits::DEFAULT_VIRTUAL_NODES,
            network: Network::default(),
            clock_skew: Duration::from_millis(100),
            retry: Retry::default(),
            heartbeat: Heartbeat::default(),
            timeout: limits::DEFAULT_TIMEOUT,
            checks: true,
            tuning: Tuning::default(),
            late: Duration::ZERO,
            late_pages: Duration::ZERO,
            move_rate: None,
            alone: false,
            fsync: None,
            on_doubt: OnDoubt::Miss,
            log_bytes: limits::MAX_LOG_BYTES,
            save_above: None,
            save_step: Duration::from_millis(2),
            zones: 0,
            trace: 10_000,
        }
    }
}
