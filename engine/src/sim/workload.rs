//! Imagined load: who asks for what, and how often.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use super::client::Verb;
use crate::id::Version;
use crate::request::{Condition, Key, ReadLevel, WriteLevel};
use crate::rng::Rng;
use crate::time::Instant;

/// A load of independent clients: requests come at random moments at a steady rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Which keys are asked for.
    pub shape: Shape,
    /// How many keys there are.
    pub keys: u32,
    /// Requests a second, over all clients.
    pub rate: u32,
    /// Of a hundred requests, how many write. A hundred minus these read.
    pub writes: u8,
    /// Of a hundred requests, how many delete.
    pub deletes: u8,
    /// Of a hundred writes, how many are conditional: on absence, on presence, or on a version that was read before.
    pub conditional: u8,
    /// Of a hundred writes, how many have a time to live.
    pub expiring: u8,
    /// The longest time to live; the shortest is a tenth of it.
    pub ttl: Duration,
    /// Whatever expires does so at the same moments, once in a longest time to live: a storm.
    pub storm: bool,
    /// The largest value, in bytes; the smallest is as long as its number.
    pub value_bytes: u32,
    /// Of a hundred writes, how many have a value [`BIG`] times as large.
    pub big: u8,
    /// How often a client asks again, at another node, when it was told of no outcome.
    pub retries: u8,
    /// How many clients; the first speaks to the first node, and so on around.
    pub clients: u16,
    /// Of a hundred requests, how many are about counters: keys of their own, `c0` and so on.
    pub counters: u8,
    /// Who must have a write; `None` is any level, at random.
    pub write_level: Option<WriteLevel>,
    /// Who answers a read; `None` is any level, at random.
    pub read_level: Option<ReadLevel>,
}

impl Workload {
    /// The keys that it asks for, one after the other and without end, where it is the first workload of a world with
    /// that seed and no client asks twice.
    pub fn asked(self, seed: u64) -> impl Iterator<Item = Key> {
        let mut load = Load::new(self, seed ^ 1);
        core::iter::repeat_with(move || {
            load.pause();
            load.client();
            load.request(0, Instant(0)).0
        })
    }
}

/// Which keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The second most popular key half as often as the most popular, the third a third as often (Zipf, exponent 1).
    Zipf,
    /// All alike.
    Uniform,
    /// One after the other, round and round: what an LRU fears.
    Scan,
    /// One key half of the time, the others alike.
    Hot,
    /// Each request in one of these ways, at random.
    Mixed,
}

/// How many times as large a big value may be.
pub const BIG: u32 = 64;

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 5] = [Shape::Zipf, Shape::Uniform, Shape::Scan, Shape::Hot, Shape::Mixed];

    /// Its name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Zipf => "zipf",
            Shape::Uniform => "uniform",
            Shape::Scan => "scan",
            Shape::Hot => "hot",
            Shape::Mixed => "mixed",
        }
    }
}

impl Default for Workload {
    fn default() -> Workload {
        Workload {
            shape: Shape::Zipf,
            keys: 200,
            rate: 200,
            writes: 20,
            deletes: 2,
            conditional: 0,
            expiring: 20,
            ttl: Duration::from_secs(10),
            storm: false,
            value_bytes: 64,
            big: 0,
            retries: 0,
            clients: 6,
            counters: 0,
            write_level: Some(WriteLevel::Live),
            read_level: Some(ReadLevel::Primary),
        }
    }
}

/// A workload at work.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) workload: Workload,
    /// Cumulative weights of the keys, for [`Shape::Zipf`]; shared by every copy of the world.
    weights: Arc<Vec<u64>>,
    position: u32,
    /// Versions that were read lately, for writes that are conditional on one.
    read: VecDeque<(Key, Version)>,
    rng: Rng,
    /// Of its own, so that counters change nothing of the other requests.
    counting: Rng,
}

/// Counters at most: few enough that clients meet at them.
const COUNTERS: u32 = 8;
/// Versions remembered.
const READ: usize = 64;

impl Load {
    pub(super) fn new(workload: Workload, seed: u64) -> Load {
        let mut weights = Vec::new();
        if matches!(workload.shape, Shape::Zipf | Shape::Mixed) {
            let weight = |rank: u32| (1_u64 << 32) / (u64::from(rank) + 1);
            weights.extend((0..workload.keys.max(1)).scan(0, |sum, rank| {
                *sum += weight(rank);
                Some(*sum)
            }));
        }
        let (rng, counting) = (Rng::new(seed, "workload"), Rng::new(seed, "counters"));
        Load { workload, weights: Arc::new(weights), position: 0, read: VecDeque::new(), rng, counting }
    }

    /// How long until the next request.
    pub(super) fn pause(&mut self) -> Duration {
        let mean = 1_000_000 / u64::from(self.workload.rate.max(1));
        self.rng.exponential(Duration::from_micros(mean)).max(Duration::from_micros(1))
    }

    /// Who asks next.
    pub(super) fn client(&mut self) -> u16 {
        self.rng.below(u64::from(self.workload.clients.max(1))) as u16 + 1
    }

    /// Which key it asks for.
    fn key(&mut self) -> Key {
        let keys = u64::from(self.workload.keys.max(1));
        let shape = match self.workload.shape {
            Shape::Mixed => *self.rng.pick(&Shape::ALL[..4]).expect("four shapes"),
            shape => shape,
        };
        let number = match shape {
            Shape::Uniform => self.rng.below(keys),
            Shape::Hot if self.rng.chance(500_000) => 0,
            Shape::Hot => self.rng.below(keys),
            Shape::Scan => {
                self.position = (self.position + 1) % self.workload.keys.max(1);
                u64::from(self.position)
            }
            Shape::Zipf | Shape::Mixed => {
                let total = self.weights.last().copied().unwrap_or(1);
                let point = self.rng.below(total);
                self.weights.partition_point(|sum| *sum <= point) as u64
            }
        };
        Key::new(format!("k{number}")).expect("a short key")
    }

    /// Some client has read that version.
    pub(super) fn was_read(&mut self, key: &Key, version: Version) {
        if self.workload.conditional == 0 {
            return;
        }
        if self.read.len() == READ {
            self.read.pop_front();
        }
        self.read.push_back((key.clone(), version));
    }

    /// What it asks at that moment, and for which key. `id` makes every written value different from all others.
    pub(super) fn request(&mut self, id: u64, now: Instant) -> (Key, Verb) {
        if self.workload.counters > 0 && self.counting.below(100) < u64::from(self.workload.counters) {
            return self.count();
        }
        let key = self.key();
        let (writes, deletes) = (u64::from(self.workload.writes), u64::from(self.workload.deletes));
        let roll = self.rng.below(100);
        if roll >= writes + deletes {
            return (key, Verb::Get(self.read_level()));
        }
        let level = self.write_level();
        if roll < deletes {
            return (key, Verb::Delete(level));
        }
        let conditional = self.rng.below(100) < u64::from(self.workload.conditional);
        let expiring = self.rng.below(100) < u64::from(self.workload.expiring);
        let ttl = expiring.then(|| self.ttl(now));
        let (key, condition) = if conditional { self.condition(key) } else { (key, Condition::Always) };
        let big = self.workload.big > 0 && self.rng.below(100) < u64::from(self.workload.big);
        let most = u64::from(self.workload.value_bytes) * if big { u64::from(BIG) } else { 1 };
        let length = self.rng.below(most + 1) as usize;
        let mut value = format!("v{id}").into_bytes();
        value.resize(value.len().max(length), b'.');
        (key, Verb::Set { value: Bytes::from(value), ttl, condition, level })
    }

    /// What is asked of a counter. Most are counted by one, as people do; a few are counted down.
    fn count(&mut self) -> (Key, Verb) {
        let counters = u64::from(self.workload.keys.clamp(1, COUNTERS));
        let key = Key::new(format!("c{}", self.counting.below(counters))).expect("a short key");
        let level = *self.counting.pick(&WriteLevel::ALL).expect("four levels");
        let level = self.workload.write_level.unwrap_or(level);
        let verb = match self.counting.below(100) {
            0..55 => {
                let by = match self.counting.below(10) {
                    0..7 => 1,
                    7..9 => self.counting.between(2, 9).cast_signed(),
                    _ => -self.counting.between(1, 9).cast_signed(),
                };
                Verb::Increment { by, level }
            }
            55..88 => {
                let any = *self.counting.pick(&ReadLevel::ALL).expect("three levels");
                Verb::Get(self.workload.read_level.unwrap_or(any))
            }
            88..91 => Verb::Delete(level),
            _ => {
                let longest = (self.workload.ttl.as_millis() as u64).max(1);
                let ttl = Duration::from_millis(self.counting.between((longest / 10).max(1), longest));
                Verb::Touch { ttl: self.counting.chance(600_000).then_some(ttl), level }
            }
        };
        (key, verb)
    }

    fn ttl(&mut self, now: Instant) -> Duration {
        let longest = (self.workload.ttl.as_millis() as u64).max(1);
        let ms = match self.workload.storm {
            true => longest - now.0 / 1_000 % longest,
            false => self.rng.between((longest / 10).max(1), longest),
        };
        Duration::from_millis(ms)
    }

    /// Nothing there, something there, or what somebody has read; then the key is the one that was read.
    fn condition(&mut self, key: Key) -> (Key, Condition) {
        match self.rng.below(4) {
            0 | 1 => (key, Condition::Absent),
            2 => (key, Condition::Present),
            _ => match self.rng.pick(self.read.make_contiguous()).cloned() {
                Some((key, version)) => (key, Condition::Is(version)),
                None => (key, Condition::Present),
            },
        }
    }

    fn write_level(&mut self) -> WriteLevel {
        const ANY: [WriteLevel; 4] = [WriteLevel::One, WriteLevel::Live, WriteLevel::Quorum, WriteLevel::All];
        self.workload.write_level.unwrap_or_else(|| ANY[self.rng.below(4) as usize])
    }

    fn read_level(&mut self) -> ReadLevel {
        const ANY: [ReadLevel; 3] = [ReadLevel::Primary, ReadLevel::One, ReadLevel::Quorum];
        self.workload.read_level.unwrap_or_else(|| ANY[self.rng.below(3) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::trace::What;
    use crate::sim::{World, WorldConfig};

    #[test]
    fn a_world_is_asked_for_the_keys_of_its_workload() {
        for shape in Shape::ALL {
            let workload = Workload { shape, writes: 35, expiring: 50, ..Workload::default() };
            let mut world = World::new(WorldConfig { seed: 7, trace: 100_000, ..WorldConfig::default() });
            world.workload(Some(workload.clone()));
            world.run_for(Duration::from_secs(1));
            let asked = |what: &What| if let What::Asked(ask) = what { Some(ask.key.clone()) } else { None };
            let keys: Vec<Key> = world.trace().events().filter_map(|event| asked(&event.what)).collect();
            assert!(keys.len() > 100);
            assert!(workload.asked(7).take(keys.len()).eq(keys), "{shape:?}");
        }
    }
}
