//! Clients that ask all nodes at once, and write down every answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use vitrine::load::Stopwatch;
use vitrine_engine::error::Failure;
use vitrine_engine::id::{NodeId, Version};
use vitrine_engine::request::{Answer, Condition, Entry, Key, ReadLevel, Value, WriteLevel};
use vitrine_engine::rng::Rng;
use vitrine_engine::sim::{Ask, Reply, Told, Verb};
use vitrine_engine::time::Instant;

use crate::http::{Connection, NoAnswer, Response};

/// Clients at work.
pub struct Clients {
    threads: Vec<JoinHandle<()>>,
    told: Arc<Mutex<Vec<Told>>>,
    stop: Arc<AtomicBool>,
}

const CLIENTS: u16 = 6;
/// Keys that are written again and again; the clients meet at them.
const SHARED: u64 = 30;
/// Keys that are counted: few, so that clients meet there.
const COUNTERS: u64 = 5;
/// How their names begin.
pub const COUNT: &str = "count-";
/// Between an answer and the next question.
const PAUSE: Duration = Duration::from_millis(3);
/// What the checkers of the simulator are told: no client waits longer. Whether a node that was there has answered in
/// time is looked at where it is known which were (`afterwards`).
const FOR_EVER: Duration = Duration::from_secs(60);

impl Clients {
    /// Starts asking nodes that serve there. The record's time is what `clock` says.
    pub fn start(nodes: &[SocketAddr], clock: Stopwatch) -> Clients {
        let (stop, ids) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let one = |number: u16| {
            let (nodes, stop, ids, told) = (nodes.to_vec(), stop.clone(), ids.clone(), told.clone());
            std::thread::spawn(move || work(number, &nodes, clock, &stop, &ids, &told))
        };
        Clients { threads: (1..=CLIENTS).map(one).collect(), told, stop }
    }

    /// What all were told until now. What is under way is not among it.
    pub fn so_far(&self) -> Vec<Told> {
        self.told.lock().clone()
    }

    /// Lets each end its last request. What all were told.
    pub fn end(self) -> Vec<Told> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("a client ends"));
        std::mem::take(&mut self.told.lock())
    }
}

fn work(
    number: u16,
    nodes: &[SocketAddr],
    clock: Stopwatch,
    stop: &AtomicBool,
    ids: &AtomicU64,
    told: &Mutex<Vec<Told>>,
) {
    let now = || Instant(clock.elapsed().as_micros() as u64);
    let mut connections: Vec<Connection> = nodes.iter().map(|address| Connection::new(*address)).collect();
    let mut rng = Rng::new(u64::from(number), "client");
    let mut seen = None;
    while !stop.load(Ordering::Relaxed) {
        let id = ids.fetch_add(1, Ordering::Relaxed);
        let (key, verb) = question(id, &mut rng, &mut seen);
        let node = rng.below(nodes.len() as u64) as usize;
        let ask = Ask { id, client: number, node: NodeId(node as u16 + 1), key, verb, timeout: FOR_EVER };
        let asked = now();
        let reply = put(&mut connections[node], &ask);
        let counts = ask.key.as_bytes().starts_with(COUNT.as_bytes());
        if let Reply::Outcome(Ok(Answer::Found(entry))) = &reply
            && !counts
        {
            seen = Some((ask.key.clone(), entry.version));
        }
        let answered = now();
        told.lock().push(Told { ask, asked, told: answered, reply });
        std::thread::sleep(PAUSE);
    }
}

/// What is asked next; `seen` is what this client read last.
fn question(id: u64, rng: &mut Rng, seen: &mut Option<(Key, Version)>) -> (Key, Verb) {
    let key = |name: String| Key::new(name).expect("not empty");
    let shared = |rng: &mut Rng| key(format!("shared-{}", rng.below(SHARED)));
    let counter = |rng: &mut Rng| key(format!("{COUNT}{}", rng.below(COUNTERS)));
    let set = |ttl: Option<u64>, condition: Condition| Verb::Set {
        value: format!("value {id}").into(),
        ttl: ttl.map(Duration::from_millis),
        condition,
        level: WriteLevel::Live,
    };
    match rng.below(100) {
        0..30 => (shared(rng), Verb::Get(ReadLevel::Primary)),
        30..33 => (counter(rng), Verb::Get(ReadLevel::Primary)),
        33..38 => {
            let by = i64::from(rng.below(4) > 0) * 3 - 1;
            (counter(rng), Verb::Increment { by, level: WriteLevel::Live })
        }
        38..40 => {
            let ttl = Some(Duration::from_millis(200 + rng.below(2_000)));
            (key(format!("brief-{}", rng.below(SHARED))), Verb::Touch { ttl, level: WriteLevel::Live })
        }
        40..50 => (shared(rng), Verb::Get(if rng.below(2) == 0 { ReadLevel::One } else { ReadLevel::Quorum })),
        50..70 => (shared(rng), set(None, Condition::Always)),
        70..78 => match seen.take() {
            Some((key, version)) => (key, set(None, Condition::Is(version))),
            None => (shared(rng), set(None, Condition::Absent)),
        },
        78..84 => (shared(rng), Verb::Delete(WriteLevel::Live)),
        84..90 => (key(format!("brief-{}", rng.below(SHARED))), set(Some(200 + rng.below(2_000)), Condition::Always)),
        90..95 => (key(format!("brief-{}", rng.below(SHARED))), Verb::Get(ReadLevel::Primary)),
        // Written once, and never touched again: they are there in the end.
        _ => (key(format!("{ONCE}{id}")), set(None, Condition::Always)),
    }
}

/// How the names of keys begin that are written once.
pub const ONCE: &str = "once-";

/// Asks, and says what came of it.
fn put(connection: &mut Connection, ask: &Ask) -> Reply {
    let key = String::from_utf8_lossy(ask.key.as_bytes());
    let response = match &ask.verb {
        Verb::Get(level) => connection.request("GET", &format!("/v1/entries/{key}?read={}", level.name()), "", b""),
        Verb::Delete(level) => {
            connection.request("DELETE", &format!("/v1/entries/{key}?write={}", level.name()), "", b"")
        }
        Verb::Set { value, ttl, condition, level } => {
            let head = match condition {
                Condition::Absent => "if-none-match: *\r\n".to_owned(),
                Condition::Is(version) => format!("if-match: \"{version}\"\r\n"),
                _ => String::new(),
            };
            let ttl = ttl.map_or(String::new(), |ttl| format!("&ttl={}ms", ttl.as_millis()));
            let path = format!("/v1/entries/{key}?write={}{ttl}", level.name());
            connection.request("PUT", &path, &head, value)
        }
        Verb::Increment { by, level } => {
            let path = format!("/v1/entries/{key}/incr?by={by}&write={}", level.name());
            connection.request("POST", &path, "", b"")
        }
        Verb::Touch { ttl, level } => {
            let ttl = ttl.map_or("none".to_owned(), |ttl| format!("{}ms", ttl.as_millis()));
            let path = format!("/v1/entries/{key}/touch?ttl={ttl}&write={}", level.name());
            connection.request("POST", &path, "", b"")
        }
    };
    match response {
        Ok(response) => said(ask, response),
        Err(NoAnswer::Refused) => Reply::Refused,
        Err(NoAnswer::Lost) => Reply::Lost,
    }
}

fn said(ask: &Ask, response: Response) -> Reply {
    let version = response.header("etag").and_then(|etag| etag.trim_matches('"').parse::<Version>().ok());
    let copies = response.header("x-vitrine-copies").and_then(|copies| copies.parse().ok()).unwrap_or(0);
    let reads = matches!(ask.verb, Verb::Get(_) | Verb::Touch { .. });
    let deletes = matches!(ask.verb, Verb::Delete(_));
    let by = if let Verb::Increment { by, .. } = ask.verb { Some(by) } else { None };
    let document = if response.status >= 400 { response.json() } else { serde_json::Value::Null };
    let outcome = match (response.status, document["code"].as_str().unwrap_or_default()) {
        (200 | 201, _) if by.is_some() => {
            let sum = std::str::from_utf8(&response.body).ok().and_then(|text| text.parse().ok());
            let value: i64 = sum.expect("a sum is a number");
            let version = version.expect("a sum has a version");
            Ok(Answer::Added { value, version, copies, created: response.status == 201 })
        }
        (200, _) if matches!(ask.verb, Verb::Touch { .. }) => {
            Ok(Answer::Touched { version: version.expect("what was touched has a version"), copies })
        }
        (200, _) => {
            let value = Value { bytes: response.body.into(), ..Value::default() };
            Ok(Answer::Found(Entry { value, version: version.expect("a value has a version"), deadline: None }))
        }
        (204, _) if deletes => Ok(Answer::Deleted { existed: true, copies }),
        (201 | 204, _) => {
            let version = version.expect("what was stored has a version");
            Ok(Answer::Stored { version, copies, created: response.status == 201 })
        }
        (404, "not_found") if reads => Ok(Answer::Missing),
        (404, "not_found") => Ok(Answer::Deleted { existed: false, copies }),
        (412, _) => Ok(Answer::Unmet { present: version }),
        (503, "indeterminate") => Err(Failure::Indeterminate { copies }),
        (503, "timeout") => Err(Failure::Timeout),
        (503, "unavailable") => Err(Failure::Unavailable { needed: 1, alive: 0 }),
        (503, "busy") => Err(Failure::Busy { limit: "a limit of the node" }),
        (503, "read_only") => Err(Failure::ReadOnly),
        (503, "stopping") => Err(Failure::Stopping),
        (status, _) => panic!("{ask:?} was answered with {status}: {document}"),
    };
    Reply::Outcome(outcome)
}
