//! Who makes the map's next edition, and when.
//!
//! The lowest member that is alive and not leaving makes it, as long as it sees a majority of those who stay: two sides
//! of a partition never both do. Wishes are passed to it by whoever hears them, again and again until the map grants
//! them. A change goes on to its next phase when every member holds the edition before, and, where slots are filled,
//! knows all that there is of them. A member that is away holds the change up, since what it has nobody else may have;
//! one that stays away for longer than [`super::Heartbeat::remove_after`] is removed. Before that, others stand in for
//! one that has been down for [`super::Heartbeat::stand_in_after`]: see [`stand_in`]. A new member that never came has
//! nothing: its joining is called off.

mod stand_in;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::Heartbeat;
use crate::effect::Outbox;
use crate::id::{NodeId, Slot};
use crate::limits::MAX_WISHES;
use crate::map::{Map, Phase, Refusal, Wish};
use crate::message::{Edition, Message};
use crate::time::Instant;
use crate::view::{Member, View};

/// What is known of where the members are in the map's history, and what is wished for.
#[derive(Clone, Debug)]
pub(super) struct Editions {
    stand_in_after: Option<Duration>,
    remove_after: Option<Duration>,
    /// With the moment at which each was last asked for.
    wishes: VecDeque<(Wish, Instant)>,
    /// An edition about those who are away that was thought of last, and is not to be made.
    passed_by: Option<Map>,
    /// The view of which this node knows all that there is, by its generation.
    filled: Option<u64>,
    /// By ascending id.
    members: Vec<Known>,
}

/// What a member has said of itself.
#[derive(Clone, Copy, Debug)]
struct Known {
    id: NodeId,
    edition: Edition,
    filled: bool,
    /// It has been so by this edition, whatever has happened since.
    was_filled: bool,
    /// Since when it has been believed dead.
    dead: Option<Instant>,
    /// It has been for too long: the map goes on without it.
    given_up: bool,
    /// Another one says that it reaches it: what it decides there this node is not told.
    reached: bool,
}

impl Known {
    fn is_done(&self, edition: Edition) -> bool {
        self.edition >= edition && (self.filled || self.edition > edition)
    }
}

/// A wish that nobody has repeated for so long is forgotten: a person asks once, and a machine that wants to join asks
/// again every few seconds until it is in.
fn patience(wish: &Wish) -> Duration {
    match wish {
        Wish::Join { .. } => Duration::from_secs(60),
        Wish::Weight { .. } | Wish::Zone { .. } | Wish::Leave { .. } => Duration::from_secs(300),
    }
}

/// How long a new member is waited for that nobody has heard of. Whoever is still there asks more often than that.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(6);

impl Editions {
    pub(super) fn new(heartbeat: &Heartbeat) -> Editions {
        let Heartbeat { stand_in_after, remove_after, .. } = *heartbeat;
        Editions {
            stand_in_after,
            remove_after,
            wishes: VecDeque::new(),
            passed_by: None,
            filled: None,
            members: Vec::new(),
        }
    }

    /// What this node says of itself: its edition, and whether it knows all of its slots.
    pub(super) fn standing(&self, view: &View, is_alive: impl Fn(NodeId) -> bool) -> (Edition, bool) {
        (view.map.edition(), self.is_filled(view, is_alive))
    }

    /// Does this node know all that there is of its slots? Not while it does not hear somebody who stays a member: that
    /// one may have taken writes alone, which nobody else will have when slots that it loses are freed.
    fn is_filled(&self, view: &View, is_alive: impl Fn(NodeId) -> bool) -> bool {
        let others = view.map.members.iter().filter(|member| member.id != view.me);
        let mut missing = others.filter(|member| !is_alive(member.id));
        let has_nothing = |member: &Member| self.goes_on_without(view, member) || self.is_unheard(view, member);
        self.filled == Some(view.generation) && missing.all(has_nothing)
    }

    /// Is that a new member that this node has never heard? It has taken no write: it does so only while it hears a
    /// majority.
    fn is_unheard(&self, view: &View, member: &Member) -> bool {
        view.map.is_new(member.id) && self.find(member.id).is_none_or(|known| known.edition == Edition::default())
    }

    /// The new member that has not come, as far as this node can tell: it is believed dead, and was never heard here.
    fn absent(&self, view: &View) -> Option<NodeId> {
        let absent = |member: &&Member| !view.is_alive(member.id) && self.is_unheard(view, member);
        view.map.members.iter().find(absent).map(|member| member.id)
    }

    /// Forgets what a member has said: its number is that of another now.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.members.retain(|known| known.id != node);
    }

    /// The data plane has taken in the view of that generation, and is or is not in doubt about what it holds.
    pub(super) fn note_filled(&mut self, generation: u64, filled: bool) {
        self.filled = filled.then_some(generation);
    }

    /// A member says where it is.
    pub(super) fn heard(&mut self, from: NodeId, edition: Edition, filled: bool) {
        let known = self.known(from);
        known.was_filled = filled || known.was_filled && known.edition == edition;
        (known.edition, known.filled) = (edition, filled);
    }

    /// Does that member hold this edition, or a later one?
    pub(super) fn has(&self, node: NodeId, edition: Edition) -> bool {
        self.find(node).is_some_and(|known| known.edition >= edition)
    }

    /// Is that member known to have done what this edition is for, or to hold a later one?
    fn is_done(&self, node: NodeId, edition: Edition) -> bool {
        self.find(node).is_some_and(|known| known.is_done(edition))
    }

    /// As that, or it has been so once: what it decided by the edition before has arrived.
    pub(super) fn was_done(&self, node: NodeId, edition: Edition) -> bool {
        self.is_done(node, edition) || self.find(node).is_some_and(|known| known.edition == edition && known.was_filled)
    }

    /// Does that member hold a later edition than this one?
    pub(super) fn is_ahead(&self, node: NodeId, edition: Edition) -> bool {
        self.find(node).is_some_and(|known| known.edition > edition)
    }

    /// Somebody wants the map to change.
    pub(super) fn wish(&mut self, now: Instant, view: &View, wish: Wish) -> Result<(), Refusal> {
        if let Wish::Join { name, .. } = &wish
            && let Some(member) = view.map.named(name)
            && !view.map.grants(&wish)
            && !member.leaving
            && view.is_alive(member.id)
        {
            return Err(Refusal::Taken { name: name.clone() });
        }
        if let Some(refusal) = self.needs_force(view, &wish) {
            return Err(refusal);
        }
        match view.map.with(&wish, view.me) {
            Ok(None) => return Ok(()),
            Ok(Some(_)) | Err(Refusal::Moving) => {}
            Err(refusal) => return Err(refusal),
        }
        if let Some((_, asked)) = self.wishes.iter_mut().find(|(other, _)| *other == wish) {
            *asked = now;
        } else if self.wishes.len() < MAX_WISHES {
            self.wishes.push_back((wish, now));
        } else {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// What is wished for and not granted yet.
    pub(super) fn wishes(&self) -> impl Iterator<Item = &Wish> {
        self.wishes.iter().map(|(wish, _)| wish)
    }

    /// Does what is to be done about the map now: makes the next edition where that is this node's affair, or passes
    /// wishes on to the one whose affair it is.
    ///
    /// `is_confirmed` says whom this node has heard since it started, or stood still. It counts nobody else for its
    /// majority: before, others may have made an edition that it has not heard of. `is_reached` says whom another one
    /// says that it reaches.
    pub(super) fn act(
        &mut self,
        now: Instant,
        view: &View,
        is_confirmed: impl Fn(NodeId) -> bool,
        is_reached: impl Fn(NodeId) -> bool + Copy,
        out: &mut Outbox,
    ) -> Option<Map> {
        self.wishes.retain(|(wish, asked)| !view.map.grants(wish) && *asked + patience(wish) > now);
        self.watch(now, view, is_reached);
        let leader = leader(view)?;
        if leader != view.me {
            self.wishes().for_each(|wish| out.send(leader, Message::Wish { wish: wish.clone() }));
            return None;
        }
        // One that has not come is no part of either side: whoever has heard it counts it.
        let absent = self.absent(view).filter(|node| !is_reached(*node));
        let (mut staying, mut alive) = (0, 0);
        for member in view.map.members.iter().filter(|member| !member.leaving && Some(member.id) != absent) {
            staying += 1;
            alive += u32::from(member.id == view.me || view.is_alive(member.id) && is_confirmed(member.id));
        }
        if alive * 2 <= staying {
            return None;
        }
        if view.map.phase != Phase::Steady {
            if self.is_through(view) {
                return view.map.advanced(view.me);
            }
            if let Some(absent) = absent.filter(|node| self.is_over_without(now, view, *node)) {
                return view.map.without_new(absent, view.me);
            }
            if let Some(next) = self.stands_in_still(view) {
                return Some(next);
            }
            // Where a member is may change meanwhile: it may be the one that is waited for.
            let next = self.wishes().find_map(|wish| view.map.with(wish, view.me).ok().flatten());
            // And one that a person removes by force while it is away is waited for no longer.
            return next.or_else(|| self.wishes().find_map(|wish| given_up(view, wish)));
        }
        if let Some(next) = view.map.without_left(view.me) {
            return Some(next);
        }
        self.wishes.extend(self.to_remove(view).map(|wish| (wish, now)));
        // A wish that cannot be granted any more is dropped; whoever made it asks again and is told why.
        while let Some((wish, _)) = self.wishes.front() {
            if self.needs_force(view, wish).is_none()
                && let Ok(Some(next)) = view.map.with(wish, view.me)
            {
                return Some(next);
            }
            self.wishes.pop_front();
        }
        self.stand_in(now, view, is_reached)
    }

    /// Have all done what the phase is for?
    fn is_through(&self, view: &View) -> bool {
        let mine = self.is_filled(view, |node| view.is_alive(node));
        mine && self.others(view).all(|member| self.is_member_through(view, member)) && view.can_move()
    }

    /// Has a new member been waited for long enough, and all others have done what the phase is for? Who says so has
    /// never heard it either, and all that was written since is where it was kept before.
    fn is_over_without(&self, now: Instant, view: &View, absent: NodeId) -> bool {
        let mine = self.is_filled(view, |node| view.is_alive(node));
        let mut others = self.others(view).filter(|member| member.id != absent);
        let gone = self.find(absent).and_then(|known| known.dead).is_some_and(|since| since + ARRIVAL <= now);
        gone && mine && others.all(|member| self.is_member_through(view, member))
    }

    fn others<'a>(&self, view: &'a View) -> impl Iterator<Item = &'a Member> {
        view.map.members.iter().filter(|member| member.id != view.me)
    }

    /// Has that member done what the phase is for, or is it waited for no longer?
    fn is_member_through(&self, view: &View, member: &Member) -> bool {
        match view.is_alive(member.id) {
            true => self.is_done(member.id, view.map.edition()),
            false => self.goes_on_without(view, member),
        }
    }

    /// Does the change under way not wait for that member, which is down? Nobody needs what it has: it is given up; or
    /// others stand in for it, and it keeps all that it has. Not so where somebody else hears it: who does may free
    /// what it is told, and this node would not know of it.
    fn goes_on_without(&self, view: &View, member: &Member) -> bool {
        let is_reached = self.find(member.id).is_some_and(|known| known.reached);
        let may_go = member.leaving || self.is_given_up(member.id) || member.away && !view.loses(member.id);
        may_go && !is_reached
    }

    /// Whom the phase waits for, as far as this node knows; nobody while nothing moves.
    pub(super) fn awaited(&self, view: &View) -> Vec<NodeId> {
        if view.map.phase == Phase::Steady {
            return Vec::new();
        }
        let edition = view.map.edition();
        let awaited = |member: &&Member| match member.id {
            id if id == view.me => self.filled != Some(view.generation),
            id if view.is_alive(id) => !self.is_done(id, edition),
            _ => !self.goes_on_without(view, member),
        };
        view.map.members.iter().filter(awaited).map(|member| member.id).collect()
    }

    /// The first member that has been away for too long, as a wish.
    fn to_remove(&self, view: &View) -> Option<Wish> {
        let gone = |member: &&Member| match member.leaving {
            // It was given up while slots moved.
            true => member.weight > 0,
            false => !view.is_alive(member.id) && self.is_given_up(member.id),
        };
        let member = view.map.members.iter().find(gone)?;
        Some(Wish::Leave { name: member.name.clone(), force: true })
    }

    /// Why that member is not removed without force: it does not answer, and what it alone may have would be given up.
    /// While slots move nobody can tell how much that is. Of those who stay nobody else has a last copy, and nobody may
    /// come back with one.
    fn needs_force(&self, view: &View, wish: &Wish) -> Option<Refusal> {
        let Wish::Leave { name, force: false } = wish else { return None };
        let away = |member: &&Member| !member.leaving && !view.is_alive(member.id) && !self.is_given_up(member.id);
        let member = view.map.named(name).filter(away)?;
        if view.map.phase != Phase::Steady {
            return Some(Refusal::Awaited { name: name.clone() });
        }
        if member.sole {
            return Some(Refusal::Sole { name: name.clone() });
        }
        let goes = |node: &NodeId| {
            *node == member.id || !view.is_alive(*node) && view.member(*node).is_none_or(|other| other.leaving)
        };
        let slots = Slot::all().filter(|slot| view.replicas(*slot).iter().all(goes)).count() as u32;
        (slots > 0).then(|| Refusal::LastCopy { name: name.clone(), slots })
    }

    fn is_given_up(&self, node: NodeId) -> bool {
        self.find(node).is_some_and(|known| known.given_up)
    }

    /// Notes who is away, and forgets who is no member.
    fn watch(&mut self, now: Instant, view: &View, is_reached: impl Fn(NodeId) -> bool) {
        self.members.retain(|known| view.map.member(known.id).is_some());
        for member in view.map.members.iter().filter(|member| member.id != view.me) {
            let alive = view.is_alive(member.id);
            let grace = self.remove_after;
            let known = self.known(member.id);
            known.dead = if alive { None } else { known.dead.or(Some(now)) };
            known.reached = !alive && !view.is_aside(member.id) && is_reached(member.id);
            known.given_up =
                !known.reached && known.dead.is_some_and(|since| grace.is_some_and(|grace| since + grace <= now));
        }
    }

    fn find(&self, id: NodeId) -> Option<&Known> {
        let index = self.members.binary_search_by_key(&id, |known| known.id).ok()?;
        Some(&self.members[index])
    }

    fn known(&mut self, id: NodeId) -> &mut Known {
        let index = self.members.binary_search_by_key(&id, |known| known.id).unwrap_or_else(|place| {
            let known = Known {
                id,
                edition: Edition::default(),
                filled: false,
                was_filled: false,
                dead: None,
                given_up: false,
                reached: false,
            };
            self.members.insert(place, known);
            place
        });
        &mut self.members[index]
    }
}

/// The edition by which a member that is away is waited for no longer, where that is what is wished for.
fn given_up(view: &View, wish: &Wish) -> Option<Map> {
    let Wish::Leave { name, force: true } = wish else { return None };
    let away = view.map.named(name).is_some_and(|member| !view.is_alive(member.id));
    if away { view.map.giving_up(name, view.me) } else { None }
}

/// Who makes the next edition: the lowest member that is believed alive. One that is leaving does not make the edition
/// which it is not in: it would be gone before the others have it.
fn leader(view: &View) -> Option<NodeId> {
    let mut staying = view.map.members.iter().filter(|member| !member.leaving);
    staying.find(|member| view.is_alive(member.id)).map(|member| member.id)
}

#[cfg(test)]
mod tests;
