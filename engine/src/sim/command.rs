//! What a person types at a world: one command a line.
//!
//! ```text
//! c1 set k v ttl=5s write=quorum if=absent     c1@n2 get k read=one     c1 del k
//! n1 crash       n1 restart       n1 clock +200ms
//! cut n1 n2      cut n1>n2        isolate n1       heal       heal n1 n2
//! network delay=1ms jitter=200us loss=5% duplicate=1%
//! workload shape=zipf keys=200 rate=500 writes=20% deletes=2% expiring=20% ttl=10s value=64       workload off
//! ```

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

use super::client::Verb;
use super::network::Network;
use super::workload::{Shape, Workload};
use crate::id::NodeId;
use crate::limits;
use crate::request::{Condition, Key, ReadLevel, WriteLevel};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A client asks; its usual node when none is named.
    Ask {
        /// The client, from 1.
        client: u16,
        /// The node it asks.
        node: Option<NodeId>,
        /// The key.
        key: Key,
        /// What to do with it.
        verb: Verb,
    },
    /// A node loses its memory and stops.
    Crash(NodeId),
    /// A node that is down starts with nothing.
    Restart(NodeId),
    /// A node's wall clock is that far from the truth, in milliseconds.
    Clock(NodeId, i64),
    /// Ways between nodes are cut.
    Cut(Vec<(NodeId, NodeId)>),
    /// A node is cut off from every other, both ways.
    Isolate(NodeId),
    /// Ways between nodes are mended.
    Heal(Vec<(NodeId, NodeId)>),
    /// Every way is mended.
    HealAll,
    /// Messages travel like this from now on.
    Network(Network),
    /// Load begins, replacing any other.
    Workload(Workload),
    /// Load ends.
    NoWorkload,
}

/// Why a line is not a command: what was wrong, and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandError(pub String);

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for CommandError {}

/// What a line means, in a world whose network and nodes are these.
pub(super) fn parse(line: &str, nodes: u16, network: Network) -> Result<Command, CommandError> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((first, rest)) = words.split_first() else {
        return Err(wrong("an empty line is no command", ACCEPTED));
    };
    match *first {
        "cut" => Ok(Command::Cut(ways(rest, nodes)?)),
        "heal" if rest.is_empty() => Ok(Command::HealAll),
        "heal" => Ok(Command::Heal(ways(rest, nodes)?)),
        "isolate" => match rest {
            [name] => Ok(Command::Isolate(node(name, nodes)?)),
            _ => Err(wrong("isolate names one node", "isolate n1")),
        },
        "network" => rest.iter().try_fold(network, network_option).map(Command::Network),
        "workload" if rest == ["off"] => Ok(Command::NoWorkload),
        "workload" => rest.iter().try_fold(Workload::default(), workload_option).map(Command::Workload),
        name if numbered(name, 'n').is_some() => on_node(node(name, nodes)?, rest),
        name if name.starts_with('c') => ask(name, rest, nodes),
        name => Err(wrong(&format!("unknown command {name:?}"), ACCEPTED)),
    }
}

const ACCEPTED: &str = "c1 set k v, c1@n2 get k, c1 del k, n1 crash, n1 restart, n1 clock +200ms, cut n1 n2, \
     cut n1>n2, isolate n1, heal, network loss=5%, workload rate=100, workload off";

fn on_node(node: NodeId, rest: &[&str]) -> Result<Command, CommandError> {
    match rest {
        ["crash"] => Ok(Command::Crash(node)),
        ["restart"] => Ok(Command::Restart(node)),
        ["clock", offset] => {
            let signed = match offset.split_at_checked(1) {
                Some(("+", text)) => span(text).map(|span| (1, span)),
                Some(("-", text)) => span(text).map(|span| (-1, span)),
                _ => None,
            };
            let (sign, span) = signed.ok_or_else(|| {
                wrong(&format!("clock takes an offset, not {offset:?}"), "n1 clock +200ms, n1 clock -1s")
            })?;
            let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
            Ok(Command::Clock(node, sign * ms))
        }
        _ => Err(wrong(&format!("a node cannot {:?}", rest.join(" ")), "n1 crash, n1 restart, n1 clock +200ms")),
    }
}

fn ask(name: &str, rest: &[&str], nodes: u16) -> Result<Command, CommandError> {
    let (client, at) = match name.split_once('@') {
        Some((client, at)) => (client, Some(node(at, nodes)?)),
        None => (name, None),
    };
    let Some(number) = numbered(client, 'c').filter(|number| *number > 0) else {
        return Err(wrong(&format!("{client:?} is no client"), "c1, c2, … and c1@n2 for a client at a node"));
    };
    let [verb, name, options @ ..] = rest else {
        return Err(wrong("a client's command names what to do and a key", "c1 get k, c1 set k v, c1 del k"));
    };
    let key = Key::new(name.as_bytes().to_vec()).map_err(|error| CommandError(error.to_string()))?;
    let verb = match *verb {
        "get" => Verb::Get(options.iter().try_fold(ReadLevel::Primary, |_, option| match option.split_once('=') {
            Some(("read", name)) => ReadLevel::named(name).ok_or_else(|| level(name, "primary, one, quorum")),
            _ => Err(wrong(&format!("get takes no {option:?}"), "read=primary, read=one, read=quorum")),
        })?),
        "del" => Verb::Delete(options.iter().try_fold(WriteLevel::Live, |_, option| match option.split_once('=') {
            Some(("write", name)) => write_level(name),
            _ => Err(wrong(&format!("del takes no {option:?}"), "write=one, write=live, write=quorum, write=all")),
        })?),
        "set" => set(options)?,
        verb => return Err(wrong(&format!("a client cannot {verb:?}"), "get, set, del")),
    };
    Ok(Command::Ask { client: number, node: at, key, verb })
}

fn set(words: &[&str]) -> Result<Verb, CommandError> {
    let Some((value, options)) = words.split_first() else {
        return Err(wrong("set names a key and a value", "c1 set k v"));
    };
    let (mut ttl, mut condition, mut level) = (None, Condition::Always, WriteLevel::Live);
    for option in options {
        match option.split_once('=') {
            Some(("ttl", text)) => ttl = Some(time_to_live(text)?),
            Some(("write", name)) => level = write_level(name)?,
            Some(("if", "absent")) => condition = Condition::Absent,
            Some(("if", "present")) => condition = Condition::Present,
            Some(("if", version)) => {
                let parsed = version
                    .parse()
                    .map_err(|_| wrong(&format!("if={version}"), "if=absent, if=present, if=VERSION"))?;
                condition = Condition::Is(parsed);
            }
            _ => return Err(wrong(&format!("set takes no {option:?}"), "ttl=5s, write=live, if=absent")),
        }
    }
    Ok(Verb::Set { value: Bytes::copy_from_slice(value.as_bytes()), ttl, condition, level })
}

fn workload_option(mut workload: Workload, option: &&str) -> Result<Workload, CommandError> {
    let (name, value) = split(option)?;
    match name {
        "shape" => {
            workload.shape = match value {
                "zipf" => Shape::Zipf,
                "uniform" => Shape::Uniform,
                "scan" => Shape::Scan,
                "hot" => Shape::Hot,
                _ => return Err(wrong(&format!("unknown shape {value:?}"), "zipf, uniform, scan, hot")),
            }
        }
        "keys" => workload.keys = number(name, value, 1, 1_000_000)? as u32,
        "rate" => workload.rate = number(name, value, 1, 1_000_000)? as u32,
        "clients" => workload.clients = number(name, value, 1, 1_000)? as u16,
        "value" => workload.value_bytes = number(name, value, 0, 1 << 20)? as u32,
        "writes" => workload.writes = percent(name, value)?,
        "deletes" => workload.deletes = percent(name, value)?,
        "expiring" => workload.expiring = percent(name, value)?,
        "conditional" => workload.conditional = percent(name, value)?,
        "ttl" => workload.ttl = time_to_live(value)?,
        "write" => workload.write_level = if value == "any" { None } else { Some(write_level(value)?) },
        "read" => {
            let named = || ReadLevel::named(value).ok_or_else(|| level(value, "primary, one, quorum, any"));
            workload.read_level = if value == "any" { None } else { Some(named()?) };
        }
        _ => {
            let accepted =
                "shape, keys, rate, writes, deletes, expiring, conditional, ttl, value, clients, write, read";
            return Err(wrong(&format!("a workload has no {name:?}"), accepted));
        }
    }
    if workload.writes + workload.deletes > 100 {
        return Err(wrong("writes and deletes make more than 100%", "writes=20% deletes=2%"));
    }
    Ok(workload)
}

fn network_option(mut network: Network, option: &&str) -> Result<Network, CommandError> {
    let (name, value) = split(option)?;
    match name {
        "delay" => network.delay = duration(name, value)?,
        "jitter" => network.jitter = duration(name, value)?,
        "loss" => network.loss = u32::from(percent(name, value)?) * 10_000,
        "duplicate" => network.duplicate = u32::from(percent(name, value)?) * 10_000,
        _ => {
            return Err(wrong(&format!("a network has no {name:?}"), "delay=1ms, jitter=200us, loss=5%, duplicate=1%"));
        }
    }
    Ok(network)
}

/// `n1 n2`, both ways, or `n1>n2`, one way.
fn ways(words: &[&str], nodes: u16) -> Result<Vec<(NodeId, NodeId)>, CommandError> {
    const ACCEPTED: &str = "n1 n2 (both ways), n1>n2 (one way)";
    let ends = match words {
        [one] => one.split_once('>').map(|(from, to)| (from, to, false)),
        [a, b] => Some((*a, *b, true)),
        _ => None,
    };
    let (a, b, both) = ends.ok_or_else(|| wrong("a link has two ends", ACCEPTED))?;
    let (a, b) = (node(a, nodes)?, node(b, nodes)?);
    match (a == b, both) {
        (true, _) => Err(wrong("a node has no link to itself", ACCEPTED)),
        (false, true) => Ok([(a, b), (b, a)].to_vec()),
        (false, false) => Ok([(a, b)].to_vec()),
    }
}

fn node(name: &str, nodes: u16) -> Result<NodeId, CommandError> {
    let number = numbered(name, 'n').filter(|number| (1..=nodes).contains(number));
    number.map(NodeId).ok_or_else(|| wrong(&format!("there is no node {name:?}"), &format!("n1 to n{nodes}")))
}

fn numbered(name: &str, letter: char) -> Option<u16> {
    let digits = name.strip_prefix(letter)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

fn write_level(name: &str) -> Result<WriteLevel, CommandError> {
    WriteLevel::named(name).ok_or_else(|| level(name, "one, live, quorum, all"))
}

fn level(name: &str, accepted: &str) -> CommandError {
    wrong(&format!("unknown level {name:?}"), accepted)
}

fn split(option: &str) -> Result<(&str, &str), CommandError> {
    option.split_once('=').ok_or_else(|| wrong(&format!("{option:?} has no value"), "name=value"))
}

/// `5`, at least and at most so much.
pub(super) fn number(name: &str, text: &str, least: u64, most: u64) -> Result<u64, CommandError> {
    let parsed = text.parse().ok().filter(|number| (least..=most).contains(number));
    parsed.ok_or_else(|| wrong(&format!("{name}={text}"), &format!("a whole number from {least} to {most}")))
}

fn percent(name: &str, text: &str) -> Result<u8, CommandError> {
    let parsed = text.strip_suffix('%').unwrap_or(text).parse().ok().filter(|percent| *percent <= 100);
    parsed.ok_or_else(|| wrong(&format!("{name}={text}"), "0% to 100%"))
}

/// A time to live that a server takes too.
fn time_to_live(text: &str) -> Result<Duration, CommandError> {
    let parsed = span(text).filter(|span| (Duration::from_millis(1)..=limits::MAX_TTL).contains(span));
    parsed.ok_or_else(|| {
        wrong(
            &format!("ttl takes a span of time, not {text:?}"),
            "1ms to a hundred years, such as 20ms, 5s, 2m, 1h; without a ttl it never expires",
        )
    })
}

/// The span of time that an option or a command of that name takes.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration, CommandError> {
    span(text).ok_or_else(|| wrong(&format!("{name} takes a span of time, not {text:?}"), "500us, 20ms, 5s, 2m, 1h"))
}

/// `1500us`, `20ms`, `5s`, `2m`, `1h`.
fn span(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[end..] {
        "us" => Some(1),
        "ms" => Some(1_000),
        "s" => Some(1_000_000),
        "m" => Some(60_000_000),
        "h" => Some(3_600_000_000),
        _ => None,
    };
    let span = unit.zip(text[..end].parse().ok()).and_then(|(unit, number): (u64, u64)| number.checked_mul(unit));
    span.map(Duration::from_micros)
}

pub(super) fn wrong(what: &str, accepted: &str) -> CommandError {
    CommandError(format!("{what}; accepted: {accepted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Result<Command, &str>) {
        let parsed = parse(line, 3, Network::default());
        match (parsed, expected) {
            (Ok(parsed), Ok(expected)) => assert_eq!(parsed, expected, "{line}"),
            (Err(error), Err(part)) => assert!(error.0.contains(part), "{line}: {error}"),
            (parsed, expected) => panic!("{line}: {parsed:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn lines_are_commands_or_say_why_not() {
        let (n1, n2) = (NodeId(1), NodeId(2));
        let key = || Key::new("k").unwrap();
        let get = |level, node| Command::Ask { client: 1, node, key: key(), verb: Verb::Get(level) };
        check("c1 get k", Ok(get(ReadLevel::Primary, None)));
        check("c1@n2 get k read=one", Ok(get(ReadLevel::One, Some(n2))));
        let verb = Verb::Set {
            value: Bytes::from("v"),
            ttl: Some(Duration::from_secs(5)),
            condition: Condition::Absent,
            level: WriteLevel::Quorum,
        };
        check("c2 set k v ttl=5s write=quorum if=absent", Ok(Command::Ask { client: 2, node: None, key: key(), verb }));
        let verb = Verb::Delete(WriteLevel::All);
        check("c1 del k write=all", Ok(Command::Ask { client: 1, node: None, key: key(), verb }));
        check("n1 crash", Ok(Command::Crash(n1)));
        check("n1 restart", Ok(Command::Restart(n1)));
        check("n2 clock -1s", Ok(Command::Clock(n2, -1_000)));
        check("cut n1 n2", Ok(Command::Cut([(n1, n2), (n2, n1)].to_vec())));
        check("cut n1>n2", Ok(Command::Cut([(n1, n2)].to_vec())));
        check("heal", Ok(Command::HealAll));
        check("isolate n2", Ok(Command::Isolate(n2)));
        check(
            "network loss=5% delay=2ms",
            Ok(Command::Network(Network { loss: 50_000, delay: Duration::from_millis(2), ..Network::default() })),
        );
        check("workload off", Ok(Command::NoWorkload));
        check("workload rate=5 keys=7", Ok(Command::Workload(Workload { rate: 5, keys: 7, ..Workload::default() })));

        check("", Err("empty line"));
        check("dance", Err("unknown command \"dance\""));
        check("n4 crash", Err("there is no node \"n4\"; accepted: n1 to n3"));
        check("n1 sing", Err("a node cannot \"sing\""));
        check("n1 clock 5s", Err("clock takes an offset, not \"5s\"; accepted: n1 clock +200ms"));
        check("n1 clock +5", Err("clock takes an offset, not \"+5\"; accepted: n1 clock +200ms"));
        check("c0 get k", Err("is no client"));
        check("c1 get", Err("names what to do and a key"));
        check("c1 set k", Err("set names a key and a value"));
        check("c1 set k v ttl=0", Err("ttl takes a span of time, not \"0\"; accepted: 1ms to a hundred years"));
        check("c1 set k v ttl=0s", Err("ttl takes a span of time, not \"0s\"; accepted: 1ms to a hundred years"));
        check("c1 set k v ttl=999us", Err("ttl takes a span of time, not \"999us\""));
        check("c1 set k v ttl=", Err("ttl takes a span of time, not \"\""));
        check("c1 set k v ttl=-1s", Err("ttl takes a span of time, not \"-1s\""));
        check("c1 set k v ttl=1e99", Err("ttl takes a span of time, not \"1e99\""));
        check("c1 set k v ttl=876001h", Err("ttl takes a span of time, not \"876001h\""));
        check("c1 set k v ttl=99999999999h", Err("ttl takes a span of time, not \"99999999999h\""));
        check("workload ttl=0s", Err("ttl takes a span of time, not \"0s\"; accepted: 1ms to a hundred years"));
        check("network delay=5", Err("delay takes a span of time, not \"5\"; accepted: 500us"));
        check("network jitter=soon", Err("jitter takes a span of time, not \"soon\"; accepted: 500us"));
        check("c1 set k v write=most", Err("unknown level \"most\"; accepted: one, live, quorum, all"));
        check("cut n1 n1", Err("no link to itself"));
        check("cut n1", Err("two ends"));
        check("network loss=101%", Err("0% to 100%"));
        check("workload keys=0", Err("a whole number from 1"));
        check("workload writes=90% deletes=20%", Err("more than 100%"));
    }
}
