//! What waits to be written, and who waits for it: all that is behind the log's one lock.

use vitrine_engine::codec::wal::put_open_record;
use vitrine_engine::effect::Effect;
use vitrine_engine::id::Lsn;
use vitrine_engine::message::Origin;
use vitrine_engine::record::Record;

use super::{FIRST, LONG};

/// Records without their numbers, and effects that wait for them.
#[derive(Debug)]
pub struct Queue {
    /// In the order of their numbers.
    records: Vec<Vec<u8>>,
    bytes: usize,
    /// The number that the next record gets, and the first that is not on disk.
    next: Lsn,
    synced: Lsn,
    /// For each stripe the first of its own numbers that was not handed to the thread yet.
    gathered: Box<[Lsn]>,
    /// And the first that was not handed over by the stripe.
    handed: Box<[Lsn]>,
    /// Effects that wait for what is in the queue, and those that wait for what the thread has.
    waiting: Vec<Held>,
    flying: Vec<Held>,
    asked_sync: bool,
    /// How often the end of a segment was asked for, how many of these the thread knows of, and how many it has done.
    asked_segments: u64,
    known_segments: u64,
    ended_segments: u64,
    ending: bool,
    ended: bool,
    /// The thread sleeps.
    idle: bool,
}

/// An effect, and what the node went by when it was made.
#[derive(Debug)]
pub struct Held {
    /// The start, and the epoch of the map.
    pub origin: Origin,
    /// What is to be done.
    pub effect: Effect,
}

/// What the thread has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// There are records.
    pub records: bool,
    /// Somebody waits for a sync.
    pub sync: bool,
    /// The segment is to end with it.
    pub segment: bool,
    /// It is the last.
    pub end: bool,
}

/// What the thread has to write.
#[derive(Debug)]
pub struct Gathered {
    /// Records without their numbers, one after the other.
    pub records: Vec<Vec<u8>>,
    /// They are to be synced, with all before them.
    pub sync: bool,
}

impl Queue {
    /// An empty one, before the record of that number.
    pub fn new(next: Lsn, stripes: usize) -> Queue {
        let numbers = || vec![FIRST; stripes].into_boxed_slice();
        Queue {
            records: Vec::new(),
            bytes: 0,
            next,
            synced: next,
            gathered: numbers(),
            handed: numbers(),
            waiting: Vec::new(),
            flying: Vec::new(),
            asked_sync: false,
            asked_segments: 0,
            known_segments: 0,
            ended_segments: 0,
            ending: false,
            ended: false,
            idle: false,
        }
    }

    /// Takes so many records of a stripe, whose next one has that number of its own.
    pub fn push(&mut self, records: &mut Vec<u8>, count: u64, stripe: usize, handed: Lsn) {
        self.bytes += records.len();
        self.next = Lsn(self.next.0 + count);
        self.handed[stripe] = handed;
        match self.records.last_mut() {
            _ if records.len() > LONG => self.records.push(std::mem::take(records)),
            Some(last) if last.len() < CHUNK => last.extend_from_slice(records),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK / 16);
                chunk.extend_from_slice(records);
                self.records.push(chunk);
            }
        }
    }

    /// Keeps an effect back until that record of the stripe is on disk.
    pub fn hold(&mut self, stripe: usize, after: Lsn, held: Held) {
        if after < self.gathered[stripe] { &mut self.flying } else { &mut self.waiting }.push(held);
    }

    /// Effects that are kept back.
    pub fn held(&self) -> usize {
        self.waiting.len() + self.flying.len()
    }

    /// Bytes of records that the thread has not taken yet.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the next record.
    pub fn next(&self) -> Lsn {
        self.next
    }

    /// The first number that is not on disk.
    pub fn synced(&self) -> Lsn {
        self.synced
    }

    /// The first of a stripe's own numbers that the thread does not have.
    pub fn gathered(&self, stripe: usize) -> Lsn {
        self.gathered[stripe]
    }

    /// Must the thread be woken for what there is? It is said once.
    pub fn wants_waking(&mut self) -> bool {
        std::mem::take(&mut self.idle)
    }

    /// All that has a number is to be on disk soon.
    pub fn ask_for_sync(&mut self) {
        self.asked_sync = true;
    }

    /// And the segment is to end. The number of that wish.
    pub fn ask_for_segment(&mut self) -> u64 {
        self.asked_segments += 1;
        self.asked_segments
    }

    /// Has the segment ended of which that was asked?
    pub fn has_ended_segment(&self, wish: u64) -> bool {
        self.ended_segments >= wish
    }

    /// Another segment has begun, or the one there is has no records yet.
    pub fn note_segment_ended(&mut self) {
        self.ended_segments = self.known_segments;
    }

    /// Nothing comes any more.
    pub fn end(&mut self) {
        self.ending = true;
    }

    /// Nothing is written any more.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Nothing is written any more.
    pub fn note_ended(&mut self) {
        self.ended = true;
    }

    /// What there is to do, if anything. What was asked for is taken from here on.
    pub fn asked(&mut self) -> Option<Asked> {
        let asked = Asked {
            records: !self.records.is_empty(),
            sync: std::mem::take(&mut self.asked_sync),
            segment: self.asked_segments > self.known_segments,
            end: self.ending,
        };
        self.known_segments = self.asked_segments;
        (asked != Asked::default()).then_some(asked)
    }

    /// The thread goes to sleep, or has woken.
    pub fn note_idle(&mut self, idle: bool) {
        self.idle = idle;
    }

    /// Is the end asked for?
    pub fn is_ending(&self) -> bool {
        self.ending
    }

    /// Hands out all records. Before a sync there is a mark behind them that says how far the last one came, unless
    /// there is nothing to sync: neither records nor, as `dirty` says, any that were handed out before.
    pub fn gather(&mut self, sync: bool, dirty: bool) -> Gathered {
        self.bytes = 0;
        self.gathered.copy_from_slice(&self.handed);
        self.flying.append(&mut self.waiting);
        let mut records = std::mem::take(&mut self.records);
        let sync = sync && (dirty || !records.is_empty());
        if sync {
            if records.is_empty() {
                records.push(Vec::new());
            }
            let mark = Record::Synced { below: self.synced };
            records.last_mut().into_iter().for_each(|last| put_open_record(&mark, last));
            self.next = Lsn(self.next.0 + 1);
        }
        Gathered { records, sync }
    }

    /// All that was handed out is on disk, below that number: who waited for it.
    pub fn note_synced(&mut self, below: Lsn) -> Vec<Held> {
        self.synced = below;
        std::mem::take(&mut self.flying)
    }

    /// Nothing will be on disk soon: all who waited.
    pub fn give_up(&mut self) -> Vec<Held> {
        let mut all = std::mem::take(&mut self.flying);
        all.append(&mut self.waiting);
        all
    }
}

/// Records gather in pieces of about that many bytes: a longer one would be copied again and again as it grows.
const CHUNK: usize = 1 << 20;
