//! What a shard has yet to hear from the other replicas of its slots: kept by member and by lane.
//!
//! A lane is *in doubt* while a replica that is believed alive has not said what this node missed of it: what is held
//! there is neither served nor refused without asking. Where such a replica is not alive the lane is *unsure*: nobody
//! can be asked, so it is served as in a partition, and what leaves the store is remembered for later.

mod gained;
mod judging;

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use self::gained::Unheard;
use self::judging::{deciding, knowing};
use super::Floors;
use super::gather::Found;
use super::orphans::Orphans;
use crate::clock::{Clock, FLOOR_AHEAD};
use crate::id::{LANES, Lanes, NodeId, Slot, Version};
use crate::map::Phase;
use crate::mutant::{self, Mutant};
use crate::time::UnixMs;
use crate::view::View;

/// All members that share slots with this shard.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    /// Lanes of this shard.
    lanes: Lanes,
    /// By ascending id; nobody before the first view.
    list: Vec<Source>,
    /// What was adopted last.
    view: Option<View>,
    /// Lanes in which some source that is alive has not been heard out. All of them before the first view.
    doubt: Lanes,
    /// Lanes with slots that this node gains, of which some old owner that is alive has not been heard out.
    gaps: Lanes,
    /// Lanes in which some source, alive or not, has not been heard out.
    pub(super) unsure: Lanes,
    /// What left the store in an unsure lane and is newer than this may be unknown to the one who was away.
    above: Version,
    /// Since when this node may be passed by, and somebody whom it does not know of may keep its slots: what is newer
    /// than this may have come after what that one was told.
    apart: Option<Version>,
    /// Lanes in which somebody is being told what it missed, until when at least, and since which version it has missed
    /// anything.
    telling: (Lanes, UnixMs, Version),
    /// For slots that this node gains, what others than the primary have decided, who may know nothing of it: new
    /// owners while the old ones were away, and old ones that suspect it.
    decided: Floors,
    /// Slots of which nobody may be left who knows whether what is here is current.
    pub(super) orphans: Orphans,
    /// How often this node had been away when it looked last.
    absences: u64,
    /// When somebody was lost last, and since which version those who were lost may have told others what they told
    /// nobody here.
    lost: Option<(UnixMs, Version)>,
}

/// One member that shares slots with this shard.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) id: NodeId,
    /// Lanes with slots of which both are replicas.
    shared: Lanes,
    alive: bool,
    round: u64,
    losses: u64,
    /// Lanes that have not been heard out in this round.
    pub(super) open: Lanes,
    /// Of those, the ones that a running pull is about.
    pub(super) pulling: Lanes,
    /// What it wrote up to this version is known here.
    pub(super) since: Version,
    /// What left the store here and is newer than this may be unknown there.
    pub(super) above: Version,
    /// Lanes with slots that this node gains and that the member keeps, or kept, of which it has not been heard out.
    pub(super) gained: Lanes,
    /// Of those, the ones that a running pull is about.
    pub(super) gaining: Lanes,
    /// Lanes about which it has been heard out for slots that this node gains, and in which none was an orphan to it.
    gave: Lanes,
    /// The same, where one was: what nobody vouched for has been withheld.
    withheld: Lanes,
    /// Lanes about which it is asked again, for what it has withheld: it answers once it knows whether to tell it.
    again: Lanes,
    /// Lanes about which it has been heard out since, and in which no slot is an orphan to it.
    pub(super) vouches: Lanes,
    /// What of it orphans were judged by.
    judged: [Lanes; 4],
}

/// A pull that is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) from: NodeId,
    pub(super) lanes: Lanes,
    pub(super) since: Version,
    /// It is about the slots that this node gains, and about those only.
    pub(super) gained: bool,
}

/// What was written at most so long before a replica went away may not have reached it, and a write of the last so long
/// may not have reached every replica yet.
pub(super) const RECENT: Duration = Duration::from_secs(10);
/// The same in versions: those of one member may be ahead of another's by what a floor is ahead of the time.
const RECENT_VERSIONS: Duration = RECENT.saturating_add(FLOOR_AHEAD[0]);

/// How much later than somebody else a member that is heard may come to hear of a map.
const LATE: Duration = Duration::from_secs(2);
/// Since when something is listed that is asked for again: there is nothing before it, as there is nothing before the
/// beginning of time.
pub(super) const AGAIN: Version = Version { stamp: 0, node: NodeId(1) };

impl Sources {
    pub(super) fn new(lanes: Lanes) -> Sources {
        let (doubt, unsure, above) = (lanes, lanes, Version::ZERO);
        let (telling, decided) = ((Lanes::NONE, UnixMs(0), Version::ZERO), Floors::new());
        let (gaps, orphans, absences, lost) = (Lanes::NONE, Orphans::default(), 0, None);
        let (list, view, apart) = (Vec::new(), None, None);
        Sources { lanes, list, view, doubt, gaps, unsure, above, apart, telling, decided, orphans, absences, lost }
    }

    /// May this node not answer alone for that slot?
    #[inline]
    pub(super) fn doubts(&self, slot: Slot) -> bool {
        self.asks(slot) || self.orphans.contains(slot)
    }

    /// Is there somebody to be asked, who has yet to say what this node missed in that slot?
    fn asks(&self, slot: Slot) -> bool {
        self.doubt.contains(slot) || (self.gaps.contains(slot) && self.gains(slot))
    }

    /// Does nobody vouch for what this node holds of that slot in that version?
    #[inline]
    pub(super) fn is_unvouched(&self, slot: Slot, version: Version) -> bool {
        version <= self.orphans.floor(slot) && !self.asks(slot) && self.view.as_ref().is_some_and(View::is_sure)
    }

    /// Is that what this node held before a replica of the slot left that may have replaced it? Nobody else is to take
    /// it for more than it is.
    pub(super) fn is_hidden(&self, slot: Slot, version: Version) -> bool {
        version <= self.orphans.bereft_up_to(slot)
    }

    /// Has this node something to hide in those lanes?
    pub(super) fn hides(&self, lanes: Lanes) -> bool {
        self.orphans.bereft().any(|slot| lanes.contains(slot))
    }

    /// Up to which version those answers together do not say what a slot has: they do where a witness is among them,
    /// and where all are who keep it, but for what one has taken with it that has left unheard.
    pub(super) fn doubted_up_to(&self, slot: Slot, found: &[(NodeId, Found)]) -> Version {
        let Some(view) = self.view.as_ref().filter(|_| self.orphans.contains(slot)) else { return Version::ZERO };
        let answer = |node: NodeId| found.iter().find(|(from, _)| *from == node);
        let vouches = |node: NodeId| answer(node).is_some_and(|(_, found)| found.holding.before == Version::ZERO);
        if knowing(view, slot).any(vouches) {
            return Version::ZERO;
        }
        let others = || deciding(view, slot);
        let all = others().next().is_some() && others().all(|node| answer(node).is_some());
        if all { self.orphans.bereft_up_to(slot) } else { self.orphans.floor(slot) }
    }

    /// Lanes in which this node vouches for what it has of every slot.
    pub(super) fn vouched(&self) -> Lanes {
        // Who gains slots is asked for what it knows once they are handed over.
        let handing = self.view.as_ref().is_some_and(|view| view.map.phase == Phase::Handing);
        let gaining = self.list.iter().filter(|_| handing).map(|source| source.gained);
        let filling = gaining.fold(Lanes::NONE, Lanes::or);
        self.orphans.unsworn().fold(self.lanes.without(filling), |lanes, slot| lanes.without(Lanes::of(slot)))
    }

    /// Lanes in which it does so for every slot that this member gains.
    pub(super) fn vouched_to(&self, to: NodeId) -> Lanes {
        let Some(view) = &self.view else { return Lanes::NONE };
        let given = |slot: &Slot| view.gains(to, *slot) && view.is_replica(*slot) && !view.gains(view.me, *slot);
        self.orphans.unsworn().filter(given).fold(self.lanes, |lanes, slot| lanes.without(Lanes::of(slot)))
    }

    /// Is this node counted out, and may it be passed by?
    pub(super) fn is_aside(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.is_aside(view.me))
    }

    /// Has some old owner yet to be heard out about the gained slots of that lane?
    pub(super) fn is_filling(&self, slot: Slot) -> bool {
        self.list.iter().any(|source| source.gained.contains(slot))
    }

    /// What was adopted last.
    pub(super) fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }

    /// Lanes in which it may not answer alone for every slot.
    pub(super) fn doubtful(&self) -> Lanes {
        self.doubt.or(self.gaps)
    }

    /// Does this node come to keep that slot by the change of the map that is under way?
    pub(super) fn gains(&self, slot: Slot) -> bool {
        self.view.as_ref().is_some_and(|view| view.gains(view.me, slot))
    }

    /// That member has decided about a slot: a new owner, or one that others take for the primary and this node does
    /// not, while they suspect whom it asks.
    pub(super) fn decided(&mut self, by: NodeId, slot: Slot, version: Version) {
        let filling = self.view.as_ref().filter(|view| view.map.phase == Phase::Filling);
        let is_strange = |view: &View| view.gains(by, slot) || view.primary(slot) != Some(by);
        if filling.is_some_and(|view| view.gains(view.me, slot) && is_strange(view)) {
            self.decided.raise(slot, version);
        }
    }

    /// The highest version of that slot, which this node gains, that another than the primary has decided.
    pub(super) fn decided_by_others(&self, slot: Slot) -> Version {
        self.decided.floor(slot)
    }

    /// The lives that those lead who share slots with this shard, and are alive, but for that member.
    pub(super) fn lives(&self, but: NodeId) -> Vec<(NodeId, u64)> {
        let life = |node| self.view.as_ref().and_then(|view| view.pull(node)).map_or(0, |pull| pull.life);
        let others = self.list.iter().filter(|source| source.alive && source.id != but);
        others.map(|source| (source.id, life(source.id))).filter(|(_, life)| *life > 0).collect()
    }

    /// The member, if it shares slots with this shard.
    pub(super) fn find(&mut self, id: NodeId) -> Option<&mut Source> {
        self.list.iter_mut().find(|source| source.id == id)
    }

    /// Takes in a view. Returns the members whose pulls, if they run, are out of date.
    pub(super) fn adopt(&mut self, view: &View, now: UnixMs, clock: &mut Clock) -> Vec<NodeId> {
        let before = self.view.replace(view.clone());
        let (mut stale, mut lost) = (Vec::new(), Vec::new());
        let mapped = before.as_ref().is_none_or(|before| before.map != view.map);
        if mapped {
            self.note_bereft(before.as_ref(), view);
            stale.extend(self.list.iter().map(|source| source.id));
            self.place(before.as_ref(), view, now);
            // Whoever shares no slot with this node any more has nothing to say.
            stale.retain(|id| self.list.iter().all(|source| source.id != *id));
        }
        self.list.iter_mut().for_each(|source| source.alive = view.is_alive(source.id));
        let unheard: Vec<Unheard> = self.list.iter().filter(|source| !source.alive).map(Source::unheard).collect();
        for source in &mut self.list {
            let pull = view.pull(source.id).unwrap_or_default();
            if pull.round != source.round {
                if pull.losses != source.losses {
                    lost.push((source.id, source.since_with(pull.since)));
                }
                (source.round, source.losses) = (pull.round, pull.losses);
                source.ask_again(source.shared, pull.since);
                // Meanwhile it may have heard what this node has not of those whom it does not hear.
                unheard.iter().for_each(|unheard| source.ask_for(unheard));
                // What it was saying about gained slots is begun anew as well.
                stale.push(source.id);
            } else if !source.alive {
                stale.push(source.id);
            }
        }
        let since = self.apart.unwrap_or_else(|| Version::before((now - RECENT_VERSIONS).0 << 16));
        self.apart = view.may_be_passed_by().then_some(since);
        if view.absence().count != self.absences {
            self.absences = view.absence().count;
            // Nothing that this node holds is above that.
            let latest = clock.present(now).max(clock.latest());
            self.begin_orphans(before.as_ref(), view, latest);
        }
        // What a lost member was telling when it went may have reached others, and not this node.
        for (gone, since) in lost {
            let before = self.lost.filter(|(at, _)| now.since(*at) < LATE).map_or(since, |(_, before)| before);
            self.lost = Some((now, before.min(since)));
            let with_it = sharing(view, self.lanes, Some(gone));
            let gained = self.find(gone).map_or(Lanes::NONE, |source| source.gained);
            for source in self.list.iter_mut().filter(|source| source.id != gone) {
                let Some(shared) = with_it.iter().find(|with| with.id == source.id).map(|with| with.shared) else {
                    continue;
                };
                // A listing that has begun may have passed the place of what came after that.
                let again = shared.without(source.open.without(source.pulling));
                if !again.is_empty() || source.since > since {
                    source.ask_again(again, since);
                    stale.push(source.id);
                }
                let gained = gained.and(source.gaining.or(source.gave).or(source.withheld));
                if !gained.is_empty() {
                    source.ask_again_for(gained);
                    stale.push(source.id);
                }
            }
        }
        // While slots are handed over it matters who is alive, and else only what they have said.
        let handing = view.map.phase == Phase::Handing;
        self.sum_up_all(mapped || handing || before.is_none_or(|before| before.absence() != view.absence()));
        stale
    }

    /// Works out anew which lanes are in doubt, and which slots are orphans, now that more has been heard.
    pub(super) fn sum_up(&mut self) {
        self.sum_up_all(false);
    }

    /// The same. Where not all are judged, those of lanes are about which more has been heard: of the others the same
    /// would be said again.
    fn sum_up_all(&mut self, all: bool) {
        (self.doubt, self.gaps) = (Lanes::NONE, Lanes::NONE);
        (self.unsure, self.above) = (Lanes::NONE, Version { stamp: u64::MAX, node: NodeId(0) });
        for source in self.list.iter().filter(|source| source.alive) {
            self.gaps = self.gaps.or(source.gained);
        }
        for source in self.list.iter().filter(|source| !source.open.is_empty()) {
            self.unsure = self.unsure.or(source.open);
            self.above = self.above.min(source.above);
            if source.alive && !mutant::on(Mutant::ServeOutOfSync) {
                self.doubt = self.doubt.or(source.open);
            }
        }
        let moved = self.list.iter().fold(Lanes::NONE, |lanes, source| lanes.or(source.moved()));
        self.judge_orphans(if all { self.lanes } else { moved });
    }

    /// The pulls that are called for, do not run, and would be answered.
    pub(super) fn due(&self) -> impl Iterator<Item = Call> {
        let tells = |node| self.view.as_ref().is_some_and(|view| view.tells(node));
        let alive = self.list.iter().filter(|source| source.alive);
        let due = alive.flat_map(|source| {
            let (from, since) = (source.id, source.since);
            let missed = Call { from, lanes: source.open.without(source.pulling), since, gained: false };
            let gained = source.gained.without(source.gaining);
            let (first, again) = (gained.without(source.again), gained.and(source.again));
            let gained = |lanes, since| Call { from, lanes, since, gained: true };
            [missed, gained(first, Version::ZERO), gained(again, AGAIN)]
        });
        due.filter(move |call| !call.lanes.is_empty() && tells(call.from))
    }

    /// May somebody not know of a version of that slot which leaves the store now?
    #[inline]
    pub(super) fn may_be_news(&self, slot: Slot, version: Version, now: UnixMs) -> bool {
        version.unix() > now - RECENT
            || (version > self.above && self.unsure.contains(slot))
            || self.apart.is_some_and(|since| version > since)
            || self.is_telling(slot, version, now)
    }

    /// May somebody have been told of that version, and ask for it, and find that it has gone?
    fn is_telling(&self, slot: Slot, version: Version, now: UnixMs) -> bool {
        let (lanes, until, since) = self.telling;
        now < until && version > since && lanes.contains(slot)
    }

    /// Somebody asks what it missed in those lanes since that version, or will in a moment. It asks for each key, and
    /// for the next page, for a while after that.
    pub(super) fn tells(&mut self, lanes: Lanes, since: Version, now: UnixMs) {
        let (told, until, before) = self.telling;
        let (told, before) = if now < until { (told, before) } else { (Lanes::NONE, since) };
        self.telling = (told.or(lanes), UnixMs(now.0 + RECENT.as_millis() as u64), before.min(since));
    }

    /// The lowest version that a floor of that member must exceed to say something about an entry of this node; `None`
    /// where this node has missed nothing of it.
    pub(super) fn missed_since(&self, node: NodeId, slot: Slot) -> Option<Version> {
        let source = self.list.iter().find(|source| source.id == node)?;
        if source.gained.contains(slot) && self.gains(slot) {
            return Some(Version::ZERO);
        }
        source.open.contains(slot).then_some(source.since)
    }

    /// Adds what was not heard yet to a hash. The rounds are left out: they are those of the view.
    pub(super) fn digest(&self, state: &mut impl Hasher) {
        for source in &self.list {
            (source.id, source.alive, source.open, source.pulling, source.gained, source.gaining).hash(state);
            source.vouches.hash(state);
            // What is since when matters while something is open.
            if !source.open.is_empty() {
                (source.since, source.above).hash(state);
            }
        }
        self.telling.hash(state);
        self.orphans.digest(state);
    }

    /// Does this node come to keep slots that it did not keep by the view before?
    pub(super) fn would_gain(&self, view: &View) -> bool {
        self.view.as_ref().is_some_and(|before| {
            before.map != view.map && self.lanes_slots().any(|slot| view.is_replica(slot) && !before.is_replica(slot))
        })
    }

    /// Does this node keep fewer slots than by the view before?
    pub(super) fn would_lose(&self, view: &View) -> bool {
        self.view.as_ref().is_some_and(|before| {
            before.map != view.map && self.lanes_slots().any(|slot| before.is_replica(slot) && !view.is_replica(slot))
        })
    }

    /// Takes in another map: who shares slots with this node now, and what it gains.
    fn place(&mut self, before: Option<&View>, view: &View, now: UnixMs) {
        let known = core::mem::replace(&mut self.list, sharing(view, self.lanes, None));
        // Whoever has just become a member has nothing: there is nothing to be missed of it, but for what it was told
        // by somebody who had heard of it before this node did, and was lost then, or is not heard.
        let lost = self.lost.filter(|(at, _)| now.since(*at) < LATE).map(|(_, since)| since);
        let told = known.iter().filter(|source| !source.open.is_empty()).map(|source| source.since).chain(lost).min();
        let follows = before.filter(|before| before.map.epoch.0 + 1 == view.map.epoch.0);
        let joins = |node| follows.is_some_and(|b| b.map.member(node).is_none()) && view.map.phase == Phase::Filling;
        for source in &mut self.list {
            if let Some(known) = known.iter().find(|known| known.id == source.id) {
                let shared = source.shared;
                *source = Source { shared, open: known.open.and(shared), pulling: known.pulling.and(shared), ..*known };
            } else if joins(source.id) {
                let pull = view.pull(source.id).unwrap_or_default();
                (source.round, source.losses) = (pull.round, pull.losses);
                if let Some(since) = told {
                    source.ask_again(source.shared, since);
                }
            }
        }
        if let Some(before) = before.filter(|_| follows.is_none()) {
            self.meet(before, view);
        }
        if let Some(before) = before.filter(|before| before.map.phase == Phase::Filling) {
            self.inherit(before, view);
        }
        if before.is_some_and(|before| before.map.phase != view.map.phase) {
            // What they were heard out about for one change says nothing about the next.
            for source in &mut self.list {
                (source.gave, source.withheld, source.again) = (Lanes::NONE, Lanes::NONE, Lanes::NONE);
            }
        }
        // What it was handing over when editions passed it by it has not kept in between.
        let skipped = before.is_some() && follows.is_none();
        let lost = |before: &View, slot| !before.keeps(view.me, slot) || view.gains(view.me, slot);
        let new = |slot: &Slot| match before {
            Some(before) => view.is_replica(*slot) && (!before.is_replica(*slot) || skipped && lost(before, *slot)),
            None => view.gains(view.me, *slot),
        };
        let moving = view.map.phase != Phase::Steady;
        if !moving || skipped {
            // What has not been heard out by now, because somebody was away, is asked of those who are left. Where
            // another change is under way by now, nobody fills what came by the one before.
            for source in &mut self.list {
                let left = core::mem::take(&mut source.gained);
                source.gaining = Lanes::NONE;
                source.ask_again(left, Version::ZERO);
            }
        }
        let slots = self.lanes;
        for slot in Slot::all().filter(|slot| slots.contains(*slot)).filter(new) {
            // What is under way may be another change than the one that it came by: nobody fills it.
            let gains = view.gains(view.me, slot);
            // The time in which it would have been filled has passed it by: it knows nothing yet.
            if before.is_some() && !(gains && view.map.phase == Phase::Filling) {
                self.orphans.inherit(slot);
            }
            let keepers = self.list.iter_mut().filter(|source| view.replicas(slot).contains(&source.id));
            for source in keepers.filter(|source| !moving || !view.gains(source.id, slot)) {
                match gains {
                    true => source.gained = source.gained.or(Lanes::of(slot)),
                    // The whole change has passed this node by.
                    false => source.ask_again(Lanes::of(slot), Version::ZERO),
                }
            }
        }
        if !moving {
            self.decided = Floors::new();
        }
        // A node without slots before the change has missed nothing: all that it gets is gained.
        if before.is_none() && moving && self.lanes_slots().all(|slot| !view.is_replica(slot) || new(&slot)) {
            for source in &mut self.list {
                let pull = view.pull(source.id).unwrap_or_default();
                (source.round, source.losses) = (pull.round, pull.losses);
            }
        }
    }

    /// Editions have passed this node by. Whoever came to share slots with it by them may have taken writes there,
    /// which this node would not ask for by the slots that the two shared before.
    fn meet(&mut self, before: &View, view: &View) {
        let kept = |slot: &Slot| view.is_replica(*slot) && before.is_replica(*slot);
        for slot in self.lanes_slots().filter(kept) {
            let new = |node: &NodeId| view.replicas(slot).contains(node) && !before.replicas(slot).contains(node);
            for source in self.list.iter_mut().filter(|source| new(&source.id)) {
                source.ask_again(Lanes::of(slot), view.pull(source.id).unwrap_or_default().since);
            }
        }
    }

    fn lanes_slots(&self) -> impl Iterator<Item = Slot> + use<> {
        let lanes = self.lanes;
        Slot::all().filter(move |slot| lanes.contains(*slot))
    }
}

impl Source {
    /// Opens lanes from that version on, or from an earlier one where some are open already.
    fn ask_again(&mut self, lanes: Lanes, since: Version) {
        if mutant::on(Mutant::SkipReconciliation) {
            return;
        }
        let above = Version::before((since.unix() - RECENT_VERSIONS).0 << 16);
        self.vouches = self.vouches.without(lanes);
        let was_open = !self.open.is_empty();
        self.above = if was_open { self.above.min(above) } else { above };
        self.since = self.since_with(since);
        self.open = self.open.or(lanes.and(self.shared));
    }

    /// Has it said all that there is of that slot?
    fn is_heard(&self, slot: Slot, gained: bool) -> bool {
        !(self.open.contains(slot) || gained && self.gained.contains(slot))
    }

    fn since_with(&self, since: Version) -> Version {
        if self.open.is_empty() { since } else { self.since.min(since) }
    }
}

/// The members that share slots with this node in those lanes, or with this node and that one.
fn sharing(view: &View, lanes: Lanes, with: Option<NodeId>) -> Vec<Source> {
    let others = view.map.members.iter().map(|member| member.id).filter(|id| *id != view.me);
    let source = |id| Source {
        id,
        shared: Lanes::NONE,
        alive: false,
        round: 0,
        losses: 0,
        open: Lanes::NONE,
        pulling: Lanes::NONE,
        since: Version::ZERO,
        above: Version::ZERO,
        gained: Lanes::NONE,
        gaining: Lanes::NONE,
        gave: Lanes::NONE,
        withheld: Lanes::NONE,
        again: Lanes::NONE,
        vouches: Lanes::NONE,
        judged: [Lanes::NONE; 4],
    };
    let mut list: Vec<Source> = others.map(source).collect();
    let shared = |slot: &Slot| view.is_replica(*slot) && with.is_none_or(|node| view.replicas(*slot).contains(&node));
    for slot in Slot::all().filter(|slot| lanes.contains(*slot)).filter(shared) {
        for node in view.replicas(slot) {
            if let Ok(index) = list.binary_search_by_key(node, |source| source.id) {
                list[index].shared = list[index].shared.or(Lanes::of(slot));
            }
        }
        // There is no more to be found, which few members find out soon.
        if slot.number() % LANES == LANES - 1 && list.iter().all(|source| source.shared == lanes) {
            break;
        }
    }
    list.retain(|source| !source.shared.is_empty());
    list
}
