//! libCacheSim's oracleGeneral: 24-byte binary records, little-endian, packed.

use super::{Place, Problem, TraceError, TraceOp, TraceRequest};

/// Cuts a stream of bytes into records, holding at most one that is not complete.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    /// Whole records seen so far.
    number: u64,
    begun: [u8; RECORD],
    /// Bytes of `begun` that are there.
    have: u8,
}

/// Bytes of a record: time 4, object 8, size 4, next access 8.
pub(super) const RECORD: usize = 24;

impl Records {
    pub(super) fn push(&mut self, mut chunk: &[u8], each: &mut impl FnMut(TraceRequest<'_>)) -> Result<(), TraceError> {
        let have = usize::from(self.have);
        if have > 0 {
            let (part, rest) = chunk.split_at(chunk.len().min(RECORD - have));
            self.begun[have..have + part.len()].copy_from_slice(part);
            self.have += part.len() as u8;
            if usize::from(self.have) < RECORD {
                return Ok(());
            }
            self.have = 0;
            let record = self.begun;
            self.record(&record, each);
            chunk = rest;
        }
        let (records, rest) = chunk.as_chunks::<RECORD>();
        for record in records {
            self.record(record, each);
        }
        self.begun[..rest.len()].copy_from_slice(rest);
        self.have = rest.len() as u8;
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<(), TraceError> {
        if self.have == 0 {
            return Ok(());
        }
        let problem = Problem::CutRecord { got: u64::from(self.have), wanted: RECORD as u64 };
        Err(TraceError { place: Place::Record(self.number + 1), problem })
    }

    fn record(&mut self, record: &[u8; RECORD], each: &mut impl FnMut(TraceRequest<'_>)) {
        self.number += 1;
        let (time, object, size) = (u32_at(record, 0), u64_at(record, 4), u32_at(record, 12));
        let mut digits = [0; 20];
        each(TraceRequest {
            time: Some(u64::from(time)),
            key: decimal(object, &mut digits),
            size: Some(u64::from(size)),
            ttl: None,
            op: TraceOp::Get,
        });
    }
}

/// Could this record begin a trace? Its object is asked for again later (a positive number), or never (-1, or the
/// largest number there is, as several converters write it); and it has a size.
pub(super) fn plausible_first(record: &[u8; RECORD]) -> bool {
    let next = u64_at(record, 16) as i64;
    u32_at(record, 12) > 0 && (next == -1 || next == i64::MAX || (1..1 << 48).contains(&next))
}

fn u32_at(record: &[u8; RECORD], at: usize) -> u32 {
    u32::from_le_bytes(core::array::from_fn(|index| record[at + index]))
}

fn u64_at(record: &[u8; RECORD], at: usize) -> u64 {
    u64::from_le_bytes(core::array::from_fn(|index| record[at + index]))
}

fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[first..];
        }
    }
}
