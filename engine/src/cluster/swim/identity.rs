//! Who a node is to the membership protocol, and the protocol's packets in bytes.
//!
//! `foca` frames a packet: a header, the count of updates (16 bits, big-endian) and the updates. What stands in between
//! is written here, in the manner of the other formats: little-endian and fixed in width. A packet that is none is
//! refused with a typed error before it changes anything.

use bytes::{Buf, BufMut};
use foca::{Codec, Header, Member, Message, State};

use crate::codec::bytes::DecodeError;
use crate::id::NodeId;

/// A node in one of its lives. Of two lives of a node the higher number is the later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) node: NodeId,
    pub(super) life: u64,
}

/// Writes and reads packets.
#[derive(Debug)]
pub(super) struct Wire;

/// Why an update or a header was not written: it did not fit. `foca` then sends it with a later packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WireError {
    /// What was received is no packet.
    Decode(DecodeError),
    /// The packet is full.
    Full,
}

impl foca::Identity for Identity {
    type Addr = NodeId;

    fn renew(&self) -> Option<Identity> {
        self.life.checked_add(1).map(|life| Identity { life, ..*self })
    }

    fn addr(&self) -> NodeId {
        self.node
    }

    fn win_addr_conflict(&self, adversary: &Identity) -> bool {
        self.life > adversary.life
    }
}

impl Codec<Identity> for Wire {
    type Error = WireError;

    fn encode_header(&mut self, header: &Header<Identity>, mut buf: impl BufMut) -> Result<(), WireError> {
        let (tag, third, probe) = match &header.message {
            Message::Ping(probe) => (1_u8, None, Some(*probe)),
            Message::Ack(probe) => (2, None, Some(*probe)),
            Message::PingReq { target, probe_number } => (3, Some(target), Some(*probe_number)),
            Message::IndirectPing { origin, probe_number } => (4, Some(origin), Some(*probe_number)),
            Message::IndirectAck { target, probe_number } => (5, Some(target), Some(*probe_number)),
            Message::ForwardedAck { origin, probe_number } => (6, Some(origin), Some(*probe_number)),
            Message::Announce => (7, None, None),
            Message::Feed => (8, None, None),
            Message::Gossip => (9, None, None),
            Message::Broadcast => (10, None, None),
            Message::TurnUndead => (11, None, None),
        };
        let length = HEADER + third.map_or(0, |_| IDENTITY) + probe.map_or(0, |_| 1);
        if buf.remaining_mut() < length {
            return Err(WireError::Full);
        }
        put(&header.src, &mut buf);
        buf.put_u16_le(header.src_incarnation);
        put(&header.dst, &mut buf);
        buf.put_u8(tag);
        third.into_iter().for_each(|third| put(third, &mut buf));
        probe.into_iter().for_each(|probe| buf.put_u8(probe));
        Ok(())
    }

    fn decode_header(&mut self, mut buf: impl Buf) -> Result<Header<Identity>, WireError> {
        needs(&buf, HEADER, "gossip header")?;
        let src = identity(&mut buf, "gossip sender")?;
        let src_incarnation = buf.get_u16_le();
        let dst = identity(&mut buf, "gossip receiver")?;
        let tag = buf.get_u8();
        let third = match tag {
            3..=6 => Some(identity(&mut buf, "gossip third")?),
            _ => None,
        };
        let probe = match tag {
            1..=6 => {
                needs(&buf, 1, "probe number")?;
                buf.get_u8()
            }
            _ => 0,
        };
        let message = match (tag, third) {
            (1, _) => Message::Ping(probe),
            (2, _) => Message::Ack(probe),
            (3, Some(target)) => Message::PingReq { target, probe_number: probe },
            (4, Some(origin)) => Message::IndirectPing { origin, probe_number: probe },
            (5, Some(target)) => Message::IndirectAck { target, probe_number: probe },
            (6, Some(origin)) => Message::ForwardedAck { origin, probe_number: probe },
            (7, _) => Message::Announce,
            (8, _) => Message::Feed,
            (9, _) => Message::Gossip,
            (10, _) => Message::Broadcast,
            (11, _) => Message::TurnUndead,
            _ => return Err(WireError::Decode(DecodeError::Tag { field: "gossip kind", tag })),
        };
        Ok(Header { src, src_incarnation, dst, message })
    }

    fn encode_member(&mut self, member: &Member<Identity>, mut buf: impl BufMut) -> Result<(), WireError> {
        if buf.remaining_mut() < MEMBER {
            return Err(WireError::Full);
        }
        put(member.id(), &mut buf);
        buf.put_u16_le(member.incarnation());
        buf.put_u8(match member.state() {
            State::Alive => 1,
            State::Suspect => 2,
            State::Down => 3,
        });
        Ok(())
    }

    fn decode_member(&mut self, mut buf: impl Buf) -> Result<Member<Identity>, WireError> {
        needs(&buf, MEMBER, "gossip member")?;
        let identity = identity(&mut buf, "gossip member")?;
        let incarnation = buf.get_u16_le();
        let state = match buf.get_u8() {
            1 => State::Alive,
            2 => State::Suspect,
            3 => State::Down,
            tag => return Err(WireError::Decode(DecodeError::Tag { field: "gossip state", tag })),
        };
        Ok(Member::new(identity, incarnation, state))
    }
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            WireError::Decode(error) => error.fmt(f),
            WireError::Full => f.write_str("the packet is full"),
        }
    }
}

impl core::error::Error for WireError {}

/// The node that a packet says it comes from.
pub(super) fn sender(packet: &[u8]) -> Option<NodeId> {
    packet.first_chunk().map(|bytes| NodeId(u16::from_le_bytes(*bytes)))
}

const IDENTITY: usize = 2 + 8;
const HEADER: usize = IDENTITY + 2 + IDENTITY + 1;
const MEMBER: usize = IDENTITY + 2 + 1;

fn identity(buf: &mut impl Buf, field: &'static str) -> Result<Identity, WireError> {
    needs(buf, IDENTITY, field)?;
    Ok(Identity { node: NodeId(buf.get_u16_le()), life: buf.get_u64_le() })
}

fn put(identity: &Identity, buf: &mut impl BufMut) {
    buf.put_u16_le(identity.node.0);
    buf.put_u64_le(identity.life);
}

fn needs(buf: &impl Buf, needed: usize, field: &'static str) -> Result<(), WireError> {
    let left = buf.remaining();
    if left < needed { Err(WireError::Decode(DecodeError::TooShort { field, needed, left })) } else { Ok(()) }
}
