//! An immutable snapshot of who owns which slot and who answers now: what the data plane routes by.
//!
//! The control plane publishes a new one when the map or somebody's liveness changes. The two are apart: a member that
//! does not answer keeps its slots, and only loses its turn as primary.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::id::{NodeId, Slot, Version};
pub use crate::map::{Map, Member};
use crate::map::{NOBODY, Phase};
use crate::message::{Message, Origin};
use crate::mutant::{self, Mutant};
use crate::ring::{Ring, Seat};

/// What the data plane routes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The node that holds this view.
    pub me: NodeId,
    /// Which of its node's views this is: a later one replaces an earlier one.
    pub generation: u64,
    /// The members.
    pub map: Arc<Map>,
    /// Who keeps which slot: old and new owners, while slots move.
    ring: Arc<Ring>,
    moving: Option<Moving>,
    alive: Alive,
    /// Those who are heard, and have stepped aside: they do not count as alive.
    aside: Alive,
    /// What has to be made up for with each member, in the map's order.
    pulls: Arc<[Pull]>,
    /// The map is known to be still the one that the cluster goes by.
    sure: bool,
    /// How often this node was away itself, and the last time.
    absence: Absence,
    /// For each slot the first replica that is alive, or `NOBODY`.
    primaries: Arc<[u16]>,
}

/// What this node may have missed of a member's writes: the data plane asks the member for what is above `since`
/// whenever `round` has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pull {
    /// Grows each time that one of the two was away, or may have been.
    pub round: u64,
    /// Grows each time that the member itself may be gone, with what it was about to tell: others may know of it.
    pub losses: u64,
    /// Every write of the member up to this version has reached this node.
    pub since: Version,
    /// The start of the member that was heard last: another number is another start. 0 before it was heard.
    pub boot: u64,
    /// The life that it led as last heard: what it says later is said in this one or in a later one.
    pub life: u64,
    /// That start has answered this one, and so knows it, and does not suspect this node as last heard: it answers what
    /// it is asked.
    pub tells: bool,
}

/// What is known of the times in which a node was away itself: it started, or stood still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Absence {
    /// How many there were.
    pub count: u64,
    /// The last one was so long that a member which was away before may have come back meanwhile, and gone again.
    pub long: bool,
    /// A majority of the members has answered since: the map is known to be the one that the cluster goes by, and not
    /// only taken for it since nobody says otherwise.
    pub over: bool,
}

/// Slots on their way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Moving {
    before: Arc<Ring>,
    after: Arc<Ring>,
    /// Who keeps a slot before, and not after.
    losing: Alive,
    /// Who is known to hold this map, or a later one.
    switched: Alive,
    /// Of those, who is known to have no write under way for slots that others decide about now.
    through: Alive,
}

impl View {
    /// The first view of a node: it believes in everybody until it learns otherwise.
    ///
    /// # Panics
    /// When `me` is not in the map, or the map's members are not in ascending order of distinct ids below 65,535.
    pub fn first(me: NodeId, map: Arc<Map>) -> View {
        assert!(map.members.is_sorted_by(|a, b| a.id < b.id), "members out of order");
        assert!(map.members.iter().any(|m| m.id == me) && map.members.iter().all(|m| m.id != NOBODY));
        let (ring, moving) = placed(&map, None);
        let alive = Alive::of(&mut map.members.iter().map(|m| m.id));
        let primaries = primaries(me, &map, &ring, moving.as_ref(), &alive);
        // It has just started and holds nothing: what the others have is new to it.
        let pulls = map.members.iter().map(|_| Pull { round: 1, ..Pull::default() }).collect();
        let (aside, absence) = (Alive::default(), Absence::default());
        View { me, generation: 1, map, ring, moving, alive, aside, pulls, sure: true, absence, primaries }
    }

    /// The same, of a node that knows or does not know that the map is still the one that the cluster goes by.
    #[must_use]
    pub fn sure(self, sure: bool) -> View {
        View { sure, ..self }
    }

    /// The same, of a node that was away so often.
    #[must_use]
    pub fn after(self, absence: Absence) -> View {
        View { absence, ..self }
    }

    /// How often this node was away itself.
    pub fn absence(&self) -> Absence {
        self.absence
    }

    /// Is the map known to be still the one that the cluster goes by? While it is not, nothing is answered alone.
    #[inline]
    pub fn is_sure(&self) -> bool {
        self.sure
    }

    /// The same of a node whose own start has that number.
    #[must_use]
    pub fn started(mut self, boot: u64) -> View {
        let pulls = self.map.members.iter().zip(self.pulls.iter());
        self.pulls = pulls.map(|(m, pull)| if m.id == self.me { Pull { boot, ..*pull } } else { *pull }).collect();
        self
    }

    /// The first view of another node of the same map: it shares the ring, which takes a while to build.
    ///
    /// # Panics
    /// When `me` is not in the map.
    pub fn seen_by(&self, me: NodeId) -> View {
        assert!(self.member(me).is_some(), "{me} is not in the map");
        let fresh = Pull { round: 1, ..Pull::default() };
        let primaries = primaries(me, &self.map, &self.ring, self.moving.as_ref(), &self.alive);
        View { me, generation: 0, primaries, ..self.clone() }.with(|_| true, |_| fresh)
    }

    /// The next view, by another map of the same cluster: rings that are known already are not built again.
    pub fn on(&self, map: Arc<Map>, is_alive: impl Fn(NodeId) -> bool, pull: impl Fn(NodeId) -> Pull) -> View {
        let pulls = map.members.iter().map(|m| pull(m.id)).collect();
        self.placed_on(map, pulls).with_alive(is_alive)
    }

    fn placed_on(&self, map: Arc<Map>, pulls: Arc<[Pull]>) -> View {
        let (ring, moving) = placed(&map, Some(self));
        let primaries = primaries(self.me, &map, &ring, moving.as_ref(), &self.alive);
        View { map, ring, moving, pulls, primaries, ..self.clone() }
    }

    /// Those of the members of whom that is so.
    fn those(&self, is_so: &dyn Fn(NodeId) -> bool) -> Alive {
        Alive::of(&mut self.map.members.iter().map(|m| m.id).filter(|id| is_so(*id)))
    }

    /// The next view, now that these members are known to hold this map, and to be through with what they decided
    /// by the one before.
    pub fn with_switched(&self, has_switched: impl Fn(NodeId) -> bool, is_through: impl Fn(NodeId) -> bool) -> View {
        self.switched(self.those(&has_switched), self.those(&is_through))
    }

    fn switched(&self, switched: Alive, through: Alive) -> View {
        let Some(moving) = &self.moving else { return self.clone() };
        let same = switched == moving.switched;
        let moving = Some(Moving { switched, through, ..moving.clone() });
        let primaries = match same {
            true => self.primaries.clone(),
            false => primaries(self.me, &self.map, &self.ring, moving.as_ref(), &self.alive),
        };
        View { generation: self.generation + 1, moving, primaries, ..self.clone() }
    }

    /// The same, now that those members are heard and have stepped aside. Whoever has is not among those who are alive:
    /// the next to be called is [`View::with_alive`].
    #[must_use]
    pub fn with_aside(&self, is_aside: impl Fn(NodeId) -> bool) -> View {
        View { aside: self.those(&is_aside), ..self.clone() }
    }

    /// The next view, with other beliefs about who is alive. This node believes in itself, unless it is aside.
    pub fn with_alive(&self, is_alive: impl Fn(NodeId) -> bool) -> View {
        let is_alive = |id: NodeId| !self.aside.contains(id) && (id == self.me || is_alive(id));
        self.believing(self.those(&is_alive))
    }

    fn believing(&self, alive: Alive) -> View {
        if mutant::on(Mutant::ModuloHash) {
            let alive_ids: Vec<NodeId> =
                self.map.members.iter().map(|m| m.id).filter(|id| alive.contains(*id)).collect();
            let ring = Arc::new(self.ring.dealt_out(&alive_ids));
            let primaries = primaries(self.me, &self.map, &ring, None, &alive);
            return View { generation: self.generation + 1, alive, primaries, ring, moving: None, ..self.clone() };
        }
        let primaries = match alive == self.alive {
            true => self.primaries.clone(),
            false => primaries(self.me, &self.map, &self.ring, self.moving.as_ref(), &alive),
        };
        View { generation: self.generation + 1, alive, primaries, ..self.clone() }
    }

    /// The next view, with other beliefs about who is alive and other things to make up for.
    pub fn with(&self, is_alive: impl Fn(NodeId) -> bool, pull: impl Fn(NodeId) -> Pull) -> View {
        let pulls = self.map.members.iter().map(|m| pull(m.id)).collect();
        View { pulls, ..self.with_alive(is_alive) }
    }

    /// What has to be made up for with a member.
    pub fn pull(&self, node: NodeId) -> Option<Pull> {
        let index = self.map.members.binary_search_by_key(&node, |m| m.id).ok()?;
        Some(self.pulls[index])
    }

    /// Which start of that member is spoken to; 0 before it was heard.
    pub fn boot(&self, node: NodeId) -> u64 {
        self.pull(node).map_or(0, |pull| pull.boot)
    }

    /// The slot's replicas, the preferred primary first: distinct, alive or not.
    pub fn replicas(&self, slot: Slot) -> &[NodeId] {
        self.ring.owners(slot)
    }

    /// The first replica of the slot that is believed alive.
    pub fn primary(&self, slot: Slot) -> Option<NodeId> {
        let node = self.primaries[usize::from(slot.number())];
        (node != NOBODY.0).then_some(NodeId(node))
    }

    /// True when this node is the slot's primary.
    pub fn is_primary(&self, slot: Slot) -> bool {
        self.primary(slot) == Some(self.me)
    }

    /// True when this node holds a replica of the slot.
    pub fn is_replica(&self, slot: Slot) -> bool {
        self.replicas(slot).contains(&self.me)
    }

    /// May this node answer a read about the slot that any replica may answer? One that is aside may not; and who hands
    /// the slot over may not: the next edition of the map may have been made already, by which nobody tells it any more
    /// what replaces what it has.
    #[inline]
    pub fn answers(&self, slot: Slot) -> bool {
        self.is_replica(slot)
            && self.is_alive(self.me)
            && (self.map.phase != Phase::Handing || self.keeps(self.me, slot))
    }

    /// Is that member believed alive? Somebody who is no member is not.
    pub fn is_alive(&self, node: NodeId) -> bool {
        self.alive.contains(node)
    }

    /// Is that member heard, and not counted on until it can write its log?
    pub fn is_aside(&self, node: NodeId) -> bool {
        self.aside.contains(node)
    }

    /// How many of the slot's replicas are believed alive.
    pub fn alive_replicas(&self, slot: Slot) -> u8 {
        self.replicas(slot).iter().filter(|node| self.is_alive(**node)).count() as u8
    }

    /// Are so few of the slot's replicas in touch that others may serve it as well, on another side of a partition?
    pub fn is_isolated(&self, slot: Slot) -> bool {
        self.alive_replicas(slot) < self.majority(slot)
    }

    /// Does this node hear no majority of those who stay? They may change the map without it, by which somebody else
    /// keeps its slots.
    pub fn may_be_passed_by(&self) -> bool {
        let (mut staying, mut heard) = (0, 0);
        for member in self.map.members.iter().filter(|member| !member.leaving) {
            staying += 1;
            heard += usize::from(member.id == self.me || self.is_alive(member.id));
        }
        heard * 2 <= staying
    }

    /// Does that member answer what this node asks about slots? A view that no start has published tells none apart.
    pub fn tells(&self, node: NodeId) -> bool {
        self.boot(self.me) == 0 || self.pull(node).is_some_and(|pull| pull.tells)
    }

    /// From where this node speaks.
    pub fn origin(&self) -> Origin {
        Origin { boot: self.boot(self.me), epoch: self.map.epoch }
    }

    /// Is that message about a slot to be listened to, which a peer sent from there?
    ///
    /// A peer that has started again does not know what it said before, and would not be told of it: so nothing counts
    /// that an earlier start of it has sent, however late it comes, and nothing of a start that is not known yet, lest
    /// it is told what there is before something of the earlier one comes.
    ///
    /// Neighbouring editions of the map agree about all that matters; of others, one of the two has something to learn
    /// first. What a node has is told only to those whose map is not later: by a later one it may have to be told of
    /// more. And nobody keeps for a primary that is behind what is not for it to keep: it has freed the slot, and would
    /// not be asked for it again.
    pub fn admits(&self, from: NodeId, origin: Origin, message: &Message) -> bool {
        let (mine, epoch) = (self.map.epoch, origin.epoch);
        if self.boot(from) != origin.boot {
            return false;
        }
        let is_for_me = match message {
            Message::Sync { .. } | Message::Compare { .. } => epoch <= mine,
            Message::Replicate { key, .. } => epoch >= mine || self.is_replica(key.slot()),
            _ => true,
        };
        mutant::on(Mutant::IgnoreEpoch) || mine.0.abs_diff(epoch.0) <= 1 && is_for_me
    }

    /// So many replicas that any two such sets share one, whichever of the placements that a change of the map goes
    /// between the one was counted by, and the other: a strict majority, while nothing moves.
    pub fn majority(&self, slot: Slot) -> u8 {
        let Some(moving) = &self.moving else { return self.replicas(slot).len() as u8 / 2 + 1 };
        let all = self.replicas(slot).len();
        let within = |owners: &[NodeId]| owners.len() / 2 + 1 + (all - owners.len());
        within(moving.before.owners(slot)).max(within(moving.after.owners(slot))) as u8
    }

    /// How many copies are all of them: as many as are configured, or every one that somebody keeps who is not away, in
    /// whichever of the placements that a change of the map goes between.
    pub fn all(&self, slot: Slot) -> u8 {
        let is_away = |node: &&NodeId| self.member(**node).is_some_and(|member| member.away);
        let present = self.replicas(slot).iter().filter(|node| !is_away(node)).count() as u8;
        present.max(self.map.replicas)
    }

    /// Will that node keep the slot when nothing moves any more?
    pub fn keeps(&self, node: NodeId, slot: Slot) -> bool {
        let after = self.moving.as_ref().map_or(&self.ring, |moving| &moving.after);
        after.owners(slot).contains(&node)
    }

    /// Does that node keep the slot from this change of the map on, and did not before?
    pub fn gains(&self, node: NodeId, slot: Slot) -> bool {
        self.moving.as_ref().is_some_and(|moving| {
            moving.after.owners(slot).contains(&node) && !moving.before.owners(slot).contains(&node)
        })
    }

    /// Is there a slot that this node keeps by both views, and another one by this view only?
    pub fn parts_from(&self, next: &View) -> bool {
        let kept = Slot::all().filter(|slot| self.is_replica(*slot) && next.is_replica(*slot));
        kept.into_iter().any(|slot| self.replicas(slot).iter().any(|node| !next.replicas(slot).contains(node)))
    }

    /// Does the change under way take a slot from that node?
    pub fn loses(&self, node: NodeId) -> bool {
        self.moving.as_ref().is_some_and(|moving| moving.losing.contains(node))
    }

    /// May another node have decided something about that slot, by the placement before, of which this one has not been
    /// told? Its last writes may still be under way to here.
    #[inline]
    pub fn takes_over(&self, slot: Slot) -> bool {
        let Some(moving) = self.moving.as_ref().filter(|_| self.map.phase == Phase::Handing) else { return false };
        let before = moving.before.owners(slot).iter().find(|node| self.is_alive(**node));
        before.is_some_and(|node| *node != self.me && !moving.through.contains(*node))
    }

    /// Will somebody keep each slot that moves, who is alive? A member that was given up keeps nothing.
    pub fn can_move(&self) -> bool {
        let after = |moving: &Moving, slot| moving.after.owners(slot).iter().any(|node| self.is_alive(*node));
        self.moving.as_ref().is_none_or(|moving| Slot::all().all(|slot| after(moving, slot)))
    }

    /// The member of that id.
    pub fn member(&self, node: NodeId) -> Option<&Member> {
        self.map.member(node)
    }

    /// The ring, for whoever draws it.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }
}

/// The members believed alive, a bit each: asked for every replica of every slot when a view is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Alive(Vec<u64>);

impl Alive {
    /// Those, in ascending order. No word is left empty at the end, so that equal sets are equal.
    fn of(members: &mut dyn Iterator<Item = NodeId>) -> Alive {
        let mut words = Vec::new();
        for node in members {
            let word = usize::from(node.0 / 64);
            words.resize(word + 1, 0);
            words[word] |= 1 << (node.0 % 64);
        }
        Alive(words)
    }

    fn contains(&self, node: NodeId) -> bool {
        self.0.get(usize::from(node.0 / 64)).is_some_and(|word| word >> (node.0 % 64) & 1 == 1)
    }
}

/// The rings of a map: who owns what, and between which two placements slots move. Those that another view knows are
/// taken from there.
fn placed(map: &Map, known: Option<&View>) -> (Arc<Ring>, Option<Moving>) {
    let same = |view: &View, theirs: bool, ours: bool| {
        let seats = |map: &Map, after| {
            let kept = map.members.iter().filter(move |m| m.share(after) > 0);
            kept.map(move |m| (m.id, m.name.clone(), String::from(m.zone(after)), m.share(after), m.is_away(after)))
                .collect::<Vec<_>>()
        };
        (view.map.replicas, view.map.virtual_nodes) == (map.replicas, map.virtual_nodes)
            && seats(&view.map, theirs) == seats(map, ours)
    };
    let of = |after: bool| {
        if let Some(view) = known {
            let (before, then) = match &view.moving {
                Some(moving) => (&moving.before, &moving.after),
                None => (&view.ring, &view.ring),
            };
            for (ring, theirs) in [(then, true), (before, false)] {
                if same(view, theirs, after) {
                    return Arc::clone(ring);
                }
            }
        }
        let kept = map.members.iter().filter(|m| m.share(after) > 0);
        let seats: Vec<Seat<'_>> =
            kept.map(|m| Seat { node: m.id, name: &m.name, weight: m.share(after), zone: m.zone(after) }).collect();
        let ring = Ring::build(&seats, map.virtual_nodes, map.replicas);
        let is_away = |node| map.member(node).is_some_and(|member| member.is_away(after));
        Arc::new(if seats.iter().any(|seat| is_away(seat.node)) { ring.standing_in(&seats, is_away) } else { ring })
    };
    if map.phase == Phase::Steady {
        return (of(true), None);
    }
    let (before, after) = (of(false), of(true));
    let ring = match map.phase {
        Phase::Handing => Ring::joined(&after, &before),
        _ => Ring::joined(&before, &after),
    };
    let losing = Alive::of(&mut losing(&before, &after).into_iter());
    (Arc::new(ring), Some(Moving { before, after, losing, switched: Alive::default(), through: Alive::default() }))
}

/// Who keeps a slot by the one placement, and not by the other; in order.
fn losing(before: &Ring, after: &Ring) -> Vec<NodeId> {
    let mut losing: Vec<NodeId> = Vec::new();
    for slot in Slot::all() {
        for node in before.owners(slot).iter().filter(|node| !after.owners(slot).contains(node)) {
            if let Err(place) = losing.binary_search(node) {
                losing.insert(place, *node);
            }
        }
    }
    losing
}

/// Each slot's primary. While slots are handed over, the new one begins once the old one is known to have stopped: it
/// holds the same map, or is not alive; and from then on only new owners are.
fn primaries(me: NodeId, map: &Map, ring: &Ring, moving: Option<&Moving>, alive: &Alive) -> Arc<[u16]> {
    let first = |owners: &[NodeId]| owners.iter().copied().find(|node| alive.contains(*node));
    // Who is to stand in decides nothing before it is filled: those who are down may have the only copies, and are
    // expected back.
    let standing_in = moving.filter(|_| map.phase == Phase::Filling && map.is_standing_in());
    let primary = |slot: Slot| match moving.filter(|_| map.phase == Phase::Handing) {
        None => first(standing_in.map_or(ring, |moving| &moving.before).owners(slot)),
        Some(moving) => {
            let before = first(moving.before.owners(slot));
            let goes_on = before.filter(|node| *node != me && !moving.switched.contains(*node));
            // The old ones decide no more, even where no new one is alive: the next edition may have been made already,
            // by which they forget what they took.
            goes_on.or_else(|| first(moving.after.owners(slot)))
        }
    };
    Slot::all().map(|slot| primary(slot).unwrap_or(NOBODY).0).collect()
}

#[cfg(test)]
mod tests;
