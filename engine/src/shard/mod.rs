//! The data plane: one stripe of the store, and the replication of the slots that fall into it.
//!
//! A shard takes requests of this node's clients ([`Shard::submit`]) and messages of peers ([`Shard::receive`]), and
//! puts what must happen into the caller's [`Outbox`]. It routes by the [`View`] it is handed, and never waits for the
//! control plane. It holds no socket, no clock and no thread: under which lock it lives is its body's affair.
//!
//! What never happens here: a value is not held twice, a queue does not grow without a bound, a write is not
//! acknowledged below its level, and what was removed does not come back by a late message.

mod answered;
mod awaited;
mod budget;
mod compare;
mod counters;
mod decide;
mod digest;
mod flight;
mod floors;
mod forward;
mod gather;
mod journal;
mod listing;
mod lives;
mod local;
mod orphans;
mod pending;
mod progress;
mod pull;
mod purge;
mod replica;
mod sources;
#[cfg(test)]
mod tests;
mod tuning;
mod vouch;
mod walk;
mod write;

use alloc::vec::Vec;
use core::time::Duration;

use crate::clock::Clock;
use crate::effect::{Outbox, Served};
use crate::error::Failure;
use crate::id::{ClientToken, LANES, Lanes, Lsn, NodeId, RequestId, Slot, Version};
use crate::limits;
use crate::map::Phase;
use crate::message::Message;
use crate::mutant::{self, Mutant};
use crate::request::{Key, Operation, ReadLevel, Request};
use crate::rng::Rng;
use crate::sorted::{SortedMap, SortedSet};
use crate::store::{Limits, Store};
use crate::time::{Instant, Time, UnixMs};
use crate::view::View;
use answered::{Answered, Known};
use awaited::Awaited;
use budget::Budget;
pub(crate) use compare::FACTOR;
pub use counters::Counters;
use flight::Flights;
use floors::Floors;
pub use local::{Local, Place};
pub use orphans::OnDoubt;
use pending::{Pending, Work};
pub use progress::Progress;
use purge::Purging;
use sources::Sources;
pub use tuning::{Retry, Tuning};
pub use walk::WALKED;
pub use write::writes_at_once;

/// One stripe of a node.
#[derive(Clone, Debug)]
pub struct Shard {
    me: NodeId,
    retry: Retry,
    store: Store,
    clock: Clock,
    /// The lanes that live in this stripe.
    lanes: Lanes,
    /// Of all removals: nothing at or below them is taken from a late message.
    floors: Floors,
    /// Of removals that a replica which was away cannot know: by them replicas judge each other's entries.
    gone: Floors,
    sources: Sources,
    counters: Counters,
    rng: Rng,
    /// The name of the next request; it starts at random so that no boot repeats another's.
    serial: u64,
    pending: SortedMap<u64, Pending>,
    pending_bytes: usize,
    awaited: Awaited,
    flights: Flights,
    /// When each pending request is next looked at.
    timers: SortedSet<(Instant, u64)>,
    answered: Answered,
    purging: Purging,
    /// Slots that have moved away as orphans, and up to which version what is left of them was given to nobody.
    withheld: SortedMap<Slot, Version>,
    /// Slots that stay, and up to which version nobody is left who could vouch for what is here: it is being dropped.
    given_up: SortedMap<Slot, Version>,
    /// Lives that others have heard members lead, where they are later than what this node has heard.
    lives: SortedMap<NodeId, lives::Later>,
    /// When the store's digests are forgotten, if nobody asks again.
    digests_until: Instant,
    /// Both clocks as they were last seen, to place a wall-clock expiry on the monotonic clock.
    seen: Time,
    generation: u64,
    tuning: Tuning,
    /// Pulls among the pending ones: they are no requests, and take nobody's room.
    pulls_running: usize,
    /// What may be fetched of slots that this node gains.
    budget: Budget,
    /// Keys of such slots that are being fetched: every old owner lists them, and they are fetched once.
    filling: SortedSet<Key>,
    /// The number of its last record in the log.
    logged: Option<Lsn>,
    /// Why writes are turned away, where the body says so.
    refusing: Option<Failure>,
}

/// How a shard is made.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// The node it belongs to.
    pub me: NodeId,
    /// What its store may hold.
    pub limits: Limits,
    /// Seeds its generator: names of requests, jitter.
    pub seed: u64,
    /// The secret of its table's hash.
    pub hash_seed: (u64, u64),
    /// When unanswered messages are repeated.
    pub retry: Retry,
    /// How far two nodes' wall clocks may be apart.
    pub clock_skew: Duration,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asker {
    Client(ClientToken),
    Peer(RequestId),
}

/// Frees at most so many expired entries in one go, so that a lock is held for a bounded time.
const EXPIRY_BATCH: u32 = 256;

/// The stripe, of so many, in which a slot lives. The number is a power of two, at most [`LANES`].
pub fn stripe_of(slot: Slot, stripes: u16) -> u16 {
    slot.number() % stripes.max(1)
}

/// The lanes that live in that stripe, of so many.
///
/// # Panics
/// When the number of stripes is not a power of two up to [`LANES`]: a lane would not lie in one stripe.
pub fn lanes_of(stripe: u16, stripes: u16) -> Lanes {
    assert!(stripes.is_power_of_two() && stripes <= LANES && stripe < stripes, "stripe {stripe} of {stripes}");
    let lanes = (stripe..LANES).step_by(usize::from(stripes));
    lanes.fold(Lanes::NONE, |lanes, lane| lanes.or(Lanes(1 << lane)))
}

impl Shard {
    /// An empty shard for those lanes ([`lanes_of`]). Until it has seen a view and heard from every other replica what
    /// there is, it answers for nothing alone.
    pub fn new(config: ShardConfig, lanes: Lanes, now: Time) -> Shard {
        let mut rng = Rng::new(config.seed, "shard");
        Shard {
            me: config.me,
            retry: config.retry,
            store: Store::new(config.limits, crate::hash::KeyHasher::new(config.hash_seed)),
            clock: Clock::new(config.me, now.unix, config.clock_skew),
            lanes,
            floors: Floors::new(),
            gone: Floors::new(),
            sources: Sources::new(lanes),
            counters: Counters::default(),
            serial: rng.u64() >> 1,
            rng,
            pending: SortedMap::new(),
            pending_bytes: 0,
            awaited: Awaited::default(),
            flights: Flights::default(),
            timers: SortedSet::new(),
            answered: Answered::default(),
            purging: Purging::Done,
            withheld: SortedMap::new(),
            given_up: SortedMap::new(),
            lives: SortedMap::new(),
            digests_until: now.instant,
            seen: now,
            generation: 0,
            tuning: Tuning::default(),
            pulls_running: 0,
            budget: Budget::new(share(limits::DEFAULT_MOVE_RATE, lanes), now.instant),
            filling: SortedSet::new(),
            logged: None,
            refusing: None,
        }
    }

    /// Fills slots that its node gains at that many bytes a second from now on, all stripes of the node together; 0 for
    /// as fast as they come. It begins with [`limits::DEFAULT_MOVE_RATE`].
    pub fn limit_moves(&mut self, bytes_a_second: u64, now: Instant) {
        self.budget.change(share(bytes_a_second, self.lanes), now);
    }

    /// Turns away, from now on, every write that this shard would decide: its log takes none. `None` takes them again.
    pub fn refuse_writes(&mut self, failure: Option<Failure>) {
        self.refusing = failure;
    }

    /// A client of this node asks. Its reply is in the outbox, now or later, exactly once.
    pub fn submit(&mut self, time: Time, view: &View, client: ClientToken, request: Request, out: &mut Outbox) {
        self.see(time, view, out);
        self.begin(time, view, Asker::Client(client), request, out);
        self.go_on(time, view, out);
    }

    /// A peer says something about a slot of this stripe.
    pub fn receive(&mut self, time: Time, view: &View, from: NodeId, message: Message, out: &mut Outbox) {
        self.see(time, view, out);
        if self.is_outlived(view, from, &message, out) {
            return;
        }
        // One wrong clock must not carry every other along: versions would stop growing at the end of time.
        if message.newest().unix().since(time.unix) > limits::MAX_CLOCK_AHEAD {
            self.counters.incredible += 1;
            return;
        }
        match message {
            // A request is passed on once, so its coordinator is who sends it.
            Message::Forward { id, boot, hops, request } if id.node == from => {
                self.forwarded(time, view, id, boot, hops, request, out);
            }
            Message::Forward { .. } => {}
            Message::Answer { id, isolated, outcome, .. } => {
                self.answer(time, view, id, Served { by: from, isolated }, outcome, out);
            }
            Message::Replicate { id, key, change } => self.replicate(time, from, id, &key, change, out),
            Message::Replicated { id, version, verdict, .. } => {
                self.replicated(time, view, from, id, version, verdict, out);
            }
            // It asks again; what was decided here goes first.
            Message::Fetch { key, .. } if self.is_telling(view, from, &key) => {}
            Message::Fetch { id, key, wanted } => self.fetch(time, from, id, &key, wanted, out),
            Message::Fetched { id, holding, entry, .. } => {
                self.fetched(time, view, from, id, gather::Found { holding, entry }, out);
            }
            Message::Sync { id, lanes, since, cursor, gained, slots, lives } => {
                self.outlived(time, view, &lives, out);
                self.list(view, from, id, listing::Asked { lanes, since, cursor, gained, slots }, out);
            }
            Message::Compare { id, lanes, since, cursor, lives } => {
                self.outlived(time, view, &lives, out);
                self.tell_digests(view, from, id, compare::Asked { lanes, since, cursor }, out);
            }
            Message::Compared { id, lanes, cursor, next, digests, .. } => {
                self.compared(time, view, from, id, compare::Told { lanes, cursor, next, digests }, out);
            }
            Message::Listed { id, lanes, cursor, next, vouches, floors, keys, .. } => {
                self.listed(time, view, from, id, pull::Page { lanes, cursor, next, vouches, floors, keys }, out);
            }
            // The control plane's: never routed here. A peer that sends one anyway is not worth an abort.
            Message::Ping { .. } | Message::Pong { .. } | Message::Gossip { .. } => {}
            Message::Map { .. } | Message::Wish { .. } => {}
        }
        self.go_on(time, view, out);
    }

    /// The control plane has published another view: what waits for a member that is gone waits no longer.
    pub fn view_changed(&mut self, time: Time, view: &View, out: &mut Outbox) {
        let telling = self.begin_to_tell(view);
        self.see(time, view, out);
        let serials: Vec<u64> = self.pending.keys().copied().collect();
        for serial in serials {
            match self.pending.get(&serial).map(|pending| &pending.work) {
                Some(Work::Forward(_)) => self.reroute(time, view, serial, out),
                Some(Work::Write(_)) => self.settle_write(view, serial, out),
                Some(Work::Gather(_)) => self.gather_anew(time, view, serial, out),
                Some(Work::Pull(_)) | None => {}
            }
            self.repeat_to(&telling, time.instant, serial);
        }
        self.go_on(time, view, out);
        self.start_pulls(time, out);
    }

    /// Does what is due: repeats messages, ends requests, frees expired entries. Late or repeated calls do no harm.
    pub fn tick(&mut self, time: Time, view: &View, out: &mut Outbox) {
        self.see(time, view, out);
        while let Some((_, serial)) = self.timers.first().copied().filter(|(wake, _)| *wake <= time.instant) {
            let pending = self.pending.get(&serial).expect("every timer has its request");
            match pending.work {
                Work::Forward(_) => self.forward_due(time, view, serial, out),
                Work::Write(_) => self.write_due(time, view, serial, out),
                Work::Gather(_) => self.gather_due(time, view, serial, out),
                Work::Pull(_) => self.pull_due(time, view, serial, out),
            }
        }
        self.go_on(time, view, out);
        self.start_pulls(time, out);
        self.answered.forget(time.instant);
        self.purge_some(view, out);
        self.forget_digests(time.instant);
        self.expire(time.unix, out);
    }

    /// When [`Shard::tick`] has something to do next; the body should call it then, or a little later.
    pub fn next_wake(&self) -> Option<Instant> {
        let expiry = self.store.next_expiry().map(|unix| self.seen.instant + unix.since(self.seen.unix));
        // Before its first view it does not know whom to ask.
        let pulls = (self.generation == 0 || self.sources.due().next().is_some()).then_some(self.seen.instant);
        let purge = (self.purging.is_due() || self.has_to_purge()).then(|| Instant(self.seen.instant.0 + 1));
        let timers = self.timers.first().map(|(wake, _)| *wake);
        [pulls, purge, timers, self.answered.next_wake(), self.digests_until(), expiry].into_iter().flatten().min()
    }

    /// What it stores.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What it has counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Lanes of which it has yet to hear from a replica that is believed alive: it answers for nothing in them alone.
    pub fn in_doubt(&self) -> Lanes {
        self.sources.doubtful()
    }

    /// Has this shard done its part of the phase that the map is in? Where slots are filled, it knows all that there is
    /// of its own; where they are handed over, no write of its own is under way for slots that others decide about now.
    pub fn is_through(&self, view: &View) -> bool {
        if mutant::on(Mutant::DropWhileMoving) {
            return true;
        }
        if !self.in_doubt().is_empty() || view.map.phase != Phase::Handing {
            return self.in_doubt().is_empty() && !self.sources.may_yet_know();
        }
        self.pending.values().all(|pending| match &pending.work {
            Work::Write(writing) => view.is_primary(writing.slot()),
            _ => true,
        })
    }

    /// A version such that every write at or below it that was coordinated here is confirmed by every replica believed
    /// alive, and every later one will be above it.
    pub fn settled(&mut self, now: UnixMs) -> Version {
        let present = self.clock.present(now);
        let writes = self.pending.values().filter_map(|pending| match &pending.work {
            Work::Write(writing) => Some(Version::before(writing.unconfirmed().stamp)),
            _ => None,
        });
        writes.fold(present, Version::min)
    }

    /// Gives only versions above that one from now on: an earlier self of this node may have given all up to it.
    pub fn start_above(&mut self, version: Version) {
        if !mutant::on(Mutant::ReuseVersions) {
            self.clock.observe(version);
        }
    }

    /// The highest version that was given or seen here.
    pub fn latest(&self) -> Version {
        self.clock.latest()
    }

    /// How many requests are begun and not ended.
    pub fn in_flight(&self) -> u32 {
        self.pending.len() as u32
    }

    fn see(&mut self, time: Time, view: &View, out: &mut Outbox) {
        debug_assert!(view.generation >= self.generation, "a shard never goes back to an older view");
        self.seen = time;
        if self.generation != view.generation {
            self.generation = view.generation;
            self.give_up_slots(view, out);
            let stale = self.sources.adopt(view, time.unix, &mut self.clock);
            self.cancel_pulls(&stale);
        }
    }

    /// Sends what had to wait for something that is over now.
    fn go_on(&mut self, time: Time, view: &View, out: &mut Outbox) {
        self.take_off(time, view, out);
        self.repeat_held_back(time, view, out);
    }

    /// Carries a request out, or passes it on.
    fn begin(&mut self, time: Time, view: &View, asker: Asker, request: Request, out: &mut Outbox) {
        let slot = request.key.slot();
        let here = match request.operation {
            Operation::Get { level: ReadLevel::One } => view.answers(slot),
            Operation::Get { level: ReadLevel::Quorum } | Operation::Inspect => true,
            _ => view.is_primary(slot),
        };
        let deadline = time.instant + request.timeout.min(limits::MAX_TIMEOUT);
        // Nor is anything decided alone that the one who did so before may have decided otherwise a moment ago.
        let doubt = self.sources.doubts(slot) || view.takes_over(slot) || !view.is_sure();
        match request.operation {
            _ if !here => self.pass_on(time, view, asker, deadline, request, out),
            Operation::Get { level: ReadLevel::Quorum } => {
                self.gather(time, view, Some(asker), deadline, request.key, gather::Purpose::Read, out);
            }
            Operation::Inspect => {
                self.gather(time, view, Some(asker), deadline, request.key, gather::Purpose::Inspect, out);
            }
            Operation::Get { .. } if doubt => {
                self.gather(time, view, Some(asker), deadline, request.key, gather::Purpose::Doubt, out);
            }
            Operation::Get { .. } => {
                let outcome = self.read(time.unix, &request.key, out);
                self.reply(asker, slot, outcome, out);
            }
            Operation::Set { .. }
            | Operation::Delete { .. }
            | Operation::Increment { .. }
            | Operation::Touch { .. } => {
                self.write(time, view, asker, deadline, request, out);
            }
        }
    }

    /// A peer says that this node is the primary.
    #[expect(clippy::too_many_arguments, reason = "the message's fields and the state machine's own three")]
    fn forwarded(
        &mut self,
        time: Time,
        view: &View,
        id: RequestId,
        boot: u64,
        hops: u8,
        request: Request,
        out: &mut Outbox,
    ) {
        let asker = Asker::Peer(id);
        let slot = request.key.slot();
        let writes = request.operation.writes();
        let again = mutant::on(Mutant::CountTwice) && matches!(request.operation, Operation::Increment { .. });
        if writes && !again {
            match self.answered.ask(id) {
                Known::New if self.answered.len() >= self.tuning.answered_in(self.lanes.len()) => {
                    self.counters.busy += 1;
                    self.answered.turn_away(id, time.instant);
                    return self.reply(asker, slot, Err(Failure::Busy { limit: "MAX_ANSWERED" }), out);
                }
                Known::New => {}
                Known::Running | Known::Late => return,
                Known::Done(outcome) => return self.reply_after(self.logged, asker, slot, outcome, out),
            }
        }
        // An earlier start of this node may have carried it out, and nothing is left here to tell. Who had not heard
        // this node yet asks again when it has.
        if writes && boot != view.boot(self.me) {
            let failure = match boot {
                0 => Failure::NotPrimary { primary: None },
                _ => Failure::Indeterminate { copies: 0 },
            };
            return self.reply(asker, slot, Err(failure), out);
        }
        if writes {
            let timeout = request.timeout.min(limits::MAX_TIMEOUT);
            self.answered.begin(id, time.instant + timeout + self.tuning.answer_memory);
        }
        let reads_here = matches!(request.operation, Operation::Get { level: ReadLevel::One }) && view.answers(slot);
        // Who believes this node alive while it is believed dead here knows more: nothing is served by the older view.
        let apart = !view.is_alive(id.node) && !view.is_aside(id.node);
        if hops > limits::MAX_HOPS || apart || !(view.is_primary(slot) || reads_here) {
            let primary = view.primary(slot);
            return self.reply(asker, slot, Err(Failure::NotPrimary { primary }), out);
        }
        self.begin(time, view, asker, request, out);
    }

    fn expire(&mut self, now: UnixMs, out: &mut Outbox) {
        let batch = self.tuning.batch;
        let mut noted = local::noted!(self, now, Some(out));
        self.store.expire(now, EXPIRY_BATCH.min(batch), &mut |removal| noted.removal(&removal));
    }
}

/// The share of the stripe that has those lanes in what its node may do; 0 is no limit, and no share is 0.
fn share(rate: u64, lanes: Lanes) -> u64 {
    let share = u128::from(rate) * u128::from(lanes.len()) / u128::from(LANES);
    (share as u64).max(u64::from(rate > 0))
}

/// The replicas of a slot to ask or to tell: all that are believed alive, but this node.
fn others(view: &View, slot: Slot) -> Vec<NodeId> {
    let replicas = view.replicas(slot).iter().copied();
    replicas.filter(|node| *node != view.me && view.is_alive(*node)).collect()
}
