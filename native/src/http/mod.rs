//! The HTTP front end, and the one user of hyper's server: it parses, asks the shards, and prints. It decides nothing.
//!
//! The common requests do not come as far as hyper: [`fast_path`] answers them at the socket. Of the others, a read
//! of a key that this node has is answered without a task, a channel or a wait; the rest is boxed futures.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::service::Service;
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use vitrine_engine::effect::Served;
use vitrine_engine::error::Failure;
use vitrine_engine::hash;
use vitrine_engine::id::{NodeId, Slot};
use vitrine_engine::request::{self as ask, Key};
use vitrine_engine::time::Time;

use crate::control::Wished;
use crate::effects::Reply;
use crate::metrics::{Command, Metrics};
use crate::shards::{Shards, Submitted};
use crate::snapshot::Schedule;

mod answer;
mod body;
mod change;
mod entries;
mod fast_path;
mod head_timer;
mod members;
mod plain;
mod problem;
pub mod query;
mod refuse;
mod status;
mod transfer;
mod ui;

use fast_path::Answered;
pub use problem::{PROBLEM, Problem};
pub use refuse::{MAX_REFUSALS, refuse};

/// The body of every answer: whole, in memory.
pub type Body = Full<Bytes>;

/// What every connection shares.
pub struct Front {
    /// The data plane.
    pub shards: Arc<Shards>,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
    /// The folder of `cache.json`.
    pub data: PathBuf,
    /// Where snapshots are asked for, with a log.
    pub snapshots: Option<Arc<Schedule>>,
    /// The longest value, in bytes.
    pub max_value: usize,
    /// How long a request waits when it does not say.
    pub request_timeout: Duration,
    /// How long a request's head may take.
    pub header_timeout: Duration,
    /// `GET` may write in the plain API.
    pub allow_get_writes: bool,
    /// The most bytes that a snapshot file may have.
    pub max_snapshot: u64,
    ready: Arc<AtomicBool>,
    cluster_name: String,
    wishes: mpsc::Sender<Wished>,
    has_peers: bool,
    intake: body::Intake,
    me: NodeId,
    names: Vec<(NodeId, HeaderValue)>,
    /// The end of a header line, and the whole one that names this node.
    node_line: Vec<u8>,
    boot: u32,
}

/// What a front end is made of.
pub struct FrontConfig {
    /// See [`Front`].
    pub data: PathBuf,
    /// See [`Front`].
    pub snapshots: Option<Arc<Schedule>>,
    /// See [`Front`].
    pub max_value: usize,
    /// See [`Front`].
    pub request_timeout: Duration,
    /// See [`Front`].
    pub header_timeout: Duration,
    /// How long a body may pause.
    pub body_timeout: Duration,
    /// See [`Front`].
    pub allow_get_writes: bool,
    /// The most bytes of entries of this node.
    pub memory: u64,
    /// Tells the request ids of this boot from those of others.
    pub boot: u32,
    /// True while this node may be sent requests.
    pub ready: Arc<AtomicBool>,
    /// For whoever asks.
    pub cluster_name: String,
    /// Where changes of the map are asked for.
    pub wishes: mpsc::Sender<Wished>,
    /// This node has a port for other members.
    pub has_peers: bool,
}

impl Front {
    /// A front end of those shards.
    pub fn new(shards: Arc<Shards>, metrics: Arc<Metrics>, config: FrontConfig) -> Front {
        let view = shards.view();
        let name = |name: &str| HeaderValue::from_str(name).unwrap_or(HeaderValue::from_static("?"));
        let names: Vec<(NodeId, HeaderValue)> = view.map.members.iter().map(|m| (m.id, name(&m.name))).collect();
        let own = names.iter().find(|(id, _)| *id == view.me).map_or(&b"?"[..], |(_, name)| name.as_bytes());
        let node_line = [b"\r\nx-vitrine-node: ", own, b"\r\n"].concat();
        // As much as the cache itself, at least 64 MiB, and at least one of the longest.
        let in_flight = usize::try_from(config.memory).unwrap_or(usize::MAX).max(64 << 20).max(config.max_value);
        Front {
            shards,
            metrics,
            data: config.data,
            snapshots: config.snapshots,
            max_value: config.max_value,
            request_timeout: config.request_timeout,
            header_timeout: config.header_timeout,
            allow_get_writes: config.allow_get_writes,
            max_snapshot: config.memory.saturating_mul(2).saturating_add(64 << 20),
            intake: body::Intake::new(in_flight, config.body_timeout),
            me: view.me,
            names,
            node_line,
            boot: config.boot,
            ready: config.ready,
            cluster_name: config.cluster_name,
            wishes: config.wishes,
            has_peers: config.has_peers,
        }
    }

    /// Carries a request out, waiting for other nodes as long as it says.
    pub async fn ask(&self, request: ask::Request) -> Reply {
        self.shards.wait_for_trust().await;
        let (timeout, writes) = (request.timeout, request.operation.writes());
        match self.shards.submit(request) {
            Submitted::Now(reply) => reply,
            Submitted::Later(reply) => {
                let stopping = |reply: Result<Reply, _>| {
                    // The sender goes away without an answer only when the node stops.
                    reply.unwrap_or(Reply { outcome: Err(Failure::Stopping), served: self.served() })
                };
                if !self.shards.waits_for_disk() {
                    return stopping(reply.await);
                }
                // A shard answers in time; a disk may not.
                let late = Reply {
                    outcome: Err(if writes { Failure::Indeterminate { copies: 0 } } else { Failure::Timeout }),
                    served: self.served(),
                };
                tokio::time::timeout(timeout + DISK_PATIENCE, reply).await.map_or(late, stopping)
            }
        }
    }

    /// This node says so itself.
    fn served(&self) -> Served {
        Served { by: self.me, isolated: false }
    }

    /// Has that slot lost touch with a majority of its replicas, as this node sees it or the one that has answered?
    fn is_isolated(&self, slot: Option<Slot>, served: Served) -> bool {
        served.isolated || slot.is_some_and(|slot| self.shards.is_isolated(slot))
    }

    /// Boot, worker and count in hexadecimal: unique, and short to print.
    fn new_request_id(&self, worker: usize) -> [u8; 22] {
        let mut text = [b'-'; 22];
        hexadecimal(&mut text[..8], u64::from(self.boot));
        hexadecimal(&mut text[9..12], worker as u64);
        hexadecimal(&mut text[13..], self.metrics.worker(worker).next_serial());
        text
    }

    fn name(&self, node: NodeId) -> HeaderValue {
        let found = self.names.binary_search_by_key(&node, |(id, _)| *id).map(|index| self.names[index].1.clone());
        // Members may have come since.
        let joined = || HeaderValue::from_str(&self.shards.view().member(node)?.name).ok();
        found.or_else(|_| joined().ok_or(())).unwrap_or(HeaderValue::from_static("?"))
    }
}

/// A shard says at a request's deadline what became of it; only what the disk holds back comes later than that.
const DISK_PATIENCE: Duration = Duration::from_millis(500);

/// Serves one connection to its end; once `stop` turns true, to the end of the request that runs.
pub async fn serve(stream: TcpStream, front: Arc<Front>, worker: usize, mut stop: watch::Receiver<bool>) {
    // Answers are whole when they are written: waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let timeout = front.header_timeout;
    let shared = fast_path::Shared::new(Arc::clone(&front));
    let socket = fast_path::Socket::new(stream, worker, Arc::clone(&shared));
    let since = Arc::clone(&shared);
    let timer = head_timer::HeadTimer::new(timeout, move || since.quiet());
    let service = Connection { front, worker, shared };
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(timer).header_read_timeout(timeout);
    let mut connection = pin!(builder.serve_connection(socket, service));
    let seen = stop.clone();
    let mut stopped = pin!(stop.wait_for(|stop| *stop));
    let mut woken_by: Option<Waker> = None;
    let ended = poll_fn(|context| {
        if let Poll::Ready(ended) = connection.as_mut().poll(context) {
            return Poll::Ready(Some(ended));
        }
        // Once told whom to wake, a watch need not be asked again until it has changed.
        let told = woken_by.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if told && seen.has_changed().is_ok_and(|changed| !changed) {
            return Poll::Pending;
        }
        woken_by = Some(context.waker().clone());
        stopped.as_mut().poll(context).map(|_| None)
    });
    let ended = ended.await;
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Entry,
    Change(change::Action),
    Explain,
    Plain(plain::Action),
    Root,
    Health,
    Ready,
    Cluster,
    Members,
    Member,
    Plan,
    Export,
    Import,
    Metrics,
    Page,
    PageFolder,
}

static ROUTES: LazyLock<matchit::Router<Route>> = LazyLock::new(|| {
    let mut router = matchit::Router::new();
    for (path, route) in [
        ("/", Route::Root),
        ("/get", Route::Plain(plain::Action::Get)),
        ("/set", Route::Plain(plain::Action::Set)),
        ("/save", Route::Plain(plain::Action::Save)),
        ("/load", Route::Plain(plain::Action::Load)),
        ("/v1/entries/", Route::Entry),
        ("/v1/entries/{key}", Route::Entry),
        ("/v1/entries/{key}/incr", Route::Change(change::Action::Increment)),
        ("/v1/entries/{key}/touch", Route::Change(change::Action::Touch)),
        ("/v1/explain/", Route::Explain),
        ("/v1/explain/{key}", Route::Explain),
        ("/v1/cluster", Route::Cluster),
        ("/v1/cluster/members", Route::Members),
        ("/v1/cluster/members/{name}", Route::Member),
        ("/v1/cluster/plan", Route::Plan),
        ("/v1/export", Route::Export),
        ("/v1/import", Route::Import),
        ("/healthz", Route::Health),
        ("/readyz", Route::Ready),
        ("/metrics", Route::Metrics),
        ("/ui", Route::PageFolder),
        ("/ui/", Route::Page),
        ("/ui/{*file}", Route::Page),
    ] {
        router.insert(path, route).expect("the routes above exclude each other");
    }
    router
});

impl Route {
    fn command(self, method: &Method) -> Command {
        match self {
            Route::Entry if *method == Method::PUT => Command::Put,
            Route::Entry if *method == Method::DELETE => Command::Delete,
            Route::Entry => Command::Get,
            Route::Change(change::Action::Increment) => Command::Increment,
            Route::Change(change::Action::Touch) => Command::Touch,
            Route::Plain(plain::Action::Get) => Command::PlainGet,
            Route::Plain(plain::Action::Set) => Command::PlainSet,
            Route::Plain(_) | Route::Export | Route::Import => Command::Snapshot,
            Route::Page | Route::PageFolder => Command::Page,
            _ => Command::Operations,
        }
    }

    /// The plain API prints its errors its own way.
    fn print(self, problem: Problem) -> Response<Body> {
        match self {
            Route::Plain(_) => problem.into_plain(),
            _ => problem.into_response(),
        }
    }
}

struct Connection {
    front: Arc<Front>,
    worker: usize,
    shared: Arc<fast_path::Shared>,
}

/// What is kept of a request until its answer leaves.
struct Call {
    started: Time,
    command: Command,
    route: Option<Route>,
    /// The client's own, when it sent a well-formed one.
    id: HeaderValue,
    /// Of the key that it is about.
    slot: Option<Slot>,
    /// For the log alone, and only when it is wanted.
    seen: Option<Box<Seen>>,
}

/// What takes more than a look into this node's store.
enum Work {
    Entry(Key),
    Change(change::Action, Key),
    Explain(Key),
    Plain(plain::Action),
    Members,
    Member(String),
    Import,
}

struct Seen {
    method: Method,
    /// The key, as a number: what clients store is nobody's business.
    key_hash: Option<u64>,
}

/// The answer, or the future of it, and the connection that it is for.
struct Answering {
    state: State,
    shared: Arc<fast_path::Shared>,
}

enum State {
    Ready(Option<Response<Body>>),
    Waiting(Pin<Box<dyn Future<Output = Response<Body>> + Send>>),
}

impl Future for Answering {
    type Output = Result<Response<Answered>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = match &mut this.state {
            State::Ready(response) => response.take().expect("a future is not polled after it is done"),
            State::Waiting(future) => ready!(future.as_mut().poll(context)),
        };
        Poll::Ready(Ok(response.map(|body| Answered::new(body, &this.shared))))
    }
}

impl Service<Request<Incoming>> for Connection {
    type Response = Response<Answered>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let front = &self.front;
        let matched = ROUTES.at(request.uri().path()).ok();
        let route = matched.as_ref().map(|m| *m.value);
        let segment = matched.and_then(|m| m.params.iter().next().map(|(_, value)| value)).unwrap_or("");
        let mut call = Call {
            started: front.shards.now(),
            command: route.map_or(Command::Operations, |route| route.command(request.method())),
            route,
            id: self.request_id(&request),
            slot: None,
            seen: tracing::enabled!(tracing::Level::DEBUG)
                .then(|| Box::new(Seen { method: request.method().clone(), key_hash: None })),
        };
        let Some(route) = route else { return self.done(call, Err(unknown_path(request.uri().path()))) };
        match route {
            Route::Entry => {
                let key = match entries::key_bytes(segment) {
                    Ok(key) => key,
                    Err(problem) => return self.done(call, Err(problem)),
                };
                call.note_key(&key);
                if [Method::GET, Method::HEAD].contains(request.method())
                    && let Some(result) = entries::at_once(front, call.started, &key, &request)
                {
                    return self.done(call, result);
                }
                let key = match Key::new(Bytes::copy_from_slice(&key)) {
                    Ok(key) => key,
                    Err(error) => return self.done(call, Err(error.into())),
                };
                self.wait(call, Work::Entry(key), request)
            }
            Route::Change(action) => {
                match entries::key_bytes(segment).and_then(|key| Ok(Key::new(key.into_owned())?)) {
                    Ok(key) => {
                        call.note_key(key.as_bytes());
                        self.wait(call, Work::Change(action, key), request)
                    }
                    Err(problem) => self.done(call, Err(problem)),
                }
            }
            Route::Explain => match entries::key_bytes(segment).and_then(|key| Ok(Key::new(key.into_owned())?)) {
                Ok(_) if !reads(request.method()) => self.done(call, Err(reads_only())),
                Ok(key) => self.wait(call, Work::Explain(key), request),
                Err(problem) => self.done(call, Err(problem)),
            },
            Route::Plain(action) => self.wait(call, Work::Plain(action), request),
            Route::Members => self.wait(call, Work::Members, request),
            Route::Import => self.wait(call, Work::Import, request),
            Route::Member => match entries::key_bytes(segment) {
                Ok(name) => {
                    let name = String::from_utf8_lossy(&name).into_owned();
                    self.wait(call, Work::Member(name), request)
                }
                Err(problem) => self.done(call, Err(problem)),
            },
            _ if !reads(request.method()) => self.done(call, Err(reads_only())),
            Route::Root => self.done(call, Ok(status::root(front, request.headers()))),
            Route::Health => self.done(call, Ok(status::health(front))),
            Route::Ready => self.done(call, Ok(status::ready(front))),
            Route::Cluster => self.done(call, Ok(status::cluster(front))),
            Route::Export => self.done(call, transfer::export(front, request.uri().query())),
            Route::Plan => self.done(call, members::plan(front, request.uri().query())),
            Route::Metrics => self.done(call, Ok(status::metrics(front, request.headers()))),
            Route::Page => {
                let file = ui::file(segment, request.headers());
                self.done(call, file)
            }
            Route::PageFolder => {
                let mut response = answer::empty(StatusCode::PERMANENT_REDIRECT);
                // Relative, so that it also holds behind a proxy with a prefix.
                response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("ui/"));
                self.done(call, Ok(response))
            }
        }
    }
}

impl Connection {
    fn done(&self, call: Call, result: Result<Response<Body>, Problem>) -> Answering {
        let response = finished(&self.front, self.worker, &call, self.front.served(), result);
        self.answering(State::Ready(Some(response)))
    }

    fn wait(&self, call: Call, work: Work, request: Request<Incoming>) -> Answering {
        let (front, worker) = (Arc::clone(&self.front), self.worker);
        let mut call = call;
        self.answering(State::Waiting(Box::pin(async move {
            let mut served = front.served();
            let result = match work {
                Work::Entry(key) => entries::handle(&front, call.started, key, request, &mut served).await,
                Work::Change(action, key) => change::handle(&front, action, key, request, &mut served).await,
                Work::Explain(key) => status::explain(&front, key).await,
                Work::Plain(action) => plain::handle(&front, action, request, &mut served, &mut call.slot).await,
                Work::Members => members::all(&front, request).await,
                Work::Import => transfer::import(&front, request).await,
                Work::Member(name) => members::one(&front, &name, request).await,
            };
            finished(&front, worker, &call, served, result)
        })))
    }

    fn answering(&self, state: State) -> Answering {
        Answering { state, shared: Arc::clone(&self.shared) }
    }

    fn request_id(&self, request: &Request<Incoming>) -> HeaderValue {
        let own = request.headers().get(&answer::REQUEST_ID).filter(|id| is_request_id(id.as_bytes()));
        own.cloned().unwrap_or_else(|| {
            let new = self.front.new_request_id(self.worker);
            HeaderValue::from_bytes(&new).unwrap_or(HeaderValue::from_static("-"))
        })
    }
}

impl Call {
    fn note_key(&mut self, key: &[u8]) {
        self.slot = Some(hash::slot(key));
        if let Some(seen) = &mut self.seen {
            let mut fingerprint = hash::Fingerprint::default();
            fingerprint.add(key);
            seen.key_hash = Some(fingerprint.0);
        }
    }
}

/// Prints the result, counts it, and logs it when that is wanted.
fn finished(
    front: &Front,
    worker: usize,
    call: &Call,
    served: Served,
    result: Result<Response<Body>, Problem>,
) -> Response<Body> {
    let mut response = match result {
        Ok(response) => response,
        Err(problem) => call.route.map_or_else(|| problem.clone().into_response(), |r| r.print(problem.clone())),
    };
    let headers = response.headers_mut();
    headers.insert(answer::REQUEST_ID, call.id.clone());
    headers.insert(answer::NODE, front.name(served.by));
    if front.is_isolated(call.slot, served) {
        headers.insert(answer::ISOLATED, HeaderValue::from_static("true"));
    }
    let took = front.shards.instant().since(call.started.instant);
    front.metrics.worker(worker).answered(call.command, response.status(), took);
    if let Some(seen) = &call.seen {
        tracing::debug!(
            request_id = call.id.to_str().unwrap_or(""),
            method = %seen.method,
            command = call.command.name(),
            key_hash = seen.key_hash.map(|hash| format!("{hash:016x}")),
            slot = call.slot.map(Slot::number),
            status = response.status().as_u16(),
            latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            forwarded_to = (served.by != front.me).then(|| served.by.to_string()),
            "answered"
        );
    }
    response
}

/// A request's name as clients may choose it.
fn is_request_id(id: &[u8]) -> bool {
    (1..=128).contains(&id.len()) && id.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(b))
}

fn reads(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

fn reads_only() -> Problem {
    Problem::method("GET, HEAD", "this path takes GET")
}

fn unknown_path(path: &str) -> Problem {
    let detail = if path.starts_with("/v1/entries/") || path.starts_with("/v1/explain/") {
        "there is no such path; a `/` in a key is written %2F".to_owned()
    } else {
        format!("there is no path `{}`; see / for what there is", query::shown(path.as_bytes()))
    };
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail)
}

fn hexadecimal(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = answer::hexadecimal(number);
        number >>= 4;
    }
}
