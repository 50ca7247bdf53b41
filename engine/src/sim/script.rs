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
//! expect c2 hit v
//! ```

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::command::{A_DAY, A_MILLISECOND, Command, CommandError, Span, duration, number, wrong};
use super::expect;
use super::world::{World, WorldConfig};
use crate::limits;
use crate::record::Fsync;
use crate::shard::OnDoubt;
use crate::store::Policy;

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

    /// The same in a world of another seed; what is expected of its own is not expected of that one.
    #[must_use]
    pub fn with_seed(&self, seed: u64) -> Script {
        let mut script = self.clone();
        if seed != self.config.seed {
            script.lines.retain(|(_, line)| !line.starts_with("expect "));
        }
        script.config.seed = seed;
        script
    }

    /// Runs it in a new world, and on in peace to a verdict where it has none of its own.
    pub fn judged(&self) -> Result<World, ScriptError> {
        let mut world = self.run()?;
        self.judge(&mut world);
        Ok(world)
    }

    /// Lets a world that has come to the script's end go on in peace to a verdict, where the script has none of its
    /// own.
    pub fn judge(&self, world: &mut World) {
        if self.lines.last().is_none_or(|(_, line)| line != "verdict") {
            world.obey(Command::NoWorkload);
            world.peace();
            world.run_for(PEACE);
            world.verdict();
        }
    }

    /// Runs it in a new world, to its end.
    pub fn run(&self) -> Result<World, ScriptError> {
        let mut world = World::new(self.config.clone());
        for (line, text) in &self.lines {
            perform(&mut world, text).map_err(|error| ScriptError { line: *line, error })?;
        }
        Ok(world)
    }

    /// Its lines behind the one that makes the world, with their numbers, without comments.
    pub fn lines(&self) -> impl Iterator<Item = (u32, &str)> {
        self.lines.iter().map(|(line, text)| (*line, text.as_str()))
    }
}

/// What a line of a script means to whoever runs it line by line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Time passes.
    Run(Duration),
    /// Every client is answered first, within [`limits::MAX_TIMEOUT`].
    Settle,
    /// The world is as it says, or the script ends: see [`World::expect`].
    Expect,
    /// It is a command for the world.
    Command,
}

impl Step {
    /// `run 5s`, `settle`, `expect n1 up`, or anything else.
    pub fn of(line: &str) -> Result<Step, CommandError> {
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["run", span] => Ok(Step::Run(duration("run", span, Duration::ZERO..=A_DAY)?)),
            ["settle"] => Ok(Step::Settle),
            ["expect", ..] => Ok(Step::Expect),
            _ => Ok(Step::Command),
        }
    }
}

/// How long peace lasts before a verdict: longer than any client waits, any peer is suspected, any replica reconciles.
const PEACE: Duration = Duration::from_secs(20);

/// The longest that a timer of a node is set to.
const A_MINUTE: Duration = Duration::from_secs(60);

impl World {
    /// Is it as a line of a script expects? Where it is not, the error says how it is.
    pub fn expect(&self, line: &str) -> Result<(), CommandError> {
        // The first word is `expect`.
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        expect::check(self, &words)
    }
}

fn perform(world: &mut World, line: &str) -> Result<(), CommandError> {
    match Step::of(line)? {
        Step::Run(span) => {
            world.run_for(span);
            Ok(())
        }
        Step::Settle => match world.settle(limits::MAX_TIMEOUT) {
            true => Ok(()),
            false => Err(wrong("some client still waits after a minute", "a script whose requests end")),
        },
        Step::Expect => world.expect(line),
        Step::Command => world.command(line),
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
        "policy" => {
            config.policy = Policy::named(value).ok_or_else(|| wrong(&format!("policy={value}"), Policy::NAMES))?
        }
        "vnodes" => config.virtual_nodes = number(name, value, 1, 1_024)? as u16,
        "skew" => config.clock_skew = duration(name, value, Duration::ZERO..=limits::MAX_CLOCK_AHEAD)?,
        "asks" => match value {
            "on" => config.alone = false,
            "off" => config.alone = true,
            _ => return Err(wrong(&format!("asks={value}"), "on, off")),
        },
        "fsync" => {
            config.fsync = match value {
                "always" => Some(Fsync::Always),
                "everysec" => Some(Fsync::EverySecond),
                "never" => Some(Fsync::Never),
                "off" => None,
                _ => return Err(wrong(&format!("fsync={value}"), "always, everysec, never, off")),
            };
        }
        "on-doubt" => {
            let named = OnDoubt::ALL.into_iter().find(|policy| policy.name() == value);
            config.on_doubt = named.ok_or_else(|| wrong(&format!("on-doubt={value}"), "miss, serve"))?;
        }
        "log-bytes" => config.log_bytes = number(name, value, 1, limits::MAX_LOG_BYTES as u64)? as usize,
        "save-above" => config.save_above = Some(number(name, value, 1, u64::MAX)?),
        "save-step" => config.save_step = duration(name, value, A_MILLISECOND..=A_MINUTE)?,
        "late" => config.late = duration(name, value, Duration::ZERO..=A_MINUTE)?,
        "late-pages" => config.late_pages = duration(name, value, Duration::ZERO..=A_MINUTE)?,
        "retry" => config.retry.first = duration(name, value, A_MILLISECOND..=A_MINUTE)?,
        "retry-most" => config.retry.most = duration(name, value, A_MILLISECOND..=A_MINUTE)?,
        "heartbeat" => config.heartbeat.interval = duration(name, value, A_MILLISECOND..=A_MINUTE)?,
        "suspect" => config.heartbeat.suspect_after = duration(name, value, A_MILLISECOND..=A_MINUTE)?,
        "stand-in" => config.heartbeat.stand_in_after = Some(duration(name, value, Duration::ZERO..=A_MINUTE)?),
        "remove-after" => config.heartbeat.remove_after = Some(duration(name, value, Duration::ZERO..=A_MINUTE)?),
        "batch" => config.tuning.batch = number(name, value, 1, u64::from(u32::MAX))? as u32,
        "pending" => config.tuning.pending = number(name, value, 1, limits::MAX_PENDING as u64)? as usize,
        "pending-bytes" => {
            config.tuning.pending_bytes = number(name, value, 1, limits::MAX_PENDING_BYTES as u64)? as usize;
        }
        "pending-for-peer" => {
            config.tuning.pending_for_peer = number(name, value, 1, limits::MAX_PENDING_FOR_PEER as u64)? as usize;
        }
        "repeating" => config.tuning.repeating = number(name, value, 1, limits::MAX_REPEATING as u64)? as usize,
        "answered" => config.tuning.answered = number(name, value, 1, limits::MAX_ANSWERED as u64)? as usize,
        "answer-memory" => config.tuning.answer_memory = duration(name, value, Duration::ZERO..=A_MINUTE)?,
        "reconcile-pause" => config.tuning.pause = duration(name, value, A_MILLISECOND..=A_MINUTE)?,
        "zones" => config.zones = number(name, value, 0, 32)? as u16,
        "move-rate" => config.move_rate = Some(number(name, value, 0, u64::MAX)?),
        "timeout" => config.timeout = duration(name, value, Duration::from_millis(1)..=limits::MAX_TIMEOUT)?,
        _ => {
            let accepted = "nodes, replicas, seed, entries, bytes, policy, vnodes, skew, timeout, move-rate, zones, \
                asks, fsync, on-doubt, log-bytes, save-above, save-step, late, late-pages, retry, retry-most, \
                heartbeat, suspect, stand-in, remove-after, batch, pending, pending-bytes, pending-for-peer, \
                repeating, answered, answer-memory, reconcile-pause";
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
        if self.policy != Policy::Lru {
            write!(f, " policy={}", self.policy.name())?;
        }
        let (skew, timeout) = (Span(self.clock_skew), Span(self.timeout));
        write!(f, " vnodes={} skew={skew} timeout={timeout}", self.virtual_nodes)?;
        self.move_rate.map_or(Ok(()), |rate| write!(f, " move-rate={rate}"))?;
        if self.zones > 0 {
            write!(f, " zones={}", self.zones)?;
        }
        if let Some(fsync) = self.fsync {
            let word = match fsync {
                Fsync::Always => "always",
                Fsync::EverySecond => "everysec",
                Fsync::Never => "never",
            };
            write!(f, " fsync={word}")?;
        }
        if self.on_doubt != OnDoubt::Miss {
            write!(f, " on-doubt={}", self.on_doubt.name())?;
        }
        if self.log_bytes < limits::MAX_LOG_BYTES {
            write!(f, " log-bytes={}", self.log_bytes)?;
        }
        if let Some(above) = self.save_above {
            write!(f, " save-above={above}")?;
        }
        if let Some(after) = self.heartbeat.stand_in_after {
            write!(f, " stand-in={}", Span(after))?;
        }
        if let Some(after) = self.heartbeat.remove_after {
            write!(f, " remove-after={}", Span(after))?;
        }
        if self.alone {
            f.write_str(" asks=off")?;
        }
        // What is as it always is goes without saying.
        let usual = WorldConfig::default();
        let (tuning, most) = (&self.tuning, &usual.tuning);
        let spans = [
            ("save-step", self.save_step, usual.save_step),
            ("late", self.late, usual.late),
            ("late-pages", self.late_pages, usual.late_pages),
            ("retry", self.retry.first, usual.retry.first),
            ("retry-most", self.retry.most, usual.retry.most),
            ("heartbeat", self.heartbeat.interval, usual.heartbeat.interval),
            ("suspect", self.heartbeat.suspect_after, usual.heartbeat.suspect_after),
            ("answer-memory", tuning.answer_memory, most.answer_memory),
            ("reconcile-pause", tuning.pause, most.pause),
        ];
        let said = spans.iter().filter(|(_, span, usual)| span != usual);
        said.into_iter().try_for_each(|(name, span, _)| write!(f, " {name}={}", Span(*span)))?;
        let bounds = [
            ("batch", tuning.batch as usize, most.batch as usize),
            ("pending", tuning.pending, most.pending),
            ("pending-bytes", tuning.pending_bytes, most.pending_bytes),
            ("pending-for-peer", tuning.pending_for_peer, most.pending_for_peer),
            ("repeating", tuning.repeating, most.repeating),
            ("answered", tuning.answered, most.answered),
        ];
        let mut said = bounds.iter().filter(|(_, bound, most)| bound != most);
        said.try_for_each(|(name, bound, _)| write!(f, " {name}={bound}"))
    }
}
