//! What a person sets, checked: nothing here is out of the engine's bounds, and what is gets an error that names it.

use core::time::Duration;

use vitrine_engine::cluster::Heartbeat;
use vitrine_engine::record::Fsync;
use vitrine_engine::request::{ReadLevel, WriteLevel};
use vitrine_engine::sim::{Network, Shape, Workload, WorldConfig};
use vitrine_engine::store::{Limits, Policy};
use wasm_bindgen::prelude::wasm_bindgen;

/// A cluster to build.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Everything random follows from it.
    pub seed: u64,
    /// Nodes, 1 to 32.
    pub nodes: u32,
    /// Copies of each slot, 1 to 8.
    pub replicas: u32,
    /// Entries that a node may hold, 1 to 1,000,000.
    pub capacity: u32,
    /// Points on the ring for each node, 1 to 512.
    pub virtual_nodes: u32,
    /// Messages lost between nodes, of a thousand; 0 to 900.
    pub loss_per_mille: u32,
    /// When nodes sync their logs: 0 is for no log, 1 before every answer, 2 once a second, 3 never.
    pub fsync: u32,
    /// Bytes of log at which a node takes a snapshot by itself; 0: only when it is told to.
    pub save_above: u32,
    /// Who goes when a node is full: 0 is for LRU, 1 SIEVE, 2 S3-FIFO, 3 W-TinyLFU.
    pub policy: u32,
    /// Milliseconds after which others stand in for a node that is down, up to a minute; 0: nobody does.
    pub stand_in: u32,
}

/// Who must have a write, and who answers a read, of the workload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    write: WriteLevel,
    read: ReadLevel,
}

#[wasm_bindgen]
impl Settings {
    /// Three nodes, two copies, room for 24 entries each.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Settings {
        Settings::default()
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            seed: 1,
            nodes: 3,
            replicas: 2,
            capacity: 24,
            virtual_nodes: 64,
            loss_per_mille: 0,
            fsync: 0,
            save_above: 0,
            policy: 0,
            stand_in: 0,
        }
    }
}

impl Settings {
    /// Those of a world that a script has made, as far as they can be set here.
    pub fn of(config: &WorldConfig) -> Settings {
        Settings {
            seed: config.seed,
            nodes: u32::from(config.nodes),
            replicas: u32::from(config.replicas),
            capacity: config.limits.entries.unwrap_or(0),
            virtual_nodes: u32::from(config.virtual_nodes),
            loss_per_mille: config.network.loss / 1_000,
            fsync: FSYNC.iter().position(|fsync| *fsync == config.fsync).map_or(0, |place| place as u32),
            save_above: config.save_above.map_or(0, |bytes| u32::try_from(bytes).unwrap_or(u32::MAX)),
            policy: config.policy as u32,
            // At once is as good as after a millisecond.
            stand_in: config.heartbeat.stand_in_after.map_or(0, |after| (after.as_millis() as u32).max(1)),
        }
    }

    /// The world to make. A long replay goes without the checks, which remember every write.
    pub fn world(&self, replay: bool) -> Result<WorldConfig, String> {
        let loss = within("lost messages of a thousand", self.loss_per_mille, 0, 900)? * 1_000;
        Ok(WorldConfig {
            seed: self.seed,
            nodes: within("nodes", self.nodes, 1, 32)? as u16,
            replicas: within("copies", self.replicas, 1, 8)? as u8,
            limits: Limits { entries: Some(within("capacity", self.capacity, 1, 1_000_000)?), bytes: None },
            policy: Policy::ALL[within("policy", self.policy, 0, 3)? as usize],
            virtual_nodes: within("virtual nodes", self.virtual_nodes, 1, 512)? as u16,
            network: Network { loss, ..NETWORK },
            clock_skew: Duration::from_millis(2),
            heartbeat: heartbeat(self.nodes, within("stand in", self.stand_in, 0, MOST_STAND_IN)?),
            checks: !replay,
            fsync: FSYNC[within("fsync", self.fsync, 0, 3)? as usize],
            save_above: Some(u64::from(self.save_above)).filter(|bytes| *bytes > 0),
            trace: TRACE,
            ..WorldConfig::default()
        })
    }
}

impl Levels {
    /// By their names.
    pub fn parse(write: &str, read: &str) -> Result<Levels, String> {
        let write = match write {
            "one" => WriteLevel::One,
            "live" => WriteLevel::Live,
            "quorum" => WriteLevel::Quorum,
            "all" => WriteLevel::All,
            other => return Err(format!("unknown write level {other:?}; one, live, quorum and all are known")),
        };
        let read = match read {
            "primary" => ReadLevel::Primary,
            "one" => ReadLevel::One,
            "quorum" => ReadLevel::Quorum,
            other => return Err(format!("unknown read level {other:?}; primary, one and quorum are known")),
        };
        Ok(Levels { write, read })
    }
}

/// A workload of those numbers.
pub fn workload(kind: &str, keys: u32, rate: u32, writes: u32, ttl: u32, levels: Levels) -> Result<Workload, String> {
    let shape = match kind {
        "zipf" => Shape::Zipf,
        "storm" => Shape::Uniform,
        "uniform" => Shape::Uniform,
        "scan" => Shape::Scan,
        "hotkey" => Shape::Hot,
        other => return Err(format!("unknown workload {other:?}; zipf, uniform, scan, hotkey and storm are known")),
    };
    let ttl = within("TTL in milliseconds", ttl, 0, 86_400_000)?;
    Ok(Workload {
        shape,
        keys: within("keys", keys, 1, 1_000_000)?,
        rate: within("requests a second", rate, 1, 100_000)?,
        writes: within("writes of a hundred", writes, 0, 100)? as u8,
        deletes: 0,
        conditional: 0,
        expiring: if ttl == 0 { 0 } else { 100 },
        // The value is its operation's number and nothing more: what is written is read in the log.
        value_bytes: 0,
        // Without an expiry it means nothing, and a script takes none of nothing.
        ttl: Duration::from_millis(u64::from(if ttl == 0 { 1 } else { ttl })),
        storm: kind == "storm",
        write_level: Some(levels.write),
        read_level: Some(levels.read),
        ..Workload::default()
    })
}

fn within(what: &str, number: u32, least: u32, most: u32) -> Result<u32, String> {
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(format!("{what}: {number} is not from {least} to {most}"))
    }
}

/// A millisecond between any two, so that a person who slows time down a few hundred times sees messages travel.
const NETWORK: Network = Network {
    delay: Duration::from_micros(900),
    jitter: Duration::from_micros(250),
    loss: 0,
    duplicate: 0,
    capacity: None,
};

/// When a log is synced, by its number in [`Settings`].
const FSYNC: [Option<Fsync>; 4] = [None, Some(Fsync::Always), Some(Fsync::EverySecond), Some(Fsync::Never)];

/// Events that the world's own trace keeps, until the journal has read them.
pub const TRACE: u32 = 2_000;

/// As a script has it: a minute.
const MOST_STAND_IN: u32 = 60_000;

/// A dead node is missed within a few seconds of the person who watches, and many nodes do not drown in questions.
fn heartbeat(nodes: u32, stand_in: u32) -> Heartbeat {
    let calm = nodes.div_ceil(4);
    Heartbeat {
        interval: Duration::from_millis(5) * calm,
        suspect_after: Duration::from_millis(20) * calm,
        stand_in_after: (stand_in > 0).then(|| Duration::from_millis(u64::from(stand_in))),
        remove_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let check = |settings: Settings, expected: Result<(), &str>| {
            assert_eq!(settings.world(false).map(|_| ()), expected.map_err(String::from));
        };
        let good = Settings::default();
        check(good, Ok(()));
        check(Settings { nodes: 0, ..good }, Err("nodes: 0 is not from 1 to 32"));
        check(Settings { nodes: 33, ..good }, Err("nodes: 33 is not from 1 to 32"));
        check(Settings { replicas: 9, ..good }, Err("copies: 9 is not from 1 to 8"));
        check(Settings { capacity: 0, ..good }, Err("capacity: 0 is not from 1 to 1000000"));
        check(Settings { virtual_nodes: 513, ..good }, Err("virtual nodes: 513 is not from 1 to 512"));
        check(Settings { fsync: 4, ..good }, Err("fsync: 4 is not from 0 to 3"));
        check(Settings { policy: 4, ..good }, Err("policy: 4 is not from 0 to 3"));
        check(Settings { stand_in: 60_001, ..good }, Err("stand in: 60001 is not from 0 to 60000"));
        check(Settings { loss_per_mille: 901, ..good }, Err("lost messages of a thousand: 901 is not from 0 to 900"));
    }

    #[test]
    fn levels_and_workloads_are_checked() {
        assert!(Levels::parse("live", "primary").is_ok());
        assert!(Levels::parse("most", "primary").is_err_and(|why| why.contains("\"most\"")));
        assert!(Levels::parse("live", "any").is_err_and(|why| why.contains("\"any\"")));
        let check = |kind, keys, rate, writes, ttl, right| {
            assert_eq!(
                workload(kind, keys, rate, writes, ttl, Levels::default()).is_ok(),
                right,
                "{kind} {keys} {rate}"
            );
        };
        check("zipf", 1, 1, 0, 0, true);
        check("hotkey", 1_000_000, 100_000, 100, 86_400_000, true);
        check("storm", 1, 1, 0, 500, true);
        check("rain", 1, 1, 0, 0, false);
        check("zipf", 0, 1, 0, 0, false);
        check("zipf", 1, 0, 0, 0, false);
        check("zipf", 1, 1, 101, 0, false);
        check("zipf", 1, 1, 0, 86_400_001, false);
    }
}
