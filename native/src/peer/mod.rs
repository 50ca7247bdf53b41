//! Messages between nodes over framed TCP.
//!
//! Each node dials each other one and sends on the connection it dialled; what it accepts it only reads. A message may
//! be dropped (not connected, queue full): whoever sent it repeats it. Where the way to a peer is broken, messages are
//! handed to a third node that passes them on, once.

mod accept;
pub mod hello;
mod link;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use vitrine_engine::cluster::Routes;
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::id::NodeId;
use vitrine_engine::message::{Envelope, Message, Path};
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
    /// For each of them the place of the link that is taken instead; `STRAIGHT` where there is no need.
    detours: Box<[AtomicUsize]>,
    routes: ArcSwap<Routes>,
    metrics: Arc<Metrics>,
}

const STRAIGHT: usize = usize::MAX;

impl Peers {
    /// Ways to every member of the map but this node; [`Peers::run`] dials them.
    pub fn new(identity: Arc<Identity>, map: &Map, metrics: Arc<Metrics>) -> Peers {
        let others = map.members.iter().filter(|member| member.id != identity.me);
        let links: Vec<Arc<Link>> = others.map(|member| Arc::new(Link::new(member.clone()))).collect();
        let detours = links.iter().map(|_| AtomicUsize::new(STRAIGHT)).collect();
        Peers { identity, links, detours, routes: ArcSwap::default(), metrics }
    }

    /// Passes on what a peer has sent to another one, where this node reaches that. False when it does not.
    pub fn relay(&self, envelope: &Envelope) -> bool {
        let counts = &self.metrics.peers;
        let passed = self.routes.load().passes_on(envelope.to, &envelope.message)
            && self.place(envelope.to).is_some_and(|index| self.push(index, envelope));
        let count = if passed { &counts.relayed } else { &counts.dropped };
        count.fetch_add(1, Ordering::Relaxed);
        passed
    }

    fn push(&self, index: usize, envelope: &Envelope) -> bool {
        self.links[index].push(envelope, ClusterTag(self.identity.fingerprint))
    }

    fn place(&self, node: NodeId) -> Option<usize> {
        self.links.binary_search_by_key(&node, |link| link.to()).ok()
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
        let sent = self.place(to).is_some_and(|index| {
            let envelope = Envelope { from: self.identity.me, to, epoch: self.identity.epoch, message };
            match self.detours[index].load(Ordering::Relaxed) {
                detour if detour != STRAIGHT && envelope.message.path() == Path::Routed => self.push(detour, &envelope),
                _ => self.push(index, &envelope),
            }
        });
        let count = if sent { &counts.sent } else { &counts.dropped };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn reroute(&self, routes: &Arc<Routes>) {
        for (link, detour) in self.links.iter().zip(&self.detours) {
            let through = routes.way(link.to()).and_then(|way| way.through).and_then(|node| self.place(node));
            detour.store(through.unwrap_or(STRAIGHT), Ordering::Relaxed);
        }
        self.routes.store(Arc::clone(routes));
    }
}
