//! The control plane's body: it owns the cluster's state machine, and nobody else touches it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, watch};
use vitrine_engine::cluster::Cluster;
use vitrine_engine::effect::{Effect, Event, Outbox};
use vitrine_engine::id::NodeId;
use vitrine_engine::message::Message;

use crate::effects::Wire;
use crate::shards::Shards;

/// Messages of peers that wait for the control plane; more are dropped, and repeated by whoever sent them.
pub const INBOX: usize = 1_024;

/// The task of the control plane.
pub struct Control {
    /// The state machine.
    pub cluster: Cluster,
    /// Who routes by its views.
    pub shards: Arc<Shards>,
    /// Who carries its messages.
    pub wire: Arc<dyn Wire>,
    /// What peers say to it.
    pub inbox: mpsc::Receiver<(NodeId, Message)>,
    /// Turns true when every member has answered or has been given up on.
    pub ready: Arc<AtomicBool>,
}

impl Control {
    /// Runs until `stop` turns true.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut outbox = Outbox::watching();
        loop {
            let now = self.shards.now();
            self.cluster.tick(now, &mut outbox);
            self.perform(&mut outbox);
            let pause = self.cluster.next_wake().since(self.shards.now().instant);
            tokio::select! {
                message = self.inbox.recv() => {
                    let Some((from, message)) = message else { return };
                    self.cluster.receive(self.shards.now(), from, &message, &mut outbox);
                }
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => {
                    self.ready.store(false, Ordering::Release);
                    return;
                }
            }
        }
    }

    fn perform(&mut self, outbox: &mut Outbox) {
        for event in outbox.events.drain(..) {
            match event {
                Event::Suspected { member } => tracing::warn!(%member, "a member does not answer"),
                Event::Alive { member } => tracing::info!(%member, "a member answers again"),
                _ => {}
            }
        }
        for effect in outbox.effects.drain(..) {
            match effect {
                Effect::Send { to, message, .. } => self.wire.send(to, message),
                Effect::Publish(view) => self.shards.publish(&view),
                // It has no clients.
                Effect::Reply { .. } => {}
            }
        }
        self.ready.store(self.cluster.is_settled(), Ordering::Release);
    }
}
