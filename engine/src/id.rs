//! The names of things: nodes, slots, epochs, requests and versions. Numbers that cannot be mistaken for each other.

use core::fmt;

use crate::time::UnixMs;

/// How many slots the hash space has: as many as Redis Cluster, so that its clients can route.
pub const SLOTS: u16 = 16_384;

/// A member of the cluster, by its number in the map. It breaks ties between versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// A unit of hash space, `0..SLOTS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

/// The smallest part of the hash space that is reconciled by itself: every slot with the same number modulo [`LANES`].
///
/// A node has a power of two of stripes, at most this many, so that a lane lies in one stripe on every node, however
/// many stripes each of them has. Here as a set, one bit a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lanes(pub u64);

/// How many lanes there are.
pub const LANES: u16 = 64;

/// The edition of the map (who is a member). It grows with every change; every peer message carries it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

impl Epoch {
    /// That of the map which a cluster is first started with.
    pub const FIRST: Epoch = Epoch(1);
}

/// The position of a record in a node's log: how far it must be synced before an effect may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

/// A request in flight, unique over the cluster and over restarts: serials start at a random number at each boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId {
    /// The node that coordinates the request.
    pub node: NodeId,
    /// The coordinator's own count.
    pub serial: u64,
}

/// Who asked, as the body of the node knows it: the front end's own number for a waiting client. Never sent, never
/// stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientToken(pub u64);

/// When a value was written, on a hybrid logical clock: 48 bits of Unix milliseconds, 16 of counter, ties broken by
/// node.
///
/// The higher version wins, everywhere. Zero is before every write. (Kulkarni et al., "Logical Physical Clocks", 2014.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Milliseconds in the upper 48 bits, counter in the lower 16.
    pub stamp: u64,
    /// The node that gave the stamp.
    pub node: NodeId,
}

impl Slot {
    /// The slot of this number, or `None` past the last one.
    pub fn new(number: u16) -> Option<Slot> {
        (number < SLOTS).then_some(Slot(number))
    }

    /// The slot that any 16-bit hash falls into.
    pub fn of_hash(hash: u16) -> Slot {
        Slot(hash % SLOTS)
    }

    /// `0..SLOTS`.
    pub fn number(self) -> u16 {
        self.0
    }

    /// Every slot, in order.
    pub fn all() -> impl Iterator<Item = Slot> {
        (0..SLOTS).map(Slot)
    }
}

impl Lanes {
    /// Every lane.
    pub const ALL: Lanes = Lanes(u64::MAX);
    /// No lane.
    pub const NONE: Lanes = Lanes(0);

    /// The lane of a slot, alone.
    #[inline]
    pub fn of(slot: Slot) -> Lanes {
        Lanes(1 << (slot.0 % LANES))
    }

    /// Is the lane of that slot among them?
    #[inline]
    pub fn contains(self, slot: Slot) -> bool {
        self.0 >> (slot.0 % LANES) & 1 == 1
    }

    /// The lowest slot of the lowest lane: what a message about these lanes is routed by. `None` when there is none.
    pub fn first(self) -> Option<Slot> {
        (self.0 != 0).then(|| Slot(self.0.trailing_zeros() as u16))
    }

    /// True when there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// In both.
    #[must_use]
    pub fn and(self, other: Lanes) -> Lanes {
        Lanes(self.0 & other.0)
    }

    /// In either.
    #[must_use]
    pub fn or(self, other: Lanes) -> Lanes {
        Lanes(self.0 | other.0)
    }

    /// In these and not in the others.
    #[must_use]
    pub fn without(self, other: Lanes) -> Lanes {
        Lanes(self.0 & !other.0)
    }
}

impl Version {
    /// Before every write: what a floor starts at.
    pub const ZERO: Version = Version { stamp: 0, node: NodeId(0) };

    /// The first version of that millisecond and counter. `unix` past 48 bits saturates.
    pub fn new(unix: UnixMs, counter: u16, node: NodeId) -> Version {
        Version { stamp: unix.0.min((1 << 48) - 1) << 16 | u64::from(counter), node }
    }

    /// The last version that anybody may give just before that stamp: every version of a lower stamp is at or below it.
    pub fn before(stamp: u64) -> Version {
        match stamp {
            0 => Version::ZERO,
            _ => Version { stamp: stamp - 1, node: NodeId(u16::MAX) },
        }
    }

    /// The version just before this one; nothing is before [`Version::ZERO`].
    pub fn preceding(self) -> Version {
        match self.node.0.checked_sub(1) {
            Some(node) => Version { stamp: self.stamp, node: NodeId(node) },
            None => Version::before(self.stamp),
        }
    }

    /// When the version was given, by the clock of the node that gave it.
    pub fn unix(self) -> UnixMs {
        UnixMs(self.stamp >> 16)
    }

    /// The place among versions of the same millisecond.
    pub fn counter(self) -> u16 {
        (self.stamp & 0xffff) as u16
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Version {
    /// The form that clients see in an `ETag`: milliseconds, counter and node in hexadecimal. Opaque to them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.unix().0, self.counter(), self.node.0)
    }
}

impl core::str::FromStr for Version {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Version, ParseVersionError> {
        let mut parts = text.split('-');
        let mut part = |bits: u32| {
            let digits = parts.next().filter(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_hexdigit()));
            let number = digits.and_then(|d| u64::from_str_radix(d, 16).ok());
            number.filter(|n| *n < 1 << bits).ok_or(ParseVersionError)
        };
        let (unix, counter, node) = (part(48)?, part(16)?, part(16)?);
        if parts.next().is_some() {
            return Err(ParseVersionError);
        }
        Ok(Version::new(UnixMs(unix), counter as u16, NodeId(node as u16)))
    }
}

/// The text is not a version as [`Version`] prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseVersionError;

impl fmt::Display for ParseVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a version: three hexadecimal numbers joined by '-', as in an ETag of this cache")
    }
}

impl core::error::Error for ParseVersionError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn versions_print_and_parse() {
        let version = Version::new(UnixMs(1_700_000_000_123), 7, NodeId(3));
        assert_eq!(version.to_string(), "18bcfe5687b-7-3");
        assert_eq!(version.to_string().parse(), Ok(version));
        for bad in ["", "-", "1-2", "1-2-3-4", "+1-2-3", "1-10000-3", "1-2-g", "1000000000000-0-0", "1-2-"] {
            assert_eq!(bad.parse::<Version>(), Err(ParseVersionError), "{bad:?}");
        }
    }

    #[test]
    fn versions_order_by_time_then_counter_then_node() {
        let of = |ms, counter, node| Version::new(UnixMs(ms), counter, NodeId(node));
        assert!(Version::ZERO < of(1, 0, 0));
        assert!(of(1, 9, 9) < of(2, 0, 0));
        assert!(of(1, 1, 9) < of(1, 2, 0));
        assert!(of(1, 1, 1) < of(1, 1, 2));
        assert_eq!(of(1, 1, 2).preceding(), of(1, 1, 1));
        assert_eq!(of(1, 1, 0).preceding(), of(1, 0, u16::MAX));
        assert_eq!(Version::ZERO.preceding(), Version::ZERO);
    }
}
