//! What a person types at a world: one command a line.
//!
//! ```text
//! c1 set k v ttl=5s write=quorum if=absent     c1@n2 get k read=one     c1 del k
//! c1 incr k      c1 incr k -5 write=all           c1 touch k ttl=5s               c1 touch k ttl=none
//! join           join weight=2 zone=b             n1 leave        n1 leave force    n1 drain       n1 weight 2
//! n1 zone b
//! n1 crash       n1 restart       pause n1         resume n1      rolling 2s
//! n1 wipe        n1 forget k      n1 save
//! disk n1 fails  (or full, slow, lies, rots, misdirects, unreadable, heals)
//! n1 clock +200ms      n1 drift +500ppm      n1 strobe +50ms 200ms      n1 strobe off
//! cut n1 n2      cut n1>n2        isolate n1       sides n1 n2    heal       heal n1 n2
//! clog n1 n2     clog n1>n2       clog n1          unclog         unclog n1  swizzle 3s
//! network delay=1ms jitter=200us loss=5% duplicate=1% capacity=20
//! workload shape=zipf keys=200 rate=500 writes=20% deletes=2% expiring=20% ttl=10s value=64       workload off
//! faults crash=10s restart=2s pause=15s resume=1s crash-writing=0.1%      faults off
//! core n1 n3     peace            verdict
//! ```
//!
//! A node that crashes loses its memory and keeps the map, one that is wiped loses both; one that is paused handles
//! nothing, while its clocks run on and its inputs queue up. A link that is cut loses what is sent; one that is clogged
//! holds it up. `sides` cuts the nodes named from all others, `swizzle` clogs half of the nodes one after the other and
//! unclogs them in another order, `rolling` restarts every node in turn. `disk` says what becomes of the disk of a node
//! that writes a log. `faults` gives each kind of fault a mean time
//! between two of it; `core` ends them and mends these nodes and the links between them for good, `peace` mends
//! everything, and `verdict` says that all must have ended.

mod options;
mod print;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::Bytes;

pub(super) use self::options::{A_DAY, A_MILLISECOND, duration, number};
use self::options::{level, span, time_to_live, write_level};
pub use self::print::Span;
use super::client::Verb;
use super::fault::{DiskFault, Faults};
use super::network::{Link, Network};
use super::workload::Workload;
use crate::id::NodeId;
use crate::limits;
use crate::request::{Condition, Key, ReadLevel, WriteLevel};

/// One command.
#[expect(clippy::large_enum_variant, reason = "there are few of them, and most of those that chance gives are small")]
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
    /// A node that is down starts with nothing but the map.
    Restart(NodeId),
    /// A node loses its memory and its disk, and stops.
    Wipe(NodeId),
    /// A node forgets a key, as if there were no room for it.
    Forget(NodeId, Key),
    /// A node takes a snapshot, where nodes write a log.
    Save(NodeId),
    /// Another machine is to be a member, with that share of the slots, and in that zone: where it is empty, in the one
    /// whose turn it is.
    Join(u32, String),
    /// A member is to be none any more, once what it has is kept by others; by force, where it does not answer, also
    /// when that gives up what it alone has.
    Leave(NodeId, bool),
    /// A member is to have that share of the slots; with 0 it keeps none.
    Weigh(NodeId, u32),
    /// A member is said to stand in that zone.
    Zone(NodeId, String),
    /// A node handles nothing from now on: its clocks run, and its inputs queue up as in sockets.
    Pause(NodeId),
    /// A node that was paused goes on, with all that has queued up.
    Resume(NodeId),
    /// Every node in turn crashes, is down for that long, and starts again.
    Rolling(Duration),
    /// That happens to a node's disk; nothing where nodes write no log.
    Disk(NodeId, DiskFault),
    /// A node's wall clock is that far from the truth, in milliseconds, and goes right from there.
    Clock(NodeId, i64),
    /// A node's wall clock gains so much in a million, up to the edge of the skew.
    Drift(NodeId, i32),
    /// A node's wall clock jumps by so many milliseconds and back, staying for that long; or does so no more.
    Strobe(NodeId, Option<(i64, Duration)>),
    /// Ways between nodes are cut.
    Cut(Vec<Link>),
    /// A node is cut off from every other, both ways.
    Isolate(NodeId),
    /// These nodes are cut off from all others, both ways.
    Sides(Vec<NodeId>),
    /// Ways between nodes are mended.
    Heal(Vec<Link>),
    /// Every way is mended.
    HealAll,
    /// What is sent on these ways is held up.
    Clog(Vec<Link>),
    /// It is held up no longer.
    Unclog(Vec<Link>),
    /// Nothing is held up any longer.
    UnclogAll,
    /// Half of the nodes are clogged one after the other, and unclogged in another order, within that span.
    Swizzle(Duration),
    /// Messages travel like this from now on.
    Network(Network),
    /// Load begins, replacing any other.
    Workload(Workload),
    /// Load ends.
    NoWorkload,
    /// Faults strike at random from now on, at these rates.
    Faults(Faults),
    /// No more faults strike; what is broken stays so.
    NoFaults,
    /// No more faults strike, and these nodes run and reach each other; the others stay as they are.
    Core(Vec<NodeId>),
    /// No more faults: everything runs and is connected.
    Peace,
    /// Time was enough: nothing may be under way any longer, and what must be true in the end is checked.
    Verdict,
}

impl Command {
    /// The nodes that it names.
    pub fn nodes(&self) -> Vec<NodeId> {
        match self {
            Command::Ask { node, .. } => node.iter().copied().collect(),
            Command::Crash(node)
            | Command::Restart(node)
            | Command::Wipe(node)
            | Command::Forget(node, _)
            | Command::Save(node)
            | Command::Leave(node, _)
            | Command::Weigh(node, _)
            | Command::Zone(node, _)
            | Command::Pause(node)
            | Command::Resume(node)
            | Command::Disk(node, _)
            | Command::Clock(node, _)
            | Command::Drift(node, _)
            | Command::Strobe(node, _)
            | Command::Isolate(node) => [*node].to_vec(),
            Command::Sides(nodes) | Command::Core(nodes) => nodes.clone(),
            Command::Cut(ways) | Command::Heal(ways) | Command::Clog(ways) | Command::Unclog(ways) => {
                ways.iter().flat_map(|(from, to)| [*from, *to]).collect()
            }
            Command::Join(..)
            | Command::Rolling(_)
            | Command::HealAll
            | Command::UnclogAll
            | Command::Swizzle(_)
            | Command::Network(_)
            | Command::Workload(_)
            | Command::NoWorkload
            | Command::Faults(_)
            | Command::NoFaults
            | Command::Peace
            | Command::Verdict => Vec::new(),
        }
    }
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
        "pause" => one_node("pause", rest, nodes).map(Command::Pause),
        "resume" => one_node("resume", rest, nodes).map(Command::Resume),
        "rolling" => one_span("rolling", rest).map(Command::Rolling),
        "swizzle" => one_span("swizzle", rest).map(Command::Swizzle),
        "join" => join(rest),
        "cut" => Ok(Command::Cut(ways(rest, nodes)?)),
        "clog" => Ok(Command::Clog(clogged(rest, nodes)?)),
        "unclog" if rest.is_empty() => Ok(Command::UnclogAll),
        "unclog" => Ok(Command::Unclog(clogged(rest, nodes)?)),
        "disk" => disk(rest, nodes),
        "sides" => some_nodes("sides", rest, nodes).map(Command::Sides),
        "core" => some_nodes("core", rest, nodes).map(Command::Core),
        "peace" if rest.is_empty() => Ok(Command::Peace),
        "verdict" if rest.is_empty() => Ok(Command::Verdict),
        "faults" if rest == ["off"] => Ok(Command::NoFaults),
        "faults" => rest.iter().try_fold(Faults::default(), options::faults_option).map(Command::Faults),
        "heal" if rest.is_empty() => Ok(Command::HealAll),
        "heal" => Ok(Command::Heal(ways(rest, nodes)?)),
        "isolate" => one_node("isolate", rest, nodes).map(Command::Isolate),
        "network" => rest.iter().try_fold(network, options::network_option).map(Command::Network),
        "workload" if rest == ["off"] => Ok(Command::NoWorkload),
        "workload" => rest.iter().try_fold(Workload::default(), options::workload_option).map(Command::Workload),
        name if numbered(name, 'n').is_some() => on_node(node(name, nodes)?, rest),
        name if name.starts_with('c') => ask(name, rest, nodes),
        name => Err(wrong(&format!("unknown command {name:?}"), ACCEPTED)),
    }
}

const ACCEPTED: &str = "c1 set k v, c1@n2 get k, c1 del k, c1 incr k, c1 touch k ttl=5s, n1 crash, n1 wipe, \
     n1 restart, n1 forget k, n1 save, join, n1 leave, n1 leave force, \
     n1 drain, n1 weight 2, n1 zone b, n1 clock +200ms, n1 drift +500ppm, \
     n1 strobe +50ms 200ms, pause n1, resume n1, disk n1 fails, rolling 2s, cut n1 n2, \
     cut n1>n2, isolate n1, sides n1 n2, heal, \
     clog n1 n2, clog n1, unclog, swizzle 3s, network loss=5%, workload rate=100, workload off, faults crash=10s, \
     faults off, core n1 n2, peace, verdict";

const MAX_WEIGHT: u64 = limits::MAX_WEIGHT as u64;

/// `join`, or `join weight=2 zone=b`.
fn join(rest: &[&str]) -> Result<Command, CommandError> {
    let (mut weight, mut zone) = (1, String::new());
    for option in rest {
        match option.split_once('=') {
            Some(("weight", text)) => weight = number("weight", text, 1, MAX_WEIGHT)? as u32,
            Some(("zone", text)) if !text.is_empty() && text.len() <= limits::MAX_NAME => zone = text.to_string(),
            _ => return Err(wrong(&format!("join takes no {option:?}"), "join, join weight=2, join zone=b")),
        }
    }
    Ok(Command::Join(weight, zone))
}

/// `disk n1 fails`.
fn disk(rest: &[&str], nodes: u16) -> Result<Command, CommandError> {
    let accepted = "disk n1 fails, full, slow, lies, rots, misdirects, unreadable, heals";
    let [name, fault] = rest else {
        return Err(wrong("disk names a node and what becomes of its disk", accepted));
    };
    let named = DiskFault::ALL.into_iter().find(|known| known.name() == *fault);
    let fault = named.ok_or_else(|| wrong(&format!("a disk cannot do {fault:?}"), accepted))?;
    Ok(Command::Disk(node(name, nodes)?, fault))
}

fn on_node(node: NodeId, rest: &[&str]) -> Result<Command, CommandError> {
    match rest {
        ["crash"] => Ok(Command::Crash(node)),
        ["restart"] => Ok(Command::Restart(node)),
        ["wipe"] => Ok(Command::Wipe(node)),
        ["save"] => Ok(Command::Save(node)),
        ["forget", key] => {
            let key = Key::new(key.as_bytes().to_vec()).map_err(|error| CommandError(error.to_string()))?;
            Ok(Command::Forget(node, key))
        }
        ["leave"] => Ok(Command::Leave(node, false)),
        ["leave", "force"] => Ok(Command::Leave(node, true)),
        ["drain"] => Ok(Command::Weigh(node, 0)),
        ["weight", weight] => number("weight", weight, 0, MAX_WEIGHT).map(|weight| Command::Weigh(node, weight as u32)),
        ["zone", zone] if zone.len() <= limits::MAX_NAME => Ok(Command::Zone(node, zone.to_string())),
        ["clock", offset] => Ok(Command::Clock(node, signed("clock", offset)?)),
        ["drift", "off"] => Ok(Command::Drift(node, 0)),
        ["drift", rate] => {
            let parsed = rate.strip_suffix("ppm").and_then(|rate| rate.parse::<i32>().ok());
            let rate = parsed.filter(|rate| rate.unsigned_abs() <= 1_000_000);
            let failed =
                || wrong(&format!("drift takes parts per million, not {rate:?}"), "n1 drift +500ppm, n1 drift off");
            Ok(Command::Drift(node, rate.ok_or_else(failed)?))
        }
        ["strobe", "off"] => Ok(Command::Strobe(node, None)),
        ["strobe", by, every] => {
            let every = duration("strobe", every, A_MILLISECOND..=A_DAY)?;
            Ok(Command::Strobe(node, Some((signed("strobe", by)?, every))))
        }
        _ => {
            let accepted = "n1 crash, n1 wipe, n1 restart, n1 forget k, n1 save, n1 leave, n1 leave force, \
                n1 drain, n1 weight 2, n1 zone b, n1 clock +200ms, n1 drift +500ppm, n1 strobe +50ms 200ms";
            Err(wrong(&format!("a node cannot {:?}", rest.join(" ")), accepted))
        }
    }
}

/// `+200ms` or `-1s`, in milliseconds: a wall clock has whole ones, and half of one is not taken for none.
fn signed(name: &str, text: &str) -> Result<i64, CommandError> {
    let signed = match text.split_at_checked(1) {
        Some(("+", text)) => Some((1, text)),
        Some(("-", text)) => Some((-1, text)),
        _ => None,
    };
    let whole = |span: &Duration| span.subsec_micros().is_multiple_of(1_000) && *span <= limits::MAX_TTL;
    let read = signed.and_then(|(sign, text)| Some((sign, span(text).filter(whole)?)));
    let (sign, span) = read.ok_or_else(|| {
        let accepted = format!("whole milliseconds up to a hundred years: n1 {name} +200ms, n1 {name} -1s");
        wrong(&format!("{name} takes an offset, not {text:?}"), &accepted)
    })?;
    Ok(sign * span.as_millis() as i64)
}

fn one_node(command: &str, rest: &[&str], nodes: u16) -> Result<NodeId, CommandError> {
    match rest {
        [name] => node(name, nodes),
        _ => Err(wrong(&format!("{command} names one node"), &format!("{command} n1"))),
    }
}

fn some_nodes(command: &str, rest: &[&str], nodes: u16) -> Result<Vec<NodeId>, CommandError> {
    match rest {
        [] => Err(wrong(&format!("{command} names nodes"), &format!("{command} n1 n2"))),
        names => names.iter().map(|name| node(name, nodes)).collect(),
    }
}

fn one_span(command: &str, rest: &[&str]) -> Result<Duration, CommandError> {
    match rest {
        [text] => duration(command, text, Duration::ZERO..=A_DAY),
        _ => Err(wrong(&format!("{command} takes one span of time"), &format!("{command} 2s"))),
    }
}

/// As [`ways`], or one node alone: all of its links.
fn clogged(rest: &[&str], nodes: u16) -> Result<Vec<Link>, CommandError> {
    match rest {
        [name] if !name.contains('>') => {
            let one = node(name, nodes)?;
            let others = (1..=nodes).map(NodeId).filter(|other| *other != one);
            Ok(others.flat_map(|other| [(one, other), (other, one)]).collect())
        }
        rest => ways(rest, nodes),
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
        return Err(wrong(
            "a client's command names what to do and a key",
            "c1 get k, c1 set k v, c1 del k, c1 incr k",
        ));
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
        "incr" => increment(options)?,
        "touch" => touch(options)?,
        verb => return Err(wrong(&format!("a client cannot {verb:?}"), "get, set, del, incr, touch")),
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

/// By 1, or by what comes first.
fn increment(words: &[&str]) -> Result<Verb, CommandError> {
    let (mut by, mut level) = (1, WriteLevel::Live);
    for (place, word) in words.iter().enumerate() {
        match (word.split_once('='), word.parse()) {
            (Some(("write", name)), _) => level = write_level(name)?,
            (None, Ok(number)) if place == 0 => by = number,
            _ => return Err(wrong(&format!("incr takes no {word:?}"), "a whole number of 64 bits, then write=live")),
        }
    }
    Ok(Verb::Increment { by, level })
}

fn touch(options: &[&str]) -> Result<Verb, CommandError> {
    let (mut ttl, mut level) = (None, WriteLevel::Live);
    for option in options {
        match option.split_once('=') {
            Some(("ttl", "none")) => ttl = Some(None),
            Some(("ttl", text)) => ttl = Some(Some(time_to_live(text)?)),
            Some(("write", name)) => level = write_level(name)?,
            _ => return Err(wrong(&format!("touch takes no {option:?}"), "ttl=5s, ttl=none, write=live")),
        }
    }
    let ttl = ttl.ok_or_else(|| wrong("touch says how long the entry lives", "ttl=5s, ttl=none"))?;
    Ok(Verb::Touch { ttl, level })
}

/// Links one after the other, `n1>n2 n3>n1`, each one way; or `n1 n2`, both ways.
fn ways(words: &[&str], nodes: u16) -> Result<Vec<Link>, CommandError> {
    const ACCEPTED: &str = "n1 n2 (both ways), n1>n2 (one way, and more of them)";
    let one_way = |word: &&str| {
        let (from, to) = word.split_once('>').ok_or_else(|| wrong("a link has two ends", ACCEPTED))?;
        Ok((node(from, nodes)?, node(to, nodes)?))
    };
    let links = match words {
        [] => return Err(wrong("a link has two ends", ACCEPTED)),
        [a, b] if !a.contains('>') && !b.contains('>') => {
            let (a, b) = (node(a, nodes)?, node(b, nodes)?);
            [(a, b), (b, a)].to_vec()
        }
        words => words.iter().map(one_way).collect::<Result<Vec<_>, _>>()?,
    };
    match links.iter().any(|(from, to)| from == to) {
        true => Err(wrong("a node has no link to itself", ACCEPTED)),
        false => Ok(links),
    }
}

pub(super) fn node(name: &str, nodes: u16) -> Result<NodeId, CommandError> {
    let number = numbered(name, 'n').filter(|number| (1..=nodes).contains(number));
    number.map(NodeId).ok_or_else(|| wrong(&format!("there is no node {name:?}"), &format!("n1 to n{nodes}")))
}

pub(super) fn numbered(name: &str, letter: char) -> Option<u16> {
    let digits = name.strip_prefix(letter)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

pub(super) fn wrong(what: &str, accepted: &str) -> CommandError {
    CommandError(format!("{what}; accepted: {accepted}"))
}

#[cfg(test)]
mod tests;
