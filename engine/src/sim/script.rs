//! Scripts: a world and what happens in it, as a text that a person can read.
//!
//! ```text
//! # the replica serves when the primary is gone
//! cluster nodes=3 replicas=2 seed=7 entries=100
//! c1 set k v
//! settle
//! n1 crash
//! run 2s
//! c2 get k
//! settle
//! ```

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::command::{A_DAY, Command, CommandError, Span, duration, number, wrong};
use super::world::{World, WorldConfig};
use crate::limits;

/// A script that has been read, but not yet run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The world it begins with.
    pub config: WorldConfig,
    /// Its lines, with their numbers.
    lines: Vec<(u32, String)>,
}

/// A line that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The line, from 1.
    pub line: u32,
    /// What was wrong with it, and what is accepted.
    pub error: CommandError,
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.error)
    }
}

impl core::error::Error for ScriptError {}

impl Script {
    /// Reads a script: its first command may be `cluster`, which makes the world.
    pub fn parse(text: &str) -> Result<Script, ScriptError> {
        let numbered = (1..).zip(text.lines()).map(|(line, text)| (line, text.split('#').next().unwrap_or("").trim()));
        let mut lines: Vec<(u32, String)> =
            numbered.filter(|(_, text)| !text.is_empty()).map(|(line, text)| (line, text.to_string())).collect();
        let mut config = WorldConfig::default();
        let first = lines.first().map(|(line, text)| (*line, text.split_whitespace()));
        if let Some((line, mut words)) = first
            && words.next() == Some("cluster")
        {
            config = words.try_fold(config, cluster_option).map_err(|error| ScriptError { line, error })?;
            lines.remove(0);
        }
        Ok(Script { config, lines })
    }

    /// The same in a world of another seed.
    #[must_use]
    pub fn with_seed(&self, seed: u64) -> Script {
        let mut script = self.clone();
        script.config.seed = seed;
        script
    }

    /// Runs it in a new world, and on in peace to a verdict where it has none of its own.
    pub fn judged(&self) -> Result<World, ScriptError> {
        let mut world = self.run()?;
        if self.lines.last().is_none_or(|(_, line)| line != "verdict") {
            world.obey(Command::NoWorkload);
            world.peace();
            world.run_for(PEACE);
            world.verdict();
        }
        Ok(world)
    }

    /// Runs it in a new world, to its end.
    pub fn run(&self) -> Result<World, ScriptError> {
        let mut world = World::new(self.config.clone());
        for (line, text) in &self.lines {
            perform(&mut world, text).map_err(|error| ScriptError { line: *line, error })?;
        }
        Ok(world)
    }
}

/// How long peace lasts before a verdict: longer than any client waits, any peer is suspected, any replica reconciles.
const PEACE: Duration = Duration::from_secs(20);

/// `run 5s` lets time pass, `settle` lets every client be answered; any other line is a command for the world.
fn perform(world: &mut World, line: &str) -> Result<(), CommandError> {
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["run", span] => {
            world.run_for(duration("run", span, Duration::ZERO..=A_DAY)?);
            Ok(())
        }
        ["settle"] => match world.settle(limits::MAX_TIMEOUT) {
            true => Ok(()),
            false => Err(wrong("some client still waits after a minute", "a script whose requests end")),
        },
        _ => world.command(line),
    }
}

fn cluster_option(mut config: WorldConfig, option: &str) -> Result<WorldConfig, CommandError> {
    let (name, value) =
        option.split_once('=').ok_or_else(|| wrong(&format!("{option:?} has no value"), "name=value"))?;
    match name {
        "nodes" => config.nodes = number(name, value, 1, 32)? as u16,
        "replicas" => config.replicas = number(name, value, 1, limits::MAX_REPLICAS as u64)? as u8,
        "seed" => config.seed = number(name, value, 0, u64::MAX)?,
        "entries" if value == "off" => config.limits.entries = None,
        "entries" => config.limits.entries = Some(number(name, value, 1, u64::from(u32::MAX))? as u32),
        "bytes" => config.limits.bytes = Some(number(name, value, 1, u64::MAX)?),
        "vnodes" => config.virtual_nodes = number(name, value, 1, 1_024)? as u16,
        "skew" => config.clock_skew = duration(name, value, Duration::ZERO..=limits::MAX_CLOCK_AHEAD)?,
        "batch" => config.batch = Some(number(name, value, 1, u64::from(u32::MAX))? as u32),
        "zones" => config.zones = number(name, value, 0, 32)? as u16,
        "move-rate" => config.move_rate = Some(number(name, value, 0, u64::MAX)?),
        "timeout" => config.timeout = duration(name, value, Duration::from_millis(1)..=limits::MAX_TIMEOUT)?,
        _ => {
            let accepted = "nodes, replicas, seed, entries, bytes, vnodes, skew, timeout, batch, move-rate, zones";
            return Err(wrong(&format!("a cluster has no {name:?}"), accepted));
        }
    }
    Ok(config)
}

/// The line of a script that makes such a world; the network is a line of its own.
impl fmt::Display for WorldConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster nodes={} replicas={} seed={}", self.nodes, self.replicas, self.seed)?;
        match self.limits.entries {
            Some(entries) => write!(f, " entries={entries}")?,
            None => f.write_str(" entries=off")?,
        }
        if let Some(bytes) = self.limits.bytes {
            write!(f, " bytes={bytes}")?;
        }
        let (skew, timeout) = (Span(self.clock_skew), Span(self.timeout));
        write!(f, " vnodes={} skew={skew} timeout={timeout}", self.virtual_nodes)?;
        self.batch.map_or(Ok(()), |batch| write!(f, " batch={batch}"))?;
        self.move_rate.map_or(Ok(()), |rate| write!(f, " move-rate={rate}"))?;
        if self.zones > 0 { write!(f, " zones={}", self.zones) } else { Ok(()) }
    }
}
