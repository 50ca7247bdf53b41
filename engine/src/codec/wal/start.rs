//! Which files a start reads, what of them it takes in, and when it refuses them: the same for the server's folder and
//! the simulator's disks. It reads no file itself; whoever does tells it what was found.

use core::fmt;

use super::{End, Flaw, Scan};
use crate::id::Lsn;

/// How far a start has come. It begins with the newest whole snapshot, if there is one, and goes through the segments
/// in the order of their first numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// What is below it was in the snapshot.
    from: Lsn,
    /// The number that follows what has been read.
    next: Lsn,
    /// As far as this the log has to reach.
    until: Lsn,
}

/// Why what is there is no log that can be read from its beginning to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A segment begins above what was read before it.
    Gap {
        /// The number that follows what was read.
        expected: Lsn,
        /// The first of the segment.
        found: Lsn,
    },
    /// A record that had been synced is not as it was.
    Damaged {
        /// Its number.
        record: Lsn,
        /// The byte of the segment where it begins.
        at: u64,
        /// What is wrong with it.
        flaw: Flaw,
        /// Nothing in the segment shows it, but that a later one was begun.
        by_next: bool,
    },
    /// A segment ends before the next one begins.
    Short {
        /// The number that follows its last record.
        next: Lsn,
        /// The first of the next segment.
        follows: Lsn,
        /// The byte where it ends.
        at: u64,
    },
    /// The log ends before the snapshot was ended: what is in that may be newer than what is in the log.
    Behind {
        /// As far as the log has to reach.
        until: Lsn,
        /// The number that follows its last record.
        next: Lsn,
    },
}

/// Where a segment ends that can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The byte from which on there is nothing to be kept.
    pub at: u64,
    /// Bytes behind it that were never synced.
    pub torn: u64,
    /// It is the last segment: it is cut off there.
    pub cut: Option<Flaw>,
    /// No segment follows.
    pub is_last: bool,
}

impl Start {
    /// Begins with a snapshot: the log is read over it from the first number on, and reaches at least as far as the
    /// second. Without one the log is read from its beginning.
    pub fn with(snapshot: Option<(Lsn, Lsn)>) -> Start {
        let (from, until) = snapshot.unwrap_or((Lsn(1), Lsn(1)));
        Start { from, next: from, until }
    }

    /// A newer snapshot, named after that number, is not whole, and is passed over. Before it had its name the log was
    /// on disk up to there, and may not end earlier now: what looks like a torn tail would be damage.
    pub fn reaches(self, named: Lsn) -> Start {
        Start { until: self.until.max(named), ..self }
    }

    /// Need a segment not be read, as all of it was in the snapshot? The next one begins with that number.
    pub fn passes(&self, follows: Option<Lsn>) -> bool {
        follows.is_some_and(|follows| follows <= self.from)
    }

    /// A segment that begins with that number is read next.
    pub fn begins(&self, found: Lsn) -> Result<(), Refused> {
        let expected = self.next;
        if found > expected { Err(Refused::Gap { expected, found }) } else { Ok(()) }
    }

    /// Is a record of that number taken in? The snapshot has those below.
    pub fn takes(&self, number: Lsn) -> bool {
        number >= self.from
    }

    /// All of a segment has been read that is below the number with which the next one begins. What stands behind that
    /// could not be synced once, and was written again there.
    pub fn ends(&mut self, scan: &Scan, follows: Option<Lsn>) -> Result<Tail, Refused> {
        let next = scan.next_lsn();
        self.next = self.next.max(next);
        if follows.is_some_and(|follows| follows <= next) {
            return Ok(Tail { at: scan.at(), ..Tail::default() });
        }
        match (scan.end(), follows) {
            (Some(End::Damaged { at, flaw, .. }), _) => {
                Err(Refused::Damaged { record: next, at, flaw, by_next: false })
            }
            // It had been synced before the next one was begun.
            (Some(End::Torn { at, flaw, .. }), Some(_)) => {
                Err(Refused::Damaged { record: next, at, flaw, by_next: true })
            }
            (Some(End::Whole { at }), Some(follows)) => Err(Refused::Short { next, follows, at }),
            (Some(End::Torn { at, flaw, bytes }), None) => Ok(Tail { at, torn: bytes, cut: Some(flaw), is_last: true }),
            (Some(End::Whole { at }), None) => Ok(Tail { at, is_last: true, ..Tail::default() }),
            (None, _) => Ok(Tail { at: scan.at(), ..Tail::default() }),
        }
    }

    /// All segments have been read: the number that the next record gets.
    pub fn end(&self) -> Result<Lsn, Refused> {
        let Start { next, until, .. } = *self;
        if next < until { Err(Refused::Behind { until, next }) } else { Ok(next) }
    }

    /// The number that follows what has been read.
    pub fn next(&self) -> Lsn {
        self.next
    }
}

/// How many segments, the oldest of those that begin with these numbers in order, hold nothing from that number on:
/// what stands in a snapshot need not stand in the log as well. The last one is written to, and never among them.
pub fn droppable(firsts: &[Lsn], below: Lsn) -> usize {
    firsts.windows(2).take_while(|pair| pair[1] <= below).count()
}

/// Has a log of so many bytes outgrown a snapshot of so many? It costs more time at a start than a new one now. A log
/// that is shorter than `least` is read in no time.
pub fn outgrown(log: u64, snapshot: u64, least: u64) -> bool {
    log > least.max(RATIO * snapshot)
}

/// A log is so many times as long as the last snapshot before it is worth another.
const RATIO: u64 = 2;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Refused::Gap { expected: Lsn(..=1), found } => {
                write!(f, "the log begins here with number {}, and no whole snapshot holds what was before", found.0)
            }
            Refused::Gap { expected, found } => write!(
                f,
                "the log goes on here with number {}, and what is before it ends with {}",
                found.0,
                expected.0 - 1
            ),
            Refused::Damaged { record, flaw, by_next, .. } => {
                write!(f, "record {}: {flaw}", record.0)?;
                if by_next { f.write_str("; it had been synced before the next segment was begun") } else { Ok(()) }
            }
            Refused::Short { next, follows, .. } => {
                write!(f, "it ends before number {}, and the next segment begins with {}", next.0, follows.0)
            }
            Refused::Behind { until, next } => {
                write!(f, "its log has to reach number {}, and ends before {}", until.0, next.0)
            }
        }
    }
}

impl core::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::super::{Header, put_header, put_record};
    use super::*;
    use crate::codec::peer::ClusterTag;
    use crate::id::{NodeId, Slot, Version};
    use crate::record::Record;
    use crate::time::UnixMs;

    /// Reads a snapshot with these numbers and segments that begin with the first of each pair and have so many
    /// records: the numbers that are taken in and the one that follows, or why it is refused.
    fn read(snapshot: Option<(u64, u64)>, segments: &[(u64, u64)]) -> Result<(Vec<u64>, u64), String> {
        let mut start = Start::with(snapshot.map(|(first, until)| (Lsn(first), Lsn(until))));
        let (mut taken, said) = (Vec::new(), |refused: Refused| refused.to_string());
        for (index, (first, count)) in segments.iter().enumerate() {
            let follows = segments.get(index + 1).map(|next| Lsn(next.0));
            if start.passes(follows) {
                continue;
            }
            start.begins(Lsn(*first)).map_err(said)?;
            let mut scan = segment(*first, *count);
            while follows.is_none_or(|follows| scan.next_lsn() < follows) {
                let Some((_, number, _)) = scan.next() else { break };
                taken.extend(start.takes(number).then_some(number.0));
            }
            start.ends(&scan, follows).map_err(said)?;
        }
        let next = start.end().map_err(said)?;
        Ok((taken, next.0))
    }

    fn segment(first: u64, count: u64) -> Scan {
        let (cluster, node) = (ClusterTag(1), NodeId(1));
        let mut bytes = Vec::new();
        put_header(&Header { cluster, node, first: Lsn(first), begun: UnixMs(0), salt: 7 }, &mut bytes);
        for number in first..first + count {
            let version = Version { stamp: number, node };
            put_record(7, Lsn(number), &Record::Floor { slot: Slot::of_hash(1), version }, &mut bytes);
        }
        Scan::new(Bytes::from(bytes)).expect("a whole header")
    }

    #[test]
    fn a_start_takes_each_record_once_and_refuses_what_has_a_gap() {
        let check = |snapshot, segments: &[(u64, u64)], expected: Result<(&[u64], u64), &str>| {
            let expected = expected.map(|(taken, next)| (taken.to_vec(), next)).map_err(str::to_string);
            assert_eq!(read(snapshot, segments), expected, "{snapshot:?} {segments:?}");
        };
        check(None, &[], Ok((&[], 1)));
        check(None, &[(1, 2), (3, 1)], Ok((&[1, 2, 3], 4)));
        // What was not synced was written again in the next one.
        check(None, &[(1, 4), (3, 1)], Ok((&[1, 2, 3], 4)));
        check(Some((3, 4)), &[(1, 2), (3, 1)], Ok((&[3], 4)));
        check(Some((2, 4)), &[(1, 2), (3, 1)], Ok((&[2, 3], 4)));
        // Older segments may be back after a crash, and not all of them.
        check(Some((9, 9)), &[(1, 2), (5, 1), (9, 1)], Ok((&[9], 10)));
        check(Some((9, 10)), &[(9, 1)], Ok((&[9], 10)));
        check(Some((9, 11)), &[(9, 1)], Err("its log has to reach number 11, and ends before 10"));
        check(Some((9, 10)), &[], Err("its log has to reach number 10, and ends before 9"));
        let gap = "the log begins here with number 3, and no whole snapshot holds what was before";
        check(None, &[(3, 1)], Err(gap));
        check(Some((2, 2)), &[(3, 1)], Err("the log goes on here with number 3, and what is before it ends with 1"));
        let short = "it ends before number 2, and the next segment begins with 3";
        check(None, &[(1, 1), (3, 1)], Err(short));
    }

    #[test]
    fn a_log_reaches_as_far_as_a_snapshot_that_is_passed_over() {
        for (first, expected) in [(9, true), (10, true), (11, false)] {
            let mut start = Start::with(Some((Lsn(3), Lsn(4)))).reaches(Lsn(first));
            start.ends(&read_to_its_end(segment(3, 7)), None).expect("a whole segment");
            let refused = Refused::Behind { until: Lsn(first), next: Lsn(10) };
            assert_eq!(start.end(), if expected { Ok(Lsn(10)) } else { Err(refused) }, "named {first}");
        }
    }

    fn read_to_its_end(mut scan: Scan) -> Scan {
        while scan.next().is_some() {}
        scan
    }

    #[test]
    fn what_a_snapshot_has_is_dropped_and_never_the_last_segment() {
        let firsts = [1, 5, 9].map(Lsn);
        for (below, expected) in [(1, 0), (4, 0), (5, 1), (8, 1), (9, 2), (99, 2)] {
            assert_eq!(droppable(&firsts, Lsn(below)), expected, "below {below}");
        }
        assert_eq!(droppable(&[], Lsn(9)), 0);
        for (log, snapshot, expected) in [(100, 0, false), (101, 0, true), (101, 51, false), (103, 51, true)] {
            assert_eq!(outgrown(log, snapshot, 100), expected, "{log} {snapshot}");
        }
    }
}
