//! `import FILE`: the entries of a file into a running cluster, as writes like any other.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::{Arg, ArgMatches, Command, value_parser};
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};
use vitrine_engine::limits;
use vitrine_engine::time::UnixMs;

use super::client::{address, block_on, url, write};
use super::export::{json_flag, members};
use super::{Failed, failed, grouped};
use crate::load::Stopwatch;
use crate::load::client::Client;
use crate::progress;
use crate::snapshot_json::{self, Bounds, Restored};

const EXAMPLES: &str = "\
Examples:
  vitrine import cache.json
  vitrine import cache.json --write all --json
  gunzip < cache.json.gz | vitrine import -";

/// `import FILE`.
pub fn command() -> Command {
    Command::new("import")
        .about("Write the entries of a file into a running cluster")
        .long_about(
            "Write the entries of a file that `vitrine export` or `vitrine save` has made into a running cluster. Each \
             expires when the file says, and is left out when that has passed or something newer is there. A file \
             that is damaged anywhere is refused before anything is written; standard input is written as it comes. \
             Exit status 1 when some entries were refused: the others are written.",
        )
        .after_help(EXAMPLES)
        .arg(Arg::new("FILE").required(true).help("The file to read; `-` is standard input"))
        .arg(write())
        .arg(
            Arg::new("concurrency")
                .long("concurrency")
                .value_name("N")
                .value_parser(value_parser!(u16).range(1..=256))
                .default_value("4")
                .help("Requests that are under way at a time, each of up to 256 entries"),
        )
        .arg(json_flag())
        .arg(url())
}

/// What has become of the entries.
#[derive(Clone, Debug, Default)]
struct Imported {
    stored: u64,
    expired: u64,
    kept_newer: u64,
    /// By the code of why.
    refused: BTreeMap<String, u64>,
}

/// Entries of a request at most, and bytes of them after which it is sent.
const BATCH: usize = 256;
const BATCH_BYTES: usize = 512 << 10;
/// How often a request is tried, and how long is waited after the first time: twice as long after each.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(200);
/// A reply to a request takes as long as the slowest of its writes, each of which may wait for the disk.
const PATIENCE: Duration = Duration::from_secs(120);

/// Imports.
pub fn run(matches: &ArgMatches) -> Result<(), Failed> {
    let named = matches.get_one::<String>("FILE").map_or("", String::as_str);
    let begun = Stopwatch::start();
    let (source, length) = open(named)?;
    let level = matches.get_one::<String>("write").map_or("live", String::as_str);
    let concurrency = matches.get_one::<u16>("concurrency").map_or(4, |count| usize::from(*count));
    let bar = progress::bar(length);
    let path = format!("/v1/import?write={}", percent_encoding::utf8_percent_encode(level, ESCAPED));
    let imported = block_on(import(source, named, &address(matches), path, concurrency, &bar))??;
    bar.finish_and_clear();
    let Imported { stored, expired, kept_newer, refused } = imported;
    let count: u64 = refused.values().sum();
    if matches.get_flag("json") {
        let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        println!(
            "{}",
            json!({ "file": named, "stored": stored, "expired": expired, "kept_newer": kept_newer, "refused": count,
                "refused_by_code": refused, "took_ms": took })
        );
    } else {
        println!("{} entries imported from {named}", grouped(stored));
        for (count, what) in [(expired, "had expired"), (kept_newer, "were there already, as new or newer")] {
            if count > 0 {
                println!("{} {what}", grouped(count));
            }
        }
    }
    if count == 0 {
        return Ok(());
    }
    let codes: Vec<String> = refused.iter().map(|(code, count)| format!("{} {code}", grouped(*count))).collect();
    Err(failed(format!("not every entry was taken: {}", codes.join(", "))))
}

const ESCAPED: &percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC;

/// Opens the file, and reads it to its end to know that all of it can be; how long it is, where that is known.
fn open(named: &str) -> Result<(Box<dyn Read + Send>, u64), Failed> {
    if named == "-" {
        return Ok((Box::new(io::stdin()), 0));
    }
    let cannot = |error: io::Error| {
        let what = format!("{named} cannot be read: {error}");
        if error.kind() == io::ErrorKind::NotFound { Failed::NotFound(what) } else { failed(what) }
    };
    let mut file = File::open(named).map_err(cannot)?;
    let length = file.metadata().map_err(cannot)?.len();
    let bar = progress::bar(length);
    bar.set_message("checking");
    let checked =
        snapshot_json::decode(BufReader::with_capacity(1 << 16, bar.wrap_read(&file)), BOUNDS, &mut |_| Ok(()));
    bar.finish_and_clear();
    checked.map_err(|error| {
        failed(format!("{named} cannot be imported: {}; nothing was", snapshot_json::explain(&error)))
    })?;
    file.rewind().map_err(cannot)?;
    Ok((Box::new(file), length))
}

/// What a node takes is for it to say.
const BOUNDS: Bounds = Bounds { max_value: limits::MAX_VALUE, max_file: u64::MAX };

/// Entries that are sent together, and how far the file had been read when they were.
struct Batch {
    entries: Vec<Restored>,
    read: u64,
}

async fn import(
    source: Box<dyn Read + Send>,
    named: &str,
    url: &str,
    path: String,
    concurrency: usize,
    bar: &ProgressBar,
) -> Result<Imported, Failed> {
    let mut client = Client::connect(url).await.map_err(failed)?;
    let members = members(&mut client).await?.1;
    let mut addresses: Vec<String> = members.into_iter().filter(|m| m.alive).map(|m| m.address).collect();
    // The one that was named is asked in any case: others may not be reached from here.
    if addresses.is_empty() {
        addresses.push(url.to_owned());
    }
    let (sender, batches) = mpsc::channel::<Batch>(concurrency);
    let reading = tokio::task::spawn_blocking(move || read(source, &sender));
    let shared = Arc::new(Shared {
        batches: Mutex::new(batches),
        addresses,
        fallback: url.to_owned(),
        path,
        turn: AtomicUsize::new(0),
        read: AtomicU64::new(0),
    });
    let senders: Vec<_> = (0..concurrency)
        .map(|_| {
            let (shared, bar) = (Arc::clone(&shared), bar.clone());
            tokio::spawn(async move { shared.send_all(&bar).await })
        })
        .collect();
    let mut imported = Imported::default();
    let mut trouble = None;
    for sender in senders {
        match sender.await.map_err(failed)? {
            Ok(part) => imported.add(part),
            Err(why) => trouble = Some(why),
        }
    }
    // Where nobody takes anything, the reader is told so by the end of whom it reads for.
    drop(shared);
    let read = reading.await.map_err(failed)?;
    match (trouble, read) {
        (Some(why), _) => Err(why),
        (None, Err(why)) => {
            let stored = grouped(imported.stored);
            Err(failed(format!("{named} cannot be imported to its end: {why}; {stored} entries before that were")))
        }
        (None, Ok(())) => Ok(imported),
    }
}

/// Reads the file, a batch ahead of whoever sends them.
fn read(source: Box<dyn Read + Send>, sender: &mpsc::Sender<Batch>) -> Result<(), String> {
    let taken = Arc::new(AtomicU64::new(0));
    let counting = Counting { source, taken: Arc::clone(&taken) };
    let (mut entries, mut bytes) = (Vec::new(), 0);
    let send = |entries: Vec<Restored>| {
        let batch = Batch { entries, read: taken.load(Ordering::Relaxed) };
        sender.blocking_send(batch).map_err(|_| "nobody takes it any more".to_owned())
    };
    snapshot_json::decode(BufReader::with_capacity(1 << 16, counting), BOUNDS, &mut |entry| {
        bytes += entry.value.bytes.len() + entry.key.as_bytes().len();
        entries.push(entry);
        if entries.len() < BATCH && bytes < BATCH_BYTES {
            return Ok(());
        }
        bytes = 0;
        send(std::mem::take(&mut entries))
    })
    .map_err(|error| error.to_string())?;
    if entries.is_empty() { Ok(()) } else { send(entries) }
}

/// Counts what is read through it.
struct Counting {
    source: Box<dyn Read + Send>,
    taken: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// What those who send have in common.
struct Shared {
    batches: Mutex<mpsc::Receiver<Batch>>,
    addresses: Vec<String>,
    fallback: String,
    path: String,
    turn: AtomicUsize,
    read: AtomicU64,
}

impl Shared {
    /// Sends batches until there are no more.
    async fn send_all(&self, bar: &ProgressBar) -> Result<Imported, Failed> {
        let (mut imported, mut client) = (Imported::default(), None);
        loop {
            let Some(batch) = self.batches.lock().await.recv().await else { return Ok(imported) };
            // A part of it that is refused as a whole is halved, until it is known which entry it is for.
            let mut parts = vec![batch.entries];
            while let Some(mut part) = parts.pop() {
                if let Err(code) = self.send(&mut part, &mut client, &mut imported).await? {
                    match part.len() {
                        0 => {}
                        1 => imported.refuse(&code, 1),
                        length => {
                            let half = part.split_off(length / 2);
                            parts.extend([half, part]);
                        }
                    }
                }
            }
            bar.set_position(self.read.fetch_max(batch.read, Ordering::Relaxed).max(batch.read));
            bar.set_message("importing");
        }
    }

    /// Sends entries, and again those that were turned away for now. The code of why, where they are refused together.
    async fn send(
        &self,
        entries: &mut Vec<Restored>,
        client: &mut Option<Client>,
        imported: &mut Imported,
    ) -> Result<Result<(), String>, Failed> {
        let (mut why, mut pause) = (String::new(), PAUSE);
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            let response = match self.request(entries, client).await {
                Ok(response) => response,
                // It may have been carried out; what has then is newer than what is sent again.
                Err(error) => {
                    (*client, why) = (None, error);
                    continue;
                }
            };
            if response.status.is_server_error() {
                why = response.error_code();
                continue;
            }
            if response.status == StatusCode::NOT_FOUND || response.status == StatusCode::METHOD_NOT_ALLOWED {
                return Err(failed("the cluster is of an older version, and cannot import"));
            }
            if response.status != StatusCode::OK {
                let code = response.error_code();
                return if code == "bad_parameter" { Err(super::client::refused(&response)) } else { Ok(Err(code)) };
            }
            let document: Value = serde_json::from_slice(&response.body).map_err(failed)?;
            let failures = imported.count(&document);
            let (again, lost): (Vec<_>, Vec<_>) = failures.into_iter().partition(|(_, code)| code != "too_large");
            lost.iter().for_each(|(_, code)| imported.refuse(code, 1));
            if again.is_empty() {
                return Ok(Ok(()));
            }
            why.clone_from(&again[0].1);
            let mut index = 0;
            entries.retain(|_| {
                index += 1;
                again.iter().any(|(at, _)| *at == index - 1)
            });
        }
        if client.is_none() {
            return Err(failed(why));
        }
        imported.refuse(&why, entries.len() as u64);
        Ok(Ok(()))
    }

    /// One request, at the node whose turn it is where there is no connection yet.
    async fn request(
        &self,
        entries: &[Restored],
        client: &mut Option<Client>,
    ) -> Result<crate::load::client::Response, String> {
        let client = match client {
            Some(client) => client,
            None => {
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                // Now and then the one that was named: who has restarted elsewhere is not in the list.
                let address = self.addresses.get(turn % (self.addresses.len() + 1)).unwrap_or(&self.fallback);
                let opened = Client::connect(address).await.map_err(|error| error.to_string())?;
                client.insert(opened.with_timeout(PATIENCE))
            }
        };
        let mut body = snapshot_json::head(UnixMs(0)).into_bytes();
        for (index, entry) in entries.iter().enumerate() {
            body.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
            entry.print(&mut body);
        }
        body.extend_from_slice(snapshot_json::TAIL);
        client
            .request(Method::POST, &self.path, HeaderMap::new(), Bytes::from(body))
            .await
            .map_err(|error| error.to_string())
    }
}

impl Imported {
    fn refuse(&mut self, code: &str, count: u64) {
        *self.refused.entry(code.to_owned()).or_default() += count;
    }

    fn add(&mut self, other: Imported) {
        self.stored += other.stored;
        self.expired += other.expired;
        self.kept_newer += other.kept_newer;
        other.refused.iter().for_each(|(code, count)| self.refuse(code, *count));
    }

    /// Counts what an answer says; those that failed, by their place in the request, with the code of why.
    fn count(&mut self, document: &Value) -> Vec<(usize, String)> {
        let number = |field: &str| document[field].as_u64().unwrap_or(0);
        self.stored += number("stored");
        self.expired += number("expired");
        self.kept_newer += number("kept_newer");
        let failure = |failed: &Value| {
            let place = usize::try_from(failed["entry"].as_u64()?).ok()?;
            Some((place, failed["code"].as_str()?.to_owned()))
        };
        document["failed"].as_array().into_iter().flatten().filter_map(failure).collect()
    }
}
