//! What led to a broken promise: the past of an event, walked back over who sent what to whom and what happened on the
//! same node to the same key, with the faults that these nodes had.

use vitrine_engine::effect::Event;
use vitrine_engine::id::NodeId;
use vitrine_engine::request::Key;
use vitrine_engine::sim::{Place, TraceEvent, Verb, Violation, What};

use crate::history::History;

/// Events of the past that are told at most, and faults among them.
const MOST: usize = 40;
const MOST_FAULTS: usize = 16;
/// Events that are gone through in search of them.
const SEARCHED: u64 = 60_000;

/// The broken promise that the event of that number tells of.
pub fn violation(history: &History, seq: u64) -> Option<Violation> {
    let mut history = history.clone();
    history.seek_event(seq);
    let told = history.world().trace().events().find(|event| event.seq == seq)?.what.clone();
    if let What::Violated(violation) = told { Some(violation) } else { None }
}

/// What led to the event of that number, which is about that key: earliest first, the event itself last.
pub fn past(history: &History, seq: u64, key: Option<&Key>) -> Vec<TraceEvent> {
    let gathered = history.gathered(seq, SEARCHED, |event| matters(event, key));
    let Some((last, before)) = gathered.split_last() else { return Vec::new() };
    let mut places: Vec<Place> = Vec::new();
    let (mut found, mut faults) = (vec![last.clone()], 0);
    for event in before.iter().rev() {
        if found.len() == MOST {
            break;
        }
        let here = event.at == last.at || places.is_empty();
        match of(&event.what) {
            // What was under way at the moment of the violation is where the walk begins.
            Some(Part::At(at)) if here || at.iter().any(|place| places.contains(place)) => places.extend(at),
            // What is about no key is about the cluster, or a disk: faults are all that is known of it.
            Some(Part::Fault(nodes))
                if faults < MOST_FAULTS && (key.is_none() || nodes.iter().any(|node| places.contains(node))) =>
            {
                faults += 1;
            }
            _ => continue,
        }
        found.push(event.clone());
    }
    found.reverse();
    found
}

/// Where an event took part in what became of a key.
enum Part {
    At(Vec<Place>),
    Fault(Vec<Place>),
}

fn of(what: &What) -> Option<Part> {
    let node = |node: &NodeId| Place::Node(*node);
    Some(match what {
        What::Asked(ask) => Part::At(vec![Place::Client(ask.client), node(&ask.node)]),
        What::Told { client, node: by, .. } => Part::At(vec![Place::Client(*client), node(by)]),
        What::Delivered { from, to, .. } | What::Relayed { from, to, .. } => Part::At(vec![node(from), node(to)]),
        What::Node {
            node: at,
            event: Event::Suspected { .. } | Event::Alive { .. } | Event::Mapped { .. } | Event::Aside { .. },
        } => Part::Fault(vec![node(at)]),
        What::Node { node: at, .. } => Part::At(vec![node(at)]),
        What::Crashed(at) | What::Started(at) | What::Paused(at) | What::Resumed(at) | What::Clock(at, _) => {
            Part::Fault(vec![node(at)])
        }
        What::Recovered { node: at, .. } | What::Disk(at, _) | What::Left(at) => Part::Fault(vec![node(at)]),
        What::Cut(a, b) | What::Healed(a, b) | What::Clogged(a, b) | What::Unclogged(a, b) => {
            Part::Fault(vec![node(a), node(b)])
        }
        What::Dropped { .. } | What::Denied { .. } | What::Violated(_) => return None,
    })
}

/// Is it about the key, and did it change what is known of it, or was it a fault?
fn matters(event: &TraceEvent, key: Option<&Key>) -> bool {
    match &event.what {
        What::Asked(ask) => Some(&ask.key) == key && !matches!(ask.verb, Verb::Get(_)),
        What::Told { key: about, .. } => Some(about) == key,
        What::Delivered { key: about, .. } | What::Relayed { key: about, .. } => {
            about.is_some() && about.as_ref() == key
        }
        What::Node { event, .. } => match event {
            Event::Suspected { .. } | Event::Mapped { .. } | Event::Aside { .. } => true,
            _ => key.is_some() && about(event) == key,
        },
        What::Dropped { .. } | What::Denied { .. } => false,
        what => matches!(of(what), Some(Part::Fault(_))),
    }
}

/// The key that something inside a node is about.
pub fn about(event: &Event) -> Option<&Key> {
    match event {
        Event::Applied { key, .. }
        | Event::Refused { key, .. }
        | Event::Dropped { key, .. }
        | Event::Unvouched { key, .. }
        | Event::LeftOut { key, .. }
        | Event::Moved { key, .. }
        | Event::Read { key, .. } => Some(key),
        _ => None,
    }
}
