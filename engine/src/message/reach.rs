//! Whom a node reaches, in two bits a member: what heartbeats carry, so that others know whom to ask for help.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;

use crate::id::NodeId;
use crate::limits::MAX_REACH;

/// How a node reaches each other one. Clones share their memory.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reach(Bytes);

/// How a node reaches another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contact {
    /// Not at all: it is not believed alive.
    #[default]
    None,
    /// It is believed alive, and answers by way of a third node, if at all.
    Relayed,
    /// It is believed alive, and answers.
    Direct,
}

impl Reach {
    /// Those, in any order; nobody is named twice.
    pub fn of(contacts: impl Iterator<Item = (NodeId, Contact)>) -> Reach {
        let mut bits: Vec<u8> = Vec::new();
        for (node, contact) in contacts.filter(|(_, contact)| *contact != Contact::None) {
            let byte = usize::from(node.0 / 4);
            if bits.len() <= byte {
                bits.resize(byte + 1, 0);
            }
            bits[byte] |= (contact as u8) << (node.0 % 4 * 2);
        }
        Reach(bits.into())
    }

    /// As it came from somebody. `None` when it is longer than any, or has bits that mean nothing or a needless end.
    pub fn from_bytes(bytes: Bytes) -> Option<Reach> {
        let meant = |byte: &u8| byte & byte >> 1 & 0b0101_0101 == 0;
        let fits = bytes.len() <= MAX_REACH && bytes.last() != Some(&0);
        (fits && bytes.iter().all(meant)).then_some(Reach(bytes))
    }

    /// Two bits for each node from number 0 on, lowest first, up to the last that is reached.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How that one is reached.
    pub fn to(&self, node: NodeId) -> Contact {
        let byte = self.0.get(usize::from(node.0 / 4)).copied().unwrap_or(0);
        match byte >> (node.0 % 4 * 2) & 0b11 {
            0 => Contact::None,
            1 => Contact::Relayed,
            _ => Contact::Direct,
        }
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = (0..self.0.len() as u32 * 4).map(|node| NodeId(node as u16));
        f.debug_map().entries(nodes.map(|node| (node, self.to(node))).filter(|(_, to)| *to != Contact::None)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_found_and_nothing_else() {
        let contacts = [(1, Contact::Direct), (2, Contact::Relayed), (3, Contact::None), (700, Contact::Direct)];
        let reach = Reach::of(contacts.into_iter().map(|(node, contact)| (NodeId(node), contact)));
        for node in 0..1_000 {
            let expected = contacts.iter().find(|(other, _)| *other == node).map_or(Contact::None, |(_, to)| *to);
            assert_eq!(reach.to(NodeId(node)), expected, "{node}");
        }
        assert_eq!(Reach::from_bytes(Bytes::copy_from_slice(reach.as_bytes())), Some(reach));
        let most = Reach::of([(NodeId(u16::MAX), Contact::Direct)].into_iter());
        assert_eq!(most.as_bytes().len(), MAX_REACH);
    }

    #[test]
    fn bytes_that_nobody_would_write_are_refused() {
        let check = |bytes: &'static [u8], good: bool| {
            assert_eq!(Reach::from_bytes(Bytes::from_static(bytes)).is_some(), good, "{bytes:?}");
        };
        check(&[], true);
        check(&[0b0100_1000], true);
        check(&[0, 1], true);
        check(&[1, 0], false);
        check(&[0b0000_1100], false);
        check(&[1; MAX_REACH], true);
        check(&[1; MAX_REACH + 1], false);
    }
}
