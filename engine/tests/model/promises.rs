//! What clients were told and what nodes went through, and the promises that follow from it.

use std::hash::{Hash, Hasher};

use std::collections::BTreeMap;

use vitrine_engine::effect::Event;
use vitrine_engine::id::{NodeId, Version};
use vitrine_engine::request::{Answer, Entry, Outcome};
use vitrine_engine::view::View;

use crate::state::{NODES, index};

/// A promise of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Promise {
    /// P1: what is read was written, and a version has one value for ever.
    NoInvention,
    /// P2: an acknowledgement counts only copies that are there, and all that the level asks for.
    Acknowledged,
    /// P2: what was acknowledged is there while one of those who had it remembers, or was removed since.
    NoLoss,
    /// P3: nothing older is served or kept than what somebody knows who was asked, or should have been.
    NoGhosts,
    /// P4: when all is quiet all hold the same.
    OneTruth,
}

/// What has happened so far, as far as it matters for what may happen.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every version that was seen with a value. A removal may have the version of a value that is gone since.
    given: BTreeMap<Version, u8>,
    /// For each node, the highest version whose acknowledgement counted on it: nothing since it started.
    known: [Version; 3],
    /// For each node and each other in which it believes, what that one knew when it began to.
    met: [[Version; 3]; 3],
    /// For each node, the highest version that it has removed.
    gone: [Version; 3],
    /// The highest version of a removal that each gave as primary, and anybody did.
    removal: [Version; 3],
    removed: Version,
    /// Questions without an answer, by their number.
    open: BTreeMap<u8, Open>,
    pub broken: Option<Promise>,
}

#[derive(Clone, Debug, Hash)]
struct Open {
    node: NodeId,
    /// Nodes that have crashed since, a bit each.
    crashed: u8,
    /// Nodes in which the one that was asked has believed all the while.
    believed: u8,
    /// What a read must not fall behind, as long as nothing disturbs it.
    floor: Version,
}

/// What was met on the way: a run that never met it has proved nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Hit,
    Stored,
    Deleted,
    StoredBehindAnAbsence,
    CaughtUp,
    Unvouched,
    Refused,
    Reconciled,
    Quiet,
}

impl Mark {
    pub const ALL: [Mark; 9] = [
        Mark::Hit,
        Mark::Stored,
        Mark::Deleted,
        Mark::StoredBehindAnAbsence,
        Mark::CaughtUp,
        Mark::Unvouched,
        Mark::Refused,
        Mark::Reconciled,
        Mark::Quiet,
    ];

    pub fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl Hash for History {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.given, self.known, self.met, self.gone, self.removal).hash(state);
        (self.removed, &self.open, self.broken).hash(state);
    }
}

impl History {
    /// A question is put to some node; all is quiet but for other questions, or not.
    pub fn asked(&mut self, number: u8, node: NodeId, view: &View, calm: bool) {
        let floor = if calm { self.newest() } else { Version::ZERO };
        let believed = NODES.into_iter().filter(|other| view.is_alive(*other));
        let believed = believed.fold(0, |set, other| set | 1 << index(other));
        self.open.insert(number, Open { node, crashed: 0, believed, floor });
    }

    /// One believes no longer in another.
    pub fn suspected(&mut self, by: NodeId, node: NodeId) {
        self.trouble();
        let asked = self.open.values_mut().filter(|open| open.node == by);
        asked.for_each(|open| open.believed &= !(1 << index(node)));
    }

    /// Somebody was lost, or found again: what is promised in calm is not promised now.
    fn trouble(&mut self) {
        self.open.values_mut().for_each(|open| open.floor = Version::ZERO);
    }

    pub fn crashed(&mut self, node: NodeId) {
        self.trouble();
        let lost = index(node);
        (self.known[lost], self.gone[lost], self.removal[lost]) = (Version::ZERO, Version::ZERO, Version::ZERO);
        self.met.iter_mut().for_each(|met| met[lost] = Version::ZERO);
        self.open.values_mut().for_each(|open| open.crashed |= 1 << lost);
    }

    /// A node has started: it believes in everybody, and has heard nobody yet.
    pub fn started(&mut self, node: NodeId) {
        self.met[index(node)] = self.known;
    }

    /// A node believes in another once more.
    pub fn heard(&mut self, node: NodeId, other: NodeId) {
        self.trouble();
        self.met[index(node)][index(other)] = self.known[index(other)];
    }

    /// Something happened in a node; `held` is what it holds after that.
    pub fn happened(&mut self, node: NodeId, view: &View, event: &Event, mark: &impl Fn(Mark)) {
        let at = index(node);
        match event {
            Event::Applied { version, removed: true, primary, .. } => {
                self.gone[at] = self.gone[at].max(*version);
                self.removed = self.removed.max(*version);
                if *primary {
                    self.removal[at] = self.removal[at].max(*version);
                }
            }
            Event::Applied { .. } => {}
            Event::Dropped { version, .. } => self.gone[at] = self.gone[at].max(*version),
            Event::LeftOut { .. } => {}
            Event::Unvouched { version, .. } => {
                self.gone[at] = self.gone[at].max(*version);
                mark(Mark::Unvouched);
            }
            Event::Read { version: Some(version), .. } => {
                let alive = NODES.into_iter().filter(|other| *other == node || view.is_alive(*other));
                let told = alive.map(|other| if other == node { self.known[at] } else { self.met[at][index(other)] });
                if told.max().is_some_and(|told| told > *version) {
                    self.breaks(Promise::NoGhosts);
                }
            }
            // No node of the model has a log.
            Event::Aside { .. } => {}
            Event::Refused { .. } => mark(Mark::Refused),
            Event::Reconciled { .. } => mark(Mark::Reconciled),
            // The map stays as it is.
            Event::Moved { .. } | Event::Mapped { .. } => {}
            Event::Read { .. } | Event::Forwarded { .. } | Event::Suspected { .. } | Event::Alive { .. } => {}
            Event::Rerouted { .. } | Event::Rejoined => {}
        }
    }

    /// What a node holds now.
    pub fn holds(&mut self, held: Option<(Version, u8)>) {
        if let Some((version, value)) = held
            && *self.given.entry(version).or_insert(value) != value
        {
            self.breaks(Promise::NoInvention);
        }
    }

    /// A question is answered, and was carried out by that node; `held` is what each holds.
    pub fn answered(
        &mut self,
        number: u8,
        by: NodeId,
        outcome: &Outcome,
        held: [Option<Version>; 3],
        mark: &impl Fn(Mark),
    ) {
        let Some(open) = self.open.remove(&number) else { return };
        let here = by == open.node;
        match outcome {
            Ok(Answer::Found(entry)) => {
                mark(Mark::Hit);
                self.read(entry, open.floor);
            }
            Ok(Answer::Stored { version, copies, .. }) => {
                mark(Mark::Stored);
                let has = |node| held[node] >= Some(*version) || self.gone[node] >= *version;
                self.acknowledged(*version, *copies, [has(0), has(1), has(2)], here, &open, mark);
            }
            Ok(Answer::Deleted { copies, .. }) => {
                mark(Mark::Deleted);
                let version = self.removal[index(by)];
                let has = |node| held[node] > Some(version) || self.gone[node] >= version;
                self.acknowledged(version, *copies, [has(0), has(1), has(2)], here, &open, mark);
            }
            Err(_) | Ok(Answer::Missing | Answer::Unmet { .. } | Answer::Inspected(_)) => {}
            Ok(Answer::Added { .. } | Answer::Touched { .. }) => unreachable!("nobody asks for it"),
        }
    }

    /// Nothing is under way and nobody is missed: what each holds.
    pub fn quiet(&mut self, held: [Option<Version>; 3]) {
        if held[0] != held[1] || held[1] != held[2] {
            return self.breaks(Promise::OneTruth);
        }
        match held[0] {
            Some(held) if held < self.newest() => self.breaks(Promise::NoGhosts),
            None if self.newest() > self.removed => self.breaks(Promise::NoLoss),
            _ => {}
        }
    }

    fn read(&mut self, entry: &Entry, floor: Version) {
        if self.given.get(&entry.version) != entry.value.bytes.first() {
            self.breaks(Promise::NoInvention);
        }
        if entry.version < floor {
            self.breaks(Promise::NoGhosts);
        }
    }

    /// A change is acknowledged with so many copies, at `live`; `here` by the node that was asked itself.
    fn acknowledged(
        &mut self,
        version: Version,
        copies: u8,
        has: [bool; 3],
        here: bool,
        open: &Open,
        mark: &impl Fn(Mark),
    ) {
        let crashed = |node: &NodeId| open.crashed >> index(*node) & 1 == 1;
        let counted = NODES.iter().filter(|node| has[index(**node)] || crashed(node)).count();
        let mut believed = NODES.iter().filter(|node| here && open.believed >> index(**node) & 1 == 1);
        if believed.any(|node| !has[index(*node)] && !crashed(node)) || counted < usize::from(copies) {
            self.breaks(Promise::Acknowledged);
        }
        if copies < 3 {
            mark(Mark::StoredBehindAnAbsence);
        }
        for node in NODES.into_iter().filter(|node| has[index(*node)]) {
            let known = &mut self.known[index(node)];
            *known = version.max(*known);
        }
    }

    /// The highest version that was acknowledged and that somebody knows.
    fn newest(&self) -> Version {
        self.known.into_iter().max().unwrap_or(Version::ZERO)
    }

    fn breaks(&mut self, promise: Promise) {
        self.broken.get_or_insert(promise);
    }
}
