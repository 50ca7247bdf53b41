//! What every format is made of: a sink that bytes go into, a reader that takes them apart, and why it may refuse.

use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf as _, Bytes, BytesMut};

/// Data that has one form in bytes: integers are little-endian and fixed in width, lengths stand before what they
/// count.
pub trait Wire: Sized {
    /// Writes it.
    fn put(&self, out: &mut impl Sink);

    /// Reads one; an error names `field`.
    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError>;
}

/// Where encoded bytes go.
pub trait Sink {
    /// Appends a copy.
    fn put(&mut self, bytes: &[u8]);

    /// Appends a value, which a sink that writes vectored may keep by reference instead of copying.
    fn put_shared(&mut self, bytes: &Bytes) {
        self.put(bytes);
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A sink that only counts: how long an encoding will be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length(pub usize);

impl Sink for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// The unread rest of a frame.
#[derive(Clone, Debug)]
pub struct Reader(Bytes);

impl Reader {
    /// Reads from the start.
    pub fn new(frame: Bytes) -> Reader {
        Reader(frame)
    }

    /// The next bytes, sharing the frame's memory.
    pub fn bytes(&mut self, length: usize, field: &'static str) -> Result<Bytes, DecodeError> {
        if length > self.0.len() {
            return Err(DecodeError::TooShort { field, needed: length, left: self.0.len() });
        }
        Ok(self.0.split_to(length))
    }

    /// The next value.
    pub fn take<T: Wire>(&mut self, field: &'static str) -> Result<T, DecodeError> {
        T::take(self, field)
    }

    /// How much is unread.
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// Nothing may be left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.0.len() {
            0 => Ok(()),
            bytes => Err(DecodeError::Trailing { bytes }),
        }
    }
}

/// Why bytes are not what they should be. Nothing was taken from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The frame is longer than any message.
    Oversized {
        /// Bytes in it.
        length: usize,
    },
    /// The frame ends before the field does: it was cut off, or a length in it is wrong.
    TooShort {
        /// The field.
        field: &'static str,
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// Another version of the format: a newer node's, or not a frame at all.
    Format {
        /// The version that the frame names.
        version: u8,
        /// The one known here.
        known: u8,
    },
    /// A node of another cluster.
    Cluster {
        /// The tag that the frame has.
        tag: u64,
    },
    /// No such variant.
    Tag {
        /// The field.
        field: &'static str,
        /// What it says.
        tag: u8,
    },
    /// A flag that is neither 0 nor 1: the rest is reserved.
    Flag {
        /// The field.
        field: &'static str,
        /// What it says.
        flag: u8,
    },
    /// A text that is not UTF-8.
    Text {
        /// The field.
        field: &'static str,
    },
    /// A map that no node makes.
    Map {
        /// What is wrong with it.
        flaw: &'static str,
    },
    /// A key without bytes.
    EmptyKey,
    /// A number past its limit.
    Limit {
        /// The field.
        field: &'static str,
        /// What it says.
        value: u64,
        /// The most that it may say.
        limit: u64,
    },
    /// Things that must ascend and do not, or a count of a set that is not how many there are.
    Order {
        /// The field.
        field: &'static str,
    },
    /// Bytes after the end of the message.
    Trailing {
        /// How many.
        bytes: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Oversized { length } => {
                write!(f, "the frame has {length} bytes; a frame has at most {}", crate::limits::MAX_FRAME)
            }
            DecodeError::TooShort { field, needed, left } => {
                write!(f, "{field} takes {needed} bytes and the frame has {left} left")
            }
            DecodeError::Format { version, known } => write!(f, "format version {version}; version {known} is known"),
            DecodeError::Cluster { tag } => write!(f, "from a node of another cluster (tag {tag:016x})"),
            DecodeError::Tag { field, tag } => write!(f, "{tag} is no {field}"),
            DecodeError::Flag { field, flag } => write!(f, "the flag of {field} is {flag}; it is 0 or 1"),
            DecodeError::Text { field } => write!(f, "{field} is not UTF-8"),
            DecodeError::Map { flaw } => write!(f, "the map has a flaw: {flaw}"),
            DecodeError::EmptyKey => f.write_str("the key is empty"),
            DecodeError::Limit { field, value, limit } => write!(f, "{field} is {value}; it is at most {limit}"),
            DecodeError::Order { field } => write!(f, "{field} are not in order, each once, and as many as is said"),
            DecodeError::Trailing { bytes } => write!(f, "{bytes} bytes after the end of the message"),
        }
    }
}

impl core::error::Error for DecodeError {}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Wire for $integer {
            fn put(&self, out: &mut impl Sink) {
                out.put(&self.to_le_bytes());
            }

            fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
                const WIDTH: usize = size_of::<$integer>();
                let (head, left) = (from.0.first_chunk::<WIDTH>().copied(), from.0.len());
                let head = head.ok_or(DecodeError::TooShort { field, needed: WIDTH, left })?;
                from.0.advance(WIDTH);
                Ok(<$integer>::from_le_bytes(head))
            }
        }
    )*};
}

integers!(u8, u16, u32, u64);

impl Wire for bool {
    fn put(&self, out: &mut impl Sink) {
        u8::from(*self).put(out);
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        match from.take(field)? {
            0 => Ok(false),
            1 => Ok(true),
            flag => Err(DecodeError::Flag { field, flag }),
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut impl Sink) {
        self.is_some().put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn take(from: &mut Reader, field: &'static str) -> Result<Self, DecodeError> {
        let present: bool = from.take(field)?;
        present.then(|| from.take(field)).transpose()
    }
}
