//! The first frame of a connection, either way: who is there, and whether the two belong to one cluster.

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use vitrine_engine::codec;
use vitrine_engine::hash::Fingerprint;
use vitrine_engine::id::{Epoch, NodeId};
use vitrine_engine::message::Envelope;
use vitrine_engine::view::Map;

/// Who this node is, and by which map it tells members from strangers.
#[derive(Debug)]
pub struct Identity {
    /// Its number in the map.
    pub me: NodeId,
    /// Its name.
    pub name: String,
    /// The cluster's name.
    pub cluster: String,
    /// Over all that has to be equal on every member for good: the cluster's name, copies, points on the ring.
    pub fingerprint: u64,
    map: ArcSwap<Map>,
}

/// What the dialling node says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    protocol: u32,
    cluster: String,
    fingerprint: u64,
    /// Its name and number.
    from: String,
    number: u16,
    /// The epoch of its map: one that has a newer map may be a member of that.
    epoch: u64,
    /// Over the members of its map: those of a list have to be the same on all who begin with one.
    members: u64,
    to: String,
}

/// What the other one answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Why the connection is refused; `None` when it is not.
    pub refused: Option<String>,
    /// The map by which it is, in base64, for whoever is no member any more and does not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    map: Option<String>,
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// In a sentence, of at most [`MAX_REASON`] bytes.
    pub reason: String,
    /// The map in which it is no member, where that is why.
    pub map: Option<Arc<Map>>,
}

/// The longest hello, in bytes: a stranger's frame is not waited for.
pub const MAX_HELLO: usize = 4_096;

/// The longest welcome, in bytes: a map may be in it.
pub const MAX_WELCOME: usize = 4 << 20;

/// The longest reason for a refusal, in bytes: a stranger's names are in it. JSON makes at most six bytes of one.
pub const MAX_REASON: usize = 600;
const _: () = assert!(6 * MAX_REASON + 100 < MAX_HELLO);

const PROTOCOL: u32 = 2;

impl Identity {
    /// This node's identity under that map.
    ///
    /// # Panics
    /// When `me` is not in the map.
    pub fn new(me: NodeId, cluster: &str, map: &Arc<Map>) -> Identity {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add(cluster.as_bytes());
        fingerprint.add(&[map.replicas]);
        fingerprint.add(&map.virtual_nodes.to_le_bytes());
        let name = map.member(me).expect("this node is a member").name.clone();
        let map = ArcSwap::new(Arc::clone(map));
        Identity { me, name, cluster: cluster.to_owned(), fingerprint: fingerprint.0, map }
    }

    /// Tells members from strangers by that map from now on.
    pub fn follow(&self, map: &Arc<Map>) {
        self.map.store(Arc::clone(map));
    }

    /// Is that for this node, and from another? What strangers say is nothing but the control plane's affair.
    pub fn listens(&self, envelope: &Envelope) -> bool {
        envelope.to == self.me && envelope.from != self.me
    }

    /// What this node says to the member of that name.
    pub fn hello(&self, to: &str) -> Hello {
        let map = self.map.load();
        Hello {
            protocol: PROTOCOL,
            cluster: self.cluster.clone(),
            fingerprint: self.fingerprint,
            from: self.name.clone(),
            number: self.me.0,
            epoch: map.epoch.0,
            members: of_members(&map),
            to: to.to_owned(),
        }
    }

    /// The node whose hello this frame is, or why it is not let in.
    pub fn admit(&self, frame: &[u8]) -> Result<NodeId, Refused> {
        let hello = serde_json::from_slice::<Hello>(frame);
        let refused = |reason: String| Refused { reason, map: None };
        let hello = hello.map_err(|error| refused(format!("what it says is no hello: {error}")));
        hello.and_then(|hello| self.judge(&hello)).map_err(|mut refused| {
            refused.reason.truncate(refused.reason.floor_char_boundary(MAX_REASON));
            refused
        })
    }

    /// The node that says so, or why it is not let in.
    fn judge(&self, hello: &Hello) -> Result<NodeId, Refused> {
        let refused = |reason: String| Err(Refused { reason, map: None });
        if hello.protocol != PROTOCOL {
            return refused(format!("it speaks protocol {}, and this node {PROTOCOL}", hello.protocol));
        }
        if hello.cluster != self.cluster {
            return refused(format!(
                "it belongs to the cluster `{}`, and this node to `{}`",
                hello.cluster, self.cluster
            ));
        }
        if hello.to != self.name {
            return refused(format!("it looks for `{}`, and this node is `{}`", hello.to, self.name));
        }
        if hello.fingerprint != self.fingerprint {
            return refused("its --replicas or --virtual-nodes differ from this node's".to_owned());
        }
        let (map, id) = (self.map.load_full(), NodeId(hello.number));
        let first = Epoch::FIRST.0;
        if (hello.epoch, map.epoch.0) == (first, first) && hello.members != of_members(&map) {
            return refused("its --members differ from this node's".to_owned());
        }
        if hello.from == self.name || id == self.me {
            return refused(format!("`{}` ({id}) is no other member", hello.from));
        }
        let member = map.member(id).is_some_and(|member| member.name == hello.from);
        // Whoever has a newer map may have come with it.
        if member || hello.epoch > map.epoch.0 {
            return Ok(id);
        }
        let reason = match map.member(id) {
            Some(other) => format!("number {} is `{}`, and not `{}`", id.0, other.name, hello.from),
            None => format!("`{}` is no member by map {}", hello.from, map.epoch.0),
        };
        Err(Refused { reason, map: Some(map) })
    }
}

/// Over the members of a map. Addresses are not in it: a container sees other names than its host.
fn of_members(map: &Map) -> u64 {
    let mut fingerprint = Fingerprint::default();
    for member in &map.members {
        fingerprint.add(&member.id.0.to_le_bytes());
        fingerprint.add(member.name.as_bytes());
        if !member.zone.is_empty() {
            // By it slots are placed; by a share as well, which a list does not say.
            fingerprint.add(member.zone.as_bytes());
        }
    }
    fingerprint.0
}

impl Welcome {
    /// The frame that says whether somebody is let in. Never longer than [`MAX_WELCOME`].
    pub fn frame(refused: Option<&Refused>) -> Vec<u8> {
        let map = refused.and_then(|refused| refused.map.as_ref()).map(|map| BASE64.encode(codec::map::encode(map)));
        let welcome = Welcome { refused: refused.map(|refused| refused.reason.clone()), map };
        serde_json::to_vec(&welcome).expect("strings become JSON")
    }

    /// What such a frame says.
    pub fn read(frame: &[u8]) -> Result<Welcome, String> {
        serde_json::from_slice(frame).map_err(|error| format!("what it answers is no welcome: {error}"))
    }

    /// The map by which somebody is refused.
    pub fn map(&self) -> Option<Arc<Map>> {
        let bytes = BASE64.decode(self.map.as_ref()?).ok()?;
        codec::map::decode(bytes.into()).ok()
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
            assert_eq!(me.admit(&frame).map_err(|refused| refused.reason), expected.map_err(str::to_owned));
        };
        // The addresses may be written differently: a container sees other names than its host.
        check(&identity("n2", "c", "n2=x:1@2,n1=y:1@2", 2), "n1", Ok(NodeId(2)));
        let stranger = identity("n2", "d", "n1=a:1@2,n2=b:1@2", 2);
        check(&stranger, "n1", Err("it belongs to the cluster `d`, and this node to `c`"));
        let friend = identity("n2", "c", "n1=a:1@2,n2=b:1@2", 2);
        check(&friend, "n3", Err("it looks for `n3`, and this node is `n1`"));
        let differs = Err("its --replicas or --virtual-nodes differ from this node's");
        check(&identity("n2", "c", "n1=a:1@2,n2=b:1@2", 1), "n1", differs);
        check(&me, "n1", Err("`n1` (n1) is no other member"));
        let differs = Err("its --members differ from this node's");
        check(&identity("n3", "c", "n1=a:1@2,n2=b:1@2,n3=c:1@2", 2), "n1", differs);
        check(&identity("n2", "c", "n1=a:1@2,n2=b:1@2,n3=c:1@2", 2), "n1", differs);
        check(&identity("nn", "c", "n1=a:1@2,nn=b:1@2", 2), "n1", differs);
        let no_hello = me.admit(b"GET / HTTP/1.1").map_err(|refused| refused.reason);
        assert!(no_hello.is_err_and(|reason| reason.starts_with("what it says is no hello: ")));
    }

    #[test]
    fn who_has_left_is_shown_the_map_and_who_has_a_newer_one_is_let_in() {
        let me = identity("n1", "c", "n1=a:1@2,n2=b:1@2", 2);
        let at =
            |who: &Identity, epoch| who.follow(&Arc::new(Map { epoch: Epoch(epoch), ..Map::clone(&who.map.load()) }));
        at(&me, 2);
        let left = identity("n3", "c", "n1=a:1@2,n2=b:1@2,n3=c:1@2", 2);
        let said = |who: &Identity| me.admit(&serde_json::to_vec(&who.hello("n1")).expect("a hello becomes JSON"));
        let refused = said(&left).expect_err("it is no member");
        assert_eq!(refused.reason, "`n3` is no member by map 2");
        let other = said(&identity("nn", "c", "n1=a:1@2,nn=b:1@2", 2)).expect_err("it is no member");
        assert_eq!(other.reason, "number 2 is `n2`, and not `nn`");
        let welcome = Welcome::read(&Welcome::frame(Some(&refused))).expect("a welcome");
        assert_eq!(welcome.map().as_deref(), Some(&**me.map.load()));
        at(&left, 3);
        assert_eq!(said(&left), Ok(NodeId(3)));
    }

    #[test]
    fn a_refusal_fits_into_its_frame() {
        let me = identity("n1", "c", "n1=a:1@2,n2=b:1@2", 2);
        for name in ["é", "\u{1}", "\"", "x"] {
            let stranger = Hello { cluster: name.repeat(3_000), ..me.hello("n1") };
            let frame = serde_json::to_vec(&stranger).expect("a hello becomes JSON");
            let refused = me.admit(&frame).expect_err("it is of another cluster");
            let reason = refused.reason.clone();
            assert!(reason.starts_with("it belongs to the cluster `") && reason.len() <= MAX_REASON, "{reason}");
            let welcome = Welcome::frame(Some(&refused));
            assert!(welcome.len() <= MAX_HELLO, "{}", welcome.len());
            assert_eq!(Welcome::read(&welcome).map(|welcome| welcome.refused), Ok(Some(reason)));
        }
        assert_eq!(Welcome::read(&Welcome::frame(None)), Ok(Welcome::default()));
    }
}
