//! What can go wrong with a request. Each variant says what state it left behind.

use core::fmt;

use crate::id::NodeId;

/// Why a request has no answer. One list for every front end; `code` is stable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// A queue is full. Nothing was stored.
    Busy {
        /// The name of the bound that was reached, as in [`crate::limits`].
        limit: &'static str,
    },
    /// Too few replicas are believed alive for the level. Nothing was stored.
    Unavailable {
        /// Copies that the level needs.
        needed: u8,
        /// Replicas believed alive.
        alive: u8,
    },
    /// A read was not answered in time. Reads change nothing.
    Timeout,
    /// A write was not confirmed in time: it may or may not have been applied.
    Indeterminate {
        /// Copies that were confirmed before the deadline; 0 when even the primary's answer is missing.
        copies: u8,
    },
    /// The entry does not fit into the memory of its primary, even alone. Nothing was stored.
    TooLarge {
        /// Bytes that the entry would take.
        bytes: u64,
        /// Bytes that one entry may take.
        limit: u64,
    },
    /// What is there is no decimal integer of 64 bits, and cannot be added to. Nothing was stored.
    NotANumber,
    /// The sum is past what 64 bits hold. Nothing was stored.
    Overflow,
    /// The node that was asked is not the slot's primary by its own view. Nothing was stored. Between nodes only: the
    /// coordinator asks again until its views agree or its deadline passes.
    NotPrimary {
        /// Who is, as far as that node knows.
        primary: Option<NodeId>,
    },
    /// The node is stopping and takes no new requests. Nothing was stored.
    Stopping,
    /// The slot's primary cannot write to its disk, its log or how far its versions may go, and takes no writes until
    /// it can. Nothing was stored.
    ReadOnly,
}

impl Failure {
    /// The stable code, the same in every front end.
    pub fn code(&self) -> &'static str {
        match self {
            Failure::Busy { .. } => "busy",
            Failure::Unavailable { .. } => "unavailable",
            Failure::Timeout => "timeout",
            Failure::Indeterminate { .. } => "indeterminate",
            Failure::TooLarge { .. } => "too_large",
            Failure::NotANumber => "not_a_number",
            Failure::Overflow => "overflow",
            Failure::NotPrimary { .. } => "not_primary",
            Failure::Stopping => "stopping",
            Failure::ReadOnly => "read_only",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Busy { limit } => {
                write!(f, "the node is busy ({limit} reached); nothing was stored, try again later")
            }
            Failure::Unavailable { needed, alive } => {
                write!(f, "the level needs {needed} copies and {alive} replicas are alive; nothing was stored")
            }
            Failure::Timeout => f.write_str("no replica answered in time"),
            Failure::Indeterminate { copies } => {
                write!(f, "the write was not confirmed in time: its outcome is unknown ({copies} copies confirmed)")
            }
            Failure::TooLarge { bytes, limit } => {
                write!(f, "the entry takes {bytes} bytes and the limit is {limit}; nothing was stored")
            }
            Failure::NotANumber => f.write_str(
                "the value is not a whole number from -9223372036854775808 to 9223372036854775807, written without a \
                 plus, spaces or leading zeros; nothing was stored",
            ),
            Failure::Overflow => f.write_str(
                "the sum would leave the range from -9223372036854775808 to 9223372036854775807; nothing was stored",
            ),
            Failure::NotPrimary { primary: Some(node) } => write!(f, "not the primary of this slot; {node} is"),
            Failure::NotPrimary { primary: None } => {
                f.write_str("not the primary of this slot, and no replica is alive")
            }
            Failure::Stopping => f.write_str("the node is stopping; nothing was stored"),
            Failure::ReadOnly => f.write_str(
                "the node that decides about this key cannot write to its disk, and takes no writes until it can; \
                 nothing was stored",
            ),
        }
    }
}

impl core::error::Error for Failure {}
