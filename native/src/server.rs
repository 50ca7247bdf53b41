//! One node in this process: its threads, its listeners, its beginning and its end.
//!
//! Each worker is a thread with a runtime of its own, so that a request never changes threads. The first one also
//! accepts connections, and runs the peers, the control plane and the timers: with one, nothing crosses threads.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Semaphore, mpsc, watch};
use vitrine_engine::clock::lost_floor;
use vitrine_engine::cluster::{Cluster, Heartbeat};
use vitrine_engine::codec::peer::ClusterTag;
use vitrine_engine::id::{Epoch, NodeId};
use vitrine_engine::message::{Envelope, Message};
use vitrine_engine::view::Map;

use crate::clock::{Clock as _, SystemClock};
use crate::control::{Control, INBOX, WISHES};
use crate::effects::Wire;
use crate::http::{self, Front, FrontConfig};
use crate::map_file::MapFile;
use crate::metrics::Metrics;
use crate::peer::{self, Identity, Peers};
use crate::settings::Settings;
use crate::shards::{CLOCK_SKEW, Shards, ShardsConfig};
use crate::snapshot::{self, Of, Schedule, ScheduleConfig};
use crate::standing::{self, Standing};
use crate::version_floor::{FloorError, VersionFloor};
use crate::wal;
use crate::watch::{Keeper, Watch};

/// A running node. Dropped without [`Server::stop`] it goes on until the process ends.
pub struct Server {
    http: SocketAddr,
    peer: Option<SocketAddr>,
    shards: Arc<Shards>,
    map: watch::Receiver<Option<Arc<Map>>>,
    passed_over: Arc<AtomicBool>,
    /// Where the map is kept.
    file: Option<MapFile>,
    /// What was written of it so far, and the thread that writes.
    log: Option<wal::Open>,
    /// The thread that takes snapshots.
    snapshots: Option<snapshot::Running>,
    /// True: take no new work, and finish what runs.
    stop: watch::Sender<bool>,
    /// True: end now.
    end: watch::Sender<bool>,
    connections: Arc<Semaphore>,
    max_connections: usize,
    threads: Vec<JoinHandle<()>>,
    stop_timeout: Duration,
}

/// How a node came to be no member any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It was removed: others keep its slots.
    Removed,
    /// Another map has won over the one that took it in, before it had any slots. It may ask again.
    PassedOver,
}

/// Why a node did not start. Nothing runs.
#[derive(Debug)]
pub enum StartError {
    /// A port could not be bound.
    Bind {
        /// What listens there: "HTTP" or "peers".
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The version floor that an earlier run has left cannot be used.
    Floor(FloorError),
    /// The log that an earlier run has left cannot be gone on with.
    Log(wal::OpenError),
    /// Anything else that the system refused.
    System {
        /// What was tried.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// The ports of a node that is about to start.
pub struct Listeners {
    http_listener: TcpListener,
    peer_listener: Option<TcpListener>,
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where peers connect.
    pub peer: Option<SocketAddr>,
}

impl Listeners {
    /// Takes the ports.
    pub fn bind(settings: &Settings) -> Result<Listeners, StartError> {
        let http_listener = bind("HTTP", SocketAddr::new(settings.host, settings.port))?;
        let peer_listener = match bind("peers", SocketAddr::new(settings.host, settings.peer_port)) {
            Ok(listener) => Some(listener),
            Err(StartError::Bind { address, source, .. }) if settings.any_peer_port => {
                tracing::warn!(%address, error = %source, "no port for peers: no other node can join this one");
                None
            }
            Err(error) => return Err(error),
        };
        let address = |listener: &TcpListener| listener.local_addr().map_err(system("reading a bound address"));
        let http = address(&http_listener)?;
        let peer = peer_listener.as_ref().map(address).transpose()?;
        Ok(Listeners { http_listener, peer_listener, http, peer })
    }
}

impl Server {
    /// Starts a node with the map of its settings, and returns once it listens.
    pub fn start(settings: &Settings) -> Result<Server, StartError> {
        let listeners = Listeners::bind(settings)?;
        let mut settings = settings.clone();
        settings.listens_at(listeners.http.port(), listeners.peer.map(|address| address.port()));
        Server::start_on(listeners, &settings)
    }

    /// Starts a node at those ports.
    pub fn start_on(listeners: Listeners, settings: &Settings) -> Result<Server, StartError> {
        let Listeners { http_listener, peer_listener, http, peer } = listeners;

        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|e| system("drawing random numbers")(io::Error::other(e)))?;
        let draw = |index: usize| u64::from_le_bytes(std::array::from_fn(|byte| random[index * 8 + byte]));

        let clock = Arc::new(SystemClock::start());
        let metrics = Arc::new(Metrics::new(settings.workers));
        let identity = Arc::new(Identity::new(settings.me, &settings.cluster_name, &settings.map));
        let peers = Arc::new(Peers::new(Arc::clone(&identity), Arc::clone(&metrics)));
        let wire = Arc::clone(&peers) as Arc<dyn Wire>;
        let (stand_in_after, remove_after) = (settings.stand_in_after, settings.remove_after);
        let heartbeat = Heartbeat { stand_in_after, remove_after, ..Heartbeat::default() };
        let cluster = Cluster::new(settings.me, Arc::clone(&settings.map), heartbeat, draw(0), clock.now());
        let (wishes, wished) = mpsc::channel(WISHES);
        let (map, follow_map) = watch::channel(Some(Arc::clone(&settings.map)));
        let config = ShardsConfig {
            entries: settings.capacity,
            bytes: settings.memory,
            stripes: settings.stripes,
            workers: settings.workers,
            seed: draw(1),
            hash_seed: (draw(2), draw(3)),
        };
        let mut shards = Shards::new(&config, Arc::clone(cluster.view()), Arc::clone(&clock) as _, Arc::clone(&wire));
        shards.evict_by(settings.policy);
        let of = Of { cluster: ClusterTag(identity.fingerprint), node: settings.me };
        let opening = settings.fsync.map(|fsync| wal::Opening {
            folder: settings.data.clone(),
            of,
            name: settings.name().to_owned(),
            fsync,
            moved_on: settings.map.epoch > Epoch::FIRST,
            boot: wal::boot(),
        });
        let log = opening.map(|opening| wal::open(&opening, &mut shards)).transpose().map_err(StartError::Log)?;
        let shards = Arc::new(shards);
        shards.limit_moves(settings.move_rate);
        shards.on_doubt(settings.on_doubt);
        let schedule = |log: &wal::Open| {
            let (folder, every) = (settings.data.clone(), settings.snapshot_every);
            let config = ScheduleConfig { folder, of, every, read: log.read() };
            Schedule::start(config, Arc::clone(&shards), Arc::clone(log.log()))
        };
        let snapshots = log.as_ref().map(schedule).transpose().map_err(system("starting a thread"))?;
        let keeper = keeper(settings, &shards, &metrics)?;
        let ready = Arc::new(AtomicBool::new(false));
        let front = Arc::new(Front::new(
            Arc::clone(&shards),
            Arc::clone(&metrics),
            FrontConfig {
                data: settings.data.clone(),
                snapshots: snapshots.as_ref().map(|running| Arc::clone(running.schedule())),
                max_value: settings.max_value,
                request_timeout: settings.request_timeout,
                header_timeout: settings.header_timeout,
                body_timeout: settings.body_timeout,
                allow_get_writes: settings.allow_get_writes,
                memory: settings.memory,
                boot: draw(0) as u32,
                ready: Arc::clone(&ready),
                cluster_name: settings.cluster_name.clone(),
                wishes: wishes.clone(),
                has_peers: peer.is_some(),
            },
        ));

        let (stop, stopping) = watch::channel(false);
        let (end, ending) = watch::channel(false);
        let connections = Arc::new(Semaphore::new(settings.max_connections.min(Semaphore::MAX_PERMITS)));
        let runtimes = (0..settings.workers).map(|_| Builder::new_current_thread().enable_all().build());
        let runtimes = runtimes.collect::<Result<Vec<Runtime>, _>>().map_err(system("starting a runtime"))?;
        let workers: Vec<Handle> = runtimes.iter().map(|runtime| runtime.handle().clone()).collect();

        let (sender, inbox) = mpsc::channel(INBOX);
        let passed_over = Arc::new(AtomicBool::new(false));
        let standing = Standing {
            shards: Arc::clone(&shards),
            wishes,
            ready: Arc::clone(&ready),
            wanted: standing::wanted(settings),
        };
        let control = Control {
            cluster,
            shards: Arc::clone(&shards),
            peers: Arc::clone(&peers),
            metrics: Arc::clone(&metrics),
            inbox,
            wishes: wished,
            map,
            passed_over: Arc::clone(&passed_over),
            ready,
        };
        let file = || MapFile::new(&settings.data, settings.name(), &settings.cluster_name);
        let file = settings.data.is_dir().then(file);
        let deliver = deliver(Arc::clone(&shards), sender);
        peers.listen(Arc::clone(&deliver));
        {
            // Sockets belong to the runtime they are made in: the first worker's.
            let _first = workers[0].enter();
            let listener = tokio::net::TcpListener::from_std(http_listener).map_err(system("listening"))?;
            let accepting =
                accept(listener, front, workers.clone(), Arc::clone(&connections), metrics.clone(), stopping);
            workers[0].spawn(accepting);
            workers[0].spawn(control.run(ending.clone()));
            workers[0].spawn(standing.run(ending.clone()));
            let watch = Watch { clock, metrics: Arc::clone(&metrics), keeper };
            workers[0].spawn(watch.run(ending.clone()));
            let timers = Arc::clone(&shards);
            workers[0].spawn(async move { timers.run_timers().await });
            if let Some(listener) = peer_listener {
                let listener = tokio::net::TcpListener::from_std(listener).map_err(system("listening"))?;
                workers[0].spawn(peer::accept(
                    listener,
                    identity,
                    settings.max_value,
                    metrics,
                    Arc::clone(&peers),
                    deliver,
                    ending.clone(),
                ));
            }
            if let Some(file) = file.clone() {
                workers[0].spawn(keep(file, follow_map.clone()));
            }
        }
        let threads = runtimes.into_iter().enumerate().map(|(index, runtime)| {
            let mut ending = ending.clone();
            std::thread::Builder::new().name(format!("vitrine-{index}")).spawn(move || {
                // An error is the sender's drop: the server is gone, and so is the reason to run.
                let _ = runtime.block_on(ending.wait_for(|end| *end));
                runtime.shutdown_background();
            })
        });
        let threads = threads.collect::<Result<Vec<_>, _>>().map_err(system("starting a thread"))?;
        let (max_connections, stop_timeout) = (settings.max_connections, settings.stop_timeout);
        let map = follow_map;
        Ok(Server {
            http,
            peer,
            shards,
            map,
            passed_over,
            file,
            log,
            snapshots,
            stop,
            end,
            connections,
            max_connections,
            threads,
            stop_timeout,
        })
    }

    /// Waits until this node is no member any more.
    pub async fn left(&self) -> Left {
        // An error is the control plane's end: then it is stopped anyway, and nobody waits.
        if self.map.clone().wait_for(Option::is_none).await.is_err() {
            std::future::pending::<()>().await;
        }
        match self.passed_over.load(Ordering::Acquire) {
            true => Left::PassedOver,
            false => Left::Removed,
        }
    }

    /// Where HTTP is served.
    pub fn http_address(&self) -> SocketAddr {
        self.http
    }

    /// Where peers connect; `None` when there are none.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The data plane, for tests that look inside.
    pub fn shards(&self) -> &Arc<Shards> {
        &self.shards
    }

    /// Stops accepting, finishes what runs, and ends. False when something still ran when the time was over.
    pub fn stop(self) -> bool {
        self.stop.send_replace(true);
        let all = u32::try_from(self.max_connections).unwrap_or(u32::MAX);
        let finished = Builder::new_current_thread().enable_time().build().is_ok_and(|runtime| {
            runtime.block_on(async {
                // Every connection holds one: to have them all is to be alone.
                tokio::time::timeout(self.stop_timeout, self.connections.acquire_many(all)).await.is_ok()
            })
        });
        self.end.send_replace(true);
        let left = self.map.borrow().is_none();
        if left && let Some(Err(error)) = self.file.as_ref().map(MapFile::forget) {
            tracing::error!(%error, "the map of the cluster left cannot be removed: the next start will find it");
        }
        let joined = self.threads.into_iter().map(JoinHandle::join);
        let finished = joined.fold(finished, |finished, thread| thread.is_ok() && finished);
        self.snapshots.into_iter().for_each(snapshot::Running::end);
        // Nobody changes anything any more.
        self.log.into_iter().for_each(|log| log.end(left));
        finished
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Bind { what, address, source } if source.kind() == io::ErrorKind::AddrInUse => write!(
                f,
                "port {} of {} is in use by another program; choose another one for {what}",
                address.port(),
                address.ip()
            ),
            StartError::Bind { what, address, source } => write!(f, "cannot listen on {address} for {what}: {source}"),
            StartError::Floor(error) => error.fmt(f),
            StartError::Log(error) => error.fmt(f),
            StartError::System { what, source } => write!(f, "{what} failed: {source}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Accepts clients and deals them out to the workers, one after the other.
async fn accept(
    listener: tokio::net::TcpListener,
    front: Arc<Front>,
    workers: Vec<Handle>,
    connections: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    mut stop: watch::Receiver<bool>,
) {
    let mut turn = 0;
    let refusals = Arc::new(Semaphore::new(http::MAX_REFUSALS));
    loop {
        let next = async {
            // Whoever is too many is told so; past what can be told at a time, they wait in the kernel's queue.
            let refusal = tokio::select! {
                biased;
                permit = Arc::clone(&connections).acquire_owned() => Err(permit.map_err(io::Error::other)?),
                refusal = Arc::clone(&refusals).acquire_owned() => Ok(refusal.map_err(io::Error::other)?),
            };
            let (stream, _) = listener.accept().await?;
            // Somebody may have gone while nobody came.
            let permit = match refusal {
                Err(permit) => Ok(permit),
                Ok(refusal) => Arc::clone(&connections).try_acquire_owned().map_err(|_| refusal),
            };
            Ok::<_, io::Error>((permit, stream))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (permit, stream) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: a moment later there may be some.
                tracing::warn!(%error, "a client could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        metrics.accepted.fetch_add(1, Ordering::Relaxed);
        let permit = match permit {
            Ok(permit) => permit,
            Err(refusal) => {
                metrics.refused.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    http::refuse(stream).await;
                    drop(refusal);
                });
                continue;
            }
        };
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a client's connection could not be used");
                continue;
            }
        };
        let worker = turn % workers.len();
        turn += 1;
        let (front, metrics, stop) = (Arc::clone(&front), Arc::clone(&metrics), stop.clone());
        workers[worker].spawn(async move {
            metrics.open.fetch_add(1, Ordering::Relaxed);
            match tokio::net::TcpStream::from_std(stream) {
                Ok(stream) => http::serve(stream, front, worker, stop).await,
                Err(error) => tracing::warn!(%error, "a client's connection could not be used"),
            }
            metrics.open.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    }
}

/// A message about a slot goes to its shard, any other to the control plane.
fn deliver(shards: Arc<Shards>, control: mpsc::Sender<(NodeId, Message)>) -> peer::Deliver {
    Arc::new(move |Envelope { from, origin, message, .. }| match message.slot() {
        Some(slot) => shards.receive(from, origin, slot, message),
        // A full inbox drops: whoever sent it repeats it.
        None => drop(control.try_send((from, message))),
    })
}

/// Keeps each map on disk.
async fn keep(file: MapFile, mut map: watch::Receiver<Option<Arc<Map>>>) {
    // The first one too: a node that has just joined may crash before there is another.
    loop {
        let latest = map.borrow_and_update().clone();
        let file = file.clone();
        // Once this node is no member any more, the end of the server forgets it.
        let Some(latest) = latest else { return };
        let kept = tokio::task::spawn_blocking(move || file.keep(&latest));
        if let Ok(Err(error)) = kept.await {
            tracing::error!(%error, "the map cannot be kept: this node starts from an older one next time");
        }
        if map.changed().await.is_err() {
            return;
        }
    }
}

/// Where the node has a folder for data, it starts above every version that it may have given before; without one,
/// above those that any node may have come to by now.
fn keeper(settings: &Settings, shards: &Arc<Shards>, metrics: &Arc<Metrics>) -> Result<Option<Keeper>, StartError> {
    if !settings.data.is_dir() {
        shards.start_above(lost_floor(shards.now().unix, CLOCK_SKEW));
        return Ok(None);
    }
    let floor = VersionFloor::read(&settings.data, settings.name(), shards.now().unix).map_err(StartError::Floor)?;
    let mut keeper = Keeper::new(floor, Arc::clone(shards), Arc::clone(metrics));
    // One that cannot be written is said, and the node starts: it answers reads, and takes writes once it can.
    keeper.keep();
    Ok(Some(keeper))
}

fn bind(what: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listener.map_err(|source| StartError::Bind { what, address, source })
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::System { what, source }
}
