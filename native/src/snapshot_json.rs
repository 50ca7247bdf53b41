//! `cache.json`: a snapshot that a person can read and edit, and another program can write.
//!
//! ```json
//! {"format":"vitrine-cache","version":1,"saved_unix_ms":1700000000000,"entries":[
//! {"key":"a","value":"1","version":"18bcfe5687b-0-1","deadline_unix_ms":1700000060000,"media":"text/plain"}
//! ]}
//! ```
//!
//! A key or value that is not text is base64, and `"key_encoding"` or `"encoding"` says so. The first version's form,
//! one object of `key: {"value": …, "expiry": …}`, is read too. A file is read twice: the first time only to be
//! checked, so that nothing is loaded by halves.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};
use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::StatusCode;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use tokio::sync::mpsc;
use vitrine_engine::id::Version;
use vitrine_engine::limits;
use vitrine_engine::request::{self as ask, Answer, Condition, Key, Operation, Value, WriteLevel};
use vitrine_engine::shard::Shard;
use vitrine_engine::store::{EntryRef, Store};
use vitrine_engine::time::UnixMs;

use crate::http::{Front, Problem};
use crate::shards::Shards;

/// The file when nobody names one.
pub const DEFAULT_FILE: &str = "cache.json";
/// What `file` takes, as the end of a sentence.
pub const FILE_TAKES: &str = "a bare file name such as cache.json: letters, digits, '-', '_' and '.', no folder";

/// What was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// How many entries.
    pub entries: u64,
    /// The file's size.
    pub bytes: u64,
}

/// What was loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Written.
    pub stored: u64,
    /// Left out: their deadline had passed.
    pub expired: u64,
    /// Left out: something newer was there.
    pub kept_newer: u64,
    /// Refused or not confirmed by the cluster.
    pub failed: u64,
}

/// True for a bare file name.
pub fn is_file_name(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(fine) && !text.starts_with('.')
}

/// Writes all that this node holds. The file is the old one or the new one, whatever happens on the way.
pub async fn save(shards: &Arc<Shards>, folder: &Path, file: &str) -> Result<Saved, Problem> {
    let (shards, folder, name) = (Arc::clone(shards), folder.to_owned(), file.to_owned());
    let saved = tokio::task::spawn_blocking(move || write(&shards, &folder, &name)).await;
    let saved = saved.unwrap_or_else(|error| Err(io::Error::other(error)));
    saved.map_err(|error| {
        let detail = format!("{file} could not be saved: {error}; what was there before is still there");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "save_failed", detail)
    })
}

/// Reads a file and writes its entries into the cluster: those that have not expired, where nothing newer is.
pub async fn load(front: &Front, file: &str) -> Result<Loaded, Problem> {
    let path = front.data.join(file);
    let (limits, now) = (Bounds { max_value: front.max_value, max_file: front.max_snapshot }, front.shards.now().unix);
    // As many as a page, so that the reader is ahead of the writers and memory stays bounded.
    let (sender, mut entries) = mpsc::channel::<Restored>(16);
    let expired = Arc::new(AtomicU64::new(0));
    let skipped = Arc::clone(&expired);
    let reading = tokio::task::spawn_blocking(move || -> Result<(), ReadError> {
        let mut file = File::open(&path)?;
        read(&mut file, limits, &mut |_| Ok(()))?;
        file.rewind()?;
        read(&mut file, limits, &mut |entry| {
            if entry.deadline.is_some_and(|deadline| deadline <= now) {
                skipped.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            sender.blocking_send(entry).map_err(|_| "the load was given up".to_owned())
        })
    });
    let mut loaded = Loaded::default();
    while let Some(entry) = entries.recv().await {
        let operation = Operation::Set {
            value: entry.value,
            deadline: entry.deadline,
            condition: entry.version.map_or(Condition::Always, Condition::OlderThan),
            level: WriteLevel::Live,
        };
        match front.ask(ask::Request { key: entry.key, operation, timeout: front.request_timeout }).await.outcome {
            Ok(Answer::Unmet { .. }) => loaded.kept_newer += 1,
            Ok(_) => loaded.stored += 1,
            Err(_) => loaded.failed += 1,
        }
    }
    let read = reading.await.unwrap_or_else(|error| Err(ReadError::Io(io::Error::other(error))));
    read.map_err(|error| error.into_problem(file))?;
    loaded.expired = expired.load(Ordering::Relaxed);
    Ok(loaded)
}

/// How much of a file is taken.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The longest value, in bytes.
    pub max_value: usize,
    /// The longest file, in bytes.
    pub max_file: u64,
}

/// One entry of a file, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Its key.
    pub key: Key,
    /// Its value.
    pub value: Value,
    /// Its version, when the file says one.
    pub version: Option<Version>,
    /// When it expires.
    pub deadline: Option<UnixMs>,
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_encoding: Option<&'static str>,
    value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline_unix_ms: Option<u64>,
    #[serde(skip_serializing_if = "str::is_empty")]
    media: &'a str,
}

fn write(shards: &Shards, folder: &Path, name: &str) -> io::Result<Saved> {
    std::fs::create_dir_all(folder)?;
    // Beside the live file, under a name that no client can ask for, and never the same one twice.
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let temporary = folder.join(format!(".{name}.{:016x}.tmp", u64::from_le_bytes(random)));
    let result = File::create_new(&temporary).and_then(|file| {
        let entries = write_entries(shards, &mut BufWriter::with_capacity(1 << 16, &file))?;
        file.sync_all()?;
        let bytes = file.metadata()?.len();
        std::fs::rename(&temporary, folder.join(name))?;
        File::open(folder)?.sync_all()?;
        Ok(Saved { entries, bytes })
    });
    if result.is_err() {
        // The live file was not touched; a left-over is only litter.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

/// Writes all that those shards hold, as a whole file. How many entries.
pub fn write_entries(shards: &Shards, out: &mut impl Write) -> io::Result<u64> {
    let now = shards.now().unix;
    out.write_all(head(now).as_bytes())?;
    let mut count = 0;
    let mut page = Vec::new();
    for stripe in 0..shards.stripes() {
        let mut cursor = Some(0);
        while let Some(from) = cursor {
            let look = |shard: &Shard| {
                let budget = places_at_once(shard.store());
                shard.store().scan(from, budget, &mut |key, entry| {
                    if entry.deadline.is_none_or(|deadline| deadline > now) {
                        page.extend_from_slice(if count == 0 { b"\n" } else { b",\n" });
                        print_held(key, &entry, &mut page);
                        count += 1;
                    }
                })
            };
            cursor = shards.look_in_turn(stripe, look).flatten();
            out.write_all(&page)?;
            page.clear();
        }
    }
    out.write_all(TAIL)?;
    out.flush()?;
    Ok(count)
}

/// What stands before the entries, each of which begins with `\n` and is parted from the one before by `,`.
pub fn head(saved: UnixMs) -> String {
    format!("{{\"format\":\"vitrine-cache\",\"version\":1,\"saved_unix_ms\":{},\"entries\":[", saved.0)
}

/// What stands behind them.
pub const TAIL: &[u8] = b"\n]}\n";

/// Prints what a part of a stripe holds from that place on and is wanted, each entry in a line. Returns the place to go
/// on with, or `None` at the end of the stripe.
pub fn page(
    shards: &Shards,
    stripe: usize,
    from: u64,
    wanted: impl Fn(&[u8]) -> bool,
    out: &mut Vec<u8>,
) -> Option<u64> {
    let now = shards.now().unix;
    let look = |shard: &Shard| {
        shard.store().scan(from, places_at_once(shard.store()), &mut |key, entry| {
            if entry.deadline.is_none_or(|deadline| deadline > now) && wanted(key) {
                print_held(key, &entry, out);
                out.push(b'\n');
            }
        })
    };
    shards.look_in_turn(stripe, look).flatten()
}

/// Places of the store that are looked at under its lock at a time: about 256 KiB of entries.
fn places_at_once(store: &Store) -> u32 {
    let mean = store.bytes() / u64::from(store.len().max(1));
    u32::try_from((256 << 10) / mean.max(1)).unwrap_or(u32::MAX).clamp(1, 256)
}

fn print_held(key: &[u8], entry: &EntryRef<'_>, out: &mut Vec<u8>) {
    print(key, (entry.value, entry.media), Some(entry.version), entry.deadline, out);
}

impl Restored {
    /// Prints it as it stands in a file.
    pub fn print(&self, out: &mut Vec<u8>) {
        print(self.key.as_bytes(), (&self.value.bytes, &self.value.media), self.version, self.deadline, out);
    }
}

fn print(
    key: &[u8],
    (value, media): (&[u8], &[u8]),
    version: Option<Version>,
    deadline: Option<UnixMs>,
    out: &mut Vec<u8>,
) {
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (BASE64.encode(bytes), Some("base64")),
    };
    let (key, key_encoding) = text(key);
    let (value, encoding) = text(value);
    let line = Line {
        key: &key,
        key_encoding,
        value: &value,
        encoding,
        version: version.map(|version| version.to_string()),
        deadline_unix_ms: deadline.map(|deadline| deadline.0),
        // A media type is a header's value; one that is not text is not worth keeping.
        media: std::str::from_utf8(media).unwrap_or(""),
    };
    // Strings and numbers into memory: that does not fail.
    let _ = serde_json::to_writer(out, &line);
}

/// Why a file was not loaded.
#[derive(Debug)]
enum ReadError {
    Io(io::Error),
    Content(String),
}

impl ReadError {
    fn into_problem(self, file: &str) -> Problem {
        match self {
            ReadError::Io(error) if error.kind() == io::ErrorKind::NotFound => {
                Problem::new(StatusCode::NOT_FOUND, "no_such_file", format!("the snapshot folder has no file {file}"))
            }
            ReadError::Io(error) => {
                let detail = format!("{file} could not be read: {error}; nothing was loaded");
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "load_failed", detail)
            }
            ReadError::Content(what) => {
                Problem::malformed("bad_snapshot", format!("{file} is no snapshot: {what}; nothing was loaded"))
            }
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> ReadError {
        ReadError::Io(error)
    }
}

/// What an entry is handed to.
pub type Each<'a> = dyn FnMut(Restored) -> Result<(), String> + 'a;

/// Reads a whole file and hands out its entries, one at a time.
fn read(file: &mut File, bounds: Bounds, each: &mut Each<'_>) -> Result<(), ReadError> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ReadError::Content("it is no regular file".to_owned()));
    }
    if metadata.len() > bounds.max_file {
        let (length, limit) = (metadata.len(), bounds.max_file);
        return Err(ReadError::Content(format!("it has {length} bytes, and {limit} are taken")));
    }
    // It may grow while it is read.
    decode(BufReader::with_capacity(1 << 16, file.take(bounds.max_file)), bounds, each).map_err(|error| {
        match error.classify() {
            serde_json::error::Category::Io => ReadError::Io(error.into()),
            _ => ReadError::Content(explain(&error)),
        }
    })
}

/// Hands out the entries of a snapshot, one at a time; `each` may end the reading. The error says what was wrong where.
pub fn decode(text: impl Read, bounds: Bounds, each: &mut Each<'_>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_reader(text);
    Top { bounds, each }.deserialize(&mut deserializer).and_then(|()| deserializer.end())
}

/// What is wrong with a file, as a sentence goes on.
pub fn explain(error: &serde_json::Error) -> String {
    match error.classify() {
        serde_json::error::Category::Eof => {
            format!("it was cut off at line {} column {}", error.line(), error.column())
        }
        _ => error.to_string(),
    }
}

/// Has a later version of Vitrine written the file?
pub fn is_newer(error: &serde_json::Error) -> bool {
    error.to_string().starts_with(NEWER)
}

const NEWER: &str = "a newer version wrote it";

/// The whole document.
struct Top<'a, 'b> {
    bounds: Bounds,
    each: &'a mut Each<'b>,
}

/// The list of entries in it.
struct Entries<'a, 'b> {
    bounds: Bounds,
    each: &'a mut Each<'b>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryLine {
    key: String,
    key_encoding: Option<String>,
    value: String,
    encoding: Option<String>,
    version: Option<String>,
    deadline_unix_ms: Option<u64>,
    #[serde(default)]
    media: String,
}

/// An entry of the first version's file.
#[derive(Deserialize)]
struct FirstVersion {
    #[serde(alias = "Value")]
    value: serde_json::Value,
    #[serde(default, alias = "Expiry", alias = "expiration", alias = "Expiration")]
    expiry: serde_json::Value,
}

/// What stands as an object, with its fields by name. A derived reader alone also takes a list of them.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry as an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

impl<'de> DeserializeSeed<'de> for Top<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Top<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut first = true;
        let mut ours = false;
        let mut seen = false;
        while let Some(name) = map.next_key::<String>()? {
            if first && name == "format" {
                let format: serde_json::Value = map.next_value()?;
                match format.as_str() {
                    Some("vitrine-cache") => ours = true,
                    _ => return Err(A::Error::custom("its `format` is not `vitrine-cache`")),
                }
            } else if !ours {
                let Object(entry) = map.next_value::<Object<FirstVersion>>()?;
                self.bounds.first_version(name, entry).and_then(&mut *self.each).map_err(A::Error::custom)?;
            } else {
                match name.as_str() {
                    "version" => match map.next_value::<u64>()? {
                        1 => {}
                        other => {
                            return Err(A::Error::custom(format!(
                                "{NEWER}: version {other}, and this one reads version 1"
                            )));
                        }
                    },
                    "saved_unix_ms" => drop(map.next_value::<IgnoredAny>()?),
                    "entries" if !seen => {
                        seen = true;
                        map.next_value_seed(Entries { bounds: self.bounds, each: &mut *self.each })?;
                    }
                    other => return Err(A::Error::custom(format!("`{}` is not expected here", other.escape_debug()))),
                }
            }
            first = false;
        }
        if ours && !seen { Err(A::Error::custom("`entries` is missing")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Entries<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while let Some(Object(line)) = sequence.next_element::<Object<EntryLine>>()? {
            self.bounds.entry(line).and_then(&mut *self.each).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

impl Bounds {
    fn entry(self, line: EntryLine) -> Result<Restored, String> {
        let key = decoded(line.key, line.key_encoding.as_deref())?;
        let value = decoded(line.value, line.encoding.as_deref())?;
        let version = line.version.map(|text| text.parse::<Version>().map_err(|e| e.to_string())).transpose()?;
        self.check(key, value, line.media, version, line.deadline_unix_ms.map(UnixMs))
    }

    fn first_version(self, key: String, entry: FirstVersion) -> Result<Restored, String> {
        let value = match entry.value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        let deadline = expiry(&entry.expiry)?;
        self.check(key.into_bytes(), value.into_bytes(), String::new(), None, deadline)
    }

    fn check(
        self,
        key: Vec<u8>,
        value: Vec<u8>,
        media: String,
        version: Option<Version>,
        deadline: Option<UnixMs>,
    ) -> Result<Restored, String> {
        let key = Key::new(key).map_err(|e| e.to_string())?;
        if value.len() > self.max_value {
            return Err(format!("a value has {} bytes, and the limit is {}", value.len(), self.max_value));
        }
        if media.len() > limits::MAX_MEDIA || !media.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return Err(format!("a `media` is no media type of at most {} bytes", limits::MAX_MEDIA));
        }
        let value = Value { bytes: Bytes::from(value), media: Bytes::from(media) };
        Ok(Restored { key, value, version, deadline })
    }
}

fn decoded(text: String, encoding: Option<&str>) -> Result<Vec<u8>, String> {
    match encoding {
        None | Some("utf-8") => Ok(text.into_bytes()),
        Some("base64") => BASE64.decode(text).map_err(|e| format!("a text is not base64: {e}")),
        Some(other) => Err(format!("an encoding is `{}`; it is base64 or utf-8", other.escape_debug())),
    }
}

/// When an entry of the first version expires: Unix seconds, milliseconds or nanoseconds, told apart by their size, or
/// RFC 3339. Nothing, 0 and year 1 are never.
fn expiry(value: &serde_json::Value) -> Result<Option<UnixMs>, String> {
    let bad = || format!("an `expiry` is {value}; it is a Unix time or an RFC 3339 text");
    match value {
        serde_json::Value::Null => Ok(None),
        serde_json::Value::Number(number) => match number.as_u64().ok_or_else(bad)? {
            0 => Ok(None),
            seconds @ ..100_000_000_000 => Ok(Some(UnixMs(seconds * 1_000))),
            millis @ ..100_000_000_000_000 => Ok(Some(UnixMs(millis))),
            nanos => Ok(Some(UnixMs(nanos / 1_000_000))),
        },
        serde_json::Value::String(text) if text.is_empty() || text.starts_with("0001-01-01") => Ok(None),
        serde_json::Value::String(text) => {
            let time = humantime::parse_rfc3339_weak(text).map_err(|_| bad())?;
            let unix = time.duration_since(std::time::UNIX_EPOCH).map_err(|_| bad())?;
            Ok(Some(UnixMs(u64::try_from(unix.as_millis()).map_err(|_| bad())?)))
        }
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests;
