//! What clients ask and what they are told, in bytes: a part of what peers say to each other.

use alloc::vec::Vec;
use core::time::Duration;

use super::bytes::{DecodeError, Reader, Sink, Wire};
use crate::error::Failure;
use crate::limits;
use crate::request::{Answer, Inspection, Operation, Outcome, ReadLevel, Request, WriteLevel};

impl Wire for Request {
    fn put(&self, out: &mut impl Sink) {
        // A longer wait than a request may ask for is cut to it; shorter spans than a microsecond are none.
        let timeout = crate::time::micros(self.timeout.min(limits::MAX_TIMEOUT));
        u32::try_from(timeout).expect("the longest timeout is a minute").put(out);
        self.key.put(out);
        self.operation.put(out);
    }

    fn take(from: &mut Reader, _: &'static str) -> Result<Self, DecodeError> {
        let micros: u32 = from.take("timeout")?;
        let (value, limit) = (u64::from(micros), crate::time::micros(limits::MAX_TIMEOUT));
        if value > limit {
            return Err(DecodeError::Limit { field: "timeout", value, limit });
        }
        let timeout = Duration::from_micros(value);
        Ok(Request { key: from.take("key")?, operation: from.take("operation")?, timeout })
    }
}

impl Wire for Operation {
    fn put(&self, out: &mut impl Sink) {
        match self {
            Operation::Get { level } => {
                1_u8.put(out);
                level.put(out);
            }
            Operation::Set { value, deadline, condition, level } => {
                2_u8.put(out);
                level.put(out);
                condition.put(out);
                deadline.put(out);
                value.put(out);
            }
            Operation::Delete { condition, level } => {
                3_u8.put(out);
                level.put(out);
                condition.put(out);
            }
            Operation::Inspect => 4_u8.put(out),
            Operation::Increment { by, level } => {
                5_u8.put(out);
                level.put(out);
                put_number(*by, out);
            }
            Operation::Touch { deadline, level } => {
                6_u8.put(out);
                level.put(out);
                deadline.put(out);
            }
        }
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => Operation::Get { level: from.take("read level")? },
            2 => {
                let (level, condition) = (from.take("write level")?, from.take("condition")?);
                Operation::Set { deadline: from.take("deadline")?, value: from.take("value")?, condition, level }
            }
            3 => Operation::Delete { level: from.take("write level")?, condition: from.take("condition")? },
            4 => Operation::Inspect,
            5 => Operation::Increment { level: from.take("write level")?, by: take_number(from, "increment")? },
            6 => Operation::Touch { level: from.take("write level")?, deadline: from.take("deadline")? },
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

impl Wire for ReadLevel {
    fn put(&self, out: &mut impl Sink) {
        let tag: u8 = match self {
            ReadLevel::Primary => 1,
            ReadLevel::One => 2,
            ReadLevel::Quorum => 3,
        };
        tag.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => ReadLevel::Primary,
            2 => ReadLevel::One,
            3 => ReadLevel::Quorum,
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

impl Wire for WriteLevel {
    fn put(&self, out: &mut impl Sink) {
        let tag: u8 = match self {
            WriteLevel::One => 1,
            WriteLevel::Live => 2,
            WriteLevel::Quorum => 3,
            WriteLevel::All => 4,
        };
        tag.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => WriteLevel::One,
            2 => WriteLevel::Live,
            3 => WriteLevel::Quorum,
            4 => WriteLevel::All,
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

/// Answers have tags from 1, failures from 129.
impl Wire for Outcome {
    fn put(&self, out: &mut impl Sink) {
        match self {
            Ok(answer) => put_answer(answer, out),
            Err(failure) => put_failure(failure, out),
        }
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => Ok(Answer::Found(from.take("entry")?)),
            2 => Ok(Answer::Missing),
            3 => Ok(Answer::Stored {
                version: from.take("version")?,
                copies: from.take("copies")?,
                created: from.take("created")?,
            }),
            4 => Ok(Answer::Deleted { copies: from.take("copies")?, existed: from.take("existed")? }),
            5 => Ok(Answer::Unmet { present: from.take("version")? }),
            6 => Ok(Answer::Inspected(inspections(from)?)),
            7 => Ok(Answer::Added {
                value: take_number(from, "sum")?,
                version: from.take("version")?,
                copies: from.take("copies")?,
                created: from.take("created")?,
            }),
            8 => Ok(Answer::Touched { version: from.take("version")?, copies: from.take("copies")? }),
            129 => Err(Failure::Busy { limit: take_limit(from)? }),
            130 => {
                Err(Failure::Unavailable { needed: from.take("copies needed")?, alive: from.take("replicas alive")? })
            }
            131 => Err(Failure::Timeout),
            132 => Err(Failure::Indeterminate { copies: from.take("copies")? }),
            133 => Err(Failure::TooLarge { bytes: from.take("bytes")?, limit: from.take("limit")? }),
            134 => Err(Failure::NotPrimary { primary: from.take("primary")? }),
            135 => Err(Failure::Stopping),
            136 => Err(Failure::NotANumber),
            137 => Err(Failure::Overflow),
            138 => Err(Failure::ReadOnly),
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

fn put_answer(answer: &Answer, out: &mut impl Sink) {
    match answer {
        Answer::Found(entry) => {
            1_u8.put(out);
            entry.put(out);
        }
        Answer::Missing => 2_u8.put(out),
        Answer::Stored { version, copies, created } => {
            3_u8.put(out);
            version.put(out);
            copies.put(out);
            created.put(out);
        }
        Answer::Deleted { copies, existed } => {
            4_u8.put(out);
            copies.put(out);
            existed.put(out);
        }
        Answer::Unmet { present } => {
            5_u8.put(out);
            present.put(out);
        }
        Answer::Inspected(inspections) => {
            6_u8.put(out);
            // One for each replica, and they are few.
            let inspections = &inspections[..inspections.len().min(limits::MAX_MEMBERS)];
            (inspections.len() as u16).put(out);
            for inspection in inspections {
                inspection.node.put(out);
                inspection.held.put(out);
            }
        }
        Answer::Added { value, version, copies, created } => {
            7_u8.put(out);
            put_number(*value, out);
            version.put(out);
            copies.put(out);
            created.put(out);
        }
        Answer::Touched { version, copies } => {
            8_u8.put(out);
            version.put(out);
            copies.put(out);
        }
    }
}

fn put_failure(failure: &Failure, out: &mut impl Sink) {
    match failure {
        Failure::Busy { limit } => {
            129_u8.put(out);
            let name = limits::reached(limit).as_bytes();
            (name.len() as u8).put(out);
            out.put(name);
        }
        Failure::Unavailable { needed, alive } => {
            130_u8.put(out);
            needed.put(out);
            alive.put(out);
        }
        Failure::Timeout => 131_u8.put(out),
        Failure::Indeterminate { copies } => {
            132_u8.put(out);
            copies.put(out);
        }
        Failure::TooLarge { bytes, limit } => {
            133_u8.put(out);
            bytes.put(out);
            limit.put(out);
        }
        Failure::NotPrimary { primary } => {
            134_u8.put(out);
            primary.put(out);
        }
        Failure::Stopping => 135_u8.put(out),
        Failure::NotANumber => 136_u8.put(out),
        Failure::Overflow => 137_u8.put(out),
        Failure::ReadOnly => 138_u8.put(out),
    }
}

/// A number with a sign: two's complement.
fn put_number(number: i64, out: &mut impl Sink) {
    number.cast_unsigned().put(out);
}

fn take_number(from: &mut Reader, field: &'static str) -> Result<i64, DecodeError> {
    from.take::<u64>(field).map(u64::cast_signed)
}

/// The count, 16 bits, then each.
fn inspections(from: &mut Reader) -> Result<Vec<Inspection>, DecodeError> {
    let count: u16 = from.take("inspections")?;
    let (value, limit) = (u64::from(count), limits::MAX_MEMBERS as u64);
    if value > limit {
        return Err(DecodeError::Limit { field: "inspections", value, limit });
    }
    (0..count).map(|_| Ok(Inspection { node: from.take("replica")?, held: from.take("holding")? })).collect()
}

/// The name of a bound, its length before it, 8 bits. One that is not known here, from a node of another version, keeps
/// its meaning and loses its name.
fn take_limit(from: &mut Reader) -> Result<&'static str, DecodeError> {
    let length: u8 = from.take("limit")?;
    let name = from.bytes(usize::from(length), "limit")?;
    Ok(limits::reached(core::str::from_utf8(&name).unwrap_or_default()))
}
