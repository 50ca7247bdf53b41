//! The fixed member list: `n1=HOST:PEERPORT@HTTPPORT/ZONE,…`, the same on every node of a cluster; the zone may be left
//! out, with its slash.

use std::fmt;
use std::sync::Arc;

use vitrine_engine::id::NodeId;
use vitrine_engine::limits;
use vitrine_engine::view::{Map, Member};

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The member's name, unique in the list.
    pub name: String,
    /// A DNS name or an address (IPv6 in brackets); resolved at each connect, so that a container may move.
    pub host: String,
    /// The port its peers connect to.
    pub peer_port: u16,
    /// The port its clients connect to.
    pub http_port: u16,
    /// Where it stands; empty where the list does not say.
    pub zone: String,
}

/// Reads the list. The order does not matter: members are numbered by their names, so that all nodes agree.
pub fn parse(text: &str) -> Result<Vec<Seat>, MembersError> {
    let mut seats = text.split(',').map(|part| seat(part.trim())).collect::<Result<Vec<_>, _>>()?;
    // By length first: n2 comes before n10, and a member's number reads like its name.
    seats.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
    for pair in seats.windows(2) {
        if pair[0].name == pair[1].name {
            return Err(MembersError::Twice { name: pair[0].name.clone() });
        }
    }
    for (index, seat) in seats.iter().enumerate() {
        if let Some(other) = seats[..index].iter().find(|o| o.host == seat.host && o.peer_port == seat.peer_port) {
            return Err(MembersError::SameAddress { first: other.name.clone(), second: seat.name.clone() });
        }
    }
    if seats.len() > limits::MAX_MEMBERS {
        return Err(MembersError::TooMany { count: seats.len() });
    }
    Ok(seats)
}

/// The map of that list, and the number that `me` has in it.
pub fn map(seats: &[Seat], me: &str, replicas: u8, virtual_nodes: u16) -> Result<(Arc<Map>, NodeId), MembersError> {
    let members: Vec<Member> = seats
        .iter()
        .zip(1..)
        .map(|(seat, number)| Member {
            peer_address: format!("{}:{}", seat.host, seat.peer_port),
            http_address: format!("{}:{}", seat.host, seat.http_port),
            zone: seat.zone.clone(),
            ..Member::new(NodeId(number), seat.name.clone())
        })
        .collect();
    let Some(id) = members.iter().find(|m| m.name == me).map(|m| m.id) else {
        let names = members.iter().map(|m| m.name.clone()).collect::<Vec<_>>().join(", ");
        return Err(MembersError::NotIn { name: me.to_owned(), names });
    };
    Ok((Arc::new(Map::first(members, replicas, virtual_nodes)), id))
}

/// True for what may be a node's name: 1 to 64 letters, digits, `-`, `_` and `.`, for logs and headers.
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// True for what may be a host: a DNS name or an address, IPv6 in brackets.
pub fn is_host(text: &str) -> bool {
    let bracketed = text.starts_with('[') && text.ends_with(']');
    !text.is_empty() && text.len() <= 200 && (bracketed || !text.contains(':')) && !text.contains(['@', '/', ' ', ','])
}

/// What is wrong with a member list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembersError {
    /// An entry does not have the form.
    Form {
        /// The entry.
        entry: String,
    },
    /// Two entries have the same name.
    Twice {
        /// The name.
        name: String,
    },
    /// Two entries have the same host and peer port.
    SameAddress {
        /// The one.
        first: String,
        /// The other.
        second: String,
    },
    /// This node is not in the list.
    NotIn {
        /// This node.
        name: String,
        /// Who is in it.
        names: String,
    },
    /// More than [`limits::MAX_MEMBERS`].
    TooMany {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for MembersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MembersError::Form { entry } => {
                write!(
                    f,
                    "the member `{entry}` is not of the form NAME=HOST:PEERPORT@HTTPPORT or \
                           NAME=HOST:PEERPORT@HTTPPORT/ZONE"
                )
            }
            MembersError::Twice { name } => write!(f, "the member `{name}` is in the list twice"),
            MembersError::SameAddress { first, second } => {
                write!(f, "the members `{first}` and `{second}` have the same host and peer port")
            }
            MembersError::NotIn { name, names } => {
                write!(f, "this node is called `{name}`, which is not in the member list ({names})")
            }
            MembersError::TooMany { count } => {
                write!(f, "the list has {count} members; a cluster has at most {}", limits::MAX_MEMBERS)
            }
        }
    }
}

impl std::error::Error for MembersError {}

fn seat(entry: &str) -> Result<Seat, MembersError> {
    let form = || MembersError::Form { entry: entry.to_owned() };
    let (name, address) = entry.split_once('=').ok_or_else(form)?;
    // No part of an address has a slash, and no zone has one.
    let (address, zone) = match address.split_once('/') {
        Some((address, zone)) if is_name(zone) => (address, zone),
        Some(_) => return Err(form()),
        None => (address, ""),
    };
    let (host_and_peer, http_port) = address.rsplit_once('@').ok_or_else(form)?;
    let (host, peer_port) = host_and_peer.rsplit_once(':').ok_or_else(form)?;
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0);
    match (port(peer_port), port(http_port)) {
        (Some(peer_port), Some(http_port)) if is_name(name) && is_host(host) => {
            Ok(Seat { name: name.to_owned(), host: host.to_owned(), peer_port, http_port, zone: zone.to_owned() })
        }
        _ => Err(form()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_parse_or_say_what_is_wrong() {
        let check = |text: &str, expected: &str| {
            let seen = match parse(text).and_then(|seats| map(&seats, "n1", 2, 64)) {
                Ok((map, me)) => {
                    let member = |m: &Member| format!("{}={}{}", m.id, m.name, m.zone);
                    let members = map.members.iter().map(member).collect::<Vec<_>>();
                    format!("{me} of {} copies {}", members.join(" "), map.replicas)
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(seen, expected, "{text:?}");
        };
        check("n1=a:7000@8000", "n1 of n1=n1 copies 2");
        check("n10=c:1@2,n2=b:1@2, n1=[::1]:1@2", "n1 of n1=n1 n2=n2 n3=n10 copies 2");
        check("n1=a:7000@8000/-b,n2=[::1]:1@2", "n1 of n1=n1-b n2=n2 copies 2");
        check("n2=a:1@2", "this node is called `n1`, which is not in the member list (n2)");
        check("n1=a:1@2,n1=b:1@2", "the member `n1` is in the list twice");
        check("n1=a:1@2,n2=a:1@3", "the members `n1` and `n2` have the same host and peer port");
        for bad in [
            "",
            "n1",
            "n1=a",
            "n1=a:1",
            "n1=a@2",
            "n1=a:0@2",
            "n1=a:1@70000",
            "n1=::1:1@2",
            "a b=a:1@2",
            "n1=:1@2",
            "n1=a:1@2/",
            "n1=a:1@2/b/c",
            "n1=a:1@2/b c",
            "n1=10.0.0.0/8:1@2",
            "n1=a:1/b@2",
        ] {
            let form = "NAME=HOST:PEERPORT@HTTPPORT or NAME=HOST:PEERPORT@HTTPPORT/ZONE";
            check(bad, &format!("the member `{bad}` is not of the form {form}"));
        }
    }
}
