//! A replay through the HTTP API of running servers.
//!
//! A thread reads the trace, each connection's task asks. A key always travels on the same connection, so that its
//! requests keep the order of the trace; the servers are asked in turn, and when one cannot be reached the next is.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use hyper::{Method, StatusCode};
use tokio::sync::mpsc;
use vitrine_engine::hash::crc16;
use vitrine_engine::trace::{TraceOp, TraceRequest};

use super::reading::Trace;
use super::report::{Spread, Totals};
use super::values::{self, ValueSize};
use super::{Mode, ReplayArgs, ReplayError};
use crate::load::client::{NODE_HEADER, entry_path};
use crate::load::{Client, ClientError, Origin, Response, Stopwatch};

/// Replays against all servers that were named; each must be there at the start.
pub fn replay(trace: Trace, args: &ReplayArgs) -> Result<(Totals, Spread), ReplayError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ReplayError::System)?;
    runtime.block_on(async {
        let (mut workers, mut queues) = (Vec::new(), Vec::new());
        for _ in 0..args.connections {
            let worker = Worker::connect(&args.cluster, args.mode).await?;
            let (queue, tasks) = mpsc::channel(QUEUED);
            queues.push(queue);
            workers.push(tokio::spawn(worker.work(tasks)));
        }
        let value_size = args.value_size;
        let reader = tokio::task::spawn_blocking(move || deal(trace, value_size, &queues));
        let (mut totals, mut spread) = (Totals::default(), Spread::default());
        let mut outcome = Ok(());
        for worker in workers {
            match worker.await.map_err(|error| ReplayError::System(error.into()))? {
                Ok((counted, measured)) => {
                    totals.add(&counted);
                    spread.add(measured);
                }
                Err(error) => outcome = outcome.and(Err(ReplayError::Client(error))),
            }
        }
        // A server that failed is why the reader stopped, and the reason to tell.
        outcome?;
        reader.await.map_err(|error| ReplayError::System(error.into()))??;
        Ok((totals, spread))
    })
}

/// Batches that wait for one connection, and tasks in a batch.
const QUEUED: usize = 16;
const BATCH: usize = 64;

/// One request of the trace, on its way to a connection.
struct Task {
    /// Its place in the trace, which picks the server.
    index: u64,
    key: Bytes,
    /// `None` is larger than any value.
    size: Option<usize>,
    ttl: Option<Duration>,
    op: TraceOp,
}

fn deal(trace: Trace, value_size: ValueSize, queues: &[mpsc::Sender<Vec<Task>>]) -> Result<(), ReplayError> {
    let mut batches: Vec<Vec<Task>> = queues.iter().map(|_| Vec::new()).collect();
    let mut index = 0;
    trace.each(|request: TraceRequest<'_>| {
        let (key, size) = (Bytes::copy_from_slice(request.key), value_size.of(&request));
        let lane = usize::from(crc16(&key)) % queues.len();
        batches[lane].push(Task { index, key, size, ttl: request.ttl, op: request.op });
        index += 1;
        if batches[lane].len() < BATCH {
            return ControlFlow::Continue(());
        }
        // A connection that failed takes no more, and the replay is over.
        match queues[lane].blocking_send(std::mem::take(&mut batches[lane])) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    for (queue, rest) in queues.iter().zip(batches) {
        // The same: whoever takes no more says why.
        let _ = queue.blocking_send(rest);
    }
    Ok(())
}

/// One connection to each server, and what came over them.
struct Worker {
    clients: Vec<Client>,
    mode: Mode,
    totals: Totals,
    spread: Spread,
}

impl Worker {
    async fn connect(origins: &[Origin], mode: Mode) -> Result<Worker, ClientError> {
        let mut clients = Vec::new();
        for origin in origins {
            let mut client = Client::open(origin.clone()).await?;
            let answer = client.request(Method::GET, "/healthz", HeaderMap::new(), Bytes::new()).await?;
            if !answer.headers.contains_key(NODE_HEADER) {
                return Err(ClientError::NotVitrine { origin: origin.clone() });
            }
            clients.push(client);
        }
        Ok(Worker { clients, mode, totals: Totals::default(), spread: Spread::default() })
    }

    async fn work(mut self, mut tasks: mpsc::Receiver<Vec<Task>>) -> Result<(Totals, Spread), ClientError> {
        while let Some(batch) = tasks.recv().await {
            for task in batch {
                self.totals.requests += 1;
                match (self.mode, task.op) {
                    (Mode::ReadThrough, _) => {
                        if self.read(&task).await? == Some(false) {
                            self.write(&task, None, HeaderMap::new()).await?;
                        }
                    }
                    (Mode::Ops, TraceOp::Get) => {
                        self.read(&task).await?;
                    }
                    (Mode::Ops, TraceOp::Set) => self.write(&task, task.ttl, HeaderMap::new()).await?,
                    (Mode::Ops, TraceOp::Add) => self.write(&task, task.ttl, any(IF_NONE_MATCH)).await?,
                    (Mode::Ops, TraceOp::Replace) => self.write(&task, task.ttl, any(IF_MATCH)).await?,
                    (Mode::Ops, TraceOp::Delete) => self.remove(&task).await?,
                }
            }
        }
        Ok((self.totals, self.spread))
    }

    /// Reads; was it there? `None` when there is no answer that says so.
    async fn read(&mut self, task: &Task) -> Result<Option<bool>, ClientError> {
        let begun = Stopwatch::start();
        let Some(answer) = self.ask(task, Method::GET, "", HeaderMap::new(), Bytes::new()).await? else {
            return Ok(None);
        };
        match answer.status {
            StatusCode::OK => {
                self.spread.get.record(begun.elapsed());
                self.totals.hits += 1;
                self.totals.wrong += u64::from(!values::is_of(&task.key, &answer.body));
                Ok(Some(true))
            }
            StatusCode::NOT_FOUND => {
                self.spread.get.record(begun.elapsed());
                self.totals.misses += 1;
                Ok(Some(false))
            }
            _ => {
                self.failed(&answer);
                Ok(None)
            }
        }
    }

    async fn write(&mut self, task: &Task, ttl: Option<Duration>, mut headers: HeaderMap) -> Result<(), ClientError> {
        let Some(size) = task.size else {
            self.totals.too_large += 1;
            return Ok(());
        };
        let query = ttl.map_or_else(String::new, |ttl| format!("ttl={}s", ttl.as_secs()));
        let value = values::value(&task.key, size);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let begun = Stopwatch::start();
        let Some(answer) = self.ask(task, Method::PUT, &query, headers, value).await? else {
            return Ok(());
        };
        match answer.status {
            status if status.is_success() => {
                self.spread.set.record(begun.elapsed());
                self.totals.writes += 1;
            }
            StatusCode::PRECONDITION_FAILED => {
                self.spread.set.record(begun.elapsed());
                self.totals.unmet += 1;
            }
            StatusCode::PAYLOAD_TOO_LARGE => self.totals.too_large += 1,
            _ => self.failed(&answer),
        }
        Ok(())
    }

    async fn remove(&mut self, task: &Task) -> Result<(), ClientError> {
        if let Some(answer) = self.ask(task, Method::DELETE, "", HeaderMap::new(), Bytes::new()).await? {
            match answer.status {
                status if status.is_success() || status == StatusCode::NOT_FOUND => self.totals.deletes += 1,
                _ => self.failed(&answer),
            }
        }
        Ok(())
    }

    /// Asks the server whose turn it is, and the next ones while one cannot be reached. Each request of a replay may be
    /// sent twice: it does the same again. `None` when the server did not answer in time.
    async fn ask(
        &mut self,
        task: &Task,
        method: Method,
        query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Option<Response>, ClientError> {
        let path = entry_path(&task.key, query);
        let servers = self.clients.len();
        let turn = (task.index % servers as u64) as usize;
        for attempt in 0..servers {
            // A client whose connection was lost connects again.
            let client = &mut self.clients[(turn + attempt) % servers];
            match client.request(method.clone(), &path, headers.clone(), body.clone()).await {
                Ok(answer) => {
                    let node = answer.headers.get(NODE_HEADER).and_then(|node| node.to_str().ok());
                    let node = node.unwrap_or("unknown");
                    match self.spread.nodes.get_mut(node) {
                        Some(count) => *count += 1,
                        None => drop(self.spread.nodes.insert(node.to_owned(), 1)),
                    }
                    return Ok(Some(answer));
                }
                Err(error @ ClientError::Timeout { .. }) => {
                    *self.spread.errors.entry(error.code().into()).or_default() += 1;
                    return Ok(None);
                }
                Err(error) if attempt + 1 == servers => return Err(error),
                Err(_) => self.spread.failovers += 1,
            }
        }
        Ok(None)
    }

    fn failed(&mut self, answer: &Response) {
        *self.spread.errors.entry(answer.error_code()).or_default() += 1;
    }
}

/// The header of a condition on anything being there.
fn any(name: hyper::header::HeaderName) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_static("*"))])
}
