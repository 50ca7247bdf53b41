//! The data plane in one process: the engine's shards, each a stripe under its own lock, and the view they route by.
//!
//! The hot path is [`Shards::read`]: it takes one lock, copies the value out and touches no channel. What a shard asks
//! for is gathered under its lock and performed after it.

mod config;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use vitrine_engine::effect::Outbox;
use vitrine_engine::error::Failure;
use vitrine_engine::hash::{self, KeyHasher};
use vitrine_engine::id::{Lsn, NodeId, Slot, Version};
use vitrine_engine::limits::MAX_PENDING_BYTES;
use vitrine_engine::message::{Message, Origin};
use vitrine_engine::record::Record;
use vitrine_engine::request::{Condition, Entry, Operation, Outcome, ReadLevel, Request, Value, WriteLevel};
use vitrine_engine::shard::{self, Local, OnDoubt, Place, Progress, Retry, Shard, ShardConfig};
use vitrine_engine::store::{EntryRef, Limits, Policy};
use vitrine_engine::time::{Instant, Time, UnixMs};
use vitrine_engine::view::View;

use crate::ceiling::Ceiling;
use crate::clock::Clock;
use crate::effects::{Effects, Reply, Wire};
use crate::majority::Isolated;
use crate::wal::{self, Log};
pub use config::ShardsConfig;

/// All shards of a node.
pub struct Shards {
    stripes: Box<[Stripe]>,
    hasher: KeyHasher,
    clock: Arc<dyn Clock>,
    effects: Arc<Effects>,
    /// Where changes are written down, if they are.
    log: Option<Arc<Log>>,
    /// How far versions may go.
    ceiling: Ceiling,
    /// Bytes of values that open requests hold, of all stripes: bounded together.
    pending: AtomicUsize,
    /// For whoever only looks; a stripe routes by the view under its own lock.
    view: ArcSwap<View>,
    /// Which slots have lost their majority in that view, and whether any has: nearly always none.
    isolated: ArcSwap<Isolated>,
    any_isolated: AtomicBool,
    /// Until when the view may be trusted, in microseconds of the monotonic clock: whoever comes later waits for the
    /// control plane, which finds out first what happened while this process stood still.
    trusted_until: AtomicU64,
    trusted: Notify,
    /// Told when some stripe is in doubt no longer.
    resolved: Notify,
    /// When the timer task means to wake; an earlier wake is announced by `woken`.
    sleeping_until: AtomicU64,
    woken: Notify,
}

/// What a local read gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read<T = Entry> {
    /// The entry, copied out.
    Found(T),
    /// Nothing is there.
    Missing,
    /// Another node has to be asked: submit the request.
    Elsewhere,
}

/// A request that was taken.
#[derive(Debug)]
pub enum Submitted {
    /// It is answered already.
    Now(Reply),
    /// The answer will come: exactly one, at the latest when the request's time is over.
    Later(oneshot::Receiver<Reply>),
}

/// One lock and what it guards, alone on its cache lines.
#[repr(align(128))]
struct Stripe {
    index: usize,
    locked: Mutex<Locked>,
    /// When its shard wants to be ticked, in microseconds of the monotonic clock.
    wake: AtomicU64,
    /// How many of its lanes are in doubt.
    doubt: AtomicU64,
}

struct Locked {
    shard: Shard,
    /// Replaced under the lock together with the shard's own reaction: no write lands under an old view.
    view: Arc<View>,
    /// The number of its next record, of its own; and why it turns writes away, as the log last said.
    next: Lsn,
    refusing: Option<Failure>,
    /// Its part of the bytes that open requests hold.
    pending: usize,
}

/// How far the wall clocks of two members may be apart: what NTP keeps within, with room.
pub const CLOCK_SKEW: Duration = crate::clock::TOLERATED;

impl Shards {
    /// Empty shards that route by that view.
    pub fn new(config: &ShardsConfig, view: Arc<View>, clock: Arc<dyn Clock>, wire: Arc<dyn Wire>) -> Shards {
        let count = config.count();
        let share = |total: u64, index: usize| total / count as u64 + u64::from((index as u64) < total % count as u64);
        let now = clock.now();
        let stripe = |index: usize| {
            let entries = config.entries.map(|total| share(total, index));
            let limits = Limits {
                entries: entries.map(|entries| u32::try_from(entries).unwrap_or(u32::MAX)),
                bytes: Some(share(config.bytes, index)),
            };
            let config = ShardConfig {
                me: view.me,
                limits,
                seed: config.seed.wrapping_add(index as u64),
                hash_seed: config.hash_seed,
                retry: Retry::default(),
                clock_skew: CLOCK_SKEW,
            };
            let lanes = shard::lanes_of(index as u16, count as u16);
            let shard = Shard::new(config, lanes, now);
            let locked = Locked { shard, view: Arc::clone(&view), next: wal::FIRST, refusing: None, pending: 0 };
            // Its first tick asks the other replicas what there is.
            let (wake, doubt) = (AtomicU64::new(0), AtomicU64::new(u64::from(lanes.len())));
            Stripe { index, locked: Mutex::new(locked), wake, doubt }
        };
        Shards {
            stripes: (0..count).map(stripe).collect(),
            hasher: KeyHasher::new(config.hash_seed),
            clock,
            effects: Arc::new(Effects::new(wire)),
            log: None,
            ceiling: Ceiling::default(),
            pending: AtomicUsize::new(0),
            view: ArcSwap::new(view),
            isolated: ArcSwap::default(),
            any_isolated: AtomicBool::new(false),
            trusted_until: AtomicU64::new(u64::MAX),
            trusted: Notify::new(),
            resolved: Notify::new(),
            sleeping_until: AtomicU64::new(u64::MAX),
            woken: Notify::new(),
        }
    }

    /// Chooses by that policy who goes when a stripe is full. It must be said before anything is held.
    pub fn evict_by(&mut self, policy: Policy) {
        self.stripes.iter_mut().for_each(|stripe| stripe.locked.get_mut().shard.evict_by(policy));
    }

    /// The policy by which who goes is chosen.
    pub fn policy(&self) -> Policy {
        self.stripes.first().map_or(Policy::Lru, |stripe| stripe.locked.lock().shard.store().policy())
    }

    /// Writes down in that log whatever changes from now on.
    pub fn keep_log(&mut self, log: Arc<Log>) {
        self.log = Some(log);
    }

    /// Where changes are written down, if they are.
    pub fn log(&self) -> Option<&Arc<Log>> {
        self.log.as_ref()
    }

    /// Who performs what the shards ask for.
    pub fn effects(&self) -> &Arc<Effects> {
        &self.effects
    }

    /// The stripe that has that slot.
    pub fn stripe_of(&self, slot: Slot) -> usize {
        self.stripe(slot).index
    }

    /// Takes in what an earlier run has written down: a record at a time, those of a stripe in their order, before the
    /// first view.
    pub fn recover(&self, record: &Record, out: &mut Outbox) {
        let Some(slot) = record.slot() else { return };
        let time = self.clock.now();
        self.stripe(slot).locked.lock().shard.recover(time, record, out);
    }

    /// All of that has been taken in.
    pub fn recovered(&self) {
        let (time, mut out) = (self.clock.now(), Outbox::new());
        self.stripes.iter().for_each(|stripe| stripe.locked.lock().shard.recovered(time, &mut out));
    }

    /// Reads what this node may answer itself.
    pub fn read(&self, time: Time, key: &[u8], level: ReadLevel) -> Read {
        self.read_as(time, key, level, copied)
    }

    /// Reads what this node may answer itself, as something else than a copy. `found` runs under the stripe's lock.
    pub fn read_as<T>(
        &self,
        time: Time,
        key: &[u8],
        level: ReadLevel,
        found: impl FnOnce(&EntryRef<'_>) -> T,
    ) -> Read<T> {
        if !self.is_trusted(time.instant) {
            return Read::Elsewhere;
        }
        let at = Place { hash: self.hasher.hash(key), slot: hash::slot(key) };
        let mut guard = self.stripe(at.slot).locked.lock();
        let Locked { shard, view, .. } = &mut *guard;
        match shard.read_local(time, view, at, key, level) {
            Local::Found(entry) => Read::Found(found(&entry)),
            Local::Missing => Read::Missing,
            Local::Elsewhere => Read::Elsewhere,
        }
    }

    /// Carries out a request, on this node or by asking others.
    pub fn submit(&self, request: Request) -> Submitted {
        let client = self.effects.token();
        let time = self.clock.now();
        let slot = request.key.slot();
        self.enter(slot, |shard, view, out| {
            shard.submit(time, view, client, request, out);
            match self.effects.answer_or_wait(client, out, self.held(slot)) {
                Ok(reply) => Submitted::Now(reply),
                Err(receiver) => Submitted::Later(receiver),
            }
        })
    }

    /// Why a write to that slot would be turned away now: asked before its value is taken in.
    pub fn refusal(&self, slot: Slot) -> Option<Failure> {
        let mut guard = self.stripe(slot).locked.lock();
        self.leave_room(&mut guard);
        let decides = guard.view.is_primary(slot);
        let may_give = || guard.shard.may_give(self.clock.now().unix);
        let refusal = self.log.as_ref().filter(|_| decides).and_then(|log| log.refusal());
        let refusal = refusal.or_else(|| (decides && !may_give()).then_some(Failure::ReadOnly));
        refusal.or_else(|| Some(Failure::Busy { limit: guard.shard.full(&guard.view, slot)? }))
    }

    /// Can the log not be written?
    pub fn is_read_only(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.refusal() == Some(Failure::ReadOnly))
    }

    /// True when an unconditional write of that level waits for no other node and no disk, as far as can be told
    /// without a lock.
    pub fn writes_at_once(&self, slot: Slot, level: WriteLevel) -> bool {
        !self.waits_for_disk() && shard::writes_at_once(&self.view.load(), slot, level)
    }

    /// Does every write wait for this node's disk?
    pub fn waits_for_disk(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.is_waited_for())
    }

    /// Carries out an unconditional write that waits for no other node and no disk. `None`, with nothing done, when it
    /// would.
    pub fn submit_at_once(&self, time: Time, request: Request) -> Option<Outcome> {
        let (slot, level) = match &request.operation {
            Operation::Set { condition: Condition::Always, level, .. } => (request.key.slot(), *level),
            _ => return None,
        };
        if !self.is_trusted(time.instant) || self.waits_for_disk() {
            return None;
        }
        let client = self.effects.token();
        self.enter(slot, |shard, view, out| {
            if !shard::writes_at_once(view, slot, level) {
                return None;
            }
            shard.submit(time, view, client, request, out);
            self.effects.answer(client, out, |_| false).map(|reply| reply.outcome)
        })
    }

    /// Takes a message of a peer that is about a slot. What arrives when the view cannot be trusted is dropped: whoever
    /// sent it repeats it; so is what comes from somebody whose map is another, by more than a step.
    pub fn receive(&self, from: NodeId, origin: Origin, slot: Slot, message: Message) {
        let time = self.clock.now();
        let changes =
            || matches!(message, Message::Replicate { .. } | Message::Fetched { .. } | Message::Listed { .. });
        if !self.is_trusted(time.instant)
            || changes() && self.log.as_ref().is_some_and(|log| log.is_overfull())
            || self.ceiling.puts_off(message.newest(), time)
        {
            return;
        }
        self.enter(slot, |shard, view, out| {
            if view.member(from).is_some() && view.admits(from, origin, &message) {
                shard.receive(time, view, from, message, out);
            }
        });
    }

    /// Routes by another view from now on.
    pub fn publish(&self, view: &Arc<View>) {
        let isolated = Isolated::of(view);
        let any = !isolated.is_empty();
        self.isolated.store(Arc::new(isolated));
        self.any_isolated.store(any, Ordering::Release);
        self.view.store(Arc::clone(view));
        let time = self.clock.now();
        for stripe in &self.stripes {
            self.locked(stripe, |locked, out| {
                locked.view = Arc::clone(view);
                locked.shard.view_changed(time, &locked.view, out);
            });
        }
    }

    /// The view may be trusted until then: the control plane has looked. Never called, it is trusted for ever.
    pub fn trust(&self, until: Instant) {
        self.trusted_until.store(until.0, Ordering::Release);
        self.trusted.notify_waiters();
    }

    /// Waits until the view may be trusted; it nearly always may.
    pub async fn wait_for_trust(&self) {
        while !self.is_trusted(self.clock.instant()) {
            let renewed = self.trusted.notified();
            if self.is_trusted(self.clock.instant()) {
                return;
            }
            renewed.await;
        }
    }

    /// Every write of this node up to that version is confirmed by every replica believed alive.
    pub fn settled(&self, now: UnixMs) -> Version {
        let settled = self.stripes.iter().map(|stripe| stripe.locked.lock().shard.settled(now));
        settled.min().unwrap_or(Version::ZERO)
    }

    /// Have all stripes done their part of the phase that the map is in?
    pub fn are_through(&self) -> bool {
        self.stripes.iter().all(|stripe| {
            let locked = stripe.locked.lock();
            locked.shard.is_through(&locked.view)
        })
    }

    /// How many of the [`LANES`] are in doubt: what is held there is not served without asking other replicas.
    pub fn in_doubt(&self) -> u64 {
        self.stripes.iter().map(|stripe| stripe.doubt.load(Ordering::Acquire)).sum()
    }

    /// Waits until some stripe is in doubt no longer.
    pub async fn resolved(&self) {
        self.resolved.notified().await;
    }

    /// Ticks every shard whose time has come, and says when the next one wants to be.
    pub fn tick(&self) -> Instant {
        let time = self.clock.now();
        for stripe in &self.stripes {
            if stripe.wake.load(Ordering::Acquire) <= time.instant.0 {
                self.locked(stripe, |locked, out| locked.shard.tick(time, &locked.view, out));
            }
        }
        let earliest = || self.stripes.iter().map(|s| s.wake.load(Ordering::SeqCst)).min().unwrap_or(u64::MAX);
        // Announce first, look again after: a stripe that moves its wake in between either sees what was announced and
        // wakes the timer task, or is seen here.
        self.sleeping_until.store(earliest(), Ordering::SeqCst);
        let seen = earliest();
        self.sleeping_until.fetch_min(seen, Ordering::SeqCst);
        Instant(seen)
    }

    /// Ticks for ever: the one timer of all shards.
    pub async fn run_timers(&self) {
        loop {
            let wake = self.tick();
            let pause = wake.since(self.clock.instant());
            if wake == Instant::NEVER {
                self.woken.notified().await;
            } else {
                let _ = tokio::time::timeout(pause, self.woken.notified()).await;
            }
        }
    }

    /// The view of this moment.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// The primary of a slot in the view of this moment.
    pub fn primary(&self, slot: Slot) -> Option<NodeId> {
        self.view.load().primary(slot)
    }

    /// Has the slot lost touch with a majority of its replicas, as this node sees it? Then another side of a partition
    /// may serve it as well.
    pub fn is_isolated(&self, slot: Slot) -> bool {
        self.any_isolated.load(Ordering::Acquire) && self.isolated.load().contains(slot)
    }

    /// The same for a key whose slot is not known yet.
    pub fn is_key_isolated(&self, key: &[u8]) -> bool {
        self.any_isolated.load(Ordering::Acquire) && self.isolated.load().contains(hash::slot(key))
    }

    /// How many slots that this node leads have lost touch with a majority of their replicas.
    pub fn isolated(&self) -> u64 {
        self.isolated.load().led()
    }

    /// The highest version that was given or seen here.
    pub fn latest(&self) -> Version {
        let latest = self.stripes.iter().map(|stripe| stripe.locked.lock().shard.latest());
        latest.max().unwrap_or(Version::ZERO)
    }

    /// Gives only versions above that one from now on.
    pub fn start_above(&self, version: Version) {
        self.stripes.iter().for_each(|stripe| stripe.locked.lock().shard.start_above(version));
    }

    /// That floor is on disk: versions may go up to it.
    pub fn give_up_to(&self, floor: Version) {
        self.stripes.iter().for_each(|stripe| stripe.locked.lock().shard.give_up_to(floor));
        self.ceiling.raise(floor);
    }

    /// May each stripe give a version now?
    pub fn may_give(&self) -> bool {
        let now = self.clock.now().unix;
        self.stripes.iter().all(|stripe| stripe.locked.lock().shard.may_give(now))
    }

    /// How far versions may go, for whoever writes that down.
    pub fn ceiling(&self) -> &Ceiling {
        &self.ceiling
    }

    /// The time that its shards live in.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Its monotonic half alone, which costs half.
    pub fn instant(&self) -> Instant {
        self.clock.instant()
    }

    /// Fetches at most so many bytes a second of slots that this node gains; 0 for as fast as they come.
    pub fn limit_moves(&self, bytes_a_second: u64) {
        let now = self.clock.instant();
        self.stripes.iter().for_each(|stripe| stripe.locked.lock().shard.limit_moves(bytes_a_second, now));
    }

    /// What becomes of entries of which nobody is left who knows whether they are current.
    pub fn on_doubt(&self, policy: OnDoubt) {
        self.stripes.iter().for_each(|stripe| stripe.locked.lock().shard.on_doubt(policy));
    }

    /// Slots of which nobody is left who knows whether what this node had before it was away is current.
    pub fn orphans(&self) -> u64 {
        self.stripes.iter().map(|stripe| u64::from(stripe.locked.lock().shard.orphans())).sum()
    }

    /// How far slots that move to this node have come.
    pub fn progress(&self) -> Progress {
        let each = self.stripes.iter().map(|stripe| {
            let locked = stripe.locked.lock();
            locked.shard.progress(&locked.view)
        });
        each.fold(Progress::default(), Progress::plus)
    }

    /// Looks at each shard in turn, under its lock: keep it short.
    pub fn each(&self, mut look: impl FnMut(&Shard)) {
        for stripe in &self.stripes {
            look(&stripe.locked.lock().shard);
        }
    }

    /// Looks at one shard, under its lock: keep it short. `None` past the last one.
    pub fn look<T>(&self, index: usize, look: impl FnOnce(&Shard) -> T) -> Option<T> {
        Some(look(&self.stripes.get(index)?.locked.lock().shard))
    }

    /// As [`Shards::look`], for walks of many looks: whoever waits for the lock has it next. Otherwise the walk, which
    /// comes back at once, would win it again and again.
    pub fn look_in_turn<T>(&self, index: usize, look: impl FnOnce(&Shard) -> T) -> Option<T> {
        let guard = self.stripes.get(index)?.locked.lock();
        let seen = look(&guard.shard);
        parking_lot::MutexGuard::unlock_fair(guard);
        Some(seen)
    }

    /// How many stripes there are.
    pub fn stripes(&self) -> usize {
        self.stripes.len()
    }

    /// How many clients wait for an answer.
    pub fn waiting(&self) -> usize {
        self.effects.waiting()
    }

    fn is_trusted(&self, now: Instant) -> bool {
        now.0 <= self.trusted_until.load(Ordering::Acquire)
    }

    fn stripe(&self, slot: Slot) -> &Stripe {
        &self.stripes[usize::from(shard::stripe_of(slot, self.stripes.len() as u16))]
    }

    /// Whether an effect of a shard waits for the disk, by the record after which it may leave.
    fn held(&self, slot: Slot) -> impl Fn(Option<Lsn>) -> bool {
        let stripe = self.stripe(slot).index;
        move |after| self.log.as_ref().is_some_and(|log| log.holds(stripe, after))
    }

    /// What the other stripes leave of the bound that is for all.
    fn leave_room(&self, locked: &mut Locked) {
        let others = self.pending.load(Ordering::Relaxed).saturating_sub(locked.pending);
        locked.shard.bound_pending_bytes(MAX_PENDING_BYTES.saturating_sub(others));
    }

    fn enter<T>(&self, slot: Slot, act: impl FnOnce(&mut Shard, &View, &mut Outbox) -> T) -> T {
        self.locked(self.stripe(slot), |locked, out| act(&mut locked.shard, &locked.view, out))
    }

    /// Acts under the stripe's lock, then performs what was gathered after it.
    fn locked<T>(&self, stripe: &Stripe, act: impl FnOnce(&mut Locked, &mut Outbox) -> T) -> T {
        let mut outbox = OUTBOX.take();
        let (answer, origin) = {
            let mut guard = stripe.locked.lock();
            outbox.log_from(self.log.is_some().then_some(guard.next));
            if let Some(log) = &self.log {
                let refusing = log.refusal();
                if guard.refusing != refusing {
                    guard.shard.refuse_writes(refusing.clone());
                    guard.refusing = refusing;
                }
            }
            self.leave_room(&mut guard);
            let answer = act(&mut guard, &mut outbox);
            let held = guard.shard.pending_bytes();
            if held != guard.pending {
                self.pending.fetch_add(held.wrapping_sub(guard.pending), Ordering::Relaxed);
                guard.pending = held;
            }
            self.ceiling.reached(guard.shard.latest());
            if let (Some(log), Some(next)) = (&self.log, outbox.next_lsn()) {
                log.take(stripe.index, guard.next, guard.view.origin(), &mut outbox);
                guard.next = next;
            }
            let wake = guard.shard.next_wake().map_or(u64::MAX, |instant| instant.0);
            if stripe.wake.swap(wake, Ordering::SeqCst) > wake && wake < self.sleeping_until.load(Ordering::SeqCst) {
                self.woken.notify_one();
            }
            let doubt = u64::from(guard.shard.in_doubt().len());
            if stripe.doubt.swap(doubt, Ordering::AcqRel) != doubt && doubt == 0 {
                self.resolved.notify_one();
            }
            (answer, guard.view.origin())
        };
        self.effects.perform(origin, &mut outbox);
        OUTBOX.set(outbox);
        answer
    }
}

thread_local! {
    /// Reused, so that a request does not allocate one.
    static OUTBOX: RefCell<Outbox> = RefCell::new(Outbox::new());
}

/// The one copy of a read: the entry may change as soon as the lock is gone.
fn copied(entry: &EntryRef<'_>) -> Entry {
    let value = Value { bytes: Bytes::copy_from_slice(entry.value), media: Bytes::copy_from_slice(entry.media) };
    Entry { value, version: entry.version, deadline: entry.deadline }
}

#[cfg(test)]
mod tests;
