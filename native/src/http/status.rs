//! What operators ask: what this is, whether it works, who is a member, where a key lives, and the metrics.

use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value as Json, json};
use vitrine_engine::cluster::{Health, Routes, Way};
use vitrine_engine::id::{NodeId, SLOTS, Slot};
use vitrine_engine::request::{self as ask, Answer, Inspection, Key, Operation};
use vitrine_engine::time::UnixMs;
use vitrine_engine::view::View;

use super::problem::Problem;
use super::{Body, Front, answer};

/// `/`: what this is.
pub fn root(front: &Front, headers: &HeaderMap) -> Response<Body> {
    let view = front.shards.view();
    let name = name(&view, view.me);
    let wanted = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("");
    if wanted.contains("text/html") {
        // A person with a browser wants the page.
        let mut response = answer::empty(StatusCode::TEMPORARY_REDIRECT);
        response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("ui/"));
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        return response;
    }
    let document = json!({
        "status": "ok",
        "message": "Vitrine, a distributed in-memory cache you can see through",
        "version": env!("CARGO_PKG_VERSION"),
        "node": name,
        "links": {
            "page": "/ui/",
            "entries": "/v1/entries/{key}",
            "get": "/get?key=",
            "set": "/set",
            "cluster": "/v1/cluster",
            "explain": "/v1/explain/{key}",
            "health": "/healthz",
            "ready": "/readyz",
            "metrics": "/metrics",
        },
    });
    let mut response = answer::json(StatusCode::OK, &document);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}

/// `/healthz`: does the process work? It does also where its disk does not, and says so.
pub fn health(front: &Front) -> Response<Body> {
    answer::text(StatusCode::OK, format!("ok\n{}", read_only(front)))
}

/// `/readyz`: may this node be sent requests? One that takes no writes still answers reads, and passes on to others.
pub fn ready(front: &Front) -> Response<Body> {
    let read_only = read_only(front);
    if front.ready.load(Ordering::Acquire) {
        let reconciling = if front.shards.in_doubt() == 0 { "" } else { ", reconciling" };
        answer::text(StatusCode::OK, format!("ready{reconciling}\n{read_only}"))
    } else {
        let mut response = answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{read_only}"));
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response
    }
}

/// A line for a node that cannot write to its disk, and nothing for any other.
fn read_only(front: &Front) -> String {
    let trouble = front.shards.log().and_then(|log| log.trouble());
    let view = front.shards.view();
    let aside = if view.is_aside(view.me) { "; other members answer for its slots until it can" } else { "" };
    match trouble {
        Some(trouble) => format!("read-only: the log cannot be written: {trouble}{aside}\n"),
        None if front.metrics.clock.floor_low.load(Ordering::Acquire) => {
            format!("read-only: the version floor cannot be written: versions have come to the one on disk{aside}\n")
        }
        None => String::new(),
    }
}

/// `/v1/cluster`: the map, and who is believed alive, as this node sees it.
pub fn cluster(front: &Front) -> Response<Body> {
    let view = front.shards.view();
    let membership = front.metrics.membership.load();
    let awaited: Vec<String> = membership.awaited.iter().map(|node| name(&view, *node)).collect();
    let (mut entries, mut bytes) = (0_u64, 0_u64);
    front.shards.each(|shard| {
        entries += u64::from(shard.store().len());
        bytes += shard.store().bytes();
    });
    let progress = front.shards.progress();
    let document = json!({
        "cluster": front.cluster_name,
        "node": name(&view, view.me),
        "version": env!("CARGO_PKG_VERSION"),
        "epoch": view.map.epoch.0,
        // Whom the change under way waits for.
        "awaited": awaited,
        "phase": view.map.phase.to_string(),
        "generation": view.generation,
        "slots": SLOTS,
        "replicas": view.map.replicas,
        "virtual_nodes": view.map.virtual_nodes,
        "members": members(front, &view),
        // It asks the other replicas before it answers for what it holds in so many of the 64 lanes of slots.
        "reconciling": front.shards.in_doubt() > 0,
        "here": { "entries": entries, "bytes": bytes, "stripes": front.shards.stripes(),
            "policy": front.shards.policy().name(),
            "lanes_in_doubt": front.shards.in_doubt(), "slots_isolated": front.shards.isolated(),
            "slots_orphaned": front.shards.orphans() },
        // Of what this node gains by the change under way; what was fetched counts from its start.
        "move": { "slots": progress.slots, "slots_through": progress.slots_through,
            "keys_waiting": progress.keys_waiting, "keys": progress.keys, "bytes": progress.bytes },
    });
    answer::json(StatusCode::OK, &document)
}

/// The members as this node sees them, by ascending number.
pub fn members(front: &Front, view: &View) -> Vec<Json> {
    let mut owned = vec![(0_u32, 0_u32); view.map.members.len()];
    let index = |node: NodeId| view.map.members.binary_search_by_key(&node, |m| m.id).ok();
    for slot in Slot::all() {
        if let Some(index) = view.primary(slot).and_then(index) {
            owned[index].0 += 1;
        }
        for index in view.replicas(slot).iter().filter_map(|node| index(*node)) {
            owned[index].1 += 1;
        }
    }
    let membership = front.metrics.membership.load();
    view.map
        .members
        .iter()
        .zip(&owned)
        .map(|(member, (primary, replica))| {
            json!({
                "id": member.id.0,
                "name": member.name,
                "alive": view.is_alive(member.id),
                "state": state(view, &membership.routes, member.id).name(),
                "reached": reached(view, &membership.routes, member.id),
                "weight": member.weight,
                "zone": member.zone,
                "leaving": member.leaving,
                "stood_in_for": member.away,
                "last_copies": member.sole,
                "http_address": member.http_address,
                "peer_address": member.peer_address,
                "primary_slots": primary,
                "replica_slots": replica,
            })
        })
        .collect()
}

/// How a member is doing; this node itself is alive, or aside.
fn state(view: &View, routes: &Routes, node: NodeId) -> Health {
    let own = if view.is_aside(node) { Health::Aside } else { Health::Alive };
    routes.way(node).map_or(own, |way| way.health)
}

/// By which way a member is reached: `itself`, `direct`, `through NAME` or `not`.
fn reached(view: &View, routes: &Routes, node: NodeId) -> String {
    match routes.way(node) {
        None => "itself".to_owned(),
        Some(Way { direct: true, .. }) => "direct".to_owned(),
        Some(Way { through: Some(through), .. }) => format!("through {}", name(view, *through)),
        Some(_) => "not".to_owned(),
    }
}

/// `/v1/explain/{key}`: where it lives, and what each replica holds.
pub async fn explain(front: &Front, key: Key) -> Result<Response<Body>, Problem> {
    let slot = key.slot();
    let operation = Operation::Inspect;
    let request = ask::Request { key: key.clone(), operation, timeout: front.request_timeout };
    let Answer::Inspected(inspections) = front.ask(request).await.outcome? else {
        return Err(Problem::internal("an inspection was answered as something else"));
    };
    let (view, now) = (front.shards.view(), front.shards.now().unix);
    let shown = match std::str::from_utf8(key.as_bytes()) {
        Ok(text) => json!({ "key": text }),
        Err(_) => json!({ "key": BASE64.encode(key.as_bytes()), "key_encoding": "base64" }),
    };
    let mut document = json!({
        "slot": slot.number(),
        "primary": view.primary(slot).map(|node| name(&view, node)),
        "isolated": front.shards.is_isolated(slot),
        "asked": name(&view, view.me),
        "policy": front.shards.policy().name(),
        "replicas": inspections.iter().map(|i| inspection(&view, i, now)).collect::<Vec<_>>(),
    });
    if let (Json::Object(document), Json::Object(shown)) = (&mut document, shown) {
        document.extend(shown);
    }
    Ok(answer::json(StatusCode::OK, &document))
}

/// `/metrics`: in the Prometheus text format, or as OpenMetrics for whoever asks for that.
pub fn metrics(front: &Front, headers: &HeaderMap) -> Response<Body> {
    let accepted = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or("");
    let media = match accepted.contains("application/openmetrics-text") {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    let mut response = answer::text(StatusCode::OK, front.metrics.print(&front.shards, front.snapshots.as_ref()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

fn inspection(view: &View, inspection: &Inspection, now: UnixMs) -> Json {
    let mut document = json!({
        "node": name(view, inspection.node),
        "alive": view.is_alive(inspection.node),
        "answered": inspection.held.is_some(),
    });
    if let Some(held) = inspection.held {
        let sentence = match (held.version, held.rank) {
            (None, _) => "it holds nothing under this key".to_owned(),
            (Some(_), Some(0)) => "it is evicted next when space is needed".to_owned(),
            (Some(_), Some(rank)) => format!("{rank} entries are evicted before it when space is needed"),
            (Some(_), None) => "many entries are evicted before it when space is needed".to_owned(),
        };
        document["version"] = json!(held.version.map(|v| v.to_string()));
        document["written_unix_ms"] = json!(held.version.map(|v| v.unix().0));
        document["deadline_unix_ms"] = json!(held.deadline.map(|d| d.0));
        document["ttl_ms"] = json!(held.deadline.map(|d| d.since(now).as_millis() as u64));
        document["bytes"] = json!(held.bytes);
        document["eviction_rank"] = json!(held.rank);
        document["floor"] = json!(held.floor.to_string());
        document["why"] = json!(sentence);
    }
    document
}

fn name(view: &View, node: NodeId) -> String {
    view.member(node).map_or_else(|| node.to_string(), |member| member.name.clone())
}
