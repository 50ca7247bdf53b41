//! Commands as the lines that they are read from: what chance has done becomes a script that a person can read.

use core::fmt;
use core::time::Duration;

use super::Command;
use crate::request::{Condition, ReadLevel, WriteLevel};
use crate::sim::client::Verb;
use crate::sim::fault::{Fault, Faults};
use crate::sim::network::{Link, Network};
use crate::sim::workload::Workload;
use crate::time::micros;

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Ask { client, node, key, verb } => {
                write!(f, "c{client}")?;
                if let Some(node) = node {
                    write!(f, "@{node}")?;
                }
                let key = key.as_bytes().escape_ascii();
                match verb {
                    Verb::Get(ReadLevel::Primary) => write!(f, " get {key}"),
                    Verb::Get(level) => write!(f, " get {key} read={}", level.name()),
                    Verb::Delete(WriteLevel::Live) => write!(f, " del {key}"),
                    Verb::Delete(level) => write!(f, " del {key} write={}", level.name()),
                    Verb::Set { value, ttl, condition, level } => {
                        write!(f, " set {key} {}", value.escape_ascii())?;
                        if let Some(ttl) = ttl {
                            write!(f, " ttl={}", Span(*ttl))?;
                        }
                        match condition {
                            Condition::Always | Condition::OlderThan(_) => {}
                            Condition::Absent => f.write_str(" if=absent")?,
                            Condition::Present => f.write_str(" if=present")?,
                            Condition::Is(version) => write!(f, " if={version}")?,
                        }
                        if *level == WriteLevel::Live { Ok(()) } else { write!(f, " write={}", level.name()) }
                    }
                    Verb::Increment { by, level } => {
                        write!(f, " incr {key} {by}")?;
                        if *level == WriteLevel::Live { Ok(()) } else { write!(f, " write={}", level.name()) }
                    }
                    Verb::Touch { ttl, level } => {
                        match ttl {
                            Some(ttl) => write!(f, " touch {key} ttl={}", Span(*ttl))?,
                            None => write!(f, " touch {key} ttl=none")?,
                        }
                        if *level == WriteLevel::Live { Ok(()) } else { write!(f, " write={}", level.name()) }
                    }
                }
            }
            Command::Crash(node) => write!(f, "{node} crash"),
            Command::Restart(node) => write!(f, "{node} restart"),
            Command::Wipe(node) => write!(f, "{node} wipe"),
            Command::Forget(node, key) => write!(f, "{node} forget {}", key.as_bytes().escape_ascii()),
            Command::Join(weight, zone) => {
                f.write_str("join")?;
                if *weight != 1 {
                    write!(f, " weight={weight}")?;
                }
                if zone.is_empty() { Ok(()) } else { write!(f, " zone={zone}") }
            }
            Command::Leave(node, false) => write!(f, "{node} leave"),
            Command::Leave(node, true) => write!(f, "{node} leave force"),
            Command::Weigh(node, 0) => write!(f, "{node} drain"),
            Command::Weigh(node, weight) => write!(f, "{node} weight {weight}"),
            Command::Zone(node, zone) => write!(f, "{node} zone {zone}"),
            Command::Pause(node) => write!(f, "pause {node}"),
            Command::Resume(node) => write!(f, "resume {node}"),
            Command::Save(node) => write!(f, "{node} save"),
            Command::Disk(node, fault) => write!(f, "disk {node} {}", fault.name()),
            Command::Rolling(down) => write!(f, "rolling {}", Span(*down)),
            Command::Clock(node, offset) => write!(f, "{node} clock {offset:+}ms"),
            Command::Drift(node, ppm) => write!(f, "{node} drift {ppm:+}ppm"),
            Command::Strobe(node, Some((by, every))) => write!(f, "{node} strobe {by:+}ms {}", Span(*every)),
            Command::Strobe(node, None) => write!(f, "{node} strobe off"),
            Command::Cut(links) => write!(f, "cut{}", Links(links)),
            Command::Isolate(node) => write!(f, "isolate {node}"),
            Command::Sides(side) => {
                f.write_str("sides")?;
                side.iter().try_for_each(|node| write!(f, " {node}"))
            }
            Command::Heal(links) => write!(f, "heal{}", Links(links)),
            Command::HealAll => f.write_str("heal"),
            Command::Clog(links) => write!(f, "clog{}", Links(links)),
            Command::Unclog(links) => write!(f, "unclog{}", Links(links)),
            Command::UnclogAll => f.write_str("unclog"),
            Command::Swizzle(span) => write!(f, "swizzle {}", Span(*span)),
            Command::Network(network) => write!(f, "network {network}"),
            Command::Workload(workload) => write!(f, "workload {workload}"),
            Command::NoWorkload => f.write_str("workload off"),
            Command::Faults(faults) => write!(f, "faults{faults}"),
            Command::NoFaults => f.write_str("faults off"),
            Command::Core(nodes) => {
                f.write_str("core")?;
                nodes.iter().try_for_each(|node| write!(f, " {node}"))
            }
            Command::Peace => f.write_str("peace"),
            Command::Verdict => f.write_str("verdict"),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "delay={} jitter={}", Span(self.delay), Span(self.jitter))?;
        write!(f, " loss={} duplicate={}", Percent(self.loss), Percent(self.duplicate))?;
        self.capacity.map_or(Ok(()), |capacity| write!(f, " capacity={capacity}"))
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shape={} keys={} rate={}", self.shape.name(), self.keys, self.rate)?;
        write!(f, " writes={}% deletes={}% conditional={}%", self.writes, self.deletes, self.conditional)?;
        write!(
            f,
            " expiring={}% ttl={} storm={}",
            self.expiring,
            Span(self.ttl),
            if self.storm { "on" } else { "off" }
        )?;
        write!(f, " value={} big={}% retries={}", self.value_bytes, self.big, self.retries)?;
        write!(f, " clients={}", self.clients)?;
        write!(f, " write={}", self.write_level.map_or("any", WriteLevel::name))?;
        write!(f, " read={}", self.read_level.map_or("any", ReadLevel::name))?;
        if self.counters > 0 { write!(f, " counters={}%", self.counters) } else { Ok(()) }
    }
}

/// Each with a space before it.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in Fault::ALL {
            if let Some(mean) = self.every(fault) {
                write!(f, " {}={}", fault.name(), Span(mean))?;
            }
        }
        if self.crash_writing > 0 { write!(f, " crash-writing={}", Percent(self.crash_writing)) } else { Ok(()) }
    }
}

/// A span as a script takes it: whole and in the largest unit that it is whole in.
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match micros(self.0) {
            us if us % 1_000 != 0 => write!(f, "{us}us"),
            us if us % 1_000_000 != 0 => write!(f, "{}ms", us / 1_000),
            us => write!(f, "{}s", us / 1_000_000),
        }
    }
}

/// A share of a million, in percent.
struct Percent(u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 % 10_000 {
            0 => write!(f, "{}%", self.0 / 10_000),
            rest => write!(f, "{}.{rest:04}%", self.0 / 10_000),
        }
    }
}

/// Links one by one, each with a space before it.
struct Links<'a>(&'a [Link]);

impl fmt::Display for Links<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(from, to)| write!(f, " {from}>{to}"))
    }
}
