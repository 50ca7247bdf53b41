//! Messages between nodes over framed TCP.
//!
//! Each node dials each other one and sends on the connection it dialled; what it accepts it only reads. A message may
//! be dropped (not connected, queue full): whoever sent it repeats it.

mod accept;
pub mod hello;
mod link;

use std::sync::Arc;

use tokio::sync::watch;
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::id::NodeId;
use vitrine_engine::message::{Envelope, Message};
use vitrine_engine::view::Map;

use crate::effects::Wire;
use crate::metrics::Metrics;
pub use accept::{Deliver, accept};
pub use hello::Identity;
use link::Link;

/// The way to every other member.
pub struct Peers {
    identity: Arc<Identity>,
    /// By ascending id.
    links: Vec<Arc<Link>>,
    metrics: Arc<Metrics>,
}

impl Peers {
    /// Ways to every member of the map but this node; [`Peers::run`] dials them.
    pub fn new(identity: Arc<Identity>, map: &Map, metrics: Arc<Metrics>) -> Peers {
        let others = map.members.iter().filter(|member| member.id != identity.me);
        let links = others.map(|member| Arc::new(Link::new(member.clone()))).collect();
        Peers { identity, links, metrics }
    }

    /// Dials every peer and keeps the connections up, each in a task of its own, until `stop` turns true.
    pub fn run(&self, stop: &watch::Receiver<bool>) {
        for link in &self.links {
            let (link, identity) = (Arc::clone(link), Arc::clone(&self.identity));
            let (metrics, mut stop) = (Arc::clone(&self.metrics), stop.clone());
            tokio::spawn(async move {
                tokio::select! {
                    () = link.run(&identity, &metrics) => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            });
        }
    }
}

impl Wire for Peers {
    fn send(&self, to: NodeId, message: Message) {
        let counts = &self.metrics.peers;
        let sent = self.links.binary_search_by_key(&to, |link| link.to()).is_ok_and(|index| {
            let envelope = Envelope { from: self.identity.me, to, epoch: self.identity.epoch, message };
            self.links[index].push(&envelope, ClusterTag(self.identity.fingerprint))
        });
        let count = if sent { &counts.sent } else { &counts.dropped };
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}
