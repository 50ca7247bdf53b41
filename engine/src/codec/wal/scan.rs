//! Reading a segment: its records in order, and how it ends.

use core::fmt;

use bytes::Bytes;

use super::super::bytes::{DecodeError, Reader};
use super::{HEAD, HEADER, Header, HeaderError, MAX_LENGTH, checksum, header};
use crate::id::Lsn;
use crate::mutant::{self, Mutant};
use crate::record::Record;

/// The records of a segment, one after the other. After the last one, [`Scan::end`] says why it was the last.
#[derive(Clone, Debug)]
pub struct Scan {
    segment: Bytes,
    header: Header,
    at: usize,
    next: Lsn,
    end: Option<End>,
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its last record; what follows, if anything, is room that was never written.
    Whole {
        /// The first byte behind it.
        at: u64,
    },
    /// With a record that was cut off or never synced. What is before it is whole.
    Torn {
        /// The byte where that record begins: the segment goes on there.
        at: u64,
        /// What is wrong with it.
        flaw: Flaw,
        /// Bytes from there on that are not zero, up to the last of them.
        bytes: u64,
    },
    /// With a record that had been synced and is not as it was: something or somebody changed the file.
    Damaged {
        /// The byte where that record begins.
        at: u64,
        /// What is wrong with it.
        flaw: Flaw,
        /// Where a later record says that this one had been synced; `None` when what shows it is that the record has a
        /// right checksum and says what no node writes.
        witness: Option<u64>,
    },
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The file ends before it does.
    Cut {
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that are left.
        left: u64,
    },
    /// No record has that length.
    Length {
        /// What it says.
        length: u32,
    },
    /// The checksum is wrong.
    Checksum,
    /// It is another record than the one that follows here.
    Number {
        /// The number that it has.
        found: Lsn,
        /// The one that follows.
        expected: Lsn,
    },
    /// The checksum is right, and it says what no node writes.
    Record(DecodeError),
}

impl Scan {
    /// Begins behind the header of a whole segment.
    pub fn new(segment: Bytes) -> Result<Scan, HeaderError> {
        let header = header(&segment)?;
        Ok(Scan { segment, header, at: HEADER, next: header.first, end: None })
    }

    /// What the segment says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The byte where the next record begins.
    pub fn at(&self) -> u64 {
        self.at as u64
    }

    /// The number that the next record has: once all are read, the first of the next segment.
    pub fn next_lsn(&self) -> Lsn {
        self.next
    }

    /// How it ends; `None` while there may be more.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    fn finish(&self, flaw: Flaw) -> End {
        let (at, rest) = (self.at as u64, &self.segment[self.at..]);
        let bytes = rest.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1);
        if bytes == 0 {
            return End::Whole { at };
        }
        match (flaw, self.witness()) {
            (Flaw::Record(_), _) => End::Damaged { at, flaw, witness: None },
            (_, Some(witness)) => End::Damaged { at, flaw, witness: Some(witness) },
            (_, None) => End::Torn { at, flaw, bytes },
        }
    }

    /// Where a record further on says that the one which should be here had been synced. Such records are short and all
    /// of one length, so that looking at every byte for one costs no more than reading the rest once.
    fn witness(&self) -> Option<u64> {
        let says_so = |at: &usize| {
            let record = (length_at(&self.segment, *at) == Some(SYNCED))
                .then(|| self.frame(*at, number_at(&self.segment, *at)?).ok())
                .flatten()
                .map(|frame| Reader::new(frame.body).take("record"));
            matches!(record, Some(Ok(Record::Synced { below })) if below > self.next)
        };
        (self.at + 1..self.segment.len()).find(says_so).map(|at| at as u64)
    }

    /// What stands at that byte, if it is a record of that number.
    fn frame(&self, at: usize, expected: Lsn) -> Result<Frame, Flaw> {
        let left = (self.segment.len() - at) as u64;
        let cut = |needed: usize| Flaw::Cut { needed: needed as u64, left };
        let length = length_at(&self.segment, at).ok_or(cut(HEAD))?;
        if (length as usize) < HEAD - 8 || length as usize > MAX_LENGTH {
            return Err(Flaw::Length { length });
        }
        let end = at + 8 + length as usize;
        let rest = self.segment.get(at + 8..end).ok_or(cut(8 + length as usize))?;
        if checksum(self.header.salt, rest, length).to_le_bytes() != self.segment[at + 4..at + 8] {
            return Err(Flaw::Checksum);
        }
        let found = number_at(&self.segment, at).ok_or(cut(HEAD))?;
        if found != expected {
            return Err(Flaw::Number { found, expected });
        }
        Ok(Frame { body: self.segment.slice(at + HEAD..end), end })
    }
}

impl Iterator for Scan {
    type Item = (u64, Lsn, Record);

    /// The next record, with the byte where it begins and its number. Keys and values share the segment's memory.
    fn next(&mut self) -> Option<(u64, Lsn, Record)> {
        if self.end.is_some() {
            return None;
        }
        let (at, lsn) = (self.at, self.next);
        let read = self.frame(at, lsn).and_then(|frame| {
            let mut from = Reader::new(frame.body);
            let record: Record = from.take("record").map_err(Flaw::Record)?;
            from.finish().map_err(Flaw::Record)?;
            Ok((record, frame.end))
        });
        match read {
            Ok((record, end)) => {
                (self.at, self.next) = (end, Lsn(lsn.0.wrapping_add(1)));
                Some((at as u64, lsn, record))
            }
            Err(Flaw::Checksum) if mutant::on(Mutant::SkipBadRecords) => {
                self.at += 8 + length_at(&self.segment, at).unwrap_or(0) as usize;
                self.next = Lsn(lsn.0.wrapping_add(1));
                self.next()
            }
            Err(flaw) => {
                self.end = Some(self.finish(flaw));
                None
            }
        }
    }
}

/// A record that is all there.
struct Frame {
    body: Bytes,
    end: usize,
}

/// The length that a [`Record::Synced`] names: its number, a tag, and a number.
const SYNCED: u32 = 8 + 1 + 8;

pub(super) fn length_at(segment: &[u8], at: usize) -> Option<u32> {
    segment.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn number_at(segment: &[u8], at: usize) -> Option<Lsn> {
    segment.get(at + 8..)?.first_chunk().copied().map(|bytes| Lsn(u64::from_le_bytes(bytes)))
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Cut { needed, left } => write!(f, "it takes {needed} bytes and the file has {left} left"),
            Flaw::Length { length } => write!(f, "no record has a length of {length}"),
            Flaw::Checksum => f.write_str("its checksum is wrong"),
            Flaw::Number { found, expected } => {
                write!(f, "it is number {} where number {} follows", found.0, expected.0)
            }
            Flaw::Record(error) => write!(f, "its checksum is right, and it cannot be read: {error}"),
        }
    }
}
