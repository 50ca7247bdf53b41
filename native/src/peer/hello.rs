//! The first frame of a connection, either way: who is there, and whether the two belong to one cluster.

use serde::{Deserialize, Serialize};
use vitrine_engine::hash::Fingerprint;
use vitrine_engine::id::{Epoch, NodeId};
use vitrine_engine::message::Envelope;
use vitrine_engine::view::Map;

/// Who this node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its number in the map.
    pub me: NodeId,
    /// Its name.
    pub name: String,
    /// The cluster's name.
    pub cluster: String,
    /// The map's edition.
    pub epoch: Epoch,
    /// Over all that has to be equal on every member: the cluster's name, members, copies, points on the ring.
    pub fingerprint: u64,
    /// The members, for whoever says hello: by ascending id.
    pub members: Vec<(NodeId, String)>,
}

/// What the dialling node says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    protocol: u32,
    cluster: String,
    fingerprint: u64,
    from: String,
    to: String,
}

/// What the other one answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Why the connection is refused; `None` when it is not.
    pub refused: Option<String>,
}

/// The longest of either, in bytes: a stranger's frame is not waited for.
pub const MAX_HELLO: usize = 4_096;

/// The longest reason for a refusal, in bytes: a stranger's names are in it. JSON makes at most six bytes of one.
pub const MAX_REASON: usize = 600;
const _: () = assert!(6 * MAX_REASON + 100 < MAX_HELLO);

const PROTOCOL: u32 = 1;

impl Identity {
    /// This node's identity under that map.
    pub fn new(me: NodeId, cluster: &str, map: &Map) -> Identity {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add(cluster.as_bytes());
        fingerprint.add(&map.epoch.0.to_le_bytes());
        fingerprint.add(&[map.replicas]);
        fingerprint.add(&map.virtual_nodes.to_le_bytes());
        for member in &map.members {
            fingerprint.add(&member.id.0.to_le_bytes());
            fingerprint.add(member.name.as_bytes());
            fingerprint.add(&member.weight.to_le_bytes());
        }
        let members: Vec<_> = map.members.iter().map(|m| (m.id, m.name.clone())).collect();
        let name = members.iter().find(|(id, _)| *id == me).map_or(String::new(), |(_, name)| name.clone());
        Identity { me, name, cluster: cluster.to_owned(), epoch: map.epoch, fingerprint: fingerprint.0, members }
    }

    /// Is that for this node, and from another member, by whatever way?
    pub fn listens(&self, envelope: &Envelope) -> bool {
        let member = self.members.binary_search_by_key(&envelope.from, |(id, _)| *id).is_ok();
        envelope.to == self.me && envelope.from != self.me && member
    }

    /// What this node says to the member of that name.
    pub fn hello(&self, to: &str) -> Hello {
        Hello {
            protocol: PROTOCOL,
            cluster: self.cluster.clone(),
            fingerprint: self.fingerprint,
            from: self.name.clone(),
            to: to.to_owned(),
        }
    }

    /// The member whose hello this frame is, or why it is not let in, in at most [`MAX_REASON`] bytes.
    pub fn admit(&self, frame: &[u8]) -> Result<NodeId, String> {
        let hello = serde_json::from_slice::<Hello>(frame);
        let judged = hello.map_err(|error| format!("what it says is no hello: {error}")).and_then(|h| self.judge(&h));
        judged.map_err(|mut reason| {
            reason.truncate(reason.floor_char_boundary(MAX_REASON));
            reason
        })
    }

    /// The member that says so, or why it is not let in.
    fn judge(&self, hello: &Hello) -> Result<NodeId, String> {
        if hello.protocol != PROTOCOL {
            return Err(format!("it speaks protocol {}, and this node {PROTOCOL}", hello.protocol));
        }
        if hello.cluster != self.cluster {
            return Err(format!("it belongs to the cluster `{}`, and this node to `{}`", hello.cluster, self.cluster));
        }
        if hello.to != self.name {
            return Err(format!("it looks for `{}`, and this node is `{}`", hello.to, self.name));
        }
        if hello.fingerprint != self.fingerprint {
            return Err("its members, --replicas or --virtual-nodes differ from this node's".to_owned());
        }
        let member = self.members.iter().find(|(id, name)| *name == hello.from && *id != self.me);
        member.map(|(id, _)| *id).ok_or_else(|| format!("`{}` is no other member", hello.from))
    }
}

impl Welcome {
    /// The frame that says whether somebody is let in. Never longer than [`MAX_HELLO`].
    pub fn frame(refused: Option<&str>) -> Vec<u8> {
        let welcome = Welcome { refused: refused.map(str::to_owned) };
        serde_json::to_vec(&welcome).expect("a string becomes JSON")
    }

    /// What such a frame says.
    pub fn read(frame: &[u8]) -> Result<Welcome, String> {
        serde_json::from_slice(frame).map_err(|error| format!("what it answers is no welcome: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members;

    fn identity(name: &str, cluster: &str, list: &str, replicas: u8) -> Identity {
        let seats = members::parse(list).expect("a good list");
        let (map, me) = members::map(&seats, name, replicas, 64).expect("in the list");
        Identity::new(me, cluster, &map)
    }

    #[test]
    fn strangers_are_refused_with_a_reason() {
        let me = identity("n1", "c", "n1=a:1@2,n2=b:1@2", 2);
        let check = |other: &Identity, to: &str, expected: Result<NodeId, &str>| {
            let frame = serde_json::to_vec(&other.hello(to)).expect("a hello becomes JSON");
            assert_eq!(me.admit(&frame), expected.map_err(str::to_owned));
        };
        // The addresses may be written differently: a container sees other names than its host.
        check(&identity("n2", "c", "n2=x:1@2,n1=y:1@2", 2), "n1", Ok(NodeId(2)));
        let stranger = identity("n2", "d", "n1=a:1@2,n2=b:1@2", 2);
        check(&stranger, "n1", Err("it belongs to the cluster `d`, and this node to `c`"));
        let friend = identity("n2", "c", "n1=a:1@2,n2=b:1@2", 2);
        check(&friend, "n3", Err("it looks for `n3`, and this node is `n1`"));
        let differs = Err("its members, --replicas or --virtual-nodes differ from this node's");
        check(&identity("n2", "c", "n1=a:1@2,n2=b:1@2", 1), "n1", differs);
        check(&identity("n2", "c", "n1=a:1@2,n2=b:1@2,n3=c:1@2", 2), "n1", differs);
        check(&me, "n1", Err("`n1` is no other member"));
        assert!(me.admit(b"GET / HTTP/1.1").is_err_and(|reason| reason.starts_with("what it says is no hello: ")));
    }

    #[test]
    fn a_refusal_fits_into_its_frame() {
        let me = identity("n1", "c", "n1=a:1@2,n2=b:1@2", 2);
        for name in ["é", "\u{1}", "\"", "x"] {
            let stranger = Identity { cluster: name.repeat(3_000), ..me.clone() };
            let frame = serde_json::to_vec(&stranger.hello("n1")).expect("a hello becomes JSON");
            let reason = me.admit(&frame).expect_err("it is of another cluster");
            assert!(reason.starts_with("it belongs to the cluster `") && reason.len() <= MAX_REASON, "{reason}");
            let welcome = Welcome::frame(Some(&reason));
            assert!(welcome.len() <= MAX_HELLO, "{}", welcome.len());
            assert_eq!(Welcome::read(&welcome).map(|welcome| welcome.refused), Ok(Some(reason)));
        }
        assert_eq!(Welcome::read(&Welcome::frame(None)), Ok(Welcome { refused: None }));
    }
}
