//! A world as flat arrays: what the page draws. Moments are simulated microseconds; places are numbers of nodes, or -1
//! for the clients; what is not there is NaN.

use vitrine_engine::effect::Event;
use vitrine_engine::id::{NodeId, SLOTS, Slot, Version};
use vitrine_engine::map::Phase;
use vitrine_engine::node::Node;
use vitrine_engine::request::{Holding, Key};
use vitrine_engine::sim::{Cargo, DiskFault, DiskNote, Flight, Machine, Place, TraceEvent, What, World};
use vitrine_engine::store::{Cause, EntryRef, Store};
use vitrine_engine::time::UnixMs;
use vitrine_engine::view::View;

/// Messages that are drawn at most.
const MOST_FLIGHTS: usize = 2_000;
/// Messages whose keys can be read at the same time.
const MOST_LABELS: usize = 40;
/// Characters of a key that are shown.
const MOST_TEXT: usize = 200;

/// Now, and how many messages fly; then of each of the first 2,000: id, from, to, kind, slot or -1, sent, arrives.
///
/// Kinds count up from 0: request, reply, forward, answer, replicate, replicated, fetch, fetched, ping, pong.
pub fn flights(world: &World) -> Vec<f64> {
    let shown = shown(world).take(MOST_FLIGHTS).flat_map(|flight| {
        let slot = key_or_slot(flight).1.map_or(-1.0, |slot| f64::from(slot.number()));
        let (from, to) = (place(flight.from), place(flight.to));
        [flight.id as f64, from, to, f64::from(kind(flight)), slot, flight.sent.0 as f64, flight.arrives.0 as f64]
    });
    [world.now().0 as f64, world.flights().count() as f64].into_iter().chain(shown).collect()
}

/// The keys of the same messages, empty where there is none; nothing at all when too many fly to be read.
pub fn flight_labels(world: &World) -> Vec<String> {
    if world.flights().take(MOST_LABELS + 1).count() > MOST_LABELS {
        return Vec::new();
    }
    shown(world).map(|flight| key_or_slot(flight).0.map_or_else(String::new, |key| text(key.as_bytes()))).collect()
}

/// Of each node that has not left 15 numbers: id, up, entries, their limit or 0, bytes, their limit or 0, hits, misses,
/// evictions, expirations, slots that it answers for, the members that it suspects as a set of bits, n1 the lowest,
/// its weight, whether it is on its way out, and whether others stand in for it: 1 when they do, 2 when they are about
/// to, 3 when it is about to have its slots back.
pub fn nodes(world: &World) -> Vec<f64> {
    let acting = witness(world);
    let mut primary_slots = vec![0_u32; world.machines().len() + 1];
    for node in Slot::all().filter_map(|slot| acting?.primary(slot)) {
        // One that the map has taken in answers for slots before its machine has come.
        if let Some(slots) = primary_slots.get_mut(usize::from(node.0)) {
            *slots += 1;
        }
    }
    let of = |machine: &Machine| {
        let limits = world.config().limits;
        let (entries, bytes, counters) = machine.node().map_or_else(Default::default, |node| {
            let stores = node.shards().iter().map(|shard| shard.store());
            let (entries, bytes) = stores.fold((0, 0), |(n, b), store| (n + store.len(), b + store.bytes()));
            (entries, bytes, node.counters())
        });
        let suspects: u32 = machine.node().map_or(0, |node| {
            let suspected = world.machines().iter().filter(|other| !node.view().is_alive(other.id()));
            suspected.fold(0, |bits, other| bits | 1_u32 << ((other.id().0 - 1) % 32))
        });
        let member = world.map().member(machine.id());
        [
            f64::from(machine.id().0),
            f64::from(u8::from(machine.node().is_some())),
            f64::from(entries),
            f64::from(limits.entries.unwrap_or(0)),
            bytes as f64,
            limits.bytes.unwrap_or(0) as f64,
            counters.hits as f64,
            counters.misses as f64,
            (counters.evicted_entries + counters.evicted_bytes) as f64,
            counters.expired as f64,
            f64::from(primary_slots[usize::from(machine.id().0)]),
            f64::from(suspects),
            f64::from(member.map_or(0, |member| member.weight)),
            f64::from(u8::from(member.is_some_and(|member| member.leaving))),
            member.map_or(0.0, |member| match (member.was_away, member.away) {
                (false, false) => 0.0,
                (true, true) => 1.0,
                (false, true) => 2.0,
                (true, false) => 3.0,
            }),
        ]
    };
    world.machines().iter().filter(|machine| !machine.has_left()).flat_map(of).collect()
}

/// The newest map: its edition, how far the change has come (0 is done, 1 is filling, 2 is handing over), copies of
/// each slot when nothing moves, and changes that were asked for and have not begun.
pub fn map(world: &World) -> Vec<f64> {
    let map = world.map();
    let phase = match map.phase {
        Phase::Steady => 0.0,
        Phase::Filling => 1.0,
        Phase::Handing => 2.0,
    };
    let copies = usize::from(map.replicas).min(map.members.len());
    let waiting = world.wanted().iter().filter(|wish| !map.grants(wish)).count();
    vec![map.epoch.0 as f64, phase, copies as f64, waiting as f64]
}

/// Of each node the most recently used entries and the next to be evicted, 7 numbers each: node, rank (0 is the most
/// recent), milliseconds to its expiry, bytes, and its version as milliseconds, counter and node.
pub fn rows(world: &World, head: u32, tail: u32) -> Vec<f64> {
    let mut numbers = Vec::new();
    each_row(world, head, tail, &mut |machine, rank, now, key, entry| {
        let (value, media) = (entry.value.len(), entry.media.len());
        let bytes = Store::entry_bytes(key.len(), value, media, entry.deadline.is_some());
        numbers.extend([f64::from(machine.0), f64::from(rank), left(entry.deadline, now), bytes as f64]);
        numbers.extend(parts(entry.version));
    });
    numbers
}

/// The keys of the same rows.
pub fn row_keys(world: &World, head: u32, tail: u32) -> Vec<String> {
    let mut keys = Vec::new();
    each_row(world, head, tail, &mut |_, _, _, key, _| keys.push(text(key)));
    keys
}

/// Of each event 3 numbers: number, moment, place.
pub fn log(events: &[&TraceEvent]) -> Vec<f64> {
    events.iter().flat_map(|event| [event.seq as f64, event.at.0 as f64, happened(&event.what).0]).collect()
}

/// Of each event 3 texts: kind, key or nothing, words.
pub fn log_words(events: &[&TraceEvent]) -> Vec<String> {
    let of = |event: &&TraceEvent| {
        let (_, kind, key) = happened(&event.what);
        [kind.into(), key.map_or_else(String::new, |key| text(key.as_bytes())), event.what.to_string()]
    };
    events.iter().flat_map(of).collect()
}

/// For each slot its owners, the preferred primary first: as many for each as the slot with the most has, -1 for
/// nobody. Slots on their way have their new owners after the old ones.
pub fn owners(world: &World) -> Vec<i16> {
    let Some(view) = witness(world) else { return Vec::new() };
    let most = Slot::all().map(|slot| view.replicas(slot).len()).max().unwrap_or(0);
    let of = |slot| view.replicas(slot).iter().map(|node| node.0 as i16).chain(core::iter::repeat(-1)).take(most);
    Slot::all().flat_map(of).collect()
}

/// For each slot the node that answers for it, as the nodes that are up see it; -1 when nobody does.
pub fn primaries(world: &World) -> Vec<i16> {
    let Some(view) = witness(world) else { return vec![-1; usize::from(SLOTS)] };
    Slot::all().map(|slot| view.primary(slot).map_or(-1, |node| node.0 as i16)).collect()
}

/// Where a key lives: its slot and who answers for it or -1; then of each replica 8 numbers: node, up, has it, its
/// version as milliseconds, counter and node, milliseconds to its expiry, entries that would be evicted before it.
/// Empty for no key.
pub fn explain(world: &World, key: &str) -> Vec<f64> {
    let Ok(key) = Key::new(key.as_bytes().to_vec()) else { return Vec::new() };
    let slot = key.slot();
    let Some(view) = witness(world) else { return vec![f64::from(slot.number()), -1.0] };
    let primary = view.primary(slot).map_or(-1.0, |node| f64::from(node.0));
    let mut numbers = vec![f64::from(slot.number()), primary];
    for replica in view.replicas(slot) {
        let Some(machine) = world.machines().iter().find(|machine| machine.id() == *replica) else { continue };
        let held = machine.node().and_then(|node| holding(node, &key, machine.unix(world.now())));
        let version = held.and_then(|held| held.version);
        let deadline = held.and_then(|held| held.deadline);
        let rank = held.and_then(|held| held.rank).map_or(f64::NAN, f64::from);
        numbers.extend([f64::from(replica.0), f64::from(u8::from(machine.node().is_some()))]);
        numbers.push(f64::from(u8::from(version.is_some())));
        numbers.extend(version.map_or([f64::NAN; 3], parts));
        numbers.extend([left(deadline, machine.unix(world.now())), rank]);
    }
    numbers
}

/// Counts the placements that the page has seen: how often nodes started, stopped, or changed their view.
#[derive(Default)]
pub struct Edition {
    number: u32,
    seen: Vec<(u16, u32, Option<u64>)>,
}

impl Edition {
    /// A number that is another one when the placement may be.
    pub fn of(&mut self, world: &World) -> u32 {
        let state =
            |machine: &Machine| (machine.id().0, machine.boots(), machine.node().map(|node| node.view().generation));
        let now: Vec<_> = world.machines().iter().map(state).collect();
        if now != self.seen {
            self.number += 1;
            self.seen = now;
        }
        self.number
    }
}

/// What asks and answers first, then the heartbeats: of too many, those are left out.
fn shown(world: &World) -> impl Iterator<Item = &Flight> {
    let beats = |flight: &&Flight| kind(flight) >= PING;
    world.flights().filter(move |flight| !beats(flight)).chain(world.flights().filter(beats))
}

/// The view that most of the nodes that are up share, of those with the newest map; of equal ones, the lowest node's.
fn witness(world: &World) -> Option<&View> {
    let all = || world.machines().iter().filter_map(|m| Some(&**m.node()?.view()));
    let newest = all().map(|view| view.map.edition()).max()?;
    let views: Vec<&View> = all().filter(|view| view.map.edition() == newest).collect();
    let agrees = |a: &View, b: &View| a.map.members.iter().all(|m| a.is_alive(m.id) == b.is_alive(m.id));
    let votes = |view: &View| views.iter().filter(|other| agrees(view, other)).count();
    views.iter().rev().max_by_key(|view| votes(view)).copied()
}

fn holding(node: &Node, key: &Key, now: UnixMs) -> Option<Holding> {
    node.shards().iter().find_map(|shard| {
        let store = shard.store();
        let hash = store.hash(key.as_bytes());
        let entry = store.peek(now, hash, key.as_bytes())?;
        let rank = store.rank(hash, key.as_bytes(), Holding::RANKED);
        Some(Holding { version: Some(entry.version), deadline: entry.deadline, rank, ..Holding::default() })
    })
}

fn each_row(world: &World, head: u32, tail: u32, each: &mut impl FnMut(NodeId, u32, UnixMs, &[u8], EntryRef<'_>)) {
    for machine in world.machines() {
        let (id, now) = (machine.id(), machine.unix(world.now()));
        // The simulator gives every node one stripe: one order of recency.
        let Some(store) = machine.node().and_then(|node| node.shards().first()).map(|shard| shard.store()) else {
            continue;
        };
        let many = store.len();
        for (rank, (key, entry)) in (0..many.min(head)).zip(store.by_recency()) {
            each(id, rank, now, key, entry);
        }
        let last: Vec<_> = store.oldest_first().take(many.saturating_sub(head).min(tail) as usize).collect();
        for (before, (key, entry)) in (1..=last.len() as u32).rev().zip(last.into_iter().rev()) {
            each(id, many - before, now, key, entry);
        }
    }
}

/// Where an event happened, what kind it is, and the key that it is about.
pub fn happened(what: &What) -> (f64, &'static str, Option<&Key>) {
    let at = |node: &NodeId| f64::from(node.0);
    match what {
        What::Asked(ask) => (CLIENTS, "asked", Some(&ask.key)),
        What::Told { key, .. } => (CLIENTS, "told", Some(key)),
        What::Delivered { to, kind, key, .. } => (at(to), kind, key.as_ref()),
        What::Relayed { by, kind, key, .. } => (at(by), kind, key.as_ref()),
        What::Dropped { from, kind, .. } => (place(*from), kind, None),
        What::Crashed(node) => (at(node), "crashed", None),
        What::Started(node) => (at(node), "started", None),
        What::Recovered { node, .. } => (at(node), "recovered", None),
        What::Disk(node, note) => (at(node), disk(*note), None),
        What::Left(node) => (at(node), "left", None),
        What::Denied { by, .. } => (at(by), "denied", None),
        What::Paused(node) => (at(node), "paused", None),
        What::Resumed(node) => (at(node), "resumed", None),
        What::Clogged(from, _) => (at(from), "clogged", None),
        What::Unclogged(from, _) => (at(from), "unclogged", None),
        What::Cut(from, _) => (at(from), "cut", None),
        What::Healed(from, _) => (at(from), "healed", None),
        What::Clock(node, 0) => (at(node), "clock right", None),
        What::Clock(node, _) => (at(node), "clock", None),
        What::Violated(_) => (CLIENTS, "violation", None),
        What::Node { node, event } => match event {
            Event::Applied { key, removed: false, .. } => (at(node), "stored", Some(key)),
            Event::Applied { key, removed: true, .. } => (at(node), "removed", Some(key)),
            Event::Refused { key, .. } => (at(node), "refused", Some(key)),
            Event::Dropped { key, cause: Cause::Expired, .. } => (at(node), "expired", Some(key)),
            Event::Dropped { key, .. } => (at(node), "evicted", Some(key)),
            Event::Unvouched { key, .. } => (at(node), "dropped", Some(key)),
            Event::Reconciled { .. } => (at(node), "reconciled", None),
            Event::Read { key, version: Some(_) } => (at(node), "hit", Some(key)),
            Event::Read { key, version: None } => (at(node), "miss", Some(key)),
            Event::Forwarded { .. } => (at(node), "forwarded", None),
            Event::Suspected { .. } => (at(node), "suspects", None),
            Event::Alive { .. } => (at(node), "hears", None),
            Event::Rerouted { .. } => (at(node), "rerouted", None),
            Event::Rejoined => (at(node), "rejoined", None),
            Event::Aside { aside: true } => (at(node), "steps aside", None),
            Event::Aside { aside: false } => (at(node), "comes back", None),
            Event::Mapped { .. } => (at(node), "new map", None),
            Event::LeftOut { key, .. } => (at(node), "left out", Some(key)),
            Event::Moved { key, .. } => (at(node), "moved", Some(key)),
        },
    }
}

/// What kind of thing has happened with a disk.
fn disk(note: DiskNote) -> &'static str {
    match note {
        DiskNote::Suffers(DiskFault::Heals) | DiskNote::WritesAgain => "disk works",
        DiskNote::Suffers(_) | DiskNote::GivenUp | DiskNote::Discarded | DiskNote::PassedOver => "disk fails",
        DiskNote::Saves | DiskNote::SnapshotNamed | DiskNote::LogDropped => "disk saves",
        DiskNote::SaveFailed | DiskNote::SaveCutOff { .. } => "disk unsaved",
    }
}

pub const CLIENTS: f64 = -1.0;

/// The kinds from this one on are heartbeats.
const PING: u8 = 10;

pub fn place(place: Place) -> f64 {
    match place {
        Place::Node(node) => f64::from(node.0),
        Place::Client(_) => CLIENTS,
    }
}

fn kind(flight: &Flight) -> u8 {
    #[rustfmt::skip]
    const PEER: [&str; 11] = [
        "forward", "answer", "replicate", "replicated", "fetch", "fetched", "sync", "listed", "ping", "pong", "gossip",
    ];
    match &flight.cargo {
        Cargo::Ask(_) => 0,
        Cargo::Reply(..) => 1,
        Cargo::Peer(_, message) | Cargo::Passed { message, .. } => {
            // Digests are drawn as what they stand for.
            let drawn = match message.kind() {
                "compare" => "sync",
                "compared" => "listed",
                kind => kind,
            };
            PEER.iter().position(|kind| *kind == drawn).map_or(0, |index| index as u8 + 2)
        }
    }
}

fn key_or_slot(flight: &Flight) -> (Option<&Key>, Option<Slot>) {
    use vitrine_engine::message::Message;
    match &flight.cargo {
        Cargo::Ask(ask) => (Some(&ask.key), Some(ask.key.slot())),
        Cargo::Reply(..) => (None, None),
        Cargo::Peer(_, message) | Cargo::Passed { message, .. } => {
            let key = match message {
                Message::Forward { request, .. } => Some(&request.key),
                Message::Replicate { key, .. } | Message::Fetch { key, .. } => Some(key),
                _ => None,
            };
            (key, message.slot())
        }
    }
}

fn left(deadline: Option<UnixMs>, now: UnixMs) -> f64 {
    deadline.map_or(f64::NAN, |deadline| deadline.0 as f64 - now.0 as f64)
}

fn parts(version: Version) -> [f64; 3] {
    [version.unix().0 as f64, f64::from(version.counter()), f64::from(version.node.0)]
}

/// A key as a person reads it: text where it is text, escaped where it is not, cut where it is long.
pub fn text(key: &[u8]) -> String {
    let readable = std::str::from_utf8(key).ok().filter(|key| !key.chars().any(char::is_control));
    let whole = readable.map_or_else(|| key.escape_ascii().to_string(), String::from);
    if whole.chars().count() <= MOST_TEXT { whole } else { whole.chars().take(MOST_TEXT - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use crate::{Playground, Settings};

    /// The only owner of some slots is down when the map takes another machine in: that one answers for them before it
    /// has come.
    #[test]
    fn a_member_whose_machine_has_not_come_is_drawn_as_none() {
        let settings = Settings { seed: 134, nodes: 4, replicas: 1, fsync: 2, ..Settings::default() };
        let mut playground = Playground::new(settings).expect("good settings");
        playground.command("n1 crash").expect("a command");
        while playground.now() < 2_000_000.0 {
            playground.run(2_000_000.0, 250);
        }
        playground.command("join").expect("a command");
        let mut early = 0;
        while playground.now() < 4_000_000.0 {
            playground.run(4_000_000.0, 1);
            let machines = playground.nodes().chunks(15).map(|node| node[0] as i16).max();
            early += u32::from(playground.primaries().into_iter().max() > machines);
        }
        assert!(early > 0, "there is no such moment");
        assert_eq!(playground.nodes().len(), 5 * 15);
    }
}
