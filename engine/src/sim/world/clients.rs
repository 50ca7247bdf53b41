//! The world's clients: what they ask, what they are told, and what a load or a trace makes them ask next.

use super::{Due, World};
use crate::error::Failure;
use crate::id::NodeId;
use crate::request::{Answer, Condition, Key, ReadLevel, WriteLevel};
use crate::sim::client::{Ask, Open, PATIENCE, Reply, Source, Told, Verb};
use crate::sim::mark::Mark;
use crate::sim::network::{Cargo, Place};
use crate::sim::replay::Replay;
use crate::sim::trace::What;
use crate::sim::workload::{Load, Workload};

impl World {
    /// Begins a load, in place of any other, or ends it.
    pub fn workload(&mut self, workload: Option<Workload>) {
        self.round += 1;
        self.load = workload.map(|workload| Load::new(workload, self.config.seed ^ self.round));
        if let Some(load) = &mut self.load {
            let at = self.now + load.pause();
            self.queue(at, Due::Load { round: self.round });
        }
        self.roll();
    }

    /// Adds keys to the trace that client 0 plays: read, and on a miss write, one after the other.
    pub fn replay(&mut self, keys: impl IntoIterator<Item = Key>) {
        // Those before have been asked for.
        let left = self.replay.keys.iter().skip(self.replay.asked as usize).cloned();
        (self.replay.keys, self.replay.asked) = (left.chain(keys).collect(), 0);
        self.replay_next();
    }

    /// Forgets what is left of the trace, and its numbers.
    pub fn stop_replay(&mut self) {
        self.replay = Replay::default();
    }

    /// What has become of the trace so far.
    pub fn replayed(&self) -> &Replay {
        &self.replay
    }

    /// A client asks: the request is on its way. Returns the operation's number.
    pub(super) fn ask(&mut self, client: u16, node: Option<NodeId>, key: Key, verb: Verb, source: Source) -> u64 {
        self.operations += 1;
        let id = self.operations;
        let node = node.unwrap_or_else(|| self.usual(client));
        let ask = Ask { id, client, node, key, verb, timeout: self.config.timeout };
        if self.trace.is_on() && source != Source::Replay {
            self.trace.push(self.now, What::Asked(ask.clone()));
        }
        if self.config.checks {
            self.checks.asked(&ask, self.now);
        }
        self.open.insert(id, Open { ask: ask.clone(), asked: self.now, source, attempt: 0 });
        self.send(Place::Client(client), Place::Node(ask.node), Cargo::Ask(ask));
        id
    }

    /// Whom a client asks that names nobody: one of those who have not left, the first client the first of them, and so
    /// on around.
    fn usual(&self, client: u16) -> NodeId {
        let here = || self.machines.iter().filter(|machine| !machine.left);
        let place = usize::from(client.saturating_sub(1)) % here().count().max(1);
        here().nth(place).map_or(NodeId(1), |machine| machine.id)
    }

    /// A node answers a client.
    pub(super) fn answer(&mut self, index: usize, id: u64, reply: Reply) {
        let machine = &mut self.machines[index];
        let me = machine.id;
        assert!(machine.asked.remove(&id), "{me} answers operation {id}, which it was not asked or has answered");
        let Some(open) = self.open.get(&id) else { return };
        if self.config.checks {
            let nodes = self.machines.iter().filter_map(|machine| Some((machine.id, machine.node.as_ref()?)));
            self.checks.answered(&open.ask, open.asked, &reply, self.now, nodes);
            self.judge_copies(id, &reply);
        }
        let Some(open) = self.open.get(&id) else { return };
        let client = Place::Client(open.ask.client);
        self.send(Place::Node(me), client, Cargo::Reply(id, reply));
    }

    /// An answer reaches its client.
    pub(super) fn told(&mut self, id: u64, reply: Reply) {
        let Some(Open { ask, asked, source, attempt }) = self.open.remove(&id) else { return };
        if self.config.checks {
            self.checks.told(&ask, asked, &reply, self.now);
        }
        if self.trace.is_on() && source != Source::Replay {
            let (client, node, key) = (ask.client, ask.node, ask.key.clone());
            self.trace.push(self.now, What::Told { id, client, node, key, reply: reply.clone() });
        }
        match source {
            Source::Replay => return self.replayed_one(&ask, &reply),
            Source::Workload => self.loaded_one(&ask, &reply, attempt),
            Source::Typed => {}
        }
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Told { ask, asked, told: self.now, reply });
    }

    /// A client of the load has been told: it remembers what it read, and asks elsewhere when it does not know.
    fn loaded_one(&mut self, ask: &Ask, reply: &Reply, attempt: u8) {
        let Some(load) = &mut self.load else { return };
        if let Reply::Outcome(Ok(Answer::Found(entry))) = reply {
            load.was_read(&ask.key, entry.version);
        }
        let unknown = match reply {
            // Asking again would say the same.
            Reply::Outcome(Err(Failure::NotANumber | Failure::Overflow)) => false,
            reply => matches!(reply, Reply::Outcome(Err(_)) | Reply::Lost | Reply::Refused),
        };
        if unknown && attempt < load.workload.retries {
            let node = NodeId(ask.node.0 % self.size + 1);
            self.marks.note(Mark::AskedAgain);
            let id = self.ask(ask.client, Some(node), ask.key.clone(), ask.verb.clone(), Source::Workload);
            if let Some(open) = self.open.get_mut(&id) {
                open.attempt = attempt + 1;
            }
        }
    }

    /// A node has been paused with that request: nobody answers it in time, and its client will not wait for ever.
    pub(super) fn will_give_up(&mut self, id: u64) {
        let Some(open) = self.open.get(&id) else { return };
        let at = open.asked + open.ask.timeout + PATIENCE;
        self.queue(at.max(self.now), Due::GiveUp(id));
    }

    /// A client gives up, if it still waits and the node is still silent: the outcome is unknown.
    pub(super) fn give_up(&mut self, id: u64) {
        if self.open.contains_key(&id) {
            self.marks.note(Mark::GaveUp);
            self.told(id, Reply::Lost);
        }
    }

    fn replayed_one(&mut self, ask: &Ask, reply: &Reply) {
        let Some(key) = self.replay.current.take().filter(|key| *key == ask.key) else { return };
        let read = matches!(ask.verb, Verb::Get(_));
        if read {
            self.replay.requests += 1;
        }
        match reply {
            Reply::Outcome(Ok(Answer::Missing)) => {
                self.replay.misses += 1;
                let value = bytes::Bytes::from_static(b"1");
                let verb = Verb::Set { value, ttl: None, condition: Condition::Always, level: WriteLevel::Live };
                self.replay.current = Some(key.clone());
                self.ask(0, None, key, verb, Source::Replay);
                return;
            }
            Reply::Outcome(Ok(Answer::Found(_))) => self.replay.hits += 1,
            Reply::Outcome(Ok(_)) => {}
            _ => self.replay.failures += 1,
        }
        self.replay_next();
    }

    fn replay_next(&mut self) {
        if self.replay.current.is_some() {
            return;
        }
        let Some(key) = self.replay.keys.get(self.replay.asked as usize).cloned() else { return };
        self.replay.asked += 1;
        self.replay.current = Some(key.clone());
        self.ask(0, None, key, Verb::Get(ReadLevel::Primary), Source::Replay);
    }

    pub(super) fn load_due(&mut self, round: u64) {
        let Some(load) = self.load.as_mut().filter(|_| round == self.round) else { return };
        let client = load.client();
        let (key, verb) = load.request(self.operations + 1, self.now);
        let at = self.now + load.pause();
        self.ask(client, None, key, verb, Source::Workload);
        self.queue(at, Due::Load { round });
    }
}

/// Answers that clients have been given, kept for whoever shows them.
const HISTORY: usize = 1_024;
