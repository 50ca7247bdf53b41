//! The plain API, as the project's first users know it: `/get`, `/set`, `/save`, `/load`, JSON answers with `status`
//! and `message`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, body::Incoming, header};
use serde_json::json;
use vitrine_engine::effect::Served;
use vitrine_engine::id::Slot;
use vitrine_engine::limits;
use vitrine_engine::request::{self as ask, Answer, Condition, Entry, Key, Operation, ReadLevel, Value};
use vitrine_engine::time::UnixMs;

use super::entries::{WriteParameters, unshared};
use super::problem::Problem;
use super::query::Parameters;
use super::{Body, Front, answer};
use crate::snapshot_json;

/// The actions of the plain API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `GET /get?key=`.
    Get,
    /// `POST /set`.
    Set,
    /// `POST /save`.
    Save,
    /// `POST /load`.
    Load,
}

/// Carries out an action.
///
/// `by` becomes the node that answered, where another one was asked, and `slot` that of the key.
pub async fn handle(
    front: &Front,
    action: Action,
    request: Request<Incoming>,
    served: &mut Served,
    slot: &mut Option<Slot>,
) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or("");
    allowed(front, action, &parts.method)?;
    if action == Action::Get {
        let parameters = Parameters::parse(query, &["key"])?;
        let key = key(&parameters)?;
        *slot = Some(key.slot());
        return get(front, key, served).await;
    }
    let known = match action {
        Action::Set => SET,
        Action::Save => SAVE,
        _ => FILE,
    };
    let mut parameters = Parameters::parse(query, known)?;
    // A body is longer than what it says: escapes take six bytes for one.
    let limit = front.max_value.saturating_add(limits::MAX_KEY).saturating_mul(2).saturating_add(4_096);
    let taken = front.intake.take(body, limit).await?;
    parameters.merge(body_parameters(&parts.headers, &taken.bytes, known)?, known)?;
    match action {
        Action::Set => {
            let key = key(&parameters)?;
            *slot = Some(key.slot());
            set(front, key, &parameters, served).await
        }
        Action::Save => save(front, &parameters).await,
        _ => load(front, &parameters).await,
    }
}

const SET: &[&str] = &["key", "value", "ttl", "encoding", "write", "timeout"];
const FILE: &[&str] = &["file"];
const SAVE: &[&str] = &["file", "form"];

fn allowed(front: &Front, action: Action, method: &Method) -> Result<(), Problem> {
    let reads = [Method::GET, Method::HEAD].contains(method);
    match action {
        Action::Get if reads => Ok(()),
        Action::Get => Err(Problem::method("GET, HEAD", "/get takes GET")),
        _ if *method == Method::POST || (*method == Method::GET && front.allow_get_writes) => Ok(()),
        _ if front.allow_get_writes => Err(Problem::method("GET, POST", "this path takes POST and GET")),
        _ if reads => Err(Problem::method(
            "POST",
            "this path changes something and takes POST; a server started with --allow-get-writes takes GET too",
        )),
        _ => Err(Problem::method("POST", "this path takes POST")),
    }
}

async fn get(front: &Front, key: Key, served: &mut Served) -> Result<Response<Body>, Problem> {
    let operation = Operation::Get { level: ReadLevel::Primary };
    let request = ask::Request { key: key.clone(), operation, timeout: front.request_timeout };
    match front.ask(request).await.noting(served)? {
        Answer::Found(entry) => Ok(hit(front, &key, &entry, *served)),
        _ => Err(Problem::missing()),
    }
}

fn hit(front: &Front, key: &Key, entry: &Entry, served: Served) -> Response<Body> {
    let mut document = json!({ "status": "ok", "message": "hit", "ttl_ms": ttl(entry, front.shards.now().unix) });
    if front.is_isolated(Some(key.slot()), served) {
        document["isolated"] = true.into();
    }
    match std::str::from_utf8(key.as_bytes()) {
        Ok(text) => document["key"] = text.into(),
        Err(_) => {
            document["key"] = BASE64.encode(key.as_bytes()).into();
            document["key_encoding"] = "base64".into();
        }
    }
    match std::str::from_utf8(&entry.value.bytes) {
        Ok(text) => document["value"] = text.into(),
        Err(_) => {
            document["value"] = BASE64.encode(&entry.value.bytes).into();
            document["encoding"] = "base64".into();
        }
    }
    answer::json(StatusCode::OK, &document)
}

fn ttl(entry: &Entry, now: UnixMs) -> Option<u64> {
    entry.deadline.map(|deadline| deadline.0.saturating_sub(now.0))
}

async fn set(
    front: &Front,
    key: Key,
    parameters: &Parameters<'_>,
    served: &mut Served,
) -> Result<Response<Body>, Problem> {
    let slot = key.slot();
    let write = WriteParameters::of(parameters, front.request_timeout)?;
    let missing = || Problem::malformed("missing_value", "the parameter `value` is missing; it may be empty");
    let text = parameters.get("value").ok_or_else(missing)?;
    let bytes = match parameters
        .read("encoding", "base64 or utf-8", |t| ["base64", "utf-8"].contains(&t).then_some(t == "base64"))?
    {
        Some(true) => Bytes::from(
            BASE64.decode(text).map_err(|e| Problem::malformed("bad_value", format!("`value` is not base64: {e}")))?,
        ),
        _ => Bytes::copy_from_slice(text),
    };
    if bytes.len() > front.max_value {
        let detail =
            format!("the value has {} bytes; the limit is {}; nothing was stored", bytes.len(), front.max_value);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
    }
    let value = Value { bytes: unshared(bytes), media: Bytes::from_static(b"text/plain; charset=utf-8") };
    let deadline = write.deadline(|| front.shards.now().unix)?;
    let operation = Operation::Set { value, deadline, condition: Condition::Always, level: write.level };
    match front.ask(ask::Request { key, operation, timeout: write.timeout }).await.noting(served)? {
        Answer::Stored { version, copies, created } => {
            let message = if created { "stored" } else { "replaced" };
            let mut document =
                json!({ "status": "ok", "message": message, "version": version.to_string(), "copies": copies });
            if front.is_isolated(Some(slot), *served) {
                document["isolated"] = true.into();
            }
            let mut response = answer::json(StatusCode::OK, &document);
            response.headers_mut().insert(header::ETAG, answer::etag(version));
            response.headers_mut().insert(answer::COPIES, u16::from(copies).into());
            Ok(response)
        }
        Answer::Unmet { present } => Err(Problem::unmet(present)),
        _ => Err(Problem::internal("a set was answered as something else")),
    }
}

async fn save(front: &Front, parameters: &Parameters<'_>) -> Result<Response<Body>, Problem> {
    let form = parameters.read("form", "json or snapshot", |t| ["json", "snapshot"].into_iter().find(|f| *f == t))?;
    let named = parameters.get("file").is_some();
    let mut document = json!({ "status": "ok" });
    if form != Some("snapshot") {
        let file = file(parameters)?;
        let saved = snapshot_json::save(&front.shards, &front.data, &file).await?;
        document["message"] = format!("saved {} entries to {file}", saved.entries).into();
        document["file"] = file.into();
        document["entries"] = saved.entries.into();
        document["bytes"] = saved.bytes.into();
    }
    match (&front.snapshots, form) {
        // Whoever names a file wants that one.
        (Some(snapshots), Some("snapshot")) | (Some(snapshots), None) if !named => {
            let failed = |why: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no_snapshot", why);
            let taken = snapshots.request().await.unwrap_or_else(|_| Err("the node is stopping".to_owned()));
            let taken = taken.map_err(failed)?;
            let file = taken.path.file_name().map(|name| name.to_string_lossy());
            if document["message"].is_null() {
                let file = file.as_deref().unwrap_or_default();
                document["message"] = format!("saved {} entries to {file}", taken.footer.entries).into();
            }
            document["snapshot"] = json!({
                "file": file,
                "entries": taken.footer.entries,
                "bytes": taken.bytes,
                "took_ms": taken.took.as_millis() as u64,
                "longest_hold_us": taken.longest_hold.as_micros() as u64,
            });
        }
        (None, Some("snapshot")) => {
            let why = "this node keeps no log, and so takes no snapshots; see `vitrine serve --fsync`";
            return Err(Problem::malformed("bad_parameter", why));
        }
        (Some(_), Some("snapshot")) => {
            let why = "a snapshot has a name of its own: leave `file` out, or ask for the form `json`";
            return Err(Problem::malformed("bad_parameter", why));
        }
        _ => {}
    }
    Ok(answer::json(StatusCode::OK, &document))
}

async fn load(front: &Front, parameters: &Parameters<'_>) -> Result<Response<Body>, Problem> {
    let file = file(parameters)?;
    let loaded = snapshot_json::load(front, &file).await?;
    let message = format!("loaded {} entries from {file}", loaded.stored);
    let status = if loaded.failed == 0 { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let document = json!({
        "status": if loaded.failed == 0 { "ok" } else { "error" },
        "code": if loaded.failed == 0 { None } else { Some("partly_loaded") },
        "message": message,
        "file": file,
        "entries": loaded.stored,
        "expired": loaded.expired,
        "kept_newer": loaded.kept_newer,
        "failed": loaded.failed,
    });
    Ok(answer::json(status, &document))
}

fn key(parameters: &Parameters<'_>) -> Result<Key, Problem> {
    let missing = || Problem::malformed("missing_key", "the parameter `key` is missing");
    Ok(Key::new(Bytes::copy_from_slice(parameters.get("key").ok_or_else(missing)?))?)
}

fn file(parameters: &Parameters<'_>) -> Result<String, Problem> {
    let file =
        parameters.read("file", snapshot_json::FILE_TAKES, |t| snapshot_json::is_file_name(t).then(|| t.to_owned()))?;
    Ok(file.unwrap_or_else(|| snapshot_json::DEFAULT_FILE.to_owned()))
}

/// The parameters that a body gives: a form or a JSON object.
fn body_parameters<'a>(headers: &HeaderMap, body: &'a [u8], known: &[&str]) -> Result<Parameters<'a>, Problem> {
    let media = headers.get(header::CONTENT_TYPE).map_or(Ok(""), |value| value.to_str()).unwrap_or("?");
    match media.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
        _ if body.is_empty() => Ok(Parameters::default()),
        "application/x-www-form-urlencoded" => {
            let text = std::str::from_utf8(body).map_err(|_| {
                Problem::malformed("bad_encoding", "the form is not text; other bytes are percent-encoded")
            })?;
            Parameters::parse(text.trim_end_matches(['\r', '\n']), known)
        }
        "application/json" => json_parameters(body, known),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "a body is application/x-www-form-urlencoded or application/json",
        )),
    }
}

fn json_parameters<'a>(body: &[u8], known: &[&str]) -> Result<Parameters<'a>, Problem> {
    let bad = |detail: String| Problem::malformed("bad_json", detail);
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(body).map_err(|e| bad(format!("the body is not a JSON object: {e}")))?;
    let mut parameters = Parameters::default();
    for (name, value) in object {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(flag) => flag.to_string(),
            serde_json::Value::Null => continue,
            _ => return Err(bad(format!("`{name}` is neither a string nor a number"))),
        };
        parameters.add(Cow::Owned(name), Cow::Owned(text.into_bytes()), known)?;
    }
    Ok(parameters)
}
