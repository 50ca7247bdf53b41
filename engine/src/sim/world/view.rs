//! What can be seen of a world: nothing in here changes it.

use core::cmp::Reverse;

use super::{Machine, Seen, World, WorldConfig};
use crate::sim::check::{Checked, Violation};
use crate::sim::client::Told;
use crate::sim::clock::truth;
use crate::sim::mark::Mark;
use crate::sim::network::{Flight, Links, Network};
use crate::sim::trace::Trace;
use crate::sim::workload::Workload;
use crate::time::{Instant, UnixMs};
use crate::view::Map;

impl World {
    /// The promises that were broken, in order.
    pub fn violations(&self) -> &[Violation] {
        self.checks.violations()
    }

    /// How often each promise has been looked at.
    pub fn checked(&self) -> &Checked {
        self.checks.checked()
    }

    /// What the world has come across so far.
    pub fn seen(&self) -> Seen {
        let nodes = self.machines.iter().filter_map(Machine::node);
        let counters = nodes.fold(self.counted, |sum, node| sum.plus(node.counters()));
        let mut marks = self.marks.plus(self.checks.marks());
        marks.add(Mark::Retried, counters.retries);
        marks.add(Mark::SlotSame, counters.slots_same);
        marks.add(Mark::CaughtUp, counters.caught_up);
        marks.add(Mark::Unvouched, counters.unvouched);
        Seen { marks, counters }
    }

    /// One number for all that has happened: equal runs have equal fingerprints, on every platform.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.0
    }

    /// The time line's present, from the beginning of the world.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// When the next thing happens.
    pub fn next_event(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((at, ..))| *at)
    }

    /// How many things have happened.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What it was made of.
    pub fn config(&self) -> &WorldConfig {
        &self.config
    }

    /// The nodes, up or down, in the order of their numbers.
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The newest map that a node holds, or held when it stopped.
    pub fn map(&self) -> &Map {
        let maps = self.machines.iter().map(|machine| &machine.map);
        maps.max_by_key(|map| map.edition()).expect("a world has machines")
    }

    /// The messages on their way, in the order of sending.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.air.flights.values()
    }

    /// Which links are cut.
    pub fn links(&self) -> &Links {
        &self.air.links
    }

    /// How messages travel now.
    pub fn network(&self) -> Network {
        self.air.network
    }

    /// The load that is at work.
    pub fn load(&self) -> Option<&Workload> {
        self.load.as_ref().map(|load| &load.workload)
    }

    /// What has happened lately.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What clients have been told lately, oldest first.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Told> {
        self.history.iter()
    }

    /// How many clients wait for an answer.
    pub fn waiting(&self) -> u32 {
        self.open.len() as u32
    }

    /// What a right clock shows now.
    pub fn unix(&self) -> UnixMs {
        truth(self.now)
    }
}
