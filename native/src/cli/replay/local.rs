//! A replay against the engine's own store, in this process: no network, no threads, one store.

use std::ops::ControlFlow;
use std::time::Duration;

use vitrine_engine::hash::KeyHasher;
use vitrine_engine::id::{NodeId, Version};
use vitrine_engine::limits;
use vitrine_engine::store::{EntryRef, Limits, Store};
use vitrine_engine::time::UnixMs;
use vitrine_engine::trace::{TraceOp, TraceRequest};

use super::reading::Trace;
use super::report::Totals;
use super::values::{self, ValueSize};
use super::{Mode, ReplayArgs, ReplayError};

/// Replays against an empty store of the limits that were asked for.
pub fn replay(trace: Trace, args: &ReplayArgs) -> Result<Totals, ReplayError> {
    let entries = args.capacity.map(|entries| u32::try_from(entries).unwrap_or(u32::MAX));
    let limits = Limits { entries, bytes: args.memory.map(|bytes| bytes.as_u64()) };
    // Nobody else can choose the keys of this store: a seed that anybody may know is enough.
    let mut store = Store::new(limits, KeyHasher::new((0, 0)));
    store.evict_by(args.one_policy());
    let mut cache = Cache { store, now: UnixMs(0), value_size: args.value_size, value: Vec::new() };
    let mut totals = Totals::default();
    trace.each(|request| {
        match args.mode {
            Mode::ReadThrough => cache.read_through(&request, &mut totals),
            Mode::Ops => cache.obey(&request, &mut totals),
        }
        ControlFlow::Continue(())
    })?;
    Ok(totals)
}

struct Cache {
    store: Store,
    /// The trace's time, and never back.
    now: UnixMs,
    value_size: ValueSize,
    /// Room for the value that is being written.
    value: Vec<u8>,
}

impl Cache {
    fn read_through(&mut self, request: &TraceRequest<'_>, totals: &mut Totals) {
        totals.requests += 1;
        let hash = self.store.hash(request.key);
        if !self.read(hash, request, totals) {
            self.write(hash, request, None, totals);
        }
    }

    fn obey(&mut self, request: &TraceRequest<'_>, totals: &mut Totals) {
        totals.requests += 1;
        self.now = self.now.max(UnixMs(request.time.unwrap_or(0).saturating_mul(1_000)));
        let hash = self.store.hash(request.key);
        let present = || self.store.peek(self.now, hash, request.key).is_some();
        match request.op {
            TraceOp::Get => {
                self.read(hash, request, totals);
            }
            TraceOp::Add if present() => totals.unmet += 1,
            TraceOp::Replace if !present() => totals.unmet += 1,
            TraceOp::Set | TraceOp::Add | TraceOp::Replace => self.write(hash, request, request.ttl, totals),
            TraceOp::Delete => {
                totals.deletes += 1;
                self.store.remove(self.now, hash, request.key);
            }
        }
    }

    fn read(&mut self, hash: u64, request: &TraceRequest<'_>, totals: &mut Totals) -> bool {
        match self.store.get(self.now, hash, request.key, &mut |_| {}) {
            Some(entry) => {
                totals.hits += 1;
                totals.wrong += u64::from(!values::is_of(request.key, entry.value));
                true
            }
            None => {
                totals.misses += 1;
                false
            }
        }
    }

    fn write(&mut self, hash: u64, request: &TraceRequest<'_>, ttl: Option<Duration>, totals: &mut Totals) {
        let Some(size) = self.value_size.of(request) else {
            totals.too_large += 1;
            return;
        };
        values::fill(request.key, size, &mut self.value);
        let version = Version::new(self.now, 0, NodeId(0));
        debug_assert!(ttl.is_none_or(|ttl| ttl <= limits::MAX_TTL), "the parser checks it");
        let deadline = ttl.and_then(|ttl| self.now.checked_add(ttl));
        let entry = EntryRef { value: &self.value, media: b"", version, deadline };
        match self.store.set(self.now, hash, request.key, entry, &mut |_| {}) {
            Ok(_) => totals.writes += 1,
            Err(_) => totals.too_large += 1,
        }
    }
}
