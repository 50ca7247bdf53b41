//! The connection to one peer: dialled, kept up, and written in batches.
//!
//! What is to be sent is encoded straight into one buffer; the task that owns the socket swaps it for an empty one and
//! writes it whole. Many messages then cost one system call, and none of them an allocation of its own.

use std::io;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use vitrine_engine::codec::peer::{self as codec, ClusterTag};
use vitrine_engine::id::NodeId;
use vitrine_engine::message::Envelope;
use vitrine_engine::rng::Rng;
use vitrine_engine::view::Member;

use super::Peers;
use super::hello::{Identity, MAX_WELCOME, Welcome};
use crate::metrics::Metrics;

/// The way to one peer.
pub struct Link {
    member: Member,
    queue: Mutex<Queue>,
    ready: Notify,
}

struct Queue {
    /// While there is no connection nothing is kept: what was true then is stale when there is one.
    connected: bool,
    frames: Vec<u8>,
}

/// Bytes that may wait for one peer; the frame that crosses the limit is the last one taken.
const MAX_QUEUED: usize = 64 << 20;
/// A buffer larger than this is given back after it was needed.
const KEPT_BUFFER: usize = 1 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A peer that takes nothing for so long is dialled anew.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

impl Link {
    /// A way to that member, not dialled yet.
    pub fn new(member: Member) -> Link {
        let queue = Queue { connected: false, frames: Vec::new() };
        Link { member, queue: Mutex::new(queue), ready: Notify::new() }
    }

    /// Whom it leads to.
    pub fn to(&self) -> NodeId {
        self.member.id
    }

    /// Does it still lead to that member, where it now is?
    pub fn leads_to(&self, member: &Member) -> bool {
        (self.member.id, &self.member.name, &self.member.peer_address)
            == (member.id, &member.name, &member.peer_address)
    }

    /// Queues a message; false when it was dropped.
    pub fn push(&self, envelope: &Envelope, tag: ClusterTag) -> bool {
        let mut queue = self.queue.lock();
        if !queue.connected || queue.frames.len() > MAX_QUEUED {
            return false;
        }
        let start = queue.frames.len();
        queue.frames.extend_from_slice(&[0; 4]);
        codec::encode(envelope, tag, &mut queue.frames);
        let length = u32::try_from(queue.frames.len() - start - 4).expect("a value is at most 512 MiB");
        queue.frames[start..start + 4].copy_from_slice(&length.to_be_bytes());
        drop(queue);
        if start == 0 {
            self.ready.notify_one();
        }
        true
    }

    /// Dials, writes, and dials again, for ever.
    pub async fn run(&self, identity: &Identity, metrics: &Metrics, peers: &Peers) {
        let mut rng = Rng::new(identity.fingerprint ^ u64::from(identity.me.0), "reconnect");
        let mut backoff = FIRST_BACKOFF;
        let mut quiet = false;
        loop {
            let problem = match self.connect(identity, peers).await {
                Ok(stream) => {
                    tracing::info!(peer = self.member.name, address = self.member.peer_address, "connected to a peer");
                    metrics.peers.connected.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    (backoff, quiet) = (FIRST_BACKOFF, false);
                    self.set_connected(true);
                    let ended = self.write(stream).await;
                    self.set_connected(false);
                    ended.err().map_or_else(|| "the peer closed the connection".to_owned(), |error| error.to_string())
                }
                Err(error) => error.to_string(),
            };
            // Once when it begins; the repetitions are for whoever looks closely.
            if quiet {
                tracing::debug!(peer = self.member.name, problem, "still no connection to a peer");
            } else {
                tracing::warn!(
                    peer = self.member.name,
                    address = self.member.peer_address,
                    problem,
                    "no connection to a peer"
                );
            }
            quiet = true;
            let jitter = Duration::from_micros(rng.below(vitrine_engine::time::micros(backoff)));
            tokio::time::sleep(backoff / 2 + jitter).await;
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
        }
    }

    async fn connect(&self, identity: &Identity, peers: &Peers) -> io::Result<TcpStream> {
        let dial = async {
            let mut stream = TcpStream::connect(&self.member.peer_address).await?;
            stream.set_nodelay(true)?;
            let hello = serde_json::to_vec(&identity.hello(&self.member.name))?;
            let length = u32::try_from(hello.len()).map_err(io::Error::other)?;
            stream.write_all(&[&length.to_be_bytes(), hello.as_slice()].concat()).await?;
            let length = stream.read_u32().await? as usize;
            if length > MAX_WELCOME {
                return Err(io::Error::other("what answers there is no node of this cache"));
            }
            let mut answer = vec![0; length];
            stream.read_exact(&mut answer).await?;
            let welcome = Welcome::read(&answer).map_err(io::Error::other)?;
            if let Some(map) = welcome.map() {
                peers.shown(self.member.id, map);
            }
            match welcome.refused {
                None => Ok(stream),
                Some(reason) => Err(io::Error::other(format!("it refused this node: {reason}"))),
            }
        };
        tokio::time::timeout(CONNECT_TIMEOUT, dial).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Writes until the connection ends.
    async fn write(&self, stream: TcpStream) -> io::Result<()> {
        let (mut reader, mut writer) = stream.into_split();
        let mut frames = Vec::new();
        let mut nothing = [0; 16];
        loop {
            {
                let mut queue = self.queue.lock();
                std::mem::swap(&mut queue.frames, &mut frames);
            }
            if frames.is_empty() {
                tokio::select! {
                    () = self.ready.notified() => {}
                    // Nothing is ever said on this side: it is only how an end is noticed.
                    read = reader.read(&mut nothing) => match read? {
                        0 => return Ok(()),
                        _ => return Err(io::Error::other("it speaks where it should listen")),
                    },
                }
                continue;
            }
            let written = tokio::time::timeout(WRITE_TIMEOUT, writer.write_all(&frames)).await;
            written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
            frames.clear();
            frames.shrink_to(KEPT_BUFFER);
        }
    }

    fn set_connected(&self, connected: bool) {
        let mut queue = self.queue.lock();
        queue.connected = connected;
        queue.frames = Vec::new();
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use vitrine_engine::id::{RequestId, Version};
    use vitrine_engine::message::{Change, Message, Origin};
    use vitrine_engine::request::{Entry, Key, Value};

    use super::*;

    #[test]
    fn what_waits_for_a_peer_that_takes_nothing_is_bounded() {
        let value = Value { bytes: vec![7; 1 << 20].into(), media: Bytes::new() };
        let entry = Entry { value, version: Version::ZERO, deadline: None };
        let message = Message::Replicate {
            id: RequestId::default(),
            key: Key::new("k").expect("a key"),
            change: Change::Put(entry),
        };
        let envelope = Envelope { from: NodeId(1), to: NodeId(2), origin: Origin::default(), message };
        let link = Link::new(Member::new(NodeId(2), "n2".to_owned()));
        assert!(!link.push(&envelope, ClusterTag(1)), "there is no connection yet");
        link.set_connected(true);
        let taken = (0..100).filter(|_| link.push(&envelope, ClusterTag(1))).count();
        assert_eq!(taken, MAX_QUEUED / (1 << 20), "the one that crosses the limit is the last one");
        link.set_connected(false);
        link.set_connected(true);
        assert!(link.push(&envelope, ClusterTag(1)), "what waited for the old connection is gone");
    }
}
