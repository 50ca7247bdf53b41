//! Who is a member and on whom slots are placed: the map, and how one edition of it follows another.
//!
//! A change of who keeps which slots takes three editions, so that no two nodes that hold neighbouring ones disagree
//! about anything that matters (`docs/membership.md`):
//!
//! 1. *Filling*: old and new owners are both written to; the old ones answer, and the new ones fetch what is there.
//! 2. *Handing over*: both are still written to; the new ones answer.
//! 3. *Steady*: the new owners alone.
//!
//! A member that is down for longer than a moment is *away*: it keeps its slots, and the members next on the ring stand
//! in for it, as additional replicas, until it is back and has reconciled. Both are changes like any other.
//!
//! An edition is made from the one before by pure functions in here; who makes it, and when, is the control plane's
//! affair.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::id::{Epoch, NodeId};
use crate::limits;

/// Who is a member, and how slots are placed on them. It changes by join, leave, removal and weight only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// The edition; it grows with every change.
    pub epoch: Epoch,
    /// Who made it: of two editions of one epoch, that of the higher node counts.
    pub by: NodeId,
    /// The number of the start of that node which made it: one that has forgotten what it made does not make another
    /// that is taken for the same.
    pub boot: u64,
    /// How far the latest change has come.
    pub phase: Phase,
    /// The members, by ascending id.
    pub members: Vec<Member>,
    /// The highest number that a member has ever had, or one that was left out: the numbers of those who have left are
    /// given again last.
    pub highest: NodeId,
    /// Copies of each slot, as configured; fewer exist while there are fewer members.
    pub replicas: u8,
    /// Points on the ring for a member of weight 1.
    pub virtual_nodes: u16,
}

/// How far a change of the map has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing is moving.
    #[default]
    Steady,
    /// New owners are being filled; the old ones answer.
    Filling,
    /// The new owners answer; the old ones are still written to.
    Handing,
}

/// One member of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// Its number in the map.
    pub id: NodeId,
    /// Its name, unique in the cluster: its points on the ring are hashed from it.
    pub name: String,
    /// Its share of the slots, relative to the others'. With 0 it keeps none, and passes requests on.
    pub weight: u32,
    /// Its share before the change that is under way; as `weight` when there is none.
    pub was: u32,
    /// It will be no member any more once its slots have moved.
    pub leaving: bool,
    /// It has been down for longer than a moment: others stand in for it, and it keeps its slots all the same.
    pub away: bool,
    /// Was it away before the change that is under way? As `away` when there is none.
    pub was_away: bool,
    /// When others came to stand in for it, nobody who was up had a copy of some of its slots: it may have the only
    /// ones until it is back.
    pub sole: bool,
    /// Where it stands (a rack, a data centre): copies of a slot are kept in different ones. Empty where it is not
    /// said.
    pub zone: String,
    /// Where it stood before the change that is under way, where that changes its zone.
    pub moved_from: Option<String>,
    /// Where peers reach it, `host:port`; empty where there is no network.
    pub peer_address: String,
    /// Where clients reach it, `host:port`; empty where there is no network.
    pub http_address: String,
}

/// Which edition of the map somebody holds: of two, the higher one replaces the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edition {
    /// Its epoch.
    pub epoch: Epoch,
    /// Who made it.
    pub by: NodeId,
    /// The number of its maker's start.
    pub boot: u64,
}

/// A change of the map that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To be a member, or to be known under these addresses from now on.
    Join {
        /// The member's name.
        name: String,
        /// Its share; at least 1. That of a member already known stays as it is.
        weight: u32,
        /// Its zone. That of a member already known stays as it is.
        zone: String,
        /// Where peers reach it.
        peer_address: String,
        /// Where clients reach it.
        http_address: String,
    },
    /// Another share for a member; 0 drains it: it keeps no slots, and stays a member.
    Weight {
        /// The member's name.
        name: String,
        /// Its share.
        weight: u32,
    },
    /// Another zone for a member, so that copies of what it keeps are kept elsewhere, and other copies by it.
    Zone {
        /// The member's name.
        name: String,
        /// Where it stands.
        zone: String,
    },
    /// A member is to be none any more, once what it has is kept by others. Also for one that is gone for good.
    Leave {
        /// The member's name.
        name: String,
        /// Where it does not answer, what it alone has is given up. Without that it is removed only while others have
        /// all that it has.
        force: bool,
    },
}

impl Wish {
    /// The name of the member that it is about.
    pub fn name(&self) -> &str {
        match self {
            Wish::Join { name, .. }
            | Wish::Weight { name, .. }
            | Wish::Zone { name, .. }
            | Wish::Leave { name, .. } => name,
        }
    }
}

/// Why a wish is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another change is under way: the wish waits.
    Moving,
    /// No member has that name.
    Unknown {
        /// The name.
        name: String,
    },
    /// Nobody would be left to keep the slots.
    Last {
        /// The member's name.
        name: String,
    },
    /// A member of that name is alive, under another address.
    Taken {
        /// The name.
        name: String,
    },
    /// The member does not answer, and is the only one that has some slots.
    LastCopy {
        /// The member's name.
        name: String,
        /// How many.
        slots: u32,
    },
    /// The member does not answer, and had the only copies of something when others came to stand in for it.
    Sole {
        /// The member's name.
        name: String,
    },
    /// The member does not answer, and slots that are moving wait for what it has.
    Awaited {
        /// The member's name.
        name: String,
    },
    /// The cluster is full, or its numbers are used up, or too much is wished for at a time.
    Full,
    /// A name or an address is too long, or empty.
    Form {
        /// Which.
        field: &'static str,
    },
}

/// No member has this number.
pub const NOBODY: NodeId = NodeId(u16::MAX);

impl Member {
    /// A member of weight 1, reached nowhere.
    pub fn new(id: NodeId, name: impl Into<String>) -> Member {
        Member { id, name: name.into(), weight: 1, was: 1, ..Member::default() }
    }

    /// Where it stands after the change that is under way, or stood before.
    pub fn zone(&self, after: bool) -> &str {
        self.moved_from.as_deref().filter(|_| !after).unwrap_or(&self.zone)
    }

    /// Its share of the slots after the change that is under way, or before.
    pub fn share(&self, after: bool) -> u32 {
        if after { self.weight } else { self.was }
    }

    /// Is it placed otherwise after the change that is under way?
    fn moves(&self) -> bool {
        self.was != self.weight || self.moved_from.is_some() || self.was_away != self.away
    }

    /// Did others stand in for it before the change that is under way, or do they after it?
    pub(crate) fn is_away(&self, after: bool) -> bool {
        if after { self.away } else { self.was_away }
    }

    /// Is it leaving, without a slot that would have to move first?
    fn has_left(&self) -> bool {
        self.leaving && self.weight == 0 && self.was == 0
    }
}

impl Map {
    /// The first edition: these members, by ascending id, and nothing moving.
    pub fn first(members: Vec<Member>, replicas: u8, virtual_nodes: u16) -> Map {
        let highest = members.last().map_or(NodeId(0), |member| member.id);
        Map {
            epoch: Epoch::FIRST,
            by: NodeId(0),
            boot: 0,
            phase: Phase::Steady,
            members,
            highest,
            replicas,
            virtual_nodes,
        }
    }

    /// The member of that id.
    pub fn member(&self, node: NodeId) -> Option<&Member> {
        let index = self.members.binary_search_by_key(&node, |m| m.id).ok()?;
        Some(&self.members[index])
    }

    /// The member of that name.
    pub fn named(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Which edition it is.
    pub fn edition(&self) -> Edition {
        Edition { epoch: self.epoch, by: self.by, boot: self.boot }
    }

    /// Does it replace the other one?
    pub fn replaces(&self, other: &Map) -> bool {
        self.edition() > other.edition()
    }

    /// Is there something wrong with it, that no edition has?
    pub fn flaw(&self) -> Option<&'static str> {
        let text = |member: &Member| fits(&member.name, 1) && fits(&member.zone, 0) && fits(member.zone(false), 0);
        let addresses = |member: &Member| fits(&member.peer_address, 0) && fits(&member.http_address, 0);
        match self {
            _ if self.members.len() > limits::MAX_MEMBERS => Some("too many members"),
            _ if !self.members.is_sorted_by(|a, b| a.id < b.id) => Some("members out of order"),
            _ if self.members.iter().any(|m| m.id == NOBODY) => Some("a member without a number"),
            _ if !self.members.iter().all(|m| text(m) && addresses(m)) => Some("a name or an address too long"),
            _ if !self.members.iter().any(|m| m.weight > 0) => Some("nobody to keep the slots"),
            _ if !self.members.iter().any(|m| m.was > 0) => Some("nobody who kept the slots"),
            _ if self.members.iter().any(|m| m.weight.max(m.was) > limits::MAX_WEIGHT) => Some("a weight too large"),
            _ if self.phase == Phase::Steady && self.members.iter().any(Member::moves) => {
                Some("a change without a phase")
            }
            _ if self.replicas == 0 || usize::from(self.replicas) > limits::MAX_REPLICAS => Some("a number of copies"),
            _ if self.virtual_nodes == 0 => Some("no points on the ring"),
            _ => None,
        }
    }

    /// Has it what that wish wants, as far as anybody can tell by the map?
    pub fn grants(&self, wish: &Wish) -> bool {
        match wish {
            Wish::Join { name, peer_address, http_address, .. } => self.named(name).is_some_and(|member| {
                !member.leaving && member.peer_address == *peer_address && member.http_address == *http_address
            }),
            Wish::Weight { name, weight } => self.named(name).is_none_or(|member| member.weight == *weight),
            Wish::Zone { name, zone } => self.named(name).is_none_or(|member| member.zone == *zone),
            Wish::Leave { name, .. } => self.named(name).is_none_or(|member| member.leaving && member.weight == 0),
        }
    }

    /// The next edition, with that wish granted; `None` when there is nothing to change.
    pub fn with(&self, wish: &Wish, by: NodeId) -> Result<Option<Map>, Refusal> {
        if self.grants(wish) {
            return Ok(None);
        }
        let mut members = self.members.clone();
        let mut highest = self.highest;
        if let Wish::Join { name, peer_address, http_address, .. } = wish
            && let Some(member) = members.iter_mut().find(|member| member.name == *name && !member.leaving)
        {
            // Placements stay as they are, so that it need not wait: what moves may wait for this very member.
            if !fits(peer_address, 0) || !fits(http_address, 0) {
                return Err(Refusal::Form { field: "address" });
            }
            member.peer_address.clone_from(peer_address);
            member.http_address.clone_from(http_address);
            return Ok(Some(Map { epoch: Epoch(self.epoch.0 + 1), by, members, ..self.clone() }));
        }
        if self.phase != Phase::Steady {
            return Err(Refusal::Moving);
        }
        match wish {
            Wish::Join { name, weight, zone, peer_address, http_address } => {
                for (text, least, field) in
                    [(name, 1, "name"), (zone, 0, "zone"), (peer_address, 0, "address"), (http_address, 0, "address")]
                {
                    if !fits(text, least) {
                        return Err(Refusal::Form { field });
                    }
                }
                match members.iter_mut().find(|member| member.name == *name) {
                    Some(member) => {
                        member.peer_address.clone_from(peer_address);
                        member.http_address.clone_from(http_address);
                        if member.leaving {
                            (member.leaving, member.weight) = (false, (*weight).clamp(1, limits::MAX_WEIGHT));
                        }
                    }
                    None => {
                        let id = self.free_id().filter(|_| members.len() < limits::MAX_MEMBERS);
                        let member = Member {
                            id: id.ok_or(Refusal::Full)?,
                            name: name.clone(),
                            weight: (*weight).clamp(1, limits::MAX_WEIGHT),
                            was: 0,
                            leaving: false,
                            away: false,
                            was_away: false,
                            sole: false,
                            zone: zone.clone(),
                            moved_from: None,
                            peer_address: peer_address.clone(),
                            http_address: http_address.clone(),
                        };
                        let place = members.partition_point(|other| other.id < member.id);
                        members.insert(place, member);
                    }
                }
            }
            Wish::Weight { name, weight } => {
                let weight = (*weight).min(limits::MAX_WEIGHT);
                let member = members.iter_mut().find(|member| member.name == *name);
                let member = member.ok_or_else(|| Refusal::Unknown { name: name.clone() })?;
                if member.was == 0 && member.id == highest {
                    // It is a member already: see `is_new`.
                    highest = NodeId(highest.0.saturating_add(1));
                }
                member.weight = weight;
            }
            Wish::Zone { name, zone } => {
                let member = members.iter_mut().find(|member| member.name == *name);
                let member = member.ok_or_else(|| Refusal::Unknown { name: name.clone() })?;
                if !fits(zone, 0) {
                    return Err(Refusal::Form { field: "zone" });
                }
                let before = core::mem::replace(&mut member.zone, zone.clone());
                // One without slots has nothing to move.
                member.moved_from = Some(before).filter(|_| member.weight > 0);
            }
            Wish::Leave { name, .. } => {
                let member = members.iter_mut().find(|member| member.name == *name);
                let member = member.ok_or_else(|| Refusal::Unknown { name: name.clone() })?;
                (member.leaving, member.weight) = (true, 0);
            }
        }
        // Who keeps no slots needs nobody to stand in for it.
        members.iter_mut().filter(|member| member.weight == 0).for_each(|member| member.away = false);
        if members.iter().all(|member| member.weight == 0) {
            let (Wish::Join { name, .. }
            | Wish::Weight { name, .. }
            | Wish::Zone { name, .. }
            | Wish::Leave { name, .. }) = wish;
            return Err(Refusal::Last { name: name.clone() });
        }
        let moves = members.iter().any(Member::moves);
        if !moves {
            // A member without slots has nothing to move. Whoever makes the edition stays in it all the same: if it
            // were gone before the others have it, they might be too few for another one.
            members.retain(|member| !member.has_left() || member.id == by);
        }
        let phase = if moves { Phase::Filling } else { Phase::Steady };
        let highest = members.iter().map(|member| member.id).fold(highest, NodeId::max);
        Ok(Some(Map { epoch: Epoch(self.epoch.0 + 1), by, phase, members, highest, ..self.clone() }))
    }

    /// The next edition of a change that is under way, which waits no longer for that member: it is gone for good. It
    /// is removed once the change is over. `None` when nothing moves, or nobody would be waited for.
    pub fn giving_up(&self, name: &str, by: NodeId) -> Option<Map> {
        let mut next = Map { epoch: Epoch(self.epoch.0 + 1), by, ..self.clone() };
        let member = next.members.iter_mut().find(|member| member.name == name && !member.leaving)?;
        member.leaving = true;
        let stays = next.members.iter().any(|member| !member.leaving && member.weight > 0);
        (self.phase != Phase::Steady && stays).then_some(next)
    }

    /// The next edition, by which others stand in for members that are down, or no longer, now that they are back.
    /// `None` while something moves, and where there is nothing to change. Of those who are away, `sole` may have the
    /// only copies of something.
    pub fn stood_in_for(&self, nodes: &[NodeId], away: bool, sole: &[NodeId], by: NodeId) -> Option<Map> {
        let mut next = Map { epoch: Epoch(self.epoch.0 + 1), by, phase: Phase::Filling, ..self.clone() };
        next.members.iter_mut().for_each(|member| member.sole |= sole.contains(&member.id));
        for member in next.members.iter_mut().filter(|member| nodes.contains(&member.id)) {
            member.away = away && !member.leaving && member.weight > 0;
        }
        (self.phase == Phase::Steady && next.members.iter().any(Member::moves)).then_some(next)
    }

    /// The next edition, by which those go on standing in who were about to do so no longer, and have freed nothing
    /// yet. `None` where nobody was.
    pub fn still_stood_in_for(&self, by: NodeId) -> Option<Map> {
        let mut next = Map { epoch: Epoch(self.epoch.0 + 1), by, phase: Phase::Steady, ..self.clone() };
        let ends = self.phase == Phase::Filling && self.members.iter().any(|member| member.was_away && !member.away);
        next.members.iter_mut().for_each(|member| member.away = member.was_away);
        (ends && !next.members.iter().any(Member::moves)).then_some(next)
    }

    /// Does the change under way find somebody who stands in for a member that is down?
    pub fn is_standing_in(&self) -> bool {
        self.members.iter().any(|member| member.away && !member.was_away)
    }

    /// Is that the member which the change under way takes in? It has kept nothing yet, and has the highest number: one
    /// that had been drained leaves a number out when it is given slots again.
    pub fn is_new(&self, node: NodeId) -> bool {
        let new = |member: &Member| member.was == 0 && member.weight > 0 && !member.leaving;
        self.phase == Phase::Filling && node == self.highest && self.member(node).is_some_and(new)
    }

    /// The next edition, without the member that the change under way was to take in: it has not come, and all is as it
    /// was before. `None` where that is no such member.
    pub fn without_new(&self, node: NodeId, by: NodeId) -> Option<Map> {
        let mut next = Map { epoch: Epoch(self.epoch.0 + 1), by, phase: Phase::Steady, ..self.clone() };
        next.members.retain(|member| member.id != node);
        next.members.iter_mut().for_each(|member| member.weight = member.was);
        self.is_new(node).then_some(next)
    }

    /// The next edition of a change that is under way; `None` when there is none.
    pub fn advanced(&self, by: NodeId) -> Option<Map> {
        let mut next = Map { epoch: Epoch(self.epoch.0 + 1), by, ..self.clone() };
        next.phase = match self.phase {
            Phase::Steady => return None,
            Phase::Filling => Phase::Handing,
            Phase::Handing => {
                next.members.retain(|member| !(member.leaving && member.weight == 0));
                for member in &mut next.members {
                    member.sole &= member.away;
                    (member.was, member.was_away, member.moved_from) = (member.weight, member.away, None);
                }
                Phase::Steady
            }
        };
        Some(next)
    }

    /// The next edition, without those who have left and were kept to pass on the one before; `None` when there are
    /// none, or something moves.
    pub fn without_left(&self, by: NodeId) -> Option<Map> {
        let left = |member: &Member| member.has_left() && member.id != by;
        if self.phase != Phase::Steady || !self.members.iter().any(left) {
            return None;
        }
        let mut next = Map { epoch: Epoch(self.epoch.0 + 1), by, ..self.clone() };
        next.members.retain(|member| !left(member));
        Some(next)
    }

    /// A number that nobody has, and nobody had if that can be.
    fn free_id(&self) -> Option<NodeId> {
        let next = NodeId(self.highest.0.saturating_add(1));
        let free = |id: &NodeId| self.member(*id).is_none() && *id != NOBODY;
        Some(next).filter(free).or_else(|| (1..u16::MAX).map(NodeId).find(free))
    }
}

/// Between so many bytes and [`limits::MAX_NAME`].
fn fits(text: &str, least: usize) -> bool {
    (least..=limits::MAX_NAME).contains(&text.len())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Moving => f.write_str("another change is under way"),
            Refusal::Unknown { name } => write!(f, "no member is called `{name}`"),
            Refusal::Last { name } => write!(f, "without `{name}` nobody would keep the slots"),
            Refusal::Taken { name } => write!(f, "another member is called `{name}`, and it is alive"),
            Refusal::LastCopy { name, slots } => write!(
                f,
                "`{name}` does not answer, and {slots} slots have no copy with anybody else: what is in them would be \
                 given up; bring it back, or remove it by force"
            ),
            Refusal::Sole { name } => write!(
                f,
                "`{name}` does not answer, and when others came to stand in for it nobody had a copy of some of its \
                 slots: what is in them would be given up; bring it back, or remove it by force"
            ),
            Refusal::Awaited { name } => write!(
                f,
                "`{name}` does not answer while slots move, and what it alone has would be given up; bring it back, \
                 or remove it by force"
            ),
            Refusal::Full => f.write_str("the cluster is full"),
            Refusal::Form { field } => write!(f, "the {field} is empty or longer than {} bytes", limits::MAX_NAME),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Steady => "steady",
            Phase::Filling => "filling",
            Phase::Handing => "handing over",
        })
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests;
