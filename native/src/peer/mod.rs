//! Messages between nodes over framed TCP.
//!
//! Each node dials each other one and sends on the connection it dialled; what it accepts it only reads. A message may
//! be dropped (not connected, queue full): whoever sent it repeats it. Where the way to a peer is broken, messages are
//! handed to a third node that passes them on, once. Links come and go with the members of the map.

mod accept;
pub mod hello;
mod link;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use vitrine_engine::cluster::Routes;
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::id::NodeId;
use vitrine_engine::message::{Envelope, Message, Origin, Path};
use vitrine_engine::view::Map;

use crate::effects::Wire;
use crate::metrics::Metrics;
pub use accept::{Deliver, accept};
pub use hello::Identity;
use link::Link;

/// The way to every other member.
pub struct Peers {
    identity: Arc<Identity>,
    links: ArcSwap<Links>,
    routes: ArcSwap<Routes>,
    /// Whom to tell of a map that a peer shows when it refuses this node.
    deliver: Mutex<Option<Deliver>>,
    metrics: Arc<Metrics>,
}

/// The links by one edition of the map.
#[derive(Default)]
struct Links {
    /// By ascending id: the other members, and those who were members lately and must hear that they are none.
    all: Vec<Arc<Link>>,
    /// For each of them the place of the link that is taken instead; `STRAIGHT` where there is no need.
    detours: Box<[AtomicUsize]>,
    /// The tasks that keep them up.
    tasks: Vec<AbortHandle>,
}

const STRAIGHT: usize = usize::MAX;
/// Links to former members that are kept, for the news that they are none any more.
const FORMER: usize = 16;

impl Peers {
    /// Ways to nobody yet: see [`Peers::follow`].
    pub fn new(identity: Arc<Identity>, metrics: Arc<Metrics>) -> Peers {
        let (links, routes) = (ArcSwap::default(), ArcSwap::default());
        Peers { identity, links, routes, deliver: Mutex::new(None), metrics }
    }

    /// What a peer shows of a newer map, when it refuses this node, goes there from now on.
    pub fn listen(&self, deliver: Deliver) {
        *self.deliver.lock() = Some(deliver);
    }

    /// Has links to the members of that map from now on: dials those who are new, and lets those go who left long ago.
    /// To be called in the runtime that the links shall live in, by one task.
    pub fn follow(self: &Arc<Self>, map: &Arc<Map>) {
        self.identity.follow(map);
        let known = self.links.load();
        let mut kept: Vec<(Arc<Link>, AbortHandle)> = Vec::new();
        let (mut former, mut gone) = (Vec::new(), Vec::new());
        for (link, task) in known.all.iter().cloned().zip(known.tasks.iter().cloned()) {
            match map.member(link.to()) {
                Some(member) if link.leads_to(member) => kept.push((link, task)),
                Some(_) => gone.push(task),
                None => former.push((link, task)),
            }
        }
        let too_many = former.len().saturating_sub(FORMER);
        gone.extend(former.drain(..too_many).map(|(_, task)| task));
        kept.append(&mut former);
        for member in map.members.iter().filter(|member| member.id != self.identity.me) {
            if !kept.iter().any(|(link, _)| link.to() == member.id) {
                let link = Arc::new(Link::new(member.clone()));
                let (peers, own) = (Arc::clone(self), Arc::clone(&link));
                let task = tokio::spawn(async move { own.run(&peers.identity, &peers.metrics, &peers).await });
                kept.push((link, task.abort_handle()));
            }
        }
        kept.sort_by_key(|(link, _)| link.to());
        let (all, tasks): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
        let detours = all.iter().map(|_| AtomicUsize::new(STRAIGHT)).collect();
        self.links.store(Arc::new(Links { all, detours, tasks }));
        gone.iter().for_each(AbortHandle::abort);
        let routes = self.routes.load_full();
        self.reroute(&routes);
    }

    /// A peer that refuses this node has shown the map by which it does.
    fn shown(&self, by: NodeId, map: Arc<Map>) {
        let deliver = self.deliver.lock().clone();
        if let Some(deliver) = deliver {
            let (to, origin) = (self.identity.me, Origin { boot: 0, epoch: map.epoch });
            deliver(Envelope { from: by, to, origin, message: Message::Map { map } });
        }
    }

    /// Passes on what a peer has sent to another one, where this node reaches that. False when it does not.
    pub fn relay(&self, envelope: &Envelope) -> bool {
        let counts = &self.metrics.peers;
        let links = self.links.load();
        let passed = self.routes.load().passes_on(envelope.to, &envelope.message)
            && links.place(envelope.to).is_some_and(|index| self.push(&links, index, envelope));
        let count = if passed { &counts.relayed } else { &counts.dropped };
        count.fetch_add(1, Ordering::Relaxed);
        passed
    }

    fn push(&self, links: &Links, index: usize, envelope: &Envelope) -> bool {
        links.all[index].push(envelope, ClusterTag(self.identity.fingerprint))
    }
}

impl Links {
    fn place(&self, node: NodeId) -> Option<usize> {
        self.all.binary_search_by_key(&node, |link| link.to()).ok()
    }
}

impl Wire for Peers {
    fn send(&self, to: NodeId, origin: Origin, message: Message) {
        let (counts, links) = (&self.metrics.peers, self.links.load());
        let sent = links.place(to).is_some_and(|index| {
            let envelope = Envelope { from: self.identity.me, to, origin, message };
            match links.detours[index].load(Ordering::Relaxed) {
                detour if detour != STRAIGHT && envelope.message.path() == Path::Routed => {
                    self.push(&links, detour, &envelope)
                }
                _ => self.push(&links, index, &envelope),
            }
        });
        let count = if sent { &counts.sent } else { &counts.dropped };
        count.fetch_add(1, Ordering::Relaxed);
    }

    fn reroute(&self, routes: &Arc<Routes>) {
        let links = self.links.load();
        for (link, detour) in links.all.iter().zip(&links.detours) {
            let through = routes.way(link.to()).and_then(|way| way.through).and_then(|node| links.place(node));
            detour.store(through.unwrap_or(STRAIGHT), Ordering::Relaxed);
        }
        self.routes.store(Arc::clone(routes));
    }
}
