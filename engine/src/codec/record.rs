//! Records in bytes: a tag of 8 bits, then the fields in order.

use super::bytes::{DecodeError, Reader, Sink, Wire};
use crate::id::Lsn;
use crate::record::Record;

impl Wire for Lsn {
    fn put(&self, out: &mut impl Sink) {
        self.0.put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(Lsn(from.take(field)?))
    }
}

impl Wire for Record {
    fn put(&self, out: &mut impl Sink) {
        match self {
            Record::Put { key, entry } => {
                1_u8.put(out);
                key.put(out);
                entry.put(out);
            }
            Record::Remove { key, version } => {
                2_u8.put(out);
                key.put(out);
                version.put(out);
            }
            Record::Touch { key, from, version, deadline } => {
                3_u8.put(out);
                key.put(out);
                from.put(out);
                version.put(out);
                deadline.put(out);
            }
            Record::Forget { key, version } => {
                4_u8.put(out);
                key.put(out);
                version.put(out);
            }
            Record::Floor { slot, version } => {
                5_u8.put(out);
                slot.put(out);
                version.put(out);
            }
            Record::Synced { below } => {
                6_u8.put(out);
                below.put(out);
            }
        }
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        Ok(match from.take(field)? {
            1_u8 => Record::Put { key: from.take("key")?, entry: from.take("entry")? },
            2 => Record::Remove { key: from.take("key")?, version: from.take("version")? },
            3 => Record::Touch {
                key: from.take("key")?,
                from: from.take("version before")?,
                version: from.take("version")?,
                deadline: from.take("deadline")?,
            },
            4 => Record::Forget { key: from.take("key")?, version: from.take("version")? },
            5 => Record::Floor { slot: from.take("slot")?, version: from.take("floor")? },
            6 => Record::Synced { below: from.take("first that was not synced")? },
            tag => return Err(DecodeError::Tag { field, tag }),
        })
    }
}
