//! The first frame of a connection, either way: who is there, and whether the two belong to one cluster.

use serde::{Deserialize, Serialize};
use vitrine_engine::hash::Fingerprint;
use vitrine_engine::id::{Epoch, NodeId};
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
    /// The members, for whoever says hello.
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

    /// The member that says so, or why it is not let in.
    pub fn judge(&self, hello: &Hello) -> Result<NodeId, String> {
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
            assert_eq!(me.judge(&other.hello(to)), expected.map_err(str::to_owned));
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
    }
}
