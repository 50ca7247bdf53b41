//! Lines out of pieces: what three of the four formats share, and the format that is nothing but lines.

use alloc::vec::Vec;

use super::{Place, Problem, TraceError, TraceOp, TraceRequest};
use crate::limits;
use crate::request::KeyError;

/// Cuts a stream of bytes into lines, holding at most one that is not complete.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    /// Lines seen so far, the empty ones included.
    number: u64,
    /// The beginning of the line that the pieces so far did not end.
    begun: Vec<u8>,
}

impl Lines {
    /// Hands over each line that the piece ends, without its line break; empty ones are only counted.
    pub(super) fn push(
        &mut self,
        mut chunk: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), Problem>,
    ) -> Result<(), TraceError> {
        while let Some(end) = chunk.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&chunk[..end], &chunk[end + 1..]);
            chunk = rest;
            if self.begun.is_empty() {
                self.line(line, &mut each)?;
            } else {
                self.keep(line)?;
                self.end_begun(&mut each)?;
            }
        }
        self.keep(chunk)
    }

    /// Hands over the last line when no line break ended it.
    pub(super) fn finish(&mut self, mut each: impl FnMut(&[u8]) -> Result<(), Problem>) -> Result<(), TraceError> {
        if self.begun.is_empty() { Ok(()) } else { self.end_begun(&mut each) }
    }

    /// That problem, at the line handed over last; before any, at the first.
    pub(super) fn error(&self, problem: Problem) -> TraceError {
        TraceError { place: Place::Line(self.number.max(1)), problem }
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), TraceError> {
        if self.begun.len() + part.len() > limits::MAX_TRACE_LINE {
            self.number += 1;
            return Err(self.error(Problem::LineTooLong));
        }
        self.begun.extend_from_slice(part);
        Ok(())
    }

    fn end_begun(&mut self, each: &mut impl FnMut(&[u8]) -> Result<(), Problem>) -> Result<(), TraceError> {
        let begun = core::mem::take(&mut self.begun);
        let outcome = self.line(&begun, each);
        self.begun = begun;
        self.begun.clear();
        outcome
    }

    fn line(&mut self, line: &[u8], each: &mut impl FnMut(&[u8]) -> Result<(), Problem>) -> Result<(), TraceError> {
        self.number += 1;
        if line.len() > limits::MAX_TRACE_LINE {
            return Err(self.error(Problem::LineTooLong));
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if self.number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        if line.is_empty() {
            return Ok(());
        }
        each(line).map_err(|problem| self.error(problem))
    }
}

/// What some editors put before the first line of a UTF-8 file.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The request that a line of [`Format::Lines`](super::Format::Lines) is: its bytes are the key.
pub(super) fn request(line: &[u8]) -> Result<TraceRequest<'_>, Problem> {
    Ok(TraceRequest { time: None, key: key(line)?, size: None, ttl: None, op: TraceOp::Get })
}

/// Checks the length of a key.
pub(super) fn key(bytes: &[u8]) -> Result<&[u8], Problem> {
    match bytes.len() {
        0 => Err(Problem::Key(KeyError::Empty)),
        length if length > limits::MAX_KEY => Err(Problem::Key(KeyError::TooLong { length })),
        _ => Ok(bytes),
    }
}

/// The whole number that a field is.
pub(super) fn number(field: &'static str, text: &[u8]) -> Result<u64, Problem> {
    let digit = |sum: u64, byte: &u8| {
        byte.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u64::from(byte - b'0'))).flatten()
    };
    let number = if text.is_empty() { None } else { text.iter().try_fold(0, digit) };
    number.ok_or_else(|| Problem::NotANumber { field, got: Problem::shown(text) })
}

/// The life that a field of whole seconds gives; 0 is none.
pub(super) fn ttl(text: &[u8]) -> Result<Option<core::time::Duration>, Problem> {
    match number("TTL", text)? {
        0 => Ok(None),
        seconds if seconds > limits::MAX_TTL.as_secs() => Err(Problem::TtlTooLong { seconds }),
        seconds => Ok(Some(core::time::Duration::from_secs(seconds))),
    }
}

/// The operation that a field names.
pub(super) fn operation(text: &[u8]) -> Result<TraceOp, Problem> {
    TraceOp::parse(text).ok_or_else(|| Problem::UnknownOperation { got: Problem::shown(text) })
}
