//! The one place where an effect becomes I/O: messages go to the wire, answers to the clients that wait for them.
//!
//! Nothing here runs under a stripe's lock, except that a client is noted as waiting before anybody can answer it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;
use vitrine_engine::cluster::Routes;
use vitrine_engine::effect::{Effect, Outbox, Served};
use vitrine_engine::id::{ClientToken, Lsn, NodeId};
use vitrine_engine::message::{Message, Origin};
use vitrine_engine::request::Outcome;
use vitrine_engine::view::View;

/// Whoever carries messages to peers. It may drop them: whoever sent one repeats it.
pub trait Wire: Send + Sync {
    /// Takes a message for a peer, which was made by that start of this node and under the map of that epoch, without
    /// waiting.
    fn send(&self, to: NodeId, origin: Origin, message: Message);

    /// Sends by these ways from now on.
    fn reroute(&self, routes: &Arc<Routes>);
}

/// Performs effects.
pub struct Effects {
    wire: Arc<dyn Wire>,
    tokens: AtomicU64,
    /// Split by token, so that workers do not meet at one lock.
    waiting: [Mutex<HashMap<ClientToken, oneshot::Sender<Reply>>>; PARTS],
}

/// What a client is told, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What became of its request.
    pub outcome: Outcome,
    /// Who carried it out or refused it.
    pub served: Served,
}

impl Reply {
    /// What the client is told, once it is noted who says it.
    pub fn noting(self, served: &mut Served) -> Outcome {
        *served = self.served;
        self.outcome
    }
}

const PARTS: usize = 16;

impl Effects {
    /// Performs effects over that wire.
    pub fn new(wire: Arc<dyn Wire>) -> Effects {
        Effects { wire, tokens: AtomicU64::new(1), waiting: Default::default() }
    }

    /// A token for a new request.
    pub fn token(&self) -> ClientToken {
        ClientToken(self.tokens.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes the answer to that client out of what was just gathered, or notes that it waits. To be called under the
    /// lock under which the request was submitted: afterwards somebody else may have the answer.
    ///
    /// An answer that may leave only after a record for which `held` is true is not taken: it comes later.
    pub fn answer_or_wait(
        &self,
        client: ClientToken,
        outbox: &mut Outbox,
        held: impl Fn(Option<Lsn>) -> bool,
    ) -> Result<Reply, oneshot::Receiver<Reply>> {
        if let Some(reply) = self.answer(client, outbox, held) {
            return Ok(reply);
        }
        let (sender, receiver) = oneshot::channel();
        self.part(client).lock().insert(client, sender);
        Err(receiver)
    }

    /// Takes the answer to that client out of what was just gathered, when it is there and waits for no such record.
    pub fn answer(
        &self,
        client: ClientToken,
        outbox: &mut Outbox,
        held: impl Fn(Option<Lsn>) -> bool,
    ) -> Option<Reply> {
        let its = |effect: &Effect| match effect {
            Effect::Reply { client: other, after, .. } => *other == client && !held(*after),
            Effect::Send { .. } | Effect::Publish(_) => false,
        };
        let answer = outbox.effects.iter().position(its);
        match outbox.effects.remove(answer?) {
            Effect::Reply { outcome, served, .. } => Some(Reply { outcome, served }),
            Effect::Send { .. } | Effect::Publish(_) => None,
        }
    }

    /// Performs what was gathered by that start and under that map, in order, and leaves the outbox empty. Gives back
    /// the last view to publish.
    pub fn perform(&self, origin: Origin, outbox: &mut Outbox) -> Option<Arc<View>> {
        let mut publish = None;
        for effect in outbox.effects.drain(..) {
            publish = self.perform_one(origin, effect).or(publish);
        }
        publish
    }

    /// Performs one effect. Gives back the view to publish, when that is what it asks for.
    pub fn perform_one(&self, origin: Origin, effect: Effect) -> Option<Arc<View>> {
        match effect {
            Effect::Send { to, message, .. } => self.wire.send(to, origin, message),
            Effect::Reply { client, outcome, served, .. } => {
                let waiting = self.part(client).lock().remove(&client);
                // A client that went away has nobody who listens: that is its right.
                let _ = waiting.map(|sender| sender.send(Reply { outcome, served }));
            }
            Effect::Publish(view) => return Some(view),
        }
        None
    }

    /// How many clients wait for an answer.
    pub fn waiting(&self) -> usize {
        self.waiting.iter().map(|part| part.lock().len()).sum()
    }

    fn part(&self, client: ClientToken) -> &Mutex<HashMap<ClientToken, oneshot::Sender<Reply>>> {
        &self.waiting[client.0 as usize % PARTS]
    }
}
