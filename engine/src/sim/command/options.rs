//! What stands behind a command's name: numbers, spans of time, shares, and the options made of them.

use alloc::format;
use core::ops::RangeInclusive;
use core::time::Duration;

use super::{CommandError, Span, wrong};
use crate::limits;
use crate::request::{ReadLevel, WriteLevel};
use crate::sim::fault::{Fault, Faults};
use crate::sim::network::Network;
use crate::sim::workload::{Shape, Workload};

pub(super) fn workload_option(mut workload: Workload, option: &&str) -> Result<Workload, CommandError> {
    let (name, value) = split(option)?;
    match name {
        "shape" => {
            let named = Shape::ALL.into_iter().find(|shape| shape.name() == value);
            let accepted = "zipf, uniform, scan, hot, mixed";
            workload.shape = named.ok_or_else(|| wrong(&format!("unknown shape {value:?}"), accepted))?;
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
        "storm" => match value {
            "on" => workload.storm = true,
            "off" => workload.storm = false,
            _ => return Err(wrong(&format!("storm={value}"), "on, off")),
        },
        "counters" => workload.counters = percent(name, value)?,
        "big" => workload.big = percent(name, value)?,
        "retries" => workload.retries = number(name, value, 0, 100)? as u8,
        "write" => workload.write_level = if value == "any" { None } else { Some(write_level(value)?) },
        "read" => {
            let named = || ReadLevel::named(value).ok_or_else(|| level(value, "primary, one, quorum, any"));
            workload.read_level = if value == "any" { None } else { Some(named()?) };
        }
        _ => {
            let accepted = "shape, keys, rate, writes, deletes, expiring, conditional, ttl, storm, value, big, \
                 retries, clients, write, read, counters";
            return Err(wrong(&format!("a workload has no {name:?}"), accepted));
        }
    }
    if workload.writes + workload.deletes > 100 {
        return Err(wrong("writes and deletes make more than 100%", "writes=20% deletes=2%"));
    }
    Ok(workload)
}

pub(super) fn network_option(mut network: Network, option: &&str) -> Result<Network, CommandError> {
    let (name, value) = split(option)?;
    match name {
        "delay" => network.delay = duration(name, value, Duration::ZERO..=limits::MAX_TIMEOUT)?,
        "jitter" => network.jitter = duration(name, value, Duration::ZERO..=limits::MAX_TIMEOUT)?,
        "loss" => network.loss = per_million(name, value)?,
        "duplicate" => network.duplicate = per_million(name, value)?,
        "capacity" if value == "off" => network.capacity = None,
        "capacity" => network.capacity = Some(number(name, value, 1, 1_000_000)? as u32),
        _ => {
            let accepted = "delay=1ms, jitter=200us, loss=5%, duplicate=1%, capacity=20, capacity=off";
            return Err(wrong(&format!("a network has no {name:?}"), accepted));
        }
    }
    Ok(network)
}

/// One kind of fault and its mean time, or how often a node crashes while it writes.
pub(super) fn faults_option(mut faults: Faults, option: &&str) -> Result<Faults, CommandError> {
    let (name, value) = split(option)?;
    if name == "crash-writing" {
        faults.crash_writing = per_million(name, value)?;
        return Ok(faults);
    }
    let Some(fault) = Fault::ALL.into_iter().find(|fault| fault.name() == name) else {
        let accepted = "crash, restart, pause, resume, rolling, cut, isolate, sides, heal, clog, swizzle, clock, \
             drift, strobe, partial, churn, forget, wipe, disk, damage, save, each with a mean time as in crash=10s; \
             crash-writing=1%; off";
        return Err(wrong(&format!("there is no fault {name:?}"), accepted));
    };
    Ok(faults.with(fault, Some(duration(name, value, A_MILLISECOND..=A_DAY)?)))
}

/// `5%` or `0.25%`, of a million.
fn per_million(name: &str, text: &str) -> Result<u32, CommandError> {
    let (whole, part) =
        text.strip_suffix('%').unwrap_or(text).split_once('.').unwrap_or((text.trim_end_matches('%'), ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = (digits(part) && part.len() <= 4)
        .then(|| {
            let part = format!("{part:0<4}").parse::<u32>().ok()?;
            whole.parse::<u32>().ok()?.checked_mul(10_000)?.checked_add(part)
        })
        .flatten()
        .filter(|share| *share <= 1_000_000);
    parsed.ok_or_else(|| wrong(&format!("{name}={text}"), "0% to 100%"))
}

pub(super) fn write_level(name: &str) -> Result<WriteLevel, CommandError> {
    WriteLevel::named(name).ok_or_else(|| level(name, "one, live, quorum, all"))
}

pub(super) fn level(name: &str, accepted: &str) -> CommandError {
    wrong(&format!("unknown level {name:?}"), accepted)
}

fn split(option: &str) -> Result<(&str, &str), CommandError> {
    option.split_once('=').ok_or_else(|| wrong(&format!("{option:?} has no value"), "name=value"))
}

/// `5`, at least and at most so much.
pub(in crate::sim) fn number(name: &str, text: &str, least: u64, most: u64) -> Result<u64, CommandError> {
    let parsed = text.parse().ok().filter(|number| (least..=most).contains(number));
    parsed.ok_or_else(|| wrong(&format!("{name}={text}"), &format!("a whole number from {least} to {most}")))
}

fn percent(name: &str, text: &str) -> Result<u8, CommandError> {
    let parsed = text.strip_suffix('%').unwrap_or(text).parse().ok().filter(|percent| *percent <= 100);
    parsed.ok_or_else(|| wrong(&format!("{name}={text}"), "0% to 100%"))
}

/// A time to live that a server takes too.
pub(super) fn time_to_live(text: &str) -> Result<Duration, CommandError> {
    let parsed = span(text).filter(|span| (Duration::from_millis(1)..=limits::MAX_TTL).contains(span));
    parsed.ok_or_else(|| {
        wrong(
            &format!("ttl takes a span of time, not {text:?}"),
            "1ms to a hundred years, such as 20ms, 5s, 2m, 1h; without a ttl it never expires",
        )
    })
}

/// The span of time that an option or a command of that name takes, within that range.
pub(in crate::sim) fn duration(
    name: &str,
    text: &str,
    range: RangeInclusive<Duration>,
) -> Result<Duration, CommandError> {
    span(text).filter(|span| range.contains(span)).ok_or_else(|| {
        let accepted = format!("{} to {}, such as 500us, 20ms, 5s", Span(*range.start()), Span(*range.end()));
        wrong(&format!("{name} takes a span of time, not {text:?}"), &accepted)
    })
}

/// The shortest span between two things that happen again and again.
pub(in crate::sim) const A_MILLISECOND: Duration = Duration::from_millis(1);
/// The longest span that one line may take, or wait for.
pub(in crate::sim) const A_DAY: Duration = Duration::from_secs(86_400);

/// `1500us`, `20ms`, `5s`, `2m`, `1h`.
pub(super) fn span(text: &str) -> Option<Duration> {
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
