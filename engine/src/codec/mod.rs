//! Bytes to and from plain data. Hostile input ends here: every length is checked before anything is allocated or
//! sliced, every tag and flag is known or refused, and no input panics.
//!
//! It may depend on plain data only (ranks 0 to 2). A format has one encoding of each value, so that equal data are
//! equal bytes; what is decoded shares the frame's memory.

pub mod bytes;
mod fields;
pub mod map;
pub mod peer;
mod record;
mod request;
pub mod snapshot;
pub mod wal;
