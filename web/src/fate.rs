//! Where a key went: what made its copies and what took each of them, in the order in which it happened.

use vitrine_engine::effect::Event;
use vitrine_engine::id::NodeId;
use vitrine_engine::request::{Answer, Key};
use vitrine_engine::sim::{Reply, TraceEvent, What};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::history::History;
use crate::{Playground, Wrong, causes, picture, wrong};

/// What became of a key up to some moment.
#[wasm_bindgen]
pub struct Fate {
    events: Vec<TraceEvent>,
    is_whole: bool,
}

/// Events that are told, the latest ones.
const MOST: usize = 60;
/// Events of the run that are gone through in search of them.
const SEARCHED: u64 = 60_000;

#[wasm_bindgen]
impl Fate {
    /// The events, as [`picture::log`].
    pub fn log(&self) -> Vec<f64> {
        picture::log(&self.events.iter().collect::<Vec<_>>())
    }

    /// Their words, as [`picture::log_words`].
    pub fn words(&self) -> Vec<String> {
        picture::log_words(&self.events.iter().collect::<Vec<_>>())
    }

    /// Is that all, from the beginning of the run on?
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }
}

#[wasm_bindgen]
impl Playground {
    /// What has become of a key by now.
    ///
    /// # Errors
    /// When it is no key, and see [`Playground::step_back`].
    pub fn fate(&self, key: &str) -> Result<Fate, Wrong> {
        self.may_go_back()?;
        let key = Key::new(key.as_bytes().to_vec()).map_err(wrong)?;
        Ok(fate(&self.history, &key))
    }
}

fn fate(history: &History, key: &Key) -> Fate {
    let world = history.world();
    let mut events = history.gathered(world.trace().latest(), SEARCHED, |event| matters(&event.what, key));
    let mut copies = Copies::default();
    events.retain(|event| copies.follow(&event.what));
    let surplus = events.len().saturating_sub(MOST);
    events.drain(..surplus);
    Fate { events, is_whole: surplus == 0 && world.events() <= SEARCHED }
}

/// Was it about the key, and more than a question? Or may it have taken copies of all keys, or brought them back?
fn matters(what: &What, key: &Key) -> bool {
    match what {
        What::Told { key: about, reply: Reply::Outcome(Ok(answer)), .. } => {
            about == key && !matches!(answer, Answer::Found(_) | Answer::Missing)
        }
        What::Node { event: Event::Read { .. }, .. } => false,
        What::Node { event, .. } => causes::about(event) == Some(key),
        What::Crashed(_) | What::Left(_) | What::Recovered { .. } => true,
        _ => false,
    }
}

/// Who has a copy, and who went down with one.
#[derive(Default)]
struct Copies {
    held: Vec<NodeId>,
    down: Vec<NodeId>,
}

impl Copies {
    /// Takes in what happened. Does it say something about the key's copies?
    fn follow(&mut self, what: &What) -> bool {
        match what {
            What::Node { event: Event::Refused { .. }, .. } => true,
            What::Node { node, event } => {
                self.held.retain(|held| held != node);
                if matches!(event, Event::Applied { removed: false, .. }) {
                    self.held.push(*node);
                }
                true
            }
            What::Crashed(node) | What::Left(node) => moved(&mut self.held, &mut self.down, *node),
            What::Recovered { node, .. } => moved(&mut self.down, &mut self.held, *node),
            _ => true,
        }
    }
}

fn moved(from: &mut Vec<NodeId>, to: &mut Vec<NodeId>, node: NodeId) -> bool {
    let Some(at) = from.iter().position(|one| *one == node) else { return false };
    to.push(from.remove(at));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    /// The kinds of what became of `k`, after that script.
    fn check(script: &str, expected: &[&str]) {
        let mut playground = Playground::new(Settings::default()).expect("good settings");
        let opened = playground.open(script).expect("a script");
        let end: f64 = opened.split(' ').nth(1).and_then(|end| end.parse().ok()).expect("its end");
        while playground.now() < end {
            playground.run(end, 250);
        }
        let fate = playground.fate("k").expect("a key");
        assert!(fate.is_whole());
        let words = fate.words();
        let told: Vec<String> = words.chunks(3).map(|event| event[2].clone()).collect();
        assert_eq!(told, expected, "{script}");
    }

    #[test]
    fn every_way_to_go_is_told() {
        let one = "cluster nodes=1 replicas=1 seed=1\nc1 set k v\nrun 1s\n";
        check(one, &["n1 stored k as primary", "c1@n1 k -> stored, 1 copy"]);
        check(
            &format!("{one}c1 get k\nc1 set j v\nn1 crash\nrun 1s\nn1 restart\nrun 1s\n"),
            &["n1 stored k as primary", "c1@n1 k -> stored, 1 copy", "n1 crashed"],
        );
        check(
            "cluster nodes=1 replicas=1 seed=1 entries=2\nc1 set k v ttl=10s\nrun 1s\nc1 set a 1\nc1 set b 2\nrun 1s\n",
            &["n1 stored k as primary", "c1@n1 k -> stored, 1 copy", "n1 evicted (too many entries) k"],
        );
        check(
            "cluster nodes=1 replicas=1 seed=1\nc1 set k v ttl=1s\nrun 3s\n",
            &["n1 stored k as primary", "c1@n1 k -> stored, 1 copy", "n1 expired k"],
        );
        check(
            "cluster nodes=1 replicas=1 seed=1 fsync=always\nc1 set k v\nrun 1s\nn1 crash\nrun 1s\nn1 restart\nrun 1s\n\
             c1 del k\nrun 1s\n",
            &[
                "n1 stored k as primary",
                "c1@n1 k -> stored, 1 copy",
                "n1 crashed",
                "n1 read 2 records from its log",
                "n1 removed k as primary",
                "c1@n1 k -> deleted, 1 copy",
            ],
        );
    }
}
