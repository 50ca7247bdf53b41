//! The connections that peers make to this node: checked once, then read frame by frame.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use vitrine_engine::codec::peer::{self as codec, ClusterTag};
use vitrine_engine::limits;
use vitrine_engine::message::Envelope;

use super::Peers;
use super::hello::{Identity, MAX_HELLO, MAX_WELCOME, Refused, Welcome};
use crate::metrics::Metrics;

/// Where messages go.
pub type Deliver = Arc<dyn Fn(Envelope) + Send + Sync>;

/// What a message has besides its value: key, media type, and a fixed part. A page of a listing has none, and fits.
const BESIDES_VALUE: usize = 256 << 10;
const _: () = assert!(BESIDES_VALUE > limits::MAX_KEY + limits::MAX_MEDIA + 1_024);
const _: () = assert!(BESIDES_VALUE > limits::MAX_PAGE_FLOORS * 12 + limits::MAX_PAGE_BYTES + limits::MAX_KEY + 8_192);
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// Accepts peers until `stop` turns true. Each connection is read in a task of its own.
pub async fn accept(
    listener: TcpListener,
    identity: Arc<Identity>,
    max_value: usize,
    metrics: Arc<Metrics>,
    peers: Arc<Peers>,
    deliver: Deliver,
    mut stop: watch::Receiver<bool>,
) {
    // A member has one connection, and one more while it reconnects; the rest is for strangers to be told so.
    let slots = Arc::new(Semaphore::new(limits::MAX_MEMBERS * 2 + 16));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a peer could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            tracing::warn!(%address, "too many connections from peers: this one is closed");
            continue;
        };
        let (identity, metrics, deliver) = (Arc::clone(&identity), Arc::clone(&metrics), Arc::clone(&deliver));
        let peers = Arc::clone(&peers);
        let mut stop = stop.clone();
        tokio::spawn(async move {
            let reading = read(stream, &identity, max_value, &metrics, &peers, &deliver);
            tokio::select! {
                ended = reading => if let Err(problem) = ended {
                    tracing::warn!(%address, problem, "the connection of a peer ended");
                },
                _ = stop.wait_for(|stop| *stop) => {}
            }
            drop(slot);
        });
    }
}

/// Reads one connection to its end. The error says why it ended early.
async fn read(
    stream: TcpStream,
    identity: &Identity,
    max_value: usize,
    metrics: &Metrics,
    peers: &Peers,
    deliver: &Deliver,
) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    stream.set_nodelay(true).map_err(|e| text(&e))?;
    let mut codec = LengthDelimitedCodec::new();
    codec.set_max_frame_length(MAX_HELLO);
    let mut frames = Framed::with_capacity(stream, codec, 64 << 10);
    let first = tokio::time::timeout(HELLO_TIMEOUT, frames.next()).await.map_err(|_| "it did not say hello")?;
    let Some(first) = first else { return Ok(()) };
    let no_hello = |reason| Refused { reason, map: None };
    let judged = first.map_err(|e| no_hello(format!("what it says is no hello: {e}")));
    let judged = judged.and_then(|frame| identity.admit(&frame));
    frames.codec_mut().set_max_frame_length(MAX_WELCOME);
    frames.send(Bytes::from(Welcome::frame(judged.as_ref().err()))).await.map_err(|e| text(&e))?;
    let peer = judged.map_err(|refused| format!("refused: {}", refused.reason))?;
    frames.codec_mut().set_max_frame_length(max_value.saturating_add(BESIDES_VALUE));
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|e| text(&e))?.freeze();
        match codec::decode(frame, ClusterTag(identity.fingerprint)) {
            Ok(envelope) if identity.listens(&envelope) => {
                metrics.peers.received.fetch_add(1, Ordering::Relaxed);
                deliver(envelope);
            }
            // It is for another: passed on if it comes from who sent it, and never further.
            Ok(envelope) if envelope.from == peer && envelope.to != identity.me => {
                peers.relay(&envelope);
            }
            Ok(envelope) => {
                metrics.peers.refused.fetch_add(1, Ordering::Relaxed);
                let (from, to) = (envelope.from, envelope.to);
                tracing::debug!(%peer, %from, %to, "a message that is not for this node");
            }
            Err(error) => {
                metrics.peers.refused.fetch_add(1, Ordering::Relaxed);
                return Err(format!("{peer} sent a frame that is no message: {error}"));
            }
        }
    }
    Ok(())
}
