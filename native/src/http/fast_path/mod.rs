//! The connection as hyper sees it: a socket that answers by itself what takes no more than a look into this node's
//! store, and hands everything else on.
//!
//! Hyper reads requests of every kind and waits for answers of every length. A cache is mostly asked for entries by
//! short requests that are there whole when they are looked at: for these its service, futures and header maps cost
//! more than the cache does. So while hyper waits for a head, what comes is looked at here first ([`head`]); a plain
//! `GET` or `PUT` of an entry that this node can answer at once is ([`act`]), and hyper goes on waiting. Anything else
//! is handed to hyper byte by byte, up to the end of that request and no further: the next one is looked at here again.
//! A connection whose requests cannot be told apart by their length is hyper's until its end.
//!
//! What never happens here: a request is answered before an earlier one, or in part here and in part by hyper.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use vitrine_engine::time::Instant;

use self::bounded::Bounded;
use super::Front;

mod act;
mod bounded;
mod head;

/// A connection's socket.
pub struct Socket {
    stream: TokioIo<Bounded>,
    front: Arc<Front>,
    worker: usize,
    shared: Arc<Shared>,
    turn: Turn,
    /// What came and was given to nobody yet.
    held: Vec<u8>,
    /// The end of that is not there yet.
    partial: bool,
    unsent: Unsent,
    /// Hyper asked for bytes that it may not have before its answer is out.
    put_off: bool,
}

/// What a socket and the service behind hyper tell each other.
pub struct Shared {
    front: Arc<Front>,
    /// When a request was last answered here, in microseconds of the monotonic clock.
    answered_at: AtomicU64,
    /// The client does not take what was answered here.
    blocked: AtomicBool,
    /// The answer of the request that hyper was handed is on its way into the socket.
    answered: AtomicBool,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Hyper waits for a head: what comes is looked at here.
    Ours,
    /// Hyper has been handed a request, and has not answered it.
    Hypers,
    /// From now on it has every byte.
    HypersForGood,
}

/// Of the body of an answer: when it goes, hyper has all of it.
pub struct Answered {
    body: Full<Bytes>,
    shared: Arc<Shared>,
}

/// As much as is read at a time.
const ROOM: usize = 64 << 10;
/// No more of a head is waited for here: each time it is looked at from its beginning.
const HEAD: usize = 8 << 10;
/// So many bytes of answers are sent before more requests are looked at.
const ENOUGH: usize = 64 << 10;
/// Room for answers is kept up to this size.
const KEPT: usize = 256 << 10;

thread_local! {
    /// One of each for all connections of a worker: nothing is left in them from one poll to the next.
    static INPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static OUTPUT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Socket {
    /// Of a connection that has just been accepted.
    pub fn new(stream: TcpStream, worker: usize, shared: Arc<Shared>) -> Socket {
        Socket {
            stream: TokioIo::new(Bounded { stream, left: 0 }),
            front: Arc::clone(&shared.front),
            worker,
            shared,
            turn: Turn::Ours,
            held: Vec::new(),
            partial: false,
            unsent: Unsent::default(),
            put_off: false,
        }
    }

    /// Answers until there is something for hyper: then it is not `Ours` any more.
    fn serve(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut input = INPUT.take();
        input.resize(ROOM, 0);
        let served = self.serve_from(context, &mut input);
        INPUT.set(input);
        served
    }

    fn serve_from(&mut self, context: &mut Context<'_>, input: &mut [u8]) -> Poll<io::Result<()>> {
        while self.turn == Turn::Ours {
            ready!(self.send(context))?;
            let mut filled = self.held.len();
            input[..filled].copy_from_slice(&self.held);
            if filled == 0 || self.partial {
                let mut free = ReadBuf::new(&mut input[filled..]);
                ready!(Pin::new(&mut self.stream.inner_mut().stream).poll_read(context, &mut free))?;
                let came = free.filled().len();
                if came == 0 {
                    // The end: hyper reads it again, after what is held.
                    self.turn = Turn::HypersForGood;
                    self.stream.inner_mut().left = u64::MAX;
                    break;
                }
                filled += came;
            }
            let used = self.answer(&input[..filled]);
            self.held.clear();
            self.held.extend_from_slice(&input[used..filled]);
            if self.partial && self.held.len() >= HEAD {
                // A head as long as that is for hyper to take or refuse.
                self.hand(None);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Answers the requests at the beginning of those bytes; how many bytes they had.
    fn answer(&mut self, input: &[u8]) -> usize {
        // What is logged is logged in one place.
        let logs = tracing::enabled!(tracing::Level::DEBUG);
        let mut out = OUTPUT.take();
        let (mut used, mut answered_at) = (0, None);
        self.partial = false;
        // A few short requests may ask for much: what is printed goes out before the next one is looked at.
        while used < input.len() && self.turn == Turn::Ours && out.len() < ENOUGH {
            match head::parse(&input[used..]) {
                head::Head::Partial => {
                    self.partial = true;
                    break;
                }
                head::Head::Other => self.hand(None),
                head::Head::Framed { head, body, simple } => {
                    let whole = (head as u64).saturating_add(body);
                    let there = usize::try_from(whole).ok().and_then(|whole| input[used..].get(head..whole));
                    let done = match (&simple, there) {
                        (Some(simple), Some(there)) if !logs => {
                            act::act(&self.front, self.worker, simple, there, &mut out)
                        }
                        _ => None,
                    };
                    match done {
                        Some(_) => (used, answered_at) = (used + whole as usize, done),
                        None => self.hand(Some(whole)),
                    }
                }
            }
        }
        if let Some(at) = answered_at {
            self.shared.answered_at.store(at.0, Ordering::Relaxed);
        }
        if out.is_empty() {
            OUTPUT.set(out);
        } else {
            self.unsent = Unsent { bytes: out, sent: 0 };
        }
        used
    }

    /// Hands hyper so many bytes, or all that come.
    fn hand(&mut self, bytes: Option<u64>) {
        self.turn = if bytes.is_some() { Turn::Hypers } else { Turn::HypersForGood };
        self.stream.inner_mut().left = bytes.unwrap_or(u64::MAX);
        self.shared.answered.store(false, Ordering::Relaxed);
    }

    /// Sends what was answered here.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.unsent.sent < self.unsent.bytes.len() {
            let rest = &self.unsent.bytes[self.unsent.sent..];
            match Pin::new(&mut self.stream.inner_mut().stream).poll_write(context, rest)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(sent) => self.unsent.sent += sent,
                Poll::Pending => {
                    self.shared.blocked.store(true, Ordering::Relaxed);
                    return Poll::Pending;
                }
            }
        }
        if self.unsent.sent > 0 {
            self.shared.blocked.store(false, Ordering::Relaxed);
            let mut out = std::mem::take(&mut self.unsent).bytes;
            out.clear();
            if out.capacity() <= KEPT {
                OUTPUT.set(out);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Has hyper been given all of its request?
    fn handed(&self) -> bool {
        self.stream.inner().left == 0
    }
}

impl Read for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, mut room: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.turn == Turn::Ours {
            ready!(this.serve(context))?;
        }
        if this.handed() {
            // Hyper looks whether the client is still there. What comes is for later.
            this.put_off = true;
            if !this.held.is_empty() {
                return Poll::Pending;
            }
            let mut next = [0; 4_096];
            let mut free = ReadBuf::new(&mut next);
            ready!(Pin::new(&mut this.stream.inner_mut().stream).poll_read(context, &mut free))?;
            this.held.extend_from_slice(free.filled());
            return if this.held.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        if this.held.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, room);
        }
        let bounded = this.stream.inner_mut();
        let left = usize::try_from(bounded.left).unwrap_or(usize::MAX);
        let count = this.held.len().min(room.remaining()).min(left);
        room.put_slice(&this.held[..count]);
        this.held.drain(..count);
        bounded.take(count);
        Poll::Ready(Ok(()))
    }
}

impl Write for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.send(context))?;
        Pin::new(&mut this.stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.send(context))?;
        ready!(Pin::new(&mut this.stream).poll_flush(context))?;
        // Hyper flushes the socket when nothing is left in its own buffers.
        if this.turn == Turn::Hypers && this.handed() && this.shared.answered.load(Ordering::Relaxed) {
            this.turn = Turn::Ours;
            if std::mem::take(&mut this.put_off) {
                context.waker().wake_by_ref();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.send(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.send(context))?;
        Pin::new(&mut this.stream).poll_write_vectored(context, parts)
    }
}

impl Shared {
    /// Of a connection that has just been accepted.
    pub fn new(front: Arc<Front>) -> Arc<Shared> {
        let shared = Shared {
            answered_at: AtomicU64::new(front.shards.instant().0),
            front,
            blocked: AtomicBool::new(false),
            answered: AtomicBool::new(false),
        };
        Arc::new(shared)
    }

    /// For how long nothing has been answered here that hyper does not know of.
    pub fn quiet(&self) -> Duration {
        if self.blocked.load(Ordering::Relaxed) {
            return Duration::ZERO;
        }
        self.front.shards.instant().since(Instant(self.answered_at.load(Ordering::Relaxed)))
    }
}

impl Answered {
    /// The body of an answer to the request that hyper was handed.
    pub fn new(body: Full<Bytes>, shared: &Arc<Shared>) -> Answered {
        Answered { body, shared: Arc::clone(shared) }
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.shared.answered.store(true, Ordering::Relaxed);
    }
}

impl Body for Answered {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Answers that the client has yet to take.
#[derive(Default)]
struct Unsent {
    bytes: Vec<u8>,
    sent: usize,
}
