//! The parts that messages and records share, in bytes.

use bytes::Bytes;

use super::bytes::{DecodeError, Reader, Sink, Wire};
use crate::id::{Lanes, NodeId, RequestId, SLOTS, Slot, Version};
use crate::limits;
use crate::message::{Path, Reach, Slots, Standing, Wanted};
use crate::request::{Condition, Entry, Holding, Key, Value};
use crate::time::UnixMs;

impl Wire for NodeId {
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(NodeId(from.take(field)?))
    }
}

impl Wire for Slot {
    fn put(&self, out: &mut impl Sink) {
        self.number().put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        let number: u16 = from.take(field)?;
        let limit = u64::from(SLOTS) - 1;
        Slot::new(number).ok_or(DecodeError::Limit { field, value: u64::from(number), limit })
    }
}

impl Wire for Lanes {
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(Lanes(from.take(field)?))
    }
}

/// The count, 16 bits, then the slots by their numbers; or, where there are more than a thousand, a bit for each slot.
impl Wire for Slots {
    fn put(&self, out: &mut impl Sink) {
        let count = self.len();
        (count as u16).put(out);
        if count <= LISTED_SLOTS {
            self.iter().for_each(|slot| slot.put(out));
        } else {
            self.words().iter().for_each(|word| word.put(out));
        }
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        let count: u16 = from.take(field)?;
        if usize::from(count) <= LISTED_SLOTS {
            let (mut slots, mut last) = (Slots::none(), None);
            for _ in 0..count {
                let slot: Slot = from.take(field)?;
                if last >= Some(slot) {
                    return Err(DecodeError::Order { field });
                }
                slots.insert(slot);
                last = Some(slot);
            }
            return Ok(slots);
        }
        let mut words = *Slots::none().words();
        for word in &mut words {
            *word = from.take(field)?;
        }
        let slots = Slots::from_words(words);
        if slots.len() == usize::from(count) { Ok(slots) } else { Err(DecodeError::Order { field }) }
    }
}

/// So many slots are named; of more it is said by a bit for each slot.
const LISTED_SLOTS: usize = SLOTS as usize / 16;

impl Wire for UnixMs {
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(UnixMs(from.take(field)?))
    }
}

impl Wire for RequestId {
    fn put(&self, out: &mut impl Sink) {
        self.node.put(out);
        self.serial.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(RequestId { node: from.take(field)?, serial: from.take(field)? })
    }
}

impl Wire for Version {
    fn put(&self, out: &mut impl Sink) {
        self.stamp.put(out);
        self.node.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(Version { stamp: from.take(field)?, node: from.take(field)? })
    }
}

/// The length, 16 bits, then the bytes.
impl Wire for Key {
    fn put(&self, out: &mut impl Sink) {
        u16::try_from(self.as_bytes().len()).expect("a key has at most 65,535 bytes").put(out);
        out.put(self.as_bytes());
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        let length: u16 = from.take(field)?;
        Key::new(from.bytes(usize::from(length), field)?).map_err(|_| DecodeError::EmptyKey)
    }
}

/// The media type: its length, 8 bits, and it; then the value: its length, 32 bits, and it.
impl Wire for Value {
    fn put(&self, out: &mut impl Sink) {
        u8::try_from(self.media.len()).expect("a media type has at most 255 bytes").put(out);
        out.put(&self.media);
        u32::try_from(self.bytes.len()).expect("a value has at most 512 MiB").put(out);
        out.put_shared(&self.bytes);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        let length: u8 = from.take("media type")?;
        let media: Bytes = from.bytes(usize::from(length), "media type")?;
        let length: u32 = from.take(field)?;
        if length as usize > limits::MAX_VALUE {
            return Err(DecodeError::Limit { field, value: u64::from(length), limit: limits::MAX_VALUE as u64 });
        }
        Ok(Value { bytes: from.bytes(length as usize, field)?, media })
    }
}

impl Wire for Entry {
    fn put(&self, out: &mut impl Sink) {
        self.version.put(out);
        self.deadline.put(out);
        self.value.put(out);
    }

    fn take(from: &mut Reader, _: &'static str) -> Result<Self, DecodeError> {
        let (version, deadline) = (from.take("version")?, from.take("deadline")?);
        Ok(Entry { value: from.take("value")?, version, deadline })
    }
}

impl Wire for Condition {
    fn put(&self, out: &mut impl Sink) {
        match self {
            Condition::Always => 0_u8.put(out),
            Condition::Absent => 1_u8.put(out),
            Condition::Present => 2_u8.put(out),
            Condition::Is(version) => {
                3_u8.put(out);
                version.put(out);
            }
            Condition::OlderThan(version) => {
                4_u8.put(out);
                version.put(out);
            }
        }
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            0_u8 => Condition::Always,
            1 => Condition::Absent,
            2 => Condition::Present,
            3 => Condition::Is(from.take("version")?),
            4 => Condition::OlderThan(from.take("version")?),
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

impl Wire for Holding {
    fn put(&self, out: &mut impl Sink) {
        self.version.put(out);
        self.deadline.put(out);
        self.bytes.put(out);
        self.rank.put(out);
        self.floor.put(out);
        self.doubt.put(out);
        self.before.put(out);
    }

    fn take(from: &mut Reader, _: &'static str) -> Result<Self, DecodeError> {
        Ok(Holding {
            version: from.take("version")?,
            deadline: from.take("deadline")?,
            bytes: from.take("bytes held")?,
            rank: from.take("rank")?,
            floor: from.take("floor")?,
            doubt: from.take("doubt")?,
            before: from.take("before")?,
        })
    }
}

impl Wire for Standing {
    fn put(&self, out: &mut impl Sink) {
        self.boot.put(out);
        self.lapses.put(out);
        self.settled.put(out);
        self.life.put(out);
        self.over.put(out);
        self.reach.put(out);
        self.edition.put(out);
        self.filled.put(out);
        self.steps.put(out);
        self.failing.put(out);
        self.skips.put(out);
    }

    fn take(from: &mut Reader, _: &'static str) -> Result<Self, DecodeError> {
        Ok(Standing {
            boot: from.take("boot")?,
            lapses: from.take("lapses")?,
            settled: from.take("settled")?,
            life: from.take("life")?,
            over: from.take("life that is over")?,
            reach: from.take("reach")?,
            edition: from.take("edition")?,
            filled: from.take("filled")?,
            steps: from.take("steps aside")?,
            failing: from.take("failing")?,
            skips: from.take("skips")?,
        })
    }
}

/// Its length, 16 bits, then the bytes.
impl Wire for Reach {
    fn put(&self, out: &mut impl Sink) {
        (self.as_bytes().len() as u16).put(out);
        out.put(self.as_bytes());
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        let length: u16 = from.take(field)?;
        if usize::from(length) > limits::MAX_REACH {
            return Err(DecodeError::Limit { field, value: u64::from(length), limit: limits::MAX_REACH as u64 });
        }
        let bytes = from.bytes(usize::from(length), field)?;
        let tag = bytes.last().copied().unwrap_or(0);
        Reach::from_bytes(bytes).ok_or(DecodeError::Tag { field, tag })
    }
}

impl Wire for Path {
    fn put(&self, out: &mut impl Sink) {
        let tag: u8 = match self {
            Path::Direct => 1,
            Path::Routed => 2,
        };
        tag.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => Path::Direct,
            2 => Path::Routed,
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}

impl Wire for Wanted {
    fn put(&self, out: &mut impl Sink) {
        let tag: u8 = match self {
            Wanted::Facts => 1,
            Wanted::Value => 2,
            Wanted::Copy => 3,
            Wanted::Version => 4,
        };
        tag.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => Wanted::Facts,
            2 => Wanted::Value,
            3 => Wanted::Copy,
            4 => Wanted::Version,
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}
