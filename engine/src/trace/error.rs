//! What can be wrong with a trace, in words that say where it is and what would be right.

use alloc::string::String;
use core::fmt;

use crate::limits;
use crate::request::KeyError;

/// A trace that cannot be read further. What came before the place has been delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    /// Where.
    pub place: Place,
    /// What is wrong there.
    pub problem: Problem,
}

/// A place in a trace, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line of text, the header and empty lines included.
    Line(u64),
    /// A binary record.
    Record(u64),
}

/// What is wrong with a line or record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The line is longer than [`limits::MAX_TRACE_LINE`].
    LineTooLong,
    /// The key is empty or too long.
    Key(KeyError),
    /// A field that should be a number is not.
    NotANumber {
        /// The field.
        field: &'static str,
        /// Its text, shortened.
        got: String,
    },
    /// The TTL is longer than [`limits::MAX_TTL`].
    TtlTooLong {
        /// Whole seconds.
        seconds: u64,
    },
    /// The operation has no name that is known.
    UnknownOperation {
        /// Its text, shortened.
        got: String,
    },
    /// The line has another number of fields than it should.
    Fields {
        /// How many there are.
        got: u64,
        /// How many there should be.
        wanted: u64,
    },
    /// A quote is not closed on its line.
    OpenQuote,
    /// Something stands between a closing quote and the next comma.
    AfterQuote,
    /// The header has no column for the key, or there is no header.
    NoKeyColumn {
        /// The header's columns, shortened.
        got: String,
    },
    /// The header has the same column twice.
    RepeatedColumn {
        /// Its name.
        name: String,
    },
    /// The trace ends in the middle of a record.
    CutRecord {
        /// Bytes of it that are there.
        got: u64,
        /// Bytes of a whole one.
        wanted: u64,
    },
}

impl Problem {
    /// The text of a field as it may be shown in an error: short, and printable whatever a file holds.
    pub(super) fn shown(text: &[u8]) -> String {
        const SHOWN: usize = 40;
        let mut shown = String::new();
        for character in String::from_utf8_lossy(&text[..text.len().min(SHOWN)]).chars() {
            shown.extend(character.escape_debug());
        }
        if text.len() > SHOWN {
            shown.push('…');
        }
        shown
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Line(line) => write!(f, "line {line}: ")?,
            Place::Record(record) => write!(f, "record {record}: ")?,
        }
        self.problem.fmt(f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::LineTooLong => {
                write!(f, "the line is too long; a line has at most {} bytes", limits::MAX_TRACE_LINE)
            }
            Problem::Key(error) => error.fmt(f),
            Problem::NotANumber { field, got } => {
                write!(f, "the {field} is \"{got}\"; it is a whole number from 0 to 18446744073709551615")
            }
            Problem::TtlTooLong { seconds } => {
                write!(f, "the TTL is {seconds} s; it is at most {} s, and 0 for none", limits::MAX_TTL.as_secs())
            }
            Problem::UnknownOperation { got } => {
                write!(f, "the operation is \"{got}\"; it is one of ")?;
                for (index, (name, _)) in super::OPERATIONS.iter().enumerate() {
                    write!(f, "{}{name}", if index == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
            Problem::Fields { got, wanted } => write!(f, "the line has {got} fields where it should have {wanted}"),
            Problem::OpenQuote => f.write_str("a quoted field is not closed; it ends with a quote on the same line"),
            Problem::AfterQuote => {
                f.write_str("something follows a closing quote; a comma or the end of the line must (\"\" is a quote)")
            }
            Problem::NoKeyColumn { got } => {
                write!(f, "the header has no key column (it is \"{got}\"); it names one of ")?;
                f.write_str("key, obj_id, id, key_id")
            }
            Problem::RepeatedColumn { name } => write!(f, "the header has the column \"{name}\" twice"),
            Problem::CutRecord { got, wanted } => {
                write!(f, "the trace ends after {got} bytes of the record; a record has {wanted}")
            }
        }
    }
}

impl core::error::Error for TraceError {}
